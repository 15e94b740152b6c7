//! The memory of the planner and of the loops, handed from one FROM clause to the next, and to the next statement.
//!
//! Most statements have one FROM clause with a few terms: their lists are never allocated, but for the first time.

use super::LevelCode;
use crate::plan::term::Term;
use crate::plan::{Clause, Level, Loop, Where};

/// Empty lists with room.
#[derive(Default)]
pub(crate) struct Memory {
    terms: Vec<Term<'static>>,
    clauses: Vec<Clause>,
    loops: Vec<Loop>,
    places: Vec<Level>,
    levels: Vec<LevelCode>,
}

/// Room for as many elements is kept.
const KEPT_MAX: usize = 64;

impl Memory {
    /// Gives the lists to a plan, which has none; the list of its levels' code.
    pub(super) fn lend(self, plan: &mut Where<'_>) -> Vec<LevelCode> {
        plan.terms = self.terms;
        plan.clauses = self.clauses;
        plan.loops = self.loops;
        plan.levels = self.places;
        self.levels
    }

    /// Takes the lists of a plan that is done with.
    pub(super) fn of(plan: &mut Where<'_>, levels: &mut Vec<LevelCode>) -> Memory {
        Memory {
            terms: emptied(kept(&mut plan.terms)),
            clauses: kept(&mut plan.clauses),
            loops: kept(&mut plan.loops),
            places: kept(&mut plan.levels),
            levels: kept(levels),
        }
    }
}

#[inline]
fn kept<T>(list: &mut Vec<T>) -> Vec<T> {
    let mut list = std::mem::take(list);
    list.clear();
    if list.capacity() > KEPT_MAX {
        list = Vec::new();
    }
    list
}

/// The memory of a list of terms, for terms of another statement: collecting in place keeps it.
#[inline]
fn emptied<'a>(terms: Vec<Term<'_>>) -> Vec<Term<'a>> {
    debug_assert!(terms.is_empty(), "terms of a statement stay with it");
    let none = terms.into_iter().map(|_| unreachable!("it is empty"));
    none.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::Expr;
    use crate::plan::TermFlags;
    use crate::plan::term::{ExprRef, On};

    #[test]
    fn an_emptied_list_keeps_its_memory() {
        let expr = Expr::Null;
        let mut terms = Vec::with_capacity(5);
        terms.push(Term::new(
            ExprRef::Tree(&expr),
            On::Where,
            TermFlags::empty(),
        ));
        let place = terms.as_ptr().addr();
        terms.clear();
        let terms: Vec<Term<'static>> = emptied(terms);
        assert_eq!((terms.capacity(), terms.as_ptr().addr()), (5, place));
    }
}
