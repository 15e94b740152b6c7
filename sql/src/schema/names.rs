//! A map from SQL names, which compare without regard to ASCII case.

use hashbrown::HashTable;
use std::sync::Arc;

/// A map by name. Names keep the case in which they were inserted.
#[derive(Clone, Debug)]
pub struct NameMap<V> {
    entries: HashTable<(Arc<str>, V)>,
}

impl<V> Default for NameMap<V> {
    fn default() -> NameMap<V> {
        NameMap {
            entries: HashTable::new(),
        }
    }
}

/// Names that are equal without regard to case have one hash: bit 5 of every byte is set. Eight bytes at a time, each
/// folded in by a product of which both halves count.
#[inline]
fn hash(name: &str) -> u64 {
    const BIT_5: u64 = 0x2020_2020_2020_2020;
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(FACTOR);
        product as u64 ^ (product >> 64) as u64
    };
    let mut state = name.len() as u64;
    let mut words = name.as_bytes().chunks_exact(8);
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
        state = fold(state.rotate_left(17), word | BIT_5);
    }
    let rest = words.remainder().iter();
    let last = rest.fold(0, |word, byte| word << 8 | u64::from(*byte));
    fold(state.rotate_left(17), last | BIT_5)
}

impl<V> NameMap<V> {
    /// What is under that name.
    pub fn get(&self, name: &str) -> Option<&V> {
        if self.entries.is_empty() {
            return None;
        }
        let is_it = |(have, _): &(Arc<str>, V)| have.eq_ignore_ascii_case(name);
        Some(&self.entries.find(hash(name), is_it)?.1)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        let is_it = |(have, _): &(Arc<str>, V)| have.eq_ignore_ascii_case(name);
        Some(&mut self.entries.find_mut(hash(name), is_it)?.1)
    }

    /// Puts a value under a name, which stays as it was written the first time; returns what was there before.
    pub fn insert(&mut self, name: Arc<str>, value: V) -> Option<V> {
        if let Some(have) = self.get_mut(&name) {
            return Some(std::mem::replace(have, value));
        }
        let hash_of = |(name, _): &(Arc<str>, V)| hash(name);
        self.entries
            .insert_unique(hash(&name), (name, value), hash_of);
        None
    }

    /// Takes what is under that name out.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let is_it = |(have, _): &(Arc<str>, V)| have.eq_ignore_ascii_case(name);
        let entry = self.entries.find_entry(hash(name), is_it).ok()?;
        Some(entry.remove().0.1)
    }

    /// The values, in no particular order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// The values, in no particular order, and the map's end.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.entries.into_iter().map(|(_, value)| value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_no_others_are() {
        let mut map = NameMap::default();
        let names = ["", "t", "Zeile", "a_long_name_of_a_table", "12345678", "é"];
        for (i, name) in names.into_iter().enumerate() {
            assert_eq!(map.insert(name.into(), i), None);
        }
        for (i, name) in names.into_iter().enumerate() {
            assert_eq!(map.get(&name.to_ascii_uppercase()), Some(&i), "{name}");
        }
        assert_eq!(map.get("É"), None);
        assert_eq!(map.get("12345678 "), None);
        assert_eq!(map.get("a_long_name_of_a_tablf"), None);
        assert_eq!(map.insert("T".into(), 9), Some(1));
        assert_eq!(
            (map.remove("t"), map.get("T"), map.len()),
            (Some(9), None, 5)
        );
    }
}
