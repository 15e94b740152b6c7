//! Editing one page: space, cells, and pages built anew.

pub(crate) mod build;
pub(crate) mod edit;
