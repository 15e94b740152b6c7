//! Values of rows, read and written by their place: what incremental blobs are made of.
//!
//! While a blob is open a statement [holds](LocalConnection::hold) the transaction, as SQLite's blobs do.
//!
//! A write is an UPDATE of the one column, made without triggers, hooks and counts of changes: the row keeps its shape, so
//! that nothing else of the table has to know.
//!
//! Source: SQLite's `sqlite3_blob_open`, whose messages these are.

use ringwood_sql::schema::{IndexKey, Table, TableKind};
use ringwood_vdbe::{Mem, Opcode, P4, ProgramBuilder, ResultCode};

use super::{LocalConnection, Statement};
use crate::error::{Error, Result};
use crate::value::ValueRef;

/// A column whose values can be opened.
#[derive(Clone, Debug)]
pub struct BlobColumn {
    read: String,
    write: String,
}

fn refuse<T>(message: String) -> Result<T> {
    Err(Error::from_code(ResultCode::ERROR, message))
}

/// Why a column cannot be written, if it cannot.
fn obstacle(table: &Table, column: usize) -> Option<&'static str> {
    let is_child = |key: &ringwood_sql::schema::ForeignKey| key.columns.contains(&column);
    if table.foreign_keys.iter().any(|key| is_child(key)) {
        return Some("foreign key");
    }
    let in_index = table.indexes.iter().any(|index| {
        index.columns.iter().any(|part| match &part.key {
            IndexKey::Column(at) => *at == column,
            IndexKey::Rowid => false,
            IndexKey::Expr(_) => true,
        })
    });
    (in_index || table.rowid_alias == Some(column)).then_some("indexed")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl LocalConnection {
    /// A column of a table with rowids, for [`blob_read`](Self::blob_read) and [`blob_write`](Self::blob_write).
    ///
    /// # Errors
    /// `SQLITE_ERROR` for views, virtual tables, tables WITHOUT ROWID, what does not exist, and to write a column that is
    /// indexed or part of a foreign key.
    pub fn blob_column(
        &self,
        database: &str,
        table: &str,
        column: &str,
        writable: bool,
    ) -> Result<BlobColumn> {
        let io = self.inner.io.clone();
        let schema = io.block_on(async {
            let mut env = self.inner.enter().await;
            self.inner.schema(&mut env).await
        })?;
        let missing = || format!("no such table: {database}.{table}");
        let Some(db) = schema.db_index(database) else {
            return refuse(missing());
        };
        let Some((_, found)) = schema.find_table(Some(db), table) else {
            return refuse(missing());
        };
        match found.kind {
            TableKind::View { .. } => return refuse(format!("cannot open view: {table}")),
            TableKind::Virtual(_) => return refuse(format!("cannot open virtual table: {table}")),
            _ if found.without_rowid => {
                return refuse(format!("cannot open table without rowid: {table}"));
            }
            _ if found.has_generated => {
                return refuse(format!("cannot open table with generated columns: {table}"));
            }
            _ => {}
        }
        let Some(at) = found.column_index(column) else {
            return refuse(format!("no such column: \"{column}\""));
        };
        let prevents = writable.then(|| obstacle(found, at)).flatten();
        if let Some(prevents) = prevents {
            return refuse(format!("cannot open {prevents} column for writing"));
        }
        let (table, column) = (
            format!("{}.{}", quoted(database), quoted(table)),
            quoted(column),
        );
        Ok(BlobColumn {
            read: format!("SELECT {column} FROM {table} WHERE rowid = ?1"),
            write: format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2"),
        })
    }

    /// A statement that stands in the transaction of a database, reading or writing, until it is
    /// [finished](Statement::finish) or dropped: as long as a blob is open it is one.
    ///
    /// # Errors
    /// `SQLITE_BUSY` if the lock cannot be had; `SQLITE_ERROR` for an unknown database.
    pub fn hold(&self, database: &str, writable: bool) -> Result<Statement> {
        let Some(db) = self.database_index(database) else {
            return refuse(format!("unknown database {database}"));
        };
        let mut builder = ProgramBuilder::new();
        builder.op4(
            Opcode::Transaction,
            db as i32,
            i32::from(writable),
            0,
            P4::Int(0),
        );
        builder.op(Opcode::Integer, 1, 1, 0);
        builder.op(Opcode::ResultRow, 1, 1, 0);
        builder.op(Opcode::Halt, 0, 0, 0);
        builder.set_mem_count(1);
        builder.about.databases = 1 << db;
        let program = builder.finish().map_err(|e| Error::from_vdbe(e, b""))?;
        let expirations = self.inner.with_env(|env| env.expirations);
        let mut statement = Statement::of(&self.inner, (program.into(), expirations), b"");
        statement.step()?;
        Ok(statement)
    }

    /// The bytes of a blob or a text.
    ///
    /// # Errors
    /// `SQLITE_ERROR` if there is no such row, or the value is something else.
    pub fn blob_read(&self, column: &BlobColumn, rowid: i64) -> Result<Vec<u8>> {
        let mut statement = self.prepare(&column.read)?;
        statement.bind(1, rowid)?;
        if !statement.step()? {
            return refuse(format!("no such rowid: {rowid}"));
        }
        match statement.column(0) {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Ok(bytes.to_vec()),
            other => {
                let kind = match other {
                    ValueRef::Null => "null",
                    ValueRef::Integer(_) => "integer",
                    _ => "real",
                };
                refuse(format!("cannot open value of type {kind}"))
            }
        }
    }

    /// Puts bytes in the place of a value, which keeps its type.
    ///
    /// # Errors
    /// Those of an UPDATE.
    pub fn blob_write(&self, column: &BlobColumn, rowid: i64, bytes: &[u8]) -> Result<()> {
        let mut old = self.prepare(&column.read)?;
        old.bind(1, rowid)?;
        let is_text = old.step()? && matches!(old.column(0), ValueRef::Text(_));
        drop(old);
        let mut value = Mem::new();
        if is_text {
            value.set_text(bytes);
        } else {
            value.set_blob(bytes);
        }
        let flags = self.inner.flags.get();
        let mut quiet = flags;
        quiet.no_triggers = true;
        self.inner.flags.set(quiet);
        let prepared = self.prepare(&column.write);
        self.inner.flags.set(flags);
        let mut statement = prepared?;
        statement.bind_mem(1, value)?;
        statement.bind(2, rowid)?;
        let (hook, facts) = self
            .inner
            .with_env(|env| (env.hooks.update.take(), env.facts.clone()));
        let done = statement.step();
        self.inner.with_env(|env| {
            env.hooks.update = hook;
            env.facts.changes = facts.changes;
            env.facts.total_changes = facts.total_changes;
            env.facts.last_insert_rowid = facts.last_insert_rowid;
            self.inner.publish(env);
        });
        done.map(drop)
    }
}
