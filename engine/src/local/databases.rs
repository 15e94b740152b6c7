//! What a caller may ask of a connection's databases: their names, files and transactions.
//!
//! Source: SQLite's `sqlite3_db_name`, `sqlite3_db_filename`, `sqlite3_db_readonly`, `sqlite3_txn_state`.

use std::path::PathBuf;

use ringwood_vdbe::{Env, ResultCode};

use super::{LocalConnection, TxState};
use crate::error::{Error, Result};

fn index_of(env: &Env, name: &str) -> Option<usize> {
    let named = |db: &ringwood_vdbe::Db| db.name.eq_ignore_ascii_case(name);
    let found = env.dbs.iter().position(named);
    found.or_else(|| name.eq_ignore_ascii_case("main").then_some(0))
}

impl LocalConnection {
    /// The name of a database by its number: 0 is `main`, 1 is `temp`, then come attached ones.
    pub fn database_name(&self, index: usize) -> Option<String> {
        self.inner
            .with_env(|env| env.dbs.get(index).map(|db| db.name.clone()))
    }

    /// The number of a database.
    pub fn database_index(&self, name: &str) -> Option<usize> {
        self.inner.with_env(|env| index_of(env, name))
    }

    /// The file of a database; none if it has no file, or there is no such database.
    pub fn database_path(&self, name: &str) -> Option<PathBuf> {
        self.inner.with_env(|env| {
            let index = index_of(env, name)?;
            let path = env.dbs[index].tx.database().path()?.to_owned();
            Some(self.inner.io.full_path(path))
        })
    }

    /// Whether a database cannot be written; none if there is no such database.
    pub fn database_is_read_only(&self, name: &str) -> Option<bool> {
        self.inner.with_env(|env| {
            let index = index_of(env, name)?;
            Some(env.dbs[index].tx.database().is_read_only())
        })
    }

    /// The state of a database's transaction, or the furthest of all.
    ///
    /// # Errors
    /// `SQLITE_ERROR` for an unknown name.
    pub fn transaction_state(&self, name: Option<&str>) -> Result<TxState> {
        self.inner.with_env(|env| {
            let Some(name) = name else {
                let states = env.dbs.iter().map(|db| db.tx.state());
                return Ok(states.fold(TxState::None, |a, b| match (a, b) {
                    (TxState::Write, _) | (_, TxState::Write) => TxState::Write,
                    (TxState::Read, _) | (_, TxState::Read) => TxState::Read,
                    _ => TxState::None,
                }));
            };
            let index = index_of(env, name)
                .ok_or_else(|| Error::from_code(ResultCode::ERROR, "SQL logic error"))?;
            Ok(env.dbs[index].tx.state())
        })
    }

    /// Sets what `last_insert_rowid()` gives.
    pub fn set_last_insert_rowid(&self, rowid: i64) {
        self.inner.with_env(|env| {
            env.facts.last_insert_rowid = rowid;
            self.inner.publish(env);
        });
    }

    /// Whether commits to write-ahead logs are noted for [`take_logged`](Self::take_logged).
    pub fn watch_logs(&self, on: bool) {
        self.inner.with_env(|env| {
            env.watches_logs = on;
            env.logged.clear();
        });
    }

    /// The commits to logs since the last call: the database, and how many frames its log has.
    pub fn take_logged(&self) -> Vec<(String, u32)> {
        self.inner.with_env(|env| std::mem::take(&mut env.logged))
    }

    /// From how many frames on a log is checkpointed after a commit; 0 for never.
    pub fn set_autocheckpoint(&self, frames: u32) {
        self.inner.with_env(|env| {
            for db in &mut env.dbs {
                db.tx.set_autocheckpoint(frames);
            }
        });
    }

    /// The number of statements that are running.
    pub fn active_statements(&self) -> u32 {
        self.inner.with_env(|env| env.active)
    }
}
