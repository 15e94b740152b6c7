//! The shell from outside: what it prints, what it leaves on disk, what survives a kill.

mod arguments;
mod chinook;
mod commands;
mod crash;
mod databases;
mod dump;
mod errors;
mod import;
mod large;
mod memory;
mod modes;
mod northwind;
mod pair;
mod shell;
mod terminal;
