//! `Transaction`: begun on a `Connection`, rolled back unless it is committed.

use std::ops::Deref;

use crate::connection::Connection;
use crate::error::Result;
use crate::session::Command;

/// When a transaction takes its locks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionBehavior {
    /// The snapshot at the first read, the write lock at the first write.
    #[default]
    Deferred,
    /// The write lock at once.
    Immediate,
    /// As `Immediate` in WAL mode.
    Exclusive,
    /// A read transaction that may not write. SQLite has no such kind; it begins deferred.
    ReadOnly,
}

/// An open transaction; it derefs to its connection. Dropping it rolls it back.
#[derive(Debug)]
pub struct Transaction {
    conn: Connection,
    open: bool,
}

impl Transaction {
    pub(crate) async fn begin(
        conn: Connection,
        behavior: TransactionBehavior,
    ) -> Result<Transaction> {
        let sql = match behavior {
            TransactionBehavior::Deferred | TransactionBehavior::ReadOnly => "BEGIN DEFERRED",
            TransactionBehavior::Immediate => "BEGIN IMMEDIATE",
            TransactionBehavior::Exclusive => "BEGIN EXCLUSIVE",
        };
        conn.execute(sql, ()).await?;
        Ok(Transaction { conn, open: true })
    }

    /// Makes it durable as `synchronous` says. On an error it is rolled back.
    pub async fn commit(mut self) -> Result<()> {
        self.conn.execute("COMMIT", ()).await?;
        self.open = false;
        Ok(())
    }

    /// Undoes it.
    pub async fn rollback(mut self) -> Result<()> {
        self.open = false;
        self.conn.execute("ROLLBACK", ()).await.map(|_| ())
    }
}

impl Deref for Transaction {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.conn
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.open {
            // A connection that is gone has rolled back already.
            let _ = self.conn.link.tell(Command::With {
                job: Box::new(|conn| {
                    if !conn.is_autocommit() {
                        // Nothing is left to tell the failure to; the next statement meets it.
                        let _ = conn.execute("ROLLBACK", ());
                    }
                }),
            });
        }
    }
}
