//! Questions about expressions that only the planner asks.
//!
//! Affinity, collation and the like are answered by [`crate::codegen::types`]; here is what follows from them for
//! indexes.

use super::like::Wildcards;
use super::term::{ExprRef, Sides};
use super::{Ops, Where};
use crate::bound::walk::{self, Node, Walk};
use crate::bound::{Expr, FunctionCall, InSet};
use crate::codegen::types::compare_affinity;
use crate::compiler::Compiler;
use crate::schema::{CollationName, Index};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::FunctionFlags;
use std::rc::Rc;

/// The expression without COLLATE and likelihoods around it.
pub fn skip<'q>(expr: &ExprRef<'q>) -> ExprRef<'q> {
    match expr {
        ExprRef::Tree(e) => ExprRef::Tree(e.without_collate()),
        ExprRef::Made(e) => match &**e {
            Expr::Collate { .. } | Expr::Likelihood { .. } => {
                ExprRef::made(e.without_collate().clone())
            }
            _ => expr.clone(),
        },
    }
}

/// The same of a reference.
#[inline]
pub fn skip_ref(expr: &Expr) -> &Expr {
    expr.without_collate()
}

/// Whether two expressions are the same but for COLLATE around them.
pub fn same_skip(a: &Expr, b: &Expr) -> bool {
    walk::same_without_collate(a, b)
}

/// The chance that `likelihood()` gives, in 2^27ths.
pub fn likelihood(expr: &Expr) -> Option<i32> {
    match expr {
        Expr::Likelihood { probability, .. } => Some(*probability),
        _ => None,
    }
}

/// The collation of an expression.
pub fn collation(c: &Compiler<'_>, expr: &Expr) -> CollationName {
    c.collation_name(expr).unwrap_or_default()
}

/// Whether exchanging the sides leaves the collation alone.
pub fn collation_is_symmetric(c: &Compiler<'_>, sides: &Sides<'_>) -> bool {
    let Some(right) = &sides.right else {
        return true;
    };
    let straight = c
        .compare_collation_name(&sides.left, right)
        .unwrap_or_default();
    let reversed = c
        .compare_collation_name(right, &sides.left)
        .unwrap_or_default();
    straight.same(&reversed)
}

/// Fills collation and affinity of a comparison in; `set` is the right side of an IN and the field of it.
pub fn complete(c: &Compiler<'_>, sides: &mut Sides<'_>, set: Option<(&InSet, usize)>) {
    let compared = |left: &Expr, right: &Expr, commuted: bool| {
        let name = if commuted {
            c.compare_collation_name(right, left)
        } else {
            c.compare_collation_name(left, right)
        };
        name.unwrap_or_default()
    };
    let own = sides.left.affinity();
    match (&sides.right, set) {
        (Some(right), _) => {
            sides.collation = compared(&sides.left, right, sides.commuted);
            sides.affinity = compare_affinity(right, own);
            if let (Expr::Vector(items), true) = (&*sides.left, sides.op.intersects(Ops::RANGE)) {
                if right.vector_size() == items.len() {
                    let fields = items.iter().enumerate();
                    let names =
                        fields.map(|(i, l)| compared(l, right.vector_field(i), sides.commuted));
                    sides.field_collations = Some(names.collect::<Rc<[_]>>());
                    let (l, r) = (&items[0], right.vector_field(0));
                    sides.collation = compared(l, r, sides.commuted);
                    sides.affinity = compare_affinity(r, l.affinity());
                }
            }
        }
        (None, Some((InSet::Select { select, .. }, field))) => match select.result.get(field) {
            Some(column) => {
                sides.collation = if field == 0 && select.result.len() == 1 {
                    collation(c, &sides.left)
                } else {
                    compared(&sides.left, &column.expr, false)
                };
                sides.affinity = compare_affinity(&column.expr, own);
            }
            None => sides.collation = collation(c, &sides.left),
        },
        (None, _) => {
            sides.collation = collation(c, &sides.left);
            sides.affinity = if own <= Affinity::None {
                Affinity::Blob
            } else {
                own
            };
        }
    }
}

/// Whether an index column of affinity `index` can serve a comparison that is made with affinity `used`.
#[inline]
pub fn index_affinity_ok(used: Affinity, index: Affinity) -> bool {
    match used {
        Affinity::None | Affinity::Blob => true,
        Affinity::Text => index == Affinity::Text,
        _ => index.is_numeric(),
    }
}

/// Whether an expression needs no more of a cursor's table than an index holds.
pub fn covered(expr: &Expr, cursor: i32, index: &Index) -> bool {
    !walk::any(expr, |e| match e {
        Expr::Column(column) => {
            column.cursor == cursor && index.position_of(column.column).is_none()
        }
        _ => false,
    })
}

/// The wildcards of a built-in LIKE or GLOB; none for other functions, or an ESCAPE that is no use.
pub fn wildcards(call: &FunctionCall) -> Option<Wildcards> {
    let def = &call.def;
    if !def.flags.contains(FunctionFlags::LIKE) || !(2..=3).contains(&call.args.len()) {
        return None;
    }
    let no_case = !def.flags.contains(FunctionFlags::CASE_SENSITIVE);
    let mut wild = if def.name.eq_ignore_ascii_case("glob") {
        Wildcards {
            all: b'*',
            one: b'?',
            set: b'[',
            escape: 0,
            no_case,
        }
    } else {
        Wildcards {
            all: b'%',
            one: b'_',
            set: 0,
            escape: 0,
            no_case,
        }
    };
    if let Some(escape) = call.args.get(2) {
        let Expr::Text(text) = escape else {
            return None;
        };
        match text[..] {
            [c] if c != 0 && c != wild.all && c != wild.one => wild.escape = c,
            _ => return None,
        }
    }
    Some(wild)
}

/// How many characters of a pattern are not wildcards: the more, the fewer rows match.
pub fn pattern_length(call: &FunctionCall) -> Option<usize> {
    let is_like = call.def.name.eq_ignore_ascii_case("like");
    let other = ["glob", "match", "regexp"]
        .iter()
        .any(|n| call.def.name.eq_ignore_ascii_case(n));
    if !(is_like || other) || call.args.len() < 2 {
        return None;
    }
    let (all, one, set) = if is_like {
        (b'%', b'_', 0)
    } else {
        (b'*', b'?', b'[')
    };
    let mut longest = 0;
    walk::walk(&call.args[0], &mut |node| {
        if let Node::Expr(Expr::Text(text)) = node {
            longest = longest.max(literal_length(text, all, one, set));
        }
        match node {
            Node::Select(_) => Walk::Prune,
            Node::Expr(_) => Walk::Continue,
        }
    });
    (longest > 0).then_some(longest)
}

fn literal_length(text: &[u8], all: u8, one: u8, set: u8) -> usize {
    let mut count = 0;
    let mut i = 0;
    while i < text.len() && text[i] != 0 {
        let c = text[i];
        i += 1;
        if set != 0 && c == set {
            i += 1;
            while i < text.len() && text[i] != b']' {
                i += 1;
            }
        } else if c != all && c != one {
            count += 1;
        }
    }
    count
}

/// Whether a text is a number and nothing else.
pub fn is_number_text(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> (usize, &[u8]) {
        let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
        (count, &text[count..])
    }
    fn unsigned(text: &[u8]) -> &[u8] {
        text.strip_prefix(b"-")
            .or_else(|| text.strip_prefix(b"+"))
            .unwrap_or(text)
    }
    let (whole, rest) = digits(unsigned(text.trim_ascii()));
    let (fraction, rest) = rest.strip_prefix(b".").map_or((0, rest), digits);
    let exponent = match rest {
        [] => true,
        [b'e' | b'E', power @ ..] => {
            let (count, end) = digits(unsigned(power));
            count > 0 && end.is_empty()
        }
        _ => false,
    };
    whole + fraction > 0 && exponent
}

impl Where<'_> {
    /// The column that an expression is: its cursor and number; an alias of the rowid counts as the rowid.
    pub fn column(&self, expr: &Expr) -> Option<(i32, i16)> {
        let column = match expr {
            Expr::Column(column) | Expr::Fixed { column, .. } => column,
            Expr::AggregateColumn { expr, .. } => match &**expr {
                Expr::Column(column) => column,
                _ => return None,
            },
            _ => return None,
        };
        let mut number = column.column;
        if number >= 0 {
            let source = self.sources.iter().find(|s| s.cursor() == column.cursor);
            if source.is_some_and(|s| s.item.table.rowid_alias == Some(number as usize)) {
                number = -1;
            }
        }
        Some((column.cursor, number as i16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for yes in ["1", "-1", " 12 ", "1.5", ".5", "5.", "1e5", "+1E-5"] {
            assert!(is_number_text(yes.as_bytes()), "{yes}");
        }
        for no in ["", "-", "abc", "1x", "1e", ".", "1.2.3", "0x10"] {
            assert!(!is_number_text(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn affinities_that_serve() {
        assert!(index_affinity_ok(Affinity::Blob, Affinity::Integer));
        assert!(index_affinity_ok(Affinity::Text, Affinity::Text));
        assert!(!index_affinity_ok(Affinity::Text, Affinity::Integer));
        assert!(!index_affinity_ok(Affinity::Numeric, Affinity::Text));
        assert!(index_affinity_ok(Affinity::Numeric, Affinity::Real));
    }
}
