//! Window functions: a pass over the sorted rows of a subquery.
//!
//! ```text
//!   rows of the subquery, sorted by PARTITION BY, ORDER BY
//!        │ buffered in an ephemeral table, under four cursors
//!        ▼
//!   write     the row that has just come
//!   end       the next row to enter the frame     AggStep      as far ahead of `current` as the frame's end
//!   current   the next row to go out              AggValue, Gosub to the body of the SELECT
//!   start     the next row to leave the frame     AggInverse
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`mod@self`] | the loop over the rows, and what is left at the end of a partition |
//! | `advance` | one cursor moves on by a row, or by a group of peers, or as long as a range allows |
//! | `function` | the functions' steps and values |
//!
//! Rules:
//! 1. A row is deleted from the buffer when no cursor needs it any more, if that is known beforehand.
//! 2. min() and max() over a frame that loses rows keep its values in an ephemeral index; first_value(), nth_value(),
//!    lead() and lag() are looked up in the buffer by rowid, which counts from 1 in each partition.
//! 3. With EXCLUDE each row's frame is gone through from its beginning.
//!
//! Source: SQLite's `sqlite3WindowCodeStep` and the functions around it; the table of cases is in its header comment.

mod advance;
mod function;

use crate::bound::{Expr, FrameBound, FrameUnit, WindowPass};
use crate::codegen::loops::Loops;
use crate::compiler::{ColumnSource, Compiler, Result};
use function::State;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};

/// What moves on: the three cursors that follow the one that writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Move {
    /// `current`: a row goes out.
    Return,
    /// `start`: a row leaves the frame.
    Inverse,
    /// `end`: a row enters the frame.
    Step,
}

/// A cursor and the registers of its row's ORDER BY terms.
#[derive(Clone, Copy, Default, Debug)]
struct Place {
    cursor: i32,
    peer: i32,
}

/// A pass while it is coded.
pub struct Windows<'p> {
    pass: &'p WindowPass,
    states: Vec<State>,
    /// The subroutine that outputs `current`'s row, and its return register.
    body: Label,
    body_return: i32,
    /// Registers for arguments.
    args: i32,
    /// Rule 1.
    delete_after: Option<Move>,
    /// The register of the newest rowid; 0 once no more rows come.
    newest: i32,
    start: Place,
    current: Place,
    end: Place,
    /// The partition's terms.
    partition: i32,
    one: i32,
    /// Rule 3: the frame's first and last rowid, and the cursor that goes through it. 0: no EXCLUDE.
    frame_first: i32,
    frame_last: i32,
    scan: i32,
}

impl Windows<'_> {
    /// Where the body's subroutine begins, and its return register.
    pub const fn body(&self) -> (Label, i32) {
        (self.body, self.body_return)
    }

    fn has_exclude(&self) -> bool {
        self.frame_first != 0
    }

    /// RANGE and GROUPS go by peers.
    fn by_peers(&self) -> bool {
        self.pass.frame.unit != FrameUnit::Rows
    }

    fn is_range(&self) -> bool {
        self.pass.frame.unit == FrameUnit::Range
    }

    /// Both ends are `x PRECEDING`, or both `x FOLLOWING`.
    fn has_like_ends(&self) -> bool {
        let frame = &self.pass.frame;
        frame.start.is_preceding() && frame.end.is_preceding()
            || frame.start.is_following() && frame.end.is_following()
    }

    /// How many terms ORDER BY has.
    fn order_count(&self) -> usize {
        self.pass.order.columns.len()
    }

    fn partition_count(&self) -> usize {
        self.pass.partition.columns.len()
    }
}

/// Which message a bad number of a frame or of nth_value() gets.
#[derive(Clone, Copy)]
enum Offset {
    Start,
    End,
    Nth,
}

impl Compiler<'_> {
    /// Opens the buffer and what the functions need, before the loop over the subquery.
    pub fn open_windows<'p>(&mut self, pass: &'p WindowPass) -> Result<Windows<'p>> {
        let cursor = pass.cursor;
        self.op(Opcode::OpenEphemeral, cursor, pass.columns as i32, 0);
        self.p5(p5::ROWLIST);
        for n in 1..=3 {
            self.op(Opcode::OpenDup, cursor + n, cursor, 0);
        }
        let mut partition = 0;
        let count = pass.partition.columns.len();
        if count > 0 {
            partition = self.alloc_regs(count);
            self.op(Opcode::Null, 0, partition, partition + count as i32 - 1);
        }
        let one = self.alloc_reg();
        self.op(Opcode::Integer, 1, one, 0);
        let place = |n: i32| Place {
            cursor: cursor + n,
            peer: 0,
        };
        let mut windows = Windows {
            pass,
            states: Vec::new(),
            body: self.label(),
            body_return: self.alloc_reg(),
            args: 0,
            delete_after: None,
            newest: 0,
            start: place(2),
            current: place(0),
            end: place(3),
            partition,
            one,
            frame_first: 0,
            frame_last: 0,
            scan: 0,
        };
        if pass.frame.exclude.is_some() {
            windows.frame_first = self.alloc_reg();
            windows.frame_last = self.alloc_reg();
            windows.scan = self.alloc_cursor(None);
            self.op(Opcode::Integer, 1, windows.frame_first, 0);
            self.op(Opcode::Integer, 0, windows.frame_last, 0);
            self.op(Opcode::OpenDup, windows.scan, cursor, 0);
        }
        self.open_window_states(&mut windows);
        windows.delete_after = windows.deletable();
        Ok(windows)
    }

    /// The body of the loop over the subquery, its end, and the rest of the last partition. Afterwards the caller jumps
    /// over the subroutine `windows.body`, which it emits.
    pub fn code_windows(
        &mut self,
        windows: &mut Windows<'_>,
        loops: Box<Loops<'_>>,
        input: i32,
    ) -> Result<()> {
        let pass = windows.pass;
        let next = self.label();
        let count = pass.columns;
        let new = self.alloc_regs(count);
        let record = self.alloc_reg();
        windows.newest = self.alloc_reg();
        let frame = &pass.frame;
        let mut offset_reg = |bound: &FrameBound| match bound.offset() {
            Some(_) => self.alloc_reg(),
            None => 0,
        };
        let (start, end) = (offset_reg(&frame.start), offset_reg(&frame.end));
        let new_partition = new + pass.buffer_columns as i32;
        let new_peer = new_partition + windows.partition_count() as i32;
        let mut peer = 0;
        if windows.by_peers() {
            let count = windows.order_count();
            peer = self.alloc_regs(count);
            windows.start.peer = self.alloc_regs(count);
            windows.current.peer = self.alloc_regs(count);
            windows.end.peer = self.alloc_regs(count);
        }
        for i in 0..count as i32 {
            // As it is: what reads the buffer gives it its type.
            match self.column_source(input, i) {
                ColumnSource::Register { reg, .. } => self.op(Opcode::Copy, reg, new + i, 0),
                _ => self.op(Opcode::Column, input, i, new + i),
            };
        }
        self.op(Opcode::MakeRecord, new, count as i32, record);
        let mut flush = None;
        if windows.partition_count() > 0 {
            let count = windows.partition_count() as i32;
            let flush_return = self.alloc_reg();
            let key = P4::KeyInfo(pass.partition.clone());
            let at = self.op4(
                Opcode::Compare,
                new_partition,
                windows.partition,
                count,
                key,
            ) + 1;
            self.op(Opcode::Jump, at + 1, at + 3, at + 1);
            let gosub = self.op(Opcode::Gosub, flush_return, 0, 0);
            self.op(Opcode::Copy, new_partition, windows.partition, count - 1);
            flush = Some((flush_return, gosub));
        }
        let write = pass.cursor + 1;
        self.op(Opcode::NewRowid, write, windows.newest, 0);
        self.op(Opcode::Insert, write, record, windows.newest);
        let later = self.op(Opcode::Ne, windows.one, 0, windows.newest);

        self.code_first_row(windows, start, end, next)?;
        if peer != 0 && windows.order_count() > 0 {
            let last = windows.order_count() as i32 - 1;
            self.op(Opcode::Copy, new_peer, peer, last);
            for to in [windows.start.peer, windows.current.peer, windows.end.peer] {
                self.op(Opcode::Copy, peer, to, last);
            }
        }
        self.goto(next);
        self.jump_here(later);
        if windows.by_peers() {
            self.code_if_new_peer(windows, new_peer, peer, next.into());
        }
        self.code_later_row(windows, start, end)?;
        self.place(next);
        loops.end(self)?;

        // The rest of a partition, as a subroutine if there may be several.
        let mut set_return = 0;
        if let Some((flush_return, gosub)) = flush {
            set_return = self.op(Opcode::Integer, 0, flush_return, 0);
            self.jump_here(gosub);
        }
        windows.newest = 0;
        let empty = self.op(Opcode::Rewind, write, 0, 0);
        self.code_rest(windows, start, end)?;
        self.jump_here(empty);
        self.op(Opcode::ResetSorter, windows.current.cursor, 0, 0);
        if let Some((flush_return, _)) = flush {
            if windows.has_exclude() {
                self.op(Opcode::Integer, 1, windows.frame_first, 0);
                self.op(Opcode::Integer, 0, windows.frame_last, 0);
            }
            let here = self.here();
            self.b.insn_mut(set_return).p1 = here;
            self.op(Opcode::Return, flush_return, 0, 0);
        }
        Ok(())
    }

    /// The first row of a partition: the frame's distances are computed, and all cursors put on it.
    fn code_first_row(
        &mut self,
        windows: &mut Windows<'_>,
        start: i32,
        end: i32,
        next: Label,
    ) -> Result<()> {
        let frame = &windows.pass.frame;
        self.reset_window_states(windows);
        for (bound, reg, what) in [
            (&frame.start, start, Offset::Start),
            (&frame.end, end, Offset::End),
        ] {
            if let Some(expr) = bound.offset() {
                self.expr_code(expr, reg)?;
                self.check_offset(reg, what, windows.is_range());
            }
        }
        if !windows.is_range() && windows.has_like_ends() {
            // No row can be in the frame: the rows go out as they come.
            let op = if frame.start.is_following() {
                Opcode::Ge
            } else {
                Opcode::Le
            };
            let sound = self.op(op, start, 0, end);
            self.code_window_values(windows, false);
            self.op(Opcode::Rewind, windows.current.cursor, 0, 0);
            self.code_return_row(windows)?;
            self.op(Opcode::ResetSorter, windows.current.cursor, 0, 0);
            self.goto(next);
            self.jump_here(sound);
        }
        if frame.start.is_following() && !windows.is_range() && end != 0 {
            self.op(Opcode::Subtract, start, end, start);
        }
        if !frame.start.is_unbounded() {
            self.op(Opcode::Rewind, windows.start.cursor, 0, 0);
        }
        self.op(Opcode::Rewind, windows.current.cursor, 0, 0);
        self.op(Opcode::Rewind, windows.end.cursor, 0, 0);
        Ok(())
    }

    /// Any other row of a partition, or of another group of peers: the cursors follow as far as the frame lets them.
    fn code_later_row(&mut self, windows: &Windows<'_>, start: i32, end: i32) -> Result<()> {
        let frame = &windows.pass.frame;
        if frame.start.is_following() {
            self.code_move(windows, Move::Step, 0, false)?;
            if frame.end.is_unbounded() {
                return Ok(());
            }
            if windows.is_range() {
                let done = self.label();
                let again = self.here();
                let (current, last) = (windows.current.cursor, windows.end.cursor);
                self.code_range_test(windows, Opcode::Ge, current, end, last, done)?;
                self.code_move(windows, Move::Inverse, start, false)?;
                self.code_move(windows, Move::Return, 0, false)?;
                self.op(Opcode::Goto, 0, again, 0);
                self.place(done);
            } else {
                self.code_move(windows, Move::Return, end, false)?;
                self.code_move(windows, Move::Inverse, start, false)?;
            }
            return Ok(());
        }
        if frame.end.is_preceding() {
            let early = frame.start.is_preceding() && windows.is_range();
            self.code_move(windows, Move::Step, end, false)?;
            if early {
                self.code_move(windows, Move::Inverse, start, false)?;
            }
            self.code_move(windows, Move::Return, 0, false)?;
            if !early {
                self.code_move(windows, Move::Inverse, start, false)?;
            }
            return Ok(());
        }
        self.code_move(windows, Move::Step, 0, false)?;
        if frame.end.is_unbounded() {
            return Ok(());
        }
        if windows.is_range() {
            let again = self.here();
            let done = (end != 0).then(|| self.label());
            if let Some(done) = done {
                let (current, last) = (windows.current.cursor, windows.end.cursor);
                self.code_range_test(windows, Opcode::Ge, current, end, last, done)?;
            }
            self.code_move(windows, Move::Return, 0, false)?;
            self.code_move(windows, Move::Inverse, start, false)?;
            if let Some(done) = done {
                self.op(Opcode::Goto, 0, again, 0);
                self.place(done);
            }
            return Ok(());
        }
        let wait = (end != 0).then(|| self.op(Opcode::IfPos, end, 0, 1));
        self.code_move(windows, Move::Return, 0, false)?;
        self.code_move(windows, Move::Inverse, start, false)?;
        if let Some(wait) = wait {
            self.jump_here(wait);
        }
        Ok(())
    }

    /// No more rows come in the partition: those that are buffered go out.
    fn code_rest(&mut self, windows: &Windows<'_>, start: i32, end: i32) -> Result<()> {
        let frame = &windows.pass.frame;
        if frame.end.is_preceding() {
            let early = frame.start.is_preceding() && windows.is_range();
            self.code_move(windows, Move::Step, end, false)?;
            if early {
                self.code_move(windows, Move::Inverse, start, false)?;
            }
            self.code_move(windows, Move::Return, 0, false)?;
            return Ok(());
        }
        if !frame.start.is_following() {
            self.code_move(windows, Move::Step, 0, false)?;
            let again = self.here();
            let leave = self.code_move(windows, Move::Return, 0, true)?;
            self.code_move(windows, Move::Inverse, start, false)?;
            self.op(Opcode::Goto, 0, again, 0);
            self.jump_here(leave);
            return Ok(());
        }
        self.code_move(windows, Move::Step, 0, false)?;
        let again;
        let (out, empty);
        if windows.is_range() {
            again = self.here();
            empty = self.code_move(windows, Move::Inverse, start, true)?;
            out = self.code_move(windows, Move::Return, 0, true)?;
        } else if frame.end.is_unbounded() {
            again = self.here();
            out = self.code_move(windows, Move::Return, start, true)?;
            empty = self.code_move(windows, Move::Inverse, 0, true)?;
        } else {
            self.op(Opcode::Subtract, start, end, end);
            self.op(Opcode::Integer, 0, start, 0);
            again = self.here();
            out = self.code_move(windows, Move::Return, end, true)?;
            empty = self.code_move(windows, Move::Inverse, start, true)?;
        }
        self.op(Opcode::Goto, 0, again, 0);
        // The frame is empty for the rows that are left.
        self.jump_here(empty);
        let again = self.here();
        let leave = self.code_move(windows, Move::Return, 0, true)?;
        self.op(Opcode::Goto, 0, again, 0);
        self.jump_here(out);
        self.jump_here(leave);
        Ok(())
    }

    /// Fails unless the register holds a number that a frame, or nth_value(), can count by.
    fn check_offset(&mut self, reg: i32, what: Offset, is_range: bool) {
        let message = match (what, is_range) {
            (Offset::Start, false) => "frame starting offset must be a non-negative integer",
            (Offset::End, false) => "frame ending offset must be a non-negative integer",
            (Offset::Start, true) => "frame starting offset must be a non-negative number",
            (Offset::End, true) => "frame ending offset must be a non-negative number",
            (Offset::Nth, _) => "second argument to nth_value must be a positive integer",
        };
        let is_nth = matches!(what, Offset::Nth);
        let zero = self.temp_reg();
        self.op(Opcode::Integer, 0, zero, 0);
        if is_range && !is_nth {
            let empty = self.temp_reg();
            let text = P4::Text(Vec::new().into());
            self.op4(Opcode::String8, 0, empty, 0, text);
            let bad = self.here() + 2;
            self.op(Opcode::Ge, empty, bad, reg);
            self.p5(p5::AFF_NUMERIC | p5::JUMPIFNULL);
            self.release_temp(empty);
        } else {
            let bad = self.here() + 2;
            self.op(Opcode::MustBeInt, reg, bad, 0);
        }
        let op = if is_nth { Opcode::Gt } else { Opcode::Ge };
        let good = self.here() + 2;
        self.op(op, zero, good, reg);
        self.p5(p5::AFF_NUMERIC);
        self.may_abort = true;
        self.op4(
            Opcode::Halt,
            ringwood_vdbe::ResultCode::ERROR.get(),
            i32::from(p5::OE_ABORT),
            0,
            P4::text(message),
        );
        self.release_temp(zero);
    }
}

impl Windows<'_> {
    /// Rule 1.
    fn deletable(&self) -> Option<Move> {
        let frame = &self.pass.frame;
        let beyond =
            |bound: &FrameBound| !self.is_range() && bound.offset().is_some_and(is_positive);
        if frame.start.is_following() {
            return beyond(&frame.start).then_some(Move::Return);
        }
        if !frame.start.is_unbounded() {
            return Some(Move::Inverse);
        }
        if self.has_exclude() || self.states.iter().any(State::looks_up) {
            return None;
        }
        if frame.end.is_preceding() {
            return beyond(&frame.end).then_some(Move::Step);
        }
        Some(Move::Return)
    }
}

/// Whether a distance is known to be above 0.
fn is_positive(expr: &Expr) -> bool {
    match expr {
        Expr::Integer(i) => *i > 0,
        Expr::Real(r) => *r > 0.0,
        _ => false,
    }
}
