//! The choice between statements, and those that are short.

use super::{PResult, Parser};
use crate::ast::{
    AlterAction, AlterTable, Attach, DropObject, Name, ObjectKind, Pragma, PragmaArg,
    QualifiedName, Span, Stmt, TransactionKind, Vacuum, With,
};
use crate::lex::Token;

impl Parser<'_> {
    /// `cmd`: one statement, without EXPLAIN and semicolon.
    pub(super) fn statement(&mut self) -> PResult<Stmt> {
        match self.current.token {
            Token::Select | Token::Values => {
                let start = self.current.start;
                Ok(Stmt::Select(Box::new(self.select_after_with(None, start)?)))
            }
            Token::Insert | Token::Replace => self.insert(None).map(Stmt::Insert),
            Token::Update => self.update(None).map(Stmt::Update),
            Token::Delete => self.delete(None).map(Stmt::Delete),
            Token::With => self.with_statement(),
            Token::Create => self.create(),
            Token::Drop => self.drop(),
            Token::Alter => self.alter(),
            Token::Begin
            | Token::Commit
            | Token::End
            | Token::Rollback
            | Token::Savepoint
            | Token::Release => self.transaction(),
            Token::Pragma => self.pragma(),
            Token::Attach => self.attach(),
            Token::Detach => {
                self.bump()?;
                self.accept(Token::Database)?;
                Ok(Stmt::Detach(Box::new(self.expr()?)))
            }
            Token::Vacuum => self.vacuum(),
            Token::Analyze => {
                self.bump()?;
                Ok(Stmt::Analyze(self.optional_qualified_name()?))
            }
            Token::Reindex => {
                self.bump()?;
                Ok(Stmt::Reindex(self.optional_qualified_name()?))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn with_statement(&mut self) -> PResult<Stmt> {
        let start = self.current.start;
        let with: Option<Box<With>> = Some(Box::new(self.with()?));
        match self.current.token {
            Token::Select | Token::Values => {
                Ok(Stmt::Select(Box::new(self.select_after_with(with, start)?)))
            }
            Token::Insert | Token::Replace => self.insert(with).map(Stmt::Insert),
            Token::Update => self.update(with).map(Stmt::Update),
            Token::Delete => self.delete(with).map(Stmt::Delete),
            _ => Err(self.unexpected()),
        }
    }

    fn optional_qualified_name(&mut self) -> PResult<Option<Box<QualifiedName>>> {
        if !self.current.token.is_name() {
            return Ok(None);
        }
        Ok(Some(Box::new(self.qualified_name()?)))
    }

    /// BEGIN, COMMIT, END, ROLLBACK, SAVEPOINT, RELEASE.
    fn transaction(&mut self) -> PResult<Stmt> {
        match self.bump()?.token {
            Token::Begin => {
                let kind = match self.current.token {
                    Token::Deferred => Some(TransactionKind::Deferred),
                    Token::Immediate => Some(TransactionKind::Immediate),
                    Token::Exclusive => Some(TransactionKind::Exclusive),
                    _ => None,
                };
                if kind.is_some() {
                    self.bump()?;
                }
                self.optional_transaction()?;
                Ok(Stmt::Begin(kind.unwrap_or_default()))
            }
            Token::Savepoint => Ok(Stmt::Savepoint(self.name()?)),
            Token::Release => Ok(Stmt::Release(self.savepoint_name()?)),
            Token::Rollback => {
                self.optional_transaction()?;
                if self.accept(Token::To)? {
                    Ok(Stmt::RollbackTo(self.savepoint_name()?))
                } else {
                    Ok(Stmt::Rollback)
                }
            }
            _ => {
                self.optional_transaction()?;
                Ok(Stmt::Commit)
            }
        }
    }

    /// `[TRANSACTION [name]]`
    fn optional_transaction(&mut self) -> PResult<()> {
        if self.accept(Token::Transaction)? && self.current.token.is_name() {
            self.bump()?;
        }
        Ok(())
    }

    /// `[SAVEPOINT] name`
    fn savepoint_name(&mut self) -> PResult<Name> {
        self.accept(Token::Savepoint)?;
        self.name()
    }

    fn drop(&mut self) -> PResult<Stmt> {
        self.bump()?;
        let kind = match self.current.token {
            Token::Table => ObjectKind::Table,
            Token::View => ObjectKind::View,
            Token::Index => ObjectKind::Index,
            Token::Trigger => ObjectKind::Trigger,
            _ => return Err(self.unexpected()),
        };
        self.bump()?;
        let if_exists = self.accept(Token::If)?;
        if if_exists {
            self.expect(Token::Exists)?;
        }
        let name = self.qualified_name()?;
        Ok(Stmt::Drop(Box::new(DropObject {
            kind,
            if_exists,
            name,
        })))
    }

    fn pragma(&mut self) -> PResult<Stmt> {
        self.bump()?;
        let name = self.qualified_name()?;
        let arg = match self.current.token {
            Token::Eq => {
                self.bump()?;
                Some(self.pragma_arg(false)?)
            }
            Token::LeftParen => {
                self.bump()?;
                let arg = self.pragma_arg(true)?;
                self.expect(Token::RightParen)?;
                Some(arg)
            }
            _ => None,
        };
        Ok(Stmt::Pragma(Box::new(Pragma { name, arg })))
    }

    /// `nmnum` or `minus_num`
    fn pragma_arg(&mut self, in_parentheses: bool) -> PResult<PragmaArg> {
        let start = self.current.start;
        let sign = match self.current.token {
            Token::Plus | Token::Minus => Some(self.bump()?.token),
            _ => None,
        };
        let text: Box<str> = match self.current.token {
            Token::Integer | Token::Float => {
                let number = self.bump()?;
                let digits = self.lossy(Span::new(number.start, number.end));
                if sign == Some(Token::Minus) {
                    format!("-{digits}").into()
                } else {
                    digits.into()
                }
            }
            token
                if sign.is_none()
                    && (token.is_name()
                        || matches!(token, Token::On | Token::Delete | Token::Default)) =>
            {
                let lexeme = self.bump()?;
                self.make_name(lexeme).text.as_str().into()
            }
            _ => return Err(self.unexpected()),
        };
        Ok(PragmaArg {
            text,
            in_parentheses,
            span: self.span_from(start),
        })
    }

    fn attach(&mut self) -> PResult<Stmt> {
        self.bump()?;
        self.accept(Token::Database)?;
        self.enter(6)?;
        let file = self.expr()?;
        self.expect(Token::As)?;
        let schema = self.expr()?;
        let key = if self.accept(Token::Key)? {
            Some(self.expr()?)
        } else {
            None
        };
        self.leave(6);
        Ok(Stmt::Attach(Box::new(Attach { file, schema, key })))
    }

    fn vacuum(&mut self) -> PResult<Stmt> {
        self.bump()?;
        let schema = if self.current.token.is_name() {
            Some(self.name()?)
        } else {
            None
        };
        let into = if self.accept(Token::Into)? {
            Some(self.expr()?)
        } else {
            None
        };
        Ok(Stmt::Vacuum(Box::new(Vacuum { schema, into })))
    }

    #[inline(never)]
    fn alter(&mut self) -> PResult<Stmt> {
        self.bump()?;
        self.expect(Token::Table)?;
        let table = self.qualified_name()?;
        let verb = self.current.token;
        if !matches!(
            verb,
            Token::Rename | Token::Add | Token::Drop | Token::Alter
        ) {
            return Err(self.unexpected());
        }
        self.bump()?;
        let action = match verb {
            Token::Rename => self.alter_rename()?,
            Token::Add => match self.alter_add()? {
                AlterAction::AddColumn(mut column) => {
                    let rest = self.column_rest(&mut column);
                    let action = AlterAction::AddColumn(column);
                    let alter = Stmt::AlterTable(Box::new(AlterTable { table, action }));
                    return match rest {
                        Ok(()) => Ok(alter),
                        Err(error) => Err(self.begun(alter, error)),
                    };
                }
                action => action,
            },
            Token::Drop => {
                if self.accept(Token::Constraint)? {
                    AlterAction::DropConstraint(self.name()?)
                } else {
                    self.accept(Token::Column)?;
                    AlterAction::DropColumn(self.name()?)
                }
            }
            _ => self.alter_column()?,
        };
        Ok(Stmt::AlterTable(Box::new(AlterTable { table, action })))
    }

    fn alter_rename(&mut self) -> PResult<AlterAction> {
        if self.accept(Token::To)? {
            return Ok(AlterAction::RenameTo(self.name()?));
        }
        self.accept(Token::Column)?;
        let from = self.name()?;
        self.expect(Token::To)?;
        Ok(AlterAction::RenameColumn {
            from,
            to: self.name()?,
        })
    }

    /// After ADD; of a column only its name and type.
    fn alter_add(&mut self) -> PResult<AlterAction> {
        let named = self.accept(Token::Constraint)?;
        if named || self.at(Token::Check) {
            let name = if named { Some(self.name()?) } else { None };
            self.expect(Token::Check)?;
            let (expr, text) = self.parenthesised()?;
            let conflict = self.on_conflict()?;
            return Ok(AlterAction::AddCheck {
                name,
                expr,
                text,
                conflict,
            });
        }
        self.accept(Token::Column)?;
        Ok(AlterAction::AddColumn(self.column_name_and_type()?))
    }

    /// `[COLUMN] name DROP NOT NULL`, `[COLUMN] name SET NOT NULL [ON CONFLICT …]`
    fn alter_column(&mut self) -> PResult<AlterAction> {
        self.accept(Token::Column)?;
        let column = self.name()?;
        let drop = self.at(Token::Drop);
        if !drop && !self.at(Token::Set) {
            return Err(self.unexpected());
        }
        self.bump()?;
        let start = self.expect(Token::Not)?.start;
        self.expect(Token::Null)?;
        if drop {
            return Ok(AlterAction::DropNotNull(column));
        }
        let conflict = self.on_conflict()?;
        Ok(AlterAction::SetNotNull {
            column,
            conflict,
            text: self.span_from(start),
        })
    }
}
