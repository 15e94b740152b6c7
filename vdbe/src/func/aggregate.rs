//! The aggregates that everybody needs: count, sum, total, avg, min, max.
//!
//! Rules:
//! 1. `sum` of integers is an integer, and overflows with an error; once it sees a real, it is a real. `total` and `avg`
//!    are always real.
//! 2. Reals are added with Kahan's and Babuška's compensation, as SQLite does since 3.43.
//!
//! Source: SQLite's `sumStep`, `kahanBabuskaStep`, `minmaxStep`, `countStep`.

use super::{Aggregate, FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry};
use crate::mem::{Kind, Mem};
use ringwood_format::number::Number;
use ringwood_format::value::{ValueType, compare_values_encoded};
use std::cmp::Ordering;

/// Adds the aggregates.
pub fn register(registry: &mut FunctionRegistry) {
    let inverse = FunctionFlags::INVERSE;
    let count = FunctionFlags::COUNT | FunctionFlags::ANY_ORDER | inverse;
    registry.register(FunctionDef::aggregate("count", 0, Count::default).with(count));
    registry.register(
        FunctionDef::aggregate("count", 1, Count::default).with(FunctionFlags::ANY_ORDER | inverse),
    );
    registry.register(FunctionDef::aggregate("sum", 1, || Sum::new(Ends::Sum)).with(inverse));
    registry.register(FunctionDef::aggregate("total", 1, || Sum::new(Ends::Total)).with(inverse));
    registry.register(FunctionDef::aggregate("avg", 1, || Sum::new(Ends::Average)).with(inverse));
    let extreme = FunctionFlags::MINMAX | FunctionFlags::NEEDS_COLLATION | FunctionFlags::ANY_ORDER;
    registry
        .register(FunctionDef::aggregate("min", 1, || Extreme::new(Ordering::Less)).with(extreme));
    registry.register(
        FunctionDef::aggregate("max", 1, || Extreme::new(Ordering::Greater)).with(extreme),
    );
}

/// count(*) and count(x).
#[derive(Default)]
struct Count(i64);

impl Aggregate for Count {
    fn step_quickly(&mut self, args: &[Mem]) -> bool {
        self.0 += i64::from(args.first().is_none_or(|arg| !arg.is_null()));
        true
    }

    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        self.0 += i64::from(args.first().is_none_or(|arg| !arg.is_null()));
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        self.0 -= i64::from(args.first().is_none_or(|arg| !arg.is_null()));
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

/// What a sum is asked for at the end.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    Sum,
    Total,
    Average,
}

/// Integers up to here are doubles, and so are their sums with others of their size.
const LARGE: i64 = 4_503_599_627_370_496;

/// sum, total, avg.
struct Sum {
    ends: Ends,
    count: i64,
    integers: i64,
    /// Something that is not an integer was seen, or the integers overflowed: the sum is `real` + `error`.
    is_real: bool,
    has_overflown: bool,
    real: f64,
    error: f64,
}

impl Sum {
    fn new(ends: Ends) -> Sum {
        Sum {
            ends,
            count: 0,
            integers: 0,
            is_real: false,
            has_overflown: false,
            real: 0.0,
            error: 0.0,
        }
    }

    /// Rule 2.
    fn add(&mut self, r: f64) {
        let sum = self.real + r;
        self.error += if self.real.abs() > r.abs() {
            (self.real - sum) + r
        } else {
            (r - sum) + self.real
        };
        self.real = sum;
    }

    /// Adds an integer without losing its low bits.
    fn add_integer(&mut self, i: i64) {
        if (-LARGE..=LARGE).contains(&i) {
            self.add(i as f64);
        } else {
            let low = i % 16384;
            self.add((i - low) as f64);
            self.add(low as f64);
        }
    }

    fn take(&mut self, arg: &Mem, sign: i64) {
        let number = match arg.value_type() {
            ValueType::Null => return,
            ValueType::Integer | ValueType::Real | ValueType::Text => arg.numeric(),
            ValueType::Blob => None,
        };
        self.count += sign;
        match number {
            Some(Number::Integer(i)) if !self.is_real => {
                let sum = if sign > 0 {
                    self.integers.checked_add(i)
                } else {
                    self.integers.checked_sub(i)
                };
                match sum {
                    Some(sum) => self.integers = sum,
                    None => {
                        self.has_overflown = true;
                        self.become_real();
                        self.add_signed(i, sign);
                    }
                }
            }
            Some(Number::Integer(i)) => self.add_signed(i, sign),
            number => {
                if !self.is_real {
                    self.become_real();
                } else if sign > 0 {
                    self.has_overflown = false;
                }
                let r = number.map_or_else(|| arg.to_real(), Number::as_f64);
                self.add(if sign > 0 { r } else { -r });
            }
        }
    }

    fn add_signed(&mut self, i: i64, sign: i64) {
        if sign > 0 {
            self.add_integer(i);
        } else if i == i64::MIN {
            self.add_integer(i64::MAX);
            self.add_integer(1);
        } else {
            self.add_integer(-i);
        }
    }

    fn become_real(&mut self) {
        self.is_real = true;
        let low = if (-LARGE..=LARGE).contains(&self.integers) {
            0
        } else {
            self.integers % 16384
        };
        self.real = (self.integers - low) as f64;
        self.error = low as f64;
    }

    fn as_real(&self) -> f64 {
        if !self.is_real {
            return self.integers as f64;
        }
        if self.error.is_finite() {
            self.real + self.error
        } else {
            self.real
        }
    }
}

impl Aggregate for Sum {
    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        if let [arg] = args {
            self.take(arg, 1);
        }
        Ok(())
    }

    fn step_quickly(&mut self, args: &[Mem]) -> bool {
        match args {
            [arg] if arg.kind() == Kind::Real && self.is_real => {
                self.has_overflown = false;
                self.add(arg.raw_real());
            }
            [arg] if arg.kind() == Kind::Int && !self.is_real => {
                match self.integers.checked_add(arg.raw_int()) {
                    Some(sum) => self.integers = sum,
                    None => return false,
                }
            }
            _ => return false,
        }
        self.count += 1;
        true
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        if let [arg] = args {
            self.take(arg, -1);
        }
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        let out = ctx.result();
        match self.ends {
            Ends::Total => out.set_real(self.as_real()),
            _ if self.count == 0 => out.set_null(),
            Ends::Average => out.set_real(self.as_real() / self.count as f64),
            Ends::Sum if !self.is_real => out.set_int(self.integers),
            Ends::Sum if self.has_overflown => return Err(FnError::new("integer overflow")),
            Ends::Sum => out.set_real(self.as_real()),
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}

/// min(x), max(x).
struct Extreme {
    wanted: Ordering,
    best: Mem,
}

impl Extreme {
    fn new(wanted: Ordering) -> Extreme {
        Extreme {
            wanted,
            best: Mem::new(),
        }
    }
}

impl Aggregate for Extreme {
    fn step_quickly(&mut self, args: &[Mem]) -> bool {
        // A number that is better than the best; the others must say that they are not.
        match (args, self.best.as_int()) {
            ([arg], Some(best)) => match arg.as_int() {
                Some(i) if i.cmp(&best) == self.wanted => {
                    self.best.set_int(i);
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn step(&mut self, ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        let [arg] = args else { return Ok(()) };
        if arg.is_null() {
            if !self.best.is_null() {
                ctx.set_not_extreme();
            }
            return Ok(());
        }
        let encoding = ctx.facts().encoding;
        let is_better = self.best.is_null()
            || compare_values_encoded(
                arg.as_value_ref(),
                self.best.as_value_ref(),
                ctx.collation(),
                encoding,
            ) == self.wanted;
        if is_better {
            self.best.copy_from(arg);
        } else {
            ctx.set_not_extreme();
        }
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        ctx.result().copy_from(&self.best);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        std::mem::swap(ctx.result(), &mut self.best);
        Ok(())
    }
}
