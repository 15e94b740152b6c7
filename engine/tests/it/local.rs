//! `LocalConnection`: statements, parameters, transactions, functions, interrupts.

use ringwood::{Error, FunctionDef, LocalConnection, Value, ValueRef, named_params, params};

fn numbers(count: i64) -> LocalConnection {
    let conn = LocalConnection::open_in_memory().unwrap();
    conn.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, s TEXT)")
        .unwrap();
    let mut insert = conn.prepare("INSERT INTO t(n, s) VALUES (?1, ?2)").unwrap();
    for i in 0..count {
        assert_eq!(insert.execute((i * i, format!("s{i}"))).unwrap(), 1);
    }
    conn
}

#[test]
fn values_of_every_kind_go_in_and_come_out() {
    let conn = LocalConnection::open_in_memory().unwrap();
    conn.execute_batch("CREATE TABLE v(x)").unwrap();
    let values = [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Real(0.1),
        Value::Text("na\u{ef}ve".into()),
        Value::Blob(vec![0, 255, 7]),
    ];
    for value in &values {
        conn.execute("INSERT INTO v VALUES (?)", [value.clone()])
            .unwrap();
    }
    let mut rows = conn
        .query("SELECT x, typeof(x) FROM v ORDER BY rowid", ())
        .unwrap();
    for value in &values {
        let row = rows.next().unwrap().unwrap();
        assert_eq!(row.get_value(0).unwrap(), *value);
        assert_eq!(
            row.get_str(1).unwrap(),
            value.value_type().to_string().to_lowercase()
        );
    }
    assert!(rows.next().unwrap().is_none());
}

#[test]
fn parameters_by_position_and_by_name() {
    let conn = numbers(10);
    let named = named_params! {":low": 10, ":high": 30};
    let row = conn
        .query_row(
            "SELECT count(*), min(n) FROM t WHERE n BETWEEN :low AND :high",
            named,
        )
        .unwrap();
    assert_eq!(
        (row.get::<i64>(0).unwrap(), row.get::<i64>(1).unwrap()),
        (2, 16)
    );
    let row = conn.query_row("SELECT ?2 || ?1", params!["a", 7]).unwrap();
    assert_eq!(row.get_str(0).unwrap(), "7a");
    let error = conn.query("SELECT ?", (1, 2)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::InvalidParameterCount {
                given: 2,
                wanted: 1
            }
        ),
        "{error}"
    );
    let error = conn
        .query("SELECT :a", named_params! {":b": 1})
        .unwrap_err();
    assert!(matches!(error, Error::InvalidParameterName(name) if name == ":b"));
}

#[test]
fn a_statement_steps_borrows_resets_and_starts_over() {
    let conn = numbers(3);
    let mut statement = conn
        .prepare("SELECT n AS square, s FROM t ORDER BY n DESC")
        .unwrap();
    assert_eq!(
        (statement.column_count(), statement.column_name(0)),
        (2, "square")
    );
    assert_eq!(statement.columns()[0].origin_name, Some("n"));
    assert_eq!(statement.columns()[0].decl_type, Some("INT"));
    for _ in 0..2 {
        assert!(statement.step().unwrap());
        assert_eq!(statement.column(0), ValueRef::Integer(4));
        assert_eq!(statement.column(1), ValueRef::Text(b"s2"));
        assert!(statement.step().unwrap());
        statement.reset();
    }
    let mut count = 0;
    while statement.step().unwrap() {
        count += 1;
    }
    assert_eq!(count, 3);
    assert!(statement.step().unwrap(), "after the end it starts over");
}

#[test]
fn two_statements_of_one_connection_interleave() {
    let conn = numbers(100);
    let mut read = conn.prepare("SELECT id FROM t ORDER BY id").unwrap();
    let mut write = conn
        .prepare("UPDATE t SET s = 'seen' WHERE id = ?")
        .unwrap();
    let mut seen = 0;
    while read.step().unwrap() {
        let ValueRef::Integer(id) = read.column(0) else {
            panic!()
        };
        write.execute([id]).unwrap();
        seen += 1;
    }
    assert_eq!(seen, 100);
    let row = conn
        .query_row("SELECT count(*) FROM t WHERE s = 'seen'", ())
        .unwrap();
    assert_eq!(row.get::<i64>(0).unwrap(), 100);
}

#[test]
fn a_statement_outlives_a_change_of_the_schema() {
    let conn = numbers(5);
    let mut all = conn.prepare("SELECT * FROM t WHERE id = 1").unwrap();
    assert!(all.step().unwrap());
    assert_eq!(all.column_count(), 3);
    all.reset();
    conn.execute_batch(
        "DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 'new')",
    )
    .unwrap();
    assert!(all.step().unwrap());
    assert_eq!(all.column_count(), 2);
    assert_eq!(all.column(1), ValueRef::Text(b"new"));
}

#[test]
fn transactions_and_savepoints() {
    let conn = numbers(1);
    conn.execute("BEGIN", ()).unwrap();
    assert!(!conn.is_autocommit());
    conn.execute("INSERT INTO t(n) VALUES (5)", ()).unwrap();
    conn.execute_batch("SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; RELEASE a")
        .unwrap();
    conn.execute("COMMIT", ()).unwrap();
    assert!(conn.is_autocommit());
    assert_eq!(
        conn.query_row("SELECT count(*) FROM t", ())
            .unwrap()
            .get::<i64>(0)
            .unwrap(),
        2
    );
    assert_eq!((conn.last_insert_rowid(), conn.total_changes()), (2, 4));
}

#[test]
fn a_failed_statement_leaves_no_trace_and_the_transaction_goes_on() {
    let conn = LocalConnection::open_in_memory().unwrap();
    conn.execute_batch("CREATE TABLE u(x UNIQUE); BEGIN; INSERT INTO u VALUES (5)")
        .unwrap();
    let error = conn
        .execute("INSERT INTO u VALUES (1),(2),(5),(7)", ())
        .unwrap_err();
    assert_eq!(error.message(), "UNIQUE constraint failed: u.x");
    conn.execute("COMMIT", ()).unwrap();
    let row = conn
        .query_row("SELECT count(*), max(x) FROM u", ())
        .unwrap();
    assert_eq!(
        (row.get::<i64>(0).unwrap(), row.get::<i64>(1).unwrap()),
        (1, 5)
    );
}

#[test]
fn execute_refuses_rows_and_query_row_wants_one() {
    let conn = numbers(1);
    assert!(matches!(
        conn.execute("SELECT 1", ()),
        Err(Error::ExecuteReturnedRows)
    ));
    assert!(matches!(
        conn.query_row("SELECT 1 WHERE 0", ()),
        Err(Error::QueryReturnedNoRows)
    ));
    assert!(matches!(
        conn.prepare("  -- nothing\n"),
        Err(Error::Misuse(_))
    ));
}

#[test]
fn functions_of_the_application() {
    let conn = numbers(4);
    conn.register_function(FunctionDef::scalar("twice", 1, |ctx, args| {
        let n = args[0].as_int().unwrap_or(0);
        ctx.result().set_int(n * 2);
        Ok(())
    }));
    let row = conn.query_row("SELECT sum(twice(n)) FROM t", ()).unwrap();
    assert_eq!(row.get::<i64>(0).unwrap(), 28);
    let error = conn.prepare("SELECT twice(1, 2)").unwrap_err();
    assert_eq!(
        error.message(),
        "wrong number of arguments to function twice()"
    );
}

#[test]
fn an_interrupt_from_another_thread_ends_the_statement() {
    let conn = numbers(200);
    let handle = conn.interrupt_handle();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        handle.interrupt();
    });
    let endless =
        "SELECT count(*) FROM t a, t b, t c, t d, t e WHERE a.n + b.n + c.n + d.n + e.n < 0";
    let error = conn.query_row(endless, ()).unwrap_err();
    thread.join().unwrap();
    assert_eq!(
        (error.primary_code(), error.message().as_str()),
        (9, "interrupted")
    );
    assert_eq!(
        conn.query_row("SELECT count(*) FROM t", ())
            .unwrap()
            .get::<i64>(0)
            .unwrap(),
        200
    );
}

#[test]
fn a_progress_handler_can_end_the_statement() {
    let conn = numbers(200);
    let mut calls = 0;
    conn.progress_handler(
        1000,
        Some(Box::new(move || {
            calls += 1;
            calls > 20
        })),
    );
    let error = conn
        .query_row("SELECT count(*) FROM t a, t b, t c WHERE a.n = b.s", ())
        .unwrap_err();
    assert_eq!(error.primary_code(), 9);
    conn.progress_handler(0, None);
    assert_eq!(
        conn.query_row("SELECT count(*) FROM t", ())
            .unwrap()
            .get::<i64>(0)
            .unwrap(),
        200
    );
}
