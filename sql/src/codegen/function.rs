//! Calls of scalar functions.
//!
//! Some functions are code instead of calls: `coalesce` and `ifnull` stop at the first value, `iif` is a CASE, `likely`
//! and its kin were taken away when names were resolved.
//!
//! Source: SQLite's `sqlite3ExprCodeTarget` (TK_FUNCTION), `exprCodeInlineFunction`.

use super::expr::ListFlags;
use crate::bound::walk::{Constness, is_constant};
use crate::bound::{Expr, FunctionCall};
use crate::compiler::{Compiler, Result, SqlError};
use ringwood_format::collation::Collation;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{FunctionFlags, Opcode, P4};
use std::sync::Arc;

impl Compiler<'_> {
    /// A call; the result is in the register that is returned. `expr` is the call as an expression.
    pub(super) fn code_call(
        &mut self,
        expr: &Expr,
        call: &FunctionCall,
        target: i32,
    ) -> Result<i32> {
        let own = self.overloaded(call).map(Arc::new);
        let def = own.as_ref().unwrap_or(&call.def);
        if call.aggregate.is_some() || def.is_aggregate() {
            return Err(self.misuse(call));
        }
        if self.factor_constants && is_constant(expr, Constness::Statement) {
            return self.constant(expr, None);
        }
        if def.flags.contains(FunctionFlags::INLINE) {
            return self.code_inline_call(call, target);
        }
        let count = call.args.len();
        let mut constants = 0u32;
        let mut collation = None;
        for (i, arg) in call.args.iter().enumerate() {
            if i < 32 && is_constant(arg, Constness::Statement) {
                constants |= 1 << i;
            }
            if collation.is_none() && def.flags.contains(FunctionFlags::NEEDS_COLLATION) {
                collation = self.collation_name(arg);
            }
        }
        let first = match count {
            0 => 0,
            _ if constants != 0 => self.alloc_regs(count),
            _ => self.temp_regs(count),
        };
        self.expr_code_list(
            &call.args,
            first,
            ListFlags {
                factor: true,
                dup: false,
            },
        )?;
        self.narrow_column_read(call);
        if def.flags.contains(FunctionFlags::NEEDS_COLLATION) {
            let collation =
                collation.map_or(Ok(Collation::Binary), |name| self.collation(&name))?;
            self.op4(Opcode::CollSeq, 0, 0, 0, P4::Collation(collation));
        }
        // A function may fail.
        self.may_abort = true;
        let opcode = if def.flags.contains(FunctionFlags::DETERMINISTIC) {
            Opcode::PureFunc
        } else {
            Opcode::Function
        };
        // A function that changes slowly (date('now')) may not be called in definitions: `Function` checks nothing.
        self.op4(
            opcode,
            constants as i32,
            first,
            target,
            P4::Function(def.clone()),
        );
        self.p5(count as u16);
        if count > 0 && constants == 0 {
            self.release_temps(first, count);
        }
        Ok(target)
    }

    /// An aggregate where none may be; the name as it is written.
    #[cold]
    pub(crate) fn misuse(&self, call: &FunctionCall) -> SqlError {
        let offset = call
            .aggregate
            .as_ref()
            .and_then(|aggregate| aggregate.offset);
        let length = call.def.name.len();
        let written = offset.and_then(|at| self.text.get(at as usize..at as usize + length));
        let name = written.map_or_else(|| call.def.name.clone().into(), String::from_utf8_lossy);
        let mut e = SqlError::error(format!("misuse of aggregate: {name}()"));
        e.offset = offset;
        e
    }

    /// `length(column)` and `typeof(column)` need not read the column's bytes.
    fn narrow_column_read(&mut self, call: &FunctionCall) {
        let flags = call.def.flags;
        let bits = if flags.contains(FunctionFlags::BYTE_LENGTH) {
            p5::BYTELENARG
        } else if flags.contains(FunctionFlags::LENGTH) {
            p5::LENGTHARG
        } else if flags.contains(FunctionFlags::TYPEOF) {
            p5::TYPEOFARG
        } else {
            return;
        };
        let is_column = matches!(
            call.args.first(),
            Some(Expr::Column(_) | Expr::AggregateColumn { .. })
        );
        if is_column
            && self
                .b
                .last()
                .is_some_and(|insn| insn.opcode == Opcode::Column)
        {
            self.p5(bits);
        }
    }

    fn code_inline_call(&mut self, call: &FunctionCall, target: i32) -> Result<i32> {
        let args = &call.args;
        if call.def.name.eq_ignore_ascii_case("iif") || call.def.name.eq_ignore_ascii_case("if") {
            return self.code_iif(args, target);
        }
        let Some((first, rest)) = args.split_first() else {
            self.op(Opcode::Null, 0, target, 0);
            return Ok(target);
        };
        let end = self.label();
        self.expr_code(first, target)?;
        for arg in rest {
            self.jump(Opcode::NotNull, target, end, 0);
            self.expr_code(arg, target)?;
        }
        self.unmergeable_copy();
        self.place(end);
        Ok(target)
    }

    /// `iif(a, b, c, d, …, z)` is CASE WHEN a THEN b WHEN c THEN d … ELSE z END.
    fn code_iif(&mut self, args: &[Expr], target: i32) -> Result<i32> {
        let end = self.label();
        let mut pairs = args.chunks_exact(2);
        for pair in pairs.by_ref() {
            let next = self.label();
            self.expr_if_false(&pair[0], next, true)?;
            self.expr_code(&pair[1], target)?;
            self.goto(end);
            self.place(next);
        }
        match pairs.remainder().first() {
            Some(otherwise) => self.expr_code(otherwise, target)?,
            None => {
                self.op(Opcode::Null, 0, target, 0);
            }
        }
        self.unmergeable_copy();
        self.place(end);
        Ok(target)
    }
}
