//! What SQL may ask about the connection and the library: changes, last_insert_rowid, random, sqlite_version.
//!
//! Source: SQLite's `func.c`.

use super::{FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry};
use crate::mem::{Kind, Mem};

/// The version of SQLite whose dialect and file format this is.
pub const SQLITE_VERSION: &str = "3.54.1";

/// The check-in that it was released from. What really runs is told by the compile option `RINGWOOD=…`.
pub const SQLITE_SOURCE_ID: &str =
    "2026-10-16 14:45:20 555e07ef33f69a0957d24d8e555b702464a131d6f1607f4c3c1e4551e8e6ca76";

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    let varying = |name: &str, arity, run| {
        FunctionDef::scalar(name, arity, run).without(FunctionFlags::DETERMINISTIC)
    };
    registry.register(varying("random", 0, random));
    registry.register(varying("randomblob", 1, random_blob));
    registry.register(varying("changes", 0, changes));
    registry.register(varying("total_changes", 0, total_changes));
    registry.register(varying("last_insert_rowid", 0, last_insert_rowid));
    for (name, arity, run) in [
        (
            "sqlite_version",
            0,
            version as fn(&mut FnContext<'_>, &[Mem]) -> _,
        ),
        ("sqlite_source_id", 0, source_id),
        ("sqlite_compileoption_used", 1, option_used),
        ("sqlite_compileoption_get", 1, option_get),
    ] {
        registry.register(varying(name, arity, run).with(FunctionFlags::SLOW_CHANGING));
    }
    let unsafe_one = |name: &str, arity, run| {
        varying(name, arity, run)
            .without(FunctionFlags::INNOCUOUS)
            .with(FunctionFlags::DIRECT_ONLY)
    };
    registry.register(unsafe_one("load_extension", 1, load_extension));
    registry.register(unsafe_one("load_extension", 2, load_extension));
    registry.register(unsafe_one("sqlite_log", 2, |_, _| Ok(())));
    registry.register(varying("match", 2, unusable_match));
}

/// A random integer, never the smallest one, which has no absolute value.
fn random(ctx: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    let r = ctx.facts().next_random() as i64;
    ctx.result()
        .set_int(if r < 0 { -(r & i64::MAX) } else { r });
    Ok(())
}

fn random_blob(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let n = args.first().map_or(1, Mem::to_int).max(1) as u64;
    super::argument::check_room(ctx, n)?;
    let out = ctx.out.start_bytes(Kind::Blob);
    out.reserve(n as usize);
    while (out.len() as u64) < n {
        let word = ctx.facts.next_random().to_le_bytes();
        let wanted = (n - out.len() as u64).min(8) as usize;
        out.extend_from_slice(&word[..wanted]);
    }
    Ok(())
}

fn changes(ctx: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    let n = ctx.facts().changes;
    ctx.result().set_int(n);
    Ok(())
}

fn total_changes(ctx: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    let n = ctx.facts().total_changes;
    ctx.result().set_int(n);
    Ok(())
}

fn last_insert_rowid(ctx: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    let rowid = ctx.facts().last_insert_rowid;
    ctx.result().set_int(rowid);
    Ok(())
}

fn version(ctx: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    ctx.result().set_text(SQLITE_VERSION.as_bytes());
    Ok(())
}

fn source_id(ctx: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    ctx.result().set_text(SQLITE_SOURCE_ID.as_bytes());
    Ok(())
}

/// SQLite's options that describe what is here: what `sqlite_compileoption_get` and `PRAGMA compile_options` tell.
pub const OPTIONS: [&str; 5] = [
    "ENABLE_COLUMN_METADATA",
    "ENABLE_MATH_FUNCTIONS",
    concat!("RINGWOOD=", env!("CARGO_PKG_VERSION")),
    "SOUNDEX",
    "THREADSAFE=1",
];

fn option_used(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some(name) = args.first().and_then(|arg| super::argument::text(ctx, arg)) else {
        return Ok(());
    };
    let name = super::argument::until_nul(&name).to_ascii_uppercase();
    let name = name.strip_prefix(b"SQLITE_").unwrap_or(&name);
    let used = OPTIONS.iter().any(|option| {
        let rest = option.as_bytes().strip_prefix(name);
        matches!(rest, Some([] | [b'=', ..]))
    });
    ctx.result().set_bool(used);
    Ok(())
}

fn option_get(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let n = args.first().map_or(0, Mem::to_int) as i32;
    let option = usize::try_from(n).ok().and_then(|n| OPTIONS.get(n));
    if let Some(option) = option {
        ctx.result().set_text(option.as_bytes());
    }
    Ok(())
}

fn load_extension(_: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    Err(FnError::new("not authorized"))
}

/// `x MATCH y` means something only to virtual tables.
fn unusable_match(_: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    Err(FnError::new(
        "unable to use function MATCH in the requested context",
    ))
}
