//! The collation `uint`: where both texts have a number without sign, the numbers decide, whatever zeros they begin with.
//!
//! Source: SQLite's `ext/misc/uint.c`.

use std::cmp::Ordering;

use ringwood::{LocalConnection, Result};

/// The digits at the beginning of a text without the zeros before them, and what follows.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let zeros = text.iter().take_while(|byte| **byte == b'0').count();
    let text = &text[zeros..];
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(count)
}

fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while let ([x, after_a @ ..], [y, after_b @ ..]) = (a, b) {
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let ((left, rest_a), (right, rest_b)) = (number(a), number(b));
            let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (rest_a, rest_b);
        } else if x == y {
            (a, b) = (after_a, after_b);
        } else {
            return x.cmp(y);
        }
    }
    a.len().cmp(&b.len())
}

pub(super) fn register(conn: &LocalConnection) -> Result<()> {
    conn.create_collation("uint", Some(compare))
}
