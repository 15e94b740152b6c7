//! Collations: how two texts are ordered.
//!
//! | name     | order |
//! |----------|-------|
//! | `BINARY` | the encoded bytes, as unsigned numbers; a prefix sorts first |
//! | `NOCASE` | the same after folding the 26 ASCII capital letters; stops at a NUL that both have |
//! | `RTRIM`  | `BINARY` after dropping spaces at the end |
//! | other    | a function that the application gave |
//!
//! Rules:
//! 1. Text is compared as UTF-8, except by `BINARY` in a UTF-16 database, which compares the UTF-16 bytes as they
//!    are stored. [`Collation::compare_encoded`] knows that; [`Collation::compare`] is for UTF-8 databases and for
//!    everything but `BINARY`.
//! 2. `NOCASE` compares like C's `strncasecmp` over the common length and then by length, as SQLite's does.
//!
//! Source: SQLite's `binCollFunc`, `nocaseCollatingFunc`, `rtrimCollFunc`.

use crate::value::{TextEncoding, compare_utf16_order};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The function behind an application's collation.
pub type CollationFn = dyn Fn(&[u8], &[u8]) -> Ordering + Send + Sync;

/// A collation that the application defined.
pub struct CustomCollation {
    /// Its name, as it was registered.
    pub name: String,
    /// Compares two UTF-8 texts.
    pub compare: Arc<CollationFn>,
}

impl fmt::Debug for CustomCollation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomCollation")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A way to order text.
#[derive(Clone, Debug, Default)]
pub enum Collation {
    /// By bytes.
    #[default]
    Binary,
    /// By bytes, ASCII letters without case.
    NoCase,
    /// By bytes, without spaces at the end.
    Rtrim,
    /// By an application's function.
    Custom(Arc<CustomCollation>),
}

impl Collation {
    /// The built-in collation of that name, without regard to case.
    pub fn builtin(name: &str) -> Option<Collation> {
        if name.eq_ignore_ascii_case("BINARY") {
            Some(Collation::Binary)
        } else if name.eq_ignore_ascii_case("NOCASE") {
            Some(Collation::NoCase)
        } else if name.eq_ignore_ascii_case("RTRIM") {
            Some(Collation::Rtrim)
        } else {
            None
        }
    }

    /// The collation's name.
    pub fn name(&self) -> &str {
        match self {
            Collation::Binary => "BINARY",
            Collation::NoCase => "NOCASE",
            Collation::Rtrim => "RTRIM",
            Collation::Custom(custom) => &custom.name,
        }
    }

    /// Whether this is `BINARY`.
    #[inline]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Collation::Binary)
    }

    /// Orders two UTF-8 texts; see rule 1 for UTF-16 databases.
    #[inline]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Collation::Binary => a.cmp(b),
            Collation::NoCase => compare_nocase(a, b),
            Collation::Rtrim => trim_spaces(a).cmp(trim_spaces(b)),
            Collation::Custom(custom) => (custom.compare)(a, b),
        }
    }

    /// Orders two UTF-8 texts as a database of that encoding does (rule 1).
    #[inline]
    pub fn compare_encoded(&self, a: &[u8], b: &[u8], encoding: TextEncoding) -> Ordering {
        match (self, encoding) {
            (Collation::Binary, TextEncoding::Utf16le | TextEncoding::Utf16be) => {
                compare_utf16_order(a, b, encoding)
            }
            _ => self.compare(a, b),
        }
    }
}

impl PartialEq for Collation {
    /// Built-in collations are equal to themselves, custom ones if they are the same registration.
    fn eq(&self, other: &Collation) -> bool {
        match (self, other) {
            (Collation::Binary, Collation::Binary)
            | (Collation::NoCase, Collation::NoCase)
            | (Collation::Rtrim, Collation::Rtrim) => true,
            (Collation::Custom(a), Collation::Custom(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Collation {}

fn compare_nocase(a: &[u8], b: &[u8]) -> Ordering {
    for (&x, &y) in a.iter().zip(b) {
        if x != y {
            let (x, y) = (x.to_ascii_lowercase(), y.to_ascii_lowercase());
            if x != y {
                return x.cmp(&y);
            }
        } else if x == 0 {
            break; // rule 2: strncasecmp ends at a NUL
        }
    }
    a.len().cmp(&b.len())
}

fn trim_spaces(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != b' ').map_or(0, |at| at + 1);
    &text[..end]
}
