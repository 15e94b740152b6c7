//! Why an opcode's handler did not finish.
//!
//! Rule: a handler that returns `Miss` or `Slow` has changed nothing that the program can see, so it is run again (after
//! the page was fetched) or its asynchronous twin is.

use crate::error::Error;
use crate::result_code::ResultCode;
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::PageNo;
use ringwood_wal::Stop;

/// Why a handler did not finish.
#[derive(Debug)]
pub(super) enum Trap {
    /// This page of that store is not in memory.
    Miss(u8, PageNo),
    /// The opcode needs its asynchronous twin.
    Slow,
    /// The statement failed.
    Fail(Box<Error>),
}

/// The result of a handler.
pub(super) type Step<T = ()> = Result<T, Trap>;

/// Gives a cursor's `Stop` the store that it is about.
pub(super) trait At<T> {
    fn at(self, store: u8) -> Step<T>;
}

impl<T> At<T> for Result<T, Stop> {
    #[inline]
    fn at(self, store: u8) -> Step<T> {
        self.map_err(|stop| match stop {
            Stop::Miss(page) => Trap::Miss(store, page),
            Stop::Slow => Trap::Slow,
            Stop::Fail(error) => Trap::Fail(Box::new(Error::from(*error))),
        })
    }
}

impl From<Error> for Trap {
    #[cold]
    fn from(error: Error) -> Trap {
        Trap::Fail(Box::new(error))
    }
}

impl From<Corrupt> for Trap {
    #[cold]
    fn from(_: Corrupt) -> Trap {
        Trap::Fail(Box::new(Error::corrupt()))
    }
}

/// A failure with a code's default message.
#[cold]
pub(super) fn fail<T>(code: ResultCode) -> Step<T> {
    Err(Error::code(code).into())
}

/// A failure with words of its own.
#[cold]
pub(super) fn fail_with<T>(code: ResultCode, message: impl Into<String>) -> Step<T> {
    Err(Error::new(code, message).into())
}
