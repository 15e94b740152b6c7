//! What an UPDATE, or the DO UPDATE of an upsert, assigns.
//!
//! Rules:
//! 1. Of several assignments to one column the last counts.
//! 2. A subquery that is assigned to several columns is run once a row, where the first of them is computed.
//! 3. A generated column changes with any column that its expression mentions.
//!
//! Source: SQLite's `sqlite3Update`, `sqlite3ExprListAppendVector`.

use super::Target;
use super::foreign_keys::Changed;
use super::insert::is_rowid_name;
use crate::ast::{self, AssignmentTarget, ExprKind};
use crate::authorizer::ActionCode;
use crate::bound::walk::for_each_column;
use crate::bound::{Expr, FromItem, Subquery};
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::{NamedRow, Place, Resolver, Scope, resolve_self, resolve_self_at};
use crate::schema::{Index, IndexKey, Table};
use smallvec::SmallVec;
use std::sync::Arc;

/// Where an assigned value comes from.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// It is computed.
    Expr(Expr),
    /// A column of the row of a subquery.
    Field {
        /// Index into [`Assignments::subqueries`].
        subquery: usize,
        /// Which column.
        field: usize,
    },
    /// It was computed with the FROM clause: the number of its assignment.
    Found(usize),
}

/// What is assigned.
pub(super) struct Assignments {
    /// For each column its new value, if it has one.
    pub columns: Vec<Option<Value>>,
    /// Whether a column may change.
    pub changed: SmallVec<[bool; 16]>,
    /// The new rowid.
    pub rowid: Option<Value>,
    /// Whether a column of the primary key of a WITHOUT ROWID table is among them.
    pub key: bool,
    /// Subqueries whose rows are assigned.
    pub subqueries: Vec<Subquery>,
}

impl Assignments {
    fn new(table: &Table) -> Assignments {
        let mut columns = Vec::with_capacity(table.columns.len());
        columns.resize_with(table.columns.len(), || None);
        Assignments {
            columns,
            changed: SmallVec::from_elem(false, table.columns.len()),
            rowid: None,
            key: false,
            subqueries: Vec::new(),
        }
    }

    /// Whether the row may move: its rowid or primary key is assigned.
    pub fn changes_key(&self) -> bool {
        self.rowid.is_some() || self.key
    }

    /// What may change, for foreign keys.
    pub fn all_changed(&self) -> Changed<'_> {
        Changed {
            columns: &self.changed,
            rowid: self.rowid.is_some(),
        }
    }

    /// Whether a column, or the rowid (-1), may change.
    fn touches_column(&self, column: i32) -> bool {
        usize::try_from(column).map_or(self.rowid.is_some(), |number| self.changed[number])
    }

    fn touches_expr(&self, expr: &Expr) -> bool {
        let mut touches = false;
        for_each_column(expr, &mut |column| {
            touches |= self.touches_column(column.column);
        });
        touches
    }

    /// Takes an assignment in.
    ///
    /// # Errors
    /// `no such column: x`, `cannot UPDATE generated column "x"`
    fn assign(&mut self, table: &Table, name: &ast::Name, value: Value) -> Result<()> {
        let Some(number) = table.column_index(&name.text) else {
            if table.has_rowid() && is_rowid_name(&name.text) {
                self.rowid = Some(value);
                return Ok(());
            }
            return Err(SqlError::error(format!("no such column: {}", name.text)));
        };
        let column = &table.columns[number];
        if column.generated.is_some() {
            let message = format!("cannot UPDATE generated column \"{}\"", column.name);
            return Err(SqlError::error(message));
        }
        self.changed[number] = true;
        if table.rowid_alias == Some(number) {
            self.rowid = Some(value);
            return Ok(());
        }
        self.key |= !table.has_rowid() && column.primary_key;
        self.columns[number] = Some(value);
        Ok(())
    }
}

impl<'c> Compiler<'c> {
    /// Resolves the right sides of SET, which see what is in `scope` (see [`table_scope`]), and finds their columns.
    pub(super) fn resolve_assignments(
        &mut self,
        set: &[ast::Assignment],
        table: &Arc<Table>,
        with: Option<&ast::With>,
        scope: &mut Scope,
    ) -> Result<Assignments> {
        let mut made = Assignments::new(table);
        let (db, cursor) = (scope.items[0].db, scope.items[0].cursor);
        let mut resolver = self.resolver_among(with, std::mem::take(scope))?;
        for assignment in set {
            let names = match &assignment.target {
                AssignmentTarget::Column(name) => std::slice::from_ref(name),
                AssignmentTarget::Columns(names) => &names[..],
            };
            match &assignment.value.kind {
                ExprKind::Row(values) if names.len() > 1 || values.len() == names.len() => {
                    check_count(names.len(), values.len())?;
                    for (name, value) in names.iter().zip(values) {
                        made.assign(table, name, Value::Expr(resolver.expr(value)?))?;
                    }
                }
                _ => {
                    let value = resolver.expr(&assignment.value)?;
                    let is_list = matches!(assignment.target, AssignmentTarget::Columns(_));
                    match value {
                        Expr::Subquery(rows) if is_list => {
                            check_count(names.len(), rows.select.result.len())?;
                            let subquery = made.subqueries.len();
                            made.subqueries.push(*rows);
                            for (field, name) in names.iter().enumerate() {
                                made.assign(table, name, Value::Field { subquery, field })?;
                            }
                        }
                        value => {
                            if is_list {
                                check_count(names.len(), 1)?;
                            }
                            made.assign(table, &names[0], Value::Expr(value))?;
                        }
                    }
                }
            }
        }
        *scope = resolver.pop_scope();
        drop(resolver);
        self.authorize_assignments(set, db, table, &mut made)?;
        self.mark_generated(table, cursor, &mut made)?;
        Ok(made)
    }

    /// Finds the columns of SET where the values are computed with a FROM clause: they are numbered.
    pub(super) fn name_assignments(
        &mut self,
        set: &[ast::Assignment],
        db: usize,
        table: &Arc<Table>,
        cursor: i32,
    ) -> Result<Assignments> {
        let mut made = Assignments::new(table);
        let names = set.iter().flat_map(|assignment| match &assignment.target {
            AssignmentTarget::Column(name) => std::slice::from_ref(name),
            AssignmentTarget::Columns(names) => &names[..],
        });
        for (n, name) in names.enumerate() {
            made.assign(table, name, Value::Found(n))?;
        }
        self.authorize_assignments(set, db, table, &mut made)?;
        self.mark_generated(table, cursor, &mut made)?;
        Ok(made)
    }

    /// Resolves a condition that sees what is in `scope`.
    pub(super) fn resolve_condition(
        &mut self,
        with: Option<&ast::With>,
        expr: &ast::Expr,
        mut scope: Scope,
    ) -> Result<Expr> {
        scope.in_where = true;
        self.resolver_among(with, scope)?.expr(expr)
    }

    fn resolver_among<'r, 'a>(
        &'r mut self,
        with: Option<&'a ast::With>,
        scope: Scope,
    ) -> Result<Resolver<'r, 'c, 'a>>
    where
        'c: 'a,
    {
        let mut resolver = Resolver::new(self);
        if let Some(with) = with {
            resolver.push_with(with)?;
        }
        resolver.push_scope(scope);
        Ok(resolver)
    }

    /// Asks whether the columns may be changed; those that are to be ignored stay as they are.
    fn authorize_assignments(
        &mut self,
        set: &[ast::Assignment],
        db: usize,
        table: &Table,
        assignments: &mut Assignments,
    ) -> Result<()> {
        if !self.asks() {
            return Ok(());
        }
        for name in super::update::assigned_names(set) {
            let number = table.column_index(name);
            let column = number.map_or("ROWID", |number| &table.columns[number].name);
            if self.authorize_in(ActionCode::Update, &table.name, Some(column), db)? {
                continue;
            }
            if let Some(number) = number {
                assignments.columns[number] = None;
                assignments.changed[number] = false;
            }
            if number.is_none() || number == table.rowid_alias {
                assignments.rowid = None;
            }
        }
        let is_key = |(number, value): (usize, &Option<Value>)| {
            value.is_some() && table.columns[number].primary_key
        };
        assignments.key &= assignments.columns.iter().enumerate().any(is_key);
        Ok(())
    }

    /// Rule 3.
    fn mark_generated(
        &mut self,
        table: &Arc<Table>,
        cursor: i32,
        assignments: &mut Assignments,
    ) -> Result<()> {
        if !table.has_generated {
            return Ok(());
        }
        let mut generated = Vec::new();
        for (number, column) in table.columns.iter().enumerate() {
            if let Some(definition) = &column.generated {
                let place = Place::Generated;
                let expr = resolve_self_at(self, table, cursor, &definition.expr, place)?;
                generated.push((number, expr));
            }
        }
        let mut progress = true;
        while progress {
            progress = false;
            for (number, expr) in &generated {
                if !assignments.changed[*number] && assignments.touches_expr(expr) {
                    assignments.changed[*number] = true;
                    progress = true;
                }
            }
        }
        Ok(())
    }

    /// Whether an index may change: a column of its key may, or the rowid, or the truth of its WHERE.
    pub(super) fn is_index_touched(
        &mut self,
        target: &Target,
        index: &Index,
        assignments: &Assignments,
    ) -> Result<bool> {
        if assignments.changes_key() {
            return Ok(true);
        }
        let (table, cursor) = (&target.table, target.data_cursor);
        if let Some(partial) = &index.partial {
            let expr = resolve_self(self, table, cursor, partial)?;
            if assignments.touches_expr(&expr) {
                return Ok(true);
            }
        }
        for column in &index.columns[..index.key_count] {
            let touches = match &column.key {
                IndexKey::Column(number) => assignments.changed[*number],
                IndexKey::Rowid => assignments.rowid.is_some(),
                IndexKey::Expr(expr) => {
                    let expr = resolve_self(self, table, cursor, expr)?;
                    assignments.touches_expr(&expr)
                }
            };
            if touches {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// One table and further rows (`excluded`), for what is assigned and for conditions.
pub(super) fn table_scope(item: &FromItem, rows: &[NamedRow]) -> Scope {
    let mut scope = Scope::of_items(vec![item.clone()]);
    scope.rows = rows.to_vec();
    scope
}

fn check_count(columns: usize, values: usize) -> Result<()> {
    if columns == values {
        return Ok(());
    }
    Err(SqlError::error(format!(
        "{columns} columns assigned {values} values"
    )))
}
