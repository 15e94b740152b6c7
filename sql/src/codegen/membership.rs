//! IN: a search in an index that exists, in an ephemeral one that is filled once, or a row of comparisons.
//!
//! ```text
//!   x IN (SELECT rowid FROM t)      SeekRowid on t
//!   x IN (SELECT a FROM t)          an index of t on a, if there is one with the right collation and affinity
//!   x IN (SELECT …), x IN (1,2,3)   an ephemeral index of the right side, filled once unless correlated
//!   x IN (a, b), x IN (1, 2)        x=a OR x=b
//! ```
//!
//! Rules:
//! 1. Neither side NULL: true or false by the search. Left side NULL: false if the right side is empty, else NULL.
//!    Not found, and the right side has a NULL: NULL.
//! 2. The right side is made with the affinity of the comparison; the left side gets it before the search.
//! 3. The collation of a list is that of the left side; of a subquery that of the comparison.
//! 4. NOT IN is coded by the same jumps with the outcomes exchanged.
//!
//! Source: SQLite's in-operator.md, `sqlite3FindInIndex`, `sqlite3CodeRhsOfIN`, `sqlite3ExprCodeIN`.

use super::comparison::affinity_letters;
use super::select::{Destination, DestinationKind};
use super::types::compare_affinity;
use crate::bound::walk::{Constness, is_constant};
use crate::bound::{Expr, FromSource, In, InSet, Select};
use crate::compiler::{Compiler, Optimizations, Result, SqlError, Subroutine};
use crate::schema::{CollationName, IndexKey};
use ringwood_format::affinity::Affinity;
use ringwood_format::collation::Collation;
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};
use smallvec::SmallVec;
use std::sync::Arc;

/// What the right side of an IN was turned into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InKind {
    /// A table, to be searched by rowid.
    Rowid,
    /// An ephemeral index.
    Ephemeral,
    /// An index that exists, ascending.
    IndexAsc,
    /// An index that exists, descending.
    IndexDesc,
    /// Nothing: the members are compared one by one.
    Comparisons,
}

/// What the caller wants of the right side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InUse {
    /// To search in it. `noop`: comparisons one by one will do; `nulls`: it must be known whether there are NULLs.
    Search {
        /// See above.
        noop: bool,
        /// See above.
        nulls: bool,
    },
    /// To loop over its members, each once.
    Loop,
}

/// The right side of an IN, ready to use.
#[derive(Clone, Debug)]
pub struct InIndex {
    /// What it is.
    pub kind: InKind,
    /// Its cursor; -1 for [`InKind::Comparisons`].
    pub cursor: i32,
    /// A register that is NULL if the right side has NULLs; none: it has none, or nobody asked.
    pub has_null: Option<i32>,
    /// For each element of the left side, its place in the index.
    pub map: SmallVec<[usize; 4]>,
}

impl Compiler<'_> {
    /// The value of an IN, into `target`.
    pub(super) fn code_in_value(&mut self, in_: &In, target: i32) -> Result<()> {
        let (if_false, if_null) = (self.label(), self.label());
        self.op(Opcode::Null, 0, target, 0);
        self.code_in(in_, if_false, if_null)?;
        self.op(Opcode::Integer, 1, target, 0);
        self.goto(if_null);
        self.place(if_false);
        self.op(Opcode::Integer, 0, target, 0);
        self.place(if_null);
        if in_.not {
            self.op(Opcode::Not, target, target, 0);
        }
        Ok(())
    }

    /// Jumps if the left side is in the right side (NOT is the caller's business).
    pub(super) fn jump_if_in(&mut self, in_: &In, dest: Label, jump_if_null: bool) -> Result<()> {
        let if_false = self.label();
        let if_null = if jump_if_null { dest } else { if_false };
        self.code_in(in_, if_false, if_null)?;
        self.goto(dest);
        self.place(if_false);
        Ok(())
    }

    /// Jumps if the left side is not in the right side.
    pub(super) fn jump_unless_in(
        &mut self,
        in_: &In,
        dest: Label,
        jump_if_null: bool,
    ) -> Result<()> {
        if jump_if_null {
            return self.code_in(in_, dest, dest);
        }
        let if_null = self.label();
        self.code_in(in_, dest, if_null)?;
        self.place(if_null);
        Ok(())
    }

    /// Checks that both sides have the same number of columns.
    fn check_in(in_: &In) -> Result<()> {
        let count = in_.left.vector_size();
        match &in_.set {
            InSet::Select { select, .. } => {
                let actual = select.result.len();
                if actual != count {
                    let message = format!("sub-select returns {actual} columns - expected {count}");
                    return Err(SqlError::error(message));
                }
            }
            InSet::List(_) if count != 1 => {
                return Err(match &in_.left {
                    Expr::Subquery(_) => {
                        SqlError::error(format!("sub-select returns {count} columns - expected 1"))
                    }
                    _ => SqlError::error("row value misused"),
                });
            }
            InSet::List(_) => {}
        }
        Ok(())
    }

    /// The affinities with which the elements are compared (rule 2).
    fn in_affinities(in_: &In) -> SmallVec<[Affinity; 4]> {
        (0..in_.left.vector_size())
            .map(|i| {
                let affinity = in_.left.vector_field(i).affinity();
                match &in_.set {
                    InSet::Select { select, .. } => {
                        compare_affinity(&select.result[i].expr, affinity)
                    }
                    InSet::List(_) => affinity,
                }
            })
            .collect()
    }

    /// Jumps to `if_false` or `if_null`, or falls through if the left side is in the right side.
    fn code_in(&mut self, in_: &In, if_false: Label, if_null: Label) -> Result<()> {
        Self::check_in(in_)?;
        let affinities = Self::in_affinities(in_);
        let count = affinities.len();
        let distinguish = if_false != if_null;
        let index = self.find_in_index(
            in_,
            InUse::Search {
                noop: true,
                nulls: distinguish,
            },
        )?;

        // The left side may get its affinity applied in place: not in a register that others share.
        let factor = std::mem::replace(&mut self.factor_constants, false);
        let (mut left, left_free) = self.expr_code_vector(&in_.left)?;
        self.factor_constants = factor;

        if index.kind == InKind::Comparisons {
            self.code_in_comparisons(in_, left, affinities[0], if_false, if_null)?;
            self.release_temp(left_free);
            return Ok(());
        }
        let mut copy_free = 0;
        if index.kind != InKind::Rowid {
            if count == 1 {
                let affinity = affinities[0];
                if affinity >= Affinity::Text && affinity != in_.left.affinity() {
                    let copy = self.temp_reg();
                    copy_free = copy;
                    self.op(Opcode::Copy, left, copy, 0);
                    left = copy;
                    self.op4(Opcode::Affinity, left, 1, 0, affinity_letters([affinity]));
                }
            } else {
                self.op4(
                    Opcode::Affinity,
                    left,
                    count as i32,
                    0,
                    affinity_letters(affinities.iter().copied()),
                );
            }
            if index.map.iter().enumerate().any(|(i, &to)| i != to) {
                let ordered = self.alloc_regs(count);
                for (i, &to) in index.map.iter().enumerate() {
                    self.op(Opcode::Copy, left + i as i32, ordered + to as i32, 0);
                }
                left = ordered;
            }
        }

        // NULL on the left: false or NULL, and the search is left out.
        let left_null = (0..count).any(|i| self.can_be_null(in_.left.vector_field(i)));
        let nulls = left_null || index.has_null.is_some();
        // Where nothing can be NULL, what is not found is not there.
        let distinguish = distinguish && (nulls || index.kind != InKind::Ephemeral);
        let null_left = if distinguish { self.label() } else { if_false };
        for (i, &to) in index.map.iter().enumerate() {
            if self.can_be_null(in_.left.vector_field(i)) {
                self.jump(Opcode::IsNull, left + to as i32, null_left, 0);
            }
        }
        // The search.
        let found;
        if index.kind == InKind::Rowid {
            self.jump(Opcode::SeekRowid, index.cursor, if_false, left);
            found = self.op(Opcode::Goto, 0, 0, 0);
        } else if !distinguish {
            let known = self
                .subroutine(in_.id)
                .filter(|_| index.kind == InKind::Ephemeral);
            if let Some(Subroutine {
                filter: filter @ 1..,
                ..
            }) = known
            {
                let p4 = P4::Int(count as i32);
                self.op4(Opcode::Filter, filter, if_false.into(), left, p4);
            }
            self.op4(
                Opcode::NotFound,
                index.cursor,
                if_false.into(),
                left,
                P4::Int(count as i32),
            );
            self.release_temp(copy_free);
            self.release_temp(left_free);
            return Ok(());
        } else {
            found = self.op4(Opcode::Found, index.cursor, 0, left, P4::Int(count as i32));
        }
        if let (Some(has_null), 1) = (index.has_null, count) {
            self.jump(Opcode::NotNull, has_null, if_false, 0);
        }
        if !distinguish {
            self.goto(if_false);
        } else {
            self.place(null_left);
            self.code_in_null_scan(in_, &index, left, if_false, if_null)?;
        }
        self.jump_here(found);
        self.release_temp(copy_free);
        self.release_temp(left_free);
        Ok(())
    }

    /// Not found, or NULL on the left: NULL if some row of the right side is neither equal nor different, else false.
    /// For a scalar the first row tells: NULLs sort first, and NULL on the left is different from nothing.
    fn code_in_null_scan(
        &mut self,
        in_: &In,
        index: &InIndex,
        left: i32,
        if_false: Label,
        if_null: Label,
    ) -> Result<()> {
        let rewind = if index.kind == InKind::IndexDesc {
            Opcode::Last
        } else {
            Opcode::Rewind
        };
        let top = self.jump(rewind, index.cursor, if_false, 0);
        let count = index.map.len();
        let different = if count > 1 { self.label() } else { if_false };
        for (i, &to) in index.map.iter().enumerate() {
            let field = in_.left.vector_field(i);
            let collation = match &in_.set {
                InSet::Select { select, .. } => {
                    self.compare_collation(field, &select.result[i].expr)?
                }
                InSet::List(_) => self
                    .collation_name(field)
                    .map(|name| self.collation(&name))
                    .transpose()?,
            };
            let reg = self.temp_reg();
            if index.kind == InKind::Rowid {
                self.op(Opcode::Rowid, index.cursor, reg, 0);
            } else {
                self.op(Opcode::Column, index.cursor, to as i32, reg);
            }
            let p4 = collation.map_or(P4::None, P4::Collation);
            self.op4(Opcode::Ne, left + to as i32, different.into(), reg, p4);
            self.release_temp(reg);
        }
        self.goto(if_null);
        if count > 1 {
            self.place(different);
            self.op(Opcode::Next, index.cursor, top + 1, 0);
            self.goto(if_false);
        }
        Ok(())
    }

    /// `x=a OR x=b OR …`
    fn code_in_comparisons(
        &mut self,
        in_: &In,
        left: i32,
        affinity: Affinity,
        if_false: Label,
        if_null: Label,
    ) -> Result<()> {
        let InSet::List(list) = &in_.set else {
            return Err(SqlError::error("row value misused"));
        };
        let distinguish = if_false != if_null;
        let collation = self
            .collation_name(&in_.left)
            .map(|name| self.collation(&name))
            .transpose()?;
        let p4 = collation.map_or(P4::None, P4::Collation);
        let found = self.label();
        let any_null = if distinguish {
            let reg = self.temp_reg();
            self.op(Opcode::BitAnd, left, left, reg);
            reg
        } else {
            0
        };
        for (i, member) in list.iter().enumerate() {
            let (reg, free) = self.expr_code_temp(member)?;
            if distinguish && self.can_be_null(member) {
                self.op(Opcode::BitAnd, any_null, reg, any_null);
            }
            self.release_temp(free);
            if i + 1 < list.len() || distinguish {
                let opcode = if left != reg {
                    Opcode::Eq
                } else {
                    Opcode::NotNull
                };
                self.op4(
                    opcode,
                    left,
                    found.into(),
                    reg,
                    if left != reg { p4.clone() } else { P4::None },
                );
                self.p5(affinity as u16);
            } else {
                let opcode = if left != reg {
                    Opcode::Ne
                } else {
                    Opcode::IsNull
                };
                self.op4(
                    opcode,
                    left,
                    if_false.into(),
                    reg,
                    if left != reg { p4.clone() } else { P4::None },
                );
                self.p5(affinity as u16 | p5::JUMPIFNULL);
            }
        }
        if distinguish {
            self.jump(Opcode::IsNull, any_null, if_null, 0);
            self.goto(if_false);
        }
        self.place(found);
        self.release_temp(any_null);
        Ok(())
    }

    /// Fills an ephemeral index with the right side of an IN, for a virtual table that takes it whole; its cursor.
    pub(super) fn in_values(&mut self, in_: &In) -> Result<i32> {
        let cursor = self.alloc_cursor(None);
        self.code_in_set(in_, cursor, false)?;
        Ok(cursor)
    }

    /// Finds or makes what the right side of an IN can be searched or looped in.
    pub fn find_in_index(&mut self, in_: &In, wanted: InUse) -> Result<InIndex> {
        let mut nulls = matches!(wanted, InUse::Search { nulls: true, .. });
        let count = in_.left.vector_size();
        let identity: SmallVec<[usize; 4]> = (0..count).collect();
        match &in_.set {
            InSet::Select { select, correlated } => {
                if nulls && select.prior.is_none() {
                    nulls = select
                        .result
                        .iter()
                        .map(|column| &column.expr)
                        .chain(select.rows.iter().flatten())
                        .any(|expr| self.can_be_null(expr));
                }
                if !correlated {
                    if let Some(index) = self.find_existing_index(in_, select, wanted, nulls)? {
                        return Ok(index);
                    }
                }
            }
            InSet::List(list) => {
                let constant = list
                    .iter()
                    .all(|item| is_constant(item, Constness::Statement));
                if matches!(wanted, InUse::Search { noop: true, .. })
                    && (!constant || list.len() <= 2)
                {
                    return Ok(InIndex {
                        kind: InKind::Comparisons,
                        cursor: -1,
                        has_null: None,
                        map: identity,
                    });
                }
            }
        }
        let cursor = self.alloc_cursor(None);
        let has_null = nulls.then(|| self.alloc_reg());
        // The values of a loop are found once, whatever stands around it.
        let around = self.query_loop;
        if wanted == InUse::Loop {
            self.query_loop = 0;
        }
        self.code_in_set(in_, cursor, wanted != InUse::Loop)?;
        self.query_loop = around;
        if let Some(reg) = has_null {
            self.set_has_null_flag(cursor, reg, false);
        }
        Ok(InIndex {
            kind: InKind::Ephemeral,
            cursor,
            has_null,
            map: identity,
        })
    }

    /// Sets `reg` to NULL if the first column of an index has a NULL.
    fn set_has_null_flag(&mut self, cursor: i32, reg: i32, desc: bool) {
        self.op(Opcode::Integer, 0, reg, 0);
        let empty = self.op(
            if desc { Opcode::Last } else { Opcode::Rewind },
            cursor,
            0,
            0,
        );
        self.op(Opcode::Column, cursor, 0, reg);
        self.p5(p5::TYPEOFARG);
        self.jump_here(empty);
    }

    /// Uses the table or an index of it, where the right side is plain columns of one table.
    fn find_existing_index(
        &mut self,
        in_: &In,
        select: &Select,
        wanted: InUse,
        nulls: bool,
    ) -> Result<Option<InIndex>> {
        let plain = select.prior.is_none()
            && !select.flags.aggregate
            && select.limit.is_none()
            && select.where_.is_none()
            && select.group_by.is_empty()
            && select.having.is_none();
        let [item] = select.from.items.as_slice() else {
            return Ok(None);
        };
        if !plain
            || !matches!(item.source, FromSource::Table)
            || item.table.is_virtual()
            || select.result.len() != in_.left.vector_size()
        {
            return Ok(None);
        }
        let mut columns = SmallVec::<[i32; 4]>::new();
        for column in &select.result {
            match &column.expr {
                Expr::Column(column) if column.cursor == item.cursor => columns.push(column.column),
                _ => return Ok(None),
            }
        }
        let table = item.table.clone();
        let is_rowid = |column: i32| {
            column < 0
                || table
                    .rowid_alias
                    .is_some_and(|alias| alias as i32 == column)
        };
        if columns.len() == 1 && is_rowid(columns[0]) && table.has_rowid() {
            self.uses_db(item.db);
            let cursor = self.alloc_cursor(None);
            let once = self.op(Opcode::Once, 0, 0, 0);
            self.open_table(cursor, item.db, &table, false)?;
            self.explain(|| format!("USING ROWID SEARCH ON TABLE {} FOR IN-OPERATOR", table.name));
            self.jump_here(once);
            let map = SmallVec::from_slice(&[0]);
            return Ok(Some(InIndex {
                kind: InKind::Rowid,
                cursor,
                has_null: None,
                map,
            }));
        }
        for (i, &column) in columns.iter().enumerate() {
            let affinity = table.affinity_of(column);
            let compare = compare_affinity(in_.left.vector_field(i), affinity);
            if compare > Affinity::Text && !affinity.is_numeric() {
                return Ok(None);
            }
        }
        for index in &table.indexes {
            if index.columns.len() < columns.len()
                || index.partial.is_some()
                || index.columns.len() >= 63
            {
                continue;
            }
            if wanted == InUse::Loop
                && (index.key_count > columns.len()
                    || (index.columns.len() > columns.len() && index.unique.is_none()))
            {
                continue; // a loop must see each value once
            }
            let Some(map) = self.match_index(in_, select, &columns, index) else {
                continue;
            };
            self.explain(|| format!("USING INDEX {} FOR IN-OPERATOR", index.name));
            let cursor = self.alloc_cursor(None);
            let once = self.op(Opcode::Once, 0, 0, 0);
            self.open_index(cursor, item.db, index, false)?;
            let desc = index.columns[0].desc;
            let mut has_null = None;
            if nulls {
                let reg = self.alloc_reg();
                has_null = Some(reg);
                if columns.len() == 1 {
                    self.set_has_null_flag(cursor, reg, desc);
                }
            }
            self.jump_here(once);
            let kind = if desc {
                InKind::IndexDesc
            } else {
                InKind::IndexAsc
            };
            return Ok(Some(InIndex {
                kind,
                cursor,
                has_null,
                map,
            }));
        }
        Ok(None)
    }

    /// Where each column of the right side is among the first columns of an index, if all are, with the collations of
    /// the comparisons.
    fn match_index(
        &self,
        in_: &In,
        select: &Select,
        columns: &[i32],
        index: &crate::schema::Index,
    ) -> Option<SmallVec<[usize; 4]>> {
        let mut map = SmallVec::new();
        for (i, &column) in columns.iter().enumerate() {
            let wanted =
                self.compare_collation_name(in_.left.vector_field(i), &select.result[i].expr);
            let at = index.columns[..columns.len()].iter().position(|key| {
                let same_column = match key.key {
                    IndexKey::Column(number) => number as i32 == column,
                    IndexKey::Rowid => column < 0,
                    IndexKey::Expr(_) => false,
                };
                same_column
                    && wanted
                        .as_ref()
                        .is_none_or(|wanted: &CollationName| wanted.same(&key.collation))
            })?;
            if map.contains(&at) {
                return None;
            }
            map.push(at);
        }
        Some(map)
    }

    /// Fills the ephemeral index `cursor` with the right side of an IN (SQLite's sqlite3CodeRhsOfIN).
    /// `filter`: a filter may be made as well, for searches.
    fn code_in_set(&mut self, in_: &In, cursor: i32, filter: bool) -> Result<()> {
        let once = match &in_.set {
            InSet::Select { correlated, .. } => !correlated,
            InSet::List(list) => list
                .iter()
                .all(|item| is_constant(item, Constness::Statement)),
        };
        let mut subroutine = None;
        let mut skip = 0;
        if once {
            if let Some(known) = self.subroutine(in_.id) {
                skip = self.op(Opcode::Once, 0, 0, 0);
                if let InSet::Select { select, .. } = &in_.set {
                    let id = select.number;
                    self.explain(|| format!("REUSE LIST SUBQUERY {id}"));
                }
                self.op(Opcode::Gosub, known.return_reg, known.entry, 0);
                self.op(Opcode::OpenDup, cursor, known.result, 0);
                self.jump_here(skip);
                return Ok(());
            }
            let return_reg = self.alloc_reg();
            self.op(Opcode::BeginSubrtn, 0, return_reg, 0);
            let entry = self.here();
            skip = self.op(Opcode::Once, 0, 0, 0);
            let made = Subroutine {
                return_reg,
                entry,
                result: cursor,
                filter: 0,
            };
            self.set_subroutine(in_.id, made);
            subroutine = Some(made);
        }
        let count = in_.left.vector_size();
        let open = self.op(Opcode::OpenEphemeral, cursor, count as i32, 0);
        let mut key = KeyInfo {
            columns: Vec::with_capacity(count),
            behind: 0,
            encoding: self.ctx.schema.dbs[0].encoding,
        };
        match &in_.set {
            InSet::Select { select, .. } => {
                let id = select.number;
                self.explain_push(|| {
                    format!(
                        "{}LIST SUBQUERY {id}",
                        if once { "" } else { "CORRELATED " }
                    )
                });
                for i in 0..count {
                    let collation = self
                        .compare_collation(in_.left.vector_field(i), &select.result[i].expr)?
                        .unwrap_or_default();
                    key.columns.push(KeyColumn {
                        collation,
                        desc: false,
                        big_null: false,
                    });
                }
                let affinity = affinity_letters(Self::in_affinities(in_));
                let is_binary = key.columns.iter().all(|c| c.collation.is_binary());
                let filter = once && filter && is_binary;
                let made = if filter && self.optimizes(Optimizations::BLOOM_FILTER) {
                    let reg = self.alloc_reg();
                    Some((self.op(Opcode::Blob, 10_000, reg, 0), reg))
                } else {
                    None
                };
                let reg = made.map_or(0, |(_, reg)| reg);
                let mut dest = Destination::set(cursor, affinity, reg);
                self.code_select(select, &mut dest)?;
                if let (Some((addr, _)), DestinationKind::Set { filter, .. }) = (made, &dest.kind) {
                    if *filter == 0 {
                        self.b.set_p1(addr, 10); // nothing is added to it
                    }
                    self.set_subroutine_filter(in_.id, *filter);
                }
                self.explain_pop();
            }
            InSet::List(list) => {
                let affinity = match in_.left.affinity() {
                    Affinity::None => Affinity::Blob,
                    Affinity::Real => Affinity::Numeric,
                    other => other,
                };
                let collation = self
                    .collation_name(&in_.left)
                    .map(|name| self.collation(&name))
                    .transpose()?;
                key.columns.push(KeyColumn {
                    collation: collation.unwrap_or(Collation::Binary),
                    desc: false,
                    big_null: false,
                });
                // Numbers are told apart by a filter, which costs less than a search; texts are not.
                let numbers = |item: &Expr| matches!(item, Expr::Integer(_) | Expr::Real(_));
                let bits = if once
                    && filter
                    && affinity != Affinity::Text
                    && list.iter().any(numbers)
                    && self.optimizes(Optimizations::BLOOM_FILTER)
                {
                    let reg = self.alloc_reg();
                    let size = (list.len() * 16).clamp(64, 10_000);
                    self.op(Opcode::Blob, size as i32, reg, 0);
                    self.set_subroutine_filter(in_.id, reg);
                    reg
                } else {
                    0
                };
                let (value, record) = (self.temp_reg(), self.temp_reg());
                // Within a Once nothing is gained by factoring.
                let factor = std::mem::replace(&mut self.factor_constants, false);
                for item in list {
                    self.expr_code(item, value)?;
                    self.op4(
                        Opcode::MakeRecord,
                        value,
                        1,
                        record,
                        affinity_letters([affinity]),
                    );
                    self.op4(Opcode::IdxInsert, cursor, record, value, P4::Int(1));
                    if bits != 0 {
                        self.op4(Opcode::FilterAdd, bits, 0, value, P4::Int(1));
                    }
                }
                self.factor_constants = factor;
                self.release_temp(value);
                self.release_temp(record);
            }
        }
        self.b.set_p4(open, P4::KeyInfo(Arc::new(key)));
        if let Some(subroutine) = subroutine {
            self.op(Opcode::NullRow, cursor, 0, 0);
            self.jump_here(skip);
            self.op(Opcode::Return, subroutine.return_reg, subroutine.entry, 1);
            self.clear_temps();
        }
        Ok(())
    }
}
