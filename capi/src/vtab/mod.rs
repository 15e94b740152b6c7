//! Virtual tables of the application: modules made of C functions.
//!
//! ```text
//!   create_module ──▶ Foreign (the methods, the application's data) ──▶ an engine `Module`
//!   CREATE VIRTUAL TABLE, or the first use ──▶ xCreate, xConnect ── sqlite3_declare_vtab ──▶ table::Table
//!   prepare ──▶ xBestIndex(sqlite3_index_info) ── question::Asked      step ──▶ table::Cursor
//! ```
//!
//! Rules:
//! 1. Methods may use their connection, as functions may, but for xBestIndex: it is asked while a statement is compiled.
//! 2. What a method leaves in `zErrMsg` is the message of its error, and freed.
//! 3. A table is closed (xDisconnect, xDestroy) once, after its last cursor.
//!
//! Source: SQLite's "The Virtual Table Mechanism Of SQLite", `vtab.c`.

pub mod layout;
mod question;
mod table;

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;

use ringwood::vtab::{
    Declared, LocalFuture, Module, ModuleArgs, ModuleKind, VtabError, VtabFlags, VtabStep,
    VtabStop, WaitContext,
};
use ringwood::{Mem, ResultCode};
use ringwood_sql::ast::Stmt;

use crate::boundary::{Destructor, c_api, c_string, destroy, guard, name, object, put, text};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::function::UserData;
use crate::memory;
use crate::value::sqlite3_value;
use crate::variadic::{Arguments, Taker};
use layout::{Methods, sqlite3_index_info, sqlite3_vtab};
use question::Asked;
use table::Table;

/// What a connection knows of the methods that run.
#[derive(Default)]
pub(crate) struct Running {
    /// Tables whose constructors run, the innermost last.
    constructors: RefCell<Vec<Constructor>>,
    /// How the innermost xUpdate settles conflicts; 0 outside.
    on_conflict: Cell<c_int>,
}

/// A table whose constructor runs.
struct Constructor {
    db: Arc<str>,
    table: Arc<str>,
    schema: Option<String>,
    flags: VtabFlags,
}

/// A module of the application.
struct Foreign {
    db: *const sqlite3,
    methods: Methods,
    data: *mut c_void,
    _given: UserData,
}

// SAFETY: what the application gave is only used within calls of its connection, under that one's mutex.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

/// The error of a method: the message is what it left, or the code's own.
fn failed(rc: c_int, message: Option<Vec<u8>>) -> VtabError {
    let code = ResultCode::from_i32(rc);
    match message {
        Some(message) => VtabError::new(code, String::from_utf8_lossy(&message)),
        None => VtabError::code(code),
    }
}

/// Takes a message that C has allocated.
fn take_message(message: &mut *mut c_char) -> Option<Vec<u8>> {
    let taken = std::mem::replace(message, std::ptr::null_mut());
    let words = text(taken).map(<[u8]>::to_vec);
    memory::release(taken.cast());
    words
}

impl Module for Foreign {
    fn kind(&self) -> ModuleKind {
        let create = self.methods.create.map(|f| f as usize);
        if create.is_none() {
            ModuleKind::EponymousOnly
        } else if create == self.methods.connect.map(|f| f as usize) {
            ModuleKind::Eponymous
        } else {
            ModuleKind::Ordinary
        }
    }

    /// Constructors run SQL, which only a waiting step can.
    fn connect(&self, _args: &ModuleArgs) -> VtabStep<Declared> {
        Err(VtabStop::Wait)
    }

    fn connect_async<'a>(
        &'a self,
        args: &'a ModuleArgs,
        mut cx: WaitContext<'a>,
    ) -> LocalFuture<'a, Result<Declared, VtabError>> {
        Box::pin(async move { cx.outside(|| self.construct(args)) })
    }

    fn is_shadow(&self, suffix: &str) -> bool {
        let suffix = c_string(suffix);
        self.methods.shadow_name.is_some_and(|shadow_name| {
            // SAFETY: the application's function; the text lives until it returns.
            unsafe { shadow_name(suffix.as_ptr()) != 0 }
        })
    }
}

impl Foreign {
    /// Runs xCreate or xConnect.
    fn construct(&self, args: &ModuleArgs) -> Result<Declared, VtabError> {
        let db = object(self.db).ok_or_else(|| VtabError::code(ResultCode::MISUSE))?;
        let constructor = if args.is_new {
            self.methods.create
        } else {
            self.methods.connect
        };
        let Some(constructor) = constructor else {
            return Err(VtabError::code(ResultCode::MISUSE));
        };
        let running = &db.vtabs.constructors;
        let is_this = |c: &Constructor| c.table == args.table && c.db == args.db;
        if running.borrow().iter().any(is_this) {
            let message = format!("vtable constructor called recursively: {}", args.table);
            return Err(VtabError::new(ResultCode::LOCKED, message));
        }
        running.borrow_mut().push(Constructor {
            db: args.db.clone(),
            table: args.table.clone(),
            schema: None,
            flags: VtabFlags::empty(),
        });
        let database = if args.db.is_empty() { "main" } else { &args.db };
        let mut texts: Vec<CString> = vec![
            c_string(&*args.module),
            c_string(database),
            c_string(&*args.table),
        ];
        texts.extend(args.args.iter().map(c_string));
        let pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let mut made: *mut sqlite3_vtab = std::ptr::null_mut();
        let mut message = std::ptr::null_mut();
        // SAFETY: the application's function, with its own data; the arguments live until it returns.
        let rc = unsafe {
            constructor(
                db.handle(),
                self.data,
                pointers.len() as c_int,
                pointers.as_ptr(),
                &raw mut made,
                &raw mut message,
            )
        };
        let message = take_message(&mut message);
        let declared = running.borrow_mut().pop();
        if rc != code::OK {
            // Without a message the engine has words for it.
            let code = ResultCode::from_i32(rc);
            let message = message.map(|m| String::from_utf8_lossy(&m).into_owned());
            return Err(VtabError::new(code, message.unwrap_or_default()));
        }
        let Some(table) = Table::of(self.db, self.methods, made) else {
            return Err(VtabError::new(ResultCode::ERROR, ""));
        };
        let declared = declared.and_then(|c| c.schema.map(|schema| (schema, c.flags)));
        let Some((schema, flags)) = declared else {
            let message = format!("vtable constructor did not declare schema: {}", args.table);
            return Err(VtabError::new(ResultCode::ERROR, message));
        };
        Ok(Declared::new(schema, table).with(flags))
    }
}

/// Arguments of a method, as C sees them.
fn arguments<'a>(args: impl Iterator<Item = &'a Mem>) -> Vec<sqlite3_value> {
    args.map(|mem| {
        let value = sqlite3_value::default();
        value.point_to(mem);
        value.no_change.set(mem.is_no_change());
        value
    })
    .collect()
}

/// `sqlite3_vtab_config`: behind the shim.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_vtab_config(
    db: *mut sqlite3,
    op: c_int,
    arguments: *mut Arguments,
) -> c_int {
    guard(code::INTERNAL, || {
        let Some(db) = connection(db) else {
            return code::MISUSE;
        };
        let _held = db.lock();
        let mut running = db.vtabs.constructors.borrow_mut();
        let Some(constructor) = running.last_mut() else {
            return db.fail(Failure::code(code::MISUSE));
        };
        let flags = &mut constructor.flags;
        match op {
            1 => flags.set(VtabFlags::CONSTRAINTS, Taker(arguments).int() != 0),
            2 => {
                flags.insert(VtabFlags::INNOCUOUS);
                flags.remove(VtabFlags::DIRECT_ONLY);
            }
            3 => {
                flags.insert(VtabFlags::DIRECT_ONLY);
                flags.remove(VtabFlags::INNOCUOUS);
            }
            // USES_ALL_SCHEMAS: locks of all databases are taken when the table's own statements ask for them.
            4 => {}
            _ => return db.fail(Failure::code(code::MISUSE)),
        }
        code::OK
    })
}

fn create_module(
    db: *mut sqlite3,
    module: *const c_char,
    methods: *const c_void,
    data: *mut c_void,
    destructor: Destructor,
) -> c_int {
    let (Some(db), Some(module)) = (connection(db), name(module)) else {
        destroy(destructor, data);
        return code::MISUSE;
    };
    let _held = db.lock();
    let given = UserData { data, destructor };
    let made = Methods::of(methods).map(|methods| -> Arc<dyn Module> {
        Arc::new(Foreign {
            db: db.handle(),
            methods,
            data,
            _given: given,
        })
    });
    let known = made.is_some();
    let done = db.engine(|conn| conn.create_module(&module, made));
    let mut names = db.vtabs_named.borrow_mut();
    names.retain(|have| !have.eq_ignore_ascii_case(&module));
    if known && done.is_ok() {
        names.push(module);
    }
    drop(names);
    db.settle(done)
}

/// The columns that a constructor declares.
fn declare(db: &sqlite3, sql: &[u8]) -> Result<(), Failure> {
    let is_awaited = {
        let running = db.vtabs.constructors.borrow();
        running.last().is_some_and(|c| c.schema.is_none())
    };
    if !is_awaited {
        return Err(Failure::code(code::MISUSE));
    }
    let words = String::from_utf8_lossy(&sql[..sql.len().min(100)]).to_ascii_uppercase();
    let mut words = words.split_ascii_whitespace();
    if words.next() != Some("CREATE") || words.next() != Some("TABLE") {
        return Err(Failure::new(code::ERROR, "syntax error"));
    }
    let parsed = ringwood_sql::parse::parse_statement(sql);
    let parsed = parsed.map_err(|error| Failure::new(code::ERROR, error.to_string()))?;
    match parsed.map(|statement| statement.kind) {
        Some(Stmt::CreateTable(_)) => {}
        _ => return Err(Failure::new(code::ERROR, "syntax error")),
    }
    if let Some(constructor) = db.vtabs.constructors.borrow_mut().last_mut() {
        constructor.schema = Some(String::from_utf8_lossy(sql).into_owned());
    }
    Ok(())
}

c_api! {
    /// Registers a module; a null one takes that of its name away.
    fn sqlite3_create_module(
        db: *mut sqlite3, module: *const c_char, methods: *const c_void, data: *mut c_void,
    ) -> c_int = code::INTERNAL => {
        create_module(db, module, methods, data, None)
    }

    /// The same with a destructor of the data.
    fn sqlite3_create_module_v2(
        db: *mut sqlite3, module: *const c_char, methods: *const c_void, data: *mut c_void,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        create_module(db, module, methods, data, destructor)
    }

    /// Takes all modules of the application away but those.
    fn sqlite3_drop_modules(db: *mut sqlite3, keep: *const *const c_char) -> c_int
    = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        let mut kept = Vec::new();
        let mut at = keep;
        while let Some(one) = object(at).and_then(|one| name(*one)) {
            kept.push(one);
            at = at.wrapping_add(1);
        }
        let is_kept = |name: &String| kept.iter().any(|kept| kept == name);
        let all = std::mem::take(&mut *db.vtabs_named.borrow_mut());
        let (stay, go): (Vec<_>, Vec<_>) = all.into_iter().partition(is_kept);
        *db.vtabs_named.borrow_mut() = stay;
        let done = db.engine(|conn| {
            for name in &go {
                conn.create_module(name, None);
            }
        });
        db.settle(done)
    }

    /// Declares the columns of a table that is being connected.
    fn sqlite3_declare_vtab(db: *mut sqlite3, sql: *const c_char) -> c_int
    = code::INTERNAL => {
        let (Some(db), Some(sql)) = (connection(db), text(sql)) else { return code::MISUSE };
        let _held = db.lock();
        db.settle(declare(db, sql))
    }

    /// How a conflict is settled by the change that is under way.
    fn sqlite3_vtab_on_conflict(db: *mut sqlite3) -> c_int = 0 => {
        connection(db).map_or(0, |db| db.vtabs.on_conflict.get())
    }

    /// The collation of a constraint.
    fn sqlite3_vtab_collation(info: *mut sqlite3_index_info, constraint: c_int) -> *const c_char
    = std::ptr::null() => {
        let asked = Asked::of(info);
        let found = asked.zip(usize::try_from(constraint).ok());
        found.and_then(|(asked, i)| asked.collation(i)).unwrap_or(std::ptr::null())
    }

    /// What becomes of equal rows.
    fn sqlite3_vtab_distinct(info: *mut sqlite3_index_info) -> c_int = 0 => {
        Asked::of(info).map_or(0, Asked::distinct)
    }

    /// Whether an IN can be had as a whole; a handle of 1 wants that, 0 does not, -1 only asks.
    fn sqlite3_vtab_in(info: *mut sqlite3_index_info, constraint: c_int, handle: c_int) -> c_int
    = 0 => {
        let asked = Asked::of(info).zip(usize::try_from(constraint).ok());
        asked.map_or(0, |(asked, i)| c_int::from(asked.is_in(i, handle)))
    }

    /// The right side of a constraint, if it is known by now.
    fn sqlite3_vtab_rhs_value(
        info: *mut sqlite3_index_info, constraint: c_int, value: *mut *mut sqlite3_value,
    ) -> c_int = code::NOTFOUND => {
        put(value, std::ptr::null_mut());
        let Some((asked, i)) = Asked::of(info).zip(usize::try_from(constraint).ok()) else {
            return code::MISUSE;
        };
        match asked.right_side(i) {
            None => code::MISUSE,
            Some(found) if found.is_null() => code::NOTFOUND,
            Some(found) => {
                put(value, found);
                code::OK
            }
        }
    }
}
