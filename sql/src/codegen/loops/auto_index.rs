//! Automatic indexes: made for one statement, where a join would scan a table again and again.
//!
//! ```text
//!   Once                                      │ columns of the index:
//!     OpenAutoindex                           │   those that terms compare,
//!     for each row of the table               │   then all others that the statement uses,
//!       conditions on this table alone        │   then the rowid
//!       MakeRecord, IdxInsert                 │
//! ```
//!
//! Rules:
//! 1. Conditions that concern this table alone are tested while the index is filled: it is then partial. Not those of
//!    WHERE on the right side of a LEFT JOIN, which come after the join.
//! 2. The table is not touched after that.
//! 3. Its storage is a hash table, unless it is read backwards, by a collation of the application, or in UTF-16: the
//!    rows with one key come as they would from a tree.
//!
//! Source: SQLite's `constructAutomaticIndex`.

use super::Loops;
use super::bloom::filter_columns;
use crate::bound::{Expr, walk};
use crate::compiler::{Compiler, CursorOverride, Optimizations, Reals, Result};
use crate::plan::term::{ExprRef, On, Rows};
use crate::plan::{ClauseId, LoopFlags, Mask};
use crate::schema::{CollationName, Index, IndexColumn, IndexKey, IndexOrigin};
use ringwood_format::collation::Collation;
use ringwood_vdbe::{Opcode, P4};
use smallvec::SmallVec;
use std::sync::Arc;

impl<'q> Loops<'q> {
    /// Makes and fills the index of a level.
    pub(super) fn build_automatic_index(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        not_ready: Mask,
    ) -> Result<()> {
        let once = c.op(Opcode::Once, 0, 0, 0);
        let source_no = self.levels[i].source;
        let source = self.plan.sources[source_no];
        let (item, table) = (source.item, source.item.table.clone());
        let mut key: SmallVec<[IndexColumn; 8]> = SmallVec::new();
        let mut terms = SmallVec::new();
        let mut binary = true; // a filter knows no other collation
        let mut partial: SmallVec<[ExprRef<'q>; 4]> = SmallVec::new();
        for &id in &self.plan.clause(ClauseId::WHERE).terms {
            let t = self.plan.term(id);
            if !t.is_virtual() && self.concerns_only(&t.expr, t.on, source_no) {
                partial.push(t.expr.clone());
            }
            if self.plan.can_drive_index(t, source_no as u8, not_ready) {
                let column = t.column as usize;
                if key.iter().any(|k| k.key.column() == Some(column as i32)) {
                    continue;
                }
                let collation = t
                    .sides
                    .as_ref()
                    .map_or(CollationName::Binary, |s| s.collation.clone());
                key.push(IndexColumn {
                    key: IndexKey::Column(column),
                    collation,
                    desc: false,
                });
                terms.push(Some(id));
                binary &= key
                    .last()
                    .is_some_and(|k| k.collation.same(&CollationName::Binary));
            }
        }
        let key_count = key.len();
        let mut columns: Vec<IndexColumn> = key.into_vec();
        for n in 0..table.columns.len() {
            let used = source.is_subquery() || item.columns_used & (1 << n.min(63)) != 0;
            let of_key = table.without_rowid && table.columns[n].primary_key;
            if (used || of_key) && !columns.iter().any(|k| k.key.column() == Some(n as i32)) {
                columns.push(IndexColumn {
                    key: IndexKey::Column(n),
                    collation: CollationName::Binary,
                    desc: false,
                });
            }
        }
        let rowid_at = columns.len();
        if table.has_rowid() {
            columns.push(IndexColumn {
                key: IndexKey::Rowid,
                collation: CollationName::Binary,
                desc: false,
            });
        }
        let count = columns.len();
        let index = Arc::new(Index::automatic(table.name.clone(), columns, key_count));
        debug_assert_eq!(index.origin, IndexOrigin::Create);
        let cursor = c.alloc_cursor(None);
        let info = c.index_key_info(item.db, &index)?;
        // It is asked for keys as a whole, and read forwards: a hash table will do, if it can tell the keys apart.
        let is_hashed = info.encoding.is_utf8()
            && self.plan.reverse & (1 << i) == 0
            && !info.columns[..key_count]
                .iter()
                .any(|column| matches!(column.collation, Collation::Custom(_)));
        let hashed = if is_hashed { key_count as i32 } else { 0 };
        let p4 = P4::KeyInfo(info);
        c.op4(Opcode::OpenAutoindex, cursor, count as i32, hashed, p4);

        if binary && c.optimizes(Optimizations::BLOOM_FILTER) {
            let names = filter_columns(&index, 0..key_count, &table);
            let name = item.display_name();
            c.explain(|| format!("BLOOM FILTER ON {name} ({names})"));
            self.levels[i].filter = c.alloc_reg();
            c.op(Opcode::Blob, 10_000, self.levels[i].filter, 0);
        }

        // All rows of the source.
        let coroutine = match source.rows {
            Rows::Coroutine {
                yield_reg,
                address,
                result,
            } => Some((yield_reg, address, result)),
            _ => None,
        };
        let top;
        let halt = self.levels[i].halt;
        match coroutine {
            Some((yield_reg, address, result)) => {
                c.op(Opcode::InitCoroutine, yield_reg, 0, address);
                top = c.op(Opcode::Yield, yield_reg, 0, 0);
                let by = CursorOverride::Registers {
                    first: result,
                    rowid: None,
                    reals: Reals::Read,
                };
                c.override_cursor(item.cursor, Some(by));
            }
            None => top = c.jump(Opcode::Rewind, item.cursor, halt, 0),
        }
        let skip = (!partial.is_empty()).then(|| c.label());
        let factor = std::mem::replace(&mut c.factor_constants, false);
        if let Some(label) = skip {
            for expr in &partial {
                c.expr_if_false(expr, label, true)?;
            }
        }
        c.factor_constants = factor;
        let record = c.temp_reg();
        let first = c.temp_regs(count);
        for at in 0..count {
            let target = first + at as i32;
            if at == rowid_at && coroutine.is_some() {
                c.op(Opcode::Sequence, cursor, target, 0);
                continue;
            }
            c.code_index_column(&table, &index, item.cursor, at, target)?;
        }
        c.op(Opcode::MakeRecord, first, count as i32, record);
        if self.levels[i].filter != 0 {
            let p4 = P4::Int(key_count as i32);
            c.op4(Opcode::FilterAdd, self.levels[i].filter, 0, first, p4);
        }
        c.op(Opcode::IdxInsert, cursor, record, 0);
        c.release_temps(first, count);
        c.release_temp(record);
        if let Some(label) = skip {
            c.place(label);
        }
        if coroutine.is_some() {
            c.op(Opcode::Goto, 0, top, 0);
            c.jump_here(top);
            c.override_cursor(item.cursor, None);
            self.plan.sources[source_no].rows = Rows::Ephemeral;
        } else {
            c.op(Opcode::Next, item.cursor, top + 1, 0);
            if source.join.left {
                c.jump_here(top);
            }
        }
        c.jump_here(once);

        let lp = &mut self.plan.levels[i].lp;
        lp.eq = key_count as u16;
        lp.terms = terms;
        lp.flags =
            LoopFlags::COLUMN_EQ | LoopFlags::IDX_ONLY | LoopFlags::INDEXED | LoopFlags::AUTO_INDEX;
        if skip.is_some() {
            lp.flags |= LoopFlags::PARTIAL_IDX;
        }
        let code = &mut self.levels[i];
        code.index = Some(index);
        code.index_cursor = cursor;
        Ok(())
    }

    /// Whether a condition is about one source alone and may be tested before it is joined (SQLite's
    /// sqlite3ExprIsSingleTableConstraint).
    pub(super) fn concerns_only(&self, expr: &Expr, on: On, source_no: usize) -> bool {
        let source = &self.plan.sources[source_no];
        if source.join.left_of_right || !walk::is_constant_but_for(expr, source.cursor()) {
            return false;
        }
        if source.join.left {
            if on != On::Outer(source.cursor()) {
                return false;
            }
        } else if on.is_outer() {
            return false;
        }
        if matches!(on, On::Inner(_) | On::Outer(_)) && self.plan.sources[0].join.left_of_right {
            // The unmatched rows of a RIGHT JOIN further right must not be filtered by an ON to its left.
            for (n, other) in self.plan.sources.iter().enumerate() {
                if on.cursor() == Some(other.cursor()) {
                    return n >= source_no || !other.join.left_of_right;
                }
            }
        }
        true
    }
}
