//! ADD CONSTRAINT, DROP CONSTRAINT, SET NOT NULL, DROP NOT NULL: constraints as runs of tokens.
//!
//! ```text
//! CREATE TABLE t(a INT CONSTRAINT c NOT NULL, b, CONSTRAINT d CHECK (a<b))
//!                     └─── DROP CONSTRAINT c ┘ └── DROP CONSTRAINT d ────┘
//! ```
//!
//! Rules:
//! 1. A parenthesis with everything in it counts as one token.
//! 2. Only NOT NULL, CHECK and foreign keys can be dropped: without them the rows are what they were.
//! 3. A constraint is added behind the column's others, or behind everything; rows must meet it.
//!
//! Source: SQLite's `dropConstraintFunc`, `addConstraintFunc`, `getConstraint`, `sqlite3AlterSetNotNull`,
//! `sqlite3AlterAddConstraint`.

use super::Altered;
use super::definitions::Definitions;
use super::permission::Edited;
use crate::ast::{AlterTable, Expr, Name};
use crate::compiler::{Compiler, Result, SqlError};
use crate::lex::{Token, lex};
use crate::resolve::{Definition, resolve_definition};
use ringwood_vdbe::{Opcode, ResultCode};

/// A token (rule 1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub token: Token,
    start: usize,
    pub end: usize,
}

/// The token at or after `from`, blanks and comments skipped.
pub(super) fn token(text: &[u8], from: usize) -> Piece {
    let first = lex(text, from);
    let mut end = first.end as usize;
    if first.token == Token::LeftParen {
        let mut depth = 1;
        while depth > 0 {
            let next = lex(text, end);
            end = next.end as usize;
            match next.token {
                Token::LeftParen => depth += 1,
                Token::RightParen => depth -= 1,
                Token::Illegal | Token::EndOfText => {
                    return Piece {
                        token: Token::Illegal,
                        start: first.start as usize,
                        end,
                    };
                }
                _ => {}
            }
        }
    }
    Piece {
        token: first.token,
        start: first.start as usize,
        end,
    }
}

fn ends(token: Token) -> bool {
    matches!(token, Token::Illegal | Token::EndOfText)
}

/// Behind the parenthesis that opens the columns.
fn columns_start(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let lexeme = lex(text, at);
        at = lexeme.end as usize;
        match lexeme.token {
            Token::LeftParen => return Some(at),
            token if ends(token) => return None,
            _ => {}
        }
    }
}

/// Where a constraint ends whose first token, `first`, ends at `from`.
fn constraint_end(text: &[u8], from: usize, first: Option<Token>) -> usize {
    let (mut at, mut first) = (from, first);
    if first == Some(Token::Foreign) {
        at = constraint_end(text, at, None);
        let references = token(text, at);
        at = references.end;
        first = Some(references.token);
    }
    if first == Some(Token::References) {
        at = token(text, at).end;
    }
    loop {
        let piece = token(text, at);
        let begins_another = matches!(
            piece.token,
            Token::Constraint
                | Token::Primary
                | Token::Not
                | Token::Unique
                | Token::Check
                | Token::Default
                | Token::Collate
                | Token::References
                | Token::Foreign
                | Token::RightParen
                | Token::Comma
                | Token::As
                | Token::Generated
        );
        if begins_another || ends(piece.token) {
            return at;
        }
        at = piece.end;
    }
}

/// Which constraint is dropped.
#[derive(Clone, Copy)]
enum Which<'n> {
    Named(&'n str),
    /// NOT NULL of that column.
    NotNull(usize),
}

fn is_name(text: &[u8], piece: Piece, name: &str) -> bool {
    let written = &text[piece.start..piece.end.min(text.len())];
    let plain = match written {
        [b'"', inner @ .., b'"'] => inner.to_vec(),
        [b'\'', inner @ .., b'\''] => inner.to_vec(),
        [b'`', inner @ .., b'`'] => inner.to_vec(),
        [b'[', inner @ .., b']'] => inner.to_vec(),
        other => other.to_vec(),
    };
    let mut plain = String::from_utf8_lossy(&plain).into_owned();
    for quote in ['"', '\'', '`'] {
        if written.first() == Some(&(quote as u8)) {
            plain = plain.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    !ends(piece.token) && plain.eq_ignore_ascii_case(name)
}

/// The text of a table without a constraint.
///
/// # Errors
/// `no such constraint: x`, `constraint may not be dropped: x`
fn without_constraint(sql: &str, which: Which<'_>) -> Result<String, String> {
    let text = sql.as_bytes();
    let mut at = columns_start(text).ok_or_else(String::new)?;
    let mut column = 0;
    let found = 'found: loop {
        loop {
            let start = at;
            let piece = token(text, at);
            at = piece.end;
            let here = matches!(which, Which::NotNull(of) if of == column);
            let named = matches!(which, Which::Named(_));
            match piece.token {
                Token::Constraint if named || here => {
                    let name = token(text, at);
                    at = name.end;
                    let is_it = matches!(which, Which::Named(of) if is_name(text, name, of));
                    let first = token(text, at);
                    let kind = match first.token {
                        // CONSTRAINT name with nothing of its own.
                        Token::Constraint
                        | Token::Default
                        | Token::Collate
                        | Token::Comma
                        | Token::RightParen
                        | Token::Generated
                        | Token::As => Token::Check,
                        token => {
                            at = constraint_end(text, first.end, Some(token));
                            token
                        }
                    };
                    if is_it || (!named && kind == Token::Not) {
                        let droppable = matches!(
                            kind,
                            Token::Not | Token::Check | Token::References | Token::Foreign
                        );
                        if let (false, Which::Named(name)) = (droppable, which) {
                            return Err(format!("constraint may not be dropped: {name}"));
                        }
                        break 'found Some((start, at));
                    }
                }
                Token::Not if here => {
                    break 'found Some((start, constraint_end(text, at, None)));
                }
                Token::Comma => break,
                Token::RightParen => break 'found None,
                token if ends(token) => break 'found None,
                _ => {}
            }
        }
        column += 1;
    };
    let Some((mut start, mut end)) = found else {
        return match which {
            Which::Named(name) => Err(format!("no such constraint: {name}")),
            Which::NotNull(_) => Ok(sql.to_owned()),
        };
    };
    let next = lex(text, end);
    end = next.start as usize;
    let mut space = " ";
    if matches!(next.token, Token::RightParen | Token::Comma) {
        space = "";
        if text[start - 1] == b',' {
            start -= 1;
        }
    }
    Ok(format!("{}{space}{}", &sql[..start], &sql[end..]))
}

/// The text of a table with one more constraint: of a column, or of the table.
fn with_constraint(sql: &str, constraint: &str, column: Option<usize>) -> Option<String> {
    let text = sql.as_bytes();
    let mut at = columns_start(text)?;
    let mut passed = 0;
    loop {
        at = token(text, at).end;
        let end = loop {
            let piece = token(text, at);
            match piece.token {
                Token::Comma | Token::RightParen => break piece,
                token if ends(token) => return None,
                _ => at = piece.end,
            }
        };
        let enough = match column {
            Some(column) => passed >= column,
            None => end.token == Token::RightParen,
        };
        if enough {
            at = end.start;
            break;
        }
        passed += 1;
    }
    let comma = if column.is_none() { "," } else { "" };
    Some(format!("{}{comma} {constraint}{}", &sql[..at], &sql[at..]))
}

/// Whether a table's text has a constraint of that name.
fn has_constraint(sql: &str, name: &str) -> bool {
    let text = sql.as_bytes();
    let Some(mut at) = columns_start(text) else {
        return false;
    };
    loop {
        let piece = token(text, at);
        at = piece.end;
        if ends(piece.token) {
            return false;
        }
        if piece.token == Token::Constraint && is_name(text, token(text, at), name) {
            return true;
        }
    }
}

impl Compiler<'_> {
    /// Where the text after ADD begins.
    pub(super) fn text_after_add(&self, alter: &AlterTable) -> u32 {
        let add = lex(self.text, alter.table.name.span.end as usize);
        lex(self.text, add.end as usize).start
    }

    /// A constraint as written, without blanks and `--` comments at its end.
    fn constraint_text(&self, start: u32, terminator: u32) -> String {
        let written = self.text.get(start as usize..terminator as usize);
        let written = written.unwrap_or_default();
        let (mut at, mut end) = (0, 0);
        while at < written.len() {
            let lexeme = lex(written, at);
            // A block comment that is passed over stays.
            let skipped = &written[at..(lexeme.start as usize).min(written.len())];
            if let Some(close) = last_block_comment(skipped) {
                end = at + close;
            }
            if ends(lexeme.token) {
                break;
            }
            end = lexeme.end as usize;
            at = end;
        }
        String::from_utf8_lossy(&written[..end]).into_owned()
    }

    fn check_constraints_of(of: &Altered) -> Result<()> {
        Self::check_real_table(of, "edit constraints of")?;
        Self::check_alterable(of)
    }

    fn constraint_column(of: &Altered, name: &Name) -> Result<usize> {
        of.table
            .column_index(&name.text)
            .ok_or_else(|| SqlError::error(format!("no such column: {}", name.text)))
    }

    /// Edits the text of the table.
    fn edit_constraints(
        &mut self,
        of: &Altered,
        edit: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<()> {
        let schema = self.ctx.schema;
        let mut definitions = Definitions::new(schema, of.db);
        if let Some(row) = definitions.table_mut(of.db, &of.table.name) {
            let text = row.text().unwrap_or_default().to_owned();
            row.set_text(edit(&text).map_err(SqlError::error)?);
        }
        let when = "after drop constraint";
        let after = definitions.schema(schema, when)?;
        definitions.test(self.ctx, &after, when, true, false)?;
        self.store_definitions(of, &definitions)?;
        self.reload_definitions(of, &definitions);
        Ok(())
    }

    /// DROP CONSTRAINT.
    pub(super) fn alter_drop_constraint(&mut self, of: &Altered, name: &Name) -> Result<()> {
        Self::check_constraints_of(of)?;
        if !self.may_alter(of, None, Edited::DropConstraint)? {
            return Ok(());
        }
        self.edit_constraints(of, |sql| without_constraint(sql, Which::Named(&name.text)))
    }

    /// DROP NOT NULL.
    pub(super) fn alter_drop_not_null(&mut self, of: &Altered, column: &Name) -> Result<()> {
        Self::check_constraints_of(of)?;
        let name = Some(&*column.text);
        let column = Self::constraint_column(of, column)?;
        if !self.may_alter(of, name, Edited::DropConstraint)? {
            return Ok(());
        }
        self.edit_constraints(of, |sql| without_constraint(sql, Which::NotNull(column)))
    }

    /// SET NOT NULL.
    pub(super) fn alter_set_not_null(
        &mut self,
        of: &Altered,
        column: &Name,
        start: u32,
        terminator: u32,
    ) -> Result<()> {
        Self::check_constraints_of(of)?;
        let number = Self::constraint_column(of, column)?;
        if !self.may_alter(of, Some(&column.text), Edited::SetNotNull)? {
            return Ok(());
        }
        let text = self.constraint_text(start, terminator);
        self.name_check("sqlite_fail('constraint failed', 19)".into());
        let table = of.table.clone();
        self.refuse_rows(
            of,
            &table,
            ResultCode::CONSTRAINT,
            "constraint failed",
            |c, cursor, fine| {
                let reg = c.alloc_reg();
                c.code_table_column(&table, cursor, number as i32, reg)?;
                c.jump(Opcode::NotNull, reg, fine, 0);
                Ok(())
            },
        )?;
        self.edit_constraints(of, |sql| {
            let without = without_constraint(sql, Which::NotNull(number))?;
            with_constraint(&without, &text, Some(number)).ok_or_else(String::new)
        })
    }

    /// ADD CONSTRAINT, ADD CHECK.
    pub(super) fn alter_add_check(
        &mut self,
        of: &Altered,
        name: Option<&Name>,
        expr: &Expr,
        start: u32,
        terminator: u32,
    ) -> Result<()> {
        Self::check_constraints_of(of)?;
        let named = name.is_some();
        if !self.may_alter(of, None, Edited::AddCheck { named })? {
            return Ok(());
        }
        let table = of.table.clone();
        let cursor = self.alloc_cursor(Some(table.clone()));
        resolve_definition(self, of.db, &table, cursor, expr, Definition::Check)?;
        if let Some(name) = name {
            let sql = table.sql.as_deref().unwrap_or_default();
            if has_constraint(sql, &name.text) {
                return Err(SqlError::error(format!(
                    "constraint {} already exists",
                    name.text
                )));
            }
            let quoted = name.text.replace('\'', "''");
            self.name_check(format!(
                "sqlite_fail('constraint {quoted} already exists', 1)"
            ));
        }
        let text = self.constraint_text(start, terminator);
        self.name_check("sqlite_fail('constraint failed', 19)".into());
        self.refuse_rows(
            of,
            &table,
            ResultCode::CONSTRAINT,
            "constraint failed",
            |c, cursor, fine| {
                let bound = resolve_definition(c, of.db, &table, cursor, expr, Definition::Check)?;
                c.expr_if_true(&bound, fine, true)
            },
        )?;
        self.edit_constraints(of, |sql| {
            with_constraint(sql, &text, None).ok_or_else(String::new)
        })
    }
}

/// Where the last block comment in a run of blanks and comments ends.
fn last_block_comment(skipped: &[u8]) -> Option<usize> {
    let (mut at, mut last) = (0, None);
    while at < skipped.len() {
        match &skipped[at..] {
            [b'-', b'-', rest @ ..] => {
                let line = rest.iter().position(|b| *b == b'\n');
                at += 2 + line.unwrap_or(rest.len());
            }
            [b'/', b'*', rest @ ..] => {
                let close = rest.windows(2).position(|pair| pair == b"*/");
                at += 2 + close.map_or(rest.len(), |close| close + 2);
                last = Some(at);
            }
            _ => at += 1,
        }
    }
    last
}
