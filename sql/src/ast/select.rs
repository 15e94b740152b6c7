//! Queries: SELECT, VALUES, compounds, WITH, FROM.

use smallvec::SmallVec;

use super::{Expr, Name, QualifiedName, Span, WindowDef};

/// A query: `[WITH …] core [UNION core]… [ORDER BY …] [LIMIT …]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Select {
    /// Common table expressions that the whole query sees.
    pub with: Option<Box<With>>,
    /// The first (most often only) part.
    pub core: SelectCore,
    /// The parts after UNION, EXCEPT and INTERSECT, from left to right: the operators associate to the left.
    pub compounds: Vec<Compound>,
    /// ORDER BY of the whole.
    pub order_by: Vec<SortTerm>,
    /// LIMIT of the whole.
    pub limit: Option<Box<Limit>>,
    /// From WITH, SELECT or VALUES to the last token.
    pub span: Span,
}

impl Select {
    /// `SELECT columns FROM items [WHERE …]`, which nobody wrote.
    pub fn of(columns: Vec<ResultColumn>, items: Vec<FromItem>, where_: Option<Expr>) -> Select {
        let clause = SelectClause {
            distinct: Distinctness::None,
            columns,
            from: Some(FromClause { items }),
            where_clause: where_,
            group_by: Vec::new(),
            having: None,
            windows: Vec::new(),
            span: Span::default(),
            number: 0,
        };
        Select {
            with: None,
            core: SelectCore::Select(Box::new(clause)),
            compounds: Vec::new(),
            order_by: Vec::new(),
            limit: None,
            span: Span::default(),
        }
    }
}

/// An operator and its right side.
#[derive(Clone, PartialEq, Debug)]
pub struct Compound {
    /// The operator.
    pub op: CompoundOp,
    /// The right side.
    pub core: SelectCore,
}

/// The operators between parts of a compound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompoundOp {
    /// UNION
    Union,
    /// UNION ALL
    UnionAll,
    /// EXCEPT
    Except,
    /// INTERSECT
    Intersect,
}

impl CompoundOp {
    /// How it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            CompoundOp::Union => "UNION",
            CompoundOp::UnionAll => "UNION ALL",
            CompoundOp::Except => "EXCEPT",
            CompoundOp::Intersect => "INTERSECT",
        }
    }
}

/// One part of a query.
#[derive(Clone, PartialEq, Debug)]
pub enum SelectCore {
    /// SELECT …
    Select(Box<SelectClause>),
    /// VALUES …
    Values(Values),
}

/// `SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW …`.
#[derive(Clone, PartialEq, Debug)]
pub struct SelectClause {
    /// DISTINCT or ALL.
    pub distinct: Distinctness,
    /// The result columns; one at least.
    pub columns: Vec<ResultColumn>,
    /// FROM.
    pub from: Option<FromClause>,
    /// WHERE.
    pub where_clause: Option<Expr>,
    /// GROUP BY.
    pub group_by: Vec<Expr>,
    /// HAVING; may stand without GROUP BY.
    pub having: Option<Expr>,
    /// WINDOW: named windows.
    pub windows: Vec<WindowDef>,
    /// From SELECT to the last token before ORDER BY or LIMIT.
    pub span: Span,
    /// Its number among the statement's, counted where they end, from 1: EXPLAIN QUERY PLAN shows it.
    pub number: u32,
}

/// `VALUES (…), (…), …`, stored flat: long lists cost two vectors, not one per row.
#[derive(Clone, PartialEq, Debug)]
pub struct Values {
    /// All expressions of all rows.
    pub exprs: Vec<Expr>,
    /// For each row the index just past its last expression. Rows need not be of equal length yet.
    pub row_ends: SmallVec<[u32; 4]>,
    /// From VALUES to the last parenthesis.
    pub span: Span,
    /// As [`SelectClause::number`]; several rows count as two.
    pub number: u32,
}

impl Values {
    /// How many rows there are; one at least.
    pub fn row_count(&self) -> usize {
        self.row_ends.len()
    }

    /// The expressions of row `index`.
    ///
    /// # Panics
    /// If `index` is not below [`Values::row_count`].
    pub fn row(&self, index: usize) -> &[Expr] {
        let start = if index == 0 {
            0
        } else {
            self.row_ends[index - 1] as usize
        };
        &self.exprs[start..self.row_ends[index] as usize]
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[Expr]> {
        (0..self.row_count()).map(|index| self.row(index))
    }
}

/// DISTINCT, ALL, or neither.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Distinctness {
    /// Neither was written.
    #[default]
    None,
    /// DISTINCT
    Distinct,
    /// ALL
    All,
}

/// One result column, also of RETURNING.
#[derive(Clone, PartialEq, Debug)]
pub enum ResultColumn {
    /// `expr [AS alias]`
    Expr {
        /// The value.
        expr: Expr,
        /// The alias, with or without AS.
        alias: Option<Name>,
        /// The text that names the column where there is no alias, as SQLite shows it: from the first token
        /// of the expression to just before the token that follows it, spaces trimmed. Unlike the
        /// expression's span it covers outer parentheses and a comment that follows.
        span: Span,
    },
    /// `*`
    Star(Span),
    /// `table.*`
    TableStar {
        /// The table or its alias.
        table: Name,
        /// From the table's name to the star.
        span: Span,
    },
}

/// A FROM clause: a list of items, each with the join operator on its left.
///
/// Parentheses are treated as SQLite's parser treats them:
/// - `FROM (a JOIN b …) …` at the very beginning, without alias, ON or USING, is opened: its items become the
///   first items of this list.
/// - parentheses around a single item fall away; the alias and constraint outside them replace those inside
///   (also when there is none outside).
/// - all others are a [`Source::Join`].
#[derive(Clone, PartialEq, Debug)]
pub struct FromClause {
    /// The items, one at least.
    pub items: Vec<FromItem>,
}

/// One table, function, subquery or parenthesised join.
#[derive(Clone, PartialEq, Debug)]
pub struct FromItem {
    /// How it is joined to what stands left of it; [`JoinType::NONE`] for the first.
    pub join: JoinType,
    /// What it is.
    pub source: Source,
    /// Its alias.
    pub alias: Option<Name>,
    /// ON or USING.
    pub constraint: Option<JoinConstraint>,
    /// From its name or parenthesis to its constraint's end; without the join operator.
    pub span: Span,
}

/// What a FROM item takes rows from.
#[derive(Clone, PartialEq, Debug)]
pub enum Source {
    /// A table, view or common table expression.
    Table {
        /// Its name.
        name: QualifiedName,
        /// INDEXED BY or NOT INDEXED.
        indexed: Indexed,
    },
    /// A table-valued function.
    Function {
        /// Its name.
        name: QualifiedName,
        /// The arguments.
        args: Vec<Expr>,
    },
    /// A subquery.
    Select(Box<Select>),
    /// A parenthesised join.
    Join(Box<FromClause>),
}

/// A hint which index to use.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Indexed {
    /// None was given.
    #[default]
    Unspecified,
    /// INDEXED BY: this one or an error.
    By(Name),
    /// NOT INDEXED: the rowid at most.
    Not,
}

/// A join operator as a set of the words that it is made of; bits as SQLite's JT_*.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct JoinType(pub u8);

impl JoinType {
    /// No join: the first item.
    pub const NONE: JoinType = JoinType(0);
    /// A comma, JOIN, INNER JOIN; also part of CROSS.
    pub const INNER: JoinType = JoinType(0x01);
    /// CROSS: INNER, and the order of tables is kept.
    pub const CROSS: JoinType = JoinType(0x02);
    /// NATURAL
    pub const NATURAL: JoinType = JoinType(0x04);
    /// LEFT; with RIGHT, FULL
    pub const LEFT: JoinType = JoinType(0x08);
    /// RIGHT
    pub const RIGHT: JoinType = JoinType(0x10);
    /// Set with LEFT and RIGHT
    pub const OUTER: JoinType = JoinType(0x20);

    /// Whether all bits of `other` are set.
    #[inline]
    pub const fn contains(self, other: JoinType) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[inline]
    #[must_use]
    pub const fn with(self, other: JoinType) -> JoinType {
        JoinType(self.0 | other.0)
    }

    /// Whether rows of the right side may be null-extended on the left or the reverse.
    #[inline]
    pub const fn is_outer(self) -> bool {
        self.contains(JoinType::OUTER)
    }
}

/// ON or USING.
#[derive(Clone, PartialEq, Debug)]
pub enum JoinConstraint {
    /// ON expr
    On(Expr),
    /// USING (a, b)
    Using(Vec<Name>),
}

/// One term of ORDER BY, of an index or of a key.
#[derive(Clone, PartialEq, Debug)]
pub struct SortTerm {
    /// What is sorted by.
    pub expr: Expr,
    /// ASC or DESC, if written.
    pub order: Option<SortOrder>,
    /// NULLS FIRST or NULLS LAST, if written.
    pub nulls: Option<NullsOrder>,
    /// The term with its words.
    pub span: Span,
}

impl SortTerm {
    /// Whether it is descending.
    pub fn is_descending(&self) -> bool {
        self.order == Some(SortOrder::Desc)
    }
}

/// ASC or DESC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortOrder {
    /// ASC
    Asc,
    /// DESC
    Desc,
}

/// NULLS FIRST or NULLS LAST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NullsOrder {
    /// NULLS FIRST
    First,
    /// NULLS LAST
    Last,
}

/// `LIMIT limit [OFFSET offset]`; `LIMIT a, b` is limit b, offset a.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// How many rows at most.
    pub limit: Expr,
    /// How many rows to skip.
    pub offset: Option<Expr>,
}

/// `WITH [RECURSIVE] …`.
#[derive(Clone, PartialEq, Debug)]
pub struct With {
    /// RECURSIVE was written; SQLite does not care.
    pub recursive: bool,
    /// The tables, one at least. Each sees all of them.
    pub ctes: Vec<Cte>,
    /// From WITH to the last parenthesis.
    pub span: Span,
}

/// `name [(columns)] AS [[NOT] MATERIALIZED] (select)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Cte {
    /// Its name.
    pub name: Name,
    /// Names for its columns; empty if none were given.
    pub columns: Vec<Name>,
    /// The hint.
    pub materialized: Materialized,
    /// The query.
    pub select: Box<Select>,
}

/// Whether a common table expression is to be computed once.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Materialized {
    /// Nothing was said.
    #[default]
    Any,
    /// MATERIALIZED
    Yes,
    /// NOT MATERIALIZED
    No,
}
