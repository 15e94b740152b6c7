//! `Statement`: a compiled statement of a `Connection`.

use std::sync::Arc;

use crate::connection::Link;
use crate::error::{Error, Result};
use crate::params::IntoParams;
use crate::row::{Column, Row};
use crate::rows::Rows;
use crate::session::{Command, Prepared};

/// A compiled statement. Dropping it finalizes it.
pub struct Statement {
    link: Arc<Link>,
    prepared: Prepared,
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement")
            .field("id", &self.prepared.id)
            .finish_non_exhaustive()
    }
}

impl Statement {
    pub(crate) fn new(link: Arc<Link>, prepared: Prepared) -> Statement {
        Statement { link, prepared }
    }

    /// Runs it; gives the number of rows that it changed.
    pub async fn execute(&mut self, params: impl IntoParams) -> Result<usize> {
        let (id, params) = (self.prepared.id, params.into_params()?);
        self.link
            .ask(|reply| Command::Execute { id, params, reply })
            .await
            .map(|n| n as usize)
    }

    /// Runs it, whether it returns rows or not; rows are dropped.
    pub async fn run(&mut self, params: impl IntoParams) -> Result<()> {
        let mut rows = self.query(params).await?;
        while rows.next().await?.is_some() {}
        Ok(())
    }

    /// Runs it and gives its rows. Running it again ends the rows that are still open.
    pub async fn query(&mut self, params: impl IntoParams) -> Result<Rows> {
        let (id, params) = (self.prepared.id, params.into_params()?);
        let batch = self
            .link
            .ask(|reply| Command::Query { id, params, reply })
            .await?;
        Ok(Rows::new(self.link.clone(), id, batch, false))
    }

    /// Runs it and gives its first row.
    ///
    /// # Errors
    /// `QueryReturnedNoRows`.
    pub async fn query_row(&mut self, params: impl IntoParams) -> Result<Row> {
        self.query(params)
            .await?
            .next()
            .await?
            .ok_or(Error::QueryReturnedNoRows)
    }

    /// Ends the rows that are open.
    pub fn reset(&mut self) {
        // A connection that is gone has no open rows.
        let _ = self.link.tell(Command::Reset {
            id: self.prepared.id,
        });
    }

    /// Frees it; what is called afterwards fails with `Misuse`.
    pub fn finalize(&mut self) {
        // A connection that is gone has no statements.
        let _ = self.link.tell(Command::Finalize {
            id: self.prepared.id,
        });
    }

    /// How many parameters it has.
    pub fn parameter_count(&self) -> usize {
        self.prepared.columns.params().len()
    }

    /// The name of parameter `index` (from 1), with its prefix, if it has one.
    pub fn parameter_name(&self, index: i32) -> Option<&str> {
        let index = usize::try_from(index).ok()?.checked_sub(1)?;
        self.prepared.columns.params().get(index)?.as_deref()
    }

    /// Its result columns.
    pub fn columns(&self) -> Vec<Column<'_>> {
        (0..self.prepared.columns.count())
            .filter_map(|i| self.prepared.columns.get(i))
            .collect()
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        self.finalize();
    }
}
