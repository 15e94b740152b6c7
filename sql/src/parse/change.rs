//! Changes to rows: INSERT, REPLACE, UPDATE, DELETE; also as steps of triggers, where the grammar is narrower.

use super::{PResult, Parser};
use crate::ast::{
    Assignment, AssignmentTarget, ConflictAction, Delete, Expr, ExprKind, Indexed, Insert,
    InsertSource, Name, QualifiedName, ResultColumn, TriggerStep, TriggerStmt, Update, Upsert,
    UpsertAction, UpsertTarget, With,
};
use crate::lex::Token;

impl Parser<'_> {
    /// At INSERT or REPLACE.
    pub(super) fn insert(&mut self, with: Option<Box<With>>) -> PResult<Box<Insert>> {
        let or = if self.bump()?.token == Token::Replace {
            Some(ConflictAction::Replace)
        } else {
            self.or_conflict()?
        };
        self.expect(Token::Into)?;
        let (table, alias) = self.target_table()?;
        let columns = self.optional_name_list()?;
        let mut insert = Box::new(Insert {
            with,
            or,
            table,
            alias,
            columns,
            source: InsertSource::DefaultValues,
            upserts: Vec::new(),
            returning: Vec::new(),
        });
        self.enter(5)?;
        if self.at(Token::Default) && !self.in_trigger {
            self.bump()?;
            self.expect(Token::Values)?;
            self.returning(&mut insert.returning)?;
        } else {
            if !matches!(
                self.current.token,
                Token::Select | Token::Values | Token::With
            ) {
                return Err(self.unexpected());
            }
            insert.source = InsertSource::Select(Box::new(self.select()?));
            self.upserts(&mut insert)?;
        }
        self.leave(5);
        Ok(insert)
    }

    /// `upsert`: ON CONFLICT clauses and RETURNING. A clause without target must be the last.
    fn upserts(&mut self, insert: &mut Insert) -> PResult<()> {
        while self.accept(Token::On)? {
            self.expect(Token::Conflict)?;
            let mut target = None;
            self.enter(5)?;
            if self.accept(Token::LeftParen)? {
                let columns = self.sort_list()?;
                self.expect(Token::RightParen)?;
                let where_clause = self.where_clause()?;
                target = Some(UpsertTarget {
                    columns,
                    where_clause,
                });
            }
            self.expect(Token::Do)?;
            let action = if self.accept(Token::Nothing)? {
                UpsertAction::Nothing
            } else {
                self.expect(Token::Update)?;
                self.expect(Token::Set)?;
                UpsertAction::Update {
                    set: self.assignments()?,
                    where_clause: self.where_clause()?,
                }
            };
            self.leave(5);
            let last = target.is_none();
            insert.upserts.push(Upsert { target, action });
            if last {
                break;
            }
        }
        self.returning(&mut insert.returning)
    }

    /// `[RETURNING …]`
    fn returning(&mut self, columns: &mut Vec<ResultColumn>) -> PResult<()> {
        if self.accept(Token::Returning)? {
            self.result_columns(columns)?;
            if self.in_trigger {
                self.raise_message("cannot use RETURNING in a trigger");
            }
        }
        Ok(())
    }

    /// At UPDATE.
    pub(super) fn update(&mut self, with: Option<Box<With>>) -> PResult<Box<Update>> {
        self.bump()?;
        let or = self.or_conflict()?;
        let (table, alias) = self.target_table()?;
        let indexed = self.target_indexed()?;
        self.expect(Token::Set)?;
        self.enter(7)?;
        let mut update = Box::new(Update {
            with,
            or,
            table,
            alias,
            indexed,
            set: self.assignments()?,
            from: None,
            where_clause: None,
            returning: Vec::new(),
            order_by: Vec::new(),
            limit: None,
        });
        if update
            .set
            .iter()
            .map(Assignment::column_count)
            .sum::<usize>()
            > self.limits.columns as usize
        {
            self.raise_message("too many columns in set list");
        }
        if self.accept(Token::From)? {
            update.from = Some(self.table_list()?);
        }
        update.where_clause = self.where_clause()?;
        if !self.in_trigger {
            self.returning(&mut update.returning)?;
            self.order_and_limit(&mut update.order_by, &mut update.limit)?;
            if update.limit.is_none() && !update.order_by.is_empty() {
                self.raise_message("ORDER BY without LIMIT on UPDATE");
            }
        }
        self.leave(7);
        Ok(update)
    }

    /// At DELETE.
    pub(super) fn delete(&mut self, with: Option<Box<With>>) -> PResult<Box<Delete>> {
        self.bump()?;
        self.expect(Token::From)?;
        let (table, alias) = self.target_table()?;
        let indexed = self.target_indexed()?;
        self.enter(5)?;
        let mut delete = Box::new(Delete {
            with,
            table,
            alias,
            indexed,
            where_clause: self.where_clause()?,
            returning: Vec::new(),
            order_by: Vec::new(),
            limit: None,
        });
        if !self.in_trigger {
            self.returning(&mut delete.returning)?;
            self.order_and_limit(&mut delete.order_by, &mut delete.limit)?;
            if delete.limit.is_none() && !delete.order_by.is_empty() {
                self.raise_message("ORDER BY without LIMIT on DELETE");
            }
        }
        self.leave(5);
        Ok(delete)
    }

    /// `xfullname`: a table, perhaps with AS and an alias.
    fn target_table(&mut self) -> PResult<(QualifiedName, Option<Name>)> {
        let table = self.qualified_name()?;
        let alias = if self.accept(Token::As)? {
            Some(self.name()?)
        } else {
            None
        };
        Ok((table, alias))
    }

    /// `indexed_opt`, which a trigger refuses.
    fn target_indexed(&mut self) -> PResult<Indexed> {
        let indexed = self.indexed()?;
        let clause = match indexed {
            _ if !self.in_trigger => return Ok(indexed),
            Indexed::Unspecified => return Ok(indexed),
            Indexed::By(_) => "INDEXED BY",
            Indexed::Not => "NOT INDEXED",
        };
        self.raise_message(format!(
            "the {clause} clause is not allowed on UPDATE or DELETE statements within triggers"
        ));
        Ok(indexed)
    }

    /// `[WHERE expr]`
    pub(super) fn where_clause(&mut self) -> PResult<Option<Expr>> {
        if !self.accept(Token::Where)? {
            return Ok(None);
        }
        self.enter(1)?;
        let expr = self.expr()?;
        self.leave(1);
        Ok(Some(expr))
    }

    /// `[OR action]`
    fn or_conflict(&mut self) -> PResult<Option<ConflictAction>> {
        if self.accept(Token::Or)? {
            self.conflict_action().map(Some)
        } else {
            Ok(None)
        }
    }

    /// `[ON CONFLICT action]`
    pub(super) fn on_conflict(&mut self) -> PResult<Option<ConflictAction>> {
        if !self.accept(Token::On)? {
            return Ok(None);
        }
        self.expect(Token::Conflict)?;
        self.conflict_action().map(Some)
    }

    fn conflict_action(&mut self) -> PResult<ConflictAction> {
        let action = match self.current.token {
            Token::Rollback => ConflictAction::Rollback,
            Token::Abort => ConflictAction::Abort,
            Token::Fail => ConflictAction::Fail,
            Token::Ignore => ConflictAction::Ignore,
            Token::Replace => ConflictAction::Replace,
            _ => return Err(self.unexpected()),
        };
        self.bump()?;
        Ok(action)
    }

    /// `setlist`
    fn assignments(&mut self) -> PResult<Vec<Assignment>> {
        let mut list = Vec::new();
        loop {
            self.enter(4)?;
            let target = if self.accept(Token::LeftParen)? {
                let names = self.name_list()?;
                self.expect(Token::RightParen)?;
                AssignmentTarget::Columns(names)
            } else {
                AssignmentTarget::Column(self.name()?)
            };
            self.expect(Token::Eq)?;
            let value = self.expr()?;
            self.leave(4);
            if let AssignmentTarget::Columns(names) = &target {
                let width = match &value.kind {
                    ExprKind::Subquery(_) => names.len(),
                    ExprKind::Row(items) => items.len(),
                    _ => 1,
                };
                if width != names.len() {
                    let message = format!("{} columns assigned {width} values", names.len());
                    self.raise_message(message);
                }
            }
            list.push(Assignment { target, value });
            if !self.accept(Token::Comma)? {
                return Ok(list);
            }
        }
    }

    /// One step of a trigger, without its semicolon.
    pub(super) fn trigger_step(&mut self) -> PResult<TriggerStep> {
        let start = self.current.start;
        let stmt = match self.current.token {
            Token::Insert | Token::Replace => TriggerStmt::Insert(self.insert(None)?),
            Token::Update => TriggerStmt::Update(self.update(None)?),
            Token::Delete => TriggerStmt::Delete(self.delete(None)?),
            Token::Select | Token::Values | Token::With => {
                TriggerStmt::Select(Box::new(self.select()?))
            }
            _ => return Err(self.unexpected()),
        };
        Ok(TriggerStep {
            stmt,
            span: self.span_from(start),
        })
    }
}

impl Assignment {
    /// How many columns it sets.
    pub fn column_count(&self) -> usize {
        match &self.target {
            AssignmentTarget::Column(_) => 1,
            AssignmentTarget::Columns(names) => names.len(),
        }
    }
}
