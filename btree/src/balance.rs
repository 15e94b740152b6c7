//! Balancing: what happens when a page gets too full or too empty.
//!
//! | what                    | when | SQLite's name |
//! |-------------------------|------|---------------|
//! | append                  | a row behind all others does not fit: it goes alone on a new page | `balance_quick` |
//! | redistribute            | the cells of up to three siblings are dealt out anew over up to five | `balance_nonroot` |
//! | deepen                  | the root is too full: its cells go to new children | `balance_deeper` |
//! | collapse                | the root's only child fits in the root | balance-shallower |
//!
//! A change runs in three parts:
//! 1. **Gather and plan** ([`plan`]): a function of the pages on the way up and their siblings. It changes nothing;
//!    where a page is missing it answers `Miss` and is called again. The plan covers all levels up to the root.
//! 2. **Reserve**: the pages that the plan needs are allocated, and private copies made of all that it changes.
//! 3. **Apply**: the pages are written, without waiting. Then pages that are left over are freed.
//!
//! A future dropped in part 1 leaves nothing behind; in part 2, allocated pages that nothing refers to; after part 3,
//! pages that should have been freed. Whoever drops a change, or gets an error from it, rolls its savepoint back.

pub(crate) mod apply;
pub(crate) mod deal;
pub(crate) mod distribute;
pub(crate) mod draft;
pub(crate) mod plan;
