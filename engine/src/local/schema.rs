//! Reading the schema: rows of `sqlite_schema` become a `DbSchema`.

use std::rc::Rc;
use std::sync::Arc;

use ringwood_btree::Cursor;
use ringwood_format::header::Field;
use ringwood_format::page::PageNo;
use ringwood_format::record::{decode_record, record_values};
use ringwood_format::value::Value;
use ringwood_format::varint;
use ringwood_sql::ast::Statement;
use ringwood_sql::codegen::pragma::is_of_connection;
use ringwood_sql::compiler::{CompileContext, SqlError};
use ringwood_sql::schema::{DbSchema, DbSchemaBuilder, SampleRow, Schema};
use ringwood_vdbe::{Env, Error as VdbeError, Program, ResultCode};
use ringwood_wal::{Stop, Try, Tx};

use super::Inner;
use crate::error::{Error, Result};

/// The root page of `sqlite_schema` in every database.
pub(super) const SCHEMA_ROOT: PageNo = PageNo::ONE;
/// The columns of `sqlite_schema`.
const COLUMNS: usize = 5;

impl Inner {
    /// The next statement that is compiled reads the schema again.
    pub(super) fn forget_schema(&self) {
        *self.schema.borrow_mut() = None;
    }

    /// Compiles a parsed statement; with the count of expirations that it stands under.
    pub(super) async fn compile(
        &self,
        statement: &Statement,
        text: &[u8],
    ) -> Result<(Arc<Program>, u64)> {
        let mut env = self.enter().await;
        let program = self.compile_in(&mut env, statement, text).await?;
        Ok((program, env.expirations))
    }

    /// As `compile`, for a caller that holds the `Env`.
    pub(super) async fn compile_in(
        &self,
        env: &mut Env,
        statement: &Statement,
        text: &[u8],
    ) -> Result<Arc<Program>> {
        let mut is_fresh = false;
        loop {
            let schema = if self.schema.borrow().is_none() && is_of_connection(statement) {
                unread(env).map_err(|e| Error::from_vdbe(e.into(), text))?
            } else {
                self.schema(env).await?
            };
            match self.compile_under(env, &schema, statement, text) {
                // What is not there may have been made by somebody else since the schema was read.
                Err(error) if may_be_news(&error) && !is_fresh => {
                    is_fresh = true;
                    if !Self::is_schema_stale(env).await {
                        return Err(Error::from_vdbe(error.into(), text));
                    }
                    self.forget_schema();
                }
                Err(error) if error.is_connecting() => {
                    let tables = self.virtual_tables.clone();
                    if let Some(pending) = tables.take_pending() {
                        tables
                            .connect_pending(pending, env)
                            .await
                            .map_err(|e| Error::from_vdbe(e, text))?;
                    }
                }
                compiled => {
                    let program =
                        compiled.map_err(|e: SqlError| Error::from_vdbe(e.into(), text))?;
                    self.check_program(&program)
                        .map_err(|e| Error::from_vdbe(e, text))?;
                    return Ok(program);
                }
            }
        }
    }

    /// Compiles without waiting for anything; none if there is something to wait for.
    pub(super) fn compile_now(
        &self,
        statement: &Statement,
        text: &[u8],
    ) -> Option<Result<(Arc<Program>, u64)>> {
        let env = self.try_enter()?;
        self.sync_cookies(&env);
        let known = self.schema.borrow().clone();
        let schema = known.filter(|_| !env.schema_reset)?;
        match self.compile_under(&env, &schema, statement, text) {
            // Connecting waits, and so does the look whether the schema is still that of the file.
            Err(error) if error.is_connecting() || may_be_news(&error) => None,
            Err(error) => Some(Err(Error::from_vdbe(error.into(), text))),
            Ok(program) => Some(
                self.check_program(&program)
                    .map(|()| (program, env.expirations))
                    .map_err(|e| Error::from_vdbe(e, text)),
            ),
        }
    }

    /// Whether a schema in memory is another one than its file's, which somebody else has changed.
    async fn is_schema_stale(env: &mut Env) -> bool {
        for db in &mut env.dbs {
            let known = db.schema_cookie;
            // A file that cannot be read now tells nothing: the statement's error stays.
            let now = db.tx.glance().await;
            if now.is_ok_and(|tx| tx.header_field(Field::SchemaCookie) != known) {
                return true;
            }
        }
        false
    }

    fn compile_under(
        &self,
        env: &Env,
        schema: &Schema,
        statement: &Statement,
        text: &[u8],
    ) -> Result<Arc<Program>, SqlError> {
        let mut flags = self.flags.get();
        // It ends with the transaction.
        flags.defer_foreign_keys = env.defer_foreign_keys;
        let functions = self.functions();
        let authorizer = self.authorizer.borrow().clone();
        let context = CompileContext {
            schema,
            functions: &functions,
            collations: &self.collations.borrow(),
            virtual_tables: &self.virtual_tables,
            limits: self.limits.get(),
            flags,
            workshop: &self.workshop,
            authorizer: authorizer.as_deref(),
        };
        ringwood_sql::compile(&context, statement, text)
    }

    /// The schema of all databases, read now if it is not known.
    pub(super) async fn schema(&self, env: &mut Env) -> Result<Rc<Schema>> {
        if env.schema_reset {
            env.schema_reset = false;
            self.forget_schema();
        }
        if let Some(schema) = self.schema.borrow().as_ref() {
            return Ok(schema.clone());
        }
        let mut dbs = Vec::with_capacity(env.dbs.len());
        for index in 0..env.dbs.len() {
            let loaded = load(self, env, index).await;
            dbs.push(loaded.map_err(|e| Error::from_vdbe(e, b""))?);
        }
        let schema = Rc::new(Schema { dbs });
        schema.settle_temp_triggers();
        *self.schema.borrow_mut() = Some(schema.clone());
        Ok(schema)
    }

    /// Adds rows to one database's schema, within the transaction that wrote them; without a filter reads it anew.
    pub(super) async fn reload(
        &self,
        env: &mut Env,
        db: usize,
        filter: Option<Filter>,
    ) -> Result<(), VdbeError> {
        let Some(mut schema) = self.schema.borrow_mut().take() else {
            return Ok(());
        };
        let mut builder = match &filter {
            Some(_) => DbSchemaBuilder::extend(&schema.dbs[db]),
            None => DbSchemaBuilder::new(&env.dbs[db].name),
        };
        builder.generation(env.dbs[db].generation as u32);
        builder.trust(self.flags.get().writable_schema);
        let fresh = read_rows(&env.dbs[db].tx, builder, filter.as_ref()).await?;
        env.dbs[db].schema_cookie = fresh.cookie;
        env.dbs[db].file_format = fresh.file_format;
        Rc::make_mut(&mut schema).dbs[db] = Arc::new(fresh);
        schema.settle_temp_triggers();
        *self.schema.borrow_mut() = Some(schema);
        Ok(())
    }

    /// A DROP has changed the schema in memory before the cookie in the file: what is compiled now is under the new one.
    #[inline]
    fn sync_cookies(&self, env: &Env) {
        let mut schema = self.schema.borrow_mut();
        let Some(schema) = schema.as_mut() else {
            return;
        };
        let pairs = schema.dbs.iter().zip(&env.dbs);
        if pairs
            .into_iter()
            .all(|(have, db)| have.cookie == db.schema_cookie)
        {
            return;
        }
        for (have, db) in Rc::make_mut(schema).dbs.iter_mut().zip(&env.dbs) {
            if have.cookie != db.schema_cookie {
                Arc::make_mut(have).cookie = db.schema_cookie;
            }
        }
    }

    /// Changes one database's schema in memory.
    pub(super) fn edit_schema(&self, db: usize, edit: impl FnOnce(&mut DbSchema)) {
        if let Some(schema) = self.schema.borrow_mut().as_mut() {
            edit(Arc::make_mut(&mut Rc::make_mut(schema).dbs[db]));
        }
    }
}

/// Whether an error is about a name that somebody else may have made meanwhile (SQLite's `Parse.checkSchema`).
fn may_be_news(error: &SqlError) -> bool {
    error.message.starts_with("no such ") || error.message.contains(" has no column named ")
}

/// Reads a database's schema in a snapshot of its own, or in the transaction that is open.
/// The databases as if nothing were in them, for what asks for none of it.
fn unread(env: &Env) -> Result<Rc<Schema>, SqlError> {
    let dbs = env.dbs.iter().map(|db| {
        let schema = DbSchemaBuilder::new(&db.name).finish()?;
        Ok(Arc::new(schema))
    });
    Ok(Rc::new(Schema {
        dbs: dbs.collect::<Result<_, SqlError>>()?,
    }))
}

pub(super) async fn load(
    inner: &Inner,
    env: &mut Env,
    index: usize,
) -> Result<Arc<DbSchema>, VdbeError> {
    let db = &mut env.dbs[index];
    let tx = db.tx.glance().await?;
    db.generation = inner.next_generation();
    let mut builder = DbSchemaBuilder::new(&db.name);
    builder.generation(db.generation as u32);
    builder.trust(inner.flags.get().writable_schema);
    let loaded = read_rows(&tx, builder, None).await;
    drop(tx);
    let schema = loaded?;
    db.schema_cookie = schema.cookie;
    db.file_format = schema.file_format;
    if index == 0 {
        env.facts.encoding = schema.encoding;
    }
    Ok(Arc::new(schema))
}

async fn read_rows(
    tx: &Tx,
    mut builder: DbSchemaBuilder,
    filter: Option<&Filter>,
) -> Result<DbSchema, VdbeError> {
    builder.made(tx.page_count() > 0);
    builder.cookie(tx.header_field(Field::SchemaCookie));
    builder.encoding(tx.encoding());
    builder.page_count(tx.page_count());
    // Of the four bytes SQLite looks at the last one.
    builder.file_format(match tx.header_field(Field::SchemaFormat) & 0xFF {
        0 => 4,
        format @ 1..=4 => format as u8,
        _ => return Err(VdbeError::new(ResultCode::ERROR, "unsupported file format")),
    });
    if tx.page_count() == 0 {
        return builder.finish().map_err(Into::into);
    }
    let mut cursor = Cursor::table(SCHEMA_ROOT);
    let mut more = retry(tx, |tx| cursor.first(tx)).await?;
    let mut payload = Vec::new();
    let (mut statistics, mut samples) = (None, None);
    while more {
        payload.clear();
        let size = cursor.payload_size();
        retry(tx, |tx| cursor.read_payload(tx, 0, size, &mut payload)).await?;
        let row = match decode_record(&payload, tx.encoding()) {
            // A header of no size is that of a row of NULLs.
            _ if payload.first().is_none_or(|header| *header == 0) => Vec::new(),
            Ok(row) if row.len() > COLUMNS || is_whole(&payload) => row,
            _ => return Err(VdbeError::corrupt()),
        };
        if filter.is_none_or(|filter| filter.matches(&row)) {
            let root = match row.get(3) {
                Some(Value::Integer(root)) => Some(*root),
                Some(Value::Null) | None => None,
                _ => Some(0),
            };
            let text = |i| text_at(&row, i);
            let page = root.and_then(|root| PageNo::new(u32::try_from(root).ok()?));
            let is = |name: &[u8]| text(1).is_some_and(|is| is.eq_ignore_ascii_case(name));
            if is(b"sqlite_stat1") {
                statistics = page;
            } else if is(b"sqlite_stat4") {
                samples = page;
            }
            builder.row(text(0), text(1), text(2), root, text(4))?;
        }
        more = retry(tx, |tx| cursor.next(tx)).await?;
    }
    if let (Some(root), None) = (statistics, filter) {
        read_statistics(tx, root, &mut builder).await?;
    }
    if let (Some(root), None) = (samples, filter) {
        read_samples(tx, root, &mut builder).await?;
    }
    builder.finish().map_err(Into::into)
}

/// Whether a record ends where its payload does, which is found out where its last column is read.
fn is_whole(payload: &[u8]) -> bool {
    let (Some((header, _)), Ok(values)) = (varint::read_u32(payload), record_values(payload))
    else {
        return false;
    };
    let bodies: usize = values.flatten().map(|(_, body)| body.len()).sum();
    header as usize + bodies == payload.len()
}

/// Hands the rows of `sqlite_stat1` to the builder.
async fn read_statistics(
    tx: &Tx,
    root: PageNo,
    builder: &mut DbSchemaBuilder,
) -> Result<(), VdbeError> {
    let mut cursor = Cursor::table(root);
    let mut more = retry(tx, |tx| cursor.first(tx)).await?;
    let mut payload = Vec::new();
    while more {
        payload.clear();
        let size = cursor.payload_size();
        retry(tx, |tx| cursor.read_payload(tx, 0, size, &mut payload)).await?;
        let row = decode_record(&payload, tx.encoding()).map_err(|_| VdbeError::corrupt())?;
        let text = |i| text_at(&row, i).and_then(|bytes| std::str::from_utf8(bytes).ok());
        if let (Some(table), Some(numbers)) = (text(0), text(2)) {
            builder.statistics(table, text(1), numbers);
        }
        more = retry(tx, |tx| cursor.next(tx)).await?;
    }
    Ok(())
}

/// Hands the rows of `sqlite_stat4` to the builder.
async fn read_samples(
    tx: &Tx,
    root: PageNo,
    builder: &mut DbSchemaBuilder,
) -> Result<(), VdbeError> {
    let mut cursor = Cursor::table(root);
    let mut more = retry(tx, |tx| cursor.first(tx)).await?;
    let mut payload = Vec::new();
    while more {
        payload.clear();
        let size = cursor.payload_size();
        retry(tx, |tx| cursor.read_payload(tx, 0, size, &mut payload)).await?;
        let row = decode_record(&payload, tx.encoding()).map_err(|_| VdbeError::corrupt())?;
        let text = |i| String::from_utf8_lossy(text_at(&row, i).unwrap_or_default()).into_owned();
        // tbl, idx, neq, nlt, ndlt, sample
        if text_at(&row, 1).is_some() {
            builder.sample(SampleRow {
                index: text(1),
                counts: [text(2), text(3), text(4)],
                record: text_at(&row, 5).unwrap_or_default().to_vec(),
            });
        }
        more = retry(tx, |tx| cursor.next(tx)).await?;
    }
    Ok(())
}

pub(super) fn text_at(row: &[Value], column: usize) -> Option<&[u8]> {
    match row.get(column) {
        // Asked for as text, a blob is one.
        Some(Value::Text(bytes) | Value::Blob(bytes)) => Some(bytes),
        _ => None,
    }
}

/// Which rows of `sqlite_schema` to read: terms `column='text'` and `column!='text'` joined by AND, as the compiler
/// writes them.
pub(super) struct Filter(Vec<(usize, bool, Vec<u8>)>);

impl Filter {
    /// `None` for an expression of another form: then everything is read.
    pub(super) fn parse(text: &[u8]) -> Option<Filter> {
        let mut terms = Vec::new();
        let mut rest = std::str::from_utf8(text).ok()?.trim();
        loop {
            let at = rest.find(['=', '!'])?;
            let column = match rest[..at].trim() {
                "type" => 0,
                "name" => 1,
                "tbl_name" => 2,
                _ => return None,
            };
            let (equal, after) = match rest[at..].strip_prefix("!=") {
                Some(after) => (false, after),
                None => (true, &rest[at + 1..]),
            };
            let body = after.trim_start().strip_prefix('\'')?;
            let mut value = String::new();
            let mut chars = body.char_indices().peekable();
            let end = loop {
                match chars.next()? {
                    (_, '\'') if chars.next_if(|(_, c)| *c == '\'').is_some() => value.push('\''),
                    (i, '\'') => break i + 1,
                    (_, c) => value.push(c),
                }
            };
            terms.push((column, equal, value.into_bytes()));
            rest = body[end..].trim_start();
            if rest.is_empty() {
                return Some(Filter(terms));
            }
            rest = rest
                .strip_prefix("AND ")
                .or_else(|| rest.strip_prefix("and "))?
                .trim_start();
        }
    }

    fn matches(&self, row: &[Value]) -> bool {
        self.0
            .iter()
            .all(|(column, equal, value)| match text_at(row, *column) {
                Some(text) => (text == value.as_slice()) == *equal,
                None => false,
            })
    }
}

/// Makes a step until it succeeds, fetching what it misses.
pub(super) async fn retry<T>(tx: &Tx, mut step: impl FnMut(&Tx) -> Try<T>) -> Result<T, VdbeError> {
    let mut pins = Vec::new();
    loop {
        match step(tx) {
            Ok(value) => return Ok(value),
            Err(Stop::Miss(page)) => pins.push(tx.fetch(page).await?),
            Err(Stop::Slow) => return Err(VdbeError::code(ResultCode::INTERNAL)),
            Err(Stop::Fail(e)) => return Err((*e).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_does_not_make_the_schema_be_read_again() {
        let conn = crate::LocalConnection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t; SELECT * FROM v;")
            .unwrap();
        let before = conn.inner.generation.get();
        conn.execute_batch(
            "DROP VIEW v; SELECT * FROM t; CREATE TABLE u(b); DROP TABLE t; SELECT b FROM u;
             CREATE INDEX i ON u(b); DROP INDEX i; INSERT INTO u VALUES(1); SELECT b FROM u;",
        )
        .unwrap();
        assert_eq!(conn.inner.generation.get(), before);
    }

    #[test]
    fn filters_of_the_compiler_are_understood_and_others_are_not() {
        let row = |kind: &str, name: &str, table: &str| {
            [Value::text(kind), Value::text(name), Value::text(table)]
        };
        let filter = Filter::parse(b"tbl_name='it''s' AND type!='trigger'").unwrap();
        assert!(filter.matches(&row("table", "it's", "it's")));
        assert!(filter.matches(&row("index", "i", "it's")));
        assert!(!filter.matches(&row("trigger", "t", "it's")));
        assert!(!filter.matches(&row("table", "its", "its")));
        for other in [
            "name LIKE 'x'",
            "rowid=1",
            "name='x' OR name='y'",
            "name='x",
        ] {
            assert!(Filter::parse(other.as_bytes()).is_none(), "{other}");
        }
    }
}
