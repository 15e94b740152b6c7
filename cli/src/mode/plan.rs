//! EXPLAIN QUERY PLAN as a tree, and EXPLAIN with its loops indented.

use ringwood::ValueRef;

use super::columns::{characters, push_padded};
use super::{Format, Row, push_text};

/// The nodes of a query plan, in the order in which they came.
#[derive(Default)]
pub struct Plan {
    /// (id, parent, text)
    nodes: Vec<(i64, i64, Vec<u8>)>,
}

impl Plan {
    /// Adds a row of EXPLAIN QUERY PLAN.
    pub fn push<R: Row>(&mut self, row: &R) {
        let number = |i: usize| match row.value(i) {
            ValueRef::Integer(n) => n,
            _ => 0,
        };
        let mut text = Vec::new();
        push_text(row.value(3), b"", &mut text);
        self.nodes.push((number(0), number(1), text));
    }

    /// Appends the tree, and forgets it.
    pub fn render(&mut self, out: &mut Vec<u8>) {
        if !self.nodes.is_empty() {
            out.extend_from_slice(b"QUERY PLAN\n");
            self.render_below(0, &mut Vec::new(), out);
            self.nodes.clear();
        }
    }

    fn render_below(&self, parent: i64, prefix: &mut Vec<u8>, out: &mut Vec<u8>) {
        /// Deeper trees are cut.
        const PREFIX_MAX: usize = 93;
        let mut children = self.nodes.iter().filter(|n| n.1 == parent).peekable();
        while let Some((id, _, text)) = children.next() {
            let last = children.peek().is_none();
            out.extend_from_slice(prefix);
            out.extend_from_slice(if last { b"`--" } else { b"|--" });
            out.extend_from_slice(text);
            out.push(b'\n');
            if prefix.len() < PREFIX_MAX && *id != parent {
                prefix.extend_from_slice(if last { b"   " } else { b"|  " });
                self.render_below(*id, prefix, out);
                prefix.truncate(prefix.len() - 3);
            }
        }
    }
}

/// The rows of EXPLAIN, kept until the loops are known.
#[derive(Default)]
pub struct Listing {
    rows: Vec<Instruction>,
}

struct Instruction {
    address: i64,
    opcode: Vec<u8>,
    p1: i64,
    p2: i64,
    cells: Vec<Vec<u8>>,
}

/// Widths of addr, opcode, p1, p2, p3, p4, p5, comment.
const WIDTHS: [usize; 8] = [4, 13, 4, 4, 4, 13, 2, 13];

impl Listing {
    /// Adds a row of EXPLAIN.
    pub fn push<R: Row>(&mut self, format: &Format, row: &R) {
        let number = |i: usize| match row.value(i) {
            ValueRef::Integer(n) => n,
            _ => 0,
        };
        let cells: Vec<Vec<u8>> = (0..row.len().min(WIDTHS.len()))
            .map(|i| {
                let mut text = Vec::new();
                push_text(row.value(i), &format.null, &mut text);
                text
            })
            .collect();
        let opcode = cells.get(1).cloned().unwrap_or_default();
        self.rows.push(Instruction {
            address: number(0),
            opcode,
            p1: number(2),
            p2: number(3),
            cells,
        });
    }

    /// How far each instruction is indented: the body of a loop by two.
    ///
    /// Addresses of a trigger's program begin at 0 again; a jump is relative to the instruction that makes it.
    fn indents(&self) -> Vec<usize> {
        let among = |opcode: &[u8], names: &[&str]| names.iter().any(|n| n.as_bytes() == opcode);
        let mut indents = vec![0; self.rows.len()];
        let mut yields = Vec::with_capacity(self.rows.len());
        for (at, row) in self.rows.iter().enumerate() {
            let target = usize::try_from(row.p2 + at as i64 - row.address).unwrap_or(0);
            yields.push(among(
                &row.opcode,
                &["Yield", "SeekLT", "SeekGT", "RowSetRead", "Rewind"],
            ));
            let next = among(
                &row.opcode,
                &["Next", "Prev", "VPrev", "VNext", "SorterNext", "Return"],
            ) && target > 0;
            let back = row.opcode == b"Goto" && target <= at && (yields[target] || row.p1 != 0);
            if next || back {
                for indent in indents.iter_mut().take(at).skip(target) {
                    *indent += 2;
                }
            }
        }
        indents
    }

    /// Appends the listing under the names of `names`' columns.
    pub fn render(&self, names: &[String], out: &mut Vec<u8>) {
        let Some(first) = self.rows.first() else {
            return;
        };
        let columns = first.cells.len();
        let end = |i: usize| -> &[u8] { if i + 1 == columns { b"\n" } else { b"  " } };
        for (i, name) in names.iter().take(columns).enumerate() {
            push_padded(name.as_bytes(), WIDTHS[i] as i64, out);
            out.extend_from_slice(end(i));
        }
        for (i, width) in WIDTHS.iter().take(columns).enumerate() {
            out.extend(std::iter::repeat_n(b'-', *width));
            out.extend_from_slice(end(i));
        }
        for (row, indent) in self.rows.iter().zip(self.indents()) {
            for (i, cell) in row.cells.iter().enumerate() {
                let least = if i + 1 == columns { 0 } else { WIDTHS[i] };
                if i == 1 {
                    out.extend(std::iter::repeat_n(b' ', indent));
                }
                push_padded(cell, least.max(characters(cell)) as i64, out);
                out.extend_from_slice(end(i));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A row of texts and numbers.
    struct Cells(Vec<String>);

    impl Row for Cells {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn name(&self, _: usize) -> &'static str {
            ""
        }

        fn value(&self, i: usize) -> ValueRef<'_> {
            self.0[i]
                .parse()
                .map_or(ValueRef::Text(self.0[i].as_bytes()), ValueRef::Integer)
        }
    }

    fn stock(commands: &[&str]) -> Option<String> {
        let output = Command::new("sqlite3")
            .arg(":memory:")
            .args(commands)
            .output()
            .ok()?;
        String::from_utf8(output.stdout).ok()
    }

    #[test]
    fn programs_of_stock_are_listed_as_stock_lists_them() {
        let tables = "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); CREATE INDEX i ON t(b); CREATE TABLE u(x, y);\
            CREATE TRIGGER tr AFTER INSERT ON u BEGIN UPDATE t SET c = new.x WHERE b > new.y; END;";
        for query in [
            "EXPLAIN SELECT * FROM t WHERE a > 5 ORDER BY c",
            "EXPLAIN SELECT b, count(*) FROM t JOIN u ON u.x = t.b GROUP BY b HAVING count(*) > 1",
            "EXPLAIN INSERT INTO u SELECT a, b FROM t WHERE c IN (SELECT y FROM u)",
            "EXPLAIN SELECT * FROM (SELECT DISTINCT b FROM t UNION SELECT x FROM u ORDER BY 1 DESC) LIMIT 3",
            "EXPLAIN WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r WHERE n<5) SELECT n FROM r, t WHERE t.a = n",
        ] {
            let list = [tables, ".explain off", ".mode ascii", query];
            let (Some(rows), Some(listed)) = (stock(&list), stock(&[tables, query])) else {
                return;
            };
            let mut listing = Listing::default();
            for row in rows.split_terminator('\u{1e}') {
                listing.push(
                    &Format::new(),
                    &Cells(row.split('\u{1f}').map(str::to_owned).collect()),
                );
            }
            let names =
                ["addr", "opcode", "p1", "p2", "p3", "p4", "p5", "comment"].map(str::to_owned);
            let mut out = Vec::new();
            listing.render(&names, &mut out);
            assert!(!listed.is_empty());
            assert_eq!(String::from_utf8(out).unwrap(), listed, "{query}");
        }
    }

    #[test]
    fn a_plan_is_a_tree() {
        let mut plan = Plan::default();
        for (id, parent, text) in [
            ("2", "0", "A"),
            ("3", "2", "B"),
            ("5", "3", "C"),
            ("7", "2", "D"),
            ("9", "0", "E"),
        ] {
            plan.push(&Cells([id, parent, "0", text].map(str::to_owned).to_vec()));
        }
        let mut out = Vec::new();
        plan.render(&mut out);
        let tree = "QUERY PLAN\n|--A\n|  |--B\n|  |  `--C\n|  `--D\n`--E\n";
        assert_eq!(String::from_utf8(out).unwrap(), tree);
    }
}
