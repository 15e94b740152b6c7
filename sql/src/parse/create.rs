//! CREATE in all its forms, with the constraints of columns and tables.

use super::{PResult, Parser, boxed_str};
use crate::ast::{
    ColumnConstraint, ColumnConstraintKind, ColumnDef, CreateIndex, CreateTable, CreateTrigger,
    CreateView, CreateVirtualTable, Deferral, Expr, ExprKind, ForeignKeyAction, GeneratedKind,
    Literal, Name, References, SortOrder, Span, Stmt, TableBody, TableConstraint,
    TableConstraintKind, TriggerEvent, TriggerTime, TypeName,
};
use crate::lex::{Token, is_space};

impl Parser<'_> {
    /// At CREATE.
    #[inline(never)]
    pub(super) fn create(&mut self) -> PResult<Stmt> {
        self.bump()?;
        let temp = self.accept(Token::Temp)?;
        match self.current.token {
            Token::Table => self.create_table(temp),
            Token::View => self.create_view(temp),
            Token::Trigger => self.create_trigger(temp),
            Token::Index | Token::Unique if !temp => self.create_index(),
            Token::Virtual if !temp => self.create_virtual_table(),
            _ => Err(self.unexpected()),
        }
    }

    /// `[IF NOT EXISTS]`
    fn if_not_exists(&mut self) -> PResult<bool> {
        if !self.accept(Token::If)? {
            return Ok(false);
        }
        self.expect(Token::Not)?;
        self.expect(Token::Exists)?;
        Ok(true)
    }

    fn create_table(&mut self, temp: bool) -> PResult<Stmt> {
        self.bump()?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.qualified_name()?;
        let mut create = Box::new(CreateTable {
            temp,
            if_not_exists,
            text: name.name.span,
            name,
            body: TableBody::Columns {
                columns: Vec::new(),
                constraints: Vec::new(),
                strict: false,
                without_rowid: false,
                columns_end: 0,
            },
        });
        if !self.at(Token::LeftParen) && !self.at(Token::As) {
            return Err(self.unexpected());
        }
        match self.table_definition(&mut create) {
            Ok(()) => Ok(Stmt::CreateTable(create)),
            Err(error) => Err(self.begun(Stmt::CreateTable(create), error)),
        }
    }

    /// `AS query`, or columns and constraints.
    fn table_definition(&mut self, create: &mut CreateTable) -> PResult<()> {
        self.enter(3)?;
        if self.accept(Token::As)? {
            if !matches!(
                self.current.token,
                Token::Select | Token::Values | Token::With
            ) {
                return Err(self.unexpected());
            }
            create.body = TableBody::Select(Box::new(self.select()?));
            create.text.end = self.current.start;
        } else {
            self.table_body(create)?;
        }
        self.leave(3);
        Ok(())
    }

    /// `(columns, constraints) options`
    fn table_body(&mut self, create: &mut CreateTable) -> PResult<()> {
        let TableBody::Columns {
            columns,
            constraints,
            strict,
            without_rowid,
            columns_end,
        } = &mut create.body
        else {
            unreachable!("the caller made it so");
        };
        self.expect(Token::LeftParen)?;
        self.enter(2)?;
        loop {
            let mut column = self.column_name_and_type()?;
            let rest = self.column_rest(&mut column);
            // SQLite makes the column when it sees what may follow its name and type.
            if rest.is_err() || self.at(Token::Comma) || self.at(Token::RightParen) {
                columns.push(column);
            }
            rest?;
            let end = self.current.start;
            if !self.accept(Token::Comma)? {
                *columns_end = end;
                break;
            }
            if self.at_table_constraint() {
                *columns_end = end;
                self.table_constraints(constraints)?;
                break;
            }
        }
        let close = self.expect(Token::RightParen)?;
        self.leave(2);
        create.text.end = close.end;
        // table_option_set: nothing, or options with commas between them; a leading comma is allowed.
        let mut first = true;
        loop {
            if self.accept(Token::Comma)? {
                if !self.current.token.is_name() {
                    return Err(self.unexpected());
                }
            } else if !(first && self.current.token.is_name()) {
                break;
            }
            first = false;
            let without = self.accept(Token::Without)?;
            let option = self.name()?;
            let word = option.span.slice(self.text);
            if without && word.eq_ignore_ascii_case(b"rowid") {
                *without_rowid = true;
            } else if !without && word.eq_ignore_ascii_case(b"strict") {
                *strict = true;
            } else {
                let word = self.lossy(option.span);
                self.raise_message(format!("unknown table option: {word}"));
            }
            create.text.end = self.current.start;
        }
        Ok(())
    }

    /// `nm typetoken`
    pub(super) fn column_name_and_type(&mut self) -> PResult<ColumnDef> {
        let name = self.name()?;
        let type_name = match self.type_name()? {
            Some(type_name) => self.without_generated_always(type_name),
            None => None,
        };
        Ok(ColumnDef {
            span: name.span,
            name,
            type_name,
            constraints: Vec::new(),
        })
    }

    /// `carglist`
    pub(super) fn column_rest(&mut self, column: &mut ColumnDef) -> PResult<()> {
        self.enter(2)?;
        self.column_constraints(&mut column.constraints, &column.name)?;
        self.leave(2);
        column.span = self.span_from(column.span.start);
        Ok(())
    }

    /// Takes GENERATED ALWAYS off the end of a type: both words can be identifiers, so they end up there.
    fn without_generated_always(&self, type_name: TypeName) -> Option<TypeName> {
        let text = type_name.span.slice(self.text);
        if text.len() < 16 {
            return Some(type_name);
        }
        let Some(rest) = strip_word(text, b"always") else {
            return Some(type_name);
        };
        // SQLite takes ALWAYS off even if GENERATED is not before it.
        let rest = strip_word(rest, b"generated").unwrap_or(rest);
        if rest.is_empty() {
            return None;
        }
        let start = type_name.span.start;
        Some(TypeName {
            text: boxed_str(rest),
            span: Span::new(start, start + rest.len() as u32),
        })
    }

    fn column_constraints(
        &mut self,
        list: &mut Vec<ColumnConstraint>,
        column: &Name,
    ) -> PResult<()> {
        let mut name: Option<Name> = None;
        loop {
            let start = self.current.start;
            let mut named = false;
            while self.accept(Token::Constraint)? {
                name = Some(self.name()?);
                named = true;
            }
            let kind = match self.current.token {
                Token::Default => self.default_value()?,
                Token::Null => {
                    self.bump()?;
                    self.on_conflict()?;
                    ColumnConstraintKind::Null
                }
                Token::Not => {
                    self.bump()?;
                    if self.at(Token::Deferrable) {
                        self.fold_deferral(list, start, name.as_ref(), false)?;
                        continue;
                    }
                    self.expect(Token::Null)?;
                    ColumnConstraintKind::NotNull(self.on_conflict()?)
                }
                Token::Deferrable => {
                    self.fold_deferral(list, start, name.as_ref(), true)?;
                    continue;
                }
                Token::Primary => {
                    self.bump()?;
                    self.expect(Token::Key)?;
                    let order = match self.current.token {
                        Token::Asc => Some(SortOrder::Asc),
                        Token::Desc => Some(SortOrder::Desc),
                        _ => None,
                    };
                    if order.is_some() {
                        self.bump()?;
                    }
                    let conflict = self.on_conflict()?;
                    let autoincrement = self.accept(Token::Autoincrement)?;
                    ColumnConstraintKind::PrimaryKey {
                        order,
                        conflict,
                        autoincrement,
                    }
                }
                Token::Unique => {
                    self.bump()?;
                    ColumnConstraintKind::Unique(self.on_conflict()?)
                }
                Token::Check => {
                    self.bump()?;
                    let (expr, text) = self.parenthesised()?;
                    ColumnConstraintKind::Check { expr, text }
                }
                Token::References => ColumnConstraintKind::References(self.references()?),
                Token::Collate => {
                    self.bump()?;
                    ColumnConstraintKind::Collate(self.id_or_string()?)
                }
                Token::Generated => {
                    self.bump()?;
                    self.expect(Token::Always)?;
                    self.expect(Token::As)?;
                    self.generated(column)?
                }
                Token::As => {
                    self.bump()?;
                    self.generated(column)?
                }
                _ if named => ColumnConstraintKind::NameOnly,
                _ => return Ok(()),
            };
            list.push(ColumnConstraint {
                name: name.clone(),
                kind,
                span: self.span_from(start),
            });
        }
    }

    /// `[NOT] DEFERRABLE …`, at DEFERRABLE: part of the REFERENCES before it, if there is one.
    fn fold_deferral(
        &mut self,
        list: &mut Vec<ColumnConstraint>,
        start: u32,
        name: Option<&Name>,
        deferrable: bool,
    ) -> PResult<()> {
        let deferral = self.deferral(deferrable)?;
        let references = list
            .iter_mut()
            .rev()
            .find_map(|constraint| match &mut constraint.kind {
                ColumnConstraintKind::References(references) => {
                    Some((references, &mut constraint.span))
                }
                _ => None,
            });
        if let Some((references, span)) = references {
            references.deferral = Some(deferral);
            span.end = self.previous_end;
        } else {
            let kind = ColumnConstraintKind::Deferrable(deferral);
            let span = self.span_from(start);
            list.push(ColumnConstraint {
                name: name.cloned(),
                kind,
                span,
            });
        }
        Ok(())
    }

    fn deferral(&mut self, deferrable: bool) -> PResult<Deferral> {
        self.expect(Token::Deferrable)?;
        let mut initially_deferred = false;
        if self.accept(Token::Initially)? {
            initially_deferred = match self.current.token {
                Token::Deferred => true,
                Token::Immediate => false,
                _ => return Err(self.unexpected()),
            };
            self.bump()?;
        }
        Ok(Deferral {
            deferrable,
            initially_deferred,
        })
    }

    /// `(expr)` and the text between the parentheses.
    pub(super) fn parenthesised(&mut self) -> PResult<(Expr, Span)> {
        let open = self.expect(Token::LeftParen)?;
        self.enter(2)?;
        let expr = self.expr()?;
        let close = self.expect(Token::RightParen)?;
        self.leave(2);
        Ok((expr, self.trimmed(open.end, close.start)))
    }

    /// At DEFAULT.
    fn default_value(&mut self) -> PResult<ColumnConstraintKind> {
        self.bump()?;
        let start = self.current.start;
        match self.current.token {
            Token::LeftParen => {
                let (expr, text) = self.parenthesised()?;
                return Ok(ColumnConstraintKind::Default { expr, text });
            }
            Token::Plus | Token::Minus => {
                let minus = self.bump()?.token == Token::Minus;
                if !self.at_constant() {
                    return Err(self.unexpected());
                }
                let mut expr = self.constant()?;
                if minus {
                    let span = self.span_from(start);
                    let kind = ExprKind::Unary(crate::ast::UnaryOp::Minus, Box::new(expr));
                    expr = Expr { kind, span };
                }
                return Ok(ColumnConstraintKind::Default {
                    expr,
                    text: self.span_from(start),
                });
            }
            _ => {}
        }
        let expr = if self.at_constant() {
            self.constant()?
        } else if self.current.token.is_id() || self.at(Token::Indexed) {
            let lexeme = self.bump()?;
            let name = self.make_name(lexeme);
            let span = name.span;
            let is_constant = name.is_bare() && (name.is("true") || name.is("false"));
            let kind = if is_constant {
                ExprKind::Id(name)
            } else {
                ExprKind::Literal(Literal::String(name.text.as_bytes().into()))
            };
            Expr { kind, span }
        } else {
            return Err(self.unexpected());
        };
        Ok(ColumnConstraintKind::Default {
            expr,
            text: self.span_from(start),
        })
    }

    /// At the beginning of the grammar's `term`: a constant.
    fn at_constant(&self) -> bool {
        matches!(
            self.current.token,
            Token::Null
                | Token::Float
                | Token::Blob
                | Token::String
                | Token::Integer
                | Token::SeparatedNumber
                | Token::TimeWord
        )
    }

    fn constant(&mut self) -> PResult<Expr> {
        if self.at(Token::String) {
            // Not as an operand: a string before a point is no name here.
            let lexeme = self.bump()?;
            let span = Span::new(lexeme.start, lexeme.end);
            let bytes = super::unquote(span.slice(self.text));
            let kind = ExprKind::Literal(Literal::String(bytes.into()));
            return Ok(Expr { kind, span });
        }
        Ok(self.term()?.expr)
    }

    /// `(expr) [STORED|VIRTUAL]`
    fn generated(&mut self, column: &Name) -> PResult<ColumnConstraintKind> {
        let (expr, text) = self.parenthesised()?;
        let mut kind = GeneratedKind::Virtual;
        if self.current.token.is_id() {
            let lexeme = self.bump()?;
            let word = Span::new(lexeme.start, lexeme.end).slice(self.text);
            if word.eq_ignore_ascii_case(b"stored") {
                kind = GeneratedKind::Stored;
            } else if !word.eq_ignore_ascii_case(b"virtual") {
                self.raise_message(format!("error in generated column \"{column}\""));
            }
        }
        Ok(ColumnConstraintKind::Generated { expr, kind, text })
    }

    /// At REFERENCES.
    fn references(&mut self) -> PResult<References> {
        self.bump()?;
        let table = self.name()?;
        let columns = self.optional_index_name_list()?;
        let mut references = References {
            table,
            columns,
            on_delete: ForeignKeyAction::NoAction,
            on_update: ForeignKeyAction::NoAction,
            deferral: None,
        };
        loop {
            if self.accept(Token::Match)? {
                self.name()?;
            } else if self.accept(Token::On)? {
                let event = self.current.token;
                if !matches!(event, Token::Insert | Token::Delete | Token::Update) {
                    return Err(self.unexpected());
                }
                self.bump()?;
                let action = self.foreign_key_action()?;
                match event {
                    Token::Delete => references.on_delete = action,
                    Token::Update => references.on_update = action,
                    _ => {}
                }
            } else {
                return Ok(references);
            }
        }
    }

    fn foreign_key_action(&mut self) -> PResult<ForeignKeyAction> {
        let action = match self.current.token {
            Token::Cascade => ForeignKeyAction::Cascade,
            Token::Restrict => ForeignKeyAction::Restrict,
            Token::No => {
                self.bump()?;
                self.expect(Token::Action)?;
                return Ok(ForeignKeyAction::NoAction);
            }
            Token::Set => {
                self.bump()?;
                match self.current.token {
                    Token::Null => ForeignKeyAction::SetNull,
                    Token::Default => ForeignKeyAction::SetDefault,
                    _ => return Err(self.unexpected()),
                }
            }
            _ => return Err(self.unexpected()),
        };
        self.bump()?;
        Ok(action)
    }

    fn at_table_constraint(&self) -> bool {
        matches!(
            self.current.token,
            Token::Constraint | Token::Primary | Token::Unique | Token::Check | Token::Foreign
        )
    }

    /// `conslist`: constraints, with commas between them or without.
    fn table_constraints(&mut self, list: &mut Vec<TableConstraint>) -> PResult<()> {
        let mut name: Option<Name> = None;
        self.enter(3)?;
        loop {
            let start = self.current.start;
            let mut named = false;
            while self.accept(Token::Constraint)? {
                name = Some(self.name()?);
                named = true;
            }
            let kind = match self.current.token {
                Token::Primary => {
                    self.bump()?;
                    self.expect(Token::Key)?;
                    self.expect(Token::LeftParen)?;
                    let columns = self.sort_list()?;
                    let autoincrement = self.accept(Token::Autoincrement)?;
                    self.expect(Token::RightParen)?;
                    let conflict = self.on_conflict()?;
                    TableConstraintKind::PrimaryKey {
                        columns,
                        autoincrement,
                        conflict,
                    }
                }
                Token::Unique => {
                    self.bump()?;
                    self.expect(Token::LeftParen)?;
                    let columns = self.sort_list()?;
                    self.expect(Token::RightParen)?;
                    TableConstraintKind::Unique {
                        columns,
                        conflict: self.on_conflict()?,
                    }
                }
                Token::Check => {
                    self.bump()?;
                    let (expr, text) = self.parenthesised()?;
                    TableConstraintKind::Check {
                        expr,
                        text,
                        conflict: self.on_conflict()?,
                    }
                }
                Token::Foreign => {
                    self.bump()?;
                    self.expect(Token::Key)?;
                    self.expect(Token::LeftParen)?;
                    let columns = self.index_name_list()?;
                    self.expect(Token::RightParen)?;
                    if !self.at(Token::References) {
                        return Err(self.unexpected());
                    }
                    let mut references = self.references()?;
                    let not = self.accept(Token::Not)?;
                    if not || self.at(Token::Deferrable) {
                        references.deferral = Some(self.deferral(!not)?);
                    }
                    TableConstraintKind::ForeignKey {
                        columns,
                        references,
                    }
                }
                _ if named => TableConstraintKind::NameOnly,
                _ => return Err(self.unexpected()),
            };
            list.push(TableConstraint {
                name: name.clone(),
                kind,
                span: self.span_from(start),
            });
            if self.accept(Token::Comma)? {
                name = None;
            } else if !self.at_table_constraint() {
                self.leave(3);
                return Ok(());
            }
        }
    }

    fn create_view(&mut self, temp: bool) -> PResult<Stmt> {
        self.bump()?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.qualified_name()?;
        let columns = self.optional_index_name_list()?;
        self.expect(Token::As)?;
        if !matches!(
            self.current.token,
            Token::Select | Token::Values | Token::With
        ) {
            return Err(self.unexpected());
        }
        self.enter(8)?;
        let select = Box::new(self.select()?);
        self.leave(8);
        let text = self.trimmed(name.name.span.start, self.current.start);
        let view = CreateView {
            temp,
            if_not_exists,
            name,
            columns,
            select,
            text,
        };
        Ok(Stmt::CreateView(Box::new(view)))
    }

    /// At UNIQUE or INDEX.
    fn create_index(&mut self) -> PResult<Stmt> {
        let unique = self.accept(Token::Unique)?;
        self.expect(Token::Index)?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.qualified_name()?;
        self.expect(Token::On)?;
        let table = self.name()?;
        self.expect(Token::LeftParen)?;
        self.enter(9)?;
        let columns = self.sort_list()?;
        self.expect(Token::RightParen)?;
        let where_clause = self.where_clause()?;
        self.leave(9);
        let text = Span::new(name.name.span.start, self.current.start);
        let index = CreateIndex {
            unique,
            if_not_exists,
            name,
            table,
            columns,
            where_clause,
            text,
        };
        Ok(Stmt::CreateIndex(Box::new(index)))
    }

    fn create_trigger(&mut self, temp: bool) -> PResult<Stmt> {
        self.bump()?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.qualified_name()?;
        let time = match self.current.token {
            Token::Before => Some(TriggerTime::Before),
            Token::After => Some(TriggerTime::After),
            Token::Instead => {
                self.bump()?;
                if !self.at(Token::Of) {
                    return Err(self.unexpected());
                }
                Some(TriggerTime::InsteadOf)
            }
            _ => None,
        };
        if time.is_some() {
            self.bump()?;
        }
        let event = self.trigger_event()?;
        self.expect(Token::On)?;
        let table = self.qualified_name()?;
        let for_each_row = self.accept(Token::For)?;
        if for_each_row {
            self.expect(Token::Each)?;
            self.expect(Token::Row)?;
        }
        let mut trigger = Box::new(CreateTrigger {
            temp,
            if_not_exists,
            time: time.unwrap_or_default(),
            event,
            table,
            for_each_row,
            when: None,
            steps: Vec::new(),
            text: name.name.span,
            name,
        });
        self.enter(4)?;
        if self.accept(Token::When)? {
            self.enter(8)?;
            trigger.when = Some(self.expr()?);
            self.leave(8);
        }
        if !self.at(Token::Begin) {
            return Err(self.unexpected());
        }
        match self.trigger_body(&mut trigger) {
            Ok(()) => Ok(Stmt::CreateTrigger(trigger)),
            Err(error) => Err(self.begun(Stmt::CreateTrigger(trigger), error)),
        }
    }

    /// At BEGIN.
    fn trigger_body(&mut self, trigger: &mut CreateTrigger) -> PResult<()> {
        self.bump()?;
        self.in_trigger = true;
        loop {
            trigger.steps.push(self.trigger_step()?);
            self.expect(Token::Semicolon)?;
            if self.at(Token::End) {
                break;
            }
        }
        self.bump()?;
        self.in_trigger = false;
        self.leave(4);
        trigger.text = self.span_from(trigger.text.start);
        Ok(())
    }

    fn trigger_event(&mut self) -> PResult<TriggerEvent> {
        match self.current.token {
            Token::Delete => {
                self.bump()?;
                Ok(TriggerEvent::Delete)
            }
            Token::Insert => {
                self.bump()?;
                Ok(TriggerEvent::Insert)
            }
            Token::Update => {
                self.bump()?;
                let columns = if self.accept(Token::Of)? {
                    self.name_list()?
                } else {
                    Vec::new()
                };
                Ok(TriggerEvent::Update(columns))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// At VIRTUAL.
    fn create_virtual_table(&mut self) -> PResult<Stmt> {
        self.bump()?;
        self.expect(Token::Table)?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.qualified_name()?;
        self.expect(Token::Using)?;
        let module = self.name()?;
        let mut table = Box::new(CreateVirtualTable {
            if_not_exists,
            text: name.name.span,
            name,
            module,
            args: Vec::new(),
        });
        match self.module_args(&mut table.args) {
            Ok(()) => {
                table.text = self.span_from(table.text.start);
                Ok(Stmt::CreateVirtualTable(table))
            }
            Err(error) => Err(self.begun(Stmt::CreateVirtualTable(table), error)),
        }
    }

    fn module_args(&mut self, args: &mut Vec<Span>) -> PResult<()> {
        if self.accept(Token::LeftParen)? {
            loop {
                args.push(self.module_arg()?);
                if !self.accept(Token::Comma)? {
                    break;
                }
            }
            self.expect(Token::RightParen)?;
        }
        Ok(())
    }

    /// Any tokens up to a comma or parenthesis that is not within parentheses.
    fn module_arg(&mut self) -> PResult<Span> {
        let start = self.current.start;
        let mut nesting = 0u32;
        let mut empty = true;
        loop {
            match self.current.token {
                Token::Comma if nesting == 0 => break,
                Token::RightParen if nesting == 0 => break,
                Token::RightParen => {
                    nesting -= 1;
                    self.leave(2);
                }
                Token::LeftParen => {
                    nesting += 1;
                    self.enter(2)?;
                }
                Token::EndOfText => return Err(self.unexpected()),
                _ => {}
            }
            self.bump()?;
            empty = false;
        }
        Ok(if empty {
            Span::new(start, start)
        } else {
            self.span_from(start)
        })
    }
}

/// `text` without `word` at its end, and without the spaces before that; `None` if it does not end so.
fn strip_word<'t>(text: &'t [u8], word: &[u8]) -> Option<&'t [u8]> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(word.len())?)?;
    if !end.eq_ignore_ascii_case(word) {
        return None;
    }
    let blanks = rest
        .iter()
        .rev()
        .take_while(|byte| is_space(**byte))
        .count();
    Some(&rest[..rest.len() - blanks])
}
