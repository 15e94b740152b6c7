//! The solver: which loop for each source, in which order.
//!
//! ```text
//! round 1        round 2             round 3             N paths are kept after each round: 1 for one source,
//!   t             t,u  ──────────▶     t,u,v             5 for two, 12 for more, 18 if a star of joins was found
//!   u    ──▶      u,t  (dropped)       t,v,u
//!   v             t,v                  …
//! ```
//!
//! Rules:
//! 1. Of two paths over the same set of sources and with the same hope of being ordered, the cheaper is kept.
//! 2. The cost of a path that is not ordered as wished includes the sort.
//! 3. It is solved twice where an order is wished: the first time for the number of rows, which the sort's cost needs.
//!    Between the two, full scans of sources for which the first solution found a key are struck out.
//!
//! Source: SQLite's `wherePathSolver`, "The Next-Generation Query Planner".

use super::cost::{self, LogEst};
use super::order::{Found, Wishes};
use super::{Control, Distinct, Level, Loop, LoopFlags, Mask, SOURCES_MAX, Where};
use crate::compiler::{Optimizations, SqlError};
use smallvec::SmallVec;

/// A sequence of loops; see the [module of the planner](super).
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// The sources that it covers.
    pub mask: Mask,
    /// Bit i: loop i runs backwards.
    pub reverse: Mask,
    /// Rows at its end.
    pub rows: LogEst,
    /// Its cost, sorting included.
    pub cost: LogEst,
    /// Its cost without sorting.
    pub unsorted: LogEst,
    /// Terms of the wished order that it satisfies; −1: not decided.
    pub ordered: i8,
    /// Bit i: loop i orders NULLs unnaturally.
    pub big_null: Mask,
    /// Numbers of loops.
    pub loops: SmallVec<[u16; 4]>,
}

impl Where<'_> {
    /// Finds the cheapest path and makes its loops the levels. `rows` is 0 in the first round of rule 3, else the
    /// number of rows that the first round found.
    ///
    /// # Errors
    /// `no query solution`, if INDEXED BY names an index that cannot be used.
    pub fn solve(&mut self, rows: LogEst) -> Result<(), SqlError> {
        let level_count = self.level_count;
        if level_count == 1 && (rows == 0 || self.order_by.is_none()) {
            return self.solve_single(rows);
        }
        let width = match level_count {
            0 | 1 => 1,
            2 => 5,
            _ => self.path_width(),
        };
        let wishes: Wishes<'_> = if rows == 0 {
            SmallVec::new()
        } else {
            self.order_by.clone().unwrap_or_default()
        };
        let wish_count = wishes.len() as i8;
        let mut sort_cost: SmallVec<[LogEst; 8]> = smallvec::smallvec![0; wishes.len()];
        let start = Path {
            rows: self.outer_rows.min(cost::OUTER_ROWS_MAX),
            ordered: if wish_count == 0 {
                0
            } else if level_count > 0 {
                -1
            } else {
                wish_count
            },
            ..Path::default()
        };
        let mut from: Vec<Path> = vec![start];
        let mut to: Vec<Path> = Vec::with_capacity(width);
        for round in 0..level_count {
            to.clear();
            let mut worst = Worst::default();
            for path in &from {
                for (no, lp) in self.loops.iter().enumerate() {
                    if lp.prereq & !path.mask != 0 || lp.self_mask & path.mask != 0 {
                        continue;
                    }
                    if lp.flags.contains(LoopFlags::AUTO_INDEX) && path.rows < 3 {
                        continue;
                    }
                    let mut unsorted = lp.run + path.rows;
                    if lp.setup != 0 {
                        unsorted = cost::add(lp.setup, unsorted);
                    }
                    unsorted = cost::add(unsorted, path.unsorted);
                    let out = path.rows + lp.rows;
                    let mask = path.mask | lp.self_mask;
                    let mut ordered = path.ordered;
                    let mut reverse = path.reverse;
                    let mut big_null = path.big_null;
                    if ordered < 0 {
                        let found: Found = self.satisfies(&wishes, &path.loops, lp, self.control);
                        ordered = found.satisfied;
                        reverse = found.reverse;
                        big_null = found.big_null;
                    }
                    let total;
                    if ordered >= 0 && ordered < wish_count {
                        let slot = &mut sort_cost[ordered as usize];
                        if *slot == 0 {
                            *slot = self.sorting_cost(rows, wishes.len(), ordered as usize);
                        }
                        total = cost::add(unsorted, *slot) + 3;
                    } else {
                        total = unsorted;
                        unsorted -= 2;
                    }
                    let last_round = round + 1 == level_count;
                    let rival = to.iter().position(|p| {
                        p.mask == mask && ((p.ordered < 0) == (ordered < 0) || last_round)
                    });
                    let place = match rival {
                        None => {
                            if to.len() >= width
                                && (total > worst.cost
                                    || (total == worst.cost && unsorted >= worst.unsorted))
                            {
                                continue;
                            }
                            if to.len() < width {
                                to.push(Path::default());
                                to.len() - 1
                            } else {
                                worst.place
                            }
                        }
                        Some(i) => {
                            let p = &to[i];
                            let have = (p.cost, p.rows, p.unsorted);
                            let new = (total, out, unsorted);
                            let last = &self.loops[usize::from(p.loops[round])];
                            if have < new || (have == new && self.is_no_better(lp, last)) {
                                continue;
                            }
                            i
                        }
                    };
                    let p = &mut to[place];
                    p.mask = mask;
                    p.reverse = reverse;
                    p.rows = out;
                    p.cost = total;
                    p.unsorted = unsorted;
                    p.ordered = ordered;
                    p.big_null = big_null;
                    p.loops.clear();
                    p.loops.extend_from_slice(&path.loops);
                    p.loops.push(no as u16);
                    if to.len() >= width {
                        worst = Worst::of(&to);
                    }
                }
            }
            std::mem::swap(&mut from, &mut to);
        }
        let Some(best) = from.into_iter().next() else {
            return Err(SqlError::error("no query solution"));
        };
        self.take(best, rows);
        Ok(())
    }

    /// The same for one source and no wish: the cheapest loop.
    fn solve_single(&mut self, rows: LogEst) -> Result<(), SqlError> {
        let before = self.outer_rows.min(cost::OUTER_ROWS_MAX);
        let mut best: Option<((LogEst, LogEst, LogEst), usize)> = None;
        for (no, lp) in self.loops.iter().enumerate() {
            if lp.prereq != 0 || (lp.flags.contains(LoopFlags::AUTO_INDEX) && before < 3) {
                continue;
            }
            let mut total = lp.run + before;
            if lp.setup != 0 {
                total = cost::add(lp.setup, total);
            }
            total = cost::add(total, 0);
            let new = (total, before + lp.rows, total - 2);
            let stays = best.is_some_and(|(have, last)| {
                have < new || (have == new && self.is_no_better(lp, &self.loops[last]))
            });
            if !stays {
                best = Some((new, no));
            }
        }
        let Some(((cost, out, unsorted), no)) = best else {
            return Err(SqlError::error("no query solution"));
        };
        let path = Path {
            mask: self.loops[no].self_mask,
            rows: out,
            cost,
            unsorted,
            loops: smallvec::smallvec![no as u16],
            ..Path::default()
        };
        self.take(path, rows);
        Ok(())
    }

    /// Of two equally dear ways to end a path the one with the smaller index entries is better.
    fn is_no_better(&self, candidate: &Loop, baseline: &Loop) -> bool {
        let size = |lp: &Loop| {
            let index = lp.index.filter(|_| lp.flags.contains(LoopFlags::INDEXED))?;
            Some(
                self.sources[usize::from(lp.source)].item.table.indexes[usize::from(index)]
                    .entry_size,
            )
        };
        match (size(candidate), size(baseline)) {
            (Some(c), Some(b)) => c >= b,
            _ => true,
        }
    }

    fn sorting_cost(&self, rows: LogEst, terms: usize, sorted: usize) -> LogEst {
        let limit = self
            .control
            .contains(Control::USE_LIMIT)
            .then_some(self.limit);
        let distinct = self.control.contains(Control::WANT_DISTINCT);
        cost::sorting(rows, self.result_width, terms, sorted, limit, distinct)
    }

    /// Makes a path the levels, and decides what it means for order and DISTINCT.
    fn take(&mut self, path: Path, rows: LogEst) {
        self.levels.clear();
        for &no in &path.loops {
            let lp = self.loops[usize::from(no)].clone();
            self.levels.push(Level::new(lp));
        }
        let (outer, last) = match path.loops.split_last() {
            Some((last, outer)) => (outer, Some(*last)),
            None => (&[][..], None),
        };
        let Some(last) = last else { return };
        self.rows_out = path.rows;
        self.total_cost = path.cost;
        self.ordered_inner = false;
        if self.order_by.is_none() && !self.control.contains(Control::WANT_DISTINCT) {
            return;
        }
        let last_loop = self.loops[usize::from(last)].clone();
        let wants = self.control.contains(Control::WANT_DISTINCT);
        if wants
            && !self.control.contains(Control::DISTINCTBY)
            && self.distinct == Distinct::Noop
            && rows != 0
        {
            let result = self.result.clone();
            let found = self.satisfies(&result, outer, &last_loop, Control::DISTINCTBY);
            if usize::try_from(found.satisfied) == Ok(result.len()) {
                self.distinct = Distinct::Ordered;
                self.note_distinct(found);
            }
        }
        if let Some(list) = self.order_by.clone() {
            let count = list.len() as i8;
            self.satisfied = path.ordered;
            if self.control.contains(Control::DISTINCTBY) {
                if path.ordered == count {
                    self.distinct = Distinct::Ordered;
                    let found = self.satisfies(&list, outer, &last_loop, self.control);
                    self.note_distinct(found);
                }
            } else {
                self.reverse = path.reverse;
                self.mark_big_null(path.big_null);
                if self.satisfied <= 0 {
                    self.satisfied = 0;
                    let flags = last_loop.flags;
                    let by_rowid_in = flags.contains(LoopFlags::IPK | LoopFlags::COLUMN_IN);
                    if !flags.contains(LoopFlags::ONEROW) && !by_rowid_in {
                        let found =
                            self.satisfies(&list, outer, &last_loop, Control::ORDERBY_LIMIT);
                        if found.satisfied == count {
                            self.ordered_inner = true;
                            self.reverse = found.reverse;
                            self.mark_big_null(found.big_null);
                        }
                    }
                } else if self.satisfied == 1
                    && self
                        .control
                        .intersects(Control::ORDERBY_MIN | Control::ORDERBY_MAX)
                {
                    self.ordered_inner = true;
                }
            }
            if self.control.contains(Control::SORTBYGROUP) && self.satisfied == count {
                let found = self.satisfies(&list, outer, &last_loop, Control::empty());
                if found.satisfied == count {
                    self.sorted = true;
                    self.reverse = found.reverse;
                }
            }
        }
    }

    fn mark_big_null(&mut self, mask: Mask) {
        for (i, level) in self.levels.iter_mut().enumerate() {
            if mask & (1 << i) != 0 {
                level.lp.flags |= LoopFlags::BIGNULL_SORT;
            }
        }
    }

    fn note_distinct(&mut self, found: Found) {
        if let Some(level) = self.levels.last_mut() {
            level.lp.distinct_columns = found.distinct_columns;
        }
    }

    /// Strikes out full scans of sources that the first solution reaches by a key (rule 3).
    pub fn interstage(&mut self) {
        for i in 0..self.levels.len() {
            let lp = &self.levels[i].lp;
            if !lp
                .flags
                .intersects(LoopFlags::COLUMN_EQ | LoopFlags::COLUMN_NULL | LoopFlags::COLUMN_IN)
            {
                break;
            }
            let source = lp.source;
            for other in &mut self.loops {
                if other.source == source
                    && !other
                        .flags
                        .intersects(LoopFlags::CONSTRAINT | LoopFlags::AUTO_INDEX)
                {
                    other.prereq = Mask::MAX;
                }
            }
        }
    }

    /// How many paths to keep. A table that three or more others look up in ("star") makes those others' full scans
    /// look too cheap in early rounds; their cost is raised above the star's.
    fn path_width(&mut self) -> usize {
        let count = self.level_count;
        if count >= 4 && !self.star_done && !self.disabled.contains(Optimizations::STAR_QUERY) {
            self.star_done = true;
            let strict =
                |w: &Self, i: usize| w.sources[i].join.is_outer() || w.sources[i].join.cross;
            let mut start = 0;
            let mut self_join: Mask = 0;
            for fact in 0..count.min(SOURCES_MAX) {
                let m: Mask = 1 << fact;
                if strict(self, fact) {
                    if fact + 3 > count {
                        break;
                    }
                    while start < self.loops.len() && usize::from(self.loops[start].source) <= fact
                    {
                        start += 1;
                    }
                }
                let (mut seen, mut dependents): (Mask, u32) = (0, 0);
                for lp in &self.loops[start..] {
                    if strict(self, usize::from(lp.source)) {
                        break;
                    }
                    if lp.prereq & m == 0 || lp.self_mask & (seen | self_join) != 0 {
                        continue;
                    }
                    let a = &self.sources[usize::from(lp.source)].item.table;
                    let b = &self.sources[fact].item.table;
                    if std::sync::Arc::ptr_eq(a, b) {
                        self_join |= m;
                    } else {
                        dependents += 1;
                        seen |= lp.self_mask;
                    }
                }
                if dependents <= 2 {
                    continue;
                }
                self.star_used = true;
                let mut most = LogEst::MIN;
                for lp in &self.loops[start..] {
                    match usize::from(lp.source).cmp(&fact) {
                        std::cmp::Ordering::Less => {}
                        std::cmp::Ordering::Equal => most = most.max(lp.run),
                        std::cmp::Ordering::Greater => break,
                    }
                }
                most = most.saturating_add(1);
                for lp in &mut self.loops[start..] {
                    if lp.self_mask & seen != 0 && lp.terms.is_empty() && lp.run < most {
                        lp.run = most;
                    }
                }
            }
        }
        if self.star_used { 18 } else { 12 }
    }
}

/// The dearest of the paths that are kept.
#[derive(Default)]
struct Worst {
    place: usize,
    cost: LogEst,
    unsorted: LogEst,
}

impl Worst {
    fn of(paths: &[Path]) -> Worst {
        let mut worst = Worst {
            place: 0,
            cost: paths[0].cost,
            unsorted: paths[0].rows,
        };
        for (place, p) in paths.iter().enumerate().skip(1) {
            if p.cost > worst.cost || (p.cost == worst.cost && p.unsorted > worst.unsorted) {
                worst = Worst {
                    place,
                    cost: p.cost,
                    unsorted: p.unsorted,
                };
            }
        }
        worst
    }
}
