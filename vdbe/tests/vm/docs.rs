//! docs/opcodes.md is generated from the opcode table.

use ringwood_vdbe::Opcode;
use ringwood_vdbe::opcode::{P4Kind, Role};
use std::fmt::Write as _;
use std::path::Path;

fn generated() -> String {
    let mut out = String::from(
        "# Opcodes\n\nGenerated from the opcode table by the test `opcodes_are_documented`; \
         `UPDATE_GOLDENFILES=1` rewrites it. The rules of the machine and the deviations from SQLite's opcodes stand at \
         the head of `vdbe/src/opcode.rs`.\n\n| opcode | P1 | P2 | P3 | P4 | waits | what it does |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for opcode in Opcode::ALL {
        let info = opcode.info();
        write!(out, "| `{}`", info.name).expect("a string");
        for role in info.roles {
            let role = match role {
                Role::No => "",
                Role::Val => "number",
                Role::Jump => "jump",
                Role::JumpOpt => "jump or 0",
                Role::In => "in",
                Role::Out => "out",
                Role::Both => "in, out",
                Role::First => "registers",
                Role::RegOpt => "register or 0",
                Role::Cur => "cursor",
                Role::Db => "database",
                Role::Root => "root page",
            };
            write!(out, " | {role}").expect("a string");
        }
        let p4 = match info.p4 {
            P4Kind::No => "",
            P4Kind::Int => "integer",
            P4Kind::Int64 => "64-bit integer",
            P4Kind::Real => "real",
            P4Kind::Text => "text",
            P4Kind::Blob => "bytes",
            P4Kind::Key => "key",
            P4Kind::Coll => "collation",
            P4Kind::Func => "function",
            P4Kind::Aff => "affinities",
            P4Kind::Ints => "integers",
            P4Kind::Any => "see text",
        };
        let doc = info.doc.replace('\n', " ").replace('|', "\\|");
        let waits = if info.waits { "yes" } else { "" };
        writeln!(
            out,
            " | {p4} | {waits} | {} |",
            doc.split_whitespace().collect::<Vec<_>>().join(" ")
        )
        .expect("a string");
    }
    out
}

#[test]
fn opcodes_are_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/opcodes.md");
    let generated = generated();
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(&path, &generated).expect("a file");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == generated,
        "docs/opcodes.md is out of date: UPDATE_GOLDENFILES=1 rewrites it"
    );
}
