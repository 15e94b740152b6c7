//! Functions: how they are described, called and found.
//!
//! ```text
//!   registry.find("substr", 2) -> Arc<FunctionDef>  -- compiled into P4 of Function / AggStep
//!   scalar:     run(&mut FnContext, &[Mem])         -- sets a result; NULL if it sets none
//!   aggregate:  new() -> Box<dyn Aggregate>, then step … step, finish
//! ```
//!
//! Rules:
//! 1. A function is found by name (without case) and number of arguments; an exact arity wins over [`ANY_ARITY`].
//! 2. Functions are `Send + Sync`: programs that hold them are shared between threads.
//! 3. Arguments are not changed; conversions make copies ([`Mem::to_text`](crate::Mem) and the like borrow where they can).
//!
//! Source: SQLite's `sqlite3FindFunction`, "Application-Defined SQL Functions".

pub mod aggregate;
mod argument;
pub mod connection;
mod context;
pub mod date;
mod direct;
pub mod group_concat;
pub mod json;
pub mod math;
pub mod number;
pub mod pattern;
pub mod percentile;
pub mod printf;
mod quote;
mod real_format;
mod registry;
pub mod scalar;
pub mod stat;
pub mod text;
pub mod window;

pub use context::{AuxData, Facts, FnContext, FnError};
pub use registry::FunctionRegistry;

use crate::mem::Mem;
use std::fmt;
use std::sync::Arc;

/// The built-in functions.
pub fn builtins() -> FunctionRegistry {
    let mut registry = FunctionRegistry::new();
    scalar::register(&mut registry);
    number::register(&mut registry);
    math::register(&mut registry);
    text::register(&mut registry);
    printf::register(&mut registry);
    date::register(&mut registry);
    pattern::register(&mut registry);
    connection::register(&mut registry);
    aggregate::register(&mut registry);
    group_concat::register(&mut registry);
    percentile::register(&mut registry);
    json::register(&mut registry);
    window::register(&mut registry);
    registry
}

/// An arity: any number of arguments.
pub const ANY_ARITY: i16 = -1;

/// Any number of arguments, but at least `n` (1 or more).
pub const fn at_least(n: i16) -> i16 {
    -2 - n
}

bitflags::bitflags! {
    /// What the code generator and the planner may assume of a function.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct FunctionFlags: u32 {
        /// The same arguments give the same result: it can be factored out, and used in indexes and CHECKs.
        const DETERMINISTIC = 1;
        /// The same arguments give the same result within one statement only (`date('now')`).
        const SLOW_CHANGING = 1 << 1;
        /// It asks for its arguments' collation: a `CollSeq` goes before it.
        const NEEDS_COLLATION = 1 << 2;
        /// `LIKE` or `GLOB` in their built-in form: the planner may turn a prefix into a range.
        const LIKE = 1 << 3;
        /// With `LIKE`: letters differ by case.
        const CASE_SENSITIVE = 1 << 4;
        /// `count(*)`: the planner may count the tree's entries.
        const COUNT = 1 << 5;
        /// The aggregates `min` and `max`: the planner may look at one end of an index.
        const MINMAX = 1 << 6;
        /// `length()`: only a column's length is needed.
        const LENGTH = 1 << 7;
        /// `typeof()`: only a column's type is needed.
        const TYPEOF = 1 << 8;
        /// `octet_length()`: only a column's size is needed.
        const BYTE_LENGTH = 1 << 9;
        /// Generated as code and not called (`coalesce`, `iif`, `ifnull`).
        const INLINE = 1 << 10;
        /// A hint that gives its argument back (`likely`, `unlikely`, `likelihood`).
        const UNLIKELY = 1 << 11;
        /// May be used in triggers and views of an untrusted schema.
        const INNOCUOUS = 1 << 12;
        /// May only be used in statements of the application.
        const DIRECT_ONLY = 1 << 13;
        /// It gives results with a subtype.
        const RESULT_SUBTYPE = 1 << 14;
        /// It looks at its arguments' subtypes.
        const SUBTYPE = 1 << 15;
        /// An aggregate that can take steps back: usable with any window frame.
        const INVERSE = 1 << 16;
        /// Only usable as a window function.
        const WINDOW_ONLY = 1 << 17;
        /// An aggregate whose result does not depend on the order of rows.
        const ANY_ORDER = 1 << 18;
        /// Part of the engine, not given by the application.
        const BUILTIN = 1 << 19;
        /// Only for the engine's own statements.
        const INTERNAL = 1 << 20;
        /// The call stands in a CHECK constraint.
        const IN_CHECK = 1 << 21;
        /// The call stands in the definition of a generated column.
        const IN_GENERATED = 1 << 22;
        /// The call stands in an index: a key, or the WHERE.
        const IN_INDEX = 1 << 23;
    }
}

/// The code of a scalar function.
pub type ScalarFn = fn(&mut FnContext<'_>, &[Mem]) -> Result<(), FnError>;
/// The same as a closure.
pub type ScalarClosure = dyn Fn(&mut FnContext<'_>, &[Mem]) -> Result<(), FnError> + Send + Sync;

/// How a function runs.
#[derive(Clone)]
pub enum FunctionKind {
    /// A built-in scalar function.
    Scalar(ScalarFn),
    /// A scalar function with data of its own.
    Closure(Arc<ScalarClosure>),
    /// An aggregate: makes the state of one group.
    Aggregate(Arc<dyn Fn() -> Box<dyn Aggregate> + Send + Sync>),
}

/// A function.
#[derive(Clone)]
pub struct FunctionDef {
    /// Its name, in lower case if it is built in.
    pub name: String,
    /// How many arguments it takes: a number, [`ANY_ARITY`], or [`at_least`].
    pub arity: i16,
    /// What may be assumed of it.
    pub flags: FunctionFlags,
    /// How it runs.
    pub kind: FunctionKind,
}

impl FunctionDef {
    /// A built-in scalar function that is deterministic and innocuous.
    pub fn scalar(name: &str, arity: i16, run: ScalarFn) -> FunctionDef {
        FunctionDef {
            name: name.to_owned(),
            arity,
            flags: FunctionFlags::DETERMINISTIC | FunctionFlags::INNOCUOUS | FunctionFlags::BUILTIN,
            kind: FunctionKind::Scalar(run),
        }
    }

    /// A built-in aggregate function that is deterministic and innocuous.
    pub fn aggregate<A: Aggregate + 'static>(
        name: &str,
        arity: i16,
        new: fn() -> A,
    ) -> FunctionDef {
        FunctionDef {
            name: name.to_owned(),
            arity,
            flags: FunctionFlags::DETERMINISTIC | FunctionFlags::INNOCUOUS | FunctionFlags::BUILTIN,
            kind: FunctionKind::Aggregate(Arc::new(move || Box::new(new()))),
        }
    }

    /// The same with more flags.
    #[must_use]
    pub fn with(mut self, flags: FunctionFlags) -> FunctionDef {
        self.flags |= flags;
        self
    }

    /// The same with fewer flags.
    #[must_use]
    pub fn without(mut self, flags: FunctionFlags) -> FunctionDef {
        self.flags -= flags;
        self
    }

    /// Whether it is an aggregate.
    pub fn is_aggregate(&self) -> bool {
        matches!(self.kind, FunctionKind::Aggregate(_))
    }
}

impl fmt::Debug for FunctionDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.arity)
    }
}

/// The state of an aggregate over one group, or of a window function over one partition.
///
/// | method | as an aggregate | over a window |
/// |---|---|---|
/// | [`step`](Aggregate::step) | for each row | for each row that enters the frame |
/// | [`inverse`](Aggregate::inverse) | never | for each row that leaves it, in the order in which they entered |
/// | [`value`](Aggregate::value) | never | for each row of the result, also before the first step |
/// | [`finish`](Aggregate::finish) | once | instead of `value` where each frame is gone through anew (EXCLUDE), once per state |
///
/// A function that has no `inverse` serves as an aggregate only: OVER refuses it unless it has
/// [`FunctionFlags::INVERSE`].
pub trait Aggregate: Send {
    /// Takes one row in.
    fn step(&mut self, ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError>;

    /// Takes one row in if that needs no context and cannot fail; false if it does, and nothing has changed.
    #[inline]
    fn step_quickly(&mut self, _args: &[Mem]) -> bool {
        false
    }

    /// The result, once all rows are in (there may be none).
    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError>;

    /// Takes a row out that was taken in (functions with [`FunctionFlags::INVERSE`]).
    fn inverse(&mut self, _ctx: &mut FnContext<'_>, _args: &[Mem]) -> Result<(), FnError> {
        Err(FnError::new("this aggregate cannot take rows back"))
    }

    /// The result so far, without ending (functions with [`FunctionFlags::INVERSE`]).
    fn value(&mut self, _ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        Err(FnError::new("this aggregate has no value before its end"))
    }
}
