//! `generate_series(start, stop, step)`: the integers from start to stop.
//!
//! ```text
//!   generate_series(5, 50, 5)      5, 10, … 50
//!   generate_series(5)             5, 6, … 4294967295
//!   generate_series(9, 1, -2)      9, 7, … 1
//! ```
//!
//! Rules:
//! 1. Comparisons of `value` with constants narrow the range before the scan begins; ORDER BY value is served in both
//!    directions. Nothing ever overflows: the scan counts steps.
//! 2. A step of 0 is a step of 1. NULL in any argument or bound: no rows.
//!
//! Cost: a row is one addition.
//!
//! Source: SQLite's `series.c`.

use super::{
    ConstraintOp, Declared, IndexInfo, IndexPlan, Module, ModuleArgs, ModuleKind, Unusable,
    VirtualCursor, VirtualTable, VtabContext, VtabFlags, VtabStep,
};
use crate::error::{Error, Result};
use crate::mem::{Kind, Mem};
use crate::result_code::ResultCode;

/// The module.
pub struct Series;

impl Module for Series {
    fn kind(&self) -> ModuleKind {
        ModuleKind::EponymousOnly
    }

    fn connect(&self, _: &ModuleArgs) -> VtabStep<Declared> {
        let schema = "CREATE TABLE x(value,start hidden,stop hidden,step hidden)";
        Ok(Declared::new(schema, SeriesTable).with(VtabFlags::INNOCUOUS))
    }
}

struct SeriesTable;

/// Columns.
const VALUE: i32 = 0;
const START: i32 = 1;

/// Bits of a plan: which arguments are there, in this order.
mod plan {
    pub const START: i32 = 1;
    pub const STEP: i32 = 4;
    pub const DESC: i32 = 8;
    pub const ASC: i32 = 0x10;
    pub const EQ: i32 = 0x80;
    pub const GE: i32 = 0x100;
    pub const GT: i32 = 0x200;
    pub const LE: i32 = 0x1000;
    pub const LT: i32 = 0x2000;
}

impl VirtualTable for SeriesTable {
    fn best_index(&self, info: &mut IndexInfo) -> std::result::Result<(), Unusable> {
        let mut found = [None; 3];
        let (mut low, mut high) = (None, None);
        let mut unusable = 0;
        let mut start_seen = false;
        for (i, constraint) in info.constraints.iter().enumerate() {
            if constraint.column == VALUE && constraint.op < ConstraintOp::MATCH {
                if !constraint.usable {
                    continue;
                }
                match constraint.op {
                    ConstraintOp::EQ => (low, high) = (Some((plan::EQ, i)), None),
                    _ if low.is_some_and(|(bit, _)| bit == plan::EQ) => {}
                    ConstraintOp::GE => low = Some((plan::GE, i)),
                    ConstraintOp::GT => low = Some((plan::GT, i)),
                    ConstraintOp::LE => high = Some((plan::LE, i)),
                    ConstraintOp::LT => high = Some((plan::LT, i)),
                    _ => {}
                }
                continue;
            }
            if constraint.op != ConstraintOp::EQ || constraint.column < START {
                continue;
            }
            let which = (constraint.column - START) as usize;
            start_seen |= which == 0;
            if constraint.usable {
                found[which] = Some(i);
            } else {
                unusable |= 1 << which;
            }
        }
        if !start_seen {
            let message = "first argument to \"generate_series()\" missing or unusable";
            return Err(Error::new(ResultCode::ERROR, message).into());
        }
        let mut number = 0;
        let mut argument = 0;
        for (which, at) in found.into_iter().enumerate() {
            let Some(at) = at else { continue };
            argument += 1;
            info.usage[at].argument = argument;
            info.usage[at].omit = true;
            number |= plan::START << which;
        }
        if unusable & !number != 0 {
            return Err(Unusable::Constraint);
        }
        for (bit, at) in [low, high].into_iter().flatten() {
            argument += 1;
            info.usage[at].argument = argument;
            number |= bit;
        }
        if number & 3 == 3 {
            info.estimated_cost = 2.0 - f64::from(u8::from(number & plan::STEP != 0));
            info.estimated_rows = 1000;
        } else {
            info.estimated_rows = 2_147_483_647;
        }
        if let Some(first) = info.order_by.first().filter(|first| first.column == VALUE) {
            number |= if first.desc { plan::DESC } else { plan::ASC };
            info.order_by_consumed = true;
        }
        info.plan.number = number;
        Ok(())
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>> {
        Ok(Box::<SeriesCursor>::default())
    }
}

#[derive(Default)]
struct SeriesCursor {
    /// What the arguments say.
    given: [i64; 3],
    /// The rows: from here, that many more after it, with that step.
    value: i64,
    left: u64,
    step: i64,
    done: bool,
}

/// An end of a range that a comparison sets.
fn bound(arg: &Mem, bit: i32) -> Option<(i128, i128)> {
    const ALL: (i128, i128) = (i64::MIN as i128, i64::MAX as i128);
    let (floor, ceiling) = match arg.kind() {
        Kind::Null | Kind::Object => return None,
        Kind::Int => (i128::from(arg.to_int()), i128::from(arg.to_int())),
        Kind::Real | Kind::IntReal => {
            let r = arg.to_real().clamp(-1e19, 1e19);
            (r.floor() as i128, r.ceil() as i128)
        }
        // Numbers are before texts and blobs.
        Kind::Text | Kind::Blob => match bit {
            plan::LE | plan::LT => return Some(ALL),
            _ => return Some((1, 0)),
        },
    };
    let same = floor == ceiling;
    Some(match bit {
        plan::EQ if same => (floor, floor),
        plan::EQ => (1, 0),
        plan::GE => (ceiling, ALL.1),
        plan::GT => (floor + 1, ALL.1),
        plan::LE => (ALL.0, floor),
        _ => (ALL.0, ceiling - 1),
    })
}

impl VirtualCursor for SeriesCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, plan: &IndexPlan, args: &[Mem]) -> VtabStep {
        self.done = true;
        self.given = [0, 0xffff_ffff, 1];
        let mut rest = args.iter();
        for which in 0..3 {
            if plan.number & (plan::START << which) != 0 {
                if let Some(arg) = rest.next() {
                    if arg.is_null() {
                        return Ok(());
                    }
                    self.given[which] = arg.to_int();
                }
            }
        }
        let [start, stop, mut step] = self.given;
        if step == 0 {
            step = 1;
            self.given[2] = 1;
        }
        let (mut low, mut high) = (i128::from(i64::MIN), i128::from(i64::MAX));
        for bit in [plan::EQ, plan::GE, plan::GT, plan::LE, plan::LT] {
            if plan.number & bit == 0 {
                continue;
            }
            let Some(arg) = rest.next() else { continue };
            let Some((from, to)) = bound(arg, bit) else {
                return Ok(());
            };
            (low, high) = (low.max(from), high.min(to));
        }
        // The terms are start + n·step for n in 0..=last.
        let (start, stop, wide) = (i128::from(start), i128::from(stop), i128::from(step));
        let last = (stop - start).checked_div(wide).unwrap_or(0);
        let wrong_way = (wide > 0 && stop < start) || (wide < 0 && stop > start);
        let (near, far) = if wide > 0 { (low, high) } else { (high, low) };
        // The first n at or beyond `near`, the last at or before `far`; distances counted in the direction of the step.
        let (ahead, by) = if wide > 0 {
            (near - start, wide)
        } else {
            (start - near, -wide)
        };
        let first = (ahead.div_euclid(by) + i128::from(ahead.rem_euclid(by) != 0)).max(0);
        let until = if wide > 0 {
            (far - start).div_euclid(wide)
        } else {
            (start - far).div_euclid(-wide)
        }
        .min(last);
        if wrong_way || low > high || first > until {
            return Ok(());
        }
        self.done = false;
        self.left = (until - first) as u64;
        self.step = step;
        self.value = (start + first * wide) as i64;
        let backwards = (plan.number & plan::DESC != 0 && step > 0)
            || (plan.number & plan::ASC != 0 && step < 0);
        if backwards {
            self.value = (start + until * wide) as i64;
            self.step = step.wrapping_neg();
        }
        Ok(())
    }

    #[inline]
    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        if self.left == 0 {
            self.done = true;
        } else {
            self.left -= 1;
            self.value = self.value.wrapping_add(self.step);
        }
        Ok(())
    }

    #[inline]
    fn eof(&self) -> bool {
        self.done
    }

    #[inline]
    fn column(&mut self, _: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        out.set_int(match column {
            0 => self.value,
            _ => self.given[column - 1],
        });
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        Ok(self.value)
    }
}
