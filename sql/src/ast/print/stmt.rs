//! Changes and commands, printed.

use super::Printer;
use crate::ast::*;

impl Printer<'_> {
    pub(super) fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Select(select) => self.select(select),
            Stmt::Insert(insert) => self.insert(insert),
            Stmt::Update(update) => self.update(update),
            Stmt::Delete(delete) => self.delete(delete),
            Stmt::Begin(kind) => self.put(match kind {
                TransactionKind::Deferred => "BEGIN",
                TransactionKind::Immediate => "BEGIN IMMEDIATE",
                TransactionKind::Exclusive => "BEGIN EXCLUSIVE",
            }),
            Stmt::Commit => self.put("COMMIT"),
            Stmt::Rollback => self.put("ROLLBACK"),
            Stmt::Savepoint(name) => self.command("SAVEPOINT ", name),
            Stmt::Release(name) => self.command("RELEASE SAVEPOINT ", name),
            Stmt::RollbackTo(name) => self.command("ROLLBACK TO SAVEPOINT ", name),
            Stmt::CreateTable(create) => self.create_table(create),
            Stmt::CreateIndex(create) => self.create_index(create),
            Stmt::CreateView(create) => {
                self.create(create.temp, "VIEW ", create.if_not_exists, &create.name);
                self.names(&create.columns);
                self.put(" AS ");
                self.select(&create.select);
            }
            Stmt::CreateTrigger(create) => self.create_trigger(create),
            Stmt::CreateVirtualTable(create) => {
                self.create(false, "VIRTUAL TABLE ", create.if_not_exists, &create.name);
                self.put(" USING ");
                self.name(&create.module);
                if !create.args.is_empty() {
                    self.put("(");
                    let text = self.text;
                    self.list(&create.args, |printer, arg| {
                        printer.out.extend_from_slice(arg.slice(text));
                    });
                    self.put(")");
                }
            }
            Stmt::Drop(drop) => {
                self.put(match drop.kind {
                    ObjectKind::Table => "DROP TABLE ",
                    ObjectKind::Index => "DROP INDEX ",
                    ObjectKind::View => "DROP VIEW ",
                    ObjectKind::Trigger => "DROP TRIGGER ",
                });
                self.put_if(drop.if_exists, "IF EXISTS ");
                self.qualified(&drop.name);
            }
            Stmt::AlterTable(alter) => self.alter(alter),
            Stmt::Pragma(pragma) => self.pragma(pragma),
            Stmt::Attach(attach) => {
                self.put("ATTACH DATABASE ");
                self.expr(&attach.file);
                self.put(" AS ");
                self.expr(&attach.schema);
                if let Some(key) = &attach.key {
                    self.put(" KEY ");
                    self.expr(key);
                }
            }
            Stmt::Detach(expr) => {
                self.put("DETACH DATABASE ");
                self.expr(expr);
            }
            Stmt::Vacuum(vacuum) => {
                self.put("VACUUM");
                if let Some(schema) = &vacuum.schema {
                    self.put(" ");
                    self.name(schema);
                }
                if let Some(into) = &vacuum.into {
                    self.put(" INTO ");
                    self.expr(into);
                }
            }
            Stmt::Analyze(name) => self.command_on("ANALYZE", name.as_deref()),
            Stmt::Reindex(name) => self.command_on("REINDEX", name.as_deref()),
        }
    }

    pub(super) fn command(&mut self, words: &str, name: &Name) {
        self.put(words);
        self.name(name);
    }

    pub(super) fn command_on(&mut self, word: &str, name: Option<&QualifiedName>) {
        self.put(word);
        if let Some(name) = name {
            self.put(" ");
            self.qualified(name);
        }
    }

    pub(super) fn pragma(&mut self, pragma: &Pragma) {
        self.put("PRAGMA ");
        self.qualified(&pragma.name);
        let Some(arg) = &pragma.arg else { return };
        // As written: its text alone does not tell a number from a name.
        let written = arg.span.slice(self.text);
        self.put(if arg.in_parentheses { "(" } else { " = " });
        self.out.extend_from_slice(written);
        self.put_if(arg.in_parentheses, ")");
    }

    pub(super) fn conflict(&mut self, before: &str, action: Option<ConflictAction>) {
        let Some(action) = action else { return };
        self.put(before);
        self.put(match action {
            ConflictAction::Rollback => "ROLLBACK",
            ConflictAction::Abort => "ABORT",
            ConflictAction::Fail => "FAIL",
            ConflictAction::Ignore => "IGNORE",
            ConflictAction::Replace => "REPLACE",
        });
    }

    pub(super) fn returning(&mut self, columns: &[ResultColumn]) {
        if !columns.is_empty() {
            self.put(" RETURNING ");
            self.columns(columns);
        }
    }

    pub(super) fn insert(&mut self, insert: &Insert) {
        self.with(insert.with.as_deref());
        self.put("INSERT");
        self.conflict(" OR ", insert.or);
        self.put(" INTO ");
        self.qualified(&insert.table);
        self.alias(insert.alias.as_ref());
        self.names(&insert.columns);
        match &insert.source {
            InsertSource::DefaultValues => self.put(" DEFAULT VALUES"),
            InsertSource::Select(select) => {
                self.put(" ");
                self.select(select);
            }
        }
        for upsert in &insert.upserts {
            self.put(" ON CONFLICT");
            if let Some(target) = &upsert.target {
                self.put(" (");
                self.sort_terms(&target.columns);
                self.put(")");
                self.where_clause(target.where_clause.as_ref());
            }
            match &upsert.action {
                UpsertAction::Nothing => self.put(" DO NOTHING"),
                UpsertAction::Update { set, where_clause } => {
                    self.put(" DO UPDATE SET ");
                    self.assignments(set);
                    self.where_clause(where_clause.as_ref());
                }
            }
        }
        self.returning(&insert.returning);
    }

    pub(super) fn assignments(&mut self, set: &[Assignment]) {
        self.list(set, |printer, assignment| {
            match &assignment.target {
                AssignmentTarget::Column(name) => printer.name(name),
                AssignmentTarget::Columns(names) => printer.names(names),
            }
            printer.put(" = ");
            printer.expr(&assignment.value);
        });
    }

    pub(super) fn update(&mut self, update: &Update) {
        self.with(update.with.as_deref());
        self.put("UPDATE");
        self.conflict(" OR ", update.or);
        self.put(" ");
        self.qualified(&update.table);
        self.alias(update.alias.as_ref());
        self.indexed(&update.indexed);
        self.put(" SET ");
        self.assignments(&update.set);
        if let Some(from) = &update.from {
            self.put(" FROM ");
            self.from(from);
        }
        self.where_clause(update.where_clause.as_ref());
        self.returning(&update.returning);
        self.order_by(&update.order_by);
        self.limit(update.limit.as_deref());
    }

    pub(super) fn delete(&mut self, delete: &Delete) {
        self.with(delete.with.as_deref());
        self.put("DELETE FROM ");
        self.qualified(&delete.table);
        self.alias(delete.alias.as_ref());
        self.indexed(&delete.indexed);
        self.where_clause(delete.where_clause.as_ref());
        self.returning(&delete.returning);
        self.order_by(&delete.order_by);
        self.limit(delete.limit.as_deref());
    }
}
