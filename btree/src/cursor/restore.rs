//! A cursor whose tree was changed finds its place again.
//!
//! | found at `sync`                     | then |
//! |-------------------------------------|------|
//! | fresh, pinned                       | nothing |
//! | fresh, not pinned                   | the page is pinned again; its cell decoded |
//! | stale, `Valid`, key in hand         | key saved, sought |
//! | stale, `SkipNext`/`SkipPrev`        | the saved key of the entry that is gone is sought |
//! | stale, an index entry not pinned    | the place is lost: `Invalid` (a change that should keep it says so) |
//! | `Saved`                             | the saved key is sought |
//!
//! Sought and found: `Valid`. Not found: on the neighbour, `SkipPrev` if that is before the key, else `SkipNext`.

use super::seek::StoredKey;
use super::{Cursor, Moved, Seek, State};
use ringwood_wal::{Try, Tx};

impl Cursor {
    /// Brings the cursor to the tree's current version and pins its page, so that its accessors may be used.
    ///
    /// # Errors
    /// `Miss`: see rule 1 of the cursor. `Corrupt` for a malformed page.
    pub fn restore(&mut self, tx: &Tx) -> Try<Moved> {
        self.sync(tx)?;
        Ok(match self.state {
            State::Valid => Moved::Same,
            State::SkipNext | State::SkipPrev => Moved::Moved,
            State::Invalid | State::Saved => Moved::Gone,
        })
    }

    /// The table above. Afterwards the cursor is fresh, and pinned unless it is `Invalid`.
    pub(crate) fn sync(&mut self, tx: &Tx) -> Try<()> {
        if self.state == State::Invalid {
            return Ok(());
        }
        if self.state != State::Saved && self.is_fresh() {
            if self.page.is_none() {
                self.pin(tx)?;
                let state = self.state;
                let settled = self.settle(tx, self.ix.min(self.node.count.saturating_sub(1)));
                if settled.is_err() {
                    // Pinned but not decoded would look like settled to the next call.
                    self.page = None;
                }
                settled?;
                self.state = state;
            }
            return Ok(());
        }
        if !self.save_key() {
            self.forget();
            return Ok(());
        }
        self.reseek(tx)
    }

    /// Makes the cursor `Saved`: its key is what it knows. False if it does not know its key.
    pub(crate) fn save_key(&mut self) -> bool {
        if self.state == State::Valid {
            if self.is_table() {
                self.saved_rowid = self.entry.rowid;
            } else if self.page.is_some() {
                let mut key = std::mem::take(&mut self.saved_key);
                key.clear();
                key.extend_from_slice(self.key_bytes());
                self.saved_key = key;
            } else {
                return false;
            }
        }
        let saved = self.state != State::Invalid;
        self.forget();
        if saved {
            self.state = State::Saved;
        }
        saved
    }

    /// Remembers the key of the current entry, which is about to go.
    pub(crate) fn remember_key(&mut self, tx: &Tx) -> Try<()> {
        if self.is_table() {
            self.saved_rowid = self.entry.rowid;
            return Ok(());
        }
        self.pin(tx)?;
        let mut key = std::mem::take(&mut self.saved_key);
        key.clear();
        key.extend_from_slice(self.key_bytes());
        self.saved_key = key;
        Ok(())
    }

    /// Remembers that key as the cursor's own; a change that moves entries about follows.
    pub(crate) fn save_this_rowid(&mut self, rowid: i64) {
        self.saved_rowid = rowid;
    }

    /// The same for an index record.
    pub(crate) fn save_this_key(&mut self, record: &[u8]) {
        self.saved_key.clear();
        self.saved_key.extend_from_slice(record);
    }

    fn reseek(&mut self, tx: &Tx) -> Try<()> {
        self.freshen(tx);
        let sought = if self.is_table() {
            self.descend_to_rowid(tx, self.saved_rowid)
        } else {
            let key = std::mem::take(&mut self.saved_key);
            let sought = self.seek_record(tx, &key);
            self.saved_key = key;
            sought
        };
        self.state = match sought {
            Ok(Seek::Empty) => State::Invalid,
            Ok(Seek::Equal) => State::Valid,
            Ok(Seek::Less) => State::SkipPrev,
            Ok(Seek::Greater) => State::SkipNext,
            Err(stop) => {
                self.state = State::Saved;
                return Err(stop);
            }
        };
        Ok(())
    }

    /// Seeks the key columns of an index record, from the root.
    fn seek_record(&mut self, tx: &Tx, record: &[u8]) -> Try<Seek> {
        let info = self.info.clone().expect("a cursor on an index");
        self.descend_to_key(
            tx,
            &StoredKey {
                record,
                info: &info,
            },
        )
    }
}
