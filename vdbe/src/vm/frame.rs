//! Frames: a subprogram (of a trigger, or of an action of a foreign key) runs on registers and cursors of its own.
//!
//! ```text
//!   caller   r[base] old rowid | old columns | new rowid | new columns        Program base, ignore, _, n
//!                                                 ▲
//!   frame    registers and cursors              Param i: r[base + i] of the caller
//! ```
//!
//! Rules:
//! 1. `State` holds the registers, cursors and `Once` bits of what runs now; those of its callers wait in `Frames::stack`,
//!    the main program's at the bottom.
//! 2. What a frame needed is kept for the next run of the same subprogram, so that a trigger that fires for every row
//!    allocates once. Cursors on trees keep their buffers and nothing else, until they are opened again; ephemeral tables
//!    stay, as `OpenEphemeral` empties them.
//! 3. `changes()`, `last_insert_rowid()` and the count of changes are those of the frame while it runs, and those of the
//!    caller again when it ends; `total_changes()` goes on.
//! 4. An error ends all frames at once: `unwind` brings the main program's registers back before the run is settled.
//!
//! Cost: about 120 instructions for a frame, and one copy for each `Param`.
//!
//! Source: SQLite's `OP_Program`, `OP_Param`, `sqlite3VdbeFrameRestore`.

use super::cursor::Slot;
use super::halt::set_changes;
use super::state::State;
use super::trap::{Step, fail_with};
use crate::env::Env;
use crate::func::AuxData;
use crate::insn::{Insn, P4};
use crate::mem::Mem;
use crate::program::Program;
use crate::result_code::ResultCode;

/// What a program runs on.
#[derive(Default)]
struct Space {
    mems: Vec<Mem>,
    cursors: Vec<Slot>,
    once: Vec<u64>,
}

impl Space {
    fn new(program: &Program, code: u32) -> Space {
        let sub = &program.subprograms[code as usize - 1];
        let mut cursors = Vec::new();
        cursors.resize_with(sub.cursor_count as usize, || Slot::Closed);
        Space {
            mems: std::iter::repeat_with(Mem::new)
                .take(sub.mem_count as usize + 1)
                .collect(),
            cursors,
            once: vec![0; sub.insns.len().div_ceil(64)],
        }
    }

    /// Rule 2.
    fn rest(&mut self) {
        self.once.fill(0);
        for slot in &mut self.cursors {
            match slot {
                Slot::Tree(c) => {
                    c.moved(false);
                    c.cur.reset();
                }
                Slot::Closed | Slot::Queue(_) => {}
                _ => *slot = Slot::Closed,
            }
        }
    }
}

/// A program that waits for the end of the subprogram that it runs.
struct Frame {
    space: Space,
    code: u32,
    /// The address of its `Program`.
    pc: u32,
    /// P1 of that: where the row is that the subprogram's `Param`s count from.
    base: i32,
    changes: i64,
    reported_changes: i64,
    last_insert_rowid: i64,
    aux: AuxData,
}

/// The programs that wait, and the spaces that nobody uses.
#[derive(Default)]
pub(super) struct Frames {
    stack: Vec<Frame>,
    /// By subprogram.
    idle: Vec<Vec<Space>>,
}

impl Frames {
    /// The registers of the main program, if it waits; else `mems`, which are they.
    #[inline]
    pub(super) fn main_registers<'a>(&'a mut self, mems: &'a mut [Mem]) -> &'a mut [Mem] {
        match self.stack.first_mut() {
            None => mems,
            Some(main) => &mut main.space.mems,
        }
    }

    /// How many programs wait for the one that runs.
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Nothing is kept for another statement.
    pub(super) fn retire(&mut self) {
        if self.stack.capacity() != 0 || self.idle.capacity() != 0 {
            *self = Frames::default();
        }
    }

    /// Ephemeral tables end with the run.
    pub(super) fn close_idle(&mut self) {
        for slot in self.idle.iter_mut().flatten().flat_map(|s| &mut s.cursors) {
            *slot = Slot::Closed;
        }
    }
}

/// Program: enters a subprogram; false if there is nothing to do, because its trigger is running already.
#[inline]
pub(super) fn enter(
    program: &Program,
    s: &mut State,
    env: &mut Env,
    insn: &Insn,
    pc: usize,
) -> Step<bool> {
    let P4::SubProgram(n) = insn.p4 else {
        return fail_with(ResultCode::INTERNAL, "internal error: no subprogram");
    };
    let code = n + 1;
    if insn.p5 != 0 && is_running(program, s, program.subprograms[n as usize].trigger) {
        return Ok(false);
    }
    let frames = &mut s.frames;
    if frames.stack.len() >= env.limits.trigger_depth as usize {
        return fail_with(ResultCode::ERROR, "triggers nested too deep");
    }
    if frames.idle.len() < program.subprograms.len() {
        frames.idle.resize_with(program.subprograms.len(), Vec::new);
    }
    let space = frames.idle[n as usize]
        .pop()
        .unwrap_or_else(|| Space::new(program, code));
    frames.stack.push(Frame {
        space: Space {
            mems: std::mem::replace(&mut s.mems, space.mems),
            cursors: std::mem::replace(&mut s.cursors, space.cursors),
            once: std::mem::replace(&mut s.once, space.once),
        },
        code: s.code,
        pc: pc as u32,
        base: insn.p1,
        changes: s.changes,
        reported_changes: env.facts.changes,
        last_insert_rowid: env.facts.last_insert_rowid,
        aux: std::mem::take(&mut s.aux),
    });
    s.code = code;
    s.changes = 0;
    if let Some(hook) = &mut env.hooks.trigger {
        hook(program.subprograms[n as usize].name.as_deref());
    }
    Ok(true)
}

/// Whether a subprogram of that trigger is among those that run.
fn is_running(program: &Program, s: &State, trigger: u32) -> bool {
    let callers = s.frames.stack.iter().map(|frame| frame.code);
    callers
        .chain([s.code])
        .any(|code| code > 0 && program.subprograms[code as usize - 1].trigger == trigger)
}

/// Goes back to the caller: the address of its `Program`; none in the main program.
#[inline]
pub(super) fn leave(s: &mut State, env: &mut Env) -> Option<usize> {
    let frame = s.frames.stack.pop()?;
    set_changes(env, s.changes);
    Some(restore(s, env, frame))
}

fn restore(s: &mut State, env: &mut Env, frame: Frame) -> usize {
    let mut space = Space {
        mems: std::mem::replace(&mut s.mems, frame.space.mems),
        cursors: std::mem::replace(&mut s.cursors, frame.space.cursors),
        once: std::mem::replace(&mut s.once, frame.space.once),
    };
    space.rest();
    s.frames.idle[s.code as usize - 1].push(space);
    s.code = frame.code;
    s.changes = frame.changes;
    s.aux = frame.aux;
    env.facts.changes = frame.reported_changes;
    env.facts.last_insert_rowid = frame.last_insert_rowid;
    frame.pc as usize
}

/// Rule 4.
pub(super) fn unwind(s: &mut State, env: &mut Env) {
    while let Some(frame) = s.frames.stack.pop() {
        restore(s, env, frame);
    }
}

/// Param.
#[inline]
pub(super) fn param(s: &mut State, insn: &Insn) {
    let to = &mut s.mems[insn.p2 as usize];
    let from = s.frames.stack.last().and_then(|frame| {
        let at = frame.base + insn.p1;
        frame.space.mems.get(at as usize)
    });
    match from {
        Some(from) => to.copy_from(from),
        None => to.set_null(),
    }
}

/// A register of the main program.
#[inline]
pub(super) fn main_register(s: &mut State, reg: i32) -> &mut Mem {
    let State { frames, mems, .. } = s;
    &mut frames.main_registers(mems)[reg as usize]
}
