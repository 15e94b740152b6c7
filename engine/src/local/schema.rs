//! Reading the schema: rows of `sqlite_schema` become a `DbSchema`.

use std::rc::Rc;
use std::sync::Arc;

use ringwood_btree::Cursor;
use ringwood_format::header::Field;
use ringwood_format::page::PageNo;
use ringwood_format::record::decode_record;
use ringwood_format::value::Value;
use ringwood_sql::ast::Stmt;
use ringwood_sql::compiler::{CompileContext, SqlError};
use ringwood_sql::schema::{DbSchema, DbSchemaBuilder, Schema};
use ringwood_vdbe::{Env, Error as VdbeError, Program, ResultCode};
use ringwood_wal::{Stop, Try, Tx, TxState};

use super::Inner;
use crate::error::{Error, Result};

/// The root page of `sqlite_schema` in every database.
const SCHEMA_ROOT: PageNo = PageNo::ONE;

impl Inner {
    /// The next statement that is compiled reads the schema again.
    pub(super) fn forget_schema(&self) {
        *self.schema.borrow_mut() = None;
    }

    /// Compiles a parsed statement.
    pub(super) async fn compile(&self, statement: &Stmt, text: &[u8]) -> Result<Program> {
        let mut env = self.env.lock().await;
        self.compile_in(&mut env, statement, text).await
    }

    /// As `compile`, for a caller that holds the `Env`.
    pub(super) async fn compile_in(&self, env: &mut Env, statement: &Stmt, text: &[u8]) -> Result<Program> {
        let schema = self.schema(env).await?;
        let functions = self.functions();
        let context = CompileContext {
            schema: &schema,
            functions: &functions,
            collations: &self.collations.borrow(),
            limits: self.limits.get(),
            flags: self.flags.get(),
        };
        ringwood_sql::compile(&context, statement, text).map_err(|e: SqlError| Error::from_vdbe(e.into(), text))
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
            dbs.push(load(env, index).await.map_err(|e| Error::from_vdbe(e, b""))?);
        }
        let schema = Rc::new(Schema { dbs });
        *self.schema.borrow_mut() = Some(schema.clone());
        Ok(schema)
    }

    /// Reads one database's schema again, within the transaction that changed it.
    pub(super) async fn reload(&self, env: &mut Env, db: usize) -> std::result::Result<(), VdbeError> {
        let fresh = load(env, db).await?;
        let mut known = self.schema.borrow_mut();
        if let Some(schema) = known.as_mut() {
            Rc::make_mut(schema).dbs[db] = fresh;
        }
        Ok(())
    }

    /// Changes one database's schema in memory.
    pub(super) fn edit_schema(&self, db: usize, edit: impl FnOnce(&mut DbSchema)) {
        if let Some(schema) = self.schema.borrow_mut().as_mut() {
            edit(Arc::make_mut(&mut Rc::make_mut(schema).dbs[db]));
        }
    }
}

/// Reads a database's schema in a snapshot of its own, or in the transaction that is open.
async fn load(env: &mut Env, index: usize) -> std::result::Result<Arc<DbSchema>, VdbeError> {
    let db = &mut env.dbs[index];
    let opened = db.tx.state() == TxState::None;
    if opened {
        db.tx.begin_read().await?;
    }
    let loaded = read_rows(&db.tx, &db.name).await;
    if opened {
        db.tx.end_read();
    }
    let schema = loaded?;
    db.schema_cookie = schema.cookie;
    db.file_format = schema.file_format;
    db.generation += 1;
    Ok(Arc::new(schema))
}

async fn read_rows(tx: &Tx, name: &str) -> std::result::Result<DbSchema, VdbeError> {
    let mut builder = DbSchemaBuilder::new(name);
    builder.cookie(tx.header_field(Field::SchemaCookie));
    builder.encoding(tx.encoding());
    builder.file_format(match tx.header_field(Field::SchemaFormat) {
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
    while more {
        payload.clear();
        let size = cursor.payload_size();
        retry(tx, |tx| cursor.read_payload(tx, 0, size, &mut payload)).await?;
        let row = decode_record(&payload, tx.encoding()).map_err(|_| VdbeError::corrupt())?;
        let text = |i: usize| match row.get(i) {
            Some(Value::Text(t)) => Some(t.as_slice()),
            _ => None,
        };
        let root = match row.get(3) {
            Some(Value::Integer(root)) => *root,
            _ => 0,
        };
        builder.row(text(0), text(1), text(2), root, text(4))?;
        more = retry(tx, |tx| cursor.next(tx)).await?;
    }
    builder.finish().map_err(Into::into)
}

/// Makes a step until it succeeds, fetching what it misses.
async fn retry<T>(tx: &Tx, mut step: impl FnMut(&Tx) -> Try<T>) -> std::result::Result<T, VdbeError> {
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
