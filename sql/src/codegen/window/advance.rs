//! One of the cursors moves on: by a row (ROWS), by a group of peers (GROUPS), or by all groups that a distance lets
//! pass (RANGE).
//!
//! Source: SQLite's `windowCodeOp`, `windowCodeRangeTest`, `windowIfNewPeer`.

use super::{Move, Windows};
use crate::compiler::{Compiler, Result};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};

impl Compiler<'_> {
    /// Reads the ORDER BY terms of a buffered row.
    pub(super) fn code_read_peer(&mut self, windows: &Windows<'_>, cursor: i32, target: i32) {
        let first = windows.pass.buffer_columns + windows.partition_count();
        for i in 0..windows.order_count() {
            self.op(
                Opcode::Column,
                cursor,
                (first + i) as i32,
                target + i as i32,
            );
        }
    }

    /// Jumps to `same` if the ORDER BY terms are those of the row before, else remembers them.
    pub(super) fn code_if_new_peer(
        &mut self,
        windows: &Windows<'_>,
        new: i32,
        old: i32,
        same: i32,
    ) {
        let count = windows.order_count() as i32;
        if count == 0 {
            self.op(Opcode::Goto, 0, same, 0);
            return;
        }
        let key = P4::KeyInfo(windows.pass.order.clone());
        let after = self.op4(Opcode::Compare, old, new, count, key) + 2;
        self.op(Opcode::Jump, after, same, after);
        self.op(Opcode::Copy, new, old, count - 1);
    }

    /// Emits a move. `count`: the register of a distance that is counted down first, or, with RANGE, that tells how
    /// far to go; 0: none. Returns the address of the jump at the end of the rows, if `leaves`.
    pub(super) fn code_move(
        &mut self,
        windows: &Windows<'_>,
        what: Move,
        count: i32,
        leaves: bool,
    ) -> Result<i32> {
        let frame = &windows.pass.frame;
        if what == Move::Inverse && frame.start.is_unbounded() {
            return Ok(0); // nothing ever leaves
        }
        let done = self.label();
        let mut again = None;
        if count != 0 && windows.is_range() {
            again = Some(self.here());
            let (start, current, end) = (
                windows.start.cursor,
                windows.current.cursor,
                windows.end.cursor,
            );
            if what == Move::Step {
                self.code_range_test(windows, Opcode::Gt, end, count, current, done)?;
            } else if frame.start.is_following() {
                self.code_range_test(windows, Opcode::Le, current, count, start, done)?;
            } else {
                self.code_range_test(windows, Opcode::Ge, start, count, current, done)?;
            }
        } else if count != 0 {
            self.jump(Opcode::IfPos, count, done, 1);
        }
        if what == Move::Return && !windows.has_exclude() {
            self.code_window_values(windows, false);
        }
        let top = self.here();
        if windows.has_like_ends() && count != 0 && windows.is_range() {
            self.code_keep_behind(windows, what, done);
        }
        let place = match what {
            Move::Return => {
                self.code_return_row(windows)?;
                windows.current
            }
            Move::Inverse => {
                if windows.has_exclude() {
                    self.op(Opcode::AddImm, windows.frame_first, 1, 0);
                } else {
                    self.code_window_step(windows, windows.start.cursor, true)?;
                }
                windows.start
            }
            Move::Step => {
                if windows.has_exclude() {
                    self.op(Opcode::AddImm, windows.frame_last, 1, 0);
                } else {
                    self.code_window_step(windows, windows.end.cursor, false)?;
                }
                windows.end
            }
        };
        if windows.delete_after == Some(what) {
            self.op(Opcode::Delete, place.cursor, 0, 0);
            self.p5(p5::SAVEPOSITION);
        }
        let by_peers = windows.by_peers();
        let mut leave = 0;
        if leaves {
            let on = self.here() + 2;
            self.op(Opcode::Next, place.cursor, on, 0);
            leave = self.op(Opcode::Goto, 0, 0, 0);
        } else {
            let on = self.here() + 1 + i32::from(by_peers);
            self.op(Opcode::Next, place.cursor, on, 0);
            if by_peers {
                self.goto(done);
            }
        }
        if by_peers {
            let terms = windows.order_count();
            let peer = if terms > 0 { self.temp_regs(terms) } else { 0 };
            self.code_read_peer(windows, place.cursor, peer);
            self.code_if_new_peer(windows, peer, place.peer, top);
            if terms > 0 {
                self.release_temps(peer, terms);
            }
        }
        if let Some(again) = again {
            self.op(Opcode::Goto, 0, again, 0);
        }
        self.place(done);
        Ok(leave)
    }

    /// With both ends on the same side, the start must not overtake the end (it would where the distances are the wrong
    /// way round), nor the end the rows that have come.
    fn code_keep_behind(&mut self, windows: &Windows<'_>, what: Move, done: Label) {
        let (first, second) = (self.temp_reg(), self.temp_reg());
        if what == Move::Inverse {
            self.op(Opcode::Rowid, windows.start.cursor, first, 0);
            self.op(Opcode::Rowid, windows.end.cursor, second, 0);
            self.jump(Opcode::Ge, second, done, first);
        } else if windows.newest != 0 {
            self.op(Opcode::Rowid, windows.end.cursor, first, 0);
            self.jump(Opcode::Ge, windows.newest, done, first);
        }
        self.release_temp(second);
        self.release_temp(first);
    }

    /// Jumps to `label` if `row1 + distance op row2`, by the term of ORDER BY (with DESC: `row1 - distance`, the other
    /// way round). Only numbers are added to: anything else stays what it is.
    pub(super) fn code_range_test(
        &mut self,
        windows: &Windows<'_>,
        op: Opcode,
        cursor1: i32,
        distance: i32,
        cursor2: i32,
        label: Label,
    ) -> Result<()> {
        let Some(term) = windows.pass.order.columns.first() else {
            return Ok(());
        };
        let (collation, desc, big_null) = (term.collation.clone(), term.desc, term.big_null);
        let (a, b) = (self.temp_reg(), self.temp_reg());
        let empty = self.alloc_reg();
        let done = self.label();
        self.code_read_peer(windows, cursor1, a);
        self.code_read_peer(windows, cursor2, b);
        let (op, arithmetic) = match (desc, op) {
            (false, op) => (op, Opcode::Add),
            (true, Opcode::Ge) => (Opcode::Le, Opcode::Subtract),
            (true, Opcode::Gt) => (Opcode::Lt, Opcode::Subtract),
            (true, _) => (Opcode::Ge, Opcode::Subtract),
        };
        if big_null {
            // NULLs are the largest here, which the comparison does not know.
            let not_null = self.op(Opcode::NotNull, a, 0, 0);
            match op {
                Opcode::Ge => {
                    self.goto(label);
                }
                Opcode::Gt => {
                    self.jump(Opcode::NotNull, b, label, 0);
                }
                Opcode::Le => {
                    self.jump(Opcode::IsNull, b, label, 0);
                }
                _ => {}
            }
            self.goto(done);
            self.jump_here(not_null);
            let to = if matches!(op, Opcode::Gt | Opcode::Ge) {
                done
            } else {
                label
            };
            self.jump(Opcode::IsNull, b, to, 0);
        }
        // Texts and BLOBs are not smaller than the empty text.
        let text = P4::Text(Vec::new().into());
        self.op4(Opcode::String8, 0, empty, 0, text);
        let no_number = self.op(Opcode::Ge, empty, 0, a);
        let decided = op == Opcode::Ge && arithmetic == Opcode::Add
            || op == Opcode::Le && arithmetic == Opcode::Subtract;
        if decided {
            // Without the addition, which may overflow.
            self.jump(op, b, label, a);
        }
        self.op(arithmetic, distance, a, a);
        self.jump_here(no_number);
        self.op4(op, b, label.into(), a, P4::Collation(collation));
        self.p5(p5::NULLEQ);
        self.place(done);
        self.release_temp(b);
        self.release_temp(a);
        Ok(())
    }
}
