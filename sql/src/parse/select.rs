//! Queries: SELECT, VALUES, compounds, WITH and FROM.

use smallvec::SmallVec;

use super::{PResult, Parser};
use crate::ast::{
    Compound, CompoundOp, Cte, ExprKind, FromClause, FromItem, Indexed, JoinConstraint, JoinType,
    Limit, Literal, Materialized, Name, QualifiedName, ResultColumn, Select, SelectClause,
    SelectCore, SortTerm, Source, Span, Values, WindowDef, With,
};
use crate::lex::{Lexeme, Token};

/// As many FROM items as SQLite takes.
const FROM_ITEMS_MAX: usize = 200;

/// The parts of a query that stand behind one SELECT, and belong to the whole only if it is the last.
#[derive(Default)]
struct Trailer {
    order_by: Vec<SortTerm>,
    limit: Option<Box<Limit>>,
}

impl Parser<'_> {
    /// `select`: a query, at SELECT, VALUES or WITH. Its height is left in `self.height`.
    #[inline(never)]
    pub(super) fn select(&mut self) -> PResult<Select> {
        let start = self.current.start;
        let with = if self.at(Token::With) {
            Some(Box::new(self.with()?))
        } else {
            None
        };
        self.select_after_with(with, start)
    }

    /// As [`Parser::select`], off the stack.
    #[inline(never)]
    pub(super) fn boxed_select(&mut self) -> PResult<Box<Select>> {
        Ok(Box::new(self.select()?))
    }

    /// A query whose WITH was read already.
    pub(super) fn select_after_with(
        &mut self,
        with: Option<Box<With>>,
        start: u32,
    ) -> PResult<Select> {
        let mut trailer = Trailer::default();
        let core = self.select_core(&mut trailer)?;
        let mut height = self.height;
        let mut compounds = Vec::new();
        // The clause that stands too early, nearest to the end, and the operator behind it.
        let mut misplaced = None;
        while let Some(op) = self.compound_op()? {
            if !trailer.order_by.is_empty() || trailer.limit.is_some() {
                misplaced = Some((!trailer.order_by.is_empty(), op));
            }
            self.enter(2)?;
            trailer = Trailer::default();
            let core = self.select_core(&mut trailer)?;
            self.leave(2);
            height = height.max(self.height);
            compounds.push(Compound { op, core });
        }
        if !compounds.is_empty() {
            self.check_compound(&compounds, misplaced);
        }
        self.height = height;
        let Trailer { order_by, limit } = trailer;
        let select = Select {
            with,
            core,
            compounds,
            order_by,
            limit,
            span: self.span_from(start),
        };
        if is_ordered_by_another_collation(&select) {
            return Ok(order_from_outside(select));
        }
        Ok(select)
    }

    fn compound_op(&mut self) -> PResult<Option<CompoundOp>> {
        let op = match self.current.token {
            Token::Union => {
                self.bump()?;
                let all = self.accept(Token::All)?;
                return Ok(Some(if all {
                    CompoundOp::UnionAll
                } else {
                    CompoundOp::Union
                }));
            }
            Token::Except => CompoundOp::Except,
            Token::Intersect => CompoundOp::Intersect,
            _ => return Ok(None),
        };
        self.bump()?;
        Ok(Some(op))
    }

    fn check_compound(&mut self, compounds: &[Compound], misplaced: Option<(bool, CompoundOp)>) {
        if let Some((is_order_by, op)) = misplaced {
            let clause = if is_order_by { "ORDER BY" } else { "LIMIT" };
            let message = format!(
                "{clause} clause should come after {} not before",
                op.symbol()
            );
            self.raise_message(message);
        } else {
            let last = &compounds[compounds.len() - 1].core;
            let limit = self.limits.compound_select as usize;
            if limit > 0 && compounds.len() + 1 > limit && matches!(last, SelectCore::Select(_)) {
                self.raise_message("too many terms in compound SELECT");
            }
        }
    }

    fn select_core(&mut self, trailer: &mut Trailer) -> PResult<SelectCore> {
        match self.current.token {
            Token::Select => Ok(SelectCore::Select(self.select_clause(trailer)?)),
            Token::Values => Ok(SelectCore::Values(self.values()?)),
            _ => Err(self.unexpected()),
        }
    }

    #[inline(never)]
    fn select_clause(&mut self, trailer: &mut Trailer) -> PResult<Box<SelectClause>> {
        let start = self.bump()?.start;
        self.enter(4)?;
        let mut clause = Box::new(SelectClause {
            distinct: self.distinctness()?,
            columns: Vec::new(),
            from: None,
            where_clause: None,
            group_by: Vec::new(),
            having: None,
            windows: Vec::new(),
            span: Span::default(),
            number: 0,
        });
        self.result_columns(&mut clause.columns)?;
        let mut height = self.height;
        if self.accept(Token::From)? {
            self.enter(1)?;
            clause.from = Some(self.table_list()?);
            self.leave(1);
        }
        if self.accept(Token::Where)? {
            self.enter(1)?;
            clause.where_clause = Some(self.expr()?);
            self.leave(1);
            height = height.max(self.height);
        }
        if self.accept(Token::Group)? {
            self.expect(Token::By)?;
            self.enter(3)?;
            clause.group_by = self.expr_list()?;
            self.leave(3);
            height = height.max(self.height);
        }
        if self.accept(Token::Having)? {
            self.enter(3)?;
            clause.having = Some(self.expr()?);
            self.leave(3);
            height = height.max(self.height);
        }
        if self.accept(Token::Window)? {
            self.enter(4)?;
            clause.windows = self.window_list()?;
            self.leave(4);
        }
        clause.span = self.span_from(start);
        self.height = height;
        if matches!(self.current.token, Token::Order | Token::Limit) {
            self.order_and_limit(&mut trailer.order_by, &mut trailer.limit)?;
            self.height = self.height.max(height);
        }
        clause.number = self.count_select();
        self.leave(4);
        Ok(clause)
    }

    /// `[ORDER BY …] [LIMIT …]`. The greatest height is left in `self.height`.
    pub(super) fn order_and_limit(
        &mut self,
        order_by: &mut Vec<SortTerm>,
        limit: &mut Option<Box<Limit>>,
    ) -> PResult<()> {
        let mut height = 0;
        if self.accept(Token::Order)? {
            self.expect(Token::By)?;
            self.enter(5)?;
            *order_by = self.sort_list()?;
            self.leave(5);
            height = self.height;
        }
        if self.accept(Token::Limit)? {
            self.enter(5)?;
            let first = self.expr()?;
            height = height.max(self.height + 1);
            let mut clause = Limit {
                limit: first,
                offset: None,
            };
            if matches!(self.current.token, Token::Offset | Token::Comma) {
                let comma = self.bump()?.token == Token::Comma;
                self.enter(2)?;
                let second = self.expr()?;
                self.leave(2);
                height = height.max(self.height + 1);
                clause = if comma {
                    Limit {
                        limit: second,
                        offset: Some(clause.limit),
                    }
                } else {
                    Limit {
                        offset: Some(second),
                        ..clause
                    }
                };
            }
            self.leave(5);
            *limit = Some(Box::new(clause));
        }
        self.height = height;
        Ok(())
    }

    /// `selcollist`. The greatest height is left in `self.height`.
    pub(super) fn result_columns(&mut self, columns: &mut Vec<ResultColumn>) -> PResult<()> {
        let mut height = 0;
        loop {
            let start = self.current.start;
            if self.at(Token::Star) {
                self.bump()?;
                columns.push(ResultColumn::Star(self.span_from(start)));
                height = height.max(1);
            } else {
                let expr = self.expr_or_star()?;
                if let Some(table) = self.star.take() {
                    columns.push(ResultColumn::TableStar {
                        table,
                        span: self.span_from(start),
                    });
                    height = height.max(2);
                } else {
                    height = height.max(self.height);
                    let span = self.trimmed(start, self.current.start);
                    let alias = self.alias()?;
                    columns.push(ResultColumn::Expr { expr, alias, span });
                }
            }
            if !self.accept(Token::Comma)? {
                break;
            }
        }
        self.height = height;
        Ok(())
    }

    /// `as`: AS and a name, or an identifier or string alone.
    fn alias(&mut self) -> PResult<Option<Name>> {
        if self.accept(Token::As)? {
            return Ok(Some(self.name()?));
        }
        if self.current.token.is_id() || self.at(Token::String) {
            let lexeme = self.bump()?;
            return Ok(Some(self.make_name(lexeme)));
        }
        Ok(None)
    }

    #[inline(never)]
    fn values(&mut self) -> PResult<Values> {
        let start = self.bump()?.start;
        self.enter(2)?;
        let mut exprs = Vec::new();
        let mut row_ends = SmallVec::new();
        let mut height = 0;
        loop {
            self.expect(Token::LeftParen)?;
            self.expr_list_into(&mut exprs)?;
            height = height.max(self.height);
            self.expect(Token::RightParen)?;
            row_ends.push(exprs.len() as u32);
            if !self.at(Token::Comma) {
                break;
            }
            self.bump()?;
        }
        self.leave(2);
        self.height = height;
        let mut number = self.count_select();
        if row_ends.len() > 1 {
            number = self.count_select();
        }
        Ok(Values {
            exprs,
            row_ends,
            span: self.span_from(start),
            number,
        })
    }

    /// The number of a SELECT that ends here.
    fn count_select(&mut self) -> u32 {
        self.select_count += 1;
        self.select_count
    }

    fn window_list(&mut self) -> PResult<Vec<WindowDef>> {
        let mut list = Vec::new();
        loop {
            let name = self.name()?;
            let start = name.span.start;
            self.expect(Token::As)?;
            self.expect(Token::LeftParen)?;
            let mut window = self.window(Some(name))?;
            self.expect(Token::RightParen)?;
            window.span = self.span_from(start);
            list.push(window);
            if !self.accept(Token::Comma)? {
                return Ok(list);
            }
        }
    }

    /// WITH and its tables.
    #[inline(never)]
    pub(super) fn with(&mut self) -> PResult<With> {
        let start = self.bump()?.start;
        let recursive = self.accept(Token::Recursive)?;
        let mut ctes: Vec<Cte> = Vec::new();
        self.enter(5 + u32::from(recursive))?;
        loop {
            let name = self.name()?;
            let columns = self.optional_index_name_list()?;
            self.expect(Token::As)?;
            let materialized = if self.accept(Token::Materialized)? {
                Materialized::Yes
            } else if self.accept(Token::Not)? {
                self.expect(Token::Materialized)?;
                Materialized::No
            } else {
                Materialized::Any
            };
            self.expect(Token::LeftParen)?;
            let select = Box::new(self.select()?);
            self.expect(Token::RightParen)?;
            if ctes.iter().any(|cte| cte.name.matches(&name)) {
                self.raise_message(format!("duplicate WITH table name: {name}"));
            }
            ctes.push(Cte {
                name,
                columns,
                materialized,
                select,
            });
            if !self.accept(Token::Comma)? {
                break;
            }
        }
        self.leave(5 + u32::from(recursive));
        Ok(With {
            recursive,
            ctes,
            span: self.span_from(start),
        })
    }

    /// `seltablist`: the items of a FROM clause.
    #[inline(never)]
    pub(super) fn table_list(&mut self) -> PResult<FromClause> {
        let mut items: Vec<FromItem> = Vec::with_capacity(1);
        let mut join = JoinType::NONE;
        self.enter(1)?;
        loop {
            self.table_item(&mut items, join)?;
            match self.join_operator()? {
                Some(next) => join = next,
                None => break,
            }
        }
        self.leave(1);
        Ok(FromClause { items })
    }

    /// One item, appended to `items`; a parenthesised join may append several or none of its own (see [`FromClause`]).
    fn table_item(&mut self, items: &mut Vec<FromItem>, join: JoinType) -> PResult<()> {
        let start = self.current.start;
        if !self.at(Token::LeftParen) {
            let name = self.qualified_name()?;
            return self.named_table(items, join, name);
        }
        self.bump()?;
        self.enter(1)?;
        if matches!(
            self.current.token,
            Token::Select | Token::Values | Token::With
        ) {
            let select = Box::new(self.select()?);
            self.expect(Token::RightParen)?;
            self.leave(1);
            return self.table_suffix(items, join, Source::Select(select), start);
        }
        let mut nested = self.table_list()?;
        self.expect(Token::RightParen)?;
        self.leave(1);
        let alias = self.alias()?;
        let constraint = self.join_constraint()?;
        if items.is_empty() && alias.is_none() && constraint.is_none() {
            // Opened.
            items.append(&mut nested.items);
        } else {
            let source = if nested.items.len() == 1 {
                nested.items.remove(0).source
            } else {
                Source::Join(Box::new(nested))
            };
            let span = self.span_from(start);
            items.push(FromItem {
                join,
                source,
                alias,
                constraint,
                span,
            });
            self.check_item(items);
        }
        Ok(())
    }

    /// The rest of an item that began with a name.
    fn named_table(
        &mut self,
        items: &mut Vec<FromItem>,
        join: JoinType,
        name: QualifiedName,
    ) -> PResult<()> {
        let start = name.span().start;
        if self.accept(Token::LeftParen)? {
            self.enter(3)?;
            let args = self.optional_expr_list()?;
            self.expect(Token::RightParen)?;
            self.leave(3);
            return self.table_suffix(items, join, Source::Function { name, args }, start);
        }
        let alias = self.alias()?;
        let indexed = self.indexed()?;
        let constraint = self.join_constraint()?;
        let source = Source::Table { name, indexed };
        items.push(FromItem {
            join,
            source,
            alias,
            constraint,
            span: self.span_from(start),
        });
        self.check_item(items);
        Ok(())
    }

    /// Alias and constraint behind `source`.
    fn table_suffix(
        &mut self,
        items: &mut Vec<FromItem>,
        join: JoinType,
        source: Source,
        start: u32,
    ) -> PResult<()> {
        let alias = self.alias()?;
        let constraint = self.join_constraint()?;
        items.push(FromItem {
            join,
            source,
            alias,
            constraint,
            span: self.span_from(start),
        });
        self.check_item(items);
        Ok(())
    }

    #[inline]
    fn check_item(&mut self, items: &[FromItem]) {
        if let [
            FromItem {
                constraint: Some(constraint),
                ..
            },
        ] = items
        {
            let word = match constraint {
                JoinConstraint::On(_) => "ON",
                JoinConstraint::Using(_) => "USING",
            };
            self.raise_message(format!("a JOIN clause is required before {word}"));
        }
        if items.len() > FROM_ITEMS_MAX {
            self.raise_message(format!("too many FROM clause terms, max: {FROM_ITEMS_MAX}"));
        }
    }

    /// INDEXED BY or NOT INDEXED.
    pub(super) fn indexed(&mut self) -> PResult<Indexed> {
        match self.current.token {
            Token::Indexed => {
                self.bump()?;
                self.expect(Token::By)?;
                Ok(Indexed::By(self.name()?))
            }
            Token::Not => {
                self.bump()?;
                self.expect(Token::Indexed)?;
                Ok(Indexed::Not)
            }
            _ => Ok(Indexed::Unspecified),
        }
    }

    fn join_constraint(&mut self) -> PResult<Option<JoinConstraint>> {
        match self.current.token {
            Token::On => {
                self.bump()?;
                self.enter(5)?;
                let expr = self.expr()?;
                self.leave(5);
                Ok(Some(JoinConstraint::On(expr)))
            }
            Token::Using => {
                self.bump()?;
                self.expect(Token::LeftParen)?;
                let names = self.name_list()?;
                self.expect(Token::RightParen)?;
                Ok(Some(JoinConstraint::Using(names)))
            }
            _ => Ok(None),
        }
    }

    fn join_operator(&mut self) -> PResult<Option<JoinType>> {
        match self.current.token {
            Token::Comma | Token::Join => {
                self.bump()?;
                Ok(Some(JoinType::INNER))
            }
            Token::JoinWord => {
                let mut words = SmallVec::<[Lexeme; 3]>::new();
                words.push(self.bump()?);
                while words.len() < 3 && self.current.token.is_name() {
                    words.push(self.bump()?);
                }
                self.expect(Token::Join)?;
                Ok(Some(self.join_type(&words)))
            }
            _ => Ok(None),
        }
    }

    /// What the words before JOIN mean together; an error is raised if nothing.
    fn join_type(&mut self, words: &[Lexeme]) -> JoinType {
        let mut join = JoinType::NONE;
        let mut known = true;
        for word in words {
            let text = Span::new(word.start, word.end).slice(self.text);
            let of_word = match text {
                _ if text.eq_ignore_ascii_case(b"natural") => JoinType::NATURAL,
                _ if text.eq_ignore_ascii_case(b"left") => JoinType::LEFT.with(JoinType::OUTER),
                _ if text.eq_ignore_ascii_case(b"outer") => JoinType::OUTER,
                _ if text.eq_ignore_ascii_case(b"right") => JoinType::RIGHT.with(JoinType::OUTER),
                _ if text.eq_ignore_ascii_case(b"full") => {
                    JoinType::LEFT.with(JoinType::RIGHT).with(JoinType::OUTER)
                }
                _ if text.eq_ignore_ascii_case(b"inner") => JoinType::INNER,
                _ if text.eq_ignore_ascii_case(b"cross") => JoinType::INNER.with(JoinType::CROSS),
                _ => {
                    known = false;
                    break;
                }
            };
            join = join.with(of_word);
        }
        let sides = JoinType::LEFT.with(JoinType::RIGHT).0 & join.0;
        let contradicts = join.contains(JoinType::INNER.with(JoinType::OUTER));
        let lone_outer = join.contains(JoinType::OUTER) && sides == 0;
        if !known || contradicts || lone_outer {
            let texts: Vec<String> = words
                .iter()
                .map(|word| self.lossy(Span::new(word.start, word.end)))
                .collect();
            let message = format!("unknown join type: {}", texts.join(" "));
            self.raise(
                super::ParseErrorKind::Other(message),
                words.first().map(|word| word.start),
            );
            return JoinType::INNER;
        }
        join
    }
}

/// Whether ORDER BY compares as the operators of a compound do not: UNION, EXCEPT and INTERSECT are merges of parts in
/// ORDER BY's order, and must not take its COLLATE for theirs. Its terms must be numbers or names of the first part's
/// columns, which mean the same from outside; others stay where they are, and their COLLATE is the operators' too.
fn is_ordered_by_another_collation(select: &Select) -> bool {
    let compares = |compound: &Compound| compound.op != CompoundOp::UnionAll;
    let collates = |term: &SortTerm| matches!(term.expr.kind, ExprKind::Collate(_));
    select.order_by.iter().any(collates)
        && select.compounds.iter().any(compares)
        && select
            .order_by
            .iter()
            .all(|term| names_a_column(&select.core, &term.expr.kind))
}

/// Whether a term of ORDER BY is a column's number, or the name of one that the part gives.
fn names_a_column(core: &SelectCore, term: &ExprKind) -> bool {
    let name = match term {
        ExprKind::Collate(collate) => return names_a_column(core, &collate.expr.kind),
        ExprKind::Literal(Literal::Integer(_)) => return true,
        ExprKind::Id(name) => name,
        _ => return false,
    };
    let SelectCore::Select(clause) = core else {
        return false;
    };
    clause.columns.iter().any(|column| match column {
        ResultColumn::Expr {
            alias: Some(alias), ..
        } => alias.text.eq_ignore_ascii_case(&name.text),
        ResultColumn::Expr { expr, .. } => {
            matches!(&expr.kind, ExprKind::Id(own) if own.text.eq_ignore_ascii_case(&name.text))
        }
        _ => false,
    })
}

/// `SELECT * FROM (compound) ORDER BY … LIMIT …` (SQLite's convertCompoundSelectToSubquery).
#[cold]
fn order_from_outside(mut select: Select) -> Select {
    let order_by = std::mem::take(&mut select.order_by);
    let (limit, span) = (select.limit.take(), select.span);
    let last = select.compounds.last().map_or(&select.core, |c| &c.core);
    let number = match last {
        SelectCore::Select(clause) => clause.number,
        SelectCore::Values(values) => values.number,
    };
    let item = FromItem {
        join: JoinType::NONE,
        source: Source::Select(Box::new(select)),
        alias: None,
        constraint: None,
        span,
    };
    let mut outer = Select::of(vec![ResultColumn::Star(span)], vec![item], None);
    if let SelectCore::Select(clause) = &mut outer.core {
        clause.number = number;
    }
    (outer.order_by, outer.limit, outer.span) = (order_by, limit, span);
    outer
}
