//! SELECT.

mod destination;

pub use destination::{Destination, DestinationKind};

use crate::bound::{Expr, Select, SortOrder};
use crate::compiler::{Compiler, Result, SqlError};
use ringwood_format::key::{KeyColumn, KeyInfo};
use std::sync::Arc;

impl Compiler<'_> {
    /// Codes a SELECT; its rows go to `dest`.
    pub fn code_select(&mut self, _select: &Select, _dest: &mut Destination) -> Result<()> {
        Err(SqlError::unsupported("SELECT is"))
    }

    /// How rows are ordered by expressions; `extra` columns behind them are ordered by bytes.
    pub fn key_info_of<'e>(
        &self,
        terms: impl IntoIterator<Item = (&'e Expr, SortOrder)>,
        extra: usize,
    ) -> Result<Arc<KeyInfo>> {
        let mut columns = Vec::new();
        for (expr, order) in terms {
            let collation = self.expr_collation(expr)?;
            columns.push(KeyColumn {
                collation,
                desc: order.desc,
                big_null: order.big_null,
            });
        }
        columns.extend(std::iter::repeat_n(KeyColumn::default(), extra));
        Ok(Arc::new(KeyInfo {
            columns,
            encoding: self.ctx.schema.dbs[0].encoding,
        }))
    }
}
