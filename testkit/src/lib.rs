//! Golden scripts, SQLite oracle, sqllogictest runner and generators.
