//! `local::Statement`: a compiled statement of a `LocalConnection`, and its rows.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ringwood_sql::compiler::SqlError;
use ringwood_sql::parse::Parser;
use ringwood_vdbe::{Exit, Program, ResultCode, Vm};

use super::Inner;
use super::statement_tables::About;
use crate::error::{Error, Result};
use crate::params::{IntoParams, Params};
use crate::row::{Column, Columns, Row};
use crate::value::{Value, ValueRef};

/// How often a statement whose schema keeps changing is compiled again, as in SQLite.
const RETRIES_MAX: u32 = 50;

/// A compiled statement of a [`LocalConnection`](super::LocalConnection).
///
/// [`step`](Self::step) runs it to its next row; [`column`](Self::column) borrows that row's values.
/// Parameters keep their values over [`reset`](Self::reset).
pub struct Statement {
    conn: Rc<Inner>,
    body: Loaded,
    /// What is compiled in its place: it is explained, or not, unlike its text.
    explained: Option<Box<[u8]>>,
    /// The last step ended the run: the next one starts over.
    ended: bool,
    /// `Env::expirations` when it was compiled: something that programs depend on has changed since if it differs.
    expirations: u64,
}

/// What a statement leaves to another one when it is dropped.
pub(super) struct Body {
    vm: Vm,
    /// Its text, and what is known of it by others.
    about: Rc<About>,
}

/// The body of a statement: there until the statement is dropped, then it waits in the connection for the next one.
struct Loaded(Option<Box<Body>>);

const LOADED: &str = "a statement has its body until it is dropped";

impl Deref for Loaded {
    type Target = Body;

    #[inline]
    fn deref(&self) -> &Body {
        self.0.as_deref().expect(LOADED)
    }
}

impl DerefMut for Loaded {
    #[inline]
    fn deref_mut(&mut self) -> &mut Body {
        self.0.as_deref_mut().expect(LOADED)
    }
}

/// A number of expirations that is never reached: the statement is compiled anew before its next run.
const EXPIRED: u64 = u64::MAX;

/// A statement without its connection: not running, and without values of parameters.
pub(super) struct Resting {
    body: Loaded,
    expirations: u64,
}

impl Resting {
    /// Whether it can be run as it is: nothing has changed since.
    pub(super) fn is_current(&self, expirations: u64) -> bool {
        self.expirations == expirations
    }

    /// The statement, ready to be run.
    pub(super) fn wake(self, conn: &Rc<Inner>) -> Statement {
        Statement {
            conn: conn.clone(),
            body: self.body,
            explained: None,
            ended: false,
            expirations: self.expirations,
        }
    }
}

/// So much of dropped statements is kept: of so many, and so many bytes of a text.
const SPARES_MAX: usize = 4;
const TEXT_KEPT_MAX: usize = 4096;

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement")
            .field("sql", &String::from_utf8_lossy(&self.body.about.sql))
            .finish_non_exhaustive()
    }
}

impl Statement {
    /// Compiles the first statement of `sql`; gives the offset after it too.
    pub(super) async fn prepare(conn: Rc<Inner>, sql: &[u8]) -> Result<Option<(Statement, usize)>> {
        let Some((parsed, tail)) = Statement::parse(&conn, sql)? else {
            return Ok(None);
        };
        let compiled = conn.compile(&parsed, sql).await?;
        Ok(Some((Statement::of(&conn, compiled, &sql[..tail]), tail)))
    }

    /// As [`prepare`](Statement::prepare), without a future; none if there is something to wait for: another task
    /// holds the connection, or the schema must be read.
    pub(super) fn prepare_now(
        conn: &Rc<Inner>,
        sql: &[u8],
    ) -> Option<Result<Option<(Statement, usize)>>> {
        let (parsed, tail) = match Statement::parse(conn, sql) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Some(Ok(None)),
            Err(e) => return Some(Err(e)),
        };
        match conn.compile_now(&parsed, sql)? {
            Ok(compiled) => {
                let statement = Statement::of(conn, compiled, &sql[..tail]);
                Some(Ok(Some((statement, tail))))
            }
            Err(e) => Some(Err(e)),
        }
    }

    fn parse(conn: &Inner, sql: &[u8]) -> Result<Option<(ringwood_sql::ast::Statement, usize)>> {
        let limits = conn.limit_values.get().parser();
        let mut parser = Parser::with_limits(sql, limits);
        match parser.next_statement() {
            None => Ok(None),
            Some(Ok(parsed)) => Ok(Some((parsed, parser.tail()))),
            Some(Err(e)) => match parser.malformed(e) {
                Ok(begun) => Ok(Some((begun, parser.tail()))),
                Err(e) => Err(Error::from_vdbe(SqlError::of_text(&e).into(), sql)),
            },
        }
    }

    pub(super) fn of(
        conn: &Rc<Inner>,
        (program, expirations): (Arc<Program>, u64),
        sql: &[u8],
    ) -> Statement {
        let body = conn.load(program, sql);
        conn.statements.add(&body.about);
        Statement {
            body,
            conn: conn.clone(),
            explained: None,
            ended: false,
            expirations,
        }
    }

    /// Runs to the next row: true if there is one, false at the end.
    ///
    /// After the end or an error the next call starts over.
    #[inline]
    pub fn step(&mut self) -> Result<bool> {
        match self.step_now() {
            Some(outcome) => outcome,
            None => {
                let io = self.conn.io.clone();
                io.block_on(self.step_waiting())
            }
        }
    }

    /// As [`step`](Self::step).
    ///
    /// # Suspends
    /// Where a page is not in the cache, at a lock, and at a commit. A future that is dropped leaves
    /// the statement where it was; reset it.
    pub async fn step_async(&mut self) -> Result<bool> {
        match self.step_now() {
            Some(outcome) => outcome,
            None => self.step_waiting().await,
        }
    }

    /// A step that waits for nothing, which most are; none if it has to, and [`step_waiting`](Self::step_waiting) is to
    /// go on.
    #[inline]
    fn step_now(&mut self) -> Option<Result<bool>> {
        let mut env = self.conn.try_enter()?;
        if env.dbs.iter().any(|db| db.tx.is_ahead()) {
            return None; // nothing is told before it stands firm
        }
        if std::mem::take(&mut self.ended) {
            self.body.vm.abandon(&mut env); // it is not running: it is made ready
        }
        if self.expirations != env.expirations && !self.body.vm.is_running() {
            return None;
        }
        self.body.about.begin_step();
        match self.body.vm.step_now(&mut env)? {
            Ok(Exit::Row) => Some(Ok(true)), // its counters wait for the run's end
            Ok(Exit::Done) => {
                self.ended = true;
                self.body.about.end_step(&self.body.vm);
                self.conn.publish(&env);
                Some(Ok(false))
            }
            // Neither comes without waiting, but were it so, the statement would start over.
            Ok(Exit::Request(_)) => None,
            Err(e) if e.code == ResultCode::SCHEMA => {
                self.conn.forget_schema();
                self.expirations = EXPIRED;
                None
            }
            Err(e) => {
                self.ended = !self.body.vm.is_running();
                self.body.about.end_step(&self.body.vm);
                self.conn.publish(&env);
                Some(Err(Error::from_vdbe(e, &self.body.about.sql)))
            }
        }
    }

    /// A step from where [`step_now`](Self::step_now) had to leave it. What it seldom needs is in boxes, so that the
    /// future is small.
    async fn step_waiting(&mut self) -> Result<bool> {
        let began = Instant::now();
        let outcome = self.step_to_the_end().await;
        self.conn.count_wait(began.elapsed());
        outcome
    }

    async fn step_to_the_end(&mut self) -> Result<bool> {
        let conn = self.conn.clone();
        let mut env = conn.enter().await;
        let mut retries = 0;
        if std::mem::take(&mut self.ended) {
            self.body.vm.abandon(&mut env);
        }
        if self.expirations != env.expirations && !self.body.vm.is_running() {
            Box::pin(self.recompile(&mut env)).await?;
        }
        self.body.about.begin_step();
        let outcome = loop {
            match self.body.vm.step(&mut env).await {
                Ok(Exit::Row) => {
                    self.stand_firm(&mut env).await?;
                    self.body.about.end_step(&self.body.vm);
                    return Ok(true);
                }
                Ok(Exit::Done) => break Ok(false),
                Ok(Exit::Request(request)) => {
                    let answer = Box::pin(conn.answer(&mut env, request)).await;
                    // A failed answer is told by the next step, once the statement has been ended.
                    let _ = self.body.vm.answer(&mut env, answer);
                }
                Err(e) if e.code == ResultCode::SCHEMA && retries < RETRIES_MAX => {
                    retries += 1;
                    conn.forget_schema();
                    // A writer finds the schema that another one has just committed; it is read once that is durable.
                    for db in &env.dbs {
                        db.tx.wait_for_commits().await;
                    }
                    if let Err(e) = Box::pin(self.recompile(&mut env)).await {
                        break Err(e);
                    }
                }
                Err(e) => break Err(Error::from_vdbe(e, &self.body.about.sql)),
            }
        };
        self.ended = !self.body.vm.is_running();
        self.body.about.end_step(&self.body.vm);
        conn.publish(&env);
        // That there is no row, or why it fails, is told of what was read, too.
        if outcome.is_err() || self.column_count() > 0 {
            self.stand_firm(&mut env).await?;
        }
        outcome
    }

    /// Nothing is told of a transaction that stands on a commit which is not durable yet: it may come to nothing.
    #[inline]
    async fn stand_firm(&self, env: &mut ringwood_vdbe::Env) -> Result<()> {
        for db in &mut env.dbs {
            if db.tx.is_ahead() {
                let firm = db.tx.stand_firm().await;
                firm.map_err(|e| Error::from_vdbe(e.into(), &self.body.about.sql))?;
            }
        }
        Ok(())
    }

    async fn recompile(&mut self, env: &mut ringwood_vdbe::Env) -> Result<()> {
        let sql = self.explained.as_deref().unwrap_or(&self.body.about.sql);
        let limits = self.conn.limit_values.get().parser();
        let parsed = match Parser::with_limits(sql, limits).next_statement() {
            Some(Ok(parsed)) => parsed,
            // It was parsed before: the limits were made narrower.
            Some(Err(e)) => {
                return Err(Error::from_vdbe(
                    SqlError::of_text(&e).into(),
                    &self.body.about.sql,
                ));
            }
            None => return Ok(()),
        };
        let conn = self.conn.clone();
        let program = conn.compile_in(env, &parsed, sql).await?;
        self.expirations = env.expirations;
        self.body.about.recompiled(&program);
        let mut vm = Vm::new(program);
        for (i, value) in self.body.vm.bindings().iter().enumerate() {
            vm.bind_mem(i + 1, value.clone())
                .map_err(|e| Error::from_vdbe(e, &self.body.about.sql))?;
        }
        let mut before = std::mem::replace(&mut self.body.vm, vm);
        if let Some(program) = before.retire() {
            conn.workshop.take_back(program);
        }
        Ok(())
    }

    /// Steps to the end, which must come without a row; gives the number of rows changed.
    pub(crate) async fn execute_bound_async(&mut self) -> Result<u64> {
        let row = self.step_async().await?;
        self.executed(row)
    }

    /// What executing it has come to, after its first step.
    fn executed(&mut self, row: bool) -> Result<u64> {
        if row {
            self.reset();
            return Err(Error::ExecuteReturnedRows);
        }
        let changed = if self.program().readonly {
            0
        } else {
            self.conn.counts.changes.get()
        };
        Ok(changed)
    }

    /// Runs it with parameters; gives the number of rows that it changed.
    pub fn execute(&mut self, params: impl IntoParams) -> Result<u64> {
        self.reset();
        self.bind_all(params.into_params()?)?;
        self.execute_bound()
    }

    /// As `execute_bound_async`.
    pub(crate) fn execute_bound(&mut self) -> Result<u64> {
        let row = self.step()?;
        self.executed(row)
    }

    /// Runs it with parameters and gives its rows.
    pub fn into_rows(mut self, params: impl IntoParams) -> Result<Rows> {
        self.reset();
        self.bind_all(params.into_params()?)?;
        Ok(Rows { statement: self })
    }

    /// Ends the run; parameters keep their values.
    pub fn reset(&mut self) {
        let conn = self.conn.clone();
        self.ended = false;
        self.body.about.end_run();
        conn.with_env(|env| {
            self.body.vm.abandon(env);
            conn.publish(env);
        });
    }

    /// Takes it from its connection, for later. It is not running.
    pub(super) fn rest(mut self) -> (Rc<Inner>, Resting) {
        let conn = self.conn.clone();
        let resting = Resting {
            body: Loaded(self.body.0.take()),
            expirations: if self.explained.is_some() {
                EXPIRED
            } else {
                self.expirations
            },
        };
        (conn, resting)
    }

    /// As [`reset`](Self::reset); a run that has changed something in autocommit mode is committed, as after its last row.
    ///
    /// # Errors
    /// If that commit fails.
    pub fn finish(&mut self) -> Result<()> {
        let conn = self.conn.clone();
        let io = conn.io.clone();
        self.ended = false;
        io.block_on(async {
            let mut env = conn.enter().await;
            let done = self.body.vm.reset(&mut env).await;
            conn.publish(&env);
            done.map_err(|e| Error::from_vdbe(e, &self.body.about.sql))
        })
    }

    /// Makes it an EXPLAIN (1), an EXPLAIN QUERY PLAN (2), or what is explained (0), whatever its text says.
    ///
    /// # Errors
    /// `SQLITE_MISUSE` while it runs; what compiling it fails with.
    pub fn set_explain(&mut self, mode: u8) -> Result<()> {
        if self.body.vm.is_running() {
            return Err(Error::Misuse("the statement runs".into()));
        }
        let text = without_explain(&self.body.about.sql);
        let wanted = match mode {
            0 => text.to_vec(),
            1 => [b"EXPLAIN ", text].concat(),
            _ => [b"EXPLAIN QUERY PLAN ", text].concat(),
        };
        let before = self.explained.replace(wanted.into());
        let conn = self.conn.clone();
        let io = conn.io.clone();
        let done = io.block_on(async {
            let mut env = conn.enter().await;
            self.recompile(&mut env).await
        });
        if done.is_err() {
            self.explained = before;
        }
        done
    }

    /// Whether it was stepped and has not ended.
    pub fn is_running(&self) -> bool {
        self.body.vm.is_running()
    }

    /// The registers of the current row; none without one.
    #[inline]
    pub fn row(&self) -> &[ringwood_vdbe::Mem] {
        self.body.vm.row()
    }

    /// The values of its parameters.
    pub fn bindings(&self) -> &[ringwood_vdbe::Mem] {
        self.body.vm.bindings()
    }

    /// Sets parameter `index` (from 1) to a register's value, whatever that is.
    ///
    /// # Errors
    /// `SQLITE_RANGE` if there is no such parameter, `SQLITE_MISUSE` while it runs.
    pub fn bind_mem(&mut self, index: usize, value: ringwood_vdbe::Mem) -> Result<()> {
        self.body
            .vm
            .bind_mem(index, value)
            .map_err(|e| Error::from_vdbe(e, &self.body.about.sql))
    }

    /// Opcodes run, steps of full scans, and sorts since it was prepared or last started.
    pub fn counters(&self) -> (u64, u64, u64) {
        self.body.vm.counters()
    }

    /// Its text, as it was given.
    pub fn sql_bytes(&self) -> &[u8] {
        &self.body.about.sql
    }

    /// Sets parameter `index` (from 1).
    ///
    /// # Errors
    /// `SQLITE_RANGE` if there is no such parameter.
    pub fn bind(&mut self, index: usize, value: impl Into<Value>) -> Result<()> {
        self.body
            .vm
            .bind_value(index, value.into().into_stored())
            .map_err(|e| Error::from_vdbe(e, &self.body.about.sql))
    }

    /// Sets every parameter to NULL.
    pub fn clear_bindings(&mut self) {
        self.body.vm.clear_bindings();
    }

    /// Sets parameters from a list; those that are not in it keep their values.
    pub fn bind_all(&mut self, params: Params) -> Result<()> {
        match params {
            Params::None => Ok(()),
            Params::Positional(values) => {
                let wanted = self.parameter_count();
                if values.len() > wanted {
                    return Err(Error::InvalidParameterCount {
                        given: values.len(),
                        wanted,
                    });
                }
                values
                    .into_iter()
                    .enumerate()
                    .try_for_each(|(i, v)| self.bind(i + 1, v))
            }
            Params::Named(values) => values.into_iter().try_for_each(|(name, value)| {
                let index = self
                    .parameter_index(&name)
                    .ok_or(Error::InvalidParameterName(name))?;
                self.bind(index, value)
            }),
        }
    }

    /// How many parameters it has: the largest number.
    pub fn parameter_count(&self) -> usize {
        self.program().params.len()
    }

    /// The name of parameter `index` (from 1), with its prefix, if it has one.
    pub fn parameter_name(&self, index: usize) -> Option<&str> {
        self.program().params.get(index.checked_sub(1)?)?.as_deref()
    }

    /// The number of the parameter with that name, prefix included.
    pub fn parameter_index(&self, name: &str) -> Option<usize> {
        self.program()
            .params
            .iter()
            .position(|p| p.as_deref() == Some(name))
            .map(|i| i + 1)
    }

    /// How many columns its rows have; 0 for a statement that returns none.
    pub fn column_count(&self) -> usize {
        self.program().columns.len()
    }

    /// The name of column `index` (from 0).
    ///
    /// # Panics
    /// If there is no such column.
    pub fn column_name(&self, index: usize) -> &str {
        &self.program().columns[index].name
    }

    /// What is known of its result columns.
    pub fn columns(&self) -> Vec<Column<'_>> {
        self.program()
            .columns
            .iter()
            .map(|c| Column {
                name: &c.name,
                origin_name: c.origin.as_deref(),
                table_name: c.table.as_deref(),
                database_name: c.database.as_deref(),
                decl_type: c.decltype.as_deref(),
            })
            .collect()
    }

    /// The value of column `index` of the current row.
    ///
    /// # Panics
    /// If the last step gave no row, or there is no such column.
    #[inline]
    pub fn column(&self, index: usize) -> ValueRef<'_> {
        self.body.vm.row()[index].as_value_ref().into()
    }

    /// The values of the current row, owned.
    pub fn values(&self) -> Vec<Value> {
        self.body
            .vm
            .row()
            .iter()
            .map(|m| ValueRef::from(m.as_value_ref()).to_value())
            .collect()
    }

    /// True if it changes no database.
    pub fn is_readonly(&self) -> bool {
        self.program().readonly
    }

    /// EXPLAIN or EXPLAIN QUERY PLAN, or neither.
    pub fn explain(&self) -> ringwood_vdbe::Explain {
        self.program().explain
    }

    /// The program that it was compiled to.
    pub fn program(&self) -> &Arc<Program> {
        self.body.vm.program()
    }

    /// Its text.
    pub fn sql(&self) -> String {
        String::from_utf8_lossy(&self.body.about.sql).into_owned()
    }

    pub(crate) fn columns_shared(&self) -> Columns {
        Columns::of(self.program())
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        if self.body.0.is_none() {
            return; // it rests elsewhere
        }
        if self.body.vm.is_running() {
            self.reset();
        }
        if let Some(body) = self.body.0.take() {
            self.conn.retire(body);
        }
    }
}

impl Inner {
    /// A body for a program and its text: what is left over, or new.
    fn load(&self, program: Arc<Program>, sql: &[u8]) -> Loaded {
        let spare = self.spares.borrow_mut().pop();
        let body = match spare {
            Some(mut body) => {
                match Rc::get_mut(&mut body.about) {
                    Some(about) => about.renew(sql, &program),
                    None => body.about = Rc::new(About::new(sql, &program)),
                }
                body.vm.load(program);
                body
            }
            None => Box::new(Body {
                about: Rc::new(About::new(sql, &program)),
                vm: Vm::new(program),
            }),
        };
        Loaded(Some(body))
    }

    /// Keeps what a statement that has ended leaves, for another one.
    fn retire(&self, mut body: Box<Body>) {
        if let Some(program) = body.vm.retire() {
            self.workshop.take_back(program);
        }
        self.statements.remove(&body.about);
        let mut spares = self.spares.borrow_mut();
        if spares.len() < SPARES_MAX {
            let own = Rc::get_mut(&mut body.about);
            if own.is_none_or(|about| about.sql.capacity() > TEXT_KEPT_MAX) {
                // Others may still know of it, or its text is long.
                body.about = Rc::default();
            }
            spares.push(body);
        }
    }
}

/// The rows of a running statement.
#[derive(Debug)]
pub struct Rows {
    statement: Statement,
}

impl Rows {
    /// The next row, or `None` after the last.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Row>> {
        if !self.statement.step()? {
            return Ok(None);
        }
        Ok(Some(self.row()))
    }

    /// As [`next`](Self::next).
    pub async fn next_async(&mut self) -> Result<Option<Row>> {
        if !self.statement.step_async().await? {
            return Ok(None);
        }
        Ok(Some(self.row()))
    }

    fn row(&self) -> Row {
        Row {
            columns: self.statement.columns_shared(),
            values: self.statement.values(),
        }
    }

    /// The statement, for its columns.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// The statement behind EXPLAIN and EXPLAIN QUERY PLAN.
fn without_explain(sql: &[u8]) -> &[u8] {
    let mut rest = sql;
    for word in [&b"EXPLAIN"[..], b"QUERY", b"PLAN"] {
        let found = ringwood_sql::lex::lex(rest, 0);
        let (start, end) = (found.start as usize, found.end as usize);
        if !rest[start..end].eq_ignore_ascii_case(word) {
            break;
        }
        rest = &rest[end..];
    }
    rest
}
