//! The asynchronous twins: what an opcode does when it has to wait.
//!
//! The loop stops at such an opcode with `Slow`; what is here carries the whole opcode out and says how to go on.

use super::change;
use super::cursor::{Slot, TreeCursor};
use super::state::State;
use super::transaction;
use super::tree;
use super::vtab;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::opcode::Opcode;
use crate::program::Program;
use crate::result_code::ResultCode;

/// How the program goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// With the next instruction.
    Advance,
    /// At P2.
    Jump,
    /// With the same instruction.
    Again,
    /// Not at all: it has halted.
    Done,
}

impl Next {
    fn jump_if(jumps: bool) -> Next {
        if jumps { Next::Jump } else { Next::Advance }
    }
}

/// Carries out the instruction at the program counter.
pub(super) async fn slow(program: &Program, s: &mut State, env: &mut Env) -> Result<Next> {
    let Some(insn) = s.insn(program) else {
        return Err(Error::code(ResultCode::INTERNAL));
    };
    match insn.opcode {
        Opcode::Transaction => transaction::begin(program, s, env, insn).await?,
        Opcode::AutoCommit => return transaction::autocommit(program, s, env, insn).await,
        Opcode::Savepoint => return transaction::savepoint(program, s, env, insn).await,
        Opcode::Insert => change::insert_slow(s, env, insn).await?,
        Opcode::Delete => change::delete_slow(s, env, insn).await?,
        Opcode::IdxInsert => change::idx_insert_slow(s, env, insn).await?,
        Opcode::IdxDelete => change::idx_delete_slow(s, env, insn).await?,
        Opcode::OpenEphemeral | Opcode::OpenAutoindex => tree::open_ephemeral(s, env, insn).await?,
        Opcode::Count => tree::count(s, env, insn).await?,
        Opcode::IfSizeBetween => {
            return Ok(Next::jump_if(tree::size_is_between(s, env, insn).await?));
        }
        Opcode::Clear => tree::clear(s, env, insn).await?,
        Opcode::ResetSorter => tree::reset(s, env, insn).await?,
        Opcode::CreateBtree => tree::create(s, env, insn).await?,
        Opcode::Destroy => tree::destroy(s, env, insn).await?,
        Opcode::IntegrityCk => tree::integrity_check(s, env, insn).await?,
        Opcode::IncrVacuum => {
            let tx = &mut env.db(insn.p1)?.tx;
            return Ok(Next::jump_if(!ringwood_btree::give_back_one(tx).await?));
        }
        Opcode::SorterInsert => {
            if let Slot::Sorter(sorter) = &mut s.cursors[insn.p1 as usize] {
                sorter.spill(env).await?;
            }
            return Ok(Next::Again);
        }
        Opcode::SorterSort | Opcode::Sort | Opcode::Rewind => {
            let Slot::Sorter(sorter) = &mut s.cursors[insn.p1 as usize] else {
                return Err(Error::code(ResultCode::INTERNAL));
            };
            return Ok(Next::jump_if(!sorter.sort_slow(env).await?));
        }
        Opcode::SorterNext | Opcode::Next => {
            if let Slot::Sorter(sorter) = &mut s.cursors[insn.p1 as usize] {
                sorter.refill(env).await?;
            }
            return Ok(Next::Again);
        }
        Opcode::VFilter | Opcode::VColumn | Opcode::VNext | Opcode::Rowid => {
            vtab::wait(s, env, insn).await?;
            return Ok(Next::Again);
        }
        Opcode::VBegin => vtab::begin(s, env, insn).await?,
        Opcode::VCheck => vtab::check(s, env, insn).await?,
        Opcode::VCreate => vtab::create(env, insn).await?,
        Opcode::VDestroy => vtab::destroy(env, insn).await?,
        Opcode::VInitIn => vtab::init_in(s, env, insn).await?,
        Opcode::VRename => vtab::rename(s, env, insn).await?,
        Opcode::VUpdate => vtab::update(s, env, insn).await?,
        other => {
            let message = format!("internal error: {} cannot wait", other.name());
            return Err(Error::new(ResultCode::INTERNAL, message));
        }
    }
    Ok(Next::Advance)
}

/// The tree cursor with that number.
pub(super) fn tree_cursor(s: &mut State, p1: i32) -> Result<&mut TreeCursor> {
    match &mut s.cursors[p1 as usize] {
        Slot::Tree(c) => Ok(c),
        _ => Err(Error::new(
            ResultCode::INTERNAL,
            format!("internal error: cursor {p1} is not open"),
        )),
    }
}
