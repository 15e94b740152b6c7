//! The rows of the schema tables, edited and tested.
//!
//! Rules:
//! 1. Definitions come in the order of their rows: that is the order in which errors are found.
//! 2. A test reads everything that a definition says: tables and indexes as CREATE does, views and triggers name by
//!    name.
//!
//! Source: SQLite's `renameTestSchema`, `renameTableTest`, `renameReloadSchema`, `corruptSchema`.

use super::names::Finder;
use crate::ast::{self, ObjectKind, Stmt};
use crate::codegen::ddl::TEMP;
use crate::compiler::{CompileContext, Compiler, Result, SqlError};
use crate::parse::parse_statement;
use crate::resolve::Resolver;
use crate::schema::define::{define_index, define_table};
use crate::schema::{DbSchema, DbSchemaBuilder, Schema};
use std::sync::Arc;

/// A change of a row.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    /// The row's type and name.
    pub kind: &'static str,
    pub name: Arc<str>,
    pub new_name: Option<String>,
    pub new_table: Option<String>,
    pub new_sql: Option<String>,
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub db: usize,
    pub kind: ObjectKind,
    pub name: Arc<str>,
    pub table: Arc<str>,
    root: u32,
    pub sql: Option<Arc<str>>,
    new_name: Option<String>,
    new_table: Option<String>,
    new_sql: Option<String>,
}

impl Definition {
    /// The text as it is now.
    pub fn text(&self) -> Option<&str> {
        self.new_sql.as_deref().or(self.sql.as_deref())
    }

    pub fn set_text(&mut self, text: String) {
        if self.text() != Some(&*text) {
            self.new_sql = Some(text);
        }
    }

    pub fn set_name(&mut self, name: String) {
        self.new_name = Some(name);
    }

    pub fn set_table(&mut self, table: String) {
        self.new_table = Some(table);
    }

    /// Whether it is one of the engine's own.
    pub fn is_internal(&self) -> bool {
        self.name.len() >= 7 && self.name.as_bytes()[..7].eq_ignore_ascii_case(b"sqlite_")
    }

    /// Whether tests and edits leave it alone.
    pub fn is_passed_over(&self) -> bool {
        self.is_internal()
            || self.text().is_none_or(|sql| {
                sql.len() >= 14 && sql.as_bytes()[..14].eq_ignore_ascii_case(b"create virtual")
            })
    }

    /// The statement that it is.
    pub fn parse(&self) -> Result<Stmt, String> {
        let text = self.text().unwrap_or_default();
        match parse_statement(text.as_bytes()) {
            Ok(Some(statement)) => Ok(statement.kind),
            Ok(None) => Err(String::new()),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// All rows of a database and of temp.
pub(super) struct Definitions {
    pub rows: Vec<Definition>,
    /// The database whose table is altered.
    db: usize,
}

const fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "table",
        ObjectKind::Index => "index",
        ObjectKind::View => "view",
        ObjectKind::Trigger => "trigger",
    }
}

impl Definitions {
    /// The rows of `db`, then those of temp.
    pub fn new(schema: &Schema, db: usize) -> Definitions {
        let mut rows = Vec::new();
        collect(&schema.dbs[db], db, &mut rows);
        if db != TEMP {
            collect(&schema.dbs[TEMP], TEMP, &mut rows);
        }
        Definitions { rows, db }
    }

    /// What has changed in a database.
    pub fn edits(&self, db: usize) -> Vec<Edit> {
        let changed = self.rows.iter().filter(|row| {
            row.db == db
                && (row.new_name.is_some() || row.new_table.is_some() || row.new_sql.is_some())
        });
        changed
            .map(|row| Edit {
                kind: kind_name(row.kind),
                name: row.name.clone(),
                new_name: row.new_name.clone(),
                new_table: row.new_table.clone(),
                new_sql: row.new_sql.clone(),
            })
            .collect()
    }

    /// The row of a table.
    pub fn table_mut(&mut self, db: usize, name: &str) -> Option<&mut Definition> {
        self.rows.iter_mut().find(|row| {
            row.db == db && row.kind == ObjectKind::Table && row.name.eq_ignore_ascii_case(name)
        })
    }

    /// The schema that the edited rows make. `when`: for the error, as "after rename".
    ///
    /// # Errors
    /// `error in table t after rename: …`
    pub fn schema(&self, old: &Schema, when: &str) -> Result<Schema> {
        let mut schema = old.clone();
        schema.dbs[self.db] = Arc::new(self.db_schema(old, self.db, when)?);
        if self.db != TEMP && !self.edits(TEMP).is_empty() {
            schema.dbs[TEMP] = Arc::new(self.db_schema(old, TEMP, when)?);
        }
        Ok(schema)
    }

    fn db_schema(&self, old: &Schema, db: usize, when: &str) -> Result<DbSchema> {
        let old = &old.dbs[db];
        let mut builder = DbSchemaBuilder::new(&old.name);
        builder.cookie(old.cookie);
        builder.generation(old.generation);
        builder.encoding(old.encoding);
        builder.file_format(old.file_format);
        for row in self.rows.iter().filter(|row| row.db == db) {
            let name = row.new_name.as_deref().unwrap_or(&row.name);
            let table = row.new_table.as_deref().unwrap_or(&row.table);
            let added = builder.row(
                Some(kind_name(row.kind).as_bytes()),
                Some(name.as_bytes()),
                Some(table.as_bytes()),
                Some(i64::from(row.root)),
                row.text().map(str::as_bytes),
            );
            added.map_err(|e| {
                let reason = match e.message.split_once(") - ") {
                    Some((_, reason)) => reason.to_owned(),
                    None => String::new(),
                };
                failed(row, when, &reason)
            })?;
        }
        builder.finish()
    }

    /// The same for one row, as it is before anything is edited.
    pub fn test_one(ctx: &CompileContext<'_>, row: &Definition) -> Result<()> {
        test_row(ctx, row, true).map_err(|error| explained(row, "", error))
    }

    /// Whether every definition means something in `schema`. `strings`: whether what is in double quotes may be a
    /// string; `all`: views and triggers too, not tables and indexes alone.
    ///
    /// # Errors
    /// `error in view v after rename: no such column: a`
    pub fn test(
        &self,
        ctx: &CompileContext<'_>,
        schema: &Schema,
        when: &str,
        strings: bool,
        all: bool,
    ) -> Result<()> {
        let mut flags = ctx.flags;
        flags.double_quoted_strings_dml &= strings;
        flags.double_quoted_strings_ddl &= strings;
        let inner = CompileContext {
            authorizer: None,
            schema,
            functions: ctx.functions,
            collations: ctx.collations,
            limits: ctx.limits,
            flags,
            ..*ctx
        };
        for row in &self.rows {
            if row.is_passed_over() {
                continue;
            }
            let is_data = matches!(row.kind, ObjectKind::Table | ObjectKind::Index);
            if is_data || all {
                test_row(&inner, row, strings).map_err(|error| explained(row, when, error))?;
            }
        }
        Ok(())
    }
}

fn failed(row: &Definition, when: &str, reason: &str) -> SqlError {
    let space = if when.is_empty() { "" } else { " " };
    let name = row.new_name.as_deref().unwrap_or(&row.name);
    SqlError::error(format!(
        "error in {} {name}{space}{when}: {reason}",
        kind_name(row.kind)
    ))
}

/// The same for an error of the compiler; that a virtual table has to be connected first is none of the definition's.
fn explained(row: &Definition, when: &str, error: SqlError) -> SqlError {
    if error.is_connecting() {
        error
    } else {
        failed(row, when, &error.message)
    }
}

fn test_row(ctx: &CompileContext<'_>, row: &Definition, strings: bool) -> Result<()> {
    let text = row.text().unwrap_or_default().as_bytes();
    let mut c = Compiler::new(ctx, text, ast::Explain::No);
    c.unasked = 1;
    c.altering = true;
    match row.parse().map_err(SqlError::error)? {
        Stmt::CreateTable(create) => {
            let table = Arc::new(define_table(&create, text)?);
            c.check_definition(row.db, &table)
        }
        Stmt::CreateIndex(create) => {
            let table = ctx.schema.dbs[row.db].table(&create.table.text).cloned();
            let Some(table) = table else {
                let db = &ctx.schema.dbs[row.db].name;
                let message = format!("no such table: {db}.{}", create.table.text);
                return Err(SqlError::error(message));
            };
            let index = define_index(&create, &table)?;
            c.check_index_definition(row.db, &table, &index)
        }
        Stmt::CreateView(_) => {
            let name = row.new_name.as_deref().unwrap_or(&row.name);
            let Some(view) = ctx.schema.dbs[row.db].table(name).cloned() else {
                return Ok(());
            };
            let resolved = Resolver::new(&mut c).view_select(row.db, &view);
            resolved.map(drop)
        }
        Stmt::CreateTrigger(create) => {
            let mut finder = Finder::new(ctx.schema, ctx.virtual_tables, row.db, strings);
            finder.trigger(&create).map_err(SqlError::error)
        }
        _ => Ok(()),
    }
}

fn collect(schema: &DbSchema, db: usize, out: &mut Vec<Definition>) {
    for (kind, name) in &schema.objects {
        let row = |table: &Arc<str>, root: u32, sql: Option<&Arc<str>>| Definition {
            db,
            kind: *kind,
            name: name.clone(),
            table: table.clone(),
            root,
            sql: sql.cloned(),
            new_name: None,
            new_table: None,
            new_sql: None,
        };
        match kind {
            ObjectKind::Table | ObjectKind::View => {
                if let Some(table) = schema.tables.get(name) {
                    out.push(row(&table.name, table.root, table.sql.as_ref()));
                }
            }
            ObjectKind::Index => {
                if let Some(index) = schema.indexes.get(name) {
                    out.push(row(&index.table, index.root, index.sql.as_ref()));
                }
            }
            ObjectKind::Trigger => {
                if let Some(trigger) = schema.triggers.get(name) {
                    out.push(row(&trigger.table, 0, Some(&trigger.sql)));
                }
            }
        }
    }
}
