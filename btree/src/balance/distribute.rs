//! How cells are dealt out over pages: a pure function of their sizes.
//!
//! ```text
//!  table leaves:  c c c c | c c c c | c c c            every cell on a page
//!  all others:    c c c c D c c c c D c c              a divider D between two pages goes up to the parent
//! ```
//!
//! Starting from how the cells lie, pages are filled from the left: each takes what fits from the right, or gives what
//! does not. Then, unless the tree is being appended to, cells are moved right again as long as the right page does
//! not get fuller than the left one, so that an insert in the middle finds room on all. Only cells that cross a border
//! are measured.
//!
//! Source: SQLite's `balance_nonroot`.

use ringwood_format::corrupt::Corrupt;
use smallvec::SmallVec;

/// The most pages that siblings are dealt out over: three and two more.
pub(crate) const PAGES_MAX: usize = 5;

/// A page: where its cells end (it starts where the one before ends, or behind the divider that follows that), and
/// the bytes of its cells with their pointers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub(crate) end: usize,
    pub(crate) filled: i64,
}

/// The pages of a level, in order.
pub(crate) type Parts = SmallVec<[Part; PAGES_MAX]>;

/// The cells that are dealt out.
pub(crate) struct Cells<F> {
    pub(crate) count: usize,
    /// Whether there is a divider between two pages.
    pub(crate) dividers: bool,
    /// Bytes that a page holds beside its header.
    pub(crate) capacity: i64,
    /// The size of a cell with its pointer.
    pub(crate) cost: F,
}

const DOES_NOT_FIT: Corrupt = Corrupt {
    page: None,
    reason: "cells do not fit on siblings",
};

/// Deals cells out. `parts` says how they lie; pages may be too full there.
///
/// # Errors
/// If they do not fit on [`PAGES_MAX`] pages, or a cell fits on none: the tree is corrupt.
pub(crate) fn distribute<F: FnMut(usize) -> Result<u32, Corrupt>>(
    mut cells: Cells<F>,
    even: bool,
    mut parts: Parts,
) -> Result<Parts, Corrupt> {
    cells.pack_left(&mut parts)?;
    for right in (1..parts.len()).rev() {
        cells.shift_right(&mut parts, right, even)?;
    }
    Ok(parts)
}

impl<F: FnMut(usize) -> Result<u32, Corrupt>> Cells<F> {
    fn cost(&mut self, cell: usize) -> Result<i64, Corrupt> {
        (self.cost)(cell).map(i64::from)
    }

    /// What crosses the border behind a page when `cell` does: `cell`, or the divider at `divider`; nothing behind
    /// the last cell.
    fn crossing(&mut self, cell_cost: i64, divider: usize) -> Result<i64, Corrupt> {
        match (self.dividers, divider < self.count) {
            (false, _) => Ok(cell_cost),
            (true, true) => self.cost(divider),
            (true, false) => Ok(0),
        }
    }

    fn pack_left(&mut self, parts: &mut Parts) -> Result<(), Corrupt> {
        let mut page = 0;
        while page < parts.len() {
            let first = if page == 0 {
                0
            } else {
                parts[page - 1].end + usize::from(self.dividers)
            };
            let Part {
                mut end,
                mut filled,
            } = parts[page];
            // If the page before has taken all of this one and more, `end` lies before `first`, and `filled` is
            // negative by what lies between.
            while filled > self.capacity {
                if page + 1 == parts.len() {
                    if parts.len() == PAGES_MAX {
                        return Err(DOES_NOT_FIT);
                    }
                    parts.push(Part {
                        end: self.count,
                        filled: 0,
                    });
                }
                if end <= first {
                    return Err(DOES_NOT_FIT);
                }
                let leaving = self.cost(end - 1)?;
                filled -= leaving;
                parts[page + 1].filled += self.crossing(leaving, end)?;
                end -= 1;
            }
            while end < self.count {
                let entering = self.cost(end)?;
                if filled + entering > self.capacity {
                    break;
                }
                filled += entering;
                end += 1;
                let crossing = self.crossing(entering, end)?;
                if let Some(next) = parts.get_mut(page + 1) {
                    next.filled -= crossing;
                }
            }
            parts[page] = Part { end, filled };
            if end >= self.count {
                parts.truncate(page + 1);
            } else if end <= first || page + 1 == parts.len() {
                return Err(DOES_NOT_FIT);
            }
            page += 1;
        }
        Ok(())
    }

    /// Moves cells from page `right - 1` to page `right`: as many as make them even, and one in any case if `right`
    /// has none.
    fn shift_right(&mut self, parts: &mut Parts, right: usize, even: bool) -> Result<(), Corrupt> {
        let slack = if right == parts.len() - 1 { 0 } else { 2 };
        let first = if right == 1 {
            0
        } else {
            parts[right - 2].end + usize::from(self.dividers)
        };
        let (mut left_size, mut right_size) = (parts[right - 1].filled, parts[right].filled);
        let mut end = parts[right - 1].end;
        while end > first {
            let leaving = self.cost(end - 1)?;
            let entering = self.crossing(leaving, end)?;
            let too_much = !even || right_size + entering > left_size - (leaving - 2 + slack);
            if right_size != 0 && too_much {
                break;
            }
            right_size += entering;
            left_size -= leaving;
            end -= 1;
        }
        if end == first {
            return Err(DOES_NOT_FIT);
        }
        parts[right - 1] = Part {
            end,
            filled: left_size,
        };
        parts[right].filled = right_size;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cells, PAGES_MAX, Part, Parts, distribute};

    fn deal(
        costs: &[u32],
        dividers: bool,
        capacity: u32,
        even: bool,
        parts: Parts,
    ) -> Option<Parts> {
        let cost = |cell: usize| Ok(costs[cell]);
        distribute(
            Cells {
                count: costs.len(),
                dividers,
                capacity: capacity as i64,
                cost,
            },
            even,
            parts,
        )
        .ok()
    }

    fn one_page(costs: &[u32]) -> Parts {
        Parts::from_slice(&[Part {
            end: costs.len(),
            filled: costs.iter().sum::<u32>() as i64,
        }])
    }

    /// Every page within its capacity and none empty, whatever the sizes and however the cells lie.
    #[test]
    fn pages_are_full_but_not_overfull() {
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        let mut dealt = 0;
        for round in 0..5000 {
            let capacity = 480 + random(4000) as u32;
            // Index cells are at most a quarter of a page; rows may fill one.
            let dividers = round % 2 == 0;
            let largest = if dividers { capacity / 4 } else { capacity };
            let count = random(120) as usize;
            let costs: Vec<u32> = (0..count)
                .map(|_| 6 + random(largest as u64 - 5) as u32)
                .collect();
            // Up to three pages, which may be too full.
            let mut ends = Vec::new();
            if count > 9 {
                for _ in 0..random(3) {
                    ends.push(
                        ends.last().map_or(1, |end| end + 2) + random(count as u64 / 4) as usize,
                    );
                }
            }
            ends.push(count);
            let mut parts = Parts::new();
            let mut first = 0;
            for end in ends {
                parts.push(Part {
                    end,
                    filled: costs[first..end].iter().sum::<u32>() as i64,
                });
                first = end + usize::from(dividers);
            }
            for even in [false, true] {
                let Some(parts) = deal(&costs, dividers, capacity, even, parts.clone()) else {
                    assert!(costs.iter().sum::<u32>() > 2 * capacity);
                    continue;
                };
                dealt += 1;
                assert!(parts.len() <= PAGES_MAX);
                assert_eq!(parts.last().map(|part| part.end), Some(count));
                let mut first = 0;
                for (page, part) in parts.iter().enumerate() {
                    let filled: u32 = costs[first..part.end].iter().sum();
                    assert_eq!(part.filled, filled as i64);
                    assert!(filled <= capacity);
                    assert!(
                        part.end > first || count == 0,
                        "page {page} of {parts:?} is empty"
                    );
                    first = part.end + usize::from(dividers);
                }
            }
        }
        assert!(dealt > 1000);
    }

    #[test]
    fn appends_fill_pages_and_others_even_them_out() {
        let costs = [100; 10];
        let ends = |dividers, even| -> Vec<usize> {
            let parts = deal(&costs, dividers, 900, even, one_page(&costs)).unwrap();
            parts.iter().map(|part| part.end).collect()
        };
        assert_eq!(ends(false, false), [9, 10]);
        assert_eq!(ends(false, true), [5, 10]);
        // Five cells, a divider, four cells.
        assert_eq!(ends(true, true), [5, 10]);
        // Nine cells and a divider would leave the second page empty.
        assert_eq!(ends(true, false), [8, 10]);
    }
}
