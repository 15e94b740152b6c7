//! The short cut: a single table of which a rowid or a whole unique key is given.
//!
//! Most statements of most programs end here: no candidates are made and nothing is solved.
//!
//! Source: SQLite's `whereShortCut`.

use super::cost;
use super::scan::{IndexColumnRef, Scan};
use super::term::Rows;
use super::{ClauseId, Control, Distinct, Level, Loop, LoopFlags, Ops, ROWID, TermId, Where};

/// Keys with more columns go the long way.
const KEY_COLUMNS_MAX: usize = 3;

impl Where<'_> {
    /// Plans the statement at once, if it is that simple.
    pub fn short_cut(&mut self) -> bool {
        let source = self.sources[0];
        let hint = self.hint(0);
        if self.control.contains(Control::OR_SUBCLAUSE)
            || source.rows != Rows::Table
            || source.item.table.is_virtual()
            || hint.none
            || hint.only.is_some()
        {
            return false;
        }
        let table = &source.item.table;
        let mut lp = Loop::empty();
        lp.self_mask = 1;
        lp.rows = 1;
        let mut scan = Scan::column(ClauseId::WHERE, source.cursor(), ROWID, Ops::EQ | Ops::IS);
        if let Some((id, transitive)) = self.constant_term(&mut scan) {
            lp.flags = LoopFlags::COLUMN_EQ | LoopFlags::IPK | LoopFlags::ONEROW;
            if transitive {
                lp.flags |= LoopFlags::TRANSCONS;
            }
            lp.terms.push(Some(id));
            lp.eq = 1;
            lp.run = cost::SHORTCUT_IPK;
        } else {
            let found = table.indexes.iter().enumerate().find_map(|(no, index)| {
                if index.unique.is_none()
                    || index.partial.is_some()
                    || index.key_count > KEY_COLUMNS_MAX
                {
                    return None;
                }
                let ops = if index.unique_not_null {
                    Ops::EQ | Ops::IS
                } else {
                    Ops::EQ
                };
                let mut terms = smallvec::SmallVec::<[Option<TermId>; 4]>::new();
                let mut transitive = false;
                for position in 0..index.key_count as u16 {
                    let at = IndexColumnRef {
                        source: 0,
                        index: Some(no as u16),
                        position,
                    };
                    let mut scan = Scan::index(self, ClauseId::WHERE, at, ops);
                    let (id, by_way) = self.constant_term(&mut scan)?;
                    transitive = by_way;
                    terms.push(Some(id));
                }
                Some((no as u16, terms, transitive))
            });
            let Some((no, terms, transitive)) = found else {
                return false;
            };
            let is_table = table.without_rowid && table.indexes[usize::from(no)].is_primary_key();
            lp.flags = LoopFlags::COLUMN_EQ | LoopFlags::ONEROW | LoopFlags::INDEXED;
            if is_table || self.columns_missing(0, no) == 0 {
                lp.flags |= LoopFlags::IDX_ONLY;
            }
            if transitive {
                lp.flags |= LoopFlags::TRANSCONS;
            }
            lp.eq = terms.len() as u16;
            lp.terms = terms;
            lp.index = Some(no);
            lp.run = cost::SHORTCUT_INDEX;
        }
        self.rows_out = 1;
        self.total_cost = lp.run;
        if let Some(list) = &self.order_by {
            self.satisfied = list.len() as i8;
        }
        if self.control.contains(Control::WANT_DISTINCT) {
            self.distinct = Distinct::Unique;
        }
        self.levels.clear();
        self.levels.push(Level::new(lp));
        true
    }

    fn constant_term(&self, scan: &mut Scan<'_>) -> Option<(TermId, bool)> {
        while let Some(id) = scan.next(self) {
            if self.term(id).prereq_right == 0 {
                return Some((id, scan.is_transitive()));
            }
        }
        None
    }
}
