//! What the disjuncts of an OR may cost, by what they need.
//!
//! Source: SQLite's `WhereOrSet`.

use super::Mask;
use super::cost::LogEst;
use smallvec::SmallVec;

/// What one disjunct of an OR may cost, by what it needs.
#[derive(Clone, Debug, Default)]
pub struct OrSet {
    /// At most [`OrSet::MAX`].
    pub costs: SmallVec<[OrCost; 3]>,
}

/// One entry of an [`OrSet`].
#[derive(Clone, Copy, Debug)]
pub struct OrCost {
    /// Sources needed.
    pub prereq: Mask,
    /// Cost of one run.
    pub run: LogEst,
    /// Rows found.
    pub rows: LogEst,
}

impl OrSet {
    const MAX: usize = 3;

    /// Keeps an entry unless a better one is there.
    pub fn insert(&mut self, new: OrCost) {
        for have in &mut self.costs {
            if new.run <= have.run && new.prereq & have.prereq == new.prereq {
                *have = OrCost {
                    rows: have.rows.min(new.rows),
                    ..new
                };
                return;
            }
            if have.run <= new.run && have.prereq & new.prereq == have.prereq {
                return;
            }
        }
        if self.costs.len() < OrSet::MAX {
            self.costs.push(new);
            return;
        }
        let mut worst = 0;
        for i in 1..self.costs.len() {
            if self.costs[worst].run > self.costs[i].run {
                worst = i;
            }
        }
        let have = &mut self.costs[worst];
        if have.run > new.run {
            *have = OrCost {
                rows: have.rows.min(new.rows),
                ..new
            };
        }
    }
}
