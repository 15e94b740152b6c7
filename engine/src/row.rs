//! An owned row and what is known of its columns.

use std::sync::Arc;

use ringwood_vdbe::{ColumnInfo, Program};

use crate::error::{Error, Result};
use crate::value::{FromValue, Value, ValueType};

/// What a result column is called and where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column<'a> {
    /// The name: the alias, or what SQLite calls it.
    pub name: &'a str,
    /// The table column behind it, where it is one.
    pub origin_name: Option<&'a str>,
    /// Its table.
    pub table_name: Option<&'a str>,
    /// Its database: `main`, `temp` or an attached name.
    pub database_name: Option<&'a str>,
    /// The type in the table's declaration.
    pub decl_type: Option<&'a str>,
}

impl Column<'_> {
    /// The name.
    pub fn name(&self) -> &str {
        self.name
    }
    /// The table column behind it.
    pub fn origin_name(&self) -> Option<&str> {
        self.origin_name
    }
    /// Its table.
    pub fn table_name(&self) -> Option<&str> {
        self.table_name
    }
    /// Its database.
    pub fn database_name(&self) -> Option<&str> {
        self.database_name
    }
    /// The type in the table's declaration.
    pub fn decl_type(&self) -> Option<&str> {
        self.decl_type
    }
}

/// The result columns of a statement, shared by its rows, and its parameters; goes between threads.
#[derive(Clone, Debug)]
pub(crate) struct Columns(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    columns: Vec<ColumnInfo>,
    params: Vec<Option<String>>,
}

impl Columns {
    pub(crate) fn of(program: &Program) -> Columns {
        Columns(Arc::new(Facts {
            columns: program.columns.clone(),
            params: program.params.clone(),
        }))
    }

    /// The names of the parameters, those that have one.
    pub(crate) fn params(&self) -> &[Option<String>] {
        &self.0.params
    }
}

impl Columns {
    pub(crate) fn count(&self) -> usize {
        self.0.columns.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<Column<'_>> {
        self.0.columns.get(index).map(|c| Column {
            name: &c.name,
            origin_name: c.origin.as_deref(),
            table_name: c.table.as_deref(),
            database_name: c.database.as_deref(),
            decl_type: c.decltype.as_deref(),
        })
    }

    pub(crate) fn name(&self, index: i32) -> Option<&str> {
        let index = usize::try_from(index).ok()?;
        self.0.columns.get(index).map(|c| &*c.name)
    }

    pub(crate) fn index_of(&self, name: &str) -> Result<usize> {
        self.0
            .columns
            .iter()
            .position(|c| *c.name == *name)
            .or_else(|| {
                self.0
                    .columns
                    .iter()
                    .position(|c| c.name.eq_ignore_ascii_case(name))
            })
            .ok_or_else(|| Error::InvalidColumnName(name.to_owned()))
    }
}

/// One row of a result, owned.
#[derive(Clone, Debug)]
pub struct Row {
    pub(crate) columns: Columns,
    pub(crate) values: Vec<Value>,
}

impl Row {
    /// The value of column `index` (from 0), converted.
    ///
    /// # Errors
    /// `ColumnNotFound`; `NullValue` for a NULL read as a type that has none (use `Option<T>`);
    /// `InvalidColumnType`; `IntegralValueOutOfRange`.
    pub fn get<T: FromValue>(&self, index: i32) -> Result<T> {
        T::from_sql(self.value(index)?.clone())
    }

    /// The value of the column called `name`, converted. Exact case wins over another.
    pub fn get_by_name<T: FromValue>(&self, name: &str) -> Result<T> {
        T::from_sql(self.values[self.columns.index_of(name)?].clone())
    }

    /// The value of column `index`.
    pub fn get_value(&self, index: i32) -> Result<Value> {
        self.value(index).cloned()
    }

    /// The text of column `index`, borrowed.
    pub fn get_str(&self, index: i32) -> Result<&str> {
        match self.value(index)? {
            Value::Text(text) => Ok(text),
            Value::Null => Err(Error::NullValue),
            other => Err(Error::InvalidColumnType {
                expected: "TEXT",
                found: other.value_type(),
            }),
        }
    }

    /// The storage class of the value of column `index`.
    pub fn column_type(&self, index: i32) -> Result<ValueType> {
        self.value(index).map(Value::value_type)
    }

    /// The name of column `index`.
    pub fn column_name(&self, index: i32) -> Option<&str> {
        self.columns.name(index)
    }

    /// How many columns the row has.
    pub fn column_count(&self) -> i32 {
        self.values.len() as i32
    }

    /// All values in order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    fn value(&self, index: i32) -> Result<&Value> {
        usize::try_from(index)
            .ok()
            .and_then(|i| self.values.get(i))
            .ok_or(Error::ColumnNotFound(index))
    }
}
