//! Expressions and window definitions.
//!
//! An [`Expr`] is 48 bytes: what does not fit is behind one box. The span of an operator covers its
//! operands, that of a column, function or variable begins at the token which SQLite's error offsets
//! point at.

use super::{Distinctness, Name, QualifiedName, Select, SortTerm, Span};

/// An expression and where it stands. Parentheses around it are not part of the span.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its text.
    pub span: Span,
}

/// The kinds of expressions.
#[derive(Clone, PartialEq, Debug)]
pub enum ExprKind {
    /// A constant.
    Literal(Literal),
    /// One bare identifier: a column, `true`/`false`, `rowid`, or (if double-quoted) perhaps a string.
    Id(Name),
    /// `table.column` or `schema.table.column`.
    Column(Box<ColumnRef>),
    /// A bound parameter.
    Variable(Variable),
    /// A prefix operator.
    Unary(UnaryOp, Box<Expr>),
    /// An infix operator. `IS [NOT] DISTINCT FROM` is `IsNot` [`Is`](BinaryOp::Is).
    Binary(BinaryOp, Box<[Expr; 2]>),
    /// `x ISNULL`. (`x IS NULL` is a `Binary` with a NULL literal.)
    IsNull(Box<Expr>),
    /// `x NOTNULL`, `x NOT NULL`.
    NotNull(Box<Expr>),
    /// `x [NOT] BETWEEN low AND high`; the operands in that order.
    Between {
        /// `NOT` stood before it.
        not: bool,
        /// x, low, high.
        operands: Box<[Expr; 3]>,
    },
    /// `x [NOT] IN (a, b, …)`; the list may be empty.
    InList {
        /// `NOT` stood before it.
        not: bool,
        /// x, then the list.
        operands: Box<(Expr, Vec<Expr>)>,
    },
    /// `x [NOT] IN (SELECT …)`.
    InSelect {
        /// `NOT` stood before it.
        not: bool,
        /// x, then the query.
        operands: Box<(Expr, Select)>,
    },
    /// `x [NOT] IN table`, `x [NOT] IN function(…)`.
    InTable(Box<InTable>),
    /// `x [NOT] LIKE y [ESCAPE z]`, and GLOB, REGEXP, MATCH.
    Like(Box<Like>),
    /// `CASE … END`.
    Case(Box<Case>),
    /// `CAST(x AS type)`.
    Cast(Box<Cast>),
    /// `x COLLATE name`.
    Collate(Box<Collate>),
    /// `f(…)`, aggregates and window functions included.
    Call(Box<FunctionCall>),
    /// `EXISTS (SELECT …)`.
    Exists(Box<Select>),
    /// `(SELECT …)`.
    Subquery(Box<Select>),
    /// `(a, b, …)`: a row value, of two elements at least.
    Row(Vec<Expr>),
    /// `RAISE(…)`, meaningful in triggers.
    Raise(Box<Raise>),
}

/// A constant.
#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    /// NULL.
    Null,
    /// An integer that fits: decimal without sign, or hexadecimal of at most 64 bits.
    Integer(i64),
    /// A decimal integer above 9223372036854775807, digits only (without separators). It is a real,
    /// except that 9223372036854775808 under a minus sign is the smallest integer.
    BigInteger(Box<str>),
    /// A hexadecimal integer of more than 64 bits, as written: an error ("hex literal too big: …") where
    /// it is used.
    BigHex(Box<str>),
    /// A number with a point or an exponent; its text, without digit separators.
    Float(Box<str>),
    /// A string; quotes removed. Bytes, because the statement's text need not be UTF-8.
    String(Box<[u8]>),
    /// A blob, decoded from x'…'.
    Blob(Box<[u8]>),
    /// `CURRENT_TIME` and its kin: a call of the function of that name.
    Current(CurrentTime),
}

/// Which of the `CURRENT_…` words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CurrentTime {
    /// CURRENT_DATE.
    Date,
    /// CURRENT_TIME.
    Time,
    /// CURRENT_TIMESTAMP.
    Timestamp,
}

impl CurrentTime {
    /// The function's name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            CurrentTime::Date => "current_date",
            CurrentTime::Time => "current_time",
            CurrentTime::Timestamp => "current_timestamp",
        }
    }
}

/// `table.column`, `schema.table.column`.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnRef {
    /// The database.
    pub schema: Option<Name>,
    /// The table or its alias.
    pub table: Name,
    /// The column.
    pub column: Name,
}

/// A bound parameter: `?`, `?7`, `:a`, `@a`, `$a`. Its name, if it has one, is in the statement's
/// [`Params`](super::Params).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variable {
    /// Its number, from 1.
    pub number: u32,
}

/// Prefix operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnaryOp {
    /// `NOT x`
    Not,
    /// `~x`
    BitNot,
    /// `-x`
    Minus,
    /// `+x`: no operation, but it hides a column's affinity from indexes.
    Plus,
}

/// Infix operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinaryOp {
    /// `OR`
    Or,
    /// `AND`
    And,
    /// `IS`, `IS NOT DISTINCT FROM`
    Is,
    /// `IS NOT`, `IS DISTINCT FROM`
    IsNot,
    /// `=`, `==`
    Eq,
    /// `<>`, `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `||`
    Concat,
    /// `->`: a call of the function of that name.
    Arrow,
    /// `->>`: a call of the function of that name.
    LongArrow,
}

impl BinaryOp {
    /// How it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "OR",
            BinaryOp::And => "AND",
            BinaryOp::Is => "IS",
            BinaryOp::IsNot => "IS NOT",
            BinaryOp::Eq => "=",
            BinaryOp::Ne => "<>",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitOr => "|",
            BinaryOp::ShiftLeft => "<<",
            BinaryOp::ShiftRight => ">>",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Remainder => "%",
            BinaryOp::Concat => "||",
            BinaryOp::Arrow => "->",
            BinaryOp::LongArrow => "->>",
        }
    }

    /// Whether it compares: `= <> < <= > >= IS, IS NOT`.
    pub const fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Eq | Ne | Lt | Le | Gt | Ge | Is | IsNot)
    }
}

/// `x [NOT] IN table` or `x [NOT] IN function(args)`.
#[derive(Clone, PartialEq, Debug)]
pub struct InTable {
    /// `NOT` stood before it.
    pub not: bool,
    /// The left side.
    pub expr: Expr,
    /// The table or table-valued function.
    pub table: QualifiedName,
    /// The arguments; empty and absent mean the same.
    pub args: Vec<Expr>,
}

/// The operators that call a function of two or three arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LikeOp {
    /// LIKE
    Like,
    /// GLOB
    Glob,
    /// REGEXP
    Regexp,
    /// MATCH
    Match,
}

impl LikeOp {
    /// The function's name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            LikeOp::Like => "like",
            LikeOp::Glob => "glob",
            LikeOp::Regexp => "regexp",
            LikeOp::Match => "match",
        }
    }
}

/// `x [NOT] LIKE pattern [ESCAPE escape]`: a call `like(pattern, x[, escape])`.
#[derive(Clone, PartialEq, Debug)]
pub struct Like {
    /// Which operator.
    pub op: LikeOp,
    /// `NOT` stood before it.
    pub not: bool,
    /// The left side.
    pub expr: Expr,
    /// The right side.
    pub pattern: Expr,
    /// After `ESCAPE`.
    pub escape: Option<Expr>,
    /// The operator's own word as written: SQLite names it so in "no such function: …", and its offset.
    pub op_span: Span,
}

/// `CASE [operand] WHEN w THEN t … [ELSE e] END`.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// What each WHEN is compared with, if given.
    pub operand: Option<Expr>,
    /// WHEN and THEN; one at least.
    pub arms: Vec<(Expr, Expr)>,
    /// ELSE.
    pub otherwise: Option<Expr>,
}

/// `CAST(expr AS type)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Cast {
    /// What is converted.
    pub expr: Expr,
    /// The type's words as written; empty in `CAST(x AS)`.
    pub type_name: Box<str>,
}

/// `expr COLLATE collation`.
#[derive(Clone, PartialEq, Debug)]
pub struct Collate {
    /// The operand.
    pub expr: Expr,
    /// The collation's name.
    pub collation: Name,
}

/// `name([DISTINCT] args [ORDER BY …]) [FILTER (WHERE …)] [OVER …]`.
#[derive(Clone, PartialEq, Debug)]
pub struct FunctionCall {
    /// The function.
    pub name: Name,
    /// DISTINCT or ALL before the arguments.
    pub distinct: Distinctness,
    /// The arguments.
    pub args: FunctionArgs,
    /// ORDER BY within the arguments, for aggregates.
    pub order_by: Vec<SortTerm>,
    /// FILTER (WHERE …).
    pub filter: Option<Box<Expr>>,
    /// OVER …: a window function.
    pub over: Option<Over>,
}

impl FunctionCall {
    /// The arguments; none for `f(*)`.
    pub fn arg_list(&self) -> &[Expr] {
        match &self.args {
            FunctionArgs::Star => &[],
            FunctionArgs::List(list) => list,
        }
    }
}

/// The arguments of a call.
#[derive(Clone, PartialEq, Debug)]
pub enum FunctionArgs {
    /// `f(*)`
    Star,
    /// `f()`, `f(a, b)`
    List(Vec<Expr>),
}

/// What follows OVER.
#[derive(Clone, PartialEq, Debug)]
pub enum Over {
    /// The name of a window of the WINDOW clause.
    Name(Name),
    /// A definition in place.
    Window(Box<WindowDef>),
}

/// A window: in `OVER (…)`, or `name AS (…)` in the WINDOW clause.
#[derive(Clone, PartialEq, Debug)]
pub struct WindowDef {
    /// Its own name, in a WINDOW clause.
    pub name: Option<Name>,
    /// The window that it builds upon.
    pub base: Option<Name>,
    /// PARTITION BY.
    pub partition_by: Vec<Expr>,
    /// ORDER BY.
    pub order_by: Vec<SortTerm>,
    /// The frame, if given; `RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW` if not.
    pub frame: Option<WindowFrame>,
    /// From the name or the parenthesis to the closing parenthesis.
    pub span: Span,
}

/// `ROWS BETWEEN … AND … EXCLUDE …`.
#[derive(Clone, PartialEq, Debug)]
pub struct WindowFrame {
    /// What distances count.
    pub unit: FrameUnit,
    /// Where it begins.
    pub start: FrameBound,
    /// Where it ends; CURRENT ROW if `BETWEEN` was not written.
    pub end: FrameBound,
    /// What is left out.
    pub exclude: Option<FrameExclude>,
}

/// What a frame's distances count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameUnit {
    /// ROWS
    Rows,
    /// RANGE
    Range,
    /// GROUPS
    Groups,
}

/// One end of a frame.
#[derive(Clone, PartialEq, Debug)]
pub enum FrameBound {
    /// UNBOUNDED PRECEDING (a start only)
    UnboundedPreceding,
    /// `x PRECEDING`
    Preceding(Box<Expr>),
    /// CURRENT ROW
    CurrentRow,
    /// `x FOLLOWING`
    Following(Box<Expr>),
    /// UNBOUNDED FOLLOWING (an end only)
    UnboundedFollowing,
}

/// `EXCLUDE …`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameExclude {
    /// NO OTHERS
    NoOthers,
    /// CURRENT ROW
    CurrentRow,
    /// GROUP
    Group,
    /// TIES
    Ties,
}

/// `RAISE(action[, message])`.
#[derive(Clone, PartialEq, Debug)]
pub struct Raise {
    /// What to do.
    pub action: RaiseAction,
    /// The message; `None` for IGNORE only.
    pub message: Option<Expr>,
}

/// What RAISE does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RaiseAction {
    /// IGNORE: abandon the rest of the trigger and the row's change.
    Ignore,
    /// ROLLBACK: end the transaction.
    Rollback,
    /// ABORT: undo the statement.
    Abort,
    /// FAIL: stop, keep what was done.
    Fail,
}
