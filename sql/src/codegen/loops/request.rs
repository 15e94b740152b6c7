//! What the loops are asked for.

use crate::bound::{Expr, FromClause, FromItem, JoinKind, ResultColumn, Select, SortOrder};
use crate::plan::Control;
use crate::plan::cost::{LogEst, log_est};
use crate::plan::term::{ExprRef, On, Rows, Source};
use smallvec::SmallVec;

/// What is to be looped over.
pub struct Request<'q> {
    /// The sources and their rows, in FROM order.
    pub sources: SmallVec<[Source<'q>; 2]>,
    /// The conditions, each with the join that it was written for.
    pub terms: SmallVec<[(ExprRef<'q>, On); 4]>,
    /// The wished order (ORDER BY or GROUP BY).
    pub order: Option<SmallVec<[(&'q Expr, SortOrder); 4]>>,
    /// The result columns, where DISTINCT is wished or joins may be left out.
    pub result: Option<&'q [ResultColumn]>,
    /// The SELECT, if it is one.
    pub select: Option<&'q Select>,
    /// What is wished.
    pub control: Control,
    /// The LIMIT, as an estimate, with [`Control::USE_LIMIT`].
    pub limit: LogEst,
    /// The first cursor for the indexes of the table that is changed, with [`Control::ONEPASS_DESIRED`]; the cursor of
    /// the index of a disjunct, with [`Control::OR_SUBCLAUSE`].
    pub index_cursor: i32,
    /// The registers of LIMIT and OFFSET, for a virtual table that counts for itself; 0: none.
    pub limit_regs: (i32, i32),
}

impl<'q> Request<'q> {
    /// A request for the rows of a FROM clause under WHERE, with the ONs put in their places. `rows` tells how each
    /// item's rows come; items without an entry are tables.
    pub fn new(from: &'q FromClause, rows: &[Rows], where_: Option<&'q Expr>) -> Request<'q> {
        let row = |i: usize| rows.get(i).copied().unwrap_or(Rows::Table);
        let items = from.items.iter().enumerate();
        let sources = items.map(|(i, item)| Source::new(item, row(i))).collect();
        let mut terms = SmallVec::new();
        if let Some(e) = where_ {
            terms.push((ExprRef::Tree(e), On::Where));
        }
        for item in &from.items {
            if let Some(on) = &item.on {
                let tag = if item.join.is_outer() {
                    On::Outer(item.cursor)
                } else {
                    On::Inner(item.cursor)
                };
                terms.push((ExprRef::Tree(on), tag));
            }
        }
        Request::of(sources, terms, Control::empty())
    }

    /// A request for the rows of one table, for UPDATE and DELETE.
    pub fn table(
        item: &'q FromItem,
        where_: Option<&'q Expr>,
        control: Control,
        index_cursor: i32,
    ) -> Request<'q> {
        let mut sources = SmallVec::new();
        sources.push(Source {
            join: JoinKind::default(),
            ..Source::new(item, Rows::Table)
        });
        let terms = where_
            .map(|e| (ExprRef::Tree(e), On::Where))
            .into_iter()
            .collect();
        Request {
            index_cursor,
            ..Request::of(sources, terms, control)
        }
    }

    pub(super) fn of(
        sources: SmallVec<[Source<'q>; 2]>,
        terms: SmallVec<[(ExprRef<'q>, On); 4]>,
        control: Control,
    ) -> Request<'q> {
        Request {
            sources,
            terms,
            order: None,
            result: None,
            select: None,
            control,
            limit: 0,
            index_cursor: 0,
            limit_regs: (0, 0),
        }
    }
}

/// LIMIT as an estimate, for [`Request::limit`].
pub fn limit_estimate(limit: &Expr) -> LogEst {
    limit.as_integer().map_or(0, |n| log_est(n.max(0) as u64))
}
