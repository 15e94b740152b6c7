//! The scalar functions that look at values as a whole: length, typeof, subtype, min, max, nullif, and those that are
//! code instead of calls (coalesce, iif, likely).
//!
//! Source: SQLite's `func.c`.

use super::argument::{check_room, count_chars, until_nul};
use super::{FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry, at_least};
use crate::mem::Mem;
use crate::result_code::ResultCode;
use ringwood_format::value::{ValueType, compare_values_encoded};
use std::cmp::Ordering;

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    registry.register(FunctionDef::scalar("length", 1, length).with(FunctionFlags::LENGTH));
    registry.register(
        FunctionDef::scalar("octet_length", 1, octet_length).with(FunctionFlags::BYTE_LENGTH),
    );
    registry.register(FunctionDef::scalar("typeof", 1, type_of).with(FunctionFlags::TYPEOF));
    registry.register(
        FunctionDef::scalar("coalesce", at_least(2), coalesce).with(FunctionFlags::INLINE),
    );
    for name in ["iif", "if"] {
        registry
            .register(FunctionDef::scalar(name, at_least(2), coded).with(FunctionFlags::INLINE));
    }
    let hint = FunctionFlags::INLINE | FunctionFlags::UNLIKELY;
    registry.register(FunctionDef::scalar("unlikely", 1, coded).with(hint));
    registry.register(FunctionDef::scalar("likely", 1, coded).with(hint));
    registry.register(FunctionDef::scalar("likelihood", 2, coded).with(hint));
    registry.register(FunctionDef::scalar("subtype", 1, subtype).with(FunctionFlags::SUBTYPE));
    registry.register(FunctionDef::scalar("zeroblob", 1, zeroblob));
    registry.register(FunctionDef::scalar("ifnull", 2, coalesce).with(FunctionFlags::INLINE));
    registry
        .register(FunctionDef::scalar("nullif", 2, nullif).with(FunctionFlags::NEEDS_COLLATION));
    registry.register(
        FunctionDef::scalar("min", at_least(2), min).with(FunctionFlags::NEEDS_COLLATION),
    );
    registry.register(
        FunctionDef::scalar("max", at_least(2), max).with(FunctionFlags::NEEDS_COLLATION),
    );
}

/// Characters of a text up to its first NUL, bytes of a blob, characters of a number's text.
fn length(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [arg] = args else { return Ok(()) };
    match arg.value_type() {
        ValueType::Null => {}
        ValueType::Blob => ctx.result().set_int(arg.byte_len() as i64),
        ValueType::Text => {
            let characters = count_chars(until_nul(arg.bytes()));
            ctx.result().set_int(characters as i64);
        }
        ValueType::Integer | ValueType::Real => ctx.result().set_int(arg.to_text().len() as i64),
    }
    Ok(())
}

/// Bytes of a value's text in the database's encoding.
fn octet_length(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [arg] = args else { return Ok(()) };
    let encoding = ctx.facts().encoding;
    match arg.value_type() {
        ValueType::Null => {}
        ValueType::Blob => ctx.result().set_int(arg.byte_len() as i64),
        _ => ctx
            .result()
            .set_int(encoding.encoded_len(&arg.to_text()) as i64),
    }
    Ok(())
}

fn type_of(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let [arg] = args {
        ctx.result().set_text(arg.value_type().name().as_bytes());
    }
    Ok(())
}

fn subtype(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let [arg] = args {
        ctx.result().set_int(i64::from(arg.subtype()));
    }
    Ok(())
}

fn zeroblob(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let n = args.first().map_or(0, Mem::to_int).max(0) as u64;
    check_room(ctx, n)?;
    ctx.result().set_zeroblob(n);
    Ok(())
}

/// Functions that the code generator writes out; nothing calls them.
fn coded(_: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    Err(FnError::code(ResultCode::INTERNAL))
}

/// The first argument that is not NULL.
fn coalesce(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some(arg) = args.iter().find(|arg| !arg.is_null()) {
        ctx.result().copy_from(arg);
    }
    Ok(())
}

fn nullif(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [a, b] = args else { return Ok(()) };
    let encoding = ctx.facts().encoding;
    let order = compare_values_encoded(
        a.as_value_ref(),
        b.as_value_ref(),
        ctx.collation(),
        encoding,
    );
    if order != Ordering::Equal {
        ctx.result().copy_from(a);
    }
    Ok(())
}

fn min(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    extreme(ctx, args, Ordering::Less)
}

fn max(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    extreme(ctx, args, Ordering::Greater)
}

/// The smallest or largest argument; NULL if one is NULL. Of equal ones SQLite gives the last for min, the first for max.
fn extreme(ctx: &mut FnContext<'_>, args: &[Mem], wanted: Ordering) -> Result<(), FnError> {
    let Some(mut best) = args.first() else {
        return Ok(());
    };
    if args.iter().any(Mem::is_null) {
        return Ok(());
    }
    let encoding = ctx.facts().encoding;
    for arg in &args[1..] {
        let order = compare_values_encoded(
            arg.as_value_ref(),
            best.as_value_ref(),
            ctx.collation(),
            encoding,
        );
        if order == wanted || (order == Ordering::Equal && wanted == Ordering::Less) {
            best = arg;
        }
    }
    ctx.result().copy_from(best);
    Ok(())
}
