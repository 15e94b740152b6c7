//! Modules of the application: changes, transactions, savepoints, waiting, shadow tables, functions of their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ringwood::vtab::{
    Constraint, ConstraintOp, Declared, IndexInfo, IndexPlan, LocalFuture, Module, ModuleArgs,
    OnConflict, Overload, Unusable, VirtualCursor, VirtualTable, VtabChange, VtabContext,
    VtabError, VtabStep, VtabStop, WaitContext,
};
use ringwood::{FunctionDef, FunctionFlags, LocalConnection, Mem};

type Log = Arc<Mutex<Vec<String>>>;

/// Rowid, number, text.
type Row = (i64, i64, String);

/// A table of pairs in memory, which tells what happens to it.
struct Pairs {
    log: Log,
    rows: Arc<Mutex<Vec<Row>>>,
    /// Every step waits once before it is made.
    lazy: bool,
    waits: Arc<AtomicUsize>,
}

struct PairTable {
    log: Log,
    rows: Arc<Mutex<Vec<Row>>>,
    undo: Vec<(usize, Vec<Row>)>,
    lazy: bool,
    waits: Arc<AtomicUsize>,
    ready: bool,
    shadow: Option<String>,
}

impl Module for Pairs {
    fn connect(&self, args: &ModuleArgs) -> VtabStep<Declared> {
        let what = if args.is_new { "create" } else { "connect" };
        let line = format!("{what} {} {} {}", args.db, args.table, args.args.join("|"));
        self.log.lock().unwrap().push(line);
        let shadow = args.args.first().filter(|arg| *arg == "shadow");
        let table = PairTable {
            log: self.log.clone(),
            rows: self.rows.clone(),
            undo: Vec::new(),
            lazy: self.lazy,
            waits: self.waits.clone(),
            ready: false,
            shadow: shadow.map(|_| format!("{}_data", args.table)),
        };
        Ok(Declared::new(
            "CREATE TABLE x(a INTEGER, b TEXT, hint HIDDEN)",
            table,
        ))
    }

    fn is_shadow(&self, suffix: &str) -> bool {
        suffix == "data"
    }
}

impl PairTable {
    fn say(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    /// In a lazy table every step waits once.
    fn need(&mut self) -> VtabStep {
        if self.lazy && !std::mem::take(&mut self.ready) {
            return Err(VtabStop::Wait);
        }
        Ok(())
    }
}

impl VirtualTable for PairTable {
    fn best_index(&self, info: &mut IndexInfo) -> Result<(), Unusable> {
        let line = |c: &Constraint| format!("{}:{}", c.column, c.op.0);
        let asked: Vec<String> = info.usable().map(|(_, c)| line(c)).collect();
        self.say(format!("best_index {}", asked.join(" ")));
        let wanted = |c: &Constraint| c.column == 0 && c.op == ConstraintOp::EQ;
        let found = info.usable().find(|(_, c)| wanted(c)).map(|(i, _)| i);
        info.estimated_cost = 1000.0;
        if let Some(at) = found {
            info.usage[at].argument = 1;
            info.plan.number = 1;
            info.plan.text = Some("by a".into());
            info.estimated_cost = 10.0;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>, VtabError> {
        Ok(Box::new(PairCursor {
            rows: self.rows.clone(),
            found: Vec::new(),
            at: 0,
            lazy: self.lazy,
            ready: false,
            waits: self.waits.clone(),
        }))
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn create(&mut self) -> VtabStep {
        if self.shadow.is_some() && !std::mem::take(&mut self.ready) {
            return Err(VtabStop::Wait);
        }
        self.say("made");
        Ok(())
    }

    fn destroy(&mut self) -> VtabStep {
        self.say("destroy");
        Ok(())
    }

    fn update(&mut self, change: &VtabChange<'_>, _: OnConflict) -> VtabStep<i64> {
        self.need()?;
        let mut rows = self.rows.lock().unwrap();
        let row = |rowid: i64, columns: &[Mem]| {
            let text = String::from_utf8_lossy(&columns[1].to_text()).into_owned();
            (rowid, columns[0].to_int(), text)
        };
        match change {
            VtabChange::Delete { rowid } => rows.retain(|r| r.0 != rowid.to_int()),
            VtabChange::Insert { rowid, columns } => {
                let next = rows.iter().map(|r| r.0).max().unwrap_or(0) + 1;
                let rowid = if rowid.is_null() {
                    next
                } else {
                    rowid.to_int()
                };
                rows.push(row(rowid, columns));
                return Ok(rowid);
            }
            VtabChange::Update {
                old_rowid,
                new_rowid,
                columns,
            } => {
                let old = old_rowid.to_int();
                if let Some(at) = rows.iter().position(|r| r.0 == old) {
                    rows[at] = row(new_rowid.to_int(), columns);
                }
            }
        }
        Ok(0)
    }

    fn begin(&mut self) -> VtabStep {
        self.say("begin");
        let rows = self.rows.lock().unwrap().clone();
        self.undo = vec![(usize::MAX, rows)];
        Ok(())
    }

    fn sync(&mut self) -> VtabStep {
        self.need()?;
        self.say("sync");
        Ok(())
    }

    fn commit(&mut self) {
        self.say("commit");
    }

    fn rollback(&mut self) {
        self.say("rollback");
        if let Some((_, rows)) = self.undo.first() {
            self.rows.lock().unwrap().clone_from(rows);
        }
    }

    fn savepoint(&mut self, number: usize) {
        let rows = self.rows.lock().unwrap().clone();
        self.undo.push((number, rows));
    }

    fn rollback_to(&mut self, number: usize) {
        self.say(format!("rollback to {number}"));
        if let Some((_, rows)) = self.undo.iter().rev().find(|(n, _)| *n == number) {
            self.rows.lock().unwrap().clone_from(rows);
        }
    }

    fn find_function(&self, name: &str, args: usize) -> Option<Overload> {
        if (name, args) != ("match", 2) {
            return None;
        }
        let function = FunctionDef::scalar("match", 2, |cx, args| {
            let (pattern, text) = (args[0].to_text(), args[1].to_text());
            cx.result().set_bool(text.starts_with(&pattern));
            Ok(())
        });
        Some(Overload { function, op: None })
    }

    fn wait<'a>(&'a mut self, mut cx: WaitContext<'a>) -> LocalFuture<'a, Result<(), VtabError>> {
        Box::pin(async move {
            self.waits.fetch_add(1, Ordering::Relaxed);
            self.ready = true;
            if let Some(shadow) = self.shadow.take() {
                cx.query(&format!("CREATE TABLE {shadow}(x)"), &[]).await?;
                cx.query(&format!("INSERT INTO {shadow} VALUES(7)"), &[])
                    .await?;
            }
            Ok(())
        })
    }
}

struct PairCursor {
    rows: Arc<Mutex<Vec<Row>>>,
    found: Vec<Row>,
    at: usize,
    lazy: bool,
    ready: bool,
    waits: Arc<AtomicUsize>,
}

impl PairCursor {
    fn need(&mut self) -> VtabStep {
        if self.lazy && !std::mem::take(&mut self.ready) {
            return Err(VtabStop::Wait);
        }
        Ok(())
    }
}

impl VirtualCursor for PairCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, plan: &IndexPlan, args: &[Mem]) -> VtabStep {
        self.need()?;
        let wanted = (plan.number == 1).then(|| args[0].to_int());
        let rows = self.rows.lock().unwrap();
        let fits = |row: &&Row| wanted.is_none_or(|wanted| row.1 == wanted);
        self.found = rows.iter().filter(fits).cloned().collect();
        self.at = 0;
        Ok(())
    }

    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        self.need()?;
        self.at += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.at >= self.found.len()
    }

    fn column(&mut self, _: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        self.need()?;
        match column {
            0 => out.set_int(self.found[self.at].1),
            1 => out.set_text(self.found[self.at].2.as_bytes()),
            _ => {}
        }
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        self.need()?;
        Ok(self.found[self.at].0)
    }

    fn wait<'a>(&'a mut self, cx: WaitContext<'a>) -> LocalFuture<'a, Result<(), VtabError>> {
        Box::pin(async move {
            self.waits.fetch_add(1, Ordering::Relaxed);
            self.ready = true;
            cx.io().sleep(std::time::Duration::from_micros(10)).await;
            Ok(())
        })
    }
}

struct Setup {
    conn: LocalConnection,
    log: Log,
    waits: Arc<AtomicUsize>,
}

fn setup(lazy: bool) -> Setup {
    let conn = LocalConnection::open_in_memory().unwrap();
    let (log, waits) = (Log::default(), Arc::new(AtomicUsize::new(0)));
    let module = Pairs {
        log: log.clone(),
        rows: Arc::default(),
        lazy,
        waits: waits.clone(),
    };
    conn.create_module("pairs", Some(Arc::new(module)));
    Setup { conn, log, waits }
}

impl Setup {
    fn text(&self, sql: &str) -> String {
        let mut rows = self.conn.query(sql, ()).unwrap();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<String> = (0..row.column_count())
                .map(|i| format!("{:?}", row.get_value(i).unwrap()))
                .collect();
            lines.push(cells.join(","));
        }
        lines.join(";")
    }

    fn said(&self) -> Vec<String> {
        let mut log = self.log.lock().unwrap();
        let said = log.drain(..).filter(|line| !line.starts_with("best_index"));
        said.collect()
    }
}

fn changes(lazy: bool) {
    let s = setup(lazy);
    let conn = &s.conn;
    conn.execute_batch("CREATE VIRTUAL TABLE p USING pairs(x, 'y z', (1,2))")
        .unwrap();
    assert_eq!(
        s.said(),
        ["create main p x|'y z'|(1,2)", "made", "sync", "commit"]
    );
    conn.execute_batch("INSERT INTO p VALUES(1,'one'),(2,'two'),(3,'three')")
        .unwrap();
    assert_eq!(conn.last_insert_rowid(), 3);
    assert_eq!(s.said(), ["begin", "sync", "commit"]);
    conn.execute_batch("INSERT INTO p(rowid, b) VALUES(10,'ten')")
        .unwrap();
    conn.execute_batch("UPDATE p SET b=b||'!' WHERE a=2")
        .unwrap();
    assert_eq!(conn.changes(), 1);
    conn.execute_batch("DELETE FROM p WHERE a=3").unwrap();
    let all = s.text("SELECT rowid, a, b FROM p ORDER BY rowid");
    assert_eq!(
        all,
        "Integer(1),Integer(1),Text(\"one\");Integer(2),Integer(2),Text(\"two!\");Integer(10),Integer(0),Text(\"ten\")"
    );
    assert_eq!(s.text("SELECT b FROM p WHERE a=2"), "Text(\"two!\")");
    assert_eq!(
        s.text("SELECT b FROM p WHERE a IN (1,2,2) ORDER BY b"),
        "Text(\"one\");Text(\"two!\")"
    );
    assert_eq!(
        s.text("SELECT b FROM p WHERE b MATCH 'tw'"),
        "Text(\"two!\")"
    );
    let plan = s.text("EXPLAIN QUERY PLAN SELECT * FROM p WHERE a=2");
    assert!(plan.contains("SCAN p VIRTUAL TABLE INDEX 1:by a"), "{plan}");
    s.said();
    // A transaction, a savepoint.
    conn.execute_batch("BEGIN; INSERT INTO p VALUES(7,'seven'); SAVEPOINT s; DELETE FROM p")
        .unwrap();
    assert_eq!(s.text("SELECT count(*) FROM p"), "Integer(0)");
    conn.execute_batch("ROLLBACK TO s").unwrap();
    assert_eq!(s.text("SELECT count(*) FROM p"), "Integer(4)");
    conn.execute_batch("ROLLBACK").unwrap();
    assert_eq!(s.text("SELECT count(*) FROM p"), "Integer(3)");
    let said = s.said();
    assert_eq!(said.first().map(String::as_str), Some("begin"));
    assert!(said.contains(&"rollback to 0".to_owned()), "{said:?}");
    assert_eq!(said.last().map(String::as_str), Some("rollback"));
    conn.execute_batch("DROP TABLE p").unwrap();
    assert!(s.said().contains(&"destroy".to_owned()));
    let error = conn.query_row("SELECT * FROM p", ()).unwrap_err();
    assert_eq!(error.message(), "no such table: p");
    assert_eq!(s.waits.load(Ordering::Relaxed) > 0, lazy);
}

#[test]
fn a_module_that_has_its_rows_at_hand() {
    changes(false);
}

#[test]
fn a_module_that_waits_at_every_step() {
    changes(true);
}

#[test]
fn a_module_keeps_shadow_tables() {
    let s = setup(false);
    s.conn
        .execute_batch("CREATE VIRTUAL TABLE p USING pairs(shadow)")
        .unwrap();
    assert_eq!(s.text("SELECT x FROM p_data"), "Integer(7)");
    let kinds =
        s.text("SELECT name, type FROM pragma_table_list WHERE name LIKE 'p%' ORDER BY name");
    assert_eq!(
        kinds,
        "Text(\"p\"),Text(\"virtual\");Text(\"p_data\"),Text(\"shadow\")"
    );
}

#[test]
fn tables_are_connected_when_a_file_is_opened_again() {
    let dir = std::env::temp_dir().join(format!("ringwood-vtab-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("v.db");
    let module = || Pairs {
        log: Log::default(),
        rows: Arc::default(),
        lazy: false,
        waits: Arc::default(),
    };
    {
        let conn = LocalConnection::open(&path).unwrap();
        conn.create_module("pairs", Some(Arc::new(module())));
        conn.execute_batch("CREATE VIRTUAL TABLE p USING pairs(q)")
            .unwrap();
    }
    let conn = LocalConnection::open(&path).unwrap();
    let error = conn.query_row("SELECT * FROM p", ()).unwrap_err();
    assert_eq!(error.message(), "no such module: pairs");
    let log = Log::default();
    conn.create_module(
        "pairs",
        Some(Arc::new(Pairs {
            log: log.clone(),
            ..module()
        })),
    );
    conn.execute_batch("INSERT INTO p VALUES(1,'x')").unwrap();
    assert_eq!(log.lock().unwrap()[0], "connect main p q");
    conn.close().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn functions_are_registered_replaced_and_removed() {
    let conn = LocalConnection::open_in_memory().unwrap();
    let int = |sql: &str| conn.query_row(sql, ()).and_then(|row| row.get::<i64>(0));
    let none = FunctionFlags::empty();
    conn.create_scalar_function("f", 1, none, |cx, args| {
        cx.result().set_int(args[0].to_int() + 1);
        Ok(())
    })
    .unwrap();
    conn.create_scalar_function("f", -1, none, |cx, args| {
        cx.result().set_int(args.len() as i64 * 100);
        Ok(())
    })
    .unwrap();
    assert_eq!(int("SELECT f(1)").unwrap(), 2);
    assert_eq!(int("SELECT f(1,2,3)").unwrap(), 300);
    assert_eq!(int("SELECT f()").unwrap(), 0);
    let mut running = conn.prepare("SELECT f(1) UNION ALL SELECT 2").unwrap();
    running.step().unwrap();
    let error = conn.remove_function("f", 1).unwrap_err();
    assert_eq!(
        (error.extended_code(), error.message().as_str()),
        (
            5,
            "unable to delete/modify user-function due to active statements"
        )
    );
    drop(running);
    let mut prepared = conn.prepare("SELECT f(1)").unwrap();
    assert!(conn.remove_function("F", 1).unwrap());
    assert!(!conn.remove_function("abs", 1).unwrap());
    assert!(prepared.step().unwrap());
    assert_eq!(
        prepared.column(0),
        ringwood::ValueRef::Integer(100),
        "prepared anew"
    );
    prepared.reset();
    conn.create_scalar_function("abs", 1, none, |cx, _| {
        cx.result().set_int(-1);
        Ok(())
    })
    .unwrap();
    assert_eq!(int("SELECT abs(5)").unwrap(), -1);
    conn.create_scalar_function("private", 0, FunctionFlags::DIRECT_ONLY, |cx, _| {
        cx.result().set_int(1);
        Ok(())
    })
    .unwrap();
    conn.execute_batch("CREATE VIEW v AS SELECT private() AS x")
        .unwrap();
    assert_eq!(int("SELECT private()").unwrap(), 1);
    assert_eq!(
        int("SELECT x FROM v").unwrap_err().message(),
        "unsafe use of private()"
    );
    let too_many = conn.create_scalar_function("g", 1001, none, |_, _| Ok(()));
    assert_eq!(too_many.unwrap_err().extended_code(), 21);
}
