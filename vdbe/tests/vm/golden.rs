//! Golden scripts: programs and what they give.
//!
//! A script is a list of blocks, separated by empty lines after the output:
//!
//! ```text
//!   > program                  the instructions follow, one a line
//!   Integer 1 1
//!   ResultRow 1 1
//!   ---                        the output follows, up to the next "> "
//!   1
//!   done
//! ```
//!
//! `UPDATE_GOLDENFILES=1` rewrites the output.

use crate::assembler::assemble;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::page::Geometry;
use ringwood_format::value::ValueRef;
use ringwood_io::IoHandle;
use ringwood_pager::{Pool, PoolOptions};
use ringwood_vdbe::{Db, Env, Exit, Mem, Vm, func};
use ringwood_wal::{Database, DbOptions, Synchronous, Tx};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How a script is run: the results must be the same.
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    /// In memory.
    Memory,
    /// In a file of small pages, with a pool that holds next to nothing: nearly every step misses.
    TinyPool,
    /// The same on the disk, where a miss may have to wait.
    Disk,
}

/// A connection without SQL: a main and a temp database in memory.
pub fn environment(encoding: TextEncoding) -> Env {
    environment_with(encoding, Setting::Memory)
}

/// A connection without SQL: a main and a temp database.
pub fn environment_with(encoding: TextEncoding, setting: Setting) -> Env {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let io = match setting {
        Setting::Disk => IoHandle::builder().build(),
        _ => IoHandle::in_memory(),
    };
    let (page_size, frames) = match setting {
        Setting::Memory => (4096, 512),
        Setting::TinyPool | Setting::Disk => (512, 8),
    };
    let budget_bytes = frames * page_size as usize;
    let pool = Pool::new(PoolOptions {
        budget_bytes,
        ..PoolOptions::default()
    });
    let mut env = Env::new(io.clone(), pool.clone());
    for name in ["main", "temp"] {
        let geometry = Geometry::new(page_size, 0).expect("a geometry");
        let options = DbOptions {
            encoding,
            geometry,
            ..DbOptions::default()
        };
        let db = match setting {
            Setting::TinyPool | Setting::Disk if name == "main" => {
                let number = NAMES.fetch_add(1, Ordering::Relaxed);
                let name = format!("ringwood-vm-{}-{number}.db", std::process::id());
                let path = std::env::temp_dir().join(name);
                io.block_on(Database::open(&io, &pool, &path, options))
                    .expect("a database")
            }
            _ => Database::memory(&pool, options),
        };
        let tx = Tx::new(db, io.clone());
        env.dbs.push(Db {
            name: name.into(),
            tx,
            schema_cookie: 0,
            generation: 0,
            file_format: 4,
        });
    }
    env.facts.encoding = encoding;
    env
}

/// Closes the main database and opens it again with a pool that holds 8 pages of it: nothing is in memory then.
pub fn go_cold(env: &mut Env) {
    let database = env.dbs[0].tx.database().clone();
    let path = database.path().expect("a database with a file").to_owned();
    let options = database.options().clone();
    let old = env.dbs.remove(0);
    drop(old.tx);
    let io = env.io.clone();
    io.block_on(database.close(&io, Synchronous::Full))
        .expect("a close");
    env.pool = Pool::new(PoolOptions {
        budget_bytes: 8 * 512,
        ..PoolOptions::default()
    });
    let db = io
        .block_on(Database::open(&io, &env.pool, &path, options))
        .expect("a database");
    env.dbs.insert(
        0,
        Db {
            tx: Tx::new(db, io),
            ..old
        },
    );
}

/// A value as the scripts print it.
pub fn show(mem: &Mem) -> String {
    match mem.as_value_ref() {
        ValueRef::Null => "NULL".into(),
        ValueRef::Blob(bytes) => {
            let mut hex = String::from("x'");
            for b in bytes {
                write!(hex, "{b:02x}").expect("a string");
            }
            hex + "'"
        }
        _ => String::from_utf8_lossy(&mem.to_text()).into_owned(),
    }
}

/// Runs a program to its end: its rows, and how it ended.
pub fn run(env: &mut Env, vm: &mut Vm) -> String {
    let mut out = String::new();
    let io = env.io.clone();
    let active = (env.active, env.active_read, env.active_write);
    loop {
        match io.block_on(vm.step(env)) {
            Ok(Exit::Row) => {
                let row: Vec<String> = vm.row().iter().map(show).collect();
                writeln!(out, "{}", row.join("|")).expect("a string");
            }
            Ok(Exit::Done) => {
                out.push_str("done");
                break;
            }
            Ok(Exit::Request(request)) => {
                writeln!(out, "request {request:?}").expect("a string");
                vm.answer(env, ringwood_vdbe::Answer::Done)
                    .expect("an answer");
            }
            Err(error) => {
                write!(out, "error {} {}", error.code.get(), error.message).expect("a string");
                break;
            }
        }
    }
    if vm.program().count_changes {
        write!(out, ", {} changes", env.facts.changes).expect("a string");
    }
    out.push('\n');
    io.block_on(vm.reset(env)).expect("a reset");
    assert_eq!((env.active, env.active_read, env.active_write), active);
    out
}

fn run_script(path: &Path, setting: Setting) {
    let text = std::fs::read_to_string(path).expect("a script");
    let functions = func::builtins();
    let encoding = if text.contains("UTF-16") {
        TextEncoding::Utf16le
    } else {
        TextEncoding::Utf8
    };
    let mut env = environment_with(encoding, setting);
    let mut rewritten = String::new();
    let mut blocks = text.split("\n> ");
    rewritten.push_str(blocks.next().expect("a header"));
    for block in blocks {
        let (program, _) = block.split_once("\n---").unwrap_or((block, ""));
        let (title, code) = program.split_once('\n').unwrap_or((program, ""));
        let mut vm = Vm::new(Arc::new(assemble(code, &functions, encoding)));
        let output = run(&mut env, &mut vm);
        write!(rewritten, "\n> {title}\n{}\n---\n{output}", code.trim_end()).expect("a string");
    }
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(path, rewritten).expect("a file");
    } else if rewritten.trim_end() != text.trim_end() {
        for (got, want) in rewritten.lines().zip(text.lines()) {
            assert_eq!(got, want, "in {} with {setting:?}", path.display());
        }
        panic!(
            "{}: the output is longer or shorter than expected",
            path.display()
        );
    }
}

#[test]
fn scripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/scripts");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the scripts")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for setting in [Setting::Memory, Setting::TinyPool] {
        for path in &paths {
            run_script(path, setting);
        }
    }
}
