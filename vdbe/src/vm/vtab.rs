//! The opcodes of virtual tables.
//!
//! Rules:
//! 1. A step that has to wait stops the loop with `Slow`; what is awaited then is the object's own `wait`, and the step is
//!    made again.
//! 2. While a table of the application runs, the `Env`'s door is open.
//! 3. The first change of a table in a transaction is preceded by its `begin`; it then hears of savepoints, of the commit,
//!    and of the rollback.
//!
//! Source: SQLite's `OP_VOpen` and its kin, `sqlite3VtabBegin`, `sqlite3VtabSync`, `sqlite3VtabSavepoint`.

use super::call::Opened;
use super::cursor::{Slot, VtabCursor};
use super::state::{State, no_cursor, tx_of};
use super::trap::{Step, Trap};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::insn::{Insn, P4};
use crate::mem::Mem;
use crate::opcode::p5;
use crate::result_code::ResultCode;
use crate::vtab::{
    ConnectError, Connected, IndexPlan, ModuleArgs, VirtualTable, VtabChange, VtabContext,
    VtabStep, VtabStop, WaitContext,
};
use std::rc::Rc;
use std::sync::Arc;

impl From<VtabStop> for Trap {
    fn from(stop: VtabStop) -> Trap {
        match stop {
            VtabStop::Wait => Trap::Slow,
            VtabStop::Fail(error) => Trap::Fail(error),
        }
    }
}

/// The table in P4. It was connected when the program was compiled; if it is gone, the program is compiled again.
fn table(env: &Env, insn: &Insn) -> Result<Rc<Connected>> {
    let found = match &insn.p4 {
        P4::VirtualTable(name) => env.virtual_tables.find(&name.0, &name.1),
        _ => None,
    };
    found.ok_or_else(|| Error::code(ResultCode::SCHEMA))
}

/// VOpen.
pub(super) fn open(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    let slot = &mut s.cursors[insn.p1 as usize];
    let connected = table(env, insn)?;
    if let Slot::Virtual(open) = slot {
        if Rc::ptr_eq(&open.table, &connected) {
            return Ok(());
        }
    }
    let cursor = env.outside(|| connected.take()?.open())?;
    *slot = Slot::Virtual(Box::new(VtabCursor {
        cursor,
        table: connected,
        null_row: true,
    }));
    Ok(())
}

fn cursor(cursors: &mut [Slot], p1: i32) -> Step<&mut VtabCursor> {
    match &mut cursors[p1 as usize] {
        Slot::Virtual(c) => Ok(c),
        _ => Err(no_cursor(p1)),
    }
}

/// VFilter; whether there is a row.
pub(super) fn filter(s: &mut State, env: &mut Env, insn: &Insn) -> Step<bool> {
    let State { cursors, mems, .. } = s;
    let c = cursor(cursors, insn.p1)?;
    let first = insn.p3 as usize;
    let plan = IndexPlan {
        number: mems[first].raw_int() as i32,
        text: match &insn.p4 {
            P4::Text(text) => Some(Arc::from(String::from_utf8_lossy(text))),
            _ => None,
        },
    };
    let count = mems[first + 1].raw_int() as usize;
    let args = &mut mems[first + 2..first + 2 + count];
    args.iter_mut().for_each(Mem::expand);
    let _door = Opened::always(env);
    let mut cx = VtabContext {
        facts: &mut env.facts,
        no_change: false,
    };
    c.null_row = false;
    c.cursor.filter(&mut cx, &plan, args)?;
    Ok(!c.cursor.eof())
}

/// VNext; whether there is a row.
#[inline]
pub(super) fn next(s: &mut State, env: &mut Env, insn: &Insn) -> Step<bool> {
    let c = cursor(&mut s.cursors, insn.p1)?;
    if c.null_row {
        return Ok(false);
    }
    let _door = Opened::always(env);
    let mut cx = VtabContext {
        facts: &mut env.facts,
        no_change: false,
    };
    c.cursor.next(&mut cx)?;
    Ok(!c.cursor.eof())
}

/// VColumn.
#[inline]
pub(super) fn column(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    let State { cursors, mems, .. } = s;
    let out = &mut mems[insn.p3 as usize];
    out.set_null();
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Virtual(c) => c,
        Slot::Null => return Ok(()),
        _ => return Err(no_cursor(insn.p1)),
    };
    if c.null_row {
        return Ok(());
    }
    out.clear_subtype();
    let limit = env.limits.length;
    let no_change = insn.p5 & p5::NOCHNG != 0;
    if no_change {
        out.set_no_change();
    }
    let _door = Opened::always(env);
    let mut cx = VtabContext {
        facts: &mut env.facts,
        no_change,
    };
    c.cursor.column(&mut cx, insn.p2 as usize, out)?;
    if out.byte_len() > limit {
        return Err(Error::code(ResultCode::TOOBIG).into());
    }
    Ok(())
}

/// Rowid of a virtual table's cursor.
pub(super) fn rowid(c: &mut VtabCursor, out: &mut Mem) -> Step {
    if c.null_row {
        out.set_null();
    } else {
        out.set_int(c.cursor.rowid()?);
    }
    Ok(())
}

/// What a step of a cursor stopped for (rule 1).
pub(super) async fn wait(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    match &mut s.cursors[insn.p1 as usize] {
        Slot::Virtual(c) => c.cursor.wait(WaitContext::new(env)).await,
        _ => Err(Error::code(ResultCode::INTERNAL)),
    }
}

/// Makes a step of a table until it need not wait.
async fn retry<T>(
    connected: &Connected,
    env: &mut Env,
    mut step: impl FnMut(&mut dyn VirtualTable) -> VtabStep<T>,
) -> Result<T> {
    let mut table = connected.take()?;
    loop {
        match env.outside(|| step(&mut **table)) {
            Ok(value) => return Ok(value),
            Err(VtabStop::Wait) => table.wait(WaitContext::new(env)).await?,
            Err(VtabStop::Fail(error)) => return Err(*error),
        }
    }
}

async fn begin_table(s: &State, env: &mut Env, connected: &Rc<Connected>) -> Result<()> {
    let tables = env.virtual_tables.clone();
    if tables.is_active(connected) {
        return Ok(());
    }
    retry(connected, env, |table| table.begin()).await?;
    tables.set_active(connected);
    // Of the savepoints that are open it hears of the innermost: the statement's, if it has one.
    let open = env.savepoints.len() + usize::from(!s.statement.is_empty());
    if let Some(innermost) = open.checked_sub(1) {
        env.outside(|| connected.with(|table| table.savepoint(innermost)))?;
    }
    Ok(())
}

/// VBegin (rule 3).
pub(super) async fn begin(s: &State, env: &mut Env, insn: &Insn) -> Result<()> {
    let connected = table(env, insn)?;
    begin_table(s, env, &connected).await
}

/// The last chance of tables to refuse a commit.
pub(super) async fn sync_all(env: &mut Env) -> Result<()> {
    if !env.virtual_tables.has_active() {
        return Ok(());
    }
    for connected in env.virtual_tables.active() {
        retry(&connected, env, |table| table.sync()).await?;
    }
    Ok(())
}

/// VCreate.
pub(super) async fn create(env: &mut Env, insn: &Insn) -> Result<()> {
    let P4::Text(text) = &insn.p4 else {
        return Err(Error::code(ResultCode::INTERNAL));
    };
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split('\0');
    let (Some(name), Some(module)) = (parts.next(), parts.next()) else {
        return Err(Error::code(ResultCode::INTERNAL));
    };
    let db: Arc<str> = env.db(insn.p1)?.name.as_str().into();
    let args = ModuleArgs {
        module: module.into(),
        db: db.clone(),
        table: name.into(),
        args: parts.map(str::to_owned).collect(),
        is_new: true,
    };
    forget(env, &db, name);
    let tables = env.virtual_tables.clone();
    let connected = match tables.connect(&args) {
        Ok(connected) => connected,
        Err(ConnectError::Fail(error)) => return Err(error),
        Err(ConnectError::Wait) => {
            let Some(pending) = tables.take_pending() else {
                return Err(Error::code(ResultCode::INTERNAL));
            };
            tables.connect_pending(pending, env).await?
        }
    };
    // To be made is to begin: such a table hears of the commit.
    let made = retry(&connected, env, |table| table.create()).await;
    if made.is_ok() {
        tables.set_active(&connected);
    } else {
        drop(connected);
        forget(env, &db, name);
    }
    made
}

/// Disconnects a table, which may use the connection as it goes.
fn forget(env: &mut Env, db: &str, table: &str) {
    let tables = env.virtual_tables.clone();
    env.outside(|| tables.forget(db, table));
}

/// VDestroy.
pub(super) async fn destroy(env: &mut Env, insn: &Insn) -> Result<()> {
    let P4::Text(name) = &insn.p4 else {
        return Err(Error::code(ResultCode::INTERNAL));
    };
    let name = String::from_utf8_lossy(name).into_owned();
    let db = env.db(insn.p1)?.name.clone();
    let Some(connected) = env.virtual_tables.find(&db, &name) else {
        return Ok(());
    };
    env.destroying += 1;
    let destroyed = retry(&connected, env, |table| table.destroy()).await;
    env.destroying -= 1;
    destroyed?;
    forget(env, &db, &name);
    Ok(())
}

/// VCheck.
pub(super) async fn check(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let connected = table(env, insn)?;
    let db = env.db(insn.p1)?.name.clone();
    let (name, quick) = (connected.args.table.clone(), insn.p3 != 0);
    let problem = retry(&connected, env, |table| table.integrity(&db, &name, quick)).await?;
    let out = &mut s.mems[insn.p2 as usize];
    match problem {
        Some(problem) => out.set_text(problem.as_bytes()),
        None => out.set_null(),
    }
    Ok(())
}

/// VRename.
pub(super) async fn rename(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let name = s.mems[insn.p1 as usize].to_text();
    let name = String::from_utf8_lossy(&name).into_owned();
    let connected = table(env, insn)?;
    retry(&connected, env, |table| table.rename(&name)).await?;
    forget(env, &connected.args.db, &connected.args.table);
    Ok(())
}

/// VInitIn: the values come all at once, so that the table can read them again and again.
pub(super) async fn init_in(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let mut values = Vec::new();
    let State { cursors, temp, .. } = s;
    let Slot::Tree(c) = &mut cursors[insn.p1 as usize] else {
        return Err(Error::code(ResultCode::INTERNAL));
    };
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    let mut pins = Vec::new();
    let mut record = Vec::new();
    let mut on_row = None;
    loop {
        let moved = match on_row {
            None => c.cur.first(tx),
            Some(()) => c.cur.next(tx),
        };
        match moved {
            Ok(true) => on_row = Some(()),
            Ok(false) => break,
            Err(ringwood_wal::Stop::Miss(page)) => {
                pins.push(tx.fetch(page).await?);
                continue;
            }
            Err(ringwood_wal::Stop::Slow) => return Err(Error::code(ResultCode::INTERNAL)),
            Err(ringwood_wal::Stop::Fail(error)) => return Err((*error).into()),
        }
        record.clear();
        loop {
            match c.cur.read_payload(tx, 0, c.cur.payload_size(), &mut record) {
                Ok(()) => break,
                Err(ringwood_wal::Stop::Miss(page)) => pins.push(tx.fetch(page).await?),
                Err(ringwood_wal::Stop::Slow) => return Err(Error::code(ResultCode::INTERNAL)),
                Err(ringwood_wal::Stop::Fail(error)) => return Err((*error).into()),
            }
        }
        let row = ringwood_format::record::decode_record(&record, env.facts.encoding)
            .map_err(|_| Error::corrupt())?;
        values.extend(row.into_iter().next());
        pins.clear();
    }
    c.moved(false);
    s.mems[insn.p2 as usize].set_in_values(values);
    Ok(())
}

/// VUpdate.
pub(super) async fn update(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let connected = table(env, insn)?;
    let (first, count) = (insn.p3 as usize, insn.p2 as usize);
    let values = &mut s.mems[first..first + count];
    values.iter_mut().for_each(Mem::expand);
    let change = match &*values {
        [rowid] => VtabChange::Delete { rowid },
        [old, rowid, columns @ ..] if old.is_null() => VtabChange::Insert { rowid, columns },
        [old_rowid, new_rowid, columns @ ..] => VtabChange::Update {
            old_rowid,
            new_rowid,
            columns,
        },
        [] => return Err(Error::code(ResultCode::INTERNAL)),
    };
    let on_conflict = insn.p5 as u8;
    let inserts = matches!(change, VtabChange::Insert { .. });
    let done = retry(&connected, env, |table| table.update(&change, on_conflict)).await;
    match done {
        Ok(rowid) => {
            if inserts && insn.p1 != 0 {
                env.facts.last_insert_rowid = rowid;
            }
            s.changes += 1;
            Ok(())
        }
        // As in SQLite: a constraint error of a table that leaves conflicts to its caller is ignored here.
        Err(error)
            if error.code.primary() == ResultCode::CONSTRAINT && on_conflict == p5::OE_IGNORE =>
        {
            Ok(())
        }
        Err(error) => {
            if error.code.primary() == ResultCode::CONSTRAINT {
                s.outcome.action = if on_conflict == p5::OE_REPLACE {
                    p5::OE_ABORT
                } else {
                    on_conflict
                };
            }
            Err(error)
        }
    }
}
