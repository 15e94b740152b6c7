//! Queries.

use super::{Generator, Source};
use std::fmt::Write as _;

impl Generator<'_> {
    /// A query as a statement.
    pub(super) fn query(&mut self) -> String {
        let depth = [1, 1, 2, 2, 3][self.dice.below(5)];
        let with = if self.chance(5) {
            self.with(depth)
        } else {
            String::new()
        };
        let ordered = self.chance(2);
        let select = self.select(depth, None, ordered);
        let limit = if ordered && self.chance(3) {
            let count = self.dice.below(6);
            if self.chance(3) {
                format!(" LIMIT {count} OFFSET {}", self.dice.below(4))
            } else {
                format!(" LIMIT {count}")
            }
        } else {
            String::new()
        };
        self.ctes.clear();
        format!("{with}{select}{limit}")
    }

    /// Common table expressions, one of them perhaps recursive.
    pub(super) fn with(&mut self, depth: usize) -> String {
        let count = 1 + self.dice.below(2);
        let recursive = self.chance(2);
        let mut parts = Vec::new();
        for n in 0..count {
            let name = self.fresh("q");
            let hint = self.pick(&["", "", " MATERIALIZED", " NOT MATERIALIZED"]);
            if recursive && n == 0 {
                let union = self.pick(&["UNION ALL", "UNION"]);
                let start = self.dice.below(3);
                let step = 1 + self.dice.below(3);
                let most = 4 + self.dice.below(12);
                let limit = if self.chance(3) {
                    format!(" ORDER BY 1 LIMIT {most}")
                } else {
                    String::new()
                };
                parts.push(format!(
                    "{name}(c0, c1) AS{hint} (SELECT {start}, 'r' {union} SELECT c0 + {step}, c1 || c0 FROM {name} WHERE c0 < {most}{limit})"
                ));
                self.ctes.push((name, 2));
            } else {
                let columns = 1 + self.dice.below(3);
                let query = self.select(depth.saturating_sub(1), Some(columns), false);
                let names: Vec<String> = (0..columns).map(|i| format!("c{i}")).collect();
                parts.push(format!("{name}({}) AS{hint} ({query})", names.join(", ")));
                self.ctes.push((name, columns));
            }
        }
        let recursive = if recursive { "RECURSIVE " } else { "" };
        format!("WITH {recursive}{} ", parts.join(", "))
    }

    /// A SELECT of so many columns; `ordered` by all of them.
    pub(super) fn select(&mut self, depth: usize, columns: Option<usize>, ordered: bool) -> String {
        let columns = columns.unwrap_or_else(|| 1 + self.dice.below(4));
        let mut text = self.core(depth, columns);
        if depth > 0 && self.chance(8) {
            for _ in 0..=self.dice.below(2) {
                let op = self.pick(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
                let next = self.core(depth - 1, columns);
                let _ = write!(text, " {op} {next}");
            }
        }
        if ordered {
            let mut terms: Vec<String> = (1..=columns)
                .map(|n| {
                    let order = self.pick(&["", "", " DESC", " NULLS LAST", " DESC NULLS FIRST"]);
                    format!("{n}{order}")
                })
                .collect();
            if self.chance(2) {
                terms.reverse();
            }
            let _ = write!(text, " ORDER BY {}", terms.join(", "));
        }
        text
    }

    fn core(&mut self, depth: usize, columns: usize) -> String {
        if self.chance(30) {
            let row = |g: &mut Self| format!("({})", g.list(columns, Self::constant));
            let count = 1 + self.dice.below(3);
            return format!("VALUES {}", self.list(count, row));
        }
        self.scopes.push(Vec::new());
        let most = [1, 1, 2, 2, 3][self.dice.below(5)];
        let from = self.from(depth, most);
        let filter = if self.chance(4) {
            String::new()
        } else {
            format!(" WHERE {}", self.condition(depth.max(1)))
        };
        let text = match self.dice.below(10) {
            0..=1 => self.grouped(depth, columns, &from, &filter),
            2 => {
                let results = self.list(columns, |g| g.aggregate(depth.min(2)));
                format!("SELECT {results} FROM {from}{filter}")
            }
            3 => {
                let results = self.list(columns, |g| g.windowed(depth.min(1)));
                format!("SELECT {results} FROM {from}{filter}")
            }
            _ => {
                let distinct = self.pick(&["", "", "", "", "DISTINCT "]);
                let results = self.list(columns, |g| g.expr(depth));
                format!("SELECT {distinct}{results} FROM {from}{filter}")
            }
        };
        self.scopes.pop();
        text
    }

    fn constant(&mut self) -> String {
        self.literal()
    }

    fn grouped(&mut self, depth: usize, columns: usize, from: &str, filter: &str) -> String {
        let keys: Vec<String> = (0..=self.dice.below(2))
            .map(|_| self.expr(depth.min(1)))
            .collect();
        let results = self.list(columns, |g| {
            if g.chance(2) {
                keys[g.dice.below(keys.len())].clone()
            } else {
                g.aggregate(depth.min(1))
            }
        });
        let having = if self.chance(3) {
            let call = self.aggregate(0);
            let op = self.pick(&[">", "<", "=", "IS NOT"]);
            format!(" HAVING {call} {op} {}", self.number())
        } else {
            String::new()
        };
        format!(
            "SELECT {results} FROM {from}{filter} GROUP BY {}{having}",
            keys.join(", ")
        )
    }

    /// A result column with a window function.
    fn windowed(&mut self, depth: usize) -> String {
        if self.chance(3) {
            return self.expr(depth);
        }
        let partition = if self.chance(2) {
            format!("PARTITION BY {} ", self.expr(depth.min(1)))
        } else {
            String::new()
        };
        let order = self.pick(&["", " DESC", " NULLS LAST"]);
        let loose = format!("ORDER BY {}{order}", self.column());
        let whole = {
            let mut terms = vec![format!("{}{order}", self.column())];
            terms.extend(self.all_columns());
            format!("ORDER BY {}", terms.join(", "))
        };
        let exclude = self.pick(&[
            "",
            "",
            "",
            " EXCLUDE CURRENT ROW",
            " EXCLUDE GROUP",
            " EXCLUDE TIES",
            " EXCLUDE NO OTHERS",
        ]);
        let bounds = self.pick(&[
            "UNBOUNDED PRECEDING AND CURRENT ROW",
            "UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            "CURRENT ROW AND UNBOUNDED FOLLOWING",
            "1 PRECEDING AND 1 FOLLOWING",
            "2 PRECEDING AND 1 PRECEDING",
            "1 FOLLOWING AND 3 FOLLOWING",
            "CURRENT ROW AND 2 FOLLOWING",
        ]);
        match self.dice.below(8) {
            0 => {
                let f = self.pick(&["row_number()", "ntile(3)"]);
                format!("{f} OVER ({partition}{whole})")
            }
            1 => {
                let f = self.pick(&["rank()", "dense_rank()", "percent_rank()", "cume_dist()"]);
                format!("{f} OVER ({partition}{loose})")
            }
            2 => {
                let f = self.pick(&["lag", "lead"]);
                let arguments = self.pick(&["", ", 1", ", 2, 'none'", ", 0"]);
                format!(
                    "{f}({}{arguments}) OVER ({partition}{whole})",
                    self.expr(depth)
                )
            }
            3 => {
                let f = self.pick(&["first_value", "last_value"]);
                format!(
                    "{f}({}) OVER ({partition}{whole} ROWS BETWEEN {bounds}{exclude})",
                    self.expr(depth)
                )
            }
            4 => format!(
                "nth_value({}, 2) OVER ({partition}{whole} ROWS BETWEEN {bounds}{exclude})",
                self.expr(depth)
            ),
            5 => {
                let call = self.plain_aggregate(depth);
                format!("{call} OVER ({partition}{whole} ROWS BETWEEN {bounds}{exclude})")
            }
            6 => {
                let call = self.plain_aggregate(depth);
                format!("{call} OVER ({partition}{loose} GROUPS BETWEEN {bounds}{exclude})")
            }
            _ => {
                let call = self.plain_aggregate(depth);
                let frame = if self.chance(2) {
                    String::new()
                } else if self.chance(4) {
                    let n = self.dice.below(4);
                    format!(" RANGE BETWEEN {n} PRECEDING AND {n}.5 FOLLOWING{exclude}")
                } else {
                    format!(" RANGE BETWEEN {bounds}{exclude}")
                };
                format!("{call} OVER ({partition}{loose}{frame})")
            }
        }
    }

    /// An aggregate that may be a window function.
    fn plain_aggregate(&mut self, depth: usize) -> String {
        let call = match self.dice.below(5) {
            0 => "count(*)".to_owned(),
            1 => format!("sum(CAST({} AS INT) % 100)", self.expr(depth)),
            2 => format!("max({})", self.expr(depth)),
            3 => format!("min({})", self.expr(depth)),
            _ => format!("total(CAST({} AS INT) % 100)", self.expr(depth)),
        };
        if self.chance(5) {
            format!("{call} FILTER (WHERE {})", self.condition(0))
        } else {
            call
        }
    }

    /// A FROM clause of up to so many sources, which come into the innermost scope.
    pub(super) fn from(&mut self, depth: usize, most: usize) -> String {
        let count = 1 + self.dice.below(most);
        let mut from = String::new();
        for n in 0..count {
            let (text, source) = self.source(depth);
            if n == 0 {
                from = text;
                self.in_sight(source);
                continue;
            }
            let join = self.pick(&[
                ", ",
                " JOIN ",
                " LEFT JOIN ",
                " LEFT JOIN ",
                " CROSS JOIN ",
                " RIGHT JOIN ",
                " FULL JOIN ",
            ]);
            if self.chance(12) {
                let natural =
                    self.pick(&["NATURAL JOIN", "NATURAL LEFT JOIN", "NATURAL FULL JOIN"]);
                let _ = write!(from, " {natural} {text}");
                self.in_sight(source);
                continue;
            }
            let shared = self.shared_column(&source);
            let _ = write!(from, "{join}{text}");
            if let (Some(shared), true) = (shared, join != ", " && self.chance(6)) {
                let _ = write!(from, " USING({shared})");
                self.in_sight(source);
                continue;
            }
            let left = self.column();
            let right = format!(
                "{}.{}",
                source.alias,
                source.columns[self.dice.below(source.columns.len())]
            );
            self.in_sight(source);
            if join != ", " && !self.chance(8) {
                let _ = write!(from, " ON {left} = {right}");
                if self.chance(4) {
                    let _ = write!(from, " AND {}", self.condition(depth.min(1)));
                }
            }
        }
        from
    }

    /// A column whose name one of the sources has, too.
    fn shared_column(&mut self, source: &Source) -> Option<String> {
        let scope = self.scopes.last()?;
        let known = |column: &&String| scope.iter().any(|other| other.columns.contains(column));
        let shared: Vec<String> = source.columns.iter().filter(known).cloned().collect();
        shared.get(self.dice.below(shared.len().max(1))).cloned()
    }

    fn in_sight(&mut self, source: Source) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(source);
        }
    }

    fn source(&mut self, depth: usize) -> (String, Source) {
        let alias = self.fresh("s");
        if !self.ctes.is_empty() && self.chance(2) {
            let (name, count) = self.ctes[self.dice.below(self.ctes.len())].clone();
            let columns = (0..count).map(|i| format!("c{i}")).collect();
            return (format!("{name} AS {alias}"), Source { alias, columns });
        }
        if depth > 0 && self.chance(8) {
            let count = 1 + self.dice.below(3);
            // What is beside it in FROM is not in sight of it.
            let hidden = self.scopes.pop();
            let query = self.select(depth - 1, Some(count), false);
            self.scopes.extend(hidden);
            let names: Vec<String> = (0..count).map(|i| format!("c{i}")).collect();
            let text = format!(
                "(WITH {alias}q({}) AS ({query}) SELECT * FROM {alias}q) AS {alias}",
                names.join(", ")
            );
            return (
                text,
                Source {
                    alias,
                    columns: names,
                },
            );
        }
        if self.chance(25) {
            let text = format!("json_each('[1,2,\"a\",null,2.5]') AS {alias}");
            let columns = vec!["key".to_owned(), "value".to_owned(), "type".to_owned()];
            return (text, Source { alias, columns });
        }
        let table = &self.catalog.tables[self.dice.below(self.catalog.tables.len())];
        let mut columns = table.columns.clone();
        if table.rowid && self.dice.below(4) == 0 {
            columns.push("rowid".to_owned());
        }
        let hint = if !table.view && self.dice.below(15) == 0 {
            " NOT INDEXED"
        } else {
            ""
        };
        (
            format!("{} AS {alias}{hint}", table.name),
            Source { alias, columns },
        )
    }
}
