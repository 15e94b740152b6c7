//! What a function sees of the world while it runs, and where its result goes.

use super::{FunctionDef, FunctionFlags};
use crate::mem::Mem;
use crate::result_code::ResultCode;
use ringwood_format::collation::Collation;
use ringwood_format::encoding::TextEncoding;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// Why a function failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FnError {
    /// The result code; `SQLITE_ERROR` unless said otherwise.
    pub code: ResultCode,
    /// The message.
    pub message: String,
}

impl FnError {
    /// `SQLITE_ERROR` with a message.
    #[cold]
    pub fn new(message: impl Into<String>) -> FnError {
        FnError {
            code: ResultCode::ERROR,
            message: message.into(),
        }
    }

    /// A code with its default message.
    #[cold]
    pub fn code(code: ResultCode) -> FnError {
        FnError {
            code,
            message: code.message().to_owned(),
        }
    }

    /// "string or blob too big".
    #[cold]
    pub fn too_big() -> FnError {
        FnError::code(ResultCode::TOOBIG)
    }
}

/// What functions may know of the connection.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The rowid of the last insert.
    pub last_insert_rowid: i64,
    /// Rows changed by the last statement.
    pub changes: i64,
    /// Rows changed since the connection was opened.
    pub total_changes: i64,
    /// The time of the statement in milliseconds since the epoch of Julian days, once somebody has asked.
    pub statement_time_ms: Option<i64>,
    /// The encoding of the main database.
    pub encoding: TextEncoding,
    /// The longest string or blob, in bytes.
    pub length_max: u64,
    /// The longest pattern of LIKE and GLOB, in bytes.
    pub like_pattern_length_max: u64,
    /// The state of the random number generator.
    pub random: u64,
    /// Somebody wants the statement to stop: functions that may take long look now and then.
    pub interrupt: Arc<AtomicBool>,
}

impl Default for Facts {
    fn default() -> Facts {
        Facts {
            last_insert_rowid: 0,
            changes: 0,
            total_changes: 0,
            statement_time_ms: None,
            encoding: TextEncoding::Utf8,
            length_max: 1_000_000_000,
            like_pattern_length_max: 50_000,
            random: 0,
            interrupt: Arc::default(),
        }
    }
}

impl Facts {
    /// Whether the statement is to stop.
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// The next random number (splitmix64: every state gives a good one).
    pub fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// 1970-01-01 as a Julian day, in milliseconds.
pub(super) const UNIX_EPOCH_MS: i64 = 210_866_760_000_000;

fn system_time_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UNIX_EPOCH_MS + since.map_or(0, |since| since.as_millis() as i64)
}

/// What functions remember from one call of an instruction to the next: by address and argument.
#[derive(Default)]
pub struct AuxData {
    entries: Vec<(u32, i32, Box<dyn Any + Send>)>,
    /// Some are to be forgotten when the call returns.
    has_fleeting: bool,
}

impl AuxData {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.has_fleeting = false;
    }

    /// After a call: forgets what was remembered for arguments that are not constant.
    #[inline]
    pub(crate) fn forget_fleeting(&mut self, addr: u32, constant_args: u32) {
        if self.has_fleeting {
            self.has_fleeting = false;
            let keeps = |arg: i32| arg < 0 || (arg < 32 && constant_args & (1 << arg) != 0);
            self.entries.retain(|(a, arg, _)| *a != addr || keeps(*arg));
        }
    }
}

/// One call of a function.
pub struct FnContext<'a> {
    pub(crate) out: &'a mut Mem,
    pub(crate) facts: &'a mut Facts,
    pub(crate) aux: &'a mut AuxData,
    pub(crate) collation: &'a Collation,
    pub(crate) def: &'a FunctionDef,
    pub(crate) addr: u32,
    pub(crate) constant_args: u32,
    pub(crate) not_extreme: bool,
}

impl FnContext<'_> {
    /// The result, NULL until it is set.
    #[inline]
    pub fn result(&mut self) -> &mut Mem {
        self.out
    }

    /// The collation of the call (functions with `NEEDS_COLLATION`).
    #[inline]
    pub fn collation(&self) -> &Collation {
        self.collation
    }

    /// The connection.
    #[inline]
    pub fn facts(&mut self) -> &mut Facts {
        self.facts
    }

    /// Fails if the call stands in a CHECK constraint, a generated column or an index, and must give the same always:
    /// for functions that are deterministic with some arguments only.
    pub fn check_impure(&self) -> Result<(), FnError> {
        let places = [
            (FunctionFlags::IN_CHECK, "a CHECK constraint"),
            (FunctionFlags::IN_GENERATED, "a generated column"),
            (FunctionFlags::IN_INDEX, "an index"),
        ];
        match places
            .iter()
            .find(|(flag, _)| self.def.flags.contains(*flag))
        {
            None => Ok(()),
            Some((_, place)) => Err(FnError::new(format!(
                "non-deterministic use of {}() in {place}",
                self.def.name
            ))),
        }
    }

    /// The time of the statement in milliseconds since the epoch of Julian days: the same until the statement ends.
    pub fn now_ms(&mut self) -> i64 {
        *self
            .facts
            .statement_time_ms
            .get_or_insert_with(system_time_ms)
    }

    /// For the aggregates min and max: the row was not the new extreme, so the columns beside it keep their values.
    #[inline]
    pub fn set_not_extreme(&mut self) {
        self.not_extreme = true;
    }

    /// What was remembered for argument `arg` at this place of the program, or for the whole program if `arg` is
    /// negative, if it has that type.
    pub fn aux<T: 'static>(&mut self, arg: i32) -> Option<&mut T> {
        let addr = self.aux_addr(arg);
        let found = self
            .aux
            .entries
            .iter_mut()
            .find(|(a, i, _)| *a == addr && *i == arg);
        found.and_then(|(_, _, data)| data.downcast_mut())
    }

    fn aux_addr(&self, arg: i32) -> u32 {
        if arg < 0 { 0 } else { self.addr }
    }

    /// Remembers something about argument `arg` until the statement ends. If the argument is not constant and `arg` not
    /// negative, it is forgotten when the call returns: the next row's argument may be another.
    pub fn set_aux<T: Any + Send>(&mut self, arg: i32, data: T) {
        let keeps = arg < 0 || (arg < 32 && self.constant_args & (1 << arg) != 0);
        self.aux.has_fleeting |= !keeps;
        let addr = self.aux_addr(arg);
        self.aux
            .entries
            .retain(|(a, i, _)| !(*a == addr && *i == arg));
        self.aux.entries.push((addr, arg, Box::new(data)));
    }
}
