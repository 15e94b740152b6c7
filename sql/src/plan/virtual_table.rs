//! Loops over virtual tables: what the planner asks their `best_index`.
//!
//! ```text
//!   all terms usable ──▶ a loop; needs u? ──▶ the same without IN; only what needs t; only what needs nothing; …
//!                                             one question for each set of sources that terms need
//! ```
//!
//! Rules:
//! 1. A term is usable if all that its right side needs is in outer loops.
//! 2. There is always a loop that needs nothing beyond what the join's order demands, unless the table refuses.
//! 3. `x IN (…)` is offered as `x = ?`, and the scan made for each value, unless the table takes the values all at once.
//!    It then gives no order.
//! 4. MATCH, LIKE, GLOB, REGEXP, functions of the table's own, `<>`, IS NOT and IS NOT NULL are offered too, but always
//!    tested again, unless the table says otherwise.
//! 5. LIMIT and OFFSET are offered where a query does nothing with the rows but give them out: one source, no grouping,
//!    every term a constraint on the table, ORDER BY columns of it. A plan that uses them must use all terms, and scan no
//!    IN value by value; otherwise the question is asked again without them. LIMIT is counted here in any case; OFFSET
//!    not, if the table says so.
//!
//! Source: SQLite's `whereLoopAddVirtual`, `allocateIndexInfo`, `isAuxiliaryVtabOperator`.

use super::candidates::Builder;
use super::cost;
use super::term::{ExprRef, On, Sides, Term};
use super::{ClauseId, Control, LoopFlags, Mask, Ops, TermFlags, TermId, Where};
use crate::bound::walk::{Constness, is_constant};
use crate::bound::{BinaryOp, Expr, FromItem, FunctionCall, UnaryOp};
use crate::compiler::SqlError;
use ringwood_format::value::Value;
use ringwood_vdbe::vtab::{
    Connected, Constraint, ConstraintOp, DistinctMode, IndexInfo, IndexOrder, IndexPlan, Unusable,
};
use std::rc::Rc;
use std::sync::Arc;

/// What a loop over a virtual table knows beside its terms, which are the arguments in their order.
#[derive(Clone, Debug, Default)]
pub struct VirtualPlan {
    /// For `filter`.
    pub index: IndexPlan,
    /// EXPLAIN shows the number in hexadecimal.
    pub hexadecimal: bool,
    /// Rows come in the order of ORDER BY.
    pub is_ordered: bool,
    /// Bit i: argument i's term need not be tested again.
    pub omit: u64,
    /// Bit i: argument i is a list of values.
    pub in_all: u64,
    /// The table leaves the rows of OFFSET out.
    pub omit_offset: bool,
}

/// The terms that can be offered, and the question.
struct Question {
    terms: Vec<TermId>,
    info: IndexInfo,
    /// Bit i: term i is always tested again.
    no_omit: u64,
    /// LIMIT or OFFSET is among the terms, behind all others; whether they are usable now; whether that failed.
    has_limits: bool,
    limits: bool,
    is_refused: bool,
}

/// Whether it is LIMIT or OFFSET.
fn is_limit(term: &Term<'_>) -> bool {
    matches!(
        term.match_op,
        Some(ConstraintOp::LIMIT | ConstraintOp::OFFSET)
    )
}

impl Builder<'_, '_> {
    /// Loops of the current source, which is a virtual table; terms that need a source of `unusable` are not used.
    pub fn add_virtual(&mut self, prereq: Mask, unusable: Mask) {
        let source = usize::from(self.new.source);
        let Some(connected) = self.plan.connected.get(source).cloned().flatten() else {
            return;
        };
        let mut question = self.question(unusable);
        self.new.setup = 0;
        self.new.flags = LoopFlags::VIRTUAL;
        self.new.index = None;
        self.new.sort_index = 0;
        self.new.ordered_subquery = false;
        (self.new.eq, self.new.btm, self.new.top, self.new.skip) = (0, 0, 0, 0);
        let failed = self.ask_all(prereq, &connected, &mut question);
        if let Err(error) = failed {
            self.plan.failed.get_or_insert(error);
        }
        self.new.virtual_plan = None;
        self.new.flags = LoopFlags::empty();
    }

    fn ask_all(
        &mut self,
        prereq: Mask,
        connected: &Rc<Connected>,
        question: &mut Question,
    ) -> Result<(), SqlError> {
        let none = Ops::empty();
        let mut has_in = self.ask_with_limits(prereq, none, connected, question)?;
        let best = self.new.prereq & !prereq;
        if best == 0 && !has_in {
            return Ok(());
        }
        let (mut seen_zero, mut seen_zero_without_in) = (false, false);
        let mut best_without_in = 0;
        if has_in {
            has_in = self.ask_with_limits(prereq, Ops::IN, connected, question)?;
            best_without_in = self.new.prereq & !prereq;
            if best_without_in == 0 {
                seen_zero = true;
                seen_zero_without_in = true;
            }
        }
        let _ = has_in;
        let mut previous = 0;
        loop {
            let needs = question
                .terms
                .iter()
                .map(|&id| self.plan.term(id).prereq_right & !prereq);
            let Some(next) = needs.filter(|&mask| mask > previous).min() else {
                break;
            };
            previous = next;
            if next == best || next == best_without_in {
                continue;
            }
            let has_in = self.ask(prereq, next | prereq, none, connected, question)?;
            if self.new.prereq == prereq {
                seen_zero = true;
                seen_zero_without_in |= !has_in;
            }
        }
        if !seen_zero {
            let has_in = self.ask(prereq, prereq, none, connected, question)?;
            seen_zero_without_in |= !has_in;
        }
        if !seen_zero_without_in {
            self.ask(prereq, prereq, Ops::IN, connected, question)?;
        }
        Ok(())
    }

    /// Asks with all terms usable but those of `exclude`; without LIMIT and OFFSET if they make the plan unusable (rule 5).
    fn ask_with_limits(
        &mut self,
        prereq: Mask,
        exclude: Ops,
        connected: &Rc<Connected>,
        question: &mut Question,
    ) -> Result<bool, SqlError> {
        question.limits = question.has_limits;
        question.is_refused = false;
        let has_in = self.ask(prereq, Mask::MAX, exclude, connected, question)?;
        question.limits = false;
        if !question.is_refused {
            return Ok(has_in);
        }
        self.ask(prereq, Mask::MAX, exclude, connected, question)
    }

    /// Asks with the terms usable whose needs are in `usable` and whose operator is not in `exclude`; whether an IN is
    /// scanned value by value.
    fn ask(
        &mut self,
        prereq: Mask,
        usable: Mask,
        exclude: Ops,
        connected: &Rc<Connected>,
        question: &mut Question,
    ) -> Result<bool, SqlError> {
        let Question {
            terms,
            info,
            no_omit,
            limits,
            is_refused,
            ..
        } = question;
        self.new.prereq = prereq;
        self.new.terms.clear();
        for (constraint, &id) in info.constraints.iter_mut().zip(terms.iter()) {
            let t = self.plan.term(id);
            constraint.usable = t.prereq_right & usable == t.prereq_right
                && !t.ops.intersects(exclude)
                && (*limits || !is_limit(t));
        }
        info.clear_answer();
        let asked = connected.with(|table| table.best_index(info));
        match asked {
            Ok(Ok(())) => {}
            Ok(Err(Unusable::Constraint)) => return Ok(false),
            Ok(Err(Unusable::Fail(error))) => return Err((*error).into()),
            Err(error) => return Err(error.into()),
        }
        let mut plan = VirtualPlan {
            index: info.plan.clone(),
            hexadecimal: info.hexadecimal,
            ..VirtualPlan::default()
        };
        let malfunction =
            || SqlError::error(format!("{}.xBestIndex malfunction", connected.args.table));
        let mut has_in = false;
        for (i, usage) in info.usage.iter().enumerate() {
            let Some(argument) = usage.argument.checked_sub(1) else {
                continue;
            };
            if argument >= terms.len() || !info.constraints[i].usable {
                return Err(malfunction());
            }
            if self.new.terms.len() <= argument {
                self.new.terms.resize(argument + 1, None);
            }
            if self.new.terms[argument].replace(terms[i]).is_some() {
                return Err(malfunction());
            }
            let t = self.plan.term(terms[i]);
            self.new.prereq |= t.prereq_right;
            if usage.omit && i < 64 && *no_omit >> i & 1 == 0 && argument < 64 {
                plan.omit |= 1 << argument;
            }
            plan.omit_offset |= usage.omit && t.match_op == Some(ConstraintOp::OFFSET);
            if usage.in_all && info.constraints[i].is_in && argument < 64 {
                plan.in_all |= 1 << argument;
            } else if t.ops.contains(Ops::IN) {
                // Rule 3.
                info.order_by_consumed = false;
                info.unique = false;
                has_in = true;
            }
            let uses_all = || info.usage[..i].iter().all(|usage| usage.argument > 0);
            if is_limit(t) && (has_in || !uses_all()) {
                *is_refused = true;
                return Ok(has_in);
            }
        }
        if self.new.terms.iter().any(Option::is_none) {
            return Err(malfunction());
        }
        plan.is_ordered = info.order_by_consumed && !info.order_by.is_empty();
        self.new.setup = 0;
        self.new.run = cost::log_est_from_f64(info.estimated_cost);
        self.new.rows = cost::log_est(info.estimated_rows.max(0) as u64);
        self.new.flags = LoopFlags::VIRTUAL;
        if info.unique {
            self.new.flags |= LoopFlags::ONEROW;
        }
        self.new.virtual_plan = Some(Rc::new(plan));
        self.insert();
        Ok(has_in)
    }

    /// The constraints and the order that can be offered.
    fn question(&self, unusable: Mask) -> Question {
        let plan = &*self.plan;
        let source_no = self.new.source;
        let source = &plan.sources[usize::from(source_no)];
        let cursor = source.cursor();
        let mut question = Question {
            terms: Vec::new(),
            info: IndexInfo::new(Vec::new(), Vec::new()),
            no_omit: 0,
            has_limits: false,
            limits: false,
            is_refused: false,
        };
        for &id in &plan.clause(self.clause).terms {
            let t = plan.term(id);
            let fits = t.cursor == cursor
                && t.prereq_right & unusable == 0
                && !(t.ops - Ops::EQUIV).is_empty()
                && !t.flags.contains(TermFlags::GUARD)
                && t.column >= super::ROWID
                && (!source.in_outer_join() || plan.fits_outer_join(t, source_no));
            if fits {
                question.add(plan, id);
            }
        }
        let item = source.item;
        question.info = IndexInfo::new(
            std::mem::take(&mut question.info.constraints),
            plan.virtual_order(cursor),
        );
        question.info.columns_used = item.columns_used;
        if !question.info.order_by.is_empty() {
            question.info.distinct = plan.distinct_mode();
        }
        question
    }
}

impl Question {
    fn add(&mut self, plan: &Where<'_>, id: TermId) {
        let t = plan.term(id);
        let i = self.terms.len();
        let mut is_in = false;
        let ops = t.ops & (Ops::SINGLE | Ops::AUX);
        let mut op = match t.match_op {
            Some(op) if ops.contains(Ops::AUX) => op,
            _ if ops.contains(Ops::IN) => {
                is_in = !t.flags.contains(TermFlags::SLICE);
                ConstraintOp::EQ
            }
            _ if ops.contains(Ops::EQ) => ConstraintOp::EQ,
            _ if ops.contains(Ops::GT) => ConstraintOp::GT,
            _ if ops.contains(Ops::LE) => ConstraintOp::LE,
            _ if ops.contains(Ops::LT) => ConstraintOp::LT,
            _ if ops.contains(Ops::GE) => ConstraintOp::GE,
            _ if ops.contains(Ops::ISNULL) => ConstraintOp::IS_NULL,
            _ if ops.contains(Ops::IS) => ConstraintOp::IS,
            _ => return,
        };
        let sides = t.sides.as_ref();
        let right = sides.and_then(|sides| sides.right.as_deref());
        if right.is_some_and(Expr::is_vector) {
            // A row value: the table sees the first field only, with the end of the range in it.
            if i < 64 {
                self.no_omit |= 1 << i;
            }
            op = match op {
                ConstraintOp::LT => ConstraintOp::LE,
                ConstraintOp::GT => ConstraintOp::GE,
                other => other,
            };
        }
        self.terms.push(id);
        self.has_limits |= is_limit(t);
        self.info.constraints.push(Constraint {
            column: i32::from(t.column),
            op,
            usable: false,
            value: right.and_then(constant_value),
            collation: sides.map_or_else(|| "BINARY".into(), |s| Arc::from(s.collation.as_str())),
            is_in,
        });
    }
}

/// The value of a constant of the text.
fn constant_value(expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::Null => Value::Null,
        Expr::Integer(i) => Value::Integer(*i),
        Expr::Real(r) => Value::Real(*r),
        Expr::Text(text) => Value::Text(text.to_vec()),
        Expr::Blob(blob) => Value::Blob(blob.to_vec()),
        Expr::Bool(b) => Value::Integer(i64::from(*b)),
        Expr::Unary(UnaryOp::Plus, inner) => return constant_value(inner),
        Expr::Unary(UnaryOp::Negate, inner) => match constant_value(inner)? {
            Value::Integer(i) => Value::Integer(i.checked_neg()?),
            Value::Real(r) => Value::Real(-r),
            _ => return None,
        },
        _ => return None,
    })
}

/// The arguments of a table-valued function, which stand in its ON as `hidden column = +argument`: without them it would
/// be another table.
pub fn arguments(item: &FromItem) -> Vec<Expr> {
    fn collect(item: &FromItem, expr: &Expr, found: &mut Vec<Expr>) {
        let Expr::Binary { op, operands, .. } = expr else {
            return;
        };
        match (op, &operands.0, &operands.1) {
            (BinaryOp::And, left, right) => {
                collect(item, left, found);
                collect(item, right, found);
            }
            (BinaryOp::Eq, Expr::Column(column), Expr::Unary(UnaryOp::Plus, _)) => {
                let definition = usize::try_from(column.column)
                    .ok()
                    .and_then(|number| item.table.columns.get(number));
                if column.cursor == item.cursor && definition.is_some_and(|d| d.hidden) {
                    found.push(expr.clone());
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let (true, Some(on)) = (item.table.is_virtual(), &item.on) {
        collect(item, on, &mut found);
    }
    found
}

impl Where<'_> {
    /// Whether a source is a virtual table.
    pub fn is_virtual(&self, source: u8) -> bool {
        self.connected
            .get(usize::from(source))
            .is_some_and(Option::is_some)
    }

    /// Rule 5: LIMIT and OFFSET as terms.
    pub fn add_limits(&mut self) {
        let (Some(select), (limit, offset)) = (self.select, self.limit_regs) else {
            return;
        };
        let (true, Some(count)) = (limit != 0 && self.is_virtual(0), &select.limit) else {
            return;
        };
        let cursor = self.sources[0].cursor();
        let plain = self.sources.len() == 1
            && select.group_by.is_empty()
            && !select.flags.distinct
            && !select.flags.aggregate;
        let constrains = |id: &TermId| {
            let t = self.term(*id);
            t.flags.contains(TermFlags::CODED)
                || t.children > 0
                || t.cursor == cursor && t.prereq_right == 0
        };
        let sorts = |term: &crate::bound::OrderTerm| {
            matches!(&term.expr, Expr::Column(column) if column.cursor == cursor)
                && !term.order.big_null
        };
        if !plain
            || !self.clause(ClauseId::WHERE).terms.iter().all(constrains)
            || !select.order_by.iter().all(sorts)
        {
            return;
        }
        if let (true, Some(skip)) = (offset != 0, &select.offset) {
            self.add_limit(cursor, ConstraintOp::OFFSET, skip, offset);
        }
        self.add_limit(cursor, ConstraintOp::LIMIT, count, limit);
    }

    fn add_limit(&mut self, cursor: i32, op: ConstraintOp, expr: &Expr, reg: i32) {
        let value = match expr.as_integer() {
            Some(count) if count >= 0 => Expr::Integer(i64::from(count)),
            _ => Expr::Register {
                reg,
                affinity: ringwood_format::affinity::Affinity::None,
                collation: None,
            },
        };
        let mut term = Term::new(ExprRef::made(Expr::Null), On::Where, TermFlags::VIRTUAL);
        term.cursor = cursor;
        term.ops = Ops::AUX;
        term.match_op = Some(op);
        term.sides = Some(Sides::new(
            Ops::AUX,
            ExprRef::made(Expr::Null),
            Some(ExprRef::made(value)),
            false,
        ));
        self.insert(ClauseId::WHERE, term);
    }

    /// The wished order, if all of it are columns of that cursor.
    fn virtual_order(&self, cursor: i32) -> Vec<IndexOrder> {
        let mut order = Vec::new();
        for wish in self.order_by.iter().flatten() {
            if is_constant(wish.expr, Constness::Statement) {
                continue;
            }
            if wish.big_null {
                return Vec::new();
            }
            let column = match wish.expr {
                Expr::Column(column) if column.cursor == cursor => column.column,
                Expr::Collate { expr, .. } => {
                    let Expr::Column(column) = &**expr else {
                        return Vec::new();
                    };
                    let source = self.sources.iter().find(|s| s.cursor() == cursor);
                    let natural = source.map(|s| s.item.table.collation_of(column.column).clone());
                    let same = natural.is_some_and(|natural| natural.same(&wish.collation));
                    if column.cursor != cursor || !same {
                        return Vec::new();
                    }
                    column.column
                }
                _ => return Vec::new(),
            };
            order.push(IndexOrder {
                column,
                desc: wish.desc,
            });
        }
        order
    }

    fn distinct_mode(&self) -> DistinctMode {
        if self.control.contains(Control::DISTINCTBY) {
            if self.control.contains(Control::SORTBYGROUP) {
                DistinctMode::DistinctOrdered
            } else {
                DistinctMode::Distinct
            }
        } else if self.control.contains(Control::GROUPBY) {
            DistinctMode::Grouped
        } else {
            DistinctMode::Ordered
        }
    }

    /// The column of a virtual table that an expression is.
    fn virtual_column(&self, expr: &Expr) -> Option<(i32, i16, &Rc<Connected>)> {
        let Expr::Column(column) = expr else {
            return None;
        };
        let at = self
            .sources
            .iter()
            .position(|source| source.cursor() == column.cursor)?;
        let connected = self.connected.get(at)?.as_ref()?;
        Some((column.cursor, column.column as i16, connected))
    }

    /// Rule 4: the terms that follow from an operator that only virtual tables know.
    pub(super) fn analyze_auxiliary(&mut self, clause: ClauseId, id: TermId) {
        if self.connected.is_empty() || self.clause(clause).is_or {
            return;
        }
        let expr = self.term(id).expr.clone();
        let found = match &*expr {
            Expr::Function(call) => self.auxiliary_call(call).into_iter().collect(),
            Expr::Binary {
                op: op @ (BinaryOp::Ne | BinaryOp::IsNot),
                operands,
                ..
            } => {
                let op = if *op == BinaryOp::Ne {
                    ConstraintOp::NE
                } else {
                    ConstraintOp::IS_NOT
                };
                let (left, right) = (&operands.0, &operands.1);
                vec![
                    (op, left.clone(), right.clone()),
                    (op, right.clone(), left.clone()),
                ]
            }
            Expr::Unary(UnaryOp::NotNull, inner) => {
                vec![(ConstraintOp::IS_NOT_NULL, (**inner).clone(), Expr::Null)]
            }
            _ => return,
        };
        for (op, left, right) in found {
            let Some((cursor, column, _)) = self.virtual_column(&left) else {
                continue;
            };
            let mut correlated = false;
            let needs = self.usage(&right, &mut correlated);
            if needs & self.masks.of(cursor) != 0 {
                continue;
            }
            let from = self.term(id);
            let mut term = Term::new(from.expr.clone(), from.on, TermFlags::VIRTUAL);
            term.prereq_right = needs | from.prereq_right;
            term.prereq_all = from.prereq_all;
            term.cursor = cursor;
            term.column = column;
            term.ops = Ops::AUX;
            term.match_op = Some(op);
            term.sides = Some(Sides::new(
                Ops::AUX,
                ExprRef::made(left),
                Some(ExprRef::made(right)),
                false,
            ));
            let term = self.insert(clause, term);
            self.adopt(term, id);
            self.term_mut(id).flags |= TermFlags::COPIED;
        }
    }

    fn auxiliary_call(&self, call: &FunctionCall) -> Option<(ConstraintOp, Expr, Expr)> {
        let [first, second] = &call.args[..] else {
            return None;
        };
        if self.virtual_column(second).is_some() {
            let operators = [
                ("match", ConstraintOp::MATCH),
                ("glob", ConstraintOp::GLOB),
                ("like", ConstraintOp::LIKE),
                ("regexp", ConstraintOp::REGEXP),
            ];
            let found = operators
                .iter()
                .find(|(name, _)| call.def.name.eq_ignore_ascii_case(name));
            if let Some((_, op)) = found {
                return Some((*op, second.clone(), first.clone()));
            }
        }
        let (_, _, connected) = self.virtual_column(first)?;
        let name = call.def.name.to_ascii_lowercase();
        let overload = connected
            .with(|table| table.find_function(&name, 2))
            .ok()??;
        let op = overload.op.filter(|op| *op >= ConstraintOp::FUNCTION)?;
        Some((op, first.clone(), second.clone()))
    }
}
