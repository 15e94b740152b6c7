//! Connections: what `sqlite3*` points to, how it is opened and closed, and how calls get at the engine.
//!
//! ```text
//!   sqlite3 { magic, mutex, conn: LocalConnection, door, error, statements, … }
//!      call ── enters the mutex ── inside == 0 ──▶ the engine
//!                                └ inside > 0: a callback of a step uses its connection: the step's Env is lent
//! ```
//!
//! Rules:
//! 1. Nothing of a connection is touched without its mutex, but for the interrupt flag. So a connection goes from thread
//!    to thread although its engine's parts do not know of threads: its I/O is its own (the blocking driver, which belongs
//!    to no thread), and none of its `Rc`s are shared with another connection.
//! 2. Callbacks may call back: nothing is borrowed across one.
//! 3. A call that comes from within a step where the engine cannot be used (a busy handler, a collation) is refused with
//!    `SQLITE_MISUSE`, as SQLite's documents ask callers not to make it.
//! 4. A connection that is closed while it has statements or backups lives on until the last of them is gone
//!    (`sqlite3_close_v2`), or is not closed (`sqlite3_close`).

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;

use ringwood::local::{JournalMode, OpenOptions};
use ringwood::{InterruptHandle, LocalConnection};
use ringwood_io::{DriverChoice, IoHandle};
use ringwood_vdbe::Env;

use crate::boundary::{
    Destructor, bytes, c_api, c_string, counted16, destroy, from_handle, from_utf16, into_handle,
    name, object, put, text,
};
use crate::code;
use crate::error::Failure;
use crate::hook::Hooks;
use crate::mutex::{Held, sqlite3_mutex};
use crate::statement::sqlite3_stmt;
use crate::trace::Tracing;
use crate::uri::Filename;

const MAGIC_OPEN: u32 = 0xa029_a697;
const MAGIC_SICK: u32 = 0x4b77_1290;
const MAGIC_CLOSED: u32 = 0x9f3c_2d33;
const MAGIC_ZOMBIE: u32 = 0x64cf_fc7f;

/// A connection.
#[allow(non_camel_case_types)]
pub struct sqlite3 {
    magic: Cell<u32>,
    pub(crate) mutex: sqlite3_mutex,
    conn: RefCell<Option<LocalConnection>>,
    door: RefCell<Rc<Cell<*mut Env>>>,
    /// Calls of the engine that are under way.
    inside: Cell<u32>,
    pub(crate) error: RefCell<Failure>,
    pub(crate) message: RefCell<Option<CString>>,
    pub(crate) message16: RefCell<Vec<u8>>,
    /// Whether extended codes are returned.
    pub(crate) extended: Cell<bool>,
    interrupt: RefCell<Option<InterruptHandle>>,
    /// The newest first.
    pub(crate) statements: RefCell<Vec<*mut sqlite3_stmt>>,
    /// Backups and blobs that are open.
    pub(crate) dependents: Cell<u32>,
    pub(crate) hooks: Hooks,
    pub(crate) tracing: Tracing,
    pub(crate) settings: crate::config::Settings,
    pub(crate) loaded: crate::extension::Loaded,
    pub(crate) vtabs: crate::vtab::Running,
    /// The names of the application's modules.
    pub(crate) vtabs_named: RefCell<Vec<String>>,
    /// Names and files of databases, as they were given out.
    names: RefCell<Vec<CString>>,
    filenames: RefCell<Vec<(String, Filename)>>,
    pub(crate) client_data: RefCell<Vec<ClientData>>,
    given_name: RefCell<Vec<u8>>,
}

/// Something of the application's that goes with the connection.
pub(crate) struct ClientData {
    name: Vec<u8>,
    data: *mut c_void,
    destructor: Destructor,
}

impl Drop for ClientData {
    fn drop(&mut self) {
        destroy(self.destructor, self.data);
    }
}

/// The connection behind a handle, unless it is none that can be used.
#[inline]
pub(crate) fn connection<'a>(db: *const sqlite3) -> Option<&'a sqlite3> {
    object(db).filter(|db| db.magic.get() == MAGIC_OPEN)
}

/// The same, also one that could not be opened: to ask for its error.
pub(crate) fn even_sick<'a>(db: *const sqlite3) -> Option<&'a sqlite3> {
    object(db).filter(|db| matches!(db.magic.get(), MAGIC_OPEN | MAGIC_SICK))
}

impl sqlite3 {
    fn new() -> sqlite3 {
        sqlite3 {
            magic: Cell::new(MAGIC_SICK),
            mutex: sqlite3_mutex::default(),
            conn: RefCell::default(),
            door: RefCell::new(Rc::new(Cell::new(std::ptr::null_mut()))),
            inside: Cell::new(0),
            error: RefCell::default(),
            message: RefCell::default(),
            message16: RefCell::default(),
            extended: Cell::new(false),
            interrupt: RefCell::default(),
            statements: RefCell::default(),
            dependents: Cell::new(0),
            hooks: Hooks::default(),
            tracing: Tracing::default(),
            settings: crate::config::Settings::default(),
            loaded: crate::extension::Loaded::default(),
            vtabs: crate::vtab::Running::default(),
            vtabs_named: RefCell::default(),
            names: RefCell::default(),
            filenames: RefCell::default(),
            client_data: RefCell::default(),
            given_name: RefCell::default(),
        }
    }

    /// Enters the mutex until the result is dropped.
    #[inline]
    pub(crate) fn lock(&self) -> Held<'_> {
        self.mutex.held()
    }

    /// Whether a call of the engine is under way: this one comes from a callback of it.
    pub(crate) fn is_inside(&self) -> bool {
        self.inside.get() > 0
    }

    /// The handle of this connection.
    pub(crate) fn handle(&self) -> *mut sqlite3 {
        std::ptr::from_ref(self).cast_mut()
    }

    /// Uses the engine, whoever is in it already.
    ///
    /// # Errors
    /// Rule 3, as `SQLITE_MISUSE`.
    #[inline]
    pub(crate) fn engine<T>(&self, call: impl FnOnce(&LocalConnection) -> T) -> Result<T, Failure> {
        let _held = self.lock();
        let conn = self.conn.borrow().clone();
        let Some(conn) = conn else {
            return Err(Failure::code(code::MISUSE));
        };
        if self.inside.get() == 0 {
            let _inside = Inside::new(&self.inside);
            return Ok(call(&conn));
        }
        let door = self.door.borrow().clone();
        let env = door.replace(std::ptr::null_mut());
        if env.is_null() {
            return Err(Failure::code(code::MISUSE));
        }
        // SAFETY: the step that called the application's code has put the place of its `Env` there, and does not touch it
        // before that code returns; taking the pointer away keeps everybody else from it (vdbe's `Env::door`).
        let result = conn.reenter(unsafe { &mut *env }, || call(&conn));
        door.set(env);
        Ok(result)
    }

    /// The same for what cannot fail: `otherwise` where the engine cannot be used.
    pub(crate) fn ask<T>(&self, otherwise: T, call: impl FnOnce(&LocalConnection) -> T) -> T {
        self.engine(call).unwrap_or(otherwise)
    }

    /// What needs no `Env`: counts that are published after each step.
    pub(crate) fn glance<T>(&self, otherwise: T, look: impl FnOnce(&LocalConnection) -> T) -> T {
        let _held = self.lock();
        self.conn.borrow().as_ref().map_or(otherwise, look)
    }

    /// Changes of the last statement, changes since the beginning, the last rowid: within a callback those of the step
    /// that is under way.
    pub(crate) fn counts(&self) -> (i64, i64, i64) {
        let _held = self.lock();
        let env = self.door.borrow().get();
        if self.inside.get() > 0 && !env.is_null() {
            // SAFETY: as in `engine`; it is only looked at.
            let facts = unsafe { &(*env).facts };
            return (facts.changes, facts.total_changes, facts.last_insert_rowid);
        }
        self.glance((0, 0, 0), |conn| {
            let (changes, total) = (conn.changes() as i64, conn.total_changes() as i64);
            (changes, total, conn.last_insert_rowid())
        })
    }

    /// Runs a statement that gives nothing, or one row: its values as text.
    pub(crate) fn run(&self, sql: &str) -> Result<Vec<ringwood::Value>, Failure> {
        self.engine(|conn| {
            let mut rows = conn.query(sql, ())?;
            let mut first = None;
            while let Some(row) = rows.next()? {
                first.get_or_insert(row);
            }
            let values = first.map(|row| {
                (0..row.column_count())
                    .filter_map(|i| row.get_value(i).ok())
                    .collect()
            });
            Ok(values.unwrap_or_default())
        })?
    }

    /// Whether something keeps it from being closed.
    fn is_used(&self) -> bool {
        !self.statements.borrow().is_empty() || self.dependents.get() > 0
    }

    /// Something that depended on it is gone: a zombie without dependents goes too.
    pub(crate) fn release(&self) {
        if self.magic.get() == MAGIC_ZOMBIE && !self.is_used() {
            end(self.handle());
        }
    }

    fn open(&self, file: Option<&[u8]>, flags: c_int) -> Result<(), Failure> {
        let access = flags & 7;
        if !matches!(access, 1 | 2 | 6) {
            return Err(Failure::code(code::MISUSE));
        }
        let given = file.unwrap_or_default();
        let is_uri = flags & code::OPEN_URI != 0 || crate::config::uris_are_on();
        let name = if flags & code::OPEN_MEMORY != 0 {
            b":memory:".to_vec()
        } else {
            given.to_vec()
        };
        let options = OpenOptions {
            read_only: access == code::OPEN_READONLY,
            create: access & code::OPEN_CREATE != 0,
            journal_mode: JournalMode::Delete,
            ..OpenOptions::default()
        };
        let io = IoHandle::builder().driver(DriverChoice::Blocking).build();
        let conn = LocalConnection::open_named(&io, &name, is_uri, &options)?;
        self.filenames.borrow_mut().push((
            "main".to_owned(),
            Filename::of_database(
                conn.database_path("main")
                    .as_ref()
                    .map_or(&b""[..], |p| p.as_os_str().as_bytes()),
                given,
                is_uri,
            ),
        ));
        *self.given_name.borrow_mut() = name;
        *self.interrupt.borrow_mut() = Some(conn.interrupt_handle());
        *self.door.borrow_mut() = conn.door();
        *self.conn.borrow_mut() = Some(conn);
        self.magic.set(MAGIC_OPEN);
        crate::config::apply_defaults(self);
        crate::extension::run_automatic(self)
    }

    /// The file of a database, as it is given out.
    pub(crate) fn filename(&self, database: &str) -> *const c_char {
        let path = self.ask(None, |conn| {
            conn.database_index(database)
                .map(|_| conn.database_path(database))
        });
        let Some(path) = path else {
            return std::ptr::null();
        };
        let path = path.map(std::path::PathBuf::into_os_string);
        let bytes = path.as_ref().map_or(&b""[..], |p| p.as_bytes());
        let mut known = self.filenames.borrow_mut();
        let found = known
            .iter()
            .find(|(name, file)| name.eq_ignore_ascii_case(database) && file.path() == bytes);
        if let Some((_, file)) = found {
            return file.as_ptr();
        }
        let file = Filename::of_database(bytes, b"", false);
        let pointer = file.as_ptr();
        known.push((database.to_owned(), file));
        pointer
    }
}

/// Counts calls of the engine.
struct Inside<'a>(&'a Cell<u32>);

impl<'a> Inside<'a> {
    #[inline]
    fn new(count: &'a Cell<u32>) -> Inside<'a> {
        count.set(count.get() + 1);
        Inside(count)
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn open(file: Option<&[u8]>, out: *mut *mut sqlite3, flags: c_int, vfs: *const c_char) -> c_int {
    if out.is_null() {
        return code::MISUSE;
    }
    put(out, std::ptr::null_mut());
    let db = into_handle(sqlite3::new());
    put(out, db);
    let Some(db) = object(db) else {
        return code::NOMEM;
    };
    let _held = db.lock();
    db.extended.set(flags & code::OPEN_EXRESCODE != 0);
    let known = match text(vfs) {
        Some(vfs) => crate::vfs::is_known(vfs)
            .then_some(())
            .ok_or_else(|| Failure::new(code::ERROR, no_such_vfs(vfs))),
        None => Ok(()),
    };
    let opened = known.and_then(|()| db.open(file, flags));
    db.settle(opened)
}

fn no_such_vfs(vfs: &[u8]) -> String {
    format!("no such vfs: {}", String::from_utf8_lossy(vfs))
}

/// Closes what is left of a connection, and frees it.
fn end(db: *mut sqlite3) {
    if let Some(it) = object(db) {
        let held = it.lock();
        it.magic.set(MAGIC_CLOSED);
        it.hooks.clear(it);
        let conn = it.conn.borrow_mut().take();
        if let Some(conn) = conn {
            // SQLite does not tell what closing failed with either; the next open recovers the file.
            let _ = conn.close();
        }
        it.client_data.borrow_mut().clear();
        it.loaded.close();
        drop(held);
    }
    drop(from_handle(db));
}

fn close(db: *mut sqlite3, waits: bool) -> c_int {
    if db.is_null() {
        return code::OK;
    }
    let Some(it) = even_sick(db) else {
        return code::MISUSE;
    };
    let held = it.lock();
    // Virtual tables go first: statements of theirs are none that are left over.
    it.ask((), LocalConnection::disconnect_virtual_tables);
    if it.is_used() && !waits {
        let message = "unable to close due to unfinalized statements or unfinished backups";
        return it.fail(Failure::new(code::BUSY, message));
    }
    it.tracing.closed(it);
    if it.is_used() {
        it.magic.set(MAGIC_ZOMBIE);
        return code::OK;
    }
    drop(held);
    end(db);
    code::OK
}

c_api! {
    /// Opens a database for reading and writing.
    fn sqlite3_open(file: *const c_char, out: *mut *mut sqlite3) -> c_int = code::INTERNAL => {
        open(text(file), out, code::OPEN_READWRITE | code::OPEN_CREATE, std::ptr::null())
    }

    /// The same for a name in UTF-16; a database that is made has that encoding.
    fn sqlite3_open16(file: *const c_void, out: *mut *mut sqlite3) -> c_int = code::INTERNAL => {
        let file = from_utf16(counted16(file, -1));
        let rc = open(Some(&file), out, code::OPEN_READWRITE | code::OPEN_CREATE, std::ptr::null());
        if rc == code::OK {
            let made = object(out).and_then(|db| connection(*db));
            if let Some(db) = made {
                // An existing database keeps its encoding.
                let _ = db.run("PRAGMA encoding = 'UTF-16'");
            }
        }
        rc
    }

    /// Opens a database with flags, by the VFS of that name.
    fn sqlite3_open_v2(
        file: *const c_char,
        out: *mut *mut sqlite3,
        flags: c_int,
        vfs: *const c_char,
    ) -> c_int = code::INTERNAL => {
        open(text(file), out, flags, vfs)
    }

    /// Closes a connection that has no statements and backups.
    fn sqlite3_close(db: *mut sqlite3) -> c_int = code::INTERNAL => {
        close(db, false)
    }

    /// Closes a connection once its last statement and backup is gone.
    fn sqlite3_close_v2(db: *mut sqlite3) -> c_int = code::INTERNAL => {
        close(db, true)
    }

    /// The mutex that serializes the connection.
    fn sqlite3_db_mutex(db: *mut sqlite3) -> *mut sqlite3_mutex = std::ptr::null_mut() => {
        even_sick(db).map_or(std::ptr::null_mut(), |db| std::ptr::from_ref(&db.mutex).cast_mut())
    }

    /// Stops the running statements, from any thread.
    fn sqlite3_interrupt(db: *mut sqlite3) => {
        let handle = connection(db).and_then(|db| db.interrupt.borrow().clone());
        if let Some(handle) = handle {
            handle.interrupt();
        }
    }

    /// Whether the running statements are being stopped.
    fn sqlite3_is_interrupted(db: *mut sqlite3) -> c_int = 0 => {
        let handle = connection(db).and_then(|db| db.interrupt.borrow().clone());
        c_int::from(handle.is_some_and(|handle| handle.is_interrupted()))
    }

    /// Rows changed by the last statement, at most 2³¹-1.
    fn sqlite3_changes(db: *mut sqlite3) -> c_int = 0 => {
        connection(db).map_or(0, |db| db.counts().0) as c_int
    }

    /// Rows changed by the last statement.
    fn sqlite3_changes64(db: *mut sqlite3) -> i64 = 0 => {
        connection(db).map_or(0, |db| db.counts().0)
    }

    /// Rows changed since the connection was opened.
    fn sqlite3_total_changes(db: *mut sqlite3) -> c_int = 0 => {
        connection(db).map_or(0, |db| db.counts().1) as c_int
    }

    /// Rows changed since the connection was opened.
    fn sqlite3_total_changes64(db: *mut sqlite3) -> i64 = 0 => {
        connection(db).map_or(0, |db| db.counts().1)
    }

    /// The rowid of the last insert.
    fn sqlite3_last_insert_rowid(db: *mut sqlite3) -> i64 = 0 => {
        connection(db).map_or(0, |db| db.counts().2)
    }

    /// Sets it.
    fn sqlite3_set_last_insert_rowid(db: *mut sqlite3, rowid: i64) => {
        if let Some(db) = connection(db) {
            db.ask((), |conn| conn.set_last_insert_rowid(rowid));
        }
    }

    /// Whether no transaction was begun.
    fn sqlite3_get_autocommit(db: *mut sqlite3) -> c_int = 0 => {
        c_int::from(connection(db).is_some_and(|db| db.glance(false, LocalConnection::is_autocommit)))
    }

    /// How long a statement waits for a lock, in milliseconds.
    fn sqlite3_busy_timeout(db: *mut sqlite3, ms: c_int) -> c_int = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        db.hooks.forget_busy();
        let timeout = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        db.glance((), |conn| conn.busy_timeout(timeout));
        code::OK
    }

    /// How long locks that block are waited for: there are none, so that any number is one.
    fn sqlite3_setlk_timeout(db: *mut sqlite3, ms: c_int, _flags: c_int) -> c_int
    = code::INTERNAL => {
        match connection(db) {
            None => code::MISUSE,
            Some(_) if ms < -1 => code::RANGE,
            Some(_) => code::OK,
        }
    }

    /// Whether a database cannot be written; -1 if there is none of that name.
    fn sqlite3_db_readonly(db: *mut sqlite3, database: *const c_char) -> c_int = -1 => {
        let Some(db) = connection(db) else { return -1 };
        let database = name(database).unwrap_or_else(|| "main".to_owned());
        let answer = db.ask(None, |conn| conn.database_is_read_only(&database));
        answer.map_or(-1, c_int::from)
    }

    /// The name of a database by its number.
    fn sqlite3_db_name(db: *mut sqlite3, index: c_int) -> *const c_char = std::ptr::null() => {
        let Some(db) = connection(db) else { return std::ptr::null() };
        let Ok(index) = usize::try_from(index) else { return std::ptr::null() };
        let Some(found) = db.ask(None, |conn| conn.database_name(index)) else {
            return std::ptr::null();
        };
        let mut names = db.names.borrow_mut();
        let found = c_string(found);
        if let Some(known) = names.iter().find(|known| **known == found) {
            return known.as_ptr();
        }
        names.push(found);
        names.last().map_or(std::ptr::null(), |name| name.as_ptr())
    }

    /// The file of a database; an empty text if it has none.
    fn sqlite3_db_filename(db: *mut sqlite3, database: *const c_char) -> *const c_char
    = std::ptr::null() => {
        let Some(db) = connection(db) else { return std::ptr::null() };
        db.filename(&name(database).unwrap_or_else(|| "main".to_owned()))
    }

    /// The state of a transaction: 0 none, 1 reading, 2 writing; -1 for an unknown database.
    fn sqlite3_txn_state(db: *mut sqlite3, database: *const c_char) -> c_int = -1 => {
        let Some(db) = connection(db) else { return -1 };
        let database = name(database);
        let state = db.ask(None, |conn| conn.transaction_state(database.as_deref()).ok());
        match state {
            None => -1,
            Some(ringwood::local::TxState::None) => 0,
            Some(ringwood::local::TxState::Read) => 1,
            Some(ringwood::local::TxState::Write) => 2,
        }
    }

    /// The oldest way to ask whether a statement has to be prepared again: never.
    fn sqlite3_expired(_statement: *mut sqlite3_stmt) -> c_int = 0 => {
        0
    }

    /// Gives the page cache's spare memory back: it bounds itself.
    fn sqlite3_db_release_memory(db: *mut sqlite3) -> c_int = code::INTERNAL => {
        if connection(db).is_some() { code::OK } else { code::MISUSE }
    }

    /// Writes dirty pages early: transactions here keep theirs until they are committed or spilled.
    fn sqlite3_db_cacheflush(db: *mut sqlite3) -> c_int = code::INTERNAL => {
        if connection(db).is_some() { code::OK } else { code::MISUSE }
    }

    /// Something of the application's that goes with the connection.
    fn sqlite3_get_clientdata(db: *mut sqlite3, key: *const c_char) -> *mut c_void
    = std::ptr::null_mut() => {
        let (Some(db), Some(key)) = (connection(db), text(key)) else {
            return std::ptr::null_mut();
        };
        let _held = db.lock();
        let all = db.client_data.borrow();
        all.iter().find(|d| d.name == key).map_or(std::ptr::null_mut(), |d| d.data)
    }

    /// Sets it; null takes it away.
    fn sqlite3_set_clientdata(
        db: *mut sqlite3,
        key: *const c_char,
        data: *mut c_void,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        let (Some(db), Some(key)) = (connection(db), text(key)) else { return code::MISUSE };
        let _held = db.lock();
        let at = db.client_data.borrow().iter().position(|d| d.name == key);
        let before = at.map(|at| db.client_data.borrow_mut().remove(at));
        drop(before);
        if !data.is_null() {
            let name = key.to_vec();
            db.client_data.borrow_mut().push(ClientData { name, data, destructor });
        }
        code::OK
    }

    /// Shared caches are not made: every connection has its own.
    fn sqlite3_enable_shared_cache(_on: c_int) -> c_int = code::OK => {
        code::OK
    }

    /// Nobody blocks another within a shared cache, so that nothing has to be waited for: the callback runs at once.
    fn sqlite3_unlock_notify(
        db: *mut sqlite3,
        notify: Option<unsafe extern "C" fn(*mut *mut c_void, c_int)>,
        argument: *mut c_void,
    ) -> c_int = code::INTERNAL => {
        if connection(db).is_none() {
            return code::MISUSE;
        }
        if let Some(notify) = notify {
            let mut arguments = [argument];
            // SAFETY: the application's function, called as SQLite calls it.
            unsafe { notify(arguments.as_mut_ptr(), 1) }
        }
        code::OK
    }
}

/// Bits of a mask that C keeps in an unsigned number.
pub(crate) type Mask = c_uint;

/// What is at `pointer`, for callers that give two numbers.
pub(crate) fn range<'a>(pointer: *const c_void, length: c_int) -> &'a [u8] {
    bytes(pointer, usize::try_from(length).unwrap_or(0))
}
