//! Generated queries of the larger kinds: windows, recursive common table expressions, ordered aggregates, compounds
//! and what stands around them.
//!
//! Rules:
//! 1. As those of [`crate::queries`], these give the same rows on every correct engine: where the order of rows within a
//!    window, a group or a queue matters, it is total.
//! 2. `ORDER  BY` with two spaces is not the query's own: the comparison then does not mind the order of the result.

use crate::queries::{Dice, Query, VALUES};
use std::fmt::Write as _;

/// Functions whose result does not depend on the order of peers.
const UNORDERED: [&str; 12] = [
    "count(*)",
    "count({})",
    "sum({})",
    "total({})",
    "avg({})",
    "min({})",
    "max({})",
    "rank()",
    "dense_rank()",
    "percent_rank()",
    "cume_dist()",
    "sum({}) FILTER (WHERE {} > 1)",
];

/// Functions whose result does.
const ORDERED: [&str; 16] = [
    "row_number()",
    "ntile(3)",
    "lag({})",
    "lead({})",
    "lag({}, 2)",
    "lead({}, 2, 'none')",
    "lag({}, 0, {})",
    "first_value({})",
    "last_value({})",
    "nth_value({}, 2)",
    "group_concat({})",
    "group_concat({}, '-')",
    "group_concat({}) FILTER (WHERE {} IS NOT NULL)",
    "json_group_array(typeof({}))",
    "string_agg(typeof({}), ';')",
    "min({}) FILTER (WHERE {} < 5)",
];

const BOUNDS: [&str; 9] = [
    "BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "BETWEEN CURRENT ROW AND CURRENT ROW",
    "BETWEEN {} PRECEDING AND {} FOLLOWING",
    "BETWEEN {} PRECEDING AND {} PRECEDING",
    "BETWEEN {} FOLLOWING AND {} FOLLOWING",
    "BETWEEN UNBOUNDED PRECEDING AND {} FOLLOWING",
    "{} PRECEDING",
];

impl Query<'_> {
    fn filled(&mut self, template: &str) -> String {
        let mut text = String::new();
        let mut parts = template.split("{}");
        text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            text.push_str(&self.column());
            text.push_str(part);
        }
        text
    }

    /// Every column in sight: a total order.
    fn all_columns(&self) -> String {
        let mut all = Vec::new();
        for (alias, columns) in &self.sources[self.own..] {
            all.extend(columns.iter().map(|column| format!("{alias}.{column}")));
        }
        all.join(", ")
    }

    fn bounds(&mut self, real: bool) -> String {
        let template = self.dice.pick(&BOUNDS);
        let mut text = String::new();
        let mut parts = template.split("{}");
        text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let distances: &[&str] = if real {
                &["0", "1", "2", "0.5", "5", "10"]
            } else {
                &["0", "1", "1", "2", "3"]
            };
            text.push_str(self.dice.pick(distances));
            text.push_str(part);
        }
        text
    }

    fn frame(&mut self, unit: &str, real: bool) -> String {
        let exclude = self.dice.pick(&[
            "",
            "",
            "",
            "",
            " EXCLUDE NO OTHERS",
            " EXCLUDE CURRENT ROW",
            " EXCLUDE GROUP",
            " EXCLUDE TIES",
        ]);
        format!(" {unit} {}{exclude}", self.bounds(real))
    }

    fn terms(&mut self, count: usize) -> String {
        let terms: Vec<String> = (0..count)
            .map(|_| {
                let order = self
                    .dice
                    .pick(&["", "", " DESC", " NULLS LAST", " DESC NULLS FIRST"]);
                format!("{}{order}", self.column())
            })
            .collect();
        terms.join(", ")
    }

    /// What stands in the parentheses of OVER; `total`: with an order that leaves no peers.
    fn window(&mut self, total: bool) -> String {
        let mut text = String::new();
        if self.dice.below(2) == 0 {
            let _ = write!(text, "PARTITION BY {}", self.column());
            if self.dice.below(4) == 0 {
                let _ = write!(text, ", {}", self.column());
            }
        }
        if total {
            let count = self.dice.below(2);
            let mut terms = self.terms(count);
            if count > 0 {
                terms.push_str(", ");
            }
            let _ = write!(text, " ORDER  BY {terms}{}", self.all_columns());
            if self.dice.below(2) == 0 {
                let frame = self.frame("ROWS", false);
                text.push_str(&frame);
            }
            return text;
        }
        match self.dice.below(4) {
            0 => {}
            1 => {
                let _ = write!(text, " ORDER  BY {}", self.terms(1));
                let frame = self.frame("RANGE", true);
                text.push_str(&frame);
            }
            2 => {
                let count = 1 + self.dice.below(2);
                let _ = write!(text, " ORDER  BY {}", self.terms(count));
                let frame = self.frame("GROUPS", false);
                text.push_str(&frame);
            }
            _ => {
                let count = 1 + self.dice.below(2);
                let _ = write!(text, " ORDER  BY {}", self.terms(count));
            }
        }
        text
    }

    fn window_call(&mut self) -> String {
        let total = self.dice.below(2) == 0;
        let template = if total {
            self.dice.pick(&ORDERED)
        } else {
            self.dice.pick(&UNORDERED)
        };
        let call = self.filled(template);
        let window = self.window(total);
        format!("{call} OVER ({window})")
    }

    fn windowed(&mut self) -> String {
        let count = [1, 1, 1, 2][self.dice.below(4)];
        let from = self.from(count);
        let mut results: Vec<String> = (0..=self.dice.below(2)).map(|_| self.column()).collect();
        for _ in 0..=self.dice.below(3) {
            let call = self.window_call();
            results.push(call);
        }
        let mut text = format!("SELECT {} FROM {from}", results.join(", "));
        if self.dice.below(2) == 0 {
            let _ = write!(text, " WHERE {}", self.conditions(2));
        }
        match self.dice.below(6) {
            0 => {
                let names: Vec<String> = (1..=results.len()).map(|n| n.to_string()).collect();
                let _ = write!(text, " ORDER BY {}", names.join(", "));
                if self.dice.below(2) == 0 {
                    text.push_str(" LIMIT 5");
                }
            }
            1 => {
                // Rows by a condition on the outside, which may go in.
                let _ = write!(text, " /* */");
                let value = self.dice.pick(&VALUES);
                let columns = results.len();
                let names: Vec<String> = (1..=columns).map(|n| format!("c{n}")).collect();
                let at = 1 + self.dice.below(columns);
                return format!(
                    "WITH q({}) AS ({text}) SELECT * FROM q WHERE c{at} = {value}",
                    names.join(", ")
                );
            }
            2 => {
                return format!(
                    "SELECT count(*), total(r) FROM (SELECT row_number() OVER () AS r, * FROM ({text}))"
                );
            }
            _ => {}
        }
        text
    }

    fn grouped_windows(&mut self) -> String {
        let count = 1 + self.dice.below(2);
        let from = self.from(count);
        let (key, value) = (self.column(), self.column());
        let aggregate = self.dice.pick(&["count(*)", "sum", "max", "min"]);
        let aggregate = if aggregate.ends_with(')') {
            aggregate.to_owned()
        } else {
            format!("{aggregate}({value})")
        };
        let window = self.dice.pick(&[
            "sum({a}) OVER (ORDER  BY {k})",
            "rank() OVER (ORDER  BY {a} DESC)",
            "count({a}) OVER (PARTITION BY typeof({k}))",
            "max({a}) OVER (ORDER  BY {k} ROWS 1 PRECEDING)",
            "lag({a}) OVER (ORDER  BY {k})",
        ]);
        let window = window.replace("{a}", &aggregate).replace("{k}", &key);
        format!("SELECT {key}, {aggregate}, {window} FROM {from} GROUP BY {key}")
    }

    fn recursive(&mut self) -> String {
        let union = self.dice.pick(&["UNION", "UNION ALL"]);
        let from = self.from(1);
        let start = self.column();
        let condition = if self.dice.below(2) == 0 {
            format!(" WHERE {}", self.condition(1))
        } else {
            String::new()
        };
        let setup = format!("SELECT {start}, 0 FROM {from}{condition}");
        let mut terms = Vec::new();
        for _ in 0..=self.dice.below(2) {
            let step = match self.dice.below(4) {
                0 => "SELECT x + 1, n + 1 FROM c WHERE n < 3".to_owned(),
                1 => "SELECT x || n, n + 1 FROM c WHERE n < 2 AND length(x) < 5".to_owned(),
                _ => {
                    let before = self.sources.len();
                    let own = std::mem::replace(&mut self.own, before);
                    let table = self.from(1);
                    let (a, b) = (self.column_of(before), self.column_of(before));
                    let join = self.dice.pick(&["JOIN", "LEFT JOIN"]);
                    self.own = own;
                    self.sources.truncate(before);
                    format!("SELECT {b}, n + 1 FROM c {join} {table} ON {a} = x WHERE n < 2")
                }
            };
            terms.push(step);
        }
        let terms = terms.join(&format!(" {union} "));
        let tail = match self.dice.below(4) {
            0 => " ORDER  BY 1, 2",
            1 => " ORDER  BY 2 DESC, 1 LIMIT 12",
            2 => " ORDER  BY 1 DESC, 2 LIMIT 7 OFFSET 2",
            _ => "",
        };
        let hint = self
            .dice
            .pick(&["", "", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
        let with = format!("WITH RECURSIVE c(x, n) AS {hint}({setup} {union} {terms}{tail})");
        let query = self.dice.pick(&[
            "SELECT x, n, typeof(x) FROM c",
            "SELECT count(*), max(x), total(n) FROM c",
            "SELECT a.x, b.n FROM c AS a JOIN c AS b ON a.x = b.x AND a.n < b.n",
            "SELECT n, count(*) FROM c GROUP BY n",
            "SELECT * FROM c WHERE x IN (SELECT x FROM c WHERE n = 1)",
            "SELECT t3.p, x FROM t3 LEFT JOIN c ON x = p",
            "SELECT x, sum(n) OVER (ORDER  BY x, n) FROM c",
        ]);
        format!("{with} {query}")
    }

    fn ordered_aggregate(&mut self) -> String {
        let count = 1 + self.dice.below(2);
        let from = self.from(count);
        let order = if self.dice.below(3) == 0 {
            self.all_columns()
        } else {
            format!("{}, {}", self.terms(1), self.all_columns())
        };
        let call = self.dice.pick(&[
            "group_concat({} ORDER  BY {o})",
            "group_concat({}, '/' ORDER  BY {o})",
            "string_agg(typeof({}), ',' ORDER  BY {o}) FILTER (WHERE {} IS NOT NULL)",
            "sum({} ORDER  BY {o})",
            "max({} ORDER  BY {o})",
            "count(DISTINCT {})",
            "group_concat(DISTINCT typeof({}))",
        ]);
        let call = self.filled(call).replace("{o}", &order);
        let key = self.column();
        let condition = if self.dice.below(2) == 0 {
            format!(" WHERE {}", self.conditions(2))
        } else {
            String::new()
        };
        if call.contains("DISTINCT typeof") {
            let call = call.replace("group_concat(DISTINCT typeof(", "count(DISTINCT typeof(");
            return format!("SELECT {call} FROM {from}{condition}");
        }
        if self.dice.below(2) == 0 {
            format!("SELECT {call} FROM {from}{condition}")
        } else {
            format!("SELECT {key}, {call} FROM {from}{condition} GROUP BY {key}")
        }
    }

    fn part(&mut self, columns: usize) -> String {
        let before = (self.sources.len(), self.own);
        self.own = self.sources.len();
        let count = 1 + self.dice.below(2);
        let from = self.from(count);
        let results: Vec<String> = (0..columns).map(|_| self.column()).collect();
        let mut text = format!("SELECT {} FROM {from}", results.join(", "));
        if self.dice.below(2) == 0 {
            let _ = write!(text, " WHERE {}", self.conditions(2));
        }
        self.sources.truncate(before.0);
        self.own = before.1;
        text
    }

    fn compound(&mut self) -> String {
        let columns = 1 + self.dice.below(3);
        let mut text = self.part(columns);
        let mut merges = false;
        for _ in 0..=self.dice.below(3) {
            let op = self
                .dice
                .pick(&["UNION", "UNION ALL", "UNION ALL", "EXCEPT", "INTERSECT"]);
            merges |= op != "UNION ALL";
            let part = self.part(columns);
            let _ = write!(text, " {op} {part}");
        }
        let names: Vec<String> = (1..=columns).map(|n| n.to_string()).collect();
        let ordered = self.dice.below(3) == 0;
        if ordered {
            // Rows that are equal under a collation and still differ may come in any order.
            let _ = write!(text, " ORDER  BY {}", names.join(", "));
        }
        let value = self.dice.pick(&VALUES);
        match self.dice.below(5) {
            0 => format!("SELECT count(*) FROM ({text})"),
            1 if !merges => {
                let names: Vec<String> = (1..=columns).map(|n| format!("c{n}")).collect();
                let at = 1 + self.dice.below(columns);
                let names = names.join(", ");
                format!("WITH q({names}) AS ({text}) SELECT * FROM q WHERE c{at} = {value}")
            }
            2 if !merges => format!(
                "SELECT * FROM t3 WHERE p IN (SELECT * FROM ({}))",
                self.part(1)
            ),
            _ if merges => format!("SELECT count(*) FROM ({text})"),
            _ => text,
        }
    }
}

/// Draws a query.
pub fn draw(dice: &mut Dice, depth: usize) -> String {
    let kind = dice.below(10);
    let mut query = Query {
        dice,
        sources: Vec::new(),
        own: 0,
        depth,
        alias: 0,
    };
    match kind {
        0..=4 => query.windowed(),
        5 => query.grouped_windows(),
        6 | 7 => query.recursive(),
        8 => query.ordered_aggregate(),
        _ => query.compound(),
    }
}
