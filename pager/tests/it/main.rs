//! The pool from outside: versions, pins, many threads, and what the policies miss.

mod policies;
mod threads;
mod versions;
