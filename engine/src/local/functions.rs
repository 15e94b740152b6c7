//! Functions, collations and hooks that the application registers.
//!
//! ```text
//!   scalar      f(args)                      create_scalar_function      a closure
//!   aggregate   step … step, finish          create_aggregate_function   a closure that makes an `Aggregate`
//!   window      step, inverse, value, …      create_window_function      the same; the `Aggregate` takes steps back
//! ```
//!
//! Rules:
//! 1. A function is known by its name and its number of arguments, -1 being any. One that is registered again replaces the
//!    old one; built-in ones can be replaced too. Statements that are prepared are prepared anew when they next start.
//! 2. Nothing is registered while a statement runs (`SQLITE_BUSY`), if it would replace something.
//! 3. A callback must not use the connection that calls it.
//!
//! Source: SQLite's `sqlite3_create_function_v2`, `sqlite3_create_window_function`, `sqlite3_create_collation_v2`,
//! "Data Change Notification Callbacks", "Commit And Rollback Notification Callbacks".

use std::cell::RefCell;
use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use ringwood_format::collation::{Collation, CustomCollation};
use ringwood_sql::authorizer::{Action, Authorization, Authorizer};
use ringwood_vdbe::env::UpdateHook;
use ringwood_vdbe::{
    Aggregate, FnContext, FnError, FunctionDef, FunctionFlags, FunctionKind, Mem, ResultCode,
};

use super::LocalConnection;
use crate::error::{Error, Result};

/// Answers what a statement may do; see [`LocalConnection::set_authorizer`].
pub type AuthorizerCallback = Box<dyn FnMut(&Action<'_>) -> Authorization>;

/// Most arguments of a function.
const ARGUMENTS_MAX: i32 = 1000;
/// Longest name of a function.
const NAME_LENGTH_MAX: usize = 255;

impl LocalConnection {
    /// Registers a scalar function.
    ///
    /// `args` is how many arguments it takes, or -1 for any number. Of `flags`, DETERMINISTIC, DIRECT_ONLY, INNOCUOUS,
    /// SUBTYPE and RESULT_SUBTYPE are the application's.
    ///
    /// ```
    /// use ringwood::{FnError, FunctionFlags, LocalConnection};
    /// # fn main() -> ringwood::Result<()> {
    /// let conn = LocalConnection::open_in_memory()?;
    /// conn.create_scalar_function("halve", 1, FunctionFlags::DETERMINISTIC, |cx, args| {
    ///     if args[0].is_null() {
    ///         return Ok(()); // the result is NULL until it is set
    ///     }
    ///     let n = args[0].to_int();
    ///     if n % 2 != 0 {
    ///         return Err(FnError::new(format!("{n} has no half")));
    ///     }
    ///     cx.result().set_int(n / 2);
    ///     Ok(())
    /// })?;
    /// assert_eq!(conn.query_row("SELECT halve(84)", ())?.get::<i64>(0)?, 42);
    /// let error = conn.query_row("SELECT halve(7)", ()).unwrap_err();
    /// assert_eq!(error.message(), "7 has no half");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `SQLITE_MISUSE` for a name or a number of arguments that cannot be; `SQLITE_BUSY` (rule 2).
    pub fn create_scalar_function<F>(
        &self,
        name: &str,
        args: i32,
        flags: FunctionFlags,
        function: F,
    ) -> Result<()>
    where
        F: Fn(&mut FnContext<'_>, &[Mem]) -> std::result::Result<(), FnError>
            + Send
            + Sync
            + 'static,
    {
        self.add_function(name, args, flags, FunctionKind::Closure(Arc::new(function)))
    }

    /// Registers an aggregate function: `new` makes the state of a group.
    ///
    /// ```
    /// use ringwood::{Aggregate, FnContext, FnError, FunctionFlags, LocalConnection, Mem};
    ///
    /// #[derive(Default)]
    /// struct Product(f64, bool);
    ///
    /// impl Aggregate for Product {
    ///     fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    ///         self.0 = if self.1 { self.0 * args[0].to_real() } else { args[0].to_real() };
    ///         self.1 = true;
    ///         Ok(())
    ///     }
    ///     fn finish(&mut self, cx: &mut FnContext<'_>) -> Result<(), FnError> {
    ///         cx.result().set_real(self.0);
    ///         Ok(())
    ///     }
    /// }
    /// # fn main() -> ringwood::Result<()> {
    /// let conn = LocalConnection::open_in_memory()?;
    /// conn.create_aggregate_function("product", 1, FunctionFlags::DETERMINISTIC, Product::default)?;
    /// let row = conn.query_row("SELECT product(value) FROM generate_series(1, 5)", ())?;
    /// assert_eq!(row.get::<f64>(0)?, 120.0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`create_scalar_function`](Self::create_scalar_function).
    pub fn create_aggregate_function<A: Aggregate + 'static>(
        &self,
        name: &str,
        args: i32,
        flags: FunctionFlags,
        new: impl Fn() -> A + Send + Sync + 'static,
    ) -> Result<()> {
        let kind = FunctionKind::Aggregate(Arc::new(move || Box::new(new())));
        self.add_function(name, args, flags - FunctionFlags::INVERSE, kind)
    }

    /// Registers an aggregate that can be a window function too: its `Aggregate` has `inverse` and `value`.
    ///
    /// # Errors
    /// As [`create_scalar_function`](Self::create_scalar_function).
    pub fn create_window_function<A: Aggregate + 'static>(
        &self,
        name: &str,
        args: i32,
        flags: FunctionFlags,
        new: impl Fn() -> A + Send + Sync + 'static,
    ) -> Result<()> {
        let kind = FunctionKind::Aggregate(Arc::new(move || Box::new(new())));
        self.add_function(name, args, flags | FunctionFlags::INVERSE, kind)
    }

    /// Whether there is a function for calls with that name and number of arguments, -1 being any.
    pub fn has_function(&self, name: &str, args: i32) -> bool {
        let functions = self.inner.functions();
        match usize::try_from(args) {
            Ok(args) => functions.find(name, args).is_some(),
            Err(_) => functions.exists(name),
        }
    }

    /// Whether there is a collation of that name.
    pub fn has_collation(&self, name: &str) -> bool {
        Collation::builtin(name).is_some() || self.inner.collations.borrow().get(name).is_some()
    }

    /// Takes a registered function away; whether there was one. A built-in function that it had replaced does not come
    /// back, as in SQLite.
    ///
    /// # Errors
    /// As [`create_scalar_function`](Self::create_scalar_function).
    pub fn remove_function(&self, name: &str, args: i32) -> Result<bool> {
        let arity = arity(name, args)?;
        let is_ours = self
            .inner
            .functions()
            .overloads(name)
            .iter()
            .any(|def| def.arity == arity && !def.flags.contains(FunctionFlags::BUILTIN));
        if !is_ours {
            return Ok(false);
        }
        self.settle_statements("unable to delete/modify user-function due to active statements")?;
        let mut functions = self.inner.functions.borrow_mut();
        Ok(Arc::make_mut(&mut *functions).remove(name, arity))
    }

    fn add_function(
        &self,
        name: &str,
        args: i32,
        flags: FunctionFlags,
        kind: FunctionKind,
    ) -> Result<()> {
        let arity = arity(name, args)?;
        let known = self.inner.functions();
        if known.overloads(name).iter().any(|def| def.arity == arity) {
            self.settle_statements(
                "unable to delete/modify user-function due to active statements",
            )?;
        }
        const THEIRS: FunctionFlags = FunctionFlags::DETERMINISTIC
            .union(FunctionFlags::DIRECT_ONLY)
            .union(FunctionFlags::INNOCUOUS)
            .union(FunctionFlags::SUBTYPE)
            .union(FunctionFlags::RESULT_SUBTYPE)
            .union(FunctionFlags::INVERSE);
        self.register_function(FunctionDef {
            name: name.to_owned(),
            arity,
            flags: flags & THEIRS,
            kind,
        });
        self.inner.expire();
        Ok(())
    }

    /// Rule 2.
    fn settle_statements(&self, message: &str) -> Result<()> {
        let active = self.inner.with_env(|env| {
            env.expirations += 1;
            env.active
        });
        if active > 0 {
            return Err(Error::from_code(ResultCode::BUSY, message));
        }
        Ok(())
    }

    /// Registers a collation, by which `COLLATE name` compares texts; `None` takes it away. Where an index was made with
    /// it, it must always order the same way.
    ///
    /// ```
    /// use ringwood::LocalConnection;
    /// # fn main() -> ringwood::Result<()> {
    /// let conn = LocalConnection::open_in_memory()?;
    /// conn.create_collation("by_length", Some(|a: &[u8], b: &[u8]| a.len().cmp(&b.len())))?;
    /// let sql = "SELECT group_concat(x, ' ' ORDER BY x COLLATE by_length)
    ///            FROM (SELECT 'ccc' AS x UNION ALL SELECT 'a' UNION ALL SELECT 'bb')";
    /// assert_eq!(conn.query_row(sql, ())?.get::<String>(0)?, "a bb ccc");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `SQLITE_BUSY` (rule 2).
    pub fn create_collation<F>(&self, name: &str, compare: Option<F>) -> Result<()>
    where
        F: Fn(&[u8], &[u8]) -> Ordering + Send + Sync + 'static,
    {
        let is_known = self.inner.collations.borrow().get(name).is_some();
        if is_known {
            self.settle_statements(
                "unable to delete/modify collation sequence due to active statements",
            )?;
        }
        let mut collations = self.inner.collations.borrow_mut();
        match compare {
            Some(compare) => {
                let custom = CustomCollation {
                    name: name.to_owned(),
                    compare: Arc::new(compare),
                };
                collations.insert(name.into(), Collation::Custom(Arc::new(custom)));
            }
            None => {
                collations.remove(name);
            }
        }
        drop(collations);
        self.inner.expire();
        Ok(())
    }

    /// Calls `hook` for every row of a table with rowids that is inserted, updated or deleted: the kind, the database,
    /// the table, the rowid. `None` takes it away.
    pub fn update_hook(&self, hook: Option<UpdateHook>) {
        self.inner.with_env(|env| env.hooks.update = hook);
    }

    /// Asks `authorizer` about everything that statements would do, while they are prepared; `None` takes it away.
    ///
    /// A refusal fails the preparing with `SQLITE_AUTH`; what IGNORE does is told by
    /// [`authorizer`](ringwood_sql::authorizer). Statements that are prepared already are prepared anew when they next
    /// start.
    ///
    /// ```
    /// use ringwood::LocalConnection;
    /// use ringwood::authorizer::{ActionCode, Authorization};
    /// # fn main() -> ringwood::Result<()> {
    /// let conn = LocalConnection::open_in_memory()?;
    /// conn.execute_batch("CREATE TABLE user(name, secret)")?;
    /// conn.set_authorizer(Some(Box::new(|action| match action.code {
    ///     ActionCode::Read if action.second == Some("secret") => Authorization::Deny,
    ///     _ => Authorization::Allow,
    /// })));
    /// let error = conn.prepare("SELECT * FROM user").unwrap_err();
    /// assert_eq!(error.message(), "access to user.secret is prohibited");
    /// # Ok(()) }
    /// ```
    ///
    /// The callback must not use the connection that calls it: a question that comes while one is being answered fails
    /// with `authorizer malfunction`.
    pub fn set_authorizer(&self, authorizer: Option<AuthorizerCallback>) {
        let is_set = authorizer.is_some();
        self.inner.cache.clear();
        *self.inner.authorizer.borrow_mut() = authorizer.map(|authorizer| {
            let authorizer = RefCell::new(authorizer);
            let ask: Rc<Authorizer<'static>> = Rc::new(move |action: &Action<'_>| match authorizer
                .try_borrow_mut()
            {
                Ok(mut authorizer) => authorizer(action),
                Err(_) => Authorization::Malfunction,
            });
            ask
        });
        if is_set {
            self.inner.expire();
        }
    }

    /// Calls `hook` before a commit; if it says true, the commit becomes a rollback. `None` takes it away.
    pub fn commit_hook(&self, hook: Option<Box<dyn FnMut() -> bool>>) {
        self.inner.with_env(|env| env.hooks.commit = hook);
    }

    /// Calls `hook` when the program of a trigger begins, with its name, or that of a foreign key's action, without one.
    /// `None` takes it away. The hook must not use the connection.
    pub fn trigger_hook(&self, hook: Option<ringwood_vdbe::env::TriggerHook>) {
        self.inner.with_env(|env| env.hooks.trigger = hook);
    }

    /// Calls `hook` after a rollback. `None` takes it away.
    pub fn rollback_hook(&self, hook: Option<Box<dyn FnMut()>>) {
        self.inner.with_env(|env| env.hooks.rollback = hook);
    }
}

/// The arity of a function, if name and number of arguments can be.
fn arity(name: &str, args: i32) -> Result<i16> {
    if !(-1..=ARGUMENTS_MAX).contains(&args) || name.len() > NAME_LENGTH_MAX {
        return Err(Error::from_code(
            ResultCode::MISUSE,
            ResultCode::MISUSE.message(),
        ));
    }
    Ok(args as i16)
}
