//! What a real is made of: mantissa times two to the power of the exponent.
//!
//! | | |
//! |---|---|
//! | `ieee754(x)` | the text `ieee754(mantissa,exponent)` |
//! | `ieee754(m, e)` | the real |
//! | `ieee754_mantissa(x)`, `ieee754_exponent(x)` | its parts |
//! | `ieee754_to_blob(x)`, `ieee754_from_blob(b)` | its eight bytes, the highest first |
//! | `ieee754_inc(x, n)` | the n-th real after it |
//!
//! Source: SQLite's `ext/misc/ieee754.c`.

use ringwood::{FnContext, FnError, FunctionFlags, LocalConnection, Mem, Result};
use ringwood_format::value::ValueType;

fn real_of_blob(value: &Mem) -> Option<f64> {
    if value.value_type() != ValueType::Blob {
        return None;
    }
    let bytes = <[u8; 8]>::try_from(&*value.to_bytes()).ok()?;
    Some(f64::from_bits(u64::from_be_bytes(bytes)))
}

/// Mantissa and exponent of a real, or of the blob that is one.
fn parts(value: &Mem) -> (i64, i64) {
    let real = real_of_blob(value).unwrap_or_else(|| value.to_real());
    let negative = real < 0.0;
    let real = if negative { -real } else { real };
    let bits = real.to_bits();
    if bits == 0 {
        return (0, -1075);
    }
    if bits == 1 << 63 {
        // The negative zero, as stock SQLite tells it.
        return (-1, -1996 - 1075);
    }
    let mut exponent = (bits >> 52) as i64;
    let mut mantissa = (bits & ((1 << 52) - 1)) as i64;
    if exponent == 0 {
        mantissa <<= 1;
    } else {
        mantissa |= 1 << 52;
    }
    while exponent < 1075 && mantissa > 0 && mantissa & 1 == 0 {
        mantissa >>= 1;
        exponent += 1;
    }
    (if negative { -mantissa } else { mantissa }, exponent - 1075)
}

fn show(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let (mantissa, exponent) = parts(&args[0]);
    ctx.result()
        .set_text(format!("ieee754({mantissa},{exponent})").as_bytes());
    Ok(())
}

fn mantissa(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    ctx.result().set_int(parts(&args[0]).0);
    Ok(())
}

fn exponent(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    ctx.result().set_int(parts(&args[0]).1);
    Ok(())
}

fn compose(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let (mut mantissa, mut exponent) = (args[0].to_int(), args[1].to_int());
    exponent = exponent.clamp(-10_000, 10_000);
    let negative = mantissa < 0;
    if negative {
        let Some(positive) = mantissa.checked_neg() else {
            return Ok(());
        };
        mantissa = positive;
    } else if mantissa == 0 && exponent > -1000 && exponent < 1000 {
        ctx.result().set_real(0.0);
        return Ok(());
    }
    while (mantissa >> 32) & 0xffe0_0000 != 0 {
        mantissa >>= 1;
        exponent += 1;
    }
    while mantissa != 0 && (mantissa >> 32) & 0xfff0_0000 == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    exponent += 1075;
    if exponent <= 0 {
        // Subnormal.
        mantissa = if 1 - exponent >= 64 {
            0
        } else {
            mantissa >> (1 - exponent)
        };
        exponent = 0;
    }
    exponent = exponent.min(0x7ff);
    let bits = (mantissa & ((1 << 52) - 1)) | exponent << 52;
    let sign = if negative { 1u64 << 63 } else { 0 };
    ctx.result().set_real(f64::from_bits(bits as u64 | sign));
    Ok(())
}

fn to_blob(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if matches!(args[0].value_type(), ValueType::Integer | ValueType::Real) {
        let bytes = args[0].to_real().to_bits().to_be_bytes();
        ctx.result().set_blob(&bytes);
    }
    Ok(())
}

fn from_blob(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some(real) = real_of_blob(&args[0]) {
        ctx.result().set_real(real);
    }
    Ok(())
}

fn increment(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let bits = args[0].to_real().to_bits();
    let moved = bits.wrapping_add(args[1].to_int() as u64);
    ctx.result().set_real(f64::from_bits(moved));
    Ok(())
}

pub(super) fn register(conn: &LocalConnection) -> Result<()> {
    let flags = FunctionFlags::INNOCUOUS;
    conn.create_scalar_function("ieee754", 1, flags, show)?;
    conn.create_scalar_function("ieee754", 2, flags, compose)?;
    conn.create_scalar_function("ieee754_mantissa", 1, flags, mantissa)?;
    conn.create_scalar_function("ieee754_exponent", 1, flags, exponent)?;
    conn.create_scalar_function("ieee754_to_blob", 1, flags, to_blob)?;
    conn.create_scalar_function("ieee754_from_blob", 1, flags, from_blob)?;
    conn.create_scalar_function("ieee754_inc", 2, flags, increment)
}
