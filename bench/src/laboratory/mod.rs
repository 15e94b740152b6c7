//! What `ringwood-bench` measures, and how it tells.
//!
//! | module | what |
//! |---|---|
//! | [`machine`] | where it was measured |
//! | [`latencies`] | what one client saw |
//! | [`scratch`] | a folder for the databases |
//! | [`clients`] | many clients, one database, small commits |
//! | [`commit`] | one client |

pub mod clients;
pub mod commit;
pub mod latencies;
pub mod machine;
pub mod scratch;

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
