//! Loops that serve an OR as a union of index loops.
//!
//! ```text
//! a=1 OR (b>5 AND c=7)      cost = cost of (a=1 by an index) + cost of (b>5 AND c=7 by an index)
//! ```
//!
//! Rules:
//! 1. Every disjunct must have an index (or rowid) loop with at least one term; the terms around the OR may help.
//! 2. At most three combinations of needs are kept on the way.
//! 3. Not on the right side of a RIGHT JOIN.
//!
//! Source: SQLite's `whereLoopAddOr`.

use super::candidates::Builder;
use super::cost;
use super::or_cost::{OrCost, OrSet};
use super::{Clause, ClauseId, LoopFlags, Mask, Ops};

impl Builder<'_, '_> {
    /// Loops of the current source for the OR terms of the clause.
    pub fn add_or(&mut self, prereq: Mask, unusable: Mask) {
        let source = self.plan.sources[usize::from(self.new.source)];
        if source.join.right {
            return; // rule 3
        }
        let cursor = source.cursor();
        let outer = self.clause;
        for i in 0..self.plan.clause(outer).terms.len() {
            let id = self.plan.clause(outer).terms[i];
            let t = self.plan.term(id);
            if !t.ops.contains(Ops::OR) || t.indexable & self.new.self_mask == 0 {
                continue;
            }
            let Some(or) = t.inner else { continue };
            let saved = self.new.clone();
            let sum = self.sum_of_disjuncts(outer, or, cursor, (prereq, unusable));
            self.new = saved;
            let new = &mut self.new;
            new.terms.clear();
            new.terms.push(Some(id));
            new.flags = LoopFlags::MULTI_OR;
            new.setup = 0;
            new.sort_index = 0;
            (new.eq, new.btm, new.top, new.skip, new.distinct_columns) = (0, 0, 0, 0, 0);
            new.index = None;
            new.ordered_subquery = false;
            for cost in sum.costs {
                self.new.run = cost.run + 1;
                self.new.rows = cost.rows;
                self.new.prereq = cost.prereq;
                self.insert();
            }
        }
    }

    fn sum_of_disjuncts(
        &mut self,
        outer: ClauseId,
        or: ClauseId,
        cursor: i32,
        (prereq, unusable): (Mask, Mask),
    ) -> OrSet {
        let mut sum = OrSet::default();
        let mut first = true;
        let around = self.or_set.take();
        for i in 0..self.plan.clause(or).terms.len() {
            let id = self.plan.clause(or).terms[i];
            let t = self.plan.term(id);
            let mut temporary = None;
            self.clause = match t.inner {
                Some(and) if t.ops.contains(Ops::AND) => and,
                _ if t.cursor == cursor => {
                    let alone = self.plan.new_clause(false, Some(outer));
                    let clause: &mut Clause = &mut self.plan.clauses[alone.0 as usize];
                    clause.terms.push(id);
                    clause.base_count = 1;
                    temporary = Some(alone);
                    alone
                }
                _ => continue,
            };
            self.or_set = Some(OrSet::default());
            self.add_source(prereq, unusable);
            self.add_or(prereq, unusable);
            if temporary.is_some() {
                self.plan.clauses.pop();
            }
            let costs = self.or_set.take().unwrap_or_default();
            if costs.costs.is_empty() {
                sum.costs.clear();
                break;
            }
            if first {
                sum = costs;
                first = false;
                continue;
            }
            let before = std::mem::take(&mut sum);
            for a in &before.costs {
                for b in &costs.costs {
                    sum.insert(OrCost {
                        prereq: a.prereq | b.prereq,
                        run: cost::add(a.run, b.run),
                        rows: cost::add(a.rows, b.rows),
                    });
                }
            }
        }
        self.clause = outer;
        self.or_set = around;
        sum
    }
}
