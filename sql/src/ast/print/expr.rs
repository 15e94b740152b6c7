//! Expressions and windows, printed.

use super::Printer;
use crate::ast::*;

impl Printer<'_> {
    /// An operand: in parentheses if it is an operator.
    pub(super) fn operand(&mut self, expr: &Expr) {
        let is_operator = matches!(
            expr.kind,
            ExprKind::Unary(..)
                | ExprKind::Binary(..)
                | ExprKind::IsNull(_)
                | ExprKind::NotNull(_)
                | ExprKind::Between { .. }
                | ExprKind::InList { .. }
                | ExprKind::InSelect { .. }
                | ExprKind::InTable(_)
                | ExprKind::Like(_)
                | ExprKind::Collate(_)
        );
        if is_operator {
            self.put("(");
            self.expr(expr);
            self.put(")");
        } else {
            self.expr(expr);
        }
    }

    pub(super) fn exprs(&mut self, list: &[Expr]) {
        self.list(list, Self::expr);
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Id(name) => self.name(name),
            ExprKind::Column(column) => {
                for part in [column.schema.as_ref(), Some(&column.table)]
                    .into_iter()
                    .flatten()
                {
                    self.name(part);
                    self.put(".");
                }
                self.name(&column.column);
            }
            ExprKind::Variable(Variable { number }) => {
                match self.params.map(|params| params.name(*number)) {
                    Some(Some(name)) => self.put(name),
                    Some(None) => self.put("?"),
                    None => self.put(&format!("?{number}")),
                }
            }
            ExprKind::Unary(op, operand) => {
                self.put(match op {
                    UnaryOp::Not => "NOT ",
                    UnaryOp::BitNot => "~",
                    UnaryOp::Minus => "-",
                    UnaryOp::Plus => "+",
                });
                self.operand(operand);
            }
            ExprKind::Binary(op, operands) => {
                let [left, right] = &**operands;
                self.operand(left);
                self.put(" ");
                self.put(op.symbol());
                self.put(" ");
                self.operand(right);
            }
            ExprKind::IsNull(operand) => {
                self.operand(operand);
                self.put(" ISNULL");
            }
            ExprKind::NotNull(operand) => {
                self.operand(operand);
                self.put(" NOTNULL");
            }
            ExprKind::Between { not, operands } => {
                let [expr, low, high] = &**operands;
                self.infix(expr, *not, "BETWEEN ");
                self.operand(low);
                self.put(" AND ");
                self.operand(high);
            }
            ExprKind::InList { not, operands } => {
                self.infix(&operands.0, *not, "IN (");
                self.exprs(&operands.1);
                self.put(")");
            }
            ExprKind::InSelect { not, operands } => {
                self.infix(&operands.0, *not, "IN (");
                self.select(&operands.1);
                self.put(")");
            }
            ExprKind::InTable(table) => {
                self.infix(&table.expr, table.not, "IN ");
                self.qualified(&table.table);
                if !table.args.is_empty() {
                    self.put("(");
                    self.exprs(&table.args);
                    self.put(")");
                }
            }
            ExprKind::Like(like) => {
                self.infix(&like.expr, like.not, &like.op.name().to_ascii_uppercase());
                self.put(" ");
                self.operand(&like.pattern);
                if let Some(escape) = &like.escape {
                    self.put(" ESCAPE ");
                    self.operand(escape);
                }
            }
            ExprKind::Case(case) => self.case(case),
            ExprKind::Cast(cast) => {
                self.put("CAST(");
                self.expr(&cast.expr);
                self.put(" AS ");
                self.put(&cast.type_name);
                self.put(")");
            }
            ExprKind::Collate(collate) => {
                self.operand(&collate.expr);
                self.put(" COLLATE ");
                self.name(&collate.collation);
            }
            ExprKind::Call(call) => self.call(call),
            ExprKind::Exists(select) => {
                self.put("EXISTS (");
                self.select(select);
                self.put(")");
            }
            ExprKind::Subquery(select) => {
                self.put("(");
                self.select(select);
                self.put(")");
            }
            ExprKind::Row(items) => {
                self.put("(");
                self.exprs(items);
                self.put(")");
            }
            ExprKind::Raise(raise) => {
                self.put(match raise.action {
                    RaiseAction::Ignore => "RAISE(IGNORE",
                    RaiseAction::Rollback => "RAISE(ROLLBACK",
                    RaiseAction::Abort => "RAISE(ABORT",
                    RaiseAction::Fail => "RAISE(FAIL",
                });
                if let Some(message) = &raise.message {
                    self.put(", ");
                    self.expr(message);
                }
                self.put(")");
            }
        }
    }

    pub(super) fn infix(&mut self, left: &Expr, not: bool, word: &str) {
        self.operand(left);
        self.put(if not { " NOT " } else { " " });
        self.put(word);
    }

    pub(super) fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Null => self.put("NULL"),
            Literal::Integer(value) if *value < 0 => self.put(&format!("{value:#x}")),
            Literal::Integer(value) => self.put(&value.to_string()),
            Literal::BigInteger(text) | Literal::BigHex(text) | Literal::Float(text) => {
                self.put(text);
            }
            Literal::String(bytes) => self.quoted(bytes, b'\'', b'\''),
            Literal::Blob(bytes) => {
                self.put("x'");
                for byte in bytes {
                    self.put(&format!("{byte:02x}"));
                }
                self.put("'");
            }
            Literal::Current(time) => self.put(time.name()),
        }
    }

    pub(super) fn case(&mut self, case: &Case) {
        self.put("CASE ");
        if let Some(operand) = &case.operand {
            self.expr(operand);
            self.put(" ");
        }
        for (when, then) in &case.arms {
            self.put("WHEN ");
            self.expr(when);
            self.put(" THEN ");
            self.expr(then);
            self.put(" ");
        }
        if let Some(otherwise) = &case.otherwise {
            self.put("ELSE ");
            self.expr(otherwise);
            self.put(" ");
        }
        self.put("END");
    }

    pub(super) fn distinct(&mut self, distinct: Distinctness) {
        self.put(match distinct {
            Distinctness::None => "",
            Distinctness::Distinct => "DISTINCT ",
            Distinctness::All => "ALL ",
        });
    }

    pub(super) fn call(&mut self, call: &FunctionCall) {
        self.name(&call.name);
        self.put("(");
        match &call.args {
            FunctionArgs::Star => self.put("*"),
            FunctionArgs::List(args) => {
                self.distinct(call.distinct);
                self.exprs(args);
            }
        }
        self.order_by(&call.order_by);
        self.put(")");
        if let Some(filter) = &call.filter {
            self.put(" FILTER (WHERE ");
            self.expr(filter);
            self.put(")");
        }
        match &call.over {
            None => {}
            Some(Over::Name(name)) => {
                self.put(" OVER ");
                self.name(name);
            }
            Some(Over::Window(window)) => {
                self.put(" OVER (");
                self.window(window);
                self.put(")");
            }
        }
    }

    pub(super) fn window(&mut self, window: &WindowDef) {
        if let Some(base) = &window.base {
            self.name(base);
        }
        if !window.partition_by.is_empty() {
            self.put(" PARTITION BY ");
            self.exprs(&window.partition_by);
        }
        self.order_by(&window.order_by);
        let Some(frame) = &window.frame else { return };
        self.put(match frame.unit {
            FrameUnit::Rows => " ROWS BETWEEN ",
            FrameUnit::Range => " RANGE BETWEEN ",
            FrameUnit::Groups => " GROUPS BETWEEN ",
        });
        self.bound(&frame.start);
        self.put(" AND ");
        self.bound(&frame.end);
        self.put(match frame.exclude {
            None => "",
            Some(FrameExclude::NoOthers) => " EXCLUDE NO OTHERS",
            Some(FrameExclude::CurrentRow) => " EXCLUDE CURRENT ROW",
            Some(FrameExclude::Group) => " EXCLUDE GROUP",
            Some(FrameExclude::Ties) => " EXCLUDE TIES",
        });
    }

    pub(super) fn bound(&mut self, bound: &FrameBound) {
        let (expr, word) = match bound {
            FrameBound::UnboundedPreceding => return self.put("UNBOUNDED PRECEDING"),
            FrameBound::CurrentRow => return self.put("CURRENT ROW"),
            FrameBound::UnboundedFollowing => return self.put("UNBOUNDED FOLLOWING"),
            FrameBound::Preceding(expr) => (expr, ") PRECEDING"),
            FrameBound::Following(expr) => (expr, ") FOLLOWING"),
        };
        // A column called `current` must not be taken for the keyword.
        self.put("(");
        self.expr(expr);
        self.put(word);
    }
}
