//! What may be seen: every version of the content that a transaction tried to commit, with its parent.
//!
//! ```text
//!  0 (no tables) ── 1 ── 2 ── 3        each number is written by its transaction into the table `stamp`
//!                         `── 4        4 was in doubt, and lost when 3 was built on 2
//! ```
//!
//! 1. A number is larger than its parent's.
//! 2. `floor`: acknowledged, or seen; who starts reading now sees it or a descendant.
//! 3. `durable`: acknowledged as durable; a power cut leaves it or a descendant.

use std::collections::BTreeMap;
use std::rc::Rc;

use ringwood_io::Chance;

/// The rows of the table `kv`: key and tag, from which the values follow.
pub type State = BTreeMap<i64, u64>;

struct Version {
    parent: i64,
    state: Rc<State>,
}

/// A row of the table: `k`, `n`, `v`.
pub type Row = (i64, i64, Vec<u8>);

/// The versions, and which of them must be there.
pub struct Model {
    versions: BTreeMap<i64, Version>,
    floor: i64,
    durable: i64,
    next: i64,
}

impl Default for Model {
    fn default() -> Model {
        let empty = Version {
            parent: 0,
            state: Rc::default(),
        };
        Model {
            versions: BTreeMap::from([(0, empty)]),
            floor: 0,
            durable: 0,
            next: 1,
        }
    }
}

impl Model {
    /// What whoever starts now must see, it or a descendant.
    pub fn floor(&self) -> i64 {
        self.floor
    }

    /// What a power cut must leave.
    pub fn durable(&self) -> i64 {
        self.durable
    }

    /// The content of a version; `None` if no transaction ever had that number.
    pub fn state(&self, version: i64) -> Option<Rc<State>> {
        self.versions.get(&version).map(|v| v.state.clone())
    }

    /// A transaction is about to commit this on top of `parent`: its number.
    pub fn attempt(&mut self, parent: i64, state: State) -> i64 {
        let number = self.next;
        self.next += 1;
        let state = Rc::new(state);
        self.versions.insert(number, Version { parent, state });
        number
    }

    /// Whether `version` is `ancestor` or was built on it.
    pub fn descends(&self, mut version: i64, ancestor: i64) -> bool {
        while version > ancestor {
            match self.versions.get(&version) {
                Some(v) => version = v.parent,
                None => return false,
            }
        }
        version == ancestor
    }

    /// A commit was acknowledged.
    ///
    /// # Errors
    /// It is not part of the history that others have seen.
    pub fn acknowledged(&mut self, version: i64, durable: bool) -> Result<(), String> {
        self.saw(version, 0)?;
        if durable && self.descends(version, self.durable) {
            self.durable = version;
        }
        Ok(())
    }

    /// Everything up to `version` is durable.
    pub fn made_durable(&mut self, version: i64) {
        if self.descends(version, self.durable) {
            self.durable = version;
        }
    }

    /// Somebody who began when the floor was `floor` has read `version`.
    ///
    /// # Errors
    /// Nobody may see that.
    pub fn saw(&mut self, version: i64, floor: i64) -> Result<(), String> {
        if !self.versions.contains_key(&version) {
            return Err(format!("version {version} was never written"));
        }
        if !self.descends(version, floor) {
            return Err(format!(
                "version {version} is seen, without the acknowledged {floor}"
            ));
        }
        if self.descends(version, self.floor) {
            self.floor = version;
            return Ok(());
        }
        if self.descends(self.floor, version) {
            return Ok(());
        }
        Err(format!(
            "versions {version} and {} are both seen, and neither contains the other",
            self.floor
        ))
    }

    /// `version` was recovered; after a power cut that is what is durable.
    ///
    /// # Errors
    /// It lacks something that was acknowledged.
    pub fn recovered(&mut self, version: i64, power_cut: bool) -> Result<(), String> {
        let must = if power_cut { self.durable } else { self.floor };
        if !self.versions.contains_key(&version) {
            return Err(format!("version {version} was never written"));
        }
        if !self.descends(version, must) {
            return Err(format!(
                "lost: version {version} was recovered, {must} had been acknowledged"
            ));
        }
        self.floor = version;
        if power_cut {
            self.durable = version;
        }
        Ok(())
    }

    /// Compares rows that were read with a version.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare(&self, version: i64, rows: &[Row]) -> Result<(), String> {
        let Some(state) = self.state(version) else {
            return Err(format!("version {version} was never written"));
        };
        if rows.len() != state.len() {
            return Err(format!(
                "version {version} has {} rows, {} were read",
                state.len(),
                rows.len()
            ));
        }
        for ((key, n, bytes), (wanted, tag)) in rows.iter().zip(state.iter()) {
            if key != wanted || *n != number_of(*tag) || *bytes != bytes_of(*tag) {
                return Err(format!(
                    "version {version}: row {key} is not what was written ({} bytes)",
                    bytes.len()
                ));
            }
        }
        Ok(())
    }
}

/// The indexed number of a row with this tag.
pub fn number_of(tag: u64) -> i64 {
    (tag % 97) as i64
}

/// The blob of a row with this tag: mostly short, at times on overflow pages.
pub fn bytes_of(tag: u64) -> Vec<u8> {
    let len = match tag % 16 {
        0 => tag / 16 % 9000,
        1..=3 => tag / 16 % 1500,
        _ => tag / 16 % 120,
    } as usize;
    let mut chance = Chance::new(tag);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&chance.number().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
