//! The loops whose instructions are counted: `hot_loops LOOP ROWS REPEATS`.
//!
//! ```text
//!   valgrind --tool=callgrind target/release/examples/hot_loops scan 10000 0
//!   valgrind --tool=callgrind target/release/examples/hot_loops scan 10000 10
//! ```
//! The difference, divided by rows and repeats, is the cost of a row.

use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::KeyInfo;
use ringwood_io::IoHandle;
use ringwood_pager::{Pool, PoolOptions};
use ringwood_vdbe::{Db, Env, Exit, Opcode, P4, Program, ProgramBuilder, Vm, func};
use ringwood_wal::{Database, DbOptions, Tx};
use std::sync::Arc;

fn program(build: impl FnOnce(&mut ProgramBuilder)) -> Arc<Program> {
    let mut b = ProgramBuilder::new();
    build(&mut b);
    b.op(Opcode::Halt, 0, 0, 0);
    b.set_mem_count(20);
    b.set_cursor_count(4);
    Arc::new(b.finish().expect("a program"))
}

fn fill(b: &mut ProgramBuilder, rows: i32) {
    b.op(Opcode::Transaction, 0, 1, 0);
    b.op(Opcode::CreateBtree, 0, 1, 1);
    b.op(Opcode::CreateBtree, 0, 2, 2);
    b.op5(Opcode::OpenWrite, 0, 1, 0, P4::Int(3), 0x10);
    let key = P4::KeyInfo(Arc::new(KeyInfo::binary(2, TextEncoding::Utf8)));
    b.op5(Opcode::OpenWrite, 1, 2, 0, key, 0x10);
    b.op(Opcode::Integer, rows, 3, 0);
    let top = b.addr();
    b.op(Opcode::NewRowid, 0, 4, 0);
    b.op(Opcode::Integer, 7919, 5, 0);
    b.op(Opcode::Multiply, 4, 5, 6);
    b.op4(Opcode::String8, 0, 7, 0, P4::text("some text"));
    b.op4(Opcode::Real, 0, 8, 0, P4::Real(2.5));
    b.op(Opcode::MakeRecord, 6, 3, 9);
    b.op5(Opcode::Insert, 0, 9, 4, P4::None, 0x29);
    b.op(Opcode::SCopy, 6, 10, 0);
    b.op(Opcode::SCopy, 4, 11, 0);
    b.op(Opcode::MakeRecord, 10, 2, 12);
    b.op5(Opcode::IdxInsert, 1, 12, 10, P4::Int(2), 0x10);
    let end = b.op(Opcode::DecrJumpZero, 3, 0, 0);
    b.op(Opcode::Goto, 0, top, 0);
    b.jump_here(end);
}

fn scan(b: &mut ProgramBuilder) {
    b.op(Opcode::Transaction, 0, 0, 0);
    b.op4(Opcode::OpenRead, 0, 2, 0, P4::Int(3));
    let rewind = b.op(Opcode::Rewind, 0, 0, 0);
    let top = b.addr();
    b.op(Opcode::Column, 0, 0, 1);
    b.op(Opcode::Column, 0, 1, 2);
    b.op(Opcode::ResultRow, 1, 2, 0);
    b.op(Opcode::Next, 0, top, 0);
    b.jump_here(rewind);
}

fn sum(b: &mut ProgramBuilder) {
    let sum = P4::Function(func::builtins().find("sum", 1).expect("sum"));
    b.op(Opcode::Transaction, 0, 0, 0);
    b.op4(Opcode::OpenRead, 0, 2, 0, P4::Int(3));
    let rewind = b.op(Opcode::Rewind, 0, 0, 0);
    let top = b.addr();
    b.op(Opcode::Column, 0, 0, 1);
    b.op5(Opcode::AggStep, 0, 1, 2, sum.clone(), 1);
    b.op(Opcode::Next, 0, top, 0);
    b.jump_here(rewind);
    b.op4(Opcode::AggFinal, 2, 1, 0, sum);
    b.op(Opcode::ResultRow, 2, 1, 0);
}

fn lookups(b: &mut ProgramBuilder, rows: i32) {
    b.op(Opcode::Transaction, 0, 0, 0);
    b.op4(Opcode::OpenRead, 0, 2, 0, P4::Int(3));
    b.op(Opcode::Integer, rows, 3, 0);
    b.op(Opcode::Integer, rows, 4, 0);
    b.op(Opcode::Integer, 7919, 5, 0);
    b.op(Opcode::Integer, 0, 6, 0);
    let top = b.addr();
    b.op(Opcode::Add, 5, 6, 6);
    b.op(Opcode::Remainder, 4, 6, 7);
    let none = b.op(Opcode::SeekRowid, 0, 0, 7);
    b.op(Opcode::Column, 0, 0, 8);
    b.jump_here(none);
    let end = b.op(Opcode::DecrJumpZero, 3, 0, 0);
    b.op(Opcode::Goto, 0, top, 0);
    b.jump_here(end);
}

fn probes(b: &mut ProgramBuilder, rows: i32) {
    let key = P4::KeyInfo(Arc::new(KeyInfo::binary(2, TextEncoding::Utf8)));
    b.op(Opcode::Transaction, 0, 0, 0);
    b.op4(Opcode::OpenRead, 0, 2, 0, P4::Int(3));
    b.op4(Opcode::OpenRead, 1, 3, 0, key);
    b.op(Opcode::Integer, rows, 3, 0);
    b.op(Opcode::Integer, rows, 4, 0);
    b.op(Opcode::Integer, 7919, 5, 0);
    b.op(Opcode::Integer, 0, 6, 0);
    let top = b.addr();
    b.op(Opcode::Add, 5, 6, 6);
    b.op(Opcode::Remainder, 4, 6, 7);
    b.op(Opcode::Multiply, 5, 7, 7);
    let none = b.op4(Opcode::SeekGE, 1, 0, 7, P4::Int(1));
    let past = b.op4(Opcode::IdxGT, 1, 0, 7, P4::Int(1));
    b.op(Opcode::DeferredSeek, 1, 0, 0);
    b.op(Opcode::Column, 0, 1, 8);
    b.jump_here(none);
    b.jump_here(past);
    let end = b.op(Opcode::DecrJumpZero, 3, 0, 0);
    b.op(Opcode::Goto, 0, top, 0);
    b.jump_here(end);
}

fn sort(b: &mut ProgramBuilder) {
    b.op(Opcode::Transaction, 0, 0, 0);
    b.op4(Opcode::OpenRead, 0, 2, 0, P4::Int(3));
    let key = P4::KeyInfo(Arc::new(KeyInfo::binary(1, TextEncoding::Utf8)));
    b.op4(Opcode::SorterOpen, 1, 3, 0, key);
    b.op(Opcode::OpenPseudo, 2, 10, 3);
    b.op(Opcode::Integer, 65_521, 5, 0);
    let rewind = b.op(Opcode::Rewind, 0, 0, 0);
    let top = b.addr();
    b.op(Opcode::Column, 0, 0, 1);
    b.op(Opcode::Remainder, 5, 1, 1);
    b.op(Opcode::Column, 0, 1, 2);
    b.op(Opcode::MakeRecord, 1, 2, 3);
    b.op(Opcode::SorterInsert, 1, 3, 0);
    b.op(Opcode::Next, 0, top, 0);
    b.jump_here(rewind);
    let sort = b.op(Opcode::SorterSort, 1, 0, 0);
    let top = b.addr();
    b.op(Opcode::SorterData, 1, 10, 2);
    b.op(Opcode::Column, 2, 0, 11);
    b.op(Opcode::Column, 2, 1, 12);
    b.op(Opcode::ResultRow, 11, 2, 0);
    b.op(Opcode::SorterNext, 1, top, 0);
    b.jump_here(sort);
}

/// One INSERT statement, as it is prepared once and stepped often.
fn insert_one(b: &mut ProgramBuilder) {
    b.about.params = vec![None, None];
    b.op(Opcode::Init, 0, 1, 0);
    b.op(Opcode::Transaction, 0, 1, 0);
    b.op4(Opcode::OpenWrite, 0, 2, 0, P4::Int(2));
    b.op(Opcode::NewRowid, 0, 4, 0);
    b.op(Opcode::Variable, 1, 5, 0);
    b.op(Opcode::Variable, 2, 6, 0);
    b.op4(Opcode::MakeRecord, 5, 2, 9, P4::affinity(b"DB"));
    b.op5(Opcode::Insert, 0, 9, 4, P4::None, 0x39);
}

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "scan".into());
    let mut number = |default| args.next().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (rows, repeats) = (number(10_000), number(1));
    let io = IoHandle::in_memory();
    let pool = Pool::new(PoolOptions {
        budget_bytes: 256 << 20,
        ..PoolOptions::default()
    });
    let mut env = Env::new(io.clone(), pool.clone());
    let tx = Tx::new(Database::memory(&pool, DbOptions::default()), io.clone());
    env.dbs.push(Db {
        name: "main".into(),
        tx,
        schema_cookie: 0,
        generation: 0,
        file_format: 4,
    });
    let mut run = |program: &Arc<Program>, repeats: i32| {
        let mut vm = Vm::new(program.clone());
        let mut found = 0u64;
        for i in 0..repeats {
            if !vm.bindings().is_empty() {
                vm.bind(1, ringwood_format::value::ValueRef::Integer(i64::from(i)))
                    .expect("a binding");
                vm.bind(2, ringwood_format::value::ValueRef::Text(b"some text"))
                    .expect("a binding");
            }
            while io.block_on(vm.step(&mut env)).expect("a step") == Exit::Row {
                found += vm.row().len() as u64;
            }
            io.block_on(vm.reset(&mut env)).expect("a reset");
        }
        found
    };
    run(&program(|b| fill(b, rows)), 1);
    let begin = program(|b| {
        b.op(Opcode::AutoCommit, 0, 0, 0);
    });
    let values = match name.as_str() {
        "fill" => run(&program(|b| fill(b, rows)), repeats),
        "scan" => run(&program(scan), repeats),
        "sum" => run(&program(sum), repeats),
        "lookups" => run(&program(|b| lookups(b, rows)), repeats),
        "probes" => run(&program(|b| probes(b, rows)), repeats),
        "sort" => run(&program(sort), repeats),
        "insert" => {
            run(&begin, 1);
            run(&program(insert_one), rows * repeats)
        }
        "nothing" => run(&program(|_| {}), rows * repeats),
        other => panic!("no loop {other}"),
    };
    println!("{name}: {values} values");
}
