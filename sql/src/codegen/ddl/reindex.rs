//! REINDEX: indexes emptied and filled again.
//!
//! | | what |
//! |---|---|
//! | `REINDEX` | every index |
//! | `REINDEX x` | the indexes that use collation x; or else those of table x, or index x; for `expressions` also those over expressions |
//! | `REINDEX db.x` | the indexes of table x, or index x |
//!
//! Source: SQLite's `sqlite3Reindex`, `sqlite3RefillIndex`.

use crate::ast::QualifiedName;
use crate::authorizer::ActionCode;
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::{CollationName, Index, Table};
use ringwood_vdbe::Opcode;
use std::sync::Arc;

impl Compiler<'_> {
    /// REINDEX.
    pub fn code_reindex(&mut self, name: Option<&QualifiedName>) -> Result<()> {
        let schema = self.ctx.schema;
        let Some(name) = name else {
            return self.reindex_where(None, &|_, _, _| true);
        };
        let db = match &name.schema {
            Some(of) => Some(schema.db_index(&of.text).ok_or_else(|| {
                let written = String::from_utf8_lossy(of.span.slice(self.text));
                SqlError::at(of.span.start, format!("unknown database {written}"))
            })?),
            None => None,
        };
        let text = &*name.name.text;
        let expressions = db.is_none() && text.eq_ignore_ascii_case("expressions");
        let collation = CollationName::new(text);
        let is_collation = db.is_none() && self.collation(&collation).is_ok();
        let (mut table, mut index) = (None, None);
        if !is_collation {
            table = schema
                .find_table(db, text)
                .map(|(db, table)| (db, table.name.clone()));
            index = schema
                .find_index(db, text)
                .map(|(db, index)| (db, index.name.clone()));
        }
        if !expressions && !is_collation && table.is_none() && index.is_none() {
            return Err(SqlError::error(
                "unable to identify the object to be reindexed",
            ));
        }
        self.reindex_where(db, &|at, of: &Table, candidate: &Index| {
            let named = |what: &Option<(usize, Arc<str>)>, name: &Arc<str>| {
                what.as_ref()
                    .is_some_and(|(db, what)| *db == at && what == name)
            };
            named(&table, &of.name)
                || named(&index, &candidate.name)
                || (expressions && candidate.has_expr)
                || (is_collation
                    && candidate
                        .columns
                        .iter()
                        .any(|column| column.collation.same(&collation)))
        })
    }

    fn reindex_where(
        &mut self,
        only: Option<usize>,
        wanted: &dyn Fn(usize, &Table, &Index) -> bool,
    ) -> Result<()> {
        let schema = self.ctx.schema;
        for db in 0..schema.dbs.len() {
            if only.is_some_and(|only| only != db) {
                continue;
            }
            let mut tables: Vec<Arc<Table>> = schema.dbs[db].tables.values().cloned().collect();
            tables.sort_by_key(|table| std::cmp::Reverse(table.order));
            for table in tables.iter().filter(|table| !table.is_virtual()) {
                for index in table.indexes.iter().filter(|i| wanted(db, table, i)) {
                    if !self.authorize_in(ActionCode::Reindex, &index.name, None, db)? {
                        continue;
                    }
                    if table.without_rowid && index.is_primary_key() {
                        // It is the table itself.
                        self.uses_db(db);
                        continue;
                    }
                    self.writes_db(false, db);
                    self.op(Opcode::Clear, index.root as i32, db as i32, 0);
                    self.fill_index(db, table, index, super::Tree::Page(index.root))?;
                }
            }
        }
        Ok(())
    }
}
