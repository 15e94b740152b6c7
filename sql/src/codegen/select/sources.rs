//! Subqueries in FROM: coroutines and ephemeral tables, coded before the loops over them.
//!
//! ```text
//!   coroutine      InitCoroutine r, over, body        MATERIALIZE    Goto over
//!                  body: the SELECT, Yield r                         fill: Once (unless correlated)
//!                        EndCoroutine r                              OpenEphemeral; the SELECT
//!                  over:                                             Return r
//!                                                                   over:
//! ```
//!
//! A coroutine can be run through once only: it serves the outermost loop.
//!
//! Source: SQLite's `sqlite3Select` (tag-select-0480), `fromClauseTermCanBeCoroutine`.

use super::{Destination, DestinationKind};
use crate::ast::Materialized;
use crate::authorizer::ActionCode;
use crate::bound::{FromClause, FromItem, FromSource, Select};
use crate::compiler::{Compiler, CursorOverride, FromRows, Optimizations, Reals, Result};
use crate::plan::cost::{self, LogEst};
use ringwood_vdbe::Opcode;

impl Compiler<'_> {
    /// Codes the subqueries of a FROM clause.
    pub(super) fn code_sources(&mut self, select: &Select) -> Result<()> {
        for i in 0..select.from.items.len() {
            let item = &select.from.items[i];
            if self.asks() {
                self.authorize_unread(item)?;
            }
            let FromSource::Select(inner) = &item.source else {
                continue;
            };
            match self.from_rows(item) {
                None => {}
                // Of a query that is coded a second time: its cursor is opened on this way too.
                Some((FromRows::Ephemeral, _)) => {
                    self.reuse_materialized(item);
                    continue;
                }
                Some(_) => continue,
            }
            if self.can_be_coroutine(&select.from, i) {
                self.code_coroutine(item, inner)?;
            } else if !self.reuse_materialized(item) && !self.reuse_neighbour(&select.from, i) {
                self.code_materialized(item, inner)?;
            }
        }
        Ok(())
    }

    /// The authorizer is told of a table of which no column is read.
    fn authorize_unread(&self, item: &FromItem) -> Result<()> {
        let is_named = match &item.source {
            FromSource::Table | FromSource::Recursive => true,
            FromSource::Select(select) => select.flags.view || item.cte.is_some(),
        };
        if item.columns_used != 0 || !is_named {
            return Ok(());
        }
        let database = item.written_db.map(|db| &*self.ctx.schema.dbs[db].name);
        self.authorize(ActionCode::Read, Some(&item.table.name), Some(""), database)
            .map(drop)
    }

    fn can_be_coroutine(&mut self, from: &FromClause, i: usize) -> bool {
        let item = &from.items[i];
        if !self.optimizes(Optimizations::COROUTINES) {
            return false;
        }
        if let Some(number) = item.cte {
            let cte = self.cte(number);
            if cte.materialized == Materialized::Yes
                || cte.uses >= 2 && cte.materialized != Materialized::No
            {
                return false;
            }
        }
        if from.items[0].join.left_of_right {
            return false;
        }
        if from.items[i + 1..].iter().any(|later| is_same(later, item)) {
            return false; // rows that are kept serve both
        }
        let left = &from.items[..i];
        let movable = |item: &FromItem| !item.join.is_outer() && !item.join.cross;
        i == 0
            || movable(item)
                && left
                    .iter()
                    .all(|item| matches!(item.source, FromSource::Table) && movable(item))
    }

    fn code_coroutine(&mut self, item: &FromItem, inner: &Select) -> Result<()> {
        let yield_reg = self.alloc_reg();
        let entry = self.here() + 1;
        let init = self.op(Opcode::InitCoroutine, yield_reg, 0, entry);
        let mut dest = Destination::new(DestinationKind::Coroutine, yield_reg);
        let estimate = self.code_from_select("CO-ROUTINE", item, inner, &mut dest)?;
        self.op(Opcode::EndCoroutine, yield_reg, 0, 0);
        self.jump_here(init);
        self.clear_temps();
        let result = dest.first;
        self.set_from_rows(
            item,
            FromRows::Coroutine {
                yield_reg,
                entry,
                result,
            },
            estimate,
        );
        let source = CursorOverride::Registers {
            first: result,
            rowid: None,
            reals: Reals::Read,
        };
        self.override_cursor(item.cursor, Some(source));
        Ok(())
    }

    /// The SELECT of an item, under a line that says how its rows come; VALUES has none.
    fn code_from_select(
        &mut self,
        how: &str,
        item: &FromItem,
        inner: &Select,
        dest: &mut Destination,
    ) -> Result<LogEst> {
        if inner.flags.values && !inner.rows.is_empty() && inner.prior.is_none() {
            self.values_in_from = true;
            let estimate = self.code_select(inner, dest);
            self.values_in_from = false;
            return estimate.map(|_| cost::ROWS_EPHEMERAL);
        }
        self.explain_push(|| format!("{how} {}", item.source_name()));
        let estimate = self.code_select(inner, dest)?;
        self.explain_pop();
        Ok(estimate)
    }

    /// A common table expression that was materialised for another item is used again.
    fn reuse_materialized(&mut self, item: &FromItem) -> bool {
        let Some(number) = item.cte else { return false };
        let Some((return_reg, entry, cursor, estimate)) = self.cte(number).coded else {
            return false;
        };
        self.op(Opcode::Gosub, return_reg, entry, 0);
        self.op(Opcode::OpenDup, item.cursor, cursor, 0);
        let _ = estimate; // the second use is planned as if nothing were known, as stock SQLite does
        self.set_from_rows(item, FromRows::Ephemeral, cost::ROWS_EPHEMERAL);
        true
    }

    /// The same for a view or common table expression that stands in the same FROM clause twice.
    fn reuse_neighbour(&mut self, from: &FromClause, i: usize) -> bool {
        let item = &from.items[i];
        for other in from.items[..i].iter().filter(|other| is_same(other, item)) {
            if let Some((
                FromRows::Materialized {
                    return_reg,
                    entry,
                    correlated: false,
                },
                _,
            )) = self.from_rows(other)
            {
                self.op(Opcode::Gosub, return_reg, entry, 0);
                self.op(Opcode::OpenDup, item.cursor, other.cursor, 0);
                self.set_from_rows(item, FromRows::Ephemeral, cost::ROWS_EPHEMERAL);
                return true;
            }
        }
        false
    }

    fn code_materialized(&mut self, item: &FromItem, inner: &Select) -> Result<()> {
        let return_reg = self.alloc_reg();
        let over = self.op(Opcode::Goto, 0, 0, 0);
        let entry = self.here();
        let once = (!item.correlated).then(|| self.op(Opcode::Once, 0, 0, 0));
        let mut dest = Destination::new(DestinationKind::EphemeralTable, item.cursor);
        let estimate = self.code_from_select("MATERIALIZE", item, inner, &mut dest)?;
        if let Some(once) = once {
            self.jump_here(once);
        }
        self.op(Opcode::Return, return_reg, entry, 0);
        self.jump_here(over);
        self.clear_temps();
        let correlated = item.correlated;
        self.set_from_rows(
            item,
            FromRows::Materialized {
                return_reg,
                entry,
                correlated,
            },
            estimate,
        );
        if let (Some(number), false) = (item.cte, correlated) {
            self.cte(number).coded = Some((return_reg, entry, item.cursor, estimate));
        }
        Ok(())
    }
}

/// Whether two items are the same view or common table expression, and nothing was pushed down into either (SQLite's
/// isSelfJoinView).
fn is_same(a: &FromItem, b: &FromItem) -> bool {
    let (FromSource::Select(x), FromSource::Select(y)) = (&a.source, &b.source) else {
        return false;
    };
    let is_same_view = x.flags.view && y.flags.view && a.db == b.db && a.table.name == b.table.name;
    let is_same_cte = a.cte.is_some() && a.cte == b.cte;
    (is_same_view || is_same_cte)
        && !x.flags.pushed_down
        && !y.flags.pushed_down
        && !a.correlated
        && !b.correlated
}
