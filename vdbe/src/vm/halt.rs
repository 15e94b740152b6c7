//! The end of a run: commit, roll back, or leave it to the transaction; what the connection is told.
//!
//! | how it ended | autocommit, and nobody else writes | inside a transaction |
//! |--------------|------------------------------------|----------------------|
//! | no error, or FAIL | commit | statement savepoint released |
//! | ABORT, or an error that the VM found | roll back all | roll back to the statement savepoint |
//! | ROLLBACK | roll back all | roll back all, and autocommit is on again |
//! | I/O, memory, interrupt (unless it only read), disk full | roll back all | the same; disk full with a statement savepoint: only to that |
//!
//! Rules:
//! 1. A statement that reads nothing (no `Transaction`) settles nothing.
//! 2. The last reading statement to end gives the snapshots up, if autocommit is on.
//! 3. A failed commit is rolled back, and its error is the statement's.
//!
//! Source: SQLite's `sqlite3VdbeHalt`, `vdbeCommit`, `sqlite3RollbackAll`, `sqlite3VdbeCloseStatement`.

use super::frame;
use super::state::{State, Status};
use crate::env::{Env, Violations};
use crate::error::{Error, Result};
use crate::opcode::p5;
use crate::program::Program;
use crate::result_code::ResultCode;
use crate::vtab::VirtualTable;
use ringwood_wal::{AutoVacuum, JournalMode, TxState};

/// What becomes of the statement savepoint.
#[derive(Clone, Copy, PartialEq)]
enum Statement {
    Keep,
    Release,
    RollBack,
}

/// Ends the run: closes cursors, settles the transaction, and counts. The statement's error, if it has one.
pub(super) async fn halt(program: &Program, s: &mut State, env: &mut Env) -> Result<()> {
    let mut committed = Ok(());
    if s.status == Status::Running && needs_commit(program, s, env) {
        close_cursors(s, env);
        committed = commit_all(env).await;
    }
    halt_now(program, s, env, committed)
}

/// Closes all cursors; those of virtual tables may use the connection meanwhile.
pub(super) fn close_cursors(s: &mut State, env: &mut Env) {
    frame::unwind(s, env);
    env.outside(|| s.close_all());
}

/// Whether something has to be made durable before the run can end.
pub(super) fn needs_commit(program: &Program, s: &State, env: &Env) -> bool {
    program.is_reader
        && env.autocommit
        && env.active_write == u32::from(!program.readonly)
        && (s.outcome.error.is_none() || s.outcome.action == p5::OE_FAIL)
        && s.violations == 0
        && (env.dbs.iter().any(|db| db.tx.state() == TxState::Write)
            || env.virtual_tables.has_active())
}

/// Ends the run, after it was committed if it [needed that](needs_commit).
pub(super) fn halt_now(
    program: &Program,
    s: &mut State,
    env: &mut Env,
    committed: Result<()>,
) -> Result<()> {
    if s.status != Status::Running {
        return committed;
    }
    close_cursors(s, env);
    if program.is_reader {
        settle(program, s, env, committed);
    }
    s.status = Status::Halted;
    env.active -= 1;
    if program.is_reader {
        env.active_read -= 1;
        env.active_write -= u32::from(!program.readonly);
    }
    match s.outcome.error.take() {
        Some(error) => Err(*error),
        None => Ok(()),
    }
}

/// Ends a run without waiting: a reader gives its snapshot up, a writer in autocommit mode is rolled back, and inside a
/// transaction the statement is undone. If it is `torn`, in the middle of a change, the whole transaction goes.
pub(super) fn abandon(program: &Program, s: &mut State, env: &mut Env, torn: bool) {
    close_cursors(s, env);
    if program.is_reader {
        if torn && !env.autocommit {
            give_transaction_up(s, env);
        }
        if env.autocommit {
            // A COMMIT that is given up has turned autocommit on, and left the transaction.
            let writes = u32::from(!program.readonly);
            let commits = env.active_write == writes
                && env.dbs.iter().any(|db| db.tx.state() == TxState::Write);
            if !program.readonly || commits {
                roll_back_all(env);
                close_savepoints(env);
            }
            s.statement.clear();
            end_reads(env);
        } else {
            let what = if program.readonly {
                Statement::Release
            } else {
                Statement::RollBack
            };
            close_statement(s, env, what);
        }
        env.active_read -= 1;
        env.active_write -= u32::from(!program.readonly);
    }
    s.status = Status::Halted;
    env.active -= 1;
}

fn settle(program: &Program, s: &mut State, env: &mut Env, committed: Result<()>) {
    let code = s.outcome.error.as_ref().map(|error| error.code);
    let is_special = matches!(
        code.map(ResultCode::primary),
        Some(ResultCode::NOMEM | ResultCode::IOERR | ResultCode::INTERRUPT | ResultCode::FULL)
    );
    let mut statement = Statement::Keep;
    if is_special && !(program.readonly && code == Some(ResultCode::INTERRUPT)) {
        let code = code.map(ResultCode::primary);
        if matches!(code, Some(ResultCode::NOMEM | ResultCode::FULL)) && program.statement_journal {
            statement = Statement::RollBack;
        } else {
            give_transaction_up(s, env);
        }
    }
    let passes =
        |s: &State| s.outcome.error.is_none() || (s.outcome.action == p5::OE_FAIL && !is_special);
    if passes(s) && s.violations > 0 {
        s.outcome.action = p5::OE_ABORT;
        s.outcome.error = Some(Box::new(foreign_key_error()));
    }
    let writes = u32::from(!program.readonly);
    if env.autocommit && env.active_write == writes {
        if passes(s) {
            if let Err(error) = committed.and_then(|()| forget_violations(env)) {
                s.outcome.error = Some(Box::new(error));
                roll_back_all(env);
                s.changes = 0;
            }
        } else if code == Some(ResultCode::SCHEMA) && env.active > 1 {
            s.changes = 0;
        } else {
            roll_back_all(env);
            s.changes = 0;
        }
        s.statement.clear();
        end_reads(env);
    } else if statement == Statement::Keep {
        statement = match (&s.outcome.error, s.outcome.action) {
            (None, _) | (_, p5::OE_FAIL) => Statement::Release,
            (_, p5::OE_ABORT) => Statement::RollBack,
            _ => {
                give_transaction_up(s, env);
                Statement::Keep
            }
        };
    }
    close_statement(s, env, statement);
    if program.count_changes && !s.mute_changes {
        set_changes(
            env,
            if statement == Statement::RollBack {
                0
            } else {
                s.changes
            },
        );
    }
    s.changes = 0;
}

/// Reports the number of changed rows.
pub(super) fn set_changes(env: &mut Env, changes: i64) {
    env.facts.changes = changes;
    env.facts.total_changes += changes;
}

pub(super) fn foreign_key_error() -> Error {
    Error::new(
        ResultCode::CONSTRAINT_FOREIGNKEY,
        "FOREIGN KEY constraint failed",
    )
}

/// Rolls everything back, and turns autocommit on.
fn give_transaction_up(s: &mut State, env: &mut Env) {
    roll_back_all(env);
    close_savepoints(env);
    env.autocommit = true;
    s.statement.clear();
    s.changes = 0;
}

fn close_statement(s: &mut State, env: &mut Env, what: Statement) {
    if what == Statement::Keep || s.statement.is_empty() {
        s.statement.clear();
        return;
    }
    for (store, id) in std::mem::take(&mut s.statement) {
        let Some(db) = env.dbs.get_mut(store as usize) else {
            continue;
        };
        if what == Statement::RollBack {
            if let Err(error) = db.tx.rollback_to(id) {
                s.outcome
                    .error
                    .get_or_insert_with(|| Box::new(error.into()));
            }
        }
        db.tx.release(id);
    }
    // The statement's savepoint is the one above those that are open.
    let number = env.savepoints.len();
    if what == Statement::RollBack {
        env.violations = s.statement_violations;
        tell(env, |table| table.rollback_to(number));
    }
    tell(env, |table| table.release(number));
}

/// Tells virtual tables in the transaction about a savepoint.
pub(super) fn tell(env: &mut Env, what: impl Fn(&mut dyn VirtualTable)) {
    if env.virtual_tables.has_active() {
        let tables = env.virtual_tables.clone();
        env.outside(|| tables.tell(what));
    }
}

/// Tells virtual tables how the transaction ended.
fn end_transaction(env: &mut Env, committed: bool) {
    if env.virtual_tables.has_active() {
        let tables = env.virtual_tables.clone();
        env.outside(|| tables.end_transaction(committed));
    }
}

/// Commits every database that was written to.
pub(super) async fn commit_all(env: &mut Env) -> Result<()> {
    if env.violations.any() {
        return Err(foreign_key_error());
    }
    if let Some(mut hook) = env.hooks.commit.take() {
        let refused = env.outside(&mut hook);
        env.hooks.commit.get_or_insert(hook);
        if refused {
            return Err(Error::code(ResultCode::CONSTRAINT_COMMITHOOK));
        }
    }
    super::vtab::sync_all(env).await?;
    // What may fail for its own reasons comes first, so that no database is committed then.
    for db in &mut env.dbs {
        if db.tx.state() == TxState::Write && db.tx.auto_vacuum() == AutoVacuum::Full {
            ringwood_btree::give_back_all(&mut db.tx).await?;
        }
    }
    let written: Vec<usize> = if env.watches_logs {
        let is_written = |i: &usize| env.dbs[*i].tx.state() == TxState::Write;
        (0..env.dbs.len()).filter(is_written).collect()
    } else {
        Vec::new()
    };
    let mut writers = env
        .dbs
        .iter_mut()
        .map(|db| &mut db.tx)
        .filter(|tx| tx.state() == TxState::Write);
    match (writers.next(), writers.next()) {
        (None, _) => {}
        (Some(tx), None) => tx.commit().await?,
        (Some(first), Some(second)) => {
            let mut all = vec![first, second];
            all.extend(writers);
            ringwood_wal::commit_many(&mut all).await?;
        }
    }
    for index in written {
        let db = &env.dbs[index];
        if db.tx.journal_mode() == JournalMode::Wal && db.tx.database().path().is_some() {
            env.logged
                .push((db.name.clone(), db.tx.database().log_frames().0));
        }
    }
    end_transaction(env, true);
    Ok(())
}

/// The end of a transaction that went well.
fn forget_violations(env: &mut Env) -> Result<()> {
    if env.violations.any() {
        return Err(foreign_key_error());
    }
    env.violations = Violations::default();
    env.defer_foreign_keys = false;
    env.schema_changed = false;
    Ok(())
}

/// Gives the snapshots up if this is the last statement that reads (rule 2).
fn end_reads(env: &mut Env) {
    if env.active_read <= 1 {
        for db in &mut env.dbs {
            db.tx.end_read();
        }
    }
}

/// Rolls back every database, and tells who must know.
pub(super) fn roll_back_all(env: &mut Env) {
    let mut wrote = !env.autocommit;
    for db in &mut env.dbs {
        wrote |= db.tx.state() == TxState::Write;
        db.tx.rollback();
    }
    if env.schema_changed {
        env.schema_changed = false;
        env.schema_reset = true;
        env.expirations += 1;
        env.schema_rollbacks += 1;
    }
    end_transaction(env, false);
    env.rollbacks += 1;
    env.violations = Violations::default();
    env.defer_foreign_keys = false;
    if wrote {
        if let Some(mut hook) = env.hooks.rollback.take() {
            env.outside(&mut hook);
            env.hooks.rollback.get_or_insert(hook);
        }
    }
}

/// Forgets all savepoints.
pub(super) fn close_savepoints(env: &mut Env) {
    for savepoint in env.savepoints.drain(..).rev() {
        for (store, id) in savepoint.ids {
            if let Some(db) = env.dbs.get_mut(store as usize) {
                db.tx.release(id);
            }
        }
    }
    env.is_transaction_savepoint = false;
}
