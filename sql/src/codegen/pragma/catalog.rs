//! Pragmas whose rows are known when the statement is compiled: what the schema, the functions and the collations are.
//!
//! Source: SQLite's `sqlite3Pragma`.

use crate::ast::ForeignKeyAction;
use crate::compiler::{Compiler, Result};
use crate::resolve::{Resolver, result_table_columns};
use crate::schema::{Column, Index, IndexKey, IndexOrigin, Table};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::func::connection::OPTIONS;
use ringwood_vdbe::{FunctionFlags, Opcode, P4, Setting};
use std::sync::Arc;

/// A value of a row.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Integer(i64),
    Text(Arc<str>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.into())
    }
}

impl From<&Arc<str>> for Cell {
    fn from(text: &Arc<str>) -> Cell {
        Cell::Text(text.clone())
    }
}

impl From<bool> for Cell {
    fn from(b: bool) -> Cell {
        Cell::Integer(i64::from(b))
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Cell {
        Cell::Integer(n as i64)
    }
}

/// The names that `PRAGMA pragma_list` gives.
const PRAGMAS: [&str; 66] = [
    "analysis_limit",
    "application_id",
    "auto_vacuum",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "case_sensitive_like",
    "cell_size_check",
    "checkpoint_fullfsync",
    "collation_list",
    "compile_options",
    "database_list",
    "defer_foreign_keys",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "freelist_count",
    "full_column_names",
    "fullfsync",
    "function_list",
    "hard_heap_limit",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "journal_mode",
    "journal_size_limit",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "mmap_size",
    "module_list",
    "optimize",
    "page_count",
    "page_size",
    "pragma_list",
    "query_only",
    "quick_check",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "schema_version",
    "secure_delete",
    "short_column_names",
    "shrink_memory",
    "soft_heap_limit",
    "synchronous",
    "table_info",
    "table_list",
    "table_xinfo",
    "temp_store",
    "temp_store_directory",
    "threads",
    "trusted_schema",
    "user_version",
    "wal_autocheckpoint",
    "wal_checkpoint",
    "writable_schema",
    "data_version",
    "incremental_vacuum",
    "count_changes",
    "empty_result_callbacks",
    "default_cache_size",
];

impl Compiler<'_> {
    /// A pragma that reads the catalog; any other does nothing.
    pub(super) fn catalog_pragma(
        &mut self,
        name: &str,
        db: Option<usize>,
        arg: Option<&str>,
    ) -> Result<()> {
        match name {
            "table_info" | "table_xinfo" => self.table_info(name == "table_xinfo", db, arg)?,
            "table_list" => self.table_list(db, arg)?,
            "index_list" => self.index_list(db, arg),
            "index_info" | "index_xinfo" => self.index_info(name == "index_xinfo", db, arg),
            "foreign_key_list" => self.foreign_key_list(db, arg),
            "database_list" => self.database_list(),
            "collation_list" => self.collation_list(),
            "function_list" => self.function_list(),
            "module_list" => {
                let names = self.ctx.virtual_tables.module_names();
                let rows = names.iter().map(|name| vec![Cell::from(&**name)]);
                self.rows(&["name"], rows.collect());
            }
            "pragma_list" => {
                let rows = PRAGMAS.iter().map(|name| vec![Cell::from(*name)]);
                self.rows(&["name"], rows.collect());
            }
            "compile_options" => {
                let rows = OPTIONS.iter().map(|option| vec![Cell::from(*option)]);
                self.rows(&["compile_options"], rows.collect());
            }
            _ => {}
        }
        Ok(())
    }

    /// Emits rows.
    fn rows(&mut self, names: &[&str], rows: Vec<Vec<Cell>>) {
        let first = self.pragma_row(names);
        for row in rows {
            let count = row.len() as i32;
            for (i, cell) in row.into_iter().enumerate() {
                let reg = first + i as i32;
                match cell {
                    Cell::Null => {
                        self.op(Opcode::Null, 0, reg, 0);
                    }
                    Cell::Integer(n) => self.code_integer(n, reg),
                    Cell::Text(text) => {
                        self.op4(Opcode::String8, 0, reg, 0, P4::text(&*text));
                    }
                }
            }
            self.op(Opcode::ResultRow, first, count, 0);
        }
    }

    /// The table that a pragma names; its database is verified.
    fn pragma_table(
        &mut self,
        db: Option<usize>,
        arg: Option<&str>,
    ) -> Option<(usize, Arc<Table>)> {
        let arg = arg?;
        let Some((db, table)) = self.ctx.schema.find_table(db, arg) else {
            return Some((0, self.eponymous(arg)?.ok()?));
        };
        let table = self.connected(db, table).unwrap_or_else(|_| table.clone());
        self.uses_db(db);
        Some((db, table))
    }

    /// The columns of a table or of a view.
    fn columns_of(&mut self, db: usize, table: &Arc<Table>) -> Result<Vec<Column>> {
        if !table.is_view() {
            let columns = |table: Arc<Table>| table.columns.clone();
            return Ok(self.connected(db, table).map(columns).unwrap_or_default());
        }
        let (select, made) = Resolver::new(self).view_select(db, table)?;
        let names: Vec<Arc<str>> = made
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        Ok(result_table_columns(self, &select, &names, Affinity::None))
    }

    fn table_info(&mut self, extended: bool, db: Option<usize>, arg: Option<&str>) -> Result<()> {
        let mut names = vec!["cid", "name", "type", "notnull", "dflt_value", "pk"];
        if extended {
            names.push("hidden");
        }
        let mut rows = Vec::new();
        if let Some((db, table)) = self.pragma_table(db, arg) {
            let columns = self.columns_of(db, &table)?;
            let mut shown = 0;
            for (i, column) in columns.iter().enumerate() {
                let hidden = match &column.generated {
                    Some(generated) if generated.stored => 3,
                    Some(_) => 2,
                    None => i64::from(column.hidden),
                };
                if hidden != 0 && !extended {
                    continue;
                }
                let default = column.default.as_ref().filter(|_| hidden < 2);
                let mut row = vec![
                    Cell::from(if extended { i } else { shown }),
                    Cell::from(&column.name),
                    column.decl_type.as_ref().map_or(Cell::from(""), Cell::from),
                    Cell::from(column.not_null.is_some()),
                    default.map_or(Cell::Null, |default| Cell::from(&default.text)),
                    Cell::from(key_position(&table, i, column)),
                ];
                if extended {
                    row.push(Cell::Integer(hidden));
                }
                shown += 1;
                rows.push(row);
            }
        }
        self.rows(&names, rows);
        Ok(())
    }

    fn table_list(&mut self, db: Option<usize>, arg: Option<&str>) -> Result<()> {
        let schema = self.ctx.schema;
        let mut rows = Vec::new();
        for (number, of) in schema.dbs.iter().enumerate() {
            if db.is_some_and(|db| db != number) {
                continue;
            }
            let mut tables: Vec<Arc<Table>> = of.tables.values().cloned().collect();
            tables.sort_by(|a, b| a.name.cmp(&b.name));
            for table in tables {
                if arg.is_some_and(|arg| !table.name.eq_ignore_ascii_case(arg)) {
                    continue;
                }
                // What cannot be looked at has none.
                let count = match self.columns_of(number, &table) {
                    Ok(columns) => columns.len(),
                    Err(error) if error.is_connecting() => return Err(error),
                    Err(_) => 0,
                };
                let name = match &*table.name {
                    "sqlite_master" => "sqlite_schema",
                    "sqlite_temp_master" => "sqlite_temp_schema",
                    other => other,
                };
                rows.push(vec![
                    Cell::from(&of.name),
                    Cell::from(name),
                    Cell::from(if table.is_view() {
                        "view"
                    } else if table.is_virtual() {
                        "virtual"
                    } else if self.is_shadow(number, &table) {
                        "shadow"
                    } else {
                        "table"
                    }),
                    Cell::from(count),
                    Cell::from(table.without_rowid),
                    Cell::from(table.strict),
                ]);
            }
            self.uses_db(number);
        }
        self.rows(&["schema", "name", "type", "ncol", "wr", "strict"], rows);
        Ok(())
    }

    fn index_list(&mut self, db: Option<usize>, arg: Option<&str>) {
        let table = self.pragma_table(db, arg);
        let indexes = table
            .iter()
            .flat_map(|(_, table)| table.indexes.iter().enumerate());
        let rows = indexes
            .map(|(i, index)| {
                let origin = match index.origin {
                    IndexOrigin::Create => "c",
                    IndexOrigin::Unique => "u",
                    IndexOrigin::PrimaryKey => "pk",
                };
                vec![
                    Cell::from(i),
                    Cell::from(&index.name),
                    Cell::from(index.unique.is_some()),
                    Cell::from(origin),
                    Cell::from(index.partial.is_some()),
                ]
            })
            .collect();
        self.rows(&["seq", "name", "unique", "origin", "partial"], rows);
    }

    fn index_info(&mut self, extended: bool, db: Option<usize>, arg: Option<&str>) {
        let mut names = vec!["seqno", "cid", "name"];
        if extended {
            names.extend(["desc", "coll", "key"]);
        }
        let mut rows = Vec::new();
        if let Some((index, table)) = self.pragma_index(db, arg) {
            let count = if extended {
                index.columns.len()
            } else {
                index.key_count
            };
            for (i, column) in index.columns[..count].iter().enumerate() {
                let (number, name) = match &column.key {
                    IndexKey::Column(number) => {
                        (*number as i64, Cell::from(&table.columns[*number].name))
                    }
                    IndexKey::Rowid => (-1, Cell::Null),
                    IndexKey::Expr(_) => (-2, Cell::Null),
                };
                let mut row = vec![Cell::from(i), Cell::Integer(number), name];
                if extended {
                    row.push(Cell::from(column.desc));
                    row.push(Cell::from(column.collation.as_str()));
                    row.push(Cell::from(i < index.key_count));
                }
                rows.push(row);
            }
        }
        self.rows(&names, rows);
    }

    /// The index of that name, or the primary key of the WITHOUT ROWID table of that name.
    fn pragma_index(
        &mut self,
        db: Option<usize>,
        arg: Option<&str>,
    ) -> Option<(Arc<Index>, Arc<Table>)> {
        let schema = self.ctx.schema;
        if let Some((db, index)) = schema.find_index(db, arg?) {
            self.uses_db(db);
            let table = schema.dbs[db].table(&index.table)?.clone();
            return Some((index.clone(), table));
        }
        let (_, table) = self.pragma_table(db, arg)?;
        let index = table
            .without_rowid
            .then(|| table.primary_key_index().cloned())
            .flatten()?;
        Some((index, table))
    }

    fn foreign_key_list(&mut self, db: Option<usize>, arg: Option<&str>) {
        let mut rows = Vec::new();
        if let Some((_, table)) = self.pragma_table(db, arg) {
            for (i, key) in table.foreign_keys.iter().enumerate() {
                for (j, column) in key.columns.iter().enumerate() {
                    let to = key
                        .parent_columns
                        .as_ref()
                        .and_then(|columns| columns.get(j));
                    rows.push(vec![
                        Cell::from(i),
                        Cell::from(j),
                        Cell::from(&key.parent),
                        Cell::from(&table.columns[*column].name),
                        to.map_or(Cell::Null, Cell::from),
                        Cell::from(action(key.on_update)),
                        Cell::from(action(key.on_delete)),
                        Cell::from("NONE"),
                    ]);
                }
            }
        }
        let names = [
            "id",
            "seq",
            "table",
            "from",
            "to",
            "on_update",
            "on_delete",
            "match",
        ];
        self.rows(&names, rows);
    }

    fn database_list(&mut self) {
        let schema = self.ctx.schema;
        let first = self.pragma_row(&["seq", "name", "file"]);
        for (number, db) in schema.dbs.iter().enumerate() {
            // The temp database is there once something was in it.
            if number == 1 && db.tables.len() <= 1 && !db.is_made {
                continue;
            }
            self.op(Opcode::Integer, number as i32, first, 0);
            self.op4(Opcode::String8, 0, first + 1, 0, P4::text(&*db.name));
            self.op4(
                Opcode::Setting,
                number as i32,
                first + 2,
                0,
                P4::text(Setting::File.name()),
            );
            self.op(Opcode::ResultRow, first, 3, 0);
        }
    }

    fn collation_list(&mut self) {
        let custom = self.ctx.collations.values();
        let mut names: Vec<&str> = custom
            .map(ringwood_format::collation::Collation::name)
            .collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        let mut order = StockOrder::default();
        for name in ["BINARY", "NOCASE", "RTRIM"].into_iter().chain(names) {
            order.insert(name);
        }
        let rows = order
            .names
            .iter()
            .enumerate()
            .map(|(i, name)| vec![Cell::from(i), Cell::from(*name)]);
        self.rows(&["seq", "name"], rows.collect());
    }

    fn function_list(&mut self) {
        let rows = self.ctx.functions.iter().map(|def| {
            let flag = |flag, bit: i64| if def.flags.contains(flag) { bit } else { 0 };
            let flags = flag(FunctionFlags::DETERMINISTIC, 0x800)
                | flag(FunctionFlags::DIRECT_ONLY, 0x8_0000)
                | flag(FunctionFlags::SUBTYPE, 0x10_0000)
                | flag(FunctionFlags::INNOCUOUS, 0x20_0000);
            let windowed =
                FunctionFlags::INVERSE | FunctionFlags::WINDOW_ONLY | FunctionFlags::MINMAX;
            let kind = match def.is_aggregate() {
                true if def.flags.intersects(windowed) => "w",
                true => "a",
                false => "s",
            };
            vec![
                Cell::from(&*def.name),
                Cell::from(def.flags.contains(FunctionFlags::BUILTIN)),
                Cell::from(kind),
                Cell::from("utf8"),
                Cell::Integer(i64::from(def.arity)),
                Cell::Integer(flags),
            ]
        });
        let rows = rows.collect();
        self.rows(&["name", "builtin", "type", "enc", "narg", "flags"], rows);
    }
}

/// The place of a column in the primary key, from 1; 0 if it is not in it.
fn key_position(table: &Table, number: usize, column: &Column) -> usize {
    if !column.primary_key {
        return 0;
    }
    match table.primary_key_index() {
        None => 1,
        Some(index) => index.position_of(number as i32).map_or(0, |at| at + 1),
    }
}

const fn action(action: ForeignKeyAction) -> &'static str {
    match action {
        ForeignKeyAction::NoAction => "NO ACTION",
        ForeignKeyAction::Restrict => "RESTRICT",
        ForeignKeyAction::Cascade => "CASCADE",
        ForeignKeyAction::SetNull => "SET NULL",
        ForeignKeyAction::SetDefault => "SET DEFAULT",
    }
}

/// The order in which stock SQLite's hash table gives names out, which some pragmas show: a list to whose front new names
/// go, until there are five; from then on those of a bucket stand together.
#[derive(Default)]
struct StockOrder<'n> {
    names: Vec<&'n str>,
    /// The first name of each bucket; empty as long as there are none.
    buckets: Vec<Option<&'n str>>,
}

impl<'n> StockOrder<'n> {
    fn insert(&mut self, name: &'n str) {
        let count = self.names.len() + 1;
        if count >= 5 && count > 2 * self.buckets.len() {
            self.buckets = vec![None; count * 3];
            for name in std::mem::take(&mut self.names) {
                self.link(name);
            }
        }
        self.link(name);
    }

    fn link(&mut self, name: &'n str) {
        let mut at = 0;
        if !self.buckets.is_empty() {
            let bucket = name_hash(name) as usize % self.buckets.len();
            let head = self.buckets[bucket].replace(name);
            at = self
                .names
                .iter()
                .position(|known| head == Some(*known))
                .unwrap_or(0);
        }
        self.names.insert(at, name);
    }
}

/// SQLite's hash of a name: without the bits that tell cases apart.
fn name_hash(name: &str) -> u32 {
    name.bytes().fold(0u32, |hash, byte| {
        hash.wrapping_add(u32::from(byte & 0xdf))
            .wrapping_mul(0x9e37_79b1)
    })
}
