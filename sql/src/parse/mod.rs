//! From tokens to a tree: a recursive-descent parser, with an operator-precedence machine for expressions.
//!
//! ```text
//! Parser::next_statement ── statement ─┬─ command.rs   BEGIN, PRAGMA, ATTACH, VACUUM, DROP, ALTER, …
//!                                      ├─ create.rs    CREATE …, column and table constraints
//!                                      ├─ change.rs    INSERT, UPDATE, DELETE, triggers' steps
//!                                      ├─ select.rs    SELECT, VALUES, WITH, FROM, ORDER BY, LIMIT
//!                                      └─ expr.rs      expressions; term.rs: constants, calls, windows
//! ```
//!
//! It accepts what SQLite's LALR(1) grammar accepts and refuses the rest with SQLite's message at SQLite's
//! offset. How that is kept equal:
//! 1. One token of look-ahead, no backtracking. A token that cannot continue what was read is the one that an
//!    LALR parser stumbles over, too: both find the error at the first token that no statement could have there.
//! 2. A keyword that falls back to an identifier is taken as the keyword wherever the grammar has it at that
//!    point, else as a name ([`Token::is_id`]). So each place asks for keywords first.
//! 3. Errors other than syntax errors (a wrong variable number, a join type that does not exist) are raised by
//!    SQLite in a reduction, which happens when the next token has been read and before it is consumed. Here
//!    they are put into `pending` at that same moment, the last one wins, a syntax error at the very next token
//!    overrides them, and they surface when that token is consumed.
//! 4. `depth` counts what SQLite's parser would have on its stack, so that "Recursion limit" comes at the same
//!    nesting (or up to a few levels off where a rule reduces early). Parentheses, operators and prefixes live on
//!    a heap stack; only queries, CASE, calls and lists recurse. The call stack stays below 2 MiB, as a test shows.
//! 5. Heights of expressions are counted as SQLite counts them, except that COLLATE and row values count as a
//!    level each: the bound (1000) then bounds the tree, and its recursive drop.
//! 6. SQLite looks at the beginnings of CREATE TABLE, CREATE VIRTUAL TABLE, CREATE TRIGGER and ALTER TABLE ADD before it
//!    has read their ends, and says what is wrong there even if a syntax error follows. So an error within these keeps
//!    what had `begun`, for the compiler to look at ([`Parser::malformed`]).
//!
//! Compile options: UPDATE and DELETE take ORDER BY and LIMIT (SQLITE_ENABLE_UPDATE_DELETE_LIMIT); ordered-set
//! aggregates (WITHIN GROUP) are not parsed, as in SQLite's default build.
//!
//! Names and messages are `str`: bytes of a statement that are not UTF-8 appear there as U+FFFD, while string
//! literals keep them.
//!
//! Source: SQLite's parse.y and tokenize.c (3.54).

mod change;
mod command;
mod create;
mod error;
mod expr;
mod select;
mod term;

pub use error::{ParseError, ParseErrorKind};

use crate::ast::{
    Explain, Expr, Name, ParamName, Params, QualifiedName, Quote, Span, Statement, Stmt,
};
use crate::lex::{Lexeme, Token, is_space, lex, resolve_context};
use expr::Frame;
use smallvec::SmallVec;
use smol_str::SmolStr;

type PResult<T> = Result<T, Box<ParseError>>;

/// Limits on statements; the defaults are SQLite's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParserLimits {
    /// Levels of an expression (SQLITE_LIMIT_EXPR_DEPTH).
    pub expr_depth: u32,
    /// Entries on the parser's stack (SQLITE_LIMIT_PARSER_DEPTH). Do not raise it: it bounds recursion.
    pub parser_depth: u32,
    /// The highest number of a variable (SQLITE_LIMIT_VARIABLE_NUMBER).
    pub variable_number: u32,
    /// Arguments of a function (SQLITE_LIMIT_FUNCTION_ARG).
    pub function_args: u32,
    /// Parts of a compound SELECT (SQLITE_LIMIT_COMPOUND_SELECT); 0 for no limit.
    pub compound_select: u32,
    /// Columns of a set list (SQLITE_LIMIT_COLUMN).
    pub columns: u32,
    /// Bytes of a text (SQLITE_LIMIT_SQL_LENGTH).
    pub sql_length: u32,
}

impl Default for ParserLimits {
    fn default() -> Self {
        Self {
            expr_depth: 1000,
            parser_depth: 2500,
            variable_number: 32766,
            function_args: 1000,
            compound_select: 500,
            columns: 2000,
            sql_length: 1_000_000_000,
        }
    }
}

/// Reads the statements of a text, one after another.
///
/// ```
/// use ringwood_sql::parse::Parser;
/// let mut parser = Parser::new(b"SELECT 1; ; SELECT 2");
/// let first = parser.next_statement().unwrap().unwrap();
/// assert_eq!((first.span.start, first.span.end, parser.tail()), (0, 8, 9));
/// assert!(parser.next_statement().unwrap().is_ok());
/// assert!(parser.next_statement().is_none());
/// ```
pub struct Parser<'a> {
    text: &'a [u8],
    current: Lexeme,
    /// The end of the token that was consumed last.
    previous_end: u32,
    pending: Option<Box<ParseError>>,
    limits: ParserLimits,
    /// Entries on the stack of an LALR parser (rule 4).
    depth: u32,
    /// The height of the expression or query that was parsed last (rule 5).
    height: u32,
    /// CASE expressions that have not ended yet.
    open_cases: u32,
    /// Operators that wait for their right side.
    frames: SmallVec<[Frame; 3]>,
    /// A `table.*` is welcome: at the very beginning of a result column.
    star_welcome: bool,
    /// The table of a `table.*` that was found.
    star: Option<Name>,
    /// Within CREATE TRIGGER.
    in_trigger: bool,
    variables: Variables,
    /// SELECTs of the statement that have ended.
    select_count: u32,
    tail: usize,
    finished: bool,
    /// What a statement that went wrong had begun (rule 6).
    begun: Option<Box<Stmt>>,
}

/// Parses the first statement of `text`; `None` if there is nothing but blanks, comments and semicolons.
///
/// # Errors
/// What is wrong with it.
pub fn parse_statement(text: &[u8]) -> Result<Option<Statement>, ParseError> {
    Parser::new(text).next_statement().transpose()
}

/// Parses `text` as one expression, to its end: a default, a condition kept in a schema.
///
/// # Errors
/// What is wrong with it.
pub fn parse_expression(text: &[u8]) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text);
    let parsed = parser.start().and_then(|()| {
        let expr = parser.expr()?;
        match parser.current.token {
            Token::EndOfText => parser.take_pending().map(|()| expr),
            _ => Err(parser.unexpected()),
        }
    });
    parsed.map_err(|error| *error)
}

impl<'a> Parser<'a> {
    /// A parser over `text` with SQLite's limits. Nothing is read yet.
    ///
    /// The text need not be UTF-8. A NUL byte ends it.
    pub fn new(text: &'a [u8]) -> Self {
        Self::with_limits(text, ParserLimits::default())
    }

    /// A parser over `text` with other limits.
    pub fn with_limits(text: &'a [u8], limits: ParserLimits) -> Self {
        Self {
            text,
            current: Lexeme {
                token: Token::EndOfText,
                start: 0,
                end: 0,
            },
            previous_end: 0,
            pending: None,
            limits,
            depth: 0,
            height: 0,
            open_cases: 0,
            frames: SmallVec::new(),
            star_welcome: false,
            star: None,
            in_trigger: false,
            variables: Variables::default(),
            select_count: 0,
            tail: 0,
            finished: false,
            begun: None,
        }
    }

    /// Where the next statement begins: SQLite's pzTail. After a statement, the offset just past its semicolon;
    /// after an error, past the token that is wrong.
    pub fn tail(&self) -> usize {
        self.tail
    }

    /// The next statement; empty ones are skipped. `None` at the end of the text, and after an error.
    pub fn next_statement(&mut self) -> Option<Result<Statement, ParseError>> {
        if self.finished {
            return None;
        }
        let result = self.start().and_then(|()| self.script_item());
        match result {
            Ok(Some(statement)) => Some(Ok(statement)),
            Ok(None) => {
                self.finished = true;
                None
            }
            Err(error) => {
                self.finished = true;
                self.tail = match error.kind {
                    ParseErrorKind::UnrecognizedToken(_) => self.current.start as usize,
                    _ => self.current.end as usize,
                };
                Some(Err(*error))
            }
        }
    }

    /// What [`next_statement`](Self::next_statement) failed with, as a statement that fails with it when it is compiled,
    /// unless what it had begun is wrong by itself (rule 6).
    ///
    /// # Errors
    /// `error`, where nothing had begun.
    pub fn malformed(&mut self, error: ParseError) -> Result<Statement, ParseError> {
        let Some(begun) = self.begun.take() else {
            return Err(error);
        };
        Ok(Statement {
            kind: *begun,
            explain: Explain::No,
            span: Span::new(0, self.tail as u32),
            terminator: self.tail as u32,
            params: self.variables.take(),
            selects: self.select_count,
            error: Some(Box::new(error)),
        })
    }

    /// The statement that `error` interrupts.
    #[cold]
    #[allow(clippy::unnecessary_box_returns)] // the Err of PResult
    fn begun(&mut self, stmt: Stmt, error: Box<ParseError>) -> Box<ParseError> {
        self.begun = Some(Box::new(stmt));
        error
    }

    /// Reads the first token after the last statement.
    fn start(&mut self) -> PResult<()> {
        if self.text.len() > self.limits.sql_length as usize {
            return Err(Box::new(ParseError {
                kind: ParseErrorKind::TooBig,
                offset: None,
            }));
        }
        self.frames.clear();
        self.depth = 0;
        self.select_count = 0;
        self.open_cases = 0;
        self.in_trigger = false;
        self.current = lex(self.text, self.tail);
        self.previous_end = self.current.start;
        if self.current.token.is_special() {
            self.second_look(None)?;
        }
        Ok(())
    }

    fn script_item(&mut self) -> PResult<Option<Statement>> {
        while self.current.token == Token::Semicolon {
            self.bump()?;
        }
        if self.current.token == Token::EndOfText {
            self.tail = self.current.end as usize;
            return Ok(None);
        }
        let start = self.current.start;
        let mut explain = Explain::No;
        if self.accept(Token::Explain)? {
            explain = Explain::Program;
            self.depth = 1;
            if self.accept(Token::Query)? {
                self.expect(Token::Plan)?;
                explain = Explain::QueryPlan;
            }
        }
        let kind = self.statement()?;
        let end = match self.current.token {
            Token::Semicolon | Token::EndOfText => self.take_pending(),
            _ => Err(self.unexpected()),
        };
        if let Err(error) = end {
            let looked_at = match &kind {
                Stmt::CreateTable(_) | Stmt::CreateTrigger(_) => true,
                Stmt::CreateVirtualTable(create) => !create.args.is_empty(),
                _ => false,
            };
            return Err(if looked_at {
                self.begun(kind, error)
            } else {
                error
            });
        }
        self.tail = self.current.end as usize;
        Ok(Some(Statement {
            kind,
            explain,
            span: Span::new(start, self.previous_end),
            terminator: self.current.start,
            params: self.variables.take(),
            selects: self.select_count,
            error: None,
        }))
    }

    // Tokens.

    /// Consumes the current token and reads the next one.
    #[inline(always)]
    fn bump(&mut self) -> PResult<Lexeme> {
        if self.pending.is_some() {
            self.take_pending()?;
        }
        let consumed = self.current;
        self.previous_end = consumed.end;
        self.current = lex(self.text, consumed.end as usize);
        if self.current.token.is_special() {
            self.second_look(Some(consumed.token))?;
        }
        Ok(consumed)
    }

    #[cold]
    fn second_look(&mut self, previous: Option<Token>) -> PResult<()> {
        match self.current.token {
            Token::EndOfText => Ok(()),
            Token::Illegal => {
                let Lexeme { start, end, .. } = self.current;
                let text = self.lossy(Span::new(start, end));
                Err(error_at(ParseErrorKind::UnrecognizedToken(text), start))
            }
            word => {
                self.current.token =
                    resolve_context(self.text, word, previous, self.current.end as usize);
                Ok(())
            }
        }
    }

    /// Consumes the current token if it is `token`.
    #[inline(always)]
    fn accept(&mut self, token: Token) -> PResult<bool> {
        if self.current.token == token {
            self.bump()?;
            Ok(true)
        } else {
            Ok(false)
        }
    }

    /// Consumes the current token, which must be `token`.
    #[inline(always)]
    fn expect(&mut self, token: Token) -> PResult<Lexeme> {
        if self.current.token == token {
            self.bump()
        } else {
            Err(self.unexpected())
        }
    }

    #[inline(always)]
    fn at(&self, token: Token) -> bool {
        self.current.token == token
    }

    /// The syntax error at the current token.
    #[cold]
    #[allow(clippy::unnecessary_box_returns)] // the Err of PResult
    fn unexpected(&self) -> Box<ParseError> {
        if self.current.token == Token::EndOfText {
            return Box::new(ParseError {
                kind: ParseErrorKind::Incomplete,
                offset: None,
            });
        }
        let span = Span::new(self.current.start, self.current.end);
        error_at(ParseErrorKind::Near(self.lossy(span)), span.start)
    }

    /// Raises an error as a reduction does (rule 3).
    #[cold]
    fn raise(&mut self, kind: ParseErrorKind, offset: Option<u32>) {
        self.pending = Some(Box::new(ParseError { kind, offset }));
    }

    #[cold]
    fn raise_message(&mut self, message: impl Into<String>) {
        self.raise(ParseErrorKind::Other(message.into()), None);
    }

    fn take_pending(&mut self) -> PResult<()> {
        match self.pending.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Counts `entries` more on the stack (rule 4).
    #[inline(always)]
    fn enter(&mut self, entries: u32) -> PResult<()> {
        self.depth += entries;
        if self.depth >= self.limits.parser_depth {
            return Err(Box::new(ParseError {
                kind: ParseErrorKind::RecursionLimit,
                offset: None,
            }));
        }
        Ok(())
    }

    #[inline(always)]
    fn leave(&mut self, entries: u32) {
        self.depth -= entries;
    }

    // Text.

    fn lossy(&self, span: Span) -> String {
        String::from_utf8_lossy(span.slice(self.text)).into_owned()
    }

    /// `start..end` without spaces at both ends.
    fn trimmed(&self, start: u32, end: u32) -> Span {
        let (mut start, mut end) = (start, end);
        while start < end && is_space(self.text[start as usize]) {
            start += 1;
        }
        while end > start && is_space(self.text[end as usize - 1]) {
            end -= 1;
        }
        Span::new(start, end)
    }

    /// From `start` to the end of the token that was consumed last.
    #[inline(always)]
    fn span_from(&self, start: u32) -> Span {
        Span::new(start, self.previous_end)
    }

    // Names.

    /// Makes a name of a token that is one.
    #[inline]
    fn make_name(&self, lexeme: Lexeme) -> Name {
        let span = Span::new(lexeme.start, lexeme.end);
        let bytes = span.slice(self.text);
        let quote = match bytes[0] {
            b'"' => Quote::Double,
            b'\'' => Quote::Single,
            b'`' => Quote::Backtick,
            b'[' => Quote::Bracket,
            _ => Quote::None,
        };
        let text = match quote {
            Quote::None => text_of(bytes),
            _ => text_of(&unquote(bytes)),
        };
        Name { text, span, quote }
    }

    /// SQLite's `nm`.
    #[inline]
    fn name(&mut self) -> PResult<Name> {
        if !self.current.token.is_name() {
            return Err(self.unexpected());
        }
        let lexeme = self.bump()?;
        Ok(self.make_name(lexeme))
    }

    /// `ids`: an identifier or a string.
    fn id_or_string(&mut self) -> PResult<Name> {
        if !self.current.token.is_id() && self.current.token != Token::String {
            return Err(self.unexpected());
        }
        let lexeme = self.bump()?;
        Ok(self.make_name(lexeme))
    }

    /// `name` or `schema.name`.
    fn qualified_name(&mut self) -> PResult<QualifiedName> {
        let name = self.name()?;
        if self.accept(Token::Dot)? {
            Ok(QualifiedName {
                schema: Some(name),
                name: self.name()?,
            })
        } else {
            Ok(QualifiedName { schema: None, name })
        }
    }

    /// `name, name, …`
    fn name_list(&mut self) -> PResult<Vec<Name>> {
        let mut list = vec![self.name()?];
        while self.accept(Token::Comma)? {
            list.push(self.name()?);
        }
        Ok(list)
    }

    /// `(name, …)`, if there is one.
    fn optional_name_list(&mut self) -> PResult<Vec<Name>> {
        if !self.accept(Token::LeftParen)? {
            return Ok(Vec::new());
        }
        let list = self.name_list()?;
        self.expect(Token::RightParen)?;
        Ok(list)
    }

    /// `eidlist`: names, behind which the grammar allows COLLATE and ASC or DESC only to complain.
    fn index_name_list(&mut self) -> PResult<Vec<Name>> {
        let mut list = Vec::new();
        loop {
            let name = self.name()?;
            let mut decorated = false;
            if self.accept(Token::Collate)? {
                self.id_or_string()?;
                decorated = true;
            }
            if matches!(self.current.token, Token::Asc | Token::Desc) {
                self.bump()?;
                decorated = true;
            }
            if decorated {
                let text = self.lossy(name.span);
                self.raise_message(format!("syntax error after column name \"{text}\""));
            }
            list.push(name);
            if !self.accept(Token::Comma)? {
                return Ok(list);
            }
        }
    }

    /// `(eidlist)`, if there is one.
    fn optional_index_name_list(&mut self) -> PResult<Vec<Name>> {
        if !self.accept(Token::LeftParen)? {
            return Ok(Vec::new());
        }
        let list = self.index_name_list()?;
        self.expect(Token::RightParen)?;
        Ok(list)
    }
}

#[cold]
#[allow(clippy::unnecessary_box_returns)] // the Err of PResult
fn error_at(kind: ParseErrorKind, offset: u32) -> Box<ParseError> {
    Box::new(ParseError {
        kind,
        offset: Some(offset),
    })
}

/// The text of a name; what is not UTF-8 becomes U+FFFD.
#[inline]
fn text_of(bytes: &[u8]) -> SmolStr {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes).as_ref().into(),
    }
}

/// A text as `str`; what is not UTF-8 becomes U+FFFD.
#[inline]
fn boxed_str(bytes: &[u8]) -> Box<str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes).into(),
    }
}

/// The inside of a quoted token, doubled quotes made single.
fn unquote(token: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let quote = token[0];
    let inner = &token[1..token.len() - 1];
    if quote == b'[' || memchr::memchr(quote, inner).is_none() {
        return inner.into();
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(found) = memchr::memchr(quote, rest) {
        out.extend_from_slice(&rest[..=found]);
        rest = &rest[found + 2..];
    }
    out.extend_from_slice(rest);
    out.into()
}

/// The variables of the statement being read.
#[derive(Default)]
struct Variables {
    params: Params,
    /// A hash of each name, beside it: long lists of names are scanned here.
    hashes: Vec<u32>,
    /// One bit per number that has a name.
    named: Vec<u64>,
}

impl Variables {
    fn take(&mut self) -> Params {
        self.hashes.clear();
        self.named.clear();
        std::mem::take(&mut self.params)
    }

    /// The number of the variable written as `text` (`?`, `?N`, `:a`); `None` if N is out of range.
    fn number(&mut self, text: &[u8], max: u32) -> Option<u32> {
        if text == b"?" {
            self.params.count += 1;
            return Some(self.params.count);
        }
        let hash = text.iter().fold(0x811c_9dc5u32, |hash, byte| {
            (hash ^ *byte as u32).wrapping_mul(0x0100_0193)
        });
        if text[0] == b'?' {
            let number = std::str::from_utf8(&text[1..]).ok()?.parse::<u64>().ok()?;
            if number < 1 || number > max as u64 {
                return None;
            }
            let number = number as u32;
            if number > self.params.count || !self.is_named(number) {
                self.add(number, text, hash);
            }
            self.params.count = self.params.count.max(number);
            return Some(number);
        }
        let known = self
            .hashes
            .iter()
            .zip(&self.params.names)
            .find(|(known, name)| **known == hash && *name.text == *String::from_utf8_lossy(text));
        if let Some((_, name)) = known {
            return Some(name.number);
        }
        self.params.count += 1;
        self.add(self.params.count, text, hash);
        Some(self.params.count)
    }

    fn is_named(&self, number: u32) -> bool {
        self.named
            .get(number as usize / 64)
            .is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn add(&mut self, number: u32, text: &[u8], hash: u32) {
        let word = number as usize / 64;
        if self.named.len() <= word {
            self.named.resize(word + 1, 0);
        }
        self.named[word] |= 1 << (number % 64);
        self.hashes.push(hash);
        self.params.names.push(ParamName {
            number,
            text: boxed_str(text),
        });
    }
}
