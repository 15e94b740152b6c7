//! Costs and row counts of the planner, all of them logarithmic.
//!
//! A [`LogEst`] is ten times the binary logarithm of a number, rounded: 0 is 1, 10 is 2, 33 is
//! 10, 66 is 100, 200 is about a million. Multiplication is addition, and addition is the small
//! table of [`add`]. Numbers below one are negative (−10 is one half).
//!
//! The unit of *rows* is a row; the unit of *cost* is roughly the work of stepping a cursor by
//! one full-width table row, to which the constants below are relative:
//!
//! | constant | value | means |
//! |---|---|---|
//! | [`ROWS_UNKNOWN`] | 200 | 1,048,576 rows in a table that `ANALYZE` has not seen |
//! | [`ROWS_EPHEMERAL`] | 200 | the same for the result of a FROM subquery that says nothing better |
//! | [`STEP_TABLE`] | 16 | a step in a table costs 3 times a comparison of the solver's unit |
//! | [`STEP_IPK`] | 16 | a step by rowid: the same |
//! | [`SAMPLED_SCAN`] | −2 | a scan of a table that has been sampled costs 2.75 instead of 3 |
//! | [`AUTO_INDEX_ROWS`] | 43 | rows that one probe of an automatic index returns: 20 |
//! | [`AUTO_INDEX_SETUP`] | 28 | building an automatic index on a real table: 7 per row |
//! | [`AUTO_INDEX_VIEW`] | −25 | the same on a materialised view: cheap, it is in memory |
//! | [`IN_SELECT_ROWS`] | 46 | rows of `IN (SELECT …)`: 25 |
//! | [`RANGE_FACTOR`] | 20 | a range term lets one row of 4 pass, a pair one of 64 |
//! | [`NULL_FACTOR`] | 10 | `IS NULL` finds twice as many rows as `= ?` |
//! | [`SKIP_SCAN_MIN`] | 42 | skip-scan wants at least 18 rows per prefix |
//!
//! Source: the estimates of SQLite's query planner (its document "The SQLite Query Optimizer
//! Overview" and the comments of `sqlite_stat1`); kept equal so that plans are equal.

/// Ten times the binary logarithm of a count or cost.
pub type LogEst = i16;

/// Rows of a table without statistics: about a million.
pub const ROWS_UNKNOWN: LogEst = 200;
/// Rows of a materialised subquery about which nothing is known.
pub const ROWS_EPHEMERAL: LogEst = 200;
/// Cost of reading one row of a table, relative to an index step.
pub const STEP_TABLE: LogEst = 16;
/// Cost of one step of a scan by rowid.
pub const STEP_IPK: LogEst = 16;
/// What a scan costs less where samples tell how rare a value is: without them an index is preferred even for one of
/// two values.
pub const SAMPLED_SCAN: LogEst = -2;
/// Rows found by one probe of an automatic index.
pub const AUTO_INDEX_ROWS: LogEst = 43;
/// Per-row cost of building an automatic index over a stored table.
pub const AUTO_INDEX_SETUP: LogEst = 28;
/// Correction of the build cost over a materialised view or subquery.
pub const AUTO_INDEX_VIEW: LogEst = -25;
/// Rows assumed on the right of `IN (SELECT …)`.
pub const IN_SELECT_ROWS: LogEst = 46;
/// Selectivity of one range term.
pub const RANGE_FACTOR: LogEst = 20;
/// `IS NULL` against `= ?`.
pub const NULL_FACTOR: LogEst = 10;
/// Least number of rows per distinct prefix for which a skip-scan is considered.
pub const SKIP_SCAN_MIN: LogEst = 42;
/// Cost of a lookup by rowid in the single-table short cut.
pub const SHORTCUT_IPK: LogEst = 33;
/// Cost of a lookup by a unique index in the single-table short cut.
pub const SHORTCUT_INDEX: LogEst = 39;
/// The inner row estimate of an outer query is capped at 28 rows.
pub const OUTER_ROWS_MAX: LogEst = 48;

/// The logarithmic estimate of a count; 0 and 1 both give 0.
pub fn log_est(x: u64) -> LogEst {
    const FRACTION: [LogEst; 8] = [0, 2, 3, 5, 6, 7, 8, 9];
    if x < 2 {
        return 0;
    }
    // Normalise to 8..=15, so that the low three bits are the fraction.
    let shift = 60 - x.leading_zeros() as i32;
    let x = if shift >= 0 { x >> shift } else { x << -shift };
    FRACTION[(x & 7) as usize] + (shift as LogEst) * 10 + 30
}

/// The logarithmic estimate of a cost that somebody else has named.
pub fn log_est_from_f64(x: f64) -> LogEst {
    if x.is_nan() || x <= 1.0 {
        return 0;
    }
    if x <= 2e9 {
        return log_est(x as u64);
    }
    let exponent = (x.to_bits() >> 52) as LogEst - 1022;
    exponent * 10
}

/// The estimate of a sum: `log(a + b)`.
pub const fn add(a: LogEst, b: LogEst) -> LogEst {
    const STEP: [u8; 32] = [
        10, 10, 9, 9, 8, 8, 7, 7, 7, 6, 6, 6, 5, 5, 5, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2,
        2, 2,
    ];
    let (big, small) = if a >= b { (a, b) } else { (b, a) };
    let gap = big as i32 - small as i32;
    if gap > 49 {
        big
    } else if gap > 31 {
        big + 1
    } else {
        big + STEP[gap as usize] as LogEst
    }
}

/// `log(log2(n))`, the depth of a search among `n` rows.
pub fn est_log(n: LogEst) -> LogEst {
    if n <= 10 { 0 } else { log_est(n as u64) - 33 }
}

/// The count that an estimate stands for, for display and for sizes of filters.
pub fn to_count(x: LogEst) -> u64 {
    let n = i64::from(x % 10);
    let x = i64::from(x / 10);
    let n = if n >= 5 {
        n - 2
    } else if n >= 1 {
        n - 1
    } else {
        n
    };
    if x > 60 {
        return i64::MAX as u64;
    }
    let m = (n + 8).max(0) as u64;
    if x >= 3 {
        m << (x - 3)
    } else {
        m >> (3 - x).min(63)
    }
}

/// Rows passed by a pair of range terms out of `rows`; either may be absent.
///
/// A term with a likelihood of its own (`truth` ≤ 0) uses that; a `> NULL` guard (`is_guard`)
/// narrows nothing.
pub fn range_rows(rows: LogEst, lower: Option<RangeTerm>, upper: Option<RangeTerm>) -> LogEst {
    let mut narrowed = rows;
    for t in [lower, upper].into_iter().flatten() {
        if t.truth <= 0 {
            narrowed += t.truth;
        } else if !t.is_guard {
            narrowed -= RANGE_FACTOR;
        }
    }
    if let (Some(l), Some(u)) = (lower, upper) {
        if l.truth > 0 && u.truth > 0 {
            narrowed -= RANGE_FACTOR;
        }
    }
    let floor = rows - LogEst::from(lower.is_some()) - LogEst::from(upper.is_some());
    floor.min(narrowed.max(10)).min(rows)
}

/// What [`range_rows`] needs to know of a range term.
#[derive(Clone, Copy, Debug)]
pub struct RangeTerm {
    /// Likelihood as a logarithm, or positive when none was given.
    pub truth: LogEst,
    /// The term only excludes NULL.
    pub is_guard: bool,
}

/// The cost of sorting `rows` rows of `columns` result columns by `terms` ORDER BY terms, of
/// which the first `sorted` are in order already.
///
/// `limit` is the LIMIT as an estimate, where there is one; `distinct` says that duplicates go
/// away as well, which halves what is sorted.
pub fn sorting(
    rows: LogEst,
    columns: usize,
    terms: usize,
    sorted: usize,
    limit: Option<LogEst>,
    distinct: bool,
) -> LogEst {
    let mut cost = rows + log_est(((columns + 59) / 30) as u64);
    if sorted > 0 {
        cost += log_est(((terms - sorted) * 100 / terms) as u64) - 66;
    }
    let mut kept = rows;
    if let Some(limit) = limit {
        cost += 10;
        if sorted != 0 {
            cost += 6;
        }
        kept = kept.min(limit);
    } else if distinct && kept > 10 {
        kept -= 10;
    }
    cost + est_log(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_of_counts() {
        let table = [
            (0, 0),
            (1, 0),
            (2, 10),
            (3, 16),
            (4, 20),
            (7, 28),
            (8, 30),
            (10, 33),
            (18, 42),
            (20, 43),
        ];
        for (count, est) in
            table
                .into_iter()
                .chain([(25, 46), (28, 48), (100, 66), (1_048_576, 200)])
        {
            assert_eq!(log_est(count), est, "{count}");
        }
        assert_eq!(log_est(u64::MAX), 639);
    }

    #[test]
    fn sums_are_monotone_and_close() {
        for a in 1..2000u64 {
            let exact = ((a + 100) as f64).log2() * 10.0;
            let got = f64::from(add(log_est(a), log_est(100)));
            assert!((exact - got).abs() < 3.0, "{a}: {got} against {exact}");
        }
        assert_eq!(add(100, 0), 100);
        assert_eq!(add(0, 0), 10);
        assert_eq!(add(40, 5), 41);
    }

    #[test]
    fn counts_come_back() {
        for x in [1u64, 2, 4, 10, 100, 1000, 1 << 20] {
            let back = to_count(log_est(x));
            assert!(back * 10 >= x * 8 && back * 10 <= x * 12, "{x} {back}");
        }
    }

    #[test]
    fn ranges_narrow() {
        let t = Some(RangeTerm {
            truth: 1,
            is_guard: false,
        });
        assert_eq!(range_rows(200, t, None), 180);
        assert_eq!(range_rows(200, t, t), 140);
        let guard = Some(RangeTerm {
            truth: 1,
            is_guard: true,
        });
        assert_eq!(range_rows(200, guard, None), 199);
        assert_eq!(range_rows(11, t, t), 9);
    }
}
