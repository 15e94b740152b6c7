//! The equality part of a loop's key: values, IN loops, affinities, the prefix of a skip-scan.
//!
//! ```text
//!   a=5 AND b IN (1,2) AND c=x       key registers  r+0 = 5
//!                                                   r+1 = each of 1, 2   (a loop inside the level)
//!                                                   r+2 = x
//! ```
//!
//! Rules:
//! 1. NULL on the right of `=` finds nothing: the loop is left, unless the operator is IS.
//! 2. A value gets the affinity of the comparison before the search, except where it would not change anything.
//! 3. A term that the key enforces is disabled, unless it came by way of an equivalence: then the equivalence itself
//!    must still be tested.
//!
//! Source: SQLite's `codeEqualityTerm`, `codeINTerm`, `codeAllEqualityTerms`, `disableTerm`.

use super::{InLoop, Loops, row_value};
use crate::bound::{Expr, UnaryOp};
use crate::codegen::membership::{InKind, InUse};
use crate::codegen::types::compare_affinity;
use crate::compiler::{Compiler, Result, SqlError};
use crate::plan::{LoopFlags, Ops, TermFlags, TermId};
use crate::schema::{Index, IndexKey, Table};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::{Opcode, P4};
use smallvec::SmallVec;

/// The affinities of key registers.
pub(super) type Affinities = SmallVec<[Affinity; 8]>;

impl Loops<'_> {
    /// Marks a term as coded, and its parent when it was the last child (rule 3).
    pub(super) fn disable(&mut self, i: usize, id: TermId) {
        let (left_join, not_ready) = (self.levels[i].left_join != 0, self.levels[i].not_ready);
        let mut id = id;
        let mut above = false;
        loop {
            let t = self.plan.term_mut(id);
            if t.flags.contains(TermFlags::CODED)
                || (left_join && !t.on.is_outer())
                || not_ready & t.prereq_all != 0
            {
                return;
            }
            if above && t.flags.contains(TermFlags::LIKE) {
                t.flags |= TermFlags::LIKE_COND;
            } else {
                t.flags |= TermFlags::CODED;
            }
            let Some(parent) = t.parent else { return };
            id = parent;
            let p = self.plan.term_mut(id);
            p.children = p.children.saturating_sub(1);
            if p.children != 0 {
                return;
            }
            above = true;
        }
    }

    /// The value that column `at` of the key must have, into `target` or where the result says.
    pub(super) fn code_equality(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        id: TermId,
        at: usize,
        reverse: bool,
        target: i32,
    ) -> Result<i32> {
        let t = self.plan.term(id);
        let Some(sides) = &t.sides else {
            return Err(SqlError::error("internal query planner error"));
        };
        let mut reg = target;
        match (sides.op, &sides.right) {
            (Ops::ISNULL, _) => {
                c.op(Opcode::Null, 0, target, 0);
            }
            (Ops::IN, _) => self.code_in(c, i, id, at, reverse, target)?,
            (_, Some(right)) => {
                let right = right.clone();
                reg = c.expr_code_target(&right, target)?;
            }
            _ => return Err(SqlError::error("internal query planner error")),
        }
        let transitive = self.plan.levels[i].lp.flags.contains(LoopFlags::TRANSCONS);
        if !transitive || !self.plan.term(id).ops.contains(Ops::EQUIV) {
            self.disable(i, id);
        }
        Ok(reg)
    }

    /// Begins the loop over the values of an IN.
    fn code_in(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        id: TermId,
        at: usize,
        reverse: bool,
        target: i32,
    ) -> Result<()> {
        let terms = self.plan.levels[i].lp.terms.clone();
        let expr = self.plan.term(id).expr.clone();
        let Expr::In(set) = &*expr else {
            return Err(SqlError::error("internal query planner error"));
        };
        let same = |plan: &crate::plan::Where<'_>, t: &Option<TermId>| {
            t.is_some_and(|t| plan.term(t).in_expr().is_some_and(|s| s.id == set.id))
        };
        if terms[..at].iter().any(|t| same(&self.plan, t)) {
            // A further field of a row value: the first one loops for all.
            self.disable(i, id);
            return Ok(());
        }
        let mut reverse = reverse;
        if self.levels[i]
            .index
            .as_ref()
            .is_some_and(|index| index.columns[at].desc)
        {
            reverse = !reverse;
        }
        let fields: SmallVec<[(usize, usize); 2]> = terms
            .iter()
            .enumerate()
            .skip(at)
            .filter(|(_, t)| same(&self.plan, t))
            .map(|(place, t)| {
                (
                    place,
                    t.map_or(0, |t| usize::from(self.plan.term(t).field.max(1)) - 1),
                )
            })
            .collect();
        let numbers: SmallVec<[usize; 2]> = fields.iter().map(|(_, field)| *field).collect();
        let reduced = row_value::over_fields(c, set, &numbers);
        let fields: SmallVec<[(usize, usize); 2]> = match &reduced {
            Some(_) => fields
                .iter()
                .enumerate()
                .map(|(n, (place, _))| (*place, n))
                .collect(),
            None => fields,
        };
        let index = c.find_in_index(reduced.as_ref().unwrap_or(set), InUse::Loop)?;
        if index.kind == InKind::IndexDesc {
            reverse = !reverse;
        }
        if fields.len() > 1 {
            self.plan.levels[i].lp.flags -= LoopFlags::IN_SEEKSCAN;
        }
        c.op(
            if reverse {
                Opcode::Last
            } else {
                Opcode::Rewind
            },
            index.cursor,
            0,
            0,
        );
        let lp = &mut self.plan.levels[i].lp;
        lp.flags |= LoopFlags::IN_ABLE;
        // A virtual table has no cursor that could be asked for hope.
        let no_hope = LoopFlags::IN_SEEKSCAN | LoopFlags::VIRTUAL;
        if at > 0 && !lp.flags.intersects(no_hope) {
            lp.flags |= LoopFlags::IN_EARLYOUT;
        }
        let no_hope = lp.flags.intersects(no_hope);
        let code = &mut self.levels[i];
        if code.ins.is_empty() {
            code.next = c.label();
        }
        for (place, field) in fields {
            let out = target + (place - at) as i32;
            let top = if index.kind == InKind::Rowid {
                c.op(Opcode::Rowid, index.cursor, out, 0)
            } else {
                c.op(Opcode::Column, index.cursor, index.map[field] as i32, out)
            };
            c.op(Opcode::IsNull, out, 0, 0);
            let leads = place == at;
            code.ins.push(InLoop {
                cursor: index.cursor,
                top,
                base: if leads && at > 0 {
                    target - at as i32
                } else {
                    0
                },
                prefix: if leads { at as i32 } else { 0 },
                step: leads.then_some(if reverse { Opcode::Prev } else { Opcode::Next }),
            });
        }
        if at > 0 && !no_hope {
            c.op(Opcode::SeekHit, code.index_cursor, 0, at as i32);
        }
        Ok(())
    }

    /// All equality values of a level's key; the first register and the affinities still to be applied. `extra`
    /// registers follow for range values.
    pub(super) fn code_equalities(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        reverse: bool,
        extra: usize,
    ) -> Result<(i32, Affinities)> {
        let lp = &self.plan.levels[i].lp;
        let (eq, skip) = (usize::from(lp.eq), usize::from(lp.skip));
        let terms = lp.terms.clone();
        let base = c.alloc_regs(eq + extra);
        let Some(index) = self.levels[i].index.clone() else {
            return Err(SqlError::error("internal query planner error"));
        };
        let table = self.plan.sources[self.levels[i].source].item.table.clone();
        let mut affinities = self.index_affinities(i, &index, &table);
        if skip > 0 {
            let cursor = self.levels[i].index_cursor;
            c.op(Opcode::Null, 0, base, base + skip as i32 - 1);
            c.op(
                if reverse {
                    Opcode::Last
                } else {
                    Opcode::Rewind
                },
                cursor,
                0,
                0,
            );
            let go = c.op(Opcode::Goto, 0, 0, 0);
            let seek = if reverse {
                Opcode::SeekLT
            } else {
                Opcode::SeekGT
            };
            self.levels[i].skip = c.op4(seek, cursor, 0, base, P4::Int(skip as i32));
            c.jump_here(go);
            for j in 0..skip {
                c.op(Opcode::Column, cursor, j as i32, base + j as i32);
            }
        }
        for j in skip..eq {
            let Some(id) = terms[j] else {
                return Err(SqlError::error("internal query planner error"));
            };
            let target = base + j as i32;
            let reg = self.code_equality(c, i, id, j, reverse, target)?;
            if reg != target {
                c.op(Opcode::Copy, reg, target, 0);
            }
            let t = self.plan.term(id);
            if t.ops.contains(Ops::IN) {
                if t.in_expr()
                    .is_some_and(|s| matches!(s.set, crate::bound::InSet::Select { .. }))
                {
                    affinities[j] = Affinity::Blob; // applied when the set was made
                }
                continue;
            }
            let Some(right) = t.sides.as_ref().and_then(|s| s.right.clone()) else {
                continue;
            };
            if !t.flags.contains(TermFlags::IS) && c.can_be_null(&right) {
                let brk = self.levels[i].brk;
                c.jump(Opcode::IsNull, target, brk, 0); // rule 1
            }
            if compare_affinity(&right, affinities[j]) == Affinity::Blob
                || needs_no_change(&right, affinities[j])
            {
                affinities[j] = Affinity::Blob;
            }
        }
        Ok((base, affinities))
    }

    /// The affinity of each column of an index.
    fn index_affinities(&self, i: usize, index: &Index, table: &Table) -> Affinities {
        let lp = &self.plan.levels[i].lp;
        let columns = index.columns.iter().enumerate();
        columns
            .map(|(at, column)| {
                let affinity = match &column.key {
                    IndexKey::Rowid => Affinity::Integer,
                    IndexKey::Column(n) => table.columns[*n].affinity,
                    IndexKey::Expr(_) => match lp.index {
                        Some(no) => self
                            .plan
                            .index_expr(lp.source, no, at as u16)
                            .map_or(Affinity::Blob, Expr::affinity),
                        None => Affinity::Blob,
                    },
                };
                affinity.clamp(Affinity::Blob, Affinity::Numeric)
            })
            .collect()
    }
}

/// Affinities of a range's values, where they matter.
pub(super) fn range_affinities(right: &Expr, affinities: &mut [Affinity]) {
    for (n, affinity) in affinities.iter_mut().enumerate() {
        let field = right.vector_field(n);
        if compare_affinity(field, *affinity) == Affinity::Blob || needs_no_change(field, *affinity)
        {
            *affinity = Affinity::Blob;
        }
    }
}

/// Applies affinities to registers from `base` on, leaving out those at the ends that do nothing.
pub(super) fn apply_affinities(c: &mut Compiler<'_>, base: i32, affinities: &[Affinity]) {
    let idle = |a: &Affinity| *a <= Affinity::Blob;
    let from = affinities
        .iter()
        .position(|a| !idle(a))
        .unwrap_or(affinities.len());
    let rest = &affinities[from..];
    let to = rest.iter().rposition(|a| !idle(a)).map_or(0, |at| at + 1);
    if to > 0 {
        let letters = crate::codegen::comparison::affinity_letters(rest[..to].iter().copied());
        c.op4(Opcode::Affinity, base + from as i32, to as i32, 0, letters);
    }
}

/// Whether a value is what that affinity would make of it.
fn needs_no_change(expr: &Expr, affinity: Affinity) -> bool {
    if affinity <= Affinity::Blob {
        return true;
    }
    let mut expr = expr;
    let mut negated = false;
    while let Expr::Unary(op @ (UnaryOp::Plus | UnaryOp::Negate), inner) = expr {
        negated |= *op == UnaryOp::Negate;
        expr = inner;
    }
    match expr {
        Expr::Integer(_) | Expr::Real(_) => affinity >= Affinity::Numeric,
        Expr::Text(_) => !negated && affinity == Affinity::Text,
        Expr::Blob(_) => !negated,
        Expr::Column(column) => affinity >= Affinity::Numeric && column.column < 0,
        _ => false,
    }
}
