//! The VM: runs a program over what a connection lends it.
//!
//! ```text
//!   step ──► run (plain loop) ──► Row ──────────────► Exit::Row
//!     ▲            │              Halt ── halt() ───► Exit::Done, or the statement's error
//!     │            │              Request ──────────► Exit::Request
//!     │            ├─ Miss ── fetch, keep the pin ─┐
//!     │            └─ Slow ── the opcode's twin ───┤
//!     └────────────────────────────────────────────┘
//! ```
//!
//! Rules:
//! 1. `step` suspends only while a page is fetched, a change needs room, a commit becomes durable, or a sorter uses its
//!    file. A row that needs none of it costs no await.
//! 2. An error ends the run: the transaction is settled as `halt.rs` says before `step` returns it. `SQLITE_BUSY` from
//!    beginning a transaction does not: the program stays where it is, and may be stepped again or reset.
//! 3. After `Done` or an error, [`Vm::reset`] makes the program ready again; bindings stay.
//! 4. A future of `step` that is dropped half-way leaves a program that can only be reset or abandoned. If it writes,
//!    the transaction is rolled back then, because a tree may be half changed.
//!
//! Cost, all pages resident: about 15 instructions of loop per opcode besides the opcode itself.
//!
//! Source: SQLite's `sqlite3VdbeExec`, `sqlite3_step`, `sqlite3_reset`.

mod arith;
mod call;
mod change;
mod column;
mod compare;
mod cursor;
mod frame;
mod halt;
mod hash;
mod queue;
mod record;
mod request;
mod row;
mod rows;
mod run;
mod seek;
mod slow;
mod sorter;
mod state;
mod transaction;
mod trap;
mod tree;
mod vtab;

pub use request::{Answer, Request};

use crate::env::Env;
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::mem::Mem;
use crate::opcode::{Opcode, p5};
use crate::program::{Explain, Program};
use crate::result_code::ResultCode;
use ringwood_format::value::{Value, ValueRef};
use run::{Pause, run};
use slow::Next;
use state::{State, Status, tx_of_mut};
use std::sync::{Arc, LazyLock};
use trap::Trap;

/// Why `step` returned.
#[derive(Debug, PartialEq)]
pub enum Exit {
    /// A row: [`Vm::row`].
    Row,
    /// The program has ended.
    Done,
    /// The engine is to do something, answer with [`Vm::answer`], and step on.
    Request(Request),
}

/// The program of a VM that was retired.
static NO_PROGRAM: LazyLock<Arc<Program>> = LazyLock::new(Arc::default);

/// A program with its registers: a statement.
pub struct Vm {
    program: Arc<Program>,
    state: State,
    /// Of an EXPLAIN: the listing, once it was begun.
    listing: Option<Listing>,
    /// Values of `Env::rollbacks` and `schema_rollbacks` at the last exit.
    seen_rollbacks: (u64, u64),
    /// A step is under way; still set if its future was dropped (rule 4).
    stepping: bool,
    /// Why `step_now` could not go on.
    pause: Option<Pause>,
}

impl Vm {
    /// A statement of that program, ready to be stepped.
    pub fn new(program: Arc<Program>) -> Vm {
        let state = State::new(&program);
        Vm {
            program,
            state,
            listing: None,
            seen_rollbacks: (0, 0),
            stepping: false,
            pause: None,
        }
    }

    /// Ends the statement for good. What is left waits for [`load`](Vm::load) and holds nothing of anybody; the program
    /// is emptied, for the next one, unless somebody else has a share in it.
    ///
    /// Before: it does not run (see [`abandon`](Vm::abandon)).
    pub fn retire(&mut self) -> Option<Arc<Program>> {
        debug_assert!(!self.is_running(), "a running program is ended first");
        self.make_ready();
        self.state.retire();
        let mut program = std::mem::replace(&mut self.program, NO_PROGRAM.clone());
        Arc::get_mut(&mut program)?.clear();
        Some(program)
    }

    /// Takes a program in the place of the one that was retired.
    pub fn load(&mut self, program: Arc<Program>) {
        self.program = program;
        self.state.load(self.program.params.len());
        self.seen_rollbacks = (0, 0);
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Binds parameter `index`, from 1.
    ///
    /// # Errors
    /// `SQLITE_RANGE` if there is no such parameter, `SQLITE_MISUSE` while the program runs.
    pub fn bind(&mut self, index: usize, value: ValueRef<'_>) -> Result<()> {
        self.parameter(index)?.set_value(value);
        Ok(())
    }

    /// The same for a value that is given away.
    ///
    /// # Errors
    /// As [`bind`](Vm::bind).
    pub fn bind_value(&mut self, index: usize, value: Value) -> Result<()> {
        *self.parameter(index)? = Mem::from_value(value);
        Ok(())
    }

    /// The same for a register that is given away.
    ///
    /// # Errors
    /// As [`bind`](Vm::bind).
    pub fn bind_mem(&mut self, index: usize, value: Mem) -> Result<()> {
        *self.parameter(index)? = value;
        Ok(())
    }

    /// Binds a blob of zeros.
    ///
    /// # Errors
    /// As [`bind`](Vm::bind).
    pub fn bind_zeroblob(&mut self, index: usize, size: u64) -> Result<()> {
        self.parameter(index)?.set_zeroblob(size);
        Ok(())
    }

    fn parameter(&mut self, index: usize) -> Result<&mut Mem> {
        if self.state.status == Status::Running {
            return Err(Error::code(ResultCode::MISUSE));
        }
        let found = index
            .checked_sub(1)
            .and_then(|at| self.state.params.get_mut(at));
        found.ok_or_else(|| Error::code(ResultCode::RANGE))
    }

    /// Sets all parameters to NULL.
    pub fn clear_bindings(&mut self) {
        self.state.params.iter_mut().for_each(Mem::set_null);
    }

    /// The values of the parameters.
    pub fn bindings(&self) -> &[Mem] {
        &self.state.params
    }

    /// Whether it was stepped and has not ended.
    pub fn is_running(&self) -> bool {
        self.state.status == Status::Running || self.listing.is_some()
    }

    /// The row that the last step gave; empty without one.
    #[inline]
    pub fn row(&self) -> &[Mem] {
        if let Some(listing) = &self.listing {
            return listing.row();
        }
        let (first, count) = self.state.row;
        &self.state.mems[first as usize..(first + count) as usize]
    }

    /// Instructions run since the start, steps of full scans, sorts.
    pub fn counters(&self) -> (u64, u64, u64) {
        (
            self.state.steps,
            self.state.counters[1],
            self.state.counters[2],
        )
    }

    /// Runs to the next row, the end, or a request.
    ///
    /// # Errors
    /// The statement's error; the run is over then, but for `SQLITE_BUSY` (rule 2).
    ///
    /// # Suspends
    /// As rule 1 says.
    pub async fn step(&mut self, env: &mut Env) -> Result<Exit> {
        match self.step_now(env) {
            Some(exit) => exit,
            // In a box, so that the futures around this one stay small: they are moved for every row, this one is made
            // where something has to be waited for.
            None => Box::pin(self.step_slow(env)).await,
        }
    }

    /// The same without waiting: none if something has to be waited for, and [`step`](Vm::step) is to be called.
    ///
    /// # Errors
    /// As [`step`](Vm::step).
    #[inline]
    pub fn step_now(&mut self, env: &mut Env) -> Option<Result<Exit>> {
        if self.state.status != Status::Running && !self.begin(env) {
            return None;
        }
        if !self.is_undisturbed(env) {
            return None;
        }
        match run(&self.program, &mut self.state, env) {
            Pause::Row => Some(Ok(Exit::Row)),
            pause => self.step_on(env, pause),
        }
    }

    /// Begins a run of a program that is ready and runs; false for any other.
    fn begin(&mut self, env: &mut Env) -> bool {
        let begins = self.state.status == Status::Ready && self.program.explain == Explain::No;
        if begins {
            self.start(env);
        }
        begins
    }

    /// Whether the run can go on as it is.
    #[inline]
    fn is_undisturbed(&self, env: &Env) -> bool {
        self.pause.is_none()
            && !self.stepping
            && self.state.failed_answer.is_none()
            && self.seen_rollbacks == (env.rollbacks, env.schema_rollbacks)
    }

    /// What can be done at once about a pause; else it is kept for `step_slow`.
    fn step_on(&mut self, env: &mut Env, pause: Pause) -> Option<Result<Exit>> {
        match pause {
            Pause::Halt if !halt::needs_commit(&self.program, &self.state, env) => {
                self.state.row = (0, 0);
                Some(
                    halt::halt_now(&self.program, &mut self.state, env, Ok(()))
                        .map(|()| Exit::Done),
                )
            }
            pause => {
                self.pause = Some(pause);
                None
            }
        }
    }

    async fn step_slow(&mut self, env: &mut Env) -> Result<Exit> {
        if self.program.explain != Explain::No {
            return self.step_listing();
        }
        if self.state.status != Status::Running || self.stepping {
            return Err(Error::code(ResultCode::MISUSE));
        }
        self.stepping = true;
        let exit = match self.state.failed_answer.take() {
            Some(error) => self.fail(env, *error).await,
            None => match self.check_rollbacks(env) {
                Ok(()) => self.go(env).await,
                Err(error) => self.fail(env, error).await,
            },
        };
        self.stepping = false;
        self.seen_rollbacks = (env.rollbacks, env.schema_rollbacks);
        exit
    }

    fn start(&mut self, env: &mut Env) {
        self.state.start(&self.program);
        self.seen_rollbacks = (env.rollbacks, env.schema_rollbacks);
        env.facts.statement_time_ms = None;
        if env.active == 0 {
            env.interrupt
                .store(false, std::sync::atomic::Ordering::Relaxed);
        }
        env.active += 1;
        if self.program.is_reader {
            env.active_read += 1;
            env.active_write += u32::from(!self.program.readonly);
        }
    }

    /// A rollback since the last step may have taken the ground away.
    fn check_rollbacks(&self, env: &Env) -> Result<()> {
        let (rollbacks, schema_rollbacks) = self.seen_rollbacks;
        if env.schema_rollbacks != schema_rollbacks
            || (env.rollbacks != rollbacks && !self.program.readonly)
        {
            return Err(Error::code(ResultCode::ABORT_ROLLBACK));
        }
        Ok(())
    }

    async fn go(&mut self, env: &mut Env) -> Result<Exit> {
        loop {
            let pause = self
                .pause
                .take()
                .unwrap_or_else(|| run(&self.program, &mut self.state, env));
            match pause {
                Pause::Row => return Ok(Exit::Row),
                Pause::Halt => {
                    self.state.row = (0, 0);
                    return halt::halt(&self.program, &mut self.state, env)
                        .await
                        .map(|()| Exit::Done);
                }
                Pause::Miss(store, page) => {
                    let tx = tx_of_mut(&mut env.dbs, &mut self.state.temp, store);
                    let mut fetched = tx.fetch(page).await;
                    // A change of a crowded transaction misses so that room is made here.
                    if fetched.is_ok() && tx.is_crowded() {
                        fetched = tx.make_room().await.and(fetched);
                    }
                    match fetched {
                        Ok(pin) => self.state.pin(pin),
                        Err(error) => return self.fail(env, error.into()).await,
                    }
                    continue;
                }
                Pause::Slow => match slow::slow(&self.program, &mut self.state, env).await {
                    Ok(Next::Advance) => self.state.pc += 1,
                    Ok(Next::Jump) => {
                        self.state.pc = self.state.insn(&self.program).map_or(0, |i| i.p2) as u32;
                    }
                    Ok(Next::Again) => {}
                    Ok(Next::Done) => return Ok(Exit::Done),
                    Err(error)
                        if error.code.primary() == ResultCode::BUSY && self.at_transaction() =>
                    {
                        return Err(error);
                    }
                    Err(error) => return self.fail(env, error).await,
                },
                Pause::Request(request) => {
                    if self.state.asked {
                        let message = "internal error: a request was not answered";
                        return self
                            .fail(env, Error::new(ResultCode::MISUSE, message))
                            .await;
                    }
                    self.state.asked = true;
                    return Ok(Exit::Request(*request));
                }
                Pause::Fail(error) => match self.after_corrupt_record(&error) {
                    Some(pc) => self.state.pc = pc,
                    None => return self.fail(env, *error).await,
                },
            }
            self.state.pins.clear();
        }
    }

    fn at_transaction(&self) -> bool {
        matches!(
            self.state.insn(&self.program).map(|insn| insn.opcode),
            Some(crate::opcode::Opcode::Transaction)
        )
    }

    /// Where the program goes on after a `Column` that found a header that makes no sense: P3 of its `Init`.
    #[cold]
    fn after_corrupt_record(&self, error: &Error) -> Option<u32> {
        let insn = self.state.insn(&self.program)?;
        if insn.opcode != Opcode::Column || error.code.primary() != ResultCode::CORRUPT {
            return None;
        }
        let init = self.program.code(self.state.code).first()?;
        if init.opcode != Opcode::Init || init.p3 <= 0 {
            return None;
        }
        self.state
            .header_is_corrupt(insn.p1, insn.p2)
            .then_some(init.p3 as u32)
    }

    /// Ends the run with an error.
    #[cold]
    async fn fail<T>(&mut self, env: &mut Env, error: Error) -> Result<T> {
        self.state.row = (0, 0);
        self.state.outcome.error = Some(Box::new(error.clone()));
        self.state.outcome.action = p5::OE_ABORT;
        match halt::halt(&self.program, &mut self.state, env).await {
            Ok(()) => Err(error),
            Err(error) => Err(error),
        }
    }

    /// Answers the request that the last step returned.
    ///
    /// # Errors
    /// `SQLITE_MISUSE` if there was none, or what the answer says; the next step then reports it again and ends.
    pub fn answer(&mut self, env: &mut Env, answer: Answer) -> Result<()> {
        if !self.state.asked {
            return Err(Error::code(ResultCode::MISUSE));
        }
        let program = self.program.clone();
        let Some(insn) = self.state.insn(&program) else {
            return Err(Error::code(ResultCode::INTERNAL));
        };
        match request::accept(&mut self.state, env, insn, answer) {
            Ok(jumps) => {
                self.state.pc = if jumps {
                    insn.p2 as u32
                } else {
                    self.state.pc + 1
                };
                self.state.asked = false;
                Ok(())
            }
            Err(Trap::Fail(error)) => {
                self.state.failed_answer = Some(error.clone());
                self.state.asked = false;
                Err(*error)
            }
            Err(_) => Err(Error::code(ResultCode::INTERNAL)),
        }
    }

    /// Makes the program ready to run again from the start. If it is still running, it is ended first, as after its last
    /// row: what it changed so far stays, unless it was dropped in the middle of a step.
    ///
    /// # Suspends
    /// Where ending it commits.
    ///
    /// # Errors
    /// If that commit fails.
    pub async fn reset(&mut self, env: &mut Env) -> Result<()> {
        let mut result = Ok(());
        if self.state.status == Status::Running {
            if self.stepping {
                let error = Error::code(ResultCode::INTERRUPT);
                let _ = Box::pin(self.fail::<()>(env, error)).await;
            } else if halt::needs_commit(&self.program, &self.state, env) {
                result = Box::pin(halt::halt(&self.program, &mut self.state, env)).await;
            } else {
                result = halt::halt_now(&self.program, &mut self.state, env, Ok(()));
            }
        }
        self.make_ready();
        result
    }

    /// The same without waiting, for a statement that is dropped: one that only reads ends as by [`reset`](Vm::reset);
    /// one that has changed something in autocommit mode is rolled back.
    pub fn abandon(&mut self, env: &mut Env) {
        if self.state.status == Status::Running {
            let torn = self.stepping && !self.program.readonly;
            halt::abandon(&self.program, &mut self.state, env, torn);
        }
        self.make_ready();
    }

    fn make_ready(&mut self) {
        self.state.status = Status::Ready;
        self.state.row = (0, 0);
        self.state.failed_answer = None;
        self.stepping = false;
        self.pause = None;
        self.listing = None;
    }

    fn step_listing(&mut self) -> Result<Exit> {
        if self.state.status == Status::Halted {
            return Err(Error::code(ResultCode::MISUSE));
        }
        let program = self.program.clone();
        let listing = self.listing.get_or_insert_with(|| Listing::new(program));
        if listing.advance() {
            Ok(Exit::Row)
        } else {
            self.listing = None;
            self.state.status = Status::Halted;
            Ok(Exit::Done)
        }
    }
}
