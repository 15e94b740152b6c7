//! OR terms: whether indexes can serve every disjunct, and what simpler term follows.
//!
//! ```text
//! a=1 OR a=2 OR a=3          ─▶  a IN (1,2,3)              virtual, child of the OR
//! a<5 OR a=5                 ─▶  a<=5                      virtual
//! (a=5 AND b>9) OR a=10      ─▶  a clause for each side; a multi-index OR if both have an index
//! ```
//!
//! Rules:
//! 1. `indexable` keeps the sources that *every* disjunct constrains.
//! 2. An IN is made only if all disjuncts are equalities on one column, with one collation, and no right side has an
//!    affinity of its own that differs from the column's.
//!
//! Source: SQLite's `exprAnalyzeOrTerm`, `whereCombineDisjuncts`.

use super::facts;
use super::term::{ExprRef, Sides, Term};
use super::{ClauseId, EXPR, Mask, Ops, TermFlags, TermId, Where};
use crate::bound::{BinaryOp, Expr, In, InSet, walk};
use crate::compiler::Compiler;
use ringwood_format::affinity::Affinity;

impl Where<'_> {
    /// Analyses a term that is an OR.
    pub(super) fn analyze_or(&mut self, c: &Compiler<'_>, clause: ClauseId, id: TermId) {
        let (expr, on) = (self.term(id).expr.clone(), self.term(id).on);
        let or = self.new_clause(true, None);
        self.split(or, &expr, on, BinaryOp::Or);
        self.analyze(c, or);
        let (indexable, to_in) = self.weigh_disjuncts(c, clause, or);
        {
            let t = self.term_mut(id);
            t.inner = Some(or);
            t.indexable = indexable;
            t.ops = Ops::OR;
            t.cursor = -1;
        }
        if indexable != 0 {
            self.clauses[clause.0 as usize].has_or = true;
            let disjuncts = self.clause(or).terms.clone();
            if let [one, two] = disjuncts[..] {
                for a in self.conjuncts_of(one) {
                    for b in self.conjuncts_of(two) {
                        self.combine(c, clause, id, a, b);
                    }
                }
            }
        }
        if to_in != 0 {
            self.or_to_in(c, clause, id, or, to_in);
        }
    }

    /// Rule 1; the second mask is of sources for which all disjuncts are equalities.
    fn weigh_disjuncts(
        &mut self,
        c: &Compiler<'_>,
        clause: ClauseId,
        or: ClauseId,
    ) -> (Mask, Mask) {
        let mut indexable = Mask::MAX;
        let mut to_in = Mask::MAX;
        let disjuncts = self.clause(or).terms.clone();
        for d in disjuncts {
            if indexable == 0 {
                break;
            }
            let t = self.term(d);
            if !t.ops.intersects(Ops::SINGLE) {
                to_in = 0;
                let (expr, on) = (t.expr.clone(), t.on);
                let and = self.new_clause(false, None);
                self.split(and, &expr, on, BinaryOp::And);
                self.analyze(c, and);
                self.clauses[and.0 as usize].outer = Some(clause);
                let mut b = 0;
                for &id in &self.clause(and).terms {
                    let part = self.term(id);
                    if part.sides.is_some() {
                        b |= self.masks.of(part.cursor);
                    }
                }
                let t = self.term_mut(d);
                t.inner = Some(and);
                t.ops = Ops::AND;
                t.cursor = -1;
                indexable &= b;
            } else if !t.flags.contains(TermFlags::COPIED) {
                let mut b = self.masks.of(t.cursor);
                if let (true, Some(parent)) = (t.is_virtual(), t.parent) {
                    b |= self.masks.of(self.term(parent).cursor);
                }
                indexable &= b;
                to_in &= if t.ops.contains(Ops::EQ) { b } else { 0 };
            }
        }
        (indexable, to_in)
    }

    /// The conjuncts of a disjunct, or the disjunct itself.
    fn conjuncts_of(&self, id: TermId) -> Vec<TermId> {
        let t = self.term(id);
        match t.inner {
            Some(and) if t.ops == Ops::AND => self.clause(and).terms.to_vec(),
            _ => vec![id],
        }
    }

    /// `x<a OR x=a` gives `x<=a`; `x=a OR (x=a AND …)` gives `x=a`.
    fn combine(
        &mut self,
        c: &Compiler<'_>,
        clause: ClauseId,
        or: TermId,
        one: TermId,
        two: TermId,
    ) {
        let (a, b) = (self.term(one), self.term(two));
        if (a.flags | b.flags).contains(TermFlags::GUARD) {
            return;
        }
        let usable = Ops::EQ | Ops::RANGE;
        if !a.ops.intersects(usable) || !b.ops.intersects(usable) {
            return;
        }
        let both = a.ops | b.ops;
        let (downward, upward) = (Ops::EQ | Ops::LT | Ops::LE, Ops::EQ | Ops::GT | Ops::GE);
        if !downward.contains(both) && !upward.contains(both) {
            return;
        }
        let (Some(x), Some(y)) = (&a.sides, &b.sides) else {
            return;
        };
        let (Some(xr), Some(yr)) = (&x.right, &y.right) else {
            return;
        };
        if !walk::same(&x.left, &y.left) || !walk::same(xr, yr) || x.commuted != y.commuted {
            return;
        }
        let op = if both.bits().is_power_of_two() {
            both
        } else if both.intersects(Ops::LT | Ops::LE) {
            Ops::LE
        } else {
            Ops::GE
        };
        let sides = Sides { op, ..x.clone() };
        self.derive(c, clause, or, sides, TermFlags::empty());
    }

    /// Rule 2.
    fn or_to_in(
        &mut self,
        c: &Compiler<'_>,
        clause: ClauseId,
        id: TermId,
        or: ClauseId,
        candidates: Mask,
    ) {
        let disjuncts = self.clause(or).terms.clone();
        let mut tried = -1;
        for _ in 0..2 {
            // The first disjunct that constrains a candidate names the column; a second try takes another one, for
            // terms like t1.a = t2.b that name two.
            let first = disjuncts.iter().find(|&&d| {
                let t = self.term(d);
                t.cursor != tried && self.masks.of(t.cursor) & candidates != 0
            });
            let Some(&first) = first else { return };
            let (cursor, column) = (self.term(first).cursor, self.term(first).column);
            tried = cursor;
            let Some(left) = self.term(first).sides.as_ref().map(|s| s.left.clone()) else {
                return;
            };
            let chosen: Vec<TermId> = disjuncts
                .iter()
                .copied()
                .filter(|&d| self.term(d).cursor == cursor)
                .collect();
            let fits = chosen.iter().all(|&d| {
                let t = self.term(d);
                let Some(Sides {
                    left: l,
                    right: Some(r),
                    ..
                }) = &t.sides
                else {
                    return false;
                };
                let right = r.affinity();
                t.column == column
                    && (column != EXPR || facts::same_skip(l, &left))
                    && (right <= Affinity::None || right == l.affinity())
            });
            if fits {
                self.make_in(c, clause, id, &chosen);
                return;
            }
        }
    }

    fn make_in(&mut self, c: &Compiler<'_>, clause: ClauseId, id: TermId, chosen: &[TermId]) {
        let mut list = Vec::with_capacity(chosen.len());
        let mut left: Option<(Expr, crate::schema::CollationName)> = None;
        for &d in chosen {
            let Some(s) = &self.term(d).sides else { return };
            let Some(right) = &s.right else { return };
            let collation = s.collation.clone();
            match &left {
                None => left = Some(((*s.left).clone(), collation)),
                Some((_, first)) if !first.same(&collation) => return,
                Some(_) => {}
            }
            list.push((**right).clone());
        }
        let Some((mut expr, collation)) = left else {
            return;
        };
        if !facts::collation(c, &expr).same(&collation) {
            expr = Expr::Collate {
                expr: Box::new(expr),
                collation,
                implicit: false,
            };
        }
        let Some(subquery) = self.next_subquery() else {
            return;
        };
        let made = Expr::In(Box::new(In {
            left: expr,
            set: InSet::List(list),
            not: false,
            id: subquery,
        }));
        let on = self.term(id).on;
        let term = Term::new(ExprRef::made(made), on, TermFlags::VIRTUAL);
        let new = self.insert(clause, term);
        self.analyze_term(c, clause, new);
        self.adopt(new, id);
    }
}
