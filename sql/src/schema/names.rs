//! A map from SQL names, which compare without regard to ASCII case.

use hashbrown::{Equivalent, HashMap};
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A name as a key.
#[derive(Clone, Debug)]
struct Name(Arc<str>);

/// A borrowed name to look for.
struct Sought<'a>(&'a str);

fn hash_folded<H: Hasher>(name: &str, state: &mut H) {
    for &b in name.as_bytes() {
        state.write_u8(b.to_ascii_lowercase());
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_folded(self.0.borrow(), state);
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_folded(self.0, state);
    }
}

impl Equivalent<Name> for Sought<'_> {
    fn equivalent(&self, key: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&key.0)
    }
}

/// A map by name. Names keep the case in which they were inserted.
#[derive(Clone, Debug)]
pub struct NameMap<V> {
    map: HashMap<Name, V, foldhash::fast::RandomState>,
}

impl<V> Default for NameMap<V> {
    fn default() -> NameMap<V> {
        NameMap {
            map: HashMap::with_hasher(foldhash::fast::RandomState::default()),
        }
    }
}

impl<V> NameMap<V> {
    /// What is under that name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.map.get(&Sought(name))
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.map.get_mut(&Sought(name))
    }

    /// Puts a value under a name; returns what was there before.
    pub fn insert(&mut self, name: Arc<str>, value: V) -> Option<V> {
        self.map.insert(Name(name), value)
    }

    /// Takes what is under that name out.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        self.map.remove(&Sought(name))
    }

    /// The values, in no particular order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values()
    }

    /// The values, in no particular order, and the map's end.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.map.into_values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}
