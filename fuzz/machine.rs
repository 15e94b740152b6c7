//! Files on a simulated disk, opened and read whole.

use ringwood::LocalConnection;
use ringwood::local::OpenOptions;
use ringwood_io::{Arena, DriverChoice, IoHandle, SimDisk};
use ringwood_pager::{Pool, PoolOptions};

/// Opens `/f.db`, reads every table, checks it and writes to it. No error is wrong; a panic, a hang or a table that
/// never ends is.
pub fn read_whole(files: &[(&str, &[u8])]) {
    let disk = SimDisk::new(1);
    for (path, bytes) in files {
        disk.put(path, bytes);
    }
    let process = disk.process();
    let io = IoHandle::builder()
        .driver(DriverChoice::Simulated(process))
        .build();
    let pool = Pool::new(PoolOptions {
        budget_bytes: 64 << 10,
        arena: Arena::global().clone(),
        ..PoolOptions::default()
    });
    let options = OpenOptions {
        pool: Some(pool),
        ..OpenOptions::default()
    };
    let opened = io.block_on(LocalConnection::open_on(&io, "/f.db", &options));
    let Ok(conn) = opened else { return };
    // A statement of a file of 64 KiB that needs 20 million opcodes is a hang.
    let mut left = 200;
    conn.progress_handler(
        100_000,
        Some(Box::new(move || {
            left -= 1;
            left == 0
        })),
    );
    let run = |sql: &str| -> Vec<Vec<ringwood::Value>> {
        let mut rows = Vec::new();
        let Ok(mut statement) = conn.prepare(sql) else { return rows };
        loop {
            match statement.step() {
                Ok(true) => {
                    if rows.len() < 1000 {
                        rows.push(statement.values());
                    }
                }
                Ok(false) => return rows,
                Err(error) => {
                    assert!(error.extended_code() & 0xFF != 9, "{sql} does not end");
                    return rows;
                }
            }
        }
    };
    for row in run("SELECT name FROM sqlite_schema") {
        if let Some(ringwood::Value::Text(name)) = row.first() {
            let name = name.replace('"', "\"\"");
            run(&format!("SELECT * FROM \"{name}\""));
        }
    }
    run("PRAGMA integrity_check");
    run("CREATE TABLE IF NOT EXISTS zz(a, b UNIQUE)");
    run("INSERT INTO zz VALUES (1, zeroblob(3000)), (2, 2)");
    run("DELETE FROM zz");
    drop(conn);
    io.shutdown();
}
