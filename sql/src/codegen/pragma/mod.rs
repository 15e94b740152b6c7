//! PRAGMA.
//!
//! | module | what |
//! |---|---|
//! | [`catalog`] | what the schema holds, as rows made when the statement is compiled: table_info, index_list, … |
//! | `optimize` | ANALYZE where it is due |
//! | [`integrity`] | integrity_check, quick_check |
//! | `foreign_keys` | foreign_key_check |
//! | here | header fields, settings of the connection, journal and checkpoints |
//!
//! Rules:
//! 1. A pragma that nobody knows does nothing and says nothing.
//! 2. A pragma that sets a value gives a row only where SQLite's does.
//! 3. What depends on the running connection is read when the statement runs: a header field, or the opcode `Setting`.
//!
//! Absent: table-valued functions of pragmas; data_version.
//!
//! Source: SQLite's `sqlite3Pragma`, `pragma.h`.

pub mod catalog;
mod foreign_keys;
pub mod integrity;
mod optimize;

use crate::ast::{Pragma, Statement, Stmt};
use crate::authorizer::ActionCode;
use crate::codegen::select::Destination;
use crate::compiler::{Compiler, Result, SqlError};
use crate::parse::parse_statement;
use crate::resolve::{NameMode, resolve_select};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{ColumnInfo, Opcode, P4, Setting};

/// The largest number of attached databases, as `Checkpoint` wants it for all of them.
const ALL_DATABASES: i32 = 64;

/// How a setting's value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// on, off, a number; setting it gives no row.
    Flag,
    /// A number; setting it gives no row.
    Number,
    /// A number; setting it gives a row with what it is then.
    NumberAnswered,
    /// A text that the engine understands; setting it gives no row.
    Text,
    /// The same; a row.
    TextAnswered,
    /// Some words mean numbers; setting it gives no row.
    Words(&'static [(&'static str, i64)]),
}

const SYNCHRONOUS: &[(&str, i64)] = &[
    ("off", 0),
    ("no", 0),
    ("false", 0),
    ("on", 1),
    ("yes", 1),
    ("true", 1),
    ("normal", 1),
    ("full", 2),
    ("extra", 3),
];
const TEMP_STORE: &[(&str, i64)] = &[("default", 0), ("file", 1), ("memory", 2)];
const AUTO_VACUUM: &[(&str, i64)] = &[("none", 0), ("full", 1), ("incremental", 2)];

const fn form(setting: Setting) -> Form {
    match setting {
        Setting::AutomaticIndex
        | Setting::CellSizeCheck
        | Setting::CheckpointFullFsync
        | Setting::CountChanges
        | Setting::DeferForeignKeys
        | Setting::EmptyResultCallbacks
        | Setting::ForeignKeys
        | Setting::FullColumnNames
        | Setting::FullFsync
        | Setting::IgnoreCheckConstraints
        | Setting::LegacyAlterTable
        | Setting::QueryOnly
        | Setting::ReadUncommitted
        | Setting::RecursiveTriggers
        | Setting::ReverseUnorderedSelects
        | Setting::ShortColumnNames
        | Setting::TrustedSchema
        | Setting::WritableSchema
        | Setting::CaseSensitiveLike => Form::Flag,
        Setting::CacheSize | Setting::PageSize => Form::Number,
        Setting::AnalysisLimit
        | Setting::BusyTimeout
        | Setting::HardHeapLimit
        | Setting::JournalSizeLimit
        | Setting::MmapSize
        | Setting::SoftHeapLimit
        | Setting::Threads
        | Setting::WalAutocheckpoint => Form::NumberAnswered,
        Setting::SecureDelete | Setting::LockingMode => Form::TextAnswered,
        Setting::CacheSpill
        | Setting::DataVersion
        | Setting::Encoding
        | Setting::File
        | Setting::TempStoreDirectory => Form::Text,
        Setting::Synchronous => Form::Words(SYNCHRONOUS),
        Setting::TempStore => Form::Words(TEMP_STORE),
        Setting::AutoVacuum => Form::Words(AUTO_VACUUM),
    }
}

/// What `PRAGMA counters` stands for.
const COUNTERS: &[u8] = b"SELECT scope, name, bound, value FROM ringwood_counters";

/// Whether a statement is a PRAGMA of the connection, which compiles under a schema that nobody has read.
pub fn is_of_connection(statement: &Statement) -> bool {
    let Stmt::Pragma(pragma) = &statement.kind else {
        return false;
    };
    let name = pragma.name.name.text.to_ascii_lowercase();
    Setting::from_name(&name).is_some_and(Setting::is_of_connection)
}

impl Compiler<'_> {
    /// `PRAGMA counters`: a table of the engine's, as a pragma. Not SQLite's.
    fn counters(&mut self) -> Result<()> {
        let parsed = parse_statement(COUNTERS).map_err(|e| SqlError::of_text(&e))?;
        let Some(Stmt::Select(select)) = parsed.map(|parsed| parsed.kind) else {
            unreachable!("it is a SELECT");
        };
        let text = std::mem::replace(&mut self.text, COUNTERS);
        let resolved = resolve_select(self, &select, NameMode::Output);
        let coded =
            resolved.and_then(|select| self.code_select(&select, &mut Destination::output()));
        self.text = text;
        coded.map(drop)
    }

    /// Codes a PRAGMA.
    pub fn code_pragma(&mut self, pragma: &Pragma) -> Result<()> {
        let name = pragma.name.name.text.to_ascii_lowercase();
        let db = match &pragma.name.schema {
            Some(schema) => Some(self.ctx.schema.db_index(&schema.text).ok_or_else(|| {
                let written = String::from_utf8_lossy(schema.span.slice(self.text));
                SqlError::at(schema.span.start, format!("unknown database {written}"))
            })?),
            None => None,
        };
        let arg = pragma.arg.as_ref().map(|arg| &*arg.text);
        if self.asks() {
            let database = db.map(|db| self.ctx.schema.dbs[db].name.clone());
            let (name, code) = (&*pragma.name.name.text, ActionCode::Pragma);
            if !self.authorize(code, Some(name), arg, database.as_deref())? {
                return Ok(());
            }
        }
        let main = db.unwrap_or(0);
        match &*name {
            "user_version" => self.header_field(&name, main, p5::META_USER_VERSION, arg),
            "application_id" => self.header_field(&name, main, p5::META_APPLICATION_ID, arg),
            "schema_version" => self.header_field(&name, main, p5::META_SCHEMA_VERSION, arg),
            "freelist_count" => self.header_field(&name, main, p5::META_FREE_PAGE_COUNT, None),
            "foreign_key_check" => return self.foreign_key_check(db, arg),
            "incremental_vacuum" => {
                let steps = arg.map_or(0, |arg| integer(arg) as i32);
                let left = self.alloc_reg();
                self.writes_db(false, main);
                let steps = if steps <= 0 { i32::MAX } else { steps };
                self.op(Opcode::Integer, steps, left, 0);
                let step = self.op(Opcode::IncrVacuum, main as i32, 0, 0);
                // A row without columns for each page, as stock SQLite.
                self.op(Opcode::ResultRow, left, 0, 0);
                self.op(Opcode::AddImm, left, -1, 0);
                self.op(Opcode::IfPos, left, step, 0);
                self.jump_here(step);
            }
            "page_count" => {
                let reg = self.pragma_row(&[&*name]);
                self.uses_db(main);
                self.op(Opcode::Pagecount, main as i32, reg, 0);
                self.op(Opcode::ResultRow, reg, 1, 0);
            }
            "max_page_count" => {
                let reg = self.pragma_row(&[&*name]);
                self.uses_db(main);
                let wanted = arg.map_or(0, integer).clamp(0, i64::from(i32::MAX)) as i32;
                self.op(Opcode::MaxPgcnt, main as i32, reg, wanted);
                self.op(Opcode::ResultRow, reg, 1, 0);
            }
            "default_cache_size" => self.default_cache_size(main, arg),
            "data_version" => self.setting(Setting::DataVersion, main, None),
            "journal_mode" => self.journal_mode(db, arg),
            "wal_checkpoint" => {
                let mode = match arg.map(str::to_ascii_lowercase).as_deref() {
                    Some("full") => 1,
                    Some("restart") => 2,
                    Some("truncate") => 3,
                    _ => 0,
                };
                let reg = self.pragma_row(&["busy", "log", "checkpointed"]);
                self.op(
                    Opcode::Checkpoint,
                    db.map_or(ALL_DATABASES, |db| db as i32),
                    mode,
                    reg,
                );
                self.op(Opcode::ResultRow, reg, 3, 0);
            }
            "integrity_check" | "quick_check" => {
                return self.integrity_check(&name, db, arg, name == "quick_check");
            }
            "optimize" => return self.optimize(db, arg),
            "counters" => return self.counters(),
            "shrink_memory" => {}
            "temp_store_directory" => self.temp_store_directory(arg),
            _ => match Setting::from_name(&name).filter(|setting| *setting != Setting::File) {
                Some(setting) => self.setting(setting, main, arg),
                None => return self.catalog_pragma(&name, db, arg),
            },
        }
        Ok(())
    }

    /// Names the result columns and takes registers for them; the first.
    fn pragma_row<S: AsRef<str>>(&mut self, names: &[S]) -> i32 {
        self.columns = names
            .iter()
            .map(|name| ColumnInfo {
                name: name.as_ref().into(),
                ..ColumnInfo::default()
            })
            .collect();
        self.alloc_regs(names.len())
    }

    fn header_field(&mut self, name: &str, db: usize, field: i32, arg: Option<&str>) {
        if let Some(arg) = arg {
            self.writes_db(false, db);
            // What is no number of 32 bits is 0.
            let number = i32::try_from(integer(arg)).unwrap_or(0);
            self.op(Opcode::SetCookie, db as i32, field, number);
            self.p5(1);
            return;
        }
        let reg = self.pragma_row(&[name]);
        self.uses_db(db);
        self.op(Opcode::ReadCookie, db as i32, reg, field);
        self.op(Opcode::ResultRow, reg, 1, 0);
    }

    /// Where temporary files are; a row only if it was set.
    fn temp_store_directory(&mut self, arg: Option<&str>) {
        if arg.is_some() {
            self.setting(Setting::TempStoreDirectory, 0, arg);
            return;
        }
        let reg = self.pragma_row(&["temp_store_directory"]);
        let name = Setting::TempStoreDirectory.name();
        self.op4(Opcode::Setting, 0, reg, 0, P4::text(name));
        let none = self.op(Opcode::IsNull, reg, 0, 0);
        self.op(Opcode::ResultRow, reg, 1, 0);
        self.jump_here(none);
    }

    /// The cache size that the header suggests; without a sign.
    fn default_cache_size(&mut self, db: usize, arg: Option<&str>) {
        if let Some(arg) = arg {
            let size = integer(arg).unsigned_abs().min(i32::MAX as u64) as i32;
            self.writes_db(false, db);
            let field = p5::META_DEFAULT_CACHE_SIZE;
            self.op(Opcode::SetCookie, db as i32, field, size);
            self.setting(Setting::CacheSize, db, Some(&size.to_string()));
            return;
        }
        const DEFAULT: i32 = -2000;
        let reg = self.pragma_row(&["cache_size"]);
        let zero = self.alloc_reg();
        self.uses_db(db);
        self.op(
            Opcode::ReadCookie,
            db as i32,
            reg,
            p5::META_DEFAULT_CACHE_SIZE,
        );
        let done = self.label();
        self.jump(Opcode::IfPos, reg, done, 0);
        self.op(Opcode::Integer, 0, zero, 0);
        self.op(Opcode::Subtract, reg, zero, reg);
        self.jump(Opcode::IfPos, reg, done, 0);
        self.op(Opcode::Integer, DEFAULT, reg, 0);
        self.place(done);
        self.op(Opcode::ResultRow, reg, 1, 0);
    }

    fn journal_mode(&mut self, db: Option<usize>, arg: Option<&str>) {
        const MODES: [&str; 6] = ["delete", "persist", "off", "truncate", "memory", "wal"];
        let wanted =
            arg.and_then(|arg| MODES.iter().position(|mode| mode.eq_ignore_ascii_case(arg)));
        let reg = self.pragma_row(&["journal_mode"]);
        let wanted = wanted.map_or(-1, |mode| mode as i32);
        // Without a name a new mode is for all databases; the last answer is that of main.
        let all = db.is_none() && wanted >= 0;
        let last = if all { self.ctx.schema.dbs.len() } else { 1 };
        for db in (0..last).map(|i| db.unwrap_or(i)).rev() {
            self.op(Opcode::JournalMode, db as i32, reg, wanted);
        }
        self.op(Opcode::ResultRow, reg, 1, 0);
    }

    fn setting(&mut self, setting: Setting, db: usize, arg: Option<&str>) {
        let form = form(setting);
        let (value, out) = (self.alloc_reg(), self.alloc_reg());
        let Some(arg) = arg else {
            if setting != Setting::CaseSensitiveLike {
                self.columns = vec![ColumnInfo {
                    name: column_name(setting).into(),
                    ..ColumnInfo::default()
                }];
                self.op4(Opcode::Setting, db as i32, out, 0, P4::text(setting.name()));
                self.setting_row(setting, out);
            }
            return;
        };
        match form {
            Form::Flag => {
                let resets =
                    setting == Setting::WritableSchema && arg.eq_ignore_ascii_case("reset");
                let number = if resets { 2 } else { i32::from(boolean(arg)) };
                self.op(Opcode::Integer, number, value, 0);
            }
            Form::Number | Form::NumberAnswered => self.code_integer(integer(arg), value),
            Form::Text | Form::TextAnswered => {
                self.op4(Opcode::String8, 0, value, 0, P4::text(arg));
            }
            Form::Words(words) => {
                let found = words
                    .iter()
                    .find(|(word, _)| word.eq_ignore_ascii_case(arg));
                let number = match found {
                    Some((_, number)) => *number,
                    None if arg.starts_with(|c: char| c.is_ascii_digit()) => integer(arg),
                    None => i64::from(setting == Setting::Synchronous),
                };
                self.code_integer(number, value);
            }
        }
        self.op4(
            Opcode::Setting,
            db as i32,
            out,
            value,
            P4::text(setting.name()),
        );
        if matches!(form, Form::NumberAnswered | Form::TextAnswered) {
            self.columns = vec![ColumnInfo {
                name: column_name(setting).into(),
                ..ColumnInfo::default()
            }];
            self.setting_row(setting, out);
        }
        // Other statements were compiled under the old one.
        if form == Form::Flag {
            self.op(Opcode::Expire, 0, 0, 0);
        }
    }

    /// The row that tells a setting; a database that has no such thing gives none.
    fn setting_row(&mut self, setting: Setting, out: i32) {
        let row = self.label();
        if setting == Setting::MmapSize {
            self.jump(Opcode::IsNull, out, row, 0);
        }
        self.op(Opcode::ResultRow, out, 1, 0);
        self.place(row);
    }
}

const fn column_name(setting: Setting) -> &'static str {
    match setting {
        Setting::BusyTimeout => "timeout",
        other => other.name(),
    }
}

/// A number as SQLite's sqlite3Atoi and sqlite3DecOrHexToI64 read it: 0 for what is none.
fn integer(text: &str) -> i64 {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let value = match hex {
        Some(hex) => i64::from_str_radix(hex, 16).unwrap_or(0),
        None => {
            let end = digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len());
            digits[..end].parse().unwrap_or(0)
        }
    };
    if negative { -value } else { value }
}

/// SQLite's sqlite3GetBoolean.
fn boolean(text: &str) -> bool {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return integer(text) & 0xff != 0;
    }
    ["on", "yes", "true", "extra", "full"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text))
}
