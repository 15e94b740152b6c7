//! Functions on numbers that are always there: abs, sign, round.
//!
//! Source: SQLite's `absFunc`, `signFunc`, `roundFunc`.

use super::{FnContext, FnError, FunctionDef, FunctionRegistry};
use crate::mem::Mem;
use ringwood_format::decimal::FpDecode;
use ringwood_format::number::{Number, parse_real};
use ringwood_format::value::ValueType;
use smallvec::SmallVec;

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    registry.register(FunctionDef::scalar("abs", 1, abs));
    registry.register(FunctionDef::scalar("sign", 1, sign));
    registry.register(FunctionDef::scalar("round", 1, round));
    registry.register(FunctionDef::scalar("round", 2, round));
}

fn abs(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [arg] = args else { return Ok(()) };
    match arg.value_type() {
        ValueType::Null => {}
        ValueType::Integer => match arg.to_int().checked_abs() {
            Some(i) => ctx.result().set_int(i),
            None => return Err(FnError::new("integer overflow")),
        },
        _ => {
            // Not f64::abs: -0.0 is not below zero and stays.
            let r = arg.to_real();
            ctx.result().set_real(if r < 0.0 { -r } else { r });
        }
    }
    Ok(())
}

/// -1, 0 or 1 of a number or of a text that is one; else NULL.
fn sign(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some(number) = args.first().and_then(Mem::numeric) {
        let r = Number::as_f64(number);
        ctx.result()
            .set_int(i64::from(r > 0.0) - i64::from(r < 0.0));
    }
    Ok(())
}

/// Reals of this size have no fraction.
const WHOLE: f64 = 4_503_599_627_370_496.0;

fn round(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [arg, places @ ..] = args else {
        return Ok(());
    };
    if arg.is_null() || places.first().is_some_and(Mem::is_null) {
        return Ok(());
    }
    let places = places.first().map_or(0, Mem::to_int).clamp(0, 30) as usize;
    let r = arg.to_real();
    let rounded = if !(-WHOLE..=WHOLE).contains(&r) {
        r
    } else if places == 0 {
        (r + if r < 0.0 { -0.5 } else { 0.5 }) as i64 as f64
    } else {
        round_decimal(r, places)
    };
    ctx.result().set_real(rounded);
    Ok(())
}

/// Rounds as printing with that many places (`%!.*f`) and reading again does.
fn round_decimal(r: f64, places: usize) -> f64 {
    let decode = FpDecode::new(r, -(places as i32), 20);
    let mut text: SmallVec<[u8; 64]> = SmallVec::new();
    if decode.negative {
        text.push(b'-');
    }
    let digits = decode.digits();
    let whole = decode.decimal_point.max(0) as usize;
    let (before, behind) = digits.split_at(whole.min(digits.len()));
    text.extend_from_slice(before);
    text.resize(text.len() + (whole - before.len()), b'0');
    if whole == 0 {
        text.push(b'0');
    }
    text.push(b'.');
    let zeros = ((-decode.decimal_point).max(0) as usize).min(places);
    text.resize(text.len() + zeros, b'0');
    let behind = &behind[..behind.len().min(places - zeros)];
    text.extend_from_slice(behind);
    parse_real(&text).value
}
