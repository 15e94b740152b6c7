//! A small assembler for programs in tests.
//!
//! ```text
//!   # a comment
//!   name:                              a label for the next instruction
//!   Opcode p1 p2 p3 p4 p5=n            operands that are left out are 0; @name is a label's address
//!   .journal                           the program may abort after several changes
//!   .count                             the program sets changes()
//!   .explain                           list the program instead of running it
//!   p4:  "text"   x'00ff'   7 (i32)   7L (i64)   1.5r   k(B,-NOCASE,N.B)   coll:RTRIM   f:count/0
//!        aff:"BD"   [1,2,3]   table:t   value:"text"
//! ```

use ringwood_format::collation::Collation;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_format::value::ValueRef;
use ringwood_vdbe::{Explain, FunctionRegistry, Opcode, P4, Program, ProgramBuilder};
use std::collections::HashMap;
use std::sync::Arc;

/// Assembles a program.
///
/// # Panics
/// If the text is no program.
pub fn assemble(text: &str, functions: &FunctionRegistry, encoding: TextEncoding) -> Program {
    let mut builder = ProgramBuilder::new();
    let mut labels = HashMap::new();
    let (mut registers, mut cursors) = (0, 0);
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line {
            ".journal" => builder.about.statement_journal = true,
            ".count" => builder.about.count_changes = true,
            ".explain" => builder.about.explain = Explain::Program,
            _ => {
                if let Some(name) = line.strip_suffix(':') {
                    let label = *labels
                        .entry(name.to_owned())
                        .or_insert_with(|| builder.label());
                    builder.resolve(label);
                    continue;
                }
                instruction(&mut builder, &mut labels, line, functions, encoding);
            }
        }
    }
    for addr in 0..builder.addr() {
        let insn = builder.insn(addr).clone();
        registers = registers.max(insn.p1).max(insn.p2).max(insn.p3).max(0);
        cursors = cursors.max(insn.p1 + 1).max(insn.p2 + 1).max(insn.p3 + 1);
    }
    let params = text.matches("Variable").count();
    builder.about.params = vec![None; params];
    builder.set_mem_count((registers as u32 + 16).min(4096));
    builder.set_cursor_count((cursors as u32).min(64));
    builder.finish().expect("the program is well formed")
}

fn instruction(
    builder: &mut ProgramBuilder,
    labels: &mut HashMap<String, ringwood_vdbe::Label>,
    line: &str,
    functions: &FunctionRegistry,
    encoding: TextEncoding,
) {
    let mut words = words(line).into_iter();
    let name = words.next().expect("an opcode");
    let opcode = Opcode::ALL.iter().find(|op| op.name() == name);
    let opcode = *opcode.unwrap_or_else(|| panic!("no opcode {name}"));
    let mut operands = [0; 3];
    let (mut p4, mut p5, mut at) = (P4::None, 0, 0);
    for word in words {
        if let Some(flags) = word.strip_prefix("p5=") {
            p5 = u16::from_str_radix(
                flags.trim_start_matches("0x"),
                if flags.starts_with("0x") { 16 } else { 10 },
            )
            .expect("a number");
        } else if at < 3 {
            operands[at] = match word.strip_prefix('@') {
                Some(name) => {
                    let label = *labels
                        .entry(name.to_owned())
                        .or_insert_with(|| builder.label());
                    label.into()
                }
                None => word
                    .parse()
                    .unwrap_or_else(|_| panic!("operand {word:?} of {line:?}")),
            };
            at += 1;
        } else {
            p4 = if word == "0" {
                P4::None
            } else {
                fourth(&word, functions, encoding)
            };
        }
    }
    builder.op5(opcode, operands[0], operands[1], operands[2], p4, p5);
}

/// Splits at spaces outside of quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in line.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        if c == ' ' && !quoted {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn quoted(word: &str) -> Option<Vec<u8>> {
    let text = word.strip_prefix('"')?.strip_suffix('"')?;
    Some(text.replace("\\0", "\0").into_bytes())
}

fn fourth(word: &str, functions: &FunctionRegistry, encoding: TextEncoding) -> P4 {
    if let Some(text) = quoted(word) {
        return P4::text(text);
    }
    if let Some(letters) = word.strip_prefix("aff:") {
        return P4::affinity(&quoted(letters).expect("quoted letters"));
    }
    if let Some(value) = word.strip_prefix("value:") {
        return P4::value(ValueRef::Text(&quoted(value).expect("a quoted text")));
    }
    if let Some(name) = word.strip_prefix("table:") {
        return P4::Table(Arc::from(name));
    }
    if let Some(name) = word.strip_prefix("coll:") {
        return P4::Collation(Collation::builtin(name).expect("a collation"));
    }
    if let Some(name) = word.strip_prefix("f:") {
        let (name, args) = name.split_once('/').expect("name/arguments");
        return P4::Function(
            functions
                .find(name, args.parse().expect("a number"))
                .expect("a function"),
        );
    }
    if let Some(hex) = word.strip_prefix("x'").and_then(|w| w.strip_suffix('\'')) {
        let digits = hex.as_bytes().chunks(2).map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16)
                .expect("hexadecimal digits")
        });
        return P4::blob(&digits.collect::<Vec<u8>>());
    }
    if let Some(columns) = word.strip_prefix("k(").and_then(|w| w.strip_suffix(')')) {
        let column = |text: &str| {
            let (text, desc) = text
                .strip_prefix('-')
                .map_or((text, false), |rest| (rest, true));
            let (text, big_null) = text
                .strip_prefix("N.")
                .map_or((text, false), |rest| (rest, true));
            let name = if text == "B" { "BINARY" } else { text };
            KeyColumn {
                collation: Collation::builtin(name).expect("a collation"),
                desc,
                big_null,
            }
        };
        return P4::KeyInfo(Arc::new(KeyInfo {
            columns: columns.split(',').map(column).collect(),
            behind: 0,
            encoding,
        }));
    }
    if let Some(ints) = word.strip_prefix('[').and_then(|w| w.strip_suffix(']')) {
        return P4::Ints(
            ints.split(',')
                .map(|n| n.parse().expect("a number"))
                .collect(),
        );
    }
    if let Some(i) = word.strip_suffix('L') {
        return P4::Int64(i.parse().expect("a number"));
    }
    if let Some(r) = word.strip_suffix('r') {
        return P4::Real(r.parse().expect("a real"));
    }
    P4::Int(word.parse().unwrap_or_else(|_| panic!("P4 {word:?}")))
}
