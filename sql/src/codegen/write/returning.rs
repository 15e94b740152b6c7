//! RETURNING: a row for each row that a statement has changed.
//!
//! ```text
//!      OpenEphemeral R
//!      … for each row, once it is stored or deleted:  its columns;  MakeRecord;  NewRowid R;  Insert R
//!      … at the end:                                  Rewind R;  Column R …;  ResultRow;  Next R
//! ```
//!
//! Rules:
//! 1. Rows are handed out when all changes are made, in the order in which they were made.
//! 2. The names in sight are the table's, never its alias; they mean the new row, of a DELETE the old one. The values
//!    are in registers ([`super`], rule 2).
//! 3. The expressions are resolved anew for each place at which a row is changed (an upsert has two): their subqueries
//!    are coded for that place.
//!
//! 4. A subquery over the table itself runs anew for each row.
//!
//! Source: SQLite's `codeReturningTrigger`, `sqlite3ExpandReturning`, `sqlite3FinishCoding`.

use super::Target;
use crate::ast;
use crate::bound::walk::{NodeMut, Walk, walk_mut};
use crate::bound::{Expr, FromClause, FromItem, FromSource, InSet, IndexHint, JoinKind, Select};
use crate::compiler::{Compiler, CursorOverride, Reals, Result, SqlError};
use crate::resolve::{NameMode, Resolver, Scope, output_columns, select_of_rows};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::Opcode;
use std::sync::Arc;

/// The RETURNING clause of a statement.
#[derive(Clone, Copy)]
pub struct Returning<'s> {
    columns: &'s [ast::ResultColumn],
    with: Option<&'s ast::With>,
    /// The ephemeral table of its rows.
    cursor: i32,
    /// The address that opens it.
    opened: i32,
}

impl Compiler<'_> {
    /// Opens the table of the rows; none if the statement has no RETURNING.
    pub fn begin_returning<'s>(
        &mut self,
        columns: &'s [ast::ResultColumn],
        with: Option<&'s ast::With>,
    ) -> Option<Returning<'s>> {
        if columns.is_empty() {
            return None;
        }
        let cursor = self.alloc_cursor(None);
        let opened = self.op(Opcode::OpenEphemeral, cursor, 0, 0);
        Some(Returning {
            columns,
            with,
            cursor,
            opened,
        })
    }

    /// Keeps the row whose rowid is in register `row`, the columns behind it.
    ///
    /// # Errors
    /// Those of its names; `RETURNING may not use "TABLE.*" wildcards`
    pub fn code_returning(
        &mut self,
        returning: Option<Returning<'_>>,
        target: &Target,
        row: i32,
    ) -> Result<()> {
        let Some(returning) = returning else {
            return Ok(());
        };
        let is_table_star =
            |column: &ast::ResultColumn| matches!(column, ast::ResultColumn::TableStar { .. });
        if returning.columns.iter().any(is_table_star) {
            return Err(SqlError::error(
                "RETURNING may not use \"TABLE.*\" wildcards",
            ));
        }
        let select = self.resolve_returning(returning, target, row)?;
        if self.columns.is_empty() {
            self.columns = output_columns(self, &select).collect();
        }
        let count = select.result.len();
        let first = self.alloc_regs(count + 2);
        self.without_factoring(|c| {
            for (i, column) in select.result.iter().enumerate() {
                let to = first + i as i32;
                c.expr_code(&column.expr, to)?;
                if column.expr.affinity() == Affinity::Real {
                    c.op(Opcode::RealAffinity, to, 0, 0);
                }
            }
            Ok(())
        })?;
        let (record, key) = (first + count as i32, first + count as i32 + 1);
        self.op(Opcode::MakeRecord, first, count as i32, record);
        self.op(Opcode::NewRowid, returning.cursor, key, 0);
        self.op(Opcode::Insert, returning.cursor, record, key);
        Ok(())
    }

    fn resolve_returning(
        &mut self,
        returning: Returning<'_>,
        target: &Target,
        row: i32,
    ) -> Result<Select> {
        let cursor = self.alloc_cursor(Some(target.table.clone()));
        let registers = CursorOverride::Registers {
            first: row + 1,
            rowid: Some(row),
            reals: Reals::AsTheyAre,
        };
        self.override_cursor(cursor, Some(registers));
        let item = FromItem {
            cursor,
            db: target.db,
            table: target.table.clone(),
            alias: None,
            source: FromSource::Table,
            join: JoinKind::default(),
            on: None,
            hint: IndexHint::Any,
            columns_used: 0,
            id: self.next_subquery(),
            correlated: false,
            cte: None,
            nested_join: false,
            from_exists: false,
            written_db: None,
        };
        let id = self.next_select();
        let mut resolver = Resolver::new(self);
        if let Some(with) = returning.with {
            resolver.push_with(with)?;
        }
        resolver.push_scope(Scope {
            select: id,
            returning: true,
            ..Scope::of_items(vec![item])
        });
        let mut result = resolver.result_columns(returning.columns, NameMode::Output)?;
        for column in &mut result {
            run_anew(&mut column.expr, target);
        }
        let scope = resolver.pop_scope();
        let mut select = select_of_rows(id, result, Vec::new());
        select.from = FromClause { items: scope.items };
        Ok(select)
    }

    /// Hands the rows out.
    pub fn end_returning(&mut self, returning: Option<Returning<'_>>) {
        let Some(Returning { cursor, opened, .. }) = returning else {
            return;
        };
        let count = self.columns.len() as i32;
        self.b.insn_mut(opened).p2 = count;
        let first = self.alloc_regs(count as usize);
        let end = self.label();
        self.op(Opcode::FkCheck, 0, 0, 0);
        let top = self.jump(Opcode::Rewind, cursor, end, 0) + 1;
        for i in 0..count {
            self.op(Opcode::Column, cursor, i, first + i);
        }
        self.op(Opcode::ResultRow, first, count, 0);
        self.op(Opcode::Next, cursor, top, 0);
        self.place(end);
    }
}

/// Rule 4.
fn run_anew(expr: &mut Expr, target: &Target) {
    let reads = |select: &Select| {
        let mut items = select.from.items.iter();
        items.any(|item| Arc::ptr_eq(&item.table, &target.table))
    };
    walk_mut(expr, &mut |node| {
        match node {
            NodeMut::Expr(Expr::Subquery(subquery) | Expr::Exists(subquery)) => {
                subquery.correlated |= reads(&subquery.select);
            }
            NodeMut::Expr(Expr::In(in_)) => {
                if let InSet::Select { select, correlated } = &mut in_.set {
                    *correlated |= reads(select);
                }
            }
            NodeMut::Select(select) => select.flags.correlated |= reads(select),
            NodeMut::Expr(_) => {}
        }
        Walk::Continue
    });
}
