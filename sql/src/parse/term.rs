//! Operands: constants, columns, variables, calls, CASE, CAST, RAISE; and the windows behind a call.

use super::expr::Operand;
use super::{PResult, ParseError, ParseErrorKind, Parser, boxed_str, unquote};
use crate::ast::{
    Case, Cast, ColumnRef, CurrentTime, Distinctness, ExprKind, FrameBound, FrameExclude,
    FrameUnit, FunctionArgs, FunctionCall, Literal, Name, Over, Raise, RaiseAction, Span, TypeName,
    Variable, WindowDef, WindowFrame,
};
use crate::lex::{Lexeme, Token};

impl Parser<'_> {
    /// One operand, prefixes and parentheses aside.
    pub(super) fn term(&mut self) -> PResult<Operand> {
        let star_welcome = std::mem::take(&mut self.star_welcome);
        match self.current.token {
            Token::Integer | Token::Float | Token::SeparatedNumber => {
                let lexeme = self.bump()?;
                Ok(self.number(lexeme))
            }
            Token::String => {
                let lexeme = self.bump()?;
                if self.at(Token::Dot) {
                    return self.column(lexeme, star_welcome);
                }
                let bytes = unquote(span(lexeme).slice(self.text));
                Ok(leaf(Literal::String(bytes.into()), lexeme))
            }
            Token::Null => {
                let lexeme = self.bump()?;
                Ok(leaf(Literal::Null, lexeme))
            }
            Token::Blob => {
                let lexeme = self.bump()?;
                let digits = &self.text[lexeme.start as usize + 2..lexeme.end as usize - 1];
                Ok(leaf(Literal::Blob(decode_hex(digits)), lexeme))
            }
            Token::Variable => self.variable(),
            Token::Cast => self.cast(),
            Token::Raise => self.raise_call(),
            Token::TimeWord => {
                let lexeme = self.bump()?;
                let time = match lexeme.end - lexeme.start {
                    17 => CurrentTime::Timestamp,
                    _ if self.text[lexeme.start as usize + 8] & 0xdf == b'D' => CurrentTime::Date,
                    _ => CurrentTime::Time,
                };
                Ok(leaf(Literal::Current(time), lexeme))
            }
            Token::Case => self.case(),
            Token::Exists => self.exists(),
            token if token.is_id_or_join() => {
                let lexeme = self.bump()?;
                match self.current.token {
                    Token::Dot => self.column(lexeme, star_welcome),
                    Token::LeftParen => self.call(lexeme),
                    _ => Ok(Operand::new(
                        ExprKind::Id(self.make_name(lexeme)),
                        span(lexeme),
                        1,
                    )),
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `first.`: a column of two or three parts, or `table.*` where that is welcome.
    #[inline(never)]
    fn column(&mut self, first: Lexeme, star_welcome: bool) -> PResult<Operand> {
        self.bump()?;
        if star_welcome && self.at(Token::Star) {
            self.bump()?;
            self.star = Some(self.make_name(first));
            return Ok(leaf(Literal::Null, first));
        }
        let first = self.make_name(first);
        let second = self.name()?;
        let start = first.span.start;
        let column = if self.accept(Token::Dot)? {
            ColumnRef {
                schema: Some(first),
                table: second,
                column: self.name()?,
            }
        } else {
            ColumnRef {
                schema: None,
                table: first,
                column: second,
            }
        };
        Ok(Operand::new(
            ExprKind::Column(Box::new(column)),
            self.span_from(start),
            1,
        ))
    }

    #[inline(never)]
    fn number(&mut self, lexeme: Lexeme) -> Operand {
        let text = span(lexeme).slice(self.text);
        let literal = match lexeme.token {
            Token::Integer => integer(text),
            Token::Float => Literal::Float(boxed_str(text)),
            _ => {
                let (digits, misplaced) = remove_separators(text);
                if let Some(quoted) = misplaced {
                    let quoted = String::from_utf8_lossy(&quoted).into_owned();
                    self.raise(ParseErrorKind::UnrecognizedToken(quoted), None);
                }
                let is_hex = digits.starts_with(b"0x") || digits.starts_with(b"0X");
                if !is_hex && digits.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
                    Literal::Float(boxed_str(&digits))
                } else {
                    integer(&digits)
                }
            }
        };
        leaf(literal, lexeme)
    }

    #[inline(never)]
    fn variable(&mut self) -> PResult<Operand> {
        let lexeme = self.bump()?;
        let text = span(lexeme).slice(self.text);
        let mut number = 0;
        if text[0] == b'#' && text[1].is_ascii_digit() {
            // A register; only SQLite's own nested statements may name one.
            let text = self.lossy(span(lexeme));
            self.raise(ParseErrorKind::Near(text), Some(lexeme.start));
        } else {
            let max = self.limits.variable_number;
            match self.variables.number(text, max) {
                Some(assigned) => number = assigned,
                None => self.raise(ParseErrorKind::VariableNumber(max), Some(lexeme.start)),
            }
            if number > max {
                self.raise(ParseErrorKind::TooManyVariables, Some(lexeme.start));
            }
        }
        Ok(Operand::new(
            ExprKind::Variable(Variable { number }),
            span(lexeme),
            1,
        ))
    }

    #[inline(never)]
    fn cast(&mut self) -> PResult<Operand> {
        let start = self.bump()?.start;
        self.expect(Token::LeftParen)?;
        self.enter(2)?;
        let expr = self.expr()?;
        let height = self.height + 1;
        self.expect(Token::As)?;
        let type_name = self
            .type_name()?
            .map_or_else(Box::default, |type_name| type_name.text);
        self.expect(Token::RightParen)?;
        self.leave(2);
        self.check_height(height);
        let cast = Cast { expr, type_name };
        Ok(Operand::new(
            ExprKind::Cast(Box::new(cast)),
            self.span_from(start),
            height,
        ))
    }

    /// `typetoken`: words, then perhaps one or two numbers in parentheses; nothing at all is a type, too.
    pub(super) fn type_name(&mut self) -> PResult<Option<TypeName>> {
        let is_word = |token: Token| token.is_id() || token == Token::String;
        if !is_word(self.current.token) {
            return Ok(None);
        }
        let start = self.current.start;
        while is_word(self.current.token) {
            self.bump()?;
        }
        if self.accept(Token::LeftParen)? {
            self.signed_number()?;
            if self.accept(Token::Comma)? {
                self.signed_number()?;
            }
            self.expect(Token::RightParen)?;
        }
        let span = self.span_from(start);
        Ok(Some(TypeName {
            text: boxed_str(span.slice(self.text)),
            span,
        }))
    }

    /// `signed`: a number with an optional sign.
    fn signed_number(&mut self) -> PResult<()> {
        if matches!(self.current.token, Token::Plus | Token::Minus) {
            self.bump()?;
        }
        if !matches!(self.current.token, Token::Integer | Token::Float) {
            return Err(self.unexpected());
        }
        self.bump()?;
        Ok(())
    }

    #[inline(never)]
    fn case(&mut self) -> PResult<Operand> {
        // A CASE costs but one entry of depth, so the call stack is bounded by the height that it is going to have.
        self.open_cases += 1;
        if self.open_cases > self.limits.expr_depth {
            let kind = ParseErrorKind::ExpressionTooDeep(self.limits.expr_depth);
            return Err(Box::new(ParseError { kind, offset: None }));
        }
        let start = self.bump()?.start;
        self.enter(1)?;
        let mut height = 0;
        let mut operand = None;
        if !self.at(Token::When) {
            operand = Some(self.expr()?);
            height = self.height;
        }
        self.enter(1)?;
        let mut arms = Vec::new();
        if !self.at(Token::When) {
            return Err(self.unexpected());
        }
        while self.at(Token::When) {
            let extra = if arms.is_empty() { 1 } else { 2 };
            self.bump()?;
            self.enter(extra)?;
            let when = self.expr()?;
            height = height.max(self.height);
            self.expect(Token::Then)?;
            self.enter(2)?;
            let then = self.expr()?;
            height = height.max(self.height);
            self.leave(2 + extra);
            arms.push((when, then));
        }
        let mut otherwise = None;
        if self.accept(Token::Else)? {
            self.enter(2)?;
            otherwise = Some(self.expr()?);
            height = height.max(self.height);
            self.leave(2);
        }
        self.expect(Token::End)?;
        self.leave(2);
        self.open_cases -= 1;
        self.check_height(height + 1);
        let case = Case {
            operand,
            arms,
            otherwise,
        };
        Ok(Operand::new(
            ExprKind::Case(Box::new(case)),
            self.span_from(start),
            height + 1,
        ))
    }

    #[inline(never)]
    fn exists(&mut self) -> PResult<Operand> {
        let start = self.bump()?.start;
        self.expect(Token::LeftParen)?;
        self.enter(2)?;
        let select = self.boxed_select()?;
        let height = self.height + 1;
        self.expect(Token::RightParen)?;
        self.leave(2);
        self.check_height(height);
        Ok(Operand::new(
            ExprKind::Exists(select),
            self.span_from(start),
            height,
        ))
    }

    #[inline(never)]
    fn raise_call(&mut self) -> PResult<Operand> {
        let start = self.bump()?.start;
        self.expect(Token::LeftParen)?;
        let action = match self.current.token {
            Token::Ignore => RaiseAction::Ignore,
            Token::Rollback => RaiseAction::Rollback,
            Token::Abort => RaiseAction::Abort,
            Token::Fail => RaiseAction::Fail,
            _ => return Err(self.unexpected()),
        };
        self.bump()?;
        let mut message = None;
        let mut height = 0;
        if action != RaiseAction::Ignore {
            self.expect(Token::Comma)?;
            self.enter(4)?;
            message = Some(self.expr()?);
            self.leave(4);
            height = self.height;
        }
        self.expect(Token::RightParen)?;
        self.check_height(height + 1);
        let raise = Raise { action, message };
        Ok(Operand::new(
            ExprKind::Raise(Box::new(raise)),
            self.span_from(start),
            height + 1,
        ))
    }

    /// `name(`: a call.
    #[inline(never)]
    fn call(&mut self, name: Lexeme) -> PResult<Operand> {
        self.bump()?;
        self.enter(3)?;
        let mut call = FunctionCall {
            name: self.make_name(name),
            distinct: Distinctness::None,
            args: FunctionArgs::Star,
            order_by: Vec::new(),
            filter: None,
            over: None,
        };
        let mut height = 0;
        if self.accept(Token::Star)? {
            self.expect(Token::RightParen)?;
        } else {
            call.distinct = self.distinctness()?;
            let mut args = Vec::new();
            if !matches!(self.current.token, Token::RightParen | Token::Order) {
                args = self.expr_list()?;
                height = self.height;
            }
            if self.accept(Token::Order)? {
                self.expect(Token::By)?;
                self.enter(3)?;
                call.order_by = self.sort_list()?;
                self.leave(3);
            }
            self.expect(Token::RightParen)?;
            if args.len() > self.limits.function_args as usize {
                let message = format!("too many arguments on function {}", self.lossy(span(name)));
                self.raise(ParseErrorKind::Other(message), Some(name.start));
            }
            call.args = FunctionArgs::List(args);
        }
        self.leave(3);
        if matches!(self.current.token, Token::Filter | Token::Over) {
            self.filter_over(&mut call, name)?;
        }
        self.check_height(height + 1);
        let span = self.span_from(name.start);
        Ok(Operand::new(
            ExprKind::Call(Box::new(call)),
            span,
            height + 1,
        ))
    }

    pub(super) fn distinctness(&mut self) -> PResult<Distinctness> {
        let distinct = match self.current.token {
            Token::Distinct => Distinctness::Distinct,
            Token::All => Distinctness::All,
            _ => return Ok(Distinctness::None),
        };
        self.bump()?;
        Ok(distinct)
    }

    /// FILTER and OVER behind a call.
    #[inline(never)]
    fn filter_over(&mut self, call: &mut FunctionCall, name: Lexeme) -> PResult<()> {
        self.enter(8)?;
        if self.accept(Token::Filter)? {
            self.expect(Token::LeftParen)?;
            self.expect(Token::Where)?;
            call.filter = Some(Box::new(self.expr()?));
            self.expect(Token::RightParen)?;
        }
        if self.accept(Token::Over)? {
            if self.at(Token::LeftParen) {
                let start = self.bump()?.start;
                let mut window = self.window(None)?;
                self.expect(Token::RightParen)?;
                window.span = self.span_from(start);
                call.over = Some(Over::Window(Box::new(window)));
            } else {
                call.over = Some(Over::Name(self.name()?));
            }
            if call.distinct == Distinctness::Distinct {
                self.raise_message("DISTINCT is not supported for window functions");
            }
            if !call.order_by.is_empty() && !call.arg_list().is_empty() {
                let text = &call.name.text;
                let message = format!("ORDER BY may not be used with non-aggregate {text}()");
                self.raise(ParseErrorKind::Other(message), Some(name.start));
            }
        }
        self.leave(8);
        Ok(())
    }

    /// What stands in the parentheses of a window definition.
    #[inline(never)]
    pub(super) fn window(&mut self, name: Option<Name>) -> PResult<WindowDef> {
        let start = self.current.start;
        let mut window = WindowDef {
            name,
            base: None,
            partition_by: Vec::new(),
            order_by: Vec::new(),
            frame: None,
            span: Span::default(),
        };
        let is_keyword = matches!(
            self.current.token,
            Token::Partition | Token::Rows | Token::Range | Token::Groups
        );
        if self.current.token.is_name() && !is_keyword {
            window.base = Some(self.name()?);
        }
        if self.accept(Token::Partition)? {
            self.expect(Token::By)?;
            self.enter(3)?;
            window.partition_by = self.expr_list()?;
            self.leave(3);
        }
        if self.accept(Token::Order)? {
            self.expect(Token::By)?;
            self.enter(3)?;
            window.order_by = self.sort_list()?;
            self.leave(3);
        }
        let unit = match self.current.token {
            Token::Rows => Some(FrameUnit::Rows),
            Token::Range => Some(FrameUnit::Range),
            Token::Groups => Some(FrameUnit::Groups),
            _ => None,
        };
        if let Some(unit) = unit {
            self.bump()?;
            window.frame = Some(self.frame(unit)?);
        }
        window.span = self.span_from(start.min(self.previous_end));
        Ok(window)
    }

    #[inline(never)]
    fn frame(&mut self, unit: FrameUnit) -> PResult<WindowFrame> {
        self.enter(3)?;
        let (start, end);
        if self.accept(Token::Between)? {
            start = self.frame_bound(true)?;
            self.expect(Token::And)?;
            self.enter(2)?;
            end = self.frame_bound(false)?;
            self.leave(2);
        } else {
            start = self.frame_bound(true)?;
            end = FrameBound::CurrentRow;
        }
        self.leave(3);
        let exclude = self.frame_exclude()?;
        let unsupported = match start {
            FrameBound::CurrentRow => matches!(end, FrameBound::Preceding(_)),
            FrameBound::Following(_) => {
                matches!(end, FrameBound::Preceding(_) | FrameBound::CurrentRow)
            }
            _ => false,
        };
        if unsupported {
            self.raise_message("unsupported frame specification");
        }
        Ok(WindowFrame {
            unit,
            start,
            end,
            exclude,
        })
    }

    fn frame_bound(&mut self, is_start: bool) -> PResult<FrameBound> {
        match self.current.token {
            Token::Unbounded => {
                self.bump()?;
                if is_start {
                    self.expect(Token::Preceding)?;
                    Ok(FrameBound::UnboundedPreceding)
                } else {
                    self.expect(Token::Following)?;
                    Ok(FrameBound::UnboundedFollowing)
                }
            }
            Token::Current => {
                self.bump()?;
                self.expect(Token::Row)?;
                Ok(FrameBound::CurrentRow)
            }
            _ => {
                let expr = Box::new(self.expr()?);
                if self.accept(Token::Preceding)? {
                    Ok(FrameBound::Preceding(expr))
                } else {
                    self.expect(Token::Following)?;
                    Ok(FrameBound::Following(expr))
                }
            }
        }
    }

    fn frame_exclude(&mut self) -> PResult<Option<FrameExclude>> {
        if !self.accept(Token::Exclude)? {
            return Ok(None);
        }
        let exclude = match self.current.token {
            Token::No => {
                self.bump()?;
                self.expect(Token::Others)?;
                return Ok(Some(FrameExclude::NoOthers));
            }
            Token::Current => {
                self.bump()?;
                self.expect(Token::Row)?;
                return Ok(Some(FrameExclude::CurrentRow));
            }
            Token::Group => FrameExclude::Group,
            Token::Ties => FrameExclude::Ties,
            _ => return Err(self.unexpected()),
        };
        self.bump()?;
        Ok(Some(exclude))
    }
}

#[inline]
fn span(lexeme: Lexeme) -> Span {
    Span::new(lexeme.start, lexeme.end)
}

#[inline]
fn leaf(literal: Literal, lexeme: Lexeme) -> Operand {
    Operand::new(ExprKind::Literal(literal), span(lexeme), 1)
}

/// Digits, or 0x and hexadecimal digits, without separators.
fn integer(text: &[u8]) -> Literal {
    if text.len() > 2 && text[1] & 0xdf == b'X' {
        let digits = &text[2..];
        let significant = &digits[digits.iter().take_while(|digit| **digit == b'0').count()..];
        if significant.len() > 16 {
            return Literal::BigHex(boxed_str(text));
        }
        let value = significant
            .iter()
            .fold(0u64, |value, digit| value << 4 | hex_digit(*digit) as u64);
        return Literal::Integer(value as i64);
    }
    let mut value = 0i64;
    for digit in text {
        let next = value
            .checked_mul(10)
            .and_then(|value| value.checked_add((digit & 15) as i64));
        match next {
            Some(next) => value = next,
            None => return Literal::BigInteger(boxed_str(text)),
        }
    }
    Literal::Integer(value)
}

#[inline]
const fn hex_digit(digit: u8) -> u8 {
    (digit & 15) + 9 * (digit >> 6)
}

fn decode_hex(digits: &[u8]) -> Box<[u8]> {
    digits
        .chunks_exact(2)
        .map(|pair| hex_digit(pair[0]) << 4 | hex_digit(pair[1]))
        .collect()
}

/// A number without its `_`. If one of them does not stand between two digits, also what SQLite then quotes: its
/// buffer, which it compacts in place, at the time of the last complaint.
fn remove_separators(text: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let is_hex = text.len() > 1 && text[0] == b'0' && text[1] & 0xdf == b'X';
    let is_digit = |byte: Option<&u8>| {
        byte.is_some_and(|byte| {
            if is_hex {
                byte.is_ascii_hexdigit()
            } else {
                byte.is_ascii_digit()
            }
        })
    };
    let mut buffer = text.to_vec();
    let mut out = 0;
    let mut misplaced = None;
    for index in 0..text.len() {
        if text[index] != b'_' {
            buffer[out] = text[index];
            out += 1;
        } else {
            // The byte before is read from the buffer being compacted.
            let before = index
                .checked_sub(1)
                .and_then(|index| buffer.get(index))
                .copied();
            if !is_digit(before.as_ref()) || !is_digit(text.get(index + 1)) {
                misplaced = Some(buffer.clone());
            }
        }
    }
    buffer.truncate(out);
    (buffer, misplaced)
}
