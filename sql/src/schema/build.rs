//! From rows of `sqlite_schema` to a [`DbSchema`].
//!
//! Rules:
//! 1. A row whose text does not parse, or says something else than the row, makes the schema malformed:
//!    `malformed database schema (name) - reason`.
//! 2. A row of type index without text is the index of a constraint: it gives that index its root page.
//! 3. Of a virtual table only its module and its arguments are known here.
//!
//! Source: SQLite's `sqlite3InitCallback`, `corruptSchema`.

use super::define::{add_index, define_index, define_table};
use super::memo::Memo;
use super::statistics::{self, SampleRow};
use super::{DbSchema, Index, NameMap, Table, TableKind, Trigger, VirtualDef};
use crate::ast::{self, CreateTrigger, CreateView, ObjectKind, Stmt, TableBody};
use crate::compiler::{Result, SqlError};
use crate::lex::{Token, lex};
use crate::parse::parse_statement;
use ringwood_format::encoding::TextEncoding;
use ringwood_vdbe::ResultCode;
use std::sync::{Arc, OnceLock};

/// Collects the rows of a schema.
pub struct DbSchemaBuilder {
    schema: DbSchema,
    /// Tables that indexes may still be added to, in the order of their rows.
    tables: NameMap<Table>,
    /// Statistics: table, index, the text of `sqlite_stat1`.
    statistics: Vec<(String, Option<String>, String)>,
    /// Rows of `sqlite_stat4`.
    samples: Vec<SampleRow>,
    /// Whether rows may be there already.
    extends: bool,
    /// Whether rows may say otherwise than their texts.
    trusts: bool,
    /// Pages of the database; 0 if that is not known.
    page_count: u32,
}

impl DbSchemaBuilder {
    /// An empty schema for the database of that name.
    pub fn new(name: &str) -> DbSchemaBuilder {
        DbSchemaBuilder {
            schema: DbSchema::empty(name),
            tables: NameMap::default(),
            statistics: Vec::new(),
            samples: Vec::new(),
            extends: false,
            trusts: false,
            page_count: 0,
        }
    }

    /// A schema to which rows are added.
    pub fn extend(schema: &DbSchema) -> DbSchemaBuilder {
        DbSchemaBuilder {
            schema: schema.clone(),
            tables: NameMap::default(),
            statistics: Vec::new(),
            samples: Vec::new(),
            extends: true,
            trusts: false,
            page_count: 0,
        }
    }

    /// Whether the file has pages.
    pub fn made(&mut self, is_made: bool) {
        self.schema.is_made = is_made;
    }

    /// The cookie of the file header.
    pub fn cookie(&mut self, cookie: u32) {
        self.schema.cookie = cookie;
    }

    /// Whether a row's type and names need not be those of its text: where the schema can be written.
    pub fn trust(&mut self, trusts: bool) {
        self.trusts = trusts;
    }

    /// How often the connection has read the schema.
    pub fn generation(&mut self, generation: u32) {
        self.schema.generation = generation;
    }

    /// The encoding of texts in the file.
    pub fn encoding(&mut self, encoding: TextEncoding) {
        self.schema.encoding = encoding;
    }

    /// The schema format, 1–4.
    pub fn file_format(&mut self, format: u8) {
        self.schema.file_format = format;
    }

    /// How many pages the database has: no root page lies behind them.
    pub fn page_count(&mut self, pages: u32) {
        self.page_count = pages;
    }

    /// A row of `sqlite_stat1`.
    pub fn statistics(&mut self, table: &str, index: Option<&str>, stat: &str) {
        self.statistics
            .push((table.to_owned(), index.map(str::to_owned), stat.to_owned()));
    }

    /// A row of `sqlite_stat4`.
    pub fn sample(&mut self, row: SampleRow) {
        self.samples.push(row);
    }

    /// Puts statistics into tables and indexes.
    fn apply_statistics(&mut self) {
        let mut counts: NameMap<Vec<u64>> = NameMap::default();
        for (table, index, stat) in std::mem::take(&mut self.statistics) {
            if let Some(table) = self.open_table(&table) {
                if let Some((name, numbers)) = statistics::apply(table, index.as_deref(), &stat) {
                    counts.insert(name, numbers);
                }
            }
        }
        let mut of: Vec<(Arc<str>, Vec<SampleRow>)> = Vec::new();
        for row in std::mem::take(&mut self.samples) {
            match of
                .iter_mut()
                .find(|(name, _)| name.eq_ignore_ascii_case(&row.index))
            {
                Some((_, rows)) => rows.push(row),
                None => of.push((row.index.as_str().into(), vec![row])),
            }
        }
        for (name, rows) in of {
            let has = |table: &Table| {
                table.without_rowid && table.name.eq_ignore_ascii_case(&name)
                    || table
                        .indexes
                        .iter()
                        .any(|i| i.name.eq_ignore_ascii_case(&name))
            };
            if let Some(table) = self.tables.values_mut().find(|table| has(table)) {
                let counts = counts.get(&name).map(Vec::as_slice);
                statistics::apply_samples(table, &name, &rows, counts);
            }
        }
    }

    /// A row of `sqlite_schema`; `None` for NULL.
    ///
    /// # Errors
    /// `SQLITE_CORRUPT` with `malformed database schema (name) - reason` (rule 1).
    pub fn row(
        &mut self,
        kind: Option<&[u8]>,
        name: Option<&[u8]>,
        table: Option<&[u8]>,
        root: Option<i64>,
        sql: Option<&[u8]>,
    ) -> Result<()> {
        let lossy =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let (name, table) = (lossy(name), lossy(table));
        let Some(root) = root else {
            return Err(malformed(&name, ""));
        };
        let behind = self.page_count > 0 && root > i64::from(self.page_count);
        let outcome = match sql {
            _ if behind => Err("invalid rootpage".to_owned()),
            Some(sql) if starts_with_create(sql) => {
                self.definition(kind.unwrap_or_default(), &name, &table, root, sql)
            }
            Some(_) => Err(String::new()),
            None => self.constraint_index(&name, &table, root),
        };
        outcome.map_err(|reason| malformed(&name, &reason))?;
        let kind = match kind.unwrap_or_default() {
            b"table" => ObjectKind::Table,
            b"index" => ObjectKind::Index,
            b"view" => ObjectKind::View,
            b"trigger" => ObjectKind::Trigger,
            _ => return Ok(()),
        };
        let is_it = |(of, have): &(ObjectKind, Arc<str>)| *of == kind && **have == *name;
        if !self.extends || !self.schema.objects.iter().any(is_it) {
            self.schema.objects.push((kind, name.into()));
        }
        Ok(())
    }

    fn definition(
        &mut self,
        kind: &[u8],
        name: &str,
        table: &str,
        root: i64,
        sql: &[u8],
    ) -> Result<(), String> {
        let parsed = parse_statement(sql).map_err(|e| e.to_string())?;
        let Some(statement) = parsed else {
            return Err(String::new());
        };
        if !self.trusts && !says(&statement.kind, [kind, name.as_bytes(), table.as_bytes()]) {
            return Err(String::new());
        }
        let text: Arc<str> = String::from_utf8_lossy(sql).into();
        let message = SqlError::into_message;
        match statement.kind {
            Stmt::CreateTable(create) => {
                if root < 1 || matches!(create.body, TableBody::Select(_)) {
                    return Err(if root < 1 {
                        "invalid rootpage".to_owned()
                    } else {
                        String::new()
                    });
                }
                if self.tables.get(name).is_some() || self.schema.tables.get(name).is_some() {
                    return Err(format!("table {name} already exists"));
                }
                let mut made = define_table(&create, sql).map_err(message)?;
                made.name = name.into();
                made.order = self.next_order();
                if self.schema.file_format < 4 {
                    for index in &mut made.indexes {
                        ascend(Arc::make_mut(index));
                    }
                }
                made.root = root as u32;
                made.sql = Some(text);
                if made.without_rowid {
                    let at = made.indexes.iter().position(|index| index.is_primary_key());
                    if let Some(index) = at.and_then(|at| made.indexes.get_mut(at)) {
                        Arc::make_mut(index).root = root as u32;
                    }
                }
                self.tables.insert(name.into(), made);
            }
            Stmt::CreateIndex(create) => {
                if root < 1 {
                    return Err("invalid rootpage".to_owned());
                }
                let file_format = self.schema.file_format;
                let owner = self
                    .open_table(&create.table.text)
                    .ok_or_else(|| format!("no such table: {}", create.table.text))?;
                let mut index = define_index(&create, owner).map_err(message)?;
                if file_format < 4 {
                    ascend(&mut index);
                }
                index.root = root as u32;
                index.sql = Some(text);
                index.name = name.into();
                add_index(owner, Arc::new(index));
            }
            Stmt::CreateView(create) => {
                self.check_databases(("view", &create.name.name), sql, |add| {
                    ast::walk::tables_of_select(&create.select, add);
                })?;
                self.view(name, *create, text);
            }
            Stmt::CreateTrigger(create) => self.trigger(name, *create, text)?,
            Stmt::CreateVirtualTable(create) => {
                let args = create
                    .args
                    .iter()
                    .filter(|arg| arg.start < arg.end)
                    .map(|arg| String::from_utf8_lossy(arg.slice(sql)).into_owned())
                    .collect();
                let def = VirtualDef {
                    module: (&*create.module.text).into(),
                    args,
                    is_eponymous: false,
                };
                let kind = TableKind::Virtual(Arc::new(def));
                let mut table = Table::plain(name.into(), kind, Vec::new());
                table.sql = Some(text);
                self.tables.insert(name.into(), table);
            }
            _ if kind == b"table" && root == 0 => {}
            _ => return Err(String::new()),
        }
        Ok(())
    }

    fn trigger(&mut self, name: &str, create: CreateTrigger, sql: Arc<str>) -> Result<(), String> {
        let table: Arc<str> = (&*create.table.name.text).into();
        let is_temp = self.schema.name.eq_ignore_ascii_case("temp");
        if !is_temp && self.tables.get(&table).is_none() && self.schema.table(&table).is_none() {
            return Err(format!("no such table: {}.{table}", self.schema.name));
        }
        if self.schema.triggers.get(name).is_some() {
            return Err(format!("trigger {name} already exists"));
        }
        let object = ("trigger", &create.name.name);
        self.check_databases(object, sql.as_bytes(), |add| {
            if let Some(when) = &create.when {
                ast::walk::tables_of_expr(when, add);
            }
            for step in &create.steps {
                ast::walk::tables_of_step(&step.stmt, add);
            }
        })?;
        let trigger = Arc::new(Trigger {
            name: name.into(),
            old_columns: names_after_old(sql.as_bytes()),
            table: table.clone(),
            sql,
            create,
            watched: OnceLock::new(),
        });
        self.schema.triggers.insert(name.into(), trigger.clone());
        match self.schema.watching.get_mut(&table) {
            Some(watching) => watching.insert(0, trigger),
            None => {
                self.schema.watching.insert(table, vec![trigger]);
            }
        }
        Ok(())
    }

    /// A trigger or a view that is not temporary names objects of its own database only, whatever that is called now.
    fn check_databases<'s>(
        &self,
        (kind, name): (&str, &ast::Name),
        sql: &[u8],
        tables: impl FnOnce(&mut dyn FnMut(&'s ast::QualifiedName)),
    ) -> Result<(), String> {
        let own = &self.schema.name;
        if own.eq_ignore_ascii_case("temp") {
            return Ok(());
        }
        let mut other = None;
        tables(&mut |table| {
            let schema = table.schema.as_ref().map(|schema| &*schema.text);
            other = other.or(schema.filter(|schema| !schema.eq_ignore_ascii_case(own)));
        });
        other.map_or(Ok(()), |other| {
            let written = String::from_utf8_lossy(name.span.slice(sql));
            Err(format!(
                "{kind} {written} cannot reference objects in database {other}"
            ))
        })
    }

    fn next_order(&mut self) -> u32 {
        self.schema.next_order += 1;
        self.schema.next_order
    }

    fn view(&mut self, name: &str, create: CreateView, sql: Arc<str>) {
        let kind = TableKind::View {
            columns: create
                .columns
                .iter()
                .map(|column| Arc::from(&*column.text))
                .collect(),
            select: Arc::new(*create.select),
        };
        let mut view = Table::plain(name.into(), kind, Vec::new());
        view.sql = Some(sql);
        view.order = self.next_order();
        self.tables.insert(name.into(), view);
    }

    /// Rule 2.
    fn constraint_index(&mut self, name: &str, table: &str, root: i64) -> Result<(), String> {
        let at = |table: &Table| {
            let is_it = |index: &Arc<Index>| index.name.eq_ignore_ascii_case(name);
            table.indexes.iter().position(is_it)
        };
        // The row may name another table; the index has its name from its own.
        let named = self
            .open_table(table)
            .is_some_and(|table| at(table).is_some());
        let owner = if named {
            self.tables.get_mut(table)
        } else {
            self.tables.values_mut().find(|table| at(table).is_some())
        };
        let Some((owner, at)) = owner.and_then(|owner| at(owner).map(|at| (owner, at))) else {
            return Err("orphan index".to_owned());
        };
        let root = u32::try_from(root).unwrap_or(0);
        let is_taken = |(n, index): (usize, &Arc<Index>)| n != at && index.root == root;
        if root < 2 || owner.indexes.iter().enumerate().any(is_taken) {
            return Err("invalid rootpage".to_owned());
        }
        Arc::make_mut(&mut owner.indexes[at]).root = root;
        Ok(())
    }

    /// A table that is being built, or one of the schema that is extended, taken out to be changed.
    fn open_table(&mut self, name: &str) -> Option<&mut Table> {
        if self.tables.get(name).is_none() {
            let table = self.schema.tables.remove(name)?;
            let table = Arc::unwrap_or_clone(table);
            self.tables.insert(table.name.clone(), table);
        }
        self.tables.get_mut(name)
    }

    /// The schema.
    ///
    /// # Errors
    /// `SQLITE_CORRUPT` for an index of a constraint that no row gave a root page.
    pub fn finish(mut self) -> Result<DbSchema> {
        self.apply_statistics();
        for table in self.tables.into_values() {
            for index in &table.indexes {
                if index.root == 0 {
                    return Err(malformed(&index.name, "invalid rootpage"));
                }
                self.schema
                    .indexes
                    .insert(index.name.clone(), index.clone());
            }
            self.schema
                .tables
                .insert(table.name.clone(), Arc::new(table));
        }
        self.schema.find_children();
        Ok(self.schema)
    }
}

impl DbSchema {
    fn forget_object(&mut self, kind: ObjectKind, name: &str) {
        self.objects
            .retain(|(of, have)| *of != kind || !have.eq_ignore_ascii_case(name));
    }

    /// Forgets a table or view with its indexes and triggers.
    pub fn drop_table(&mut self, name: &str) {
        self.forget_object(ObjectKind::Table, name);
        self.forget_object(ObjectKind::View, name);
        if let Some(table) = self.tables.remove(name) {
            for index in &table.indexes {
                self.drop_index(&index.name);
            }
            for trigger in self.watching.remove(name).into_iter().flatten() {
                self.triggers.remove(&trigger.name);
                self.forget_object(ObjectKind::Trigger, &trigger.name);
            }
            self.find_children();
        }
    }

    /// Finds the children of parents anew.
    fn find_children(&mut self) {
        let mut keys: Vec<(u32, &Arc<Table>)> = self
            .tables
            .values()
            .filter(|table| !table.foreign_keys.is_empty())
            .map(|table| (table.order, table))
            .collect();
        keys.sort_unstable_by_key(|(order, _)| std::cmp::Reverse(*order));
        let mut children: NameMap<Vec<(Arc<str>, usize)>> = NameMap::default();
        for (_, table) in keys {
            for (at, key) in table.foreign_keys.iter().enumerate() {
                let child = (table.name.clone(), at);
                match children.get_mut(&key.parent) {
                    Some(known) => known.push(child),
                    None => {
                        children.insert(key.parent.clone(), vec![child]);
                    }
                }
            }
        }
        self.children = children;
    }

    /// Forgets an index.
    pub fn drop_index(&mut self, name: &str) {
        let Some(index) = self.indexes.remove(name) else {
            return;
        };
        self.forget_object(ObjectKind::Index, name);
        if let Some(table) = self.tables.get_mut(&index.table) {
            let is_it = |other: &Arc<Index>| other.name.eq_ignore_ascii_case(name);
            let table = Arc::make_mut(table);
            table.indexes.retain(|other| !is_it(other));
            table.memo = Memo::default();
        }
    }

    /// Forgets a trigger.
    pub fn drop_trigger(&mut self, name: &str) {
        self.forget_object(ObjectKind::Trigger, name);
        let Some(trigger) = self.triggers.remove(name) else {
            return;
        };
        if let Some(watching) = self.watching.get_mut(&trigger.table) {
            watching.retain(|other| !Arc::ptr_eq(other, &trigger));
        }
    }
}

/// Every name after `old.` in a text, without quotes.
fn names_after_old(sql: &[u8]) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = Vec::new();
    let (mut before, mut dot, mut at) = (Vec::new(), false, 0);
    loop {
        let lexeme = lex(sql, at);
        if lexeme.token == Token::EndOfText || lexeme.end as usize <= at {
            return names;
        }
        at = lexeme.end as usize;
        if lexeme.token == Token::Dot {
            dot = true;
            continue;
        }
        let name = without_quotes(&sql[lexeme.start as usize..at]);
        if dot && before.eq_ignore_ascii_case(b"old") {
            let name = String::from_utf8_lossy(&name);
            if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                names.push((&*name).into());
            }
        }
        (before, dot) = (name, false);
    }
}

/// A name as it means.
fn without_quotes(token: &[u8]) -> Vec<u8> {
    let (Some(&first), true) = (token.first(), token.len() >= 2) else {
        return token.to_vec();
    };
    let inner = &token[1..token.len() - 1];
    match first {
        b'[' => inner.to_vec(),
        b'"' | b'`' | b'\'' => {
            let mut out = Vec::with_capacity(inner.len());
            let mut bytes = inner.iter();
            while let Some(&byte) = bytes.next() {
                out.push(byte);
                if byte == first {
                    bytes.next();
                }
            }
            out
        }
        _ => token.to_vec(),
    }
}

/// Before schema format 4 DESC has no effect.
fn ascend(index: &mut Index) {
    for column in &mut index.columns {
        column.desc = false;
    }
}

/// Whether a definition is of this type, name and table: `sqlite3CheckObjectName`.
fn says(statement: &Stmt, row: [&[u8]; 3]) -> bool {
    let (kind, name, table) = match statement {
        Stmt::CreateTable(c) => ("table", &c.name.name.text, &c.name.name.text),
        Stmt::CreateVirtualTable(c) => ("table", &c.name.name.text, &c.name.name.text),
        Stmt::CreateView(c) => ("view", &c.name.name.text, &c.name.name.text),
        Stmt::CreateIndex(c) => ("index", &c.name.name.text, &c.table.text),
        Stmt::CreateTrigger(c) => ("trigger", &c.name.name.text, &c.table.name.text),
        _ => return true,
    };
    let said = [kind.as_bytes(), name.as_bytes(), table.as_bytes()];
    said.iter()
        .zip(row)
        .all(|(said, row)| said.eq_ignore_ascii_case(row))
}

fn starts_with_create(sql: &[u8]) -> bool {
    sql.len() >= 2 && sql[..2].eq_ignore_ascii_case(b"cr")
}

#[cold]
fn malformed(name: &str, reason: &str) -> SqlError {
    let name = if name.is_empty() { "?" } else { name };
    let message = if reason.is_empty() {
        format!("malformed database schema ({name})")
    } else {
        format!("malformed database schema ({name}) - {reason}")
    };
    SqlError::new(ResultCode::CORRUPT, message)
}
