//! Bound SELECTs.
//!
//! A compound is a chain, as SQLite's: the last part of the text is the head, carries ORDER BY and LIMIT, and its
//! `prior` leads to the parts before it.

use super::expr::Expr;
use super::window::WindowPass;
use crate::schema::{Index, Table};
use std::sync::Arc;

/// Names a SELECT for as long as the statement is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
pub struct SelectId(pub u32);

/// What is known of a SELECT.
#[derive(Clone, Copy, Default, Debug)]
pub struct SelectFlags {
    /// SELECT DISTINCT.
    pub distinct: bool,
    /// It has aggregates or GROUP BY.
    pub aggregate: bool,
    /// It (or a subquery of it) refers to columns of a query around it.
    pub correlated: bool,
    /// It came from VALUES.
    pub values: bool,
    /// It calls the aggregate min() or max().
    pub min_max: bool,
    /// It came from a view.
    pub view: bool,
    /// It was written `AS MATERIALIZED`.
    pub materialize: bool,
    /// It is a part of a compound.
    pub compound: bool,
    /// Its LIMIT is that of a subquery for which one row is enough, not one that was written.
    pub limit_of_use: bool,
    /// It has been rewritten.
    pub rewritten: bool,
    /// It is a term of a recursive common table expression that reads the expression itself.
    pub recursive: bool,
    /// It calls window functions, or did before it was rewritten.
    pub window: bool,
    /// Its window functions differ in PARTITION BY (SQLite's SF_MultiPart).
    pub multi_part: bool,
    /// Terms of the query around it were pushed down into it, or columns that nobody reads left out (SQLite's
    /// SF_PushDown).
    pub pushed_down: bool,
    /// Its ORDER BY counts even where the rows are not shown in that order (SQLite's SF_OrderByReqd).
    pub order_required: bool,
}

/// How a part of a compound is joined to those before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CompoundOp {
    /// UNION ALL
    UnionAll,
    /// UNION
    Union,
    /// INTERSECT
    Intersect,
    /// EXCEPT
    Except,
}

/// A SELECT, or one part of a compound together with those before it.
#[derive(Clone, Debug)]
pub struct Select {
    /// Its name.
    pub id: SelectId,
    /// Its number in EXPLAIN QUERY PLAN, as SQLite's parser counts them: from 1, inner before outer.
    pub number: u32,
    /// What is known of it.
    pub flags: SelectFlags,
    /// The result columns, stars expanded; of VALUES: the first row.
    pub result: Vec<ResultColumn>,
    /// Further rows of VALUES.
    pub rows: Vec<Vec<Expr>>,
    /// FROM.
    pub from: FromClause,
    /// WHERE.
    pub where_: Option<Expr>,
    /// GROUP BY.
    pub group_by: Vec<Expr>,
    /// HAVING.
    pub having: Option<Expr>,
    /// ORDER BY; of a compound: of the whole, on its head.
    pub order_by: Vec<OrderTerm>,
    /// LIMIT.
    pub limit: Option<Expr>,
    /// OFFSET.
    pub offset: Option<Expr>,
    /// The window functions that are computed over the rows of its one FROM item, once it has been rewritten.
    pub window: Option<Box<WindowPass>>,
    /// The parts of a compound before this one.
    pub prior: Option<(CompoundOp, Box<Select>)>,
}

/// A result column.
#[derive(Clone, Debug)]
pub struct ResultColumn {
    /// What it computes.
    pub expr: Expr,
    /// Its name.
    pub name: Arc<str>,
    /// Whether the name was given with AS.
    pub alias: bool,
}

/// The direction of a sort and where NULLs go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SortOrder {
    /// DESC.
    pub desc: bool,
    /// NULLS LAST after ASC, or NULLS FIRST after DESC: the opposite of what SQLite does by itself.
    pub big_null: bool,
}

/// A term of ORDER BY.
#[derive(Clone, Debug)]
pub struct OrderTerm {
    /// What is sorted by.
    pub expr: Expr,
    /// In which direction.
    pub order: SortOrder,
    /// The result column (counted from 0) that it is the same as.
    pub result_column: Option<usize>,
}

/// A FROM clause.
#[derive(Clone, Debug, Default)]
pub struct FromClause {
    /// From left to right; none: SELECT without FROM.
    pub items: Vec<FromItem>,
}

/// How an item is joined to those left of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct JoinKind {
    /// CROSS JOIN: the order of the tables is not changed.
    pub cross: bool,
    /// LEFT or FULL JOIN: this item may be a row of NULLs.
    pub left: bool,
    /// RIGHT or FULL JOIN: what is left of this item may be rows of NULLs.
    pub right: bool,
    /// This item is left of a RIGHT or FULL JOIN (SQLite's JT_LTORJ).
    pub left_of_right: bool,
}

impl JoinKind {
    /// Whether it is an outer join (SQLite's JT_OUTER).
    pub const fn is_outer(self) -> bool {
        self.left || self.right
    }
}

/// INDEXED BY.
#[derive(Clone, Debug, Default)]
pub enum IndexHint {
    /// Nothing was said.
    #[default]
    Any,
    /// NOT INDEXED.
    None,
    /// INDEXED BY this one.
    Index(Arc<Index>),
}

/// Where the rows of an item come from.
#[derive(Clone, Debug)]
pub enum FromSource {
    /// The table itself.
    Table,
    /// A subquery, a view, a common table expression. The item's `table` is made up from its result.
    Select(Box<Select>),
    /// The row that a recursive common table expression has come to.
    Recursive,
}

/// An item of a FROM clause.
#[derive(Clone, Debug)]
pub struct FromItem {
    /// Its cursor.
    pub cursor: i32,
    /// Its database: 0 main, 1 temp, 2… attached.
    pub db: usize,
    /// Its table.
    pub table: Arc<Table>,
    /// The name that it has by AS.
    pub alias: Option<Arc<str>>,
    /// Where its rows come from.
    pub source: FromSource,
    /// How it is joined to those left of it.
    pub join: JoinKind,
    /// Its ON clause, USING and NATURAL included; for an inner join a part of WHERE.
    pub on: Option<Expr>,
    /// INDEXED BY.
    pub hint: IndexHint,
    /// Which columns are used: bit n for column n, bit 63 for all from 63 on (SQLite's colUsed).
    pub columns_used: u64,
    /// Under which the compiler keeps how a subquery was coded.
    pub id: super::expr::SubqueryId,
    /// Whether the subquery refers to a query around the one that it is in.
    pub correlated: bool,
    /// The common table expression that the subquery is, as the compiler counts them.
    pub cte: Option<usize>,
    /// Whether the subquery is a parenthesised join (SQLite's SF_NestedFrom).
    pub nested_join: bool,
    /// Whether the item was that of an EXISTS: after one row its loop is left.
    pub from_exists: bool,
    /// The database that the name was written with, or that a view or trigger looks for names in.
    pub written_db: Option<usize>,
}

impl FromItem {
    /// The name of what it reads, rather than the one that it has by AS: a view's, a common table expression's.
    pub fn source_name(&self) -> std::borrow::Cow<'_, str> {
        match &self.source {
            FromSource::Select(select) if select.flags.view => {
                std::borrow::Cow::Borrowed(&self.table.name)
            }
            FromSource::Select(_) if self.cte.is_some() => {
                std::borrow::Cow::Borrowed(&self.table.name)
            }
            _ => self.display_name(),
        }
    }

    /// The name that EXPLAIN QUERY PLAN shows.
    pub fn display_name(&self) -> std::borrow::Cow<'_, str> {
        if let Some(alias) = &self.alias {
            return std::borrow::Cow::Borrowed(alias);
        }
        match &self.source {
            FromSource::Select(select) if !select.flags.view => {
                let id = select.number;
                if self.nested_join {
                    format!("(join-{id})").into()
                } else if select.flags.values && !select.rows.is_empty() {
                    format!("{}-ROW VALUES CLAUSE", select.rows.len() + 1).into()
                } else {
                    format!("(subquery-{id})").into()
                }
            }
            _ => std::borrow::Cow::Borrowed(&self.table.name),
        }
    }
}
