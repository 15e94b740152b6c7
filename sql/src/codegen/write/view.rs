//! UPDATE and DELETE of a view: its rows are computed first, then the INSTEAD OF triggers fire for each.
//!
//! ```text
//!   OpenEphemeral;  SELECT * FROM view WHERE …
//!   for each row:   OLD, and NEW of an UPDATE, into registers;  the triggers
//! ```
//!
//! Source: SQLite's `sqlite3MaterializeView`.

use super::Target;
use super::assignments::Assignments;
use super::returning::Returning;
use super::update::Assigned;
use crate::ast::{
    self, Distinctness, FromClause, FromItem, Indexed, JoinType, QualifiedName, ResultColumn,
    Select, SelectClause, SelectCore, Source, Span, TriggerTime, With,
};
use crate::codegen::select::{Destination, DestinationKind};
use crate::codegen::trigger::Triggers;
use crate::compiler::{Compiler, Result};
use crate::resolve::{NameMode, resolve_select};
use crate::schema::Table;
use ringwood_vdbe::Opcode;
use std::sync::Arc;

impl Compiler<'_> {
    /// Codes DELETE FROM a view.
    pub(super) fn delete_from_view(
        &mut self,
        delete: &ast::Delete,
        db: usize,
        view: &Arc<Table>,
        triggers: &Triggers,
    ) -> Result<()> {
        self.b.about.count_changes = true;
        self.writes_db(true, db);
        let with = delete.with.as_deref();
        let returning = self.begin_returning(&delete.returning, with);
        let rows = self.materialize_view(
            db,
            &delete.table,
            view,
            with,
            delete.where_clause.as_ref(),
            &delete.order_by,
            delete.limit.as_deref(),
        )?;
        let old = self.alloc_regs(1 + view.columns.len());
        let (next, done) = (self.label(), self.label());
        let top = self.jump(Opcode::Rewind, rows, done, 0) + 1;
        self.code_view_row(rows, view, old)?;
        self.fire(triggers, TriggerTime::InsteadOf, view, old, None, next);
        let target = Target::new(self, db, view);
        self.code_returning(returning, &target, old)?;
        self.place(next);
        self.op(Opcode::Next, rows, top, 0);
        self.place(done);
        self.end_change()?;
        self.end_returning(returning);
        Ok(())
    }

    /// Codes UPDATE of a view. `rows` is the cursor that [`Compiler::materialize_view`] has filled, and which the values
    /// read.
    pub(super) fn update_view(
        &mut self,
        rows: i32,
        target: &Target,
        assignments: &Assignments,
        or: Option<ast::ConflictAction>,
        triggers: &Triggers,
        returning: Option<Returning<'_>>,
    ) -> Result<()> {
        let view = &target.table;
        let mut assigned = Assigned::new(target, assignments, Some(rows));
        let count = view.columns.len();
        let old = self.alloc_regs(2 * (1 + count));
        let new = old + 1 + count as i32;
        let (next, done) = (self.label(), self.label());
        let top = self.jump(Opcode::Rewind, rows, done, 0) + 1;
        self.code_view_row(rows, view, old)?;
        self.op(Opcode::SCopy, old, new, 0);
        for (i, value) in assignments.columns.iter().enumerate() {
            let reg = new + 1 + i as i32;
            match value {
                Some(value) => self.code_assigned(&mut assigned, value, reg)?,
                None => self.code_column_into(rows, i as i32, reg)?,
            }
        }
        self.fire(triggers, TriggerTime::InsteadOf, view, old, or, next);
        self.code_returning(returning, target, new)?;
        self.place(next);
        self.op(Opcode::Next, rows, top, 0);
        self.place(done);
        Ok(())
    }

    fn code_view_row(&mut self, rows: i32, view: &Arc<Table>, first: i32) -> Result<()> {
        self.op(Opcode::Rowid, rows, first, 0);
        for i in 0..view.columns.len() as i32 {
            self.code_column_into(rows, i, first + 1 + i)?;
        }
        Ok(())
    }

    /// Computes the rows of a view under WHERE into an ephemeral table; its cursor.
    pub(super) fn materialize_view(
        &mut self,
        db: usize,
        name: &QualifiedName,
        view: &Arc<Table>,
        with: Option<&With>,
        where_clause: Option<&ast::Expr>,
        order_by: &[ast::SortTerm],
        limit: Option<&ast::Limit>,
    ) -> Result<i32> {
        let cursor = self.alloc_cursor(Some(view.clone()));
        let from = FromItem {
            join: JoinType::NONE,
            source: Source::Table {
                name: QualifiedName {
                    schema: Some(ast::Name {
                        text: (&*self.ctx.schema.dbs[db].name).into(),
                        ..name.name.clone()
                    }),
                    name: name.name.clone(),
                },
                indexed: Indexed::Unspecified,
            },
            alias: None,
            constraint: None,
            span: Span::default(),
        };
        let clause = SelectClause {
            distinct: Distinctness::None,
            columns: vec![ResultColumn::Star(Span::default())],
            from: Some(FromClause { items: vec![from] }),
            where_clause: where_clause.cloned(),
            group_by: Vec::new(),
            having: None,
            windows: Vec::new(),
            number: 0,
            span: Span::default(),
        };
        let select = Select {
            with: with.cloned().map(Box::new),
            core: SelectCore::Select(Box::new(clause)),
            compounds: Vec::new(),
            order_by: order_by.to_vec(),
            limit: limit.cloned().map(Box::new),
            span: Span::default(),
        };
        let bound = resolve_select(self, &select, NameMode::None)?;
        let mut out = Destination::new(DestinationKind::EphemeralTable, cursor);
        self.code_select(&bound, &mut out)?;
        Ok(cursor)
    }
}
