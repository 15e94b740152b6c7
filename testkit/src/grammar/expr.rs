//! Expressions.

use super::Generator;

const LITERALS: [&str; 24] = [
    "0", "1", "2", "3", "5", "7", "-1", "10", "1.5", "2.5", "-0.5", "1.0", "'a'", "'b'", "'A'",
    "'abc'", "'5'", "'1.5'", "''", "NULL", "NULL", "x'61'", "x''", "'2'",
];

const NUMBERS: [&str; 10] = ["0", "1", "2", "3", "5", "7", "-1", "10", "1.5", "2.5"];

/// Functions of one argument that never fail.
const ONE: [&str; 18] = [
    "typeof",
    "length",
    "upper",
    "lower",
    "hex",
    "quote",
    "trim",
    "ltrim",
    "rtrim",
    "sign",
    "unicode",
    "octet_length",
    "likely",
    "unlikely",
    "round",
    "soundex",
    "abs",
    "concat",
];

const TWO: [&str; 12] = [
    "coalesce",
    "ifnull",
    "nullif",
    "instr",
    "min",
    "max",
    "trim",
    "substr",
    "round",
    "concat",
    "concat_ws",
    "if",
];

const BINARY: [&str; 14] = [
    "+", "-", "*", "/", "%", "||", "&", "|", "<<", ">>", "+", "-", "||", "*",
];

const COMPARE: [&str; 10] = ["=", "=", "=", "<", "<=", ">", ">=", "<>", "IS", "IS NOT"];

const TYPES: [&str; 6] = ["INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB", "INT"];

const COLLATIONS: [&str; 3] = ["BINARY", "NOCASE", "RTRIM"];

impl Generator<'_> {
    pub(super) fn literal(&mut self) -> String {
        self.pick(&LITERALS).to_owned()
    }

    pub(super) fn number(&mut self) -> String {
        self.pick(&NUMBERS).to_owned()
    }

    /// A value.
    pub(super) fn expr(&mut self, depth: usize) -> String {
        if depth == 0 {
            return if self.chance(3) {
                self.literal()
            } else {
                self.column()
            };
        }
        let d = depth - 1;
        match self.dice.below(33) {
            30 => self.json(d),
            31 => self.date(d),
            0..=8 => self.column(),
            9..=10 => self.literal(),
            11..=13 => {
                let op = self.pick(&BINARY);
                format!("({} {op} {})", self.expr(d), self.expr(d))
            }
            14 => format!("(-{})", self.expr(d)),
            15 => {
                let f = self.pick(&ONE);
                format!("{f}({})", self.expr(d))
            }
            16 => {
                let f = self.pick(&TWO);
                format!("{f}({}, {})", self.expr(d), self.expr(d))
            }
            17 => format!(
                "substr({}, {}, {})",
                self.expr(d),
                self.number(),
                self.number()
            ),
            18 => format!("replace({}, 'a', {})", self.expr(d), self.literal()),
            19 => {
                let ty = self.pick(&TYPES);
                format!("CAST({} AS {ty})", self.expr(d))
            }
            20 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.condition(d),
                self.expr(d),
                self.expr(d)
            ),
            21 => format!(
                "CASE {} WHEN {} THEN {} WHEN {} THEN {} END",
                self.expr(d),
                self.literal(),
                self.expr(d),
                self.expr(0),
                self.literal()
            ),
            22 => {
                let c = self.pick(&COLLATIONS);
                format!("({} COLLATE {c})", self.expr(d))
            }
            23..=24 => self.condition(d),
            25 => format!(
                "iif({}, {}, {})",
                self.condition(d),
                self.expr(d),
                self.expr(0)
            ),
            26 if depth >= 2 => self.scalar_subquery(d),
            27 => format!("printf('%s-%d', {}, {})", self.expr(d), self.expr(0)),
            28 => format!("(+{})", self.expr(d)),
            _ => self.column(),
        }
    }

    /// A call of a function of JSON that never fails.
    fn json(&mut self, depth: usize) -> String {
        let quoted = format!("quote({})", self.expr(depth));
        match self.dice.below(7) {
            0 => format!("json_array({quoted}, {})", self.number()),
            1 => format!("json_object('a', {quoted}, 'b', {})", self.number()),
            2 => format!(
                "json_extract(json_array({quoted}, 1), '$[{}]')",
                self.dice.below(3)
            ),
            3 => format!("(json_object('a', {quoted}) ->> 'a')"),
            4 => format!("(json_array({quoted}, 2.5) -> {})", self.dice.below(3)),
            5 => format!("json_type(json_array({quoted}), '$[0]')"),
            _ => format!("hex(jsonb_set('{{}}', '$.a', {quoted}))"),
        }
    }

    /// A call of a function of time that never fails.
    fn date(&mut self, depth: usize) -> String {
        let value = self.expr(depth);
        match self.dice.below(4) {
            0 => format!("date({value})"),
            1 => format!("datetime({value}, 'unixepoch', '+1 month')"),
            2 => format!("strftime('%Y-%j %H', {value}, 'auto')"),
            _ => format!("unixepoch({value}, 'start of year')"),
        }
    }

    /// A truth value.
    pub(super) fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            let op = self.pick(&COMPARE);
            return format!("{} {op} {}", self.column(), self.expr(0));
        }
        let d = depth - 1;
        match self.dice.below(30) {
            0..=8 => {
                let op = self.pick(&COMPARE);
                format!("{} {op} {}", self.expr(d), self.expr(d))
            }
            9..=11 => format!("({} AND {})", self.condition(d), self.condition(d)),
            12..=14 => format!("({} OR {})", self.condition(d), self.condition(d)),
            15 => format!("NOT ({})", self.condition(d)),
            16 => {
                let not = self.pick(&["", "NOT "]);
                format!(
                    "({} {not}BETWEEN {} AND {})",
                    self.expr(d),
                    self.expr(0),
                    self.expr(0)
                )
            }
            17..=18 => {
                let not = self.pick(&["", "", "NOT "]);
                let count = self.dice.below(4);
                format!(
                    "{} {not}IN ({})",
                    self.expr(d),
                    self.list(count, |g| g.expr(0))
                )
            }
            19 => {
                let is = self.pick(&["ISNULL", "NOTNULL", "IS NULL", "IS NOT NULL"]);
                format!("({} {is})", self.expr(d))
            }
            20 => {
                let not = self.pick(&["", "NOT "]);
                let pattern = self.pick(&["a%", "%b%", "_", "A", "%", "5%", "a_c"]);
                format!("{} {not}LIKE '{pattern}'", self.expr(d))
            }
            21 => {
                let pattern = self.pick(&["a*", "*b*", "?", "[a-b]*", "*", "1*"]);
                format!("{} GLOB '{pattern}'", self.expr(d))
            }
            22 => {
                let op = self.pick(&["=", "<", "<=", ">", ">=", "<>", "IS", "IS NOT"]);
                format!(
                    "({}, {}) {op} ({}, {})",
                    self.expr(0),
                    self.expr(0),
                    self.expr(d),
                    self.expr(0)
                )
            }
            23 if depth >= 2 => {
                let not = self.pick(&["", "NOT "]);
                let query = self.select(d, Some(1), false);
                format!("{} {not}IN ({query})", self.expr(0))
            }
            24 if depth >= 2 => {
                let not = self.pick(&["", "NOT "]);
                let query = self.select(d, None, false);
                format!("{not}EXISTS ({query})")
            }
            25 if depth >= 2 => {
                let query = self.select(d, Some(2), false);
                format!("({}, {}) IN ({query})", self.expr(0), self.expr(0))
            }
            26 => {
                let truth = self.pick(&["IS TRUE", "IS FALSE", "IS NOT TRUE", "IS NOT FALSE"]);
                format!("({} {truth})", self.expr(d))
            }
            27 => {
                let not = self.pick(&["", "NOT "]);
                format!("{} IS {not}DISTINCT FROM {}", self.expr(d), self.expr(0))
            }
            _ => format!("{} = {}", self.column(), self.expr(0)),
        }
    }

    /// One value of a query: an aggregate, or the first in a whole order.
    fn scalar_subquery(&mut self, depth: usize) -> String {
        if self.chance(3) {
            let query = self.select(depth, Some(1), true);
            return format!("({query} LIMIT 1)");
        }
        self.scopes.push(Vec::new());
        let from = self.from(depth, 2);
        let call = self.aggregate(depth.min(1));
        let filter = if self.chance(3) {
            String::new()
        } else {
            format!(" WHERE {}", self.condition(depth.min(1)))
        };
        self.scopes.pop();
        format!("(SELECT {call} FROM {from}{filter})")
    }

    /// A call of an aggregate function whose result does not depend on the order of rows.
    pub(super) fn aggregate(&mut self, depth: usize) -> String {
        let distinct = self.pick(&["", "", "", "DISTINCT "]);
        let call = match self.dice.below(10) {
            0..=1 => "count(*)".to_owned(),
            2 => format!("count({distinct}{})", self.expr(depth)),
            3..=4 => format!("sum({distinct}CAST({} AS INT) % 100)", self.expr(depth)),
            5 => format!("total(CAST({} AS INT) % 100)", self.expr(depth)),
            6 => format!("avg(CAST({} AS INT) % 100)", self.expr(depth)),
            7 => format!("max({})", self.expr(depth)),
            8 => format!("min({})", self.expr(depth)),
            _ => {
                let x = self.expr(depth);
                format!("group_concat(quote({x}), ';' ORDER BY quote({x}))")
            }
        };
        if self.chance(5) {
            format!("{call} FILTER (WHERE {})", self.condition(depth))
        } else {
            call
        }
    }
}
