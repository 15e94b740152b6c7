//! ANALYZE: each index is walked once, and what its keys are like goes to `sqlite_stat1` and `sqlite_stat4`.
//!
//! ```text
//!   for each index:   begin
//!     for each entry: the first column that differs from the entry before ──▶ push
//!     stat1 row       table, index, "rows average …"
//!     stat4 rows      table, index, neq, nlt, ndlt, record of the sample's columns; not with analysis_limit
//!   a table without indexes but partial ones:   stat1 row with NULL and its number of rows
//! ```
//!
//! Rules:
//! 1. The tables of statistics are made when they are first needed; a table's or index's old rows are deleted.
//! 2. The engine's own tables, views and virtual tables are left out; so are empty tables, and temp if nothing is named.
//! 3. What was found is loaded at the end, and every statement is compiled again.
//!
//! Source: SQLite's `sqlite3Analyze`, `analyzeOneTable`, `openStatTable`.

use crate::ast::QualifiedName;
use crate::authorizer::ActionCode;
use crate::codegen::ddl::{Root, SchemaRow, TEMP};
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::Resolver;
use crate::schema::{Index, Table, TableKind};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::func::stat::accumulator;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

/// The tables of statistics, and their columns; `sqlite_stat3` is emptied only.
const STAT_TABLES: [(&str, Option<&str>); 3] = [
    ("sqlite_stat1", Some("tbl,idx,stat")),
    ("sqlite_stat4", Some("tbl,idx,neq,nlt,ndlt,sample")),
    ("sqlite_stat3", None),
];

/// Questions to the accumulator.
const ASK_STAT1: i32 = 0;
const ASK_ROWID: i32 = 1;
const ASK_EQUAL: i32 = 2;
const ASK_LESS: i32 = 3;
const ASK_DISTINCT_LESS: i32 = 4;

/// Registers and cursors of an analysis.
struct Analysis {
    db: usize,
    /// Cursors on `sqlite_stat1` and `sqlite_stat4`.
    stat1: i32,
    stat4: i32,
    /// The accumulator.
    state: i32,
    /// Its arguments, five of them.
    args: i32,
    temp: i32,
    rowid: i32,
    /// Table, index, then what the row has: for stat1 one more, for stat4 four.
    row: i32,
}

impl Compiler<'_> {
    /// ANALYZE.
    pub fn code_analyze(&mut self, name: Option<&QualifiedName>) -> Result<()> {
        let schema = self.ctx.schema;
        let Some(name) = name else {
            for db in (0..schema.dbs.len()).filter(|db| *db != TEMP) {
                self.analyze_database(db)?;
            }
            self.op(Opcode::Expire, 0, 0, 0);
            return Ok(());
        };
        let whole = name
            .schema
            .is_none()
            .then(|| schema.db_index(&name.name.text))
            .flatten();
        if let Some(db) = whole {
            self.analyze_database(db)?;
        } else {
            let db = match &name.schema {
                Some(of) => Some(schema.db_index(&of.text).ok_or_else(|| {
                    let written = String::from_utf8_lossy(of.span.slice(self.text));
                    SqlError::at(of.span.start, format!("unknown database {written}"))
                })?),
                None => None,
            };
            let index = schema.find_index(db, &name.name.text);
            if let Some((db, index)) = index.map(|(db, index)| (db, index.clone())) {
                let table = schema.dbs[db].table(&index.table).cloned();
                if let Some(table) = table {
                    self.analyze_table(db, &table, Some(&index))?;
                }
            } else {
                let (db, table) = Resolver::new(self).find_table(name)?;
                self.analyze_table(db, &table, None)?;
            }
        }
        self.op(Opcode::Expire, 0, 0, 0);
        Ok(())
    }

    /// All tables of a database.
    pub(crate) fn analyze_database(&mut self, db: usize) -> Result<()> {
        let mut tables: Vec<Arc<Table>> =
            self.ctx.schema.dbs[db].tables.values().cloned().collect();
        // The newest first, as stock SQLite finds them as long as there are few.
        tables.sort_by_key(|table| std::cmp::Reverse(table.order));
        self.writes_db(false, db);
        let analysis = self.open_statistics(db, None)?;
        for table in &tables {
            self.analyze_one(&analysis, table, None)?;
        }
        self.op(Opcode::LoadAnalysis, db as i32, 0, 0);
        Ok(())
    }

    /// One table, or one of its indexes.
    pub(crate) fn analyze_table(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        only: Option<&Arc<Index>>,
    ) -> Result<()> {
        self.writes_db(false, db);
        let whose = match only {
            Some(index) => ("idx", &*index.name),
            None => ("tbl", &*table.name),
        };
        let analysis = self.open_statistics(db, Some(whose))?;
        self.analyze_one(&analysis, table, only)?;
        self.op(Opcode::LoadAnalysis, db as i32, 0, 0);
        Ok(())
    }

    /// Makes or empties the tables of statistics and opens them.
    fn open_statistics(&mut self, db: usize, whose: Option<(&str, &str)>) -> Result<Analysis> {
        let cursors = [self.alloc_cursor(None), self.alloc_cursor(None)];
        let mut roots = Vec::new();
        for (name, columns) in STAT_TABLES {
            match (self.ctx.schema.dbs[db].table(name).cloned(), columns) {
                (None, None) => {}
                (None, Some(columns)) => {
                    let root = self.create_statistics(db, name, columns)?;
                    roots.push((root, p5::P2ISREG));
                }
                (Some(table), _) => {
                    match whose {
                        Some((column, name)) => {
                            if let Some(column) = table.column_index(column) {
                                self.authorize_delete(db, &table, column)?;
                                self.delete_matching(db, &table, &[(column, name)], None)?;
                            }
                        }
                        None => {
                            self.op(Opcode::Clear, table.root as i32, db as i32, 0);
                        }
                    }
                    roots.push((table.root as i32, 0));
                }
            }
        }
        for (cursor, (root, flag)) in cursors.iter().zip(roots) {
            self.op4(Opcode::OpenWrite, *cursor, root, db as i32, P4::Int(3));
            self.p5(flag);
        }
        Ok(Analysis {
            db,
            stat1: cursors[0],
            stat4: cursors[1],
            state: self.alloc_reg(),
            args: self.alloc_regs(5),
            temp: self.alloc_reg(),
            rowid: self.alloc_reg(),
            row: self.alloc_regs(6),
        })
    }

    /// CREATE TABLE of a table of statistics; the register of its root.
    fn create_statistics(&mut self, db: usize, name: &str, columns: &str) -> Result<i32> {
        self.authorize_table(db, name, false, ActionCode::CreateTable)?;
        self.authorize_schema_row(db)?;
        self.writes_db(true, db);
        self.may_abort = true;
        self.init_file_format(db);
        let root = self.alloc_reg();
        self.op(Opcode::CreateBtree, db as i32, root, p5::BTREE_INTKEY);
        let cursor = self.open_schema_table(db)?;
        let sql = format!("CREATE TABLE {name}({columns})");
        let row = SchemaRow {
            kind: "table",
            name,
            table: name,
            root: Root::Register(root),
            sql: Some(sql.as_bytes()),
        };
        self.add_schema_row(cursor, &row);
        self.op(Opcode::Close, cursor, 0, 0);
        self.change_cookie(db);
        self.parse_schema(db, name);
        Ok(root)
    }

    fn analyze_one(
        &mut self,
        a: &Analysis,
        table: &Arc<Table>,
        only: Option<&Arc<Index>>,
    ) -> Result<()> {
        let is_internal =
            table.name.len() >= 7 && table.name.as_bytes()[..7].eq_ignore_ascii_case(b"sqlite_");
        if !matches!(table.kind, TableKind::Ordinary) || is_internal {
            return Ok(());
        }
        if !self.authorize_in(ActionCode::Analyze, &table.name, None, a.db)? {
            return Ok(());
        }
        let cursor = self.alloc_cursor(Some(table.clone()));
        self.open_table(cursor, a.db, table, false)?;
        self.op4(Opcode::String8, 0, a.row, 0, P4::text(&*table.name));
        let mut needs_count = true;
        for index in &table.indexes {
            if only.is_some_and(|only| !only.name.eq_ignore_ascii_case(&index.name)) {
                continue;
            }
            needs_count &= index.partial.is_some();
            self.analyze_index(a, table, index, cursor)?;
        }
        if only.is_none() && needs_count {
            let stat = a.row + 2;
            self.op(Opcode::Count, cursor, stat, 0);
            let empty = self.op(Opcode::IfNot, stat, 0, 0);
            self.op(Opcode::Null, 0, a.row + 1, 0);
            self.insert_stat1(a);
            self.jump_here(empty);
        }
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }

    fn insert_stat1(&mut self, a: &Analysis) {
        self.op4(
            Opcode::MakeRecord,
            a.row,
            3,
            a.temp,
            P4::affinity(&[Affinity::Text as u8; 3]),
        );
        self.op(Opcode::NewRowid, a.stat1, a.rowid, 0);
        self.op(Opcode::Insert, a.stat1, a.temp, a.rowid);
        self.p5(p5::APPEND);
    }

    /// `AggStep` with the first `count` arguments.
    fn stat_step(&mut self, a: &Analysis, what: i32, count: u16) {
        self.op(Opcode::Integer, what, a.args, 0);
        self.op4(
            Opcode::AggStep,
            0,
            a.args,
            a.state,
            P4::Function(accumulator()),
        );
        self.p5(count);
    }

    fn stat_ask(&mut self, a: &Analysis, what: i32, target: i32) {
        self.op(Opcode::Integer, what, a.args + 1, 0);
        self.stat_step(a, 2, 2);
        self.op4(
            Opcode::AggValue,
            a.state,
            0,
            target,
            P4::Function(accumulator()),
        );
    }

    fn analyze_index(
        &mut self,
        a: &Analysis,
        table: &Arc<Table>,
        index: &Arc<Index>,
        table_cursor: i32,
    ) -> Result<()> {
        let is_table = table.without_rowid && index.is_primary_key();
        let (columns, name) = if is_table {
            (index.key_count, &table.name)
        } else {
            (index.columns.len(), &index.name)
        };
        let tested = match (is_table, index.unique_not_null) {
            (true, _) => columns - 1,
            (false, true) => index.key_count - 1,
            (false, false) => columns - 1,
        };
        let limit = self.ctx.flags.analysis_limit;
        self.op4(Opcode::String8, 0, a.row + 1, 0, P4::text(&**name));
        let cursor = self.alloc_cursor(None);
        let key = self.index_key_info(a.db, index)?;
        self.op4(
            Opcode::OpenRead,
            cursor,
            index.root as i32,
            a.db as i32,
            P4::KeyInfo(key),
        );
        self.op(Opcode::Integer, columns as i32, a.args + 1, 0);
        self.op(Opcode::Integer, index.key_count as i32, a.args + 2, 0);
        self.op(Opcode::Count, cursor, a.args + 3, 0);
        self.op(Opcode::Integer, limit as i32, a.args + 4, 0);
        self.stat_step(a, 0, 5);
        let rewind = self.op(Opcode::Rewind, cursor, 0, 0);
        let (change, rowid) = (a.args + 1, a.args + 2);
        self.op(Opcode::Integer, 0, change, 0);
        let mut next_row = self.here();
        let previous = self.alloc_regs(tested.max(1));
        if tested > 0 {
            let same = self.label();
            let first = self.op(Opcode::Goto, 0, 0, 0);
            next_row = self.here();
            if tested == 1 && index.key_count == 1 && index.unique.is_some() {
                // Behind the NULLs of a unique column all are different.
                self.jump(Opcode::NotNull, previous, same, 0);
            }
            let mut changes = Vec::with_capacity(tested);
            for (i, column) in index.columns[..tested].iter().enumerate() {
                let collation = self.collation(&column.collation)?;
                self.op(Opcode::Integer, i as i32, change, 0);
                self.op(Opcode::Column, cursor, i as i32, a.temp);
                changes.push(self.op4(
                    Opcode::Ne,
                    a.temp,
                    0,
                    previous + i as i32,
                    P4::Collation(collation),
                ));
                self.p5(p5::NULLEQ);
            }
            self.op(Opcode::Integer, tested as i32, change, 0);
            self.goto(same);
            self.jump_here(first);
            for (i, at) in changes.into_iter().enumerate() {
                self.jump_here(at);
                self.op(Opcode::Column, cursor, i as i32, previous + i as i32);
            }
            self.place(same);
        }
        self.code_sample_rowid(table, index, cursor, rowid);
        self.stat_step(a, 1, 3);
        if limit == 0 {
            self.op(Opcode::Next, cursor, next_row, 0);
        } else {
            let answer = P4::Function(accumulator());
            self.op4(Opcode::AggValue, a.state, 0, a.temp, answer);
            let none = self.op(Opcode::IsNull, a.temp, 0, 0);
            let enough = self.op(Opcode::If, a.temp, 0, 0);
            let skip = self.op4(Opcode::SeekGT, cursor, 0, previous, P4::Int(1));
            self.jump_here(none);
            self.op(Opcode::Next, cursor, next_row, 0);
            self.jump_here(enough);
            self.jump_here(skip);
        }
        let mut end = Some(rewind);
        if index.partial.is_some() {
            // A partial index may be empty where its table is not.
            self.jump_here(rewind);
            end = None;
        }
        let stat = a.row + 2;
        self.stat_ask(a, ASK_STAT1, stat);
        self.insert_stat1(a);
        if limit == 0 {
            let end = *end.get_or_insert_with(|| {
                self.op(Opcode::Cast, stat, Affinity::Integer as i32, 0);
                self.op(Opcode::IfNot, stat, 0, 0)
            });
            self.code_samples(a, table, index, table_cursor, columns)?;
            self.jump_here(end);
        } else if let Some(end) = end {
            self.jump_here(end);
        }
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }

    /// What leads from an entry to its row: the rowid, or the record of the primary key.
    fn code_sample_rowid(&mut self, table: &Table, index: &Index, cursor: i32, target: i32) {
        let Some(primary) = table.primary_key_index().filter(|_| table.without_rowid) else {
            self.op(Opcode::IdxRowid, cursor, target, 0);
            return;
        };
        let count = primary.key_count;
        let first = self.alloc_regs(count);
        for (i, column) in primary.columns[..count].iter().enumerate() {
            let at = column.key.column().and_then(|c| index.position_of(c));
            self.op(
                Opcode::Column,
                cursor,
                at.unwrap_or(i) as i32,
                first + i as i32,
            );
        }
        self.op(Opcode::MakeRecord, first, count as i32, target);
    }

    fn code_samples(
        &mut self,
        a: &Analysis,
        table: &Arc<Table>,
        index: &Arc<Index>,
        cursor: i32,
        columns: usize,
    ) -> Result<()> {
        let (equal, sample) = (a.row + 2, a.row + 5);
        let first = self.alloc_regs(columns);
        let rowid = self.alloc_reg();
        let top = self.here();
        self.stat_ask(a, ASK_ROWID, rowid);
        let none = self.op(Opcode::IsNull, rowid, 0, 0);
        self.stat_ask(a, ASK_EQUAL, equal);
        self.stat_ask(a, ASK_LESS, equal + 1);
        self.stat_ask(a, ASK_DISTINCT_LESS, equal + 2);
        if table.has_rowid() {
            self.op(Opcode::NotExists, cursor, top, rowid);
        } else {
            self.op4(Opcode::NotFound, cursor, top, rowid, P4::Int(0));
        }
        for i in 0..columns {
            self.code_index_column(table, index, cursor, i, first + i as i32)?;
        }
        self.op(Opcode::MakeRecord, first, columns as i32, sample);
        self.op(Opcode::MakeRecord, a.row, 6, a.temp);
        self.op(Opcode::NewRowid, a.stat4, a.rowid, 0);
        self.op(Opcode::Insert, a.stat4, a.temp, a.rowid);
        self.op(Opcode::Goto, 1, top, 0);
        self.jump_here(none);
        Ok(())
    }
}
