//! A look at a database: a snapshot that is given up again, however the look ends.
//!
//! | the transaction before | after the look |
//! |------------------------|----------------|
//! | None | None: the snapshot is given up, and with it what was written and not committed |
//! | Read | Read: only what was written and not committed goes |
//! | Write | as the look left it |
//!
//! Rules:
//! 1. A future may be dropped wherever it waits. Whoever begins a snapshot, waits, and is to give the snapshot up, holds
//!    a [`Glance`] meanwhile: otherwise the next user of the transaction would go on with a snapshot that nobody knows
//!    of, or half of one.

use crate::error::Result;
use crate::tx::{Tx, TxState};
use std::ops::{Deref, DerefMut};

/// A transaction with a snapshot; when this is dropped it is what it was before.
#[derive(Debug)]
pub struct Glance<'a> {
    tx: &'a mut Tx,
    before: TxState,
}

impl Tx {
    /// Sees to it that there is a snapshot, for as long as the [`Glance`] lives.
    ///
    /// # Errors
    /// Those of [`Tx::begin_read`].
    ///
    /// # Suspends
    /// As [`Tx::begin_read`].
    pub async fn glance(&mut self) -> Result<Glance<'_>> {
        let before = self.state();
        self.begin_read().await?;
        Ok(Glance { tx: self, before })
    }

    /// A glance at a snapshot that has just been begun.
    pub(crate) fn begun(&mut self) -> Glance<'_> {
        Glance {
            tx: self,
            before: TxState::None,
        }
    }
}

impl Glance<'_> {
    /// Leaves the transaction as it is now.
    pub fn keep(mut self) {
        self.before = TxState::Write;
    }
}

impl Deref for Glance<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        self.tx
    }
}

impl DerefMut for Glance<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        self.tx
    }
}

impl Drop for Glance<'_> {
    fn drop(&mut self) {
        if self.before != TxState::Write {
            self.tx.rollback();
        }
        if self.before == TxState::None {
            self.tx.end_read();
        }
    }
}
