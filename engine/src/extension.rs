//! What a `Connection` registers: the same as a `LocalConnection`, carried to its thread.
//!
//! Callbacks run on the connection's thread, and must be `Send` for the way there.

use std::cmp::Ordering;
use std::sync::Arc;

use ringwood_sql::authorizer::{Action, Authorization};
use ringwood_vdbe::env::{ChangeKind, UpdateHook};
use ringwood_vdbe::vtab::Module;
use ringwood_vdbe::{Aggregate, FnContext, FnError, FunctionFlags, Mem};

use crate::connection::Connection;
use crate::error::Result;
use crate::local::{AuthorizerCallback, Limit};

/// An update hook that can be carried to the connection's thread.
pub type SendUpdateHook = Box<dyn FnMut(ChangeKind, &str, &str, i64) + Send>;

/// An authorizer that can be carried to the connection's thread.
pub type SendAuthorizer = Box<dyn FnMut(&Action<'_>) -> Authorization + Send>;

impl Connection {
    /// Registers a scalar function; see [`LocalConnection::create_scalar_function`](crate::LocalConnection::create_scalar_function).
    ///
    /// ```
    /// use ringwood::{Builder, FunctionFlags};
    /// # fn main() -> ringwood::Result<()> {
    /// ringwood::block_on(async {
    ///     let db = Builder::new_local(":memory:").build().await?;
    ///     let conn = db.connect()?;
    ///     conn.create_scalar_function("twice", 1, FunctionFlags::DETERMINISTIC, |cx, args| {
    ///         cx.result().set_int(2 * args[0].to_int());
    ///         Ok(())
    ///     })
    ///     .await?;
    ///     let mut rows = conn.query("SELECT twice(21)", ()).await?;
    ///     assert_eq!(rows.next().await?.unwrap().get::<i64>(0)?, 42);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn create_scalar_function<F>(
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
        let name = name.to_owned();
        self.with_local(move |conn| conn.create_scalar_function(&name, args, flags, function))
            .await
    }

    /// Registers an aggregate function; see
    /// [`LocalConnection::create_aggregate_function`](crate::LocalConnection::create_aggregate_function).
    pub async fn create_aggregate_function<A: Aggregate + 'static>(
        &self,
        name: &str,
        args: i32,
        flags: FunctionFlags,
        new: impl Fn() -> A + Send + Sync + 'static,
    ) -> Result<()> {
        let name = name.to_owned();
        self.with_local(move |conn| conn.create_aggregate_function(&name, args, flags, new))
            .await
    }

    /// Registers an aggregate that can be a window function; see
    /// [`LocalConnection::create_window_function`](crate::LocalConnection::create_window_function).
    pub async fn create_window_function<A: Aggregate + 'static>(
        &self,
        name: &str,
        args: i32,
        flags: FunctionFlags,
        new: impl Fn() -> A + Send + Sync + 'static,
    ) -> Result<()> {
        let name = name.to_owned();
        self.with_local(move |conn| conn.create_window_function(&name, args, flags, new))
            .await
    }

    /// Takes a registered function away; whether there was one.
    pub async fn remove_function(&self, name: &str, args: i32) -> Result<bool> {
        let name = name.to_owned();
        self.with_local(move |conn| conn.remove_function(&name, args))
            .await
    }

    /// Registers a collation, or takes it away.
    pub async fn create_collation<F>(&self, name: &str, compare: Option<F>) -> Result<()>
    where
        F: Fn(&[u8], &[u8]) -> Ordering + Send + Sync + 'static,
    {
        let name = name.to_owned();
        self.with_local(move |conn| conn.create_collation(&name, compare))
            .await
    }

    /// Registers a module of virtual tables, or forgets it; see
    /// [`LocalConnection::create_module`](crate::LocalConnection::create_module).
    pub async fn create_module(&self, name: &str, module: Option<Arc<dyn Module>>) -> Result<()> {
        let name = name.to_owned();
        self.with_local(move |conn| {
            conn.create_module(&name, module);
            Ok(())
        })
        .await
    }

    /// The value of a limit.
    pub async fn limit(&self, limit: Limit) -> Result<i32> {
        self.with_local(move |conn| Ok(conn.limit(limit))).await
    }

    /// Changes a limit; the value that it had.
    pub async fn set_limit(&self, limit: Limit, value: i32) -> Result<i32> {
        self.with_local(move |conn| Ok(conn.set_limit(limit, value)))
            .await
    }

    /// Calls `handler` about every `opcodes` opcodes of a running statement, on the connection's thread; when it says
    /// true the statement ends with `SQLITE_INTERRUPT`.
    pub async fn progress_handler(
        &self,
        opcodes: u32,
        handler: Option<Box<dyn FnMut() -> bool + Send>>,
    ) -> Result<()> {
        self.with_local(move |conn| {
            conn.progress_handler(opcodes, handler.map(|h| -> Box<dyn FnMut() -> bool> { h }));
            Ok(())
        })
        .await
    }

    /// Calls `hook` for every row that is changed, on the connection's thread.
    pub async fn update_hook(&self, hook: Option<SendUpdateHook>) -> Result<()> {
        self.with_local(move |conn| {
            conn.update_hook(hook.map(|h| -> UpdateHook { h }));
            Ok(())
        })
        .await
    }

    /// Asks `authorizer` about everything that statements would do, on the connection's thread; see
    /// [`LocalConnection::set_authorizer`](crate::LocalConnection::set_authorizer).
    pub async fn set_authorizer(&self, authorizer: Option<SendAuthorizer>) -> Result<()> {
        self.with_local(move |conn| {
            conn.set_authorizer(authorizer.map(|a| -> AuthorizerCallback { a }));
            Ok(())
        })
        .await
    }

    /// Calls `hook` before a commit, on the connection's thread; if it says true, the commit becomes a rollback.
    pub async fn commit_hook(&self, hook: Option<Box<dyn FnMut() -> bool + Send>>) -> Result<()> {
        self.with_local(move |conn| {
            conn.commit_hook(hook.map(|h| -> Box<dyn FnMut() -> bool> { h }));
            Ok(())
        })
        .await
    }

    /// Calls `hook` after a rollback, on the connection's thread.
    pub async fn rollback_hook(&self, hook: Option<Box<dyn FnMut() + Send>>) -> Result<()> {
        self.with_local(move |conn| {
            conn.rollback_hook(hook.map(|h| -> Box<dyn FnMut()> { h }));
            Ok(())
        })
        .await
    }
}
