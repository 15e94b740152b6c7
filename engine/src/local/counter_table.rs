//! `ringwood_counters`: what was counted so far, as a table.
//!
//! | column | |
//! |---|---|
//! | scope | `process`, `core 0`, …, a database's name, `connection` |
//! | name | of the counter |
//! | bound | NULL; of a distribution, the largest value of the bucket |
//! | value | how many |
//!
//! The counters are those of [`mod@crate::counters`]; a distribution has a row for each bucket that is not empty.

use ringwood_format::value::Value;
use ringwood_vdbe::vtab::{
    Declared, IndexInfo, IndexPlan, LocalFuture, Module, ModuleArgs, ModuleKind, Unusable,
    VirtualCursor, VirtualTable, VtabContext, VtabStep, VtabStop, WaitContext,
};
use ringwood_vdbe::{Env, Error, Mem};

use super::{Inner, LocalConnection};
use crate::counters::{Count, Counters};
use crate::runtime;

/// Its name.
pub(super) const NAME: &str = "ringwood_counters";

/// The module.
#[derive(Clone, Copy, Debug)]
pub(super) struct CounterTable;

impl LocalConnection {
    /// What was counted so far: of the process, its cores, the databases of this connection, and the connection itself.
    pub fn counters(&self) -> Counters {
        self.inner.with_env(|env| self.inner.counters(env))
    }
}

impl Inner {
    fn counters(&self, env: &Env) -> Counters {
        let mut counters = Counters::of_process();
        let stats = self.io.stats();
        if !runtime::is_core() {
            counters.add_io("thread", &stats);
        }
        if let Some(store) = self.store.take() {
            counters.add_database("main", &store);
            self.store.set(Some(store));
        }
        let attached = self.attached.borrow();
        for (store, db) in attached.iter().zip(env.dbs.iter().skip(2)) {
            counters.add_database(&db.name, store);
        }
        counters.add_statements(&self.cache.counters());
        counters
    }

    /// The rows of the table.
    pub(super) fn counter_rows(&self, env: &Env) -> Vec<Vec<Value>> {
        let int = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
        let mut rows = Vec::new();
        for counter in self.counters(env).iter() {
            let (scope, name) = (Value::text(&*counter.scope), Value::text(counter.name));
            match &counter.count {
                Count::Number(number) => rows.push(vec![scope, name, Value::Null, int(*number)]),
                Count::Distribution(all) => rows.extend(all.buckets().map(|(bound, count)| {
                    vec![scope.clone(), name.clone(), int(bound), int(count)]
                })),
            }
        }
        rows
    }
}

impl Module for CounterTable {
    fn kind(&self) -> ModuleKind {
        ModuleKind::EponymousOnly
    }

    fn connect(&self, _: &ModuleArgs) -> VtabStep<Declared> {
        let schema = "CREATE TABLE x(scope TEXT,name TEXT,bound INT,value INT)";
        Ok(Declared::new(schema.to_owned(), *self))
    }
}

impl VirtualTable for CounterTable {
    fn best_index(&self, info: &mut IndexInfo) -> Result<(), Unusable> {
        (info.estimated_cost, info.estimated_rows) = (200.0, 100);
        Ok(())
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>, Error> {
        Ok(Box::<CounterCursor>::default())
    }
}

#[derive(Default)]
struct CounterCursor {
    rows: Vec<Vec<Value>>,
    at: usize,
    /// The rows were got for the filter that comes next.
    is_fresh: bool,
}

impl VirtualCursor for CounterCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, _: &IndexPlan, _: &[Mem]) -> VtabStep {
        self.at = 0;
        if std::mem::take(&mut self.is_fresh) {
            return Ok(());
        }
        Err(VtabStop::Wait)
    }

    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        self.at += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.at >= self.rows.len()
    }

    fn column(&mut self, _: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        if let Some(value) = self.rows.get(self.at).and_then(|row| row.get(column)) {
            out.set_value(value.as_ref());
        }
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        Ok(self.at as i64 + 1)
    }

    fn wait<'a>(&'a mut self, mut cx: WaitContext<'a>) -> LocalFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.rows = cx.about_statements(NAME, None).await?;
            self.is_fresh = true;
            Ok(())
        })
    }
}
