//! Incremental access to blobs.
//!
//! ```text
//!   open ── SELECT the value of the row ──▶ bytes
//!   read ── from the bytes          write ── into the bytes, and the row is written: no trigger and no hook is told
//! ```
//!
//! Rules:
//! 1. A blob's row that is changed by anything but the blob itself ends the blob: `SQLITE_ABORT` from then on. Where the
//!    connection has changed rows since the last look, the row is looked at again.
//! 2. While a blob is open it is a statement that runs: its transaction ends when it is closed.
//!
//! Cost: the whole value is held in memory, and a write rewrites its row.
//!
//! Source: SQLite's `sqlite3_blob_open`.

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_void};

use ringwood::local::{BlobColumn, Statement};

use crate::boundary::{bytes_mut, c_api, from_handle, into_handle, name, object, put};
use crate::code;
use crate::connection::{connection, range, sqlite3};
use crate::error::Failure;

/// A blob that is open.
#[allow(non_camel_case_types)]
pub struct sqlite3_blob {
    db: *const sqlite3,
    column: BlobColumn,
    rowid: Cell<i64>,
    bytes: RefCell<Vec<u8>>,
    writable: bool,
    /// Rule 2.
    hold: RefCell<Option<Statement>>,
    expired: Cell<bool>,
    /// The connection's count of changes at the last look.
    seen: Cell<u64>,
}

impl sqlite3_blob {
    fn connection(&self) -> &sqlite3 {
        object(self.db).expect("a connection lives as long as its blobs")
    }

    fn changes(&self) -> u64 {
        self.connection()
            .glance(0, ringwood::LocalConnection::total_changes)
    }

    /// Rule 1.
    fn look(&self) -> Result<(), Failure> {
        if self.expired.get() {
            return Err(Failure::code(code::ABORT));
        }
        if self.seen.get() == self.changes() {
            return Ok(());
        }
        let db = self.connection();
        let now = db.engine(|conn| conn.blob_read(&self.column, self.rowid.get()))?;
        match now {
            Ok(now) if now == *self.bytes.borrow() => {
                self.seen.set(self.changes());
                Ok(())
            }
            _ => {
                self.expired.set(true);
                Err(Failure::code(code::ABORT))
            }
        }
    }

    fn place(&self, n: c_int, offset: c_int) -> Result<std::ops::Range<usize>, Failure> {
        let wrong = || Failure::code(code::ERROR);
        let start = usize::try_from(offset).map_err(|_| wrong())?;
        let end = start + usize::try_from(n).map_err(|_| wrong())?;
        if end > self.bytes.borrow().len() {
            return Err(wrong());
        }
        Ok(start..end)
    }

    fn write(&self, n: c_int, offset: c_int, data: &[u8]) -> Result<(), Failure> {
        let place = self.place(n, offset)?;
        if !self.writable {
            return Err(Failure::code(code::READONLY));
        }
        self.look()?;
        let db = self.connection();
        let mut changed = self.bytes.borrow().clone();
        changed[place].copy_from_slice(data);
        db.engine(|conn| conn.blob_write(&self.column, self.rowid.get(), &changed))??;
        *self.bytes.borrow_mut() = changed;
        self.seen.set(self.changes());
        Ok(())
    }
}

c_api! {
    /// Opens a value of a row.
    fn sqlite3_blob_open(
        db: *mut sqlite3, database: *const c_char, table: *const c_char, column: *const c_char,
        rowid: i64, flags: c_int, out: *mut *mut sqlite3_blob,
    ) -> c_int = code::INTERNAL => {
        if out.is_null() {
            return code::MISUSE;
        }
        put(out, std::ptr::null_mut());
        let (Some(db), Some(table), Some(column)) = (connection(db), name(table), name(column)) else {
            return code::MISUSE;
        };
        let _held = db.lock();
        let database = name(database).unwrap_or_else(|| "main".to_owned());
        let writable = flags != 0;
        let opened = db.engine(|conn| {
            let column = conn.blob_column(&database, &table, &column, writable)?;
            let hold = conn.hold(&database, writable)?;
            let bytes = conn.blob_read(&column, rowid)?;
            Ok::<_, ringwood::Error>((column, bytes, hold))
        });
        match opened.and_then(|opened| Ok(opened?)) {
            Ok((column, bytes, hold)) => {
                db.dependents.set(db.dependents.get() + 1);
                put(out, into_handle(sqlite3_blob {
                    db, column, rowid: Cell::new(rowid), bytes: RefCell::new(bytes), writable,
                    hold: RefCell::new(Some(hold)),
                    expired: Cell::new(false),
                    seen: Cell::new(db.glance(0, ringwood::LocalConnection::total_changes)),
                }));
                db.succeed()
            }
            Err(failure) => db.fail(failure),
        }
    }

    /// Goes to another row of the same table.
    fn sqlite3_blob_reopen(it: *mut sqlite3_blob, rowid: i64) -> c_int = code::INTERNAL => {
        let Some(it) = object(it) else { return code::MISUSE };
        let db = it.connection();
        let _held = db.lock();
        if it.expired.get() {
            return db.fail(Failure::code(code::ABORT));
        }
        let read = db.engine(|conn| conn.blob_read(&it.column, rowid));
        match read.and_then(|read| Ok(read?)) {
            Ok(bytes) => {
                it.rowid.set(rowid);
                *it.bytes.borrow_mut() = bytes;
                it.seen.set(it.changes());
                db.succeed()
            }
            Err(failure) => {
                it.expired.set(true);
                db.fail(failure)
            }
        }
    }

    /// Closes a blob.
    fn sqlite3_blob_close(it: *mut sqlite3_blob) -> c_int = code::INTERNAL => {
        let Some(it) = from_handle(it) else { return code::OK };
        let Some(db) = object(it.db) else { return code::MISUSE };
        let held = db.lock();
        let hold = it.hold.borrow_mut().take();
        let finished = db.engine(|_| hold.map_or(Ok(()), |mut hold| hold.finish()));
        let code = match finished.and_then(|finished| Ok(finished?)) {
            Ok(()) => code::OK,
            Err(failure) => db.fail(failure),
        };
        db.dependents.set(db.dependents.get() - 1);
        drop(it);
        drop(held);
        db.release();
        code
    }

    /// The size of a blob.
    fn sqlite3_blob_bytes(it: *mut sqlite3_blob) -> c_int = 0 => {
        let open = object(it).filter(|it| !it.expired.get());
        open.map_or(0, |it| it.bytes.borrow().len()) as c_int
    }

    /// Reads some bytes.
    fn sqlite3_blob_read(it: *mut sqlite3_blob, out: *mut c_void, n: c_int, offset: c_int) -> c_int
    = code::INTERNAL => {
        let Some(it) = object(it) else { return code::MISUSE };
        let db = it.connection();
        let _held = db.lock();
        let read = it.place(n, offset).and_then(|place| it.look().map(|()| place));
        db.settle(read.map(|place| {
            let bytes = it.bytes.borrow();
            bytes_mut(out, place.len()).copy_from_slice(&bytes[place]);
        }))
    }

    /// Writes some bytes; the size stays.
    fn sqlite3_blob_write(
        it: *mut sqlite3_blob, data: *const c_void, n: c_int, offset: c_int,
    ) -> c_int = code::INTERNAL => {
        let Some(it) = object(it) else { return code::MISUSE };
        let db = it.connection();
        let _held = db.lock();
        db.settle(it.write(n, offset, range(data, n)))
    }
}
