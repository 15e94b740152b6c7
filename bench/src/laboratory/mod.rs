//! What `ringwood-bench` measures, and how it tells.
//!
//! | module | what |
//! |---|---|
//! | [`io`] | the drivers: blocks at a depth, flushes |
//! | [`cache`] | the page cache: misses of its policies, the cost of a hit |
//! | [`wal`] | the page store: commits of pages |
//! | [`scan`] | a table from its first page to its last |
//! | [`commit`] | one client, small commits |
//! | [`clients`] | many clients, one database, small commits |
//! | [`mix`] | readers beside writers |
//! | [`idle`] | what nobody uses |
//! | [`soak`] | everything at once, for long |
//! | [`report`], [`plot`] | a page of HTML of all that |
//! | [`machine`], [`memory`] | where it was measured; what this process has |
//! | [`latencies`] | what one client saw |
//! | [`chance`] | seeded traces |
//! | [`scratch`] | a folder for the databases |

pub mod cache;
pub mod chance;
pub mod clients;
pub mod commit;
pub mod idle;
pub mod io;
pub mod latencies;
pub mod machine;
pub mod memory;
pub mod mix;
pub mod plot;
pub mod report;
pub mod scan;
pub mod scratch;
pub mod soak;
pub mod wal;

/// Why a measurement failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// This one.
    Ringwood,
    /// Stock SQLite; only with the feature `peer`.
    Sqlite,
}

impl Engine {
    /// Its name in a result.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Ringwood => "ringwood",
            Engine::Sqlite => "sqlite",
        }
    }

    /// Those that this build has.
    pub fn available() -> &'static [Engine] {
        if cfg!(feature = "peer") {
            &[Engine::Ringwood, Engine::Sqlite]
        } else {
            &[Engine::Ringwood]
        }
    }
}

/// The median of some figures.
///
/// # Panics
/// If there are none.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
