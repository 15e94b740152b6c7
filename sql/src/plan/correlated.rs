//! A correlated subquery that would scan a table for each row around it makes an index of it, once.
//!
//! ```text
//! SELECT … FROM t WHERE x < (SELECT avg(x) FROM u WHERE u.k = t.k)
//!                                SCAN u                                    for each row of t
//!                                SEARCH u USING AUTOMATIC … INDEX (k=?)    the index is made with the first row
//! ```
//!
//! Stock SQLite takes 28 rows around a subquery at most for its estimate, at which an index of a large table is never
//! worth its making; so plans differ from its own here, and a query of minutes takes a second.
//!
//! Rules:
//! 1. One table, scanned without a bound, in a subquery that refers to a query around it.
//! 2. The index must be cheaper, counting the rows around the subquery as estimated. What making it costs is the estimate
//!    for a tree; as a hash table it is made in a tenth of that.

use super::cost::{self, LogEst};
use super::{Level, LoopFlags, Mask, Where};
use crate::compiler::Optimizations;

impl Where<'_> {
    /// Replaces the scan by an automatic index, where that is worth it.
    pub fn index_for_correlated(&mut self) {
        let [level] = self.levels.as_slice() else {
            return;
        };
        let scans = !level
            .lp
            .flags
            .intersects(LoopFlags::CONSTRAINT | LoopFlags::MULTI_OR | LoopFlags::AUTO_INDEX);
        let correlated = self.select.is_some_and(|select| select.flags.correlated);
        if !scans || !correlated || self.disabled.contains(Optimizations::CORRELATED_INDEX) {
            return;
        }
        if self.satisfied > 0 || self.order_by.is_some() && self.ordered_inner {
            return; // the scan delivers an order that the index would not
        }
        let scan = level.lp.run + self.outer_rows;
        let cost_of = |setup: LogEst, run: LogEst| cost::add(setup, run + self.outer_rows);
        let best = self
            .loops
            .iter()
            .filter(|lp| lp.flags.contains(LoopFlags::AUTO_INDEX) && lp.prereq == 0 as Mask)
            .min_by_key(|lp| cost_of(lp.setup, lp.run));
        if let Some(lp) = best {
            if cost_of(lp.setup, lp.run) < scan {
                self.levels[0] = Level::new(lp.clone());
            }
        }
    }
}
