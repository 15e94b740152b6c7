//! The compiler: what is known and what is emitted while one statement is turned into a program (SQLite's `Parse`).
//!
//! ```text
//! addr 0   Init ────────────────┐
//!      1   the statement        │        cursors, registers and labels are numbered here
//!      …   Halt                 │
//!      n   Transaction … ◀──────┘        one for each database touched: lock, and check of the schema cookie
//!          sqlite_sequence               largest rowids of AUTOINCREMENT tables
//!          constants                     factored out of loops
//!          Goto 1
//! ```
//!
//! Rules:
//! 1. Registers count from 1. [`Compiler::alloc_reg`] takes one for good, [`Compiler::temp_reg`] one that is given
//!    back with [`Compiler::release_temp`]. Code that jumps around (a subroutine, a coroutine) keeps nothing in a
//!    temporary register across the jump.
//! 2. A cursor is a number with a [`CursorInfo`]: its table, and where its columns are to be read from instead, as
//!    long as an index covers them or a coroutine holds them in registers.
//! 3. A constant expression goes into the list of constants and runs once, if `factor_constants` is on; it is off
//!    inside code that may not run (the right side of AND, branches of CASE).
//! 4. What the tree does not say about subqueries and aggregates (which register, which subroutine) is in lists here,
//!    by the ids that the tree has.
//!
//! Absent: table locks of the shared cache.
//!
//! Source: SQLite's `Parse`, `sqlite3FinishCoding`, `sqlite3ExprCodeRunJustOnce`, `sqlite3GetTempReg`.

mod context;
mod cursors;
mod optimizations;
mod registers;
mod virtual_tables;

use context::Tools;
pub use context::{CompileContext, CompileFlags, Limits, SqlError, Workshop};
pub use cursors::{ColumnSource, CursorInfo, CursorOverride, IndexedExpr, Reals};
pub use optimizations::Optimizations;

use crate::ast;
use crate::bound::{AggregateId, Expr, FromItem, SelectId, SubqueryId};
use crate::codegen::aggregate::Aggregates;
use crate::codegen::trigger::program::{Programs, TriggerContext};
use crate::schema::LogEst;
use ringwood_vdbe::{ColumnInfo, Connected, Label, Opcode, P4, Program, ProgramBuilder};
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// The result of compiling something.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

/// How a subquery was coded, for its second use.
#[derive(Clone, Copy, Debug)]
pub struct Subroutine {
    /// The register of the return address.
    pub return_reg: i32,
    /// Where the subroutine begins.
    pub entry: i32,
    /// The result's first register, or the cursor of the ephemeral table.
    pub result: i32,
    /// The register of a filter over the rows of the table; 0: none.
    pub filter: i32,
}

/// How the rows of a subquery in FROM come, decided before the loops over it are planned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FromRows {
    /// From the ephemeral table under the item's cursor, which a subroutine fills: `Gosub` when the loop begins, in a
    /// `Once` unless the subquery is correlated.
    Materialized {
        /// The subroutine's return register.
        return_reg: i32,
        /// Where it begins.
        entry: i32,
        /// Whether it must be filled anew each time.
        correlated: bool,
    },
    /// From an ephemeral table that has been filled.
    Ephemeral,
    /// From a coroutine: `InitCoroutine`, then `Yield` for each row.
    Coroutine {
        /// The register that it yields through.
        yield_reg: i32,
        /// Where it begins.
        entry: i32,
        /// The first of the registers that hold its row.
        result: i32,
    },
}

/// A factored constant.
#[derive(Clone, Debug)]
struct Constant {
    expr: Expr,
    reg: i32,
    reusable: bool,
}

/// The state of a compilation.
pub struct Compiler<'a> {
    /// What does not change: schema, functions, limits, flags.
    pub ctx: &'a CompileContext<'a>,
    /// The statement's text, for names of result columns and error offsets.
    pub text: &'a [u8],
    /// The program so far.
    pub b: ProgramBuilder,
    /// Result columns, of the outermost SELECT or of a pragma.
    pub columns: Vec<ColumnInfo>,
    /// EXPLAIN, EXPLAIN QUERY PLAN, or neither.
    pub explain: ast::Explain,
    /// Whether constants may be factored now (rule 3).
    pub factor_constants: bool,
    /// Whether the statement may undo itself half way (SQLite's mayAbort).
    pub may_abort: bool,
    /// Whether the statement writes several rows or tables (SQLite's isMultiWrite).
    pub multi_write: bool,
    /// The aggregates of each SELECT that has them, by [`AggregateId`].
    pub aggregates: Vec<Aggregates>,
    /// Expressions whose value an index holds, innermost last (SQLite's pIdxEpr).
    pub indexed_exprs: Vec<IndexedExpr>,
    /// The estimate of how often the code that is emitted now is run, as a logarithm (SQLite's nQueryLoop).
    pub query_loop: i16,
    /// The numbers of SELECTs that EXPLAIN QUERY PLAN shows have been given out up to here.
    pub select_numbers: u32,
    /// Depth of nesting of views and triggers, against endless recursion.
    pub nesting: u32,
    /// How many subqueries of expressions are being resolved, one within the other.
    pub subquery_depth: usize,
    /// The trigger whose program this is.
    pub trigger: Option<TriggerContext>,
    /// The database in which names without one are looked for; none: in all of them.
    pub fixed_db: Option<usize>,
    /// Whether the text is the schema's, not the statement's: errors have no place in it then.
    pub foreign_text: bool,
    /// Whether ALTER TABLE asks if a definition means something: ordinals of GROUP BY and ORDER BY may be too large
    /// then, as in stock SQLite.
    pub altering: bool,
    /// Whether rows are deleted because their table is dropped: triggers do not fire, and parents may be missing.
    pub dropping: bool,
    /// The programs of triggers, and what they share with the main program.
    pub(crate) programs: Programs,
    /// Whether the statement is the engine's own, which may call internal functions.
    pub internal: bool,
    /// The VALUES that is coded now stands in FROM, where EXPLAIN QUERY PLAN shows it as a table.
    pub(crate) values_in_from: bool,
    /// Virtual columns that are being computed: (cursor, column), against loops.
    pub(crate) virtual_columns: Vec<(i32, usize)>,
    /// Whether the statement has subqueries in expressions.
    pub(crate) has_subqueries: bool,
    /// Memory that nobody uses now.
    tools: Option<Box<Tools>>,
    cursors: Vec<CursorInfo>,
    mem_count: i32,
    temps: SmallVec<[i32; 8]>,
    temp_range: (i32, i32),
    constants: Vec<Constant>,
    used_dbs: u32,
    written_dbs: u32,
    explain_parent: i32,
    explain_stack: SmallVec<[i32; 8]>,
    select_count: u32,
    subquery_count: u32,
    subroutines: Vec<(SubqueryId, Subroutine)>,
    from_rows: Vec<(SubqueryId, FromRows, LogEst)>,
    ctes: Vec<CteUse>,
    /// Cursors of virtual tables, for the functions that these have.
    pub(crate) virtual_items: Vec<(i32, Rc<Connected>)>,
    /// Whose text the authorizer is asked about: a trigger's, a view's.
    pub(crate) accessor: Option<Arc<str>>,
    /// While it is not 0, the authorizer is not asked.
    pub(crate) unasked: u32,
    /// How many SELECTs around each other are being resolved; those within the outermost, about which the authorizer is
    /// asked once that is done: their names, and in whose text they stand.
    pub(crate) selects: u32,
    pub(crate) inner_selects: Vec<(crate::bound::SelectId, Option<Arc<str>>)>,
}

/// What is known of a common table expression of the statement.
#[derive(Clone, Copy, Debug)]
pub struct CteUse {
    /// Which: its address.
    key: *const (),
    /// MATERIALIZED, NOT MATERIALIZED.
    pub materialized: ast::Materialized,
    /// In how many FROM items it is used.
    pub uses: u32,
    /// Where it was materialised: return register, entry, cursor, estimate of rows.
    pub coded: Option<(i32, i32, i32, LogEst)>,
}

/// Room for as many cursors is left to the next compilation.
const CURSORS_KEPT_MAX: usize = 64;

/// The name of what has none.
static EMPTY_NAME: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(""));

impl<'a> Compiler<'a> {
    /// A compiler with nothing but the `Init` emitted.
    pub fn new(ctx: &'a CompileContext<'a>, text: &'a [u8], explain: ast::Explain) -> Compiler<'a> {
        let mut tools = ctx.workshop.take();
        let mut b = ProgramBuilder::in_buffers(std::mem::take(&mut tools.buffers));
        b.op(Opcode::Init, 0, 1, 0);
        let columns = std::mem::take(&mut b.about.columns);
        Compiler {
            ctx,
            text,
            b,
            columns,
            explain,
            factor_constants: !ctx.flags.disabled.contains(Optimizations::FACTOR_CONSTANTS),
            may_abort: false,
            multi_write: false,
            aggregates: Vec::new(),
            indexed_exprs: Vec::new(),
            query_loop: 0,
            select_numbers: 0,
            nesting: 0,
            subquery_depth: 0,
            trigger: None,
            fixed_db: None,
            foreign_text: false,
            altering: false,
            dropping: false,
            programs: Programs::default(),
            internal: false,
            values_in_from: false,
            virtual_columns: Vec::new(),
            has_subqueries: false,
            cursors: std::mem::take(&mut tools.cursors),
            tools: Some(tools),
            mem_count: 0,
            temps: SmallVec::new(),
            temp_range: (0, 0),
            constants: Vec::new(),
            used_dbs: 0,
            written_dbs: 0,
            explain_parent: 0,
            explain_stack: SmallVec::new(),
            select_count: 0,
            subquery_count: 0,
            subroutines: Vec::new(),
            from_rows: Vec::new(),
            ctes: Vec::new(),
            virtual_items: Vec::new(),
            accessor: None,
            unasked: 0,
            selects: 0,
            inner_selects: Vec::new(),
        }
    }

    /// Memory that nobody uses now.
    #[inline]
    pub(crate) fn tools(&mut self) -> &mut Tools {
        self.tools.get_or_insert_default()
    }

    /// Whether an optimisation is on.
    #[inline]
    pub fn optimizes(&self, which: Optimizations) -> bool {
        !self.ctx.flags.disabled.intersects(which)
    }

    /// A compiler for the program of a trigger.
    pub(crate) fn for_trigger(ctx: &'a CompileContext<'a>, text: &'a [u8]) -> Compiler<'a> {
        let mut sub = Compiler::new(ctx, text, ast::Explain::No);
        sub.factor_constants = false;
        sub.b.is_subprogram = true;
        sub
    }

    /// What the program of a trigger does to the statement that fires it.
    pub(crate) fn take_effects(&mut self, sub: &Compiler<'_>) {
        self.used_dbs |= sub.used_dbs;
        self.written_dbs |= sub.written_dbs;
        self.may_abort |= sub.may_abort;
        self.multi_write |= sub.multi_write;
    }

    /// The number of the next SELECT.
    pub fn next_select(&mut self) -> SelectId {
        self.select_count += 1;
        SelectId(self.select_count)
    }

    /// An id for a subquery.
    pub fn next_subquery(&mut self) -> SubqueryId {
        self.subquery_count += 1;
        SubqueryId(self.subquery_count)
    }

    /// The name of what has no name.
    pub fn empty_name(&self) -> Arc<str> {
        EMPTY_NAME.clone()
    }

    /// Counts a use of a common table expression, named by its address; its number.
    pub(crate) fn use_cte(&mut self, key: *const (), materialized: ast::Materialized) -> usize {
        let known = self.ctes.iter().position(|cte| cte.key == key);
        let number = known.unwrap_or_else(|| {
            self.ctes.push(CteUse {
                key,
                materialized,
                uses: 0,
                coded: None,
            });
            self.ctes.len() - 1
        });
        self.ctes[number].uses += 1;
        number
    }

    /// What is known of a common table expression.
    pub fn cte(&mut self, number: usize) -> &mut CteUse {
        &mut self.ctes[number]
    }

    /// How a subquery was coded, if it was.
    pub fn subroutine(&self, id: SubqueryId) -> Option<Subroutine> {
        self.subroutines
            .iter()
            .rev()
            .find(|(have, _)| *have == id)
            .map(|(_, subroutine)| *subroutine)
    }

    /// Remembers the filter over the rows of a subquery that was coded.
    pub fn set_subroutine_filter(&mut self, id: SubqueryId, filter: i32) {
        let known = self.subroutines.iter_mut().rev();
        if let Some((_, subroutine)) = known.into_iter().find(|(have, _)| *have == id) {
            subroutine.filter = filter;
        }
    }

    /// Remembers how a subquery was coded.
    pub fn set_subroutine(&mut self, id: SubqueryId, subroutine: Subroutine) {
        self.subroutines.push((id, subroutine));
    }

    /// How the rows of a subquery in FROM come, and an estimate of their number; none for a table.
    pub fn from_rows(&self, item: &FromItem) -> Option<(FromRows, LogEst)> {
        self.from_rows
            .iter()
            .rev()
            .find(|(have, ..)| *have == item.id)
            .map(|(_, rows, estimate)| (*rows, *estimate))
    }

    /// Remembers how the rows of a subquery in FROM come.
    pub fn set_from_rows(&mut self, item: &FromItem, rows: FromRows, estimate: LogEst) {
        self.from_rows.push((item.id, rows, estimate));
    }

    /// The aggregates of a SELECT.
    pub fn aggregates(&self, id: AggregateId) -> &Aggregates {
        &self.aggregates[id.0 as usize]
    }

    /// The same, to be changed.
    pub fn aggregates_mut(&mut self, id: AggregateId) -> &mut Aggregates {
        &mut self.aggregates[id.0 as usize]
    }

    // ---- emitting ----

    /// Emits an instruction; returns its address.
    #[inline]
    pub fn op(&mut self, opcode: Opcode, p1: i32, p2: i32, p3: i32) -> i32 {
        self.b.op(opcode, p1, p2, p3)
    }

    /// Emits an instruction with a fourth operand; returns its address.
    #[inline]
    pub fn op4(&mut self, opcode: Opcode, p1: i32, p2: i32, p3: i32, p4: P4) -> i32 {
        self.b.op4(opcode, p1, p2, p3, p4)
    }

    /// Emits a jump: p2 is the label.
    #[inline]
    pub fn jump(&mut self, opcode: Opcode, p1: i32, label: Label, p3: i32) -> i32 {
        self.b.op(opcode, p1, label, p3)
    }

    /// `Goto label`
    #[inline]
    pub fn goto(&mut self, label: Label) -> i32 {
        self.b.op(Opcode::Goto, 0, label, 0)
    }

    /// A label to be placed later with [`Compiler::place`].
    #[inline]
    pub fn label(&mut self) -> Label {
        self.b.label()
    }

    /// Places a label at the next instruction.
    #[inline]
    pub fn place(&mut self, label: Label) {
        self.b.resolve(label);
    }

    /// The address of the next instruction.
    #[inline]
    pub fn here(&self) -> i32 {
        self.b.addr()
    }

    /// Makes the instruction at `addr` jump to the next one.
    #[inline]
    pub fn jump_here(&mut self, addr: i32) {
        self.b.jump_here(addr);
    }

    /// Sets p5 of the last instruction.
    #[inline]
    pub fn p5(&mut self, p5: u16) {
        self.b.set_p5(p5);
    }

    // ---- databases ----

    /// The statement reads that database: its cookie is verified when it begins.
    #[inline]
    pub fn uses_db(&mut self, db: usize) {
        self.used_dbs |= 1 << db;
    }

    /// The statement writes that database (SQLite's sqlite3BeginWriteOperation).
    pub fn writes_db(&mut self, multi_write: bool, db: usize) {
        self.uses_db(db);
        self.written_dbs |= 1 << db;
        self.multi_write |= multi_write;
    }

    /// Whether the statement writes some database.
    pub fn is_writing(&self) -> bool {
        self.written_dbs != 0
    }

    // ---- EXPLAIN QUERY PLAN ----

    /// Whether the plan is to be explained; texts are made only then.
    #[inline]
    pub fn is_explaining_plan(&self) -> bool {
        self.explain == ast::Explain::QueryPlan
    }

    /// Adds a line below the current one.
    #[inline]
    pub fn explain(&mut self, text: impl FnOnce() -> String) {
        if self.is_explaining_plan() {
            self.explain_line(text());
        }
    }

    /// Adds a line below the current one and makes it the current one, until [`Compiler::explain_pop`].
    #[inline]
    pub fn explain_push(&mut self, text: impl FnOnce() -> String) {
        if self.is_explaining_plan() {
            let addr = self.explain_line(text());
            self.explain_stack.push(self.explain_parent);
            self.explain_parent = addr;
        }
    }

    /// Leaves the current line.
    #[inline]
    pub fn explain_pop(&mut self) {
        if self.is_explaining_plan() {
            self.explain_parent = self.explain_stack.pop().unwrap_or(0);
        }
    }

    #[cold]
    fn explain_line(&mut self, text: String) -> i32 {
        let (addr, parent) = (self.here(), self.explain_parent);
        self.op4(
            Opcode::Explain,
            addr,
            parent,
            0,
            P4::Text(text.into_bytes().into()),
        )
    }

    // ---- constants ----

    /// The register that holds the value of a constant expression, computed once when the statement begins
    /// (SQLite's sqlite3ExprCodeRunJustOnce). `dest`: the register to use; none: any, shared with equal constants.
    pub fn constant(&mut self, expr: &Expr, dest: Option<i32>) -> Result<i32> {
        if dest.is_none() {
            let known = self
                .constants
                .iter()
                .find(|c| c.reusable && crate::bound::walk::same(&c.expr, expr));
            if let Some(constant) = known {
                return Ok(constant.reg);
            }
        }
        if crate::bound::walk::has_function(expr) {
            // A function may fail or be slow, and the constants run even if the loop does not: so, on first use.
            let once = self.op(Opcode::Once, 0, 0, 0);
            let reg = dest.unwrap_or_else(|| self.alloc_reg());
            let factor = std::mem::replace(&mut self.factor_constants, false);
            self.expr_code(expr, reg)?;
            self.factor_constants = factor;
            self.jump_here(once);
            return Ok(reg);
        }
        let reg = dest.unwrap_or_else(|| self.alloc_reg());
        self.constants.push(Constant {
            expr: expr.clone(),
            reg,
            reusable: dest.is_none(),
        });
        Ok(reg)
    }

    // ---- the end ----

    /// Ends the program of a trigger.
    pub(crate) fn finish_subprogram(mut self) -> Result<Program> {
        self.op(Opcode::Halt, 0, 0, 0);
        debug_assert!(self.constants.is_empty(), "a subprogram has no prologue");
        self.b.set_mem_count(self.mem_count as u32);
        self.b.set_cursor_count(self.cursors.len() as u32);
        Ok(self.b.finish()?)
    }

    /// Emits Halt, the transactions and the constants, and hands out the program: once.
    pub fn finish(&mut self) -> Result<Arc<Program>> {
        self.end_change()?;
        self.op(Opcode::Halt, 0, 0, 0);
        if self.used_dbs != 0 || !self.constants.is_empty() || self.here() > 1 {
            self.jump_here(0);
            for db in 0..self.ctx.schema.dbs.len() {
                if self.used_dbs & (1 << db) == 0 {
                    continue;
                }
                let write = i32::from(self.written_dbs & (1 << db) != 0);
                let schema = &self.ctx.schema.dbs[db];
                let (cookie, generation) = (schema.cookie as i32, schema.generation as i32);
                self.op4(
                    Opcode::Transaction,
                    db as i32,
                    write,
                    cookie,
                    P4::Int(generation),
                );
                self.p5(1);
            }
            for i in 0..self.programs.sequences.len() {
                let sequence = self.programs.sequences[i].clone();
                self.read_sequence(&sequence)?;
            }
            self.factor_constants = false;
            if !self.constants.is_empty() {
                for constant in &std::mem::take(&mut self.constants) {
                    self.expr_code(&constant.expr, constant.reg)?;
                }
            }
            self.op(Opcode::Goto, 0, 1, 0);
        }
        self.b.about.subprograms = self.programs.take();
        self.b.about.columns = std::mem::take(&mut self.columns);
        self.b.about.databases = u64::from(self.used_dbs);
        self.b.about.statement_journal = self.may_abort && self.multi_write;
        self.b.about.explain = match self.explain {
            ast::Explain::No => ringwood_vdbe::Explain::No,
            ast::Explain::Program => ringwood_vdbe::Explain::Program,
            ast::Explain::QueryPlan => ringwood_vdbe::Explain::QueryPlan,
        };
        self.b.set_mem_count(self.mem_count as u32);
        self.b.set_cursor_count(self.cursors.len() as u32);
        let (program, buffers) = self.b.finish_reusing()?;
        let mut tools = self.tools.take().unwrap_or_default();
        tools.buffers = buffers;
        tools.cursors = std::mem::take(&mut self.cursors);
        tools.cursors.clear();
        if tools.cursors.capacity() > CURSORS_KEPT_MAX {
            tools.cursors = Vec::new();
        }
        self.ctx.workshop.put(tools);
        Ok(program)
    }
}
