//! The lines of EXPLAIN QUERY PLAN, in SQLite's words.
//!
//! | line | when |
//! |---|---|
//! | `SCAN t` | all rows of the table |
//! | `SCAN t USING COVERING INDEX i` | all entries of an index, the table unread |
//! | `SEARCH t USING INTEGER PRIMARY KEY (rowid=?)` | by rowid |
//! | `SEARCH t USING INDEX i (a=? AND b>?)` | by an index |
//! | `SEARCH t USING PRIMARY KEY (a=?)` | by the key of a WITHOUT ROWID table |
//! | `SEARCH t USING AUTOMATIC COVERING INDEX (a=?)` | by an index made for the statement |
//! | `SCAN v VIRTUAL TABLE INDEX 1:` | a virtual table, by the plan of that number and text |
//!
//! Source: SQLite's `sqlite3WhereAddExplainText`.

use super::Loops;
use crate::compiler::Compiler;
use crate::plan::{Control, Loop, LoopFlags};
use crate::schema::{Index, IndexKey, Table};
use std::fmt::Write as _;

impl Loops<'_> {
    /// The line of a level; disjuncts have their line made by [`Loops::explain_disjunct`].
    pub(super) fn explain_level(&self, c: &mut Compiler<'_>, i: usize) {
        let multi = self.plan.levels[i].lp.flags.contains(LoopFlags::MULTI_OR);
        if multi || self.plan.control.contains(Control::OR_SUBCLAUSE) {
            return;
        }
        c.explain(|| self.line(i, self.plan.control));
    }

    /// The line of one disjunct of an OR.
    pub(super) fn explain_disjunct(&self, c: &mut Compiler<'_>) {
        if !self.plan.levels[0].lp.flags.contains(LoopFlags::MULTI_OR) {
            c.explain(|| self.line(0, Control::empty()));
        }
    }

    fn line(&self, i: usize, control: Control) -> String {
        let lp = &self.plan.levels[i].lp;
        let code = &self.levels[i];
        let source = &self.plan.sources[code.source];
        let (flags, table) = (lp.flags, &source.item.table);
        let search = flags.intersects(LoopFlags::BOTH_LIMIT)
            || lp.eq > 0
            || control.intersects(Control::ORDERBY_MIN | Control::ORDERBY_MAX);
        let mut line = String::from(if search { "SEARCH " } else { "SCAN " });
        line.push_str(&source.item.display_name());
        if source.item.from_exists {
            line.push_str(" EXISTS");
        }
        if let Some(plan) = &lp.virtual_plan {
            let text = plan.index.text.as_deref().unwrap_or("");
            let _ = if plan.hexadecimal {
                write!(line, " VIRTUAL TABLE INDEX {:#x}:{text}", plan.index.number)
            } else {
                write!(line, " VIRTUAL TABLE INDEX {}:{text}", plan.index.number)
            };
        } else if !flags.contains(LoopFlags::IPK) {
            if let Some(index) = &code.index {
                let text = if table.without_rowid
                    && index.is_primary_key()
                    && !flags.contains(LoopFlags::AUTO_INDEX)
                {
                    if search { " USING PRIMARY KEY" } else { "" }
                } else if flags.contains(LoopFlags::PARTIAL_IDX) {
                    " USING AUTOMATIC PARTIAL COVERING INDEX"
                } else if flags.contains(LoopFlags::AUTO_INDEX) {
                    " USING AUTOMATIC COVERING INDEX"
                } else if flags.intersects(LoopFlags::IDX_ONLY | LoopFlags::EXPRIDX) {
                    " USING COVERING INDEX "
                } else {
                    " USING INDEX "
                };
                line.push_str(text);
                if text.ends_with(' ') {
                    line.push_str(&index.name);
                }
                if !text.is_empty() {
                    range(&mut line, lp, index, table);
                }
            }
        } else if flags.intersects(LoopFlags::CONSTRAINT) {
            line.push_str(" USING INTEGER PRIMARY KEY (rowid");
            line.push_str(
                if flags.intersects(LoopFlags::COLUMN_EQ | LoopFlags::COLUMN_IN) {
                    "=?)"
                } else if flags.contains(LoopFlags::BOTH_LIMIT) {
                    ">? AND rowid<?)"
                } else if flags.contains(LoopFlags::BTM_LIMIT) {
                    ">?)"
                } else {
                    "<?)"
                },
            );
        }
        if source.join.left {
            line.push_str(" LEFT-JOIN");
        }
        line
    }
}

/// ` (a=? AND b>?)`
fn range(line: &mut String, lp: &Loop, index: &Index, table: &Table) {
    if lp.eq == 0 && !lp.flags.intersects(LoopFlags::BOTH_LIMIT) {
        return;
    }
    line.push_str(" (");
    for i in 0..usize::from(lp.eq) {
        if i > 0 {
            line.push_str(" AND ");
        }
        let name = column_name(index, table, i);
        let _ = if i >= usize::from(lp.skip) {
            write!(line, "{name}=?")
        } else {
            write!(line, "ANY({name})")
        };
    }
    let first = usize::from(lp.eq);
    let mut and = first > 0;
    if lp.flags.contains(LoopFlags::BTM_LIMIT) {
        bound(line, index, table, first, usize::from(lp.btm), and, '>');
        and = true;
    }
    if lp.flags.contains(LoopFlags::TOP_LIMIT) {
        bound(line, index, table, first, usize::from(lp.top), and, '<');
    }
    line.push(')');
}

fn bound(
    line: &mut String,
    index: &Index,
    table: &Table,
    first: usize,
    count: usize,
    and: bool,
    op: char,
) {
    let list = |items: Vec<String>| {
        if count > 1 {
            format!("({})", items.join(","))
        } else {
            items.concat()
        }
    };
    let names = list(
        (0..count)
            .map(|i| column_name(index, table, first + i).to_owned())
            .collect(),
    );
    let marks = list((0..count).map(|_| "?".to_owned()).collect());
    let _ = write!(line, "{}{names}{op}{marks}", if and { " AND " } else { "" });
}

pub(super) fn column_name<'t>(index: &Index, table: &'t Table, i: usize) -> &'t str {
    match &index.columns[i].key {
        IndexKey::Expr(_) => "<expr>",
        IndexKey::Rowid => "rowid",
        IndexKey::Column(c) => &table.columns[*c].name,
    }
}
