//! BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK TO.
//!
//! Source: SQLite's `sqlite3BeginTransaction`, `sqlite3EndTransaction`, `sqlite3Savepoint`.

use crate::ast::{Name, TransactionKind};
use crate::compiler::Compiler;
use ringwood_vdbe::{Opcode, P4};

impl Compiler<'_> {
    /// BEGIN.
    pub fn code_begin(&mut self, kind: TransactionKind) {
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
    }

    /// COMMIT or ROLLBACK.
    pub fn code_end_transaction(&mut self, roll_back: bool) {
        self.op(Opcode::AutoCommit, 1, i32::from(roll_back), 0);
    }

    /// SAVEPOINT.
    pub fn code_savepoint(&mut self, name: &Name) {
        self.op4(Opcode::Savepoint, 0, 0, 0, P4::text(&*name.text));
    }

    /// RELEASE.
    pub fn code_release(&mut self, name: &Name) {
        self.op4(Opcode::Savepoint, 1, 0, 0, P4::text(&*name.text));
    }

    /// ROLLBACK TO.
    pub fn code_roll_back_to(&mut self, name: &Name) {
        self.op4(Opcode::Savepoint, 2, 0, 0, P4::text(&*name.text));
    }
}
