//! Online backups.
//!
//! Source: SQLite's "Online Backup API".

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int};

use ringwood::local::Backup;

use crate::boundary::{c_api, from_handle, into_handle, name, object};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;

/// A backup under way.
#[allow(non_camel_case_types)]
pub struct sqlite3_backup {
    backup: RefCell<Backup>,
    target: *const sqlite3,
    source: *const sqlite3,
    /// What ended it.
    code: Cell<c_int>,
}

fn fatal(code: c_int) -> bool {
    !matches!(code & 0xff, code::OK | code::BUSY | code::LOCKED)
}

c_api! {
    /// Begins a copy of a database of one connection into one of another.
    fn sqlite3_backup_init(
        target: *mut sqlite3, target_name: *const c_char, source: *mut sqlite3,
        source_name: *const c_char,
    ) -> *mut sqlite3_backup = std::ptr::null_mut() => {
        let (Some(to), Some(from)) = (connection(target), connection(source)) else {
            return std::ptr::null_mut();
        };
        let _from = from.lock();
        let _to = to.lock();
        if std::ptr::eq(target, source) {
            to.fail(Failure::new(code::ERROR, "source and destination must be distinct"));
            return std::ptr::null_mut();
        }
        let (Some(to_name), Some(from_name)) = (name(target_name), name(source_name)) else {
            to.fail(Failure::code(code::MISUSE));
            return std::ptr::null_mut();
        };
        let idle = to.ask(None, |conn| conn.transaction_state(Some(&to_name)).ok());
        if idle.is_some_and(|state| state != ringwood::local::TxState::None) {
            to.fail(Failure::new(code::ERROR, "destination database is in use"));
            return std::ptr::null_mut();
        }
        let unknown = |db: &sqlite3, name: &str| {
            let found = db.ask(None, |conn| conn.database_index(name));
            let message = format!("unknown database {name}");
            found.is_none().then(|| Failure::new(code::ERROR, message))
        };
        if let Some(failure) = unknown(from, &from_name).or_else(|| unknown(to, &to_name)) {
            to.fail(failure);
            return std::ptr::null_mut();
        }
        let made = from.engine(|from| {
            to.engine(|to| from.backup_into(&from_name, to, &to_name))
        });
        let made = made.and_then(|made| made).and_then(|made| Ok(made?));
        match made {
            Ok(backup) => {
                to.succeed();
                to.dependents.set(to.dependents.get() + 1);
                from.dependents.set(from.dependents.get() + 1);
                into_handle(sqlite3_backup {
                    backup: RefCell::new(backup), target, source, code: Cell::new(code::OK),
                })
            }
            Err(failure) => {
                to.fail(failure);
                std::ptr::null_mut()
            }
        }
    }

    /// Copies some pages, all that are left if the number is negative.
    fn sqlite3_backup_step(it: *mut sqlite3_backup, pages: c_int) -> c_int = code::INTERNAL => {
        let Some(it) = object(it) else { return code::MISUSE };
        let (Some(from), Some(to)) = (object(it.source), object(it.target)) else {
            return code::MISUSE;
        };
        let _from = from.lock();
        let _to = to.lock();
        if fatal(it.code.get()) {
            return it.code.get();
        }
        let Ok(mut backup) = it.backup.try_borrow_mut() else { return code::MISUSE };
        let stepped = from.engine(|_| to.engine(|_| backup.step(pages)));
        let stepped = stepped.and_then(|stepped| stepped).and_then(|stepped| Ok(stepped?));
        let code = match stepped {
            Ok(true) => code::DONE,
            Ok(false) => code::OK,
            Err(failure) => failure.code,
        };
        it.code.set(code);
        code
    }

    /// Ends a backup; one that was not done is given up.
    fn sqlite3_backup_finish(it: *mut sqlite3_backup) -> c_int = code::INTERNAL => {
        let Some(backup) = from_handle(it) else { return code::OK };
        let (Some(from), Some(to)) = (object(backup.source), object(backup.target)) else {
            return code::MISUSE;
        };
        let held_from = from.lock();
        let held_to = to.lock();
        let code = match backup.code.get() {
            code::DONE => code::OK,
            code => code,
        };
        // Giving it up may roll back: with the engine of both at hand.
        let dropped = from.engine(|_| to.engine(|_| drop(backup)));
        let _ = dropped.and_then(|dropped| dropped);
        to.dependents.set(to.dependents.get() - 1);
        from.dependents.set(from.dependents.get() - 1);
        let code = to.fail(Failure::code(code));
        drop(held_to);
        drop(held_from);
        from.release();
        to.release();
        code
    }

    /// Pages that are still to be copied, as of the last step.
    fn sqlite3_backup_remaining(it: *mut sqlite3_backup) -> c_int = 0 => {
        object(it).map_or(0, |it| it.backup.borrow().remaining()) as c_int
    }

    /// Pages of the source, as of the last step.
    fn sqlite3_backup_pagecount(it: *mut sqlite3_backup) -> c_int = 0 => {
        object(it).map_or(0, |it| it.backup.borrow().page_count()) as c_int
    }
}
