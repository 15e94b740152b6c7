//! Golden scripts, SQLite oracle, sqllogictest runner and generators.
//!
//! Reading order: [`engine`] (one trait over both engines), [`sqlite`] (the oracle), [`ringwood`], [`slt`]
//! (sqllogictest), [`queries`] (generated SELECTs), [`calls`] (generated calls of functions), [`changes`] (generated changes), [`effects`] (triggers and foreign keys), [`compare`] (both engines side by
//! side), [`plans`] (their plans), [`sim`] (the simulator), [`data`] (where the corpora lie).
//!
//! **Absent:** nothing here is part of the product; no library crate depends on it outside its
//! tests.

pub mod calls;
pub mod changes;
pub mod compare;
pub mod compat;
pub mod data;
pub mod effects;
pub mod engine;
pub mod grammar;
pub mod plans;
pub mod queries;
pub mod ringwood;
pub mod selects;
pub mod sim;
pub mod slt;
pub mod sqlite;
