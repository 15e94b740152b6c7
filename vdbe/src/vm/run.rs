//! The loop.
//!
//! ```text
//!   insn ── match ──► handler ──► Ok: pc + 1, or P2
//!                        │
//!                        └► Trap: Miss, Slow, Fail ──► Pause, with pc still at this instruction
//! ```
//!
//! Rules:
//! 1. The loop is a plain function. It stops with a [`Pause`] for everything that it cannot do at once.
//! 2. The interrupt flag and the progress handler are looked at on the way back: in jumps that close a loop.
//! 3. `Program` and the `Halt` that ends a subprogram only exchange what the loop runs over: the instructions, and the
//!    registers and cursors of `State` (frame.rs).
//! 4. Short opcodes are carried out here; longer ones are functions of the file that is named after their family.

use super::call::{self, Turn};
use super::compare;
use super::cursor::Slot;
use super::request::{self, Request};
use super::seek::{self, Scan};
use super::state::{State, no_cursor};
use super::trap::{Step, Trap};
use super::{arith, change, column, frame, record, transaction, tree, vtab};
use crate::env::Env;
use crate::error::Error;
use crate::insn::{Insn, P4};
use crate::mem::{Kind, Mem};
use crate::opcode::{Opcode, p5};
use crate::program::Program;
use crate::result_code::ResultCode;
use ringwood_format::page::PageNo;

/// Why the loop stopped.
pub(super) enum Pause {
    /// A row is ready.
    Row,
    /// The program has ended; `State::outcome` tells how.
    Halt,
    /// This page of that store is missing.
    Miss(u8, PageNo),
    /// The instruction has to wait.
    Slow,
    /// The engine is asked for something.
    Request(Box<Request>),
    /// The statement failed.
    Fail(Box<Error>),
}

impl From<Trap> for Pause {
    #[inline]
    fn from(trap: Trap) -> Pause {
        match trap {
            Trap::Miss(store, page) => Pause::Miss(store, page),
            Trap::Slow => Pause::Slow,
            Trap::Fail(error) => Pause::Fail(error),
        }
    }
}

/// Instructions between two looks at the interrupt flag.
const CHECK_EVERY: u64 = 128;

/// Runs until something stops it.
pub(super) fn run(program: &Program, s: &mut State, env: &mut Env) -> Pause {
    let mut insns = program.code(s.code);
    let mut pc = s.pc as usize;
    let mut steps = s.steps;
    macro_rules! leave {
        ($pause:expr) => {{
            s.pc = pc as u32;
            s.steps = steps;
            return $pause;
        }};
    }
    macro_rules! wants {
        ($step:expr) => {
            match $step {
                Ok(value) => value,
                Err(trap) => leave!(Pause::from(Trap::from(trap))),
            }
        };
    }
    loop {
        let Some(insn) = insns.get(pc) else {
            if let Some(caller) = frame::leave(s, env) {
                insns = program.code(s.code);
                pc = caller + 1;
                continue;
            }
            leave!(Pause::Halt)
        };
        steps += 1;
        macro_rules! jump {
            () => {{
                pc = insn.p2 as usize;
                continue;
            }};
        }
        macro_rules! jump_if {
            ($condition:expr) => {
                if $condition {
                    jump!()
                }
            };
        }
        // A jump that may close a loop (rule 2).
        macro_rules! jump_back {
            () => {{
                if steps >= s.next_check {
                    wants!(check(s, env, steps));
                }
                jump!()
            }};
        }
        macro_rules! r {
            ($operand:expr) => {
                s.mems[$operand as usize]
            };
        }
        match insn.opcode {
            // Control.
            Opcode::Init => jump_if!(insn.p2 > 0),
            Opcode::Goto => jump_back!(),
            Opcode::Gosub => {
                r!(insn.p1).set_int(pc as i64);
                jump_back!();
            }
            Opcode::Return => {
                if let Some(caller) = r!(insn.p1).as_int() {
                    pc = caller as usize;
                }
            }
            Opcode::InitCoroutine => {
                r!(insn.p1).set_int(i64::from(insn.p3) - 1);
                jump_if!(insn.p2 != 0);
            }
            Opcode::EndCoroutine => {
                let caller = r!(insn.p1).raw_int() as usize;
                r!(insn.p1).set_int(pc as i64 - 1);
                if let Some(caller) = insns.get(caller) {
                    pc = caller.p2 as usize;
                    continue;
                }
            }
            Opcode::Yield => {
                let to = r!(insn.p1).raw_int();
                r!(insn.p1).set_int(pc as i64);
                if steps >= s.next_check {
                    // The yield has happened; the check must not make it happen again.
                    if let Err(trap) = check(s, env, steps) {
                        leave!(Pause::from(trap));
                    }
                }
                pc = (to + 1) as usize;
                continue;
            }
            Opcode::Halt => {
                if insn.p1 == 0 {
                    if let Some(caller) = frame::leave(s, env) {
                        insns = program.code(s.code);
                        let ignores = insn.p2 == i32::from(p5::OE_IGNORE);
                        pc = match insns.get(caller) {
                            Some(call) if ignores => call.p2 as usize,
                            _ => caller + 1,
                        };
                        continue;
                    }
                }
                set_outcome(s, insn);
                leave!(Pause::Halt)
            }
            Opcode::Program => {
                if steps >= s.next_check {
                    wants!(check(s, env, steps));
                }
                if wants!(frame::enter(program, s, env, insn, pc)) {
                    insns = program.code(s.code);
                    pc = 0;
                    continue;
                }
            }
            Opcode::Param => frame::param(s, insn),
            Opcode::HaltIfNull => {
                if r!(insn.p3).is_null() {
                    set_outcome_without_register(s, insn);
                    leave!(Pause::Halt)
                }
            }
            Opcode::Once => {
                let (word, bit) = (pc / 64, 1u64 << (pc % 64));
                jump_if!(s.once[word] & bit != 0);
                s.once[word] |= bit;
            }
            Opcode::If => jump_if!(arith::truth(&r!(insn.p1)).unwrap_or(insn.p3 != 0)),
            Opcode::IfNot => jump_if!(!arith::truth(&r!(insn.p1)).unwrap_or(insn.p3 == 0)),
            Opcode::IsNull => jump_if!(r!(insn.p1).is_null()),
            Opcode::NotNull => jump_if!(!r!(insn.p1).is_null()),
            Opcode::IsType => jump_if!(wants!(column::is_type(s, env, insn))),
            Opcode::IfNullRow => {
                if is_null_row(&s.cursors[insn.p1 as usize]) {
                    r!(insn.p3).set_null();
                    jump!()
                }
            }
            Opcode::Jump => {
                pc = match s.last_order {
                    std::cmp::Ordering::Less => insn.p1,
                    std::cmp::Ordering::Equal => insn.p2,
                    std::cmp::Ordering::Greater => insn.p3,
                } as usize;
                continue;
            }
            Opcode::IfPos => {
                let count = r!(insn.p1).raw_int();
                if count > 0 {
                    r!(insn.p1).set_int(count - i64::from(insn.p3));
                    jump!()
                }
            }
            Opcode::IfNotZero => {
                let count = r!(insn.p1).raw_int();
                if count != 0 {
                    r!(insn.p1).set_int(if count > 0 { count - 1 } else { count });
                    jump!()
                }
            }
            Opcode::DecrJumpZero => {
                let count = r!(insn.p1).raw_int().saturating_sub(1);
                r!(insn.p1).set_int(count);
                jump_if!(count == 0);
            }
            Opcode::OffsetLimit => {
                let (limit, offset) = (r!(insn.p1).raw_int(), r!(insn.p3).raw_int());
                let sum = if limit > 0 {
                    limit.checked_add(offset.max(0))
                } else {
                    None
                };
                r!(insn.p2).set_int(sum.unwrap_or(-1));
            }
            Opcode::Noop | Opcode::Explain => {}
            Opcode::CursorLock => wants!(change::lock(s, insn)),
            Opcode::CursorUnlock => change::unlock(s, insn),

            // Constants and registers.
            Opcode::Integer => r!(insn.p2).set_int(i64::from(insn.p1)),
            Opcode::String8 if insn.p3 != 0 => {
                // The second pass of a LIKE range takes its bounds as BLOBs.
                let as_blob = r!(insn.p3).raw_int() == i64::from(insn.p5);
                match &insn.p4 {
                    P4::Text(bytes) if as_blob => r!(insn.p2).set_blob(bytes),
                    _ => constant(&mut r!(insn.p2), insn),
                }
            }
            Opcode::Int64 | Opcode::Real | Opcode::String8 | Opcode::Blob => {
                constant(&mut r!(insn.p2), insn);
                // Of a BLOB its digits count, as they are written.
                let digits = 1 + u64::from(insn.opcode == Opcode::Blob);
                if digits * r!(insn.p2).byte_len() > env.limits.length {
                    leave!(Pause::Fail(Box::new(Error::code(ResultCode::TOOBIG))))
                }
            }
            Opcode::Null | Opcode::BeginSubrtn => {
                for mem in &mut s.mems[insn.p2 as usize..=insn.p3.max(insn.p2) as usize] {
                    if insn.p1 != 0 && insn.opcode == Opcode::Null {
                        mem.set_cleared();
                    } else {
                        mem.set_null();
                    }
                }
            }
            Opcode::SoftNull => r!(insn.p1).set_null(),
            Opcode::Variable => match s.params.get(insn.p1 as usize - 1) {
                Some(value) => s.mems[insn.p2 as usize].copy_from(value),
                None => r!(insn.p2).set_null(),
            },
            Opcode::Move => {
                for i in 0..insn.p3 {
                    let value = std::mem::take(&mut r!(insn.p1 + i));
                    let old = std::mem::replace(&mut r!(insn.p2 + i), value);
                    r!(insn.p1 + i) = old;
                    r!(insn.p1 + i).set_null();
                }
            }
            Opcode::Copy => {
                for i in 0..=insn.p3 {
                    copy(&mut s.mems, insn.p1 + i, insn.p2 + i);
                    if insn.p5 & p5::COPY_CLEARSUBTYPE != 0 {
                        r!(insn.p2 + i).clear_subtype();
                    }
                }
            }
            Opcode::SCopy => copy(&mut s.mems, insn.p1, insn.p2),
            Opcode::IntCopy => {
                let i = arith::integer(&r!(insn.p1));
                r!(insn.p2).set_int(i);
            }
            Opcode::ResultRow => {
                let first = insn.p1 as usize;
                seek::expand(&mut s.mems[first..first + insn.p2 as usize]);
                s.row = (insn.p1 as u32, insn.p2 as u32);
                pc += 1;
                leave!(Pause::Row)
            }
            Opcode::MemMax => {
                let b = arith::integer(&r!(insn.p2));
                let largest = frame::main_register(s, insn.p1);
                let a = arith::integer(largest);
                largest.set_int(a.max(b));
            }

            // Arithmetic and logic.
            Opcode::Add
            | Opcode::Subtract
            | Opcode::Multiply
            | Opcode::Divide
            | Opcode::Remainder => {
                arith::arithmetic(&mut s.mems, insn);
            }
            Opcode::Concat => wants!(arith::concat(&mut s.mems, env, insn)),
            Opcode::BitAnd | Opcode::BitOr | Opcode::ShiftLeft | Opcode::ShiftRight => {
                arith::bits(&mut s.mems, insn);
            }
            Opcode::Not | Opcode::BitNot => arith::invert(&mut s.mems, insn),
            Opcode::And | Opcode::Or => arith::logic(&mut s.mems, insn),
            Opcode::IsTrue => {
                let truth = arith::truth(&r!(insn.p1)).map_or(i64::from(insn.p3), i64::from);
                r!(insn.p2).set_int(truth ^ i64::from(insn.p4.int()));
            }
            Opcode::ZeroOrNull => {
                if r!(insn.p1).is_null() || r!(insn.p3).is_null() {
                    r!(insn.p2).set_null();
                } else {
                    r!(insn.p2).set_int(0);
                }
            }
            Opcode::AddImm => {
                let sum = arith::integer(&r!(insn.p1)).wrapping_add(i64::from(insn.p2));
                r!(insn.p1).set_int(sum);
            }
            Opcode::MustBeInt => jump_if!(!wants!(arith::must_be_int(&mut s.mems, insn))),
            Opcode::RealAffinity => {
                let mem = &mut r!(insn.p1);
                match mem.kind() {
                    Kind::Int | Kind::IntReal => {
                        let i = mem.raw_int();
                        mem.set_real(i as f64);
                    }
                    _ => {}
                }
            }
            Opcode::Cast => arith::cast_register(&mut s.mems, env.facts.encoding, insn),
            Opcode::Affinity => arith::affinity(&mut s.mems, insn),
            Opcode::TypeCheck => wants!(arith::type_check(&mut s.mems, insn)),

            // Comparisons.
            Opcode::Eq | Opcode::Ne | Opcode::Lt | Opcode::Le | Opcode::Gt | Opcode::Ge => {
                jump_if!(compare::comparison(s, env.facts.encoding, insn));
            }
            Opcode::ElseEq => jump_if!(s.last_order.is_eq()),
            Opcode::Permutation => s.permutation = pc as u32,
            Opcode::Compare => {
                let permutation = if insn.p5 & p5::PERMUTE != 0 {
                    insns
                        .get(s.permutation as usize)
                        .and_then(|insn| match &insn.p4 {
                            P4::Ints(order) => Some(&order[..]),
                            _ => None,
                        })
                } else {
                    None
                };
                compare::compare_vectors(s, permutation, env.facts.encoding, insn);
            }
            Opcode::CollSeq => {
                if insn.p1 != 0 {
                    r!(insn.p1).set_int(0);
                }
            }

            // Functions and aggregates.
            Opcode::Function | Opcode::PureFunc => wants!(call::function(s, env, insns, pc)),
            Opcode::AggStep => wants!(call::aggregate_step(s, env, insns, pc, Turn::Step)),
            Opcode::AggInverse => wants!(call::aggregate_step(s, env, insns, pc, Turn::Inverse)),
            Opcode::AggValue | Opcode::AggFinal => {
                wants!(call::aggregate_result(s, env, insns, pc));
            }

            // Records.
            Opcode::MakeRecord => wants!(record::make_record(&mut s.mems, env, s.constants, insn)),
            Opcode::Column => wants!(column::column(s, env, insn)),
            Opcode::RowData => wants!(column::row_data(s, env, insn)),
            Opcode::Rowid => wants!(column::rowid(s, env, insn)),

            // Cursors.
            Opcode::OpenRead | Opcode::OpenWrite | Opcode::ReopenIdx => {
                wants!(tree::open(s, env, insn));
            }
            Opcode::OpenDup => wants!(tree::open_dup(s, insn)),
            Opcode::SorterOpen => wants!(tree::open_sorter(s, env, insn)),
            Opcode::OpenPseudo => tree::open_pseudo(s, insn),
            Opcode::Close => s.cursors[insn.p1 as usize] = Slot::Closed,
            Opcode::NullRow => seek::null_row(s, insn),
            Opcode::Rewind | Opcode::Sort | Opcode::Last => {
                if insn.opcode == Opcode::Sort {
                    s.counters[2] += 1;
                }
                let on_row = match &mut s.cursors[insn.p1 as usize] {
                    Slot::Sorter(sorter) => wants!(sorter.sort()),
                    _ => wants!(seek::go_to_end(s, env, insn)),
                };
                jump_if!(!on_row && insn.p2 > 0);
            }
            Opcode::SeekEnd => wants!(seek::seek_end(s, env, insn)),
            Opcode::IfEmpty => jump_if!(!wants!(seek::go_to_end(s, env, insn))),
            Opcode::Next | Opcode::Prev => {
                if wants!(seek::advance(s, env, insn)) {
                    s.counters[insn.p5 as usize & 7] += 1;
                    jump_back!();
                }
            }
            Opcode::SeekGE | Opcode::SeekGT | Opcode::SeekLE | Opcode::SeekLT => {
                jump_if!(!wants!(seek::seek(s, env, insn)) && insn.p2 > 0);
            }
            Opcode::SeekScan => {
                let Some(next) = insns.get(pc + 1) else {
                    leave!(Pause::Halt)
                };
                match wants!(seek::seek_scan(s, env, insn.p1, next)) {
                    Scan::Seek => {}
                    Scan::Arrived => {
                        pc = insn.p2 as usize;
                        continue;
                    }
                    Scan::Past if insn.p5 != 0 => jump!(),
                    Scan::Past | Scan::End => {
                        pc = next.p2 as usize;
                        continue;
                    }
                }
            }
            Opcode::SeekHit => {
                if let Slot::Tree(c) = &mut s.cursors[insn.p1 as usize] {
                    c.seek_hit = c.seek_hit.max(insn.p2 as u16).min(insn.p3 as u16);
                }
            }
            Opcode::SeekRowid | Opcode::NotExists => {
                jump_if!(!wants!(seek::seek_rowid(s, env, insn)));
            }
            Opcode::Found => jump_if!(wants!(seek::find(s, env, insn))),
            Opcode::NotFound | Opcode::NoConflict => jump_if!(!wants!(seek::find(s, env, insn))),
            Opcode::IfNoHope => {
                let is_known = match &s.cursors[insn.p1 as usize] {
                    Slot::Tree(c) => i32::from(c.seek_hit) >= insn.p4.int(),
                    _ => false,
                };
                jump_if!(!is_known && !wants!(seek::find(s, env, insn)));
            }
            Opcode::DeferredSeek => wants!(column::deferred_seek(s, env, insn)),
            Opcode::FinishSeek => wants!(seek::finish(s, env, insn)),
            Opcode::IdxRowid => wants!(column::idx_rowid(s, env, insn)),
            Opcode::IdxGE | Opcode::IdxGT | Opcode::IdxLE | Opcode::IdxLT => {
                jump_if!(wants!(seek::compare_entry(s, env, insn)));
            }
            Opcode::Sequence => {
                let sequence = wants!(next_sequence(&mut s.cursors[insn.p1 as usize], insn.p1));
                r!(insn.p2).set_int(sequence);
            }
            Opcode::SequenceTest => {
                jump_if!(wants!(next_sequence(&mut s.cursors[insn.p1 as usize], insn.p1)) == 0);
            }

            // Changes.
            Opcode::NewRowid => wants!(change::new_rowid(s, env, insn)),
            Opcode::Insert => wants!(change::insert(s, env, insn)),
            Opcode::Delete => wants!(change::delete(s, env, insn)),
            Opcode::ChangeCount => r!(insn.p1).set_int(s.changes),
            Opcode::ResetCount => {
                super::halt::set_changes(env, s.changes);
                s.changes = 0;
            }
            Opcode::IdxInsert => wants!(change::idx_insert(s, env, insn)),
            Opcode::IdxDelete => wants!(change::idx_delete(s, env, insn)),

            // Sorter.
            Opcode::SorterInsert => {
                let State { cursors, mems, .. } = s;
                let record = &mut mems[insn.p2 as usize];
                record.expand();
                match &mut cursors[insn.p1 as usize] {
                    Slot::Sorter(sorter) => wants!(sorter.insert(record.bytes())),
                    _ => wants!(change::idx_insert(s, env, insn)),
                }
            }
            Opcode::SorterSort => {
                s.counters[2] += 1;
                match &mut s.cursors[insn.p1 as usize] {
                    Slot::Sorter(sorter) => jump_if!(!wants!(sorter.sort())),
                    _ => leave!(Pause::from(no_cursor(insn.p1))),
                }
            }
            Opcode::SorterNext => match &mut s.cursors[insn.p1 as usize] {
                Slot::Sorter(sorter) => {
                    if wants!(sorter.next()) {
                        jump_back!();
                    }
                }
                _ => leave!(Pause::from(no_cursor(insn.p1))),
            },
            Opcode::SorterData => {
                let State { cursors, mems, .. } = s;
                match &cursors[insn.p1 as usize] {
                    Slot::Sorter(sorter) => {
                        mems[insn.p2 as usize].set_blob(wants!(sorter.record()));
                    }
                    _ => leave!(Pause::from(no_cursor(insn.p1))),
                }
                if let Some(Slot::Pseudo(pseudo)) = cursors.get_mut(insn.p3 as usize) {
                    pseudo.row.valid = false;
                }
            }
            Opcode::SorterCompare => {
                let Slot::Sorter(sorter) = &s.cursors[insn.p1 as usize] else {
                    leave!(Pause::from(no_cursor(insn.p1)))
                };
                let same = wants!(
                    sorter.has_key_of(s.mems[insn.p3 as usize].bytes(), insn.p4.int() as usize)
                );
                jump_if!(!same);
            }

            // Sets of rowids, and filters.
            Opcode::RowSetAdd => {
                let rowid = r!(insn.p2).raw_int();
                r!(insn.p1).rowset().insert(rowid);
            }
            Opcode::RowSetRead => match r!(insn.p1)
                .existing_rowset()
                .and_then(super::super::rowset::RowSet::take_smallest)
            {
                Some(rowid) => r!(insn.p3).set_int(rowid),
                None => {
                    r!(insn.p1).set_null();
                    jump_back!();
                }
            },
            Opcode::RowSetTest => jump_if!(change::rowset_test(&mut s.mems, insn)),
            Opcode::FilterAdd => {
                change::filter(&mut s.mems, insn, true);
            }
            Opcode::Filter => jump_if!(!change::filter(&mut s.mems, insn, false)),

            // Transactions, the file, the schema.
            Opcode::Transaction => wants!(transaction::transaction(program, s, env, insn)),
            Opcode::ReadCookie => wants!(transaction::read_cookie(s, env, insn)),
            Opcode::SetCookie => wants!(transaction::set_cookie(env, insn)),
            Opcode::Pagecount => {
                let pages = wants!(env.db(insn.p1)).tx.page_count();
                r!(insn.p2).set_int(i64::from(pages));
            }
            Opcode::Expire => env.expirations += 1,
            Opcode::AutoCommit
            | Opcode::Savepoint
            | Opcode::OpenEphemeral
            | Opcode::OpenAutoindex
            | Opcode::Count
            | Opcode::IfSizeBetween
            | Opcode::Clear
            | Opcode::ResetSorter
            | Opcode::CreateBtree
            | Opcode::Destroy
            | Opcode::IncrVacuum
            | Opcode::IntegrityCk => leave!(Pause::Slow),
            Opcode::ParseSchema
            | Opcode::LoadAnalysis
            | Opcode::DropTable
            | Opcode::DropIndex
            | Opcode::DropTrigger
            | Opcode::SqlExec
            | Opcode::JournalMode
            | Opcode::Setting
            | Opcode::Checkpoint
            | Opcode::Vacuum
            | Opcode::Attach
            | Opcode::Detach
            | Opcode::MaxPgcnt => match request::request(s, insn) {
                Some(request) => leave!(Pause::Request(Box::new(request))),
                None => leave!(Pause::Slow),
            },

            // Virtual tables.
            Opcode::VOpen => wants!(vtab::open(s, env, insn)),
            Opcode::VFilter => jump_if!(!wants!(vtab::filter(s, env, insn))),
            Opcode::VColumn => wants!(vtab::column(s, env, insn)),
            Opcode::VNext => {
                if wants!(vtab::next(s, env, insn)) {
                    s.counters[insn.p5 as usize & 7] += 1;
                    jump_back!();
                }
            }
            Opcode::VBegin
            | Opcode::VCheck
            | Opcode::VCreate
            | Opcode::VDestroy
            | Opcode::VInitIn
            | Opcode::VRename
            | Opcode::VUpdate => leave!(Pause::Slow),

            // Foreign keys.
            Opcode::FkCounter => {
                let counter = if env.defer_foreign_keys {
                    &mut env.violations.delayed
                } else if insn.p1 != 0 {
                    &mut env.violations.deferred
                } else {
                    &mut s.violations
                };
                *counter += i64::from(insn.p2);
            }
            Opcode::FkIfZero => {
                let counted = if insn.p1 != 0 {
                    env.violations.deferred
                } else {
                    s.violations
                };
                jump_if!(counted == 0 && env.violations.delayed == 0);
            }
            Opcode::FkCheck => {
                if s.violations > 0 {
                    s.outcome.action = p5::OE_ABORT;
                    leave!(Pause::Fail(Box::new(super::halt::foreign_key_error())))
                }
            }
        }
        pc += 1;
    }
}

/// Looks at the interrupt flag and the progress handler.
#[cold]
fn check(s: &mut State, env: &mut Env, steps: u64) -> Step {
    let stop = env.is_interrupted()
        || match env.hooks.progress.take() {
            Some((every, mut handler)) if s.progress_due <= steps => {
                s.progress_due = steps + every.max(1);
                let stop = env.outside(&mut handler);
                env.hooks.progress.get_or_insert((every, handler));
                stop
            }
            other => {
                env.hooks.progress = other;
                false
            }
        };
    s.next_check = steps + CHECK_EVERY;
    if env.hooks.progress.is_some() {
        s.next_check = s.next_check.min(s.progress_due);
    }
    if stop {
        Err(Error::code(ResultCode::INTERRUPT).into())
    } else {
        Ok(())
    }
}

/// Int64, Real, String8, Blob.
#[inline]
fn constant(mem: &mut Mem, insn: &Insn) {
    match &insn.p4 {
        P4::Int64(i) => mem.set_int(*i),
        P4::Real(r) => mem.set_real(*r),
        P4::Text(bytes) | P4::Blob(bytes) if insn.opcode == Opcode::Blob => mem.set_blob(bytes),
        P4::Text(text) => mem.set_text(text),
        _ if insn.opcode == Opcode::Blob => mem.set_zeroblob(insn.p1.max(0) as u64),
        _ => mem.set_text(b""),
    }
}

/// Copies one register to another.
#[inline]
fn copy(mems: &mut [Mem], from: i32, to: i32) {
    if let Ok([from, to]) = mems.get_disjoint_mut([from as usize, to as usize]) {
        to.copy_from(from);
    }
}

fn is_null_row(slot: &Slot) -> bool {
    match slot {
        Slot::Tree(c) => c.null_row,
        Slot::Hash(table) => table.null_row,
        Slot::Rows(c) => c.null_row,
        Slot::Queue(queue) => queue.null_row,
        Slot::Virtual(c) => c.null_row,
        Slot::Null => true,
        Slot::Pseudo(_) | Slot::Sorter(_) | Slot::Closed => false,
    }
}

fn next_sequence(slot: &mut Slot, p1: i32) -> Step<i64> {
    let counter = match slot {
        Slot::Tree(c) => &mut c.sequence,
        Slot::Hash(table) => &mut table.sequence,
        Slot::Rows(c) => &mut c.sequence,
        Slot::Queue(queue) => &mut queue.sequence,
        Slot::Sorter(sorter) => &mut sorter.sequence,
        _ => return Err(no_cursor(p1)),
    };
    *counter += 1;
    Ok(*counter - 1)
}

/// How the program ended, as a Halt says: P1, P2, the message in P4 or register P3, with P5's prefix.
#[cold]
fn set_outcome(s: &mut State, insn: &Insn) {
    if insn.p1 != 0 && insn.p3 > 0 && matches!(insn.p4, P4::None) {
        let mut message = Vec::new();
        arith::push_text(&s.mems[insn.p3 as usize], &mut message);
        s.outcome.action = insn.p2 as u8;
        let message = String::from_utf8_lossy(&message).into_owned();
        s.outcome.error = Some(Box::new(Error::new(ResultCode::from_i32(insn.p1), message)));
        return;
    }
    set_outcome_without_register(s, insn);
}

fn set_outcome_without_register(s: &mut State, insn: &Insn) {
    s.outcome.action = insn.p2 as u8;
    if insn.p1 == 0 {
        return;
    }
    let code = ResultCode::from_i32(insn.p1);
    let text = match &insn.p4 {
        P4::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    let prefix = match insn.p5 {
        p5::HALT_NOTNULL => Some("NOT NULL"),
        p5::HALT_UNIQUE => Some("UNIQUE"),
        p5::HALT_CHECK => Some("CHECK"),
        p5::HALT_FOREIGNKEY => Some("FOREIGN KEY"),
        _ => None,
    };
    let message = match (prefix, text) {
        (Some(prefix), Some(text)) => format!("{prefix} constraint failed: {text}"),
        (Some(prefix), None) => format!("{prefix} constraint failed"),
        (None, Some(text)) => text,
        (None, None) => code.message().to_owned(),
    };
    s.outcome.error = Some(Box::new(Error::new(code, message)));
}
