//! The shell from outside: what it prints, what it leaves on disk, what survives a kill.

mod chinook;
mod crash;
mod memory;
mod northwind;
mod shell;
