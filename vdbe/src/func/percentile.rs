//! median, percentile, percentile_cont, percentile_disc.
//!
//! ```text
//!   median(y)                       percentile(y, 50)
//!   percentile(y, p)                p of 0…100, between two values by their distance
//!   percentile_cont(y, p)           p of 0…1, the same
//!   percentile_disc(y, p)           p of 0…1, the value before
//! ```
//!
//! Rules:
//! 1. p is the same for all rows, y is a finite number or NULL, which is left out.
//! 2. The values are sorted when the result is asked for; a window keeps them sorted from then on.
//!
//! Source: SQLite's `percentStep`, `percentCompute`.

use super::{Aggregate, FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry};
use crate::mem::Mem;
use ringwood_format::value::ValueType;

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    let mut add = |def: FunctionDef| registry.register(def.with(FunctionFlags::INVERSE));
    add(FunctionDef::aggregate("median", 1, || {
        Percentile::new("median", 1.0, false)
    }));
    add(FunctionDef::aggregate("percentile", 2, || {
        Percentile::new("percentile", 100.0, false)
    }));
    add(FunctionDef::aggregate("percentile_cont", 2, || {
        Percentile::new("percentile_cont", 1.0, false)
    }));
    add(FunctionDef::aggregate("percentile_disc", 2, || {
        Percentile::new("percentile_disc", 1.0, true)
    }));
}

struct Percentile {
    name: &'static str,
    /// The largest p.
    whole: f64,
    is_discrete: bool,
    fraction: Option<f64>,
    values: Vec<f64>,
    is_sorted: bool,
}

impl Percentile {
    fn new(name: &'static str, whole: f64, is_discrete: bool) -> Percentile {
        Percentile {
            name,
            whole,
            is_discrete,
            fraction: None,
            values: Vec::new(),
            is_sorted: true,
        }
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            self.values.sort_unstable_by(f64::total_cmp);
            self.is_sorted = true;
        }
    }

    /// The fraction that a row asks for (rule 1).
    fn check_fraction(&mut self, arg: Option<&Mem>) -> Result<(), FnError> {
        let name = self.name;
        let fraction = match arg {
            None => 0.5,
            Some(arg) => {
                let p = arg.numeric().map(|number| number.as_f64() / self.whole);
                p.filter(|p| (0.0..=1.0).contains(p)).ok_or_else(|| {
                    FnError::new(format!(
                        "the fraction argument to {name}() is not between 0.0 and {:.1}",
                        self.whole
                    ))
                })?
            }
        };
        match self.fraction {
            None => self.fraction = Some(fraction),
            Some(first) if (first - fraction).abs() <= 0.001 => {}
            Some(_) => {
                return Err(FnError::new(format!(
                    "the fraction argument to {name}() is not the same for all input rows"
                )));
            }
        }
        Ok(())
    }
}

impl Aggregate for Percentile {
    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        let Some((arg, fraction)) = args.split_first() else {
            return Ok(());
        };
        self.check_fraction(fraction.first())?;
        match arg.value_type() {
            ValueType::Null => return Ok(()),
            ValueType::Integer | ValueType::Real => {}
            ValueType::Text | ValueType::Blob => {
                let message = format!("input to {}() is not numeric", self.name);
                return Err(FnError::new(message));
            }
        }
        let value = arg.to_real();
        if value.is_infinite() {
            return Err(FnError::new(format!("Inf input to {}()", self.name)));
        }
        self.is_sorted &= self.values.last().is_none_or(|last| value >= *last);
        self.values.push(value);
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        let Some(arg) = args.first() else {
            return Ok(());
        };
        if matches!(arg.value_type(), ValueType::Integer | ValueType::Real) {
            self.sort();
            let value = arg.to_real();
            let at = self.values.partition_point(|other| *other < value);
            if self.values.get(at) == Some(&value) {
                self.values.remove(at);
            }
        }
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.sort();
        let Some(last) = self.values.len().checked_sub(1) else {
            return Ok(());
        };
        let place = self.fraction.unwrap_or(0.5) * last as f64;
        let below = (place as usize).min(last);
        let low = self.values[below];
        let result = if self.is_discrete || place == below as f64 || below == last {
            low
        } else {
            low + (self.values[below + 1] - low) * (place - below as f64)
        };
        ctx.result().set_real(result);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}
