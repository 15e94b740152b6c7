//! Instructions: an opcode, three integers, a fourth operand of many kinds, and flags.

use crate::func::FunctionDef;
use crate::opcode::Opcode;
use ringwood_format::collation::Collation;
use ringwood_format::key::KeyInfo;
use ringwood_format::value::{Value, ValueRef};
use std::sync::Arc;

/// One instruction.
#[derive(Clone, Debug)]
pub struct Insn {
    /// What to do.
    pub opcode: Opcode,
    /// Flags and small numbers.
    pub p5: u16,
    /// First operand.
    pub p1: i32,
    /// Second operand; where the opcode jumps, an address.
    pub p2: i32,
    /// Third operand.
    pub p3: i32,
    /// Fourth operand.
    pub p4: P4,
}

/// The fourth operand.
#[derive(Clone, Debug, Default)]
pub enum P4 {
    /// None.
    #[default]
    None,
    /// A 32-bit integer.
    Int(i32),
    /// A 64-bit integer.
    Int64(i64),
    /// A double.
    Real(f64),
    /// A text.
    Text(Arc<[u8]>),
    /// Bytes.
    Blob(Arc<[u8]>),
    /// How the columns of an index are ordered.
    KeyInfo(Arc<KeyInfo>),
    /// A collation.
    Collation(Collation),
    /// A function.
    Function(Arc<FunctionDef>),
    /// A string of affinity letters.
    Affinity(Arc<[u8]>),
    /// Several integers.
    Ints(Arc<[u32]>),
    /// The value of a column that older records lack.
    Value(Arc<Value>),
    /// The name of a table, for EXPLAIN and hooks.
    Table(Arc<str>),
    /// A subprogram of the program, counted from 0.
    SubProgram(u32),
    /// A virtual table: the name of its database (empty if it is its module's own) and its name.
    VirtualTable(Arc<(Arc<str>, Arc<str>)>),
}

impl P4 {
    /// Whether dropping it does nothing.
    #[inline]
    pub(crate) fn owns_nothing(&self) -> bool {
        matches!(
            self,
            P4::None | P4::Int(_) | P4::Int64(_) | P4::Real(_) | P4::SubProgram(_)
        )
    }

    /// A text operand.
    pub fn text(text: impl AsRef<[u8]>) -> P4 {
        P4::Text(Arc::from(text.as_ref()))
    }

    /// Bytes.
    pub fn blob(bytes: &[u8]) -> P4 {
        P4::Blob(Arc::from(bytes))
    }

    /// Affinity letters.
    pub fn affinity(letters: &[u8]) -> P4 {
        P4::Affinity(Arc::from(letters))
    }

    /// The value of a column that older records lack; none for NULL.
    pub fn value(value: ValueRef<'_>) -> P4 {
        if value.is_null() {
            return P4::None;
        }
        P4::Value(Arc::new(value.to_owned()))
    }

    /// The integer, if it is one.
    #[inline]
    pub fn int(&self) -> i32 {
        match self {
            P4::Int(i) => *i,
            _ => 0,
        }
    }
}
