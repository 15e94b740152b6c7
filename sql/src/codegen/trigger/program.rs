//! The programs of triggers, and what a statement has for itself and all of them.
//!
//! ```text
//!   Init -- TRIGGER name
//!   WHEN: if not true, goto end
//!   each step; ResetCount after INSERT, UPDATE, DELETE
//!   end: Halt
//! ```
//!
//! Rules:
//! 1. Names are looked for in the trigger's database, but in all of them if that is temp.
//! 2. Nothing is factored out: the program has no prologue. What it does to the statement as a whole (databases, locks,
//!    statement savepoint, `sqlite_sequence`) is done in the main program.
//! 3. `changes()` after a step is that step's.
//!
//! Source: SQLite's `codeRowTrigger`, `codeTriggerProgram`, `getRowTrigger`.

use crate::ast::{self, ConflictAction, TriggerEvent, TriggerStmt};
use crate::codegen::select::{Destination, DestinationKind};
use crate::codegen::write::Change;
use crate::codegen::write::autoincrement::Sequence;
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::{NameMode, Resolver, Scope, resolve_select};
use crate::schema::{ForeignKey, Table, Trigger};
use ringwood_vdbe::{Opcode, P4, SubProgram};
use std::sync::Arc;

/// What a program is the program of.
#[derive(Clone, Debug)]
pub enum Cause {
    /// A trigger of that database.
    Trigger {
        /// The trigger's database.
        db: usize,
        /// The trigger.
        trigger: Arc<Trigger>,
    },
    /// The action of a foreign key.
    Action(Arc<Action>),
}

/// The action of a foreign key, as a trigger on the parent table.
#[derive(Debug)]
pub struct Action {
    /// The foreign key.
    pub key: Arc<ForeignKey>,
    /// DELETE or UPDATE of the parent.
    pub change: Change,
    /// The database of parent and child.
    pub db: usize,
    /// WHEN.
    pub when: Option<ast::Expr>,
    /// What is done to the child.
    pub step: TriggerStmt,
}

impl Cause {
    /// What is the same for all programs of one trigger.
    fn identity(&self) -> (*const (), Change) {
        match self {
            Cause::Trigger { trigger, .. } => (Arc::as_ptr(trigger).cast(), self.change()),
            Cause::Action(action) => (Arc::as_ptr(&action.key).cast(), action.change),
        }
    }

    fn change(&self) -> Change {
        match self {
            Cause::Trigger { trigger, .. } => match trigger.create.event {
                TriggerEvent::Insert => Change::Insert,
                TriggerEvent::Delete => Change::Delete,
                TriggerEvent::Update(_) => Change::Update,
            },
            Cause::Action(action) => action.change,
        }
    }
}

/// In which program the compiler is, if not in the main one.
#[derive(Clone, Debug)]
pub struct TriggerContext {
    /// The database of the table whose rows NEW and OLD are.
    pub db: usize,
    /// That table.
    pub table: Arc<Table>,
    /// What fires it: NEW is there for INSERT and UPDATE, OLD for UPDATE and DELETE.
    pub change: Change,
    /// The foreign key whose action it is.
    pub action_of: Option<Arc<ForeignKey>>,
}

/// A program that is called.
#[derive(Clone, Debug)]
struct Wanted {
    cause: Cause,
    table: Arc<Table>,
    or: Option<ConflictAction>,
    /// The number that all programs of the trigger have.
    trigger: u32,
    query_loop: i16,
}

/// What a statement and the programs of its triggers have in common.
#[derive(Default, Debug)]
pub struct Programs {
    wanted: Vec<Wanted>,
    /// The first of them are compiled.
    made: Vec<SubProgram>,
    /// The AUTOINCREMENT tables that are inserted into.
    pub(crate) sequences: Vec<Sequence>,
    /// While a trigger's program is compiled: the number of registers of the main program.
    pub(crate) main_registers: i32,
    ended: bool,
}

impl Programs {
    /// The programs that were compiled.
    pub(crate) fn take(&mut self) -> Vec<SubProgram> {
        std::mem::take(&mut self.made)
    }
}

impl Compiler<'_> {
    /// The number of a program; it is compiled by [`Compiler::end_change`].
    pub(crate) fn program_of(
        &mut self,
        cause: Cause,
        table: &Arc<Table>,
        or: Option<ConflictAction>,
    ) -> u32 {
        let identity = cause.identity();
        let list = &mut self.programs.wanted;
        let same_trigger = |wanted: &&Wanted| wanted.cause.identity() == identity;
        if let Some(at) = list
            .iter()
            .position(|wanted| wanted.or == or && same_trigger(&wanted))
        {
            return at as u32;
        }
        let trigger = list
            .iter()
            .find(same_trigger)
            .map_or(list.len() as u32, |wanted| wanted.trigger);
        list.push(Wanted {
            cause,
            table: table.clone(),
            or,
            trigger,
            query_loop: self.query_loop,
        });
        list.len() as u32 - 1
    }

    /// Ends the part of a statement that changes rows: compiles the programs that it calls, and writes the largest
    /// rowids into `sqlite_sequence`. In a trigger's program nothing: the main program does it for all.
    pub fn end_change(&mut self) -> Result<()> {
        if self.trigger.is_some() || self.programs.ended {
            return Ok(());
        }
        if self.programs.wanted.is_empty() && self.programs.sequences.is_empty() {
            self.programs.ended = true;
            return Ok(());
        }
        while self.programs.made.len() < self.programs.wanted.len() {
            self.compile_program()?;
        }
        self.programs.ended = true;
        for sequence in self.programs.sequences.clone() {
            self.end_autoincrement(&sequence)?;
        }
        Ok(())
    }

    /// Compiles the first program that is not compiled yet.
    fn compile_program(&mut self) -> Result<()> {
        let wanted = self.programs.wanted[self.programs.made.len()].clone();
        let mut text: &[u8] = b"";
        if let Cause::Trigger { db, trigger } = &wanted.cause {
            // The text must live as long as the schema.
            let kept = self.ctx.schema.dbs[*db].triggers.get(&trigger.name);
            text = kept.map_or(b"", |trigger| trigger.sql.as_bytes());
        }
        let mut sub = Compiler::for_trigger(self.ctx, text);
        sub.query_loop = wanted.query_loop;
        sub.accessor = match &wanted.cause {
            Cause::Trigger { trigger, .. } if self.asks() => Some(trigger.name.clone()),
            _ => None,
        };
        sub.unasked = self.unasked;
        sub.trigger = Some(TriggerContext {
            db: self.watched_db(&wanted.cause),
            table: wanted.table.clone(),
            change: wanted.cause.change(),
            action_of: match &wanted.cause {
                Cause::Action(action) => Some(action.key.clone()),
                Cause::Trigger { .. } => None,
            },
        });
        sub.programs = std::mem::take(&mut self.programs);
        sub.programs.main_registers = self.reg_count();
        // The text is not the statement's: no place in it.
        sub.code_program(&wanted).map_err(SqlError::placeless)?;
        self.programs = std::mem::take(&mut sub.programs);
        self.set_reg_count(self.programs.main_registers);
        self.take_effects(&sub);
        let program = sub.finish_subprogram()?;
        let name = match &wanted.cause {
            Cause::Trigger { trigger, .. } => Some(trigger.name.clone()),
            Cause::Action(_) => None,
        };
        self.programs
            .made
            .push(program.into_subprogram(wanted.trigger, name));
        Ok(())
    }

    /// The database of the table whose rows NEW and OLD are.
    fn watched_db(&self, cause: &Cause) -> usize {
        match cause {
            Cause::Trigger { db, trigger } if *db == super::TEMP => {
                self.ctx.schema.watched_db(trigger).unwrap_or(*db)
            }
            Cause::Trigger { db, .. } => *db,
            Cause::Action(action) => action.db,
        }
    }

    fn code_program(&mut self, wanted: &Wanted) -> Result<()> {
        let end = self.label();
        match &wanted.cause {
            Cause::Trigger { db, trigger } => {
                self.foreign_text = *db != super::TEMP;
                self.fixed_db = (*db != super::TEMP).then_some(*db);
                let name = format!("-- TRIGGER {}", trigger.name);
                self.b.set_p4(0, P4::text(name));
                self.code_when(trigger.create.when.as_ref(), end)?;
                // Trees live until the end: common table expressions are known by their address.
                let overridden: Vec<Option<TriggerStmt>> = trigger
                    .create
                    .steps
                    .iter()
                    .map(|step| overridden(&step.stmt, wanted.or))
                    .collect();
                for (step, overridden) in trigger.create.steps.iter().zip(&overridden) {
                    self.code_step(overridden.as_ref().unwrap_or(&step.stmt))?;
                }
            }
            Cause::Action(action) => {
                self.foreign_text = true;
                self.fixed_db = Some(action.db);
                self.code_when(action.when.as_ref(), end)?;
                let overridden = overridden(&action.step, wanted.or);
                self.code_step(overridden.as_ref().unwrap_or(&action.step))?;
            }
        }
        self.place(end);
        Ok(())
    }

    fn code_when(&mut self, when: Option<&ast::Expr>, end: ringwood_vdbe::Label) -> Result<()> {
        let Some(when) = when else { return Ok(()) };
        let mut resolver = Resolver::new(self);
        resolver.push_scope(Scope::default());
        let when = resolver.expr(when)?;
        drop(resolver);
        self.expr_if_false(&when, end, true)
    }

    fn code_step(&mut self, step: &TriggerStmt) -> Result<()> {
        match step {
            TriggerStmt::Insert(insert) => self.code_insert(insert)?,
            TriggerStmt::Update(update) => self.code_update(update)?,
            TriggerStmt::Delete(delete) => self.code_delete(delete)?,
            TriggerStmt::Select(select) => {
                let select = resolve_select(self, select, NameMode::None)?;
                let mut nowhere = Destination::new(DestinationKind::Discard, 0);
                self.code_select(&select, &mut nowhere)?;
                return Ok(());
            }
        }
        self.op(Opcode::ResetCount, 0, 0, 0);
        Ok(())
    }
}

/// A step with the conflict action of the outermost statement, if that is another than its own.
fn overridden(step: &TriggerStmt, or: Option<ConflictAction>) -> Option<TriggerStmt> {
    match step {
        TriggerStmt::Insert(insert) if or.is_some() && insert.or != or => {
            let mut other = insert.clone();
            other.or = or;
            Some(TriggerStmt::Insert(other))
        }
        TriggerStmt::Update(update) if or.is_some() && update.or != or => {
            let mut other = update.clone();
            other.or = or;
            Some(TriggerStmt::Update(other))
        }
        _ => None,
    }
}
