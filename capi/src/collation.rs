//! Collations of the application, and bringing them when they are needed.
//!
//! Source: SQLite's "Define New Collating Sequences", "Collation Needed Callbacks".

use std::cmp::Ordering;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use crate::boundary::{Destructor, c_api, c_string, counted16, from_utf16, name, to_utf16};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::function::UserData;

/// Compares two texts.
pub type Compare =
    Option<unsafe extern "C" fn(*mut c_void, c_int, *const c_void, c_int, *const c_void) -> c_int>;
/// Is told that a collation is needed.
pub type Needed = Option<unsafe extern "C" fn(*mut c_void, *mut sqlite3, c_int, *const c_char)>;
/// The same with a name in UTF-16.
pub type Needed16 = Option<unsafe extern "C" fn(*mut c_void, *mut sqlite3, c_int, *const c_void)>;

/// Who brings collations.
#[derive(Clone, Copy)]
pub(crate) enum Bringer {
    Narrow(
        unsafe extern "C" fn(*mut c_void, *mut sqlite3, c_int, *const c_char),
        *mut c_void,
    ),
    Wide(
        unsafe extern "C" fn(*mut c_void, *mut sqlite3, c_int, *const c_void),
        *mut c_void,
    ),
}

fn create(
    db: *mut sqlite3,
    collation: Option<String>,
    encoding: c_int,
    data: *mut c_void,
    compare: Compare,
    destructor: Destructor,
) -> c_int {
    let (Some(db), Some(collation)) = (connection(db), collation) else {
        return code::MISUSE;
    };
    let encoding = match encoding & !0x800 {
        code::UTF16 | code::UTF16_ALIGNED => Some(crate::boundary::NATIVE_UTF16),
        code::UTF16LE => Some(ringwood_format::value::TextEncoding::Utf16le),
        code::UTF16BE => Some(ringwood_format::value::TextEncoding::Utf16be),
        code::UTF8 => None,
        _ => return db.fail(Failure::code(code::MISUSE)),
    };
    let Some(compare) = compare else {
        type Never = fn(&[u8], &[u8]) -> Ordering;
        let done = db.engine(|conn| conn.create_collation::<Never>(&collation, None));
        return db.settle(done.and_then(|done| Ok(done?)));
    };
    // SQLite does not give user data back when registering fails: then this must not either.
    let owner = Arc::new(UserData {
        data,
        destructor: None,
    });
    let owned = Arc::new(std::sync::Mutex::new(None::<UserData>));
    let keeper = owned.clone();
    let order = move |a: &[u8], b: &[u8]| -> Ordering {
        let _keeps = &keeper;
        let call = |a: &[u8], b: &[u8]| {
            // SAFETY: the application's function, with its own data and two texts that live until it returns.
            unsafe {
                compare(
                    owner.data,
                    a.len() as c_int,
                    a.as_ptr().cast(),
                    b.len() as c_int,
                    b.as_ptr().cast(),
                )
            }
        };
        let order = match encoding {
            None => call(a, b),
            Some(encoding) => {
                let (mut wide_a, mut wide_b) = (Vec::new(), Vec::new());
                encoding.encode(a, &mut wide_a);
                encoding.encode(b, &mut wide_b);
                call(&wide_a, &wide_b)
            }
        };
        order.cmp(&0)
    };
    let done = db.engine(|conn| conn.create_collation(&collation, Some(order)));
    let done = done.and_then(|done| Ok(done?));
    if done.is_ok() {
        if let Ok(mut slot) = owned.lock() {
            *slot = Some(UserData { data, destructor });
        }
    }
    db.settle(done)
}

impl sqlite3 {
    /// If a collation is missing and somebody brings some, asks for it; whether to try again.
    pub(crate) fn bring_collation(&self, failure: &Failure) -> bool {
        let Some(bringer) = self.hooks.bringer() else {
            return false;
        };
        let message = String::from_utf8_lossy(failure.text()).into_owned();
        let Some(missing) = message.strip_prefix("no such collation sequence: ") else {
            return false;
        };
        match bringer {
            Bringer::Narrow(call, data) => {
                let missing = c_string(missing);
                // SAFETY: the application's function, with its own data.
                unsafe { call(data, self.handle(), code::UTF8, missing.as_ptr()) }
            }
            Bringer::Wide(call, data) => {
                let missing = to_utf16(missing.as_bytes());
                // SAFETY: as above.
                unsafe { call(data, self.handle(), code::UTF16LE, missing.as_ptr().cast()) }
            }
        }
        self.ask(false, |conn| conn.has_collation(missing))
    }
}

c_api! {
    /// Registers a collation, or takes it away.
    fn sqlite3_create_collation(
        db: *mut sqlite3, collation: *const c_char, encoding: c_int, data: *mut c_void,
        compare: Compare,
    ) -> c_int = code::INTERNAL => {
        create(db, name(collation), encoding, data, compare, None)
    }

    /// The same with a destructor of the data.
    fn sqlite3_create_collation_v2(
        db: *mut sqlite3, collation: *const c_char, encoding: c_int, data: *mut c_void,
        compare: Compare, destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        create(db, name(collation), encoding, data, compare, destructor)
    }

    /// The same with a name in UTF-16.
    fn sqlite3_create_collation16(
        db: *mut sqlite3, collation: *const c_void, encoding: c_int, data: *mut c_void,
        compare: Compare,
    ) -> c_int = code::INTERNAL => {
        let collation = (!collation.is_null())
            .then(|| String::from_utf8_lossy(&from_utf16(counted16(collation, -1))).into_owned());
        create(db, collation, encoding, data, compare, None)
    }

    /// Who is asked for collations that are missing.
    fn sqlite3_collation_needed(db: *mut sqlite3, data: *mut c_void, needed: Needed) -> c_int
    = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        db.hooks.set_bringer(needed.map(|call| Bringer::Narrow(call, data)));
        code::OK
    }

    /// The same with names in UTF-16.
    fn sqlite3_collation_needed16(db: *mut sqlite3, data: *mut c_void, needed: Needed16) -> c_int
    = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        db.hooks.set_bringer(needed.map(|call| Bringer::Wide(call, data)));
        code::OK
    }
}
