//! Changes of rows, and transactions.

use super::Generator;
use super::catalog::Table;

const OR: [&str; 9] = [
    "OR ROLLBACK ",
    "",
    "",
    "",
    "",
    "OR IGNORE ",
    "OR REPLACE ",
    "OR ABORT ",
    "OR FAIL ",
];

impl Generator<'_> {
    fn target(&mut self) -> Table {
        let all = &self.catalog.tables;
        loop {
            let table = &all[self.dice.below(all.len())];
            // Views now and then: their triggers.
            if !table.view || self.dice.below(6) == 0 || all.iter().all(|t| t.view) {
                return table.clone();
            }
        }
    }

    fn returning(&mut self, table: &Table) -> String {
        if !self.chance(6) {
            return String::new();
        }
        self.own_scope(&table.columns);
        let count = 1 + self.dice.below(3);
        let text = if self.chance(3) {
            "*".to_owned()
        } else {
            self.list(count, |g| g.expr(1))
        };
        self.scopes.pop();
        format!(" RETURNING {text}")
    }

    pub(super) fn insert(&mut self) -> String {
        let table = self.target();
        let verb = if self.chance(10) {
            "REPLACE ".to_owned()
        } else {
            format!("INSERT {}", self.pick(&OR))
        };
        let mut columns = table.writable.clone();
        if columns.is_empty() {
            return "SELECT 1".to_owned();
        }
        if self.chance(4) {
            let keep = 1 + self.dice.below(columns.len());
            columns.truncate(keep);
        }
        let list = columns.join(", ");
        let returning = self.returning(&table);
        if self.chance(20) {
            return format!("{verb}INTO {} DEFAULT VALUES{returning}", table.name);
        }
        self.scopes.clear();
        let upsert = if self.chance(5) && verb.starts_with("INSERT") && !table.view {
            self.upsert(&table)
        } else {
            String::new()
        };
        if self.chance(4) {
            // The order of insertion gives rowids and decides conflicts.
            let query = self.select(1, Some(columns.len()), true);
            let limit = self.dice.below(8);
            return format!(
                "{verb}INTO {}({list}) SELECT * FROM ({query} LIMIT {limit}) WHERE 1{upsert}{returning}",
                table.name
            );
        }
        let count = 1 + self.dice.below(4);
        let rows = self.list(count, |g| {
            format!("({})", g.list(columns.len(), |g| g.expr(1)))
        });
        format!(
            "{verb}INTO {}({list}) VALUES {rows}{upsert}{returning}",
            table.name
        )
    }

    fn upsert(&mut self, table: &Table) -> String {
        let target = match self.dice.below(3) {
            0 => String::new(),
            1 => format!("({})", table.columns[self.dice.below(table.columns.len())]),
            _ => format!(
                "({}, {})",
                table.columns[0],
                table.columns[table.columns.len() - 1]
            ),
        };
        if target.is_empty() || self.chance(3) {
            return format!(" ON CONFLICT{target} DO NOTHING");
        }
        let column = table.writable[self.dice.below(table.writable.len())].clone();
        let mut columns = table.columns.clone();
        columns.extend(table.columns.iter().map(|c| format!("excluded.{c}")));
        self.own_scope(&columns);
        let value = self.expr(1);
        let filter = if self.chance(3) {
            format!(" WHERE {}", self.condition(1))
        } else {
            String::new()
        };
        self.scopes.pop();
        let more = match self.dice.below(8) {
            0..=1 => " ON CONFLICT DO NOTHING".to_owned(),
            2 => format!(" ON CONFLICT({}) DO NOTHING", table.columns[0]),
            3 => {
                let column = &table.writable[0];
                format!(" ON CONFLICT DO UPDATE SET {column} = excluded.{column}")
            }
            _ => String::new(),
        };
        format!(" ON CONFLICT{target} DO UPDATE SET {column} = {value}{filter}{more}")
    }

    pub(super) fn update(&mut self) -> String {
        let table = self.target();
        if table.writable.is_empty() {
            return "SELECT 2".to_owned();
        }
        let or = self.pick(&OR);
        let returning = self.returning(&table);
        self.own_scope(&table.columns);
        let depth = 1 + self.dice.below(2);
        let set = if table.writable.len() > 1 && self.chance(8) {
            let query = self.select(1, Some(2), true);
            format!(
                "({}, {}) = ({query} LIMIT 1)",
                table.writable[0], table.writable[1]
            )
        } else {
            let count = 1 + self.dice.below(2);
            self.list(count, |g| {
                let column = table.writable[g.dice.below(table.writable.len())].clone();
                format!("{column} = {}", g.expr(depth))
            })
        };
        let filter = if self.chance(6) {
            String::new()
        } else {
            format!(" WHERE {}", self.condition(depth))
        };
        self.scopes.pop();
        if self.chance(8) && !set.starts_with('(') {
            return self.update_from(&table, or, &returning);
        }
        format!("UPDATE {or}{} SET {set}{filter}{returning}", table.name)
    }

    /// UPDATE … FROM a query that has at most one row for each row of the table.
    fn update_from(&mut self, table: &Table, or: &str, returning: &str) -> String {
        let hidden = std::mem::take(&mut self.scopes);
        self.scopes.push(Vec::new());
        let from = self.from(1, 2);
        let (key, value) = (self.expr(1), self.aggregate(0));
        self.scopes = hidden;
        let set = &table.writable[self.dice.below(table.writable.len())];
        let on = &table.columns[self.dice.below(table.columns.len())];
        let short = table.name.rsplit('.').next().unwrap_or_default();
        format!(
            "UPDATE {or}{} SET {set} = f.c1 FROM (SELECT {key} AS c0, {value} AS c1 FROM {from} GROUP BY 1) AS f \
             WHERE f.c0 = {short}.{on}{returning}",
            table.name
        )
    }

    pub(super) fn delete(&mut self) -> String {
        let table = self.target();
        let returning = self.returning(&table);
        if self.chance(15) {
            return format!("DELETE FROM {}{returning}", table.name);
        }
        self.own_scope(&table.columns);
        let filter = self.condition(2);
        self.scopes.pop();
        format!("DELETE FROM {} WHERE {filter}{returning}", table.name)
    }

    pub(super) fn transaction(&mut self) -> String {
        self.pick(&[
            "BEGIN",
            "BEGIN IMMEDIATE",
            "COMMIT",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT s",
            "SAVEPOINT u",
            "RELEASE s",
            "ROLLBACK TO s",
            "ROLLBACK TO u",
            "RELEASE u",
            "SAVEPOINT s",
            "SELECT changes(), total_changes(), last_insert_rowid()",
        ])
        .to_owned()
    }
}
