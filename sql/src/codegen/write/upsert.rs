//! ON CONFLICT clauses of INSERT.
//!
//! ```text
//!      the index of each clause is checked first, in the order of the clauses; then the others
//!      the rowid is checked where its clause comes, or with the first of the others
//!      conflict:  DO NOTHING   the row is left out
//!                 DO UPDATE    the data cursor goes to the row that is there; WHERE; the change of one row, OR ABORT
//! ```
//!
//! Rules:
//! 1. A clause names its key by columns, in any order, with a COLLATE only where the index has it; a partial index asks
//!    for its WHERE. A clause without a target is for every key that no clause before it names.
//! 2. A second clause for the same key is never used.
//! 3. `excluded` is the row that was to be inserted: its columns have neither affinity nor collation.
//!
//! Source: SQLite's `sqlite3UpsertAnalyzeTarget`, `sqlite3UpsertOfIndex`, `sqlite3UpsertDoUpdate`.

use super::assignments::table_scope;
use super::constraints::Row;
use super::returning::Returning;
use super::update::{RowChange, assigned_names};
use super::{Change, Target};
use crate::ast::{self, ConflictAction, UpsertAction};
use crate::bound::walk::{Likeness, likeness};
use crate::bound::{ColumnRef, Expr, FromItem};
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::{NamedRow, Resolver, Scope, resolve_self};
use crate::schema::{Index, IndexKey};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4, ResultCode};
use smallvec::SmallVec;

/// The key that a clause is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    /// Any.
    Any,
    /// The rowid.
    Rowid,
    /// An index, by its place in the table's list.
    Index(usize),
}

/// A clause.
struct Clause<'s> {
    key: Key,
    /// Rule 2.
    duplicate: bool,
    action: &'s UpsertAction,
}

/// The clauses of an INSERT.
pub struct Upserts<'s> {
    insert: &'s ast::Insert,
    clauses: Vec<Clause<'s>>,
    returning: Option<Returning<'s>>,
}

impl Upserts<'_> {
    /// The clause for an index, or for the rowid.
    pub(super) fn clause_of(&self, index: Option<usize>) -> Option<usize> {
        let key = index.map_or(Key::Rowid, Key::Index);
        self.clauses
            .iter()
            .position(|clause| clause.key == Key::Any || clause.key == key)
    }

    /// Whether a clause says DO UPDATE.
    pub(super) fn updates(&self, clause: usize) -> bool {
        matches!(self.clauses[clause].action, UpsertAction::Update { .. })
    }

    /// The order in which the indexes are checked.
    pub(super) fn order(&self, count: usize) -> SmallVec<[usize; 8]> {
        let mut order = SmallVec::with_capacity(count);
        for clause in &self.clauses {
            match clause.key {
                Key::Any => break,
                Key::Index(n) if !order.contains(&n) => order.push(n),
                Key::Index(_) | Key::Rowid => {}
            }
        }
        for n in 0..count {
            if !order.contains(&n) {
                order.push(n);
            }
        }
        order
    }

    /// Whether the rowid is to be checked after the key of that clause (SQLite's sqlite3UpsertNextIsIPK).
    pub(super) fn rowid_is_next(&self, clause: usize) -> bool {
        let rest = &self.clauses[clause + 1..];
        rest.iter()
            .find(|next| matches!(next.key, Key::Any | Key::Rowid) || !next.duplicate)
            .is_none_or(|next| !matches!(next.key, Key::Index(_)))
    }
}

impl Compiler<'_> {
    /// Finds the keys of the clauses; none if the INSERT has no clauses.
    ///
    /// # Errors
    /// `ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint`, and those of names.
    pub fn resolve_upserts<'s>(
        &mut self,
        insert: &'s ast::Insert,
        target: &Target,
        returning: Option<Returning<'s>>,
    ) -> Result<Option<Upserts<'s>>> {
        if insert.upserts.is_empty() {
            return Ok(None);
        }
        if target.table.is_view() {
            return Err(SqlError::error("cannot UPSERT a view"));
        }
        let first = insert.upserts[0].target.as_ref();
        if let Some(term) = first.and_then(|t| t.columns.iter().find(|c| c.nulls.is_some())) {
            let which = match term.nulls {
                Some(ast::NullsOrder::First) => "FIRST",
                _ => "LAST",
            };
            return Err(SqlError::error(format!("unsupported use of NULLS {which}")));
        }
        let item = self.target_item(target, insert.alias.as_ref(), &ast::Indexed::Unspecified)?;
        let mut clauses: Vec<Clause<'s>> = Vec::with_capacity(insert.upserts.len());
        for (n, upsert) in insert.upserts.iter().enumerate() {
            let key = match &upsert.target {
                None => Key::Any,
                Some(key) => match self.find_key(insert, key, target, &item)? {
                    Some(key) => key,
                    None => return Err(no_such_key(n, insert.upserts.len())),
                },
            };
            clauses.push(Clause {
                key,
                duplicate: clauses.iter().any(|clause| clause.key == key),
                action: &upsert.action,
            });
        }
        Ok(Some(Upserts {
            insert,
            clauses,
            returning,
        }))
    }

    /// Rule 1.
    fn find_key(
        &mut self,
        insert: &ast::Insert,
        key: &ast::UpsertTarget,
        target: &Target,
        item: &FromItem,
    ) -> Result<Option<Key>> {
        let mut resolver = Resolver::new(self);
        if let Some(with) = &insert.with {
            resolver.push_with(with)?;
        }
        resolver.push_scope(Scope::of_items(vec![item.clone()]));
        let mut terms = Vec::with_capacity(key.columns.len());
        for term in &key.columns {
            terms.push(resolver.expr(&term.expr)?);
        }
        let where_ = match &key.where_clause {
            Some(where_) => Some(resolver.expr(where_)?),
            None => None,
        };
        drop(resolver);
        if let [Expr::Column(column)] = &terms[..] {
            if target.table.has_rowid() && column.column < 0 {
                return Ok(Some(Key::Rowid));
            }
        }
        for (n, index) in target.table.indexes.iter().enumerate() {
            if index.unique.is_none() || index.key_count != terms.len() {
                continue;
            }
            if let Some(partial) = &index.partial {
                let partial = resolve_self(self, &target.table, target.data_cursor, partial)?;
                let fits = where_
                    .as_ref()
                    .is_some_and(|where_| likeness(where_, &partial) == Likeness::Same);
                if !fits {
                    continue;
                }
            }
            if self.is_key_of(target, index, &terms)? {
                return Ok(Some(Key::Index(n)));
            }
        }
        Ok(None)
    }

    /// Whether every column of an index is among the terms.
    fn is_key_of(&mut self, target: &Target, index: &Index, terms: &[Expr]) -> Result<bool> {
        for column in &index.columns[..index.key_count] {
            let (table, cursor) = (&target.table, target.data_cursor);
            let expr = match &column.key {
                IndexKey::Expr(expr) => resolve_self(self, table, cursor, expr)?,
                key => {
                    let number = key.column().unwrap_or(-1);
                    let is_rowid = usize::try_from(number)
                        .is_ok_and(|number| table.rowid_alias == Some(number));
                    if is_rowid {
                        return Ok(false); // as stock SQLite, where the rowid's alias is not the index's column
                    }
                    Expr::Column(ColumnRef {
                        cursor,
                        column: number,
                        affinity: table.affinity_of(number),
                        can_be_null: false,
                    })
                }
            };
            let is_column = |term: &Expr| match term {
                Expr::Collate { collation, .. } if !collation.same(&column.collation) => false,
                term => likeness(term, &expr) <= Likeness::Collation,
            };
            if !terms.iter().any(is_column) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// DO UPDATE: changes the row with which `row` is in conflict in an index (none: in the rowid), whose cursor stands
    /// on it.
    pub(super) fn code_do_update(
        &mut self,
        row: &Row<'_>,
        upserts: &Upserts<'_>,
        clause: usize,
        index: Option<usize>,
    ) -> Result<()> {
        let UpsertAction::Update { set, where_clause } = upserts.clauses[clause].action else {
            return Ok(());
        };
        let target = row.target;
        self.go_to_row(target, index)?;

        let insert = upserts.insert;
        let with = insert.with.as_deref();
        let item = self.target_item(target, insert.alias.as_ref(), &ast::Indexed::Unspecified)?;
        let excluded = self.excluded(row)?;
        let rows = std::slice::from_ref(&excluded);
        let mut scope = table_scope(&item, rows);
        let assignments = self.resolve_assignments(set, &target.table, with, &mut scope)?;
        let names = assigned_names(set);
        let (db, table) = (target.db, &target.table);
        let triggers = self.triggers_of(db, table, Change::Update, Some(&names));
        let effects = self.update_effects(target, &assignments, triggers);
        if effects.wants_old() {
            self.multi_write = true;
        }
        let touched = self.touched_indexes(target, &assignments)?;
        let records = self.record_registers(target, |n| touched[n]);
        let mut regs = self.update_registers(target, &assignments, &effects);
        let skip = self.label();
        if let Some(where_) = where_clause {
            let where_ = self.resolve_condition(with, where_, scope)?;
            self.without_factoring(|c| c.expr_if_false(&where_, skip, true))?;
        }
        if let Some(primary) = target.primary_key() {
            regs.key_count = primary.key_count;
            regs.key = self.alloc_regs(regs.key_count);
        }
        self.code_key(target, regs.key)?;
        self.without_factoring(|c| {
            c.change_row(&RowChange {
                target,
                assignments: &assignments,
                effects: &effects,
                records: &records,
                regs,
                or: Some(ConflictAction::Abort),
                next: skip,
                deferred_seek: false,
                keep: false,
                values: None,
                returning: upserts.returning,
            })
        })?;
        self.place(skip);
        Ok(())
    }

    /// Moves the data cursor to the row of the entry that an index's cursor stands on.
    fn go_to_row(&mut self, target: &Target, index: Option<usize>) -> Result<()> {
        let Some(n) = index.filter(|n| target.cursor_of(*n) != target.data_cursor) else {
            return Ok(());
        };
        let (cursor, index) = (target.cursor_of(n), &target.table.indexes[n]);
        let Some(primary) = target.primary_key() else {
            let rowid = self.temp_reg();
            self.op(Opcode::IdxRowid, cursor, rowid, 0);
            self.op(Opcode::SeekRowid, target.data_cursor, 0, rowid);
            self.release_temp(rowid);
            return Ok(());
        };
        let count = primary.key_count;
        let first = self.alloc_regs(count);
        for (i, column) in primary.columns[..count].iter().enumerate() {
            let at = column
                .key
                .column()
                .and_then(|column| index.position_of(column));
            let at = at.expect("every index has the primary key");
            self.op(Opcode::Column, cursor, at as i32, first + i as i32);
        }
        let found = self.label();
        let keys = P4::Int(count as i32);
        let data = target.data_cursor;
        self.op4(Opcode::Found, data, found.into(), first, keys);
        self.may_abort = true;
        self.op4(
            Opcode::Halt,
            ResultCode::CORRUPT.get(),
            i32::from(p5::OE_ABORT),
            0,
            P4::text("corrupt database"),
        );
        self.place(found);
        Ok(())
    }

    /// Rule 3.
    fn excluded(&mut self, row: &Row<'_>) -> Result<NamedRow> {
        for (number, column) in row.target.table.columns.iter().enumerate() {
            if column.affinity == Affinity::Real {
                self.op(Opcode::RealAffinity, row.column(number), 0, 0);
            }
        }
        Ok(NamedRow {
            name: "excluded".into(),
            item: self.target_item(row.target, None, &ast::Indexed::Unspecified)?,
            values: Some(row.new),
        })
    }
}

#[cold]
fn no_such_key(n: usize, count: usize) -> SqlError {
    let which = if count == 1 {
        String::new()
    } else {
        let number = n + 1;
        let suffix = match (number % 10, number % 100) {
            (1..=3, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        format!("{number}{suffix} ")
    };
    SqlError::error(format!(
        "{which}ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint"
    ))
}
