//! PRAGMA optimize: ANALYZE of the tables whose statistics are missing or out of date.
//!
//! | mask | |
//! |---|---|
//! | 0x00001 | only tell what would be done |
//! | 0x00002 | ANALYZE |
//! | 0x00010 | with an analysis limit of 2000 |
//! | 0x10000 | look at tables whose indexes all have statistics, too |
//!
//! A table is analysed if an index has no statistics, or if its size has changed by a factor of ten since. (Stock SQLite
//! also looks at tables that a query of this connection would have planned otherwise.)
//!
//! Source: "PRAGMA optimize"; SQLite's `sqlite3Pragma`.

use super::integer;
use crate::codegen::ddl::TEMP;
use crate::compiler::{Compiler, Result};
use crate::schema::{Table, TableKind};
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

/// The mask if none is given.
const MASK: i64 = 0xfffe;
const ANALYSIS_LIMIT: u32 = 2000;
/// A factor of ten, as a logarithm.
const TENFOLD: i16 = 33;

impl Compiler<'_> {
    pub(super) fn optimize(&mut self, db: Option<usize>, arg: Option<&str>) -> Result<()> {
        let mask = arg.map_or(MASK, |arg| i64::from(integer(arg) as u32));
        let row = self.pragma_row(&["optimize"]);
        if mask & 0x02 == 0 {
            return Ok(());
        }
        let own = self.ctx.flags.analysis_limit;
        let limited = mask & 0x10 != 0 && (own == 0 || own >= ANALYSIS_LIMIT);
        let schema = self.ctx.schema;
        let all = 0..schema.dbs.len();
        let mut due: Vec<(usize, Arc<Table>, i16)> = Vec::new();
        let mut trees = 0;
        for number in all.filter(|n| *n != TEMP && db.is_none_or(|db| db == *n)) {
            self.uses_db(number);
            let mut tables: Vec<Arc<Table>> = schema.dbs[number].tables.values().cloned().collect();
            tables.sort_by_key(|table| std::cmp::Reverse(table.order));
            for table in tables {
                let is_internal = table.name.len() >= 7
                    && table.name.as_bytes()[..7].eq_ignore_ascii_case(b"sqlite_");
                if !matches!(table.kind, TableKind::Ordinary) || is_internal {
                    continue;
                }
                let lacks = table.indexes.iter().any(|index| !index.has_statistics);
                let threshold = if lacks { -1 } else { table.row_estimate };
                if mask & 0x1_0000 == 0 && !lacks {
                    continue;
                }
                trees += table.indexes.len() + 1;
                due.push((number, table, threshold));
            }
        }
        if due.len() > 1 {
            self.writes_db(false, due[1].0);
        }
        // Many trees are looked at less closely.
        let limit = match (limited, trees) {
            (false, _) => 0,
            (true, trees) if trees > 100 => (100 * ANALYSIS_LIMIT / trees as u32).max(100),
            (true, _) => ANALYSIS_LIMIT,
        };
        for (number, table, threshold) in due {
            self.optimize_table(number, &table, threshold, mask & 1 != 0, limit, row)?;
        }
        self.op(Opcode::Expire, 0, 0, 0);
        Ok(())
    }

    fn optimize_table(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        threshold: i16,
        tell: bool,
        limit: u32,
        row: i32,
    ) -> Result<()> {
        let cursor = self.alloc_cursor(Some(table.clone()));
        self.open_table(cursor, db, table, false)?;
        let skip = self.label();
        if threshold >= 0 {
            let low = if threshold >= TENFOLD {
                threshold - TENFOLD
            } else {
                -1
            };
            self.op4(
                Opcode::IfSizeBetween,
                cursor,
                skip.into(),
                i32::from(low),
                P4::Int(i32::from(threshold + TENFOLD)),
            );
        } else {
            self.jump(Opcode::Rewind, cursor, skip, 0);
        }
        let quoted = |name: &str| name.replace('"', "\"\"");
        let sql = format!(
            "ANALYZE \"{}\".\"{}\"",
            quoted(&self.ctx.schema.dbs[db].name),
            quoted(&table.name)
        );
        if tell {
            self.op4(Opcode::String8, 0, row, 0, P4::text(sql));
            self.op(Opcode::ResultRow, row, 1, 0);
        } else {
            // Whoever reads cannot be written under.
            self.op(Opcode::Close, cursor, 0, 0);
            let flags = if limit > 0 { 2 } else { 0 };
            self.op4(Opcode::SqlExec, flags, limit as i32, 0, P4::text(sql));
        }
        self.place(skip);
        Ok(())
    }
}
