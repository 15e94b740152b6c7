//! Values and names as SQL text that reads back the same.

use ringwood_format::value::Value;

/// A name in double quotes.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as a literal.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(i64::MIN) => "(-9223372036854775807-1)".to_owned(),
        Value::Integer(i) => i.to_string(),
        Value::Real(r) if r.is_nan() => "NULL".to_owned(),
        Value::Real(r) if r.is_infinite() => if *r > 0.0 { "9e999" } else { "-9e999" }.to_owned(),
        // Digits that read back the same, and a point or an exponent.
        Value::Real(r) => format!("{r:?}"),
        Value::Blob(bytes) => hex(bytes),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.contains(&0) => format!("'{}'", text.replace('\'', "''")),
            _ => format!("CAST({} AS TEXT)", hex(bytes)),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2 + 3);
    out.push_str("X'");
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_read_back() {
        let conn = crate::LocalConnection::open_in_memory().expect("opens");
        for value in [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Integer(-5),
            Value::Real(0.1),
            Value::Real(1e300),
            Value::Real(-2.0),
            Value::Real(f64::INFINITY),
            Value::Text(b"it's".to_vec()),
            Value::Text(b"a\0b".to_vec()),
            Value::Blob(vec![0, 255]),
        ] {
            let sql = format!("SELECT {}", literal(&value));
            let row = conn.query_row(&sql, ()).expect("runs");
            let back = row.get_value(0).expect("a column").into_stored();
            assert_eq!(back, value, "{sql}");
        }
    }
}
