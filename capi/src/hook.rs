//! Hooks: busy, progress, commit, rollback, update, write-ahead log.
//!
//! A hook that is set replaces the one before, whose argument is given back where SQLite's function does so.
//!
//! Source: SQLite's "Data Change Notification Callbacks", "Commit And Rollback Notification Callbacks",
//! "Write-Ahead Log Commit Hook", `sqlite3_busy_handler`, `sqlite3_progress_handler`.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint, c_void};

use ringwood::ChangeKind;

use crate::boundary::{Destructor, c_api, c_string, destroy};
use crate::code;
use crate::collation::Bringer;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;

type Busy = Option<unsafe extern "C" fn(*mut c_void, c_int) -> c_int>;
type Progress = Option<unsafe extern "C" fn(*mut c_void) -> c_int>;
type Rollback = Option<unsafe extern "C" fn(*mut c_void)>;
type Update = Option<unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *const c_char, i64)>;
type Wal = Option<unsafe extern "C" fn(*mut c_void, *mut sqlite3, *const c_char, c_int) -> c_int>;
type Pages =
    Option<unsafe extern "C" fn(*mut c_void, *const c_char, c_uint, c_uint, c_uint) -> c_uint>;
type PreUpdate = Option<
    unsafe extern "C" fn(*mut c_void, *mut sqlite3, c_int, *const c_char, *const c_char, i64, i64),
>;

/// What a connection knows of its hooks: the arguments that are given back, and those that it calls itself.
pub(crate) struct Hooks {
    commit: Cell<*mut c_void>,
    rollback: Cell<*mut c_void>,
    update: Cell<*mut c_void>,
    wal: Cell<(Wal, *mut c_void)>,
    bringer: Cell<Option<Bringer>>,
}

impl Default for Hooks {
    fn default() -> Hooks {
        let none = std::ptr::null_mut;
        Hooks {
            commit: Cell::new(none()),
            rollback: Cell::new(none()),
            update: Cell::new(none()),
            wal: Cell::new((None, none())),
            bringer: Cell::new(None),
        }
    }
}

impl Hooks {
    pub(crate) fn bringer(&self) -> Option<Bringer> {
        self.bringer.get()
    }

    pub(crate) fn set_bringer(&self, bringer: Option<Bringer>) {
        self.bringer.set(bringer);
    }

    /// A timeout takes the place of a handler: the engine forgets that by itself.
    #[allow(clippy::unused_self)]
    pub(crate) fn forget_busy(&self) {}

    /// The connection ends: nobody is called any more.
    pub(crate) fn clear(&self, db: &sqlite3) {
        self.bringer.set(None);
        self.wal.set((None, std::ptr::null_mut()));
        db.ask((), |conn| {
            conn.update_hook(None);
            conn.commit_hook(None);
            conn.rollback_hook(None);
            conn.progress_handler(0, None);
            conn.busy_handler(None);
        });
    }

    /// After a statement: tells who watches the log of what was committed to it.
    pub(crate) fn after_commit(&self, db: &sqlite3) -> Option<Failure> {
        let (Some(call), argument) = self.wal.get() else {
            return None;
        };
        let logged = db.ask(Vec::new(), ringwood::LocalConnection::take_logged);
        for (database, frames) in logged {
            let database = c_string(database);
            // SAFETY: the application's function, with its own argument.
            let rc = unsafe { call(argument, db.handle(), database.as_ptr(), frames as c_int) };
            if rc != code::OK {
                return Some(Failure::code(rc));
            }
        }
        None
    }
}

/// Replaces an argument that is given back.
fn exchange(place: &Cell<*mut c_void>, is_set: bool, argument: *mut c_void) -> *mut c_void {
    place.replace(if is_set {
        argument
    } else {
        std::ptr::null_mut()
    })
}

c_api! {
    /// Who is asked whether to wait for a lock once more.
    fn sqlite3_busy_handler(db: *mut sqlite3, call: Busy, argument: *mut c_void) -> c_int
    = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let handler = call.map(|call| -> Box<dyn FnMut(u32) -> bool> {
            // SAFETY: the application's function, with its own argument.
            Box::new(move |count| unsafe { call(argument, count as c_int) != 0 })
        });
        db.glance((), |conn| conn.busy_handler(handler));
        code::OK
    }

    /// Who is called every so many opcodes, and may stop the statement.
    fn sqlite3_progress_handler(
        db: *mut sqlite3, opcodes: c_int, call: Progress, argument: *mut c_void,
    ) => {
        let Some(db) = connection(db) else { return };
        let handler = call.filter(|_| opcodes > 0).map(|call| -> Box<dyn FnMut() -> bool> {
            // SAFETY: as above.
            Box::new(move || unsafe { call(argument) != 0 })
        });
        db.ask((), |conn| conn.progress_handler(opcodes.max(0) as u32, handler));
    }

    /// Who is called before a commit, and may turn it into a rollback.
    fn sqlite3_commit_hook(db: *mut sqlite3, call: Progress, argument: *mut c_void) -> *mut c_void
    = std::ptr::null_mut() => {
        let Some(db) = connection(db) else { return std::ptr::null_mut() };
        let _held = db.lock();
        let hook = call.map(|call| -> Box<dyn FnMut() -> bool> {
            // SAFETY: as above.
            Box::new(move || unsafe { call(argument) != 0 })
        });
        db.ask((), |conn| conn.commit_hook(hook));
        exchange(&db.hooks.commit, call.is_some(), argument)
    }

    /// Who is called after a rollback.
    fn sqlite3_rollback_hook(db: *mut sqlite3, call: Rollback, argument: *mut c_void) -> *mut c_void
    = std::ptr::null_mut() => {
        let Some(db) = connection(db) else { return std::ptr::null_mut() };
        let _held = db.lock();
        let hook = call.map(|call| -> Box<dyn FnMut()> {
            // SAFETY: as above.
            Box::new(move || unsafe { call(argument) })
        });
        db.ask((), |conn| conn.rollback_hook(hook));
        exchange(&db.hooks.rollback, call.is_some(), argument)
    }

    /// Who is called for every changed row.
    fn sqlite3_update_hook(db: *mut sqlite3, call: Update, argument: *mut c_void) -> *mut c_void
    = std::ptr::null_mut() => {
        let Some(db) = connection(db) else { return std::ptr::null_mut() };
        let _held = db.lock();
        let hook = call.map(|call| -> ringwood_vdbe::env::UpdateHook {
            Box::new(move |kind, database, table, rowid| {
                let kind = match kind {
                    ChangeKind::Insert => 18,
                    ChangeKind::Update => 23,
                    ChangeKind::Delete => 9,
                };
                let (database, table) = (c_string(database), c_string(table));
                // SAFETY: as above; the names live until it returns.
                unsafe { call(argument, kind, database.as_ptr(), table.as_ptr(), rowid) }
            })
        });
        db.ask((), |conn| conn.update_hook(hook));
        exchange(&db.hooks.update, call.is_some(), argument)
    }

    /// Who is called after a commit to a write-ahead log; checkpoints are the callback's then.
    fn sqlite3_wal_hook(db: *mut sqlite3, call: Wal, argument: *mut c_void) -> *mut c_void
    = std::ptr::null_mut() => {
        let Some(db) = connection(db) else { return std::ptr::null_mut() };
        let _held = db.lock();
        let (before, old) = db.hooks.wal.replace((call, argument));
        db.ask((), |conn| {
            conn.watch_logs(call.is_some());
            conn.set_autocheckpoint(0);
        });
        if before.is_some() { old } else { std::ptr::null_mut() }
    }

    /// A log that is that long is checkpointed after a commit; this takes a hook away.
    fn sqlite3_wal_autocheckpoint(db: *mut sqlite3, frames: c_int) -> c_int
    = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        db.hooks.wal.set((None, std::ptr::null_mut()));
        db.ask((), |conn| {
            conn.watch_logs(false);
            conn.set_autocheckpoint(frames.max(0) as u32);
        });
        code::OK
    }

    /// A checkpoint that waits for nobody.
    fn sqlite3_wal_checkpoint(db: *mut sqlite3, database: *const c_char) -> c_int
    = code::INTERNAL => {
        checkpoint(db, database, 0, std::ptr::null_mut(), std::ptr::null_mut())
    }

    /// A checkpoint: 0 passive, 1 full, 2 restart, 3 truncate.
    fn sqlite3_wal_checkpoint_v2(
        db: *mut sqlite3, database: *const c_char, mode: c_int, log: *mut c_int, done: *mut c_int,
    ) -> c_int = code::INTERNAL => {
        checkpoint(db, database, mode, log, done)
    }

    /// Who says how many free pages a commit gives back: not supported, so that only taking it away succeeds.
    fn sqlite3_autovacuum_pages(
        db: *mut sqlite3, call: Pages, argument: *mut c_void, destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        if call.is_none() {
            return db.succeed();
        }
        destroy(destructor, argument);
        db.fail(Failure::new(code::ERROR, "autovacuum callbacks are not supported"))
    }

    /// Who is called before a row is changed: not supported, so that the connection's error says so.
    fn sqlite3_preupdate_hook(db: *mut sqlite3, call: PreUpdate, _argument: *mut c_void) -> *mut c_void
    = std::ptr::null_mut() => {
        if let (Some(db), Some(_)) = (connection(db), call) {
            db.fail(Failure::new(code::ERROR, "preupdate hooks are not supported"));
        }
        std::ptr::null_mut()
    }

    /// A value before the change: no hook runs.
    fn sqlite3_preupdate_old(
        _db: *mut sqlite3, _column: c_int, _value: *mut *mut crate::value::sqlite3_value,
    ) -> c_int = code::MISUSE => {
        code::MISUSE
    }

    /// A value after the change: no hook runs.
    fn sqlite3_preupdate_new(
        _db: *mut sqlite3, _column: c_int, _value: *mut *mut crate::value::sqlite3_value,
    ) -> c_int = code::MISUSE => {
        code::MISUSE
    }

    /// Columns of the row: no hook runs.
    fn sqlite3_preupdate_count(_db: *mut sqlite3) -> c_int = 0 => {
        0
    }

    /// Levels of triggers: no hook runs.
    fn sqlite3_preupdate_depth(_db: *mut sqlite3) -> c_int = 0 => {
        0
    }

    /// The column that a blob is written to: no hook runs.
    fn sqlite3_preupdate_blobwrite(_db: *mut sqlite3) -> c_int = -1 => {
        -1
    }
}

fn checkpoint(
    db: *mut sqlite3,
    database: *const c_char,
    mode: c_int,
    log: *mut c_int,
    done: *mut c_int,
) -> c_int {
    crate::boundary::put(log, -1);
    crate::boundary::put(done, -1);
    let Some(db) = connection(db) else {
        return code::MISUSE;
    };
    let Some(mode) = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"].get(mode as usize) else {
        return code::MISUSE;
    };
    let _held = db.lock();
    let database = crate::boundary::name(database).filter(|name| !name.is_empty());
    let sql = match &database {
        None => format!("PRAGMA wal_checkpoint({mode})"),
        Some(name) => {
            if db.ask(None, |conn| conn.database_index(name)).is_none() {
                return db.fail(Failure::new(
                    code::ERROR,
                    format!("unknown database: {name}"),
                ));
            }
            let name = name.replace('"', "\"\"");
            format!("PRAGMA \"{name}\".wal_checkpoint({mode})")
        }
    };
    match db.run(&sql) {
        Ok(values) => {
            let number = |i: usize| match values.get(i) {
                Some(ringwood::Value::Integer(n)) => *n as c_int,
                _ => -1,
            };
            crate::boundary::put(log, number(1));
            crate::boundary::put(done, number(2));
            if number(0) == 1 {
                return db.fail(Failure::code(code::BUSY));
            }
            db.succeed()
        }
        Err(failure) => db.fail(failure),
    }
}
