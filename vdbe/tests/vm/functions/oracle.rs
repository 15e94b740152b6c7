//! Both engines behind one question: what does this function give for these arguments?

use ringwood_format::value::Value;
use ringwood_vdbe::func::{Facts, FunctionRegistry, builtins};
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// A value or a message.
pub type Answer = Result<Value, String>;

/// Stock SQLite and the registry.
pub struct Oracle {
    stock: Connection,
    registry: FunctionRegistry,
    /// What our functions know.
    pub facts: Facts,
    calls: usize,
    differences: Vec<String>,
}

struct Bound<'a>(&'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(i) => ValueRef::Integer(*i),
            Value::Real(r) => ValueRef::Real(*r),
            Value::Text(t) => ValueRef::Text(t),
            Value::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

fn value(stock: ValueRef<'_>) -> Value {
    match stock {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Integer(i),
        ValueRef::Real(r) => Value::Real(r),
        ValueRef::Text(t) => Value::Text(t.to_vec()),
        ValueRef::Blob(b) => Value::Blob(b.to_vec()),
    }
}

fn message(error: rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        other => other.to_string(),
    }
}

/// Equal to the bit, so that 0.0 and -0.0 differ.
fn same(ours: &Answer, stock: &Answer) -> bool {
    match (ours, stock) {
        (Ok(Value::Real(a)), Ok(Value::Real(b))) => a.to_bits() == b.to_bits(),
        _ => ours == stock,
    }
}

fn show(answer: &Answer) -> String {
    match answer {
        Ok(Value::Text(t)) => format!("'{}'", t.escape_ascii()),
        Ok(Value::Blob(b)) => format!("x'{}'", b.escape_ascii()),
        other => format!("{other:?}"),
    }
}

impl Oracle {
    pub fn new() -> Oracle {
        let stock = Connection::open_in_memory().expect("memory");
        Oracle {
            stock,
            registry: builtins(),
            facts: Facts::default(),
            calls: 0,
            differences: Vec::new(),
        }
    }

    /// The connection.
    pub fn stock(&self) -> &Connection {
        &self.stock
    }

    /// What stock SQLite gives for a query.
    pub fn ask(&self, sql: &str, args: &[Value]) -> Answer {
        self.ask_stock(sql, args)
    }

    fn ask_stock(&self, sql: &str, args: &[Value]) -> Answer {
        let mut statement = self.stock.prepare_cached(sql).map_err(message)?;
        let bound: Vec<Bound<'_>> = args.iter().map(Bound).collect();
        let row = statement.query_row(rusqlite::params_from_iter(bound), |row| {
            Ok(value(row.get_ref(0)?))
        });
        row.map_err(message)
    }

    /// What our function gives.
    pub fn ask_ours(&mut self, name: &str, args: &[Value]) -> Answer {
        let Some(def) = self.registry.find(name, args.len()) else {
            return Err(if self.registry.exists(name) {
                format!("wrong number of arguments to function {name}()")
            } else {
                format!("no such function: {name}")
            });
        };
        def.call(&mut self.facts, args).map_err(|e| e.message)
    }

    /// What our aggregate gives; as a window, at the last row of frames of that size.
    pub fn ask_aggregate(
        &mut self,
        name: &str,
        rows: &[Vec<Value>],
        window: Option<usize>,
    ) -> Answer {
        let def = self.registry.find(name, rows[0].len()).expect("a function");
        def.aggregate_rows(&mut self.facts, rows, window)
            .map_err(|e| e.message)
    }

    /// Compares one call.
    pub fn check(&mut self, name: &str, args: &[Value]) {
        let marks = vec!["?"; args.len()].join(",");
        let stock = self.ask_stock(&format!("SELECT {name}({marks})"), args);
        let ours = self.ask_ours(name, args);
        self.note(name, args, &ours, &stock);
    }

    /// Compares one call, unless stock SQLite gives JSONB that is not well-formed.
    pub fn check_json(&mut self, name: &str, args: &[Value]) {
        let marks = vec!["?"; args.len()].join(",");
        let stock = self.ask_stock(&format!("SELECT {name}({marks})"), args);
        let ours = self.ask_ours(name, args);
        if let Ok(blob @ Value::Blob(_)) = &stock {
            let valid = self.ask_stock("SELECT json_valid(?, 8)", std::slice::from_ref(blob));
            if valid != Ok(Value::Integer(1)) {
                return;
            }
        }
        self.note(name, args, &ours, &stock);
    }

    /// Compares an aggregate over one row, without a table.
    pub fn check_group(&mut self, name: &str, row: &[Value]) {
        let marks = vec!["?"; row.len()].join(",");
        let stock = self.ask_stock(&format!("SELECT {name}({marks})"), row);
        let def = self.registry.find(name, row.len()).expect("a function");
        let ours = def
            .aggregate_rows(&mut self.facts, &[row.to_vec()], None)
            .map_err(|e| e.message);
        self.note(name, row, &ours, &stock);
    }

    /// A table with these rows.
    fn fill(&self, rows: &[Vec<Value>], width: usize) -> Result<(), String> {
        let columns: Vec<String> = (0..width).map(|i| format!("c{i}")).collect();
        self.stock
            .execute_batch(&format!(
                "CREATE TEMP TABLE IF NOT EXISTS t{width}({}); DELETE FROM temp.t{width}",
                columns.join(",")
            ))
            .map_err(message)?;
        let marks = vec!["?"; width].join(",");
        let mut insert = self
            .stock
            .prepare_cached(&format!("INSERT INTO temp.t{width} VALUES({marks})"))
            .map_err(message)?;
        for row in rows {
            let bound: Vec<Bound<'_>> = row.iter().map(Bound).collect();
            insert
                .execute(rusqlite::params_from_iter(bound))
                .map_err(message)?;
        }
        Ok(())
    }

    /// Compares an aggregate over these rows.
    pub fn check_aggregate(&mut self, name: &str, rows: &[Vec<Value>]) {
        let width = rows.first().map_or(1, Vec::len);
        let columns: Vec<String> = (0..width).map(|i| format!("c{i}")).collect();
        let columns = columns.join(",");
        let stock = (|| {
            self.fill(rows, width)?;
            self.ask_stock(&format!("SELECT {name}({columns}) FROM temp.t{width}"), &[])
        })();
        let ours = match self.registry.find(name, width) {
            Some(def) => def
                .aggregate_rows(&mut self.facts, rows, None)
                .map_err(|e| e.message),
            None => Err(format!("no such function: {name}")),
        };
        let flat: Vec<Value> = rows.iter().flatten().cloned().collect();
        self.note(name, &flat, &ours, &stock);
    }

    /// Compares the last value of a window that keeps two rows.
    pub fn check_window(&mut self, name: &str, rows: &[Vec<Value>]) {
        self.check_aggregate(name, rows);
        let (width, kept) = (rows[0].len(), 2);
        let columns: Vec<String> = (0..width).map(|i| format!("c{i}")).collect();
        let sql = format!(
            "SELECT v FROM (SELECT rowid r, {name}({}) OVER (ORDER BY rowid ROWS {} PRECEDING) v FROM temp.t{width}) \
             ORDER BY r DESC LIMIT 1",
            columns.join(","),
            kept - 1
        );
        let stock = self.ask_stock(&sql, &[]);
        let def = self.registry.find(name, width).expect("a function");
        let ours = def
            .aggregate_rows(&mut self.facts, rows, Some(kept))
            .map_err(|e| e.message);
        let flat: Vec<Value> = rows.iter().flatten().cloned().collect();
        self.note(&format!("window {name}"), &flat, &ours, &stock);
    }

    /// Notes a difference, if it is one.
    pub fn note(&mut self, what: &str, args: &[Value], ours: &Answer, stock: &Answer) {
        self.calls += 1;
        if !same(ours, stock) {
            let args: Vec<String> = args.iter().map(|arg| show(&Ok(arg.clone()))).collect();
            self.differences.push(format!(
                "{what}({})\n    ours:  {}\n    stock: {}",
                args.join(", "),
                show(ours),
                show(stock)
            ));
        }
    }

    /// Fails if there were differences, or no calls.
    pub fn finish(self) {
        assert!(self.calls > 0, "nothing was compared");
        let some: Vec<&str> = self.differences.iter().take(40).map(|s| &**s).collect();
        assert!(
            some.is_empty(),
            "{} of {} calls differ:\n{}",
            self.differences.len(),
            self.calls,
            some.join("\n")
        );
    }
}

/// A small generator of random numbers (xorshift*), for tests that can be repeated by seed.
pub struct Random(pub u64);

impl Random {
    /// The next number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A text.
pub fn text(s: &str) -> Value {
    Value::Text(s.as_bytes().to_vec())
}

/// Values at the edges: every type, both ends of the numbers, texts that are numbers, malformed texts.
pub fn nasty() -> Vec<Value> {
    let mut values = vec![Value::Null];
    for i in [
        0,
        1,
        -1,
        2,
        7,
        -3,
        65,
        0x20ac,
        0x1f600,
        0xd800,
        0x110000,
        i64::MAX,
        i64::MIN,
        1 << 53,
        4_503_599_627_370_497,
    ] {
        values.push(Value::Integer(i));
    }
    for r in [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        0.1,
        1e-5,
        123456.789,
        1e15,
        1e16,
        9.99999999999999e22,
        1e300,
        -1e300,
        5e-324,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1234567890.12345,
        0.285,
        1.005,
        -1.45,
    ] {
        values.push(Value::Real(r));
    }
    for t in [
        "",
        " ",
        "a",
        "abc",
        "ABC xyz",
        "  pad  ",
        "12",
        " -12.5e1 ",
        "1e3x",
        "0x1f",
        "naïve",
        "日本語",
        "😀😀",
        "it's",
        "a\\b\"c",
        "\n\t\u{1}",
        "aaaa",
        "aabaaabaaaab",
        "%",
        "a%",
        "_b_",
        "*",
        "[a-c]*",
        "\u{fffd}",
        "9223372036854775808",
        "616263",
        "61 62",
        "\\00e9 \\+01F600 \\u0041\\\\",
        "\\12",
        "Inf",
        "a\0b",
    ] {
        values.push(text(t));
    }
    for bytes in [
        &b"\x80"[..],
        b"\x80\x80a",
        b"a\x80b",
        b"\xff\xfe",
        b"\xc3",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"x\xc0\x80y",
        b"",
        b"abc",
        b"\0\0",
        b"12",
    ] {
        values.push(Value::Blob(bytes.to_vec()));
        values.push(Value::Text(bytes.to_vec()));
    }
    values
}
