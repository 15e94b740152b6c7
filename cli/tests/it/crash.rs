//! kill -9 in the middle of a writing script: what was committed is there, and the file is whole, whether a log or a
//! rollback journal keeps it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const KILLS: u32 = 100;
/// Of a writer in each of the modes with a journal.
const JOURNAL_KILLS: u32 = 25;

/// A transaction of a few rows, acknowledged by a line with its number. Old rows are changed so that pages split and
/// merge; now and then the log is checkpointed.
fn transaction(n: u32) -> String {
    let checkpoint = if n.is_multiple_of(10) {
        "PRAGMA wal_checkpoint(TRUNCATE);\n"
    } else {
        ""
    };
    format!(
        "{checkpoint}BEGIN; INSERT INTO t(tx,pad) SELECT coalesce(max(tx),0)+1, hex(zeroblob({})) FROM t;\n\
         INSERT INTO t(tx,pad) SELECT max(tx), 'second' FROM t;\n\
         UPDATE t SET pad=pad||'{n}' WHERE id%97={};\n\
         COMMIT; SELECT max(tx) FROM t;\n",
        (n * 37) % 900,
        n % 97
    )
}

/// Sends transactions, each when the one before was acknowledged, until the shell is gone; gives the last number.
fn write(mut stdin: ChildStdin, stdout: ChildStdout, mode: &str) -> i64 {
    let mut lines = BufReader::new(stdout).lines();
    let pragma = format!("PRAGMA journal_mode={mode};\n");
    if stdin.write_all(pragma.as_bytes()).is_err() {
        return 0;
    }
    let mut last = 0;
    for n in 1.. {
        if stdin.write_all(transaction(n).as_bytes()).is_err() {
            break;
        }
        // The checkpoint prints a row with bars; only a bare number acknowledges.
        let mut numbers = lines
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| line.parse().ok());
        match numbers.next() {
            Some(number) => last = number,
            None => break,
        }
    }
    last
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    kill_writers("wal", KILLS);
}

#[test]
fn a_killed_writer_with_a_rollback_journal_loses_nothing_either() {
    for mode in ["delete", "truncate", "persist"] {
        kill_writers(mode, JOURNAL_KILLS);
    }
}

fn kill_writers(mode: &'static str, kills: u32) {
    if sqlite3().is_none() {
        return;
    }
    let folder = Folder::new(&format!("kill-{mode}"));
    let db = folder.file("k.db");
    stdout(&run(
        ringwood(),
        &db,
        &[],
        "CREATE TABLE t(id INTEGER PRIMARY KEY, tx INT, pad TEXT); CREATE INDEX t_tx ON t(tx, pad);\n",
    ));
    let (mut acknowledged, mut hot) = (0_i64, 0);
    for round in 0..kills {
        let mut child = ringwood()
            .arg(&db)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (stdin, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let writer = std::thread::spawn(move || write(stdin, out, mode));
        std::thread::sleep(Duration::from_millis(u64::from(15 + (round * 7919) % 60)));
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = writer.join().unwrap();
        assert!(
            seen == 0 || seen > acknowledged,
            "round {round}: the counter went back"
        );
        acknowledged = acknowledged.max(seen);

        // Every other round stock recovers the log, else we do.
        let check = "PRAGMA integrity_check; SELECT coalesce(max(tx),0), count(*)=2*count(DISTINCT tx) FROM t;\n";
        let copy = folder.file("copy.db");
        for suffix in ["", "-wal", "-journal"] {
            let to = folder.file(&format!("copy.db{suffix}"));
            let _ = std::fs::remove_file(&to);
            let _ = std::fs::copy(folder.file(&format!("k.db{suffix}")), to);
        }
        let journal = std::fs::read(folder.file("k.db-journal")).unwrap_or_default();
        hot += u32::from(journal.first().is_some_and(|byte| *byte != 0));
        let stock = stdout(&run(sqlite3().unwrap(), &copy, &[], check));
        let state: Vec<&str> = stock.lines().collect();
        let [integrity, row] = state[..] else {
            panic!("round {round}: {stock}");
        };
        assert_eq!(integrity, "ok", "round {round}");
        let (committed, pairs) = row.split_once('|').unwrap();
        assert!(
            committed.parse::<i64>().unwrap() >= acknowledged,
            "round {round}: {committed} < {acknowledged}"
        );
        assert_eq!(pairs, "1", "round {round}: half a transaction");
        if round % 2 == 1 {
            let ours = stdout(&run(ringwood(), &db, &[], check));
            assert_eq!(ours, stock, "round {round}");
        } else {
            stdout(&run(
                sqlite3().unwrap(),
                &db,
                &[],
                "SELECT count(*) FROM t;\n",
            ));
        }
    }
    assert!(
        acknowledged > i64::from(kills) / 2,
        "the writer got somewhere: {acknowledged}"
    );
    println!("{mode}: {acknowledged} commits, {kills} kills, {hot} hot journals");
    assert_eq!(hot > 0, mode != "wal", "{hot} hot journals");
}
