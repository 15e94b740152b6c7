//! `Connection`: a handle that is `Send`, clones, and works from any async runtime.
//!
//! Each call is one message to the connection's core and one answer back; see `session`.
//!
//! Rule: a call whose future is dropped is not wanted any more. If it has not begun it is not made; if it runs it is
//! interrupted, at a place where that is safe; a commit that is under way comes to its end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_channel::oneshot;

use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::local::LocalConnection;
use crate::params::IntoParams;
use crate::queue::Sender;
use crate::rows::{BatchRows, Rows};
use crate::session::{Command, Facts, Message};
use crate::statement::Statement;
use crate::transaction::{Transaction, TransactionBehavior};

/// The two ends of a connection that its handles share.
pub(crate) struct Link {
    pub(crate) queue: Sender<Message>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) interrupt: Arc<AtomicBool>,
}

impl Link {
    /// Sends a command, when the queue has room for it, and awaits its answer.
    pub(crate) async fn ask<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T>>) -> Command,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let number = self.facts.id();
        let command = make(reply);
        let mut asked = Asked {
            link: self,
            number,
            is_open: true,
        };
        let message = Message {
            number,
            sent: Instant::now(),
            command,
        };
        let sent = self.queue.send(message).await;
        sent.map_err(|_| Error::ConnectionClosed)?;
        let answer = answer.await;
        asked.is_open = false;
        answer.unwrap_or_else(|_| {
            // Its task panicked, and may not be quite gone yet.
            self.queue.door().close();
            Err(Error::ConnectionClosed)
        })
    }

    /// Sends a command that has no answer, at once.
    pub(crate) fn tell(&self, command: Command) -> Result<()> {
        let message = Message {
            number: self.facts.id(),
            sent: Instant::now(),
            command,
        };
        self.queue
            .send_now(message)
            .map_err(|_| Error::ConnectionClosed)
    }
}

/// A call that waits for its answer; if it is given up while it runs, it is interrupted.
struct Asked<'a> {
    link: &'a Link,
    number: u64,
    is_open: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.link.facts.abandon(self.number, &self.link.interrupt);
        }
    }
}

/// A connection to a database. Clones are the same connection: they share its transaction.
#[derive(Clone)]
pub struct Connection {
    pub(crate) link: Arc<Link>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Runs one statement that returns no rows; gives the number of rows that it changed.
    ///
    /// # Errors
    /// `ExecuteReturnedRows` if it returns a row; whatever the statement fails with.
    pub async fn execute(&self, sql: &str, params: impl IntoParams) -> Result<u64> {
        let params = params.into_params()?;
        let sql = sql.to_owned();
        self.link
            .ask(|reply| Command::ExecuteSql { sql, params, reply })
            .await
    }

    /// Runs every statement of a script, outside of a transaction unless it begins one. Gives the
    /// rows of each statement.
    pub async fn execute_batch(&self, sql: &str) -> Result<BatchRows> {
        let sql = sql.to_owned();
        self.link
            .ask(|reply| Command::Script { sql, reply })
            .await
            .map(BatchRows::new)
    }

    /// Runs a script as one transaction: all of it or nothing.
    pub async fn execute_transactional_batch(&self, sql: &str) -> Result<BatchRows> {
        let transaction = self.transaction().await?;
        let rows = transaction.execute_batch(sql).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// Runs one statement and gives its rows, which are fetched in batches as they are read.
    pub async fn query(&self, sql: &str, params: impl IntoParams) -> Result<Rows> {
        let params = params.into_params()?;
        let sql = sql.to_owned();
        let id = self.link.facts.id();
        let batch = self
            .link
            .ask(|reply| Command::QuerySql {
                id,
                sql,
                params,
                reply,
            })
            .await?;
        Ok(Rows::new(self.link.clone(), id, batch, true))
    }

    /// Compiles one statement for repeated use.
    pub async fn prepare(&self, sql: &str) -> Result<Statement> {
        let sql = sql.to_owned();
        let prepared = self
            .link
            .ask(|reply| Command::Prepare { sql, reply })
            .await?;
        Ok(Statement::new(self.link.clone(), prepared))
    }

    /// Begins a deferred transaction; it rolls back when dropped.
    pub async fn transaction(&self) -> Result<Transaction> {
        self.transaction_with_behavior(TransactionBehavior::Deferred)
            .await
    }

    /// Begins a transaction of a kind.
    pub async fn transaction_with_behavior(
        &self,
        behavior: TransactionBehavior,
    ) -> Result<Transaction> {
        Transaction::begin(self.clone(), behavior).await
    }

    /// Stops the statement that is running, with `SQLITE_INTERRUPT`; works from any thread.
    pub fn interrupt(&self) -> Result<()> {
        self.link.interrupt.store(true, Ordering::Release);
        Ok(())
    }

    /// How long a statement waits for another connection's lock; zero is not at all.
    pub fn busy_timeout(&self, timeout: Duration) -> Result<()> {
        self.link.tell(Command::With {
            job: Box::new(move |conn| conn.busy_timeout(timeout)),
        })
    }

    /// Whether it is gone: its task panicked, or its runtime was shut down. Every call then fails.
    pub fn is_closed(&self) -> bool {
        self.link.queue.is_closed()
    }

    /// How many statements the connection keeps compiled for texts that are run again; 0 for none.
    pub async fn statement_cache_capacity(&self, statements: usize) -> Result<()> {
        self.with_local(move |conn| {
            conn.set_statement_cache_capacity(statements);
            Ok(())
        })
        .await
    }

    /// What was counted so far: of the process, its cores, the databases of this connection, and the connection itself.
    pub async fn counters(&self) -> Result<Counters> {
        self.with_local(|conn| Ok(conn.counters())).await
    }

    /// True outside of a transaction.
    pub fn is_autocommit(&self) -> bool {
        !self.link.facts.in_transaction.load(Ordering::Acquire)
    }

    /// Rows changed by the last INSERT, UPDATE or DELETE.
    pub fn changes(&self) -> u64 {
        self.link.facts.changes.load(Ordering::Acquire)
    }

    /// Rows changed since the connection was opened.
    pub fn total_changes(&self) -> u64 {
        self.link.facts.total_changes.load(Ordering::Acquire)
    }

    /// Rowid of the last row inserted.
    pub fn last_insert_rowid(&self) -> i64 {
        self.link.facts.last_insert_rowid.load(Ordering::Acquire)
    }

    /// Rolls an open transaction back.
    pub async fn reset(&self) {
        if !self.is_autocommit() {
            // A connection that is gone has rolled back already.
            let _ = self.execute("ROLLBACK", ()).await;
        }
    }

    /// Runs `job` with the connection on its own thread, between statements, and gives its result.
    pub async fn with_local<T: Send + 'static>(
        &self,
        job: impl FnOnce(&LocalConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.link
            .ask(|reply| Command::With {
                job: Box::new(move |conn| {
                    // The caller may have gone away.
                    let _ = reply.send(job(conn));
                }),
            })
            .await
    }
}
