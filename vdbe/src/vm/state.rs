//! What a running program changes: registers, cursors, the program counter, what its end will have to settle.

use super::cursor::{Slot, TEMP};
use super::frame::Frames;
use super::trap::Trap;
use crate::env::{Db, Env, Violations};
use crate::error::{Error, Result};
use crate::func::AuxData;
use crate::insn::Insn;
use crate::mem::{Kind, Mem};
use crate::opcode::p5;
use crate::program::Program;
use crate::result_code::ResultCode;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_pager::PageRef;
use ringwood_wal::{SavepointId, Tx};
use std::cmp::Ordering;

/// What the temporary store of a statement keeps in memory at least, as `PRAGMA cache_size` says it.
const TEMP_CACHE_SIZE: i64 = -8000;

/// Where a run stands.
///
/// ```text
///   Ready ──step──► Running ──Halt, error, reset──► Halted ──reset──► Ready
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    Ready,
    Running,
    Halted,
}

/// How the program ended: the code, message and what to do about an error.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) error: Option<Box<Error>>,
    /// An OE_ value.
    pub(super) action: u8,
}

/// What a running program changes.
pub(super) struct State {
    pub(super) status: Status,
    pub(super) pc: u32,
    /// Which program `pc` is in: 0 for the main one, n for subprogram n - 1.
    pub(super) code: u32,
    pub(super) frames: Frames,
    pub(super) steps: u64,
    /// When the progress handler is called next.
    pub(super) progress_due: u64,
    /// When to look at the interrupt flag and the progress handler next.
    pub(super) next_check: u64,
    pub(super) mems: Vec<Mem>,
    pub(super) cursors: Vec<Slot>,
    pub(super) params: Vec<Mem>,
    /// Where functions put their results.
    pub(super) result: Mem,
    /// First register and length of the row.
    pub(super) row: (u32, u32),
    /// One bit per instruction: the `Once` there was passed.
    pub(super) once: Vec<u64>,
    /// The result of the last comparison.
    pub(super) last_order: Ordering,
    /// The address of the last `Permutation`.
    pub(super) permutation: u32,
    /// Rows changed since the start or the last `ResetCount`.
    pub(super) changes: i64,
    /// Whether records store 0 and 1 without a body.
    pub(super) constants: bool,
    /// The temporary store of this run.
    pub(super) temp: Option<Box<Tx>>,
    /// The statement savepoint, by database, and the counter of deferred violations when it was opened.
    pub(super) statement: Vec<(u8, SavepointId)>,
    pub(super) statement_violations: Violations,
    /// Violations of immediate foreign keys so far.
    pub(super) violations: i64,
    pub(super) outcome: Outcome,
    pub(super) aux: AuxData,
    /// The instruction's result comes from the engine: the request was made, and the answer is awaited.
    pub(super) asked: bool,
    /// The engine's answer was an error, which the next step reports.
    pub(super) failed_answer: Option<Box<Error>>,
    /// What was fetched for the instruction at hand: pinned until it succeeds.
    pub(super) pins: Vec<PageRef>,
    /// Overflow bytes read so far for the instruction at hand.
    pub(super) payload: Vec<u8>,
    /// `changes` is not to be reported (the statement is prepared again).
    pub(super) mute_changes: bool,
    /// Cursors that are locked: how deep their program is, their number, their tree.
    pub(super) locks: Vec<(usize, i32, u8, PageNo)>,
    /// Counts that a statement reports: full scan steps, sorts, automatic indexes and so on.
    pub(super) counters: [u64; 8],
}

/// As many elements are room enough to be kept for another statement.
const KEPT_MAX: usize = 512;

#[inline]
fn empty<T>(list: &mut Vec<T>) {
    if list.is_empty() && list.capacity() <= KEPT_MAX {
        return; // as most are, and a list of what has a destructor is not even looked at
    }
    if list.capacity() > KEPT_MAX {
        *list = Vec::new();
    }
    list.clear();
}

/// Pins that a single step may need at once: a path from root to leaf and its neighbours.
const PINS_MAX: usize = 24;

impl State {
    pub(super) fn new(program: &Program) -> State {
        State {
            status: Status::Ready,
            pc: 0,
            code: 0,
            frames: Frames::default(),
            steps: 0,
            progress_due: 0,
            next_check: 0,
            mems: Vec::new(),
            cursors: Vec::new(),
            params: std::iter::repeat_with(Mem::new)
                .take(program.params.len())
                .collect(),
            result: Mem::new(),
            row: (0, 0),
            once: Vec::new(),
            last_order: Ordering::Equal,
            permutation: 0,
            changes: 0,
            constants: true,
            temp: None,
            statement: Vec::new(),
            statement_violations: Violations::default(),
            violations: 0,
            outcome: Outcome {
                error: None,
                action: p5::OE_ABORT,
            },
            aux: AuxData::default(),
            asked: false,
            failed_answer: None,
            pins: Vec::new(),
            payload: Vec::new(),
            mute_changes: false,
            locks: Vec::new(),
            counters: [0; 8],
        }
    }

    /// Drops everything that the run of a statement that is gone has left, but for a bounded amount of memory.
    pub(super) fn retire(&mut self) {
        empty(&mut self.mems);
        empty(&mut self.cursors);
        empty(&mut self.params);
        empty(&mut self.once);
        empty(&mut self.statement);
        empty(&mut self.pins);
        empty(&mut self.payload);
        self.frames.retire();
        self.result = Mem::new();
        self.temp = None;
        self.outcome.error = None;
        self.aux.clear();
    }

    /// Is as new, for a program with that many parameters. Before: it was retired.
    pub(super) fn load(&mut self, params: usize) {
        self.params.resize_with(params, Mem::new);
        self.last_order = Ordering::Equal;
        self.permutation = 0;
        self.statement_violations = Violations::default();
        self.counters = [0; 8];
    }

    /// Makes registers and cursors anew for a run.
    pub(super) fn start(&mut self, program: &Program) {
        let registers = program.mem_count as usize + 1;
        if self.mems.len() == registers {
            self.mems.iter_mut().for_each(Mem::set_null);
        } else {
            self.mems.clear();
            self.mems.resize_with(registers, Mem::new);
        }
        self.cursors
            .resize_with(program.cursor_count as usize, || Slot::Closed);
        if !program.insns.is_empty() {
            let words = program.insns.len().div_ceil(64);
            self.once.clear();
            self.once.resize(words, 0);
        }
        self.status = Status::Running;
        self.pc = 0;
        self.code = 0;
        self.steps = 0;
        self.progress_due = 0;
        self.next_check = 0;
        self.changes = 0;
        self.constants = true;
        self.violations = 0;
        self.asked = false;
        self.failed_answer = None;
        self.outcome = Outcome {
            error: None,
            action: p5::OE_ABORT,
        };
        self.row = (0, 0);
        self.mute_changes = false;
    }

    /// Closes cursors, drops pins and the temporary store, forgets what functions remembered.
    pub(super) fn close_all(&mut self) {
        for slot in &mut self.cursors {
            *slot = Slot::Closed;
        }
        self.locks.clear();
        // Groups of the application's aggregates end with the run, not with the statement.
        for mem in &mut self.mems {
            if mem.kind() == Kind::Object {
                mem.set_null();
            }
        }
        self.pins.clear();
        self.payload.clear();
        self.aux.clear();
        self.frames.close_idle();
        self.temp = None;
    }

    /// The instruction at the program counter.
    #[inline]
    pub(super) fn insn<'p>(&self, program: &'p Program) -> Option<&'p Insn> {
        program.code(self.code).get(self.pc as usize)
    }

    /// Whether a column of a tree cursor's record was not found because the record's header makes no sense.
    #[cold]
    pub(super) fn header_is_corrupt(&self, cursor: i32, column: i32) -> bool {
        match self.cursors.get(cursor as usize) {
            Some(Slot::Tree(c)) => c.row.valid && c.row.get(column as usize).is_none(),
            _ => false,
        }
    }

    /// Keeps a page for the instruction at hand. The oldest pin goes when there are more than any step needs, so that a
    /// scan that misses at every leaf does not keep them all.
    pub(super) fn pin(&mut self, page: PageRef) {
        if self.pins.len() == PINS_MAX {
            self.pins.remove(0);
        }
        self.pins.push(page);
    }

    /// The temporary store, made when it is first needed.
    pub(super) fn temp_mut(&mut self, env: &Env) -> &mut Tx {
        self.temp.get_or_insert_with(|| {
            let geometry = env
                .dbs
                .first()
                .map_or_else(Geometry::default, |db| db.tx.geometry());
            let mut temp = Tx::temporary(env.io.clone(), &env.pool, geometry);
            // As much memory as a write transaction of the main database has, and enough for an index of a hundred
            // thousand rows: a spilled page costs more than all that is done with it in memory.
            temp.set_cache_size(temp_cache_size(env));
            Box::new(temp)
        })
    }
}

/// The cache of a statement's temporary store, as PRAGMA cache_size has it: negative, in KiB.
fn temp_cache_size(env: &Env) -> i64 {
    let main = env.dbs.first().map_or(0, |db| {
        let size = db.tx.cache_size();
        if size < 0 {
            size
        } else {
            -(size.saturating_mul(i64::from(db.tx.geometry().page_size())) / 1024)
        }
    });
    main.min(TEMP_CACHE_SIZE)
}

/// The same in bytes.
pub(super) fn temp_memory(env: &Env) -> usize {
    let kib = temp_cache_size(env).unsigned_abs();
    usize::try_from(kib.saturating_mul(1024)).unwrap_or(usize::MAX)
}

/// The transaction of a store.
#[inline]
pub(super) fn tx_of<'a>(dbs: &'a [Db], temp: Option<&'a Tx>, store: u8) -> &'a Tx {
    if store == TEMP {
        temp.expect("a cursor on the temporary store keeps it open")
    } else {
        &dbs[store as usize].tx
    }
}

/// The same, to change it.
#[inline]
pub(super) fn tx_of_mut<'a>(
    dbs: &'a mut [Db],
    temp: &'a mut Option<Box<Tx>>,
    store: u8,
) -> &'a mut Tx {
    if store == TEMP {
        temp.as_deref_mut()
            .expect("a cursor on the temporary store keeps it open")
    } else {
        &mut dbs[store as usize].tx
    }
}

/// A root page from an operand or a register.
pub(super) fn root_page(n: i64) -> Result<PageNo> {
    u32::try_from(n)
        .ok()
        .and_then(PageNo::new)
        .ok_or_else(Error::corrupt)
}

/// The cursor is not what the opcode needs: the program is wrong.
#[cold]
pub(super) fn no_cursor(cursor: i32) -> Trap {
    Error::new(
        ResultCode::INTERNAL,
        format!("internal error: cursor {cursor} is not open"),
    )
    .into()
}

/// The tree cursor with that number.
macro_rules! tree {
    ($cursors:expr, $p1:expr) => {
        match &mut $cursors[$p1 as usize] {
            super::cursor::Slot::Tree(cursor) => cursor,
            _ => return Err(super::state::no_cursor($p1)),
        }
    };
}
pub(super) use tree;
