//! Rows that many connections append at the same time, each in a transaction of its own that reads nothing before.
//!
//! ```text
//!  log:  id 1 2 3 4 5 …     n: a number that was tried once
//! ```
//!
//! 1. The ids have no gap: who comes later stands on who came before, so nothing is there without what it was built on.
//! 2. What was acknowledged, or seen by a reader, before a reader began is there for him; and, unless the power failed,
//!    after recovery.
//! 3. With `synchronous=FULL` what was acknowledged or seen survives a power cut: nobody sees what is not durable yet.

use std::collections::BTreeMap;

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Tried,
    Known,
    Durable,
}

/// The numbers that were tried, and which of them must be there.
#[derive(Debug, Default)]
pub struct Appends {
    numbers: BTreeMap<i64, Standing>,
    next: i64,
}

impl Appends {
    /// A number that is about to be appended.
    pub fn attempt(&mut self) -> i64 {
        self.next += 1;
        self.numbers.insert(self.next, Standing::Tried);
        self.next
    }

    /// It is there, for everybody.
    pub fn is_known(&mut self, number: i64, durable: bool) {
        let now = if durable {
            Standing::Durable
        } else {
            Standing::Known
        };
        self.numbers
            .entry(number)
            .and_modify(|standing| *standing = now.max(*standing));
    }

    /// What whoever starts to read now must see.
    pub fn known(&self) -> Vec<i64> {
        self.at_least(Standing::Known)
    }

    fn at_least(&self, least: Standing) -> Vec<i64> {
        let found = self.numbers.iter().filter(|(_, s)| **s >= least);
        found.map(|(number, _)| *number).collect()
    }

    /// Compares rows (id, number) with what must be there.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn compare(&self, rows: &[(i64, i64)], must: &[i64]) -> Result<(), String> {
        for (at, (id, number)) in rows.iter().enumerate() {
            if *id != at as i64 + 1 {
                return Err(format!("the log has {id} where {} was due", at + 1));
            }
            if !self.numbers.contains_key(number) {
                return Err(format!("number {number} of the log was never there"));
            }
        }
        let mut there: Vec<i64> = rows.iter().map(|(_, number)| *number).collect();
        there.sort_unstable();
        let count = there.len();
        there.dedup();
        if there.len() != count {
            return Err("a number is in the log twice".to_owned());
        }
        match must.iter().find(|n| there.binary_search(n).is_err()) {
            Some(number) => Err(format!("number {number} of the log is lost")),
            None => Ok(()),
        }
    }

    /// A reader who began when `must` was known has seen these rows.
    ///
    /// # Errors
    /// He may not.
    pub fn saw(&mut self, rows: &[(i64, i64)], must: &[i64], durable: bool) -> Result<(), String> {
        self.compare(rows, must)?;
        for (_, number) in rows {
            self.is_known(*number, durable);
        }
        Ok(())
    }

    /// These rows were recovered: what is not among them will never be there.
    ///
    /// # Errors
    /// Something is missing.
    pub fn recovered(&mut self, rows: &[(i64, i64)], power_cut: bool) -> Result<(), String> {
        let least = if power_cut {
            Standing::Durable
        } else {
            Standing::Known
        };
        self.compare(rows, &self.at_least(least))?;
        let before = std::mem::take(&mut self.numbers);
        for (_, number) in rows {
            let standing = match before.get(number) {
                _ if power_cut => Standing::Durable,
                Some(standing) => (*standing).max(Standing::Known),
                None => Standing::Known,
            };
            self.numbers.insert(*number, standing);
        }
        Ok(())
    }
}
