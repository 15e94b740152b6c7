//! A connection's side on its core: takes commands from the `Send` handles, runs them in order on
//! its `LocalConnection`, and answers.
//!
//! Rules:
//! 1. One command runs at a time, and [`QUEUE_MAX`] wait; who comes then waits for room, in line.
//! 2. Rows travel in batches: one hop for up to [`BATCH_ROWS`] rows or [`BATCH_BYTES`] bytes.
//! 3. A command whose caller has gone away is left out, or interrupted if it runs; what it prepared is freed.
//! 4. When the last handle is gone, or the runtime is shut down, the queue closes: what is in it is answered, then
//!    statements are dropped, and the connection with them.
//! 5. Texts that are run without being prepared come from the connection's statement cache.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_channel::oneshot::Sender;

use crate::core_meters::CoreMeters;
use crate::error::{Error, Result};
use crate::local::{self, LocalConnection};
use crate::params::Params;
use crate::queue::Receiver;
use crate::row::Columns;
use crate::value::Value;

/// Commands that wait for a connection.
pub(crate) const QUEUE_MAX: usize = 64;
/// Most rows in one answer.
pub(crate) const BATCH_ROWS: usize = 128;
/// An answer is sent once it holds this many bytes of values.
pub(crate) const BATCH_BYTES: usize = 64 * 1024;

/// Rows on their way to a caller.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) columns: Columns,
    pub(crate) rows: Vec<Vec<Value>>,
    /// True when the statement has no more rows and has been reset.
    pub(crate) done: bool,
}

/// What a caller knows of a statement.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) id: u64,
    pub(crate) columns: Columns,
}

/// A command, its number, and when it was sent.
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) sent: Instant,
    pub(crate) command: Command,
}

/// What a handle can ask for.
pub(crate) enum Command {
    Prepare {
        sql: String,
        reply: Sender<Result<Prepared>>,
    },
    Execute {
        id: u64,
        params: Params,
        reply: Sender<Result<u64>>,
    },
    Query {
        id: u64,
        params: Params,
        reply: Sender<Result<Batch>>,
    },
    ExecuteSql {
        sql: String,
        params: Params,
        reply: Sender<Result<u64>>,
    },
    /// Prepares and runs; the rows that remain are fetched under `id`, which the caller chose.
    QuerySql {
        id: u64,
        sql: String,
        params: Params,
        reply: Sender<Result<Batch>>,
    },
    Next {
        id: u64,
        reply: Sender<Result<Batch>>,
    },
    Script {
        sql: String,
        reply: Sender<Result<Vec<Batch>>>,
    },
    /// Rows are dropped: the statement is reset and stays.
    Reset {
        id: u64,
    },
    Finalize {
        id: u64,
    },
    /// Anything that needs the connection itself.
    With {
        job: Box<dyn FnOnce(&LocalConnection) + Send>,
    },
}

impl Command {
    /// Whether nobody waits for the answer any more. What has no answer is always wanted.
    fn is_abandoned(&self) -> bool {
        match self {
            Command::Prepare { reply, .. } => reply.is_canceled(),
            Command::Execute { reply, .. } | Command::ExecuteSql { reply, .. } => {
                reply.is_canceled()
            }
            Command::Query { reply, .. }
            | Command::QuerySql { reply, .. }
            | Command::Next { reply, .. } => reply.is_canceled(),
            Command::Script { reply, .. } => reply.is_canceled(),
            Command::Reset { .. } | Command::Finalize { .. } | Command::With { .. } => false,
        }
    }
}

/// The command that runs.
#[derive(Debug, Default)]
struct Running {
    number: Option<u64>,
    /// Its caller has gone away, and it was interrupted.
    abandoned: bool,
}

/// What a handle may read without asking: kept up to date after every command.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) changes: AtomicU64,
    pub(crate) total_changes: AtomicU64,
    pub(crate) last_insert_rowid: AtomicI64,
    pub(crate) in_transaction: AtomicBool,
    /// Numbers for statements and commands; both sides draw from it.
    pub(crate) next_id: AtomicU64,
    running: Mutex<Running>,
}

impl Facts {
    pub(crate) fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller of a command has gone away: if it runs it is interrupted.
    pub(crate) fn abandon(&self, number: u64, interrupt: &AtomicBool) {
        let mut running = self.running();
        if running.number == Some(number) {
            running.abandoned = true;
            interrupt.store(true, Ordering::Release);
        }
    }

    fn begin(&self, number: u64) {
        *self.running() = Running {
            number: Some(number),
            abandoned: false,
        };
    }

    /// A command has ended; what interrupted it does not concern the next one.
    fn end(&self, conn: &LocalConnection) {
        let mut running = self.running();
        running.number = None;
        if running.abandoned {
            conn.interrupt_handle().clear();
        }
    }

    fn update(&self, conn: &LocalConnection) {
        self.changes.store(conn.changes(), Ordering::Release);
        self.total_changes
            .store(conn.total_changes(), Ordering::Release);
        self.last_insert_rowid
            .store(conn.last_insert_rowid(), Ordering::Release);
        self.in_transaction
            .store(!conn.is_autocommit(), Ordering::Release);
    }
}

/// A statement that a handle knows by its number.
enum Known {
    Prepared(local::Statement),
    /// Made for the rows of one query.
    Cached(local::CachedStatement),
}

impl Deref for Known {
    type Target = local::Statement;

    fn deref(&self) -> &local::Statement {
        match self {
            Known::Prepared(statement) => statement,
            Known::Cached(statement) => statement,
        }
    }
}

impl DerefMut for Known {
    fn deref_mut(&mut self) -> &mut local::Statement {
        match self {
            Known::Prepared(statement) => statement,
            Known::Cached(statement) => statement,
        }
    }
}

/// Serves one connection until its handles are gone.
pub(crate) async fn serve(
    conn: LocalConnection,
    mut queue: Receiver<Message>,
    facts: Arc<Facts>,
    meters: &CoreMeters,
) {
    let mut statements: HashMap<u64, Known> = HashMap::new();
    while let Some(Message {
        number,
        sent,
        command,
    }) = queue.next().await
    {
        if command.is_abandoned() {
            meters.calls_left_out.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        facts.begin(number);
        let begun = Instant::now();
        meters.calls.fetch_add(1, Ordering::Relaxed);
        meters.queue_depth.add(queue.len() as u64);
        meters.queue_wait.add_time(begun.duration_since(sent));
        // What the call has counted is there to be seen when its answer is.
        let told = || {
            meters.run.add_time(begun.elapsed());
            meters.publish(conn.io());
            facts.update(&conn);
        };
        // A caller that has gone away does not want its answer; sending it may fail.
        match command {
            Command::Prepare { sql, reply } => {
                let answer = conn.prepare_async(&sql).await.map(|statement| {
                    let prepared = Prepared {
                        id: facts.id(),
                        columns: statement.columns_shared(),
                    };
                    statements.insert(prepared.id, Known::Prepared(statement));
                    prepared
                });
                told();
                if let Err(Ok(unwanted)) = reply.send(answer) {
                    statements.remove(&unwanted.id);
                }
            }
            Command::Execute { id, params, reply } => {
                let answer = match statements.get_mut(&id) {
                    Some(statement) => execute(statement, params).await,
                    None => Err(finalized()),
                };
                told();
                let _ = reply.send(answer);
            }
            Command::ExecuteSql { sql, params, reply } => {
                let answer = match conn.prepare_cached_async(&sql).await {
                    Ok(mut statement) => execute(&mut statement, params).await,
                    Err(e) => Err(e),
                };
                told();
                let _ = reply.send(answer);
            }
            Command::Query { id, params, reply } => {
                let answer = match statements.get_mut(&id) {
                    Some(statement) => start(statement, params).await,
                    None => Err(finalized()),
                };
                told();
                if reply.send(answer).is_err() {
                    // Its rows are nobody's.
                    if let Some(statement) = statements.get_mut(&id) {
                        statement.reset();
                    }
                    facts.update(&conn);
                }
            }
            Command::QuerySql {
                id,
                sql,
                params,
                reply,
            } => {
                let answer = match conn.prepare_cached_async(&sql).await {
                    Ok(mut statement) => {
                        let batch = start(&mut statement, params).await;
                        if batch.as_ref().is_ok_and(|b| !b.done) {
                            statements.insert(id, Known::Cached(statement));
                        }
                        batch
                    }
                    Err(e) => Err(e),
                };
                told();
                if reply.send(answer).is_err() {
                    statements.remove(&id);
                    facts.update(&conn);
                }
            }
            Command::Next { id, reply } => {
                let answer = match statements.get_mut(&id) {
                    Some(statement) => fill(statement).await,
                    None => Err(finalized()),
                };
                told();
                let _ = reply.send(answer);
            }
            Command::Script { sql, reply } => {
                let answer = script(&conn, &sql).await;
                told();
                let _ = reply.send(answer);
            }
            Command::Reset { id } => {
                if let Some(statement) = statements.get_mut(&id) {
                    statement.reset();
                    facts.update(&conn);
                }
            }
            Command::Finalize { id } => {
                statements.remove(&id);
                facts.update(&conn);
            }
            Command::With { job } => {
                job(&conn);
                told();
            }
        }
        facts.end(&conn);
    }
    drop(statements);
    conn.close_async().await;
}

fn finalized() -> Error {
    Error::Misuse("the statement has been finalized".into())
}

async fn execute(statement: &mut local::Statement, params: Params) -> Result<u64> {
    statement.reset();
    statement.bind_all(params)?;
    statement.execute_bound_async().await
}

async fn start(statement: &mut local::Statement, params: Params) -> Result<Batch> {
    statement.reset();
    statement.bind_all(params)?;
    fill(statement).await
}

/// Steps until the batch is full or the statement is done.
async fn fill(statement: &mut local::Statement) -> Result<Batch> {
    let mut batch = Batch {
        columns: statement.columns_shared(),
        rows: Vec::new(),
        done: false,
    };
    let mut bytes = 0;
    while batch.rows.len() < BATCH_ROWS && bytes < BATCH_BYTES {
        if !statement.step_async().await? {
            statement.reset();
            batch.done = true;
            break;
        }
        let row = statement.values();
        bytes += row.iter().map(value_bytes).sum::<usize>();
        batch.rows.push(row);
    }
    batch.columns = statement.columns_shared();
    Ok(batch)
}

fn value_bytes(value: &Value) -> usize {
    16 + match value {
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 0,
    }
}

async fn script(conn: &LocalConnection, sql: &str) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    let mut rest = sql;
    while let Some((mut statement, tail)) = conn.prepare_next_async(rest).await? {
        let mut all = Batch {
            columns: statement.columns_shared(),
            rows: Vec::new(),
            done: true,
        };
        loop {
            let batch = fill(&mut statement).await?;
            all.rows.extend(batch.rows);
            if batch.done {
                break;
            }
        }
        batches.push(all);
        rest = &rest[tail..];
    }
    Ok(batches)
}
