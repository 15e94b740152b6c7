//! Measures the paths of this crate: `cargo run --release -p ringwood-io --example measure [FOLDER]`.
//!
//! Cold reads bypass the kernel's cache, so that they need no right to drop it.

use ringwood_io::{Durability, IoHandle, OpenOptions, SyncMode};
use std::path::PathBuf;
use std::time::Instant;

const PAGE: usize = 4096;
const PAGES: u64 = 64 << 10;

fn per_item(name: &str, count: u64, f: impl FnOnce()) {
    let start = Instant::now();
    f();
    let ns = start.elapsed().as_nanos() as f64 / count as f64;
    println!("{name:<44} {:>10.3} µs {:>12.0} /s", ns / 1000.0, 1e9 / ns);
}

fn main() -> ringwood_io::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    let io = IoHandle::builder().build();
    println!(
        "{}",
        io.ring_info()
            .map_or_else(|| io.driver_name().into(), |i| i.to_string())
    );

    per_item("block_on of a ready future", 1_000_000, || {
        for i in 0..1_000_000 {
            io.block_on(async { std::hint::black_box(i) });
        }
    });
    per_item("yield_now", 1_000_000, || {
        io.block_on(async {
            for _ in 0..1_000_000 {
                io.yield_now().await;
            }
        });
    });
    per_item("spawn and join", 100_000, || {
        io.block_on(async {
            for _ in 0..100_000 {
                io.spawn(async {}).await.expect("finishes");
            }
        });
    });
    per_item("alloc and free a page", 1_000_000, || {
        for _ in 0..1_000_000 {
            std::hint::black_box(io.alloc(PAGE));
        }
    });

    let path = folder.join(format!("ringwood_measure_{:x}", io.rand()));
    let file = io.open(&path, &OpenOptions::create_new().delete_on_close(true))?;
    for i in 0..PAGES / 256 {
        io.write_now(&file, i * 256 * PAGE as u64, &vec![i as u8; 256 * PAGE])?;
    }
    io.sync_now(&file, SyncMode::Full)?;
    let at = |io: &IoHandle| (io.rand() % PAGES) * PAGE as u64;

    per_item("cached read, inline", 200_000, || {
        for _ in 0..200_000 {
            io.block_on(io.read_exact(&file, at(&io), io.alloc(PAGE)))
                .expect("reads");
        }
    });
    per_item("cached read, 64 at a time on the ring", 256_000, || {
        for _ in 0..4000 {
            let requests = (0..64).map(|_| (at(&io), io.alloc(PAGE))).collect();
            io.block_on(io.read_many(&file, requests));
        }
    });

    let direct = io.open(&path, &OpenOptions::new().direct(true))?;
    println!("direct: {:?}", direct.caps());
    per_item("cold read, inline", 5000, || {
        for _ in 0..5000 {
            io.block_on(io.read_exact(&direct, at(&io), io.alloc(PAGE)))
                .expect("reads");
        }
    });
    per_item("cold read, lone on the ring", 5000, || {
        let _gather = io.gather();
        for _ in 0..5000 {
            io.block_on(io.read_exact(&direct, at(&io), io.alloc(PAGE)))
                .expect("reads");
        }
    });
    per_item("cold read, 64 tasks", 64_000, || {
        io.block_on(async {
            let tasks: Vec<_> = (0..64)
                .map(|_| {
                    let (io2, file) = (io.clone(), direct.clone());
                    io.spawn(async move {
                        for _ in 0..1000 {
                            let offset = (io2.rand() % PAGES) * PAGE as u64;
                            io2.read_exact(&file, offset, io2.alloc(PAGE))
                                .await
                                .expect("reads");
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("finishes");
            }
        });
    });

    per_item("write and sync, inline", 1000, || {
        for i in 0..1000 {
            let bufs = vec![io.arena().copy_of(&[1; PAGE]).into()];
            let offset = i * PAGE as u64;
            io.block_on(io.write_sync(&file, offset, bufs, SyncMode::Data))
                .1
                .expect("writes");
        }
    });
    per_item("write and sync, linked on the ring", 1000, || {
        let _gather = io.gather();
        for i in 0..1000 {
            let bufs = vec![io.arena().copy_of(&[1; PAGE]).into()];
            let offset = i * PAGE as u64;
            io.block_on(io.write_sync(&file, offset, bufs, SyncMode::Data))
                .1
                .expect("writes");
        }
    });
    per_item("write with RWF_DSYNC, inline", 1000, || {
        for i in 0..1000 {
            let buf = io.arena().copy_of(&[1; PAGE]);
            let done = io.block_on(io.write(&file, i * PAGE as u64, buf, Durability::Dsync));
            done.1.expect("writes");
        }
    });
    println!("{:?}", io.stats());
    Ok(())
}
