//! Queries, printed.

use super::Printer;
use crate::ast::*;

impl Printer<'_> {
    pub(super) fn select(&mut self, select: &Select) {
        self.with(select.with.as_deref());
        self.core(&select.core);
        for compound in &select.compounds {
            self.put(" ");
            self.put(compound.op.symbol());
            self.put(" ");
            self.core(&compound.core);
        }
        self.order_by(&select.order_by);
        self.limit(select.limit.as_deref());
    }

    pub(super) fn with(&mut self, with: Option<&With>) {
        let Some(with) = with else { return };
        self.put(if with.recursive {
            "WITH RECURSIVE "
        } else {
            "WITH "
        });
        self.list(&with.ctes, |printer, cte| {
            printer.name(&cte.name);
            printer.names(&cte.columns);
            printer.put(match cte.materialized {
                Materialized::Any => " AS (",
                Materialized::Yes => " AS MATERIALIZED (",
                Materialized::No => " AS NOT MATERIALIZED (",
            });
            printer.select(&cte.select);
            printer.put(")");
        });
        self.put(" ");
    }

    pub(super) fn core(&mut self, core: &SelectCore) {
        let clause = match core {
            SelectCore::Select(clause) => clause,
            SelectCore::Values(values) => {
                self.put("VALUES ");
                let rows: Vec<&[Expr]> = values.rows().collect();
                return self.list(&rows, |printer, row| {
                    printer.put("(");
                    printer.exprs(row);
                    printer.put(")");
                });
            }
        };
        self.put("SELECT ");
        self.distinct(clause.distinct);
        self.columns(&clause.columns);
        if let Some(from) = &clause.from {
            self.put(" FROM ");
            self.from(from);
        }
        self.where_clause(clause.where_clause.as_ref());
        if !clause.group_by.is_empty() {
            self.put(" GROUP BY ");
            self.exprs(&clause.group_by);
        }
        if let Some(having) = &clause.having {
            self.put(" HAVING ");
            self.expr(having);
        }
        if !clause.windows.is_empty() {
            self.put(" WINDOW ");
            self.list(&clause.windows, |printer, window| {
                if let Some(name) = &window.name {
                    printer.name(name);
                }
                printer.put(" AS (");
                printer.window(window);
                printer.put(")");
            });
        }
    }

    pub(super) fn columns(&mut self, columns: &[ResultColumn]) {
        self.list(columns, |printer, column| match column {
            ResultColumn::Expr { expr, alias, .. } => {
                printer.expr(expr);
                printer.alias(alias.as_ref());
            }
            ResultColumn::Star(_) => printer.put("*"),
            ResultColumn::TableStar { table, .. } => {
                printer.name(table);
                printer.put(".*");
            }
        });
    }

    pub(super) fn from(&mut self, from: &FromClause) {
        for (index, item) in from.items.iter().enumerate() {
            if index > 0 {
                self.join(item.join);
            }
            match &item.source {
                Source::Table { name, .. } => self.qualified(name),
                Source::Function { name, args } => {
                    self.qualified(name);
                    self.put("(");
                    self.exprs(args);
                    self.put(")");
                }
                Source::Select(select) => {
                    self.put("(");
                    self.select(select);
                    self.put(")");
                }
                Source::Join(join) => {
                    self.put("(");
                    self.from(join);
                    self.put(")");
                }
            }
            self.alias(item.alias.as_ref());
            if let Source::Table { indexed, .. } = &item.source {
                self.indexed(indexed);
            }
            match &item.constraint {
                None => {}
                Some(JoinConstraint::On(expr)) => {
                    self.put(" ON ");
                    self.expr(expr);
                }
                Some(JoinConstraint::Using(names)) => {
                    self.put(" USING");
                    self.names(names);
                }
            }
        }
    }

    pub(super) fn join(&mut self, join: JoinType) {
        self.put(" ");
        self.put_if(join.contains(JoinType::NATURAL), "NATURAL ");
        let (left, right) = (
            join.contains(JoinType::LEFT),
            join.contains(JoinType::RIGHT),
        );
        self.put(match (left, right) {
            (true, true) => "FULL ",
            (true, false) => "LEFT ",
            (false, true) => "RIGHT ",
            _ if join.contains(JoinType::CROSS) => "CROSS ",
            _ if join.contains(JoinType::INNER) => "INNER ",
            _ => "",
        });
        self.put("JOIN ");
    }

    pub(super) fn indexed(&mut self, indexed: &Indexed) {
        match indexed {
            Indexed::Unspecified => {}
            Indexed::Not => self.put(" NOT INDEXED"),
            Indexed::By(name) => {
                self.put(" INDEXED BY ");
                self.name(name);
            }
        }
    }

    pub(super) fn where_clause(&mut self, expr: Option<&Expr>) {
        if let Some(expr) = expr {
            self.put(" WHERE ");
            self.expr(expr);
        }
    }

    pub(super) fn sort_terms(&mut self, terms: &[SortTerm]) {
        self.list(terms, |printer, term| {
            printer.expr(&term.expr);
            printer.put(match term.order {
                None => "",
                Some(SortOrder::Asc) => " ASC",
                Some(SortOrder::Desc) => " DESC",
            });
            printer.put(match term.nulls {
                None => "",
                Some(NullsOrder::First) => " NULLS FIRST",
                Some(NullsOrder::Last) => " NULLS LAST",
            });
        });
    }

    pub(super) fn order_by(&mut self, terms: &[SortTerm]) {
        if !terms.is_empty() {
            self.put(" ORDER BY ");
            self.sort_terms(terms);
        }
    }

    pub(super) fn limit(&mut self, limit: Option<&Limit>) {
        let Some(limit) = limit else { return };
        self.put(" LIMIT ");
        self.expr(&limit.limit);
        if let Some(offset) = &limit.offset {
            self.put(" OFFSET ");
            self.expr(offset);
        }
    }
}
