//! Affinity: the type that a column prefers, and what it does to a value; CAST.
//!
//! | declared type contains (first rule that fits) | affinity |
//! |-----------------------------------------------|----------|
//! | `INT`                                         | INTEGER |
//! | `CHAR`, `CLOB`, `TEXT`                        | TEXT |
//! | `BLOB`, or there is no type                   | BLOB |
//! | `REAL`, `FLOA`, `DOUB`                        | REAL |
//! | anything else                                 | NUMERIC |
//!
//! Source: "Datatypes In SQLite", sections 3 and 4; SQLite's `sqlite3AffinityType`, `applyAffinity`,
//! `sqlite3VdbeMemCast`.

/// The preferred type of a column or an expression. The numbers are SQLite's, and ordered: from
/// [`Affinity::Numeric`] on they want numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Affinity {
    /// No affinity: an expression.
    None = b'@',
    /// No preference.
    Blob = b'A',
    /// Text.
    Text = b'B',
    /// A number where the text is one.
    Numeric = b'C',
    /// The same, and whole reals become integers.
    Integer = b'D',
    /// A real.
    Real = b'E',
    /// Text becomes a number where it is one; numbers stay as they are (subquery columns).
    Flexnum = b'F',
}

impl Affinity {
    /// The affinity of a column with that declared type.
    pub fn of_type(declared: &str) -> Affinity {
        if declared.is_empty() {
            return Affinity::Blob;
        }
        let mut affinity = Affinity::Numeric;
        let mut window = 0u32; // the last four bytes, in lower case
        for byte in declared.bytes() {
            window = window << 8 | byte.to_ascii_lowercase() as u32;
            match &window.to_be_bytes() {
                b"char" | b"clob" | b"text" => affinity = Affinity::Text,
                b"blob" if matches!(affinity, Affinity::Numeric | Affinity::Real) => {
                    affinity = Affinity::Blob
                }
                b"real" | b"floa" | b"doub" if affinity == Affinity::Numeric => {
                    affinity = Affinity::Real
                }
                [_, b'i', b'n', b't'] => return Affinity::Integer,
                _ => {}
            }
        }
        affinity
    }

    /// SQLite's letter for it, as EXPLAIN prints it.
    #[inline]
    pub const fn letter(self) -> char {
        self as u8 as char
    }

    /// The affinity with that letter.
    pub const fn from_letter(letter: u8) -> Option<Affinity> {
        Some(match letter {
            b'@' => Affinity::None,
            b'A' => Affinity::Blob,
            b'B' => Affinity::Text,
            b'C' => Affinity::Numeric,
            b'D' => Affinity::Integer,
            b'E' => Affinity::Real,
            b'F' => Affinity::Flexnum,
            _ => return None,
        })
    }

    /// Whether it wants numbers.
    #[inline]
    pub const fn is_numeric(self) -> bool {
        self as u8 >= Affinity::Numeric as u8
    }
}
