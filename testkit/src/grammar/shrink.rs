//! Makes a history that shows a difference short.

use crate::compare::{Difference, compare};
use crate::ringwood::Ringwood;
use crate::sqlite::Sqlite;
use ringwood_sql::lex::lex;

use super::tolerance;

/// What sort of difference it is: a shorter history must show the same sort.
fn sort(difference: &Difference) -> String {
    let what = &difference.what;
    if let Some((theirs, ours)) = what
        .strip_prefix("expected error ")
        .and_then(|rest| rest.split_once(", got "))
    {
        // Without the names in them.
        let kind = |message: &str| message.split([':', '(']).next().map(str::to_owned);
        return format!("{:?} {:?}", kind(theirs), kind(ours));
    }
    match what.split_once("got error: ") {
        Some((_, error)) => format!("error {}", error.chars().take(24).collect::<String>()),
        None => what.chars().take(12).collect(),
    }
}

/// The first difference of a history.
fn first(history: &[String]) -> Option<(usize, Difference)> {
    let (mut stock, mut ours) = (Sqlite::memory(), Ringwood::memory());
    for (at, sql) in history.iter().enumerate() {
        if let Some(difference) = compare(&mut stock, &mut ours, sql)
            && tolerance::class(&difference, &mut stock).is_none()
        {
            return Some((at, difference));
        }
    }
    None
}

/// Leaves out statements, then tokens of statements, as long as the same sort of difference shows.
pub fn shrink(history: &[String]) -> (Vec<String>, Option<Difference>) {
    let mut best = history.to_vec();
    let Some((at, mut difference)) = first(&best) else {
        return (best, None);
    };
    best.truncate(at + 1);
    let wanted = sort(&difference);
    let mut attempt = |best: &mut Vec<String>, candidate: Vec<String>| -> bool {
        match first(&candidate) {
            Some((at, found)) if sort(&found) == wanted => {
                *best = candidate;
                best.truncate(at + 1);
                difference = found;
                true
            }
            _ => false,
        }
    };
    let mut width = best.len() / 2;
    while width > 0 {
        let mut from = 0;
        while from + width <= best.len() {
            let mut candidate = best.clone();
            candidate.drain(from..from + width);
            if !attempt(&mut best, candidate) {
                from += width;
            }
        }
        width /= 2;
    }
    for at in (0..best.len()).rev() {
        if best.get(at).is_some_and(|sql| sql.contains("RECURSIVE")) {
            // Without its condition it would not end.
            continue;
        }
        let mut width = 32;
        while width > 0 {
            let mut from = 0;
            while let Some(sql) = best.get(at) {
                let ends = tokens(sql);
                if from + width >= ends.len() {
                    break;
                }
                let shorter = format!("{}{}", &sql[..ends[from]], &sql[ends[from + width]..]);
                let mut candidate = best.clone();
                candidate[at] = shorter;
                if !attempt(&mut best, candidate) {
                    from += 1;
                }
            }
            width /= 2;
        }
    }
    (best, Some(difference))
}

/// Where tokens end.
fn tokens(sql: &str) -> Vec<usize> {
    let mut ends = vec![0];
    let mut at = 0;
    while at < sql.len() {
        at = (lex(sql.as_bytes(), at).end as usize).max(at + 1);
        if sql.is_char_boundary(at) {
            ends.push(at);
        }
    }
    ends
}
