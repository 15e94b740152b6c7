//! What idle connections and databases cost. Threads and descriptors are counted for the whole process, so that no other
//! test runs in this one.

use ringwood_bench::laboratory::idle::{Costs, Idle, measure};

#[test]
fn what_nobody_uses_costs_little_and_no_threads() {
    let options = Idle {
        connections: 1000,
        databases: 500,
        tables: 3,
        dir: None,
    };
    let Costs {
        fresh,
        used,
        databases,
    } = measure(&options).expect("measures");
    assert!(fresh.bytes_each < 16.0 * 1024.0, "{fresh:?}");
    // Its schema, of three tables and three indexes, and a statement.
    assert!(used.bytes_each < 32.0 * 1024.0, "{used:?}");
    assert_eq!(used.threads, 0);
    // The bells and rings of the cores.
    assert!(used.descriptors <= 8, "{used:?}");
    assert!(databases.bytes_each < 64.0 * 1024.0, "{databases:?}");
    assert_eq!(databases.threads, 0);
    // The file's and its log's.
    assert!(databases.descriptors <= 2 * 500 + 8, "{databases:?}");
}
