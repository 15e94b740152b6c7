//! Nested loops: the code of FROM, WHERE and the ONs, around a body that the caller emits.
//!
//! ```text
//! begin   open tables and indexes                  end     innermost level first:
//!         for each level, outermost first:                   continue:  Next / Prev / IN loops
//!           fill a subquery, build an automatic index        break:     LEFT JOIN without a match: once with NULLs
//!           seek or rewind                                 then the unmatched rows of RIGHT JOINs
//!           conditions that can be tested by now           break of all:
//!         ── the caller's body ──
//! ```
//!
//! Rules:
//! 1. A condition is tested at the first level at which all its sources have rows: first those that the index alone
//!    answers, then those that need the table, last those with correlated subqueries.
//! 2. Conditions of WHERE on the right table of a LEFT JOIN are tested after the match has been recorded, those of its
//!    ON before.
//! 3. While an index is walked, columns that it holds are read from it ([`CursorOverride::Index`]), until `end`.
//! 4. A term that the loop itself enforces is not tested again, unless the loop only approximates it.
//!
//! Source: SQLite's `sqlite3WhereBegin`, `sqlite3WhereCodeOneLoopStart`, `sqlite3WhereEnd`.

mod auto_index;
mod bloom;
mod by_index;
mod by_module;
mod by_rowid;
mod ends;
mod equality;
mod explain;
mod level;
mod memory;
mod multi_or;
mod request;
mod right_join;
pub mod row_value;

pub(crate) use memory::Memory;
pub use request::{Request, limit_estimate};

use crate::bound::walk;
use crate::bound::{BinaryOp, Expr, FromItem, SortOrder};
use crate::compiler::{Compiler, CursorOverride, Optimizations, Result, SqlError};
use crate::plan::cost::LogEst;
use crate::plan::order::Wish;
use crate::plan::samples::SampledIndex;
use crate::plan::term::{On, Rows, Source};
use crate::plan::{
    ClauseId, Control, Distinct, IndexExpr, LoopFlags, Mask, PartialWhere, SOURCES_MAX, TermFlags,
    Where, facts,
};
use crate::schema::{Index, IndexKey};
use ringwood_format::affinity::Affinity;
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{FunctionFlags, Label, Opcode, P4};
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::Arc;

/// Whether rows can be changed while they are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnePass {
    /// No: find all, then change.
    #[default]
    Off,
    /// There is at most one row.
    Single,
    /// Yes, row by row.
    Multi,
}

/// A loop over the values of an IN, within a level.
#[derive(Clone, Debug)]
struct InLoop {
    /// The cursor over the values.
    cursor: i32,
    /// Where a value is read.
    top: i32,
    /// The first register of the key, and how many columns come before this one; for ending early.
    base: i32,
    prefix: i32,
    /// Next or Prev; none for further columns of a row value.
    step: Option<Opcode>,
}

/// What a RIGHT or FULL JOIN keeps about its right table.
#[derive(Clone, Debug)]
struct RightJoin {
    /// The ephemeral index of keys that found a match.
    matched: i32,
    /// A filter in front of it; 0: none.
    filter: i32,
    /// The body is a subroutine that returns through this register.
    return_reg: i32,
    subroutine: i32,
}

/// What the code generator keeps about a level.
#[derive(Clone, Debug)]
struct LevelCode {
    /// The source's place in the FROM clause.
    source: usize,
    table_cursor: i32,
    /// The cursor of the index; -1: none.
    index_cursor: i32,
    index: Option<Arc<Index>>,
    /// The register that tells whether a LEFT JOIN has found a match; 0: no LEFT JOIN.
    left_join: i32,
    /// The register of the filter that is asked before the lookup; 0: none, or it is asked further out.
    filter: i32,
    brk: Label,
    halt: Label,
    next: Label,
    cont: Label,
    /// The address of the seek of a skip-scan; 0: none.
    skip: i32,
    /// Where a row, real or of NULLs, begins.
    first: i32,
    /// NULLS LAST: the counter of passes, and where the first pass ends.
    big_null: Option<(i32, Label)>,
    /// LIKE: the counter of passes over texts and BLOBs, where they begin, whether they go downwards.
    like: Option<(i32, i32, bool)>,
    right_join: Option<RightJoin>,
    /// The step to the next row.
    op: Opcode,
    p1: i32,
    p2: i32,
    p3: i32,
    p5: u16,
    ins: SmallVec<[InLoop; 1]>,
    /// Sources that have no row yet when this level's conditions are tested.
    not_ready: Mask,
    /// The table's cursor reads from elsewhere; what it read from before.
    covered: bool,
    before: Option<CursorOverride>,
}

/// Loops that have been begun.
pub struct Loops<'q> {
    plan: Where<'q>,
    levels: Vec<LevelCode>,
    /// Jump here for the next row.
    pub continue_label: Label,
    /// Jump here to leave all loops.
    pub break_label: Label,
    /// Whether rows can be changed while they are found.
    pub one_pass: OnePass,
    /// With one pass: the cursors of the table and of the index that were opened for writing, or -1.
    pub one_pass_cursors: (i32, i32),
    /// The table may not have been moved to the row yet: `FinishSeek` does it.
    pub deferred_seek: bool,
    /// A disjunct's condition could not be tested there.
    untested: bool,
    index_base: i32,
    outer_rows: LogEst,
}

/// Emits the heads of the loops.
///
/// # Errors
/// More than 64 sources; INDEXED BY an index that is of no use; whatever the expressions bring.
pub fn begin<'q>(c: &mut Compiler<'_>, request: &mut Request<'q>) -> Result<Box<Loops<'q>>> {
    if request
        .order
        .as_ref()
        .is_some_and(|o| o.len() >= SOURCES_MAX)
    {
        request.order = None;
        request.control -= Control::WANT_DISTINCT;
        request.control |= Control::KEEP_ALL_JOINS;
    }
    if request.sources.len() > SOURCES_MAX {
        return Err(SqlError::error(format!(
            "at most {SOURCES_MAX} tables in a join"
        )));
    }
    let label = c.label();
    let sources = std::mem::take(&mut request.sources);
    let mut loops = Box::new(Loops {
        plan: Where::new(sources, request.control),
        levels: Vec::new(),
        continue_label: label,
        break_label: label,
        one_pass: OnePass::Off,
        one_pass_cursors: (-1, -1),
        deferred_seek: false,
        untested: false,
        index_base: request.index_cursor,
        outer_rows: c.query_loop,
    });
    loops.levels = std::mem::take(&mut c.tools().planner).lend(&mut loops.plan);
    loops.plan.new_clause(false, None); // the WHERE
    analyze(c, &mut loops.plan, request)?;
    if loops.plan.level_count == 0 {
        loops.no_sources(c, request);
    }
    loops.constant_terms(c)?;
    loops.plan.choose()?;
    c.query_loop = c.query_loop.saturating_add(loops.plan.rows_out);
    let mut not_ready = Mask::MAX;
    let keep = Control::AGG_DISTINCT | Control::KEEP_ALL_JOINS;
    if loops.plan.levels.len() >= 2
        && loops.plan.has_result
        && !loops.plan.control.intersects(keep)
        && c.optimizes(Optimizations::OMIT_NOOP_JOIN)
    {
        not_ready = loops.plan.omit_joins();
    }
    loops.decide_one_pass();
    for i in 0..loops.plan.levels.len() {
        loops.open_level(c, i)?;
    }
    for i in 0..loops.plan.levels.len() {
        loops.fill(c, i)?;
        if loops.plan.levels[i]
            .lp
            .flags
            .contains(LoopFlags::AUTO_INDEX)
        {
            loops.build_automatic_index(c, i, not_ready)?;
        } else if loops.plan.levels[i]
            .lp
            .flags
            .contains(LoopFlags::BLOOM_FILTER)
        {
            loops.fill_filters(c, i, not_ready)?;
        }
        loops.explain_level(c, i);
        not_ready = loops.code_level(c, i, not_ready)?;
        loops.continue_label = loops.levels[i].cont;
    }
    if loops.one_pass != OnePass::Off
        && !loops.plan.levels[0].lp.flags.contains(LoopFlags::IDX_ONLY)
    {
        // The body changes what it reads: it must see the table itself.
        loops.uncover(c, 0);
    }
    Ok(loops)
}

/// Splits and analyses the conditions, and binds what the indexes hold.
fn analyze<'q>(
    c: &mut Compiler<'_>,
    plan: &mut Where<'q>,
    request: &mut Request<'q>,
) -> Result<()> {
    for source in &mut plan.sources {
        if source.is_subquery() {
            if let Some((_, estimate)) = c.from_rows(source.item) {
                source.estimate = estimate;
            }
        }
    }
    plan.limit = request.limit;
    plan.outer_rows = c.query_loop;
    plan.select = request.select;
    plan.has_select = request.select.is_some();
    plan.result_width = request.select.map_or(0, |s| s.result.len());
    plan.automatic_index = c.ctx.flags.automatic_index;
    plan.disabled = c.ctx.flags.disabled;
    plan.reverse_unordered = c.ctx.flags.reverse_unordered_selects;
    plan.utf16le = c
        .ctx
        .schema
        .dbs
        .first()
        .is_some_and(|db| db.encoding == ringwood_format::encoding::TextEncoding::Utf16le);
    if plan
        .sources
        .iter()
        .any(|s| s.item.table.is_virtual() && !s.is_subquery())
    {
        let connected = plan.sources.iter().map(|s| {
            if s.is_subquery() {
                None
            } else {
                c.connection_of(s.item.db, &s.item.table)
            }
        });
        plan.connected = connected.collect();
        plan.limit_regs = request.limit_regs;
    }
    bind_indexes(c, plan)?;
    bind_samples(c, plan);
    for (expr, on) in std::mem::take(&mut request.terms) {
        plan.split(ClauseId::WHERE, &expr, on, BinaryOp::And);
    }
    let is_or = |e: &Expr| {
        matches!(
            e,
            Expr::Binary {
                op: BinaryOp::Or,
                ..
            }
        )
    };
    if plan.terms.iter().any(|t| is_or(&t.expr)) {
        plan.made_ids = (c.next_subquery().0, 0);
    }
    plan.analyze(c, ClauseId::WHERE);
    plan.add_limits();
    let wish = |c: &Compiler<'_>, expr: &'q Expr, order: SortOrder| Wish {
        expr,
        collation: facts::collation(c, expr),
        desc: order.desc,
        big_null: order.big_null,
    };
    if let Some(order) = request.order.take() {
        plan.order_by = Some(order.into_iter().map(|(e, o)| wish(c, e, o)).collect());
    }
    if let Some(result) = request.result {
        plan.has_result = true;
        // A single source is asked about its columns for DISTINCT alone.
        if plan.sources.len() > 1 || plan.control.contains(Control::WANT_DISTINCT) {
            plan.result = result
                .iter()
                .map(|r| wish(c, &r.expr, SortOrder::default()))
                .collect();
        }
    }
    Ok(())
}

/// Binds expressions of indexes and conditions of partial indexes to their sources.
fn bind_indexes(c: &mut Compiler<'_>, plan: &mut Where<'_>) -> Result<()> {
    for s in 0..plan.sources.len() {
        let item = plan.sources[s].item;
        for (no, index) in item.table.indexes.iter().enumerate() {
            if let Some(partial) = &index.partial {
                let expr = crate::resolve::resolve_self(c, &item.table, item.cursor, partial)?;
                plan.partials.push(PartialWhere {
                    source: s as u8,
                    index: no as u16,
                    expr,
                });
            }
            if !index.has_expr {
                continue;
            }
            for (position, column) in index.columns.iter().enumerate() {
                if let IndexKey::Expr(e) = &column.key {
                    let expr = crate::resolve::resolve_self(c, &item.table, item.cursor, e)?;
                    plan.index_exprs.push(IndexExpr {
                        source: s as u8,
                        cursor: item.cursor,
                        index: no as u16,
                        position: position as u16,
                        expr,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Finds out how the keys of sampled indexes are compared. An index with a collation that is not there goes without.
fn bind_samples(c: &Compiler<'_>, plan: &mut Where<'_>) {
    for s in 0..plan.sources.len() {
        let item = plan.sources[s].item;
        if !item.table.has_samples {
            continue;
        }
        for (no, index) in item.table.indexes.iter().enumerate() {
            let (Some(samples), Ok(info)) = (&index.samples, c.index_key_info(item.db, index))
            else {
                continue;
            };
            let (source, no) = (s as u8, no as u16);
            let columns = index.columns.iter().enumerate();
            let affinities = columns.map(|(at, column)| {
                let affinity = match &column.key {
                    IndexKey::Rowid => Affinity::Integer,
                    IndexKey::Column(n) => item.table.columns[*n].affinity,
                    IndexKey::Expr(_) => plan
                        .index_expr(source, no, at as u16)
                        .map_or(Affinity::Blob, Expr::affinity),
                };
                affinity.clamp(Affinity::Blob, Affinity::Numeric)
            });
            let sampled = SampledIndex {
                source,
                index: no,
                samples: samples.clone(),
                info,
                affinities: affinities.collect(),
            };
            plan.sampled.push(Rc::new(sampled));
        }
    }
}

impl<'q> Loops<'q> {
    /// How many terms of the wished order the loops satisfy.
    pub fn order_satisfied(&self) -> usize {
        self.plan.satisfied.max(0) as usize
    }

    /// What the loops do about DISTINCT.
    pub fn distinct(&self) -> Distinct {
        self.plan.distinct
    }

    /// With SORTBYGROUP: the groups come in the order of ORDER BY.
    pub fn is_sorted(&self) -> bool {
        self.plan.sorted
    }

    /// The estimate of rows, as a logarithm.
    pub fn rows(&self) -> LogEst {
        self.plan.rows_out
    }

    /// Where to jump when the sorter has all that LIMIT lets through: the innermost loop may be ended at once if it
    /// delivers the order.
    pub fn order_limit_label(&self) -> Label {
        match self.levels.last() {
            Some(inner) if self.plan.ordered_inner && inner.right_join.is_none() => inner.next,
            _ => self.continue_label,
        }
    }

    /// After the first row of a min() or max() that the loops' order answers: leaves the loops.
    pub fn min_max_early_out(&self, c: &mut Compiler<'_>) {
        if !self.plan.ordered_inner || self.plan.satisfied == 0 {
            return;
        }
        let by_in = self.plan.levels.iter().zip(&self.levels).rev();
        let mut by_in = by_in.filter(|(level, _)| level.lp.flags.contains(LoopFlags::COLUMN_IN));
        let to = by_in.next().map_or(self.break_label, |(_, code)| code.next);
        c.goto(to);
    }

    /// The plan, printed: terms, candidate loops, the chosen path.
    pub fn trace(&self) -> String {
        crate::plan::trace::print(&self.plan)
    }

    fn no_sources(&mut self, c: &mut Compiler<'_>, request: &Request<'q>) {
        if let Some(order) = &self.plan.order_by {
            self.plan.satisfied = order.len() as i8;
        }
        if self.plan.control.contains(Control::WANT_DISTINCT) {
            self.plan.control -= Control::WANT_DISTINCT;
            self.plan.distinct = Distinct::Unique;
        }
        if request.select.is_some() {
            c.explain(|| "SCAN CONSTANT ROW".to_owned());
        }
    }

    /// Conditions that need no source are tested once, before all loops.
    fn constant_terms(&mut self, c: &mut Compiler<'_>) -> Result<()> {
        let base = self.plan.clause(ClauseId::WHERE).base_count;
        for i in 0..base {
            let id = self.plan.clause(ClauseId::WHERE).terms[i];
            let t = self.plan.term(id);
            if t.is_virtual() || t.prereq_all != 0 {
                continue;
            }
            let none = self.plan.level_count == 0;
            let left_of_right = !none && self.plan.sources[0].join.left_of_right;
            if (none || is_deterministic(&t.expr))
                && !(matches!(t.on, On::Inner(_)) && left_of_right)
            {
                let expr = t.expr.clone();
                c.expr_if_false(&expr, self.break_label, true)?;
                self.plan.term_mut(id).flags |= TermFlags::CODED;
            }
        }
        Ok(())
    }

    fn decide_one_pass(&mut self) {
        let control = self.plan.control;
        if !control.contains(Control::ONEPASS_DESIRED) {
            return;
        }
        let Some(level) = self.plan.levels.first_mut() else {
            return;
        };
        let one_row = level.lp.flags.contains(LoopFlags::ONEROW);
        let many = control.contains(Control::ONEPASS_MULTIROW)
            && !self.plan.disabled.contains(Optimizations::ONE_PASS)
            && (!level.lp.flags.contains(LoopFlags::MULTI_OR)
                || control.contains(Control::DUPLICATES_OK));
        if !one_row && !many {
            return;
        }
        self.one_pass = if one_row {
            OnePass::Single
        } else {
            OnePass::Multi
        };
        if self.plan.sources[0].item.table.has_rowid() {
            level.lp.flags -= LoopFlags::IDX_ONLY;
        }
    }

    /// Opens the cursors of a level.
    fn open_level(&mut self, c: &mut Compiler<'_>, i: usize) -> Result<()> {
        let lp = &self.plan.levels[i].lp;
        let (flags, index_no, source_no) = (lp.flags, lp.index, usize::from(lp.source));
        let source = self.plan.sources[source_no];
        let (item, table) = (source.item, &source.item.table);
        let control = self.plan.control;
        let brk = c.label();
        let halt = if i == 0 || source.join.left {
            brk
        } else if self.levels[i - 1].right_join.is_some() {
            self.levels[i - 1].brk
        } else {
            self.levels[i - 1].halt
        };
        let mut code = LevelCode {
            source: source_no,
            table_cursor: item.cursor,
            index_cursor: -1,
            index: None,
            left_join: 0,
            filter: 0,
            brk,
            halt,
            next: brk,
            cont: brk,
            skip: 0,
            first: 0,
            big_null: None,
            like: None,
            right_join: None,
            op: Opcode::Noop,
            p1: 0,
            p2: 0,
            p3: 0,
            p5: 0,
            ins: SmallVec::new(),
            not_ready: 0,
            covered: false,
            before: None,
        };
        if source.is_subquery() {
            // Its cursor is opened by what fills it.
        } else if table.is_virtual() {
            let operand = c.vtab_operand(item.db, table);
            c.op4(Opcode::VOpen, item.cursor, 0, 0, operand);
            c.uses_db(item.db);
        } else if (!flags.contains(LoopFlags::IDX_ONLY) && !control.contains(Control::OR_SUBCLAUSE))
            || source.join.left_of_right
            || source.join.right
        {
            let write = self.one_pass != OnePass::Off;
            if write {
                self.one_pass_cursors.0 = item.cursor;
            }
            c.open_table(item.cursor, item.db, table, write)?;
            let outer = source.join.left_of_right || source.join.left;
            if i >= 2 && !outer && halt == self.levels[0].halt {
                c.jump(Opcode::IfEmpty, item.cursor, self.break_label, 0);
            }
        } else {
            c.uses_db(item.db);
        }
        if flags.contains(LoopFlags::INDEXED) {
            let Some(index) = index_no.map(|no| table.indexes[usize::from(no)].clone()) else {
                return Err(SqlError::error("internal query planner error"));
            };
            code.index_cursor = self.open_index(c, i, source, &index, index_no.unwrap_or(0))?;
            code.index = Some(index);
        }
        if source.join.right {
            code.right_join = Some(open_right_join(c, item)?);
            self.plan.levels[i].lp.flags -= LoopFlags::IDX_ONLY;
            self.plan.satisfied = 0;
            self.plan.distinct = Distinct::Unordered;
        }
        self.levels.push(code);
        Ok(())
    }

    fn open_index(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        source: Source<'q>,
        index: &Arc<Index>,
        index_no: u16,
    ) -> Result<i32> {
        let (item, control) = (source.item, self.plan.control);
        let is_or = control.contains(Control::OR_SUBCLAUSE);
        if item.table.without_rowid && index.is_primary_key() && is_or {
            return Ok(item.cursor); // open already
        }
        let cursor;
        if self.one_pass != OnePass::Off {
            cursor = self.index_base + i32::from(index_no);
            self.one_pass_cursors.1 = cursor;
            c.open_index(cursor, item.db, index, true)?;
        } else if is_or && self.index_base != 0 {
            cursor = self.index_base;
            c.uses_db(item.db);
            let key = c.index_key_info(item.db, index)?;
            c.op4(
                Opcode::ReopenIdx,
                cursor,
                index.root as i32,
                item.db as i32,
                P4::KeyInfo(key),
            );
        } else {
            cursor = c.alloc_cursor(None);
            c.open_index(cursor, item.db, index, false)?;
        }
        let lp = &self.plan.levels[i].lp;
        let ranged = LoopFlags::COLUMN_RANGE
            | LoopFlags::SKIPSCAN
            | LoopFlags::BIGNULL_SORT
            | LoopFlags::IN_SEEKSCAN;
        if lp.flags.intersects(LoopFlags::CONSTRAINT)
            && !lp.flags.intersects(ranged)
            && !control.contains(Control::ORDERBY_MIN)
            && self.plan.distinct != Distinct::Ordered
        {
            c.p5(p5::SEEKEQ);
        }
        Ok(cursor)
    }

    /// Fills the ephemeral table of a subquery, unless it has been filled.
    fn fill(&mut self, c: &mut Compiler<'_>, i: usize) -> Result<()> {
        let source = self.plan.sources[self.levels[i].source];
        if let Rows::Materialized {
            return_reg,
            address,
            correlated,
        } = source.rows
        {
            let once = if correlated {
                0
            } else {
                c.op(Opcode::Once, 0, 0, 0)
            };
            c.op(Opcode::Gosub, return_reg, address, 0);
            if once != 0 {
                c.jump_here(once);
            }
        }
        Ok(())
    }

    /// Reads the columns of a level's table from its index from now on (rule 3).
    fn cover(&mut self, c: &mut Compiler<'_>, i: usize, by: CursorOverride) {
        let code = &mut self.levels[i];
        let before = c.override_cursor(code.table_cursor, Some(by));
        if !code.covered {
            code.covered = true;
            code.before = before;
        }
    }

    fn uncover(&mut self, c: &mut Compiler<'_>, i: usize) {
        let code = &mut self.levels[i];
        if std::mem::take(&mut code.covered) {
            c.override_cursor(code.table_cursor, code.before.take());
        }
    }
}

/// Opens the set of keys that found a match.
fn open_right_join(c: &mut Compiler<'_>, item: &FromItem) -> Result<RightJoin> {
    let matched = c.alloc_cursor(None);
    let return_reg = c.alloc_reg();
    c.op(Opcode::Null, 0, return_reg, 0);
    let (key, count) = match item
        .table
        .primary_key_index()
        .filter(|_| item.table.without_rowid)
    {
        Some(index) => {
            let full = c.index_key_info(item.db, index)?;
            let columns = full.columns[..index.key_count].to_vec();
            (
                KeyInfo {
                    columns,
                    behind: 0,
                    encoding: full.encoding,
                },
                index.key_count,
            )
        }
        None => (
            KeyInfo {
                columns: vec![KeyColumn::default()],
                behind: 0,
                encoding: c.ctx.schema.dbs[0].encoding,
            },
            1,
        ),
    };
    c.op4(
        Opcode::OpenEphemeral,
        matched,
        count as i32,
        0,
        P4::KeyInfo(Arc::new(key)),
    );
    Ok(RightJoin {
        matched,
        filter: 0,
        return_reg,
        subroutine: 0,
    })
}

/// Whether an expression has the same value throughout the statement.
fn is_deterministic(expr: &Expr) -> bool {
    !walk::any(expr, |e| match e {
        Expr::Function(call) => !call
            .def
            .flags
            .intersects(FunctionFlags::DETERMINISTIC | FunctionFlags::SLOW_CHANGING),
        Expr::Subquery(_) | Expr::Exists(_) => true,
        Expr::In(set) => matches!(set.set, crate::bound::InSet::Select { .. }),
        _ => false,
    })
}
