//! Compiles a statement many times: `compile N SQL`, over the tables of `SCHEMA`. Divide the instructions that
//! `valgrind --tool=callgrind` counts by N.

use ringwood_sql::compiler::{CompileContext, CompileFlags, Limits};
use ringwood_sql::parse::Parser;
use ringwood_sql::schema::{DbSchema, DbSchemaBuilder, NameMap, Schema};
use ringwood_vdbe::FunctionRegistry;
use std::sync::Arc;

const SCHEMA: &[(&str, &str, &str)] = &[
    ("t", "t", "CREATE TABLE t(a, b, c)"),
    (
        "u",
        "u",
        "CREATE TABLE u(id INTEGER PRIMARY KEY, name TEXT NOT NULL, v REAL)",
    ),
    ("ui", "u", "CREATE INDEX ui ON u(name)"),
];

fn main() {
    let mut args = std::env::args().skip(1);
    let count: u32 = args.next().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let sql = args
        .next()
        .unwrap_or_else(|| "INSERT INTO t VALUES(1,'abc',2.5)".to_owned());
    let mut builder = DbSchemaBuilder::new("main");
    for (i, (name, table, text)) in SCHEMA.iter().enumerate() {
        let kind: &[u8] = if name == table { b"table" } else { b"index" };
        let row = (
            Some(kind),
            Some(name.as_bytes()),
            Some(table.as_bytes()),
            i as i64 + 2,
        );
        builder
            .row(row.0, row.1, row.2, Some(row.3), Some(text.as_bytes()))
            .expect("the schema is well-formed");
    }
    let main = builder.finish().expect("the schema is whole");
    let schema = Schema {
        dbs: vec![Arc::new(main), Arc::new(DbSchema::empty("temp"))],
    };
    let functions = FunctionRegistry::new();
    let context = CompileContext {
        virtual_tables: &ringwood_vdbe::VirtualTables::default(),
        schema: &schema,
        functions: &functions,
        collations: &NameMap::default(),
        limits: Limits::default(),
        flags: CompileFlags::default(),
        workshop: &ringwood_sql::compiler::Workshop::default(),
        authorizer: None,
    };
    let mut insns = 0;
    for _ in 0..count {
        let statement = Parser::new(sql.as_bytes())
            .next_statement()
            .expect("a statement")
            .expect("it parses");
        let program =
            ringwood_sql::compile(&context, &statement, sql.as_bytes()).expect("it compiles");
        insns = program.insns.len();
    }
    println!("{insns} instructions in the program");
}
