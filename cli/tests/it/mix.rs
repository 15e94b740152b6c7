//! Two stock shells and two of ours on one file: readers, writers and checkpointers, one of them killed every moment.
//!
//! The sum over the accounts never changes, the counter of transfers never goes back and never lacks one that was
//! acknowledged, both find the file whole at the end, and nobody starves. Twenty seconds by default;
//! `RINGWOOD_MIX_SECONDS=600` for the long form.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const ACCOUNTS: u64 = 50;
const SUM: i64 = 50_000;

/// What all threads know.
#[derive(Default)]
struct Ledger {
    over: AtomicBool,
    /// The highest counter that anybody was told.
    counter: AtomicI64,
    acknowledged: [AtomicU64; 4],
    sent: AtomicU64,
    kills: AtomicU64,
    refused: AtomicU64,
}

fn transfer(n: u64) -> String {
    let (from, to) = (n * 7919 % ACCOUNTS + 1, n * 104_729 % ACCOUNTS + 1);
    let amount = if from == to { 0 } else { n % 100 };
    let pad = n % 700;
    let extra = match n % 37 {
        0 => "PRAGMA wal_checkpoint;\n",
        11 => "PRAGMA wal_checkpoint(RESTART);\n",
        23 => "PRAGMA wal_checkpoint(TRUNCATE);\n",
        _ => "",
    };
    format!(
        "{extra}BEGIN IMMEDIATE; \
         UPDATE account SET balance = balance - {amount} WHERE id = {from}; \
         UPDATE account SET balance = balance + {amount} WHERE id = {to}; \
         UPDATE account SET pad = hex(zeroblob({pad})) WHERE id = {to}; \
         UPDATE counter SET n = n + 1; COMMIT;\n\
         SELECT 'is:' || (SELECT n FROM counter) || ':' || sum(balance) || ':' || count(*) FROM account;\n"
    )
}

fn start(shell: Command, db: &Path) -> Child {
    let mut shell = shell;
    let mut child = shell
        .arg("-bail")
        .arg(db)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let stdin = child.stdin.as_mut().expect("piped");
    // A shell that is gone already is found out by the first transfer.
    let _ = stdin.write_all(b"PRAGMA busy_timeout=20000; PRAGMA wal_autocheckpoint=50;\n");
    child
}

/// Makes transfers with one shell after another until all is over.
fn work(who: usize, db: &Path, ledger: &Ledger, slot: &Mutex<Option<Child>>) {
    let mut n = who as u64;
    while !ledger.over.load(Ordering::Relaxed) {
        let shell = if who < 2 {
            sqlite3().expect("was there")
        } else {
            ringwood()
        };
        let mut child = start(shell, db);
        let mut stdin = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut errors = child.stderr.take().expect("piped");
        *slot.lock().expect("not poisoned") = Some(child);
        let mut lines = lines.map_while(Result::ok).filter(|l| l.starts_with("is:"));
        while !ledger.over.load(Ordering::Relaxed) {
            n += 4;
            let before = ledger.counter.load(Ordering::Acquire);
            ledger.sent.fetch_add(1, Ordering::Relaxed);
            if stdin.write_all(transfer(n).as_bytes()).is_err() {
                break;
            }
            let Some(line) = lines.next() else { break };
            let numbers: Vec<i64> = line
                .split(':')
                .skip(1)
                .map(|n| n.parse().expect("a number"))
                .collect();
            assert_eq!(numbers[1..], [SUM, ACCOUNTS as i64], "shell {who}: {line}");
            assert!(
                numbers[0] > before,
                "shell {who} read {line} after somebody was told {before}"
            );
            ledger.counter.fetch_max(numbers[0], Ordering::AcqRel);
            ledger.acknowledged[who].fetch_add(1, Ordering::Relaxed);
        }
        drop(stdin);
        let child = slot.lock().expect("not poisoned").take();
        if let Some(mut child) = child {
            child.wait().expect("ends");
        }
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut errors, &mut text);
        for line in text.lines().filter(|line| line.contains("rror")) {
            assert!(
                line.contains("locked") || line.contains("locking protocol"),
                "shell {who}: {line}"
            );
            ledger.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn check(shell: Command, db: &Path) -> Vec<String> {
    let script = "PRAGMA busy_timeout=20000;\nPRAGMA integrity_check;\n\
                  SELECT (SELECT n FROM counter), sum(balance), count(*) FROM account;\n";
    let out = stdout(&run(shell, db, &[], script));
    out.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn stock_and_ours_share_a_file_and_are_killed() {
    let Some(stock) = sqlite3() else { return };
    let seconds = std::env::var("RINGWOOD_MIX_SECONDS");
    let seconds = seconds.ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    let folder = Folder::new("mix");
    let db = folder.file("mix.db");
    stdout(&run(
        ringwood(),
        &db,
        &[],
        "PRAGMA page_size=1024;\n\
         CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT, pad TEXT);\n\
         CREATE INDEX by_balance ON account(balance, pad);\n\
         CREATE TABLE counter(n INT); INSERT INTO counter VALUES (0);\n\
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50)\n\
         INSERT INTO account SELECT i, 1000, '' FROM n;\n",
    ));
    let ledger = Ledger::default();
    let slots: [Mutex<Option<Child>>; 4] = Default::default();
    std::thread::scope(|scope| {
        for (who, slot) in slots.iter().enumerate() {
            let (db, ledger) = (&db, &ledger);
            scope.spawn(move || {
                let work = std::panic::AssertUnwindSafe(|| work(who, db, ledger, slot));
                let result = std::panic::catch_unwind(work);
                if let Err(panic) = result {
                    ledger.over.store(true, Ordering::Relaxed);
                    std::panic::resume_unwind(panic);
                }
            });
        }
        let started = Instant::now();
        let mut victim = 0;
        while started.elapsed() < Duration::from_secs(seconds)
            && !ledger.over.load(Ordering::Relaxed)
        {
            std::thread::sleep(Duration::from_millis(700 + victim as u64 * 37 % 300));
            victim += 1;
            if let Some(child) = slots[victim * 3 % 4].lock().expect("not poisoned").as_mut() {
                child.kill().expect("is ours");
                ledger.kills.fetch_add(1, Ordering::Relaxed);
            }
        }
        ledger.over.store(true, Ordering::Relaxed);
    });
    let ours = check(ringwood(), &db);
    let theirs = check(stock, &db);
    assert_eq!(ours, theirs);
    assert_eq!(ours[0], "ok");
    let counted: Vec<u64> = ours[1].split('|').map(|n| n.parse().expect("n")).collect();
    let each: Vec<u64> = ledger
        .acknowledged
        .iter()
        .map(|n| n.load(Ordering::Relaxed))
        .collect();
    let sent = ledger.sent.load(Ordering::Relaxed);
    eprintln!(
        "{each:?} transfers acknowledged of {sent} sent, {} kills, {} refusals",
        ledger.kills.load(Ordering::Relaxed),
        ledger.refused.load(Ordering::Relaxed)
    );
    assert_eq!(counted[1..], [SUM as u64, ACCOUNTS]);
    assert!(
        counted[0] >= each.iter().sum() && counted[0] <= sent,
        "{counted:?}"
    );
    let (least, most) = (each.iter().min(), each.iter().max());
    assert!(
        most.copied().unwrap_or(0) <= 5 * least.copied().unwrap_or(0).max(1),
        "somebody starves: {each:?}"
    );
}
