//! Plans of generated queries, compared with stock SQLite's.
//!
//! A query is drawn from a seed: sources (joined in every way), conditions over columns that have indexes and columns
//! that have not, an order or a grouping. `PLANS=n` draws n queries for each database, `SEED=s` begins elsewhere,
//! `QUERY=text` asks about that one alone.

use crate::plans::{Database, STATISTICS, TABLES};

/// A small generator of numbers; the same seed gives the same queries.
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
    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const SOURCES: [(&str, &[&str]); 7] = [
    ("t1", &["a", "b", "c", "d", "e", "rowid"]),
    ("t2", &["x", "y", "z", "w", "rowid"]),
    ("t3", &["p", "q", "r", "s", "rowid"]),
    ("w1", &["k", "v", "u"]),
    ("w2", &["a", "b", "c", "d"]),
    ("part", &["a", "b", "c"]),
    ("ex", &["a", "b", "c"]),
];

/// A query under construction.
struct Query<'d> {
    dice: &'d mut Dice,
    /// Alias and columns of each source.
    sources: Vec<(String, &'static [&'static str])>,
}

impl Query<'_> {
    fn column(&mut self) -> String {
        let at = self.dice.below(self.sources.len());
        self.column_of(at)
    }

    fn column_of(&mut self, at: usize) -> String {
        let columns = self.sources[at].1;
        let column = self.dice.pick(columns);
        format!("{}.{column}", self.sources[at].0)
    }

    fn value(&mut self) -> String {
        self.dice
            .pick(&[
                "5", "'x'", "'7'", "?1", "1.5", "-1", "NULL", "1", "0", "abs(3)",
            ])
            .to_owned()
    }

    fn operand(&mut self) -> String {
        if self.dice.below(3) == 0 {
            self.column()
        } else {
            self.value()
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let x = self.column();
        match self.dice.below(if depth == 0 { 17 } else { 22 }) {
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
            16 => format!(
                "({x}, {}) {} ({}, {})",
                self.column(),
                self.dice.pick(&["=", "<", ">="]),
                self.value(),
                self.value()
            ),
            17..=19 => format!(
                "({} OR {})",
                self.condition(depth - 1),
                self.condition(depth - 1)
            ),
            20 => format!(
                "({} AND {} OR {})",
                self.condition(0),
                self.condition(0),
                self.condition(0)
            ),
            _ => format!("NOT {}", self.condition(depth - 1)),
        }
    }

    fn conditions(&mut self, most: usize) -> String {
        let count = 1 + self.dice.below(most);
        let parts: Vec<String> = (0..count).map(|_| self.condition(1)).collect();
        parts.join(" AND ")
    }
}

/// Draws a query.
pub fn draw(dice: &mut Dice) -> String {
    let count = [1, 1, 1, 2, 2, 3, 4][dice.below(7)];
    let mut query = Query {
        dice,
        sources: Vec::new(),
    };
    let mut from = String::new();
    for n in 0..count {
        let (table, columns) = SOURCES[query.dice.below(SOURCES.len())];
        let alias = format!("s{n}");
        query.sources.push((alias.clone(), columns));
        if n > 0 {
            let join = query.dice.pick(&[
                ", ",
                ", ",
                " JOIN ",
                " LEFT JOIN ",
                " LEFT JOIN ",
                " CROSS JOIN ",
                " RIGHT JOIN ",
                " FULL JOIN ",
            ]);
            from.push_str(join);
            from.push_str(&format!("{table} AS {alias}"));
            if join != ", " && query.dice.below(5) > 0 {
                let at = query.dice.below(n);
                let left = query.column_of(at);
                let right = query.column_of(n);
                from.push_str(&format!(" ON {left} = {right}"));
                if query.dice.below(4) == 0 {
                    from.push_str(&format!(" AND {}", query.condition(1)));
                }
            }
        } else {
            from.push_str(&format!("{table} AS {alias}"));
        }
    }
    let mut text = String::from("SELECT ");
    let shape = query.dice.below(8);
    let listed: Vec<String> = (0..1 + query.dice.below(3))
        .map(|_| query.column())
        .collect();
    let listed = listed.join(", ");
    if shape == 0 {
        text.push_str("DISTINCT ");
    }
    if query.dice.below(3) == 0 && shape > 1 {
        text.push('*');
    } else {
        text.push_str(&listed);
    }
    text.push_str(&format!(" FROM {from}"));
    if query.dice.below(8) > 0 {
        text.push_str(&format!(" WHERE {}", query.conditions(4)));
    }
    match shape {
        1 => text.push_str(&format!(" GROUP BY {listed}")),
        2..=4 => {
            let terms: Vec<String> = (0..1 + query.dice.below(3))
                .map(|_| {
                    format!(
                        "{}{}",
                        query.column(),
                        query.dice.pick(&["", "", " DESC", " NULLS LAST"])
                    )
                })
                .collect();
            text.push_str(&format!(" ORDER BY {}", terms.join(", ")));
            if query.dice.below(3) == 0 {
                text.push_str(" LIMIT 10");
            }
        }
        _ => {}
    }
    text
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(default)
}

fn run(database: &Database) {
    let (seed, count) = (number("SEED", 1), number("PLANS", 3000));
    let mut dice = Dice::new(seed);
    let queries: Vec<String> = (0..count).map(|_| draw(&mut dice)).collect();
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    if let Ok(one) = std::env::var("QUERY") {
        database.compare(&[&one]);
        return;
    }
    // Stock SQLite also puts the value of `x = 5` in the place of x elsewhere, which moves some plans of joins.
    let (wrong, report) = database.differences(&queries);
    assert!(
        wrong * 40 <= queries.len(),
        "{wrong} of {} plans differ\n\n{report}",
        queries.len()
    );
}

#[test]
fn without_statistics() {
    run(&Database::new(TABLES));
}

#[test]
fn with_statistics() {
    run(&Database::new(&format!("{TABLES}{STATISTICS}")));
}
