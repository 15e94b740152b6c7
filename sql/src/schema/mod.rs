//! The schema: what tables, indexes, views and triggers a connection sees.
//!
//! ```text
//! sqlite_schema rows ──DbSchemaBuilder──▶ Arc<DbSchema>   one per database file, shared by its connections
//!                                          tables, indexes, triggers, by name without regard to case
//! Schema { dbs: [main, temp, attached…] }  one per connection: a vector of Arcs
//! ```
//!
//! Rules:
//! 1. Everything is immutable once built. DDL makes a new `DbSchema`; statements compiled against the old one notice
//!    through the schema cookie.
//! 2. Expressions (defaults, checks, generated columns, index expressions) are kept as parsed; they are resolved when
//!    a statement needs them, because functions and collations belong to the connection.
//! 3. A collation is kept as a name: one that nobody registered is an error only when it is used to compare.
//! 4. A view's columns are not known here: its SELECT is resolved by each statement that uses it.
//!
//! Absent: statistics other than those handed to [`DbSchemaBuilder::statistics`].
//!
//! Source: SQLite's `build.c`, `sqliteInt.h` (Table, Column, Index), `prepare.c` (sqlite3InitCallback).

mod build;
mod column;
pub mod define;
mod index;
mod memo;
mod names;
mod parent_key;
mod statistics;
mod table;
mod walk_order;

pub use build::DbSchemaBuilder;
pub use column::{CollationName, Column, Default, Generated};
pub use index::{Index, IndexColumn, IndexKey, IndexOrigin, LogEst};
pub use names::NameMap;
pub use parent_key::ParentKey;
pub use statistics::{Sample, SampleRow, Samples};
pub use table::{Check, ForeignKey, Table, TableKind, Trigger, VirtualDef};
pub use walk_order::walk_order;

use std::sync::Arc;

/// What a connection sees: its databases, 0 main, 1 temp, 2… attached.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// The databases.
    pub dbs: Vec<Arc<DbSchema>>,
}

/// The schema of one database file.
#[derive(Clone, Debug)]
pub struct DbSchema {
    /// The name by which SQL calls it: `main`, `temp`, or that of ATTACH.
    pub name: Arc<str>,
    /// Tables and views.
    pub tables: NameMap<Arc<Table>>,
    /// Indexes.
    pub indexes: NameMap<Arc<Index>>,
    /// Triggers.
    pub triggers: NameMap<Arc<Trigger>>,
    /// The same by the name of the table that they watch, the newest first.
    pub watching: NameMap<Vec<Arc<Trigger>>>,
    /// By the name of a parent table its children: their names and the places of their foreign keys, the newest first.
    pub children: NameMap<Vec<(Arc<str>, usize)>>,
    /// The `order` of the next table.
    pub next_order: u32,
    /// What the rows of the schema table define, in their order: for statements that change definitions.
    pub objects: Vec<(crate::ast::ObjectKind, Arc<str>)>,
    /// Whether the file had pages when it was read last: of the temp database, whether there is one.
    pub is_made: bool,
    /// The cookie of the file header that it was read under.
    pub cookie: u32,
    /// The schema's generation in this process (SQLite's iGeneration).
    pub generation: u32,
    /// The encoding of texts in the file.
    pub encoding: ringwood_format::value::TextEncoding,
    /// The schema format number of the file header, 1–4; DESC indexes need 4.
    pub file_format: u8,
}

impl DbSchema {
    /// An empty schema, holding `sqlite_schema` alone.
    pub fn empty(name: &str) -> DbSchema {
        let mut tables = NameMap::default();
        let schema_table = Arc::new(Table::schema_table(name.eq_ignore_ascii_case("temp")));
        tables.insert(schema_table.name.clone(), schema_table);
        DbSchema {
            name: name.into(),
            tables,
            indexes: NameMap::default(),
            triggers: NameMap::default(),
            watching: NameMap::default(),
            children: NameMap::default(),
            next_order: 1,
            objects: Vec::new(),
            is_made: false,
            cookie: 0,
            generation: 0,
            encoding: ringwood_format::value::TextEncoding::Utf8,
            file_format: 4,
        }
    }

    /// The table or view of that name. `sqlite_schema` and `sqlite_master` are the same, and in the temp database so
    /// are `sqlite_temp_schema` and `sqlite_temp_master`.
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        // A temp database has most often but `sqlite_temp_schema`.
        let prefix = name.as_bytes().get(..7);
        if self.tables.len() == 1 && !prefix.is_some_and(|it| it.eq_ignore_ascii_case(b"sqlite_")) {
            return None;
        }
        if let Some(table) = self.tables.get(name) {
            return Some(table);
        }
        if name.len() < 13 || !name.as_bytes()[..7].eq_ignore_ascii_case(b"sqlite_") {
            return None;
        }
        let rest = &name[7..];
        let temp = self.name.eq_ignore_ascii_case("temp");
        if rest.eq_ignore_ascii_case("schema") || rest.eq_ignore_ascii_case("master") {
            return self.tables.get(if temp {
                "sqlite_temp_master"
            } else {
                "sqlite_master"
            });
        }
        if temp
            && (rest.eq_ignore_ascii_case("temp_schema")
                || rest.eq_ignore_ascii_case("temp_master"))
        {
            return self.tables.get("sqlite_temp_master");
        }
        None
    }
}

impl Schema {
    /// A schema of an empty main and an empty temp database.
    pub fn empty() -> Schema {
        Schema {
            dbs: vec![
                Arc::new(DbSchema::empty("main")),
                Arc::new(DbSchema::empty("temp")),
            ],
        }
    }

    /// The number of the database of that name; `main` is always 0.
    pub fn db_index(&self, name: &str) -> Option<usize> {
        let by_name = self
            .dbs
            .iter()
            .position(|db| db.name.eq_ignore_ascii_case(name));
        by_name.or_else(|| name.eq_ignore_ascii_case("main").then_some(0))
    }

    /// Databases in the order in which an unqualified name is looked for: temp, main, attached.
    pub fn search_order(&self) -> impl Iterator<Item = usize> + use<> {
        let count = self.dbs.len();
        (0..count).map(move |i| if count > 1 && i < 2 { i ^ 1 } else { i })
    }

    /// The table of that name, in that database or wherever it is found first.
    pub fn find_table(&self, db: Option<usize>, name: &str) -> Option<(usize, &Arc<Table>)> {
        match db {
            Some(db) => self.dbs.get(db)?.table(name).map(|table| (db, table)),
            None => {
                // `sqlite_master` without a database is main's, although temp is searched first.
                let is_schema_table = name.eq_ignore_ascii_case("sqlite_master")
                    || name.eq_ignore_ascii_case("sqlite_schema");
                if is_schema_table {
                    return self.dbs[0].table(name).map(|table| (0, table));
                }
                self.search_order()
                    .find_map(|db| self.dbs[db].table(name).map(|table| (db, table)))
            }
        }
    }

    /// The index of that name, in that database or wherever it is found first.
    pub fn find_index(&self, db: Option<usize>, name: &str) -> Option<(usize, &Arc<Index>)> {
        match db {
            Some(db) => self.dbs.get(db)?.indexes.get(name).map(|index| (db, index)),
            None => self
                .search_order()
                .find_map(|db| self.dbs[db].indexes.get(name).map(|index| (db, index))),
        }
    }

    /// Finds the tables that new triggers of the temp database watch: what is made later under the same name does not
    /// count.
    pub fn settle_temp_triggers(&self) {
        for trigger in self.dbs.get(1).iter().flat_map(|db| db.triggers.values()) {
            self.watched_db(trigger);
        }
    }

    /// The database of the table that a trigger of the temp database watches.
    pub fn watched_db(&self, trigger: &Trigger) -> Option<usize> {
        let name = trigger.watched.get_or_init(|| {
            let name = &trigger.create.table;
            let named = match &name.schema {
                Some(db) => Some(self.db_index(&db.text)?),
                None => None,
            };
            let (db, _) = self.find_table(named, &name.name.text)?;
            Some(self.dbs[db].name.clone())
        });
        self.db_index(name.as_ref()?)
    }

    /// The trigger of that name, in that database or wherever it is found first.
    pub fn find_trigger(&self, db: Option<usize>, name: &str) -> Option<(usize, &Arc<Trigger>)> {
        match db {
            Some(db) => self
                .dbs
                .get(db)?
                .triggers
                .get(name)
                .map(|trigger| (db, trigger)),
            None => self
                .search_order()
                .find_map(|db| self.dbs[db].triggers.get(name).map(|trigger| (db, trigger))),
        }
    }
}
