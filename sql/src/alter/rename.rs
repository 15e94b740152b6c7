//! RENAME TO and RENAME COLUMN.
//!
//! | | a table's new name goes | a column's new name goes |
//! |---|---|---|
//! | its own definition | after CREATE TABLE, in front of columns in CHECK | column, keys, CHECK, DEFAULT, generated columns |
//! | other tables | REFERENCES | REFERENCES t(column) |
//! | indexes | ON, in front of columns in WHERE | keys, WHERE |
//! | views | FROM, in front of columns | wherever it is meant |
//! | triggers | ON, INSERT, UPDATE, DELETE, FROM, in front of columns | also UPDATE OF, SET, INSERT (…), NEW.x, OLD.x |
//!
//! Rules:
//! 1. A table's new name stands in double quotes. A column's does where the old one stood in quotes, or the new one was
//!    given in quotes.
//! 2. Before a column is renamed, strings in double quotes become strings in single quotes in all definitions.
//! 3. `legacy_alter_table` leaves views, bodies of triggers, and conditions alone.
//!
//! Source: SQLite's `renameTableFunc`, `renameColumnFunc`, `renameEditSql`, `renameQuotefixFunc`.

use super::definitions::{Definition, Definitions};
use super::names::{Finder, Meaning, number};
use super::permission::Edited;
use super::{Altered, quoted_name};
use crate::ast::{
    ColumnConstraintKind, CreateTable, Expr, ExprKind, Literal, Name, ObjectKind, Quote, SortTerm,
    Span, Stmt, TableBody, TableConstraintKind,
};
use crate::codegen::ddl::TEMP;
use crate::compiler::{CompileContext, Compiler, Result, SqlError};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4, ResultCode};

/// Spans to replace.
type Spans = Vec<Span>;

/// A text with the spans replaced by a name (rule 1).
fn replaced(text: &str, mut spans: Spans, name: &str, always_quoted: bool) -> String {
    let quoted = quoted_name(name);
    let bytes = text.as_bytes();
    replaced_by(text, &mut spans, |span| {
        let first = bytes[span.start as usize];
        if !always_quoted && crate::lex::is_id_byte(first) {
            return name.to_owned();
        }
        let touches = bytes.get(span.end as usize) == Some(&b'"');
        format!("{quoted}{}", if touches { " " } else { "" })
    })
}

fn replaced_by(text: &str, spans: &mut Spans, mut with: impl FnMut(Span) -> String) -> String {
    spans.sort_unstable_by_key(|span| span.start);
    spans.dedup();
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    for span in spans.iter() {
        let (start, end) = (span.start as usize, span.end as usize);
        if start < at || end > text.len() {
            continue;
        }
        out.push_str(&text[at..start]);
        out.push_str(&with(*span));
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

/// The expressions of a table's definition: CHECK, DEFAULT, generated columns.
fn table_exprs(create: &CreateTable) -> Vec<&Expr> {
    let TableBody::Columns {
        columns,
        constraints,
        ..
    } = &create.body
    else {
        return Vec::new();
    };
    let of_columns = columns.iter().flat_map(|column| &column.constraints);
    let mut exprs: Vec<&Expr> = of_columns
        .filter_map(|constraint| match &constraint.kind {
            ColumnConstraintKind::Check { expr, .. }
            | ColumnConstraintKind::Generated { expr, .. } => Some(expr),
            _ => None,
        })
        .collect();
    exprs.extend(constraints.iter().filter_map(|c| match &c.kind {
        TableConstraintKind::Check { expr, .. } => Some(expr),
        _ => None,
    }));
    exprs
}

/// What the names in a definition mean; nothing for what has none.
fn find(
    ctx: &CompileContext<'_>,
    row: &Definition,
    strings: bool,
) -> Result<Vec<(Span, Meaning)>, String> {
    let schema = ctx.schema;
    let mut finder = Finder::new(schema, ctx.virtual_tables, row.db, strings);
    match row.parse()? {
        Stmt::CreateView(create) => finder.view(&create.select)?,
        Stmt::CreateTrigger(create) => finder.trigger(&create)?,
        Stmt::CreateTable(create) => {
            let Some(table) = schema.dbs[row.db].table(&row.name).cloned() else {
                return Ok(Vec::new());
            };
            finder.over_table(row.db, &table, &table_exprs(&create))?;
        }
        Stmt::CreateIndex(create) => {
            let Some(table) = schema.dbs[row.db].table(&create.table.text).cloned() else {
                return Ok(Vec::new());
            };
            let keys = create.columns.iter().map(|term| &term.expr);
            let exprs: Vec<&Expr> = keys.chain(&create.where_clause).collect();
            finder.over_table(row.db, &table, &exprs)?;
        }
        _ => {}
    }
    let found = finder.found.into_iter();
    Ok(found.map(|found| (found.span, found.meaning)).collect())
}

/// The error of a definition that meant nothing before.
fn broken(row: &Definition, reason: &str) -> SqlError {
    let kind = match row.kind {
        ObjectKind::Table => "table",
        ObjectKind::Index => "index",
        ObjectKind::View => "view",
        ObjectKind::Trigger => "trigger",
    };
    SqlError::error(format!("error in {kind} {}: {reason}", row.name))
}

impl Compiler<'_> {
    /// RENAME TO.
    pub(super) fn alter_rename_table(&mut self, of: &Altered, name: &Name) -> Result<()> {
        let schema = self.ctx.schema;
        let (old, new) = (of.table.name.clone(), &*name.text);
        let db = &schema.dbs[of.db];
        if db.table(new).is_some() || db.indexes.get(new).is_some() {
            return Err(SqlError::error(format!(
                "there is already another table or index with this name: {new}"
            )));
        }
        Self::check_alterable(of)?;
        self.check_object_name(new)?;
        if of.table.is_view() {
            return Err(SqlError::error(format!("view {old} may not be altered")));
        }
        if !self.may_alter(of, None, Edited::RenameTable)? {
            return Ok(());
        }
        let mut definitions = Definitions::new(schema, of.db);
        for row in &mut definitions.rows {
            let is_own_index =
                row.kind == ObjectKind::Index && row.table.eq_ignore_ascii_case(&old);
            let in_temp = of.db != TEMP && row.db == TEMP;
            let concerned = if in_temp {
                matches!(row.kind, ObjectKind::View | ObjectKind::Trigger)
            } else {
                row.kind != ObjectKind::Index || is_own_index
            };
            if concerned && !row.is_internal() {
                if row.kind == ObjectKind::View && !self.ctx.flags.legacy_alter_table {
                    Definitions::test_one(self.ctx, row)?;
                }
                self.rename_table_in(of, row, new)?;
            }
            self.rename_table_columns(of, row, new);
        }
        let after = definitions.schema(schema, "after rename")?;
        let all = !self.ctx.flags.legacy_alter_table;
        definitions.test(self.ctx, &after, "after rename", true, all)?;
        self.store_definitions(of, &definitions)?;
        if of.table.is_virtual() {
            // Its module may have tables of its own to rename.
            let table = self.connected(of.db, &of.table)?;
            let operand = self.vtab_operand(of.db, &table);
            let reg = self.alloc_reg();
            self.op4(Opcode::String8, 0, reg, 0, P4::text(new));
            self.op4(Opcode::VRename, reg, 0, 0, operand);
        }
        if let Some(sequence) = db.table("sqlite_sequence").cloned() {
            self.rename_in_sequence(of.db, &sequence, &old, new)?;
        }
        self.reload_definitions(of, &definitions);
        Ok(())
    }

    /// The text of one row.
    fn rename_table_in(&self, of: &Altered, row: &mut Definition, new: &str) -> Result<()> {
        let (ctx, flags) = (self.ctx, &self.ctx.flags);
        let old = &of.table.name;
        let Some(text) = row.text().map(str::to_owned) else {
            return Ok(());
        };
        let legacy = flags.legacy_alter_table;
        let mut spans = Spans::new();
        match row.parse().map_err(|e| broken(row, &e))? {
            Stmt::CreateTable(create) => {
                if !legacy || flags.foreign_keys {
                    parents(&create, &mut |parent, _| {
                        if parent.is(old) {
                            spans.push(parent.span);
                        }
                    });
                }
                if create.name.name.is(old) {
                    spans.push(create.name.name.span);
                }
            }
            Stmt::CreateVirtualTable(create) if create.name.name.is(old) => {
                spans.push(create.name.name.span);
            }
            Stmt::CreateIndex(create) => spans.push(create.table.span),
            Stmt::CreateTrigger(create) if legacy && create.table.name.is(old) => {
                spans.push(create.table.name.span);
            }
            _ => {}
        }
        if !legacy {
            let found = find(ctx, row, true).map_err(|e| broken(row, &e))?;
            let means_it = |meaning: &Meaning| match meaning {
                Meaning::Table(db, name) | Meaning::Qualifier(db, name) => {
                    *db == of.db && name.eq_ignore_ascii_case(old)
                }
                Meaning::Column(..) | Meaning::String => false,
            };
            spans.extend(found.iter().filter(|(_, m)| means_it(m)).map(|(s, _)| *s));
        }
        if !spans.is_empty() {
            row.set_text(replaced(&text, spans, new, true));
        }
        Ok(())
    }

    /// The columns `name` and `tbl_name` of one row.
    fn rename_table_columns(&self, of: &Altered, row: &mut Definition, new: &str) {
        let old = &of.table.name;
        if !row.table.eq_ignore_ascii_case(old) {
            return;
        }
        if of.db != TEMP && row.db == TEMP {
            let watches = |table: &str| {
                let here = self.ctx.schema.dbs[TEMP].table(table).is_some();
                row.kind == ObjectKind::Trigger && !here
            };
            if watches(&row.table) {
                row.set_table(new.to_owned());
            }
            return;
        }
        if row.kind == ObjectKind::View {
            return;
        }
        row.set_table(new.to_owned());
        let prefix = "sqlite_autoindex";
        if row.kind == ObjectKind::Table {
            row.set_name(new.to_owned());
        } else if row.kind == ObjectKind::Index
            && row.name.len() >= prefix.len()
            && row.name[..prefix.len()].eq_ignore_ascii_case(prefix)
        {
            // Behind the table's name, counted in characters.
            let rest: String = row.name.chars().skip(old.chars().count() + 17).collect();
            row.set_name(format!("sqlite_autoindex_{new}{rest}"));
        }
    }

    fn rename_in_sequence(
        &mut self,
        db: usize,
        sequence: &std::sync::Arc<crate::schema::Table>,
        old: &str,
        new: &str,
    ) -> Result<()> {
        let cursor = self.alloc_cursor(Some(sequence.clone()));
        self.open_table(cursor, db, sequence, true)?;
        let first = self.alloc_regs(5);
        let (record, rowid, sought) = (first + 2, first + 3, first + 4);
        self.op4(Opcode::String8, 0, sought, 0, P4::text(old));
        let (done, next) = (self.label(), self.label());
        let top = self.jump(Opcode::Rewind, cursor, done, 0) + 1;
        self.op(Opcode::Column, cursor, 0, first);
        self.jump(Opcode::Ne, sought, next, first);
        self.p5(p5::JUMPIFNULL);
        self.op4(Opcode::String8, 0, first, 0, P4::text(new));
        self.op(Opcode::Column, cursor, 1, first + 1);
        self.op(Opcode::Rowid, cursor, rowid, 0);
        self.op(Opcode::MakeRecord, first, 2, record);
        self.op(Opcode::Insert, cursor, record, rowid);
        self.p5(p5::SAVEPOSITION);
        self.place(next);
        self.op(Opcode::Next, cursor, top, 0);
        self.place(done);
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }

    /// RENAME COLUMN.
    pub(super) fn alter_rename_column(
        &mut self,
        of: &Altered,
        from: &Name,
        to: &Name,
    ) -> Result<()> {
        Self::check_alterable(of)?;
        Self::check_real_table(of, "rename columns of")?;
        if !self.may_alter(of, None, Edited::RenameColumn)? {
            return Ok(());
        }
        let Some(column) = of.table.column_index(&from.text) else {
            return Err(self.no_such_column(from));
        };
        let schema = self.ctx.schema;
        let mut definitions = Definitions::new(schema, of.db);
        let all = !self.ctx.flags.legacy_alter_table;
        definitions.test(self.ctx, schema, "", true, all)?;
        definitions.fix_quotes(self.ctx, all)?;
        Self::check_rowid_alias(of, &from.text, "rename from")?;
        Self::check_rowid_alias(of, &to.text, "rename to")?;
        let quoted = to.quote != Quote::None;
        for row in &mut definitions.rows {
            let in_temp = of.db != TEMP && row.db == TEMP;
            let concerned = if in_temp {
                matches!(row.kind, ObjectKind::View | ObjectKind::Trigger)
            } else {
                row.kind != ObjectKind::Index || *row.table == *of.table.name
            };
            if concerned && !row.is_internal() {
                rename_column_in(self.ctx, of, row, column, &to.text, quoted)?;
            }
        }
        if of.db == TEMP {
            // As stock SQLite, which renames in temporary views and triggers once more, and then misses the old name.
            for row in &mut definitions.rows {
                if matches!(row.kind, ObjectKind::View | ObjectKind::Trigger) {
                    rename_column_in(self.ctx, of, row, column, &to.text, quoted)?;
                }
            }
        }
        let after = definitions.schema(schema, "after rename")?;
        definitions.test(self.ctx, &after, "after rename", true, false)?;
        definitions.test(self.ctx, &after, "after rename", false, all)?;
        self.store_definitions(of, &definitions)?;
        self.reload_definitions(of, &definitions);
        Ok(())
    }

    /// `no such column: "x"`, as it was written.
    pub(super) fn no_such_column(&self, name: &Name) -> SqlError {
        let written = String::from_utf8_lossy(name.span.slice(self.text));
        SqlError::at(name.span.start, format!("no such column: \"{written}\""))
    }
}

impl Definitions {
    /// Strings in double quotes become strings in single quotes (rule 2).
    pub(super) fn fix_quotes(&mut self, ctx: &CompileContext<'_>, tested: bool) -> Result<()> {
        for row in &mut self.rows {
            if row.is_passed_over() {
                continue;
            }
            let Some(text) = row.text().map(str::to_owned) else {
                continue;
            };
            // What was tested has nothing else to be found.
            if tested && !text.contains('"') {
                continue;
            }
            // The error has no words of its own, as in stock SQLite, where it can only be met with legacy_alter_table.
            let logic_error = |_| SqlError::error(ResultCode::ERROR.message());
            let found = find(ctx, row, true).map_err(logic_error)?;
            let strings = found.iter().filter(|(_, m)| *m == Meaning::String);
            let mut spans: Spans = strings.map(|(span, _)| *span).collect();
            if spans.is_empty() {
                continue;
            }
            let fixed = replaced_by(&text, &mut spans, |span| {
                let token = &text[span.start as usize + 1..span.end as usize - 1];
                let plain = token.replace("\"\"", "\"").replace('\'', "''");
                let touches = text.as_bytes().get(span.end as usize) == Some(&b'\'');
                format!("'{plain}'{}", if touches { " " } else { "" })
            });
            row.set_text(fixed);
        }
        Ok(())
    }
}

/// Hands every REFERENCES of a table to `f`: the parent's name and the names of its columns.
fn parents(create: &CreateTable, f: &mut dyn FnMut(&Name, &[Name])) {
    let TableBody::Columns {
        columns,
        constraints,
        ..
    } = &create.body
    else {
        return;
    };
    for constraint in columns.iter().flat_map(|column| &column.constraints) {
        if let ColumnConstraintKind::References(references) = &constraint.kind {
            f(&references.table, &references.columns);
        }
    }
    for constraint in constraints {
        if let TableConstraintKind::ForeignKey { references, .. } = &constraint.kind {
            f(&references.table, &references.columns);
        }
    }
}

/// The text of one row under a column's new name.
fn rename_column_in(
    ctx: &CompileContext<'_>,
    of: &Altered,
    row: &mut Definition,
    column: usize,
    new: &str,
    quoted: bool,
) -> Result<()> {
    let Some(text) = row.text().map(str::to_owned) else {
        return Ok(());
    };
    let old = &of.table.columns[column].name;
    let mut spans = Spans::new();
    match row.parse().map_err(|e| broken(row, &e))? {
        Stmt::CreateTable(create) => {
            let is_it = create.name.name.is(&of.table.name) && row.db == of.db;
            if is_it {
                own_names(&create, column, old, &mut spans);
            }
            parents(&create, &mut |parent, columns| {
                if parent.is(&of.table.name) {
                    let named = columns.iter().filter(|name| name.is(old));
                    spans.extend(named.map(|name| name.span));
                }
            });
            if is_it {
                columns_in(ctx, of, row, column, &mut spans)?;
            }
        }
        Stmt::CreateIndex(_) | Stmt::CreateView(_) | Stmt::CreateTrigger(_) => {
            columns_in(ctx, of, row, column, &mut spans)?;
        }
        _ => {}
    }
    if !spans.is_empty() {
        row.set_text(replaced(&text, spans, new, quoted));
    }
    Ok(())
}

fn columns_in(
    ctx: &CompileContext<'_>,
    of: &Altered,
    row: &Definition,
    column: usize,
    spans: &mut Spans,
) -> Result<()> {
    let found = find(ctx, row, true).map_err(|e| broken(row, &e))?;
    let sought = number(&of.table, column);
    for (span, meaning) in found {
        if let Meaning::Column(db, table, at) = meaning {
            if db == of.db && table.eq_ignore_ascii_case(&of.table.name) && at == sought {
                spans.push(span);
            }
        }
    }
    Ok(())
}

/// Where a table's own definition names a column: the column itself, keys.
fn own_names(create: &CreateTable, column: usize, old: &str, spans: &mut Spans) {
    let TableBody::Columns {
        columns,
        constraints,
        ..
    } = &create.body
    else {
        return;
    };
    if let Some(definition) = columns.get(column) {
        spans.push(definition.name.span);
    }
    let mut terms = |terms: &[SortTerm]| {
        for term in terms {
            let inner = match &term.expr.kind {
                ExprKind::Collate(collate) => &collate.expr,
                _ => &term.expr,
            };
            let is_it = match &inner.kind {
                ExprKind::Id(name) => name.is(old),
                ExprKind::Literal(Literal::String(text)) => {
                    text.eq_ignore_ascii_case(old.as_bytes())
                }
                _ => false,
            };
            if is_it {
                spans.push(inner.span);
            }
        }
    };
    for constraint in constraints {
        if let TableConstraintKind::PrimaryKey { columns, .. }
        | TableConstraintKind::Unique { columns, .. } = &constraint.kind
        {
            terms(columns);
        }
    }
    for constraint in constraints {
        if let TableConstraintKind::ForeignKey { columns, .. } = &constraint.kind {
            spans.extend(columns.iter().filter(|c| c.is(old)).map(|c| c.span));
        }
    }
}
