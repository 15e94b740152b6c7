//! What is to happen: made from a seed, written and read as JSON.

use ringwood_io::{Chance, Faults, Lie};
use serde::{Deserialize, Serialize};

/// What a run of seeds has in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Processes that use the file at the same time, at most.
    pub processes: u64,
    /// Many connections in each process, which commit small transactions.
    pub crowd: bool,
    /// The power may fail, too, where syncs do.
    pub cuts_after_failed_syncs: bool,
    /// What is broken on purpose.
    pub mutation: Mutation,
    /// In how many of a thousand checks stock SQLite looks at the files too.
    pub stock: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            processes: 3,
            crowd: false,
            cuts_after_failed_syncs: false,
            mutation: Mutation::None,
            stock: 60,
        }
    }
}

/// What is broken on purpose, to see whether it is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mutation {
    /// Nothing.
    #[default]
    None,
    /// Logs are never synced.
    NoLogSync,
    /// Rollback journals are never synced.
    NoJournalSync,
    /// The database file is never synced, by checkpoints or otherwise.
    NoCheckpointSync,
    /// The checksums of the log's frames are not looked at.
    NoChecksum,
    /// `synchronous=OFF`, and the model believes that it is FULL.
    SynchronousOff,
}

impl Mutation {
    /// The syncs that are left out.
    pub fn lie(self) -> Lie {
        match self {
            Mutation::NoLogSync | Mutation::NoJournalSync => Lie::Log,
            Mutation::NoCheckpointSync => Lie::Database,
            _ => Lie::None,
        }
    }
}

/// How a database is kept whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Journal {
    /// A log.
    #[default]
    Wal,
    /// A rollback journal, which is deleted.
    Delete,
    /// One that is cut to nothing.
    Truncate,
    /// One whose header is zeroed.
    Persist,
}

impl Journal {
    /// As `PRAGMA journal_mode` has it.
    pub fn name(self) -> &'static str {
        match self {
            Journal::Wal => "wal",
            Journal::Delete => "delete",
            Journal::Truncate => "truncate",
            Journal::Persist => "persist",
        }
    }
}

/// A list of lives on one disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Where the disk's chance comes from: the order of turns, faults, what crashes keep.
    pub seed: u64,
    /// `PRAGMA page_size`.
    pub page_size: u32,
    /// Pages in the cache of each process.
    pub frames: u32,
    /// `PRAGMA wal_autocheckpoint`.
    pub autocheckpoint: u32,
    /// `PRAGMA synchronous`: 0 to 3.
    pub synchronous: u8,
    /// `PRAGMA journal_mode` of each connection, to begin with.
    #[serde(default)]
    pub journal: Journal,
    /// `PRAGMA auto_vacuum` of the new database: 0 to 2.
    #[serde(default)]
    pub auto_vacuum: u8,
    /// Each transaction changes two files, which never have a log: what one says, the other says.
    #[serde(default)]
    pub attached: bool,
    /// What is broken on purpose.
    #[serde(default)]
    pub mutation: Mutation,
    /// In how many of a thousand checks stock SQLite looks too.
    #[serde(default)]
    pub stock: u32,
    /// The lives, in order.
    pub lives: Vec<Life>,
}

/// From one start of all programs to their end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Per process, per connection: what it does.
    pub processes: Vec<Vec<Vec<Action>>>,
    /// What goes wrong meanwhile.
    #[serde(default)]
    pub faults: Wrong,
    /// A process that is killed after so many operations of the machine.
    #[serde(default)]
    pub kill: Option<(usize, u64)>,
    /// How it ends.
    pub end: End,
}

/// The faults of a life, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// EIO on reads.
    pub read: u32,
    /// EIO on writes.
    pub write: u32,
    /// EIO on syncs.
    pub sync: u32,
    /// EIO on truncations.
    pub truncate: u32,
    /// EIO on opening, deleting and renaming.
    pub name: u32,
    /// Locks that seem to be held.
    pub busy: u32,
    /// KiB on the disk, 0 for no limit.
    pub capacity: u64,
}

impl Wrong {
    /// As the disk wants them.
    pub fn faults(self) -> Faults {
        Faults {
            read: self.read,
            write: self.write,
            sync: self.sync,
            truncate: self.truncate,
            name: self.name,
            busy: self.busy,
            capacity: (self.capacity > 0).then_some(self.capacity << 10),
            nth: None,
        }
    }

    /// Whether errors other than SQLITE_BUSY are to be expected.
    pub fn is_any(self) -> bool {
        let none = Wrong {
            busy: self.busy,
            ..Wrong::default()
        };
        self != none
    }
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Everybody comes to the end of his actions and closes.
    Close,
    /// All processes are killed after so many operations of the machine.
    Kill(u64),
    /// The power fails after so many operations of the machine.
    Cut(u64),
}

/// What a connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// BEGIN IMMEDIATE.
    Begin,
    /// BEGIN.
    Defer,
    /// Insert or replace a row.
    Put(i64, u64),
    /// Insert or replace rows from a key on, so many.
    Fill(i64, i64, u64),
    /// Give the rows of a range another tag.
    Update(i64, i64, u64),
    /// Delete the rows of a range.
    Delete(i64, i64),
    /// SAVEPOINT.
    Savepoint,
    /// ROLLBACK TO the last savepoint.
    RollbackTo,
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
    /// Append a row, reading nothing.
    Append,
    /// Read everything, and compare.
    Read,
    /// `PRAGMA integrity_check`.
    Check,
    /// `PRAGMA journal_mode`.
    Journal(Journal),
    /// VACUUM.
    Vacuum,
    /// `PRAGMA incremental_vacuum` of so many pages.
    Incremental(u32),
    /// A backup into a new file, so many pages a step.
    Backup(i32),
    /// `PRAGMA wal_checkpoint`: PASSIVE, FULL, RESTART, TRUNCATE.
    Checkpoint(u8),
    /// The next statement is given up when it has waited so often.
    GiveUp(u32),
    /// Milliseconds pass.
    Sleep(u64),
}

impl Scenario {
    /// Whether some connection may keep a rollback journal.
    pub fn has_journals(&self) -> bool {
        let switches = |action: &Action| matches!(action, Action::Journal(_));
        self.journal != Journal::Wal
            || self
                .lives
                .iter()
                .flat_map(|life| life.processes.iter().flatten().flatten())
                .any(switches)
    }

    /// The scenario of a seed.
    pub fn of_seed(seed: u64, settings: &Settings) -> Scenario {
        let c = &mut Chance::new(seed);
        let faulty = c.below(3) == 0;
        // A failed sync may lose what a later one reports as durable: see rule 4 of the disk. Whoever has such a disk
        // keeps the power on.
        let syncs_fail = faulty && c.below(3) == 0;
        let world = Keeping::of_chance(c, settings);
        let synchronous = match settings.mutation {
            Mutation::SynchronousOff => 0,
            // With a rollback journal NORMAL may lose its bet against a power cut.
            Mutation::None if !world.is_logged => [2, 3][c.below(2) as usize],
            Mutation::None => [2, 2, 2, 3, 1, 1][c.below(6) as usize],
            _ => 2,
        };
        let count = 1 + c.below(4) as usize;
        let mut scenario = Scenario {
            seed: c.number(),
            page_size: [512, 1024, 4096, 4096][c.below(4) as usize],
            frames: 8 + c.below(60) as u32,
            autocheckpoint: [0, 3, 10, 40, 1000][c.below(5) as usize],
            synchronous,
            journal: world.modes[c.below(world.modes.len() as u64) as usize],
            auto_vacuum: [0, 0, 1, 2][c.below(4) as usize],
            attached: world.attached,
            mutation: settings.mutation,
            stock: settings.stock,
            lives: Vec::new(),
        };
        for _ in 0..count {
            let life = Life::of_chance(c, settings, &world, faulty, syncs_fail);
            scenario.lives.push(life);
        }
        scenario
    }
}

impl Life {
    fn of_chance(
        c: &mut Chance,
        settings: &Settings,
        world: &Keeping,
        faulty: bool,
        syncs_fail: bool,
    ) -> Life {
        let processes = 1 + c.below(settings.processes);
        let gives_up = c.below(3) == 0;
        let processes = (0..processes)
            .map(|_| {
                if settings.crowd {
                    let connections = 2 + c.below(9);
                    return (0..connections).map(|_| appends(c, gives_up)).collect();
                }
                let connections = [1, 1, 2, 3][c.below(4) as usize];
                (0..connections)
                    .map(|_| actions(c, world, gives_up))
                    .collect()
            })
            .collect();
        let mut faults = Wrong::default();
        if c.below(4) == 0 {
            faults.busy = 1 + c.below(200) as u32;
        }
        if faulty && c.below(4) != 0 {
            let rate = [1, 5, 20, 100][c.below(4) as usize];
            match c.below(6) {
                0 => faults.read = rate,
                1 => faults.write = rate,
                2 => faults.truncate = 5 * rate,
                3 => faults.name = rate,
                4 => faults.capacity = 8 + c.below(400),
                _ => {
                    (faults.read, faults.write, faults.truncate, faults.name) =
                        (rate, rate, rate, rate);
                }
            }
            if syncs_fail {
                faults.sync = rate;
            }
        }
        let width = 3 + c.below(8);
        let after = 1 + c.below(1 << width);
        let end = match c.below(8) {
            0 | 1 => End::Close,
            2 => End::Kill(after),
            _ if syncs_fail && !settings.cuts_after_failed_syncs => End::Kill(after),
            _ => End::Cut(after),
        };
        let kill = (settings.processes > 1 && c.below(4) == 0).then(|| {
            (
                c.below(settings.processes) as usize,
                1 + c.below(1 << width),
            )
        });
        Life {
            processes,
            faults,
            kill,
            end,
        }
    }
}

/// What one of many does.
fn appends(c: &mut Chance, gives_up: bool) -> Vec<Action> {
    let mut actions = Vec::new();
    for _ in 0..=c.below(16) {
        match c.below(16) {
            0 => actions.push(Action::Read),
            1 => actions.push(Action::Checkpoint(c.below(4) as u8)),
            2 => actions.push(Action::Sleep(c.below(4))),
            3 => {
                let tag = c.number() >> 20;
                let key = c.below(64) as i64;
                let end = [Action::Commit, Action::Rollback][c.below(2) as usize];
                actions.extend([Action::Begin, Action::Put(key, tag), end]);
            }
            _ => {
                if gives_up && c.below(12) == 0 {
                    actions.push(Action::GiveUp(c.below(6) as u32));
                }
                actions.push(Action::Append);
            }
        }
    }
    actions
}

/// How the databases of a scenario are kept whole.
struct Keeping {
    /// The modes that its connections go between.
    modes: &'static [Journal],
    is_logged: bool,
    attached: bool,
}

impl Keeping {
    fn of_chance(c: &mut Chance, settings: &Settings) -> Keeping {
        use Journal::{Delete, Persist, Truncate, Wal};
        let kind = match settings.mutation {
            _ if settings.crowd => 0,
            Mutation::None => c.below(5),
            Mutation::NoJournalSync => 3 + c.below(2),
            _ => 0,
        };
        let modes: &[Journal] = match kind {
            0 | 1 => &[Wal],
            2 => &[Wal, Delete, Truncate, Persist],
            _ => &[Delete, Truncate, Persist],
        };
        Keeping {
            modes,
            is_logged: kind < 2,
            attached: kind == 4,
        }
    }
}

fn actions(c: &mut Chance, world: &Keeping, gives_up: bool) -> Vec<Action> {
    let mut actions = Vec::new();
    let keys = [16, 64, 300][c.below(3) as usize];
    let key = |c: &mut Chance| c.below(keys) as i64;
    for _ in 0..=c.below(10) {
        match c.below(12) {
            0 => actions.push(Action::Read),
            1 if world.modes.len() > 1 && c.below(2) == 0 => {
                let mode = world.modes[c.below(world.modes.len() as u64) as usize];
                actions.push(Action::Journal(mode));
            }
            1 => actions.push(match c.below(8) {
                0 => Action::Vacuum,
                1 => Action::Incremental(c.below(6) as u32),
                2 => Action::Backup([-1, 1, 3, 10][c.below(4) as usize]),
                mode => Action::Checkpoint(mode as u8 % 4),
            }),
            2 if c.below(4) == 0 => actions.push(Action::Check),
            2 => actions.push(Action::Sleep(c.below(20))),
            _ => {
                actions.push(if c.below(3) == 0 {
                    Action::Defer
                } else {
                    Action::Begin
                });
                for _ in 0..=c.below(5) {
                    let tag = c.number() >> 20;
                    let change = match c.below(10) {
                        0..=3 => Action::Put(key(c), tag),
                        4 => Action::Fill(key(c), 1 + c.below(20) as i64, tag),
                        5 | 6 => {
                            let from = key(c);
                            Action::Update(from, from + c.below(10) as i64, tag)
                        }
                        7 => {
                            let from = key(c);
                            Action::Delete(from, from + c.below(12) as i64)
                        }
                        8 => Action::Savepoint,
                        _ => Action::RollbackTo,
                    };
                    if gives_up && c.below(20) == 0 {
                        actions.push(Action::GiveUp(c.below(8) as u32));
                    }
                    actions.push(change);
                }
                if gives_up && c.below(8) == 0 {
                    actions.push(Action::GiveUp(c.below(10) as u32));
                }
                actions.push(if c.below(6) == 0 {
                    Action::Rollback
                } else {
                    Action::Commit
                });
            }
        }
    }
    actions
}
