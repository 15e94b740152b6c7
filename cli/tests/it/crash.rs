//! kill -9 in the middle of a writing script: what was committed is there, and the file is whole.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::Duration;

use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const KILLS: u32 = 100;

/// Transactions of a few rows each, every one acknowledged by a line with its number. Old rows are
/// changed and deleted so that pages split, merge and are freed; now and then the log is checkpointed.
fn script(transactions: u32) -> String {
    let mut sql = String::from(
        "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, tx INT, pad TEXT);\n\
         CREATE INDEX IF NOT EXISTS t_tx ON t(tx, pad);\n",
    );
    for tx in 1..=transactions {
        sql += &format!(
            "BEGIN; INSERT INTO t(tx,pad) SELECT coalesce(max(tx),0)+1, hex(zeroblob({})) FROM t;\n\
             INSERT INTO t(tx,pad) SELECT max(tx), 'second' FROM t;\n\
             UPDATE t SET pad=pad||'{tx}' WHERE id%97={};\n\
             COMMIT; SELECT max(tx) FROM t;\n",
            (tx * 37) % 900,
            tx % 97
        );
        if tx % 40 == 0 {
            sql += "PRAGMA wal_checkpoint(TRUNCATE);\n";
        }
    }
    sql
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    if sqlite3().is_none() {
        return;
    }
    let folder = Folder::new("kill");
    let db = folder.file("k.db");
    let script = script(5000);
    let mut acknowledged = 0_i64;
    for round in 0..KILLS {
        let mut child = ringwood()
            .arg(&db)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text = script.clone();
        let writer = std::thread::spawn(move || {
            // Fails when the reader is killed; that is the point.
            let _ = stdin.write_all(text.as_bytes());
        });
        let out = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut last = 0_i64;
            for line in out.lines().map_while(Result::ok) {
                // The checkpoint pragma prints a row with bars; only bare numbers acknowledge.
                if let Ok(n) = line.parse() {
                    last = n;
                }
            }
            last
        });
        std::thread::sleep(Duration::from_millis(u64::from(15 + (round * 7919) % 60)));
        child.kill().unwrap();
        child.wait().unwrap();
        writer.join().unwrap();
        let seen = reader.join().unwrap();
        assert!(
            seen == 0 || seen > acknowledged,
            "round {round}: the counter went back"
        );
        acknowledged = acknowledged.max(seen);

        // Every other round stock recovers the log, else we do.
        let check = "PRAGMA integrity_check; SELECT coalesce(max(tx),0), count(*)=2*count(DISTINCT tx) FROM t;\n";
        let copy = folder.file("copy.db");
        for suffix in ["", "-wal"] {
            let to = folder.file(&format!("copy.db{suffix}"));
            let _ = std::fs::remove_file(&to);
            let _ = std::fs::copy(folder.file(&format!("k.db{suffix}")), to);
        }
        if std::fs::metadata(&db).map_or(0, |m| m.len()) == 0
            && std::fs::metadata(folder.file("k.db-wal")).map_or(0, |m| m.len()) == 0
        {
            assert_eq!(acknowledged, 0);
            continue;
        }
        let stock = stdout(&run(sqlite3().unwrap(), &copy, &[], check));
        let state: Vec<&str> = stock.lines().collect();
        let [integrity, row] = state[..] else {
            assert_eq!(acknowledged, 0, "round {round}: {stock}");
            continue;
        };
        assert_eq!(integrity, "ok", "round {round}");
        let (committed, pairs) = row.split_once('|').unwrap();
        assert!(
            committed.parse::<i64>().unwrap() >= acknowledged,
            "round {round}: {committed} < {acknowledged}"
        );
        assert_eq!(pairs, "1", "round {round}: half a transaction");
        if round % 2 == 1 {
            let ours = stdout(&run(
                ringwood(),
                &db,
                &[],
                &check.replace("PRAGMA integrity_check;", "SELECT 'ok';"),
            ));
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
        acknowledged > i64::from(KILLS),
        "the writer got somewhere: {acknowledged}"
    );
}
