//! From a parsed statement to a program: which part of the code generator it goes to.

use crate::ast::{Explain, Statement, Stmt};
use crate::codegen::select::Destination;
use crate::compiler::{CompileContext, Compiler, Result, SqlError};
use crate::resolve::{NameMode, resolve_select};
use ringwood_vdbe::{ColumnInfo, Opcode, Program};
use std::sync::Arc;

/// Compiles a statement. `text` is the text that it was parsed from.
///
/// # Errors
/// SQLite's, with the byte offset of the offending token; for what is not there yet an error that says so.
pub fn compile<'a>(
    ctx: &'a CompileContext<'a>,
    statement: &'a Statement,
    text: &'a [u8],
) -> Result<Arc<Program>> {
    let mut c = Compiler::new(ctx, text, statement.explain);
    c.select_numbers = statement.selects;
    if let Some(error) = &statement.error {
        c.check_beginning(&statement.kind)?;
        return Err(SqlError::of_text(error));
    }
    match &statement.kind {
        Stmt::Select(select) => {
            let select = resolve_select(&mut c, select, NameMode::Output)?;
            c.code_select(&select, &mut Destination::output())?;
        }
        Stmt::Insert(insert) => {
            c.code_insert(insert)?;
            count_rows(&mut c, "rows inserted");
        }
        Stmt::Update(update) => {
            c.code_update(update)?;
            count_rows(&mut c, "rows updated");
        }
        Stmt::Delete(delete) => {
            c.code_delete(delete)?;
            count_rows(&mut c, "rows deleted");
        }
        Stmt::Begin(kind) => c.code_begin(*kind)?,
        Stmt::Commit => c.code_end_transaction(false)?,
        Stmt::Rollback => c.code_end_transaction(true)?,
        Stmt::Savepoint(name) => c.code_savepoint(name)?,
        Stmt::Release(name) => c.code_release(name)?,
        Stmt::RollbackTo(name) => c.code_roll_back_to(name)?,
        Stmt::CreateTable(create) => c.code_create_table(create)?,
        Stmt::CreateIndex(create) => c.code_create_index(create)?,
        Stmt::CreateView(create) => c.code_create_view(create, statement.params.count > 0)?,
        Stmt::Drop(drop) => c.code_drop(drop)?,
        Stmt::Pragma(pragma) => c.code_pragma(pragma)?,
        Stmt::CreateTrigger(create) => {
            c.code_create_trigger(create, statement.params.count > 0)?;
        }
        Stmt::CreateVirtualTable(create) => c.code_create_virtual_table(create)?,
        Stmt::AlterTable(alter) => c.code_alter_table(alter, statement.terminator)?,
        Stmt::Attach(attach) => c.code_attach(attach)?,
        Stmt::Detach(name) => c.code_detach(name)?,
        Stmt::Vacuum(vacuum) => c.code_vacuum(vacuum)?,
        Stmt::Analyze(name) => c.code_analyze(name.as_deref())?,
        Stmt::Reindex(name) => c.code_reindex(name.as_deref())?,
    }
    let params = &mut c.b.about.params;
    params.clear();
    params.resize(statement.params.count as usize, None);
    for name in &statement.params.names {
        params[name.number as usize - 1] = Some(name.text.to_string());
    }
    explain_columns(&mut c);
    c.finish()
}

/// PRAGMA count_changes: a row that says how many rows were changed.
fn count_rows(c: &mut Compiler<'_>, name: &str) {
    if !c.ctx.flags.count_changes || !c.columns.is_empty() {
        return;
    }
    c.columns = vec![ColumnInfo {
        name: name.into(),
        ..ColumnInfo::default()
    }];
    let reg = c.alloc_reg();
    c.op(Opcode::ChangeCount, reg, 0, 0);
    c.op(Opcode::ResultRow, reg, 1, 0);
}

/// EXPLAIN has result columns of its own.
fn explain_columns(c: &mut Compiler<'_>) {
    let names: &[&str] = match c.explain {
        Explain::No => return,
        Explain::Program => &["addr", "opcode", "p1", "p2", "p3", "p4", "p5", "comment"],
        Explain::QueryPlan => &["id", "parent", "notused", "detail"],
    };
    c.columns = names
        .iter()
        .map(|name| ColumnInfo {
            name: (*name).into(),
            ..ColumnInfo::default()
        })
        .collect();
}
