//! CREATE TRIGGER: a row of `sqlite_schema`. What the body says is looked at when the trigger fires.
//!
//! Rules:
//! 1. A trigger whose name has no database goes where its table is, if that is temp; a TEMP trigger may watch a table of
//!    any database, another one only tables of its own.
//! 2. Views have INSTEAD OF triggers and tables the others.
//!
//! Source: SQLite's `sqlite3BeginTrigger`, `sqlite3FinishTrigger`.

use super::{TEMP, quoted};
use crate::ast::{self, TriggerTime};
use crate::authorizer::{ActionCode, schema_table_name};
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::Table;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

impl Compiler<'_> {
    /// Codes CREATE TRIGGER.
    pub fn code_create_trigger(
        &mut self,
        create: &ast::CreateTrigger,
        has_params: bool,
    ) -> Result<()> {
        let name = &*create.name.name.text;
        let Some((db, table)) = self.begin_trigger(create)? else {
            return Ok(());
        };
        if has_params {
            return Err(SqlError::error("trigger cannot use variables"));
        }
        if db != TEMP {
            let mut sources = Vec::new();
            let mut add = |name| sources.push(name);
            if let Some(when) = &create.when {
                ast::walk::tables_of_expr(when, &mut add);
            }
            for step in &create.steps {
                ast::walk::tables_of_step(&step.stmt, &mut add);
            }
            self.check_databases("trigger", &create.name.name, db, &sources)
                .map_err(|error| SqlError::error(error.into_message()))?;
        }
        self.writes_db(false, db);
        self.add_definition(
            db,
            "CREATE TRIGGER",
            ("trigger", name, &table.name),
            create.text,
        )?;
        let filter = format!("type='trigger' AND name={}", quoted(name));
        self.op4(Opcode::ParseSchema, db as i32, 0, 0, P4::text(filter));
        Ok(())
    }

    /// The trigger's database, and its table; none if it is there already, and IF NOT EXISTS was said. Looks at no more
    /// than the statement's beginning and the targets of its steps.
    pub(super) fn begin_trigger(
        &mut self,
        create: &ast::CreateTrigger,
    ) -> Result<Option<(usize, Arc<Table>)>> {
        let (db, table_db, table) = self.table_to_watch(create)?;
        let name = &*create.name.name.text;
        self.check_object_name(name)?;
        if self.ctx.schema.dbs[db].triggers.get(name).is_some() {
            if create.if_not_exists {
                self.uses_db(db);
                return Ok(None);
            }
            let written = &create.name.name;
            let text = String::from_utf8_lossy(written.span.slice(self.text));
            return Err(SqlError::at(
                written.span.start,
                format!("trigger {text} already exists"),
            ));
        }
        check_kind(create, &table, db == TEMP)?;
        let code = if db == TEMP {
            ActionCode::CreateTempTrigger
        } else {
            ActionCode::CreateTrigger
        };
        let of = schema_table_name(table_db);
        if !self.authorize_in(code, name, Some(&table.name), db)?
            || !self.authorize_in(ActionCode::Insert, of, None, table_db)?
            || !self.authorize_in(ActionCode::Insert, schema_table_name(db), None, db)?
        {
            return Ok(None);
        }
        if db != TEMP {
            check_targets(create)?;
        }
        Ok(Some((db, table)))
    }

    /// The trigger's database, and its table (rule 1).
    fn table_to_watch(
        &mut self,
        create: &ast::CreateTrigger,
    ) -> Result<(usize, usize, Arc<Table>)> {
        let schema = self.ctx.schema;
        if create.temp && create.name.schema.is_some() {
            return Err(SqlError::error(
                "temporary trigger may not have qualified name",
            ));
        }
        let mut db = self.new_object_db(&create.name, create.temp)?;
        let named = &create.table.name.text;
        let of = match &create.table.schema {
            Some(name) => schema.db_index(&name.text).map(Some),
            None => Some(None),
        };
        let found = of.and_then(|of| schema.find_table(of, named));
        if create.name.schema.is_none() && found.as_ref().is_some_and(|found| found.0 == TEMP) {
            db = TEMP;
        }
        if db == TEMP {
            let Some((table_db, table)) = found else {
                let what = create.table.schema.as_ref().map_or_else(
                    || named.to_string(),
                    |schema| format!("{}.{named}", schema.text),
                );
                return Err(SqlError::error(format!("no such table: {what}")));
            };
            return Ok((db, table_db, table.clone()));
        }
        self.check_databases("trigger", &create.name.name, db, &[&create.table])?;
        match schema.dbs[db].table(named) {
            Some(table) => Ok((db, db, table.clone())),
            None => Err(SqlError::error(format!(
                "no such table: {}.{named}",
                schema.dbs[db].name
            ))),
        }
    }
}

/// Only TEMP triggers may name the database of what they change.
fn check_targets(create: &ast::CreateTrigger) -> Result<()> {
    let qualified = create.steps.iter().any(|step| match &step.stmt {
        ast::TriggerStmt::Insert(insert) => insert.table.schema.is_some(),
        ast::TriggerStmt::Update(update) => update.table.schema.is_some(),
        ast::TriggerStmt::Delete(delete) => delete.table.schema.is_some(),
        ast::TriggerStmt::Select(_) => false,
    });
    if qualified {
        return Err(SqlError::error(
            "qualified table names are not allowed on INSERT, UPDATE, and DELETE statements within triggers",
        ));
    }
    Ok(())
}

/// Rule 2, and no triggers on tables of the engine.
fn check_kind(create: &ast::CreateTrigger, table: &Table, temp: bool) -> Result<()> {
    if table.name.len() >= 7 && table.name.as_bytes()[..7].eq_ignore_ascii_case(b"sqlite_") {
        return Err(SqlError::error("cannot create trigger on system table"));
    }
    let written = match &create.table.schema {
        Some(schema) if temp => format!("{}.{}", schema.text, create.table.name.text),
        _ => create.table.name.text.to_string(),
    };
    if table.is_virtual() {
        return Err(SqlError::error("cannot create triggers on virtual tables"));
    }
    let is_instead = create.time == TriggerTime::InsteadOf;
    if table.is_view() && !is_instead {
        let time = match create.time {
            TriggerTime::After => "AFTER",
            _ => "BEFORE",
        };
        return Err(SqlError::error(format!(
            "cannot create {time} trigger on view: {written}"
        )));
    }
    if !table.is_view() && is_instead {
        return Err(SqlError::error(format!(
            "cannot create INSTEAD OF trigger on table: {written}"
        )));
    }
    Ok(())
}
