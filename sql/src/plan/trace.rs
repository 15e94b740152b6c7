//! The plan in print, after each pass: for golden files and for whoever asks why.
//!
//! ```text
//! terms
//!   T0 ....  {0:1} EQ           prereq 0 0
//!   T1 V...  {0:2} GE           prereq 0 0  of T2
//! loops
//!   t.i_ab (a=T0)               needs 0  cost 0,39,33
//! path   cost 39 rows 33 order 1 reverse 0
//!   t.i_ab (a=T0)
//! ```

use super::{Loop, LoopFlags, TermFlags, Where};
use crate::schema::IndexKey;
use std::fmt::Write as _;

/// Terms, candidate loops and the chosen path.
pub fn print(plan: &Where<'_>) -> String {
    let mut out = String::from("terms\n");
    for (i, t) in plan.terms.iter().enumerate() {
        let mark = |on: bool, c: char| if on { c } else { '.' };
        let _ = write!(
            out,
            "  T{i} {}{}{}{} {{{}:{}}} {:?} prereq {:x} {:x}",
            mark(t.is_virtual(), 'V'),
            mark(t.ops.contains(super::Ops::EQUIV), 'E'),
            mark(t.on.is_outer(), 'L'),
            mark(t.flags.contains(TermFlags::CODED), 'C'),
            t.cursor,
            t.column,
            t.ops,
            t.prereq_right,
            t.prereq_all,
        );
        if let Some(parent) = t.parent {
            let _ = write!(out, " of T{}", parent.0);
        }
        out.push('\n');
    }
    out.push_str("loops\n");
    for lp in &plan.loops {
        out.push_str("  ");
        print_loop(&mut out, plan, lp);
        let _ = writeln!(
            out,
            " needs {:x} cost {},{},{}",
            lp.prereq, lp.setup, lp.run, lp.rows
        );
    }
    let _ = writeln!(
        out,
        "path cost {} rows {} order {} reverse {:x} distinct {:?}",
        plan.total_cost, plan.rows_out, plan.satisfied, plan.reverse, plan.distinct
    );
    for level in &plan.levels {
        out.push_str("  ");
        print_loop(&mut out, plan, &level.lp);
        out.push('\n');
    }
    out
}

fn print_loop(out: &mut String, plan: &Where<'_>, lp: &Loop) {
    let item = plan.sources[usize::from(lp.source)].item;
    out.push_str(&item.display_name());
    let index = lp.index.map(|no| &item.table.indexes[usize::from(no)]);
    if let Some(index) = index {
        let _ = write!(out, ".{}", index.name);
    } else if lp.flags.contains(LoopFlags::AUTO_INDEX) {
        out.push_str(".(automatic)");
    } else if lp.flags.contains(LoopFlags::MULTI_OR) {
        out.push_str(".(or)");
    }
    if lp.terms.is_empty() {
        return;
    }
    out.push_str(" (");
    for (i, term) in lp.terms.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        let column = index
            .and_then(|index| index.columns.get(i))
            .map(|column| match &column.key {
                IndexKey::Column(n) => &*item.table.columns[*n].name,
                IndexKey::Rowid => "rowid",
                IndexKey::Expr(_) => "<expr>",
            });
        match term {
            Some(id) => {
                let _ = write!(
                    out,
                    "{}T{}",
                    column.map(|c| format!("{c}:")).unwrap_or_default(),
                    id.0
                );
            }
            None => out.push_str("ANY"),
        }
    }
    out.push(')');
}
