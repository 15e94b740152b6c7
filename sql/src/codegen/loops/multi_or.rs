//! The union of index loops that serves an OR.
//!
//! ```text
//!   rowset = {}
//!   for each disjunct:  loop over its index
//!                         rowid in rowset? next : add it
//!                         Gosub body ──────────────┐
//!   Goto end                                       │
//!   body: conditions, inner loops, caller's body ◀─┘
//!         Return
//! ```
//!
//! Rules:
//! 1. The other conditions that can be tested by now are tested within each disjunct, where an index may serve them.
//! 2. If every disjunct uses one and the same index, its cursor is shared, and columns are read from it.
//! 3. The OR itself need not be tested, unless a disjunct left something untested.
//!
//! Source: SQLite's `sqlite3WhereCodeOneLoopStart`, case 5.

use super::{Loops, Request, begin};
use crate::bound::walk;
use crate::compiler::{Compiler, CursorOverride, Result, SqlError};
use crate::plan::term::{ExprRef, On, Rows};
use crate::plan::{ClauseId, Control, LoopFlags, Ops, TermFlags, TermId};
use crate::schema::Index;
use ringwood_format::key::KeyInfo;
use ringwood_vdbe::{Opcode, P4};
use smallvec::SmallVec;
use std::sync::Arc;

/// Where rows that have been seen are kept.
#[derive(Clone, Copy)]
enum Seen {
    /// Nowhere: duplicates do no harm.
    No,
    /// A set of rowids in a register; the register for a rowid.
    Rowids(i32, i32),
    /// An ephemeral index of primary keys; the register for a record.
    Keys(i32, i32),
}

impl<'q> Loops<'q> {
    /// The loop of a level that is an OR.
    pub(super) fn code_multi_or(&mut self, c: &mut Compiler<'_>, i: usize) -> Result<()> {
        let Some(Some(id)) = self.plan.levels[i].lp.terms.first().copied() else {
            return Err(SqlError::error("internal query planner error"));
        };
        let Some(or) = self.plan.term(id).inner else {
            return Err(SqlError::error("internal query planner error"));
        };
        let source = self.plan.sources[self.levels[i].source];
        let cursor = source.cursor();
        let shared_cursor = c.alloc_cursor(None);
        let return_reg = c.alloc_reg();
        self.levels[i].op = Opcode::Return;
        self.levels[i].p1 = return_reg;
        let body = c.label();

        // The disjunct's source, then those that have no row yet.
        let mut sources = SmallVec::new();
        let mut own = source;
        if own.is_subquery() && own.rows != Rows::Recursive {
            own.rows = Rows::Ephemeral; // filled by now
        }
        sources.push(own);
        if self.plan.control.contains(Control::OR_SUBCLAUSE) {
            // An OR within a disjunct: the others of the list are those without a row.
            sources.extend_from_slice(&self.plan.sources[1..]);
        } else {
            let later = &self.levels[i + 1..];
            sources.extend(later.iter().map(|level| self.plan.sources[level.source]));
        }
        let seen = self.open_seen(c, i)?;
        let start = c.op(Opcode::Integer, 0, return_reg, 0);
        let others = self.testable_now(i, id);
        let mut common: Option<Arc<Index>> = None;
        let mut untested = false;
        c.explain_push(|| "MULTI-INDEX OR".to_owned());
        let disjuncts = self.plan.clause(or).terms.clone();
        for (n, &d) in disjuncts.iter().enumerate() {
            let t = self.plan.term(d);
            if t.cursor != cursor && !t.ops.contains(Ops::AND) {
                continue;
            }
            let mut terms: SmallVec<[(ExprRef<'q>, On); 4]> = SmallVec::new();
            terms.push((t.expr.clone(), t.on));
            terms.extend(others.iter().cloned());
            c.explain_push(|| format!("INDEX {}", n + 1));
            let mut request = Request::of(sources.clone(), terms, Control::OR_SUBCLAUSE);
            request.index_cursor = shared_cursor;
            let inner = begin(c, &mut request)?;
            inner.explain_disjunct(c);
            let jump = self.test_seen(c, i, &inner, seen, n, n + 1 == disjuncts.len())?;
            c.op(Opcode::Gosub, return_reg, body.into(), 0);
            if let Some(addr) = jump {
                c.jump_here(addr);
            }
            untested |= inner.untested;
            let (lp, code) = (&inner.plan.levels[0].lp, &inner.levels[0]);
            let table = &source.item.table;
            common = match &code.index {
                Some(index)
                    if lp.flags.contains(LoopFlags::INDEXED)
                        && (n == 0 || common.as_ref().is_some_and(|c| Arc::ptr_eq(c, index)))
                        && (table.has_rowid() || !index.is_primary_key()) =>
                {
                    Some(index.clone())
                }
                _ => None,
            };
            self.deferred_seek |= inner.deferred_seek;
            inner.end(c)?;
            c.explain_pop();
        }
        c.explain_pop();
        if let Some(index) = &common {
            self.levels[i].index_cursor = shared_cursor;
            let by = CursorOverride::Index {
                cursor: shared_cursor,
                index: index.clone(),
                covering: false,
            };
            self.cover(c, i, by);
        }
        self.levels[i].index = common;
        let here = c.here();
        c.b.set_p1(start, here);
        let brk = self.levels[i].brk;
        c.goto(brk);
        c.place(body);
        self.levels[i].p2 = c.here();
        if !untested {
            self.disable(i, id);
        }
        Ok(())
    }

    fn open_seen(&self, c: &mut Compiler<'_>, i: usize) -> Result<Seen> {
        if self.plan.control.contains(Control::DUPLICATES_OK) {
            return Ok(Seen::No);
        }
        let item = self.plan.sources[self.levels[i].source].item;
        match item
            .table
            .primary_key_index()
            .filter(|_| item.table.without_rowid)
        {
            None => {
                let set = c.alloc_reg();
                c.op(Opcode::Null, 0, set, 0);
                Ok(Seen::Rowids(set, c.alloc_reg()))
            }
            Some(index) => {
                let cursor = c.alloc_cursor(None);
                let full = c.index_key_info(item.db, index)?;
                let columns = full.columns[..index.key_count].to_vec();
                let key = Arc::new(KeyInfo {
                    columns,
                    behind: 0,
                    encoding: full.encoding,
                });
                c.op4(
                    Opcode::OpenEphemeral,
                    cursor,
                    index.key_count as i32,
                    0,
                    P4::KeyInfo(key),
                );
                Ok(Seen::Keys(cursor, c.alloc_reg()))
            }
        }
    }

    /// Skips a row that an earlier disjunct has found; returns the jump to be placed behind the call of the body.
    fn test_seen(
        &self,
        c: &mut Compiler<'_>,
        i: usize,
        inner: &Loops<'q>,
        seen: Seen,
        n: usize,
        last: bool,
    ) -> Result<Option<i32>> {
        match seen {
            Seen::No => Ok(None),
            Seen::Rowids(set, rowid) => {
                inner.code_key(c, 0, &[-1], rowid)?;
                let batch = if last { -1 } else { n as i32 };
                Ok(Some(c.op4(
                    Opcode::RowSetTest,
                    set,
                    0,
                    rowid,
                    P4::Int(batch),
                )))
            }
            Seen::Keys(cursor, record) => {
                let columns = self.key_columns(i);
                let count = columns.len() as i32;
                let first = c.temp_regs(columns.len());
                inner.code_key(c, 0, &columns, first)?;
                let jump = (n > 0).then(|| c.op4(Opcode::Found, cursor, 0, first, P4::Int(count)));
                if !last {
                    c.op(Opcode::MakeRecord, first, count, record);
                    c.op4(Opcode::IdxInsert, cursor, record, first, P4::Int(count));
                }
                c.release_temps(first, columns.len());
                Ok(jump)
            }
        }
    }

    /// Conditions to be tested within each disjunct (rule 1).
    fn testable_now(&self, i: usize, or: TermId) -> SmallVec<[(ExprRef<'q>, On); 4]> {
        let mut terms = SmallVec::new();
        for &id in &self.plan.clause(ClauseId::WHERE).terms {
            let t = self.plan.term(id);
            if id == or
                || t.flags
                    .intersects(TermFlags::VIRTUAL | TermFlags::CODED | TermFlags::SLICE)
                || t.ops.is_empty()
                || walk::has_subquery(&t.expr)
                || !self.is_ready(i, t.on)
            {
                continue;
            }
            terms.push((t.expr.clone(), t.on));
        }
        terms
    }
}
