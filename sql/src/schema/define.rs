//! From a CREATE TABLE or CREATE INDEX to a [`Table`] or an [`Index`].
//!
//! ```text
//! INTEGER PRIMARY KEY                  the rowid itself                (not after DESC in the column; not WITHOUT ROWID)
//! PRIMARY KEY, UNIQUE                  an index sqlite_autoindex_T_N, unless an equal one is there
//! PRIMARY KEY of WITHOUT ROWID         the table
//! ```
//!
//! Rules:
//! 1. Constraints make their indexes in the order of the text; N is the number of the index, from 1.
//! 2. The newest index comes first in the table's list; those with ON CONFLICT REPLACE go last, so that nothing is
//!    deleted before every other constraint has been looked at.
//! 3. Two constraints over the same columns and collations share an index.
//!
//! Source: SQLite's `sqlite3AddColumn`, `sqlite3AddPrimaryKey`, `sqlite3CreateIndex`, `convertToWithoutRowidTable`,
//! `sqlite3EndTable`, `sqlite3AffinityType`.

use super::{
    Check, CollationName, Column, Default, ForeignKey, Generated, Index, IndexColumn, IndexKey,
    IndexOrigin, LogEst, Table, TableKind,
};
use crate::ast::{
    self, ColumnConstraintKind, ConflictAction, CreateIndex, CreateTable, Expr, ExprKind, Literal,
    SortTerm, TableBody, TableConstraintKind,
};
use crate::compiler::{Result, SqlError};
use crate::plan::cost::log_est;
use ringwood_format::affinity::Affinity;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::value::{Value, ValueRef};
use ringwood_vdbe::P4;
use std::sync::{Arc, OnceLock};

/// Most columns of a table.
const COLUMNS_MAX: usize = 2000;

/// The table that a CREATE TABLE with columns defines; `text` is what its spans refer to. Root pages are 0.
///
/// # Errors
/// SQLite's, for definitions that contradict themselves.
pub fn define_table(create: &CreateTable, text: &[u8]) -> Result<Table> {
    let TableBody::Columns {
        columns,
        constraints,
        strict,
        without_rowid,
        ..
    } = &create.body
    else {
        return Err(SqlError::error("CREATE TABLE AS has no columns of its own"));
    };
    let mut definition = Definition::of_columns(&create.name.name.text, columns, text)?;
    for constraint in constraints {
        definition.constraint(constraint)?;
    }
    definition.finish(*strict, *without_rowid)
}

/// The columns that a CREATE TABLE has named before its text went wrong.
///
/// # Errors
/// SQLite's, for columns that contradict each other.
pub fn define_columns(create: &CreateTable, text: &[u8]) -> Result<Vec<Column>> {
    let TableBody::Columns { columns, .. } = &create.body else {
        return Ok(Vec::new());
    };
    let definition = Definition::of_columns(&create.name.name.text, columns, text)?;
    Ok(definition.table.columns)
}

/// The index that a CREATE INDEX defines on `table`.
///
/// # Errors
/// `no such column: x`; expressions are looked at when they are used.
pub fn define_index(create: &CreateIndex, table: &Table) -> Result<Index> {
    let mut columns = Vec::with_capacity(create.columns.len() + 1);
    for term in &create.columns {
        columns.push(index_column(term, table)?);
    }
    let mut index = Index {
        unique: create.unique.then_some(ConflictAction::Abort),
        origin: IndexOrigin::Create,
        partial: create
            .where_clause
            .as_ref()
            .map(|expr| Arc::new(expr.clone())),
        ..plain_index(&create.name.name.text, &table.name, columns)
    };
    complete_index(&mut index, table);
    Ok(index)
}

fn plain_index(name: &str, table: &str, columns: Vec<IndexColumn>) -> Index {
    Index {
        name: name.into(),
        table: table.into(),
        root: 0,
        key_count: columns.len(),
        has_expr: columns
            .iter()
            .any(|column| matches!(column.key, IndexKey::Expr(_))),
        columns,
        unique: None,
        origin: IndexOrigin::Create,
        partial: None,
        unique_not_null: false,
        sql: None,
        row_estimates: Vec::new(),
        has_statistics: false,
        unordered: false,
        no_skip_scan: false,
        entry_size: 0,
        samples: None,
        key_info: OnceLock::new(),
    }
}

/// Adds what leads from an entry to the row, and the estimates.
fn complete_index(index: &mut Index, table: &Table) {
    index.unique_not_null = index.unique.is_some()
        && index.columns[..index.key_count]
            .iter()
            .all(|column| match column.key {
                IndexKey::Column(number) => {
                    table.columns[number].not_null.is_some() || table.rowid_alias == Some(number)
                }
                IndexKey::Rowid => true,
                IndexKey::Expr(_) => false,
            });
    match table
        .without_rowid
        .then(|| table.primary_key_index())
        .flatten()
    {
        None => index.columns.push(IndexColumn {
            key: IndexKey::Rowid,
            collation: CollationName::Binary,
            desc: false,
        }),
        Some(primary) => {
            for column in &primary.columns[..primary.key_count] {
                let has = index.columns.iter().any(|have| same_column(have, column));
                if !has {
                    index.columns.push(column.clone());
                }
            }
        }
    }
    index.default_estimates(table.row_estimate);
    index.entry_size = entry_size(&index.columns, table);
}

fn entry_size(columns: &[IndexColumn], table: &Table) -> LogEst {
    let width: u64 = columns
        .iter()
        .map(|column| match column.key {
            IndexKey::Column(number) => column_size(table.columns[number].decl_type.as_deref()),
            IndexKey::Rowid | IndexKey::Expr(_) => 1,
        })
        .sum();
    log_est(width * 4)
}

fn same_column(a: &IndexColumn, b: &IndexColumn) -> bool {
    a.key.column().is_some() && a.key.column() == b.key.column() && a.collation.same(&b.collation)
}

/// A term of an index: a column or an expression, with its collation and direction.
fn index_column(term: &SortTerm, table: &Table) -> Result<IndexColumn> {
    if term.nulls.is_some() {
        let which = if term.nulls == Some(ast::NullsOrder::First) {
            "FIRST"
        } else {
            "LAST"
        };
        return Err(SqlError::error(format!("unsupported use of NULLS {which}")));
    }
    let (inner, collation) = match &term.expr.kind {
        ExprKind::Collate(collate) => (
            &collate.expr,
            Some(CollationName::new(&collate.collation.text)),
        ),
        _ => (&term.expr, None),
    };
    let desc = term.is_descending();
    let found = column_of(inner, table);
    // A double-quoted name that no column has is a string.
    let is_string = matches!(&inner.kind, ExprKind::Id(name) if name.quote == ast::Quote::Double);
    if let Some(number) = found.filter(|found| found.is_ok() || !is_string) {
        let number = number
            .map_err(|name| SqlError::at(inner.span.start, format!("no such column: {name}")))?;
        let column = &table.columns[number];
        return Ok(IndexColumn {
            key: IndexKey::Column(number),
            collation: collation.unwrap_or_else(|| column.collation.clone()),
            desc,
        });
    }
    let collation = collation
        .or_else(|| expr_collation(inner, table))
        .unwrap_or_default();
    Ok(IndexColumn {
        key: IndexKey::Expr(Arc::new(inner.clone())),
        collation,
        desc,
    })
}

/// The column that an expression is, or the name of one that is not there; none if it is no bare name.
fn column_of<'e>(expr: &'e Expr, table: &Table) -> Option<Result<usize, &'e str>> {
    let name: &str = match &expr.kind {
        ExprKind::Id(name) => &name.text,
        // SQLite takes a string here for a name.
        ExprKind::Literal(Literal::String(text)) => std::str::from_utf8(text).ok()?,
        _ => return None,
    };
    Some(table.column_index(name).ok_or(name))
}

/// The collation that an expression carries by itself.
fn expr_collation(expr: &Expr, table: &Table) -> Option<CollationName> {
    match &expr.kind {
        ExprKind::Collate(collate) => Some(CollationName::new(&collate.collation.text)),
        ExprKind::Cast(cast) => expr_collation(&cast.expr, table),
        ExprKind::Unary(ast::UnaryOp::Plus, inner) => expr_collation(inner, table),
        _ => match column_of(expr, table) {
            Some(Ok(number)) => Some(table.columns[number].collation.clone()),
            _ => None,
        },
    }
}

/// A type without the quotes around all of it (SQLite's sqlite3DequoteToken).
fn unquoted(name: &str) -> &str {
    let is_quote = |c: char| matches!(c, '"' | '\'' | '[' | '`');
    let inner = name.get(1..name.len().saturating_sub(1));
    match inner {
        Some(inner)
            if name.len() >= 3
                && name.starts_with(['"', '\'', '[', '`'])
                && !inner.contains(is_quote) =>
        {
            inner
        }
        _ => name,
    }
}

/// The estimated size of a column in units of four bytes.
fn column_size(decl_type: Option<&str>) -> u64 {
    let Some(declared) = decl_type else { return 1 };
    if Affinity::of_type(declared) >= Affinity::Numeric {
        return 1;
    }
    let lower = declared.to_ascii_lowercase();
    let sized = lower.rfind("char").or_else(|| lower.find("blob("));
    let bytes = match sized {
        Some(at) => {
            let digits = lower[at..].trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len());
            digits[..end].parse::<u64>().unwrap_or(0)
        }
        None => 16,
    };
    (bytes / 4 + 1).min(255)
}

/// A table that is being defined.
struct Definition<'t> {
    table: Table,
    sizes: Vec<u64>,
    /// In the order of the text.
    indexes: Vec<Index>,
    /// The primary key, once one was declared: its columns and directions.
    key: Option<Vec<IndexColumn>>,
    text: &'t [u8],
}

impl<'t> Definition<'t> {
    fn of_columns(
        name: &str,
        columns: &[ast::ColumnDef],
        text: &'t [u8],
    ) -> Result<Definition<'t>> {
        let table = Table::plain(
            name.into(),
            TableKind::Ordinary,
            Vec::with_capacity(columns.len()),
        );
        let mut definition = Definition {
            table,
            sizes: Vec::with_capacity(columns.len()),
            indexes: Vec::new(),
            key: None,
            text,
        };
        for column in columns {
            definition.column(column)?;
        }
        Ok(definition)
    }

    fn slice(&self, span: ast::Span) -> Arc<str> {
        String::from_utf8_lossy(span.slice(self.text)).into()
    }

    fn column(&mut self, def: &ast::ColumnDef) -> Result<()> {
        let table = &mut self.table;
        if table.columns.len() >= COLUMNS_MAX {
            return Err(SqlError::error(format!(
                "too many columns on {}",
                table.name
            )));
        }
        if table.column_index(&def.name.text).is_some() {
            return Err(SqlError::error(format!(
                "duplicate column name: {}",
                def.name.text
            )));
        }
        let decl_type = def
            .type_name
            .as_ref()
            .map(|name| Arc::<str>::from(unquoted(&name.text)));
        let number = table.columns.len();
        table.columns.push(Column {
            affinity: decl_type
                .as_deref()
                .map_or(Affinity::Blob, Affinity::of_type),
            ..Column::plain((&*def.name.text).into())
        });
        self.sizes.push(column_size(decl_type.as_deref()));
        self.table.columns[number].decl_type = decl_type;
        for constraint in &def.constraints {
            self.column_constraint(number, constraint)?;
        }
        let column = &mut self.table.columns[number];
        if column.generated.is_some() && column.default.is_some() {
            return Err(SqlError::error("cannot use DEFAULT on a generated column"));
        }
        Ok(())
    }

    fn column_constraint(
        &mut self,
        number: usize,
        constraint: &ast::ColumnConstraint,
    ) -> Result<()> {
        match &constraint.kind {
            ColumnConstraintKind::Default { expr, text } => {
                let text = self.slice(*text);
                let affinity = self.table.columns[number].affinity;
                let value = literal_operand(expr, affinity);
                self.table.columns[number].default = Some(Default {
                    expr: Arc::new(expr.clone()),
                    text,
                    value,
                });
            }
            ColumnConstraintKind::NotNull(conflict) => {
                self.table.columns[number].not_null =
                    Some(conflict.unwrap_or(ConflictAction::Abort));
                for index in &mut self.indexes {
                    if matches!(index.columns[..], [IndexColumn { key: IndexKey::Column(n), .. }] if n == number)
                    {
                        index.unique_not_null = true;
                    }
                }
            }
            ColumnConstraintKind::PrimaryKey {
                order,
                conflict,
                autoincrement,
            } => {
                let desc = *order == Some(ast::SortOrder::Desc);
                let column = self.plain_column(number, desc);
                self.primary_key(vec![column], *conflict, *autoincrement, desc)?;
            }
            ColumnConstraintKind::Unique(conflict) => {
                let column = self.plain_column(number, false);
                self.constraint_index(vec![column], *conflict, IndexOrigin::Unique)?;
            }
            ColumnConstraintKind::Check { expr, text } => {
                self.check(constraint.name.as_ref(), constraint.span, expr, *text);
            }
            ColumnConstraintKind::References(references) => {
                if references.columns.len() > 1 {
                    return Err(SqlError::at(
                        references.table.span.start,
                        format!(
                            "foreign key on {} should reference only one column of table {}",
                            self.table.columns[number].name, references.table.text
                        ),
                    ));
                }
                let key = foreign_key(vec![number], references);
                self.table.foreign_keys.insert(0, Arc::new(key));
            }
            ColumnConstraintKind::Deferrable(deferral) => self.defer_last(*deferral),
            ColumnConstraintKind::Collate(name) => {
                let collation = CollationName::new(&name.text);
                // An index that the column has by an earlier constraint follows the collation.
                for index in &mut self.indexes {
                    if index.columns[0].key.column() == Some(number as i32) {
                        index.columns[0].collation = collation.clone();
                    }
                }
                self.table.columns[number].collation = collation;
            }
            ColumnConstraintKind::Generated { expr, kind, .. } => {
                if self.table.columns[number].primary_key {
                    return Err(SqlError::error(
                        "generated columns cannot be part of the PRIMARY KEY",
                    ));
                }
                self.table.has_generated = true;
                self.table.columns[number].generated = Some(Generated {
                    expr: Arc::new(expr.clone()),
                    stored: *kind == ast::GeneratedKind::Stored,
                });
            }
            ColumnConstraintKind::Null | ColumnConstraintKind::NameOnly => {}
        }
        Ok(())
    }

    fn constraint(&mut self, constraint: &ast::TableConstraint) -> Result<()> {
        match &constraint.kind {
            TableConstraintKind::PrimaryKey {
                columns,
                autoincrement,
                conflict,
            } => {
                let columns = self.key_columns(columns)?;
                self.primary_key(columns, *conflict, *autoincrement, false)
            }
            TableConstraintKind::Unique { columns, conflict } => {
                let columns = self.key_columns(columns)?;
                self.constraint_index(columns, *conflict, IndexOrigin::Unique)
            }
            TableConstraintKind::Check { expr, text, .. } => {
                self.check(constraint.name.as_ref(), constraint.span, expr, *text);
                Ok(())
            }
            TableConstraintKind::ForeignKey {
                columns,
                references,
            } => {
                if !references.columns.is_empty() && references.columns.len() != columns.len() {
                    return Err(SqlError::error(
                        "number of columns in foreign key does not match the number of columns in the referenced table",
                    ));
                }
                let find = |name: &ast::Name| {
                    self.table.column_index(&name.text).ok_or_else(|| {
                        SqlError::error(format!(
                            "unknown column \"{}\" in foreign key definition",
                            name.text
                        ))
                    })
                };
                let numbers = columns.iter().map(find).collect::<Result<Vec<_>>>()?;
                self.table
                    .foreign_keys
                    .insert(0, Arc::new(foreign_key(numbers, references)));
                Ok(())
            }
            TableConstraintKind::NameOnly => Ok(()),
        }
    }

    fn defer_last(&mut self, deferral: ast::Deferral) {
        if let Some(key) = self.table.foreign_keys.first_mut() {
            Arc::make_mut(key).deferred = deferral.is_deferred();
        }
    }

    fn check(&mut self, name: Option<&ast::Name>, span: ast::Span, expr: &Expr, text: ast::Span) {
        // The name belongs to this constraint only if it was written within it.
        let own = name.filter(|name| name.span.start >= span.start && name.span.end <= span.end);
        let name = own.map_or_else(|| self.slice(text), |name| (&*name.text).into());
        self.table.checks.push(Check {
            name,
            expr: Arc::new(expr.clone()),
        });
    }

    fn plain_column(&self, number: usize, desc: bool) -> IndexColumn {
        let collation = self.table.columns[number].collation.clone();
        IndexColumn {
            key: IndexKey::Column(number),
            collation,
            desc,
        }
    }

    /// The columns of a PRIMARY KEY or UNIQUE constraint.
    fn key_columns(&self, terms: &[SortTerm]) -> Result<Vec<IndexColumn>> {
        let columns = terms
            .iter()
            .map(|term| index_column(term, &self.table))
            .collect::<Result<Vec<_>>>()?;
        if columns
            .iter()
            .any(|column| matches!(column.key, IndexKey::Expr(_)))
        {
            return Err(SqlError::error(
                "expressions prohibited in PRIMARY KEY and UNIQUE constraints",
            ));
        }
        Ok(columns)
    }

    fn primary_key(
        &mut self,
        columns: Vec<IndexColumn>,
        conflict: Option<ConflictAction>,
        autoincrement: bool,
        column_desc: bool,
    ) -> Result<()> {
        if self.key.is_some() {
            return Err(SqlError::error(format!(
                "table \"{}\" has more than one primary key",
                self.table.name
            )));
        }
        self.key = Some(columns.clone());
        for column in &columns {
            if let IndexKey::Column(number) = column.key {
                if self.table.columns[number].generated.is_some() {
                    return Err(SqlError::error(
                        "generated columns cannot be part of the PRIMARY KEY",
                    ));
                }
                self.table.columns[number].primary_key = true;
            }
        }
        if let [
            IndexColumn {
                key: IndexKey::Column(number),
                ..
            },
        ] = columns[..]
        {
            let declared = self.table.columns[number].decl_type.as_deref();
            if declared.is_some_and(|name| name.eq_ignore_ascii_case("INTEGER")) && !column_desc {
                self.table.rowid_alias = Some(number);
                self.table.key_conflict = conflict;
                self.table.autoincrement = autoincrement;
                self.table.columns[number].unique = true;
                return Ok(());
            }
        }
        if autoincrement {
            return Err(SqlError::error(
                "AUTOINCREMENT is only allowed on an INTEGER PRIMARY KEY",
            ));
        }
        self.constraint_index(columns, conflict, IndexOrigin::PrimaryKey)
    }

    /// The index of a constraint (rules 1 and 3).
    fn constraint_index(
        &mut self,
        columns: Vec<IndexColumn>,
        conflict: Option<ConflictAction>,
        origin: IndexOrigin,
    ) -> Result<()> {
        if let [
            IndexColumn {
                key: IndexKey::Column(number),
                ..
            },
        ] = columns[..]
        {
            self.table.columns[number].unique = true;
        }
        let equal = self.indexes.iter_mut().find(|index| {
            index.columns.len() == columns.len()
                && index
                    .columns
                    .iter()
                    .zip(&columns)
                    .all(|(a, b)| same_column(a, b))
        });
        if let Some(index) = equal {
            match (index.unique, conflict) {
                (Some(have), Some(new)) if have != new && have != ConflictAction::Abort => {
                    return Err(SqlError::error("conflicting ON CONFLICT clauses specified"));
                }
                (Some(ConflictAction::Abort), Some(new)) => index.unique = Some(new),
                _ => {}
            }
            if origin == IndexOrigin::PrimaryKey {
                index.origin = origin;
            }
            return Ok(());
        }
        let name = format!(
            "sqlite_autoindex_{}_{}",
            self.table.name,
            self.indexes.len() + 1
        );
        self.indexes.push(Index {
            unique: Some(conflict.unwrap_or(ConflictAction::Abort)),
            origin,
            ..plain_index(&name, &self.table.name, columns)
        });
        Ok(())
    }

    fn finish(mut self, strict: bool, without_rowid: bool) -> Result<Table> {
        if strict {
            self.check_strict()?;
        }
        if self
            .table
            .columns
            .iter()
            .all(|column| column.generated.is_some())
        {
            return Err(SqlError::error(
                "must have at least one non-generated column",
            ));
        }
        if without_rowid {
            self.convert_to_without_rowid()?;
        }
        let rowid_width = u64::from(self.table.rowid_alias.is_none());
        self.table.row_size = log_est((self.sizes.iter().sum::<u64>() + rowid_width) * 4);
        // The primary key of a WITHOUT ROWID table must be known before the others are completed.
        let mut indexes = std::mem::take(&mut self.indexes);
        if without_rowid {
            let at = indexes
                .iter()
                .position(Index::is_primary_key)
                .expect("made just before");
            self.complete_table_index(&mut indexes[at]);
            self.table.indexes = vec![Arc::new(indexes[at].clone())];
        }
        for index in &mut indexes {
            if !(without_rowid && index.is_primary_key()) {
                complete_index(index, &self.table);
            }
        }
        self.table.indexes.clear();
        for index in indexes {
            add_index(&mut self.table, Arc::new(index));
        }
        Ok(self.table)
    }

    fn check_strict(&mut self) -> Result<()> {
        self.table.strict = true;
        for (number, column) in self.table.columns.iter_mut().enumerate() {
            let (table, name) = (&self.table.name, &column.name);
            match column.decl_type.as_deref() {
                None => {
                    return Err(SqlError::error(format!(
                        "missing datatype for {table}.{name}"
                    )));
                }
                Some(declared) => {
                    let known = ["ANY", "BLOB", "INT", "INTEGER", "REAL", "TEXT"];
                    if !known.iter().any(|k| k.eq_ignore_ascii_case(declared)) {
                        return Err(SqlError::error(format!(
                            "unknown datatype for {table}.{name}: \"{declared}\""
                        )));
                    }
                    if declared.eq_ignore_ascii_case("ANY") {
                        column.affinity = Affinity::Blob;
                    }
                }
            }
            if column.primary_key
                && self.table.rowid_alias != Some(number)
                && column.not_null.is_none()
            {
                column.not_null = Some(ConflictAction::Abort);
            }
        }
        Ok(())
    }

    fn convert_to_without_rowid(&mut self) -> Result<()> {
        let Some(key) = self.key.take() else {
            return Err(SqlError::error(format!(
                "PRIMARY KEY missing on table {}",
                self.table.name
            )));
        };
        if self.table.autoincrement {
            return Err(SqlError::error(
                "AUTOINCREMENT not allowed on WITHOUT ROWID tables",
            ));
        }
        self.table.without_rowid = true;
        for column in &mut self.table.columns {
            if column.primary_key && column.not_null.is_none() {
                column.not_null = Some(ConflictAction::Abort);
            }
        }
        if self.table.rowid_alias.take().is_some() {
            let conflict = self.table.key_conflict.take();
            self.constraint_index(key, conflict, IndexOrigin::PrimaryKey)?;
        }
        Ok(())
    }

    /// The primary key of a WITHOUT ROWID table: duplicates go, all other stored columns follow.
    fn complete_table_index(&self, index: &mut Index) {
        let mut columns: Vec<IndexColumn> = Vec::with_capacity(self.table.columns.len());
        for column in &index.columns {
            if !columns.iter().any(|have| same_column(have, column)) {
                columns.push(column.clone());
            }
        }
        index.key_count = columns.len();
        for (number, column) in self.table.columns.iter().enumerate() {
            let has = columns
                .iter()
                .any(|have| have.key.column() == Some(number as i32));
            if !has && !column.is_virtual() {
                columns.push(IndexColumn {
                    key: IndexKey::Column(number),
                    collation: CollationName::Binary,
                    desc: false,
                });
            }
        }
        index.columns = columns;
        index.unique_not_null = true;
        index.default_estimates(self.table.row_estimate);
        index.entry_size = entry_size(&index.columns, &self.table);
    }
}

/// Puts an index into a table's list (rule 2).
pub fn add_index(table: &mut Table, index: Arc<Index>) {
    let replaces = index.unique == Some(ConflictAction::Replace);
    let at = if replaces {
        table
            .indexes
            .iter()
            .position(|i| i.unique == Some(ConflictAction::Replace))
            .unwrap_or(table.indexes.len())
    } else {
        0
    };
    table.indexes.insert(at, index);
}

fn foreign_key(columns: Vec<usize>, references: &ast::References) -> ForeignKey {
    let parent_columns: Vec<Arc<str>> = references
        .columns
        .iter()
        .map(|name| (&*name.text).into())
        .collect();
    ForeignKey {
        columns,
        parent: (&*references.table.text).into(),
        parent_columns: (!parent_columns.is_empty()).then_some(parent_columns),
        on_delete: references.on_delete,
        on_update: references.on_update,
        deferred: references.deferral.is_some_and(ast::Deferral::is_deferred),
    }
}

/// The value of a literal after an affinity, as the fourth operand of `Column`; none for NULL and what is no literal.
fn literal_operand(expr: &Expr, affinity: Affinity) -> P4 {
    match literal_value(expr, false) {
        Some(value) => {
            let value = affinity.apply_owned(value);
            P4::value(value.as_ref())
        }
        None => P4::None,
    }
}

fn literal_value(expr: &Expr, negated: bool) -> Option<Value> {
    let number = |text: &str| match ringwood_format::number::parse_literal(text.as_bytes(), negated)
        .ok()?
        .into_value()
    {
        ValueRef::Integer(i) => Some(Value::Integer(i)),
        ValueRef::Real(r) => Some(Value::Real(r)),
        _ => None,
    };
    match &expr.kind {
        ExprKind::Literal(literal) => match literal {
            Literal::Integer(i) => {
                Some(Value::Integer(if negated { i.checked_neg()? } else { *i }))
            }
            Literal::BigInteger(text) | Literal::Float(text) => number(text),
            Literal::String(text) if !negated => Some(Value::Text(text.to_vec())),
            Literal::String(text) => {
                let value = ringwood_format::affinity::cast(
                    ValueRef::Text(text),
                    Affinity::Numeric,
                    TextEncoding::Utf8,
                );
                Some(match value {
                    Value::Integer(i) => Value::Integer(i.checked_neg()?),
                    Value::Real(r) => Value::Real(-r),
                    other => other,
                })
            }
            Literal::Blob(bytes) if !negated => Some(Value::Blob(bytes.to_vec())),
            Literal::Null | Literal::Blob(_) | Literal::BigHex(_) | Literal::Current(_) => None,
        },
        ExprKind::Id(name) if name.is_bare() && name.is("true") => {
            Some(Value::Integer(if negated { -1 } else { 1 }))
        }
        ExprKind::Id(name) if name.is_bare() && name.is("false") => Some(Value::Integer(0)),
        ExprKind::Unary(ast::UnaryOp::Minus, inner) => literal_value(inner, !negated),
        ExprKind::Unary(ast::UnaryOp::Plus, inner) => literal_value(inner, negated),
        _ => None,
    }
}
