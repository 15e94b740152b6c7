//! What ANALYZE counts while it walks an index: the accumulator behind `sqlite_stat1` and `sqlite_stat4`.
//!
//! ```text
//!   step(0, columns, key columns, estimate, limit)   begins an index
//!   step(1, change, rowid)                           a row; `change`: the first column that differs from the row before
//!   step(2, what)                                    asks; AggValue gives the answer
//!
//!   what   0  "rows avg avg …" for sqlite_stat1
//!          1  rowid of the next sample, NULL behind the last; 2 neq, 3 nlt, 4 ndlt of that sample
//! ```
//!
//! Rules:
//! 1. For each prefix of the columns: how many rows are equal to this one (`eq`), how many are less (`lt`), how many
//!    distinct prefixes are less (`dlt`).
//! 2. An average is rows / distinct, rounded up, but 1 where it is only a little above 1.
//! 3. Up to 24 samples are kept: every n-th row (a third of them), and rows whose prefix is frequent. Which of equals is
//!    kept is decided by a generator that the size of the index seeds, so that the same index gives the same samples.
//! 4. With a limit there are no samples; after `limit` rows the answer to a row is 1, or 0 if all were equal so far.
//!
//! Source: SQLite's `analyze.c` (`statInit`, `statPush`, `sampleInsert`, `samplePushPrevious`, `statGet`).

use super::{Aggregate, FnContext, FnError, FunctionDef};
use crate::mem::Mem;
use ringwood_format::value::{Value, ValueRef};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

/// Samples of an index.
const SAMPLES: usize = 24;

/// The accumulator, as the fourth operand of `AggStep` and `AggValue` wants it.
pub fn accumulator() -> Arc<FunctionDef> {
    static DEF: OnceLock<Arc<FunctionDef>> = OnceLock::new();
    DEF.get_or_init(|| {
        Arc::new(FunctionDef::aggregate(
            "stat_push",
            -1,
            Accumulator::default,
        ))
    })
    .clone()
}

/// A row, or a sample.
#[derive(Clone, Debug)]
struct Sample {
    eq: Vec<u64>,
    lt: Vec<u64>,
    dlt: Vec<u64>,
    rowid: Value,
    /// Every n-th row.
    periodic: bool,
    /// Otherwise: the column whose prefix it stands for.
    column: usize,
    hash: u32,
}

impl Sample {
    fn new(columns: usize) -> Sample {
        Sample {
            eq: vec![0; columns],
            lt: vec![0; columns],
            dlt: vec![0; columns],
            rowid: Value::Null,
            periodic: false,
            column: 0,
            hash: 0,
        }
    }

    /// Whether this is the better sample of two for the same column, all columns up to it being equal.
    fn is_better_behind(&self, old: &Sample) -> bool {
        for i in self.column + 1..self.eq.len() {
            if self.eq[i] != old.eq[i] {
                return self.eq[i] > old.eq[i];
            }
        }
        self.hash > old.hash
    }

    /// Whether this is the better sample of two.
    fn is_better(&self, old: &Sample) -> bool {
        let (new_eq, old_eq) = (self.eq[self.column], old.eq[old.column]);
        if new_eq != old_eq {
            return new_eq > old_eq;
        }
        self.column < old.column || (self.column == old.column && self.is_better_behind(old))
    }
}

#[derive(Default)]
struct Accumulator {
    columns: usize,
    key_columns: usize,
    estimate: i64,
    limit: u64,
    rows: u64,
    skip_ahead: u64,
    random: u32,
    period: u64,
    current: Option<Sample>,
    samples: Vec<Sample>,
    best: Vec<Sample>,
    /// The worst sample that is not periodic, once there are as many as there may be.
    worst: usize,
    /// No sample has an `eq` of 0 from that column on.
    zeros: usize,
    /// The sample that is asked for.
    asked: Option<usize>,
    answer: Value,
}

fn integer(args: &[Mem], at: usize) -> i64 {
    match args.get(at).map(Mem::as_value_ref) {
        Some(ValueRef::Integer(i)) => i,
        Some(ValueRef::Real(r)) => r as i64,
        _ => 0,
    }
}

impl Accumulator {
    fn begin(&mut self, args: &[Mem]) {
        let columns = integer(args, 1).max(1) as usize;
        let estimate = integer(args, 3);
        let limit = integer(args, 4).max(0) as u64;
        let seed = (columns as u32).wrapping_mul(0x689e_962d)
            ^ (estimate as u32).wrapping_mul(0xd094_4565);
        let mut best = vec![Sample::new(columns); columns];
        for (column, sample) in best.iter_mut().enumerate() {
            sample.column = column;
        }
        *self = Accumulator {
            columns,
            key_columns: integer(args, 2).max(0) as usize,
            estimate,
            limit,
            random: seed,
            period: estimate.max(0) as u64 / (SAMPLES as u64 / 3 + 1) + 1,
            current: Some(Sample::new(columns)),
            best,
            ..Accumulator::default()
        };
    }

    /// Adds a sample, of which the first `zeros` counts of equals are not known yet.
    fn insert(&mut self, new: &Sample, zeros: usize) {
        self.zeros = self.zeros.max(zeros);
        if !new.periodic {
            // One that has the same prefix already stands for it from now on.
            let mut upgrade: Option<usize> = None;
            for i in (0..self.samples.len()).rev() {
                let old = &self.samples[i];
                if old.eq[new.column] != 0 {
                    continue;
                }
                if old.periodic {
                    return;
                }
                if upgrade.is_none_or(|at| old.is_better(&self.samples[at])) {
                    upgrade = Some(i);
                }
            }
            if let Some(at) = upgrade {
                let sample = &mut self.samples[at];
                sample.column = new.column;
                sample.eq[new.column] = new.eq[new.column];
                self.find_worst();
                return;
            }
        }
        if self.samples.len() >= SAMPLES {
            self.samples.remove(self.worst);
        }
        let mut sample = new.clone();
        sample.eq[..zeros].fill(0);
        self.samples.push(sample);
        self.find_worst();
    }

    fn find_worst(&mut self) {
        if self.samples.len() < SAMPLES {
            return;
        }
        let mut worst: Option<usize> = None;
        for (i, sample) in self.samples.iter().enumerate() {
            if !sample.periodic && worst.is_none_or(|at| self.samples[at].is_better(sample)) {
                worst = Some(i);
            }
        }
        self.worst = worst.unwrap_or(0);
    }

    /// The prefixes from column `change` on have ended.
    fn end_prefixes(&mut self, change: usize, current: &Sample) {
        for i in (change..self.columns.saturating_sub(1)).rev() {
            self.best[i].eq[i] = current.eq[i];
            let is_wanted =
                self.samples.len() < SAMPLES || self.best[i].is_better(&self.samples[self.worst]);
            if is_wanted {
                let best = self.best[i].clone();
                self.insert(&best, i);
            }
        }
        if change < self.zeros {
            for sample in &mut self.samples {
                for (eq, now) in sample.eq.iter_mut().zip(&current.eq).skip(change) {
                    if *eq == 0 {
                        *eq = *now;
                    }
                }
            }
            self.zeros = change;
        }
    }

    fn push(&mut self, args: &[Mem]) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        let change = (integer(args, 1).max(0) as usize).min(self.columns - 1);
        let samples = self.limit == 0;
        if self.rows == 0 {
            current.eq.fill(1);
        } else {
            if samples {
                self.end_prefixes(change, &current);
            }
            for eq in &mut current.eq[..change] {
                *eq += 1;
            }
            for i in change..self.columns {
                current.dlt[i] += 1;
                current.lt[i] += current.eq[i];
                current.eq[i] = 1;
            }
        }
        self.rows += 1;
        self.answer = Value::Null;
        if samples {
            current.rowid = args.get(2).map_or(Value::Null, Mem::to_value);
            self.random = self.random.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            current.hash = self.random;
            let less = current.lt[self.columns - 1];
            if less / self.period != (less + 1) / self.period {
                current.periodic = true;
                current.column = 0;
                self.insert(&current, self.columns - 1);
                current.periodic = false;
            }
            for i in 0..self.columns - 1 {
                current.column = i;
                if i >= change || current.is_better_behind(&self.best[i]) {
                    self.best[i].clone_from(&current);
                }
            }
        } else if self.rows > self.limit * (self.skip_ahead + 1) {
            self.skip_ahead += 1;
            self.answer = Value::Integer(i64::from(current.dlt[0] > 0));
        }
        self.current = Some(current);
    }

    fn stat1(&self) -> String {
        let rows = if self.skip_ahead > 0 {
            self.estimate as u64
        } else {
            self.rows
        };
        let mut text = rows.to_string();
        let dlt = self
            .current
            .as_ref()
            .map_or(&[][..], |current| &current.dlt);
        for distinct in dlt.iter().take(self.key_columns).map(|less| less + 1) {
            let mut average = self.rows.div_ceil(distinct);
            if average == 2 && self.rows * 10 <= distinct * 11 {
                average = 1;
            }
            let _ = write!(text, " {average}");
        }
        text
    }

    fn ask(&mut self, what: i64) {
        self.answer = match what {
            0 => Value::text(self.stat1()),
            1 => {
                if self.asked.is_none() {
                    if let Some(current) = self.current.take() {
                        self.end_prefixes(0, &current);
                        self.current = Some(current);
                    }
                }
                let at = *self.asked.get_or_insert(0);
                let sample = self.samples.get(at);
                sample.map_or(Value::Null, |sample| sample.rowid.clone())
            }
            _ => {
                let at = self.asked.unwrap_or(0);
                let Some(sample) = self.samples.get(at) else {
                    self.answer = Value::Null;
                    return;
                };
                let counts = match what {
                    2 => &sample.eq,
                    3 => &sample.lt,
                    _ => {
                        self.asked = Some(at + 1);
                        &sample.dlt
                    }
                };
                let words: Vec<String> = counts.iter().map(u64::to_string).collect();
                Value::text(words.join(" "))
            }
        };
    }
}

impl Aggregate for Accumulator {
    fn step(&mut self, _ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        match integer(args, 0) {
            0 => self.begin(args),
            1 => self.push(args),
            _ => self.ask(integer(args, 1)),
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        *ctx.out = Mem::from_value(self.answer.clone());
        Ok(())
    }
}
