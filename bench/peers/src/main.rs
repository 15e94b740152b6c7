//! The engine beside its peers: stock SQLite, redb, and with the feature `turso` that crate.
//!
//! ```text
//! cargo run --release [--features turso] [-- ROWS]
//! {"what":"peers","engine":"redb","load":"commits","per_second":…}
//! ```
//!
//! | load | |
//! |---|---|
//! | `fill` | rows with keys in order, in one transaction |
//! | `reads` | rows by random keys, all in memory |
//! | `commits` | one row each, durable |
//!
//! Each peer is set to be durable when a commit returns; everything else is as it comes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{ReadableDatabase, TableDefinition};
use serde_json::json;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long each of reads and commits is measured.
const TIME: Duration = Duration::from_secs(2);
const BODY: usize = 100;
const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("t");
const CREATE: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)";
const INSERT: &str = "INSERT INTO t VALUES (?1, ?2)";
const READ: &str = "SELECT body FROM t WHERE id = ?1";

/// What every peer can do.
trait Peer {
    fn fill(&mut self, rows: u64) -> Result<(), Failure>;
    /// The bytes of a row.
    fn read(&mut self, key: u64) -> Result<usize, Failure>;
    fn commit(&mut self, key: u64) -> Result<(), Failure>;
}

struct Ringwood(ringwood::LocalConnection);

impl Ringwood {
    fn open(path: &Path) -> Result<Ringwood, Failure> {
        let conn = ringwood::LocalConnection::open(path)?;
        conn.execute_batch(CREATE)?;
        Ok(Ringwood(conn))
    }
}

impl Peer for Ringwood {
    fn fill(&mut self, rows: u64) -> Result<(), Failure> {
        self.0.execute_batch("BEGIN")?;
        for key in 0..rows {
            self.commit(key)?;
        }
        Ok(self.0.execute_batch("COMMIT")?)
    }

    fn read(&mut self, key: u64) -> Result<usize, Failure> {
        let mut statement = self.0.prepare_cached(READ)?;
        statement.bind(1, key as i64)?;
        let found = statement.step()?;
        Ok(if found { BODY } else { 0 })
    }

    fn commit(&mut self, key: u64) -> Result<(), Failure> {
        let mut statement = self.0.prepare_cached(INSERT)?;
        statement.bind(1, key as i64)?;
        statement.bind(2, vec![7_u8; BODY])?;
        statement.step()?;
        Ok(())
    }
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn open(path: &Path) -> Result<Sqlite, Failure> {
        let conn = rusqlite::Connection::open(path)?;
        conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
        conn.execute_batch(CREATE)?;
        Ok(Sqlite(conn))
    }
}

impl Peer for Sqlite {
    fn fill(&mut self, rows: u64) -> Result<(), Failure> {
        self.0.execute_batch("BEGIN")?;
        for key in 0..rows {
            self.commit(key)?;
        }
        Ok(self.0.execute_batch("COMMIT")?)
    }

    fn read(&mut self, key: u64) -> Result<usize, Failure> {
        let mut statement = self.0.prepare_cached(READ)?;
        let mut rows = statement.query([key as i64])?;
        Ok(if rows.next()?.is_some() { BODY } else { 0 })
    }

    fn commit(&mut self, key: u64) -> Result<(), Failure> {
        let mut statement = self.0.prepare_cached(INSERT)?;
        statement.execute((key as i64, vec![7_u8; BODY]))?;
        Ok(())
    }
}

struct Redb(redb::Database);

impl Redb {
    fn open(path: &Path) -> Result<Redb, Failure> {
        Ok(Redb(redb::Database::create(path)?))
    }
}

impl Peer for Redb {
    fn fill(&mut self, rows: u64) -> Result<(), Failure> {
        let tx = self.0.begin_write()?;
        {
            let mut table = tx.open_table(TABLE)?;
            for key in 0..rows {
                table.insert(key, &[7_u8; BODY][..])?;
            }
        }
        Ok(tx.commit()?)
    }

    fn read(&mut self, key: u64) -> Result<usize, Failure> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        let found = table.get(key)?;
        Ok(found.map_or(0, |body| body.value().len()))
    }

    fn commit(&mut self, key: u64) -> Result<(), Failure> {
        let tx = self.0.begin_write()?;
        tx.open_table(TABLE)?.insert(key, &[7_u8; BODY][..])?;
        Ok(tx.commit()?)
    }
}

#[cfg(feature = "turso")]
struct Turso(turso::Connection);

#[cfg(feature = "turso")]
impl Turso {
    fn open(path: &Path) -> Result<Turso, Failure> {
        let path = path.to_str().ok_or("a path that is text")?;
        ringwood::block_on(async {
            let db = turso::Builder::new_local(path).build().await?;
            let conn = db.connect()?;
            conn.execute(CREATE, ()).await?;
            Ok(Turso(conn))
        })
    }
}

#[cfg(feature = "turso")]
impl Peer for Turso {
    fn fill(&mut self, rows: u64) -> Result<(), Failure> {
        ringwood::block_on(self.0.execute("BEGIN", ()))?;
        for key in 0..rows {
            self.commit(key)?;
        }
        ringwood::block_on(self.0.execute("COMMIT", ()))?;
        Ok(())
    }

    fn read(&mut self, key: u64) -> Result<usize, Failure> {
        ringwood::block_on(async {
            let mut statement = self.0.prepare_cached(READ).await?;
            let mut rows = statement.query([key as i64]).await?;
            let found = rows.next().await?.is_some();
            Ok(if found { BODY } else { 0 })
        })
    }

    fn commit(&mut self, key: u64) -> Result<(), Failure> {
        ringwood::block_on(async {
            let mut statement = self.0.prepare_cached(INSERT).await?;
            statement.execute((key as i64, vec![7_u8; BODY])).await?;
            Ok(())
        })
    }
}

fn measure(name: &str, peer: &mut dyn Peer, rows: u64) -> Result<(), Failure> {
    let tell = |load: &str, count: u64, seconds: f64| {
        let rate = count as f64 / seconds;
        println!(
            "{}",
            json!({"what": "peers", "engine": name, "load": load, "rows": rows, "per_second": rate})
        );
    };
    let began = Instant::now();
    peer.fill(rows)?;
    tell("fill", rows, began.elapsed().as_secs_f64());

    let (mut chance, mut count) = (0x9E37_79B9_7F4A_7C15_u64, 0);
    let began = Instant::now();
    while began.elapsed() < TIME {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let found = peer.read(chance % rows)?;
        if found != BODY {
            return Err(format!("{name}: a row is missing").into());
        }
        count += 1;
    }
    tell("reads", count, began.elapsed().as_secs_f64());

    let (began, mut key) = (Instant::now(), rows);
    while began.elapsed() < TIME {
        peer.commit(key)?;
        key += 1;
    }
    tell("commits", key - rows, began.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> Result<(), Failure> {
    let rows = std::env::args().nth(1);
    let rows = rows.map_or(Ok(100_000), |text| text.parse())?;
    let dir = std::env::temp_dir().join(format!("ringwood-peers-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = all(&dir, rows);
    std::fs::remove_dir_all(&dir)?;
    done
}

fn all(dir: &Path, rows: u64) -> Result<(), Failure> {
    let path = |name: &str| -> PathBuf { dir.join(name) };
    measure("ringwood", &mut Ringwood::open(&path("ringwood"))?, rows)?;
    measure("sqlite", &mut Sqlite::open(&path("sqlite"))?, rows)?;
    measure("redb", &mut Redb::open(&path("redb"))?, rows)?;
    #[cfg(feature = "turso")]
    measure("turso", &mut Turso::open(&path("turso"))?, rows)?;
    Ok(())
}
