//! Common table expressions, recursive ones too.
//!
//! ```text
//!   WITH c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c UNION ALL SELECT x+2 FROM c)
//!                 setup              recursive term            recursive term
//! ```
//!
//! Rules:
//! 1. Each use is resolved anew, with the WITH clauses in sight that the expression was written under.
//! 2. The terms from the last one backwards that name the expression itself in FROM, and are joined by the last one's
//!    UNION or UNION ALL, are recursive. All of them read one cursor.
//! 3. While the setup is resolved, the name means a circle; while the recursive terms are, only the places found by
//!    rule 2 may use it.
//! 4. The columns have the affinity that all terms together give them; the recursive terms, which see them, are told
//!    when it is known.
//!
//! Source: SQLite's `resolveFromTermToCte`, `sqlite3SubqueryColumnTypes`.

use super::Resolver;
use super::select::{NameMode, Part, finish_part, wrong_column_count};
use crate::ast::{self, Indexed, Source};
use crate::authorizer::ActionCode;
use crate::bound::walk::{NodeMut, Walk, walk_select_mut};
use crate::bound::{Expr, FromItem, FromSource, IndexHint, JoinKind, Select};
use crate::compiler::{Result, SqlError};
use crate::schema::Table;
use smallvec::SmallVec;
use std::sync::Arc;

/// A common table expression that is being resolved.
pub(super) struct OpenCte {
    pub address: *const ast::Cte,
    /// What a use of it is (rule 3).
    pub problem: &'static str,
}

/// The places that read the rows of a recursive common table expression (rule 2).
pub(super) struct RecursiveUse {
    places: SmallVec<[*const ast::QualifiedName; 2]>,
    table: Arc<Table>,
    cursor: i32,
}

/// Where an expression is recursive.
pub(super) struct Recursion {
    /// The first recursive part, counted from 0; never 0.
    pub first: usize,
    pub places: SmallVec<[*const ast::QualifiedName; 2]>,
}

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// The common table expression of that name that is in sight, and the number of the WITH that it stands in.
    ///
    /// # Errors
    /// It is being resolved already, or INDEXED BY stands behind it.
    pub(super) fn find_cte(
        &self,
        name: &ast::QualifiedName,
        indexed: &Indexed,
    ) -> Result<Option<(usize, &'a ast::Cte)>> {
        let found = self.withs.iter().enumerate().rev().find_map(|(i, frame)| {
            let ctes = &frame.with.ctes;
            let cte = ctes.iter().find(|cte| cte.name.matches(&name.name))?;
            Some((i, cte))
        });
        let Some((_, cte)) = found else {
            return Ok(None);
        };
        let address: *const ast::Cte = cte;
        if let Some(open) = self.open_ctes.iter().find(|open| open.address == address) {
            return Err(SqlError::error(format!("{}: {}", open.problem, cte.name)));
        }
        if let Indexed::By(index) = indexed {
            let message = format!("no such index: \"{}\"", index.text);
            return Err(SqlError::error(message));
        }
        Ok(found)
    }

    /// The item that a name means, if a common table expression of that name is in sight.
    pub(super) fn from_cte(
        &mut self,
        name: &'a ast::QualifiedName,
        indexed: &Indexed,
        alias: Option<Arc<str>>,
    ) -> Result<Option<FromItem>> {
        if let Some(item) = self.recursive_item(name, indexed, alias.clone())? {
            return Ok(Some(item));
        }
        let Some((frame, cte)) = self.find_cte(name, indexed)? else {
            return Ok(None);
        };
        let address: *const ast::Cte = cte;
        let recursion = recursion(cte)?;
        if self.c.cursor_count() as usize >= self.c.ctx.limits.expr_depth {
            // Expressions that use each other twice would double with each level.
            return Err(SqlError::error("VIEWs and/or subqueries nested too deep"));
        }
        // The body sees the WITH clause that it stands in, and those around.
        let hidden = self.withs.split_off(frame + 1);
        self.open_ctes.push(OpenCte {
            address,
            problem: "circular reference",
        });
        let outer = std::mem::replace(&mut self.outermost_use, usize::MAX);
        let accessor = self.access(&cte.name.text);
        let bound = match recursion {
            Some(recursion) => self.recursive_cte(cte, recursion),
            None => self.plain_cte(cte),
        };
        self.c.accessor = accessor;
        let correlated = self.outermost_use < self.scopes.len();
        self.outermost_use = self.outermost_use.min(outer);
        self.open_ctes.pop();
        self.withs.extend(hidden);
        let (mut bound, table) = bound?;
        bound.flags.correlated |= correlated;
        bound.flags.materialize = cte.materialized == ast::Materialized::Yes;
        let use_of = self.c.use_cte(address.cast(), cte.materialized);
        let alias = alias.or_else(|| Some(table.name.clone()));
        let mut item = self.select_item(bound, table, alias, correlated);
        item.cte = Some(use_of);
        Ok(Some(item))
    }

    fn plain_cte(&mut self, cte: &'a ast::Cte) -> Result<(Box<Select>, Arc<Table>)> {
        let bound = self.select(&cte.select, NameMode::Subquery)?;
        check_columns(cte, bound.result.len())?;
        let table = self.cte_table(&bound, cte);
        Ok((bound, table))
    }

    /// The item for a place that reads the current row, if it is one.
    fn recursive_item(
        &mut self,
        name: &ast::QualifiedName,
        indexed: &Indexed,
        alias: Option<Arc<str>>,
    ) -> Result<Option<FromItem>> {
        let place: *const ast::QualifiedName = name;
        let found = self.recursive_uses.iter().rev();
        let Some(found) = found.into_iter().find(|r| r.places.contains(&place)) else {
            return Ok(None);
        };
        if matches!(indexed, Indexed::By(_)) {
            return Err(SqlError::error("no query solution")); // as stock SQLite
        }
        Ok(Some(FromItem {
            cursor: found.cursor,
            db: 0,
            table: found.table.clone(),
            alias: alias.or_else(|| Some(found.table.name.clone())),
            source: FromSource::Recursive,
            join: JoinKind::default(),
            on: None,
            hint: IndexHint::Any,
            columns_used: 0,
            id: self.c.next_subquery(),
            correlated: false,
            cte: None,
            nested_join: false,
            from_exists: false,
            written_db: None,
        }))
    }

    fn recursive_cte(
        &mut self,
        cte: &'a ast::Cte,
        recursion: Recursion,
    ) -> Result<(Box<Select>, Arc<Table>)> {
        let withs = self.withs.len();
        if let Some(with) = &cte.select.with {
            self.push_with(with)?;
        }
        self.enter()?;
        let allowed = self.c.authorize(ActionCode::Select, None, None, None)?
            && self.c.authorize(ActionCode::Recursive, None, None, None)?;
        let bound = self.recursive_body(cte, recursion);
        self.leave();
        self.withs.truncate(withs);
        let (mut bound, table) = bound?;
        if !allowed {
            bound.limit = Some(Expr::Integer(0));
        }
        Ok((bound, table))
    }

    fn recursive_body(
        &mut self,
        cte: &'a ast::Cte,
        recursion: Recursion,
    ) -> Result<(Box<Select>, Arc<Table>)> {
        let select: &'a ast::Select = &cte.select;
        if select.compounds.len() >= self.c.ctx.limits.compound_select {
            return Err(SqlError::error("too many terms in compound SELECT"));
        }
        let first = recursion.first;
        let limit = self.limit(select.limit.as_deref())?;
        let mut parts: Vec<Part> = Vec::with_capacity(select.compounds.len() + 1);
        for compound in select.compounds[..first - 1].iter().rev() {
            parts.push(self.core(&compound.core, &[], NameMode::None)?);
        }
        parts.push(self.core(&select.core, &[], NameMode::Subquery)?);
        parts.reverse();
        check_columns(cte, parts[0].scope.result.len())?;

        let table = self.table_of_parts(&parts, cte);
        let cursor = self.c.alloc_cursor(Some(table.clone()));
        self.recursive_uses.push(RecursiveUse {
            places: recursion.places,
            table,
            cursor,
        });
        if let Some(open) = self.open_ctes.last_mut() {
            open.problem = "multiple recursive references";
        }
        let rest = self.recursive_parts(select, first);
        self.recursive_uses.pop();
        parts.extend(rest?);
        for (pair, compound) in parts.windows(2).zip(&select.compounds).rev() {
            if pair[0].scope.result.len() != pair[1].scope.result.len() {
                return Err(wrong_column_count(compound.op));
            }
        }
        let table = self.table_of_parts(&parts, cte);
        self.c.set_cursor_table(cursor, table.clone());
        let order_by = self.compound_order_by(&select.order_by, &mut parts)?;
        let mut head: Option<Box<Select>> = None;
        for (i, part) in parts.into_iter().enumerate() {
            let mut part = finish_part(part, (None, None));
            part.flags.compound = true;
            if i >= first {
                part.flags.recursive = true;
                settle_columns(&mut part, cursor, &table);
            }
            if let Some(before) = head.take() {
                let op = super::expr::compound_op(select.compounds[i - 1].op);
                part.prior = Some((op, before));
            }
            head = Some(part);
        }
        let mut head = head.ok_or_else(|| SqlError::error("a compound has parts"))?;
        head.order_by = order_by;
        (head.limit, head.offset) = limit;
        Ok((head, table))
    }

    /// The recursive parts, from the first to the last.
    fn recursive_parts(&mut self, select: &'a ast::Select, first: usize) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        for compound in select.compounds[first - 1..].iter().rev() {
            parts.push(self.core(&compound.core, &[], NameMode::None)?);
        }
        parts.reverse();
        Ok(parts)
    }

    /// The table that the parts so far look like.
    fn table_of_parts(&mut self, parts: &[Part], cte: &ast::Cte) -> Arc<Table> {
        let selects: Vec<Select> = parts
            .iter()
            .map(|part| Select {
                result: part.scope.result.clone(),
                ..(*part.select).clone()
            })
            .collect();
        let selects: Vec<&Select> = selects.iter().collect();
        self.cte_table_of(&selects, cte)
    }
}

/// Rule 4.
fn settle_columns(part: &mut Select, cursor: i32, table: &Arc<Table>) {
    for item in &mut part.from.items {
        if item.cursor == cursor {
            item.table = table.clone();
        }
    }
    walk_select_mut(part, &mut |node| {
        if let NodeMut::Expr(Expr::Column(column)) = node {
            if column.cursor == cursor {
                column.affinity = table.affinity_of(column.column);
            }
        }
        Walk::Continue
    });
}

pub(super) fn check_columns(cte: &ast::Cte, have: usize) -> Result<()> {
    let want = cte.columns.len();
    if want == 0 || want == have {
        return Ok(());
    }
    Err(SqlError::error(format!(
        "table {} has {have} values for {want} columns",
        cte.name
    )))
}

/// Rule 2.
pub(super) fn recursion(cte: &ast::Cte) -> Result<Option<Recursion>> {
    let compounds = &cte.select.compounds;
    let Some(last) = compounds.last() else {
        return Ok(None);
    };
    if !matches!(last.op, ast::CompoundOp::Union | ast::CompoundOp::UnionAll) {
        return Ok(None);
    }
    let mut found = Recursion {
        first: compounds.len() + 1,
        places: SmallVec::new(),
    };
    for (i, compound) in compounds.iter().enumerate().rev() {
        if compound.op != last.op {
            break;
        }
        let mut names = places_in(&compound.core, cte);
        let Some(place) = names.next() else { break };
        if names.next().is_some() {
            let message = format!("multiple references to recursive table: {}", cte.name);
            return Err(SqlError::error(message));
        }
        found.places.push(place);
        found.first = i + 1;
    }
    Ok((!found.places.is_empty()).then_some(found))
}

/// Where the FROM clause of a part names the expression.
fn places_in<'a>(
    core: &'a ast::SelectCore,
    cte: &'a ast::Cte,
) -> impl Iterator<Item = *const ast::QualifiedName> + 'a {
    let from = match core {
        ast::SelectCore::Select(clause) => clause.from.as_ref(),
        ast::SelectCore::Values(_) => None,
    };
    let items = from.into_iter().flat_map(|from| &from.items);
    items.filter_map(|item| match &item.source {
        Source::Table { name, .. } if name.schema.is_none() && name.name.matches(&cte.name) => {
            Some(std::ptr::from_ref(name))
        }
        _ => None,
    })
}
