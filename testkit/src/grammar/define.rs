//! Changes of the schema.

use super::{Generator, Source};
use std::fmt::Write as _;

const TYPES: [&str; 9] = [
    "",
    "",
    "INT",
    "INTEGER",
    "TEXT",
    "REAL",
    "NUMERIC",
    "BLOB",
    "VARCHAR(9)",
];
const STRICT_TYPES: [&str; 5] = ["INT", "INTEGER", "TEXT", "REAL", "ANY"];
const LETTERS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

impl Generator<'_> {
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}_{}", self.catalog.next, self.names)
    }

    /// The scope of a table's own columns.
    pub(super) fn own_scope(&mut self, columns: &[String]) {
        self.scopes.push(vec![Source {
            alias: String::new(),
            columns: columns.to_vec(),
        }]);
    }

    pub(super) fn create_table(&mut self) -> String {
        let mut name = self.name("t");
        let temp = self.pick(&["", "", "", "", "", "TEMP "]);
        if temp.is_empty() && self.catalog.attached && self.chance(3) {
            name = format!("aux.{name}");
        }
        if self.chance(10) && !self.catalog.tables.is_empty() {
            let query = self.select(1, Some(3), false);
            return format!("CREATE {temp}TABLE {name} AS SELECT * FROM ({query})");
        }
        let count = 2 + self.dice.below(4);
        let columns: Vec<String> = LETTERS[..count].iter().map(|&l| l.to_owned()).collect();
        let strict = self.chance(8);
        let without_rowid = self.chance(4);
        let key = self.dice.below(count);
        let mut parts = Vec::new();
        let table_key = self.chance(3);
        let mut plain = 0;
        for (n, column) in columns.iter().enumerate() {
            let ty = if strict {
                self.pick(&STRICT_TYPES)
            } else {
                self.pick(&TYPES)
            };
            let mut part = format!("{column} {ty}");
            if n > plain && n != key && self.chance(6) {
                // Only of columns before it, which are not generated.
                let before = columns[..1].to_vec();
                self.own_scope(&before);
                let e = self.safe_expr();
                self.scopes.pop();
                let kind = self.pick(&["", " STORED", " VIRTUAL"]);
                let _ = write!(part, " AS ({e}){kind}");
                parts.push(part);
                continue;
            }
            plain = plain.max(n);
            if n == key && !table_key && (without_rowid || self.chance(2)) {
                let ty = if without_rowid || self.chance(3) {
                    ty
                } else {
                    "INTEGER"
                };
                let how = self.pick(&["", "", "", " DESC", " ON CONFLICT REPLACE"]);
                let auto = if ty == "INTEGER" && how.is_empty() && !without_rowid && self.chance(4)
                {
                    " AUTOINCREMENT"
                } else {
                    ""
                };
                let ty = if strict && ty.is_empty() { "INT" } else { ty };
                part = format!("{column} {ty} PRIMARY KEY{how}{auto}");
            } else {
                if self.chance(5) {
                    part.push_str(self.pick(&[
                        " NOT NULL DEFAULT 3",
                        " NOT NULL ON CONFLICT REPLACE DEFAULT 4",
                        " NOT NULL ON CONFLICT IGNORE",
                    ]));
                } else if self.chance(6) {
                    part.push_str(self.pick(&[
                        " DEFAULT 5",
                        " DEFAULT 'd'",
                        " DEFAULT (1+1)",
                        " DEFAULT NULL",
                        " DEFAULT -2",
                    ]));
                }
                if self.chance(6) {
                    part.push_str(self.pick(&[
                        " UNIQUE",
                        " UNIQUE ON CONFLICT IGNORE",
                        " UNIQUE ON CONFLICT REPLACE",
                    ]));
                }
                if self.chance(8) {
                    let _ = write!(part, " CHECK({column} IS NOT 7)");
                }
                if temp.is_empty() && self.chance(10) {
                    part.push_str(&self.references(&name, column));
                }
                if self.chance(5) {
                    part.push_str(self.pick(&[
                        " COLLATE NOCASE",
                        " COLLATE RTRIM",
                        " COLLATE BINARY",
                    ]));
                }
            }
            parts.push(part);
        }
        if table_key {
            let other = (key + 1) % count;
            let order = self.pick(&["", " DESC"]);
            parts.push(if self.chance(2) {
                format!("PRIMARY KEY({}{order}, {})", columns[key], columns[other])
            } else {
                format!("PRIMARY KEY({}{order})", columns[key])
            });
        }
        if self.chance(8) {
            parts.push(format!("UNIQUE({}, {})", columns[0], columns[count - 1]));
        }
        let options = match (without_rowid, strict) {
            (true, true) => " WITHOUT ROWID, STRICT",
            (true, false) => " WITHOUT ROWID",
            (false, true) => " STRICT",
            (false, false) => "",
        };
        format!("CREATE {temp}TABLE {name}({}){options}", parts.join(", "))
    }

    /// A foreign key to a column of the own table or of another one.
    fn references(&mut self, own: &str, column: &str) -> String {
        let plain: Vec<_> = self
            .catalog
            .writable()
            .into_iter()
            .filter(|table| !table.name.contains('.') && !own.contains('.'))
            .cloned()
            .collect();
        let (parent, key) = match plain.get(self.dice.below(plain.len() + 1)) {
            Some(table) => {
                let key = table.columns[self.dice.below(table.columns.len())].clone();
                (table.name.clone(), key)
            }
            None if own.contains('.') => return String::new(),
            None => (own.to_owned(), column.to_owned()),
        };
        let key = if self.chance(3) {
            String::new()
        } else {
            format!("({key})")
        };
        let mut text = format!(" REFERENCES {parent}{key}");
        for event in ["DELETE", "UPDATE"] {
            if self.chance(2) {
                let action =
                    self.pick(&["CASCADE", "RESTRICT", "SET DEFAULT", "NO ACTION", "CASCADE"]);
                let _ = write!(text, " ON {event} {action}");
            }
        }
        if self.chance(3) {
            text.push_str(" DEFERRABLE INITIALLY DEFERRED");
        }
        text
    }

    /// An expression that an index or a generated column may have.
    fn safe_expr(&mut self) -> String {
        let (x, y) = (self.column(), self.column());
        let number = self.number();
        match self.dice.below(6) {
            0 => format!("{x} + {number}"),
            1 => format!("lower({x})"),
            2 => format!("{x} || {y}"),
            3 => format!("length({x})"),
            4 => format!("coalesce({x}, {y}, 0)"),
            _ => format!("{x} * {number}"),
        }
    }

    fn create_index(&mut self) -> String {
        let tables = self.catalog.writable();
        let tables: Vec<_> = tables
            .into_iter()
            .filter(|t| !t.name.contains('.'))
            .collect();
        if tables.is_empty() {
            return self.create_table();
        }
        let table = tables[self.dice.below(tables.len())].clone();
        let name = self.name("i");
        let unique = self.pick(&["", "", "", "UNIQUE "]);
        self.own_scope(&table.columns);
        let count = 1 + self.dice.below(3);
        let terms = self.list(count, |g| {
            let term = if g.chance(4) {
                g.safe_expr()
            } else {
                g.column()
            };
            let collate = g.pick(&["", "", "", " COLLATE NOCASE"]);
            let order = g.pick(&["", "", " DESC"]);
            format!("{term}{collate}{order}")
        });
        let filter = match self.dice.below(6) {
            0 => format!(" WHERE {} IS NOT NULL", self.column()),
            1 => format!(" WHERE {} > {}", self.column(), self.number()),
            2 => format!(" WHERE {} = {}", self.column(), self.literal()),
            _ => String::new(),
        };
        self.scopes.pop();
        format!(
            "CREATE {unique}INDEX {name} ON {}({terms}){filter}",
            table.name
        )
    }

    fn create_view(&mut self) -> String {
        let name = self.name("v");
        let count = 1 + self.dice.below(3);
        let names: Vec<String> = (0..count).map(|i| format!("c{i}")).collect();
        let with = if self.chance(6) {
            self.with(1)
        } else {
            String::new()
        };
        let query = self.select(1, Some(count), false);
        self.ctes.clear();
        if query.starts_with("VALUES") && !with.is_empty() {
            return self.create_index();
        }
        format!(
            "CREATE TEMP VIEW {name}({}) AS {with}{query}",
            names.join(", ")
        )
    }

    fn create_trigger(&mut self) -> String {
        let tables: Vec<_> = self
            .catalog
            .tables
            .iter()
            .filter(|t| !t.name.contains('.'))
            .cloned()
            .collect();
        let (Some(on), Some(other)) = (
            tables.get(self.dice.below(tables.len().max(1))).cloned(),
            tables
                .iter()
                .filter(|t| !t.view)
                .nth(self.dice.below(2))
                .cloned(),
        ) else {
            return self.create_index();
        };
        let name = self.name("r");
        let time = if on.view {
            "INSTEAD OF"
        } else {
            self.pick(&["BEFORE", "AFTER", "AFTER"])
        };
        let event = match self.dice.below(4) {
            0 => "INSERT".to_owned(),
            1 => "DELETE".to_owned(),
            2 => "UPDATE".to_owned(),
            _ => format!(
                "UPDATE OF {}",
                on.columns[self.dice.below(on.columns.len())]
            ),
        };
        let mut rows = Vec::new();
        for (row, there) in [("new", event != "DELETE"), ("old", event != "INSERT")] {
            if there {
                rows.push(Source {
                    alias: row.to_owned(),
                    columns: on.columns.clone(),
                });
            }
        }
        self.scopes.push(rows);
        let when = if self.chance(3) {
            format!(" WHEN {}", self.condition(1))
        } else {
            String::new()
        };
        let mut body = String::new();
        for _ in 0..=self.dice.below(2) {
            let step = match self.dice.below(5) {
                0 => {
                    let action = self.pick(&[
                        "IGNORE",
                        "ABORT, 'stop'",
                        "FAIL, 'fail'",
                        "ROLLBACK, 'back'",
                    ]);
                    format!("SELECT RAISE({action}) WHERE {}", self.condition(1))
                }
                1 => {
                    let column = other.writable[self.dice.below(other.writable.len())].clone();
                    format!(
                        "UPDATE {} SET {column} = {} WHERE {}",
                        other.name,
                        self.expr(1),
                        self.condition(0)
                    )
                }
                2 => {
                    let column = other.columns[self.dice.below(other.columns.len())].clone();
                    format!(
                        "DELETE FROM {} WHERE {column} = {}",
                        other.name,
                        self.column()
                    )
                }
                _ => {
                    let values = self.list(other.writable.len(), |g| g.expr(1));
                    let or = self.pick(&["OR IGNORE ", "OR REPLACE ", "OR IGNORE "]);
                    format!(
                        "INSERT {or}INTO {}({}) VALUES({values})",
                        other.name,
                        other.writable.join(", ")
                    )
                }
            };
            body.push_str(&step);
            body.push_str("; ");
        }
        self.scopes.pop();
        format!(
            "CREATE TRIGGER {name} {time} {event} ON {}{when} BEGIN {body}END",
            on.name
        )
    }

    pub(super) fn schema_change(&mut self) -> String {
        let tables: Vec<_> = self.catalog.writable().into_iter().cloned().collect();
        if tables.is_empty() {
            return self.create_table();
        }
        let table = tables[self.dice.below(tables.len())].clone();
        let column = table.columns[self.dice.below(table.columns.len())].clone();
        match self.dice.below(40) {
            0..=3 if tables.len() < 7 => self.create_table(),
            4..=9 => self.create_index(),
            10..=12 => self.create_view(),
            13..=15 => self.create_trigger(),
            16 => format!("DROP TABLE {}", table.name),
            17 if !self.catalog.indexes.is_empty() => {
                let indexes = &self.catalog.indexes;
                format!("DROP INDEX {}", indexes[self.dice.below(indexes.len())])
            }
            18 if !self.catalog.triggers.is_empty() => {
                let triggers = &self.catalog.triggers;
                format!("DROP TRIGGER {}", triggers[self.dice.below(triggers.len())])
            }
            19 => "DROP VIEW IF EXISTS v".to_owned(),
            20 => format!("ALTER TABLE {} RENAME TO {}", table.name, self.name("t")),
            21 => format!(
                "ALTER TABLE {} RENAME COLUMN {column} TO {}",
                table.name,
                self.name("n")
            ),
            22 => {
                let name = self.name("n");
                let rest = self.pick(&[
                    "",
                    " INT DEFAULT 5",
                    " TEXT NOT NULL DEFAULT 'x'",
                    " AS (1+1)",
                    " REAL CHECK(1)",
                    " COLLATE NOCASE",
                ]);
                format!("ALTER TABLE {} ADD COLUMN {name}{rest}", table.name)
            }
            23 => format!("ALTER TABLE {} DROP COLUMN {column}", table.name),
            24..=25 => "ANALYZE".to_owned(),
            26 => "REINDEX".to_owned(),
            27 => "VACUUM".to_owned(),
            28 => format!("PRAGMA table_xinfo({})", table.name),
            29 => format!("PRAGMA index_list({})", table.name),
            30 => "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2, 3".to_owned(),
            31 => format!("PRAGMA recursive_triggers={}", self.dice.below(2)),
            32 => format!(
                "ALTER TABLE {} ALTER COLUMN {column} SET NOT NULL",
                table.name
            ),
            33 => format!(
                "ALTER TABLE {} ALTER COLUMN {column} DROP NOT NULL",
                table.name
            ),
            34 => format!(
                "ALTER TABLE {} ADD CONSTRAINT k1 CHECK({column} IS NOT 6)",
                table.name
            ),
            35 => format!("ALTER TABLE {} DROP CONSTRAINT k1", table.name),
            36 => format!("PRAGMA foreign_key_check({})", table.name),
            37 => format!("PRAGMA foreign_key_list({})", table.name),
            _ => "PRAGMA integrity_check".to_owned(),
        }
    }
}
