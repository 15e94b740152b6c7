//! Estimates by the samples that ANALYZE leaves in `sqlite_stat4`.
//!
//! ```text
//!   index on (a)      samples   a = 3     a = 7     a = 40        WHERE a > 5 AND a <= 40
//!                     less      0         100       900           lower: between 3 and 7     about 100
//!                     equal     90        500       100           upper: the sample 40       900 + 100
//!                                                                 rows:  1000 - 100
//! ```
//!
//! Rules:
//! 1. What a term compares with must be known when the statement is planned: a literal, its negative, a CAST of one, a
//!    built-in function of some. Parameters are not known.
//! 2. A column is estimated only if all columns left of it are known; a range behind a skip-scan by counting the
//!    samples inside it.
//! 3. `x = literal` that is true for half of the table or more does not count as selective elsewhere: where it has been
//!    counted so already, all loops are weighed once more.
//!
//! Source: SQLite's `whereKeyStats`, `whereEqualScanEst`, `whereInScanEst`, `whereRangeScanEst`,
//! `whereRangeSkipScanEst`, `stat4ValueFromExpr`.

use super::candidates::Builder;
use super::cost::{self, LogEst};
use super::facts;
use super::probe::Probe;
use super::{Ops, TermFlags, TermId};
use crate::bound::{Expr, InSet, UnaryOp};
use crate::compiler::Optimizations;
use crate::schema::Samples;
use ringwood_format::affinity::{self, Affinity};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::{KeyInfo, UnpackedKey, compare_record};
use ringwood_format::number::Number;
use ringwood_format::record::decode_record;
use ringwood_format::value::{Value, ValueRef, compare_values};
use ringwood_vdbe::{Facts, FunctionFlags};
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

/// How the keys of a sampled index are compared.
#[derive(Clone, Debug)]
pub struct SampledIndex {
    /// The source.
    pub source: u8,
    /// The index's place in the table's list.
    pub index: u16,
    /// The samples.
    pub samples: Arc<Samples>,
    /// The order of its entries.
    pub info: Arc<KeyInfo>,
    /// The affinities of its columns.
    pub affinities: SmallVec<[Affinity; 4]>,
}

/// The key that is looked up among the samples.
#[derive(Clone, Debug, Default)]
pub struct ProbeKey {
    /// Values for the first columns of the index.
    values: Vec<Value>,
    /// How many of the loop's equalities have given one.
    pub known: u16,
}

/// Where a key stands among all entries.
struct Place {
    /// The number of the first sample that is not smaller.
    sample: usize,
    /// Entries that are smaller.
    less: u64,
    /// Entries that are equal.
    equal: u64,
}

impl SampledIndex {
    /// Where a key stands; `up`: rounded towards the larger neighbour.
    fn place(&self, key: &[Value], up: bool) -> Option<Place> {
        let list = &self.samples.list;
        let fields = key.len().min(self.samples.width);
        let fields = fields.min(self.info.columns.len());
        if fields == 0 {
            return None;
        }
        let key: SmallVec<[ValueRef<'_>; 8]> = key[..fields].iter().map(Value::as_ref).collect();
        // Each sample stands for as many prefixes as the key has fields, each longer than the one before; a prefix that
        // the sample before has, too, is lengthened until they differ.
        let (mut low, mut high) = (0, list.len() * fields);
        let (mut lower, mut column) = (0u64, 0);
        let mut order = Ordering::Less;
        while order != Ordering::Equal && low < high {
            let test = usize::midpoint(low, high);
            let at = test / fields;
            let mut count = test % fields + 1;
            if at > 0 {
                while count < fields && list[at - 1].less[count - 1] == list[at].less[count - 1] {
                    count += 1;
                }
            }
            let sample = &list[at];
            let probe = UnpackedKey::new(&key[..count], &self.info, Ordering::Equal);
            order = compare_record(&sample.record, &probe).ok()?;
            let n = count - 1;
            match order {
                Ordering::Less => {
                    lower = sample.less[n].saturating_add(sample.equal[n]);
                    low = test + 1;
                }
                Ordering::Equal if count < fields => {
                    lower = sample.less[n];
                    low = test + 1;
                    order = Ordering::Less;
                }
                _ => {
                    high = test;
                    column = n;
                }
            }
        }
        let sample = high / fields;
        if order == Ordering::Equal {
            let found = &list[sample];
            return Some(Place {
                sample,
                less: found.less[column],
                equal: found.equal[column],
            });
        }
        let upper = list
            .get(sample)
            .map_or(self.samples.rows, |next| next.less[column]);
        let gap = upper.saturating_sub(lower);
        let part = if up {
            gap.saturating_mul(2) / 3
        } else {
            gap / 3
        };
        Some(Place {
            sample,
            less: lower + part,
            equal: self.samples.average[fields - 1],
        })
    }
}

/// The value of an expression that rule 1 allows, with an affinity.
fn known(expr: &Expr, with: Affinity, encoding: TextEncoding) -> Option<Value> {
    let value = match expr {
        Expr::Unary(UnaryOp::Plus, inner) => return known(inner, with, encoding),
        Expr::Collate { expr, .. } => return known(expr, with, encoding),
        Expr::Null => return Some(Value::Null),
        Expr::Blob(bytes) => return Some(Value::Blob(bytes.to_vec())),
        Expr::Integer(i) => Value::Integer(*i),
        Expr::Real(r) => Value::real(*r),
        Expr::Text(text) => Value::Text(text.to_vec()),
        Expr::Bool(b) => Value::Integer(i64::from(*b)),
        Expr::Cast { expr, affinity } => {
            let inner = known(expr, *affinity, encoding)?;
            affinity::cast(inner.as_ref(), *affinity, encoding)
        }
        Expr::Unary(UnaryOp::Negate, inner) => negated(&known(inner, with, encoding)?),
        Expr::Function(call) => {
            let flags = call.def.flags;
            let constant = FunctionFlags::DETERMINISTIC | FunctionFlags::SLOW_CHANGING;
            if !flags.intersects(constant)
                || !flags.contains(FunctionFlags::BUILTIN)
                || flags.contains(FunctionFlags::NEEDS_COLLATION)
                || call.aggregate.is_some()
                || call.window.is_some()
            {
                return None;
            }
            let args: Option<Vec<Value>> = call
                .args
                .iter()
                .map(|arg| known(arg, with, encoding))
                .collect();
            let mut facts = Facts {
                encoding,
                ..Facts::default()
            };
            call.def.call(&mut facts, &args?).ok()?
        }
        _ => return None,
    };
    Some(with.apply_owned(value))
}

fn negated(value: &Value) -> Value {
    let number = match value.as_ref() {
        ValueRef::Null => return Value::Null,
        ValueRef::Integer(i) => Number::Integer(i),
        ValueRef::Real(r) => Number::Real(r),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => affinity::arithmetic_number(bytes),
    };
    match number {
        Number::Integer(i) => i
            .checked_neg()
            .map_or_else(|| Value::real(-(i as f64)), Value::Integer),
        Number::Real(r) => Value::real(-r),
    }
}

impl<'q> Builder<'_, 'q> {
    /// The samples of the index that is probed, unless they are switched off.
    pub(super) fn sampled(&self, probe: Probe<'q>) -> Option<Rc<SampledIndex>> {
        let index = probe.index?;
        probe.key?.samples.as_ref()?;
        if self.plan.disabled.contains(Optimizations::STAT4) {
            return None;
        }
        let mut all = self.plan.sampled.iter();
        let found = all.find(|s| s.source == self.new.source && s.index == index)?;
        Some(found.clone())
    }

    /// Whether scans of a table cost a little less than unknown ones would, as some index of it has been sampled.
    pub(super) fn scan_discount(&self, has_samples: bool) -> LogEst {
        if has_samples && !self.plan.disabled.contains(Optimizations::STAT4) {
            cost::SAMPLED_SCAN
        } else {
            0
        }
    }

    /// Puts values of an expression (NULL without one) into the key from column `at` on; how many.
    fn set_key(
        &mut self,
        sampled: &SampledIndex,
        expr: Option<&Expr>,
        at: usize,
        count: usize,
    ) -> usize {
        if matches!(expr, Some(Expr::Subquery(_))) || self.key.values.len() < at {
            return 0;
        }
        let encoding = sampled.info.encoding;
        for i in 0..count {
            let Some(&affinity) = sampled.affinities.get(at + i) else {
                return i;
            };
            let value = match expr {
                None => Some(Value::Null),
                Some(expr) => known(expr.vector_field(i), affinity, encoding),
            };
            let Some(value) = value else { return i };
            self.key.values.truncate(at + i);
            self.key.values.push(value);
        }
        count
    }

    /// How many rows the equality finds that has been added to the loop last; none: not known.
    pub(super) fn equal_rows(&mut self, sampled: &SampledIndex, id: TermId) -> Option<u64> {
        let t = self.plan.term(id);
        if t.ops.contains(Ops::IN) {
            let expr = t.expr.clone();
            let Expr::In(set) = &*expr else { return None };
            let InSet::List(list) = &set.set else {
                return None;
            };
            let key = self.key.known;
            let mut sum = 0u64;
            let mut all = true;
            for value in list {
                let rows = self.equal_to(sampled, Some(value));
                self.key.known = key;
                match rows {
                    Some(rows) => sum = sum.saturating_add(rows),
                    None => {
                        all = false;
                        break;
                    }
                }
            }
            let estimate = self.plan.sources[usize::from(self.new.source)]
                .item
                .table
                .indexes[usize::from(sampled.index)]
            .row_estimates[0];
            return all.then(|| sum.min(cost::to_count(estimate)));
        }
        let right = t.sides.as_ref()?.right.clone();
        self.equal_to(sampled, right.as_deref())
    }

    fn equal_to(&mut self, sampled: &SampledIndex, value: Option<&Expr>) -> Option<u64> {
        let eq = usize::from(self.new.eq);
        if usize::from(self.key.known) + 1 < eq {
            return None;
        }
        if eq >= sampled.affinities.len() {
            return Some(1);
        }
        if self.set_key(sampled, value, eq - 1, 1) == 0 {
            return None;
        }
        self.key.known = self.new.eq;
        let place = sampled.place(&self.key.values[..eq], false)?;
        Some(place.equal)
    }

    /// `x = literal` finds half of the table: rule 3.
    pub(super) fn note_low_selectivity(&mut self, id: TermId) {
        let t = self.plan.term_mut(id);
        t.flags |= TermFlags::HIGH_TRUTH;
        if t.flags.contains(TermFlags::HEURISTIC_TRUTH) {
            self.again = true;
        }
    }

    /// Lowers the row count of the loop by the bounds that are known; returns those that are not.
    pub(super) fn narrow(
        &mut self,
        sampled: &SampledIndex,
        bottom: Option<TermId>,
        top: Option<TermId>,
        is_descending: bool,
    ) -> (Option<TermId>, Option<TermId>) {
        let at = usize::from(self.new.eq);
        if at >= sampled.samples.width {
            return (bottom, top);
        }
        if self.new.eq != self.key.known {
            return if self.narrow_skipped(sampled, bottom, top) {
                (None, None)
            } else {
                (bottom, top)
            };
        }
        self.key.values.truncate(at);
        let (mut lower, mut upper) = (0, sampled.samples.rows);
        if at > 0 {
            let Some(place) = sampled.place(&self.key.values, false) else {
                return (bottom, top);
            };
            (lower, upper) = (place.less, place.less.saturating_add(place.equal));
        }
        let (mut bottom, mut top) = ((bottom, self.new.btm), (top, self.new.top));
        if is_descending {
            std::mem::swap(&mut bottom, &mut top);
        }
        let (mut lower_sample, mut upper_sample) = (None, None);
        let mut rows = self.new.rows;
        if let Some((place, beyond)) = self.bound(sampled, bottom, false) {
            let found = place.less + if beyond { place.equal } else { 0 };
            lower = lower.max(found);
            lower_sample = Some(place.sample);
            rows -= 1;
            bottom.0 = None;
        }
        if let Some((place, beyond)) = self.bound(sampled, top, true) {
            let found = place.less + if beyond { place.equal } else { 0 };
            upper = upper.min(found);
            upper_sample = Some(place.sample);
            rows -= 1;
            top.0 = None;
        }
        let mut new = 10;
        if upper > lower {
            new = cost::log_est(upper - lower);
            if lower_sample.is_some() && lower_sample == upper_sample {
                new -= 20; // both bounds fall into one gap
            }
        }
        self.new.rows = rows.min(new);
        (bottom.0, top.0)
    }

    /// Where a bound stands, and whether what is equal to it lies before it.
    fn bound(
        &mut self,
        sampled: &SampledIndex,
        (term, width): (Option<TermId>, u16),
        up: bool,
    ) -> Option<(Place, bool)> {
        let t = self.plan.term(term?);
        let ops = t.ops;
        let right = t.sides.as_ref()?.right.clone()?;
        let at = usize::from(self.new.eq);
        let count = self.set_key(sampled, Some(&right), at, usize::from(width));
        if count == 0 {
            return None;
        }
        let after = if right.vector_size() > count {
            Ops::LE | Ops::LT
        } else {
            Ops::GT | Ops::LE
        };
        let place = sampled.place(&self.key.values[..at + count], up)?;
        Some((place, ops.intersects(after)))
    }

    /// Rule 2: a range behind columns that are not known. Whether it was estimated.
    fn narrow_skipped(
        &mut self,
        sampled: &SampledIndex,
        bottom: Option<TermId>,
        top: Option<TermId>,
    ) -> bool {
        let at = usize::from(self.new.eq);
        let (Some(&with), Some(column)) =
            (sampled.affinities.get(at), sampled.info.columns.get(at))
        else {
            return false;
        };
        let encoding = sampled.info.encoding;
        let value = |id: Option<TermId>| {
            let right = self.plan.term(id?).sides.as_ref()?.right.as_deref()?;
            known(facts::skip_ref(right), with, encoding)
        };
        let (low, high) = (value(bottom), value(top));
        if low.is_none() && high.is_none() {
            return false;
        }
        let list = &sampled.samples.list;
        let count = list.len() as i64;
        let mut below = if bottom.is_some() { 0 } else { -1 };
        let mut above = match (top, &high) {
            (None, _) => count + 1,
            (Some(_), None) => count,
            (Some(_), Some(_)) => 0,
        };
        for sample in list {
            let Ok(values) = decode_record(&sample.record, encoding) else {
                return false;
            };
            let Some(found) = values.get(at) else {
                return false;
            };
            let reaches = |value: &Option<Value>| {
                value.as_ref().is_some_and(|value| {
                    compare_values(value.as_ref(), found.as_ref(), &column.collation)
                        != Ordering::Less
                })
            };
            below += i64::from(reaches(&low));
            above += i64::from(reaches(&high));
        }
        let inside = (above - below).max(1);
        if inside == 1 && bottom.is_some() && top.is_some() {
            return false;
        }
        self.new.rows -= cost::log_est(count as u64) - cost::log_est(inside as u64);
        true
    }
}
