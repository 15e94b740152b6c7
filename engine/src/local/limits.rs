//! Limits of a connection, as SQLite has them.
//!
//! | limit | highest | what exceeds it fails with |
//! |---|---|---|
//! | `Length` | 1,000,000,000 | string or blob too big |
//! | `SqlLength` | 1,000,000,000 | statement too long |
//! | `Column` | 2000 | too many columns on t, … in result set, … in index; too many terms in ORDER BY clause |
//! | `ExprDepth` | 1000 | Expression tree is too large (maximum depth n) |
//! | `CompoundSelect` | 500 | too many terms in compound SELECT |
//! | `VdbeOp` | 250,000,000 | out of memory |
//! | `FunctionArg` | 1000 | too many arguments on function f |
//! | `Attached` | 10 | too many attached databases - max n |
//! | `LikePatternLength` | 50,000 | LIKE or GLOB pattern too complex |
//! | `VariableNumber` | 32,766 | variable number must be between ?1 and ?n, too many SQL variables |
//! | `TriggerDepth` | 1000 | too many levels of trigger recursion |
//! | `WorkerThreads` | 0 | nothing: sorts run on the connection's thread |
//!
//! Source: SQLite's "Run-Time Limits", `sqlite3_limit`.

use ringwood_sql::parse::ParserLimits;
use ringwood_vdbe::{Error as VdbeError, Program, ResultCode};

use super::{Inner, LocalConnection};

/// A limit; the numbers are SQLite's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Limit {
    /// Bytes of a string, a blob or a row.
    Length = 0,
    /// Bytes of a statement.
    SqlLength = 1,
    /// Columns of a table, an index, a result; terms of SET, GROUP BY and ORDER BY.
    Column = 2,
    /// Levels of an expression.
    ExprDepth = 3,
    /// Parts of a compound SELECT.
    CompoundSelect = 4,
    /// Instructions of a program.
    VdbeOp = 5,
    /// Arguments of a function.
    FunctionArg = 6,
    /// Attached databases.
    Attached = 7,
    /// Bytes of a pattern of LIKE or GLOB.
    LikePatternLength = 8,
    /// The highest number of a parameter.
    VariableNumber = 9,
    /// Levels of triggers that fire one another.
    TriggerDepth = 10,
    /// Threads that help a statement.
    WorkerThreads = 11,
}

/// How many there are.
const COUNT: usize = 12;

impl Limit {
    /// All of them, with the names of the shell's `.limit`.
    pub const ALL: [(&'static str, Limit); COUNT] = [
        ("length", Limit::Length),
        ("sql_length", Limit::SqlLength),
        ("column", Limit::Column),
        ("expr_depth", Limit::ExprDepth),
        ("compound_select", Limit::CompoundSelect),
        ("vdbe_op", Limit::VdbeOp),
        ("function_arg", Limit::FunctionArg),
        ("attached", Limit::Attached),
        ("like_pattern_length", Limit::LikePatternLength),
        ("variable_number", Limit::VariableNumber),
        ("trigger_depth", Limit::TriggerDepth),
        ("worker_threads", Limit::WorkerThreads),
    ];

    /// The highest value, which is also the one at the start.
    pub const fn highest(self) -> i32 {
        HIGHEST[self as usize]
    }
}

const HIGHEST: [i32; COUNT] = [
    1_000_000_000,
    1_000_000_000,
    2000,
    1000,
    500,
    250_000_000,
    1000,
    10,
    50_000,
    32_766,
    1000,
    0,
];

/// The values of all limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits([i32; COUNT]);

impl Default for Limits {
    fn default() -> Limits {
        Limits(HIGHEST)
    }
}

impl Limits {
    fn get(self, limit: Limit) -> i32 {
        self.0[limit as usize]
    }

    /// Those of the parser.
    pub(super) fn parser(self) -> ParserLimits {
        let get = |limit| self.get(limit) as u32;
        ParserLimits {
            expr_depth: get(Limit::ExprDepth),
            variable_number: get(Limit::VariableNumber),
            function_args: get(Limit::FunctionArg),
            compound_select: get(Limit::CompoundSelect),
            columns: get(Limit::Column),
            sql_length: get(Limit::SqlLength),
            ..ParserLimits::default()
        }
    }
}

impl LocalConnection {
    /// The value of a limit.
    pub fn limit(&self, limit: Limit) -> i32 {
        self.inner.limit_values.get().get(limit)
    }

    /// Changes a limit and gives the value that it had. A negative value changes nothing; one above the
    /// [highest](Limit::highest) is that; one of 0 for `Length` below 30 is 30.
    ///
    /// ```
    /// use ringwood::{LocalConnection, local::Limit};
    /// # fn main() -> ringwood::Result<()> {
    /// let conn = LocalConnection::open_in_memory()?;
    /// assert_eq!(conn.set_limit(Limit::Length, 1000), 1_000_000_000);
    /// let error = conn.query_row("SELECT randomblob(1001)", ()).unwrap_err();
    /// assert_eq!(error.message(), "string or blob too big");
    /// # Ok(()) }
    /// ```
    pub fn set_limit(&self, limit: Limit, value: i32) -> i32 {
        let mut values = self.inner.limit_values.get();
        let old = values.get(limit);
        if value < 0 {
            return old;
        }
        let mut value = value.min(limit.highest());
        if limit == Limit::Length {
            value = value.max(30);
        }
        values.0[limit as usize] = value;
        self.inner.limit_values.set(values);
        self.inner.cache.clear();
        self.inner.apply_limits();
        old
    }
}

impl Inner {
    /// Tells the compiler, the VM and the functions about the limits.
    fn apply_limits(&self) {
        let values = self.limit_values.get();
        let count = |limit| values.get(limit) as usize;
        self.limits.set(ringwood_sql::compiler::Limits {
            length: count(Limit::Length) as u32,
            columns: count(Limit::Column),
            expr_depth: count(Limit::ExprDepth),
            compound_select: match count(Limit::CompoundSelect) {
                0 => usize::MAX,
                parts => parts,
            },
            function_args: count(Limit::FunctionArg),
            attached: count(Limit::Attached),
            trigger_depth: count(Limit::TriggerDepth),
        });
        self.with_env(|env| {
            env.limits.length = count(Limit::Length) as u64;
            env.limits.trigger_depth = count(Limit::TriggerDepth) as u32;
            env.limits.attached = count(Limit::Attached) as u32;
            env.facts.length_max = env.limits.length;
            env.facts.like_pattern_length_max = count(Limit::LikePatternLength) as u64;
        });
    }

    /// Refuses a program that is too long: SQLite's array of instructions doubles, and may not grow beyond the limit.
    pub(super) fn check_program(&self, program: &Program) -> Result<(), VdbeError> {
        let limit = self.limit_values.get().get(Limit::VdbeOp) as usize;
        let mut room = 42;
        loop {
            if room > limit {
                return Err(VdbeError::code(ResultCode::NOMEM));
            }
            if room >= program.insns.len() {
                return Ok(());
            }
            room *= 2;
        }
    }
}
