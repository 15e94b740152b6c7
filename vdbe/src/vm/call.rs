//! Calls of functions and aggregates.
//!
//! Rules:
//! 1. The result goes to a register of the VM's own first, so that arguments and result may be the same registers.
//! 2. A tail of zeros is written out before a function sees it, unless it only asks for length or type.
//! 3. The collation of a call is that of the `CollSeq` right before it.
//!
//! Source: SQLite's `OP_Function`, `OP_AggStep`, `OP_AggFinal`.

use super::compare::BINARY;
use super::state::State;
use super::trap::{Step, fail};
use crate::env::{Door, Env};
use crate::error::Error;
use crate::func::{FnContext, FnError, FunctionDef, FunctionFlags, FunctionKind};
use crate::insn::{Insn, P4};
use crate::mem::Mem;
use crate::opcode::Opcode;
use crate::result_code::ResultCode;
use ringwood_format::collation::Collation;

impl From<FnError> for Error {
    #[cold]
    fn from(error: FnError) -> Error {
        Error::new(error.code, error.message)
    }
}

/// The function in P4, which the verifier has seen there.
#[inline]
fn definition(insn: &Insn) -> &FunctionDef {
    match &insn.p4 {
        P4::Function(def) => def,
        _ => unreachable!("the verifier wants a function in P4 of {:?}", insn.opcode),
    }
}

/// The collation of the call at `pc` (rule 3).
#[inline]
fn collation<'a>(def: &FunctionDef, insns: &'a [Insn], pc: usize) -> &'a Collation {
    if def.flags.contains(FunctionFlags::NEEDS_COLLATION) && pc > 0 {
        if let Insn {
            opcode: Opcode::CollSeq,
            p4: P4::Collation(collation),
            ..
        } = &insns[pc - 1]
        {
            return collation;
        }
    }
    &BINARY
}

/// Rule 2.
#[inline]
fn expand_arguments(def: &FunctionDef, args: &mut [Mem]) {
    const ASKS_LITTLE: FunctionFlags = FunctionFlags::LENGTH
        .union(FunctionFlags::BYTE_LENGTH)
        .union(FunctionFlags::TYPEOF);
    if !def.flags.intersects(ASKS_LITTLE) {
        for arg in args {
            if arg.zeros() > 0 {
                arg.expand();
            }
        }
    }
}

/// Keeps the `Env`'s door open while a function of the application runs; built-in ones do not look for it.
pub(super) struct Opened(Option<Door>);

impl Opened {
    /// For code that may be the application's.
    #[inline]
    pub(super) fn always(env: &mut Env) -> Opened {
        let here: *mut Env = env;
        env.door.set(here);
        Opened(Some(env.door.clone()))
    }

    #[inline]
    fn new(def: &FunctionDef, env: &mut Env) -> Opened {
        if def.flags.contains(FunctionFlags::BUILTIN) {
            return Opened(None);
        }
        Opened::always(env)
    }
}

impl Drop for Opened {
    #[inline]
    fn drop(&mut self) {
        if let Some(door) = &self.0 {
            door.set(std::ptr::null_mut());
        }
    }
}

/// Function, PureFunc.
#[inline]
pub(super) fn function(s: &mut State, env: &mut Env, insns: &[Insn], pc: usize) -> Step {
    let insn = &insns[pc];
    let def = definition(insn);
    let first = insn.p2 as usize;
    let args = &mut s.mems[first..first + insn.p5 as usize];
    expand_arguments(def, args);
    s.result.set_null();
    let door = Opened::new(def, env);
    let mut ctx = FnContext {
        out: &mut s.result,
        facts: &mut env.facts,
        aux: &mut s.aux,
        collation: collation(def, insns, pc),
        def,
        addr: pc as u32,
        constant_args: insn.p1 as u32,
        not_extreme: false,
    };
    let outcome = match &def.kind {
        FunctionKind::Scalar(run) => run(&mut ctx, args),
        FunctionKind::Closure(run) => run(&mut ctx, args),
        FunctionKind::Aggregate(_) => Err(FnError::new(format!(
            "misuse of aggregate function {}()",
            def.name.to_uppercase()
        ))),
    };
    drop(door);
    s.aux.forget_fleeting(pc as u32, insn.p1 as u32);
    outcome.map_err(Error::from)?;
    if s.result.byte_len() > env.limits.length {
        return fail(ResultCode::TOOBIG);
    }
    std::mem::swap(&mut s.mems[insn.p3 as usize], &mut s.result);
    Ok(())
}

/// What is to be done with an aggregate.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Turn {
    Step,
    Inverse,
}

/// AggStep, AggInverse.
#[inline]
pub(super) fn aggregate_step(
    s: &mut State,
    env: &mut Env,
    insns: &[Insn],
    pc: usize,
    turn: Turn,
) -> Step {
    let insn = &insns[pc];
    let (first, count, at) = (insn.p2 as usize, insn.p5 as usize, insn.p3 as usize);
    // The accumulator lies before or behind the arguments.
    let (accumulator, args) = if at < first {
        let (left, right) = s.mems.split_at_mut(first);
        (&mut left[at], &mut right[..count])
    } else {
        let (left, right) = s.mems.split_at_mut(at);
        (
            &mut right[0],
            left.get_mut(first..first + count).unwrap_or_default(),
        )
    };
    if turn == Turn::Step {
        if let Some(state) = accumulator.existing_aggregate() {
            if state.step_quickly(args) {
                return Ok(());
            }
        }
    }
    let def = definition(insn);
    let FunctionKind::Aggregate(new) = &def.kind else {
        return fail(ResultCode::INTERNAL);
    };
    expand_arguments(def, args);
    let door = Opened::new(def, env);
    let mut ctx = FnContext {
        out: &mut s.result,
        facts: &mut env.facts,
        aux: &mut s.aux,
        collation: collation(def, insns, pc),
        def,
        addr: pc as u32,
        constant_args: 0,
        not_extreme: false,
    };
    let state = accumulator.aggregate(|| new());
    let outcome = match turn {
        Turn::Step => state.step(&mut ctx, args),
        Turn::Inverse => state.inverse(&mut ctx, args),
    };
    let not_extreme = ctx.not_extreme;
    drop(door);
    outcome.map_err(Error::from)?;
    if not_extreme && pc > 0 && insns[pc - 1].opcode == Opcode::CollSeq && insns[pc - 1].p1 != 0 {
        s.mems[insns[pc - 1].p1 as usize].set_int(1);
    }
    Ok(())
}

/// AggFinal (into P1) and AggValue (into P3).
pub(super) fn aggregate_result(s: &mut State, env: &mut Env, insns: &[Insn], pc: usize) -> Step {
    let insn = &insns[pc];
    let def = definition(insn);
    let FunctionKind::Aggregate(new) = &def.kind else {
        return fail(ResultCode::INTERNAL);
    };
    s.result.set_null();
    let door = Opened::new(def, env);
    let mut ctx = FnContext {
        out: &mut s.result,
        facts: &mut env.facts,
        aux: &mut s.aux,
        collation: collation(def, insns, pc),
        def,
        addr: pc as u32,
        constant_args: 0,
        not_extreme: false,
    };
    let ends = insn.opcode == Opcode::AggFinal;
    let state = s.mems[insn.p1 as usize].aggregate(|| new());
    let outcome = if ends {
        state.finish(&mut ctx)
    } else {
        state.value(&mut ctx)
    };
    drop(door);
    outcome.map_err(Error::from)?;
    if s.result.byte_len() > env.limits.length {
        return fail(ResultCode::TOOBIG);
    }
    let to = if ends { insn.p1 } else { insn.p3 };
    let mem = &mut s.mems[to as usize];
    mem.set_null();
    std::mem::swap(mem, &mut s.result);
    Ok(())
}
