//! The built-in functions beside stock SQLite's: every call with the same arguments, by value, type and message.

mod aggregates;
mod dates;
mod formats;
mod json;
mod math;
mod oracle;
mod scalars;
