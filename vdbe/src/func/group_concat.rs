//! group_concat and string_agg.
//!
//! Rules:
//! 1. A separator stands before every text but the first, and it is the one of that text's row: rows may differ.
//! 2. NULLs are left out. Nothing but NULLs gives NULL; empty texts give an empty text.
//! 3. As a window it forgets the oldest text together with the separator behind it. The separators' lengths are kept
//!    one by one only once they differ.
//!
//! Source: SQLite's `groupConcatStep`, `groupConcatInverse`.

use super::argument::text;
use super::{Aggregate, FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry};
use crate::mem::Mem;
use std::collections::VecDeque;

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    for (name, arity) in [("group_concat", 1), ("group_concat", 2), ("string_agg", 2)] {
        let def = FunctionDef::aggregate(name, arity, GroupConcat::default);
        registry.register(def.with(FunctionFlags::INVERSE));
    }
}

#[derive(Default)]
struct GroupConcat {
    text: Vec<u8>,
    /// Texts that are in.
    count: usize,
    /// The next text gets no separator.
    is_started: bool,
    has_any: bool,
    first_separator_length: usize,
    /// Lengths of the separators between the texts, once they differ.
    separator_lengths: Option<VecDeque<usize>>,
}

impl GroupConcat {
    fn push(&mut self, bytes: &[u8], length_max: u64) -> Result<(), FnError> {
        if self.text.len() as u64 + bytes.len() as u64 + 1 > length_max {
            return Err(FnError::too_big());
        }
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    /// Notes the length of a separator that was added as number `count - 1`.
    fn note_separator(&mut self, length: usize) {
        if let Some(lengths) = &mut self.separator_lengths {
            lengths.push_back(length);
        } else if length != self.first_separator_length {
            let mut lengths = VecDeque::with_capacity(self.count + 1);
            lengths.resize(self.count.saturating_sub(1), self.first_separator_length);
            lengths.push_back(length);
            self.separator_lengths = Some(lengths);
        }
    }
}

impl Aggregate for GroupConcat {
    fn step(&mut self, ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        let Some((arg, separator)) = args.split_first() else {
            return Ok(());
        };
        let Some(value) = text(ctx, arg) else {
            return Ok(());
        };
        let length_max = ctx.facts.length_max;
        let separator = match separator.first() {
            Some(separator) => text(ctx, separator).unwrap_or_default(),
            None => (&b","[..]).into(),
        };
        if self.is_started {
            self.push(&separator, length_max)?;
            self.note_separator(separator.len());
        } else {
            self.first_separator_length = separator.len();
        }
        self.is_started = true;
        self.has_any = true;
        self.count += 1;
        self.push(&value, length_max)
    }

    fn inverse(&mut self, ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        let Some(value) = args.first().and_then(|arg| text(ctx, arg)) else {
            return Ok(());
        };
        self.count = self.count.saturating_sub(1);
        let separator = match &mut self.separator_lengths {
            Some(lengths) => lengths.pop_front().unwrap_or(0),
            None => self.first_separator_length,
        };
        let gone = (value.len() + separator).min(self.text.len());
        self.text.drain(..gone);
        if self.text.is_empty() {
            self.is_started = false;
            self.separator_lengths = None;
        }
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        if self.count > 0 {
            ctx.result().set_text(&self.text);
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        if self.has_any {
            ctx.result().set_text_vec(std::mem::take(&mut self.text));
        }
        Ok(())
    }
}
