//! CREATE INDEX: a new tree, filled through a sorter.
//!
//! ```text
//!   CreateBtree; row of sqlite_schema
//!   for each row of the table:   its entry into the sorter      (not if the index is partial and leaves it out)
//!   for each entry in order:     UNIQUE: equal to the one before it? error;   IdxInsert at the end
//!   cookie; ParseSchema
//! ```
//!
//! Source: SQLite's `sqlite3CreateIndex`, `sqlite3RefillIndex`.

use super::{Root, SchemaRow, TEMP, Tree, quoted};
use crate::ast;
use crate::authorizer::{ActionCode, schema_table_name};
use crate::codegen::write::{DeleteEffects, Target};
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::{Definition, resolve_definition};
use crate::schema::define::define_index;
use crate::schema::{Index, IndexKey, Table};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

impl Compiler<'_> {
    /// Codes CREATE INDEX.
    pub fn code_create_index(&mut self, create: &ast::CreateIndex) -> Result<()> {
        let Some((db, table)) = self.table_to_index(create)? else {
            return Ok(());
        };
        let mut index = define_index(create, &table)?;
        if !self.authorize_index(db, &table, &index)? {
            return Ok(());
        }
        if self.ctx.schema.dbs[db].file_format < 4 {
            // DESC has no effect then.
            index.columns.iter_mut().for_each(|c| c.desc = false);
        }
        let index = Arc::new(index);
        self.check_index_definition(db, &table, &index)?;
        self.writes_db(true, db);
        let root = self.alloc_reg();
        self.op(Opcode::CreateBtree, db as i32, root, p5::BTREE_BLOBKEY);
        let unique = if create.unique { "UNIQUE " } else { "" };
        let mut sql = format!("CREATE {unique}INDEX ").into_bytes();
        sql.extend_from_slice(create.text.slice(self.text));
        let cursor = self.open_schema_table(db)?;
        let row = SchemaRow {
            kind: "index",
            name: &index.name,
            table: &table.name,
            root: Root::Register(root),
            sql: Some(&sql),
        };
        self.add_schema_row(cursor, &row);
        self.op(Opcode::Close, cursor, 0, 0);
        if !self.authorize_in(ActionCode::Reindex, &index.name, None, db)? {
            return Ok(());
        }
        self.fill_index(db, &table, &index, Tree::Register(root))?;
        self.change_cookie(db);
        let filter = format!("name={} AND type='index'", quoted(&index.name));
        self.op4(Opcode::ParseSchema, db as i32, 0, 0, P4::text(filter));
        self.op(Opcode::Expire, 0, 1, 0);
        Ok(())
    }

    /// The table that the index is for; none if IF NOT EXISTS says that there is nothing to do.
    fn table_to_index(&mut self, create: &ast::CreateIndex) -> Result<Option<(usize, Arc<Table>)>> {
        let schema = self.ctx.schema;
        let mut db = self.new_object_db(&create.name, false)?;
        let table_name = &*create.table.text;
        if create.name.schema.is_none()
            && schema
                .find_table(None, table_name)
                .is_some_and(|found| found.0 == TEMP)
        {
            db = TEMP;
        }
        let Some(table) = schema.dbs[db].table(table_name).cloned() else {
            if self.eponymous(table_name).is_some() {
                return Err(SqlError::error("virtual tables may not be indexed"));
            }
            return Err(SqlError::error(format!(
                "no such table: {}.{table_name}",
                schema.dbs[db].name
            )));
        };
        if is_internal(&table.name) {
            return Err(SqlError::error(format!(
                "table {} may not be indexed",
                table.name
            )));
        }
        if table.is_view() {
            return Err(SqlError::error("views may not be indexed"));
        }
        if table.is_virtual() {
            return Err(SqlError::error("virtual tables may not be indexed"));
        }
        let name = &*create.name.name.text;
        self.check_object_name(name)?;
        if schema.dbs[db].table(name).is_some() {
            return Err(SqlError::error(format!(
                "there is already a table named {name}"
            )));
        }
        if schema.dbs[db].indexes.get(name).is_some() {
            if create.if_not_exists {
                self.uses_db(db);
                return Ok(None);
            }
            return Err(SqlError::error(format!("index {name} already exists")));
        }
        if create.columns.len() > self.ctx.limits.columns {
            return Err(SqlError::error("too many columns in index"));
        }
        Ok(Some((db, table)))
    }

    /// Asks whether an index may be made, and its columns read.
    pub(super) fn authorize_index(&self, db: usize, table: &Table, index: &Index) -> Result<bool> {
        if !self.asks() {
            return Ok(true);
        }
        let code = if db == TEMP {
            ActionCode::CreateTempIndex
        } else {
            ActionCode::CreateIndex
        };
        let mut allowed = self.authorize_in(ActionCode::Insert, schema_table_name(db), None, db)?
            && self.authorize_in(code, &index.name, Some(&table.name), db)?;
        for column in &index.columns[..index.key_count] {
            if let IndexKey::Column(number) = column.key {
                allowed &= self.authorize_read(db, table, number as i32)?;
            }
        }
        Ok(allowed)
    }

    pub(crate) fn check_index_definition(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        index: &Index,
    ) -> Result<()> {
        let cursor = self.alloc_cursor(Some(table.clone()));
        if let Some(partial) = &index.partial {
            resolve_definition(self, db, table, cursor, partial, Definition::PartialIndex)?;
        }
        for column in &index.columns {
            if let IndexKey::Expr(expr) = &column.key {
                resolve_definition(self, db, table, cursor, expr, Definition::IndexExpr)?;
            }
            self.collation(&column.collation)?;
        }
        Ok(())
    }

    /// Fills an index from its table.
    pub(super) fn fill_index(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        index: &Arc<Index>,
        tree: Tree,
    ) -> Result<()> {
        let from = self.alloc_cursor(Some(table.clone()));
        let (to, sorter) = (self.alloc_cursor(None), self.alloc_cursor(None));
        let key = self.index_key_info(db, index)?;
        let record = self.alloc_reg();
        let target = Target {
            db,
            table: table.clone(),
            data_cursor: from,
            index_cursor: from + 1,
            on_delete: DeleteEffects::default(),
        };
        self.op4(
            Opcode::SorterOpen,
            sorter,
            0,
            index.key_count as i32,
            P4::KeyInfo(key.clone()),
        );
        self.open_table(from, db, table, false)?;
        let scan = self.op(Opcode::Rewind, from, 0, 0);
        let (first, count, skip) = self.index_key(&target, index, Some(record), false)?;
        self.op(Opcode::SorterInsert, sorter, record, 0);
        self.release_temps(first, count);
        if let Some(skip) = skip {
            self.place(skip);
        }
        self.op(Opcode::Next, from, scan + 1, 0);
        self.jump_here(scan);
        let (root, flags) = match tree {
            Tree::Register(root) => (root, p5::BULKCSR | p5::P2ISREG),
            Tree::Page(root) => (root as i32, p5::BULKCSR),
        };
        self.op4(Opcode::OpenWrite, to, root, db as i32, P4::KeyInfo(key));
        self.p5(flags);
        let sorted = self.op(Opcode::SorterSort, sorter, 0, 0);
        let top;
        self.may_abort = true;
        if index.unique.is_some() {
            let fresh = self.label();
            let over = self.op(Opcode::Goto, 0, 0, 0);
            top = self.here();
            self.op4(
                Opcode::SorterCompare,
                sorter,
                fresh.into(),
                record,
                P4::Int(index.key_count as i32),
            );
            self.unique_violation(&target, index, i32::from(p5::OE_ABORT));
            self.jump_here(over);
            self.place(fresh);
        } else {
            top = self.here();
        }
        self.op(Opcode::SorterData, sorter, record, to);
        self.op(Opcode::SeekEnd, to, 0, 0);
        self.op(Opcode::IdxInsert, to, record, 0);
        self.p5(p5::USESEEKRESULT);
        self.op(Opcode::SorterNext, sorter, top, 0);
        self.jump_here(sorted);
        self.op(Opcode::Close, from, 0, 0);
        self.op(Opcode::Close, to, 0, 0);
        self.op(Opcode::Close, sorter, 0, 0);
        Ok(())
    }
}

/// Whether a table belongs to the engine.
fn is_internal(name: &str) -> bool {
    name.len() >= 7 && name.as_bytes()[..7].eq_ignore_ascii_case(b"sqlite_")
}
