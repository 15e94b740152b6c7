//! A statement's text with the values of its parameters written into it.
//!
//! Source: SQLite's `sqlite3VdbeExpandSql`.

use ringwood::local::Statement;
use ringwood_format::value::ValueType;
use ringwood_sql::lex::{Token, lex};
use ringwood_vdbe::Mem;

/// The text with values.
pub(crate) fn expanded(sql: &[u8], statement: &Statement) -> Vec<u8> {
    let values = statement.bindings();
    if values.is_empty() {
        return sql.to_vec();
    }
    let mut out = Vec::with_capacity(sql.len() + 16 * values.len());
    let (mut at, mut next) = (0, 1);
    loop {
        let found = lex(sql, at);
        let (start, end) = (found.start as usize, found.end as usize);
        if found.token == Token::EndOfText {
            out.extend_from_slice(&sql[at..]);
            return out;
        }
        if found.token == Token::Variable {
            out.extend_from_slice(&sql[at..start]);
            let name = &sql[start..end];
            let number = std::str::from_utf8(&name[1..]).ok();
            let index = match (name, number.and_then(|n| n.parse().ok())) {
                ([b'?'], _) => next,
                ([b'?', ..], Some(number)) => number,
                _ => {
                    let name = String::from_utf8_lossy(name);
                    statement.parameter_index(&name).unwrap_or(0)
                }
            };
            next = next.max(index + 1);
            match index.checked_sub(1).and_then(|at| values.get(at)) {
                Some(value) => push(value, &mut out),
                None => out.extend_from_slice(b"NULL"),
            }
        } else {
            out.extend_from_slice(&sql[at..end]);
        }
        at = end;
    }
}

fn push(value: &Mem, out: &mut Vec<u8>) {
    match value.value_type() {
        ValueType::Null => out.extend_from_slice(b"NULL"),
        ValueType::Integer => out.extend_from_slice(&value.to_text()),
        ValueType::Real => {
            let printed =
                ringwood_vdbe::func::printf::format(b"%!.15g", vec![value.clone()], 1_000_000_000);
            out.extend_from_slice(&printed.unwrap_or_default());
        }
        ValueType::Text => {
            out.push(b'\'');
            for byte in value.bytes() {
                out.push(*byte);
                if *byte == b'\'' {
                    out.push(b'\'');
                }
            }
            out.push(b'\'');
        }
        ValueType::Blob if value.zeros() > 0 => {
            out.extend_from_slice(format!("zeroblob({})", value.zeros()).as_bytes());
        }
        ValueType::Blob => {
            out.extend_from_slice(b"x'");
            for byte in value.bytes() {
                out.extend_from_slice(format!("{byte:02x}").as_bytes());
            }
            out.push(b'\'');
        }
    }
}
