//! Names, types and origins of result columns; the made-up tables of subqueries.
//!
//! Source: SQLite's `sqlite3ColumnsFromExprList`, `sqlite3SubqueryColumnTypes`, `columnTypeImpl`.

use super::Resolver;
use crate::ast;
use crate::bound::walk::{Constness, is_constant};
use crate::bound::{Expr, FromClause, FromSource, ResultColumn, Select};
use crate::compiler::Compiler;
use crate::schema::{Column, Table, TableKind};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::ColumnInfo;
use smallvec::SmallVec;
use std::sync::Arc;

/// The parts of a compound from the first to the last.
pub fn parts_of(select: &Select) -> SmallVec<[&Select; 4]> {
    let mut parts = SmallVec::new();
    let mut part = Some(select);
    while let Some(select) = part {
        parts.push(select);
        part = select.prior.as_ref().map(|(_, prior)| &**prior);
    }
    parts.reverse();
    parts
}

/// Names that are unique, as a table's columns must be: `x`, `x:1`, `x:2`…
fn unique_names(result: &[ResultColumn]) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::with_capacity(result.len());
    for (i, column) in result.iter().enumerate() {
        let is_word =
            column.name.eq_ignore_ascii_case("true") || column.name.eq_ignore_ascii_case("false");
        let mut name = column.name.clone();
        if name.is_empty() || is_word {
            name = format!("column{}", i + 1).into();
        }
        let mut count = 0;
        while names.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
            count += 1;
            // An earlier suffix is replaced.
            let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
            let stem = name.len() - digits;
            let base = if digits > 0 && stem > 1 && name.as_bytes()[stem - 1] == b':' {
                &name[..stem - 1]
            } else {
                &name
            };
            name = format!("{base}:{count}").into();
        }
        names.push(name);
    }
    names
}

/// What a part of a compound yields in a column: its affinity, and the types that it may have ([`Expr::data_type`]).
struct Yield {
    affinity: Affinity,
    types: u8,
}

/// The rows of VALUES are parts where they stand first, and a subquery where they do not; constants too, whose column
/// then may be of any type.
fn yields_of(part: &Select, column: usize) -> SmallVec<[Yield; 4]> {
    let of = |expr: &Expr| Yield {
        affinity: expr.affinity(),
        types: expr.data_type(),
    };
    let first = &part.result[column].expr;
    if part.rows.is_empty() {
        return std::iter::once(of(first)).collect();
    }
    let rows = || std::iter::once(first).chain(part.rows.iter().map(|row| &row[column]));
    let plain = rows()
        .all(|expr| expr.affinity() <= Affinity::None && is_constant(expr, Constness::Statement));
    if part.prior.is_none() && !plain {
        return rows().map(of).collect();
    }
    let affinity = rows()
        .map(Expr::affinity)
        .find(|affinity| *affinity > Affinity::None)
        .unwrap_or(Affinity::None);
    let types = match affinity {
        affinity if affinity.is_numeric() => 5,
        Affinity::Text => 6,
        _ => 7,
    };
    std::iter::once(Yield { affinity, types }).collect()
}

/// The affinity of a column of a subquery: that of the first part that has one, unless another part yields what it
/// would change.
fn column_affinity(parts: &[&Select], column: usize, default: Affinity) -> Affinity {
    let first = &parts[0].result[column].expr;
    let yields: SmallVec<[Yield; 4]> = parts.iter().flat_map(|p| yields_of(p, column)).collect();
    let mut affinity = yields[0].affinity;
    let mut types = 0;
    let mut at = 0;
    while affinity <= Affinity::None && at + 1 < yields.len() {
        types |= yields[at].types;
        at += 1;
        affinity = yields[at].affinity;
    }
    if affinity <= Affinity::None {
        affinity = default;
    }
    if affinity >= Affinity::Text && yields.len() > 1 {
        for part in &yields[at + 1..] {
            types |= part.types;
        }
        if affinity == Affinity::Text && types & 1 != 0 || affinity.is_numeric() && types & 2 != 0 {
            affinity = Affinity::Blob;
        }
        if affinity.is_numeric() && matches!(first, Expr::Cast { .. }) {
            affinity = Affinity::Flexnum;
        }
    }
    affinity
}

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// The table that a subquery looks like.
    pub(super) fn subquery_table(&mut self, select: &Select, name: Arc<str>) -> Arc<Table> {
        let parts = parts_of(select);
        let names = unique_names(&parts[0].result);
        Arc::new(self.made_up_table(&parts, name, names, TableKind::Subquery))
    }

    /// The table that a common table expression looks like.
    pub(super) fn cte_table(&mut self, select: &Select, cte: &ast::Cte) -> Arc<Table> {
        self.cte_table_of(&parts_of(select), cte)
    }

    /// The same, from the parts of its SELECT.
    pub(super) fn cte_table_of(&mut self, parts: &[&Select], cte: &ast::Cte) -> Arc<Table> {
        let names = given_names(&cte.columns).unwrap_or_else(|| unique_names(&parts[0].result));
        Arc::new(self.made_up_table(
            parts,
            Arc::from(&*cte.name.text),
            names,
            TableKind::Subquery,
        ))
    }

    /// The table that a view looks like.
    pub(super) fn view_table(
        &mut self,
        select: &Select,
        view: &Table,
        columns: &[Arc<str>],
    ) -> Arc<Table> {
        let parts = parts_of(select);
        let names = if columns.is_empty() {
            unique_names(&parts[0].result)
        } else {
            columns.to_vec()
        };
        let mut table = self.made_up_table(&parts, view.name.clone(), names, view.kind.clone());
        table.sql.clone_from(&view.sql);
        Arc::new(table)
    }

    fn made_up_table(
        &self,
        parts: &[&Select],
        name: Arc<str>,
        names: Vec<Arc<str>>,
        kind: TableKind,
    ) -> Table {
        made_up_table(self.c, parts, name, names, kind)
    }
}

/// The table that a subquery looks like that a rewrite makes.
pub fn table_of_select(c: &Compiler<'_>, select: &Select, name: Arc<str>) -> Table {
    let parts = parts_of(select);
    let names = unique_names(&parts[0].result);
    made_up_table(c, &parts, name, names, TableKind::Subquery)
}

fn made_up_table(
    c: &Compiler<'_>,
    parts: &[&Select],
    name: Arc<str>,
    names: Vec<Arc<str>>,
    kind: TableKind,
) -> Table {
    let columns = names
        .into_iter()
        .enumerate()
        .map(|(i, name)| Column {
            affinity: column_affinity(parts, i, Affinity::None),
            collation: c
                .collation_name(&parts[0].result[i].expr)
                .unwrap_or_default(),
            ..Column::plain(name)
        })
        .collect();
    Table::plain(name, kind, columns)
}

fn given_names(columns: &[ast::Name]) -> Option<Vec<Arc<str>>> {
    if columns.is_empty() {
        return None;
    }
    // Two of the same name are told apart as those of a subquery are.
    let result: Vec<ResultColumn> = columns
        .iter()
        .map(|name| ResultColumn {
            expr: Expr::Null,
            name: Arc::from(&*name.text),
            alias: true,
        })
        .collect();
    Some(unique_names(&result))
}

/// Where a result column comes from.
#[derive(Clone, Debug)]
struct Origin {
    decl_type: Option<Arc<str>>,
    database: Arc<str>,
    table: Arc<str>,
    column: Arc<str>,
}

/// The column of a stored table that an expression is, through subqueries.
fn origin(c: &Compiler<'_>, froms: &[&FromClause], expr: &Expr) -> Option<Origin> {
    match expr {
        Expr::Column(column) => {
            for (depth, from) in froms.iter().enumerate().rev() {
                let Some(item) = from.items.iter().find(|item| item.cursor == column.cursor) else {
                    continue;
                };
                let number = usize::try_from(column.column).ok();
                if let FromSource::Select(select) = &item.source {
                    let inner = &select.result.get(number?)?.expr;
                    let mut froms: SmallVec<[&FromClause; 4]> = froms[..depth].into();
                    froms.push(&select.from);
                    return origin(c, &froms, inner);
                }
                let table = &item.table;
                let (name, decl_type) = match number.or(table.rowid_alias) {
                    Some(number) => (
                        table.columns[number].name.clone(),
                        table.columns[number].decl_type.clone(),
                    ),
                    None => (Arc::from("rowid"), Some(Arc::from("INTEGER"))),
                };
                return Some(Origin {
                    decl_type,
                    database: c.ctx.schema.dbs[item.db].name.clone(),
                    table: table.name.clone(),
                    column: name,
                });
            }
            None
        }
        Expr::Subquery(subquery) => {
            let mut froms: SmallVec<[&FromClause; 4]> = froms.into();
            froms.push(&subquery.select.from);
            origin(c, &froms, &subquery.select.result.first()?.expr)
        }
        _ => None,
    }
}

/// The columns that a statement's caller sees: those of the first part of a compound.
pub fn output_columns(c: &Compiler<'_>, select: &Select) -> impl Iterator<Item = ColumnInfo> {
    let mut first = select;
    while let Some((_, prior)) = &first.prior {
        first = prior;
    }
    first.result.iter().map(move |column| {
        let found = origin(c, &[&first.from], &column.expr);
        let (decltype, database, table, name) = match found {
            Some(found) => (
                found.decl_type,
                Some(found.database),
                Some(found.table),
                Some(found.column),
            ),
            None => (None, None, None, None),
        };
        ColumnInfo {
            name: column.name.clone(),
            decltype,
            database,
            table,
            origin: name,
        }
    })
}

/// The columns of a table made from a SELECT (CREATE TABLE AS, `PRAGMA table_info` of a view): names, types,
/// affinities. `default` is the affinity of an expression that has none.
pub fn result_table_columns(
    c: &Compiler<'_>,
    select: &Select,
    names: &[Arc<str>],
    default: Affinity,
) -> Vec<Column> {
    let parts = parts_of(select);
    let names = if names.is_empty() {
        unique_names(&parts[0].result)
    } else {
        names.to_vec()
    };
    names
        .into_iter()
        .enumerate()
        .map(|(i, name)| {
            let expr = &parts[0].result[i].expr;
            let affinity = column_affinity(&parts, i, default);
            let declared = origin(c, &[&parts[0].from], expr).and_then(|origin| origin.decl_type);
            let fits = declared
                .as_deref()
                .is_some_and(|declared| Affinity::of_type(declared) == affinity);
            let decl_type = if fits {
                declared
            } else {
                standard_type(affinity).map(Arc::from)
            };
            let collation = c.collation_name(expr).unwrap_or_default();
            Column {
                decl_type,
                affinity,
                collation,
                ..Column::plain(name)
            }
        })
        .collect()
}

/// A type that has that affinity.
const fn standard_type(affinity: Affinity) -> Option<&'static str> {
    match affinity {
        Affinity::Numeric | Affinity::Flexnum => Some("NUM"),
        Affinity::Integer => Some("INT"),
        Affinity::Real => Some("REAL"),
        Affinity::Text => Some("TEXT"),
        Affinity::Blob => Some("BLOB"),
        Affinity::None => None,
    }
}
