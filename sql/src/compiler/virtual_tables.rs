//! Virtual tables while a statement is compiled: connecting them, their columns, their functions.
//!
//! Rules:
//! 1. The schema knows of a virtual table its module and arguments alone; its columns are known once it is connected. Every
//!    statement that names it gets the connected form from here.
//! 2. A name that is no table may be that of a module that can be used without CREATE VIRTUAL TABLE.
//! 3. If connecting has to wait, the compilation fails with [`SqlError::connecting`]; whoever called it connects the table
//!    and compiles again.
//!
//! Source: SQLite's `sqlite3VtabCallConnect`, `sqlite3_declare_vtab`, `sqlite3VtabEponymousTableInit`,
//! `sqlite3VtabOverloadFunction`.

use super::{Compiler, Result, SqlError};
use crate::ast::Stmt;
use crate::bound::{Expr, FunctionCall};
use crate::parse::parse_statement;
use crate::schema::define::define_table;
use crate::schema::{Table, TableKind, VirtualDef};
use ringwood_vdbe::vtab::{ConnectError, Connected, ModuleArgs};
use ringwood_vdbe::{FunctionDef, P4, ResultCode};
use std::rc::Rc;
use std::sync::Arc;

impl SqlError {
    /// Rule 3.
    fn connecting() -> SqlError {
        SqlError::new(
            ResultCode::LOCKED_VTAB,
            "a virtual table is being connected",
        )
    }

    /// Whether it is that of rule 3.
    pub fn is_connecting(&self) -> bool {
        self.code == ResultCode::LOCKED_VTAB
    }
}

impl Compiler<'_> {
    /// The table as statements see it (rule 1); one that is not virtual is that already.
    ///
    /// # Errors
    /// `no such module: x`, or what its module says.
    pub fn connected(&self, db: usize, table: &Arc<Table>) -> Result<Arc<Table>> {
        let TableKind::Virtual(def) = &table.kind else {
            return Ok(table.clone());
        };
        if !table.columns.is_empty() {
            return Ok(table.clone());
        }
        let args = ModuleArgs {
            module: def.module.clone(),
            db: self.ctx.schema.dbs[db].name.clone(),
            table: table.name.clone(),
            args: def.args.clone(),
            is_new: false,
        };
        let connected = self.ctx.virtual_tables.connect(&args);
        self.declared(
            connected,
            table.name.clone(),
            def.clone(),
            table.sql.clone(),
        )
    }

    /// The table of a module that needs no CREATE (rule 2).
    pub fn eponymous(&self, name: &str) -> Option<Result<Arc<Table>>> {
        let connected = self.ctx.virtual_tables.eponymous(name)?;
        let def = VirtualDef {
            module: name.into(),
            args: Vec::new(),
            is_eponymous: true,
        };
        let name = match &connected {
            Ok(connected) => connected.args.table.clone(),
            Err(_) => name.into(),
        };
        Some(self.declared(connected, name, Arc::new(def), None))
    }

    fn declared(
        &self,
        connected: std::result::Result<Rc<Connected>, ConnectError>,
        name: Arc<str>,
        def: Arc<VirtualDef>,
        sql: Option<Arc<str>>,
    ) -> Result<Arc<Table>> {
        let connected = match connected {
            Ok(connected) => connected,
            Err(ConnectError::Wait) => return Err(SqlError::connecting()),
            Err(ConnectError::Fail(error)) => return Err(error.into()),
        };
        let known = connected.compiled.borrow().clone();
        if let Some(known) = known.and_then(|known| known.downcast::<Arc<Table>>().ok()) {
            return Ok(Arc::clone(&known));
        }
        let mut table = declared_table(&connected.schema)?;
        table.name = name;
        table.kind = TableKind::Virtual(def);
        table.sql = sql;
        let table = Arc::new(table);
        *connected.compiled.borrow_mut() = Some(Rc::new(table.clone()));
        Ok(table)
    }

    /// The connected table behind a table.
    pub fn connection_of(&self, db: usize, table: &Table) -> Option<Rc<Connected>> {
        let TableKind::Virtual(def) = &table.kind else {
            return None;
        };
        let db = if def.is_eponymous {
            ""
        } else {
            &self.ctx.schema.dbs[db].name
        };
        self.ctx.virtual_tables.find(db, &table.name)
    }

    /// Whether a table belongs to a virtual one: its name is that one's, an underscore, and what the module says.
    pub fn is_shadow(&self, db: usize, table: &Table) -> bool {
        let Some((owner, suffix)) = table.name.rsplit_once('_') else {
            return false;
        };
        let owner = self.ctx.schema.dbs[db].table(owner);
        let module = owner.and_then(|owner| match &owner.kind {
            TableKind::Virtual(def) => self.ctx.virtual_tables.module(&def.module),
            _ => None,
        });
        module.is_some_and(|module| module.is_shadow(suffix))
    }

    /// P4 of the opcodes of virtual tables.
    pub fn vtab_operand(&self, db: usize, table: &Table) -> P4 {
        let db = match &table.kind {
            TableKind::Virtual(def) if def.is_eponymous => Arc::from(""),
            _ => self.ctx.schema.dbs[db].name.clone(),
        };
        P4::VirtualTable(Arc::new((db, table.name.clone())))
    }

    /// The function that a virtual table has for a call with a column of its own: in `x LIKE y` and the like the column is the
    /// second argument, else the first.
    pub fn overloaded(&self, call: &FunctionCall) -> Option<FunctionDef> {
        if self.virtual_items.is_empty() {
            return None;
        }
        let infix = ["match", "like", "glob", "regexp"];
        let is_infix = call.args.len() >= 2
            && infix
                .iter()
                .any(|name| call.def.name.eq_ignore_ascii_case(name));
        let Some(Expr::Column(column)) = call.args.get(usize::from(is_infix)) else {
            return None;
        };
        let (_, connected) = self
            .virtual_items
            .iter()
            .find(|(cursor, _)| *cursor == column.cursor)?;
        let name = call.def.name.to_ascii_lowercase();
        let found = connected.with(|table| table.find_function(&name, call.args.len()));
        found.ok()?.map(|overload| overload.function)
    }
}

/// The columns of a declared schema, in which HIDDEN is a word of a type.
fn declared_table(schema: &str) -> Result<Table> {
    let text = schema.as_bytes();
    let parsed = parse_statement(text).map_err(|e| SqlError::error(e.to_string()))?;
    let Some(Stmt::CreateTable(create)) = parsed.map(|statement| statement.kind) else {
        return Err(SqlError::error("declare_vtab: syntax error"));
    };
    let mut table = define_table(&create, text)?;
    if !table.without_rowid {
        table.indexes.clear();
        table.rowid_alias = None;
        table.autoincrement = false;
    }
    table.checks.clear();
    table.foreign_keys.clear();
    for column in &mut table.columns {
        let Some(decl_type) = &column.decl_type else {
            continue;
        };
        let words: Vec<&str> = decl_type.split(' ').collect();
        let shown: Vec<&str> = words
            .iter()
            .copied()
            .filter(|word| !word.eq_ignore_ascii_case("hidden"))
            .collect();
        if shown.len() == words.len() {
            continue;
        }
        column.hidden = true;
        column.decl_type = Some(shown.join(" ").into());
    }
    Ok(table)
}
