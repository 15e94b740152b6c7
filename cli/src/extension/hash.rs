//! SHA-3.
//!
//! | in the aggregate, a value is hashed as | |
//! |---|---|
//! | NULL | `N` |
//! | integer, real | `I`, `F`, then eight bytes, the highest first |
//! | text, blob | `T`, `B`, its length in digits, `:`, its bytes |
//!
//! Source: SQLite's `ext/misc/shathree.c`; the hash is the crate sha3's.

use ringwood::{Aggregate, FnContext, FnError, LocalConnection, Mem, Result};
use ringwood_format::value::ValueType;
use sha3::{Digest, Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// A hash of one of the sizes.
enum Hasher {
    Bits224(Box<Sha3_224>),
    Bits256(Box<Sha3_256>),
    Bits384(Box<Sha3_384>),
    Bits512(Box<Sha3_512>),
}

impl Hasher {
    fn new(bits: i64) -> Option<Hasher> {
        Some(match bits {
            224 => Hasher::Bits224(Box::default()),
            256 => Hasher::Bits256(Box::default()),
            384 => Hasher::Bits384(Box::default()),
            512 => Hasher::Bits512(Box::default()),
            _ => return None,
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Bits224(hash) => hash.update(bytes),
            Hasher::Bits256(hash) => hash.update(bytes),
            Hasher::Bits384(hash) => hash.update(bytes),
            Hasher::Bits512(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Hasher::Bits224(hash) => hash.finalize().to_vec(),
            Hasher::Bits256(hash) => hash.finalize().to_vec(),
            Hasher::Bits384(hash) => hash.finalize().to_vec(),
            Hasher::Bits512(hash) => hash.finalize().to_vec(),
        }
    }

    fn update_value(&mut self, value: &Mem) {
        match value.value_type() {
            ValueType::Null => self.update(b"N"),
            ValueType::Integer => {
                self.update(b"I");
                self.update(&value.to_int().to_be_bytes());
            }
            ValueType::Real => {
                self.update(b"F");
                self.update(&value.to_real().to_bits().to_be_bytes());
            }
            kind => {
                let bytes = value.to_bytes();
                let letter = if kind == ValueType::Text { 'T' } else { 'B' };
                self.update(format!("{letter}{}:", bytes.len()).as_bytes());
                self.update(&bytes);
            }
        }
    }
}

/// A group of `sha3_agg`: the hash begins with the first row.
#[derive(Default)]
struct Group(Option<Hasher>);

impl Aggregate for Group {
    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        let bits = args.get(1).map_or(256, Mem::to_int);
        let hasher = self.0.get_or_insert_with(|| {
            Hasher::new(bits).unwrap_or_else(|| Hasher::Bits256(Box::default()))
        });
        hasher.update_value(&args[0]);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        if let Some(hasher) = self.0.take() {
            ctx.result().set_blob(&hasher.finish());
        }
        Ok(())
    }
}

fn sha3(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let bits = args.get(1).map_or(256, Mem::to_int);
    let Some(mut hasher) = Hasher::new(bits) else {
        return Err(FnError::new("SHA3 size should be one of: 224 256 384 512"));
    };
    if !args[0].is_null() {
        hasher.update(&args[0].to_bytes());
        ctx.result().set_blob(&hasher.finish());
    }
    Ok(())
}

pub(super) fn register(conn: &LocalConnection) -> Result<()> {
    for count in [1, 2] {
        conn.create_scalar_function("sha3", count, super::PURE, sha3)?;
        conn.create_aggregate_function("sha3_agg", count, super::PURE, Group::default)?;
    }
    Ok(())
}
