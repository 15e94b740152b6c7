//! Tables, views and triggers.

use super::column::{CollationName, Column};
use super::index::{Index, LogEst};
use super::memo::Memo;
use crate::ast;
use ringwood_format::affinity::Affinity;
use std::sync::{Arc, OnceLock};

/// What kind of table.
#[derive(Clone, Debug)]
pub enum TableKind {
    /// A table of the file.
    Ordinary,
    /// A view.
    View {
        /// The names in parentheses after the view's name.
        columns: Vec<Arc<str>>,
        /// Its SELECT.
        select: Arc<ast::Select>,
    },
    /// The result of a subquery, made up while a statement is compiled.
    Subquery,
    /// A virtual table. In a schema it has no columns: its module says them when it is connected.
    Virtual(Arc<VirtualDef>),
}

/// What a virtual table was made with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualDef {
    /// Its module.
    pub module: Arc<str>,
    /// The module's arguments, as written.
    pub args: Vec<String>,
    /// It is the table that its module has by itself, without CREATE VIRTUAL TABLE.
    pub is_eponymous: bool,
}

/// A CHECK constraint.
#[derive(Clone, Debug)]
pub struct Check {
    /// CONSTRAINT name, or the expression's text, as the error message shows it.
    pub name: Arc<str>,
    /// What must not be false.
    pub expr: Arc<ast::Expr>,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub struct ForeignKey {
    /// The columns of this table.
    pub columns: Vec<usize>,
    /// The other table.
    pub parent: Arc<str>,
    /// The columns of the other table; none: its primary key.
    pub parent_columns: Option<Vec<Arc<str>>>,
    /// ON DELETE.
    pub on_delete: ast::ForeignKeyAction,
    /// ON UPDATE.
    pub on_update: ast::ForeignKeyAction,
    /// DEFERRABLE INITIALLY DEFERRED.
    pub deferred: bool,
}

/// A table, a view, or the result of a subquery.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: Arc<str>,
    /// Its kind.
    pub kind: TableKind,
    /// The columns, in the order of declaration.
    pub columns: Vec<Column>,
    /// Root page; 0 for what has none.
    pub root: u32,
    /// The column that is the rowid (INTEGER PRIMARY KEY).
    pub rowid_alias: Option<usize>,
    /// What happens on a conflict of the INTEGER PRIMARY KEY.
    pub key_conflict: Option<ast::ConflictAction>,
    /// AUTOINCREMENT.
    pub autoincrement: bool,
    /// WITHOUT ROWID: the primary key's index is the table.
    pub without_rowid: bool,
    /// STRICT.
    pub strict: bool,
    /// The indexes in SQLite's order: the newest first, but those made by constraints with ON CONFLICT REPLACE last.
    pub indexes: Vec<Arc<Index>>,
    /// CHECK constraints.
    pub checks: Vec<Check>,
    /// Foreign keys, the last written first, as SQLite keeps them.
    pub foreign_keys: Vec<Arc<ForeignKey>>,
    /// Whether some column is generated.
    pub has_generated: bool,
    /// The text of CREATE TABLE or CREATE VIEW.
    pub sql: Option<Arc<str>>,
    /// Estimated number of rows, as SQLite's nRowLogEst; 200 (a million) if nothing is known.
    pub row_estimate: LogEst,
    /// Estimated bytes of a row, as SQLite's szTabRow.
    pub row_size: LogEst,
    /// Whether the row estimate comes from ANALYZE.
    pub has_statistics: bool,
    /// Whether some index has samples.
    pub has_samples: bool,
    /// Its place among the tables of its database, in the order in which their rows were read.
    pub order: u32,
    /// What follows from all this, once somebody has asked.
    pub memo: Memo,
}

impl Table {
    /// A table with columns and nothing else.
    pub fn plain(name: Arc<str>, kind: TableKind, columns: Vec<Column>) -> Table {
        Table {
            name,
            kind,
            columns,
            root: 0,
            rowid_alias: None,
            key_conflict: None,
            autoincrement: false,
            without_rowid: false,
            strict: false,
            indexes: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            has_generated: false,
            sql: None,
            row_estimate: 200,
            row_size: 0,
            has_statistics: false,
            has_samples: false,
            order: 0,
            memo: Memo::default(),
        }
    }

    /// `sqlite_schema` itself.
    pub fn schema_table(temp: bool) -> Table {
        let column = |name: &str, decl_type: &str, affinity| Column {
            decl_type: Some(decl_type.into()),
            affinity,
            ..Column::plain(name.into())
        };
        let columns = vec![
            column("type", "TEXT", Affinity::Text),
            column("name", "TEXT", Affinity::Text),
            column("tbl_name", "TEXT", Affinity::Text),
            column("rootpage", "INT", Affinity::Integer),
            column("sql", "TEXT", Affinity::Text),
        ];
        let name = if temp {
            "sqlite_temp_master"
        } else {
            "sqlite_master"
        };
        Table {
            root: 1,
            ..Table::plain(name.into(), TableKind::Ordinary, columns)
        }
    }

    /// Whether it is a view.
    pub const fn is_view(&self) -> bool {
        matches!(self.kind, TableKind::View { .. })
    }

    /// Whether it is a virtual table.
    pub const fn is_virtual(&self) -> bool {
        matches!(self.kind, TableKind::Virtual(_))
    }

    /// Whether rows are found by rowid: an ordinary table that is not WITHOUT ROWID.
    pub const fn has_rowid(&self) -> bool {
        !self.without_rowid
    }

    /// The number of the column of that name.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The index that holds the primary key: of a WITHOUT ROWID table the table itself.
    pub fn primary_key_index(&self) -> Option<&Arc<Index>> {
        self.indexes.iter().find(|index| index.is_primary_key())
    }

    /// At which place of the stored record a column is: virtual columns are not stored, those behind them move up
    /// (SQLite's sqlite3TableColumnToStorage; virtual ones come after all stored ones there).
    pub fn storage_of(&self, column: usize) -> usize {
        if !self.has_generated {
            return column;
        }
        let stored_before = self.columns[..column]
            .iter()
            .filter(|c| !c.is_virtual())
            .count();
        if self.columns[column].is_virtual() {
            let stored = self.columns.iter().filter(|c| !c.is_virtual()).count();
            stored + (column - stored_before)
        } else {
            stored_before
        }
    }

    /// How many columns a record holds.
    pub fn stored_count(&self) -> usize {
        if !self.has_generated {
            return self.columns.len();
        }
        self.columns
            .iter()
            .filter(|column| !column.is_virtual())
            .count()
    }

    /// The collation of a column.
    pub fn collation_of(&self, column: i32) -> &CollationName {
        const BINARY: &CollationName = &CollationName::Binary;
        usize::try_from(column)
            .ok()
            .and_then(|i| self.columns.get(i))
            .map_or(BINARY, |column| &column.collation)
    }

    /// The affinity of a column; the rowid is an integer.
    pub fn affinity_of(&self, column: i32) -> Affinity {
        usize::try_from(column).map_or(Affinity::Integer, |i| self.columns[i].affinity)
    }
}

/// A trigger.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its name.
    pub name: Arc<str>,
    /// The table that it watches.
    pub table: Arc<str>,
    /// Its text.
    pub sql: Arc<str>,
    /// The statement as parsed.
    pub create: ast::CreateTrigger,
    /// The columns that its text reads of OLD, and perhaps others: every name after `old.`
    pub old_columns: Vec<Box<str>>,
    /// Of a trigger of the temp database: the name of the database whose table it watches, known once it was looked for.
    pub watched: OnceLock<Option<Arc<str>>>,
}

impl Trigger {
    /// Whether it reads `OLD.column`.
    pub fn reads_old(&self, column: &str) -> bool {
        self.old_columns
            .iter()
            .any(|name| name.eq_ignore_ascii_case(column))
    }
}
