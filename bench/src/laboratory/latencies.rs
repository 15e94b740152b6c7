//! What clients saw: how long each operation took.

use serde_json::{Value, json};
use std::time::Duration;

/// The operations of one client, each with its time.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// An operation took so long.
    pub fn add(&mut self, took: Duration) {
        self.0
            .push(u32::try_from(took.as_nanos() / 100).unwrap_or(u32::MAX));
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Mean, median, p99 and maximum of all clients together, in microseconds; how many operations the busiest and the
    /// slowest client made.
    pub fn summary(clients: &[Latencies]) -> Value {
        let mut all: Vec<u32> = clients.iter().flat_map(|c| c.0.iter().copied()).collect();
        all.sort_unstable();
        if all.is_empty() {
            return Value::Null;
        }
        let at = |part: f64| f64::from(all[((all.len() - 1) as f64 * part) as usize]) / 10.0;
        let mean = all.iter().map(|&t| f64::from(t)).sum::<f64>() / all.len() as f64 / 10.0;
        let counts = clients.iter().map(Latencies::count);
        json!({
            "mean_us": mean,
            "p50_us": at(0.5),
            "p99_us": at(0.99),
            "max_us": at(1.0),
            "busiest_client": counts.clone().max(),
            "slowest_client": counts.min(),
        })
    }
}
