//! Calling a function without a program: what tests and tools do.

use super::{AuxData, Facts, FnContext, FnError, FunctionDef, FunctionKind};
use crate::mem::Mem;
use crate::result_code::ResultCode;
use ringwood_format::collation::Collation;
use ringwood_format::value::Value;

/// One call's context.
fn context<'a>(
    def: &'a FunctionDef,
    out: &'a mut Mem,
    facts: &'a mut Facts,
    aux: &'a mut AuxData,
    collation: &'a Collation,
) -> FnContext<'a> {
    FnContext {
        out,
        facts,
        aux,
        collation,
        def,
        addr: 0,
        constant_args: 0,
        not_extreme: false,
    }
}

fn registers(args: &[Value]) -> Vec<Mem> {
    args.iter().cloned().map(Mem::from_value).collect()
}

impl FunctionDef {
    /// Calls a scalar function.
    ///
    /// # Errors
    /// If the function fails; SQLITE_MISUSE if it is an aggregate.
    pub fn call(&self, facts: &mut Facts, args: &[Value]) -> Result<Value, FnError> {
        let mut out = Mem::new();
        self.call_into(facts, &mut AuxData::default(), &registers(args), &mut out)?;
        if out.byte_len() > facts.length_max {
            return Err(FnError::too_big());
        }
        Ok(out.to_value())
    }

    /// The same with registers; what the function remembers between calls goes to `aux`.
    ///
    /// # Errors
    /// As [`call`](FunctionDef::call).
    pub fn call_into(
        &self,
        facts: &mut Facts,
        aux: &mut AuxData,
        args: &[Mem],
        out: &mut Mem,
    ) -> Result<(), FnError> {
        out.set_null();
        let mut ctx = context(self, out, facts, aux, &Collation::Binary);
        match &self.kind {
            FunctionKind::Scalar(run) => run(&mut ctx, args),
            FunctionKind::Closure(run) => run(&mut ctx, args),
            FunctionKind::Aggregate(_) => Err(FnError::code(ResultCode::MISUSE)),
        }
    }

    /// Calls an aggregate over rows; as a window, the value at the last row of a frame of that many rows.
    ///
    /// # Errors
    /// If the function fails; SQLITE_MISUSE if it is no aggregate.
    pub fn aggregate_rows(
        &self,
        facts: &mut Facts,
        rows: &[Vec<Value>],
        window: Option<usize>,
    ) -> Result<Value, FnError> {
        let (mut out, mut aux) = (Mem::new(), AuxData::default());
        let mut ctx = context(self, &mut out, facts, &mut aux, &Collation::Binary);
        let FunctionKind::Aggregate(new) = &self.kind else {
            return Err(FnError::code(ResultCode::MISUSE));
        };
        let mut state = new();
        for (i, row) in rows.iter().enumerate() {
            state.step(&mut ctx, &registers(row))?;
            if window.is_some() {
                ctx.out.set_null();
                state.value(&mut ctx)?;
            }
            let oldest = window.and_then(|size| (i + 1).checked_sub(size));
            if let (Some(oldest), true) = (oldest, i + 1 < rows.len()) {
                state.inverse(&mut ctx, &registers(&rows[oldest]))?;
            }
        }
        if window.is_none() {
            state.finish(&mut ctx)?;
        }
        Ok(out.to_value())
    }
}
