//! The shell from outside: what it prints, what it leaves on disk, what survives a kill.

mod arguments;
mod chinook;
mod commands;
mod crash;
mod databases;
mod dump;
mod errors;
mod extensions;
mod faults;
mod import;
mod journal;
mod large;
mod memory;
mod mix;
mod modes;
mod northwind;
mod pair;
mod recover;
mod shell;
mod terminal;
mod vacuum;
