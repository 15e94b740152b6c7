//! CREATE TABLE and CREATE VIEW.
//!
//! The schema keeps the text as it was written, behind `CREATE TABLE ` or `CREATE VIEW `; of CREATE TABLE AS it keeps a
//! text made from the columns.
//!
//! Source: SQLite's `sqlite3StartTable`, `sqlite3EndTable`, `createTableStmt`, `sqlite3CreateView`.

use super::{Root, SchemaRow, quoted};
use crate::ast::{self, ExprKind, QualifiedName, TableBody};
use crate::authorizer::{ActionCode, schema_table_name};
use crate::bound::walk::for_each_column;
use crate::codegen::select::{Destination, DestinationKind};
use crate::compiler::{Compiler, Result, SqlError};
use crate::lex::{Token, keyword};
use crate::resolve::{
    Definition, NameMode, Place, resolve_definition, resolve_select, result_table_columns,
};
use crate::schema::define::{define_columns, define_table};
use crate::schema::{Column, Table, TableKind};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};
use std::fmt::Write;
use std::sync::Arc;

impl Compiler<'_> {
    /// Codes CREATE TABLE.
    pub fn code_create_table(&mut self, create: &ast::CreateTable) -> Result<()> {
        let name = &*create.name.name.text;
        let Some(db) = self.begin_table(
            &create.name,
            create.temp,
            create.if_not_exists,
            |this, db| this.authorize_new_table(db, name, create.temp),
        )?
        else {
            return Ok(());
        };
        match &create.body {
            TableBody::Columns { .. } => {
                let table = define_table(create, self.text)?;
                let table = Arc::new(Table {
                    name: name.into(),
                    ..table
                });
                if table.columns.len() > self.ctx.limits.columns {
                    return Err(SqlError::error(format!("too many columns on {name}")));
                }
                self.check_definition(db, &table)?;
                let mut sql = b"CREATE TABLE ".to_vec();
                sql.extend_from_slice(create.text.slice(self.text));
                self.store_table(db, &table, &sql, None)
            }
            TableBody::Select(select) => {
                let select = resolve_select(self, select, NameMode::View)?;
                let columns = result_table_columns(self, &select, &[], Affinity::Blob);
                let table = Arc::new(Table::plain(name.into(), TableKind::Ordinary, columns));
                let sql = made_up_text(&table);
                self.store_table(db, &table, sql.as_bytes(), Some(&select))
            }
        }
    }

    /// Codes CREATE VIEW. `has_params`: whether the statement has parameters.
    pub fn code_create_view(&mut self, create: &ast::CreateView, has_params: bool) -> Result<()> {
        if has_params {
            return Err(SqlError::error("parameters are not allowed in views"));
        }
        let name = &*create.name.name.text;
        let Some(db) = self.begin_table(
            &create.name,
            create.temp,
            create.if_not_exists,
            |this, db| this.authorize_new_view(db, name, create.temp),
        )?
        else {
            return Ok(());
        };
        self.check_references(db, "view", &create.name, &create.select)?;
        self.authorize_schema_row(db)?;
        self.writes_db(true, db);
        self.may_abort = true;
        self.init_file_format(db);
        self.add_definition(db, "CREATE VIEW", ("view", name, name), create.text)?;
        self.parse_schema(db, name);
        Ok(())
    }

    /// Asks whether a table or view may be made; `temp`: TEMP was said.
    pub(crate) fn authorize_table(
        &self,
        db: usize,
        name: &str,
        temp: bool,
        code: ActionCode,
    ) -> Result<bool> {
        let of = schema_table_name(if temp { super::TEMP } else { 0 });
        Ok(self.authorize_in(ActionCode::Insert, of, None, db)?
            && self.authorize_in(code, name, None, db)?)
    }

    /// A definition that is not temporary names no other database (SQLite's sqlite3FixSelect).
    fn check_references(
        &self,
        db: usize,
        kind: &str,
        object: &QualifiedName,
        select: &ast::Select,
    ) -> Result<()> {
        if db == super::TEMP {
            return Ok(());
        }
        let mut sources = Vec::new();
        ast::walk::tables_of_select(select, &mut |name| sources.push(name));
        self.check_databases(kind, &object.name, db, &sources)
    }

    /// The database that a new table or view belongs to; none if it is there already, and IF NOT EXISTS was said.
    pub(super) fn begin_table(
        &mut self,
        name: &QualifiedName,
        temp: bool,
        if_not_exists: bool,
        may: impl FnOnce(&mut Self, usize) -> Result<bool>,
    ) -> Result<Option<usize>> {
        let db = self.new_object_db(name, temp)?;
        self.check_object_name(&name.name.text)?;
        if !may(self, db)? {
            return Ok(None);
        }
        let taken = self.is_name_taken(db, name, if_not_exists)?;
        Ok((!taken).then_some(db))
    }

    fn authorize_new_table(&mut self, db: usize, name: &str, temp: bool) -> Result<bool> {
        let (plain, temporary) = (ActionCode::CreateTable, ActionCode::CreateTempTable);
        self.authorize_table(db, name, temp, if temp { temporary } else { plain })
    }

    fn authorize_new_view(&mut self, db: usize, name: &str, temp: bool) -> Result<bool> {
        let (plain, temporary) = (ActionCode::CreateView, ActionCode::CreateTempView);
        self.authorize_table(db, name, temp, if temp { temporary } else { plain })
    }

    /// What is wrong with the beginning of a CREATE TABLE whose text goes wrong later.
    pub(super) fn check_table_beginning(&mut self, create: &ast::CreateTable) -> Result<()> {
        let name = &*create.name.name.text;
        let begun = self.begin_table(
            &create.name,
            create.temp,
            create.if_not_exists,
            |this, db| this.authorize_new_table(db, name, create.temp),
        )?;
        if begun.is_none() {
            return Ok(());
        }
        define_columns(create, self.text)?
            .iter()
            .try_for_each(check_default)
    }

    fn is_name_taken(
        &mut self,
        db: usize,
        name: &QualifiedName,
        if_not_exists: bool,
    ) -> Result<bool> {
        let schema = &self.ctx.schema.dbs[db];
        if let Some(table) = schema.table(&name.name.text) {
            if if_not_exists {
                self.uses_db(db);
                return Ok(true);
            }
            let kind = if table.is_view() { "view" } else { "table" };
            let written = String::from_utf8_lossy(name.name.span.slice(self.text));
            return Err(SqlError::at(
                name.name.span.start,
                format!("{kind} {written} already exists"),
            ));
        }
        if schema.indexes.get(&name.name.text).is_some() {
            return Err(SqlError::error(format!(
                "there is already an index named {}",
                name.name.text
            )));
        }
        Ok(false)
    }

    /// What only the connection knows to be wrong with a definition: functions and collations.
    pub(crate) fn check_definition(&mut self, db: usize, table: &Arc<Table>) -> Result<()> {
        for column in &table.columns {
            self.collation(&column.collation)?;
            check_default(column)?;
            if let Some(default) = column.default.as_ref().filter(|_| self.asks()) {
                self.authorize_functions(&default.expr)?;
            }
        }
        for index in &table.indexes {
            self.authorize_index(db, table, index)?;
            for column in &index.columns {
                self.collation(&column.collation)?;
            }
        }
        let cursor = self.alloc_cursor(Some(table.clone()));
        for check in &table.checks {
            resolve_definition(self, db, table, cursor, &check.expr, Definition::Check)?;
        }
        for column in &table.columns {
            if let Some(generated) = &column.generated {
                let (expr, definition) = (&generated.expr, Definition::Generated);
                resolve_definition(self, db, table, cursor, expr, definition)?;
            }
        }
        self.check_virtual_columns(db, table, cursor)
    }

    /// Reading a row must not run in circles; STORED columns are read, not computed.
    ///
    /// # Errors
    /// `generated column loop on "x"`
    fn check_virtual_columns(&mut self, db: usize, table: &Arc<Table>, cursor: i32) -> Result<()> {
        let mut mentions: Vec<Vec<usize>> = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let mut needs = Vec::new();
            if let Some(generated) = column.generated.as_ref().filter(|g| !g.stored) {
                let definition = Definition::Trusted(Place::Generated);
                let expr =
                    resolve_definition(self, db, table, cursor, &generated.expr, definition)?;
                for_each_column(&expr, &mut |column| {
                    needs.extend(usize::try_from(column.column));
                });
            }
            mentions.push(needs);
        }
        // As in stock SQLite the last that is found is the one that is named.
        let mut clean = vec![false; mentions.len()];
        let mut found = None;
        for column in 0..mentions.len() {
            find_loop(&mentions, column, &mut Vec::new(), &mut clean, &mut found);
        }
        if let Some(at) = found {
            let name = &table.columns[at].name;
            return Err(SqlError::error(format!(
                "generated column loop on \"{name}\""
            )));
        }
        Ok(())
    }

    /// Makes the trees and the rows of `sqlite_schema`, and fills the table.
    fn store_table(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        sql: &[u8],
        select: Option<&crate::bound::Select>,
    ) -> Result<()> {
        let name = &*table.name;
        self.authorize_schema_row(db)?;
        self.writes_db(true, db);
        self.may_abort = true;
        self.init_file_format(db);
        let root = self.alloc_reg();
        let kind = if table.has_rowid() {
            p5::BTREE_INTKEY
        } else {
            p5::BTREE_BLOBKEY
        };
        self.op(Opcode::CreateBtree, db as i32, root, kind);
        let cursor = self.open_schema_table(db)?;
        let row = SchemaRow {
            kind: "table",
            name,
            table: name,
            root: Root::Register(root),
            sql: Some(sql),
        };
        self.add_schema_row(cursor, &row);
        if let Some(select) = select {
            self.fill_table(db, table, root, select)?;
        }
        // In the order of the constraints, which their numbers tell; the table's list is in another.
        let mut indexes: Vec<_> = table.indexes.iter().collect();
        let number = |name: &str| {
            name.rsplit('_')
                .next()
                .and_then(|digits| digits.parse::<u32>().ok())
        };
        indexes.sort_by_key(|index| number(&index.name));
        for index in indexes {
            if table.without_rowid && index.is_primary_key() {
                continue;
            }
            let root = self.alloc_reg();
            self.op(Opcode::CreateBtree, db as i32, root, p5::BTREE_BLOBKEY);
            let row = SchemaRow {
                kind: "index",
                name: &index.name,
                table: name,
                root: Root::Register(root),
                sql: None,
            };
            self.add_schema_row(cursor, &row);
        }
        let needs_sequence =
            table.autoincrement && self.ctx.schema.dbs[db].table("sqlite_sequence").is_none();
        if needs_sequence {
            self.authorize_table(db, "sqlite_sequence", false, ActionCode::CreateTable)?;
            let root = self.alloc_reg();
            self.op(Opcode::CreateBtree, db as i32, root, p5::BTREE_INTKEY);
            let row = SchemaRow {
                kind: "table",
                name: "sqlite_sequence",
                table: "sqlite_sequence",
                root: Root::Register(root),
                sql: Some(b"CREATE TABLE sqlite_sequence(name,seq)"),
            };
            self.add_schema_row(cursor, &row);
        }
        self.op(Opcode::Close, cursor, 0, 0);
        self.change_cookie(db);
        if needs_sequence {
            self.parse_schema(db, "sqlite_sequence");
        }
        self.parse_schema(db, name);
        Ok(())
    }

    /// CREATE TABLE AS: the rows.
    fn fill_table(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        root: i32,
        select: &crate::bound::Select,
    ) -> Result<()> {
        let cursor = self.alloc_cursor(Some(table.clone()));
        let (yield_reg, record, rowid) = (self.alloc_reg(), self.alloc_reg(), self.alloc_reg());
        self.op4(
            Opcode::OpenWrite,
            cursor,
            root,
            db as i32,
            P4::Int(table.columns.len() as i32),
        );
        self.p5(p5::P2ISREG);
        let entry = self.here() + 1;
        let init = self.op(Opcode::InitCoroutine, yield_reg, 0, entry);
        let mut out = Destination::new(DestinationKind::Coroutine, yield_reg);
        self.code_select(select, &mut out)?;
        self.op(Opcode::EndCoroutine, yield_reg, 0, 0);
        self.jump_here(init);
        self.clear_temps();
        let done = self.label();
        let top = self.jump(Opcode::Yield, yield_reg, done, 0);
        self.op(
            Opcode::MakeRecord,
            out.first,
            table.columns.len() as i32,
            record,
        );
        self.table_affinity(table, 0);
        self.op(Opcode::NewRowid, cursor, rowid, 0);
        self.op(Opcode::Insert, cursor, record, rowid);
        self.p5(p5::APPEND);
        self.op(Opcode::Goto, 0, top, 0);
        self.place(done);
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }

    /// The engine reads the rows of a table and its indexes.
    pub(crate) fn parse_schema(&mut self, db: usize, table: &str) {
        let filter = format!("tbl_name={} AND type!='trigger'", quoted(table));
        self.op4(Opcode::ParseSchema, db as i32, 0, 0, P4::text(filter));
    }
}

/// The text of CREATE TABLE that a table made AS SELECT gets.
fn made_up_text(table: &Table) -> String {
    let length: usize = table
        .columns
        .iter()
        .map(|column| quoted_len(&column.name) + 5)
        .sum();
    let (mut separator, next, end) = if length + quoted_len(&table.name) < 50 {
        ("", ",", ")")
    } else {
        ("\n  ", ",\n  ", "\n)")
    };
    let mut text = String::from("CREATE TABLE ");
    push_identifier(&mut text, &table.name);
    text.push('(');
    for column in &table.columns {
        text.push_str(separator);
        separator = next;
        push_identifier(&mut text, &column.name);
        text.push_str(type_of(column));
    }
    text.push_str(end);
    text
}

fn type_of(column: &Column) -> &'static str {
    match column.affinity {
        Affinity::None | Affinity::Blob => "",
        Affinity::Text => " TEXT",
        Affinity::Numeric | Affinity::Flexnum => " NUM",
        Affinity::Integer => " INT",
        Affinity::Real => " REAL",
    }
}

fn quoted_len(name: &str) -> usize {
    name.len() + name.matches('"').count() + 2
}

/// A name, in quotes if it needs them.
fn push_identifier(text: &mut String, name: &str) {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let plain = !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit()
        && name.bytes().all(is_word)
        && keyword(name.as_bytes()) == Token::Id;
    if plain {
        text.push_str(name);
    } else {
        let _ = write!(text, "\"{}\"", name.replace('"', "\"\""));
    }
}

fn check_default(column: &Column) -> Result<()> {
    match &column.default {
        Some(default) if !is_constant_default(&default.expr) => Err(SqlError::error(format!(
            "default value of column [{}] is not constant",
            column.name
        ))),
        _ => Ok(()),
    }
}

/// Whether a DEFAULT is made of constants and functions alone (SQLite's sqlite3ExprIsConstantOrFunction).
pub(crate) fn is_constant_default(expr: &ast::Expr) -> bool {
    let all = |exprs: &[ast::Expr]| exprs.iter().all(is_constant_default);
    match &expr.kind {
        ExprKind::Literal(_) => true,
        ExprKind::Id(name) => name.is_bare() && (name.is("true") || name.is("false")),
        ExprKind::Unary(_, inner) | ExprKind::IsNull(inner) | ExprKind::NotNull(inner) => {
            is_constant_default(inner)
        }
        ExprKind::Binary(_, operands) => all(&operands[..]),
        ExprKind::Between { operands, .. } => all(&operands[..]),
        ExprKind::InList { operands, .. } => is_constant_default(&operands.0) && all(&operands.1),
        ExprKind::Like(like) => {
            is_constant_default(&like.expr)
                && is_constant_default(&like.pattern)
                && like.escape.as_ref().is_none_or(is_constant_default)
        }
        ExprKind::Case(case) => {
            case.operand.as_ref().is_none_or(is_constant_default)
                && case
                    .arms
                    .iter()
                    .all(|(when, then)| is_constant_default(when) && is_constant_default(then))
                && case.otherwise.as_ref().is_none_or(is_constant_default)
        }
        ExprKind::Cast(cast) => is_constant_default(&cast.expr),
        ExprKind::Collate(collate) => is_constant_default(&collate.expr),
        ExprKind::Call(call) => call.over.is_none() && all(call.arg_list()),
        ExprKind::Row(items) => all(items),
        ExprKind::Column(_)
        | ExprKind::Variable(_)
        | ExprKind::InSelect { .. }
        | ExprKind::InTable(_)
        | ExprKind::Exists(_)
        | ExprKind::Subquery(_)
        | ExprKind::Raise(_) => false,
    }
}

/// Looks for columns that the computation of `column` comes to again while it is under way; `clean` are those from which
/// no loop is reached.
fn find_loop(
    mentions: &[Vec<usize>],
    column: usize,
    path: &mut Vec<usize>,
    clean: &mut [bool],
    found: &mut Option<usize>,
) {
    if clean[column] {
        return;
    }
    if path.contains(&column) {
        *found = Some(column);
        return;
    }
    let before = found.take();
    path.push(column);
    for next in &mentions[column] {
        find_loop(mentions, *next, path, clean, found);
    }
    path.pop();
    clean[column] = found.is_none();
    *found = found.or(before);
}
