//! Stock SQLite, asked for one value at a time.

use ringwood_format::value::{Value, ValueRef};
use rusqlite::types::{ToSqlOutput, ValueRef as SqlRef};
use rusqlite::{Connection, Statement, ToSql};
use std::path::{Path, PathBuf};

/// One of our values as a parameter.
pub struct Param<'a>(pub ValueRef<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Null => SqlRef::Null,
            ValueRef::Integer(i) => SqlRef::Integer(i),
            ValueRef::Real(r) => SqlRef::Real(r),
            ValueRef::Text(t) => SqlRef::Text(t),
            ValueRef::Blob(b) => SqlRef::Blob(b),
        }))
    }
}

/// One of SQLite's values as ours.
pub fn value_of(sql: SqlRef<'_>) -> Value {
    match sql {
        SqlRef::Null => Value::Null,
        SqlRef::Integer(i) => Value::Integer(i),
        SqlRef::Real(r) => Value::Real(r),
        SqlRef::Text(t) => Value::Text(t.to_vec()),
        SqlRef::Blob(b) => Value::Blob(b.to_vec()),
    }
}

/// The first column of the first row.
pub fn ask(statement: &mut Statement<'_>, params: &[ValueRef<'_>]) -> Value {
    for (i, param) in params.iter().enumerate() {
        statement
            .raw_bind_parameter(i + 1, Param(*param))
            .expect("bind");
    }
    let mut rows = statement.raw_query();
    let row = rows.next().expect("step").expect("a row");
    value_of(row.get_ref(0).expect("a column"))
}

/// A database in memory.
pub fn memory(encoding: &str) -> Connection {
    let db = Connection::open_in_memory().expect("open");
    db.execute_batch(&format!(
        "PRAGMA encoding='{encoding}'; CREATE TABLE made(x)"
    ))
    .expect("encoding");
    db
}

/// Equal, with reals compared by their bits, except that both zeros are one.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Real(a), Value::Real(b)) => a == b,
        _ => a == b,
    }
}

/// A folder of this test run that is removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("ringwood-format-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The bytes of a database that those statements make.
pub fn file_of(name: &str, sql: &str) -> Vec<u8> {
    let folder = Folder::new(name);
    let path = folder.path().join("db");
    let db = Connection::open(&path).expect("open");
    db.execute_batch(sql).expect("statements");
    db.close().expect("close");
    std::fs::read(path).expect("read")
}
