//! The order in which SQLite walks the tables of a database.
//!
//! Its hash table is a list: a new name goes in front of the others of its bucket, or in front of all if the bucket is
//! empty. Up to four names share one list without buckets; from the fifth on there are three buckets for each name that
//! was there when they were made anew, and never less than one for two.
//!
//! Absent: what DROP TABLE does to the buckets' sizes; the schema that was just read is what is meant.
//!
//! Source: SQLite's `hash.c`.

use std::collections::HashMap;

/// The names by their places in `names`, which are in the order in which they came.
pub fn walk_order(names: &[&str]) -> Vec<usize> {
    let mut list = List::default();
    for (place, name) in names.iter().enumerate() {
        let count = place as u32 + 1;
        if count >= 5 && count > 2 * list.size {
            let before = list.walk();
            list = List {
                size: count * 3,
                ..List::default()
            };
            for (hash, place) in before {
                list.insert(hash, place);
            }
        }
        list.insert(hash_of(name), place);
    }
    list.walk().map(|(_, place)| place).collect()
}

/// What the hash table is as long as nothing leaves it.
#[derive(Default)]
struct List {
    /// How many buckets; 0 if there are none yet.
    size: u32,
    /// Hashes and places, bucket by bucket; the last of each is the first that is walked.
    buckets: Vec<Vec<(u32, usize)>>,
    place_of: HashMap<u32, usize>,
}

impl List {
    fn insert(&mut self, hash: u32, place: usize) {
        let bucket = if self.size == 0 { 0 } else { hash % self.size };
        let next = self.buckets.len();
        let at = *self.place_of.entry(bucket).or_insert(next);
        if at == next {
            self.buckets.push(Vec::new());
        }
        self.buckets[at].push((hash, place));
    }

    fn walk(&mut self) -> impl Iterator<Item = (u32, usize)> + use<> {
        let buckets = std::mem::take(&mut self.buckets);
        buckets
            .into_iter()
            .rev()
            .flat_map(|bucket| bucket.into_iter().rev())
    }
}

fn hash_of(name: &str) -> u32 {
    name.bytes().fold(0u32, |hash, byte| {
        hash.wrapping_add(u32::from(byte & 0xdf))
            .wrapping_mul(0x9e37_79b1)
    })
}

#[cfg(test)]
mod tests {
    use super::walk_order;

    #[test]
    fn few_names_are_walked_backwards() {
        assert_eq!(walk_order(&["sqlite_master", "t", "u"]), [2, 1, 0]);
        assert!(walk_order(&[]).is_empty());
    }

    #[test]
    fn each_name_is_walked_once() {
        let names: Vec<String> = (0..200).map(|n| format!("table_{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut order = walk_order(&names);
        assert_ne!(order, (0..200).rev().collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..200).collect::<Vec<_>>());
    }
}
