//! json_group_array and json_group_object.
//!
//! Rules:
//! 1. The text grows with the rows; a window cuts off what stands before the first comma of the outermost level.
//! 2. A row without a name has no member, but a mark `@` in the text as long as rows may be taken back; the result is
//!    made without marks.
//!
//! Source: SQLite's `jsonArrayStep`, `jsonObjectStep`, `jsonGroupInverse`, `jsonObjectCompute`.

use super::argument::push_value;
use super::{BLOB, Form, TEXT, finish_text, render};
use crate::func::argument::{text, until_nul};
use crate::func::{Aggregate, FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry};
use crate::mem::{Kind, Mem};

/// Adds these functions.
pub(super) fn register(registry: &mut FunctionRegistry) {
    let flags = FunctionFlags::INVERSE | FunctionFlags::RESULT_SUBTYPE | FunctionFlags::SUBTYPE;
    let mut add = |def: FunctionDef| registry.register(def.with(flags));
    add(FunctionDef::aggregate("json_group_array", 1, || {
        Group::new(b'[', TEXT)
    }));
    add(FunctionDef::aggregate("jsonb_group_array", 1, || {
        Group::new(b'[', BLOB)
    }));
    add(FunctionDef::aggregate("json_group_object", 2, || {
        Group::new(b'{', TEXT)
    }));
    add(FunctionDef::aggregate("jsonb_group_object", 2, || {
        Group::new(b'{', BLOB)
    }));
}

struct Group {
    /// From the opening bracket on.
    text: Vec<u8>,
    form: Form,
    has_marks: bool,
}

impl Group {
    fn new(bracket: u8, form: Form) -> Group {
        Group {
            text: vec![bracket],
            form,
            has_marks: false,
        }
    }

    fn is_array(&self) -> bool {
        self.text[0] == b'['
    }
}

impl Aggregate for Group {
    fn step(&mut self, ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        if self.text.len() > 1 {
            self.text.push(b',');
        }
        match args {
            [value] if self.is_array() => push_value(value, &mut self.text)?,
            [name, value] => match text(ctx, name) {
                Some(name) => {
                    render::push_string(until_nul(&name), &mut self.text);
                    self.text.push(b':');
                    push_value(value, &mut self.text)?;
                }
                None => {
                    self.has_marks = true;
                    self.text.push(b'@');
                }
            },
            _ => {}
        }
        if self.text.len() as u64 > ctx.facts.length_max.saturating_mul(2) {
            return Err(FnError::too_big());
        }
        Ok(())
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
        let (mut in_text, mut depth) = (false, 0i64);
        let mut i = 1;
        while let Some(&byte) = self.text.get(i) {
            match byte {
                b',' if !in_text && depth == 0 => break,
                b'"' => in_text = !in_text,
                b'\\' => i += 1,
                b'{' | b'[' if !in_text => depth += 1,
                b'}' | b']' if !in_text => depth -= 1,
                _ => {}
            }
            i += 1;
        }
        let end = (i + 1).min(self.text.len());
        self.text.drain(1..end);
        Ok(())
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        let out = ctx.out.start_bytes(Kind::Text);
        if self.has_marks {
            push_without_marks(&self.text, out);
        } else {
            out.extend_from_slice(&self.text);
        }
        out.push(if self.is_array() { b']' } else { b'}' });
        finish_text(ctx, self.form)?;
        if self.form == BLOB && self.is_array() && self.text.len() > 1 {
            ctx.out.clear_subtype();
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}

/// Copies the text without `@` and the comma behind or before it.
fn push_without_marks(text: &[u8], out: &mut Vec<u8>) {
    let mut in_text = false;
    let mut i = 0;
    while let Some(&byte) = text.get(i) {
        match byte {
            b'\\' => {
                out.push(byte);
                i += 1;
                out.extend(text.get(i));
            }
            b'@' if !in_text => {
                if text.get(i + 1) == Some(&b',') {
                    i += 1;
                } else if out.last() == Some(&b',') {
                    out.pop();
                }
            }
            _ => {
                in_text ^= byte == b'"';
                out.push(byte);
            }
        }
        i += 1;
    }
}
