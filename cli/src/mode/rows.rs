//! Modes that print a row as soon as it is there.

use ringwood::ValueRef;

use super::quote::{
    printable, push_c, push_csv, push_doubled, push_hex, push_html, push_json, push_name, push_sql,
    push_sql_one_line, push_sql_real,
};
use super::real::push_full;
use super::{Format, Mode, Row, push_text};

/// Appends a row; `count` is the number of rows before it.
#[inline]
pub fn push_row<R: Row>(format: &Format, mode: Mode, row: &R, count: u64, out: &mut Vec<u8>) {
    match mode {
        Mode::List | Mode::Ascii => push_list(format, row, count, out),
        Mode::Csv => push_fields(format, row, count, out),
        Mode::Line => push_lines(format, row, count, out),
        Mode::Html => push_html_row(format, row, count, out),
        Mode::Tcl => push_tcl(format, row, count, out),
        Mode::Insert => push_insert(format, row, out),
        Mode::Json => push_object(row, count, out),
        Mode::Quote => push_literals(format, row, count, out),
        // Printed from all rows together, or not at all.
        Mode::Count
        | Mode::Off
        | Mode::Column
        | Mode::Table
        | Mode::Box
        | Mode::Markdown
        | Mode::Explain
        | Mode::QueryPlan => {}
    }
}

/// Appends what follows the last of `count` rows.
pub fn push_end(mode: Mode, count: u64, out: &mut Vec<u8>) {
    match mode {
        Mode::Json if count > 0 => out.extend_from_slice(b"]\n"),
        Mode::Count => {
            let s = if count == 1 { "" } else { "s" };
            out.extend_from_slice(format!("{count} row{s}\n").as_bytes());
        }
        _ => {}
    }
}

#[inline]
fn push_list<R: Row>(format: &Format, row: &R, count: u64, out: &mut Vec<u8>) {
    let len = row.len();
    if count == 0 && format.header {
        for i in 0..len {
            if i > 0 {
                out.extend_from_slice(&format.column_separator);
            }
            out.extend_from_slice(row.name(i).as_bytes());
        }
        out.extend_from_slice(&format.row_separator);
    }
    for i in 0..len {
        if i > 0 {
            out.extend_from_slice(&format.column_separator);
        }
        push_text(row.value(i), &format.null, out);
    }
    out.extend_from_slice(&format.row_separator);
}

fn push_fields<R: Row>(format: &Format, row: &R, count: u64, out: &mut Vec<u8>) {
    let separator = format.column_separator.as_slice();
    if count == 0 && format.header {
        for i in 0..row.len() {
            if i > 0 {
                out.extend_from_slice(separator);
            }
            push_csv(row.name(i).as_bytes(), separator, out);
        }
        out.extend_from_slice(&format.row_separator);
    }
    for i in 0..row.len() {
        if i > 0 {
            out.extend_from_slice(separator);
        }
        match row.value(i) {
            ValueRef::Null => out.extend_from_slice(&format.null),
            ValueRef::Text(text) | ValueRef::Blob(text) => {
                push_csv(printable(text), separator, out);
            }
            number => {
                let from = out.len();
                push_text(number, b"", out);
                if memchr::memmem::find(&out[from..], separator).is_some() {
                    let text = out.split_off(from);
                    push_doubled(&text, b'"', out);
                }
            }
        }
    }
    out.extend_from_slice(&format.row_separator);
}

fn push_lines<R: Row>(format: &Format, row: &R, count: u64, out: &mut Vec<u8>) {
    let width = (0..row.len())
        .map(|i| row.name(i).len())
        .max()
        .unwrap_or(0)
        .max(5);
    if count > 0 {
        out.extend_from_slice(&format.row_separator);
    }
    for i in 0..row.len() {
        let name = row.name(i).as_bytes();
        out.extend(std::iter::repeat_n(b' ', width - name.len()));
        out.extend_from_slice(name);
        out.extend_from_slice(b" = ");
        push_text(row.value(i), &format.null, out);
        out.extend_from_slice(&format.row_separator);
    }
}

/// Calls `push` on the text of a value.
fn with_text(
    value: ValueRef<'_>,
    null: &[u8],
    out: &mut Vec<u8>,
    push: impl Fn(&[u8], &mut Vec<u8>),
) {
    match value {
        ValueRef::Text(text) | ValueRef::Blob(text) => push(printable(text), out),
        other => {
            let mut text = Vec::with_capacity(24);
            push_text(other, null, &mut text);
            push(&text, out);
        }
    }
}

fn push_html_row<R: Row>(format: &Format, row: &R, count: u64, out: &mut Vec<u8>) {
    if count == 0 && format.header {
        out.extend_from_slice(b"<TR>");
        for i in 0..row.len() {
            out.extend_from_slice(b"<TH>");
            push_html(row.name(i).as_bytes(), out);
            out.extend_from_slice(b"</TH>\n");
        }
        out.extend_from_slice(b"</TR>\n");
    }
    out.extend_from_slice(b"<TR>");
    for i in 0..row.len() {
        out.extend_from_slice(b"<TD>");
        with_text(row.value(i), &format.null, out, push_html);
        out.extend_from_slice(b"</TD>\n");
    }
    out.extend_from_slice(b"</TR>\n");
}

fn push_tcl<R: Row>(format: &Format, row: &R, count: u64, out: &mut Vec<u8>) {
    if count == 0 && format.header {
        for i in 0..row.len() {
            if i > 0 {
                out.extend_from_slice(&format.column_separator);
            }
            push_c(row.name(i).as_bytes(), out);
        }
        out.extend_from_slice(&format.row_separator);
    }
    for i in 0..row.len() {
        if i > 0 {
            out.extend_from_slice(&format.column_separator);
        }
        with_text(row.value(i), &format.null, out, push_c);
    }
    out.extend_from_slice(&format.row_separator);
}

fn push_insert<R: Row>(format: &Format, row: &R, out: &mut Vec<u8>) {
    out.extend_from_slice(b"INSERT INTO ");
    out.extend_from_slice(&format.table);
    if format.header {
        for i in 0..row.len() {
            out.push(if i > 0 { b',' } else { b'(' });
            push_name(row.name(i).as_bytes(), out);
        }
        out.push(b')');
    }
    for i in 0..row.len() {
        out.extend_from_slice(if i > 0 { b"," } else { b" VALUES(" });
        match row.value(i) {
            ValueRef::Null => out.extend_from_slice(b"NULL"),
            ValueRef::Integer(n) => ringwood_format::number::push_integer(n, out),
            ValueRef::Real(r) if (r as i64) as f64 == r && r != 9223372036854775808.0 => {
                ringwood_format::number::push_integer(r as i64, out);
                out.extend_from_slice(b".0");
            }
            ValueRef::Real(r) => push_sql_real(r, out),
            ValueRef::Text(text) if format.keep_newlines => push_sql(printable(text), out),
            ValueRef::Text(text) => push_sql_one_line(printable(text), out),
            ValueRef::Blob(bytes) => push_hex(bytes, out),
        }
    }
    out.extend_from_slice(b");\n");
}

fn push_object<R: Row>(row: &R, count: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(if count == 0 { b"[{" } else { b",\n{" });
    for i in 0..row.len() {
        if i > 0 {
            out.push(b',');
        }
        push_json(row.name(i).as_bytes(), out);
        out.push(b':');
        match row.value(i) {
            ValueRef::Null => out.extend_from_slice(b"null"),
            ValueRef::Integer(n) => ringwood_format::number::push_integer(n, out),
            ValueRef::Real(r) => push_sql_real(r, out),
            ValueRef::Text(text) => push_json(printable(text), out),
            ValueRef::Blob(bytes) => push_json(bytes, out),
        }
    }
    out.push(b'}');
}

fn push_literals<R: Row>(format: &Format, row: &R, count: u64, out: &mut Vec<u8>) {
    if count == 0 && format.header {
        for i in 0..row.len() {
            if i > 0 {
                out.extend_from_slice(&format.column_separator);
            }
            push_sql(row.name(i).as_bytes(), out);
        }
        out.extend_from_slice(&format.row_separator);
    }
    for i in 0..row.len() {
        if i > 0 {
            out.extend_from_slice(&format.column_separator);
        }
        push_literal(row.value(i), out);
    }
    out.extend_from_slice(&format.row_separator);
}

/// Appends a value as a SQL literal.
pub fn push_literal(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.extend_from_slice(b"NULL"),
        ValueRef::Integer(n) => ringwood_format::number::push_integer(n, out),
        ValueRef::Real(r) => push_full(r, out),
        ValueRef::Text(text) => push_sql(printable(text), out),
        ValueRef::Blob(bytes) => push_hex(bytes, out),
    }
}
