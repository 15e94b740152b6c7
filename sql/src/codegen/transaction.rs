//! BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK TO.
//!
//! Source: SQLite's `sqlite3BeginTransaction`, `sqlite3EndTransaction`, `sqlite3Savepoint`.

use crate::ast::{Name, TransactionKind};
use crate::authorizer::ActionCode;
use crate::compiler::{Compiler, Result};
use ringwood_vdbe::{Opcode, P4};

impl Compiler<'_> {
    /// BEGIN.
    pub fn code_begin(&mut self, kind: TransactionKind) -> Result<()> {
        if !self.authorize(ActionCode::Transaction, Some("BEGIN"), None, None)? {
            return Ok(());
        }
        let mode = match kind {
            TransactionKind::Deferred => 0,
            TransactionKind::Immediate => 1,
            TransactionKind::Exclusive => 2,
        };
        if mode != 0 {
            for db in 0..self.ctx.schema.dbs.len() {
                self.op(Opcode::Transaction, db as i32, mode, 0);
            }
        }
        self.op(Opcode::AutoCommit, 0, 0, 0);
        Ok(())
    }

    /// COMMIT or ROLLBACK.
    pub fn code_end_transaction(&mut self, roll_back: bool) -> Result<()> {
        let what = if roll_back { "ROLLBACK" } else { "COMMIT" };
        if self.authorize(ActionCode::Transaction, Some(what), None, None)? {
            self.op(Opcode::AutoCommit, 1, i32::from(roll_back), 0);
        }
        Ok(())
    }

    /// SAVEPOINT.
    pub fn code_savepoint(&mut self, name: &Name) -> Result<()> {
        self.savepoint(0, "BEGIN", name)
    }

    /// RELEASE.
    pub fn code_release(&mut self, name: &Name) -> Result<()> {
        self.savepoint(1, "RELEASE", name)
    }

    /// ROLLBACK TO.
    pub fn code_roll_back_to(&mut self, name: &Name) -> Result<()> {
        self.savepoint(2, "ROLLBACK", name)
    }

    fn savepoint(&mut self, which: i32, word: &str, name: &Name) -> Result<()> {
        if self.authorize(ActionCode::Savepoint, Some(word), Some(&name.text), None)? {
            self.op4(Opcode::Savepoint, which, 0, 0, P4::text(&*name.text));
        }
        Ok(())
    }
}
