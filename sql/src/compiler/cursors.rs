//! Cursors: numbers, their tables, and where a column is really read from.

use super::{Compiler, Result};
use crate::bound::Expr;
use crate::schema::{CollationName, Index, Table};
use ringwood_format::affinity::Affinity;
use ringwood_format::collation::Collation;
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_vdbe::{Opcode, P4, ResultCode};
use std::sync::Arc;

/// What registers of REAL columns hold, and what a read makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reals {
    /// A row that was read.
    Read,
    /// A row about to be stored: perhaps an integer, of which a read makes a real.
    Unstored,
    /// A row just stored, of which RETURNING tells: perhaps a real that records keep as an integer, and who copies it into
    /// a record (by `ifnull(x, 0)`, say) gets that integer, as in stock SQLite.
    AsTheyAre,
}

/// Where the columns of a cursor are to be read from instead of from the cursor itself.
#[derive(Clone, Debug)]
pub enum CursorOverride {
    /// From an index, where it has the column; else from the cursor itself.
    Index {
        /// The cursor of the index.
        cursor: i32,
        /// The index.
        index: Arc<Index>,
        /// Whether the table's cursor is not even open.
        covering: bool,
    },
    /// From registers: column n is in `first` plus its place in the record (virtual columns come last).
    Registers {
        /// The register of column 0.
        first: i32,
        /// The register of the rowid, if there is one.
        rowid: Option<i32>,
        /// Whether a REAL column may hold an integer there.
        reals: Reals,
    },
    /// From another cursor that has the same columns in another order: column n of this cursor is column
    /// `map[n]` there (an automatic index, a materialised copy); -1 there is the rowid.
    Mapped {
        /// The other cursor.
        cursor: i32,
        /// Where each column is; `None`: not there.
        map: Arc<[Option<i32>]>,
        /// Where the rowid is.
        rowid: Option<i32>,
    },
}

/// What is known of a cursor.
#[derive(Clone, Default, Debug)]
pub struct CursorInfo {
    /// Its table.
    pub table: Option<Arc<Table>>,
    /// Where its columns are read from instead.
    pub source: Option<CursorOverride>,
}

/// Where a column is read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnSource {
    /// `Column cursor column`, from a table: the number of declaration.
    Table {
        /// The cursor.
        cursor: i32,
        /// The column's number, -1 for the rowid.
        column: i32,
    },
    /// `Column cursor position`, from an index.
    Index {
        /// The cursor.
        cursor: i32,
        /// The place in the entry; -1 for the rowid (`IdxRowid`).
        position: i32,
    },
    /// A register.
    Register {
        /// Which.
        reg: i32,
        /// See [`CursorOverride::Registers`].
        reals: Reals,
    },
}

/// An expression whose value is in an index that is being read.
#[derive(Clone, Debug)]
pub struct IndexedExpr {
    /// The expression, bound to the table's cursor.
    pub expr: Expr,
    /// The table's cursor.
    pub table_cursor: i32,
    /// The index's cursor.
    pub index_cursor: i32,
    /// The place in the entry.
    pub position: i32,
    /// Whether the table is the right side of an outer join, so that a NULL row must be asked for first.
    pub maybe_null_row: bool,
    /// The affinity of the index column.
    pub affinity: Affinity,
}

impl Compiler<'_> {
    /// The next cursor number, with its table if it has one.
    pub fn alloc_cursor(&mut self, table: Option<Arc<Table>>) -> i32 {
        self.cursors.push(CursorInfo {
            table,
            source: None,
        });
        self.cursors.len() as i32 - 1
    }

    /// How many cursors there are so far.
    pub fn cursor_count(&self) -> i32 {
        self.cursors.len() as i32
    }

    /// What is known of a cursor.
    #[inline]
    pub fn cursor(&self, cursor: i32) -> &CursorInfo {
        &self.cursors[cursor as usize]
    }

    /// The table of a cursor.
    #[inline]
    pub fn cursor_table(&self, cursor: i32) -> Option<&Arc<Table>> {
        self.cursors[cursor as usize].table.as_ref()
    }

    /// Says that a cursor's table looks otherwise than it was thought.
    pub fn set_cursor_table(&mut self, cursor: i32, table: Arc<Table>) {
        self.cursors[cursor as usize].table = Some(table);
    }

    /// Makes a cursor's columns be read from elsewhere, or again from itself; returns what was before.
    pub fn override_cursor(
        &mut self,
        cursor: i32,
        source: Option<CursorOverride>,
    ) -> Option<CursorOverride> {
        std::mem::replace(&mut self.cursors[cursor as usize].source, source)
    }

    /// The cursor that tells whether a cursor stands on the NULL row of an outer join: that of the index that is read
    /// instead of the table, because the table may not even be open.
    pub fn null_row_cursor(&self, cursor: i32) -> i32 {
        match &self.cursors[cursor as usize].source {
            Some(CursorOverride::Index { cursor: index, .. }) => *index,
            _ => cursor,
        }
    }

    /// Where a column of a cursor is read from.
    #[inline]
    pub fn column_source(&self, cursor: i32, column: i32) -> ColumnSource {
        let here = ColumnSource::Table { cursor, column };
        let info = &self.cursors[cursor as usize];
        match &info.source {
            None => here,
            Some(CursorOverride::Index {
                cursor: index_cursor,
                index,
                ..
            }) => {
                let rowid_alias = info.table.as_ref().and_then(|table| table.rowid_alias);
                let column = if rowid_alias.is_some_and(|alias| alias as i32 == column) {
                    -1
                } else {
                    column
                };
                if column < 0 {
                    return ColumnSource::Index {
                        cursor: *index_cursor,
                        position: -1,
                    };
                }
                match index.position_of(column) {
                    Some(at) => ColumnSource::Index {
                        cursor: *index_cursor,
                        position: at as i32,
                    },
                    None => here,
                }
            }
            Some(CursorOverride::Registers {
                first,
                rowid,
                reals,
            }) => {
                let reg = match (usize::try_from(column), &info.table) {
                    (Err(_), _) => rowid.unwrap_or(*first),
                    (Ok(column), Some(table)) => first + table.storage_of(column) as i32,
                    (Ok(column), None) => first + column as i32,
                };
                ColumnSource::Register {
                    reg,
                    reals: if column < 0 && *reals == Reals::Unstored {
                        Reals::Read
                    } else {
                        *reals
                    },
                }
            }
            Some(CursorOverride::Mapped { cursor, map, rowid }) => {
                let position = if column < 0 {
                    *rowid
                } else {
                    map.get(column as usize).copied().flatten()
                };
                position.map_or(here, |position| ColumnSource::Index {
                    cursor: *cursor,
                    position,
                })
            }
        }
    }

    /// The collation of that name.
    ///
    /// # Errors
    /// `no such collation sequence: x`
    pub fn collation(&self, name: &CollationName) -> Result<Collation> {
        Ok(match name {
            CollationName::Binary => Collation::Binary,
            CollationName::NoCase => Collation::NoCase,
            CollationName::Rtrim => Collation::Rtrim,
            CollationName::Other(name) => match self.ctx.collations.get(name) {
                Some(collation) => collation.clone(),
                None => {
                    return Err(super::SqlError::new(
                        ResultCode::ERROR_MISSING_COLLSEQ,
                        format!("no such collation sequence: {name}"),
                    ));
                }
            },
        })
    }

    /// How the entries of an index are ordered (SQLite's sqlite3KeyInfoOfIndex).
    pub fn index_key_info(&self, db: usize, index: &Index) -> Result<Arc<KeyInfo>> {
        if let Some(info) = index.key_info.get() {
            return Ok(info.clone());
        }
        // Nothing is searched by what is behind a primary key without NULLs: that is the rest of the row.
        let count = if index.unique_not_null && index.is_primary_key() {
            index.key_count
        } else {
            index.columns.len()
        };
        let behind = if index.unique_not_null {
            count - index.key_count
        } else {
            0
        };
        let mut columns = Vec::with_capacity(count);
        let mut builtin = true;
        for column in &index.columns[..count] {
            builtin &= !matches!(column.collation, CollationName::Other(_));
            columns.push(KeyColumn {
                collation: self.collation(&column.collation)?,
                desc: column.desc,
                big_null: false,
            });
        }
        let info = Arc::new(KeyInfo {
            columns,
            behind,
            encoding: self.ctx.schema.dbs[db].encoding,
        });
        Ok(if builtin {
            index.key_info.get_or_init(|| info).clone()
        } else {
            info
        })
    }

    /// Opens a table, or the primary key of a WITHOUT ROWID table, for reading or writing (SQLite's sqlite3OpenTable).
    pub fn open_table(
        &mut self,
        cursor: i32,
        db: usize,
        table: &Table,
        write: bool,
    ) -> Result<i32> {
        self.uses_db(db);
        let opcode = if write {
            Opcode::OpenWrite
        } else {
            Opcode::OpenRead
        };
        if table.has_rowid() {
            return Ok(self.op4(
                opcode,
                cursor,
                table.root as i32,
                db as i32,
                P4::Int(table.stored_count() as i32),
            ));
        }
        let index = table
            .primary_key_index()
            .expect("a WITHOUT ROWID table has a primary key");
        let key = self.index_key_info(db, index)?;
        Ok(self.op4(
            opcode,
            cursor,
            index.root as i32,
            db as i32,
            P4::KeyInfo(key),
        ))
    }

    /// Opens an index.
    pub fn open_index(
        &mut self,
        cursor: i32,
        db: usize,
        index: &Index,
        write: bool,
    ) -> Result<i32> {
        self.uses_db(db);
        let opcode = if write {
            Opcode::OpenWrite
        } else {
            Opcode::OpenRead
        };
        let key = self.index_key_info(db, index)?;
        Ok(self.op4(
            opcode,
            cursor,
            index.root as i32,
            db as i32,
            P4::KeyInfo(key),
        ))
    }
}
