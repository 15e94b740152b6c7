//! Steps that can wait: a restartable step is called until it succeeds, and what it misses is fetched.

use ringwood_format::page::PageNo;
use ringwood_pager::PageRef;
use ringwood_wal::{Result, Stop, Tx};

/// Repeats a [`Try`](ringwood_wal::Try) step, fetching what it misses, until it succeeds or fails. Everything fetched
/// is held until then, so that every call gets further however small the cache is. The step must not answer `Slow`.
macro_rules! wait {
    ($tx:expr, $step:expr) => {{
        let mut held: ::smallvec::SmallVec<[::ringwood_pager::PageRef; 4]> =
            ::smallvec::SmallVec::new();
        loop {
            match $step {
                Ok(value) => break value,
                Err(stop) => held.push($crate::wait::fetch($tx, stop).await?),
            }
        }
    }};
}
pub(crate) use wait;

/// Fetches what a step missed.
pub(crate) async fn fetch(tx: &Tx, stop: Stop) -> Result<PageRef> {
    match stop {
        Stop::Miss(no) => tx.fetch(no).await,
        Stop::Fail(error) => Err(*error),
        Stop::Slow => unreachable!("only changes answer Slow, and their async twins do not"),
    }
}

/// Makes a page writable, and pins it so that it stays in memory.
pub(crate) async fn touch(tx: &mut Tx, no: PageNo) -> Result<PageRef> {
    wait!(tx, tx.page_mut(no).map(|_| ()));
    tx.page(no).await
}
