//! Name resolution: from what a statement says to what it means.
//!
//! ```text
//!   scopes   [ outer query | … | this query ]      a name is looked for from the innermost outwards
//!   scope    FROM items with cursors; result columns, whose aliases WHERE, GROUP BY, HAVING and ORDER BY may use
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`scope`] | what is in sight |
//! | `names` | finding the column that a name means |
//! | `expr` | expressions |
//! | `call` | functions and aggregates |
//! | `select` | SELECT, its clauses in SQLite's order, compounds, VALUES |
//! | `from` | FROM: tables, views, subqueries, joins |
//! | `cte` | common table expressions, recursive ones too |
//! | `window` | OVER and WINDOW |
//! | `order` | ORDER BY and GROUP BY: aliases, ordinals |
//! | `star` | `*` and `t.*` |
//! | `expand` | which of several mistakes is reported |
//! | `columns` | names, types and origins of result columns; the made-up tables of subqueries |
//!
//! Rules:
//! 1. A column wins over a result column's alias; the innermost scope that knows the name wins.
//! 2. A double-quoted name that nothing answers to is a string, if the connection allows it; then `true` and `false`
//!    are constants.
//! 3. A subquery is correlated if a name in it was found in a scope outside of it.
//! 4. An aggregate belongs to the innermost query whose columns its arguments mention, or else to the one around it.
//! 5. Errors carry the byte offset of the name in the statement; inside views and definitions they carry none.
//!
//! Source: SQLite's `resolve.c`, `selectExpander`, `sqlite3ProcessJoin`.

mod call;
mod columns;
mod cte;
mod expand;
mod expr;
mod from;
mod names;
mod order;
pub mod scope;
mod select;
mod star;
mod window;

pub use columns::{output_columns, parts_of, result_table_columns, table_of_select};
pub use scope::{Definition, ItemNames, NamedRow, Place, Scope};
pub use select::{NameMode, select_of_rows};

use crate::ast::{self, Span};
use crate::bound::{Expr, FromItem, FromSource, IndexHint, JoinKind, Select, SelectId};
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::Table;
use std::sync::Arc;

/// A WITH clause in sight.
#[derive(Clone, Copy)]
struct WithFrame<'a> {
    with: &'a ast::With,
}

/// Resolves names.
pub struct Resolver<'r, 'c, 'a> {
    /// The compiler: schema, functions, cursor numbers.
    pub c: &'r mut Compiler<'c>,
    /// What is in sight, innermost last.
    scopes: Vec<Scope>,
    withs: Vec<WithFrame<'a>>,
    /// Common table expressions that are being resolved, against circles.
    open_ctes: Vec<cte::OpenCte>,
    /// Recursive ones whose recursive terms are being resolved.
    recursive_uses: Vec<cte::RecursiveUse>,
    /// The same while an error is looked into (`expand`): the places, the name, the columns.
    expanded_recursions: Vec<expand::Recursive>,
    /// How many SELECTs around this one stock SQLite would prepare with it; 0: it is the outermost (`expand`).
    prepared: usize,
    /// The WINDOW clauses of the queries that are being resolved.
    window_clauses: Vec<(SelectId, &'a [ast::WindowDef])>,
    /// Views that are being resolved, against circles.
    open_views: Vec<Arc<str>>,
    /// The outermost scope (as an index) in which a name was found since this was last reset (rule 3).
    outermost_use: usize,
    /// The text under the spans of the tree.
    text: &'a [u8],
    /// Whether the text is not the statement's: rule 5.
    foreign_text: bool,
    /// Whether it is the text of a schema that is not temporary, whose author may be anybody.
    from_schema: bool,
    /// Within ON, whose errors have no place in stock SQLite either.
    in_on: bool,
    /// The database in which unqualified names are looked for, inside a view that is not temporary.
    fixed_db: Option<usize>,
}

impl<'r, 'a, 'c: 'a> Resolver<'r, 'c, 'a> {
    /// A resolver with nothing in sight.
    pub fn new(c: &'r mut Compiler<'c>) -> Resolver<'r, 'c, 'a> {
        let text = c.text;
        let (foreign_text, fixed_db) = (c.foreign_text, c.fixed_db);
        let scopes = std::mem::take(&mut c.tools().scopes);
        Resolver {
            c,
            scopes,
            withs: Vec::new(),
            open_ctes: Vec::new(),
            recursive_uses: Vec::new(),
            expanded_recursions: Vec::new(),
            prepared: 0,
            window_clauses: Vec::new(),
            open_views: Vec::new(),
            outermost_use: usize::MAX,
            text,
            foreign_text,
            from_schema: foreign_text,
            in_on: false,
            fixed_db,
        }
    }

    /// Brings a WITH clause into sight, for the rest of the resolver's life.
    pub fn push_with(&mut self, with: &'a ast::With) -> Result<()> {
        from::check_with(with)?;
        self.withs.push(WithFrame { with });
        Ok(())
    }

    /// Brings a scope into sight.
    pub fn push_scope(&mut self, scope: Scope) {
        self.scopes.push(scope);
    }

    /// Takes the innermost scope out of sight.
    ///
    /// # Panics
    /// If there is none.
    pub fn pop_scope(&mut self) -> Scope {
        self.scopes
            .pop()
            .expect("scopes are pushed before they are popped")
    }

    /// The innermost scope.
    ///
    /// # Panics
    /// If there is none.
    pub fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("a scope is in sight")
    }

    /// An error at a place of the text (rule 5).
    #[cold]
    fn error_at(&self, span: Span, message: impl Into<String>) -> SqlError {
        if self.foreign_text || self.in_on {
            SqlError::error(message)
        } else {
            SqlError::at(span.start, message)
        }
    }

    /// The text under a span.
    fn slice(&self, span: Span) -> &'a [u8] {
        span.slice(self.text)
    }
}

impl Drop for Resolver<'_, '_, '_> {
    fn drop(&mut self) {
        self.scopes.clear();
        self.c.tools().scopes = std::mem::take(&mut self.scopes);
    }
}

/// A FROM item for a table, with a new cursor; nothing is joined.
pub fn table_item(
    c: &mut Compiler<'_>,
    db: usize,
    table: &Arc<Table>,
    alias: Option<Arc<str>>,
) -> FromItem {
    let cursor = c.alloc_cursor(Some(table.clone()));
    if let Some(connected) = c.connection_of(db, table) {
        c.virtual_items.push((cursor, connected));
    }
    FromItem {
        cursor,
        db,
        table: table.clone(),
        alias,
        source: FromSource::Table,
        join: JoinKind::default(),
        on: None,
        hint: IndexHint::Any,
        columns_used: 0,
        id: c.next_subquery(),
        correlated: false,
        cte: None,
        nested_join: false,
        from_exists: false,
        written_db: None,
    }
}

/// Resolves an expression of an index (a key, or the WHERE): its
/// names are columns of that table, to be read through `cursor`.
pub fn resolve_self(
    c: &mut Compiler<'_>,
    table: &Arc<Table>,
    cursor: i32,
    expr: &ast::Expr,
) -> Result<Expr> {
    let definition = Definition::Trusted(Place::Index);
    resolve_definition(c, 0, table, cursor, expr, definition)
}

/// The same for the expression of a CHECK constraint or a generated column.
pub fn resolve_self_at(
    c: &mut Compiler<'_>,
    table: &Arc<Table>,
    cursor: i32,
    expr: &ast::Expr,
    place: Place,
) -> Result<Expr> {
    resolve_definition(c, 0, table, cursor, expr, Definition::Trusted(place))
}

/// The same for a definition that is just being made: what may not stand in it is refused.
pub fn resolve_definition(
    c: &mut Compiler<'_>,
    db: usize,
    table: &Arc<Table>,
    cursor: i32,
    expr: &ast::Expr,
    definition: Definition,
) -> Result<Expr> {
    let id = c.next_subquery();
    let item = FromItem {
        cursor,
        db,
        table: table.clone(),
        alias: None,
        source: FromSource::Table,
        join: JoinKind::default(),
        on: None,
        hint: IndexHint::Any,
        columns_used: 0,
        id,
        correlated: false,
        cte: None,
        nested_join: false,
        from_exists: false,
        written_db: None,
    };
    let mut resolver = Resolver::new(c);
    resolver.foreign_text |= matches!(definition, Definition::Trusted(_));
    resolver.from_schema |= db != crate::codegen::ddl::TEMP;
    let mut scope = Scope::of_items(vec![item]);
    scope.definition = Some(definition);
    resolver.push_scope(scope);
    resolver.expr(expr)
}

/// Resolves an expression that sees no columns: LIMIT, a DEFAULT, arguments of ATTACH.
pub fn resolve_constant(c: &mut Compiler<'_>, expr: &ast::Expr) -> Result<Expr> {
    let mut resolver = Resolver::new(c);
    resolver.push_scope(Scope::default());
    resolver.expr(expr)
}

/// Resolves a statement's SELECT and rewrites it; with [`NameMode::Output`] the compiler gets its result columns.
pub fn resolve_select(
    c: &mut Compiler<'_>,
    select: &ast::Select,
    names: NameMode,
) -> Result<Box<Select>> {
    let mut bound = Resolver::new(c).select(select, names)?;
    if names == NameMode::Output {
        let mut columns = std::mem::take(&mut c.columns);
        columns.clear();
        columns.extend(output_columns(c, &bound));
        c.columns = columns;
    }
    crate::rewrite::rewrite(c, &mut bound)?;
    Ok(bound)
}
