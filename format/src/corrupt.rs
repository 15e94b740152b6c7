//! The one error of every decoder: these bytes are not what the format allows.
//!
//! Rules:
//! 1. A decoder never panics and never reads outside the slice that it was given; it returns [`Corrupt`].
//! 2. `reason` is a constant sentence, so that making and dropping the error costs nothing.
//! 3. A decoder that does not know its page leaves `page` empty; the caller that knows fills it in with
//!    [`Corrupt::at`].

use crate::page::PageNo;
use std::fmt;

/// Bytes that violate the file format: where, and which rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt {
    /// The page that holds the bytes, where it is known.
    pub page: Option<PageNo>,
    /// The rule that was broken.
    pub reason: &'static str,
}

impl Corrupt {
    /// An error that does not know its page.
    #[cold]
    pub const fn new(reason: &'static str) -> Corrupt {
        Corrupt { page: None, reason }
    }

    /// An error about `page`.
    #[cold]
    pub const fn on(page: PageNo, reason: &'static str) -> Corrupt {
        Corrupt {
            page: Some(page),
            reason,
        }
    }

    /// The same error, with the page filled in unless it was already known.
    #[must_use]
    pub const fn at(self, page: PageNo) -> Corrupt {
        match self.page {
            Some(_) => self,
            None => Corrupt {
                page: Some(page),
                reason: self.reason,
            },
        }
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.page {
            Some(page) => write!(f, "page {page}: {}", self.reason),
            None => f.write_str(self.reason),
        }
    }
}

impl std::error::Error for Corrupt {}
