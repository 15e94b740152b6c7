//! Settings that pragmas read and write.
//!
//! | where it lives | settings |
//! |---|---|
//! | the compiler's flags | automatic_index, foreign_keys, ignore_check_constraints, … |
//! | the `Env` | query_only, foreign_keys, defer_foreign_keys |
//! | a database's transaction | cache_size, synchronous, wal_autocheckpoint, page_size, encoding, auto_vacuum |
//! | here alone | what has no effect, and is only remembered |
//!
//! Source: SQLite's `sqlite3Pragma`.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringwood_format::encoding::TextEncoding;
use ringwood_format::page::Geometry;
use ringwood_format::value::Value;
use ringwood_vdbe::func::pattern::register_like;
use ringwood_vdbe::{Env, Error as VdbeError, ResultCode, Setting};
use ringwood_wal::{AutoVacuum, Synchronous, TxState};

use super::Inner;

/// Settings that are only remembered.
pub(super) type Remembered = HashMap<Setting, i64>;

type Outcome = std::result::Result<Value, VdbeError>;

/// As SQLite's default build.
const MMAP_SIZE_MAX: i64 = 0x7fff_0000;

fn locking_mode(exclusive: bool) -> Value {
    Value::text(if exclusive { "exclusive" } else { "normal" })
}

impl Inner {
    /// Sets a setting if there is a value; tells what it is then.
    pub(super) async fn setting(
        self: &Rc<Self>,
        env: &mut Env,
        db: usize,
        setting: Setting,
        value: Option<Value>,
    ) -> Outcome {
        match value {
            Some(value) => self.set(env, db, setting, &value).await?,
            // Who asks is told what was wished, who sets it what it is.
            None if setting == Setting::LockingMode && db == 0 => {
                let wished = self.remembered.borrow().get(&setting).copied();
                return Ok(locking_mode(wished == Some(1)));
            }
            None => {}
        }
        self.get(env, db, setting).await
    }

    async fn set(
        &self,
        env: &mut Env,
        db: usize,
        setting: Setting,
        value: &Value,
    ) -> Result<(), VdbeError> {
        let number = match value {
            Value::Integer(number) => *number,
            _ => 0,
        };
        let on = number != 0;
        let mut flags = self.flags.get();
        match setting {
            Setting::AutomaticIndex => flags.automatic_index = on,
            Setting::FullColumnNames => flags.full_column_names = on,
            Setting::ShortColumnNames => flags.short_column_names = on,
            Setting::IgnoreCheckConstraints => flags.ignore_check_constraints = on,
            Setting::RecursiveTriggers => flags.recursive_triggers = on,
            Setting::ReverseUnorderedSelects => flags.reverse_unordered_selects = on,
            Setting::LegacyAlterTable => flags.legacy_alter_table = on,
            // Not within a transaction.
            Setting::ForeignKeys if env.autocommit => {
                flags.foreign_keys = on;
                env.foreign_keys = on;
            }
            Setting::DeferForeignKeys => {
                flags.defer_foreign_keys = on;
                env.defer_foreign_keys = on;
                if !on {
                    env.violations.delayed = 0;
                }
            }
            Setting::QueryOnly => env.query_only = on,
            Setting::BusyTimeout => {
                self.busy
                    .set_timeout(Duration::from_millis(number.max(0) as u64));
            }
            Setting::CacheSize => {
                let tx = &mut env.dbs[db].tx;
                tx.set_cache_size(number);
                // What is read is kept by the pool that all connections share: whoever asks for more gets it.
                let page_size = i64::from(tx.geometry().page_size());
                let bytes = if number < 0 {
                    number.saturating_neg().saturating_mul(1024)
                } else {
                    number.saturating_mul(page_size)
                };
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                if bytes > env.pool.budget_bytes() {
                    env.pool.set_budget_bytes(bytes);
                }
            }
            Setting::WalAutocheckpoint => {
                let frames = u32::try_from(number).unwrap_or(0);
                env.dbs
                    .iter_mut()
                    .for_each(|db| db.tx.set_autocheckpoint(frames));
            }
            Setting::Synchronous => set_synchronous(env, db, number)?,
            Setting::PageSize => {
                if let Some(size) = set_page_size(env, db, number).await? {
                    let mut wanted = self.next_vacuum.get();
                    wanted.page_size = Some(size);
                    self.next_vacuum.set(wanted);
                }
            }
            Setting::AutoVacuum => {
                let mut wanted = self.next_vacuum.get();
                wanted.auto_vacuum = Some(set_auto_vacuum(env, db, number).await?);
                self.next_vacuum.set(wanted);
            }
            Setting::Encoding => {
                let Value::Text(name) = value else {
                    return Ok(());
                };
                self.set_encoding(env, name).await?;
            }
            Setting::TempStore if !(0..=2).contains(&number) => {
                self.remembered.borrow_mut().insert(setting, 0);
            }
            Setting::LockingMode => {
                let Value::Text(name) = value else {
                    return Ok(());
                };
                let exclusive = name.eq_ignore_ascii_case(b"exclusive");
                let normal = name.eq_ignore_ascii_case(b"normal");
                if exclusive || normal {
                    let wish = i64::from(exclusive);
                    self.remembered.borrow_mut().insert(setting, wish);
                    for db in &env.dbs {
                        db.tx.database().set_exclusive(exclusive);
                    }
                }
            }
            Setting::CellSizeCheck
            | Setting::CheckpointFullFsync
            | Setting::FullFsync
            | Setting::EmptyResultCallbacks
            | Setting::ReadUncommitted
            | Setting::TempStore => {
                self.remembered.borrow_mut().insert(setting, number);
            }
            Setting::AnalysisLimit if number >= 0 => {
                flags.analysis_limit = u32::try_from(number).unwrap_or(0);
            }
            Setting::SoftHeapLimit | Setting::HardHeapLimit if number >= 0 => {
                self.remembered.borrow_mut().insert(setting, number);
            }
            Setting::JournalSizeLimit => {
                self.remembered.borrow_mut().insert(setting, number.max(-1));
            }
            Setting::CaseSensitiveLike => {
                self.cache.clear();
                let mut functions = self.functions.borrow_mut();
                register_like(Arc::make_mut(&mut *functions), on);
            }
            Setting::TrustedSchema => flags.trusted_schema = on,
            Setting::WritableSchema => {
                flags.writable_schema = number == 1;
                env.schema_reset |= number == 2;
            }
            Setting::CountChanges => flags.count_changes = on,
            Setting::CacheSpill => {
                let Value::Text(text) = value else {
                    return Ok(());
                };
                let size = std::str::from_utf8(text)
                    .ok()
                    .and_then(|t| t.trim().parse().ok());
                let on = boolean(text) || size.is_some_and(|size: i64| size != 0);
                let size = if on { size.unwrap_or(1).max(1) } else { 0 };
                self.remembered.borrow_mut().insert(setting, size);
            }
            Setting::TempStoreDirectory => {
                let Value::Text(text) = value else {
                    return Ok(());
                };
                let name = String::from_utf8_lossy(text).into_owned();
                if !name.is_empty() && !std::path::Path::new(&name).is_dir() {
                    let message = "not a writable directory";
                    return Err(VdbeError::new(ResultCode::ERROR, message));
                }
                *self.temp_directory.borrow_mut() = (!name.is_empty()).then_some(name);
            }
            Setting::SecureDelete => {
                let fast = matches!(value, Value::Text(text) if text.eq_ignore_ascii_case(b"fast"));
                let on = matches!(value, Value::Text(text) if boolean(text));
                let mode = if fast { 2 } else { i64::from(on) };
                env.dbs[db].tx.set_secure_delete(mode != 0);
                self.remembered.borrow_mut().insert(setting, mode);
            }
            // A limit that is kept: no file is mapped here.
            Setting::MmapSize => {
                let limit = number.clamp(0, MMAP_SIZE_MAX);
                self.remembered.borrow_mut().insert(setting, limit);
            }
            Setting::Threads if number >= 0 => {
                self.remembered.borrow_mut().insert(setting, number.min(8));
            }
            Setting::ForeignKeys
            | Setting::AnalysisLimit
            | Setting::SoftHeapLimit
            | Setting::HardHeapLimit
            | Setting::Threads
            | Setting::DataVersion
            | Setting::File => {}
        }
        self.flags.set(flags);
        self.cache.clear();
        Ok(())
    }

    async fn get(&self, env: &mut Env, db: usize, setting: Setting) -> Outcome {
        let flags = self.flags.get();
        let tx = &mut env.dbs[db].tx;
        let remembered = |default: i64| {
            self.remembered
                .borrow()
                .get(&setting)
                .copied()
                .unwrap_or(default)
        };
        let flag = |on: bool| Ok(Value::Integer(i64::from(on)));
        Ok(Value::Integer(match setting {
            Setting::AutomaticIndex => return flag(flags.automatic_index),
            Setting::FullColumnNames => return flag(flags.full_column_names),
            Setting::ShortColumnNames => return flag(flags.short_column_names),
            Setting::IgnoreCheckConstraints => return flag(flags.ignore_check_constraints),
            Setting::RecursiveTriggers => return flag(flags.recursive_triggers),
            Setting::ReverseUnorderedSelects => return flag(flags.reverse_unordered_selects),
            Setting::LegacyAlterTable => return flag(flags.legacy_alter_table),
            Setting::AnalysisLimit => i64::from(flags.analysis_limit),
            Setting::ForeignKeys => return flag(flags.foreign_keys),
            Setting::DeferForeignKeys => return flag(env.defer_foreign_keys),
            Setting::QueryOnly => return flag(env.query_only),
            Setting::BusyTimeout => self.busy.timeout().as_millis() as i64,
            Setting::CacheSize => tx.cache_size(),
            Setting::WalAutocheckpoint => i64::from(tx.autocheckpoint()),
            Setting::Synchronous => match tx.synchronous() {
                Synchronous::Off => 0,
                Synchronous::Normal => 1,
                Synchronous::Full => 2,
                Synchronous::Extra => 3,
            },
            Setting::PageSize | Setting::AutoVacuum | Setting::Encoding => {
                let tx = env.dbs[db].tx.glance().await?;
                let value = match setting {
                    Setting::PageSize => Value::Integer(i64::from(tx.geometry().page_size())),
                    Setting::AutoVacuum => Value::Integer(match tx.auto_vacuum() {
                        AutoVacuum::None => 0,
                        AutoVacuum::Full => 1,
                        AutoVacuum::Incremental => 2,
                    }),
                    _ => Value::text(match tx.encoding() {
                        TextEncoding::Utf8 => "UTF-8",
                        TextEncoding::Utf16le => "UTF-16le",
                        TextEncoding::Utf16be => "UTF-16be",
                    }),
                };
                return Ok(value);
            }
            Setting::DataVersion => {
                let tx = env.dbs[db].tx.glance().await?;
                return Ok(Value::Integer(i64::from(tx.data_version())));
            }
            Setting::File => {
                let path = tx.database().path().map(|path| path.display().to_string());
                return Ok(Value::text(path.unwrap_or_default()));
            }
            Setting::LockingMode => {
                return Ok(locking_mode(tx.database().is_exclusive()));
            }
            Setting::TrustedSchema => return flag(flags.trusted_schema),
            // What is no file is not mapped, and says nothing.
            // Of a file, be it one without a name.
            Setting::MmapSize
                if tx.database().path().is_none()
                    && !tx.database().options().spill
                    && !(db == 0 && self.main_is_temporary.get()) =>
            {
                return Ok(Value::Null);
            }
            Setting::JournalSizeLimit => remembered(-1),
            Setting::CacheSpill => match remembered(1) {
                0 => 0,
                size => size.max(cache_pages(tx.cache_size(), tx.geometry())),
            },
            Setting::TempStoreDirectory => {
                let name = self.temp_directory.borrow().clone();
                return Ok(name.map_or(Value::Null, Value::text));
            }
            Setting::CellSizeCheck
            | Setting::CheckpointFullFsync
            | Setting::FullFsync
            | Setting::ReadUncommitted
            | Setting::EmptyResultCallbacks
            | Setting::TempStore
            | Setting::Threads
            | Setting::MmapSize
            | Setting::SecureDelete
            | Setting::SoftHeapLimit
            | Setting::HardHeapLimit => remembered(0),
            Setting::WritableSchema => return flag(flags.writable_schema),
            Setting::CountChanges => return flag(flags.count_changes),
            Setting::CaseSensitiveLike => 0,
        }))
    }

    /// The encoding of a database without tables.
    async fn set_encoding(&self, env: &mut Env, name: &[u8]) -> Result<(), VdbeError> {
        let lower = name.to_ascii_lowercase();
        let encoding = match &*lower {
            b"utf8" | b"utf-8" => TextEncoding::Utf8,
            b"utf16" | b"utf-16" | b"utf16le" | b"utf-16le" => TextEncoding::Utf16le,
            b"utf16be" | b"utf-16be" => TextEncoding::Utf16be,
            _ => {
                let message = format!("unsupported encoding: {}", String::from_utf8_lossy(name));
                return Err(VdbeError::new(ResultCode::ERROR, message));
            }
        };
        let taken = env.dbs[0].tx.glance().await?.set_encoding(encoding);
        if taken {
            if let Some(temp) = env.dbs.get_mut(1) {
                temp.tx.set_encoding(encoding);
            }
            self.forget_schema();
        }
        Ok(())
    }
}

/// How many pages stock SQLite's cache holds: each has 144 bytes of its own.
fn cache_pages(size: i64, geometry: Geometry) -> i64 {
    if size >= 0 {
        size
    } else {
        size.saturating_neg().saturating_mul(1024) / (i64::from(geometry.page_size()) + 144)
    }
}

/// SQLite's sqlite3GetBoolean.
fn boolean(text: &[u8]) -> bool {
    let is = |word: &str| text.eq_ignore_ascii_case(word.as_bytes());
    let number = text.iter().take_while(|b| b.is_ascii_digit());
    let number = number.fold(0u64, |n, b| {
        n.wrapping_mul(10).wrapping_add(u64::from(b - b'0'))
    });
    number & 0xff != 0
        || ["on", "yes", "true", "extra", "full"]
            .iter()
            .any(|word| is(word))
}

fn set_synchronous(env: &mut Env, db: usize, number: i64) -> Result<(), VdbeError> {
    if !env.autocommit {
        let message = "Safety level may not be changed inside a transaction";
        return Err(VdbeError::new(ResultCode::ERROR, message));
    }
    // As stock SQLite keeps it: three bits of the number above.
    let level = match ((number & 0xff) + 1) & 7 {
        0 => 0,
        level => level - 1,
    };
    env.dbs[db].tx.set_synchronous(match level {
        0 => Synchronous::Off,
        1 => Synchronous::Normal,
        3 => Synchronous::Extra,
        _ => Synchronous::Full,
    });
    Ok(())
}

/// A page size that is none is let pass in silence, as in SQLite; one that comes too late is for the next VACUUM.
async fn set_page_size(env: &mut Env, db: usize, number: i64) -> Result<Option<u32>, VdbeError> {
    let reserved = env.dbs[db].tx.geometry().reserved();
    let size = u32::try_from(number)
        .ok()
        .filter(|size| Geometry::is_page_size(*size));
    let Some(geometry) = size.and_then(|size| Geometry::new(size, reserved)) else {
        return Ok(None);
    };
    env.dbs[db].tx.glance().await?.set_geometry(geometry);
    // Temporary tables, while there are none, come in pages of that size too.
    if let Some(temp) = env.dbs.get_mut(1) {
        temp.tx.glance().await?.set_geometry(geometry);
    }
    Ok(size)
}

/// Between Full and Incremental a file changes now; to None and back with the next VACUUM.
async fn set_auto_vacuum(env: &mut Env, db: usize, number: i64) -> Result<AutoVacuum, VdbeError> {
    let mode = match number {
        1 => AutoVacuum::Full,
        2 => AutoVacuum::Incremental,
        _ => AutoVacuum::None,
    };
    let autocommit = env.autocommit;
    let mut tx = env.dbs[db].tx.glance().await?;
    let now = tx.auto_vacuum();
    let changes =
        tx.page_count() > 0 && now != mode && now != AutoVacuum::None && mode != AutoVacuum::None;
    let outcome = if changes {
        let writes = tx.state() == TxState::Write;
        match tx.begin_write().await {
            Ok(()) => {
                let mut set = tx.set_auto_vacuum(mode).map(drop);
                if !writes && autocommit {
                    if set.is_ok() {
                        set = tx.commit().await;
                    }
                    tx.rollback();
                }
                set
            }
            Err(e) => Err(e),
        }
    } else {
        tx.set_auto_vacuum(mode).map(drop).or(Ok(()))
    };
    if !autocommit {
        // It is the transaction's now.
        tx.keep();
    }
    outcome?;
    Ok(mode)
}
