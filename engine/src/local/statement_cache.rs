//! Statements that stay compiled for texts that are run again.
//!
//! ```text
//!   prepare_cached(text) ── found? ──► its statement, out of the cache while it is used
//!          │                              └ dropped: reset, its parameters NULL, back into the cache
//!          └ not found, or what it was compiled under has changed: compiled
//! ```
//!
//! Rules:
//! 1. The key is the whole text. One that is in use is not in the cache, so that the same text can be run twice at a time.
//! 2. A statement is dropped instead of being used again when a schema, a function, a collation or a module of this
//!    connection has changed since it was compiled. A schema that others have changed is noticed by its first step, which
//!    compiles it again, as with any statement.
//! 3. Only statements that read or change tables and those of transactions are kept: what a PRAGMA or an EXPLAIN gives may
//!    be fixed when it is compiled.
//! 4. The one that was not used for longest makes room.
//!
//! Cost: a hash of the text, a lookup, two moves. Where nothing is kept, nothing.

use std::cell::{Cell, RefCell};
use std::ops::{Deref, DerefMut};

use hashbrown::HashMap;

use super::LocalConnection;
use super::statement::{Resting, Statement};
use crate::error::Result;

/// How many statements a connection keeps, unless it is told otherwise.
pub const CAPACITY: usize = 16;
/// Longer texts are not kept.
const TEXT_MAX: usize = 16 * 1024;

/// With what a statement begins that is kept (rule 3).
const KEPT: [&str; 14] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "WITH",
    "VALUES",
    "BEGIN",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "ANALYZE",
];

struct Entry {
    statement: Resting,
    used: u64,
}

/// What a connection keeps.
pub(super) struct StatementCache {
    entries: RefCell<HashMap<Box<str>, Entry, foldhash::fast::RandomState>>,
    capacity: Cell<usize>,
    clock: Cell<u64>,
    counts: Cell<StatementCacheCounters>,
}

impl Default for StatementCache {
    fn default() -> StatementCache {
        StatementCache {
            entries: RefCell::default(),
            capacity: Cell::new(CAPACITY),
            clock: Cell::new(0),
            counts: Cell::default(),
        }
    }
}

/// What became of the texts that were asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatementCacheCounters {
    /// Texts that were found compiled.
    pub hits: u64,
    /// Texts that had to be compiled.
    pub misses: u64,
    /// Statements that were dropped because something had changed under them.
    pub invalidated: u64,
    /// Statements that made room for others.
    pub evicted: u64,
    /// Statements that are kept now.
    pub kept: u64,
}

impl StatementCache {
    fn count(&self, change: impl FnOnce(&mut StatementCacheCounters)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    pub(super) fn counters(&self) -> StatementCacheCounters {
        StatementCacheCounters {
            kept: self.entries.borrow().len() as u64,
            ..self.counts.get()
        }
    }

    fn take(&self, text: &str, expirations: u64) -> Option<Resting> {
        let found = self.entries.borrow_mut().remove(text);
        let Some(Entry { statement, .. }) = found else {
            self.count(|counts| counts.misses += 1);
            return None;
        };
        if !statement.is_current(expirations) {
            // Rule 2.
            self.count(|counts| {
                counts.misses += 1;
                counts.invalidated += 1;
            });
            return None;
        }
        self.count(|counts| counts.hits += 1);
        Some(statement)
    }

    fn put(&self, text: Box<str>, statement: Resting) {
        let capacity = self.capacity.get();
        if capacity == 0 {
            return;
        }
        let used = self.clock.get() + 1;
        self.clock.set(used);
        let before = self
            .entries
            .borrow_mut()
            .insert(text, Entry { statement, used });
        drop(before);
        self.shrink(capacity);
    }

    /// Rule 4.
    fn shrink(&self, capacity: usize) {
        loop {
            let mut entries = self.entries.borrow_mut();
            if entries.len() <= capacity {
                return;
            }
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.used);
            let oldest = oldest.map(|(text, _)| text.clone());
            let gone = oldest.and_then(|text| entries.remove(&text));
            drop(entries);
            drop(gone);
            self.count(|counts| counts.evicted += 1);
        }
    }

    /// Forgets all: what they were compiled under has changed in a way that they do not know.
    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.entries.borrow_mut());
        self.count(|counts| counts.invalidated += all.len() as u64);
        drop(all);
    }
}

/// Whether a text is one that is kept (rule 3).
fn is_kept(text: &str) -> bool {
    if text.len() > TEXT_MAX {
        return false;
    }
    let found = ringwood_sql::lex::lex(text.as_bytes(), 0);
    let word = text.get(found.start as usize..found.end as usize);
    word.is_some_and(|word| KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(word)))
}

/// A statement that goes back to its connection's cache when it is dropped; it derefs to it.
#[derive(Debug)]
pub struct CachedStatement {
    /// Until then.
    statement: Option<Statement>,
    /// Its key; none if it is not kept.
    text: Option<Box<str>>,
}

const HELD: &str = "there until it is dropped";

impl Deref for CachedStatement {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        self.statement.as_ref().expect(HELD)
    }
}

impl DerefMut for CachedStatement {
    fn deref_mut(&mut self) -> &mut Statement {
        self.statement.as_mut().expect(HELD)
    }
}

impl Drop for CachedStatement {
    fn drop(&mut self) {
        let (Some(mut statement), Some(text)) = (self.statement.take(), self.text.take()) else {
            return;
        };
        if std::thread::panicking() {
            return;
        }
        statement.reset();
        statement.clear_bindings();
        let (conn, resting) = statement.rest();
        conn.cache.put(text, resting);
    }
}

impl LocalConnection {
    /// As [`prepare`](Self::prepare), but the statement comes from the connection's cache if its text was prepared so
    /// before, and goes back there when it is dropped. Its parameters are NULL.
    ///
    /// # Errors
    /// Those of [`prepare`](Self::prepare).
    pub fn prepare_cached(&self, sql: &str) -> Result<CachedStatement> {
        if let Some(found) = self.find_cached(sql) {
            return Ok(found);
        }
        let statement = self.prepare(sql)?;
        Ok(self.to_be_cached(sql, statement))
    }

    /// As [`prepare_cached`](Self::prepare_cached).
    pub async fn prepare_cached_async(&self, sql: &str) -> Result<CachedStatement> {
        if let Some(found) = self.find_cached(sql) {
            return Ok(found);
        }
        let statement = self.prepare_async(sql).await?;
        Ok(self.to_be_cached(sql, statement))
    }

    fn find_cached(&self, sql: &str) -> Option<CachedStatement> {
        let cache = &self.inner.cache;
        if cache.capacity.get() == 0 {
            return None;
        }
        // While another task is within a step, what has changed is not known.
        let expirations = self.inner.try_enter()?.expirations;
        let resting = cache.take(sql, expirations)?;
        Some(CachedStatement {
            statement: Some(resting.wake(&self.inner)),
            text: Some(sql.into()),
        })
    }

    fn to_be_cached(&self, sql: &str, statement: Statement) -> CachedStatement {
        let kept = self.inner.cache.capacity.get() > 0 && is_kept(sql);
        CachedStatement {
            statement: Some(statement),
            text: kept.then(|| sql.into()),
        }
    }

    /// How many statements are kept for [`prepare_cached`](Self::prepare_cached); 0 for none.
    pub fn set_statement_cache_capacity(&self, statements: usize) {
        let cache = &self.inner.cache;
        cache.capacity.set(statements);
        cache.shrink(statements);
    }

    /// What became of the texts that [`prepare_cached`](Self::prepare_cached) was asked for.
    pub fn statement_cache_counters(&self) -> StatementCacheCounters {
        self.inner.cache.counters()
    }
}
