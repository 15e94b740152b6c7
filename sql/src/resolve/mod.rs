//! Name resolution: from what a statement says to what it means.

use crate::ast;
use crate::bound::Expr;
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::Table;
use std::sync::Arc;

/// Resolves an expression of a table's definition (CHECK, generated column, index expression, WHERE of an index):
/// its names are columns of that table, to be read through `cursor`.
pub fn resolve_self(
    _c: &mut Compiler<'_>,
    _table: &Arc<Table>,
    _cursor: i32,
    _expr: &ast::Expr,
) -> Result<Expr> {
    Err(SqlError::unsupported("expressions in definitions are"))
}
