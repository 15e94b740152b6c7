//! From expressions to terms: splitting AND, recognising comparisons, deriving virtual terms.
//!
//! | written | derived |
//! |---|---|
//! | `x BETWEEN a AND b` | `x >= a`, `x <= b`; both coded: the BETWEEN is |
//! | `t.a = u.b` | the same with its sides exchanged, and an equivalence where affinity and collation agree |
//! | `5 = t.a` | nothing: the sides are exchanged in place |
//! | `x IS NOT NULL` | the guard `x > NULL` |
//! | `x LIKE 'abc%'` | `x >= 'ABC'`, `x < 'abd'` ([`like`]) |
//! | `(a, b) = (x, y)` | `a = x`, `b = y`, in its place |
//! | `(a, b) IN (SELECT …)` | one IN for each field |
//! | `a = 1 OR a = 2` | `a IN (1, 2)`; other ORs get clauses of their own (`disjunction`) |
//!
//! Rules:
//! 1. Terms are analysed from the last to the first, so that virtual terms come behind all base terms.
//! 2. A term whose two sides use the same source can bound nothing; it may still be an equivalence.
//! 3. A term of an outer join's ON depends on all sources up to that join's right table.
//!
//! Source: SQLite's `exprAnalyze`.

use super::facts;
use super::like;
use super::term::{ExprRef, On, Sides, Term, commute, sides_of};
use super::{Clause, ClauseId, EXPR, Mask, Ops, TermFlags, TermId, Where};
use crate::bound::{BinaryOp, Expr, InSet, UnaryOp, walk};
use crate::compiler::{Compiler, Optimizations};
use crate::schema::CollationName;

impl<'q> Where<'q> {
    /// Splits an expression at its ANDs (or ORs) into the terms of a clause.
    pub fn split(&mut self, clause: ClauseId, expr: &ExprRef<'q>, on: On, op: BinaryOp) {
        let bare = facts::skip(expr);
        if let ExprRef::Tree(Expr::Binary {
            op: found,
            operands,
            ..
        }) = bare
        {
            if *found == op {
                self.split(clause, &ExprRef::Tree(&operands.0), on, op);
                self.split(clause, &ExprRef::Tree(&operands.1), on, op);
                return;
            }
        } else if let ExprRef::Made(made) = &bare {
            if let Expr::Binary {
                op: found,
                operands,
                ..
            } = &**made
            {
                if *found == op {
                    self.split(clause, &ExprRef::made(operands.0.clone()), on, op);
                    self.split(clause, &ExprRef::made(operands.1.clone()), on, op);
                    return;
                }
            }
        }
        let mut term = Term::new(bare, on, TermFlags::empty());
        if let Some(probability) = facts::likelihood(expr) {
            term.truth = super::cost::log_est(probability.max(0) as u64) - 270;
        }
        self.insert(clause, term);
    }

    /// Adds a term to a clause.
    pub fn insert(&mut self, clause: ClauseId, term: Term<'q>) -> TermId {
        let id = TermId(self.terms.len() as u32);
        let is_virtual = term.is_virtual();
        self.terms.push(term);
        let clause = &mut self.clauses[clause.0 as usize];
        clause.terms.push(id);
        if !is_virtual {
            clause.base_count = clause.terms.len();
        }
        id
    }

    /// Opens a clause within the plan.
    pub fn new_clause(&mut self, is_or: bool, outer: Option<ClauseId>) -> ClauseId {
        let id = ClauseId(self.clauses.len() as u32);
        self.clauses.push(Clause::new(is_or, outer));
        id
    }

    /// Analyses all terms of a clause (rule 1).
    pub fn analyze(&mut self, c: &Compiler<'_>, clause: ClauseId) {
        for i in (0..self.clause(clause).terms.len()).rev() {
            let id = self.clause(clause).terms[i];
            self.analyze_term(c, clause, id);
        }
    }

    /// A term that follows from `parent`, analysed.
    pub fn derive(
        &mut self,
        c: &Compiler<'_>,
        clause: ClauseId,
        parent: TermId,
        sides: Sides<'q>,
        flags: TermFlags,
    ) -> TermId {
        let from = self.term(parent);
        let mut term = Term::new(from.expr.clone(), from.on, flags | TermFlags::VIRTUAL);
        term.sides = Some(sides);
        let id = self.insert(clause, term);
        self.analyze_term(c, clause, id);
        id
    }

    /// Counts a term among the children of another.
    pub fn adopt(&mut self, child: TermId, parent: TermId) {
        let truth = self.term(parent).truth;
        let term = self.term_mut(child);
        term.parent = Some(parent);
        term.truth = truth;
        self.term_mut(parent).children += 1;
    }

    /// What a column of a FROM item or an indexed expression could be found by.
    fn indexable(&self, expr: &Expr, op: Ops) -> Option<(i32, i16)> {
        let expr = match expr {
            Expr::Vector(items) if op.intersects(Ops::RANGE) => &items[0],
            other => other,
        };
        if let Some(column) = self.column(expr) {
            return Some(column);
        }
        if !self.has_expression_index {
            return None;
        }
        let found = self.index_exprs.iter().find(|e| {
            facts::same_skip(expr, &e.expr)
                && !walk::is_constant(&e.expr, walk::Constness::Statement)
        });
        found.map(|e| (e.cursor, EXPR))
    }

    pub(super) fn analyze_term(&mut self, c: &Compiler<'_>, clause: ClauseId, id: TermId) {
        let (expr, on, is_virtual, field) = {
            let t = self.term(id);
            (t.expr.clone(), t.on, t.is_virtual(), t.field)
        };
        let given = self.term_mut(id).sides.take();
        let sides = given.or_else(|| sides_of(&expr));
        let mut correlated = false;
        let (prereq_left, mut prereq_right, mut prereq_all);
        match &sides {
            Some(s) if s.op == Ops::IN => {
                prereq_left = self.usage(&s.left, &mut correlated);
                prereq_right = match &*expr {
                    Expr::In(set) => self.usage_of_set(set, &mut correlated),
                    _ => 0,
                };
                prereq_all = prereq_left | prereq_right;
            }
            Some(s) => {
                prereq_left = self.usage(&s.left, &mut correlated);
                prereq_right = s
                    .right
                    .as_ref()
                    .map_or(0, |r| self.usage(r, &mut correlated));
                prereq_all = prereq_left | prereq_right;
            }
            None => {
                prereq_left = 0;
                prereq_right = 0;
                prereq_all = self.usage(&expr, &mut correlated);
            }
        }
        let mut extra_right: Mask = 0;
        if let Some(cursor) = on.cursor() {
            let x = self.masks.of(cursor);
            if on.is_outer() {
                prereq_all |= x; // rule 3
                extra_right = x.wrapping_sub(1);
            } else if prereq_all >> 1 >= x {
                self.term_mut(id).on = On::Where;
            }
        }
        let on = self.term(id).on;
        {
            let t = self.term_mut(id);
            if correlated {
                t.flags |= TermFlags::VAR_SELECT;
            }
            t.prereq_all = prereq_all;
            t.prereq_right = prereq_right;
            t.cursor = -1;
            t.parent = None;
            t.ops = Ops::empty();
        }
        if let Some(mut s) = sides {
            let op = s.op;
            if field > 0 {
                if let Expr::Vector(items) = &*s.left {
                    s.left = ExprRef::made(items[usize::from(field) - 1].clone());
                }
            }
            let set = match &*expr {
                Expr::In(set) if op == Ops::IN => Some((&set.set, usize::from(field.max(1)) - 1)),
                _ => None,
            };
            facts::complete(c, &mut s, set);
            let allowed = if prereq_right & prereq_left == 0 {
                Ops::all()
            } else {
                Ops::EQUIV
            }; // rule 2
            let left = facts::skip(&s.left);
            let left_key = self.indexable(&left, op);
            if let Some((cursor, column)) = left_key {
                let t = self.term_mut(id);
                t.cursor = cursor;
                t.column = column;
                t.ops = op & allowed;
            }
            if op == Ops::IS {
                self.term_mut(id).flags |= TermFlags::IS;
            }
            // A column on the right that WHERE fixes is a constant there.
            let right_key = s
                .right
                .as_ref()
                .map(|r| facts::skip_ref(r))
                .filter(|r| !matches!(r, Expr::Fixed { .. }))
                .and_then(|r| self.indexable(r, op));
            if let (Some((cursor, column)), Some(right)) = (right_key, s.right.clone()) {
                let mut exchanged = s.clone();
                exchanged.op = commute(op);
                exchanged.right = Some(std::mem::replace(&mut exchanged.left, right));
                // The collation stays what it was: the comparison is the same.
                if s.left.is_vector() || !facts::collation_is_symmetric(c, &exchanged) {
                    exchanged.commuted = !exchanged.commuted;
                }
                let mut extra = Ops::empty();
                let target = if left_key.is_some() {
                    let from = self.term(id);
                    let twin = Term::new(from.expr.clone(), from.on, TermFlags::VIRTUAL);
                    let twin = self.insert(clause, twin);
                    self.adopt(twin, id);
                    if op == Ops::IS {
                        self.term_mut(twin).flags |= TermFlags::IS;
                    }
                    self.term_mut(id).flags |= TermFlags::COPIED;
                    if self.is_equivalence(c, &s, on) {
                        self.term_mut(id).ops |= Ops::EQUIV;
                        extra = Ops::EQUIV;
                    }
                    twin
                } else {
                    s = exchanged.clone();
                    id
                };
                let t = self.term_mut(target);
                t.cursor = cursor;
                t.column = column;
                t.prereq_right = prereq_left | extra_right;
                t.prereq_all = prereq_all;
                t.ops = (exchanged.op | extra) & allowed;
                if target != id {
                    t.sides = Some(exchanged);
                } else {
                    prereq_right = prereq_left;
                }
            } else if op == Ops::ISNULL && !on.is_outer() && !is_virtual && !c.can_be_null(&left) {
                let t = self.term_mut(id);
                t.expr = ExprRef::made(Expr::Bool(false));
                t.prereq_all = 0;
                t.ops = Ops::empty();
            }
            self.term_mut(id).sides = Some(s);
        } else if !is_virtual {
            self.analyze_other(c, clause, id, &expr);
        }
        self.term_mut(id).prereq_right = prereq_right | extra_right;
        if !is_virtual {
            self.analyze_auxiliary(clause, id);
        }
        self.analyze_row_value(c, clause, id, &expr, is_virtual, field);
    }

    /// What is not a comparison by itself: BETWEEN, OR, IS NOT NULL, LIKE.
    fn analyze_other(
        &mut self,
        c: &Compiler<'_>,
        clause: ClauseId,
        id: TermId,
        expr: &ExprRef<'q>,
    ) {
        let is_and = !self.clause(clause).is_or;
        match &**expr {
            Expr::Between(b) if is_and && !b.not => {
                let (value, low, high) = match expr {
                    ExprRef::Tree(Expr::Between(b)) => (
                        ExprRef::Tree(&b.value),
                        ExprRef::Tree(&b.low),
                        ExprRef::Tree(&b.high),
                    ),
                    _ => (
                        ExprRef::made(b.value.clone()),
                        ExprRef::made(b.low.clone()),
                        ExprRef::made(b.high.clone()),
                    ),
                };
                for (op, bound) in [(Ops::GE, low), (Ops::LE, high)] {
                    let sides = Sides::new(op, value.clone(), Some(bound), false);
                    let child = self.derive(c, clause, id, sides, TermFlags::empty());
                    self.adopt(child, id);
                }
            }
            Expr::Binary {
                op: BinaryOp::Or, ..
            } if is_and && !expr.has_collate() => {
                self.analyze_or(c, clause, id);
            }
            Expr::Unary(UnaryOp::NotNull, inner) => {
                let Some((cursor, column)) = self.column(inner) else {
                    return;
                };
                if column < 0 || self.term(id).on.is_outer() {
                    return;
                }
                let from = self.term(id);
                let flags = TermFlags::VIRTUAL | TermFlags::GUARD;
                let mut guard = Term::new(from.expr.clone(), from.on, flags);
                let mut sides = Sides::new(
                    Ops::GT,
                    ExprRef::made((**inner).clone()),
                    Some(ExprRef::made(Expr::Null)),
                    false,
                );
                facts::complete(c, &mut sides, None);
                guard.sides = Some(sides);
                guard.cursor = cursor;
                guard.column = column;
                guard.ops = Ops::GT;
                guard.prereq_all = from.prereq_all;
                let guard = self.insert(clause, guard);
                self.adopt(guard, id);
                self.term_mut(id).flags |= TermFlags::COPIED;
            }
            Expr::Function(call) if is_and => {
                if let Some(prefix) = like::prefix(self, call) {
                    self.derive_like(c, clause, id, call.args[1].clone(), prefix);
                }
            }
            _ => {}
        }
    }

    /// The two bounds of a LIKE or GLOB with a constant prefix.
    fn derive_like(
        &mut self,
        c: &Compiler<'_>,
        clause: ClauseId,
        id: TermId,
        value: Expr,
        prefix: like::Prefix,
    ) {
        let collation = if prefix.no_case {
            CollationName::NoCase
        } else {
            CollationName::Binary
        };
        if prefix.no_case {
            self.term_mut(id).flags |= TermFlags::LIKE;
        }
        let left = ExprRef::made(Expr::Collate {
            expr: Box::new(value),
            collation,
            implicit: false,
        });
        // Both bounds stand side by side in the list: the upper one is found behind the lower one.
        let from = self.term(id);
        let flags = TermFlags::VIRTUAL | TermFlags::LIKE_OPT;
        let template = Term::new(from.expr.clone(), from.on, flags);
        let bounds = [(Ops::GE, prefix.low), (Ops::LT, prefix.high)].map(|(op, text)| {
            let right = Some(ExprRef::made(Expr::Text(text.into())));
            let mut bound = template.clone();
            bound.sides = Some(Sides::new(op, left.clone(), right, false));
            self.insert(clause, bound)
        });
        for bound in bounds {
            self.analyze_term(c, clause, bound);
        }
        if prefix.complete {
            for bound in bounds {
                self.adopt(bound, id);
            }
        }
    }

    /// `(a, b) = (x, y)` and `(a, b) IN (SELECT …)`.
    fn analyze_row_value(
        &mut self,
        c: &Compiler<'_>,
        clause: ClauseId,
        id: TermId,
        expr: &ExprRef<'q>,
        is_virtual: bool,
        field: u16,
    ) {
        if is_virtual || self.clause(clause).is_or {
            return;
        }
        let on = self.term(id).on;
        match &**expr {
            Expr::Binary {
                op: op @ (BinaryOp::Eq | BinaryOp::Is),
                operands,
                ..
            } => {
                let (Expr::Vector(left), Expr::Vector(right)) = (&operands.0, &operands.1) else {
                    return;
                };
                if left.len() != right.len() {
                    return;
                }
                for (l, r) in left.iter().zip(right) {
                    let slice = ExprRef::made(Expr::binary(*op, l.clone(), r.clone()));
                    let slice = self.insert(clause, Term::new(slice, on, TermFlags::SLICE));
                    self.analyze_term(c, clause, slice);
                }
                let t = self.term_mut(id);
                t.flags |= TermFlags::CODED | TermFlags::VIRTUAL;
                t.ops = Ops::ROWVAL;
            }
            Expr::In(set) if !set.not && field == 0 => {
                let (Expr::Vector(items), InSet::Select { select, .. }) = (&set.left, &set.set)
                else {
                    return;
                };
                let simple = select.prior.is_none() || select.flags.values;
                if !simple || select.flags.min_max || items.len() > 250 {
                    return;
                }
                for i in 0..items.len() {
                    let mut part =
                        Term::new(expr.clone(), on, TermFlags::VIRTUAL | TermFlags::SLICE);
                    part.field = i as u16 + 1;
                    let part = self.insert(clause, part);
                    self.analyze_term(c, clause, part);
                    self.adopt(part, id);
                }
            }
            _ => {}
        }
    }

    /// Whether both sides of `a = b` may stand for one another everywhere.
    fn is_equivalence(&self, c: &Compiler<'_>, s: &Sides<'q>, on: On) -> bool {
        if !c.optimizes(Optimizations::TRANSITIVE)
            || !matches!(s.op, Ops::EQ | Ops::IS)
            || on.is_outer()
        {
            return false;
        }
        let Some(right) = &s.right else { return false };
        if s.left.has_collate() || right.has_collate() {
            return false;
        }
        if s.op == Ops::IS && self.sources.len() >= 2 && self.sources[0].join.left_of_right {
            return false;
        }
        let (a, b) = (s.left.affinity(), right.affinity());
        if a != b && !(a.is_numeric() && b.is_numeric()) {
            return false;
        }
        facts::collation(c, &s.left).same(&facts::collation(c, right))
    }
}
