//! The planner: which index serves each table of a FROM clause, and in which order the tables nest.
//!
//! ## Vocabulary
//! - A **source** ([`Source`]) is one item of the FROM clause: a stored table, or a subquery that was materialised or
//!   runs as a co-routine. It is *not* a table: a table named twice is two sources.
//! - A **term** ([`Term`]) is one operand of the AND that WHERE and the ON clauses form together, or something that
//!   follows from one (`a BETWEEN 1 AND 2` gives the virtual terms `a >= 1` and `a <= 2`). It is *not* an expression: a
//!   virtual term has none of its own to evaluate, and one expression can be several terms.
//! - A **clause** ([`Clause`]) is a list of terms: the whole WHERE, the disjuncts of one OR term, or the conjuncts of
//!   one disjunct.
//! - A **loop** ([`Loop`]) is one way to visit the rows of one source: which index, which terms bound it, what it
//!   needs beforehand (`prereq`) and what that costs. It is *not* a place in the nesting: many loops are weighed, one
//!   per source is taken.
//! - A **path** ([`solve::Path`]) is a sequence of loops, outermost first, with its cost and the part of ORDER BY that
//!   it satisfies. It is *not* finished until it has one loop for every source.
//! - A **level** ([`Level`]) is one place in the nesting, of the path that was chosen, with what the code generator
//!   keeps about it.
//!
//! ## Passes
//! | pass | module | from | to |
//! |---|---|---|---|
//! | weaken | [`outer_joins`] | a bound SELECT | the same with weaker joins |
//! | split | [`analyze`] | expressions | base terms |
//! | analyze | [`analyze`], [`like`], [`disjunction`] | base terms | operator, column, masks; virtual terms |
//! | short cut | [`shortcut`] | a single table with `rowid = ?` or a unique key | the path, at once |
//! | loops | [`candidates`], [`rivals`], [`samples`], [`multi_or`], [`virtual_table`] | terms and indexes | loops with costs |
//! | solve | [`solve`], [`order`] | loops | the cheapest path, twice where there is an ORDER BY |
//! | correlated | [`correlated`] | a full scan in a correlated subquery | an index made for the statement |
//! | prune | [`noop_join`] | the path | the path without outer joins that nothing sees |
//!
//! Code is emitted from the levels by [`crate::codegen::loops`]. [`trace`] prints what stands after each pass.
//!
//! ## Rules
//! 1. Masks have one bit a source, in FROM order; bit *i* is source *i*. At most 64 sources.
//! 2. A term may bound an index of a source on the inner side of an outer join only if it comes from that join's ON.
//! 3. An index serves a comparison only where collation and affinity of both agree ([`facts::index_affinity_ok`]).
//! 4. Estimates, ties and the order in which loops are tried are SQLite's, so that its plans are ours.
//!
//! Source: SQLite's documents "The SQLite Query Optimizer Overview" and "The Next-Generation Query Planner", and the
//! behaviour of its planner.

use crate::bound::walk::{self, Node, Walk};
use crate::bound::{ColumnRef, Expr, FromSource, In, InSet, IndexHint, Select, SubqueryId};
use crate::compiler::{Optimizations, SqlError};
use crate::schema::IndexKey;
use bitflags::bitflags;
use cost::LogEst;
use order::Wishes;
use ringwood_vdbe::Connected;
use smallvec::SmallVec;
use std::rc::Rc;
use term::{Masks, Source, Term};

pub mod analyze;
pub mod candidates;
pub mod correlated;
pub mod cost;
pub mod disjunction;
pub mod facts;
pub mod like;
pub mod multi_or;
pub mod noop_join;
pub mod or_cost;
pub mod order;
pub mod outer_joins;
pub mod partial;
mod probe;
pub mod rivals;
pub mod samples;
pub mod scan;
pub mod shortcut;
pub mod solve;
pub mod term;
pub mod trace;
pub mod virtual_table;

/// A set of sources, one bit each.
pub type Mask = u64;
/// The column number of a rowid.
pub const ROWID: i16 = -1;
/// The column number of an indexed expression.
pub const EXPR: i16 = -2;
/// How many sources one FROM clause may have.
pub const SOURCES_MAX: usize = 64;

bitflags! {
    /// The operator of a term, as index constraints see it; sets of them are what a scan looks for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Ops: u16 {
        /// `x IN (…)`
        const IN = 0x0001;
        /// `x = y`
        const EQ = 0x0002;
        /// `x > y`
        const GT = 0x0004;
        /// `x <= y`
        const LE = 0x0008;
        /// `x < y`
        const LT = 0x0010;
        /// `x >= y`
        const GE = 0x0020;
        /// `x IS y`
        const IS = 0x0080;
        /// An operator that virtual tables alone know ([`Term::match_op`]).
        const AUX = 0x0040;
        /// `x IS NULL`
        const ISNULL = 0x0100;
        /// Disjuncts, in a clause of their own.
        const OR = 0x0200;
        /// Conjuncts inside a disjunct.
        const AND = 0x0400;
        /// Both sides are columns whose values may stand for one another.
        const EQUIV = 0x0800;
        /// A row-value equality that has been split.
        const ROWVAL = 0x2000;
        /// All that a single column can be constrained by.
        const SINGLE = 0x01ff;
        /// The four ranges.
        const RANGE = 0x003c;
    }
}

bitflags! {
    /// What is known of a term beside its operator.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct TermFlags: u16 {
        /// Follows from another term; never evaluated for itself.
        const VIRTUAL = 0x0002;
        /// Has been taken care of by emitted code.
        const CODED = 0x0004;
        /// Has a virtual twin with the sides exchanged.
        const COPIED = 0x0008;
        /// Scratch mark of the OR analysis.
        const OK = 0x0040;
        /// `x > NULL`, made from `x IS NOT NULL`: keeps NULLs out of a range, narrows nothing.
        const GUARD = 0x0080;
        /// One bound of the range that a LIKE prefix gives.
        const LIKE_OPT = 0x0100;
        /// The LIKE is evaluated only in the pass over BLOBs, or not at all.
        const LIKE_COND = 0x0200;
        /// A LIKE without case whose prefix bounds an index.
        const LIKE = 0x0400;
        /// The operator was written IS.
        const IS = 0x0800;
        /// Contains a correlated subquery: evaluated last.
        const VAR_SELECT = 0x1000;
        /// Was taken for selective, as equalities are.
        const HEURISTIC_TRUTH = 0x2000;
        /// Samples say that it is not selective.
        const HIGH_TRUTH = 0x4000;
        /// One column of a row-value comparison.
        const SLICE = 0x8000;
    }
}

bitflags! {
    /// What a loop does.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct LoopFlags: u32 {
        /// `x = ?`
        const COLUMN_EQ = 0x0000_0001;
        /// `x < ?` and the like
        const COLUMN_RANGE = 0x0000_0002;
        /// `x IN (…)`
        const COLUMN_IN = 0x0000_0004;
        /// `x IS NULL`
        const COLUMN_NULL = 0x0000_0008;
        /// Any of the four above.
        const CONSTRAINT = 0x0000_000f;
        /// Has an upper bound.
        const TOP_LIMIT = 0x0000_0010;
        /// Has a lower bound.
        const BTM_LIMIT = 0x0000_0020;
        /// Both bounds.
        const BOTH_LIMIT = 0x0000_0030;
        /// The table itself is not read.
        const IDX_ONLY = 0x0000_0040;
        /// Walks the table by rowid.
        const IPK = 0x0000_0100;
        /// Walks an index.
        const INDEXED = 0x0000_0200;
        /// Over a virtual table.
        const VIRTUAL = 0x0000_0400;
        /// At most one row.
        const ONEROW = 0x0000_1000;
        /// A union of index loops, for an OR.
        const MULTI_OR = 0x0000_2000;
        /// An index built for this statement.
        const AUTO_INDEX = 0x0000_4000;
        /// Leading index columns are enumerated.
        const SKIPSCAN = 0x0000_8000;
        /// One row unless NULLs are in the key.
        const UNQ_WANTED = 0x0001_0000;
        /// The automatic index has a WHERE of its own.
        const PARTIAL_IDX = 0x0002_0000;
        /// IN loops can end early for a hopeless prefix.
        const IN_EARLYOUT = 0x0004_0000;
        /// NULLS LAST on an ascending index, or FIRST on a descending one: two passes.
        const BIGNULL_SORT = 0x0008_0000;
        /// Stepping beats seeking from one IN value to the next.
        const IN_SEEKSCAN = 0x0010_0000;
        /// Bounded by way of an equivalence.
        const TRANSCONS = 0x0020_0000;
        /// Terms of its own, beside the index, throw rows away.
        const SELFCULL = 0x0080_0000;
        /// The source runs as a co-routine.
        const COROUTINE = 0x0200_0000;
        /// An index on an expression that may turn out to be covering.
        const EXPRIDX = 0x0400_0000;
        /// A filter is asked before the lookup.
        const BLOOM_FILTER = 0x0040_0000;
        /// An IN loop was emitted.
        const IN_ABLE = 0x0000_0800;
    }
}

/// A term's number among all terms of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermId(pub u32);

/// A clause's number among all clauses of a plan; the whole WHERE is clause 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClauseId(pub u32);

impl ClauseId {
    /// The WHERE itself.
    pub const WHERE: ClauseId = ClauseId(0);
}

/// A list of terms.
#[derive(Clone, Debug)]
pub struct Clause {
    /// Its terms, base terms first.
    pub terms: SmallVec<[TermId; 8]>,
    /// How many of them were written, rather than derived.
    pub base_count: usize,
    /// Joined by OR rather than AND.
    pub is_or: bool,
    /// Some OR term could be served by indexes.
    pub has_or: bool,
    /// The clause around this one, whose terms hold here as well.
    pub outer: Option<ClauseId>,
}

/// One way to visit the rows of a source.
#[derive(Debug)]
pub struct Loop {
    /// Sources that must be in outer loops.
    pub prereq: Mask,
    /// The bit of its own source.
    pub self_mask: Mask,
    /// Its source's place in the FROM clause.
    pub source: u8,
    /// Loops compete only within the same number; not zero if an ORDER BY could use the index.
    pub sort_index: u8,
    /// One-time cost.
    pub setup: LogEst,
    /// Cost of one run.
    pub run: LogEst,
    /// Rows that one run delivers.
    pub rows: LogEst,
    /// How many leading index columns are fixed (equality, IN, IS NULL, skipped).
    pub eq: u16,
    /// Columns in the lower bound.
    pub btm: u16,
    /// Columns in the upper bound.
    pub top: u16,
    /// How many of the leading columns are enumerated by skip-scan.
    pub skip: u16,
    /// How many leading columns tell distinct rows apart.
    pub distinct_columns: u16,
    /// The index's place in its table's list; none for a walk by rowid, an automatic index, an OR.
    pub index: Option<u16>,
    /// What it does.
    pub flags: LoopFlags,
    /// The source is a subquery with an ORDER BY of its own.
    pub ordered_subquery: bool,
    /// The terms that bound it, by index column; none for a skipped column. Of a virtual table: its arguments.
    pub terms: SmallVec<[Option<TermId>; 4]>,
    /// What a virtual table has chosen.
    pub virtual_plan: Option<Rc<virtual_table::VirtualPlan>>,
}

impl Clone for Loop {
    /// As derived, but the terms are copied at once.
    #[inline]
    fn clone(&self) -> Loop {
        Loop {
            terms: SmallVec::from_slice(&self.terms),
            virtual_plan: self.virtual_plan.clone(),
            ..*self
        }
    }
}

impl Loop {
    /// Nothing yet.
    pub fn empty() -> Loop {
        Loop {
            prereq: 0,
            self_mask: 0,
            source: 0,
            sort_index: 0,
            setup: 0,
            run: 0,
            rows: 0,
            eq: 0,
            btm: 0,
            top: 0,
            skip: 0,
            distinct_columns: 0,
            index: None,
            flags: LoopFlags::empty(),
            ordered_subquery: false,
            terms: SmallVec::new(),
            virtual_plan: None,
        }
    }

    /// Whether `other` walks the same index of the same source.
    pub fn same_index(&self, other: &Loop) -> bool {
        self.index == other.index
    }
}

bitflags! {
    /// What the caller asks for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Control: u16 {
        /// The first row of the order by one term is all that is wanted: min().
        const ORDERBY_MIN = 0x0001;
        /// The same for max().
        const ORDERBY_MAX = 0x0002;
        /// The statement changes the rows that it finds, perhaps while it finds them.
        const ONEPASS_DESIRED = 0x0004;
        /// And may do so with more than one row.
        const ONEPASS_MULTIROW = 0x0008;
        /// A row may be visited twice.
        const DUPLICATES_OK = 0x0010;
        /// One disjunct of an OR; the table is open already.
        const OR_SUBCLAUSE = 0x0020;
        /// The order is that of a GROUP BY.
        const GROUPBY = 0x0040;
        /// The order is that of a DISTINCT.
        const DISTINCTBY = 0x0080;
        /// Duplicates are to go.
        const WANT_DISTINCT = 0x0100;
        /// A GROUP BY whose groups should come in that order.
        const SORTBYGROUP = 0x0200;
        /// Keep outer joins that nothing sees.
        const KEEP_ALL_JOINS = 0x0400;
        /// Asks for the order of the innermost loop alone.
        const ORDERBY_LIMIT = 0x0800;
        /// The unmatched rows of a RIGHT JOIN.
        const RIGHT_JOIN = 0x1000;
        /// A LIMIT bounds what the sort keeps.
        const USE_LIMIT = 0x4000;
        /// The result feeds an aggregate with DISTINCT.
        const AGG_DISTINCT = 0x8000;
    }
}

/// What the loops do about DISTINCT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Distinct {
    /// Nothing was asked.
    #[default]
    Noop,
    /// All rows differ.
    Unique,
    /// Equal rows come one after another.
    Ordered,
    /// Equal rows come in any order.
    Unordered,
}

/// INDEXED BY and NOT INDEXED.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hint {
    /// This index and no other.
    pub only: Option<u16>,
    /// No index.
    pub none: bool,
}

/// An expression that an index holds, bound to a source.
#[derive(Clone, Debug)]
pub struct IndexExpr {
    /// The source.
    pub source: u8,
    /// Its cursor.
    pub cursor: i32,
    /// The index's place in the table's list.
    pub index: u16,
    /// The place in the index.
    pub position: u16,
    /// The expression.
    pub expr: Expr,
}

/// The WHERE of a partial index, bound to a source.
#[derive(Clone, Debug)]
pub struct PartialWhere {
    /// The source.
    pub source: u8,
    /// The index's place in the table's list.
    pub index: u16,
    /// The condition.
    pub expr: Expr,
}

/// One place in the nesting: the loop that was chosen. What the code generator adds is in
/// `codegen::loops::LevelCode`.
#[derive(Clone, Debug)]
pub struct Level {
    /// The loop.
    pub lp: Loop,
}

impl Level {
    /// A level of that loop.
    pub fn new(lp: Loop) -> Level {
        Level { lp }
    }
}

/// All that is planned for one FROM clause.
#[derive(Clone, Debug)]
pub struct Where<'q> {
    /// The sources, in FROM order.
    pub sources: SmallVec<[Source<'q>; 2]>,
    /// How many of them are nested here (one disjunct of an OR nests the first alone).
    pub level_count: usize,
    /// Which cursor is which bit.
    pub masks: Masks,
    /// All terms.
    pub terms: Vec<Term<'q>>,
    /// All clauses; the first is WHERE.
    pub clauses: Vec<Clause>,
    /// Candidate loops.
    pub loops: Vec<Loop>,
    /// The chosen loops, outermost first.
    pub levels: Vec<Level>,
    /// The virtual tables among the sources, by source; empty if there are none.
    pub connected: Vec<Option<Rc<Connected>>>,
    /// The registers of LIMIT and OFFSET; 0: none.
    pub limit_regs: (i32, i32),
    /// What a virtual table has failed with.
    pub failed: Option<SqlError>,
    /// What the caller asks for.
    pub control: Control,
    /// The wished order.
    pub order_by: Option<Wishes<'q>>,
    /// The result columns, where DISTINCT is wished or joins may be omitted.
    pub result: Wishes<'q>,
    /// Whether result columns were given.
    pub has_result: bool,
    /// How many columns the sorter would carry.
    pub result_width: usize,
    /// The SELECT, if it is one.
    pub select: Option<&'q Select>,
    /// Whether a SELECT is planned, rather than an UPDATE or DELETE.
    pub has_select: bool,
    /// The LIMIT, as an estimate.
    pub limit: LogEst,
    /// Rows of the loops around these.
    pub outer_rows: LogEst,
    /// PRAGMA automatic_index.
    pub automatic_index: bool,
    /// Loops that nobody wants in an order run backwards (`PRAGMA reverse_unordered_selects`).
    pub reverse_unordered: bool,
    /// Optimisations that are switched off.
    pub disabled: Optimizations,
    /// The main database is UTF-16 little-endian.
    pub utf16le: bool,
    /// Some index of some source holds an expression.
    pub has_expression_index: bool,
    /// Those expressions.
    pub index_exprs: Vec<IndexExpr>,
    /// Indexes with samples.
    pub sampled: Vec<Rc<samples::SampledIndex>>,
    /// The conditions of partial indexes.
    pub partials: Vec<PartialWhere>,
    /// Where ids for made INs begin, and how many were given.
    pub made_ids: (u32, u32),
    /// Terms of the order that are satisfied.
    pub satisfied: i8,
    /// Bit i: level i runs backwards.
    pub reverse: Mask,
    /// What the loops do about DISTINCT.
    pub distinct: Distinct,
    /// The innermost loop delivers the wished order, for one row of the outer ones.
    pub ordered_inner: bool,
    /// The groups come in the order of ORDER BY, too.
    pub sorted: bool,
    /// Rows of the result.
    pub rows_out: LogEst,
    /// Cost of the whole.
    pub total_cost: LogEst,
    star_done: bool,
    star_used: bool,
}

impl<'q> Where<'q> {
    /// A plan for these sources, with nothing known and without clauses: the WHERE is to be the first.
    #[inline(always)] // so that it is made where it stays
    pub fn new(sources: SmallVec<[Source<'q>; 2]>, control: Control) -> Where<'q> {
        let mut masks = Masks::default();
        for source in &sources {
            masks.push(source.cursor());
        }
        let level_count = if control.contains(Control::OR_SUBCLAUSE) {
            1
        } else {
            sources.len()
        };
        let has_expression_index = sources
            .iter()
            .any(|s| s.item.table.indexes.iter().any(|index| index.has_expr));
        Where {
            sources,
            level_count,
            masks,
            terms: Vec::new(),
            clauses: Vec::new(),
            loops: Vec::new(),
            levels: Vec::new(),
            connected: Vec::new(),
            limit_regs: (0, 0),
            failed: None,
            control,
            order_by: None,
            result: SmallVec::new(),
            has_result: false,
            result_width: 0,
            select: None,
            has_select: false,
            limit: 0,
            outer_rows: 0,
            automatic_index: true,
            reverse_unordered: false,
            disabled: Optimizations::empty(),
            utf16le: false,
            has_expression_index,
            index_exprs: Vec::new(),
            sampled: Vec::new(),
            partials: Vec::new(),
            made_ids: (0, 0),
            satisfied: 0,
            reverse: 0,
            distinct: Distinct::Noop,
            ordered_inner: false,
            sorted: false,
            rows_out: 0,
            total_cost: 0,
            star_done: false,
            star_used: false,
        }
    }

    /// A term.
    #[inline]
    pub fn term(&self, id: TermId) -> &Term<'q> {
        &self.terms[id.0 as usize]
    }

    /// A term, to be changed.
    #[inline]
    pub fn term_mut(&mut self, id: TermId) -> &mut Term<'q> {
        &mut self.terms[id.0 as usize]
    }

    /// A clause.
    #[inline]
    pub fn clause(&self, id: ClauseId) -> &Clause {
        &self.clauses[id.0 as usize]
    }

    /// Chooses the loops: all passes after the analysis.
    ///
    /// # Errors
    /// `no query solution`, if INDEXED BY names an index that cannot be used.
    pub fn choose(&mut self) -> Result<(), SqlError> {
        if self.disabled.contains(Optimizations::DISTINCT) {
            self.control -= Control::WANT_DISTINCT;
        }
        if self.control.contains(Control::WANT_DISTINCT) {
            let result = self.result.clone();
            if self.distinct_is_redundant(&result) {
                self.distinct = Distinct::Unique;
            } else if self.order_by.is_none() {
                self.control |= Control::DISTINCTBY;
                self.order_by = Some(result);
            }
        }
        if self.level_count == 0 {
            return Ok(());
        }
        if self.sources.len() != 1 || !self.short_cut() {
            if candidates::Builder::add_all(self) {
                // Samples have changed what earlier loops were weighed by.
                self.loops.clear();
                candidates::Builder::add_all(self);
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            self.solve(0)?;
            if self.order_by.is_some() {
                self.interstage();
                self.solve(if self.rows_out < 0 {
                    1
                } else {
                    self.rows_out + 1
                })?;
            }
            if self.order_by.is_none() && self.reverse_unordered {
                self.reverse = Mask::MAX;
            }
            self.index_for_correlated();
            self.place_filters();
            if self.control.contains(Control::WANT_DISTINCT) {
                self.rows_out -= 30;
            }
        }
        Ok(())
    }

    /// The sources that an expression needs; sets `correlated` if a correlated subquery is in it.
    pub fn usage(&self, expr: &Expr, correlated: &mut bool) -> Mask {
        match expr {
            // The commonest first.
            Expr::Column(column) => self.masks.of(column.cursor),
            Expr::Null
            | Expr::Integer(_)
            | Expr::Real(_)
            | Expr::Text(_)
            | Expr::Blob(_)
            | Expr::Param(_) => 0,
            _ => self.usage_walk(expr, correlated),
        }
    }

    fn usage_walk(&self, expr: &Expr, correlated: &mut bool) -> Mask {
        let mut mask = 0;
        walk::walk(expr, &mut |node| {
            mask |= self.node_usage(node, correlated);
            Walk::Continue
        });
        mask
    }

    fn node_usage(&self, node: Node<'_>, correlated: &mut bool) -> Mask {
        match node {
            Node::Expr(Expr::Column(column)) => self.masks.of(column.cursor),
            Node::Expr(Expr::IfNullRow { cursor, .. }) => self.masks.of(*cursor),
            Node::Expr(Expr::Subquery(s) | Expr::Exists(s)) => {
                *correlated |= s.correlated;
                0
            }
            Node::Expr(Expr::In(set)) => {
                if let InSet::Select { correlated: c, .. } = &set.set {
                    *correlated |= *c;
                }
                0
            }
            _ => 0,
        }
    }

    /// The sources that the right side of an IN needs.
    pub fn usage_of_set(&self, set: &In, correlated: &mut bool) -> Mask {
        match &set.set {
            InSet::List(list) => list
                .iter()
                .map(|e| self.usage(e, correlated))
                .fold(0, |a, b| a | b),
            InSet::Select {
                select,
                correlated: c,
            } => {
                *correlated |= *c;
                let mut mask = 0;
                walk::walk_select(select, &mut |node| {
                    mask |= self.node_usage(node, correlated);
                    Walk::Continue
                });
                mask
            }
        }
    }

    /// INDEXED BY of a source.
    pub fn hint(&self, source: u8) -> Hint {
        let item = self.sources[usize::from(source)].item;
        match &item.hint {
            IndexHint::Any => Hint::default(),
            IndexHint::None => Hint {
                only: None,
                none: true,
            },
            IndexHint::Index(wanted) => {
                let at = item
                    .table
                    .indexes
                    .iter()
                    .position(|i| std::sync::Arc::ptr_eq(i, wanted));
                Hint {
                    only: at.map(|i| i as u16),
                    none: false,
                }
            }
        }
    }

    /// Whether a source is a subquery that refers to a query around it, or to its neighbours.
    pub fn is_correlated(&self, source: u8) -> bool {
        match &self.sources[usize::from(source)].item.source {
            FromSource::Select(select) => select.flags.correlated,
            FromSource::Table | FromSource::Recursive => false,
        }
    }

    /// The expression at a place of an index of a source.
    pub fn index_expr(&self, source: u8, index: u16, position: u16) -> Option<&Expr> {
        let at = |e: &&IndexExpr| e.source == source && e.index == index && e.position == position;
        self.index_exprs.iter().find(at).map(|e| &e.expr)
    }

    /// The columns of a source that are used and not in an index: bit n for column n, bit 63 for all from 63 on.
    pub fn columns_missing(&self, source: u8, index: u16) -> u64 {
        let item = self.sources[usize::from(source)].item;
        let index = &item.table.indexes[usize::from(index)];
        let mut held = 0u64;
        for column in &index.columns {
            if let IndexKey::Column(c) = &column.key {
                if *c < 63 && !item.table.columns[*c].is_virtual() {
                    held |= 1 << c;
                }
            }
        }
        item.columns_used & !held
    }

    /// Looks through the SELECT itself whether an index covers a source: for tables of more than 63 columns, and for
    /// indexes that hold expressions.
    pub fn covers_by_walk(&self, source: u8, index_no: u16) -> Option<LoopFlags> {
        let select = self.select?;
        let item = self.sources[usize::from(source)].item;
        let index = &item.table.indexes[usize::from(index_no)];
        let wide = index
            .columns
            .iter()
            .any(|c| c.key.column().is_some_and(|c| c >= 63));
        let is_virtual =
            |c: &i32| usize::try_from(*c).is_ok_and(|c| item.table.columns[c].is_virtual());
        let has_virtual = index
            .columns
            .iter()
            .filter_map(|c| c.key.column())
            .any(|c| is_virtual(&c));
        if index.has_expr && has_virtual || !index.has_expr && !wide {
            return None;
        }
        let not_held =
            |c: &ColumnRef| c.cursor == item.cursor && index.position_of(c.column).is_none();
        if select.flags.aggregate && index.has_expr {
            // Columns outside the aggregates' arguments are collected, so that what they stand in is no longer alike.
            let outside = select.result.iter().map(|column| &column.expr);
            let outside = outside.chain(select.order_by.iter().map(|term| &term.expr));
            let collected = outside.chain(&select.having).any(|expr| {
                !walk::walk(expr, &mut |node| match node {
                    Node::Expr(Expr::Function(call)) if call.aggregate.is_some() => Walk::Prune,
                    Node::Expr(Expr::Column(c)) if not_held(c) => Walk::Stop,
                    _ => Walk::Continue,
                })
            });
            if collected {
                return None;
            }
        }
        let mut by_expr = false;
        let held = |expr: &Expr| {
            let mut exprs = self.index_exprs.iter();
            exprs.any(|e| e.source == source && e.index == index_no && walk::same(&e.expr, expr))
        };
        let covered = walk::walk_select(select, &mut |node| match node {
            Node::Expr(Expr::Column(c)) if not_held(c) => Walk::Stop,
            Node::Expr(Expr::Column(_)) | Node::Select(_) => Walk::Continue,
            Node::Expr(expr) if index.has_expr && held(expr) => {
                by_expr = true;
                Walk::Prune
            }
            Node::Expr(_) => Walk::Continue,
        });
        covered.then_some(if by_expr {
            LoopFlags::EXPRIDX
        } else {
            LoopFlags::IDX_ONLY
        })
    }

    /// Whether an expression needs no more of a source than an index holds.
    pub fn covered_by_index(&self, expr: &Expr, source: u8, index_no: u16) -> bool {
        let item = self.sources[usize::from(source)].item;
        let index = &item.table.indexes[usize::from(index_no)];
        facts::covered(expr, item.cursor, index)
    }

    /// An id for an IN that the planner makes; none when there are too many.
    pub fn next_subquery(&mut self) -> Option<SubqueryId> {
        let (base, count) = self.made_ids;
        self.made_ids.1 += 1;
        (count < 1 << 10 && base < 1 << 21)
            .then_some(SubqueryId(0x8000_0000 | (base << 10) | count))
    }
}
