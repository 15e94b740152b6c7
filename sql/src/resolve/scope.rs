//! What is in sight while names are resolved.

use crate::bound::{FromItem, ResultColumn, SelectId, Window};
use smallvec::SmallVec;
use std::sync::Arc;

/// Where an expression stands that a table's rows are checked or extended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// CHECK.
    Check,
    /// GENERATED ALWAYS AS.
    Generated,
    /// A key or the WHERE of an index.
    Index,
}

/// What kind of definition an expression stands in; each forbids something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Definition {
    /// One that was checked when it was made, and is evaluated now.
    Trusted(Place),
    /// CHECK.
    Check,
    /// A key of an index.
    IndexExpr,
    /// WHERE of an index.
    PartialIndex,
    /// GENERATED ALWAYS AS.
    Generated,
}

impl Definition {
    /// How messages call it.
    pub const fn place(self) -> &'static str {
        match self {
            Definition::Check => "CHECK constraints",
            Definition::IndexExpr => "index expressions",
            Definition::Generated => "generated columns",
            Definition::Trusted(_) | Definition::PartialIndex => "partial index WHERE clauses",
        }
    }
}

/// A column of a parenthesised join: which column of which table it is.
#[derive(Clone, Debug)]
pub struct NestedColumn {
    /// The database's name; `*` for a subquery.
    pub schema: Arc<str>,
    /// The table's name or alias.
    pub table: Arc<str>,
    /// The column's name.
    pub column: Arc<str>,
    /// It is the rowid, which `*` does not show.
    pub rowid: bool,
    /// It stands for the columns of a USING clause.
    pub using_term: bool,
    /// `*` of the query around leaves it out, because a USING term shows it.
    pub no_expand: bool,
}

/// What the names of a FROM item mean beyond its table.
#[derive(Clone, Debug, Default)]
pub struct ItemNames(Option<Box<MoreNames>>);

#[derive(Clone, Debug, Default)]
struct MoreNames {
    using: Vec<Arc<str>>,
    nested: Option<Vec<NestedColumn>>,
}

impl ItemNames {
    /// The names of a parenthesised join with those columns.
    pub fn of_join(columns: Vec<NestedColumn>) -> ItemNames {
        ItemNames(Some(Box::new(MoreNames {
            using: Vec::new(),
            nested: Some(columns),
        })))
    }

    /// The columns of its USING clause, written or from NATURAL.
    pub fn using(&self) -> &[Arc<str>] {
        self.0.as_ref().map_or(&[], |more| &more.using)
    }

    /// Says which columns are in the USING clause.
    pub fn set_using(&mut self, columns: &[Arc<str>]) {
        self.0.get_or_insert_default().using = columns.to_vec();
    }

    /// The columns of a parenthesised join.
    pub fn nested(&self) -> Option<&Vec<NestedColumn>> {
        self.0.as_ref()?.nested.as_ref()
    }

    /// Whether a column is in the USING clause.
    pub fn is_using(&self, name: &str) -> bool {
        self.using()
            .iter()
            .any(|using| using.eq_ignore_ascii_case(name))
    }
}

/// A row that is not from FROM: NEW, OLD, `excluded`.
#[derive(Clone, Debug)]
pub struct NamedRow {
    /// The name before the dot.
    pub name: Arc<str>,
    /// How it is read: an item whose cursor is overridden with registers.
    pub item: FromItem,
    /// The register of its rowid, the columns behind it in the order of the record, where a column is but a value,
    /// without affinity and collation.
    pub values: Option<i32>,
}

/// The names of one query, or of one clause.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// FROM items.
    pub items: Vec<FromItem>,
    /// More about each item.
    pub names: SmallVec<[ItemNames; 4]>,
    /// Result columns, whose aliases are in sight if `use_result`.
    pub result: Vec<ResultColumn>,
    /// Whether aliases of result columns are in sight.
    pub use_result: bool,
    /// Rows with names of their own.
    pub rows: Vec<NamedRow>,
    /// The query's number.
    pub select: SelectId,
    /// Whether aggregates may be called here.
    pub allow_aggregates: bool,
    /// Whether window functions may be called here.
    pub allow_windows: bool,
    /// The window of the first window function that was called.
    pub main_window: Option<Box<Window>>,
    /// Whether another one has another PARTITION BY.
    pub multi_part: bool,
    /// Whether an aggregate of this query was called.
    pub has_aggregates: bool,
    /// Whether one of them was min() or max().
    pub has_min_max: bool,
    /// Whether it is a WHERE or ON clause, which only asks whether something is true.
    pub in_where: bool,
    /// In a definition.
    pub definition: Option<Definition>,
    /// In RETURNING, where the table is never named with its database.
    pub returning: bool,
}

impl Scope {
    /// A scope with these items.
    pub fn of_items(items: Vec<FromItem>) -> Scope {
        let mut names = SmallVec::new();
        for _ in &items {
            names.push(ItemNames::default());
        }
        Scope {
            items,
            names,
            ..Scope::default()
        }
    }
}
