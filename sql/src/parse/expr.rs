//! Expressions: a machine with an explicit stack, so that parentheses, prefixes and operators nest without
//! recursion.
//!
//! ```text
//! level  operators                                            associates
//!  1     OR                                                   left
//!  2     AND                                                  left
//!  3     NOT x;  NOT before NULL, LIKE, BETWEEN, IN           right
//!  4     = == <> != IS LIKE GLOB REGEXP MATCH BETWEEN IN      left
//!        ISNULL NOTNULL
//!  5     < <= > >=                                            left
//!  6     ESCAPE                                               right
//!  7     & | << >>                                            left
//!  8     + -                                                  left
//!  9     * / %                                                left
//! 10     || -> ->>                                            left
//! 11     COLLATE                                              left
//! 12     ~x -x +x                                             right
//! ```
//!
//! The machine alternates between wanting an operand and wanting an operator. An operator first reduces every
//! frame on top of the stack that binds at least as tightly (more tightly, for those that associate to the
//! right), then becomes a frame itself. Only the topmost frame decides, as in an LR parser: `a + NOT b = c` is
//! `a + (NOT (b = c))`. Frames that wait for a particular token (`)` of a parenthesis, AND of a BETWEEN) have
//! level 0 and are never reduced; an AND that comes up while a BETWEEN is on top belongs to it.

use super::{PResult, ParseErrorKind, Parser};
use crate::ast::{
    BinaryOp, Collate, Expr, ExprKind, InTable, Like, LikeOp, QualifiedName, SortTerm, Span,
    UnaryOp,
};
use crate::ast::{NullsOrder, SortOrder};
use crate::lex::Token;

/// An expression on the machine's stack.
pub(super) struct Operand {
    pub(super) expr: Expr,
    /// Levels, counted from the leaves.
    pub(super) height: u32,
    /// The text with its parentheses.
    pub(super) outer: Span,
}

/// What waits for an operand.
pub(super) enum Frame {
    /// `(`
    Paren { start: u32 },
    /// `(a, b,`
    Row {
        start: u32,
        items: Vec<Expr>,
        height: u32,
    },
    /// A prefix.
    Prefix { op: UnaryOp, start: u32 },
    /// `a op`; `entries` on an LALR stack.
    Binary {
        op: BinaryOp,
        left: Operand,
        entries: u8,
    },
    /// `a LIKE`
    Like {
        left: Operand,
        op: LikeOp,
        not: bool,
        op_span: Span,
    },
    /// `a LIKE b ESCAPE`
    Escape {
        operands: Box<(Operand, Operand)>,
        op: LikeOp,
        not: bool,
        op_span: Span,
    },
    /// `a BETWEEN`
    Between { left: Operand, not: bool },
    /// `a BETWEEN b AND`
    BetweenAnd {
        operands: Box<(Operand, Operand)>,
        not: bool,
    },
}

mod level {
    pub(super) const BARRIER: u8 = 0;
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const NOT: u8 = 3;
    pub(super) const EQUAL: u8 = 4;
    pub(super) const LESS: u8 = 5;
    pub(super) const BIT: u8 = 7;
    pub(super) const ADD: u8 = 8;
    pub(super) const MULTIPLY: u8 = 9;
    pub(super) const CONCAT: u8 = 10;
    pub(super) const COLLATE: u8 = 11;
    pub(super) const PREFIX: u8 = 12;
}

const fn binary_level(op: BinaryOp) -> u8 {
    use BinaryOp::*;
    match op {
        Or => level::OR,
        And => level::AND,
        Is | IsNot | Eq | Ne => level::EQUAL,
        Lt | Le | Gt | Ge => level::LESS,
        BitAnd | BitOr | ShiftLeft | ShiftRight => level::BIT,
        Add | Subtract => level::ADD,
        Multiply | Divide | Remainder => level::MULTIPLY,
        Concat | Arrow | LongArrow => level::CONCAT,
    }
}

impl Frame {
    #[inline]
    fn level(&self) -> u8 {
        match self {
            Frame::Paren { .. } | Frame::Row { .. } | Frame::Between { .. } => level::BARRIER,
            Frame::Prefix {
                op: UnaryOp::Not, ..
            } => level::NOT,
            Frame::Prefix { .. } => level::PREFIX,
            Frame::Binary { op, .. } => binary_level(*op),
            Frame::Like { .. } | Frame::Escape { .. } | Frame::BetweenAnd { .. } => level::EQUAL,
        }
    }

    /// Entries on an LALR stack.
    fn entries(&self) -> u32 {
        match self {
            Frame::Paren { .. } | Frame::Prefix { .. } => 1,
            Frame::Row { .. } => 3,
            Frame::Binary { entries, .. } => *entries as u32,
            Frame::Like { .. } | Frame::Between { .. } => 2,
            Frame::Escape { .. } | Frame::BetweenAnd { .. } => 4,
        }
    }
}

impl Operand {
    #[inline]
    pub(super) fn new(kind: ExprKind, span: Span, height: u32) -> Self {
        Operand {
            expr: Expr { kind, span },
            height,
            outer: span,
        }
    }
}

/// What the machine does after it looked at the token behind an operand.
enum Step {
    /// An operator was pushed: an operand is wanted.
    Operand,
    /// A postfix was applied: another operator may follow.
    Operator(Operand),
    /// The expression ends here.
    End(Expr),
}

/// Whether no expression goes on with that token, outside of parentheses of its own. Others end one, too.
const fn ends_expression(token: Token) -> bool {
    matches!(
        token,
        Token::Comma | Token::RightParen | Token::EndOfText | Token::Semicolon | Token::From
    )
}

impl Parser<'_> {
    /// An expression. Its height is left in `self.height`.
    pub(super) fn expr(&mut self) -> PResult<Expr> {
        self.star_welcome = false;
        self.expr_machine()
    }

    /// An expression at the beginning of a result column: if it is `table.*`, the table is left in `self.star`
    /// and the expression means nothing.
    pub(super) fn expr_or_star(&mut self) -> PResult<Expr> {
        self.star_welcome = true;
        self.expr_machine()
    }

    #[inline(never)]
    fn expr_machine(&mut self) -> PResult<Expr> {
        let base = self.frames.len();
        loop {
            let mut operand = loop {
                let start = self.current.start;
                match self.current.token {
                    Token::LeftParen => {
                        self.star_welcome = false;
                        self.bump()?;
                        if matches!(
                            self.current.token,
                            Token::Select | Token::Values | Token::With
                        ) {
                            break self.subquery(start)?;
                        }
                        self.push(Frame::Paren { start })?;
                    }
                    Token::Minus => self.push_prefix(UnaryOp::Minus)?,
                    Token::Plus => self.push_prefix(UnaryOp::Plus)?,
                    Token::Not => self.push_prefix(UnaryOp::Not)?,
                    Token::BitNot => self.push_prefix(UnaryOp::BitNot)?,
                    _ => {
                        let operand = self.term()?;
                        if self.star.is_some() {
                            return Ok(operand.expr);
                        }
                        // Most expressions are a single operand.
                        if self.frames.len() == base && ends_expression(self.current.token) {
                            self.height = operand.height;
                            return Ok(operand.expr);
                        }
                        break operand;
                    }
                }
            };
            loop {
                match self.operator(operand, base)? {
                    Step::Operand => break,
                    Step::Operator(next) => operand = next,
                    Step::End(expr) => return Ok(expr),
                }
            }
        }
    }

    fn push(&mut self, frame: Frame) -> PResult<()> {
        self.enter(frame.entries())?;
        self.frames.push(frame);
        Ok(())
    }

    fn push_prefix(&mut self, op: UnaryOp) -> PResult<()> {
        self.star_welcome = false;
        let start = self.bump()?.start;
        self.push(Frame::Prefix { op, start })
    }

    #[inline(never)]
    fn subquery(&mut self, start: u32) -> PResult<Operand> {
        self.enter(1)?;
        let select = self.boxed_select()?;
        let height = self.height + 1;
        self.expect(Token::RightParen)?;
        self.leave(1);
        let operand = Operand::new(ExprKind::Subquery(select), self.span_from(start), height);
        self.check_height(height);
        Ok(operand)
    }

    /// Looks at the token behind `operand`.
    fn operator(&mut self, operand: Operand, base: usize) -> PResult<Step> {
        let op = match self.current.token {
            Token::RightParen | Token::Comma => return self.close(operand, base),
            Token::Eq => BinaryOp::Eq,
            Token::Ne => BinaryOp::Ne,
            Token::Lt => BinaryOp::Lt,
            Token::Le => BinaryOp::Le,
            Token::Gt => BinaryOp::Gt,
            Token::Ge => BinaryOp::Ge,
            Token::Plus => BinaryOp::Add,
            Token::Minus => BinaryOp::Subtract,
            Token::Star => BinaryOp::Multiply,
            Token::Slash => BinaryOp::Divide,
            Token::Percent => BinaryOp::Remainder,
            Token::Concat => BinaryOp::Concat,
            Token::BitAnd => BinaryOp::BitAnd,
            Token::BitOr => BinaryOp::BitOr,
            Token::ShiftLeft => BinaryOp::ShiftLeft,
            Token::ShiftRight => BinaryOp::ShiftRight,
            Token::Or => BinaryOp::Or,
            Token::And => return self.and(operand, base),
            Token::Arrow => {
                if self.current.end - self.current.start == 3 {
                    BinaryOp::LongArrow
                } else {
                    BinaryOp::Arrow
                }
            }
            Token::Is => return self.is(operand, base),
            Token::Not => return self.infix_not(operand, base),
            Token::LikeWord | Token::Match => {
                let left = self.reduce_at_least(operand, level::EQUAL, base);
                return self.like(left, false);
            }
            Token::Between => {
                let left = self.reduce_at_least(operand, level::EQUAL, base);
                return self.between(left, false);
            }
            Token::In => {
                let left = self.reduce_at_least(operand, level::EQUAL, base);
                return self.in_operator(left, false);
            }
            Token::Escape => return self.escape(operand, base),
            Token::Collate => return self.collate(operand, base),
            Token::Isnull => {
                let operand = self.reduce_at_least(operand, level::EQUAL, base);
                self.bump()?;
                return Ok(Step::Operator(self.postfix(operand, ExprKind::IsNull)));
            }
            Token::Notnull => {
                let operand = self.reduce_at_least(operand, level::EQUAL, base);
                self.bump()?;
                return Ok(Step::Operator(self.postfix(operand, ExprKind::NotNull)));
            }
            _ => return self.finish(operand, base).map(Step::End),
        };
        let left = self.reduce_at_least(operand, binary_level(op), base);
        self.bump()?;
        self.push(Frame::Binary {
            op,
            left,
            entries: 2,
        })?;
        Ok(Step::Operand)
    }

    /// Reduces the frames on top that bind at least as tightly as `level`.
    #[inline]
    fn reduce_at_least(&mut self, mut operand: Operand, level: u8, base: usize) -> Operand {
        while self.frames.len() > base
            && self
                .frames
                .last()
                .is_some_and(|frame| frame.level() >= level)
        {
            operand = self.reduce(operand);
        }
        operand
    }

    /// Pops the topmost frame, which is no barrier, and combines it with its right side.
    fn reduce(&mut self, right: Operand) -> Operand {
        let Some(frame) = self.frames.pop() else {
            return right;
        };
        self.leave(frame.entries());
        let operand = match frame {
            Frame::Binary { op, left, .. } => {
                let outer = left.outer.to(right.outer);
                let height = left.height.max(right.height) + 1;
                Operand::new(
                    ExprKind::Binary(op, Box::new([left.expr, right.expr])),
                    outer,
                    height,
                )
            }
            Frame::Prefix { op, start } => {
                let span = Span::new(start, right.outer.end);
                if matches!(op, UnaryOp::Plus | UnaryOp::Minus) {
                    if let ExprKind::Unary(UnaryOp::Plus, inner) = right.expr.kind {
                        // As SQLite: a sign swallows a plus sign.
                        return Operand::new(ExprKind::Unary(op, inner), span, right.height);
                    }
                }
                Operand::new(
                    ExprKind::Unary(op, Box::new(right.expr)),
                    span,
                    right.height + 1,
                )
            }
            Frame::Like {
                left,
                op,
                not,
                op_span,
            } => {
                let outer = left.outer.to(right.outer);
                let height = left.height.max(right.height) + 1 + u32::from(not);
                let like = Like {
                    op,
                    not,
                    expr: left.expr,
                    pattern: right.expr,
                    escape: None,
                    op_span,
                };
                Operand::new(ExprKind::Like(Box::new(like)), outer, height)
            }
            Frame::Escape {
                operands,
                op,
                not,
                op_span,
            } => {
                let (left, pattern) = *operands;
                let outer = left.outer.to(right.outer);
                let height = left.height.max(pattern.height).max(right.height) + 1 + u32::from(not);
                let like = Like {
                    op,
                    not,
                    expr: left.expr,
                    pattern: pattern.expr,
                    escape: Some(right.expr),
                    op_span,
                };
                Operand::new(ExprKind::Like(Box::new(like)), outer, height)
            }
            Frame::BetweenAnd { operands, not } => {
                let (left, low) = *operands;
                let outer = left.outer.to(right.outer);
                let height = left.height.max(low.height).max(right.height) + 1 + u32::from(not);
                let operands = Box::new([left.expr, low.expr, right.expr]);
                Operand::new(ExprKind::Between { not, operands }, outer, height)
            }
            Frame::Paren { .. } | Frame::Row { .. } | Frame::Between { .. } => right,
        };
        self.check_height(operand.height);
        operand
    }

    #[inline]
    pub(super) fn check_height(&mut self, height: u32) {
        if height > self.limits.expr_depth {
            self.raise(
                ParseErrorKind::ExpressionTooDeep(self.limits.expr_depth),
                None,
            );
        }
    }

    fn postfix(&mut self, operand: Operand, kind: fn(Box<Expr>) -> ExprKind) -> Operand {
        let height = operand.height + 1;
        self.check_height(height);
        let span = self.span_from(operand.outer.start);
        Operand::new(kind(Box::new(operand.expr)), span, height)
    }

    /// Reduces everything down to `base` or a barrier.
    fn reduce_all(&mut self, operand: Operand, base: usize) -> Operand {
        self.reduce_at_least(operand, level::OR, base)
    }

    /// The current token continues no expression: the whole must be complete.
    #[inline(never)]
    fn finish(&mut self, operand: Operand, base: usize) -> PResult<Expr> {
        let operand = self.reduce_all(operand, base);
        if self.frames.len() > base {
            return Err(self.unexpected());
        }
        self.height = operand.height;
        Ok(operand.expr)
    }

    /// `)` or a comma: of a parenthesis or row that was opened here, or of something around the expression.
    #[inline(never)]
    fn close(&mut self, operand: Operand, base: usize) -> PResult<Step> {
        let operand = self.reduce_all(operand, base);
        if self.frames.len() == base {
            self.height = operand.height;
            return Ok(Step::End(operand.expr));
        }
        let comma = self.at(Token::Comma);
        match self.frames.last_mut() {
            Some(Frame::Paren { start }) => {
                let start = *start;
                if comma {
                    self.bump()?;
                    self.frames.pop();
                    self.leave(1);
                    let items = vec![operand.expr];
                    self.push(Frame::Row {
                        start,
                        items,
                        height: operand.height,
                    })?;
                    return Ok(Step::Operand);
                }
                self.bump()?;
                self.frames.pop();
                self.leave(1);
                let outer = self.span_from(start);
                Ok(Step::Operator(Operand { outer, ..operand }))
            }
            Some(Frame::Row {
                start,
                items,
                height,
            }) => {
                let start = *start;
                items.push(operand.expr);
                *height = operand.height.max(*height);
                self.bump()?;
                if comma {
                    return Ok(Step::Operand);
                }
                let Some(Frame::Row { items, height, .. }) = self.frames.pop() else {
                    return Err(self.unexpected());
                };
                self.leave(3);
                self.check_height(height + 1);
                let row = Operand::new(ExprKind::Row(items), self.span_from(start), height + 1);
                Ok(Step::Operator(row))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// AND: the one that a BETWEEN waits for, or the operator.
    #[inline(never)]
    fn and(&mut self, operand: Operand, base: usize) -> PResult<Step> {
        let operand = self.reduce_at_least(operand, level::AND, base);
        self.bump()?;
        if self.frames.len() > base && matches!(self.frames.last(), Some(Frame::Between { .. })) {
            if let Some(Frame::Between { left, not }) = self.frames.pop() {
                self.leave(2);
                self.push(Frame::BetweenAnd {
                    operands: Box::new((left, operand)),
                    not,
                })?;
                return Ok(Step::Operand);
            }
        }
        self.push(Frame::Binary {
            op: BinaryOp::And,
            left: operand,
            entries: 2,
        })?;
        Ok(Step::Operand)
    }

    #[inline(never)]
    fn is(&mut self, operand: Operand, base: usize) -> PResult<Step> {
        let left = self.reduce_at_least(operand, level::EQUAL, base);
        self.bump()?;
        let mut op = BinaryOp::Is;
        let mut entries = 2;
        if self.accept(Token::Not)? {
            op = BinaryOp::IsNot;
            entries = 3;
        }
        if self.accept(Token::Distinct)? {
            self.expect(Token::From)?;
            op = if op == BinaryOp::Is {
                BinaryOp::IsNot
            } else {
                BinaryOp::Is
            };
            entries += 2;
        }
        self.push(Frame::Binary { op, left, entries })?;
        Ok(Step::Operand)
    }

    /// `x NOT …`: NULL, LIKE, BETWEEN or IN must follow.
    #[inline(never)]
    fn infix_not(&mut self, operand: Operand, base: usize) -> PResult<Step> {
        let left = self.reduce_at_least(operand, level::NOT + 1, base);
        self.bump()?;
        match self.current.token {
            Token::Null => {
                self.bump()?;
                Ok(Step::Operator(self.postfix(left, ExprKind::NotNull)))
            }
            Token::LikeWord | Token::Match => self.like(left, true),
            Token::Between => self.between(left, true),
            Token::In => self.in_operator(left, true),
            _ => Err(self.unexpected()),
        }
    }

    #[inline(never)]
    fn like(&mut self, left: Operand, not: bool) -> PResult<Step> {
        let word = self.bump()?;
        let op = match (word.token, self.text[word.start as usize] & 0xdf) {
            (Token::Match, _) => LikeOp::Match,
            (_, b'L') => LikeOp::Like,
            (_, b'G') => LikeOp::Glob,
            _ => LikeOp::Regexp,
        };
        let op_span = Span::new(word.start, word.end);
        self.push(Frame::Like {
            left,
            op,
            not,
            op_span,
        })?;
        Ok(Step::Operand)
    }

    #[inline(never)]
    fn escape(&mut self, operand: Operand, base: usize) -> PResult<Step> {
        let mut operand = operand;
        while self.frames.len() > base {
            match self.frames.last() {
                Some(Frame::Like { .. }) => {
                    self.bump()?;
                    let Some(Frame::Like {
                        left,
                        op,
                        not,
                        op_span,
                    }) = self.frames.pop()
                    else {
                        break;
                    };
                    self.leave(2);
                    let operands = Box::new((left, operand));
                    self.push(Frame::Escape {
                        operands,
                        op,
                        not,
                        op_span,
                    })?;
                    return Ok(Step::Operand);
                }
                Some(frame) if frame.level() > level::BARRIER => operand = self.reduce(operand),
                _ => break,
            }
        }
        Err(self.unexpected())
    }

    #[inline(never)]
    fn collate(&mut self, operand: Operand, base: usize) -> PResult<Step> {
        let operand = self.reduce_at_least(operand, level::COLLATE, base);
        self.bump()?;
        let collation = self.id_or_string()?;
        let height = operand.height + 1;
        self.check_height(height);
        let span = self.span_from(operand.outer.start);
        let kind = ExprKind::Collate(Box::new(Collate {
            expr: operand.expr,
            collation,
        }));
        Ok(Step::Operator(Operand::new(kind, span, height)))
    }

    #[inline(never)]
    fn between(&mut self, left: Operand, not: bool) -> PResult<Step> {
        self.bump()?;
        self.push(Frame::Between { left, not })?;
        Ok(Step::Operand)
    }

    #[inline(never)]
    fn in_operator(&mut self, left: Operand, not: bool) -> PResult<Step> {
        self.bump()?;
        let start = left.outer.start;
        let mut height = left.height;
        let kind = if self.at(Token::LeftParen) {
            self.bump()?;
            self.enter(3)?;
            let kind = if matches!(
                self.current.token,
                Token::Select | Token::Values | Token::With
            ) {
                let select = self.boxed_select()?;
                height = height.max(self.height);
                ExprKind::InSelect {
                    not,
                    operands: Box::new((left.expr, *select)),
                }
            } else {
                let mut list = self.optional_expr_list()?;
                height = height.max(self.height);
                // `x IN ((SELECT …))` is `x IN (SELECT …)`, however many parentheses there are.
                match list.pop().map(|last| (last.kind, last.span)) {
                    Some((ExprKind::Subquery(select), _)) if list.is_empty() => {
                        ExprKind::InSelect {
                            not,
                            operands: Box::new((left.expr, *select)),
                        }
                    }
                    last => {
                        list.extend(last.map(|(kind, span)| Expr { kind, span }));
                        ExprKind::InList {
                            not,
                            operands: Box::new((left.expr, list)),
                        }
                    }
                }
            };
            self.expect(Token::RightParen)?;
            self.leave(3);
            if let ExprKind::InList { operands, .. } = &kind {
                self.check_row_widths(&operands.0, &operands.1);
            }
            kind
        } else {
            let table: QualifiedName = self.qualified_name()?;
            let mut args = Vec::new();
            if self.at(Token::LeftParen) {
                self.bump()?;
                self.enter(5)?;
                args = self.optional_expr_list()?;
                self.expect(Token::RightParen)?;
                self.leave(5);
            }
            ExprKind::InTable(Box::new(InTable {
                not,
                expr: left.expr,
                table,
                args,
            }))
        };
        let height = height + 1 + u32::from(not);
        self.check_height(height);
        Ok(Step::Operator(Operand::new(
            kind,
            self.span_from(start),
            height,
        )))
    }

    /// `(a, b) IN ((1, 2), …)`: each element must be as wide as the left side. A lone query on the right is looked
    /// at later.
    fn check_row_widths(&mut self, left: &Expr, list: &[Expr]) {
        let ExprKind::Row(row) = &left.kind else {
            return;
        };
        if let [
            Expr {
                kind: ExprKind::Subquery(_),
                ..
            },
        ] = list
        {
            return;
        }
        for item in list {
            let width = match &item.kind {
                ExprKind::Row(items) => items.len(),
                _ => 1,
            };
            if width != row.len() {
                let plural = if width > 1 { "s" } else { "" };
                let message = format!(
                    "IN(...) element has {width} term{plural} - expected {}",
                    row.len()
                );
                self.raise_message(message);
                return;
            }
        }
    }

    /// Expressions with commas between them. The greatest height is left in `self.height`.
    pub(super) fn expr_list(&mut self) -> PResult<Vec<Expr>> {
        let mut list = Vec::new();
        self.expr_list_into(&mut list)?;
        Ok(list)
    }

    pub(super) fn expr_list_into(&mut self, list: &mut Vec<Expr>) -> PResult<()> {
        list.push(self.expr()?);
        if !self.at(Token::Comma) {
            return Ok(());
        }
        let mut height = self.height;
        self.enter(2)?;
        while self.accept(Token::Comma)? {
            list.push(self.expr()?);
            height = height.max(self.height);
        }
        self.leave(2);
        self.height = height;
        Ok(())
    }

    /// As [`Parser::expr_list`], but empty before `)`.
    pub(super) fn optional_expr_list(&mut self) -> PResult<Vec<Expr>> {
        if self.at(Token::RightParen) {
            self.height = 0;
            return Ok(Vec::new());
        }
        self.expr_list()
    }

    /// `expr [ASC|DESC] [NULLS FIRST|LAST], …`. The greatest height is left in `self.height`.
    pub(super) fn sort_list(&mut self) -> PResult<Vec<SortTerm>> {
        let mut list = Vec::new();
        let mut height = 0;
        self.enter(2)?;
        loop {
            let start = self.current.start;
            let expr = self.expr()?;
            height = height.max(self.height);
            let order = match self.current.token {
                Token::Asc => Some(SortOrder::Asc),
                Token::Desc => Some(SortOrder::Desc),
                _ => None,
            };
            if order.is_some() {
                self.bump()?;
            }
            let nulls = self.nulls_order()?;
            list.push(SortTerm {
                expr,
                order,
                nulls,
                span: self.span_from(start),
            });
            if !self.accept(Token::Comma)? {
                break;
            }
        }
        self.leave(2);
        self.height = height;
        Ok(list)
    }

    fn nulls_order(&mut self) -> PResult<Option<NullsOrder>> {
        if !self.accept(Token::Nulls)? {
            return Ok(None);
        }
        let nulls = match self.current.token {
            Token::First => NullsOrder::First,
            Token::Last => NullsOrder::Last,
            _ => return Err(self.unexpected()),
        };
        self.bump()?;
        Ok(Some(nulls))
    }
}
