//! What a module is asked and told beyond rows: LIMIT and OFFSET, columns that do not change, integrity, trust.

use std::sync::{Arc, Mutex};

use ringwood::vtab::{
    ConstraintOp, Declared, IndexInfo, IndexPlan, Module, ModuleArgs, ModuleKind, OnConflict,
    Unusable, VirtualCursor, VirtualTable, VtabChange, VtabContext, VtabError, VtabFlags, VtabStep,
};
use ringwood::{FunctionFlags, LocalConnection, Mem};

type Log = Arc<Mutex<Vec<String>>>;

/// The numbers from 1 to 100 and their squares, counted off by the table itself where it is asked to.
struct Squares {
    log: Log,
    flags: VtabFlags,
    kind: ModuleKind,
    /// Whether it takes LIMIT and OFFSET.
    counts: bool,
}

impl Module for Squares {
    fn kind(&self) -> ModuleKind {
        self.kind
    }

    fn connect(&self, _: &ModuleArgs) -> VtabStep<Declared> {
        let table = SquareTable {
            log: self.log.clone(),
            counts: self.counts,
        };
        Ok(Declared::new("CREATE TABLE x(n INTEGER, square, big)", table).with(self.flags))
    }
}

struct SquareTable {
    log: Log,
    counts: bool,
}

impl VirtualTable for SquareTable {
    fn best_index(&self, info: &mut IndexInfo) -> Result<(), Unusable> {
        info.estimated_cost = 100.0;
        info.order_by_consumed =
            info.order_by.len() == 1 && info.order_by[0].column == 0 && !info.order_by[0].desc;
        let mut next = 0;
        for at in 0..info.constraints.len() {
            let constraint = &info.constraints[at];
            let op = match constraint.op {
                ConstraintOp::GT if constraint.column == 0 => '>',
                ConstraintOp::LIMIT if self.counts => 'L',
                ConstraintOp::OFFSET if self.counts => 'O',
                _ => continue,
            };
            if !constraint.usable {
                continue;
            }
            next += 1;
            info.usage[at].argument = next;
            info.usage[at].omit = true;
            info.estimated_cost /= 2.0;
            let text = info.plan.text.take();
            info.plan.text = Some(format!("{}{op}", text.as_deref().unwrap_or("")).into());
        }
        Ok(())
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>, VtabError> {
        Ok(Box::new(SquareCursor {
            log: self.log.clone(),
            at: 1,
            to: 100,
        }))
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn update(&mut self, change: &VtabChange<'_>, on_conflict: OnConflict) -> VtabStep<i64> {
        let show = |columns: &[Mem]| {
            let shown = columns.iter().map(|column| match column {
                same if same.is_no_change() => "same".to_owned(),
                other => String::from_utf8_lossy(&other.to_text()).into_owned(),
            });
            shown.collect::<Vec<_>>().join(",")
        };
        let line = match change {
            VtabChange::Delete { rowid } => format!("delete {}", rowid.to_int()),
            VtabChange::Insert { columns, .. } => format!("insert {}", show(columns)),
            VtabChange::Update {
                old_rowid, columns, ..
            } => format!("update {} {}", old_rowid.to_int(), show(columns)),
        };
        self.log
            .lock()
            .unwrap()
            .push(format!("{line} or {on_conflict}"));
        Ok(77)
    }

    fn has_integrity(&self) -> bool {
        true
    }

    fn integrity(&mut self, db: &str, table: &str, quick: bool) -> VtabStep<Option<String>> {
        Ok((!quick).then(|| format!("{db}.{table} is round")))
    }
}

struct SquareCursor {
    log: Log,
    at: i64,
    to: i64,
}

impl VirtualCursor for SquareCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, plan: &IndexPlan, args: &[Mem]) -> VtabStep {
        let text = plan.text.clone().unwrap_or_default();
        let shown: Vec<String> = args.iter().map(|arg| arg.to_int().to_string()).collect();
        self.log
            .lock()
            .unwrap()
            .push(format!("filter {text} {}", shown.join(",")));
        (self.at, self.to) = (1, 100);
        let value = |op: char| text.find(op).map(|at| args[at].to_int());
        if let Some(from) = value('>') {
            self.at = from + 1;
        }
        if let Some(skip) = value('O') {
            self.at += skip.max(0);
        }
        if let Some(limit) = value('L').filter(|limit| *limit >= 0) {
            self.to = self.to.min(self.at + limit - 1);
        }
        Ok(())
    }

    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        self.at += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.at > self.to
    }

    fn column(&mut self, cx: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        match column {
            0 => out.set_int(self.at),
            1 => out.set_int(self.at * self.at),
            // What is large is read only if somebody wants it.
            _ if cx.is_no_change() => {}
            _ => out.set_text(b"big"),
        }
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        Ok(self.at)
    }
}

fn connection(flags: VtabFlags, counts: bool) -> (LocalConnection, Log) {
    let log = Log::default();
    let conn = LocalConnection::open_in_memory().unwrap();
    let module = Squares {
        log: log.clone(),
        flags,
        kind: ModuleKind::Eponymous,
        counts,
    };
    conn.create_module("squares", Some(Arc::new(module)));
    (conn, log)
}

fn rows(conn: &LocalConnection, sql: &str) -> String {
    let mut text = String::new();
    let mut rows = conn.query(sql, ()).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let cells: Vec<String> = row
            .values()
            .iter()
            .map(|value| format!("{value:?}"))
            .collect();
        text.push_str(&cells.join("|"));
        text.push(' ');
    }
    text
}

fn said(log: &Log) -> String {
    std::mem::take(&mut *log.lock().unwrap()).join("; ")
}

#[test]
fn limits_reach_the_table_where_it_may_count_for_itself() {
    for counts in [true, false] {
        let (conn, log) = connection(VtabFlags::empty(), counts);
        let cases = [
            ("SELECT n FROM squares LIMIT 2", "filter L 2"),
            ("SELECT n FROM squares LIMIT 2 OFFSET 3", "filter OL 3,2"),
            (
                "SELECT n FROM squares WHERE n > 5 LIMIT 1+1 OFFSET 2",
                "filter >OL 5,2,2",
            ),
            ("SELECT n FROM squares ORDER BY n LIMIT 3", "filter L 3"),
            // Here it may not: rows are left out behind it, sorted, grouped, joined, or not wanted twice.
            (
                "SELECT n FROM squares WHERE square > 50 LIMIT 2",
                "filter  ",
            ),
            (
                "SELECT n FROM squares WHERE n > 5 OR square = 4 LIMIT 2",
                "filter  ",
            ),
            ("SELECT DISTINCT n FROM squares LIMIT 2", "filter  "),
            ("SELECT count(*) FROM squares LIMIT 1", "filter  "),
            (
                "SELECT square FROM squares ORDER BY square + 1 LIMIT 2",
                "filter  ",
            ),
            ("SELECT a.n FROM squares a, (SELECT 1) LIMIT 2", "filter  "),
            (
                "SELECT n FROM squares WHERE n > (SELECT 3) LIMIT 1",
                "filter >L 3,1",
            ),
        ];
        let plain = LocalConnection::open_in_memory().unwrap();
        plain
            .execute_batch(
                "CREATE TABLE squares AS SELECT value AS n, value * value AS square, 'big' AS big FROM generate_series(1, 100)",
            )
            .unwrap();
        for (sql, filter) in cases {
            assert_eq!(rows(&conn, sql), rows(&plain, sql), "{sql}");
            let asked = said(&log);
            if counts && !filter.ends_with("  ") {
                assert_eq!(asked, filter, "{sql}");
            } else {
                assert!(
                    !asked.contains('L') && !asked.contains('O'),
                    "{sql}: {asked}"
                );
            }
        }
    }
}

#[test]
fn columns_that_do_not_change_may_stay_where_they_are() {
    let (conn, log) = connection(VtabFlags::CONSTRAINTS, false);
    conn.execute("UPDATE squares SET square = 0 WHERE n = 7", ())
        .unwrap();
    assert_eq!(said(&log), "filter  ; update 7 7,0,same or 2");
    conn.execute("UPDATE OR REPLACE squares SET big = NULL WHERE n > 99", ())
        .unwrap();
    assert_eq!(said(&log), "filter > 99; update 100 100,10000, or 5");
    conn.execute("UPDATE squares SET big = x.b, n = n + 1 FROM (SELECT 3 AS a, 'new' AS b) AS x WHERE n = x.a", ())
        .unwrap();
    assert_eq!(said(&log), "filter  ; update 3 4,9,new or 2");
    conn.execute("DELETE FROM squares WHERE n > 98", ())
        .unwrap();
    assert_eq!(said(&log), "filter > 98; delete 99 or 2; delete 100 or 2");
}

#[test]
fn an_insert_returns_what_was_given() {
    let (conn, log) = connection(VtabFlags::empty(), false);
    let text = rows(
        &conn,
        "INSERT INTO squares(n, square) VALUES (1, 2), (3, 4) RETURNING n + square, big",
    );
    assert_eq!(text, "Integer(3)|Null Integer(7)|Null ");
    assert_eq!(said(&log), "insert 1,2, or 2; insert 3,4, or 2");
    assert_eq!(conn.last_insert_rowid(), 77);
    for (sql, message) in [
        (
            "UPDATE squares SET n = 1 RETURNING n",
            "UPDATE RETURNING is not available on virtual tables",
        ),
        (
            "DELETE FROM squares RETURNING n",
            "DELETE RETURNING is not available on virtual tables",
        ),
    ] {
        assert_eq!(conn.prepare(sql).unwrap_err().message(), message);
    }
}

#[test]
fn integrity_is_the_tables_own_affair() {
    let (conn, _) = connection(VtabFlags::empty(), false);
    conn.execute_batch("CREATE VIRTUAL TABLE s USING squares; CREATE TABLE t(a)")
        .unwrap();
    assert_eq!(
        rows(&conn, "PRAGMA integrity_check"),
        "Text(\"main.s is round\") "
    );
    assert_eq!(
        rows(&conn, "PRAGMA integrity_check(s)"),
        "Text(\"main.s is round\") "
    );
    assert_eq!(rows(&conn, "PRAGMA integrity_check(t)"), "Text(\"ok\") ");
    assert_eq!(rows(&conn, "PRAGMA quick_check"), "Text(\"ok\") ");
}

#[test]
fn a_schema_uses_what_it_is_trusted_with() {
    let cases = [
        (VtabFlags::empty(), [true, false]),
        (VtabFlags::INNOCUOUS, [true, true]),
        (VtabFlags::DIRECT_ONLY, [false, false]),
    ];
    for (flags, allowed) in cases {
        let (conn, _) = connection(flags, false);
        conn.execute_batch("CREATE VIEW v AS SELECT count(*) FROM squares; CREATE TEMP VIEW tv AS SELECT count(*) FROM squares")
            .unwrap();
        for (trusted, allowed) in [(1, allowed[0]), (0, allowed[1])] {
            conn.execute_batch(&format!("PRAGMA trusted_schema = {trusted}"))
                .unwrap();
            assert_eq!(rows(&conn, "SELECT count(*) FROM squares"), "Integer(100) ");
            assert_eq!(rows(&conn, "SELECT * FROM tv"), "Integer(100) ");
            let answer = conn.prepare("SELECT * FROM v").map(drop);
            assert_eq!(answer.is_ok(), allowed, "{flags:?} {trusted}");
            if let Err(error) = answer {
                assert_eq!(error.message(), "unsafe use of virtual table \"squares\"");
            }
        }
    }
    let (conn, _) = connection(VtabFlags::empty(), false);
    for (name, flags) in [
        ("plain", FunctionFlags::empty()),
        ("harmless", FunctionFlags::INNOCUOUS),
        ("direct", FunctionFlags::DIRECT_ONLY),
    ] {
        conn.create_scalar_function(name, 0, flags, |cx, _| {
            cx.result().set_int(1);
            Ok(())
        })
        .unwrap();
        let view = format!(
            "CREATE VIEW v_{name} AS SELECT {name}(); CREATE TEMP VIEW t_{name} AS SELECT {name}()"
        );
        conn.execute_batch(&view).unwrap();
    }
    for (trusted, allowed) in [(1, [true, true, false]), (0, [false, true, false])] {
        conn.execute_batch(&format!("PRAGMA trusted_schema = {trusted}"))
            .unwrap();
        for (name, allowed) in ["plain", "harmless", "direct"].iter().zip(allowed) {
            assert!(
                conn.prepare(&format!("SELECT {name}(), * FROM t_{name}"))
                    .is_ok()
            );
            let answer = conn.prepare(&format!("SELECT * FROM v_{name}")).map(drop);
            assert_eq!(answer.is_ok(), allowed, "{name} {trusted}");
            if let Err(error) = answer {
                assert_eq!(error.message(), format!("unsafe use of {name}()"));
            }
        }
    }
}

#[test]
fn tables_about_statements() {
    let conn = LocalConnection::open_in_memory().unwrap();
    conn.execute_batch(
        "CREATE TABLE t(a, b UNIQUE); CREATE TABLE log(x);
         CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END;",
    )
    .unwrap();
    let mut other = conn.prepare("SELECT a FROM t WHERE b > ?").unwrap();
    other.step().unwrap();
    let text = rows(
        &conn,
        "SELECT sql, ncol, ro, busy, run FROM sqlite_stmt ORDER BY sql",
    );
    assert_eq!(
        text,
        "Text(\"SELECT a FROM t WHERE b > ?\")|Integer(1)|Integer(1)|Integer(0)|Integer(1) \
         Text(\"SELECT sql, ncol, ro, busy, run FROM sqlite_stmt ORDER BY sql\")|Integer(5)|Integer(1)|Integer(1)|Integer(1) "
    );
    drop(other);
    assert_eq!(
        rows(&conn, "SELECT count(*) FROM sqlite_stmt"),
        "Integer(1) "
    );
    assert_eq!(
        rows(
            &conn,
            "SELECT type, schema, name, wr, subprog FROM tables_used('INSERT INTO t SELECT x, x FROM log') ORDER BY name, wr, subprog"
        ),
        "Text(\"table\")|Text(\"main\")|Text(\"log\")|Integer(0)|Null \
         Text(\"table\")|Text(\"main\")|Text(\"log\")|Integer(1)|Text(\"TRIGGER r\") \
         Text(\"index\")|Text(\"main\")|Text(\"sqlite_autoindex_t_1\")|Integer(1)|Null \
         Text(\"table\")|Text(\"main\")|Text(\"t\")|Integer(1)|Null "
    );
    let explained = rows(&conn, "EXPLAIN SELECT a FROM t WHERE b = 3");
    let coded = rows(
        &conn,
        "SELECT addr, opcode, p1, p2, p3, p4, p5, comment FROM bytecode('SELECT a FROM t WHERE b = 3')",
    );
    assert_eq!(explained, coded);
    let error = conn
        .query_row("SELECT * FROM bytecode(17)", ())
        .unwrap_err();
    assert_eq!(
        error.message(),
        "argument to bytecode() is not a valid SQL statement"
    );
    let error = conn
        .query_row("SELECT * FROM tables_used('SELECT nosuch')", ())
        .unwrap_err();
    assert_eq!(error.message(), "no such column: nosuch");
}
