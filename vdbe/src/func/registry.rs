//! The functions that a connection knows, by name and number of arguments.

use super::{ANY_ARITY, FunctionDef};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;

/// Functions by name and arity.
#[derive(Clone, Debug, Default)]
pub struct FunctionRegistry {
    by_name: HashMap<String, Vec<Arc<FunctionDef>>, RandomState>,
}

impl FunctionRegistry {
    /// No functions.
    pub fn new() -> FunctionRegistry {
        FunctionRegistry::default()
    }

    /// Adds a function; it replaces one of the same name and arity.
    pub fn register(&mut self, def: FunctionDef) {
        let overloads = self
            .by_name
            .entry(def.name.to_ascii_lowercase())
            .or_default();
        overloads.retain(|old| old.arity != def.arity);
        overloads.push(Arc::new(def));
    }

    /// Removes the function of that name and arity; whether there was one.
    pub fn remove(&mut self, name: &str, arity: i16) -> bool {
        let Some(overloads) = self.by_name.get_mut(&name.to_ascii_lowercase()) else {
            return false;
        };
        let before = overloads.len();
        overloads.retain(|def| def.arity != arity);
        overloads.len() < before
    }

    /// The function for a call with `args` arguments: the one with that arity, else one that takes any number.
    pub fn find(&self, name: &str, args: usize) -> Option<Arc<FunctionDef>> {
        let overloads = self.overloads(name);
        let quality = |def: &FunctionDef| match def.arity {
            n if n >= 0 => usize::from(n as usize == args) * 3,
            ANY_ARITY => 1,
            n => usize::from(args >= (-2 - n) as usize) * 2,
        };
        let best = overloads
            .iter()
            .max_by_key(|def| quality(def))
            .filter(|def| quality(def) > 0)?;
        Some(Arc::clone(best))
    }

    /// Whether there is a function of that name, with any number of arguments.
    pub fn exists(&self, name: &str) -> bool {
        !self.overloads(name).is_empty()
    }

    /// All functions of that name.
    pub fn overloads(&self, name: &str) -> &[Arc<FunctionDef>] {
        let found = if name.bytes().any(|b| b.is_ascii_uppercase()) {
            self.by_name.get(&name.to_ascii_lowercase())
        } else {
            self.by_name.get(name)
        };
        found.map_or(&[], Vec::as_slice)
    }

    /// All functions, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<FunctionDef>> {
        self.by_name.values().flatten()
    }
}
