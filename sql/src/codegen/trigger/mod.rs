//! Triggers: which ones watch a change, and the calls of their programs.
//!
//! ```text
//!   INSERT, UPDATE, DELETE ──fire()──► Program base, ignore, _, n        n: subprogram, P5: not if it is running already
//!   end_change()  ──► compiles the programs that are wanted, and those that they want, one by one       program.rs
//!
//!   r[base]   old rowid | old columns | new rowid | new columns          what Param reads; INSERT has no old half,
//!                                                                        DELETE no new one
//! ```
//!
//! | module | what |
//! |---|---|
//! | here | finding and firing |
//! | [`program`] | the program of a trigger |
//!
//! Rules:
//! 1. Triggers of the temp database fire first, in the order in which they were made; then those of the table's
//!    database, the newest first.
//! 2. A program is compiled once for each trigger and conflict action: the action of the outermost statement, if it
//!    has one, overrides those of the trigger's statements.
//! 3. A program is compiled after the code that calls it: a chain of triggers, however long, takes no stack.
//! 4. The actions of foreign keys are triggers without a name; they may run within themselves.
//!
//! Source: SQLite's `sqlite3TriggersExist`, `sqlite3CodeRowTrigger`, `sqlite3CodeRowTriggerDirect`, `sqlite3TriggerColmask`.

pub mod program;

use crate::ast::{ConflictAction, TriggerEvent, TriggerTime};
use crate::codegen::write::returning::Returning;
use crate::codegen::write::{Change, Target};
use crate::compiler::{Compiler, Result};
use crate::schema::{Table, Trigger};
use program::Cause;
use ringwood_vdbe::{Label, Opcode, P4};
use std::sync::Arc;

/// The temp database.
const TEMP: usize = 1;

/// The triggers that a change of a table fires.
#[derive(Clone, Default, Debug)]
pub struct Triggers {
    /// Their databases, and they, in the order in which they fire.
    list: Vec<(usize, Arc<Trigger>)>,
    /// Some fire before the change, or instead of it.
    pub before: bool,
    /// Some fire after it.
    pub after: bool,
}

impl Triggers {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them reads `OLD.column`.
    pub fn read_old(&self, column: &str) -> bool {
        self.list
            .iter()
            .any(|(_, trigger)| trigger.reads_old(column))
    }
}

impl Compiler<'_> {
    /// The triggers of a table for a change. `set`: the names of the columns that an UPDATE assigns.
    pub fn triggers_of(
        &self,
        db: usize,
        table: &Table,
        change: Change,
        set: Option<&[&str]>,
    ) -> Triggers {
        let mut found = Triggers::default();
        if self.dropping || self.ctx.flags.no_triggers {
            return found;
        }
        let schema = self.ctx.schema;
        if let Some(temp) = schema.dbs.get(TEMP) {
            let watching = temp.watching.get(&table.name).into_iter().flatten();
            for trigger in watching.rev() {
                if schema.watched_db(trigger) == Some(db) {
                    found.add(TEMP, trigger, change, set);
                }
            }
        }
        if db != TEMP {
            for trigger in schema.dbs[db]
                .watching
                .get(&table.name)
                .into_iter()
                .flatten()
            {
                found.add(db, trigger, change, set);
            }
        }
        found
    }

    /// Calls the programs of the triggers for that time. `base`: where the row is; `or`: the statement's conflict
    /// action; `ignore`: where RAISE(IGNORE) goes.
    pub fn fire(
        &mut self,
        triggers: &Triggers,
        time: TriggerTime,
        table: &Arc<Table>,
        base: i32,
        or: Option<ConflictAction>,
        ignore: Label,
    ) {
        self.fire_some(triggers, time, table, base, or, ignore, |_| true);
    }

    /// The AFTER triggers, and what RETURNING sees of the row at `row`: TEMP triggers of a table that is not temporary come
    /// before it, all others behind, as in stock SQLite, where it is a trigger too.
    pub(crate) fn fire_after(
        &mut self,
        triggers: &Triggers,
        target: &Target,
        base: i32,
        or: Option<ConflictAction>,
        ignore: Label,
        returning: Option<Returning<'_>>,
        row: i32,
    ) -> Result<()> {
        let (time, table) = (TriggerTime::After, &target.table);
        let is_before = |db: usize| returning.is_some() && db == TEMP && target.db != TEMP;
        self.fire_some(triggers, time, table, base, or, ignore, is_before);
        self.code_returning(returning, target, row)?;
        self.fire_some(triggers, time, table, base, or, ignore, |db| !is_before(db));
        Ok(())
    }

    /// The triggers of some databases.
    fn fire_some(
        &mut self,
        triggers: &Triggers,
        time: TriggerTime,
        table: &Arc<Table>,
        base: i32,
        or: Option<ConflictAction>,
        ignore: Label,
        wanted: impl Fn(usize) -> bool,
    ) {
        let before = time != TriggerTime::After;
        for (db, trigger) in &triggers.list {
            if (trigger.create.time != TriggerTime::After) != before || !wanted(*db) {
                continue;
            }
            let cause = Cause::Trigger {
                db: *db,
                trigger: trigger.clone(),
            };
            let program = self.program_of(cause, table, or);
            self.b
                .op4(Opcode::Program, base, ignore, 0, P4::SubProgram(program));
            self.p5(u16::from(!self.ctx.flags.recursive_triggers));
        }
    }
}

impl Triggers {
    fn add(&mut self, db: usize, trigger: &Arc<Trigger>, change: Change, set: Option<&[&str]>) {
        let fires = match (&trigger.create.event, change) {
            (TriggerEvent::Insert, Change::Insert) | (TriggerEvent::Delete, Change::Delete) => true,
            (TriggerEvent::Update(of), Change::Update) => {
                of.is_empty()
                    || set.is_none_or(|set| set.iter().any(|name| of.iter().any(|of| of.is(name))))
            }
            _ => false,
        };
        if fires {
            let before = trigger.create.time != TriggerTime::After;
            self.before |= before;
            self.after |= !before;
            self.list.push((db, trigger.clone()));
        }
    }
}
