//! The mathematical functions.
//!
//! Rules:
//! 1. An argument is a number, or a text that is one as a whole; of anything else the result is NULL.
//! 2. What is no number (`sqrt(-1)`) is NULL.
//! 3. `ceil`, `floor` and `trunc` leave integers alone. The result of every other function is real.
//!
//! The C library computes what the standard library passes to it; `acosh`, `asinh` and `atanh`, which it does not pass
//! on, are reduced to logarithms as the C library reduces them, so that the last digit is the same.
//!
//! Source: SQLite's `math1Func`, `math2Func`, `logFunc`, `ceilingFunc`; "Built-In Mathematical SQL Functions"; fdlibm.

use super::{FnContext, FnError, FunctionDef, FunctionRegistry, ScalarFn};
use crate::mem::Mem;
use ringwood_format::number::Number;
use std::f64::consts::{LN_2, PI};

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    let unary: [(&str, ScalarFn); 20] = [
        ("acos", |ctx, args| of_one(ctx, args, f64::acos)),
        ("acosh", |ctx, args| of_one(ctx, args, acosh)),
        ("asin", |ctx, args| of_one(ctx, args, f64::asin)),
        ("asinh", |ctx, args| of_one(ctx, args, asinh)),
        ("atan", |ctx, args| of_one(ctx, args, f64::atan)),
        ("atanh", |ctx, args| of_one(ctx, args, atanh)),
        ("cos", |ctx, args| of_one(ctx, args, f64::cos)),
        ("cosh", |ctx, args| of_one(ctx, args, f64::cosh)),
        ("degrees", |ctx, args| {
            of_one(ctx, args, |x| x * (180.0 / PI))
        }),
        ("exp", |ctx, args| of_one(ctx, args, f64::exp)),
        ("radians", |ctx, args| {
            of_one(ctx, args, |x| x * (PI / 180.0))
        }),
        ("sin", |ctx, args| of_one(ctx, args, f64::sin)),
        ("sinh", |ctx, args| of_one(ctx, args, f64::sinh)),
        ("sqrt", |ctx, args| of_one(ctx, args, f64::sqrt)),
        ("tan", |ctx, args| of_one(ctx, args, f64::tan)),
        ("tanh", |ctx, args| of_one(ctx, args, f64::tanh)),
        ("ln", |ctx, args| logarithm(ctx, args, f64::ln)),
        ("log", |ctx, args| logarithm(ctx, args, f64::log10)),
        ("log10", |ctx, args| logarithm(ctx, args, f64::log10)),
        ("log2", |ctx, args| logarithm(ctx, args, f64::log2)),
    ];
    let whole: [(&str, ScalarFn); 4] = [
        ("ceil", |ctx, args| to_whole(ctx, args, f64::ceil)),
        ("ceiling", |ctx, args| to_whole(ctx, args, f64::ceil)),
        ("floor", |ctx, args| to_whole(ctx, args, f64::floor)),
        ("trunc", |ctx, args| to_whole(ctx, args, f64::trunc)),
    ];
    let binary: [(&str, ScalarFn); 5] = [
        ("atan2", |ctx, args| of_two(ctx, args, f64::atan2)),
        ("mod", |ctx, args| of_two(ctx, args, |x, y| x % y)),
        ("pow", |ctx, args| of_two(ctx, args, f64::powf)),
        ("power", |ctx, args| of_two(ctx, args, f64::powf)),
        ("log", logarithm_to_base),
    ];
    for (name, run) in unary.into_iter().chain(whole) {
        registry.register(FunctionDef::scalar(name, 1, run));
    }
    for (name, run) in binary {
        registry.register(FunctionDef::scalar(name, 2, run));
    }
    registry.register(FunctionDef::scalar("pi", 0, |ctx, _| {
        ctx.result().set_real(PI);
        Ok(())
    }));
}

/// Rule 1.
#[inline]
fn number(arg: &Mem) -> Option<f64> {
    arg.numeric().map(Number::as_f64)
}

#[inline]
fn of_one(ctx: &mut FnContext<'_>, args: &[Mem], f: impl Fn(f64) -> f64) -> Result<(), FnError> {
    if let Some(x) = args.first().and_then(number) {
        ctx.result().set_real(f(x));
    }
    Ok(())
}

#[inline]
fn of_two(
    ctx: &mut FnContext<'_>,
    args: &[Mem],
    f: impl Fn(f64, f64) -> f64,
) -> Result<(), FnError> {
    let [x, y] = args else { return Ok(()) };
    if let (Some(x), Some(y)) = (number(x), number(y)) {
        ctx.result().set_real(f(x, y));
    }
    Ok(())
}

/// Rule 3.
#[inline]
fn to_whole(ctx: &mut FnContext<'_>, args: &[Mem], f: impl Fn(f64) -> f64) -> Result<(), FnError> {
    match args.first().and_then(Mem::numeric) {
        None => {}
        Some(Number::Integer(i)) => ctx.result().set_int(i),
        Some(Number::Real(r)) => ctx.result().set_real(f(r)),
    }
    Ok(())
}

#[inline]
fn logarithm(ctx: &mut FnContext<'_>, args: &[Mem], f: impl Fn(f64) -> f64) -> Result<(), FnError> {
    match args.first().and_then(number) {
        Some(x) if x > 0.0 => ctx.result().set_real(f(x)),
        _ => {}
    }
    Ok(())
}

/// `log(base, x)`. As in SQLite a text that only starts with a number does for x.
fn logarithm_to_base(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [base, x] = args else { return Ok(()) };
    let Some(base) = number(base).filter(|base| *base > 0.0) else {
        return Ok(());
    };
    let (base, x) = (base.ln(), x.to_real());
    if base > 0.0 && x > 0.0 {
        ctx.result().set_real(x.ln() / base);
    }
    Ok(())
}

const TWO_POW_28: f64 = 268_435_456.0;

fn acosh(x: f64) -> f64 {
    if x < 1.0 {
        f64::NAN
    } else if x >= TWO_POW_28 {
        x.ln() + LN_2
    } else if x > 2.0 {
        (2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt())).ln()
    } else {
        let t = x - 1.0;
        (t + (2.0 * t + t * t).sqrt()).ln_1p()
    }
}

fn asinh(x: f64) -> f64 {
    let a = x.abs();
    let result = if a < 1.0 / TWO_POW_28 {
        return x;
    } else if a > TWO_POW_28 {
        a.ln() + LN_2
    } else if a > 2.0 {
        (2.0 * a + 1.0 / ((x * x + 1.0).sqrt() + a)).ln()
    } else {
        let t = x * x;
        (a + t / (1.0 + (1.0 + t).sqrt())).ln_1p()
    };
    result.copysign(x)
}

fn atanh(x: f64) -> f64 {
    let a = x.abs();
    let result = if a < 1.0 / TWO_POW_28 {
        return x;
    } else if a < 0.5 {
        let t = a + a;
        0.5 * (t + t * a / (1.0 - a)).ln_1p()
    } else {
        // Infinite at 1, not a number beyond.
        0.5 * ((a + a) / (1.0 - a)).ln_1p()
    };
    result.copysign(x)
}
