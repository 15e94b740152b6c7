//! Loops of one source compete: which of them are kept.
//!
//! Rules:
//! 1. A loop is kept only if no kept loop of its source is as cheap, as selective and needs no more.
//! 2. If one loop uses a proper subset of another's terms, its cost must not look better by luck: costs are adjusted so
//!    that more terms are never dearer.
//! 3. A row-value IN whose right side must be taken as it is bounds an index with all of its fields or not at all.
//!
//! Source: SQLite's `whereLoopInsert`, `whereLoopAdjustCost`, `whereLoopFindLesser`.

use super::candidates::Builder;
use super::or_cost::OrCost;
use super::{Loop, LoopFlags};
use crate::bound::InSet;
use crate::codegen::loops::row_value::may_be_reduced;

impl Builder<'_, '_> {
    /// Offers the loop that was made (rules 1 and 2).
    pub fn insert(&mut self) {
        if self.budget == 0 {
            if let Some(set) = &mut self.or_set {
                set.costs.clear();
            }
            return;
        }
        self.budget -= 1;
        if !self.row_values_complete() {
            return;
        }
        let mut new = self.new.clone();
        self.adjust_cost(&mut new);
        if let Some(set) = &mut self.or_set {
            if !new.terms.is_empty() {
                set.insert(OrCost {
                    prereq: new.prereq,
                    run: new.run,
                    rows: new.rows,
                });
            }
            self.new.run = new.run;
            self.new.rows = new.rows;
            return;
        }
        (self.new.run, self.new.rows) = (new.run, new.rows);
        let loops = &mut self.plan.loops;
        let mut place = None;
        let mut i = 0;
        while i < loops.len() {
            match compare(&loops[i], &new) {
                Verdict::Unrelated => {}
                Verdict::Keep if place.is_none() => return,
                Verdict::Keep => break,
                Verdict::Replace if place.is_none() => place = Some(i),
                Verdict::Replace => {
                    loops.remove(i);
                    continue;
                }
            }
            i += 1;
        }
        match place {
            Some(i) => loops[i] = new,
            None => loops.push(new),
        }
    }

    /// A row-value IN whose right side must be taken as it is bounds an index only with all of its fields.
    fn row_values_complete(&self) -> bool {
        self.new.terms.iter().flatten().all(|&id| {
            let t = self.plan.term(id);
            if t.field == 0 {
                return true;
            }
            let Some(set) = t.in_expr() else { return true };
            if matches!(&set.set, InSet::Select { select, .. } if may_be_reduced(select)) {
                return true;
            }
            let present = self.new.terms.iter().flatten().filter(|&&o| {
                let o = self.plan.term(o);
                o.field != 0 && o.in_expr().is_some_and(|s| s.id == set.id)
            });
            present.count() == set.left.vector_size()
        })
    }

    fn adjust_cost(&self, new: &mut Loop) {
        if !new.flags.contains(LoopFlags::INDEXED) {
            return;
        }
        for p in &self.plan.loops {
            if p.source != new.source || !p.flags.contains(LoopFlags::INDEXED) {
                continue;
            }
            if cheaper_subset(p, new) {
                new.run = new.run.min(p.run);
                new.rows = new.rows.min(p.rows - 1);
            } else if cheaper_subset(new, p) {
                new.run = new.run.max(p.run);
                new.rows = new.rows.max(p.rows + 1);
            }
        }
    }
}

/// Whether `x` uses fewer of `y`'s terms and yet looks no dearer.
fn cheaper_subset(x: &Loop, y: &Loop) -> bool {
    if x.run > y.run && x.rows > y.rows {
        return false;
    }
    if x.eq < y.eq && x.same_index(y) && x.skip == 0 && y.skip == 0 {
        return true;
    }
    let count = |l: &Loop| l.terms.len() - usize::from(l.skip);
    if count(x) >= count(y) || y.skip > x.skip {
        return false;
    }
    if !x
        .terms
        .iter()
        .flatten()
        .all(|t| y.terms.contains(&Some(*t)))
    {
        return false;
    }
    !x.flags.contains(LoopFlags::IDX_ONLY) || y.flags.contains(LoopFlags::IDX_ONLY)
}

enum Verdict {
    Unrelated,
    Keep,
    Replace,
}

/// Whether the loop that is there (`p`) makes the new one useless, or the other way round.
fn compare(p: &Loop, new: &Loop) -> Verdict {
    if p.source != new.source || p.sort_index != new.sort_index {
        return Verdict::Unrelated;
    }
    let needs_no_more = p.prereq & new.prereq == new.prereq;
    if p.flags.contains(LoopFlags::AUTO_INDEX)
        && new.skip == 0
        && new
            .flags
            .contains(LoopFlags::INDEXED | LoopFlags::COLUMN_EQ)
        && needs_no_more
    {
        return Verdict::Replace;
    }
    if p.prereq & new.prereq == p.prereq
        && p.setup <= new.setup
        && p.run <= new.run
        && p.rows <= new.rows
    {
        return Verdict::Keep;
    }
    if needs_no_more && p.run >= new.run && p.rows >= new.rows {
        return Verdict::Replace;
    }
    Verdict::Unrelated
}
