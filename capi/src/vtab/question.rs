//! The question to xBestIndex: the engine's as C sees it, and its answer back.
//!
//! ```text
//!   Asked { info: sqlite3_index_info, …what the sqlite3_vtab_… functions tell beside it }
//!           ▲ the pointer that the method gets
//! ```

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_uchar};
use std::sync::Arc;

use ringwood::vtab::{DistinctMode, IndexInfo, IndexPlan, Usage};
use ringwood_vdbe::Mem;

use super::layout::{Constraint, OrderBy, sqlite3_index_info};
use crate::boundary::{c_string, object, text};
use crate::memory;
use crate::value::sqlite3_value;

/// A question on its way. The object that C sees stands first, so that a pointer to it is one to this.
#[repr(C)]
pub(super) struct Asked {
    info: sqlite3_index_info,
    constraints: Vec<Constraint>,
    order_by: Vec<OrderBy>,
    usage: Vec<super::layout::Usage>,
    collations: Vec<CString>,
    /// The right sides: boxed, for their addresses are given out.
    values: Vec<Option<Box<sqlite3_value>>>,
    /// Of each constraint: whether it is an IN, and whether that is wanted as a whole.
    lists: Vec<Cell<(bool, bool)>>,
    distinct: DistinctMode,
}

impl Asked {
    /// The question behind a pointer.
    pub(super) fn of<'a>(info: *const sqlite3_index_info) -> Option<&'a Asked> {
        // Only `new` makes these objects, and each stands at the start of an `Asked`.
        object(info.cast::<Asked>())
    }

    pub(super) fn new(info: &IndexInfo) -> Box<Asked> {
        let constraints = info
            .constraints
            .iter()
            .enumerate()
            .map(|(i, c)| Constraint {
                column: c.column,
                op: c.op.0,
                usable: c_uchar::from(c.usable),
                term: i as c_int,
            });
        let order_by = info.order_by.iter().map(|term| OrderBy {
            column: term.column,
            desc: c_uchar::from(term.desc),
        });
        let values = info.constraints.iter().map(|c| {
            let value = c.value.clone();
            value.map(|value| Box::new(sqlite3_value::owned(Mem::from_value(value))))
        });
        let mut asked = Box::new(Asked {
            constraints: constraints.collect(),
            order_by: order_by.collect(),
            usage: vec![super::layout::Usage::default(); info.constraints.len()],
            collations: info
                .constraints
                .iter()
                .map(|c| c_string(&*c.collation))
                .collect(),
            values: values.collect(),
            lists: info
                .constraints
                .iter()
                .map(|c| Cell::new((c.is_in, false)))
                .collect(),
            distinct: info.distinct,
            info: sqlite3_index_info {
                constraint_count: info.constraints.len() as c_int,
                constraints: std::ptr::null_mut(),
                order_by_count: info.order_by.len() as c_int,
                order_by: std::ptr::null_mut(),
                usage: std::ptr::null_mut(),
                number: 0,
                text: std::ptr::null_mut(),
                free_text: 0,
                order_by_consumed: 0,
                cost: info.estimated_cost,
                rows: info.estimated_rows,
                flags: 0,
                columns_used: info.columns_used,
            },
        });
        asked.info.constraints = asked.constraints.as_mut_ptr();
        asked.info.order_by = asked.order_by.as_mut_ptr();
        asked.info.usage = asked.usage.as_mut_ptr();
        asked
    }

    /// What the method gets.
    pub(super) fn pointer(&mut self) -> *mut sqlite3_index_info {
        std::ptr::from_mut(self).cast()
    }

    pub(super) fn collation(&self, i: usize) -> Option<*const c_char> {
        self.collations.get(i).map(|collation| collation.as_ptr())
    }

    pub(super) fn distinct(&self) -> c_int {
        match self.distinct {
            DistinctMode::Ordered => 0,
            DistinctMode::Grouped => 1,
            DistinctMode::Distinct => 2,
            DistinctMode::DistinctOrdered => 3,
        }
    }

    pub(super) fn is_in(&self, i: usize, handle: c_int) -> bool {
        let Some(list) = self.lists.get(i) else {
            return false;
        };
        let (is_in, _) = list.get();
        if handle >= 0 {
            list.set((is_in, is_in && handle > 0));
        }
        is_in
    }

    /// None if there is no such constraint; else the value, null if it is not known.
    pub(super) fn right_side(&self, i: usize) -> Option<*mut sqlite3_value> {
        let value = self.values.get(i)?;
        let pointer = |value: &sqlite3_value| std::ptr::from_ref(value).cast_mut();
        Some(value.as_deref().map_or(std::ptr::null_mut(), pointer))
    }

    /// Takes the plan's text: what is to be freed of it is.
    pub(super) fn take_text(&mut self) -> Option<Arc<str>> {
        let plan = text(self.info.text).map(|text| Arc::from(String::from_utf8_lossy(text)));
        if self.info.free_text != 0 {
            memory::release(self.info.text.cast());
        }
        self.info.text = std::ptr::null_mut();
        self.info.free_text = 0;
        plan
    }

    /// The answer, for the engine.
    pub(super) fn answer(&mut self, info: &mut IndexInfo) {
        for (i, (to, from)) in info.usage.iter_mut().zip(&self.usage).enumerate() {
            *to = Usage {
                // A number that cannot be is one that no argument has: the engine says that the table malfunctions.
                argument: usize::try_from(from.argument).unwrap_or(0),
                omit: from.omit != 0,
                in_all: self.lists[i].get().1,
            };
        }
        info.plan = IndexPlan {
            number: self.info.number,
            text: self.take_text(),
        };
        info.order_by_consumed = self.info.order_by_consumed != 0;
        info.estimated_cost = self.info.cost;
        info.estimated_rows = self.info.rows;
        info.unique = self.info.flags & 1 != 0;
        info.hexadecimal = self.info.flags & 2 != 0;
    }
}
