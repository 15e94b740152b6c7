//! What only the engine can do: the VM stops with a request, the engine carries it out and answers, and the program
//! goes on with the next instruction.
//!
//! ```text
//!   step ──► Exit::Request(r) ──► the engine does r ──► vm.answer(a) ──► step …
//! ```

use super::state::State;
use super::trap::Step;
use crate::env::Env;
use crate::error::Error;
use crate::insn::{Insn, P4};
use crate::mem::Mem;
use crate::opcode::Opcode;
use crate::result_code::ResultCode;
use crate::setting::Setting;
use ringwood_format::value::Value;
use std::sync::Arc;

/// What the engine is asked to do. Databases are given by index.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Read rows of the schema table into the schema: those for which the SQL expression holds, or all. The rows are to
    /// be read inside the transaction in progress. Answer: [`Answer::Done`].
    ParseSchema {
        /// The database.
        db: usize,
        /// The expression.
        filter: Option<Arc<[u8]>>,
    },
    /// Load the statistics tables. Answer: [`Answer::Done`].
    LoadAnalysis {
        /// The database.
        db: usize,
    },
    /// Forget a table of the schema in memory. Answer: [`Answer::Done`].
    DropTable {
        /// The database.
        db: usize,
        /// Its name.
        name: Arc<[u8]>,
    },
    /// Forget an index of the schema in memory. Answer: [`Answer::Done`].
    DropIndex {
        /// The database.
        db: usize,
        /// Its name.
        name: Arc<[u8]>,
    },
    /// Forget a trigger of the schema in memory. Answer: [`Answer::Done`].
    DropTrigger {
        /// The database.
        db: usize,
        /// Its name.
        name: Arc<[u8]>,
    },
    /// Run SQL text inside the transaction in progress. Answer: [`Answer::Done`].
    Execute {
        /// The text.
        sql: Arc<[u8]>,
        /// `PRAGMA analysis_limit` meanwhile.
        analysis_limit: Option<u32>,
    },
    /// Set the journal mode (or only tell it, if `mode` is -1). Answer: one value, the mode's name.
    JournalMode {
        /// The database.
        db: usize,
        /// SQLite's number of the mode: 0 delete, 1 persist, 2 off, 3 truncate, 4 memory, 5 wal; -1 to ask.
        mode: i32,
    },
    /// Checkpoint one database, or all. Answer: three values: busy, frames in the log, frames copied.
    Checkpoint {
        /// The database; none for all.
        db: Option<usize>,
        /// 0 passive, 1 full, 2 restart, 3 truncate.
        mode: i32,
    },
    /// Rebuild the database, or write a rebuilt copy to another file. Answer: [`Answer::Done`].
    Vacuum {
        /// The database.
        db: usize,
        /// The file.
        into: Option<Value>,
    },
    /// Attach a file as one more database. Answer: [`Answer::Done`].
    Attach {
        /// The file's name or URI.
        file: Value,
        /// The database's name.
        name: Value,
    },
    /// Detach a database. Answer: [`Answer::Done`].
    Detach {
        /// Its name.
        name: Value,
    },
    /// Set a setting (or only tell it, without `value`). Answer: one value, what it is then.
    Setting {
        /// The database.
        db: usize,
        /// Which.
        setting: Setting,
        /// The new value.
        value: Option<Value>,
    },
    /// Raise the page limit (or only tell it, if `pages` is 0). Answer: one value, the limit.
    MaxPageCount {
        /// The database.
        db: usize,
        /// The new limit.
        pages: u32,
    },
}

/// What the engine answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is done, and gave these values.
    Values(Vec<Value>),
    /// It failed: so does the statement.
    Failed(Error),
}

/// The request of an instruction, if it is one for the engine.
pub(super) fn request(s: &State, insn: &Insn) -> Option<Request> {
    let text = || match &insn.p4 {
        P4::Text(text) => text.clone(),
        _ => Arc::from(&b""[..]),
    };
    let db = insn.p1 as usize;
    Some(match insn.opcode {
        Opcode::ParseSchema => {
            let filter = if let P4::Text(filter) = &insn.p4 {
                Some(filter.clone())
            } else {
                None
            };
            Request::ParseSchema { db, filter }
        }
        Opcode::LoadAnalysis => Request::LoadAnalysis { db },
        Opcode::DropTable => Request::DropTable { db, name: text() },
        Opcode::DropIndex => Request::DropIndex { db, name: text() },
        Opcode::DropTrigger => Request::DropTrigger { db, name: text() },
        Opcode::SqlExec => Request::Execute {
            sql: text(),
            analysis_limit: (insn.p1 & 2 != 0).then_some(insn.p2.max(0) as u32),
        },
        Opcode::JournalMode => Request::JournalMode { db, mode: insn.p3 },
        Opcode::Checkpoint => Request::Checkpoint {
            db: (insn.p1 < 64).then_some(db),
            mode: insn.p2,
        },
        Opcode::Vacuum => {
            let into = (insn.p2 > 0).then(|| s.mems[insn.p2 as usize].to_value());
            Request::Vacuum { db, into }
        }
        Opcode::Attach => Request::Attach {
            file: s.mems[insn.p1 as usize].to_value(),
            name: s.mems[insn.p2 as usize].to_value(),
        },
        Opcode::Detach => Request::Detach {
            name: s.mems[insn.p1 as usize].to_value(),
        },
        Opcode::Setting => Request::Setting {
            db,
            setting: Setting::from_name(&String::from_utf8_lossy(&text()))?,
            value: (insn.p3 > 0).then(|| s.mems[insn.p3 as usize].to_value()),
        },
        Opcode::MaxPgcnt => Request::MaxPageCount {
            db,
            pages: insn.p3.max(0) as u32,
        },
        _ => return None,
    })
}

/// Puts an answer where the instruction wants it; whether it jumps.
pub(super) fn accept(s: &mut State, env: &mut Env, insn: &Insn, answer: Answer) -> Step<bool> {
    let values = match answer {
        Answer::Done => Vec::new(),
        Answer::Values(values) => values,
        Answer::Failed(error) => return Err(error.into()),
    };
    if matches!(
        insn.opcode,
        Opcode::ParseSchema | Opcode::DropTable | Opcode::DropIndex | Opcode::DropTrigger
    ) {
        env.schema_changed = true;
    }
    let (first, count) = match insn.opcode {
        Opcode::JournalMode | Opcode::MaxPgcnt | Opcode::Setting => (insn.p2 as usize, 1),
        Opcode::Checkpoint => (insn.p3 as usize, 3),
        _ => return Ok(false),
    };
    if values.len() != count {
        let message = format!(
            "internal error: {} wants {count} values",
            insn.opcode.name()
        );
        return Err(Error::new(ResultCode::INTERNAL, message).into());
    }
    for (at, value) in values.into_iter().enumerate() {
        s.mems[first + at] = Mem::from_value(value);
    }
    Ok(false)
}
