//! How cells are dealt out over pages: a pure function of their sizes.
//!
//! ```text
//!  table leaves:  c c c c | c c c c | c c c            every cell on a page
//!  all others:    c c c c D c c c c D c c              a divider D between two pages goes up to the parent
//! ```
//!
//! Pages are filled from the left. Then, unless the tree is being appended to, cells are moved right again as long
//! as the right page does not get fuller than the left one, so that an insert in the middle finds room on all.
//!
//! Source: SQLite's `balance_nonroot`.

use smallvec::SmallVec;

/// The most pages that siblings are dealt out over: three and two more.
pub(crate) const PAGES_MAX: usize = 5;

/// Where the cells of each page end; a page starts where the one before ends, or behind the divider that follows that.
pub(crate) type Cuts = SmallVec<[usize; PAGES_MAX]>;

/// Deals out cells. `costs` are their sizes with their pointers; `capacity` is what a page holds beside its header.
/// `None` if they do not fit on [`PAGES_MAX`] pages, or a cell fits on none: the tree is corrupt.
pub(crate) fn distribute(costs: &[u32], dividers: bool, capacity: u32, even: bool) -> Option<Cuts> {
    let mut cuts = Cuts::new();
    let mut filled: SmallVec<[u32; PAGES_MAX]> = SmallVec::new();
    let mut next = 0;
    loop {
        if cuts.len() == PAGES_MAX {
            return None;
        }
        let (mut end, mut size) = (next, 0);
        while end < costs.len() && size + costs[end] <= capacity {
            size += costs[end];
            end += 1;
        }
        // A page before the last has a cell of its own, or nothing would stand left of its divider.
        if end == next && end < costs.len() {
            return None;
        }
        cuts.push(end);
        filled.push(size);
        if end == costs.len() {
            break;
        }
        next = end + usize::from(dividers);
    }
    for right in (1..cuts.len()).rev() {
        shift_right(costs, dividers, even, &mut cuts, &mut filled, right)?;
    }
    Some(cuts)
}

/// Moves cells from page `right - 1` to page `right`: as many as make them even, and one in any case if `right` has
/// none.
fn shift_right(
    costs: &[u32],
    dividers: bool,
    even: bool,
    cuts: &mut Cuts,
    filled: &mut [u32],
    right: usize,
) -> Option<()> {
    let is_last = right == cuts.len() - 1;
    let first = if right == 1 {
        0
    } else {
        cuts[right - 2] + usize::from(dividers)
    };
    let (mut left_size, mut right_size) = (filled[right - 1], filled[right]);
    let mut end = cuts[right - 1];
    while end > first {
        // The last cell of the left page leaves it; what enters the right page is that cell, or the old divider.
        let leaving = costs[end - 1];
        let entering = if dividers { costs[end] } else { leaving };
        let slack = if is_last { 0 } else { 2 };
        let too_much = !even || right_size + entering > left_size - (leaving - 2 + slack);
        if right_size != 0 && too_much {
            break;
        }
        right_size += entering;
        left_size -= leaving;
        end -= 1;
    }
    if end == first {
        return None;
    }
    cuts[right - 1] = end;
    filled[right - 1] = left_size;
    filled[right] = right_size;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::distribute;

    /// Every page within its capacity and none empty, whatever the sizes.
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
            for even in [false, true] {
                let Some(cuts) = distribute(&costs, dividers, capacity, even) else {
                    assert!(costs.iter().sum::<u32>() > 2 * capacity);
                    continue;
                };
                dealt += 1;
                assert_eq!(cuts.last(), Some(&count));
                let mut first = 0;
                for (page, &end) in cuts.iter().enumerate() {
                    assert!(costs[first..end].iter().sum::<u32>() <= capacity);
                    assert!(
                        end > first || count == 0,
                        "page {page} of {cuts:?} is empty"
                    );
                    first = end + usize::from(dividers);
                }
            }
        }
        assert!(dealt > 1000);
    }

    #[test]
    fn appends_fill_pages_and_others_even_them_out() {
        let costs = [100; 10];
        let cuts = |dividers, even| distribute(&costs, dividers, 900, even).unwrap();
        assert_eq!(cuts(false, false).as_slice(), [9, 10]);
        assert_eq!(cuts(false, true).as_slice(), [5, 10]);
        // Five cells, a divider, four cells.
        assert_eq!(cuts(true, true).as_slice(), [5, 10]);
        // Nine cells and a divider would leave the second page empty.
        assert_eq!(cuts(true, false).as_slice(), [8, 10]);
    }
}
