//! Finding the terms that constrain a column, through equivalences as well.
//!
//! ```text
//! WHERE t.a = u.b AND u.b = 5        a scan for t.a finds  t.a = u.b  and, as u.b may stand for t.a,  u.b = 5
//! ```
//!
//! Rules:
//! 1. The clause is searched first, then the clauses around it; then all of that again for each column that is
//!    equivalent, in the order in which they were found, at most 11.
//! 2. With an index, only terms whose collation is the index column's and whose comparison uses an affinity that the
//!    column's values already have.
//! 3. Through an equivalence, terms of an outer join's ON are not used, and `x = x` never is.
//!
//! Source: SQLite's `whereScanInit`, `whereScanNext`, `sqlite3WhereFindTerm`.

use super::facts;
use super::{ClauseId, EXPR, Mask, Ops, ROWID, TermId, Where};
use crate::bound::Expr;
use crate::schema::{CollationName, IndexKey};
use ringwood_format::affinity::Affinity;
use smallvec::SmallVec;

const EQUIVALENT_MAX: usize = 11;

/// An index column to be matched.
#[derive(Clone, Copy, Debug)]
pub struct IndexColumnRef {
    /// The source.
    pub source: u8,
    /// The index's place in its table's list; none is the rowid, as an index of one column.
    pub index: Option<u16>,
    /// The column's place in the index.
    pub position: u16,
}

/// A scan under way.
#[derive(Debug)]
pub struct Scan<'s> {
    origin: ClauseId,
    clause: Option<ClauseId>,
    next: usize,
    ops: Ops,
    columns: SmallVec<[(i32, i16); 4]>,
    /// How many of `columns` have been begun.
    current: usize,
    affinity: Affinity,
    collation: Option<&'s CollationName>,
    expr: Option<&'s Expr>,
}

impl<'s> Scan<'s> {
    /// A scan for a plain column.
    pub fn column(clause: ClauseId, cursor: i32, column: i16, ops: Ops) -> Scan<'s> {
        let mut columns = SmallVec::new();
        columns.push((cursor, column));
        Scan {
            origin: clause,
            clause: Some(clause),
            next: 0,
            ops,
            columns,
            current: 0,
            affinity: Affinity::None,
            collation: None,
            expr: None,
        }
    }

    /// A scan for an index column.
    pub fn index(plan: &'s Where<'_>, clause: ClauseId, at: IndexColumnRef, ops: Ops) -> Scan<'s> {
        let source = &plan.sources[usize::from(at.source)];
        let cursor = source.cursor();
        let table = &source.item.table;
        let Some(index) = at.index else {
            return Scan::column(clause, cursor, ROWID, ops);
        };
        let key = &table.indexes[usize::from(index)].columns[usize::from(at.position)];
        match &key.key {
            IndexKey::Rowid => Scan::column(clause, cursor, ROWID, ops),
            IndexKey::Column(c) if table.rowid_alias == Some(*c) => {
                Scan::column(clause, cursor, ROWID, ops)
            }
            IndexKey::Column(c) => {
                let mut scan = Scan::column(clause, cursor, *c as i16, ops);
                scan.affinity = table.columns[*c].affinity;
                scan.collation = Some(&key.collation);
                scan
            }
            IndexKey::Expr(_) => {
                let mut scan = Scan::column(clause, cursor, EXPR, ops);
                scan.expr = plan.index_expr(at.source, index, at.position);
                scan.affinity = scan.expr.map_or(Affinity::None, Expr::affinity);
                scan.collation = Some(&key.collation);
                if scan.expr.is_none() {
                    scan.clause = None;
                }
                scan
            }
        }
    }

    /// Whether the last term was found through an equivalence.
    pub fn is_transitive(&self) -> bool {
        self.current > 0
    }

    /// The next term.
    pub fn next(&mut self, plan: &Where<'_>) -> Option<TermId> {
        loop {
            let (cursor, column) = self.columns[self.current];
            while let Some(clause) = self.clause {
                let clause = plan.clause(clause);
                while let Some(&id) = clause.terms.get(self.next) {
                    self.next += 1;
                    if self.accept(plan, id, cursor, column) {
                        return Some(id);
                    }
                }
                self.clause = clause.outer;
                self.next = 0;
            }
            if self.current + 1 >= self.columns.len() {
                return None;
            }
            self.current += 1;
            self.clause = Some(self.origin);
            self.next = 0;
        }
    }

    fn accept(&mut self, plan: &Where<'_>, id: TermId, cursor: i32, column: i16) -> bool {
        let t = plan.term(id);
        if !t.constrains(cursor, column) {
            return false;
        }
        let Some(sides) = &t.sides else { return false };
        if column == EXPR && !self.expr.is_some_and(|e| facts::same_skip(&sides.left, e)) {
            return false;
        }
        if self.current > 0 && t.on.is_outer() {
            return false; // rule 3
        }
        if t.ops.contains(Ops::EQUIV) && self.columns.len() < EQUIVALENT_MAX {
            if let Some(other) = sides
                .right
                .as_ref()
                .and_then(|r| plan.column(facts::skip_ref(r)))
            {
                if !self.columns.contains(&other) {
                    self.columns.push(other);
                }
            }
        }
        if !t.ops.intersects(self.ops) {
            return false;
        }
        if let Some(wanted) = self.collation {
            // Rule 2.
            if !t.ops.contains(Ops::ISNULL) {
                if !facts::index_affinity_ok(sides.affinity, self.affinity)
                    || !sides.collation.same(wanted)
                {
                    return false;
                }
            }
        }
        if t.ops.intersects(Ops::EQ | Ops::IS) {
            if sides.right.as_deref().and_then(|r| plan.column(r)) == Some(self.columns[0]) {
                return false; // rule 3: x = x
            }
        }
        true
    }
}

impl Where<'_> {
    /// The best single term on a column: one with a constant right side if there is one, else the first whose needs
    /// are met by sources outside `not_ready`.
    pub fn find_term(&self, mut scan: Scan<'_>, not_ready: Mask, ops: Ops) -> Option<TermId> {
        let equality = ops & (Ops::EQ | Ops::IS);
        let mut found = None;
        while let Some(id) = scan.next(self) {
            let t = self.term(id);
            if t.prereq_right & not_ready == 0 {
                if t.prereq_right == 0 && t.ops.intersects(equality) {
                    return Some(id);
                }
                found = found.or(Some(id));
            }
        }
        found
    }
}
