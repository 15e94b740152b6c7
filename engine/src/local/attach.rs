//! ATTACH and DETACH: more databases on a connection.
//!
//! ```text
//!   env.dbs     main  temp  a  b            Inner.attached    a  b      the stores, to be closed
//!   DETACH a    main  temp  b               b moves down: what was compiled for the old numbers is compiled again
//! ```
//!
//! Rules:
//! 1. A database that this connection has open already is another transaction on the same store.
//! 2. A savepoint that is open counts for the new database too.
//! 3. What is detached is in no transaction; nor is what moves down, if statements are running.
//! 4. A schema that cannot be read ends the attachment again.
//!
//! Source: SQLite's `attachFunc`, `detachFunc`, `sqlite3CollapseDatabaseArray`.

use std::sync::Arc;

use ringwood_format::value::Value;
use ringwood_vdbe::{Answer, Db, Env, Error as VdbeError, ResultCode};
use ringwood_wal::{Database, DbOptions, Tx, TxState};

use super::open::OpenOptions;
use super::store::{Store, open_store};
use super::uri::{Place, place};
use super::{Inner, schema};

type Outcome = std::result::Result<Answer, VdbeError>;

fn text(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Text(bytes) | Value::Blob(bytes) => bytes.clone(),
        Value::Integer(i) => i.to_string().into_bytes(),
        Value::Real(r) => r.to_string().into_bytes(),
    }
}

fn error(message: impl Into<String>) -> VdbeError {
    VdbeError::new(ResultCode::ERROR, message.into())
}

impl Inner {
    /// ATTACH.
    pub(super) async fn attach(&self, env: &mut Env, file: &Value, name: &Value) -> Outcome {
        let (file, name) = (text(file), text(name));
        let name = String::from_utf8_lossy(&name).into_owned();
        let limit = env.limits.attached as usize;
        if env.dbs.len() >= limit + 2 {
            return Err(error(format!("too many attached databases - max {limit}")));
        }
        let is_taken = |db: &Db| db.name.eq_ignore_ascii_case(&name);
        if env.dbs.iter().any(is_taken) || name.eq_ignore_ascii_case("main") {
            return Err(error(format!("database {name} is already in use")));
        }
        let outer = OpenOptions {
            read_only: self.read_only,
            create: !self.read_only,
            journal_mode: env.dbs[0].tx.database().options().journal_mode,
            pool: Some(env.pool.clone()),
        };
        let (place, options) = place(&file, &outer).map_err(error)?;
        let store = self.attached_store(env, &place, &options).await?;
        let Some(store) = store else {
            let message = format!(
                "unable to open database: {}",
                String::from_utf8_lossy(&file)
            );
            return Err(VdbeError::new(ResultCode::CANTOPEN, message));
        };
        store.take_seat().await;
        let mut tx = Tx::new(store.db.clone(), self.io.clone());
        tx.set_synchronous(env.dbs[0].tx.synchronous());
        tx.set_busy(self.busy.clone());
        // Rule 2.
        let index = env.dbs.len();
        for savepoint in &mut env.savepoints {
            let id = tx.savepoint();
            savepoint.attach(index as u8, id);
        }
        env.dbs.push(Db {
            name,
            tx,
            schema_cookie: 0,
            generation: 0,
            file_format: 4,
        });
        self.attached.borrow_mut().push(store);
        let loaded = self.load_attached(env, index).await;
        if let Err(e) = loaded {
            // Rule 4.
            self.remove(env, index).await?;
            if e.code == ResultCode::ERROR && e.message.is_empty() {
                let message = format!(
                    "unable to open database: {}",
                    String::from_utf8_lossy(&file)
                );
                return Err(error(message));
            }
            return Err(e);
        }
        Ok(Answer::Done)
    }

    async fn load_attached(&self, env: &mut Env, index: usize) -> Result<(), VdbeError> {
        let loaded = schema::load(self, env, index).await?;
        let main = env.dbs[0].tx.encoding();
        if loaded.encoding != main {
            return Err(error(
                "attached databases must use the same text encoding as main database",
            ));
        }
        if let Some(schema) = self.schema.borrow_mut().as_mut() {
            std::rc::Rc::make_mut(schema).dbs.push(loaded);
        }
        Ok(())
    }

    /// The store of an attached database: none if the file cannot be opened.
    async fn attached_store(
        &self,
        env: &Env,
        place: &Place,
        options: &OpenOptions,
    ) -> Result<Option<Store>, VdbeError> {
        let main = env.dbs[0].tx.database().clone();
        let path = match place {
            Place::Memory | Place::Temporary => {
                let wanted = DbOptions {
                    geometry: main.geometry(),
                    encoding: env.dbs[0].tx.encoding(),
                    spill: *place == Place::Temporary,
                    ..DbOptions::default()
                };
                return Ok(Some(Store::private(Database::memory(main.pool(), wanted))));
            }
            Place::File(path) => path,
        };
        match open_store(&self.io, path, options).await {
            Ok(store) => {
                // An empty file gets the encoding of main.
                let mut tx = Tx::new(store.db.clone(), self.io.clone());
                tx.set_encoding(env.dbs[0].tx.encoding());
                Ok(Some(store))
            }
            Err(_) => Ok(None),
        }
    }

    /// DETACH.
    pub(super) async fn detach(&self, env: &mut Env, name: &Value) -> Outcome {
        let name = String::from_utf8_lossy(&text(name)).into_owned();
        let index = env
            .dbs
            .iter()
            .position(|db| db.name.eq_ignore_ascii_case(&name))
            .ok_or_else(|| error(format!("no such database: {name}")))?;
        // The temp database is there once something is in it.
        if index == 1 && env.dbs[1].tx.page_count() == 0 {
            return Err(error(format!("no such database: {name}")));
        }
        if index < 2 {
            return Err(error(format!("cannot detach database {name}")));
        }
        let is_busy = |db: &Db| db.tx.state() != TxState::None;
        let moves_busy = env.active_read > 0 && env.dbs[index..].iter().any(is_busy);
        if is_busy(&env.dbs[index]) || moves_busy {
            return Err(error(format!("database {name} is locked")));
        }
        self.remove(env, index).await?;
        Ok(Answer::Done)
    }

    /// Takes a database out and closes it.
    async fn remove(&self, env: &mut Env, index: usize) -> Result<(), VdbeError> {
        let db = env.dbs.remove(index);
        let store = self.attached.borrow_mut().remove(index - 2);
        let synchronous = db.tx.synchronous();
        drop(db);
        for savepoint in &mut env.savepoints {
            savepoint.detach(index as u8);
        }
        if let Some(schema) = self.schema.borrow_mut().as_mut() {
            let schema = std::rc::Rc::make_mut(schema);
            if index < schema.dbs.len() {
                schema.dbs.remove(index);
            }
            for (at, db) in env.dbs.iter_mut().enumerate().skip(index) {
                db.generation = self.next_generation();
                if let Some(schema) = schema.dbs.get_mut(at) {
                    Arc::make_mut(schema).generation = db.generation as u32;
                }
            }
        }
        // What cannot be written back now is recovered by the next open.
        let _ = store.close(&self.io, synchronous).await;
        Ok(())
    }
}
