//! The functions of a pass: their states, steps and values.
//!
//! | function | in the program |
//! |---|---|
//! | aggregates, row_number(), rank(), … | `AggStep`, `AggInverse`, `AggValue` |
//! | min(), max() over a frame that loses rows | an ephemeral index of the frame's values; the value is its last entry |
//! | first_value(), nth_value() | two counters, how many rows have entered and left; the row is sought by rowid |
//! | lead(), lag() | the row is sought by rowid |
//!
//! Source: SQLite's `windowAggStep`, `windowAggFinal`, `windowReturnOneRow`, `windowFullScan`, `windowInitAccum`.

use super::{Offset, Windows};
use crate::bound::{Exclude, WindowFunction};
use crate::codegen::expr::ListFlags;
use crate::compiler::{Compiler, Result};
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_vdbe::{FunctionFlags, Opcode, P4};
use std::sync::Arc;

/// How a function is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Aggregate,
    /// min(), max() as an index: the cursor, and the first of three registers: value, number, record.
    Extreme {
        cursor: i32,
        regs: i32,
    },
    /// A cursor on the buffer, and two registers: rows that have left, rows that have entered.
    First {
        cursor: i32,
        regs: i32,
    },
    Nth {
        cursor: i32,
        regs: i32,
    },
    /// A cursor on the buffer.
    Lead(i32),
    Lag(i32),
}

/// A function of the pass while it is coded.
pub(super) struct State {
    kind: Kind,
    /// first_value() and the like, with EXCLUDE too.
    is_lookup: bool,
}

impl State {
    /// Whether it needs rows of the buffer that are in the frame.
    pub(super) const fn looks_up(&self) -> bool {
        self.is_lookup
    }
}

impl Compiler<'_> {
    /// Opens what the functions need.
    pub(super) fn open_window_states(&mut self, windows: &mut Windows<'_>) {
        for function in &windows.pass.functions {
            let builtin = function
                .def
                .flags
                .contains(FunctionFlags::BUILTIN | FunctionFlags::WINDOW_ONLY);
            let name = if builtin { &*function.def.name } else { "" };
            let is_lookup = matches!(name, "first_value" | "nth_value" | "lead" | "lag");
            let loses_rows = !windows.pass.frame.start.is_unbounded();
            let is_extreme = function.def.flags.contains(FunctionFlags::MINMAX);
            let kind = match name {
                "lead" => Kind::Lead(self.open_window_dup(windows)),
                "lag" => Kind::Lag(self.open_window_dup(windows)),
                _ if windows.has_exclude() => Kind::Aggregate,
                _ if is_extreme && loses_rows => self.open_extreme(function),
                "first_value" | "nth_value" => {
                    let regs = self.alloc_regs(2);
                    let cursor = self.open_window_dup(windows);
                    if name == "nth_value" {
                        Kind::Nth { cursor, regs }
                    } else {
                        Kind::First { cursor, regs }
                    }
                }
                _ => Kind::Aggregate,
            };
            windows.states.push(State { kind, is_lookup });
        }
    }

    fn open_window_dup(&mut self, windows: &Windows<'_>) -> i32 {
        let cursor = self.alloc_cursor(None);
        self.op(Opcode::OpenDup, cursor, windows.pass.cursor, 0);
        cursor
    }

    fn open_extreme(&mut self, function: &WindowFunction) -> Kind {
        let cursor = self.alloc_cursor(None);
        let regs = self.alloc_regs(3);
        // The last entry is the value: the smallest for min().
        let value = KeyColumn {
            collation: self.collation(&function.collation).unwrap_or_default(),
            desc: function.def.name.eq_ignore_ascii_case("min"),
            big_null: false,
        };
        let key = KeyInfo {
            columns: vec![value, KeyColumn::default()],
            behind: 0,
            encoding: self.ctx.schema.dbs[0].encoding,
        };
        let key = P4::KeyInfo(Arc::new(key));
        self.op4(Opcode::OpenEphemeral, cursor, 2, 0, key);
        self.op(Opcode::Integer, 0, regs + 1, 0);
        Kind::Extreme { cursor, regs }
    }

    /// A partition begins: nothing has entered the frame.
    pub(super) fn reset_window_states(&mut self, windows: &mut Windows<'_>) {
        let mut count = 0;
        for (function, state) in windows.pass.functions.iter().zip(&windows.states) {
            self.op(Opcode::Null, 0, function.accumulator, 0);
            count = count.max(function.arg_count);
            match state.kind {
                Kind::First { regs, .. } | Kind::Nth { regs, .. } => {
                    self.op(Opcode::Integer, 0, regs, 0);
                    self.op(Opcode::Integer, 0, regs + 1, 0);
                }
                Kind::Extreme { cursor, regs } => {
                    self.op(Opcode::ResetSorter, cursor, 0, 0);
                    self.op(Opcode::Integer, 0, regs + 1, 0);
                }
                Kind::Aggregate | Kind::Lead(_) | Kind::Lag(_) => {}
            }
        }
        windows.args = self.alloc_regs(count);
    }

    /// The row of `cursor` enters the frame, or leaves it.
    pub(super) fn code_window_step(
        &mut self,
        windows: &Windows<'_>,
        cursor: i32,
        inverse: bool,
    ) -> Result<()> {
        for (function, state) in windows.pass.functions.iter().zip(&windows.states) {
            self.code_function_step(windows, function, state.kind, cursor, inverse)?;
        }
        Ok(())
    }

    fn code_function_step(
        &mut self,
        windows: &Windows<'_>,
        function: &WindowFunction,
        kind: Kind,
        cursor: i32,
        inverse: bool,
    ) -> Result<()> {
        let args = windows.args;
        let first = function.arg_column as i32;
        let mut read = 0;
        if function.arg_exprs.is_none() {
            read = function.arg_count as i32;
            let is_nth = function.def.name == "nth_value";
            for i in 0..read {
                // Which row of the frame is wanted is the current row's to say.
                let of_current = i == 1 && is_nth;
                let from = if of_current {
                    windows.pass.cursor
                } else {
                    cursor
                };
                self.op(Opcode::Column, from, first + i, args + i);
            }
        }
        let mut skip = None;
        if function.has_filter {
            let reg = self.temp_reg();
            self.op(Opcode::Column, cursor, first + read, reg);
            skip = Some(self.op(Opcode::IfNot, reg, 0, 1));
            self.release_temp(reg);
        }
        match kind {
            Kind::Extreme {
                cursor: index,
                regs,
            } => {
                let null = self.op(Opcode::IsNull, args, 0, 0);
                if inverse {
                    let none = self.op4(Opcode::SeekGE, index, 0, args, P4::Int(1));
                    self.op(Opcode::Delete, index, 0, 0);
                    self.jump_here(none);
                } else {
                    self.op(Opcode::AddImm, regs + 1, 1, 0);
                    self.op(Opcode::SCopy, args, regs, 0);
                    self.op(Opcode::MakeRecord, regs, 2, regs + 2);
                    self.op4(Opcode::IdxInsert, index, regs + 2, regs, P4::Int(2));
                }
                self.jump_here(null);
            }
            Kind::First { regs, .. } | Kind::Nth { regs, .. } => {
                self.op(Opcode::AddImm, regs + i32::from(!inverse), 1, 0);
            }
            Kind::Lead(_) | Kind::Lag(_) => {}
            Kind::Aggregate => self.code_aggregate_step(windows, function, cursor, inverse)?,
        }
        if let Some(skip) = skip {
            self.jump_here(skip);
        }
        Ok(())
    }

    fn code_aggregate_step(
        &mut self,
        windows: &Windows<'_>,
        function: &WindowFunction,
        cursor: i32,
        inverse: bool,
    ) -> Result<()> {
        let mut args = windows.args;
        if let Some(exprs) = &function.arg_exprs {
            args = self.temp_regs(exprs.len());
            let from = self.here();
            let flags = ListFlags {
                dup: true,
                factor: false,
            };
            self.expr_code_list(exprs, args, flags)?;
            // They were written for the current row.
            for addr in from..self.here() {
                let insn = self.b.insn_mut(addr);
                if insn.opcode == Opcode::Column && insn.p1 == windows.pass.cursor {
                    insn.p1 = cursor;
                }
            }
        }
        if function.def.flags.contains(FunctionFlags::NEEDS_COLLATION) {
            let collation = self.collation(&function.collation)?;
            self.op4(Opcode::CollSeq, 0, 0, 0, P4::Collation(collation));
        }
        let opcode = if inverse {
            Opcode::AggInverse
        } else {
            Opcode::AggStep
        };
        let def = P4::Function(function.def.clone());
        self.op4(opcode, i32::from(inverse), args, function.accumulator, def);
        self.p5(function.arg_count as u16);
        if let Some(exprs) = &function.arg_exprs {
            self.release_temps(args, exprs.len());
        }
        Ok(())
    }

    /// Puts the values for the current frame into the functions' result registers; `ends`: and forgets the states.
    pub(super) fn code_window_values(&mut self, windows: &Windows<'_>, ends: bool) {
        for (function, state) in windows.pass.functions.iter().zip(&windows.states) {
            let (accumulator, result) = (function.accumulator, function.result);
            let def = P4::Function(function.def.clone());
            let count = function.arg_count as i32;
            match state.kind {
                Kind::Extreme { cursor, .. } => {
                    self.op(Opcode::Null, 0, result, 0);
                    let none = self.op(Opcode::Last, cursor, 0, 0);
                    self.op(Opcode::Column, cursor, 0, result);
                    self.jump_here(none);
                }
                Kind::First { .. } | Kind::Nth { .. } | Kind::Lead(_) | Kind::Lag(_) => {}
                Kind::Aggregate if ends => {
                    self.op4(Opcode::AggFinal, accumulator, count, 0, def);
                    self.op(Opcode::Copy, accumulator, result, 0);
                    self.op(Opcode::Null, 0, accumulator, 0);
                }
                Kind::Aggregate => {
                    self.op4(Opcode::AggValue, accumulator, count, result, def);
                }
            }
        }
    }

    /// Outputs the row of `current`.
    pub(super) fn code_return_row(&mut self, windows: &Windows<'_>) -> Result<()> {
        if windows.has_exclude() {
            self.code_full_scan(windows)?;
        } else {
            for (function, state) in windows.pass.functions.iter().zip(&windows.states) {
                match state.kind {
                    Kind::First { cursor, regs } => {
                        self.code_nth(windows, function, cursor, regs, false);
                    }
                    Kind::Nth { cursor, regs } => {
                        self.code_nth(windows, function, cursor, regs, true);
                    }
                    Kind::Lead(cursor) => self.code_neighbour(windows, function, cursor, true),
                    Kind::Lag(cursor) => self.code_neighbour(windows, function, cursor, false),
                    Kind::Aggregate | Kind::Extreme { .. } => {}
                }
            }
        }
        self.jump(Opcode::Gosub, windows.body_return, windows.body, 0);
        Ok(())
    }

    fn code_nth(
        &mut self,
        windows: &Windows<'_>,
        function: &WindowFunction,
        cursor: i32,
        regs: i32,
        is_nth: bool,
    ) {
        let done = self.label();
        let row = self.temp_reg();
        let column = function.arg_column as i32;
        self.op(Opcode::Null, 0, function.result, 0);
        if is_nth {
            self.op(Opcode::Column, windows.pass.cursor, column + 1, row);
            self.check_offset(row, Offset::Nth, false);
        } else {
            self.op(Opcode::Integer, 1, row, 0);
        }
        self.op(Opcode::Add, row, regs, row);
        self.jump(Opcode::Gt, regs + 1, done, row);
        self.jump(Opcode::SeekRowid, cursor, done, row);
        self.op(Opcode::Column, cursor, column, function.result);
        self.place(done);
        self.release_temp(row);
    }

    fn code_neighbour(
        &mut self,
        windows: &Windows<'_>,
        function: &WindowFunction,
        cursor: i32,
        ahead: bool,
    ) {
        let done = self.label();
        let row = self.temp_reg();
        let (buffer, column) = (windows.pass.cursor, function.arg_column as i32);
        if function.arg_count < 3 {
            self.op(Opcode::Null, 0, function.result, 0);
        } else {
            self.op(Opcode::Column, buffer, column + 2, function.result);
        }
        self.op(Opcode::Rowid, buffer, row, 0);
        if function.arg_count < 2 {
            self.op(Opcode::AddImm, row, if ahead { 1 } else { -1 }, 0);
        } else {
            let distance = self.temp_reg();
            self.op(Opcode::Column, buffer, column + 1, distance);
            let op = if ahead { Opcode::Add } else { Opcode::Subtract };
            self.op(op, distance, row, row);
            self.release_temp(distance);
        }
        self.jump(Opcode::SeekRowid, cursor, done, row);
        self.op(Opcode::Column, cursor, column, function.result);
        self.place(done);
        self.release_temp(row);
    }

    /// Goes through the frame of the current row, what EXCLUDE names left out.
    fn code_full_scan(&mut self, windows: &Windows<'_>) -> Result<()> {
        let pass = windows.pass;
        let (next, done) = (self.label(), self.label());
        let count = windows.order_count();
        let (own, row) = (self.temp_reg(), self.temp_reg());
        let (mut own_peer, mut peer) = (0, 0);
        if count > 0 {
            own_peer = self.temp_regs(count);
            peer = self.temp_regs(count);
        }
        self.op(Opcode::Rowid, pass.cursor, own, 0);
        self.code_read_peer(windows, pass.cursor, own_peer);
        for function in &pass.functions {
            self.op(Opcode::Null, 0, function.accumulator, 0);
        }
        let scan = windows.scan;
        self.jump(Opcode::SeekGE, scan, done, windows.frame_first);
        let top = self.here();
        self.op(Opcode::Rowid, scan, row, 0);
        self.jump(Opcode::Gt, windows.frame_last, done, row);
        match pass.frame.exclude {
            Some(Exclude::CurrentRow) => {
                self.jump(Opcode::Eq, own, next, row);
            }
            Some(exclude @ (Exclude::Group | Exclude::Ties)) => {
                let same = (exclude == Exclude::Ties).then(|| self.op(Opcode::Eq, own, 0, row));
                if count > 0 {
                    self.code_read_peer(windows, scan, peer);
                    let key = P4::KeyInfo(pass.order.clone());
                    let at = self.op4(Opcode::Compare, peer, own_peer, count as i32, key) + 2;
                    self.op(Opcode::Jump, at, next.into(), at);
                } else {
                    self.goto(next);
                }
                if let Some(same) = same {
                    self.jump_here(same);
                }
            }
            Some(Exclude::NoOthers) | None => {}
        }
        self.code_window_step(windows, scan, false)?;
        self.place(next);
        self.op(Opcode::Next, scan, top, 0);
        self.place(done);
        self.release_temp(row);
        self.release_temp(own);
        if count > 0 {
            self.release_temps(peer, count);
            self.release_temps(own_peer, count);
        }
        self.code_window_values(windows, true);
        Ok(())
    }
}
