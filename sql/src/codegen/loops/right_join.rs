//! RIGHT and FULL JOIN: the rows of the right table that found no match.
//!
//! ```text
//!   loops as for an inner join; each row of the right table that matches is noted
//!     BeginSubrtn ◀───────────────────────────┐
//!     conditions of WHERE, inner loops, body  │
//!     Return                                  │
//!   NullRow on everything to the left         │
//!   for each row of the right table           │
//!     noted? next : Gosub ────────────────────┘
//! ```
//!
//! Source: SQLite's `sqlite3WhereRightJoinLoop`.

use super::{Loops, Request, begin};
use crate::bound::JoinKind;
use crate::compiler::{Compiler, Result};
use crate::plan::term::{ExprRef, On, Rows, Source};
use crate::plan::{ClauseId, Control, LoopFlags, Ops, TermFlags};
use ringwood_vdbe::{Opcode, P4};

impl Loops<'_> {
    /// From here on, what the level's rows are used for is a subroutine.
    pub(super) fn begin_body_subroutine(&mut self, c: &mut Compiler<'_>, i: usize) {
        if let Some(join) = &mut self.levels[i].right_join {
            c.op(Opcode::BeginSubrtn, 0, join.return_reg, 0);
            join.subroutine = c.here();
        }
    }

    /// The pass over the right table for rows without a match.
    pub(super) fn unmatched_rows(&mut self, c: &mut Compiler<'_>, i: usize) -> Result<()> {
        let Some(join) = self.levels[i].right_join.clone() else {
            return Ok(());
        };
        let source = self.plan.sources[self.levels[i].source];
        let name = source.item.table.name.clone();
        c.explain_push(|| format!("RIGHT-JOIN {name}"));
        let mut all = 0;
        for k in 0..i {
            let code = &self.levels[k];
            all |= self.plan.levels[k].lp.self_mask;
            let left = self.plan.sources[code.source];
            if let Rows::Coroutine { result, .. } = left.rows {
                let count = left.item.table.columns.len() as i32;
                c.op(Opcode::Null, 0, result, result + count - 1);
            } else {
                c.op(Opcode::NullRow, code.table_cursor, 0, 0);
            }
            if code.index_cursor >= 0 && code.index_cursor != code.table_cursor {
                c.op(Opcode::NullRow, code.index_cursor, 0, 0);
            }
        }
        let mut terms = smallvec::SmallVec::new();
        if !source.join.left_of_right {
            all |= self.plan.levels[i].lp.self_mask;
            for &id in &self.plan.clause(ClauseId::WHERE).terms {
                let t = self.plan.term(id);
                if t.flags.intersects(TermFlags::VIRTUAL | TermFlags::SLICE) && t.ops != Ops::ROWVAL
                {
                    break;
                }
                if t.prereq_all & !all == 0 && t.on == On::Where {
                    terms.push((t.expr.clone(), On::Where));
                }
            }
        }
        self.uncover(c, i);
        let index_cursor = self.levels[i].index_cursor;
        if index_cursor >= 0 && index_cursor != self.levels[i].table_cursor {
            c.op(Opcode::NullRow, index_cursor, 0, 0);
        }
        let mut sources = smallvec::SmallVec::new();
        // A subquery that nothing has filled, because there was nothing to the left, is filled now.
        sources.push(Source {
            join: JoinKind::default(),
            ..source
        });
        for argument in crate::plan::virtual_table::arguments(source.item) {
            terms.push((ExprRef::made(argument), On::Where));
        }
        let mut request = Request::of(sources, terms, Control::RIGHT_JOIN);
        let inner = begin(c, &mut request)?;
        let next = inner.continue_label;
        let columns = self.key_columns(i);
        let first = c.alloc_regs(columns.len());
        inner.code_key(c, 0, &columns, first)?;
        let count = columns.len() as i32;
        if join.filter != 0 {
            let over = c.here() + 2;
            c.op4(Opcode::Filter, join.filter, over, first, P4::Int(count));
        }
        c.op4(
            Opcode::Found,
            join.matched,
            next.into(),
            first,
            P4::Int(count),
        );
        let record = c.temp_reg();
        c.op(Opcode::MakeRecord, first, count, record);
        c.op4(
            Opcode::IdxInsert,
            join.matched,
            record,
            first,
            P4::Int(count),
        );
        c.release_temp(record);
        c.op(Opcode::Gosub, join.return_reg, join.subroutine, 0);
        inner.end(c)?;
        c.explain_pop();
        debug_assert!(!self.plan.levels[i].lp.flags.contains(LoopFlags::IDX_ONLY));
        Ok(())
    }
}
