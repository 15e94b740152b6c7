//! Switches of single optimisations.
//!
//! The bits are those of SQLite's `SQLITE_TESTCTRL_OPTIMIZATIONS`; a set bit switches off. None of them changes what a
//! statement means, which is what they are for: the same query with and without each must give the same rows.
//!
//! Source: SQLite's `SQLITE_QueryFlattener` and its neighbours.

use bitflags::bitflags;

bitflags! {
    /// Optimisations that are switched off.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Optimizations: u32 {
        /// Subqueries of FROM are dissolved in the query around them.
        const QUERY_FLATTENER = 0x0000_0001;
        /// GROUP BY in the order of ORDER BY.
        const GROUP_BY_ORDER = 0x0000_0004;
        /// Constants are computed once, before the loops.
        const FACTOR_CONSTANTS = 0x0000_0008;
        /// DISTINCT by an index, or not at all where rows differ anyway.
        const DISTINCT = 0x0000_0010;
        /// Scans of covering indexes.
        const COVER_INDEX_SCAN = 0x0000_0020;
        /// ORDER BY by the indexes of a join.
        const ORDER_BY_INDEX_JOIN = 0x0000_0040;
        /// `a = b AND b = 5` makes `a = 5`.
        const TRANSITIVE = 0x0000_0080;
        /// Outer joins that nobody sees are left out.
        const OMIT_NOOP_JOIN = 0x0000_0100;
        /// `count(*)` of a UNION ALL is a sum of counts.
        const COUNT_OF_VIEW = 0x0000_0200;
        /// Statistics of `sqlite_stat4`.
        const STAT4 = 0x0000_0800;
        /// Terms of WHERE go into subqueries of FROM.
        const PUSH_DOWN = 0x0000_1000;
        /// Outer joins become inner ones.
        const SIMPLIFY_JOIN = 0x0000_2000;
        /// Leading columns of an index are enumerated.
        const SKIP_SCAN = 0x0000_4000;
        /// `a = 5 AND b = a` makes `b = 5`.
        const PROPAGATE_CONSTANTS = 0x0000_8000;
        /// min() and max() by an index.
        const MIN_MAX = 0x0001_0000;
        /// Stepping rather than seeking from one value of an IN to the next.
        const SEEK_SCAN = 0x0002_0000;
        /// ORDER BY of a subquery that nobody sees is left out.
        const OMIT_ORDER_BY = 0x0004_0000;
        /// Filters in front of lookups.
        const BLOOM_FILTER = 0x0008_0000;
        /// Filters of inner loops are asked in outer ones.
        const BLOOM_PULLDOWN = 0x0010_0000;
        /// Subqueries that are UNION ALL are dissolved.
        const FLATTEN_UNION_ALL = 0x0080_0000;
        /// Expressions are read from the index that holds them.
        const INDEXED_EXPR = 0x0100_0000;
        /// Subqueries of FROM run as co-routines.
        const COROUTINES = 0x0200_0000;
        /// Result columns of a subquery that nobody reads become NULL.
        const NULL_UNUSED_COLUMNS = 0x0400_0000;
        /// UPDATE and DELETE change rows while they find them.
        const ONE_PASS = 0x0800_0000;
        /// The order of a subquery serves the query around it.
        const ORDER_BY_SUBQUERY = 0x1000_0000;
        /// Stars of joins are recognised.
        const STAR_QUERY = 0x2000_0000;
        /// EXISTS becomes a join.
        const EXISTS_TO_JOIN = 0x4000_0000;
        /// A correlated subquery over a table without a fitting index makes one, once (Ringwood's own).
        const CORRELATED_INDEX = 0x8000_0000;
    }
}
