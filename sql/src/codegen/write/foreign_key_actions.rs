//! ON DELETE and ON UPDATE of foreign keys: each action is the program of a trigger on the parent table.
//!
//! | action | step |
//! |---|---|
//! | RESTRICT | `SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed') FROM child WHERE old.key = child.key` |
//! | CASCADE on DELETE | `DELETE FROM child WHERE old.key = child.key` |
//! | CASCADE on UPDATE | `UPDATE child SET key = new.key WHERE old.key = child.key` |
//! | SET NULL | `UPDATE child SET key = NULL WHERE …` |
//! | SET DEFAULT | `UPDATE child SET key = default WHERE …` |
//!
//! On UPDATE there is `WHEN NOT (old.key IS new.key)` before it.
//!
//! Source: SQLite's `fkActionTrigger`, `sqlite3FkActions`.

use super::Change;
use super::foreign_keys::Changed;
use crate::ast::ConflictAction;
use crate::ast::{
    Assignment, AssignmentTarget, BinaryOp, ColumnRef, Delete, Distinctness, Expr, ExprKind,
    ForeignKeyAction, FromClause, FromItem, Indexed, JoinType, Literal, Name, QualifiedName, Quote,
    Raise, RaiseAction, ResultColumn, Select, SelectClause, SelectCore, Source, Span, TriggerStmt,
    UnaryOp, Update,
};
use crate::codegen::trigger::program::{Action, Cause};
use crate::compiler::{Compiler, Result};
use crate::schema::{ForeignKey, ParentKey, Table};
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

impl Compiler<'_> {
    /// Calls the actions of the foreign keys that refer to a row that was deleted, or updated if `changed` tells what.
    /// `base`: where its old row is, and the new one behind it.
    pub(crate) fn act_on_foreign_keys(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        base: i32,
        changed: Option<Changed<'_>>,
    ) -> Result<()> {
        if !self.is_in_foreign_key(db, table) {
            return Ok(());
        }
        for (child, key) in self.references(db, table) {
            if changed.is_some_and(|changed| !changed.touches_parent(table, &key)) {
                continue;
            }
            let change = if changed.is_some() {
                Change::Update
            } else {
                Change::Delete
            };
            if let Some(action) = self.action(db, table, &child, &key, change)? {
                let or = Some(ConflictAction::Abort);
                let program = self.program_of(Cause::Action(Arc::new(action)), table, or);
                self.op4(Opcode::Program, base, 0, 0, P4::SubProgram(program));
            }
        }
        Ok(())
    }

    fn action(
        &self,
        db: usize,
        parent: &Table,
        child: &Table,
        key: &Arc<ForeignKey>,
        change: Change,
    ) -> Result<Option<Action>> {
        let action = if change == Change::Update {
            key.on_update
        } else {
            key.on_delete
        };
        let delayed = action == ForeignKeyAction::Restrict && self.ctx.flags.defer_foreign_keys;
        if action == ForeignKeyAction::NoAction || delayed {
            return Ok(None);
        }
        let found = match self.parent_key(child, parent, key) {
            Ok(found) => found,
            Err(_) if self.dropping => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut where_ = None;
        let mut same = None;
        for (own, of_child) in found.parent_columns.iter().zip(&found.child_columns) {
            let own = &*parent.columns[*own].name;
            // The parent's column on the left: its affinity and collation count.
            let child_column = expr(ExprKind::Id(name(&child.columns[*of_child].name)));
            where_ = and(where_, binary(BinaryOp::Eq, dot("old", own), child_column));
            same = and(same, binary(BinaryOp::Is, dot("old", own), dot("new", own)));
        }
        let when = same.filter(|_| change == Change::Update);
        let when = when.map(|same| expr(ExprKind::Unary(UnaryOp::Not, Box::new(same))));
        let step = match action {
            ForeignKeyAction::Restrict => restrict(child, where_),
            ForeignKeyAction::Cascade if change == Change::Delete => {
                TriggerStmt::Delete(Box::new(Delete {
                    with: None,
                    table: table_name(child),
                    alias: None,
                    indexed: Indexed::Unspecified,
                    where_clause: where_,
                    returning: Vec::new(),
                    order_by: Vec::new(),
                    limit: None,
                }))
            }
            _ => TriggerStmt::Update(Box::new(Update {
                with: None,
                or: None,
                table: table_name(child),
                alias: None,
                indexed: Indexed::Unspecified,
                set: assignments(action, parent, child, &found),
                from: None,
                where_clause: where_,
                returning: Vec::new(),
                order_by: Vec::new(),
                limit: None,
            })),
        };
        Ok(Some(Action {
            key: key.clone(),
            change,
            db,
            when,
            step,
        }))
    }
}

fn assignments(
    action: ForeignKeyAction,
    parent: &Table,
    child: &Table,
    found: &ParentKey,
) -> Vec<Assignment> {
    let pairs = found.parent_columns.iter().zip(&found.child_columns);
    pairs
        .map(|(own, of_child)| {
            let column = &child.columns[*of_child];
            let default = column
                .default
                .as_ref()
                .filter(|_| action == ForeignKeyAction::SetDefault && column.generated.is_none());
            let value = match (action, default) {
                (ForeignKeyAction::Cascade, _) => dot("new", &parent.columns[*own].name),
                (_, Some(default)) => (*default.expr).clone(),
                _ => expr(ExprKind::Literal(Literal::Null)),
            };
            Assignment {
                target: AssignmentTarget::Column(name(&column.name)),
                value,
            }
        })
        .collect()
}

fn restrict(child: &Table, where_clause: Option<Expr>) -> TriggerStmt {
    let message = Literal::String((*b"FOREIGN KEY constraint failed").into());
    let raise = Raise {
        action: RaiseAction::Abort,
        message: Some(expr(ExprKind::Literal(message))),
    };
    let from = FromItem {
        join: JoinType::NONE,
        source: Source::Table {
            name: table_name(child),
            indexed: Indexed::Unspecified,
        },
        alias: None,
        constraint: None,
        span: Span::default(),
    };
    let clause = SelectClause {
        distinct: Distinctness::None,
        columns: vec![ResultColumn::Expr {
            expr: expr(ExprKind::Raise(Box::new(raise))),
            alias: None,
            span: Span::default(),
        }],
        from: Some(FromClause { items: vec![from] }),
        where_clause,
        group_by: Vec::new(),
        having: None,
        windows: Vec::new(),
        number: 0,
        span: Span::default(),
    };
    TriggerStmt::Select(Box::new(Select {
        with: None,
        core: SelectCore::Select(Box::new(clause)),
        compounds: Vec::new(),
        order_by: Vec::new(),
        limit: None,
        span: Span::default(),
    }))
}

fn expr(kind: ExprKind) -> Expr {
    Expr {
        kind,
        span: Span::default(),
    }
}

fn name(text: &str) -> Name {
    Name {
        text: text.into(),
        span: Span::default(),
        // Whatever it is, it is a name.
        quote: Quote::Bracket,
    }
}

fn table_name(table: &Table) -> QualifiedName {
    QualifiedName {
        schema: None,
        name: name(&table.name),
    }
}

/// `row.column`
fn dot(row: &str, column: &str) -> Expr {
    expr(ExprKind::Column(Box::new(ColumnRef {
        schema: None,
        table: name(row),
        column: name(column),
    })))
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    expr(ExprKind::Binary(op, Box::new([left, right])))
}

fn and(left: Option<Expr>, right: Expr) -> Option<Expr> {
    Some(match left {
        Some(left) => binary(BinaryOp::And, left, right),
        None => right,
    })
}
