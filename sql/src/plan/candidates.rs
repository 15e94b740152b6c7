//! Candidate loops: every way to visit a source that may be worth something, with its costs.
//!
//! ```text
//! for each source                     for each index column, from the left
//!   automatic index on t.a = u.b        for each term that fits
//!   full scan by rowid                    a loop with it
//!   for each index                        and, if it is an equality, loops with the next column too
//!     full scan (covering, or ordered)
//!     loops bounded by terms  ─────────▶
//!   OR loops (multi_or)
//! ```
//!
//! Rules:
//! 1. A loop is offered to those that were kept ([`super::rivals`]).
//! 2. A source behind an outer or CROSS join needs everything before it.
//! 3. The number of loops weighed is bounded; beyond it, what was found must do.
//!
//! Source: SQLite's `whereLoopAddBtree`, `whereLoopAddBtreeIndex`, `whereLoopOutputAdjust`.

use super::cost::{self, LogEst, RangeTerm};
use super::facts;
use super::or_cost::OrSet;
use super::probe::Probe;
use super::samples::ProbeKey;
use super::scan::{IndexColumnRef, Scan};
use super::term::{Rows, Term};
use super::{ClauseId, Control, Loop, LoopFlags, Mask, Ops, ROWID, TermFlags, TermId, Where};
use crate::bound::{Expr, InSet};
use crate::codegen::types::compare_affinity;
use crate::compiler::Optimizations;
use crate::schema::{Index, Table};
use smallvec::SmallVec;

/// Loops weighed for one statement, and more for each source.
const LOOPS_MAX: u32 = 20_000;
const LOOPS_PER_SOURCE: u32 = 1_000;

/// The state of the search for loops.
pub struct Builder<'p, 'q> {
    /// The plan.
    pub plan: &'p mut Where<'q>,
    /// The clause whose terms are used.
    pub clause: ClauseId,
    /// The loop being made.
    pub new: Loop,
    /// Where costs go instead of the list of loops, inside an OR.
    pub or_set: Option<OrSet>,
    /// Rule 3.
    pub budget: u32,
    /// What is looked up among the samples of the index that is probed.
    pub key: ProbeKey,
    /// What was weighed is to be weighed again.
    pub again: bool,
}

impl<'q> Builder<'_, 'q> {
    /// All loops of all sources; whether they should be weighed once more.
    pub fn add_all(plan: &mut Where<'q>) -> bool {
        let mut b = Builder {
            plan,
            clause: ClauseId::WHERE,
            new: Loop::empty(),
            or_set: None,
            budget: LOOPS_MAX,
            key: ProbeKey::default(),
            again: false,
        };
        let (mut prereq, mut prior): (Mask, Mask) = (0, 0);
        let mut first_past_right = false;
        let mut ordered = false;
        for i in 0..b.plan.level_count {
            let source = b.plan.sources[i];
            b.budget += LOOPS_PER_SOURCE;
            b.new = Loop::empty();
            b.new.source = i as u8;
            b.new.self_mask = 1 << i;
            let join = source.join;
            if first_past_right || join.is_outer() || join.cross || join.left_of_right {
                // Rule 2.
                ordered |= join.left_of_right || join.cross;
                prereq |= prior;
                first_past_right = join.right;
            } else if source.item.from_exists {
                prereq |= b.needed_before(i);
            } else if !ordered {
                prereq = 0;
            }
            let mut unusable: Mask = 0;
            if b.plan.is_virtual(i as u8) {
                // What stands behind an outer or CROSS join is in inner loops.
                for later in i + 1..b.plan.level_count {
                    let join = b.plan.sources[later].join;
                    if unusable != 0 || join.is_outer() || join.cross {
                        unusable |= 1 << later;
                    }
                }
            }
            b.add_source(prereq, unusable);
            if b.plan.clause(b.clause).has_or {
                b.add_or(prereq, unusable);
            }
            prior |= b.new.self_mask;
        }
        b.again
    }

    /// The sources before the i-th that conditions join it to: an EXISTS comes after all of them.
    fn needed_before(&self, i: usize) -> Mask {
        let own: Mask = 1 << i;
        let clause = self.plan.clause(self.clause);
        let terms = clause.terms[..clause.base_count].iter();
        let uses = terms.map(|&id| self.plan.term(id).prereq_all);
        uses.filter(|all| all & own != 0)
            .fold(0, |mask, all| mask | (all & (own - 1)))
    }

    /// Loops of the current source.
    pub fn add_source(&mut self, prereq: Mask, unusable: Mask) {
        if self.plan.is_virtual(self.new.source) {
            self.add_virtual(prereq, unusable);
        } else {
            self.add_btree(prereq);
        }
    }

    /// Loops of the current source over its table and indexes.
    pub fn add_btree(&mut self, prereq: Mask) {
        let source = self.plan.sources[usize::from(self.new.source)];
        let table: &'q Table = &source.item.table;
        self.add_automatic(prereq);
        let hint = self.plan.hint(self.new.source);
        if let Some(only) = hint.only {
            self.add_index(prereq, only, 1);
            return;
        }
        let mut sort_index = 1;
        if !table.without_rowid {
            self.add_rowid(prereq, sort_index);
            sort_index += 1;
        }
        if hint.none && !table.without_rowid {
            return;
        }
        for i in 0..table.indexes.len() {
            self.add_index(prereq, i as u16, sort_index);
            sort_index = sort_index.saturating_add(1);
        }
    }

    /// An index that would be built for this statement.
    fn add_automatic(&mut self, prereq: Mask) {
        let source = self.plan.sources[usize::from(self.new.source)];
        let hint = self.plan.hint(self.new.source);
        if self.or_set.is_some()
            || self
                .plan
                .control
                .intersects(Control::RIGHT_JOIN | Control::OR_SUBCLAUSE)
            || !self.plan.automatic_index
            || hint.only.is_some()
            || hint.none
            || source.rows == Rows::Recursive
            || self.plan.is_correlated(self.new.source)
            || source.join.right
        {
            return;
        }
        let rows = source.estimate;
        let depth = cost::est_log(rows);
        for i in 0..self.plan.clause(self.clause).terms.len() {
            let id = self.plan.clause(self.clause).terms[i];
            let t = self.plan.term(id);
            if t.prereq_right & self.new.self_mask != 0
                || !self.plan.can_drive_index(t, self.new.source, 0)
            {
                continue;
            }
            let prereq_right = t.prereq_right;
            let build = if source.is_subquery() {
                cost::AUTO_INDEX_VIEW
            } else {
                cost::AUTO_INDEX_SETUP
            };
            let new = &mut self.new;
            new.eq = 1;
            new.skip = 0;
            new.index = None;
            new.terms.clear();
            new.terms.push(Some(id));
            new.setup = (depth + rows + build).max(0);
            new.rows = cost::AUTO_INDEX_ROWS;
            new.run = cost::add(depth, new.rows);
            new.flags = LoopFlags::AUTO_INDEX;
            new.prereq = prereq | prereq_right;
            self.insert();
        }
    }

    fn reset(&mut self, prereq: Mask, rows: LogEst, index: Option<u16>) {
        let new = &mut self.new;
        new.eq = 0;
        new.btm = 0;
        new.top = 0;
        new.distinct_columns = 0;
        new.skip = 0;
        new.terms.clear();
        new.sort_index = 0;
        new.setup = 0;
        new.prereq = prereq;
        new.rows = rows;
        new.index = index;
        new.ordered_subquery = false;
    }

    /// The full scan of the table by rowid, and loops bounded by the rowid.
    fn add_rowid(&mut self, prereq: Mask, sort_index: u8) {
        let source = self.plan.sources[usize::from(self.new.source)];
        let table: &'q Table = &source.item.table;
        let rows = source.estimate;
        self.reset(prereq, rows, None);
        let helps = self.plan.order_mentions_rowid(source.cursor(), table);
        self.new.flags = LoopFlags::IPK;
        self.new.sort_index = if helps { sort_index } else { 0 };
        self.new.run = rows + cost::STEP_TABLE + self.scan_discount(table.has_samples);
        self.adjust_rows(rows);
        if source.item.from_exists {
            self.new.rows = 0; // it is left after its first row
        }
        if matches!(source.rows, Rows::Coroutine { .. }) {
            self.new.flags |= LoopFlags::COROUTINE;
        }
        self.new.ordered_subquery = source.is_subquery()
            && !self
                .plan
                .disabled
                .contains(Optimizations::ORDER_BY_SUBQUERY)
            && self.plan.subquery_is_ordered(self.new.source);
        self.insert();
        self.new.rows = rows;
        self.extend(
            Probe {
                index: None,
                table,
                key: None,
                estimate: rows,
            },
            0,
        );
    }

    /// The full scan of an index, where that is useful, and loops bounded by its columns.
    fn add_index(&mut self, prereq: Mask, index_no: u16, sort_index: u8) {
        let source = self.plan.sources[usize::from(self.new.source)];
        let table: &'q Table = &source.item.table;
        let index: &'q Index = &table.indexes[usize::from(index_no)];
        if index.partial.is_some()
            && !self
                .plan
                .partial_index_usable(self.clause, self.new.source, index_no)
        {
            return;
        }
        let rows = index
            .row_estimates
            .first()
            .copied()
            .unwrap_or(table.row_estimate);
        self.reset(prereq, rows, Some(index_no));
        let helps = self.plan.order_mentions_index(self.new.source, index_no);
        let is_table = table.without_rowid && index.is_primary_key();
        let missing = if is_table {
            0
        } else {
            self.plan.columns_missing(self.new.source, index_no)
        };
        self.new.flags = LoopFlags::INDEXED;
        let mut missing = missing;
        if missing == 0 {
            if !table.without_rowid || is_table || self.plan.has_select {
                self.new.flags |= LoopFlags::IDX_ONLY;
            }
        } else if missing == 1 << 63 || (index.has_expr && missing != 0) {
            if let Some(found) = self.plan.covers_by_walk(self.new.source, index_no) {
                missing = 0;
                self.new.flags |= found;
            }
        }
        let hint = self.plan.hint(self.new.source);
        if helps
            || table.without_rowid
            || index.partial.is_some()
            || hint.only.is_some()
            || (missing == 0
                && !self.plan.disabled.contains(Optimizations::COVER_INDEX_SCAN)
                && !index.unordered
                && index.entry_size < table.row_size
                && !self.plan.control.contains(Control::ONEPASS_DESIRED))
        {
            self.new.sort_index = if helps { sort_index } else { 0 };
            self.new.run = rows + 1 + (15 * index.entry_size) / table.row_size.max(1);
            if missing != 0 {
                let lookups = self.lookups_after_filter(index_no, rows);
                self.new.run = cost::add(self.new.run, lookups);
            }
            self.adjust_rows(rows);
            if source.item.from_exists {
                self.new.rows = 0;
            }
            if !(source.join.right && index.has_expr) {
                self.insert();
            }
            self.new.rows = rows;
        }
        self.extend(
            Probe {
                index: Some(index_no),
                table,
                key: Some(index),
                estimate: rows,
            },
            0,
        );
        self.key = ProbeKey::default();
    }

    /// The cost of fetching table rows for the entries that terms on the index alone let pass.
    fn lookups_after_filter(&self, index_no: u16, rows: LogEst) -> LogEst {
        let mut lookups = rows + cost::STEP_TABLE;
        for &id in &self.plan.clause(ClauseId::WHERE).terms {
            let t = self.plan.term(id);
            if !self
                .plan
                .covered_by_index(&t.expr, self.new.source, index_no)
            {
                break;
            }
            if t.truth <= 0 {
                lookups += t.truth;
            } else {
                lookups -= 1;
                if t.ops.intersects(Ops::EQ | Ops::IS) {
                    lookups -= 19;
                }
            }
        }
        lookups
    }

    /// Adds terms for the next column of the index to the loop being made, and inserts what comes of it.
    fn extend(&mut self, probe: Probe<'q>, in_multiplier: LogEst) {
        let source = self.plan.sources[usize::from(self.new.source)];
        let mut ops = if self.new.flags.contains(LoopFlags::BTM_LIMIT) {
            Ops::LT | Ops::LE
        } else {
            Ops::EQ | Ops::IN | Ops::RANGE | Ops::ISNULL | Ops::IS
        };
        if probe.key.is_some_and(|k| k.unordered) {
            ops -= Ops::RANGE;
        }
        let saved = self.new.clone();
        let at = saved.eq;
        let size = probe.rows(0);
        let depth = cost::est_log(size);
        let found = self.terms_for(probe, at, ops);
        let sampled = self.sampled(probe);
        let key_known = self.key.known;
        self.new.setup = 0;
        for (id, transitive) in found {
            let t = self.plan.term(id);
            let (term_ops, flags, prereq_right, truth) = (t.ops, t.flags, t.prereq_right, t.truth);
            let is_guard = flags.contains(TermFlags::GUARD);
            if (term_ops == Ops::ISNULL || is_guard) && probe.column_not_null(at) {
                continue;
            }
            if prereq_right & self.new.self_mask != 0
                || (flags.contains(TermFlags::LIKE_OPT) && term_ops == Ops::LT)
                || (source.in_outer_join() && !self.plan.fits_outer_join(t, self.new.source))
            {
                continue;
            }
            self.new.flags = saved.flags;
            self.new.eq = saved.eq;
            self.new.btm = saved.btm;
            self.new.top = saved.top;
            self.new.terms.truncate(saved.terms.len());
            self.new.terms.push(Some(id));
            self.new.prereq = (saved.prereq | prereq_right) & !self.new.self_mask;
            let mut in_rows = 0;
            let (mut bottom, mut top) = (None, None);
            if term_ops.contains(Ops::IN) {
                match self.weigh_in(probe, id, at, depth, in_multiplier) {
                    Some(n) => in_rows = n,
                    None => continue,
                }
            } else if term_ops.intersects(Ops::EQ | Ops::IS) {
                self.new.flags |= LoopFlags::COLUMN_EQ;
                self.mark_unique(probe, at, term_ops, in_multiplier);
                if transitive {
                    self.new.flags |= LoopFlags::TRANSCONS;
                }
            } else if term_ops.contains(Ops::ISNULL) {
                self.new.flags |= LoopFlags::COLUMN_NULL;
            } else {
                let width = self
                    .plan
                    .range_vector_length(probe.key, self.new.source, at, id);
                if term_ops.intersects(Ops::GT | Ops::GE) {
                    self.new.flags |= LoopFlags::COLUMN_RANGE | LoopFlags::BTM_LIMIT;
                    self.new.btm = width;
                    bottom = Some(id);
                    if flags.contains(TermFlags::LIKE_OPT) {
                        let upper = TermId(id.0 + 1); // derive_like puts it there
                        self.new.terms.push(Some(upper));
                        self.new.flags |= LoopFlags::TOP_LIMIT;
                        self.new.top = 1;
                        top = Some(upper);
                    }
                } else {
                    self.new.flags |= LoopFlags::COLUMN_RANGE | LoopFlags::TOP_LIMIT;
                    self.new.top = width;
                    top = Some(id);
                    if self.new.flags.contains(LoopFlags::BTM_LIMIT) {
                        bottom = self.new.terms[self.new.terms.len() - 2];
                    }
                }
            }
            if self.new.flags.contains(LoopFlags::COLUMN_RANGE) {
                if let Some(sampled) = &sampled {
                    let descends = probe.key.is_some_and(|k| k.columns[usize::from(at)].desc);
                    (bottom, top) = self.narrow(sampled, bottom, top, descends);
                }
                let range = |id: TermId| {
                    let t = self.plan.term(id);
                    RangeTerm {
                        truth: t.truth,
                        is_guard: t.flags.contains(TermFlags::GUARD),
                    }
                };
                self.new.rows = cost::range_rows(self.new.rows, bottom.map(range), top.map(range));
            } else {
                self.new.eq += 1;
                if truth <= 0 && probe.column(at).is_some_and(|c| c >= 0) {
                    self.new.rows += truth - in_rows;
                } else if let Some(rows) = sampled
                    .as_ref()
                    .filter(|_| in_multiplier == 0)
                    .and_then(|s| self.equal_rows(s, id))
                    .filter(|&rows| rows > 0)
                {
                    self.new.rows = cost::log_est(rows);
                    if self.new.eq == 1 && self.new.rows + 10 > probe.rows(0) {
                        self.note_low_selectivity(id);
                    }
                    self.new.rows = self.new.rows.min(saved.rows) - in_rows;
                } else {
                    self.new.rows += probe.rows(self.new.eq) - probe.rows(self.new.eq - 1);
                    if term_ops.contains(Ops::ISNULL) {
                        self.new.rows += cost::NULL_FACTOR;
                    }
                }
            }
            let step = match probe.key {
                None => self.new.rows + cost::STEP_IPK,
                Some(k) => self.new.rows + 1 + (15 * k.entry_size) / probe.table.row_size.max(1),
            };
            self.new.run = cost::add(depth, step);
            if !self
                .new
                .flags
                .intersects(LoopFlags::IDX_ONLY | LoopFlags::IPK | LoopFlags::EXPRIDX)
            {
                self.new.run = cost::add(self.new.run, self.new.rows + cost::STEP_TABLE);
            }
            let unadjusted = self.new.rows;
            self.new.run += in_multiplier + in_rows;
            self.new.rows += in_multiplier + in_rows;
            self.adjust_rows(size);
            if source.item.from_exists {
                self.new.rows = 0;
            }
            self.insert();
            self.new.rows = if self.new.flags.contains(LoopFlags::COLUMN_RANGE) {
                saved.rows
            } else {
                unadjusted
            };
            let more = !self.new.flags.contains(LoopFlags::TOP_LIMIT)
                && self.new.eq < probe.column_count()
                && (self.new.eq < probe.key_count() || !probe.is_primary_key());
            if more {
                self.extend(probe, in_multiplier + in_rows);
            }
            self.new.rows = saved.rows;
            self.key.known = key_known;
        }
        let setup = self.new.setup;
        self.new = saved;
        self.new.setup = setup;
        self.skip_scan(probe, in_multiplier);
    }

    /// Leaves the next column open and enumerates its values, if statistics promise few of them.
    fn skip_scan(&mut self, probe: Probe<'q>, in_multiplier: LogEst) {
        let Some(key) = probe.key else { return };
        let at = self.new.eq;
        if self.plan.disabled.contains(Optimizations::SKIP_SCAN)
            || at != self.new.skip
            || at + 1 >= probe.key_count()
            || usize::from(at) != self.new.terms.len()
            || key.no_skip_scan
            || !key.has_statistics
            || probe.rows(at + 1) < cost::SKIP_SCAN_MIN
            || self.plan.sources[usize::from(self.new.source)]
                .item
                .from_exists
        {
            return;
        }
        let (flags, rows) = (self.new.flags, self.new.rows);
        self.new.eq += 1;
        self.new.skip += 1;
        self.new.terms.push(None);
        self.new.flags |= LoopFlags::SKIPSCAN;
        let values = probe.rows(at) - probe.rows(at + 1);
        self.new.rows -= values;
        self.extend(probe, values + 5 + in_multiplier);
        self.new.rows = rows;
        self.new.eq = at;
        self.new.skip -= 1;
        self.new.terms.pop();
        self.new.flags = flags;
    }

    fn terms_for(&self, probe: Probe<'q>, at: u16, ops: Ops) -> SmallVec<[(TermId, bool); 8]> {
        let at = IndexColumnRef {
            source: self.new.source,
            index: probe.index,
            position: at,
        };
        let mut scan = Scan::index(self.plan, self.clause, at, ops);
        let mut found = SmallVec::new();
        while let Some(id) = scan.next(self.plan) {
            found.push((id, scan.is_transitive()));
        }
        found
    }

    /// Rows on the right of an IN, or none if the loop should not use it.
    fn weigh_in(
        &mut self,
        probe: Probe<'q>,
        id: TermId,
        at: u16,
        depth: LogEst,
        in_multiplier: LogEst,
    ) -> Option<LogEst> {
        let t = self.plan.term(id);
        let set = t.in_expr()?;
        let rows = match &set.set {
            InSet::List(list) => cost::log_est(list.len() as u64),
            InSet::Select { .. } => {
                let mut rows = cost::IN_SELECT_ROWS;
                let (_, earlier) = self.new.terms.split_last()?;
                for other in earlier.iter().flatten() {
                    let o = self.plan.term(*other);
                    if o.in_expr().is_some_and(|s| s.id == set.id) {
                        rows = 0;
                        if o.field == t.field {
                            self.new.terms.pop();
                            return None;
                        }
                    }
                }
                rows
            }
        };
        if probe.key.is_some_and(|k| k.has_statistics) && depth >= 10 {
            let per_value = probe.rows(at);
            let x = per_value + cost::est_log(rows) + 10 - (rows + depth);
            if x < 0 {
                if in_multiplier < 2 && !self.plan.disabled.contains(Optimizations::SEEK_SCAN) {
                    self.new.flags |= LoopFlags::IN_SEEKSCAN;
                } else {
                    return None;
                }
            }
        }
        self.new.flags |= LoopFlags::COLUMN_IN;
        Some(rows)
    }

    /// Whether an equality on this column makes it one row.
    fn mark_unique(&mut self, probe: Probe<'q>, at: u16, ops: Ops, in_multiplier: LogEst) {
        let column = probe.column(at);
        let is_rowid = column == Some(ROWID);
        let last =
            column.is_some_and(|c| c >= 0) && in_multiplier == 0 && at + 1 == probe.key_count();
        if !is_rowid && !last {
            return;
        }
        let one_row = is_rowid
            || probe.key.is_some_and(|k| {
                k.unique_not_null
                    || (k.key_count == 1 && k.unique.is_some() && ops.contains(Ops::EQ))
            });
        self.new.flags |= if one_row {
            LoopFlags::ONEROW
        } else {
            LoopFlags::UNQ_WANTED
        };
    }

    /// Lowers the row count of the loop being made by what other terms on the source throw away.
    pub fn adjust_rows(&mut self, table_rows: LogEst) {
        if self.plan.sources.len() <= 1 && self.plan.order_by.is_none() {
            return;
        }
        let not_allowed = !(self.new.prereq | self.new.self_mask);
        let clause = self.plan.clause(self.clause);
        let mut reduce = 0;
        let mut heuristic = SmallVec::<[TermId; 2]>::new();
        for &id in &clause.terms[..clause.base_count] {
            let t = self.plan.term(id);
            if t.prereq_all & not_allowed != 0
                || t.prereq_all & self.new.self_mask == 0
                || t.is_virtual()
            {
                continue;
            }
            let used = self
                .new
                .terms
                .iter()
                .flatten()
                .any(|&u| u == id || self.plan.term(u).parent == Some(id));
            if used {
                continue;
            }
            if self.new.self_mask == t.prereq_all {
                let join = self.plan.sources[usize::from(self.new.source)].join;
                if t.ops.intersects(Ops::EQ | Ops::IN | Ops::RANGE)
                    || !(join.left || join.left_of_right)
                {
                    self.new.flags |= LoopFlags::SELFCULL;
                }
            }
            if t.truth <= 0 {
                self.new.rows += t.truth;
                continue;
            }
            self.new.rows -= 1;
            if t.ops.intersects(Ops::EQ | Ops::IS) && !t.flags.contains(TermFlags::HIGH_TRUTH) {
                let right = t.sides.as_ref().and_then(|s| s.right.as_deref());
                let likely = right
                    .and_then(Expr::as_integer)
                    .is_some_and(|k| (-1..=1).contains(&k));
                let by = if likely { 10 } else { 20 };
                if reduce < by {
                    reduce = by;
                    heuristic.push(id);
                }
            } else if let Expr::Function(call) = &*t.expr {
                if let Some(length) = facts::pattern_length(call) {
                    self.new.rows -= (length * 2) as LogEst;
                }
            }
        }
        self.new.rows = self.new.rows.min(table_rows - reduce);
        for id in heuristic {
            self.plan.term_mut(id).flags |= TermFlags::HEURISTIC_TRUTH;
        }
    }
}

impl Where<'_> {
    /// Whether a term could be the key of an automatic index.
    pub fn can_drive_index(&self, t: &Term<'_>, source_no: u8, not_ready: Mask) -> bool {
        let source = &self.sources[usize::from(source_no)];
        if t.cursor != source.cursor() || !t.ops.intersects(Ops::EQ | Ops::IS) {
            return false;
        }
        if source.in_outer_join() && !self.fits_outer_join(t, source_no) {
            return false;
        }
        if t.prereq_right & not_ready != 0 || t.column < 0 {
            return false;
        }
        let column = t.column as usize;
        let table = &source.item.table;
        let Some(sides) = &t.sides else { return false };
        if !facts::index_affinity_ok(sides.affinity, table.columns[column].affinity) {
            return false;
        }
        // A column that leads a real index, or does not tell rows apart in one, is not worth building for.
        !table.indexes.iter().any(|index| {
            let key = &index.columns[..index.key_count];
            match key
                .iter()
                .position(|c| c.key.column() == Some(column as i32))
            {
                Some(0) => true,
                Some(j) => index.has_statistics && index.row_estimates[j + 1] > 20,
                None => false,
            }
        })
    }

    /// Whether a term may bound a loop over the inner side of an outer join (rule 2 of the planner).
    pub fn fits_outer_join(&self, t: &Term<'_>, source_no: u8) -> bool {
        t.on.cursor() == Some(self.sources[usize::from(source_no)].cursor())
    }

    /// How many columns of a row-value range the index can use from this place on.
    fn range_vector_length(
        &self,
        index: Option<&Index>,
        source_no: u8,
        at: u16,
        id: TermId,
    ) -> u16 {
        let t = self.term(id);
        let Some(sides) = &t.sides else { return 1 };
        let Expr::Vector(left) = &*sides.left else {
            return 1;
        };
        let Some(index) = index else { return 1 };
        let source = &self.sources[usize::from(source_no)];
        let count = left.len().min(index.columns.len() - usize::from(at));
        let first = &index.columns[usize::from(at)];
        let mut n = 1;
        while n < count {
            let place = &index.columns[usize::from(at) + n];
            // The rowid ends it, as in SQLite: it has no collation.
            let Some(place_column) = place.key.column().filter(|&c| c >= 0) else {
                break;
            };
            let Some(right) = sides.right.as_deref().map(|r| r.vector_field(n)) else {
                break;
            };
            if self.column(&left[n]) != Some((source.cursor(), place_column as i16))
                || place.desc != first.desc
            {
                break;
            }
            let used = compare_affinity(right, left[n].affinity());
            if used != source.item.table.affinity_of(place_column) {
                break;
            }
            let collation = sides.field_collations.as_ref().and_then(|f| f.get(n));
            if !collation.is_some_and(|c| c.same(&place.collation)) {
                break;
            }
            n += 1;
        }
        n as u16
    }
}
