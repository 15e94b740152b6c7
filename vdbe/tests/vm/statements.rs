//! What the end of a statement does to the transaction around it, and what may stop a statement.

use crate::assembler::assemble;
use crate::golden::{Setting, environment, environment_with, go_cold, run};
use ringwood_format::encoding::TextEncoding;
use ringwood_vdbe::{Env, Vm, func};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

struct Session {
    env: Env,
    encoding: TextEncoding,
}

impl Session {
    fn new() -> Session {
        Session::with(environment(TextEncoding::Utf8), TextEncoding::Utf8)
    }

    fn with(env: Env, encoding: TextEncoding) -> Session {
        let mut session = Session { env, encoding };
        let made = session.run("Transaction 0 1\nCreateBtree 0 1 1\nResultRow 1 1");
        assert_eq!(made, "2\ndone\n");
        session
    }

    fn vm(&self, code: &str) -> Vm {
        Vm::new(Arc::new(assemble(code, &func::builtins(), self.encoding)))
    }

    fn run(&mut self, code: &str) -> String {
        let mut vm = self.vm(code);
        run(&mut self.env, &mut vm)
    }

    fn begin(&mut self) -> String {
        self.run("AutoCommit 0")
    }

    fn commit(&mut self) -> String {
        self.run("AutoCommit 1")
    }

    fn rollback(&mut self) -> String {
        self.run("AutoCommit 1 1")
    }

    /// Inserts rowids `from` and the next, and then ends with `halt`.
    fn insert_two(&mut self, from: i32, halt: &str) -> String {
        self.run(&format!(
            ".count\n.journal\nTransaction 0 1\nOpenWrite 0 2 0 1\nInteger {from} 1\nMakeRecord 1 1 2\n\
             Insert 0 2 1 0 p5=1\nAddImm 1 1\nInsert 0 2 1 0 p5=1\n{halt}"
        ))
    }

    fn count(&mut self) -> String {
        self.run("Transaction 0 0\nOpenRead 0 2 0 1\nCount 0 1\nResultRow 1 1")
    }
}

const ABORT: &str = "Halt 2067 2 0 \"t.a\" p5=2";
const FAIL: &str = "Halt 2067 3 0 \"t.a\" p5=2";
const ROLLBACK: &str = "Halt 2067 1 0 \"t.a\" p5=2";
const FAILED: &str = "error 2067 UNIQUE constraint failed: t.a";

#[test]
fn autocommit_commits_or_undoes_the_statement() {
    let mut s = Session::new();
    assert_eq!(s.insert_two(1, "Halt"), "done, 2 changes\n");
    assert_eq!(s.insert_two(3, ABORT), format!("{FAILED}, 0 changes\n"));
    assert_eq!(s.count(), "2\ndone\n");
    assert_eq!(s.insert_two(3, FAIL), format!("{FAILED}, 2 changes\n"));
    assert_eq!(s.count(), "4\ndone\n");
    assert_eq!(s.insert_two(5, ROLLBACK), format!("{FAILED}, 0 changes\n"));
    assert_eq!(s.count(), "4\ndone\n");
    assert_eq!(s.env.facts.total_changes, 4);
}

#[test]
fn abort_inside_a_transaction_undoes_the_statement_only() {
    let mut s = Session::new();
    s.begin();
    s.insert_two(1, "Halt");
    assert_eq!(s.insert_two(3, ABORT), format!("{FAILED}, 0 changes\n"));
    assert_eq!(s.count(), "2\ndone\n");
    assert_eq!(s.insert_two(5, FAIL), format!("{FAILED}, 2 changes\n"));
    assert_eq!(s.count(), "4\ndone\n");
    assert_eq!(s.commit(), "done\n");
    assert_eq!(s.count(), "4\ndone\n");
}

#[test]
fn rollback_inside_a_transaction_ends_it() {
    let mut s = Session::new();
    s.begin();
    s.insert_two(1, "Halt");
    assert_eq!(s.insert_two(3, ROLLBACK), format!("{FAILED}, 0 changes\n"));
    assert!(s.env.autocommit);
    assert_eq!(
        s.commit(),
        "error 1 cannot commit - no transaction is active\n"
    );
    assert_eq!(s.count(), "0\ndone\n");
}

#[test]
fn begin_commit_rollback_say_where_they_do_not_belong() {
    let mut s = Session::new();
    assert_eq!(
        s.rollback(),
        "error 1 cannot rollback - no transaction is active\n"
    );
    assert_eq!(s.begin(), "done\n");
    assert_eq!(
        s.begin(),
        "error 1 cannot start a transaction within a transaction\n"
    );
    s.insert_two(1, "Halt");
    assert_eq!(s.rollback(), "done\n");
    assert_eq!(s.count(), "0\ndone\n");
}

#[test]
fn savepoints_nest() {
    let mut s = Session::new();
    let savepoint =
        |s: &mut Session, what: i32, name: &str| s.run(&format!("Savepoint {what} 0 0 \"{name}\""));
    assert_eq!(savepoint(&mut s, 1, "x"), "error 1 no such savepoint: x\n");
    s.begin();
    s.insert_two(1, "Halt");
    savepoint(&mut s, 0, "a");
    s.insert_two(3, "Halt");
    savepoint(&mut s, 0, "b");
    s.insert_two(5, "Halt");
    assert_eq!(savepoint(&mut s, 2, "B"), "done\n");
    assert_eq!(s.count(), "4\ndone\n");
    s.insert_two(7, "Halt");
    assert_eq!(savepoint(&mut s, 2, "A"), "done\n");
    assert_eq!(s.count(), "2\ndone\n");
    assert_eq!(savepoint(&mut s, 1, "b"), "error 1 no such savepoint: b\n");
    s.insert_two(9, "Halt");
    assert_eq!(savepoint(&mut s, 1, "a"), "done\n");
    assert_eq!(s.count(), "4\ndone\n");
    assert_eq!(s.commit(), "done\n");
    assert_eq!(s.count(), "4\ndone\n");
}

#[test]
fn an_outermost_savepoint_is_a_transaction() {
    let mut s = Session::new();
    s.run("Savepoint 0 0 0 \"a\"");
    assert!(!s.env.autocommit);
    s.insert_two(1, "Halt");
    s.run("Savepoint 2 0 0 \"a\"");
    assert_eq!(s.count(), "0\ndone\n");
    s.insert_two(1, "Halt");
    assert_eq!(s.run("Savepoint 1 0 0 \"a\""), "done\n");
    assert!(s.env.autocommit);
    assert_eq!(s.count(), "2\ndone\n");
}

#[test]
fn a_changed_schema_is_noticed() {
    let mut s = Session::new();
    assert_eq!(s.run("Transaction 0 1\nSetCookie 0 1 7"), "done\n");
    assert_eq!(s.env.dbs[0].schema_cookie, 7);
    assert_eq!(
        s.run("Transaction 0 0 7 0 p5=1\nReadCookie 0 1 1\nResultRow 1 1"),
        "7\ndone\n"
    );
    assert_eq!(
        s.run("Transaction 0 0 6 0 p5=1"),
        "error 17 database schema has changed\n"
    );
    assert!(!s.env.schema_reset, "the schema in memory is the file's");
    s.env.dbs[0].schema_cookie = 6;
    assert_eq!(
        s.run("Transaction 0 0 6 0 p5=1"),
        "error 17 database schema has changed\n"
    );
    assert!(s.env.schema_reset);
}

#[test]
fn a_rolled_back_schema_change_asks_for_the_schema_again() {
    let mut s = Session::new();
    s.begin();
    s.run("Transaction 0 1\nSetCookie 0 1 9");
    assert!(!s.env.schema_reset);
    s.rollback();
    assert!(s.env.schema_reset);
}

#[test]
fn an_endless_loop_can_be_stopped() {
    let endless = "loop:\nInteger 1 1\nGoto 0 @loop";
    let mut s = Session::new();
    let mut left = 5;
    s.env.hooks.progress = Some((
        1000,
        Box::new(move || {
            left -= 1;
            left == 0
        }),
    ));
    assert_eq!(s.run(endless), "error 9 interrupted\n");
    s.env.hooks.progress = None;
    let interrupt = s.env.interrupt.clone();
    let stopped = Arc::new(AtomicBool::new(false));
    let seen = stopped.clone();
    let thread = std::thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            interrupt.store(true, Ordering::Relaxed);
            std::thread::yield_now();
        }
    });
    assert_eq!(s.run(endless), "error 9 interrupted\n");
    stopped.store(true, Ordering::Relaxed);
    thread.join().expect("the thread");
    assert_eq!(s.run("Integer 1 1\nResultRow 1 1"), "1\ndone\n");
}

#[test]
fn readers_and_writers_of_one_connection_mix() {
    let mut s = Session::new();
    for rowid in (1..20).step_by(2) {
        s.insert_two(rowid, "Halt");
    }
    let io = s.env.io.clone();
    let mut reader = s.vm("Transaction 0 0\nOpenRead 0 2 0 1\nRewind 0 @end\nloop:\nRowid 0 1\nResultRow 1 1\nNext 0 @loop\nend:\nHalt");
    for _ in 0..3 {
        io.block_on(reader.step(&mut s.env)).expect("a row");
    }
    assert_eq!(
        s.run("Transaction 0 1\nDestroy 2 1 0"),
        "error 6 database table is locked\n"
    );
    // Rows behind and before the reader go, and a commit happens in between.
    let delete = "Transaction 0 1\nOpenWrite 0 2 0 1\nInteger 4 1\nNotExists 0 @a 1\nDelete 0\na:\nInteger 2 1\n\
                  NotExists 0 @b 1\nDelete 0\nb:\nHalt";
    assert_eq!(s.run(delete), "done\n");
    let mut rest = Vec::new();
    while io.block_on(reader.step(&mut s.env)).expect("a step") == ringwood_vdbe::Exit::Row {
        rest.push(reader.row()[0].to_int());
    }
    assert_eq!(rest, (5..=20).collect::<Vec<_>>());
    io.block_on(reader.reset(&mut s.env)).expect("a reset");
    assert_eq!(s.count(), "18\ndone\n");
}

#[test]
fn an_abandoned_writer_is_undone() {
    let mut s = Session::new();
    let io = s.env.io.clone();
    let code = ".count\nTransaction 0 1\nOpenWrite 0 2 0 1\nInteger 1 1\nMakeRecord 1 1 2\nInsert 0 2 1 0 p5=1\n\
                ResultRow 1 1\nHalt";
    let mut vm = s.vm(code);
    io.block_on(vm.step(&mut s.env)).expect("a row");
    vm.abandon(&mut s.env);
    assert_eq!(s.count(), "0\ndone\n");
    // A reset, in contrast, ends it as after its last row.
    io.block_on(vm.step(&mut s.env)).expect("a row");
    io.block_on(vm.reset(&mut s.env)).expect("a reset");
    assert_eq!(s.count(), "1\ndone\n");
}

#[test]
fn a_sorter_spills() {
    let sort = |rows: i32, memory: usize| {
        let mut s = Session::new();
        s.env.sorter_memory = memory;
        s.run(&format!(
            "SorterOpen 0 3 0 k(B,-B)\nOpenPseudo 1 5 2\nInteger {rows} 1\nfill:\nInteger 7919 2\nMultiply 1 2 3\n\
             Integer 101 2\nRemainder 2 3 3\nSCopy 1 4\nString8 0 5 0 \"padding padding padding padding\"\n\
             MakeRecord 3 3 6\nSorterInsert 0 6\nDecrJumpZero 1 @sort\nGoto 0 @fill\nsort:\nSorterSort 0 @end\n\
             loop:\nSorterData 0 5 1\nColumn 1 0 7\nColumn 1 1 8\nResultRow 7 2\nSorterNext 0 @loop\nend:\nHalt"
        ))
    };
    let sorted = sort(5000, 1 << 20);
    assert_eq!(sorted.lines().count(), 5001);
    let mut rows: Vec<(i64, i64)> = (1..=5000).map(|i| (i * 7919 % 101, -i)).collect();
    rows.sort_unstable();
    for ((key, row), line) in rows.iter().zip(sorted.lines()) {
        assert_eq!(line, format!("{key}|{}", -row));
    }
    for memory in [0, 1000, 30_000] {
        assert!(sort(5000, memory) == sorted, "with {memory} bytes");
    }
}

#[test]
fn a_scan_of_a_cold_file_gets_through() {
    let mut s = Session::with(
        environment_with(TextEncoding::Utf8, Setting::TinyPool),
        TextEncoding::Utf8,
    );
    let rows = 3000;
    let fill = format!(
        ".count\nTransaction 0 1\nOpenWrite 0 2 0 1\nInteger {rows} 1\nBlob 700 3\nloop:\nNewRowid 0 2\nInteger 10 4\n\
         Remainder 4 2 5\nBlob 0 6\nIf 5 @short\nSCopy 3 6\nshort:\nSCopy 2 7\nMakeRecord 6 2 8\nInsert 0 8 2 0 p5=1\n\
         DecrJumpZero 1 @end\nGoto 0 @loop\nend:\nHalt"
    );
    assert_eq!(s.run(&fill), format!("done, {rows} changes\n"));
    go_cold(&mut s.env);
    let sum = "Transaction 0 0\nOpenRead 0 2 0 1\nRewind 0 @end\nloop:\nColumn 0 1 1\nAggStep 0 1 2 f:sum/1 p5=1\n\
               Column 0 0 3\nFunction 0 3 4 f:length/1 p5=1\nAggStep 0 4 5 f:sum/1 p5=1\nNext 0 @loop\nend:\n\
               AggFinal 2 1 0 f:sum/1\nAggFinal 5 1 0 f:sum/1\nSCopy 5 3\nResultRow 2 2";
    assert_eq!(
        s.run(sum),
        format!("{}|{}\ndone\n", rows * (rows + 1) / 2, rows / 10 * 700)
    );
    let seek = "Transaction 0 0\nOpenRead 0 2 0 1\nInteger 500 1\nloop:\nInteger 6 2\nMultiply 1 2 3\n\
                SeekRowid 0 @none 3\nAddImm 4 1\nnone:\nDecrJumpZero 1 @end\nGoto 0 @loop\nend:\nResultRow 4 1";
    assert_eq!(s.run(seek), "500\ndone\n");
    let pool = s.env.pool.counters();
    assert!(pool.misses > 1000, "the pool is small: {pool:?}");
}

#[test]
fn text_of_a_utf16_database_comes_back() {
    let mut s = Session::with(environment(TextEncoding::Utf16be), TextEncoding::Utf16be);
    let code = "Transaction 0 1\nOpenWrite 0 2 0 2\nString8 0 1 0 \"naïve €\"\nInteger 5 2\nMakeRecord 1 2 3\n\
                Integer 1 4\nInsert 0 3 4\nRowData 0 5\nResultRow 5 1\nColumn 0 0 6\nColumn 0 1 7\nResultRow 6 2";
    let stored = "006e006100ef00760065002020ac";
    assert_eq!(
        s.run(code),
        format!("x'032901{stored}05'\nnaïve €|5\ndone\n")
    );
    let index = "OpenEphemeral 0 1 0 k(B)\nString8 0 1 0 \"b\"\nMakeRecord 1 1 2\nIdxInsert 0 2\n\
                 String8 0 1 0 \"ä\"\nMakeRecord 1 1 2\nIdxInsert 0 2\nFound 0 @yes 2\nHalt\nyes:\nRewind 0 @end\nloop:\n\
                 Column 0 0 3\nResultRow 3 1\nNext 0 @loop\nend:\nHalt";
    assert_eq!(s.run(index), "b\nä\ndone\n");
}

#[test]
fn the_future_of_a_step_is_small() {
    let mut s = Session::new();
    let mut vm = s.vm("Integer 1 1\nResultRow 1 1");
    let step = size_of_val(&vm.step(&mut s.env));
    let reset = size_of_val(&vm.reset(&mut s.env));
    println!("step {step} bytes, reset {reset} bytes");
    assert!(step <= 96 && reset <= 96, "it is moved for every row");
}

#[test]
fn a_writer_dropped_in_the_middle_takes_its_transaction_along() {
    let mut s = Session::with(
        environment_with(TextEncoding::Utf8, Setting::Disk),
        TextEncoding::Utf8,
    );
    let fill = "Transaction 0 1\nOpenWrite 0 2 0 1\nInteger 2000 1\nBlob 300 3\nloop:\nNewRowid 0 2\nMakeRecord 3 1 4\n\
                Insert 0 4 2\nDecrJumpZero 1 @end\nGoto 0 @loop\nend:\nHalt";
    assert_eq!(s.run(fill), "done\n");
    go_cold(&mut s.env);
    s.begin();
    s.insert_two(10000, "Halt");
    let code = "Transaction 0 1\nOpenWrite 0 2 0 1\nInteger 150 1\nBlob 2000 3\nMakeRecord 3 1 2\nInsert 0 2 1\nHalt";
    let mut vm = s.vm(code);
    let io = s.env.io.clone();
    let pending = io.block_on(async {
        // While operations are gathered none is carried out alone: the first miss waits.
        let _gather = io.gather();
        let mut step = std::pin::pin!(vm.step(&mut s.env));
        std::future::poll_fn(|context| Poll::Ready(step.as_mut().poll(context).is_pending())).await
    });
    if io.ring_info().is_none() {
        return; // without a ring nothing ever waits
    }
    assert!(pending);
    assert!(!s.env.autocommit);
    assert!(io.block_on(vm.step(&mut s.env)).is_err(), "it cannot go on");
    vm.abandon(&mut s.env);
    assert_eq!(
        (s.env.active, s.env.active_read, s.env.active_write),
        (0, 0, 0)
    );
    assert!(s.env.autocommit, "the transaction is gone");
    assert_eq!(s.count(), "2000\ndone\n");
    assert_eq!(s.run(code), "done\n");
    let path = s.env.dbs[0]
        .tx
        .database()
        .path()
        .expect("a file")
        .to_owned();
    drop(s);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}
