//! What EXPLAIN and EXPLAIN QUERY PLAN list.
//!
//! | EXPLAIN | `addr opcode p1 p2 p3 p4 p5 comment` |
//! | EXPLAIN QUERY PLAN | `id parent notused detail`, one row for each `Explain` instruction |
//!
//! Rules:
//! 1. A synopsis is a little language: `P1`…`P5` are operands, `r[P1@P2]` a range of P2 registers, `P2@P3+1` one of
//!    P3 + 1, `P2@NP` one as long as a function's arguments, `PX` the instruction's comment, and `IF x` is
//!    `if x goto P2`.
//! 2. Subprograms (triggers) follow the main program; their jumps are relative to their own start.
//! 3. The instruction's comment follows the synopsis after `; `, unless `PX` has put it elsewhere.
//!
//! Source: SQLite's `displayComment`, `sqlite3VdbeDisplayP4`, `sqlite3VdbeList`.

use crate::insn::{Insn, P4};
use crate::mem::Mem;
use crate::opcode::Opcode;
use crate::program::{Explain, Program};
use ringwood_format::affinity::text_value;
use ringwood_format::collation::Collation;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::value::ValueRef;
use std::fmt::Write as _;
use std::sync::Arc;

/// Column names of EXPLAIN.
pub const EXPLAIN_COLUMNS: [&str; 8] = ["addr", "opcode", "p1", "p2", "p3", "p4", "p5", "comment"];
/// Column names of EXPLAIN QUERY PLAN.
pub const QUERY_PLAN_COLUMNS: [&str; 4] = ["id", "parent", "notused", "detail"];

/// A listing, row by row.
pub(crate) struct Listing {
    program: Arc<Program>,
    /// The program (0: the main one, n: subprogram n - 1) and the instruction to show next.
    code: usize,
    next: usize,
    row: Vec<Mem>,
}

impl Listing {
    pub(crate) fn new(program: Arc<Program>) -> Listing {
        Listing {
            program,
            code: 0,
            next: 0,
            row: Vec::new(),
        }
    }

    /// The current row.
    pub(crate) fn row(&self) -> &[Mem] {
        &self.row
    }

    /// Goes to the next row; false at the end.
    pub(crate) fn advance(&mut self) -> bool {
        let plan_only = self.program.explain == Explain::QueryPlan;
        let program = self.program.clone();
        while self.code <= program.subprograms.len() {
            let Some(insn) = program.code(self.code as u32).get(self.next) else {
                (self.code, self.next) = (self.code + 1, 0);
                continue;
            };
            let addr = self.next;
            self.next += 1;
            if !plan_only {
                let note = if self.code == 0 {
                    program.comment(addr)
                } else {
                    None
                };
                let shown = self.before() + addr;
                self.row = instruction_row(shown, insn, note);
                return true;
            }
            if insn.opcode == Opcode::Explain {
                self.row = vec![
                    int(insn.p1),
                    int(insn.p2),
                    int(insn.p3),
                    text(&insn.p4.explain()),
                ];
                return true;
            }
        }
        self.row.clear();
        false
    }

    /// How many instructions the programs before the one at hand have: addresses go on through the listing.
    fn before(&self) -> usize {
        (0..self.code)
            .map(|code| self.program.code(code as u32).len())
            .sum()
    }
}

fn int(i: i32) -> Mem {
    let mut mem = Mem::new();
    mem.set_int(i64::from(i));
    mem
}

fn text(bytes: &[u8]) -> Mem {
    let mut mem = Mem::new();
    mem.set_text(bytes);
    mem
}

fn instruction_row(addr: usize, insn: &Insn, note: Option<&str>) -> Vec<Mem> {
    let p4 = insn.p4.explain();
    let comment = comment(insn, &p4, note);
    let mut row = vec![int(addr as i32), text(insn.opcode.name().as_bytes())];
    row.extend([int(insn.p1), int(insn.p2), int(insn.p3)]);
    row.push(if matches!(insn.p4, P4::None) {
        Mem::new()
    } else {
        text(&p4)
    });
    row.push(int(i32::from(insn.p5)));
    row.push(if comment.is_empty() {
        Mem::new()
    } else {
        text(&comment)
    });
    row
}

impl P4 {
    /// As EXPLAIN prints it.
    pub fn explain(&self) -> Vec<u8> {
        let mut out = String::new();
        match self {
            P4::None => {}
            P4::Int(i) => out = i.to_string(),
            P4::Int64(i) => out = i.to_string(),
            P4::Real(r) => return explain_value(ValueRef::Real(*r)),
            P4::Text(t) | P4::Affinity(t) | P4::Blob(t) => return t.to_vec(),
            P4::KeyInfo(info) => {
                let columns = info.unique_columns();
                let _ = write!(out, "k({}", columns.len());
                for column in columns {
                    let name = match &column.collation {
                        Collation::Binary => "B",
                        other => other.name(),
                    };
                    let minus = if column.desc { "-" } else { "" };
                    let nulls = if column.big_null { "N." } else { "" };
                    let _ = write!(out, ",{minus}{nulls}{name}");
                }
                out.push(')');
            }
            P4::Collation(collation) => {
                let _ = write!(out, "{:.18}-8", collation.name());
            }
            P4::Function(def) => {
                let _ = write!(out, "{}({})", def.name, def.arity);
            }
            P4::Ints(ints) => {
                for (i, n) in ints.iter().enumerate() {
                    let _ = write!(out, "{}{n}", if i == 0 { '[' } else { ',' });
                }
                out.push(']');
            }
            P4::Value(value) => return explain_value(value.as_ref().as_ref()),
            P4::Table(name) => out.push_str(name),
            P4::SubProgram(_) => out.push_str("program"),
            P4::VirtualTable(table) => {
                out.push_str("vtab:");
                out.push_str(&table.1);
            }
        }
        out.into_bytes()
    }
}

fn explain_value(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::Null => b"NULL".to_vec(),
        ValueRef::Blob(_) => b"(blob)".to_vec(),
        value => text_value(value, TextEncoding::Utf8)
            .unwrap_or_default()
            .into_owned(),
    }
}

/// An operand by its digit.
fn operand(insn: &Insn, digit: u8) -> i32 {
    match digit {
        b'1' => insn.p1,
        b'2' => insn.p2,
        b'3' => insn.p3,
        b'4' => insn.p4.int(),
        _ => i32::from(insn.p5),
    }
}

/// The comment of an instruction (rules 1 and 3).
pub fn comment(insn: &Insn, p4: &[u8], note: Option<&str>) -> Vec<u8> {
    let synopsis = insn.opcode.info().synopsis;
    let note = note.unwrap_or_default();
    if synopsis.is_empty() {
        return note.as_bytes().to_vec();
    }
    let expanded = synopsis
        .strip_prefix("IF ")
        .map(|condition| format!("if {condition} goto P2"));
    let mut rest = expanded.as_deref().unwrap_or(synopsis).as_bytes();
    let mut out = Vec::new();
    let mut note_is_used = false;
    while let Some((&first, after)) = rest.split_first() {
        let &[what, ref tail @ ..] = after else {
            out.push(first);
            break;
        };
        if first != b'P' || !(what.is_ascii_digit() || what == b'X') {
            out.push(first);
            rest = after;
            continue;
        }
        rest = tail;
        match what {
            b'4' => out.extend_from_slice(p4),
            // What follows `PX` is dropped where there is a note.
            b'X' if !note.is_empty() => {
                out.extend_from_slice(note.as_bytes());
                note_is_used = true;
                break;
            }
            b'X' => {}
            digit => rest = push_operand(&mut out, insn, digit, rest),
        }
    }
    if !note_is_used && !note.is_empty() {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(note.as_bytes());
    }
    out
}

/// Prints an operand, or the range that begins with it; what is left of the synopsis.
fn push_operand<'a>(out: &mut Vec<u8>, insn: &Insn, digit: u8, rest: &'a [u8]) -> &'a [u8] {
    let first = operand(insn, digit);
    let mut range = |count: i32| {
        let last = first.wrapping_add(count).wrapping_sub(1);
        let text = if count < 2 {
            first.to_string()
        } else {
            format!("{first}..{last}")
        };
        out.extend_from_slice(text.as_bytes());
    };
    match rest {
        [b'@', b'N', b'P', tail @ ..] => {
            let is_call = matches!(insn.p4, P4::Function(_));
            if is_call && insn.p5 == 0 {
                // No arguments: the brackets around the range, "r[" and "]", go too.
                out.truncate(out.len().saturating_sub(2));
                return tail.get(1..).unwrap_or_default();
            }
            range(if is_call { i32::from(insn.p5) } else { 1 });
            tail
        }
        [b'@', b'P', count, tail @ ..] => {
            let plus_one = tail.starts_with(b"+1");
            range(operand(insn, *count) + i32::from(plus_one));
            if plus_one { &tail[2..] } else { tail }
        }
        _ => {
            range(1);
            match rest {
                [b'.', b'.', b'P', b'3', tail @ ..] if insn.p3 == 0 => tail,
                _ => rest,
            }
        }
    }
}
