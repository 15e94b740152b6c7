//! Plans: the same EXPLAIN QUERY PLAN lines as stock SQLite, for the loops of one query.
//!
//! The query's FROM, WHERE, ORDER BY, GROUP BY and DISTINCT go to the planner as a SELECT would hand them on; its lines
//! are compared with those of stock SQLite that tell of loops (not those about sorting).

use ringwood_format::encoding::TextEncoding;
use ringwood_sql::ast;
use ringwood_sql::bound::SortOrder;
use ringwood_sql::codegen::loops::{self, Request};
use ringwood_sql::compiler::{CompileContext, CompileFlags, Compiler, Limits};
use ringwood_sql::parse::parse_statement;
use ringwood_sql::plan::Control;
use ringwood_sql::resolve::{NameMode, resolve_select};
use ringwood_sql::schema::{DbSchema, DbSchemaBuilder, NameMap, Schema};
use ringwood_vdbe::{
    FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry, Mem, Opcode, P4,
};
use rusqlite::Connection;
use std::fmt::Write as _;
use std::sync::Arc;

fn nothing(_: &mut FnContext<'_>, _: &[Mem]) -> Result<(), FnError> {
    Ok(())
}

fn functions() -> FunctionRegistry {
    let mut registry = FunctionRegistry::new();
    let like = FunctionFlags::LIKE | FunctionFlags::DETERMINISTIC;
    for arity in [2, 3] {
        registry.register(FunctionDef::scalar("like", arity, nothing).with(like));
    }
    registry.register(
        FunctionDef::scalar("glob", 2, nothing).with(like | FunctionFlags::CASE_SENSITIVE),
    );
    for (name, arity) in [("abs", 1), ("lower", 1), ("length", 1), ("substr", 3)] {
        registry
            .register(FunctionDef::scalar(name, arity, nothing).with(FunctionFlags::DETERMINISTIC));
    }
    registry.register(FunctionDef::scalar("random", 0, nothing));
    let hint = FunctionFlags::UNLIKELY | FunctionFlags::DETERMINISTIC;
    for (name, arity) in [("likely", 1), ("unlikely", 1), ("likelihood", 2)] {
        registry.register(FunctionDef::scalar(name, arity, nothing).with(hint));
    }
    registry
}

/// What the tests plan against: stock SQLite and the schema read from it.
pub struct Database {
    stock: Connection,
    schema: Schema,
    functions: FunctionRegistry,
    collations: NameMap<ringwood_format::collation::Collation>,
}

impl Database {
    pub fn new(script: &str) -> Database {
        let stock = Connection::open_in_memory().unwrap();
        stock.execute_batch(script).unwrap();
        let mut builder = DbSchemaBuilder::new("main");
        builder.encoding(TextEncoding::Utf8);
        builder.file_format(4);
        let rows = |sql: &str| {
            let mut statement = stock.prepare(sql).unwrap();
            let width = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            let mut all = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                let cells: Vec<Option<String>> = (0..width)
                    .map(|i| match row.get_ref(i).unwrap() {
                        rusqlite::types::ValueRef::Null => None,
                        rusqlite::types::ValueRef::Integer(n) => Some(n.to_string()),
                        other => Some(other.as_str().unwrap().to_owned()),
                    })
                    .collect();
                all.push(cells);
            }
            all
        };
        for row in
            rows("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid")
        {
            let bytes = |i: usize| row[i].as_deref().map(str::as_bytes);
            let root = row[3].as_deref().unwrap_or("0").parse().unwrap();
            builder
                .row(bytes(0), bytes(1), bytes(2), Some(root), bytes(4))
                .unwrap();
        }
        if !rows("SELECT 1 FROM sqlite_schema WHERE name='sqlite_stat1'").is_empty() {
            for row in rows("SELECT tbl, idx, stat FROM sqlite_stat1") {
                let text = |i: usize| row[i].as_deref();
                builder.statistics(text(0).unwrap(), text(1), text(2).unwrap_or(""));
            }
        }
        let main = Arc::new(builder.finish().unwrap());
        let schema = Schema {
            dbs: vec![main, Arc::new(DbSchema::empty("temp"))],
        };
        Database {
            stock,
            schema,
            functions: functions(),
            collations: NameMap::default(),
        }
    }

    /// The lines of stock SQLite that tell of loops, indented by depth.
    fn stock_plan(&self, query: &str) -> String {
        let mut statement = self
            .stock
            .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
            .expect(query);
        let mut found = statement.raw_query();
        let mut rows: Vec<(i64, i64, String)> = Vec::new();
        while let Some(row) = found.next().unwrap() {
            rows.push((
                row.get(0).unwrap(),
                row.get(1).unwrap(),
                row.get(3).unwrap(),
            ));
        }
        show(rows)
    }

    /// Our lines, and the plan in full.
    fn own_plan(&self, query: &str) -> (String, String) {
        let ctx = CompileContext {
            virtual_tables: &ringwood_vdbe::VirtualTables::default(),
            schema: &self.schema,
            functions: &self.functions,
            collations: &self.collations,
            limits: Limits::default(),
            flags: CompileFlags::default(),
            workshop: &ringwood_sql::compiler::Workshop::default(),
            authorizer: None,
        };
        let statement = parse_statement(query.as_bytes())
            .expect(query)
            .expect(query);
        let ast::Stmt::Select(select) = &statement.kind else {
            panic!("{query}")
        };
        let mut c = Compiler::new(&ctx, query.as_bytes(), ast::Explain::QueryPlan);
        let select = match resolve_select(&mut c, select, NameMode::Output) {
            Ok(select) => select,
            Err(e) => return (format!("error: {e}"), String::new()),
        };
        let mut request = Request::new(&select.from, &[], select.where_.as_ref());
        request.select = Some(&select);
        request.result = Some(&select.result);
        if !select.group_by.is_empty() {
            request.control |= Control::GROUPBY;
            request.result = None;
            request.order = Some(
                select
                    .group_by
                    .iter()
                    .map(|e| (e, SortOrder::default()))
                    .collect(),
            );
        } else {
            if !select.order_by.is_empty() {
                request.order = Some(select.order_by.iter().map(|t| (&t.expr, t.order)).collect());
            }
            if select.flags.distinct {
                request.control |= Control::WANT_DISTINCT;
            }
            if let Some(limit) = &select.limit {
                request.limit = loops::limit_estimate(limit);
                request.control |= Control::USE_LIMIT;
            }
        }
        match loops::begin(&mut c, &mut request) {
            Ok(running) => {
                let trace = running.trace();
                if let Err(e) = running.end(&mut c) {
                    return (format!("error: {e}"), trace);
                }
                let mut rows = Vec::new();
                for addr in 0..c.here() {
                    let insn = c.b.insn(addr);
                    if let (Opcode::Explain, P4::Text(text)) = (insn.opcode, &insn.p4) {
                        let text = String::from_utf8_lossy(text).into_owned();
                        rows.push((i64::from(insn.p1), i64::from(insn.p2), text));
                    }
                }
                (show(rows), trace)
            }
            Err(e) => (format!("error: {e}"), String::new()),
        }
    }

    /// How many plans differ, and which.
    pub fn differences(&self, queries: &[&str]) -> (usize, String) {
        let mut wrong = 0;
        let mut report = String::new();
        for query in queries {
            let (stock, (own, trace)) = (self.stock_plan(query), self.own_plan(query));
            assert!(!stock.is_empty(), "{query}");
            if stock != own {
                wrong += 1;
                let _ = writeln!(
                    report,
                    "{query}\n--- stock\n{stock}--- own\n{own}--- trace\n{trace}"
                );
            }
        }
        (wrong, report)
    }

    pub fn compare(&self, queries: &[&str]) {
        let (wrong, report) = self.differences(queries);
        assert!(
            wrong == 0,
            "{wrong} of {} plans differ\n\n{report}",
            queries.len()
        );
    }
}

fn show(rows: Vec<(i64, i64, String)>) -> String {
    let mut out = String::new();
    let mut depth = std::collections::HashMap::from([(0, 0)]);
    for (id, parent, detail) in rows {
        let d = depth.get(&parent).copied().unwrap_or(0);
        depth.insert(id, d + 1);
        let about_loops = ["SCAN", "SEARCH", "MULTI", "INDEX", "RIGHT-JOIN"];
        if about_loops.iter().any(|w| detail.starts_with(w)) {
            let _ = writeln!(out, "{}{detail}", "  ".repeat(d));
        }
    }
    out
}

pub const TABLES: &str = "
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
    CREATE TABLE w2(a INT, b INT, c, d, PRIMARY KEY(a, b)) WITHOUT ROWID;
    CREATE TABLE part(a, b, c);
    CREATE INDEX part_b ON part(b) WHERE c IS NOT NULL;
    CREATE INDEX part_a ON part(a) WHERE b > 5;
    CREATE TABLE ex(a, b TEXT, c);
    CREATE INDEX ex_low ON ex(lower(b));
    CREATE INDEX ex_sum ON ex(a + c, b);
";

pub const STATISTICS: &str = "
    ANALYZE;
    INSERT INTO sqlite_stat1 VALUES
        ('t1', 't1e', '2000 1'), ('t1', 't1cd', '2000 667 2'), ('t1', 't1b', '2000 200'),
        ('t2', 't2w', '200 1'), ('t2', 't2z', '200 40'), ('t2', 'sqlite_autoindex_t2_1', '200 1 1'),
        ('t3', NULL, '50'), ('w1', 'w1v', '500 25'), ('w1', 'w1', '500 1'),
        ('ex', 'ex_low', '10000 10'), ('ex', 'ex_sum', '10000 5000 100');
    ANALYZE sqlite_schema;";

#[test]
fn single_tables() {
    Database::new(TABLES).compare(&[
        "SELECT * FROM t1",
        "SELECT * FROM t1 WHERE a = 5",
        "SELECT * FROM t1 WHERE rowid = ?",
        "SELECT * FROM t1 WHERE a > 5",
        "SELECT * FROM t1 WHERE a BETWEEN 5 AND 9",
        "SELECT * FROM t1 WHERE a < 5 AND b = 1",
        "SELECT * FROM t1 WHERE a IN (1, 2, 3)",
        "SELECT * FROM t1 WHERE b = 5",
        "SELECT b FROM t1",
        "SELECT b FROM t1 WHERE b = 5",
        "SELECT a, b FROM t1 WHERE b > 5",
        "SELECT * FROM t1 WHERE b IS NULL",
        "SELECT * FROM t1 WHERE b IS NOT NULL",
        "SELECT * FROM t1 WHERE b IS 5",
        "SELECT * FROM t1 WHERE b IN (1, 2)",
        "SELECT * FROM t1 WHERE c = 'x' AND d > 5",
        "SELECT * FROM t1 WHERE c = 'x' AND d BETWEEN 1 AND 5",
        "SELECT * FROM t1 WHERE c = 'x' AND d IN (1, 2, 3)",
        "SELECT * FROM t1 WHERE c IN ('x', 'y') AND d = 3",
        "SELECT * FROM t1 WHERE d = 3",
        "SELECT c, d FROM t1 WHERE d = 3",
        "SELECT * FROM t1 WHERE c > 'x' AND d = 3",
        "SELECT * FROM t1 WHERE c = 5",
        "SELECT * FROM t1 WHERE d = '5'",
        "SELECT * FROM t1 WHERE +b = 5",
        "SELECT * FROM t1 WHERE 5 = b",
        "SELECT * FROM t1 WHERE 5 < b AND b <= 9",
        "SELECT * FROM t1 WHERE e = 'abc'",
        "SELECT * FROM t1 WHERE e = 'abc' COLLATE BINARY",
        "SELECT * FROM t1 WHERE e = 'abc' COLLATE NOCASE",
        "SELECT * FROM t1 WHERE c = 'abc' COLLATE NOCASE",
        "SELECT * FROM t1 WHERE e LIKE 'abc%'",
        "SELECT * FROM t1 WHERE c LIKE 'abc%'",
        "SELECT * FROM t1 WHERE c GLOB 'abc*'",
        "SELECT * FROM t1 WHERE b GLOB 'abc*'",
        "SELECT * FROM t1 WHERE e LIKE '%abc'",
        "SELECT * FROM t1 WHERE b = 1 OR b = 2",
        "SELECT * FROM t1 WHERE b = 1 OR c = 'x'",
        "SELECT * FROM t1 WHERE b = 1 OR c = 'x' OR a = 7",
        "SELECT * FROM t1 WHERE b = 1 OR d = 2",
        "SELECT * FROM t1 WHERE (b = 1 AND d = 2) OR (c = 'x' AND d > 4)",
        "SELECT * FROM t1 WHERE b > 5 OR b = 5",
        "SELECT * FROM t1 WHERE (b = 1 OR c = 'x') AND d = 4",
        "SELECT * FROM t1 WHERE a = 1 AND b = 2",
        "SELECT * FROM t1 WHERE b = 2 AND c = 'x'",
        "SELECT * FROM t1 WHERE likelihood(b = 2, 0.9) AND c = 'x'",
        "SELECT * FROM t1 WHERE unlikely(b > 2) AND c > 'x'",
        "SELECT * FROM t1 NOT INDEXED WHERE b = 2",
        "SELECT * FROM t1 INDEXED BY t1cd WHERE b = 2 AND c = 'x'",
        "SELECT * FROM t1 WHERE 1",
        "SELECT * FROM t1 WHERE ?1",
        "SELECT * FROM t1 WHERE (b, d) = (1, 2)",
        "SELECT * FROM t1 WHERE (c, d) > ('x', 5)",
        "SELECT * FROM t1 WHERE (c, d) < ('x', 5)",
        "SELECT * FROM t1 WHERE (d, c) < (5, 'x')",
        "SELECT * FROM t2 WHERE x = 1",
        "SELECT * FROM t2 WHERE x = 1 AND y = 2",
        "SELECT * FROM t2 WHERE w = 1.5",
        "SELECT * FROM t2 WHERE w IS 1.5",
        "SELECT * FROM t2 WHERE z > 'a'",
        "SELECT * FROM t2 WHERE z IS NULL",
        "SELECT x, y FROM t2",
        "SELECT * FROM w1",
        "SELECT * FROM w1 WHERE k = 'a'",
        "SELECT * FROM w1 WHERE v = 5",
        "SELECT k FROM w1 WHERE v = 5",
        "SELECT k FROM w1",
        "SELECT * FROM w1 WHERE v = 5 AND k > 'a'",
        "SELECT * FROM w2 WHERE a = 1",
        "SELECT * FROM w2 WHERE a = 1 AND b = 2",
        "SELECT * FROM w2 WHERE b = 2",
        "SELECT * FROM w2 WHERE a > 1",
        "SELECT * FROM w1 WHERE v = 5 OR k = 'x'",
        "SELECT 1",
        "SELECT 1 WHERE 2",
    ]);
}

#[test]
fn partial_and_expression_indexes() {
    Database::new(TABLES).compare(&[
        "SELECT * FROM part WHERE b = 5",
        "SELECT * FROM part WHERE b = 5 AND c IS NOT NULL",
        "SELECT * FROM part WHERE b = 5 AND c = 7",
        "SELECT * FROM part WHERE b = 5 AND c > 7",
        "SELECT * FROM part WHERE a = 5",
        "SELECT * FROM part WHERE a = 5 AND b > 5",
        "SELECT * FROM part WHERE a = 5 AND b > 6",
        "SELECT * FROM part WHERE c IS NOT NULL",
        "SELECT a FROM part WHERE b > 5 ORDER BY a",
        "SELECT * FROM ex WHERE lower(b) = 'x'",
        "SELECT * FROM ex WHERE lower(b) > 'x'",
        "SELECT * FROM ex WHERE a + c = 5",
        "SELECT * FROM ex WHERE a + c = 5 AND b = 'y'",
        "SELECT * FROM ex WHERE 5 = a + c",
        "SELECT * FROM ex WHERE c + a = 5",
        "SELECT * FROM ex ORDER BY lower(b)",
        "SELECT * FROM ex WHERE lower(b) IN ('x', 'y')",
    ]);
}

#[test]
fn orders() {
    Database::new(TABLES).compare(&[
        "SELECT * FROM t1 ORDER BY a",
        "SELECT * FROM t1 ORDER BY a DESC",
        "SELECT * FROM t1 ORDER BY b",
        "SELECT * FROM t1 ORDER BY b DESC",
        "SELECT b FROM t1 ORDER BY b",
        "SELECT * FROM t1 ORDER BY c, d",
        "SELECT * FROM t1 ORDER BY c DESC, d DESC",
        "SELECT * FROM t1 ORDER BY c, d DESC",
        "SELECT * FROM t1 WHERE c = 'x' ORDER BY d",
        "SELECT * FROM t1 WHERE b = 5 ORDER BY a",
        "SELECT * FROM t1 WHERE b = 5 ORDER BY c",
        "SELECT * FROM t1 WHERE b > 5 ORDER BY c, d LIMIT 10",
        "SELECT * FROM t1 ORDER BY c LIMIT 1",
        "SELECT * FROM t1 ORDER BY e",
        "SELECT * FROM t1 ORDER BY e COLLATE BINARY",
        "SELECT * FROM t1 ORDER BY b NULLS LAST",
        "SELECT * FROM t2 ORDER BY z",
        "SELECT * FROM t2 ORDER BY z DESC",
        "SELECT * FROM w1 ORDER BY k",
        "SELECT * FROM w1 ORDER BY v",
        "SELECT * FROM w2 ORDER BY a, b",
        "SELECT * FROM w2 WHERE a = 1 ORDER BY b",
        "SELECT c, d FROM t1 GROUP BY c, d",
        "SELECT c FROM t1 GROUP BY c",
        "SELECT d FROM t1 GROUP BY d",
        "SELECT d, c FROM t1 GROUP BY d, c",
        "SELECT b FROM t1 GROUP BY b",
        "SELECT DISTINCT b FROM t1",
        "SELECT DISTINCT c, d FROM t1",
        "SELECT DISTINCT d FROM t1",
        "SELECT DISTINCT a FROM t1",
        "SELECT DISTINCT x, y FROM t2",
        "SELECT DISTINCT b FROM t1 WHERE c = 'x'",
        "SELECT DISTINCT b FROM t1 ORDER BY b",
    ]);
}

#[test]
fn joins() {
    Database::new(TABLES).compare(&[
        "SELECT * FROM t1, t2",
        "SELECT * FROM t1, t2 WHERE t1.b = t2.x",
        "SELECT * FROM t1, t3 WHERE t1.a = t3.p",
        "SELECT * FROM t1 JOIN t3 ON t1.b = t3.p",
        "SELECT * FROM t3, t1 WHERE t1.a = t3.p",
        "SELECT * FROM t3 AS x, t3 AS y WHERE x.p = y.q",
        "SELECT * FROM t3 AS x, t3 AS y WHERE x.p = y.q AND x.r = 5",
        "SELECT * FROM t3 AS x, t3 AS y, t3 AS z WHERE x.p = y.q AND y.p = z.q",
        "SELECT x.s FROM t3 AS x, t3 AS y WHERE x.p = y.q",
        "SELECT * FROM t1 LEFT JOIN t2 ON t1.b = t2.x",
        "SELECT * FROM t1 LEFT JOIN t3 ON t1.b = t3.p",
        "SELECT * FROM t3 LEFT JOIN t1 ON t1.a = t3.p",
        "SELECT * FROM t3 LEFT JOIN t1 ON t1.a = t3.p WHERE t1.b IS NULL",
        "SELECT * FROM t3 LEFT JOIN t1 ON t1.a = t3.p WHERE t1.b = 5",
        "SELECT t3.* FROM t3 LEFT JOIN t1 ON t1.a = t3.p",
        "SELECT t3.* FROM t3 LEFT JOIN t1 ON t1.b = t3.p",
        "SELECT * FROM t3 CROSS JOIN t1 WHERE t1.a = t3.p",
        "SELECT * FROM t1 CROSS JOIN t3 WHERE t1.a = t3.p",
        "SELECT * FROM t1, t2, t3 WHERE t1.b = t2.x AND t2.y = t3.p",
        "SELECT * FROM t1, t2, t3 WHERE t1.a = t2.x AND t2.y = t3.p AND t3.q = 5",
        "SELECT * FROM t1, w1 WHERE t1.c = w1.k",
        "SELECT * FROM t1, w1 WHERE t1.d = w1.v",
        "SELECT * FROM t1, t2 WHERE t1.b = t2.x ORDER BY t1.a",
        "SELECT * FROM t1, t2 WHERE t1.b = t2.x ORDER BY t1.b",
        "SELECT * FROM t1, t3 WHERE t1.a = t3.p ORDER BY t1.b",
        "SELECT * FROM t1, t2 WHERE t1.a = t2.y AND t2.y = 5",
        "SELECT * FROM t1, t2 WHERE t1.b = t2.x AND t2.x = 5",
        "SELECT * FROM t1, t2 WHERE t1.b = t2.x OR t1.c = t2.z",
        "SELECT * FROM t1, t2 WHERE t1.a = 5 AND (t2.x = t1.b OR t2.w = t1.d)",
        "SELECT * FROM t1 NATURAL JOIN t3",
        "SELECT * FROM t3 AS x JOIN t3 AS y USING (p)",
        "SELECT * FROM t1 RIGHT JOIN t2 ON t1.b = t2.x",
        "SELECT * FROM t1 FULL JOIN t2 ON t1.b = t2.x",
        "SELECT * FROM t1 RIGHT JOIN t3 ON t1.b = t3.p WHERE t3.q = 5",
        "SELECT * FROM t3 RIGHT JOIN t1 ON t1.a = t3.p",
        "SELECT * FROM t1 LEFT JOIN t2 ON t1.b = t2.x LEFT JOIN t3 ON t2.y = t3.p",
        "SELECT * FROM t1 JOIN t2 ON t1.b = t2.x LEFT JOIN t3 ON t2.y = t3.p JOIN w1 ON w1.v = t1.d",
        "SELECT * FROM t3 AS x LEFT JOIN t3 AS y ON x.p = y.q",
        "SELECT * FROM t3 AS x LEFT JOIN t3 AS y ON x.p = y.q AND y.r = 4",
        "SELECT t1.a FROM t1, t2, t3, w1, w2 WHERE t1.b = t2.x AND t2.y = t3.p AND t3.q = w1.v AND w1.u = w2.a",
        "SELECT * FROM t1 AS a, t1 AS b WHERE a.a = b.b",
        "SELECT * FROM t1 AS a, t1 AS b WHERE a.b = b.b AND a.a < b.a",
        "SELECT DISTINCT t1.b FROM t1, t2 WHERE t1.b = t2.x",
        "SELECT t1.b FROM t1, t2 WHERE t1.b = t2.x GROUP BY t1.b",
        "SELECT * FROM t1, t2 ON t2.rowid = t1.b",
        "SELECT * FROM t2, t1 WHERE t1.a BETWEEN t2.x AND t2.y",
        "SELECT * FROM t2, t1 WHERE t1.a IN (t2.x, t2.y)",
    ]);
}

#[test]
fn with_statistics() {
    Database::new(&format!("{TABLES}{STATISTICS}")).compare(&[
        "SELECT * FROM t1 WHERE b = 5",
        "SELECT * FROM t1 WHERE c = '1'",
        "SELECT * FROM t1 WHERE d = 7",
        "SELECT * FROM t1 WHERE b = 5 AND c = '1'",
        "SELECT * FROM t1 WHERE b = 5 AND d = 7",
        "SELECT * FROM t1 WHERE c = '1' AND d = 7",
        "SELECT * FROM t1 WHERE d IN (7, 8)",
        "SELECT * FROM t1 WHERE b > 5",
        "SELECT * FROM t1 WHERE b > 5 AND b < 7",
        "SELECT * FROM t1 ORDER BY b",
        "SELECT * FROM t1, t2 WHERE t1.b = t2.x",
        "SELECT * FROM t1, t2 WHERE t1.d = t2.x",
        "SELECT * FROM t1, t3 WHERE t1.a = t3.p",
        "SELECT * FROM t1, t3 WHERE t1.d = t3.p",
        "SELECT * FROM t3, t1 WHERE t1.b = t3.q",
        "SELECT * FROM t1, t2, t3 WHERE t1.a = t2.x AND t2.y = t3.p",
        "SELECT * FROM t1, w1 WHERE t1.c = w1.k",
        "SELECT * FROM t1, w1 WHERE t1.b = w1.v",
        "SELECT DISTINCT b FROM t1",
        "SELECT DISTINCT c FROM t1",
        "SELECT * FROM t1 WHERE b IN (1,2,3) AND c = '1'",
    ]);
}
