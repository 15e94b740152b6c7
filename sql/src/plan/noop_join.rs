//! Leaves out LEFT JOINs that nobody sees.
//!
//! Rules:
//! 1. The right table of a LEFT JOIN is left out if neither the result nor the order uses it, no term but those of its
//!    own ON does, and it gives at most one row for each of the left (or duplicates go away anyway).
//! 2. Its ON terms are then coded: they decide nothing.
//!
//! Source: SQLite's `whereOmitNoopJoin`.

use super::{ClauseId, Control, LoopFlags, Mask, TermFlags, Where};

impl Where<'_> {
    /// Leaves out what can be; returns the sources that are left, as a mask of those not ready.
    pub fn omit_joins(&mut self) -> Mask {
        let mut not_ready = Mask::MAX;
        let mut used = 0;
        for wish in self.result.iter().chain(self.order_by.iter().flatten()) {
            used |= self.usage(wish.expr, &mut false);
        }
        for i in (1..self.levels.len()).rev() {
            let lp = &self.levels[i].lp;
            let source = self.sources[usize::from(lp.source)];
            if !source.join.left || source.join.right {
                continue;
            }
            let at_most_one = lp.flags.contains(LoopFlags::ONEROW);
            if !at_most_one && !self.control.contains(Control::WANT_DISTINCT) {
                continue;
            }
            let own = lp.self_mask;
            if used & own != 0 {
                continue;
            }
            let where_ = &self.clause(ClauseId::WHERE).terms;
            let seen = where_.iter().any(|&id| {
                let t = self.term(id);
                t.prereq_all & own != 0
                    && !(t.on.is_outer() && t.on.cursor() == Some(source.cursor()))
            });
            if seen {
                continue;
            }
            let below = (1 << i) - 1;
            self.reverse = (self.reverse & below) | ((self.reverse >> 1) & !below);
            not_ready &= !own;
            for t in &mut self.terms {
                if t.prereq_all & own != 0 {
                    t.flags |= TermFlags::CODED;
                    t.prereq_all = 0;
                }
            }
            self.levels.remove(i);
        }
        not_ready
    }
}
