//! The modules of a connection and the tables that are connected.
//!
//! Rules:
//! 1. Tables are found by the name of their database and their own; one that is eponymous has no database.
//! 2. While a table waits or runs it is taken out; whoever wants it then is told that it is locked. So a module may run
//!    SQL, but not over the very table that runs it.
//! 3. A table whose text in the schema has changed is connected anew.

use super::{Declared, Module, ModuleArgs, ModuleKind, VirtualTable, VtabFlags, VtabStop};
use crate::error::{Error, Result};
use crate::result_code::ResultCode;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// A connected table.
pub struct Connected {
    /// What it was connected with.
    pub args: ModuleArgs,
    /// The CREATE TABLE statement that declares its columns.
    pub schema: String,
    /// What may be assumed of it.
    pub flags: VtabFlags,
    /// What the compiler has made of the schema.
    pub compiled: RefCell<Option<Rc<dyn Any>>>,
    table: RefCell<Option<Box<dyn VirtualTable>>>,
    in_transaction: Cell<bool>,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected")
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

/// The table, taken out (rule 2); it goes back when this is dropped.
pub(crate) struct Taken<'a> {
    from: &'a Connected,
    table: Option<Box<dyn VirtualTable>>,
}

impl std::ops::Deref for Taken<'_> {
    type Target = Box<dyn VirtualTable>;
    fn deref(&self) -> &Self::Target {
        self.table
            .as_ref()
            .expect("it is there until it is dropped")
    }
}

impl std::ops::DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.table
            .as_mut()
            .expect("it is there until it is dropped")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.from.table.borrow_mut() = self.table.take();
    }
}

impl Connected {
    fn new(args: ModuleArgs, declared: Declared) -> Rc<Connected> {
        Rc::new(Connected {
            args,
            schema: declared.schema,
            flags: declared.flags,
            compiled: RefCell::default(),
            table: RefCell::new(Some(declared.table)),
            in_transaction: Cell::new(false),
        })
    }

    /// Takes the table out.
    pub(crate) fn take(&self) -> Result<Taken<'_>> {
        match self.table.borrow_mut().take() {
            Some(table) => Ok(Taken {
                from: self,
                table: Some(table),
            }),
            None => Err(self.locked()),
        }
    }

    #[cold]
    fn locked(&self) -> Error {
        let message = format!("database table is locked: {}", self.args.table);
        Error::new(ResultCode::LOCKED, message)
    }

    /// Asks the table something.
    ///
    /// # Errors
    /// `SQLITE_LOCKED` while it runs.
    pub fn with<T>(&self, ask: impl FnOnce(&mut dyn VirtualTable) -> T) -> Result<T> {
        let mut table = self.take()?;
        Ok(ask(&mut **table))
    }
}

/// Why a table is not connected.
#[derive(Debug)]
pub enum ConnectError {
    /// Connecting has to wait: [`VirtualTables::take_pending`] says for what.
    Wait,
    /// It failed.
    Fail(Error),
}

/// A table that is to be connected by waiting.
pub struct PendingConnect {
    module: Arc<dyn Module>,
    args: ModuleArgs,
}

/// A module under its name.
type Named = (Arc<str>, Arc<dyn Module>);
/// Makes the built-in module of a name.
pub type MakeBuiltin = fn(&str) -> Option<Arc<dyn Module>>;

/// The modules of a connection and its tables.
#[derive(Default)]
pub struct VirtualTables {
    modules: RefCell<Vec<Named>>,
    tables: RefCell<Vec<Rc<Connected>>>,
    /// Those that have been changed in the transaction.
    active: RefCell<Vec<Rc<Connected>>>,
    pending: RefCell<Option<PendingConnect>>,
    /// Makes the built-in modules when they are first asked for.
    builtin: Cell<Option<MakeBuiltin>>,
    builtin_names: Cell<&'static [&'static str]>,
}

impl VirtualTables {
    /// The built-in modules, by a name in lower case; and those of them that are always listed.
    pub fn set_builtins(&self, make: MakeBuiltin, names: &'static [&'static str]) {
        self.builtin.set(Some(make));
        self.builtin_names.set(names);
    }

    /// Registers a module; it replaces one of that name, whose tables stay as they are until they are connected anew.
    pub fn register(&self, name: &str, module: Arc<dyn Module>) {
        self.remove(name);
        self.modules.borrow_mut().push((name.into(), module));
    }

    /// Forgets a module; whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        self.forget_where(|table| {
            table.args.db.is_empty() && table.args.module.eq_ignore_ascii_case(name)
        });
        let is_it = |(have, _): &Named| have.eq_ignore_ascii_case(name);
        let at = self.modules.borrow().iter().position(is_it);
        let removed = at.map(|at| self.modules.borrow_mut().remove(at));
        removed.is_some()
    }

    /// Disconnects tables. They are dropped when nothing is borrowed any more: a table of the application's may use its
    /// connection as it goes.
    fn forget_where(&self, is_gone: impl Fn(&Connected) -> bool) {
        let all = std::mem::take(&mut *self.tables.borrow_mut());
        let (gone, stay): (Vec<_>, Vec<_>) = all.into_iter().partition(|table| is_gone(table));
        self.tables.borrow_mut().extend(stay);
        drop(gone);
    }

    /// Disconnects all tables, as the connection ends.
    pub fn forget_all(&self) {
        self.forget_where(|_| true);
    }

    /// The module of that name.
    pub fn module(&self, name: &str) -> Option<Arc<dyn Module>> {
        self.find_module(name).map(|(_, module)| module)
    }

    fn find_module(&self, name: &str) -> Option<Named> {
        let found = self
            .modules
            .borrow()
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .cloned();
        if found.is_some() {
            return found;
        }
        let name = name.to_ascii_lowercase();
        let module = self.builtin.get()?(&name)?;
        let found = (Arc::from(name), module);
        self.modules.borrow_mut().push(found.clone());
        Some(found)
    }

    /// The names of all modules.
    pub fn module_names(&self) -> Vec<Arc<str>> {
        let modules = self.modules.borrow();
        let mut names: Vec<Arc<str>> = modules.iter().map(|(name, _)| name.clone()).collect();
        for name in self.builtin_names.get() {
            if !names.iter().any(|have| &**have == *name) {
                names.push(Arc::from(*name));
            }
        }
        names
    }

    /// A connected table.
    pub fn find(&self, db: &str, table: &str) -> Option<Rc<Connected>> {
        let tables = self.tables.borrow();
        tables
            .iter()
            .find(|t| {
                t.args.db.eq_ignore_ascii_case(db) && t.args.table.eq_ignore_ascii_case(table)
            })
            .cloned()
    }

    /// The table of the schema, connected if it is not (rule 3).
    ///
    /// # Errors
    /// `no such module: x`, or what connecting fails with.
    pub fn connect(&self, args: &ModuleArgs) -> std::result::Result<Rc<Connected>, ConnectError> {
        if let Some(found) = self.find(&args.db, &args.table) {
            let same = found.args.module.eq_ignore_ascii_case(&args.module)
                && found.args.args == args.args;
            if same {
                return Ok(found);
            }
            self.forget(&args.db, &args.table);
        }
        let Some(module) = self.module(&args.module) else {
            return Err(ConnectError::Fail(no_such_module(&args.module)));
        };
        if module.kind() == ModuleKind::EponymousOnly && !args.db.is_empty() {
            return Err(ConnectError::Fail(no_such_module(&args.module)));
        }
        match module.connect(args) {
            Ok(declared) => Ok(self.keep(args.clone(), declared)),
            Err(VtabStop::Wait) => {
                *self.pending.borrow_mut() = Some(PendingConnect {
                    module,
                    args: args.clone(),
                });
                Err(ConnectError::Wait)
            }
            Err(VtabStop::Fail(error)) => {
                Err(ConnectError::Fail(constructor_error(&args.table, *error)))
            }
        }
    }

    /// The table of an eponymous module, connected if it is not; none if there is no such module.
    ///
    /// # Errors
    /// What connecting fails with.
    pub fn eponymous(
        &self,
        name: &str,
    ) -> Option<std::result::Result<Rc<Connected>, ConnectError>> {
        if let Some(found) = self.find("", name) {
            return Some(Ok(found));
        }
        let (module, made) = self.find_module(name)?;
        if made.kind() == ModuleKind::Ordinary {
            return None;
        }
        let args = ModuleArgs {
            module: module.clone(),
            db: "".into(),
            table: module,
            args: Vec::new(),
            is_new: false,
        };
        Some(self.connect(&args))
    }

    fn keep(&self, args: ModuleArgs, declared: Declared) -> Rc<Connected> {
        let connected = Connected::new(args, declared);
        self.tables.borrow_mut().push(connected.clone());
        connected
    }

    /// Disconnects a table.
    pub fn forget(&self, db: &str, table: &str) {
        self.forget_where(|t| {
            t.args.db.eq_ignore_ascii_case(db) && t.args.table.eq_ignore_ascii_case(table)
        });
    }

    /// Disconnects all tables of a database.
    pub fn forget_db(&self, db: &str) {
        self.forget_where(|t| t.args.db.eq_ignore_ascii_case(db));
    }

    /// What [`ConnectError::Wait`] was about.
    pub fn take_pending(&self) -> Option<PendingConnect> {
        self.pending.borrow_mut().take()
    }

    /// Connects a table by waiting.
    ///
    /// # Errors
    /// What connecting fails with.
    pub async fn connect_pending(
        self: &Rc<Self>,
        pending: PendingConnect,
        env: &mut crate::env::Env,
    ) -> Result<Rc<Connected>> {
        let PendingConnect { module, args } = pending;
        let declared = module
            .connect_async(&args, super::WaitContext::new(env))
            .await
            .map_err(|error| constructor_error(&args.table, error))?;
        Ok(self.keep(args, declared))
    }

    /// Tables that have been changed in the transaction.
    pub(crate) fn active(&self) -> Vec<Rc<Connected>> {
        self.active.borrow().clone()
    }

    pub(crate) fn has_active(&self) -> bool {
        !self.active.borrow().is_empty()
    }

    pub(crate) fn is_active(&self, table: &Connected) -> bool {
        table.in_transaction.get()
    }

    pub(crate) fn set_active(&self, table: &Rc<Connected>) {
        if !table.in_transaction.replace(true) {
            self.active.borrow_mut().push(table.clone());
        }
    }

    /// Ends the part that tables have in the transaction, and tells them how it went.
    pub(crate) fn end_transaction(&self, committed: bool) {
        if self.active.borrow().is_empty() {
            return;
        }
        let tables = std::mem::take(&mut *self.active.borrow_mut());
        for table in tables {
            table.in_transaction.set(false);
            // A table that runs is one whose own statement ends this: it is told by the error that it gets.
            let _ = table.with(|table| {
                if committed {
                    table.commit();
                } else {
                    table.rollback();
                }
            });
        }
    }

    /// Tells tables in the transaction about a savepoint.
    pub(crate) fn tell(&self, tell: impl Fn(&mut dyn VirtualTable)) {
        if self.active.borrow().is_empty() {
            return;
        }
        for table in self.active() {
            // A table that runs hears of it from its own statement.
            let _ = table.with(|table| tell(table));
        }
    }
}

#[cold]
pub(crate) fn no_such_module(name: &str) -> Error {
    Error::new(ResultCode::ERROR, format!("no such module: {name}"))
}

/// An error without words of its own gets SQLite's.
#[cold]
fn constructor_error(table: &str, error: Error) -> Error {
    if error.message.is_empty() {
        let message = format!("vtable constructor failed: {table}");
        return Error::new(error.code, message);
    }
    error
}
