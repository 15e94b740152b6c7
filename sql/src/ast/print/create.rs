//! Definitions, printed.

use super::Printer;
use crate::ast::*;

impl Printer<'_> {
    pub(super) fn create(
        &mut self,
        temp: bool,
        kind: &str,
        if_not_exists: bool,
        name: &QualifiedName,
    ) {
        self.put("CREATE ");
        self.put_if(temp, "TEMP ");
        self.put(kind);
        self.put_if(if_not_exists, "IF NOT EXISTS ");
        self.qualified(name);
    }

    pub(super) fn create_table(&mut self, create: &CreateTable) {
        self.create(create.temp, "TABLE ", create.if_not_exists, &create.name);
        match &create.body {
            TableBody::Select(select) => {
                self.put(" AS ");
                self.select(select);
            }
            TableBody::Columns {
                columns,
                constraints,
                strict,
                without_rowid,
                ..
            } => {
                self.put(" (");
                self.list(columns, Self::column_def);
                for constraint in constraints {
                    self.put(", ");
                    self.table_constraint(constraint);
                }
                self.put(")");
                self.put_if(*without_rowid, " WITHOUT ROWID");
                self.put_if(
                    *strict,
                    if *without_rowid {
                        ", STRICT"
                    } else {
                        " STRICT"
                    },
                );
            }
        }
    }

    pub(super) fn column_def(&mut self, column: &ColumnDef) {
        self.name(&column.name);
        if let Some(type_name) = &column.type_name {
            self.put(" ");
            self.put(&type_name.text);
        }
        for constraint in &column.constraints {
            self.put(" ");
            self.constraint_name(constraint.name.as_ref());
            self.column_constraint(&constraint.kind);
        }
    }

    pub(super) fn constraint_name(&mut self, name: Option<&Name>) {
        if let Some(name) = name {
            self.put("CONSTRAINT ");
            self.name(name);
            self.put(" ");
        }
    }

    pub(super) fn column_constraint(&mut self, kind: &ColumnConstraintKind) {
        match kind {
            ColumnConstraintKind::Default { expr, .. } => {
                self.put("DEFAULT (");
                self.expr(expr);
                self.put(")");
            }
            ColumnConstraintKind::Null => self.put("NULL"),
            ColumnConstraintKind::NotNull(conflict) => {
                self.put("NOT NULL");
                self.conflict(" ON CONFLICT ", *conflict);
            }
            ColumnConstraintKind::PrimaryKey {
                order,
                conflict,
                autoincrement,
            } => {
                self.put("PRIMARY KEY");
                self.put(match order {
                    None => "",
                    Some(SortOrder::Asc) => " ASC",
                    Some(SortOrder::Desc) => " DESC",
                });
                self.conflict(" ON CONFLICT ", *conflict);
                self.put_if(*autoincrement, " AUTOINCREMENT");
            }
            ColumnConstraintKind::Unique(conflict) => {
                self.put("UNIQUE");
                self.conflict(" ON CONFLICT ", *conflict);
            }
            ColumnConstraintKind::Check { expr, .. } => self.check(expr, None),
            ColumnConstraintKind::References(references) => self.references(references),
            ColumnConstraintKind::Deferrable(deferral) => self.deferral(*deferral),
            ColumnConstraintKind::Collate(name) => self.command("COLLATE ", name),
            ColumnConstraintKind::Generated { expr, kind, .. } => {
                self.put("AS (");
                self.expr(expr);
                self.put(match kind {
                    GeneratedKind::Virtual => ") VIRTUAL",
                    GeneratedKind::Stored => ") STORED",
                });
            }
            ColumnConstraintKind::NameOnly => {}
        }
    }

    pub(super) fn check(&mut self, expr: &Expr, conflict: Option<ConflictAction>) {
        self.put("CHECK (");
        self.expr(expr);
        self.put(")");
        self.conflict(" ON CONFLICT ", conflict);
    }

    pub(super) fn references(&mut self, references: &References) {
        self.command("REFERENCES ", &references.table);
        self.names(&references.columns);
        for (event, action) in [
            (" ON DELETE ", references.on_delete),
            (" ON UPDATE ", references.on_update),
        ] {
            let action = match action {
                ForeignKeyAction::NoAction => continue,
                ForeignKeyAction::Restrict => "RESTRICT",
                ForeignKeyAction::Cascade => "CASCADE",
                ForeignKeyAction::SetNull => "SET NULL",
                ForeignKeyAction::SetDefault => "SET DEFAULT",
            };
            self.put(event);
            self.put(action);
        }
        if let Some(deferral) = references.deferral {
            self.put(" ");
            self.deferral(deferral);
        }
    }

    pub(super) fn deferral(&mut self, deferral: Deferral) {
        self.put_if(!deferral.deferrable, "NOT ");
        self.put("DEFERRABLE");
        self.put_if(deferral.initially_deferred, " INITIALLY DEFERRED");
    }

    pub(super) fn table_constraint(&mut self, constraint: &TableConstraint) {
        self.constraint_name(constraint.name.as_ref());
        match &constraint.kind {
            TableConstraintKind::PrimaryKey {
                columns,
                autoincrement,
                conflict,
            } => {
                self.put("PRIMARY KEY (");
                self.sort_terms(columns);
                self.put_if(*autoincrement, " AUTOINCREMENT");
                self.put(")");
                self.conflict(" ON CONFLICT ", *conflict);
            }
            TableConstraintKind::Unique { columns, conflict } => {
                self.put("UNIQUE (");
                self.sort_terms(columns);
                self.put(")");
                self.conflict(" ON CONFLICT ", *conflict);
            }
            TableConstraintKind::Check { expr, conflict, .. } => self.check(expr, *conflict),
            TableConstraintKind::ForeignKey {
                columns,
                references,
            } => {
                self.put("FOREIGN KEY");
                self.names(columns);
                self.put(" ");
                self.references(references);
            }
            TableConstraintKind::NameOnly => {}
        }
    }

    pub(super) fn create_index(&mut self, create: &CreateIndex) {
        let kind = if create.unique {
            "UNIQUE INDEX "
        } else {
            "INDEX "
        };
        self.create(false, kind, create.if_not_exists, &create.name);
        self.put(" ON ");
        self.name(&create.table);
        self.put(" (");
        self.sort_terms(&create.columns);
        self.put(")");
        self.where_clause(create.where_clause.as_ref());
    }

    pub(super) fn create_trigger(&mut self, create: &CreateTrigger) {
        self.create(create.temp, "TRIGGER ", create.if_not_exists, &create.name);
        self.put(match create.time {
            TriggerTime::Before => " BEFORE ",
            TriggerTime::After => " AFTER ",
            TriggerTime::InsteadOf => " INSTEAD OF ",
        });
        match &create.event {
            TriggerEvent::Delete => self.put("DELETE"),
            TriggerEvent::Insert => self.put("INSERT"),
            TriggerEvent::Update(columns) => {
                self.put("UPDATE");
                self.put_if(!columns.is_empty(), " OF ");
                self.list(columns, Self::name);
            }
        }
        self.put(" ON ");
        self.qualified(&create.table);
        self.put_if(create.for_each_row, " FOR EACH ROW");
        if let Some(when) = &create.when {
            self.put(" WHEN ");
            self.expr(when);
        }
        self.put(" BEGIN ");
        for step in &create.steps {
            match &step.stmt {
                TriggerStmt::Insert(insert) => self.insert(insert),
                TriggerStmt::Update(update) => self.update(update),
                TriggerStmt::Delete(delete) => self.delete(delete),
                TriggerStmt::Select(select) => self.select(select),
            }
            self.put("; ");
        }
        self.put("END");
    }

    pub(super) fn alter(&mut self, alter: &AlterTable) {
        self.put("ALTER TABLE ");
        self.qualified(&alter.table);
        match &alter.action {
            AlterAction::RenameTo(name) => self.command(" RENAME TO ", name),
            AlterAction::RenameColumn { from, to } => {
                self.command(" RENAME COLUMN ", from);
                self.command(" TO ", to);
            }
            AlterAction::AddColumn(column) => {
                self.put(" ADD COLUMN ");
                self.column_def(column);
            }
            AlterAction::DropColumn(name) => self.command(" DROP COLUMN ", name),
            AlterAction::DropConstraint(name) => self.command(" DROP CONSTRAINT ", name),
            AlterAction::DropNotNull(name) => {
                self.command(" ALTER COLUMN ", name);
                self.put(" DROP NOT NULL");
            }
            AlterAction::SetNotNull {
                column, conflict, ..
            } => {
                self.command(" ALTER COLUMN ", column);
                self.put(" SET NOT NULL");
                self.conflict(" ON CONFLICT ", *conflict);
            }
            AlterAction::AddCheck {
                name,
                expr,
                conflict,
                ..
            } => {
                self.put(" ADD ");
                self.constraint_name(name.as_ref());
                self.check(expr, *conflict);
            }
        }
    }
}
