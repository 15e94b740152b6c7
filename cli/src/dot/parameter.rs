//! `.parameter`: values for the parameters of statements.

use ringwood::{Value, ValueRef};

use super::{Flow, help};
use crate::mode::quote;
use crate::mode::rows::push_literal;
use crate::shell::Shell;

/// `.parameter clear|init|list|set|unset`
pub fn parameter(shell: &mut Shell, args: &[String]) -> Flow {
    let words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["init"] => {}
        ["clear"] => shell.parameters.0.clear(),
        ["unset", name] => {
            shell.parameters.0.remove(name);
        }
        ["list"] => list(shell),
        ["set", name, value] => {
            let value = evaluated(shell, value);
            shell.parameters.0.insert(name.to_owned(), value);
        }
        _ => {
            help::show(shell, "parameter");
        }
    }
    Flow::Go
}

fn list(shell: &mut Shell) {
    /// Longer names do not widen the column.
    const NAME_MAX: usize = 40;
    let width = shell
        .parameters
        .0
        .keys()
        .map(|k| k.chars().count())
        .max()
        .unwrap_or(0)
        .min(NAME_MAX);
    let mut lines = Vec::new();
    for (name, value) in &shell.parameters.0 {
        lines.extend_from_slice(format!("{name:<width$} ").as_bytes());
        let value = match value {
            Value::Null => ValueRef::Null,
            Value::Integer(i) => ValueRef::Integer(*i),
            Value::Real(r) => ValueRef::Real(*r),
            Value::Text(t) => ValueRef::Text(t.as_bytes()),
            Value::Blob(b) => ValueRef::Blob(b),
        };
        match value {
            ValueRef::Real(r) => ringwood_format::number::push_real(r, &mut lines),
            value => push_literal(value, &mut lines),
        }
        lines.push(b'\n');
    }
    shell.print(lines);
}

/// The value of a SQL expression, or the word itself if it is none.
fn evaluated(shell: &mut Shell, word: &str) -> Value {
    for text in [word.to_owned(), quote::sql(word)] {
        if let Ok(mut rows) = shell.rows(&format!("SELECT {text};")) {
            if let [row] = &mut rows[..] {
                if row.len() == 1 {
                    return row.swap_remove(0);
                }
            }
        }
    }
    Value::Text(word.to_owned())
}
