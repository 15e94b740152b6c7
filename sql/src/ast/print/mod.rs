//! From a tree back to text: canonical SQL, every operand that is no leaf in parentheses.
//!
//! Rule: what is printed parses to the same tree, spans aside, and the same text is printed from that. It is meant
//! for tests and for people; the schema keeps the text as it was written.
//!
//! The text that was parsed is wanted for the arguments of virtual tables, of which a tree has only the place.

mod create;
mod expr;
mod query;
mod stmt;

use super::*;

/// `statement` as SQL, without semicolon. `text` is what it was parsed from.
pub fn print_statement(statement: &Statement, text: &[u8]) -> Vec<u8> {
    let mut printer = Printer {
        out: Vec::new(),
        text,
        params: Some(&statement.params),
    };
    match statement.explain {
        Explain::No => {}
        Explain::Program => printer.put("EXPLAIN "),
        Explain::QueryPlan => printer.put("EXPLAIN QUERY PLAN "),
    }
    printer.stmt(&statement.kind);
    printer.out
}

/// `expr` as SQL. Variables are printed by number.
pub fn print_expression(expr: &Expr) -> Vec<u8> {
    let mut printer = Printer {
        out: Vec::new(),
        text: b"",
        params: None,
    };
    printer.expr(expr);
    printer.out
}

struct Printer<'a> {
    out: Vec<u8>,
    text: &'a [u8],
    params: Option<&'a Params>,
}

impl Printer<'_> {
    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn put_if(&mut self, condition: bool, text: &str) {
        if condition {
            self.put(text);
        }
    }

    /// `items` with commas between them.
    fn list<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            self.put_if(index > 0, ", ");
            print(self, item);
        }
    }

    fn quoted(&mut self, bytes: &[u8], open: u8, close: u8) {
        self.out.push(open);
        for byte in bytes {
            self.out.push(*byte);
            if *byte == close && open == close {
                self.out.push(close);
            }
        }
        self.out.push(close);
    }

    fn name(&mut self, name: &Name) {
        let bytes = name.text.as_bytes();
        match name.quote {
            Quote::None => self.put(&name.text),
            Quote::Double => self.quoted(bytes, b'"', b'"'),
            Quote::Single => self.quoted(bytes, b'\'', b'\''),
            Quote::Backtick => self.quoted(bytes, b'`', b'`'),
            Quote::Bracket => self.quoted(bytes, b'[', b']'),
        }
    }

    fn qualified(&mut self, name: &QualifiedName) {
        if let Some(schema) = &name.schema {
            self.name(schema);
            self.put(".");
        }
        self.name(&name.name);
    }

    fn names(&mut self, names: &[Name]) {
        if !names.is_empty() {
            self.put(" (");
            self.list(names, Self::name);
            self.put(")");
        }
    }

    fn alias(&mut self, alias: Option<&Name>) {
        if let Some(alias) = alias {
            self.put(" AS ");
            self.name(alias);
        }
    }
}
