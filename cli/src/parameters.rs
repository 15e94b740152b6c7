//! `.parameter`: values for the parameters of statements.
//!
//! They are kept in the shell. (sqlite3 keeps them in a temporary table, `temp.sqlite_parameters`.)

use std::collections::BTreeMap;

use ringwood::local::Statement;
use ringwood::{Result, Value};

/// Values by parameter name, prefix included; `?1` for a parameter without a name.
#[derive(Default)]
pub struct Parameters(pub BTreeMap<String, Value>);

impl Parameters {
    /// Binds what `statement` has parameters for; others are NULL.
    pub fn bind(&self, statement: &mut Statement) -> Result<()> {
        for i in 1..=statement.parameter_count() {
            let value = match statement.parameter_name(i) {
                Some(name) => self.0.get(name),
                None => self.0.get(&format!("?{i}")),
            };
            statement.bind(i, value.cloned().unwrap_or(Value::Null))?;
        }
        Ok(())
    }
}
