//! Inserting and replacing entries.
//!
//! | the leaf, and the entry                                       | `try_insert_*` |
//! |---------------------------------------------------------------|----------------|
//! | has room, the entry needs no overflow pages                   | done, without waiting |
//! | an entry of the same size and key, without overflow pages     | overwritten where it is; if equal, not touched |
//! | an entry of another size, the new one fits in its place       | replaced |
//! | anything else: overflow pages, no room, an interior entry     | `Slow`: the async twin does it |
//!
//! Rules:
//! 1. `try_insert_*` changes nothing before everything that can miss was done, but the cursor's place.
//! 2. After an insert the cursor is on the new entry, not pinned (rule 3 of the cursor). After a change that moved
//!    entries about, a table cursor knows its rowid and finds its entry at its next use; an index cursor does if the
//!    caller asked for that (`keep_position`), and otherwise is on none.
//! 3. A replaced entry's overflow pages are freed after the tree is whole again.
//!
//! Cost, cached: an append about 150 instructions and the copy of the row.
//!
//! Source: SQLite's `sqlite3BtreeInsert`, `btreeOverwriteCell`, `fillInCell`.

use crate::balance::apply::apply;
use crate::balance::plan::{Wanted, plan};
use crate::chain::{Payload, chain_pages, encode_cell, overwrite_chain};
use crate::cursor::{Cursor, Level, Seek, State, StoredKey};
use crate::node::{Entry, IntoStop, corrupt};
use crate::page::edit::PageEdit;
use crate::wait::wait;
use ringwood_format::btree_page::CELL_SIZE_MIN;
use ringwood_format::key::{UnpackedKey, compare_record, compare_records};
use ringwood_format::page::PageNo;
use ringwood_format::record::SerialType;
use ringwood_format::varint;
use ringwood_wal::{Result, Stop, Try, Tx};

/// What the caller of an insert knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InsertHint {
    /// The key is probably larger than all others.
    pub append: bool,
    /// What a seek of this very key through this cursor answered, if the cursor has not been moved since. Ignored if
    /// the tree was changed in between.
    pub seek: Option<Seek>,
    /// The cursor must find the new entry again afterwards (SQLite's `BTREE_SAVEPOSITION`).
    pub keep_position: bool,
}

/// What stands in a cell before its payload.
#[derive(Clone, Copy)]
struct Lead {
    payload_size: u64,
    /// None in an index.
    rowid: Option<i64>,
}

impl Lead {
    /// Its bytes.
    #[inline]
    fn len(&self) -> usize {
        varint::len(self.payload_size) + self.rowid.map_or(0, |rowid| varint::len(rowid as u64))
    }

    #[inline]
    fn write(&self, cell: &mut [u8]) {
        let len = varint::write(cell, self.payload_size);
        if let Some(rowid) = self.rowid {
            varint::write(&mut cell[len..], rowid as u64);
        }
    }
}

/// What a fast path found out before it gave up: the slow one goes on from there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    found: Seek,
    page: PageNo,
    ix: u16,
    seen: u64,
    /// The rowid, or address and length of the record: the arguments must be the same.
    what: (i64, usize),
}

impl Cursor {
    /// Inserts a row into a table, or replaces the one with that rowid, if that can be done without waiting.
    ///
    /// # Errors
    /// `Miss`: fetch the page and call again; `Slow`: call [`insert_rowid`](Cursor::insert_rowid) with the same
    /// arguments. The tree has not changed in either case. `Corrupt` may leave the tree changed in part.
    pub fn try_insert_rowid(
        &mut self,
        tx: &mut Tx,
        rowid: i64,
        payload: Payload<'_>,
        hint: InsertHint,
    ) -> Try<()> {
        let found = self.locate_rowid(tx, rowid, hint)?;
        let size = payload.size();
        if size > self.max_local as u64 {
            self.pend(&Stop::Slow, found, (rowid, 0));
            return Err(Stop::Slow);
        }
        let lead = Lead {
            payload_size: size,
            rowid: Some(rowid),
        };
        let appended = match found {
            Seek::Equal => {
                return self.replace_local(tx, lead, payload).inspect_err(|stop| {
                    self.pend(stop, found, (rowid, 0));
                });
            }
            Seek::Empty => true,
            Seek::Less => self.at_last,
            Seek::Greater => false,
        };
        if let Err(stop) = self.insert_local(tx, found, lead, payload) {
            self.pend(&stop, found, (rowid, 0));
            return Err(stop);
        }
        self.at_last = appended;
        Ok(())
    }

    /// Inserts a row into a table, or replaces the one with that rowid.
    ///
    /// # Errors
    /// After an error, or if the future is dropped, the transaction must be rolled back to a savepoint.
    pub async fn insert_rowid(
        &mut self,
        tx: &mut Tx,
        rowid: i64,
        payload: Payload<'_>,
        hint: InsertHint,
    ) -> Result<()> {
        let found = match self.take_pending((rowid, 0)) {
            Some(found) => Some(found),
            None if self
                .fast(tx, |cursor, tx| {
                    cursor.try_insert_rowid(tx, rowid, payload, hint)
                })
                .await? =>
            {
                None
            }
            None => match self.take_pending((rowid, 0)) {
                Some(found) => Some(found),
                None => Some(wait!(tx, self.locate_rowid(tx, rowid, hint))),
            },
        };
        if let Some(found) = found {
            self.insert_slow(tx, found, rowid, payload).await?;
            self.save_this_rowid(rowid);
            self.state = State::Saved;
        }
        Ok(())
    }

    /// Inserts a record into an index, or replaces the entry with an equal key, if that can be done without waiting.
    /// `key` is the record's key where the caller has it unpacked already, with all of its columns.
    ///
    /// # Errors
    /// As [`try_insert_rowid`](Cursor::try_insert_rowid), the twin being [`insert_key`](Cursor::insert_key).
    pub fn try_insert_key(
        &mut self,
        tx: &mut Tx,
        record: &[u8],
        key: Option<&UnpackedKey<'_>>,
        hint: InsertHint,
    ) -> Try<()> {
        let found = self.locate_key(tx, record, key, hint)?;
        let lead = Lead {
            payload_size: record.len() as u64,
            rowid: None,
        };
        let appended = found == Seek::Empty || found == Seek::Less && self.at_last;
        let done = if lead.payload_size > self.max_local as u64 {
            Err(Stop::Slow)
        } else if found == Seek::Equal {
            self.replace_local(tx, lead, record.into())
        } else {
            self.insert_local(tx, found, lead, record.into())
        };
        if let Err(stop) = done {
            self.appending &= appended;
            self.pend(&stop, found, (record.as_ptr().addr() as i64, record.len()));
            return Err(stop);
        }
        if found != Seek::Equal {
            self.at_last = appended;
            self.appending = appended;
        }
        // An entry in the place of the old one is where the cursor is.
        if hint.keep_position && !(found == Seek::Equal && self.state == State::Valid) {
            self.save_this_key(record);
            self.state = State::Saved;
        }
        Ok(())
    }

    /// Inserts a record into an index, or replaces the entry with an equal key.
    ///
    /// # Errors
    /// As [`insert_rowid`](Cursor::insert_rowid).
    pub async fn insert_key(
        &mut self,
        tx: &mut Tx,
        record: &[u8],
        key: Option<&UnpackedKey<'_>>,
        hint: InsertHint,
    ) -> Result<()> {
        let what = (record.as_ptr().addr() as i64, record.len());
        let found = match self.take_pending(what) {
            Some(found) => Some(found),
            None if self
                .fast(tx, |cursor, tx| {
                    cursor.try_insert_key(tx, record, key, hint)
                })
                .await? =>
            {
                None
            }
            None => match self.take_pending(what) {
                Some(found) => Some(found),
                None => Some(wait!(tx, self.locate_key(tx, record, key, hint))),
            },
        };
        if let Some(found) = found {
            self.insert_slow(tx, found, 0, record.into()).await?;
            if hint.keep_position {
                self.save_this_key(record);
                self.state = State::Saved;
            }
        }
        Ok(())
    }

    /// Notes where a fast path got to before it answered `Slow`.
    fn pend(&mut self, stop: &Stop, found: Seek, what: (i64, usize)) {
        if matches!(stop, Stop::Slow) {
            let (page, ix, seen) = (self.node.no, self.ix, self.seen());
            self.pending = Some(Pending {
                found,
                page,
                ix,
                seen,
                what,
            });
        }
    }

    /// What was noted, if the arguments are the same and neither cursor nor tree has moved.
    fn take_pending(&mut self, what: (i64, usize)) -> Option<Seek> {
        let pending = self.pending.take()?;
        let now = Pending {
            found: pending.found,
            page: self.node.no,
            ix: self.ix,
            seen: self.seen(),
            what,
        };
        let placed = self.state == State::Valid || pending.found == Seek::Empty;
        (pending == now && placed && self.is_fresh()).then_some(pending.found)
    }

    /// Runs the fast path of a change, fetching what it misses; false if it is a case for the slow one.
    pub(crate) async fn fast(
        &mut self,
        tx: &mut Tx,
        step: impl Fn(&mut Cursor, &mut Tx) -> Try<()>,
    ) -> Result<bool> {
        let mut held = smallvec::SmallVec::<[ringwood_pager::PageRef; 4]>::new();
        loop {
            match step(self, tx) {
                Ok(()) => return Ok(true),
                Err(Stop::Slow) => return Ok(false),
                // A page that is held here would be copied by its change, once; progress is worth that. And a page may
                // be missing because it is time to make room.
                Err(stop) => {
                    held.push(crate::wait::fetch(tx, stop).await?);
                    tx.make_room().await?;
                }
            }
        }
    }

    fn locate_rowid(&mut self, tx: &Tx, rowid: i64, hint: InsertHint) -> Try<Seek> {
        if self.state == State::Valid
            && self.is_fresh()
            && let Some(found @ (Seek::Less | Seek::Greater)) = hint.seek
        {
            debug_assert_eq!(self.entry.rowid < rowid, found == Seek::Less);
            return Ok(found);
        }
        if hint.append {
            self.find_last(tx)?;
        }
        self.find_rowid(tx, rowid)
    }

    /// Whether an insert finds the record's place without its key: the caller sought it, or the cursor stands on an entry
    /// with the very bytes.
    #[inline]
    pub fn knows_place(&self, record: &[u8], hint: InsertHint) -> bool {
        if self.state != State::Valid || !self.is_fresh() {
            return false;
        }
        self.node.is_leaf() && matches!(hint.seek, Some(Seek::Less | Seek::Greater))
            || hint.keep_position && self.has_key_bytes_of(record)
    }

    /// Whether the bytes of the entry's key columns are those of the record's.
    fn has_key_bytes_of(&self, record: &[u8]) -> bool {
        let (Some(info), Some(page)) = (&self.info, &self.page) else {
            return false;
        };
        let start = self.entry.payload_at as usize;
        let entry = page.get(start..start + self.entry.local_size as usize);
        entry.is_some_and(|entry| have_equal_keys(entry, record, info.unique_columns().len()))
    }

    fn locate_key(
        &mut self,
        tx: &Tx,
        record: &[u8],
        key: Option<&UnpackedKey<'_>>,
        hint: InsertHint,
    ) -> Try<Seek> {
        if self.state == State::Valid
            && self.is_fresh()
            && self.node.is_leaf()
            && let Some(found @ (Seek::Less | Seek::Greater)) = hint.seek
        {
            return Ok(found);
        }
        if hint.keep_position && self.stands_on(tx, record, key)? {
            return Ok(Seek::Equal);
        }
        if hint.append {
            self.find_last(tx)?;
        }
        if let Some(key) = key {
            debug_assert_eq!(key.default(), std::cmp::Ordering::Equal);
            return self.seek_sought(tx, key);
        }
        let info = self.info.clone().expect("a cursor on an index");
        self.seek_sought(
            tx,
            &StoredKey {
                record,
                info: &info,
            },
        )
    }

    /// Whether the cursor is on the entry of that key, all of which is on the page: an UPDATE that goes on from there.
    fn stands_on(&mut self, tx: &Tx, record: &[u8], key: Option<&UnpackedKey<'_>>) -> Try<bool> {
        if self.state != State::Valid || !self.is_fresh() || self.entry.overflow.is_some() {
            return Ok(false);
        }
        self.pin(tx)?;
        if self.has_key_bytes_of(record) {
            return Ok(true);
        }
        let entry = self.local_payload();
        let order = match (key, &self.info) {
            (Some(key), _) => compare_record(entry, key),
            (None, Some(info)) => compare_records(entry, record, info),
            (None, None) => return Ok(false),
        };
        let no = self.node.no;
        Ok(order.map_err(|e| e.into_stop(no))? == std::cmp::Ordering::Equal)
    }

    /// Puts an entry without overflow pages beside the cursor's, and the cursor on it.
    #[inline]
    fn insert_local(
        &mut self,
        tx: &mut Tx,
        found: Seek,
        lead: Lead,
        payload: Payload<'_>,
    ) -> Try<()> {
        let ix = match found {
            Seek::Empty => 0,
            Seek::Less => self.ix + 1,
            Seek::Greater | Seek::Equal => self.ix,
        };
        let lead_len = lead.len();
        let size = lead_len + lead.payload_size as usize;
        let (no, geometry) = (self.node.no, self.geometry);
        self.page = None;
        let data = tx.page_mut(no)?;
        let mut page = PageEdit::known(data, geometry, self.node).map_err(|e| e.into_stop(no))?;
        if ix > page.node.count || !page.node.is_leaf() {
            return Err(corrupt(no, "page is not what the cursor saw"));
        }
        let Some(at) = page
            .insert(ix, size.max(CELL_SIZE_MIN))
            .map_err(|e| e.into_stop(no))?
        else {
            return Err(Stop::Slow);
        };
        let node = page.node;
        let cell = &mut page.data()[at..at + size];
        lead.write(cell);
        payload.copy_to(0, &mut cell[lead_len..]);
        self.node = node;
        self.stand_on_new(ix, at, lead_len, lead);
        Ok(())
    }

    /// The cursor is on a cell that was just written.
    #[inline]
    fn stand_on_new(&mut self, ix: u16, at: usize, lead_len: usize, lead: Lead) {
        let size = lead.payload_size as u32;
        let entry = Entry {
            rowid: lead.rowid.unwrap_or(0),
            payload_size: size,
            payload_at: (at + lead_len) as u32,
            local_size: size,
            at: at as u32,
            overflow: None,
        };
        self.place(ix, entry);
        self.changed();
    }

    /// Replaces the cursor's entry by one without overflow pages.
    fn replace_local(&mut self, tx: &mut Tx, lead: Lead, payload: Payload<'_>) -> Try<()> {
        if self.entry.overflow.is_some() {
            return Err(Stop::Slow);
        }
        if self.entry.payload_size as u64 == payload.size() {
            return self.overwrite_local(tx, payload);
        }
        if !self.node.is_leaf() {
            return Err(Stop::Slow);
        }
        let lead_len = lead.len();
        let size = (lead_len + payload.size() as usize).max(CELL_SIZE_MIN);
        let (no, ix, geometry) = (self.node.no, self.ix, self.geometry);
        self.page = None;
        let data = tx.page_mut(no)?;
        let mut page = PageEdit::new(data, geometry, no).map_err(|e| e.into_stop(no))?;
        // The gap alone is most often enough, and the walk along the freeblocks is long.
        if page.gap() + self.entry.size() < size {
            let free = page.free_space().map_err(|e| e.into_stop(no))?;
            if free + self.entry.size() < size {
                return Err(Stop::Slow);
            }
        }
        page.remove(ix).map_err(|e| e.into_stop(no))?;
        let Some(at) = page.insert(ix, size).map_err(|e| e.into_stop(no))? else {
            return Err(corrupt(no, "free space is not what the page says"));
        };
        let node = page.node;
        let cell = &mut page.data()[at..at + lead_len + payload.size() as usize];
        lead.write(cell);
        payload.copy_to(0, &mut cell[lead_len..]);
        let at_last = self.at_last;
        self.node = node;
        self.stand_on_new(ix, at, lead_len, lead);
        self.at_last = at_last;
        Ok(())
    }

    /// Writes a payload over one of the same size, all of it on the page. An equal one is left alone, and the page
    /// stays as clean as it was.
    fn overwrite_local(&mut self, tx: &mut Tx, payload: Payload<'_>) -> Try<()> {
        self.pin(tx)?;
        if payload.is_at(0, self.local_payload()) {
            return Ok(());
        }
        let no = self.node.no;
        let start = self.entry.payload_at as usize;
        if start < self.node.pointers_end() {
            return Err(corrupt(no, "cell pointer is out of bounds"));
        }
        self.page = None;
        let data = tx.page_mut(no)?;
        payload.copy_to(0, &mut data[start..start + self.entry.local_size as usize]);
        self.changed();
        Ok(())
    }

    /// The whole table of cases. The cursor is where `found` says. Afterwards it is `Invalid`.
    async fn insert_slow(
        &mut self,
        tx: &mut Tx,
        found: Seek,
        rowid: i64,
        payload: Payload<'_>,
    ) -> Result<()> {
        wait!(tx, self.pin(tx));
        let geometry = self.geometry;
        let (no, kind, old) = (self.node.no, self.node.kind, self.entry);
        let chain = match found {
            Seek::Equal => chain_pages(tx, geometry, no, &old).await?,
            _ => Vec::new(),
        };
        if found == Seek::Equal && old.payload_size as u64 == payload.size() && !chain.is_empty() {
            return self.overwrite_spilled(tx, payload, &chain).await;
        }
        let (at, remove) = match found {
            Seek::Empty => (0, 0),
            Seek::Less => (self.ix + 1, 0),
            Seek::Greater => (self.ix, 0),
            Seek::Equal => (self.ix, 1),
        };
        let left_child = match (kind.is_leaf(), self.page.as_deref()) {
            (false, Some(page)) => Some(self.node.child(page, self.ix)?),
            _ => None,
        };
        let cell = encode_cell(tx, geometry, kind, left_child, rowid, payload, no).await?;
        let appending = self.appending && found == Seek::Less;
        let wanted = Wanted {
            at,
            remove,
            insert: Some(cell),
            interior: None,
            appending,
        };
        let path = self.take_way();
        self.carry_out(tx, path, wanted, no, &chain).await
    }

    /// Writes a payload over one of the same size that has overflow pages.
    async fn overwrite_spilled(
        &mut self,
        tx: &mut Tx,
        payload: Payload<'_>,
        chain: &[PageNo],
    ) -> Result<()> {
        let local = self.entry.local_size as usize;
        if !payload.is_at(0, self.local_payload()) {
            let no = self.node.no;
            let start = self.entry.payload_at as usize;
            if start < self.node.pointers_end() {
                return Err(ringwood_format::corrupt::Corrupt::on(
                    no,
                    "cell pointer is out of bounds",
                )
                .into());
            }
            self.page = None;
            wait!(
                tx,
                match tx.page_mut(no) {
                    Ok(data) => {
                        payload.copy_to(0, &mut data[start..start + local]);
                        Ok(())
                    }
                    Err(stop) => Err(stop),
                }
            );
        }
        overwrite_chain(tx, self.geometry, payload, local, chain).await?;
        self.changed();
        self.forget();
        Ok(())
    }

    /// The pages from the root to the one that the cursor stands on. The cursor has no place afterwards.
    pub(crate) fn take_way(&mut self) -> Vec<Level> {
        let mut path = std::mem::take(&mut self.path);
        if let Some(page) = self.page.take() {
            path.push(Level {
                page,
                node: self.node,
                ix: self.ix,
            });
        }
        self.forget();
        path
    }

    /// Plans and applies a change, then frees the pages in `chain`.
    pub(crate) async fn carry_out(
        &mut self,
        tx: &mut Tx,
        path: Vec<Level>,
        wanted: Wanted,
        near: PageNo,
        chain: &[PageNo],
    ) -> Result<()> {
        let geometry = self.geometry;
        let plan = wait!(tx, plan(tx, geometry, &path, &wanted));
        drop(path);
        let applied = apply(tx, geometry, plan, near).await;
        self.changed();
        self.forget();
        applied?;
        for &page in chain {
            tx.free(page).await?;
        }
        Ok(())
    }
}

/// Whether two records have the same bytes in their first `columns` columns, where the types take one byte each. False
/// says nothing.
fn have_equal_keys(a: &[u8], b: &[u8], columns: usize) -> bool {
    let (Some(&header), Some(types)) = (a.first(), a.get(..=columns)) else {
        return false;
    };
    let header = usize::from(header);
    if header >= 0x80 || header <= columns || b.get(..=columns) != Some(types) {
        return false;
    }
    let mut end = header;
    for &kind in &types[1..] {
        if kind >= 0x80 {
            return false;
        }
        end += SerialType(u32::from(kind)).size() as usize;
    }
    matches!((a.get(header..end), b.get(header..end)), (Some(x), Some(y)) if x == y)
}
