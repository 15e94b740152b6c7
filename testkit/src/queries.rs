//! Generated queries, for comparing engines: joins of every kind, conditions of every kind, subqueries, orders.
//!
//! ```text
//! Dice (a seed) ──draw──▶ SELECT … FROM t1 AS s0 LEFT JOIN w1 AS s1 ON … WHERE … ORDER BY …
//! ```
//!
//! Rules:
//! 1. The same seed gives the same query.
//! 2. Where there is an ORDER BY, it ends with all result columns, so that rows that tie are equal; only then may
//!    there be a LIMIT.
//! 3. Queries go to the tables of [`SCRIPT`]: columns with and without indexes, of every affinity and collation, partial
//!    and expression indexes, WITHOUT ROWID; values of every type in columns of every type.

use std::fmt::Write as _;

/// A small generator of numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % n as u64) as usize
    }

    /// One of several.
    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// The tables, their indexes and a few rows.
pub const SCRIPT: &str = "
CREATE TABLE t1(a INTEGER PRIMARY KEY, b, c TEXT, d INT, e TEXT COLLATE NOCASE);
CREATE INDEX t1b ON t1(b);
CREATE INDEX t1cd ON t1(c, d);
CREATE INDEX t1e ON t1(e);
CREATE TABLE t2(x, y INT, z TEXT NOT NULL, w REAL, UNIQUE(x, y));
CREATE INDEX t2z ON t2(z DESC);
CREATE UNIQUE INDEX t2w ON t2(w);
CREATE TABLE t3(p INT, q INT, r INT, s);
CREATE TABLE w1(k TEXT PRIMARY KEY, v INT, u) WITHOUT ROWID;
CREATE INDEX w1v ON w1(v);
CREATE TABLE w2(a INT, b INT, c, d, PRIMARY KEY(a, b DESC)) WITHOUT ROWID;
CREATE TABLE part(a, b, c);
CREATE INDEX part_b ON part(b) WHERE c IS NOT NULL;
CREATE INDEX part_a ON part(a) WHERE b > 5;
CREATE TABLE ex(a, b TEXT, c);
CREATE INDEX ex_low ON ex(lower(b));
CREATE INDEX ex_sum ON ex(a + c, b);
INSERT INTO t1 VALUES(1,5,'x',7,'abc'),(2,'x','7',1,'ABC'),(3,NULL,'abc',NULL,'x'),(4,1.5,'abcd',5,NULL),
  (5,5,'5',0,'1'),(6,'7',NULL,7,'7'),(7,7,'x',5,'aXc'),(8,x'616263','X',-1,'ABCd'),(9,0,'1.5',1,'5'),
  (10,-1,'-1',NULL,x'6162'),(12,'abc','abc',5,'aBcD');
INSERT INTO t2 VALUES(1,5,'x',1.5),(5,1,'abc',0),('x',7,'7',-1),(NULL,5,'abcd',5),('7',NULL,'1',7),
  (7,7,'ABC',NULL),(NULL,NULL,'x',1),(0,0,'5',-2.5),('abc',1,'abc',2);
INSERT INTO t3 VALUES(1,5,7,'x'),(5,1,NULL,5),(NULL,7,1,1.5),(7,NULL,0,'7'),(0,0,-1,NULL),(3,5,5,'abc'),(5,5,5,5);
INSERT INTO w1 VALUES('x',5,1),('7',7,'x'),('abc',NULL,5),('5',5,1.5),('1.5',0,NULL),('ABC',1,'abc'),('1',-1,'7');
INSERT INTO w2 VALUES(1,5,'x',1),(5,1,5,'x'),(5,7,NULL,1.5),(7,0,'abc',5),(0,-1,'7','7'),(-1,1,1,NULL),(5,5,5,5);
INSERT INTO part VALUES(5,7,1),(1,6,NULL),('x',5,'x'),(7,NULL,5),(5,5,0),(0,'abc','7'),(1.5,9,'abc'),(NULL,8,1.5);
INSERT INTO ex VALUES(1,'X',4),(5,'abc',0),('x','7',5),(NULL,'ABCD',1),(1.5,NULL,3.5),(0,'x',5),(7,'5',-2);
";

/// Statistics for them, as ANALYZE would have found them in larger tables.
pub const STATISTICS: &str = "
ANALYZE;
DELETE FROM sqlite_stat1;
DELETE FROM sqlite_stat4;
INSERT INTO sqlite_stat1 VALUES
  ('t1', 't1e', '2000 1'), ('t1', 't1cd', '2000 667 2'), ('t1', 't1b', '2000 200'),
  ('t2', 't2w', '200 1'), ('t2', 't2z', '200 40'), ('t2', 'sqlite_autoindex_t2_1', '200 1 1'),
  ('t3', NULL, '50'), ('w1', 'w1v', '500 25'), ('w1', 'w1', '500 1'),
  ('ex', 'ex_low', '10000 10'), ('ex', 'ex_sum', '10000 5000 100');
";

const SOURCES: [(&str, &[&str]); 7] = [
    ("t1", &["a", "b", "c", "d", "e", "rowid"]),
    ("t2", &["x", "y", "z", "w", "rowid"]),
    ("t3", &["p", "q", "r", "s", "rowid"]),
    ("w1", &["k", "v", "u"]),
    ("w2", &["a", "b", "c", "d"]),
    ("part", &["a", "b", "c"]),
    ("ex", &["a", "b", "c"]),
];

pub(crate) const VALUES: [&str; 12] = [
    "5", "'x'", "'7'", "7", "1.5", "-1", "NULL", "1", "0", "abs(3)", "'abc'", "'ABC'",
];

/// Columns in sight: alias and names of each source, outer queries' first.
pub(crate) type Sight = Vec<(String, &'static [&'static str])>;

/// A query under construction.
pub(crate) struct Query<'d> {
    pub(crate) dice: &'d mut Dice,
    pub(crate) sources: Sight,
    /// Sources of this query begin here; those before it are of queries around it.
    pub(crate) own: usize,
    /// How deep subqueries may nest.
    pub(crate) depth: usize,
    /// Names are given out from here.
    pub(crate) alias: usize,
}

impl Query<'_> {
    pub(crate) fn column(&mut self) -> String {
        // Now and then one of a query around this one.
        let from = if self.own > 0 && self.dice.below(4) == 0 {
            0
        } else {
            self.own
        };
        let at = from + self.dice.below(self.sources.len() - from);
        self.column_of(at)
    }

    pub(crate) fn column_of(&mut self, at: usize) -> String {
        let (alias, columns) = self.sources[at].clone();
        format!("{alias}.{}", self.dice.pick(columns))
    }

    fn value(&mut self) -> String {
        self.dice.pick(&VALUES).to_owned()
    }

    fn operand(&mut self) -> String {
        match self.dice.below(12) {
            0..=3 => self.column(),
            4 if self.depth > 0 => format!("({})", self.subquery(1, true)),
            _ => self.value(),
        }
    }

    /// A SELECT of so many columns; `one` row if it is to be a value.
    fn subquery(&mut self, columns: usize, one: bool) -> String {
        let before = (self.sources.len(), self.own);
        self.depth -= 1;
        self.own = self.sources.len();
        let count = 1 + self.dice.below(2);
        let from = self.from(count);
        let mut results: Vec<String> = (0..columns).map(|_| self.column_of(self.own)).collect();
        if one {
            let aggregate = self.dice.pick(&["max", "min", "count", "sum"]);
            results[0] = format!("{aggregate}({})", results[0]);
        }
        let condition = if self.dice.below(4) > 0 {
            format!(" WHERE {}", self.conditions(2))
        } else {
            String::new()
        };
        self.sources.truncate(before.0);
        self.own = before.1;
        self.depth += 1;
        format!("SELECT {} FROM {from}{condition}", results.join(", "))
    }

    pub(crate) fn condition(&mut self, depth: usize) -> String {
        let x = self.column();
        match self.dice.below(if depth == 0 { 18 } else { 27 }) {
            0..=4 => format!("{x} = {}", self.operand()),
            5 => format!(
                "{x} {} {}",
                self.dice.pick(&["<", "<=", ">", ">="]),
                self.operand()
            ),
            6 => format!("{} {} {x}", self.value(), self.dice.pick(&["<", "=", ">"])),
            7 => format!("{x} BETWEEN {} AND {}", self.value(), self.operand()),
            8 => format!(
                "{x} IN ({}, {}, {})",
                self.value(),
                self.value(),
                self.operand()
            ),
            9 => format!("{x} IS NULL"),
            10 => format!("{x} IS NOT NULL"),
            11 => format!("{x} IS {}", self.operand()),
            12 => format!(
                "{x} LIKE '{}'",
                self.dice.pick(&["abc%", "%c", "1%", "a_c", "x"])
            ),
            13 => format!("{x} GLOB '{}'", self.dice.pick(&["abc*", "*c", "x?"])),
            14 => format!(
                "{x} = {} COLLATE {}",
                self.operand(),
                self.dice.pick(&["NOCASE", "BINARY"])
            ),
            15 => format!("+{x} = {}", self.operand()),
            16 => {
                let op = self.dice.pick(&["=", "<", ">=", "IS"]);
                format!(
                    "({x}, {}) {op} ({}, {})",
                    self.column(),
                    self.operand(),
                    self.operand()
                )
            }
            17 => format!(
                "lower({x}) {} {}",
                self.dice.pick(&["=", ">"]),
                self.value()
            ),
            18..=21 => format!(
                "({} OR {})",
                self.condition(depth - 1),
                self.condition(depth - 1)
            ),
            22 => format!(
                "({} AND {} OR {})",
                self.condition(0),
                self.condition(0),
                self.condition(0)
            ),
            23 => format!("NOT {}", self.condition(depth - 1)),
            24 if self.depth > 0 => {
                let not = self.dice.pick(&["", "", "NOT "]);
                format!("{x} {not}IN ({})", self.subquery(1, false))
            }
            25 if self.depth > 0 => {
                let not = self.dice.pick(&["", "NOT "]);
                format!("{not}EXISTS ({})", self.subquery(1, false))
            }
            26 if self.depth > 0 => {
                let y = self.column();
                format!("({x}, {y}) IN ({})", self.subquery(2, false))
            }
            _ => format!("{x} = {}", self.value()),
        }
    }

    pub(crate) fn conditions(&mut self, most: usize) -> String {
        let count = 1 + self.dice.below(most);
        let parts: Vec<String> = (0..count).map(|_| self.condition(1)).collect();
        parts.join(" AND ")
    }

    pub(crate) fn from(&mut self, count: usize) -> String {
        const JOINS: [&str; 8] = [
            ", ",
            ", ",
            " JOIN ",
            " LEFT JOIN ",
            " LEFT JOIN ",
            " CROSS JOIN ",
            " RIGHT JOIN ",
            " FULL JOIN ",
        ];
        let first = self.sources.len();
        let mut from = String::new();
        for n in 0..count {
            let (table, columns) = SOURCES[self.dice.below(SOURCES.len())];
            let alias = format!("s{}", self.alias);
            self.alias += 1;
            let as_subquery = self.depth > 0 && self.dice.below(8) == 0;
            let source = if as_subquery {
                let columns: Vec<&str> =
                    columns.iter().copied().filter(|c| *c != "rowid").collect();
                let order = if self.dice.below(2) == 0 {
                    format!(" ORDER  BY {}", columns[0])
                } else {
                    String::new()
                };
                let mut inner = Query {
                    sources: vec![(
                        table.to_owned(),
                        SOURCES
                            .iter()
                            .find(|s| s.0 == table)
                            .map_or(&[][..], |s| s.1),
                    )],
                    own: 0,
                    depth: 0,
                    alias: self.alias + 100,
                    dice: self.dice,
                };
                let condition = if inner.dice.below(2) == 0 {
                    format!(" WHERE {}", inner.condition(1))
                } else {
                    String::new()
                };
                format!(
                    "(SELECT {} FROM {table}{condition}{order}) AS {alias}",
                    columns.join(", ")
                )
            } else {
                format!("{table} AS {alias}")
            };
            let visible = if as_subquery {
                columns.strip_suffix(&["rowid"]).unwrap_or(columns)
            } else {
                columns
            };
            self.sources.push((alias, visible));
            if n == 0 {
                from.push_str(&source);
                continue;
            }
            let join = self.dice.pick(&JOINS);
            from.push_str(join);
            from.push_str(&source);
            if join != ", " && self.dice.below(5) > 0 {
                let at = first + self.dice.below(n);
                let (left, right) = (self.column_of(at), self.column_of(first + n));
                let _ = write!(from, " ON {left} = {right}");
                if self.dice.below(4) == 0 {
                    // Only what is left of here is in sight.
                    let own = std::mem::replace(&mut self.own, first);
                    let condition = self.condition(1);
                    let _ = write!(from, " AND {condition}");
                    self.own = own;
                }
            }
        }
        from
    }
}

/// Draws a query; with subqueries if `depth` is not 0.
pub fn draw(dice: &mut Dice, depth: usize) -> String {
    let count = [1, 1, 1, 2, 2, 3, 4][dice.below(7)];
    let mut query = Query {
        dice,
        sources: Vec::new(),
        own: 0,
        depth,
        alias: 0,
    };
    let from = query.from(count);
    let shape = query.dice.below(9);
    let columns: Vec<String> = (0..=query.dice.below(3)).map(|_| query.column()).collect();
    let listed = columns.join(", ");
    let ordered = (3..=5).contains(&shape);
    let mut text = String::from("SELECT ");
    let mut results = listed.clone();
    match shape {
        0 => text.push_str("DISTINCT "),
        1 => {
            let aggregate = query
                .dice
                .pick(&["count(*)", "count", "max", "min", "group_concat"]);
            let call = if aggregate.ends_with(')') {
                aggregate.to_owned()
            } else if aggregate == "group_concat" {
                "sum(1)".to_owned()
            } else {
                format!("{aggregate}({})", query.column())
            };
            results = format!("{listed}, {call}");
        }
        2 => {
            let aggregate = query.dice.pick(&["max", "min", "count", "total"]);
            results = format!("{aggregate}({})", query.column());
        }
        _ if !ordered && query.dice.below(3) == 0 => "*".clone_into(&mut results),
        _ => {}
    }
    text.push_str(&results);
    text.push_str(" FROM ");
    text.push_str(&from);
    if query.dice.below(8) > 0 {
        text.push_str(" WHERE ");
        text.push_str(&query.conditions(4));
    }
    if shape == 1 {
        text.push_str(" GROUP BY ");
        text.push_str(&listed);
    }
    if ordered {
        let mut terms: Vec<String> = Vec::new();
        for _ in 0..query.dice.below(3) {
            let order = query.dice.pick(&["", "", " DESC", " NULLS LAST"]);
            terms.push(format!(
                "{}{order}",
                columns[query.dice.below(columns.len())]
            ));
        }
        terms.extend(
            columns
                .iter()
                .map(|c| format!("{c}{}", query.dice.pick(&["", " DESC"]))),
        );
        text.push_str(" ORDER BY ");
        text.push_str(&terms.join(", "));
        if query.dice.below(3) == 0 {
            text.push_str(" LIMIT 4");
        }
    }
    text
}

/// Draws a FROM clause and a condition on it; with subqueries if `depth` is not 0.
pub fn draw_condition(dice: &mut Dice, depth: usize) -> (String, String) {
    let count = [1, 1, 2, 2, 3][dice.below(5)];
    let mut query = Query {
        dice,
        sources: Vec::new(),
        own: 0,
        depth,
        alias: 0,
    };
    let from = query.from(count);
    let condition = query.conditions(4);
    (from, condition)
}

/// Draws an UPDATE or a DELETE of one of the tables; with subqueries if `depth` is not 0. Returns the table too.
pub fn draw_change(dice: &mut Dice, depth: usize) -> (&'static str, String) {
    let (table, columns) = SOURCES[dice.below(SOURCES.len())];
    let mut query = Query {
        dice,
        sources: vec![("s".to_owned(), columns)],
        own: 0,
        depth,
        alias: 0,
    };
    let condition = query.conditions(3);
    if query.dice.below(3) == 0 {
        return (table, format!("DELETE FROM {table} AS s WHERE {condition}"));
    }
    let or = query
        .dice
        .pick(&["", "", "", "", " OR IGNORE", " OR REPLACE"]);
    let mut text = format!("UPDATE{or} {table} AS s SET ");
    let first = query.dice.below(columns.len());
    let count = 1 + query.dice.below(2);
    for n in 0..count {
        let column = columns[(first + n) % columns.len()];
        let value = match query.dice.below(6) {
            0 => format!("{column} + 1"),
            1 => format!("{column} || 'x'"),
            2 => query.column(),
            _ => query.operand(),
        };
        let comma = if n == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{column} = {value}");
    }
    let _ = write!(text, " WHERE {condition}");
    (table, text)
}
