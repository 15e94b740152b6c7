//! VACUUM and VACUUM INTO: the database built anew, tree by tree.
//!
//! ```text
//!   source ──▶ target: a temporary database, or the file of INTO
//!                1  trees, in the order of the schema rows:  tables with the indexes of their constraints,
//!                   sqlite_sequence behind the first that counts, then other indexes
//!                2  schema rows: those, then views, triggers and virtual tables
//!                3  the trees' contents, in key order
//!   source ◀── target, page by page; without INTO
//! ```
//!
//! Rules:
//! 1. Not within a transaction, and not while other statements run.
//! 2. `PRAGMA page_size` and `auto_vacuum` take effect here; but a file with a log, and a database without a file, keep
//!    their page size, unless it is INTO another.
//! 3. The schema cookie goes up by one; user version, application id and encoding stay.
//! 4. Schema format 4, unless there are DESC indexes that an older format has stored ascending.
//! 5. A file made by INTO has no log.
//! 6. Rows of a table without INTEGER PRIMARY KEY and without indexes are numbered anew; with INTO they are not.
//!
//! Cost: the database is read once and written twice (once with INTO).
//!
//! Source: SQLite's `sqlite3RunVacuum`.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ringwood_btree::{Cursor, InsertHint, TreeKind, create_tree};
use ringwood_format::collation::Collation;
use ringwood_format::header::Field;
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::record::{decode_record, encode_record_iter};
use ringwood_format::value::Value;
use ringwood_sql::schema::{CollationName, DbSchema, Index};
use ringwood_vdbe::{Answer, Env, Error as VdbeError, ResultCode};
use ringwood_wal::{AutoVacuum, Database, DbOptions, JournalMode, Tx};

use super::schema::{SCHEMA_ROOT, load, retry, text_at};
use super::uri::{Place, place};
use super::{Inner, OpenOptions};

type Outcome = Result<Answer, VdbeError>;

/// What the next VACUUM is to change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// `PRAGMA page_size`.
    pub(super) page_size: Option<u32>,
    /// `PRAGMA auto_vacuum`.
    pub(super) auto_vacuum: Option<AutoVacuum>,
}

/// A row of the new schema table.
struct Object {
    row: Vec<Value>,
    /// The tree that it has: its old root, and how its entries are ordered if it is an index.
    tree: Option<(PageNo, Option<Arc<KeyInfo>>)>,
    has_tree: bool,
    /// Rule 6.
    renumbers: bool,
}

fn error(message: &str) -> VdbeError {
    VdbeError::new(ResultCode::ERROR, message)
}

impl Inner {
    /// VACUUM of a database; `into`: the file to write instead.
    pub(super) async fn vacuum(&self, env: &mut Env, db: usize, into: Option<Value>) -> Outcome {
        if !env.autocommit {
            return Err(error("cannot VACUUM from within a transaction"));
        }
        if env.active > 1 {
            return Err(error("cannot VACUUM - SQL statements in progress"));
        }
        let into = match into {
            None => None,
            Some(Value::Text(name)) => Some(name),
            Some(_) => return Err(error("non-text filename")),
        };
        env.dbs[db].tx.begin_read().await?;
        match into {
            Some(name) => self.vacuum_into(env, db, &name).await?,
            None if env.dbs[db].tx.page_count() == 0 => {}
            None => self.vacuum_in_place(env, db).await?,
        }
        Ok(Answer::Done)
    }

    async fn vacuum_in_place(&self, env: &mut Env, db: usize) -> Result<(), VdbeError> {
        env.dbs[db].tx.begin_write().await?;
        let source = &env.dbs[db].tx;
        let mut options = DbOptions {
            spill: true,
            ..self.target_options(source)
        };
        if !source.can_rewrite() {
            // Rule 2. A log makes the wish forgotten, as in stock SQLite.
            options.geometry = source.geometry();
            if source.journal_mode() == JournalMode::Wal {
                let mut wanted = self.next_vacuum.get();
                wanted.page_size = None;
                self.next_vacuum.set(wanted);
            }
        }
        let store = Database::memory(source.database().pool(), options);
        let mut target = Tx::new(store, self.io.clone());
        self.rebuild(env, db, &mut target, false).await?;
        let tx = &mut env.dbs[db].tx;
        if target.geometry() == tx.geometry() {
            tx.replace_with(&target).await?;
        } else {
            tx.rewrite_with(&target).await?;
        }
        env.schema_changed = true;
        env.schema_reset = true;
        Ok(())
    }

    async fn vacuum_into(&self, env: &mut Env, db: usize, name: &[u8]) -> Result<(), VdbeError> {
        let outer = OpenOptions::default();
        let (place, options) =
            place(name, &outer).map_err(|e| VdbeError::new(ResultCode::ERROR, e))?;
        let pool = env.dbs[db].tx.database().pool().clone();
        let wanted = DbOptions {
            read_only: options.read_only,
            create: options.create,
            ..self.target_options(&env.dbs[db].tx)
        };
        let store = match &place {
            Place::Memory | Place::Temporary => Database::memory(&pool, wanted),
            Place::File(path) => {
                if self.io.size_of(path).is_some_and(|size| size > 0) {
                    return Err(error("output file already exists"));
                }
                self.open_target(&pool, path, wanted, name).await?
            }
        };
        let mut target = Tx::new(store.clone(), self.io.clone());
        let synchronous = env.dbs[db].tx.synchronous();
        target.set_synchronous(synchronous);
        target.begin_read().await?;
        let mut built = self.rebuild(env, db, &mut target, true).await;
        if built.is_ok() {
            built = target.commit().await.map_err(Into::into);
        }
        target.rollback();
        target.end_read();
        if built.is_ok() {
            // Rule 5.
            built = target
                .set_journal_mode(JournalMode::Delete)
                .await
                .map(drop)
                .map_err(Into::into);
        }
        drop(target);
        let closed = store.close(&self.io, synchronous).await;
        built.and(closed.map_err(Into::into))
    }

    async fn open_target(
        &self,
        pool: &Arc<ringwood_pager::Pool>,
        path: &Path,
        options: DbOptions,
        name: &[u8],
    ) -> Result<Arc<Database>, VdbeError> {
        let opened = Database::open(&self.io, pool, path, options).await;
        opened.map_err(|e| {
            let code = VdbeError::from(e).code;
            let shown = if name.starts_with(b"file:") {
                String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned()
            } else {
                String::from_utf8_lossy(name).into_owned()
            };
            VdbeError::new(code, format!("unable to open database: {shown}"))
        })
    }

    fn target_options(&self, source: &Tx) -> DbOptions {
        let wanted = self.next_vacuum.get();
        let geometry = source.geometry();
        let size = wanted.page_size.unwrap_or(geometry.page_size());
        DbOptions {
            geometry: Geometry::new(size, geometry.reserved()).unwrap_or(geometry),
            encoding: source.encoding(),
            auto_vacuum: wanted.auto_vacuum.unwrap_or(source.auto_vacuum()),
            ..DbOptions::default()
        }
    }

    /// Builds the database in `target`, an empty one; `keeps_rowids`: all of them (rule 6).
    async fn rebuild(
        &self,
        env: &mut Env,
        db: usize,
        target: &mut Tx,
        keeps_rowids: bool,
    ) -> Result<(), VdbeError> {
        let schema = load(self, env, db).await?;
        let source = &env.dbs[db].tx;
        let rows = schema_rows(source).await?;
        let mut objects = self.plan(&schema, rows)?;
        target.begin_write().await?;
        target.set_header_field(Field::TextEncoding, source.encoding() as u32)?;
        let mut trees = Vec::new();
        for object in &mut objects {
            let Some((root, key)) = object.tree.take() else {
                continue;
            };
            let kind = if key.is_some() {
                TreeKind::Index
            } else {
                TreeKind::Table
            };
            let new = create_tree(target, kind).await?;
            object.row[3] = Value::Integer(i64::from(new.get()));
            let renumbers = object.renumbers && !keeps_rowids;
            trees.push((root, new, key, renumbers));
        }
        let mut schema_table = Cursor::table(SCHEMA_ROOT);
        let mut record = Vec::new();
        for (object, rowid) in objects.iter().zip(1..) {
            record.clear();
            let values = object.row.iter().map(Value::as_ref);
            encode_record_iter(values, source.encoding(), true, &mut record);
            let hint = InsertHint {
                append: true,
                ..InsertHint::default()
            };
            schema_table
                .insert_rowid(target, rowid, record.as_slice().into(), hint)
                .await?;
        }
        for (from, to, key, renumbers) in trees {
            copy_tree(env, db, target, from, to, key, renumbers).await?;
        }
        // As in stock SQLite, which inserts the rows of views and triggers with a statement, and copies all others.
        if objects.last().is_some_and(|object| !object.has_tree) {
            env.facts.last_insert_rowid = objects.len() as i64;
        }
        let source = &env.dbs[db].tx;
        let cookie = source.header_field(Field::SchemaCookie).wrapping_add(1);
        target.set_header_field(Field::SchemaCookie, cookie)?;
        for field in [
            Field::DefaultCacheSize,
            Field::UserVersion,
            Field::ApplicationId,
        ] {
            target.set_header_field(field, source.header_field(field))?;
        }
        // Rule 4.
        let old = source.header_field(Field::SchemaFormat);
        let has_desc = |index: &Arc<Index>| index.sql.as_deref().is_some_and(mentions_desc);
        let keeps = (1..4).contains(&old) && schema.indexes.values().any(has_desc);
        target.set_header_field(Field::SchemaFormat, if keeps { old } else { 4 })?;
        Ok(())
    }

    /// The rows of the new schema table, in order, each with the tree that it has.
    fn plan(&self, schema: &DbSchema, rows: Vec<Vec<Value>>) -> Result<Vec<Object>, VdbeError> {
        let is = |row: &[Value], column, text: &str| text_at(row, column) == Some(text.as_bytes());
        let name = |row: &[Value], column| {
            String::from_utf8_lossy(text_at(row, column).unwrap_or_default()).into_owned()
        };
        let has_root = |row: &[Value]| !matches!(row.get(3), Some(Value::Integer(n)) if *n <= 0);
        let is_table =
            |row: &[Value]| is(row, 0, "table") && has_root(row) && text_at(row, 4).is_some();
        let is_sequence = |row: &[Value]| is(row, 0, "table") && is(row, 1, "sqlite_sequence");
        let mut objects = Vec::new();
        let mut sequence = rows.iter().find(|row| is_sequence(row));
        for row in rows.iter().filter(|row| is_table(row) && !is_sequence(row)) {
            let table_name = name(row, 1);
            let table = schema.table(&table_name).ok_or_else(VdbeError::corrupt)?;
            let key = match table.primary_key_index().filter(|_| table.without_rowid) {
                Some(index) => Some(self.key_info(schema, index)?),
                None => None,
            };
            objects.push(Object {
                renumbers: table.rowid_alias.is_none() && table.indexes.is_empty(),
                ..object(row, key)?
            });
            for row in rows.iter().filter(|row| {
                is(row, 0, "index")
                    && text_at(row, 4).is_none()
                    && name(row, 2).eq_ignore_ascii_case(&table_name)
            }) {
                objects.push(self.index_object(schema, row)?);
            }
            if table.autoincrement {
                if let Some(row) = sequence.take() {
                    objects.push(Object {
                        renumbers: true,
                        ..object(row, None)?
                    });
                }
            }
        }
        for row in rows
            .iter()
            .filter(|row| is(row, 0, "index") && text_at(row, 4).is_some())
        {
            objects.push(self.index_object(schema, row)?);
        }
        for row in rows {
            let is_virtual = is(&row, 0, "table") && !has_root(&row);
            if is(&row, 0, "view") || is(&row, 0, "trigger") || is_virtual {
                objects.push(Object {
                    row,
                    tree: None,
                    has_tree: false,
                    renumbers: false,
                });
            }
        }
        Ok(objects)
    }

    fn index_object(&self, schema: &DbSchema, row: &[Value]) -> Result<Object, VdbeError> {
        let name = String::from_utf8_lossy(text_at(row, 1).unwrap_or_default());
        let index = schema.indexes.get(&name).ok_or_else(VdbeError::corrupt)?;
        object(row, Some(self.key_info(schema, index)?))
    }

    /// How the entries of an index are ordered.
    fn key_info(&self, schema: &DbSchema, index: &Index) -> Result<Arc<KeyInfo>, VdbeError> {
        let collations = self.collations.borrow();
        let collation = |name: &CollationName| match name {
            CollationName::Other(name) => collations.get(name).cloned().ok_or_else(|| {
                VdbeError::new(
                    ResultCode::ERROR,
                    format!("no such collation sequence: {name}"),
                )
            }),
            built_in => Ok(Collation::builtin(built_in.as_str()).unwrap_or_default()),
        };
        let columns = index
            .columns
            .iter()
            .map(|column| {
                Ok(KeyColumn {
                    collation: collation(&column.collation)?,
                    desc: column.desc,
                    big_null: false,
                })
            })
            .collect::<Result<_, VdbeError>>()?;
        Ok(Arc::new(KeyInfo {
            columns,
            behind: 0,
            encoding: schema.encoding,
        }))
    }
}

fn mentions_desc(sql: &str) -> bool {
    sql.to_ascii_uppercase().contains("DESC")
}

fn object(row: &[Value], key: Option<Arc<KeyInfo>>) -> Result<Object, VdbeError> {
    let root = match row.get(3) {
        Some(Value::Integer(root)) => u32::try_from(*root).ok().and_then(PageNo::new),
        _ => None,
    };
    Ok(Object {
        row: row.to_vec(),
        tree: Some((root.ok_or_else(VdbeError::corrupt)?, key)),
        has_tree: true,
        renumbers: false,
    })
}

/// The rows of the schema table, five values each.
async fn schema_rows(tx: &Tx) -> Result<Vec<Vec<Value>>, VdbeError> {
    let mut rows = Vec::new();
    if tx.page_count() == 0 {
        return Ok(rows);
    }
    let mut cursor = Cursor::table(SCHEMA_ROOT);
    let mut more = retry(tx, |tx| cursor.first(tx)).await?;
    let mut payload = Vec::new();
    while more {
        payload.clear();
        let size = cursor.payload_size();
        retry(tx, |tx| cursor.read_payload(tx, 0, size, &mut payload)).await?;
        let mut row = decode_record(&payload, tx.encoding()).map_err(|_| VdbeError::corrupt())?;
        row.resize(5, Value::Null);
        rows.push(row);
        more = retry(tx, |tx| cursor.next(tx)).await?;
    }
    Ok(rows)
}

async fn copy_tree(
    env: &Env,
    db: usize,
    target: &mut Tx,
    from: PageNo,
    to: PageNo,
    key: Option<Arc<KeyInfo>>,
    renumbers: bool,
) -> Result<(), VdbeError> {
    /// Entries between two looks at the interrupt flag.
    const CHECK_EVERY: u32 = 256;
    let source = &env.dbs[db].tx;
    let (mut read, mut write) = match &key {
        Some(key) => (
            Cursor::index(from, key.clone()),
            Cursor::index(to, key.clone()),
        ),
        None => (Cursor::table(from), Cursor::table(to)),
    };
    let hint = InsertHint {
        append: true,
        ..InsertHint::default()
    };
    let mut payload = Vec::new();
    let mut count = 0u32;
    let mut rowid = 0;
    let mut more = retry(source, |tx| read.first(tx)).await?;
    while more {
        payload.clear();
        let size = read.payload_size();
        retry(source, |tx| read.read_payload(tx, 0, size, &mut payload)).await?;
        if key.is_some() {
            write.insert_key(target, &payload, None, hint).await?;
        } else {
            rowid = if renumbers { rowid + 1 } else { read.rowid() };
            write
                .insert_rowid(target, rowid, payload.as_slice().into(), hint)
                .await?;
        }
        count += 1;
        if count.is_multiple_of(CHECK_EVERY) {
            if env.interrupt.load(Ordering::Relaxed) {
                return Err(VdbeError::code(ResultCode::INTERRUPT));
            }
            if target.is_crowded() {
                target.make_room().await?;
            }
        }
        more = retry(source, |tx| read.next(tx)).await?;
    }
    Ok(())
}
