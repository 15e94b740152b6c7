//! The functions that only make sense in a window.
//!
//! | function | frame that it is given | step, inverse, value |
//! |---|---|---|
//! | row_number | ROWS, all before | counts |
//! | rank | RANGE, all before | the row number of the first peer |
//! | dense_rank | RANGE, all before | counts groups of peers |
//! | percent_rank | GROUPS, from here on | rows that have left, of all but one |
//! | cume_dist | GROUPS, from the next on | rows that have left, of all |
//! | ntile | ROWS, from here on | the row's number and that of all rows |
//! | first_value, last_value, nth_value | the one that is written | |
//! | lag, lead | | the program looks the row up: these have no step |
//!
//! Source: SQLite's `window.c`, "Built-in Window Functions".

use super::{Aggregate, FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry};
use crate::mem::Mem;
use ringwood_format::number::{Number, real_to_integer};

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    let flags = FunctionFlags::WINDOW_ONLY | FunctionFlags::INVERSE;
    let mut add = |def: FunctionDef| {
        registry.register(def.without(FunctionFlags::DETERMINISTIC).with(flags));
    };
    add(FunctionDef::aggregate("row_number", 0, RowNumber::default));
    add(FunctionDef::aggregate("rank", 0, Rank::default));
    add(FunctionDef::aggregate("dense_rank", 0, DenseRank::default));
    add(FunctionDef::aggregate("percent_rank", 0, || {
        Share::new(true)
    }));
    add(FunctionDef::aggregate("cume_dist", 0, || Share::new(false)));
    add(FunctionDef::aggregate("ntile", 1, Tiles::default));
    add(FunctionDef::aggregate(
        "first_value",
        1,
        FirstValue::default,
    ));
    add(FunctionDef::aggregate("last_value", 1, LastValue::default));
    add(FunctionDef::aggregate("nth_value", 2, NthValue::default));
    for arity in 1..=3 {
        add(FunctionDef::aggregate("lag", arity, || LookedUp));
        add(FunctionDef::aggregate("lead", arity, || LookedUp));
    }
}

/// row_number()
#[derive(Default)]
struct RowNumber(i64);

impl Aggregate for RowNumber {
    fn step(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        self.0 += 1;
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        ctx.result().set_int(self.0);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}

/// rank()
#[derive(Default)]
struct Rank {
    rows: i64,
    /// The number of the first of the peers that have come since the value was last asked for.
    first: Option<i64>,
}

impl Aggregate for Rank {
    fn step(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        self.rows += 1;
        self.first.get_or_insert(self.rows);
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        ctx.result().set_int(self.first.take().unwrap_or(0));
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}

/// dense_rank()
#[derive(Default)]
struct DenseRank {
    groups: i64,
    has_new: bool,
}

impl Aggregate for DenseRank {
    fn step(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        self.has_new = true;
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.groups += i64::from(std::mem::take(&mut self.has_new));
        ctx.result().set_int(self.groups);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}

/// percent_rank() and cume_dist()
struct Share {
    is_percent_rank: bool,
    rows: i64,
    left: i64,
}

impl Share {
    fn new(is_percent_rank: bool) -> Share {
        Share {
            is_percent_rank,
            rows: 0,
            left: 0,
        }
    }
}

impl Aggregate for Share {
    fn step(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        self.rows += 1;
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        self.left += 1;
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        let of = if self.is_percent_rank {
            self.rows - 1
        } else {
            self.rows
        };
        if of > 0 {
            ctx.result().set_real(self.left as f64 / of as f64);
        } else if self.is_percent_rank {
            ctx.result().set_real(0.0);
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}

/// ntile(n)
#[derive(Default)]
struct Tiles {
    rows: i64,
    count: i64,
    row: i64,
}

impl Aggregate for Tiles {
    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        if self.rows == 0 {
            self.count = args.first().map_or(0, Mem::to_int);
            if self.count <= 0 {
                return Err(FnError::new("argument of ntile must be a positive integer"));
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        self.row += 1;
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        if self.count <= 0 {
            return Ok(());
        }
        let size = self.rows / self.count;
        let tile = if size == 0 {
            self.row + 1
        } else {
            // The first tiles have one row more.
            let larger = self.rows - self.count * size;
            let in_larger = larger * (size + 1);
            if self.row < in_larger {
                1 + self.row / (size + 1)
            } else {
                1 + larger + (self.row - in_larger) / size
            }
        };
        ctx.result().set_int(tile);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}

/// first_value(x), where each frame is gone through
#[derive(Default)]
struct FirstValue(Option<Mem>);

impl Aggregate for FirstValue {
    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        if let (None, [arg, ..]) = (&self.0, args) {
            self.0 = Some(copy_of(arg));
        }
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        Ok(())
    }

    fn value(&mut self, _: &mut FnContext<'_>) -> Result<(), FnError> {
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        if let Some(mut value) = self.0.take() {
            std::mem::swap(ctx.result(), &mut value);
        }
        Ok(())
    }
}

/// nth_value(x, n), where each frame is gone through
#[derive(Default)]
struct NthValue {
    rows: i64,
    value: Option<Mem>,
}

impl Aggregate for NthValue {
    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        let [arg, n, ..] = args else { return Ok(()) };
        let n = match n.numeric() {
            Some(Number::Integer(n)) => n,
            Some(Number::Real(r)) if real_to_integer(r) as f64 == r => real_to_integer(r),
            _ => 0,
        };
        if n <= 0 {
            return Err(FnError::new(
                "second argument to nth_value must be a positive integer",
            ));
        }
        self.rows += 1;
        if self.rows == n {
            self.value = Some(copy_of(arg));
        }
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        Ok(())
    }

    fn value(&mut self, _: &mut FnContext<'_>) -> Result<(), FnError> {
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        if let Some(mut value) = self.value.take() {
            std::mem::swap(ctx.result(), &mut value);
        }
        Ok(())
    }
}

/// last_value(x)
#[derive(Default)]
struct LastValue {
    rows: i64,
    value: Mem,
}

impl Aggregate for LastValue {
    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        if let [arg, ..] = args {
            self.value.copy_from(arg);
            self.rows += 1;
        }
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        self.rows -= 1;
        if self.rows == 0 {
            self.value.set_null();
        }
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        ctx.result().copy_from(&self.value);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        std::mem::swap(ctx.result(), &mut self.value);
        Ok(())
    }
}

/// lag(x, …), lead(x, …)
struct LookedUp;

impl Aggregate for LookedUp {
    fn step(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        Ok(())
    }

    fn value(&mut self, _: &mut FnContext<'_>) -> Result<(), FnError> {
        Ok(())
    }

    fn finish(&mut self, _: &mut FnContext<'_>) -> Result<(), FnError> {
        Ok(())
    }
}

fn copy_of(mem: &Mem) -> Mem {
    let mut copy = Mem::new();
    copy.copy_from(mem);
    copy
}
