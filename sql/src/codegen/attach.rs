//! ATTACH, DETACH and VACUUM: what the engine does, with its arguments computed.
//!
//! A bare identifier as the name of a file or a database is a string.
//!
//! Source: SQLite's `codeAttach`, `resolveAttachExpr`, `sqlite3Vacuum`.

use crate::ast::{self, ExprKind, Literal};
use crate::authorizer::ActionCode;
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::resolve_constant;
use ringwood_vdbe::{Opcode, P4};

/// The temp database.
const TEMP: usize = 1;

impl Compiler<'_> {
    /// ATTACH.
    pub fn code_attach(&mut self, attach: &ast::Attach) -> Result<()> {
        let first = self.alloc_regs(3);
        self.attach_argument(&attach.file, first)?;
        self.attach_argument(&attach.schema, first + 1)?;
        if let Some(key) = &attach.key {
            self.attach_argument(key, first + 2)?;
        }
        if !self.authorize(
            ActionCode::Attach,
            constant_text(&attach.file).as_deref(),
            None,
            None,
        )? {
            return Ok(());
        }
        self.op(Opcode::Attach, first, first + 1, 0);
        self.op(Opcode::Expire, 1, 0, 0);
        Ok(())
    }

    /// DETACH.
    pub fn code_detach(&mut self, name: &ast::Expr) -> Result<()> {
        let reg = self.alloc_reg();
        self.attach_argument(name, reg)?;
        if !self.authorize(
            ActionCode::Detach,
            constant_text(name).as_deref(),
            None,
            None,
        )? {
            return Ok(());
        }
        self.op(Opcode::Detach, reg, 0, 0);
        self.op(Opcode::Expire, 0, 0, 0);
        Ok(())
    }

    fn attach_argument(&mut self, expr: &ast::Expr, reg: i32) -> Result<()> {
        if let ExprKind::Id(name) = &expr.kind {
            self.op4(Opcode::String8, 0, reg, 0, P4::text(&*name.text));
            return Ok(());
        }
        let bound = resolve_constant(self, expr)?;
        self.expr_code(&bound, reg)
    }

    /// VACUUM.
    pub fn code_vacuum(&mut self, vacuum: &ast::Vacuum) -> Result<()> {
        let db = match &vacuum.schema {
            Some(schema) => self.ctx.schema.db_index(&schema.text).ok_or_else(|| {
                let written = String::from_utf8_lossy(schema.span.slice(self.text));
                SqlError::at(schema.span.start, format!("unknown database {written}"))
            })?,
            None => 0,
        };
        if db == TEMP {
            return Ok(());
        }
        let into = match &vacuum.into {
            Some(expr) => {
                let bound = resolve_constant(self, expr)?;
                let reg = self.alloc_reg();
                self.expr_code(&bound, reg)?;
                reg
            }
            None => 0,
        };
        self.op(Opcode::Vacuum, db as i32, into, 0);
        Ok(())
    }
}

/// The text of an argument that is one.
fn constant_text(expr: &ast::Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Id(name) => Some(name.text.to_string()),
        ExprKind::Literal(Literal::String(text)) => {
            Some(String::from_utf8_lossy(text).into_owned())
        }
        _ => None,
    }
}
