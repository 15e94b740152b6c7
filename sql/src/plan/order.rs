//! How much of an ORDER BY, GROUP BY or DISTINCT a sequence of loops satisfies by itself.
//!
//! ```text
//! ORDER BY t.a, u.b      loops: t by index (a), then u by unique index (x, b) with x = t.y
//!
//! t contributes `a`; it is order-distinct if no two rows of it have the same `a`; only then can u contribute more
//! ```
//!
//! Rules:
//! 1. A term of the list is satisfied if an equality fixes it, if the next index column is it (direction and collation
//!    agree), or if it depends on loops only that are order-distinct.
//! 2. All index columns that follow the first must agree with it in being read forwards or backwards.
//! 3. GROUP BY and DISTINCT take the terms of the list in any order, and in any direction.
//! 4. The answer is the number of satisfied terms; −1 while a longer path could still satisfy all of them.
//!
//! Source: SQLite's `wherePathSatisfiesOrderBy`.

use super::facts;
use super::scan::Scan;
use super::{ClauseId, Control, Loop, LoopFlags, Mask, Ops, ROWID, Where};
use crate::bound::walk::{self, Constness};
use crate::bound::{Expr, FromSource, Select};
use crate::compiler::Optimizations;
use crate::schema::{CollationName, IndexKey, Table};
use ringwood_format::affinity::Affinity;

/// One term of the list.
#[derive(Clone, Debug)]
pub struct Wish<'q> {
    /// What is sorted by.
    pub expr: &'q Expr,
    /// How texts are sorted.
    pub collation: CollationName,
    /// DESC.
    pub desc: bool,
    /// NULLs at the end that SQLite does not put them.
    pub big_null: bool,
}

/// A list of wishes: rarely more than two.
pub type Wishes<'q> = smallvec::SmallVec<[Wish<'q>; 2]>;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Rule 4.
    pub satisfied: i8,
    /// Bit i: loop i must run backwards.
    pub reverse: Mask,
    /// Bit i: loop i orders NULLs unnaturally, in two passes.
    pub big_null: Mask,
    /// How many leading columns of the last loop's index the list used (DISTINCT only).
    pub distinct_columns: u16,
}

impl<'q> Where<'q> {
    /// How much of `list` the loops `outer` followed by `last` satisfy.
    pub fn satisfies(
        &self,
        list: &[Wish<'q>],
        outer: &[u16],
        last: &Loop,
        control: Control,
    ) -> Found {
        let mut found = Found::default();
        let count = list.len();
        let alone = outer.is_empty() || !self.disabled.contains(Optimizations::ORDER_BY_INDEX_JOIN);
        if count > 63 || !alone {
            return found;
        }
        let done: Mask = (1 << count) - 1;
        let mut satisfied: Mask = 0;
        let mut order_distinct = true;
        let mut distinct_mask: Mask = 0;
        let mut ready: Mask = 0;
        let mut fixing = Ops::EQ | Ops::IS | Ops::ISNULL;
        if control.intersects(Control::ORDERBY_LIMIT | Control::ORDERBY_MIN | Control::ORDERBY_MAX)
        {
            fixing |= Ops::IN;
        }
        let grouping = control.contains(Control::GROUPBY);
        let any_order = grouping || control.contains(Control::DISTINCTBY);
        let mut at = 0;
        while order_distinct && satisfied < done && at <= outer.len() {
            if at > 0 {
                ready |= self.loops[usize::from(outer[at - 1])].self_mask;
            }
            let (lp, is_last) = match outer.get(at) {
                Some(&i) => (&self.loops[usize::from(i)], false),
                None => (last, true),
            };
            if !is_last && control.contains(Control::ORDERBY_LIMIT) {
                at += 1;
                continue;
            }
            if let Some(plan) = &lp.virtual_plan {
                let by_group = Control::DISTINCTBY | Control::SORTBYGROUP;
                if plan.is_ordered && control & by_group != Control::DISTINCTBY {
                    satisfied = done;
                }
                break;
            }
            let source = &self.sources[usize::from(lp.source)];
            let cursor = source.cursor();
            self.fixed_terms(list, lp, cursor, ready, fixing, &mut satisfied);
            if !lp.flags.contains(LoopFlags::ONEROW) {
                let table: &Table = &source.item.table;
                let mut columns = 0u16;
                let mut key_count = 0u16;
                let mut index = None;
                if lp.flags.contains(LoopFlags::IPK) {
                    let sub = if lp.ordered_subquery {
                        self.match_subquery(
                            lp,
                            at,
                            cursor,
                            list,
                            &mut satisfied,
                            &mut found,
                            grouping,
                        )
                    } else {
                        false
                    };
                    if sub {
                        order_distinct = false;
                    } else {
                        columns = 1;
                    }
                } else {
                    let Some(i) = lp.index.map(|i| &table.indexes[usize::from(i)]) else {
                        return found;
                    };
                    if i.unordered {
                        return found;
                    }
                    key_count = i.key_count as u16;
                    columns = i.columns.len() as u16;
                    order_distinct = i.unique.is_some() && !lp.flags.contains(LoopFlags::SKIPSCAN);
                    index = Some(i);
                }
                let (mut reverse, mut reverse_set) = (false, false);
                let mut distinct = false;
                for j in 0..columns {
                    let mut once = true;
                    if j < lp.eq && j >= lp.skip {
                        if let Some(id) = lp.terms[usize::from(j)] {
                            let t = self.term(id);
                            if t.ops.intersects(fixing) {
                                if t.ops.intersects(Ops::ISNULL | Ops::IS) {
                                    order_distinct = false;
                                }
                                continue;
                            } else if let Some(set) = t.in_expr() {
                                let later = &lp.terms[usize::from(j) + 1..usize::from(lp.eq)];
                                once = !later.iter().flatten().any(|&o| {
                                    self.term(o).in_expr().is_some_and(|s| s.id == set.id)
                                });
                            }
                        }
                    }
                    let (column, desc) = match index {
                        None => (Some(ROWID), false),
                        Some(i) => {
                            let c = &i.columns[usize::from(j)];
                            let column = match &c.key {
                                IndexKey::Rowid => Some(ROWID),
                                IndexKey::Column(c) if table.rowid_alias == Some(*c) => Some(ROWID),
                                IndexKey::Column(c) => Some(*c as i16),
                                IndexKey::Expr(_) => None,
                            };
                            (column, c.desc)
                        }
                    };
                    if order_distinct {
                        match column {
                            None => order_distinct = false,
                            Some(c)
                                if c >= 0
                                    && j >= lp.eq
                                    && table.columns[c as usize].not_null.is_none() =>
                            {
                                order_distinct = false;
                            }
                            Some(_) => {}
                        }
                    }
                    let mut matched = None;
                    for (i, wish) in list.iter().enumerate() {
                        if !once {
                            break;
                        }
                        if satisfied & (1 << i) != 0 {
                            continue;
                        }
                        if !any_order {
                            once = false;
                        }
                        let bare = facts::skip_ref(wish.expr);
                        match column {
                            Some(c) => {
                                if self.column(bare) != Some((cursor, c)) {
                                    continue;
                                }
                            }
                            None => {
                                let held = lp.index.and_then(|x| self.index_expr(lp.source, x, j));
                                if !held.is_some_and(|e| facts::same_skip(bare, e)) {
                                    continue;
                                }
                            }
                        }
                        if column != Some(ROWID) {
                            let Some(i) = index else { continue };
                            if !wish.collation.same(&i.columns[usize::from(j)].collation) {
                                continue;
                            }
                        }
                        if control.contains(Control::DISTINCTBY) && is_last {
                            found.distinct_columns = j + 1;
                        }
                        matched = Some(i);
                        break;
                    }
                    if let Some(i) = matched.filter(|_| !grouping) {
                        if reverse_set {
                            if (reverse ^ desc) != list[i].desc {
                                matched = None; // rule 2
                            }
                        } else {
                            reverse = desc ^ list[i].desc;
                            if reverse {
                                found.reverse |= 1 << at;
                            }
                            reverse_set = true;
                        }
                    }
                    if matched.is_some_and(|i| list[i].big_null) {
                        if j == lp.eq {
                            found.big_null |= 1 << at;
                        } else {
                            matched = None;
                        }
                    }
                    if let Some(i) = matched {
                        if column == Some(ROWID) {
                            distinct = true;
                        }
                        satisfied |= 1 << i;
                    } else {
                        if j == 0 || j < key_count {
                            order_distinct = false;
                        }
                        break;
                    }
                }
                if distinct {
                    order_distinct = true;
                }
            }
            if order_distinct {
                distinct_mask |= lp.self_mask;
                for (i, wish) in list.iter().enumerate() {
                    if satisfied & (1 << i) != 0 {
                        continue;
                    }
                    let needs = self.usage(wish.expr, &mut false);
                    if needs == 0 && !walk::is_constant(wish.expr, Constness::Statement) {
                        continue;
                    }
                    if needs & !distinct_mask == 0 {
                        satisfied |= 1 << i;
                    }
                }
            }
            at += 1;
        }
        if satisfied == done {
            found.satisfied = count as i8;
        } else if order_distinct {
            found.satisfied = -1;
        } else {
            let prefix = (1..count)
                .rev()
                .find(|&i| satisfied & ((1 << i) - 1) == (1 << i) - 1);
            found.satisfied = prefix.unwrap_or(0) as i8;
        }
        found
    }

    /// Terms of the list that equalities fix (rule 1).
    fn fixed_terms(
        &self,
        list: &[Wish<'q>],
        lp: &Loop,
        cursor: i32,
        ready: Mask,
        fixing: Ops,
        satisfied: &mut Mask,
    ) {
        for (i, wish) in list.iter().enumerate() {
            if *satisfied & (1 << i) != 0 {
                continue;
            }
            let Some((c, column)) = self.column(facts::skip_ref(wish.expr)) else {
                continue;
            };
            if c != cursor {
                continue;
            }
            let scan = Scan::column(ClauseId::WHERE, cursor, column, fixing);
            let Some(id) = self.find_term(scan, !ready, fixing) else {
                continue;
            };
            let t = self.term(id);
            if t.ops == Ops::IN && !lp.terms.contains(&Some(id)) {
                continue;
            }
            if t.ops.intersects(Ops::EQ | Ops::IS) && column >= 0 {
                let Some(sides) = &t.sides else { continue };
                if !wish.collation.same(&sides.collation) {
                    continue;
                }
                let right = sides
                    .right
                    .as_deref()
                    .map_or(Affinity::None, Expr::affinity);
                if right > Affinity::None && right != sides.left.affinity() {
                    continue;
                }
            }
            *satisfied |= 1 << i;
        }
    }

    /// A subquery that is sorted already brings its order along.
    fn match_subquery(
        &self,
        lp: &Loop,
        at: usize,
        cursor: i32,
        list: &[Wish<'q>],
        satisfied: &mut Mask,
        found: &mut Found,
        grouping: bool,
    ) -> bool {
        let FromSource::Select(select) = &self.sources[usize::from(lp.source)].item.source else {
            return false;
        };
        let first = (!*satisfied).trailing_zeros() as usize;
        let mut reverse = false;
        let mut matched = 0;
        for (i, term) in (first..).zip(&select.order_by) {
            let (Some(wish), Some(column)) = (list.get(i), term.result_column) else {
                break;
            };
            if self.column(wish.expr) != Some((cursor, column as i16)) {
                break;
            }
            if !grouping {
                if term.order.big_null != wish.big_null {
                    break;
                }
                if matched > 0 {
                    if (reverse ^ term.order.desc) != wish.desc {
                        break;
                    }
                } else {
                    reverse = term.order.desc ^ wish.desc;
                    if reverse {
                        if lp.flags.contains(LoopFlags::COROUTINE) {
                            break;
                        }
                        found.reverse |= 1 << at;
                    }
                }
            }
            *satisfied |= 1 << i;
            matched += 1;
        }
        matched > 0
    }

    /// Whether the list names the rowid or a column of an index of this source, so that its order could matter.
    pub fn order_mentions_index(&self, source_no: u8, index_no: u16) -> bool {
        let Some(list) = &self.order_by else {
            return false;
        };
        let source = &self.sources[usize::from(source_no)];
        let index = &source.item.table.indexes[usize::from(index_no)];
        if index.unordered {
            return false;
        }
        list.iter().any(|wish| {
            let bare = facts::skip_ref(wish.expr);
            match self.column(bare) {
                Some((c, column)) if c == source.cursor() => {
                    let key = &index.columns[..index.key_count];
                    column < 0
                        || key
                            .iter()
                            .any(|k| k.key.column() == Some(i32::from(column)))
                }
                _ => (0..index.key_count as u16).any(|j| {
                    self.index_expr(source_no, index_no, j)
                        .is_some_and(|e| facts::same_skip(bare, e))
                }),
            }
        })
    }

    /// Whether the list names the rowid of this cursor.
    pub fn order_mentions_rowid(&self, cursor: i32, table: &Table) -> bool {
        let alias = table.rowid_alias.map(|c| c as i16);
        self.order_by.as_ref().is_some_and(|list| {
            list.iter()
                .any(|wish| match self.column(facts::skip_ref(wish.expr)) {
                    Some((c, column)) => c == cursor && (column < 0 || Some(column) == alias),
                    None => false,
                })
        })
    }

    /// Whether a subquery of FROM delivers its rows in an order of its own.
    pub fn subquery_is_ordered(&self, source_no: u8) -> bool {
        match &self.sources[usize::from(source_no)].item.source {
            FromSource::Select(select) => {
                let select: &Select = select;
                // That of a recursion is the order of its queue.
                !select.order_by.is_empty() && !select.flags.recursive
            }
            FromSource::Table | FromSource::Recursive => false,
        }
    }

    /// Whether DISTINCT says nothing, because a unique key is among the result columns or fixed.
    pub fn distinct_is_redundant(&self, result: &[Wish<'q>]) -> bool {
        let [source] = &self.sources[..] else {
            return false;
        };
        let cursor = source.cursor();
        let table = &source.item.table;
        let names = |column: i16| {
            result
                .iter()
                .position(|w| self.column(facts::skip_ref(w.expr)) == Some((cursor, column)))
        };
        if names(ROWID).is_some() {
            return true;
        }
        table.indexes.iter().enumerate().any(|(no, index)| {
            if index.unique.is_none() || index.partial.is_some() {
                return false;
            }
            (0..index.key_count).all(|j| {
                let at = super::scan::IndexColumnRef {
                    source: 0,
                    index: Some(no as u16),
                    position: j as u16,
                };
                let scan = Scan::index(self, ClauseId::WHERE, at, Ops::EQ);
                if self.find_term(scan, Mask::MAX, Ops::EQ).is_some() {
                    return true;
                }
                let key = &index.columns[j];
                let Some(column) = key.key.column() else {
                    return false;
                };
                let named = result.iter().any(|w| {
                    self.column(facts::skip_ref(w.expr)) == Some((cursor, column as i16))
                        && w.collation.same(&key.collation)
                });
                named && (column < 0 || table.columns[column as usize].not_null.is_some())
            })
        })
    }
}
