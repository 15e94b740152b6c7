//! Transactions: Transaction, AutoCommit, Savepoint, header fields, checkpoints.
//!
//! Source: SQLite's opcodes of those names.

use super::halt::{
    close_cursors, close_savepoints, commit_all, foreign_key_error, halt_now, needs_commit,
    roll_back_all,
};
use super::slow::Next;
use super::state::State;
use super::trap::{Step, Trap, fail};
use crate::env::{Env, Savepoint};
use crate::error::{Error, Result};
use crate::insn::{Insn, P4};
use crate::program::Program;
use crate::result_code::ResultCode;
use ringwood_wal::{Field, TxState};

/// Transaction, if the transaction is begun already.
#[inline]
pub(super) fn transaction(program: &Program, s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    let writes = insn.p2 != 0;
    let needs_savepoint =
        writes && program.statement_journal && (!env.autocommit || env.active_read > 1);
    let query_only = env.query_only;
    if insn.p1 as usize >= env.dbs.len() {
        // It was detached since the program was compiled.
        s.mute_changes = true;
        return fail(ResultCode::SCHEMA);
    }
    let db = env.db(insn.p1)?;
    if !writes && db.tx.state() == TxState::None {
        match db.tx.begin_read_now() {
            Some(Ok(())) => {}
            // What fails fails once more there.
            _ => return Err(Trap::Slow),
        }
    }
    let is_begun = match db.tx.state() {
        TxState::None => false,
        TxState::Read => !writes,
        TxState::Write => true,
    };
    if !is_begun || (writes && query_only) {
        return Err(Trap::Slow);
    }
    let id = needs_savepoint.then(|| db.tx.savepoint());
    if let Some(id) = id {
        let number = env.savepoints.len();
        super::halt::tell(env, |table| table.savepoint(number));
        s.statement.push((insn.p1 as u8, id));
        s.statement_violations = env.violations;
    }
    check_schema(s, env, insn)
}

/// The schema in the file must be the one that the program was compiled for.
#[inline]
fn check_schema(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    if insn.p5 == 0 {
        return Ok(());
    }
    let db = env.db(insn.p1)?;
    let cookie = db.tx.header_field(Field::SchemaCookie);
    if cookie == insn.p3 as u32 && db.generation == insn.p4.int() {
        return Ok(());
    }
    if db.schema_cookie != cookie {
        env.schema_reset = true;
    }
    s.mute_changes = true;
    fail(ResultCode::SCHEMA)
}

/// Transaction, with beginning it.
pub(super) async fn begin(
    program: &Program,
    s: &mut State,
    env: &mut Env,
    insn: &Insn,
) -> Result<()> {
    if insn.p2 != 0 && env.query_only {
        return Err(Error::code(ResultCode::READONLY));
    }
    let db = env.db(insn.p1)?;
    if insn.p2 == 0 {
        db.tx.begin_read().await?;
    } else {
        db.tx.begin_write().await?;
    }
    match transaction(program, s, env, insn) {
        Ok(()) => Ok(()),
        Err(Trap::Fail(error)) => Err(*error),
        Err(_) => Err(Error::code(ResultCode::INTERNAL)),
    }
}

/// AutoCommit. The program is at its end then.
pub(super) async fn autocommit(
    program: &Program,
    s: &mut State,
    env: &mut Env,
    insn: &Insn,
) -> Result<Next> {
    let on = insn.p1 != 0;
    let roll_back = insn.p2 != 0;
    if on == env.autocommit {
        let message = match (on, roll_back) {
            (false, _) => "cannot start a transaction within a transaction",
            (true, true) => "cannot rollback - no transaction is active",
            (true, false) => "cannot commit - no transaction is active",
        };
        return Err(Error::new(ResultCode::ERROR, message));
    }
    if roll_back {
        roll_back_all(env);
        env.autocommit = true;
    } else if on && env.active_write > 0 {
        let message = "cannot commit transaction - SQL statements in progress";
        return Err(Error::new(ResultCode::BUSY, message));
    } else if on && env.violations.any() {
        return Err(foreign_key_error());
    } else {
        env.autocommit = on;
    }
    match end_transaction(program, s, env).await {
        // COMMIT may be tried again.
        Err(error) if !env.autocommit => Err(error),
        ended => {
            close_savepoints(env);
            ended.map(|()| Next::Done)
        }
    }
}

/// The end of the program, whose autocommit mode was turned on. Where readers are in the way of the commit it is off
/// again, and the transaction goes on.
async fn end_transaction(program: &Program, s: &mut State, env: &mut Env) -> Result<()> {
    let mut committed = Ok(());
    if needs_commit(program, s, env) {
        close_cursors(s, env);
        committed = commit_all(env).await;
        if let Err(error) = &committed {
            let is_busy = error.code.primary() == ResultCode::BUSY;
            if is_busy && env.dbs.iter().any(|db| db.tx.state() == TxState::Write) {
                env.autocommit = false;
                return committed;
            }
        }
    }
    halt_now(program, s, env, committed)
}

const BEGIN: i32 = 0;
const RELEASE: i32 = 1;

/// Savepoint.
pub(super) async fn savepoint(
    program: &Program,
    s: &mut State,
    env: &mut Env,
    insn: &Insn,
) -> Result<Next> {
    let P4::Text(name) = &insn.p4 else {
        return Err(Error::code(ResultCode::INTERNAL));
    };
    if insn.p1 == BEGIN {
        if env.active_write > 0 {
            return Err(Error::new(
                ResultCode::BUSY,
                "cannot open savepoint - SQL statements in progress",
            ));
        }
        if env.autocommit {
            env.autocommit = false;
            env.is_transaction_savepoint = true;
        }
        let ids = env
            .dbs
            .iter_mut()
            .enumerate()
            .map(|(i, db)| (i as u8, db.tx.savepoint()))
            .collect();
        let violations = env.violations;
        let number = env.savepoints.len();
        super::halt::tell(env, |table| table.savepoint(number));
        env.savepoints.push(Savepoint {
            name: name.to_vec(),
            ids,
            violations,
        });
        return Ok(Next::Advance);
    }
    let Some(at) = env
        .savepoints
        .iter()
        .rposition(|savepoint| savepoint.name.eq_ignore_ascii_case(name))
    else {
        let message = format!("no such savepoint: {}", String::from_utf8_lossy(name));
        return Err(Error::new(ResultCode::ERROR, message));
    };
    let releases = insn.p1 == RELEASE;
    if releases && env.active_write > 0 {
        return Err(Error::new(
            ResultCode::BUSY,
            "cannot release savepoint - SQL statements in progress",
        ));
    }
    if releases && at == 0 && env.is_transaction_savepoint {
        if env.violations.any() {
            return Err(foreign_key_error());
        }
        env.autocommit = true;
        return match end_transaction(program, s, env).await {
            // RELEASE may be tried again.
            Err(error) if !env.autocommit => Err(error),
            ended => {
                close_savepoints(env);
                ended.map(|()| Next::Done)
            }
        };
    }
    if releases {
        for (store, id) in &env.savepoints[at].ids {
            if let Some(db) = env.dbs.get_mut(*store as usize) {
                db.tx.release(*id);
            }
        }
        env.savepoints.truncate(at);
        super::halt::tell(env, |table| table.release(at));
        return Ok(Next::Advance);
    }
    env.savepoints.truncate(at + 1);
    env.violations = env.savepoints[at].violations;
    for (store, id) in &env.savepoints[at].ids {
        if let Some(db) = env.dbs.get_mut(*store as usize) {
            db.tx.rollback_to(*id)?;
        }
    }
    super::halt::tell(env, |table| table.rollback_to(at));
    env.rollbacks += 1;
    if env.schema_changed {
        // The transaction may still hold schema changes from before the savepoint: `schema_changed` stays.
        env.schema_reset = true;
        env.expirations += 1;
        env.schema_rollbacks += 1;
    }
    Ok(Next::Advance)
}

/// A header field of SQLite's number.
fn field(n: i32) -> Result<Field> {
    let found = u32::try_from(n).ok().and_then(Field::meta);
    found.ok_or_else(|| Error::new(ResultCode::ERROR, format!("no such header field: {n}")))
}

/// ReadCookie.
pub(super) fn read_cookie(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    let value = env.db(insn.p1)?.tx.header_field(field(insn.p3)?);
    s.mems[insn.p2 as usize].set_int(i64::from(value as i32));
    Ok(())
}

/// SetCookie.
pub(super) fn set_cookie(env: &mut Env, insn: &Insn) -> Step {
    let field = field(insn.p2)?;
    let db = env.db(insn.p1)?;
    db.tx
        .set_header_field(field, insn.p3 as u32)
        .map_err(Error::from)?;
    if field == Field::SchemaFormat {
        db.file_format = insn.p3 as u8;
    }
    if field == Field::SchemaCookie {
        db.schema_cookie = (insn.p3 as u32).wrapping_sub(u32::from(insn.p5));
        env.schema_changed = true;
        if insn.p1 == 1 {
            env.expirations += 1;
        }
    }
    Ok(())
}
