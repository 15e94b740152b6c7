//! `Rows`: the rows of a query on a `Connection`, fetched in batches.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::connection::Link;
use crate::error::Result;
use crate::row::{Columns, Row};
use crate::session::{Batch, Command};
use crate::value::{Value, ValueType};

/// The rows of a running statement. Dropping them resets it.
pub struct Rows {
    link: Arc<Link>,
    id: u64,
    columns: Columns,
    ready: VecDeque<Vec<Value>>,
    /// The storage classes of the row last given out.
    current: Vec<ValueType>,
    done: bool,
    /// The statement was made for these rows and goes with them.
    owned: bool,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("id", &self.id)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl Rows {
    pub(crate) fn new(link: Arc<Link>, id: u64, batch: Batch, owned: bool) -> Rows {
        Rows {
            link,
            id,
            columns: batch.columns,
            ready: batch.rows.into(),
            current: Vec::new(),
            done: batch.done,
            owned,
        }
    }

    /// The next row, or `None` after the last.
    #[allow(clippy::should_implement_trait)]
    pub async fn next(&mut self) -> Result<Option<Row>> {
        if self.ready.is_empty() && !self.done {
            let id = self.id;
            let batch = self.link.ask(|reply| Command::Next { id, reply }).await;
            let batch = batch.inspect_err(|_| self.done = true)?;
            self.done = batch.done;
            self.columns = batch.columns;
            self.ready = batch.rows.into();
        }
        let row = self.ready.pop_front();
        self.current = row.iter().flatten().map(Value::value_type).collect();
        Ok(row.map(|values| Row {
            columns: self.columns.clone(),
            values,
        }))
    }

    /// How many columns a row has.
    pub fn column_count(&self) -> i32 {
        self.columns.count() as i32
    }

    /// The name of column `index` (from 0).
    pub fn column_name(&self, index: i32) -> Option<&str> {
        self.columns.name(index)
    }

    /// The storage class of column `index` in the row last given out.
    pub fn column_type(&self, index: i32) -> Result<ValueType> {
        usize::try_from(index)
            .ok()
            .and_then(|i| self.current.get(i).copied())
            .ok_or(crate::Error::ColumnNotFound(index))
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if !self.done {
            let id = self.id;
            // A connection that is gone has no open rows.
            let _ = self.link.tell(if self.owned {
                Command::Finalize { id }
            } else {
                Command::Reset { id }
            });
        }
    }
}

/// The results of a script, a statement at a time.
#[derive(Debug)]
pub struct BatchRows {
    results: VecDeque<Batch>,
}

impl BatchRows {
    pub(crate) fn new(results: Vec<Batch>) -> BatchRows {
        BatchRows {
            results: results.into(),
        }
    }

    /// The rows of the next statement; `None` after the last. A statement without result columns
    /// gives `Some(None)`.
    pub fn next_stmt_row(&mut self) -> Option<Option<Vec<Row>>> {
        let batch = self.results.pop_front()?;
        if batch.columns.count() == 0 {
            return Some(None);
        }
        let columns = batch.columns;
        Some(Some(
            batch
                .rows
                .into_iter()
                .map(|values| Row {
                    columns: columns.clone(),
                    values,
                })
                .collect(),
        ))
    }
}
