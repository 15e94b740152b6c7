//! VFS objects: the names that this library knows, and those that an application registers.
//!
//! Files are opened by Ringwood's own driver. What `sqlite3_vfs_find` gives serves callers that look at names, sleep, or ask
//! for the time; opening a file through it is refused, and so is a connection through a VFS of the application's.
//!
//! Source: SQLite's "OS Interface Object".

use std::ffi::{c_char, c_double, c_int, c_void};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::boundary::{bytes_mut, c_api, guard, object, put, text};
use crate::code;

type Name = *const c_char;
type OpenFile =
    Option<unsafe extern "C" fn(*mut sqlite3_vfs, Name, *mut c_void, c_int, *mut c_int) -> c_int>;

/// SQLite's object; its layout is C's.
#[allow(non_camel_case_types, missing_docs)]
#[repr(C)]
pub struct sqlite3_vfs {
    pub version: c_int,
    pub file_size: c_int,
    pub path_max: c_int,
    pub next: *mut sqlite3_vfs,
    pub name: Name,
    pub data: *mut c_void,
    pub open: OpenFile,
    pub delete: Option<unsafe extern "C" fn(*mut sqlite3_vfs, Name, c_int) -> c_int>,
    pub access: Option<unsafe extern "C" fn(*mut sqlite3_vfs, Name, c_int, *mut c_int) -> c_int>,
    pub full_path:
        Option<unsafe extern "C" fn(*mut sqlite3_vfs, Name, c_int, *mut c_char) -> c_int>,
    pub dl: [*mut c_void; 4],
    pub randomness: Option<unsafe extern "C" fn(*mut sqlite3_vfs, c_int, *mut c_char) -> c_int>,
    pub sleep: Option<unsafe extern "C" fn(*mut sqlite3_vfs, c_int) -> c_int>,
    pub current_time: Option<unsafe extern "C" fn(*mut sqlite3_vfs, *mut c_double) -> c_int>,
    pub last_error: Option<unsafe extern "C" fn(*mut sqlite3_vfs, c_int, *mut c_char) -> c_int>,
    pub current_time64: Option<unsafe extern "C" fn(*mut sqlite3_vfs, *mut i64) -> c_int>,
    pub system_calls: [*mut c_void; 3],
}

/// The list's first object; others follow by `next`.
struct List(*mut sqlite3_vfs);

// SAFETY: the objects are C's to share between threads, as SQLite's documents say.
unsafe impl Send for List {}

static LIST: Mutex<List> = Mutex::new(List(std::ptr::null_mut()));

/// The names of Ringwood's own files.
const OWN: [&std::ffi::CStr; 4] = [c"unix", c"unix-dotfile", c"unix-excl", c"unix-none"];

/// Whether a connection may ask for that VFS: one of Ringwood's own names.
pub(crate) fn is_known(name: &[u8]) -> bool {
    OWN.iter().any(|own| own.to_bytes() == name)
}

fn own(name: &'static std::ffi::CStr) -> sqlite3_vfs {
    sqlite3_vfs {
        version: 2,
        file_size: 8,
        path_max: 512,
        next: std::ptr::null_mut(),
        name: name.as_ptr(),
        data: std::ptr::null_mut(),
        open: Some(refuse_open),
        delete: Some(delete),
        access: Some(access),
        full_path: Some(full_path),
        dl: [std::ptr::null_mut(); 4],
        randomness: Some(randomness),
        sleep: Some(sleep),
        current_time: Some(current_time),
        last_error: Some(last_error),
        current_time64: Some(current_time64),
        system_calls: [std::ptr::null_mut(); 3],
    }
}

/// The list, made when it is first asked for.
fn with_list<T>(f: impl FnOnce(&mut List) -> T) -> T {
    let mut list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
    if list.0.is_null() {
        let mut next = std::ptr::null_mut();
        for name in OWN.iter().rev() {
            let mut vfs = own(name);
            vfs.next = next;
            next = Box::into_raw(Box::new(vfs));
        }
        list.0 = next;
    }
    f(&mut list)
}

fn next_of(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    object(vfs).map_or(std::ptr::null_mut(), |vfs| vfs.next)
}

fn set_next(vfs: *mut sqlite3_vfs, next: *mut sqlite3_vfs) {
    if !vfs.is_null() {
        // SAFETY: objects in the list stay until they are taken out; the list's lock is held.
        unsafe { (*vfs).next = next }
    }
}

fn unlink(list: &mut List, vfs: *mut sqlite3_vfs) {
    if list.0 == vfs {
        list.0 = next_of(vfs);
        return;
    }
    let mut at = list.0;
    while !at.is_null() {
        if next_of(at) == vfs {
            set_next(at, next_of(vfs));
            return;
        }
        at = next_of(at);
    }
}

unsafe extern "C" fn refuse_open(
    _vfs: *mut sqlite3_vfs,
    _name: Name,
    file: *mut c_void,
    _flags: c_int,
    _out: *mut c_int,
) -> c_int {
    // No methods: nothing has to be closed.
    put(file.cast(), std::ptr::null_mut::<c_void>());
    code::CANTOPEN
}

fn path(name: Name) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(text(name).unwrap_or_default()).into()
}

unsafe extern "C" fn delete(_vfs: *mut sqlite3_vfs, name: Name, _sync: c_int) -> c_int {
    const IOERR_DELETE: c_int = 10 + 256 * 10;
    const IOERR_DELETE_NOENT: c_int = 10 + 256 * 23;
    guard(IOERR_DELETE, || match std::fs::remove_file(path(name)) {
        Ok(()) => code::OK,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => IOERR_DELETE_NOENT,
        Err(_) => IOERR_DELETE,
    })
}

unsafe extern "C" fn access(
    _vfs: *mut sqlite3_vfs,
    name: Name,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    guard(code::INTERNAL, || {
        let found = match std::fs::metadata(path(name)) {
            Ok(about) if flags == 0 => about.len() > 0 || !about.is_file(),
            Ok(about) => !about.permissions().readonly(),
            Err(_) => false,
        };
        put(out, c_int::from(found));
        code::OK
    })
}

unsafe extern "C" fn full_path(
    _vfs: *mut sqlite3_vfs,
    name: Name,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    use std::os::unix::ffi::OsStrExt as _;
    guard(code::CANTOPEN, || {
        let Ok(full) = std::path::absolute(path(name)) else {
            return code::CANTOPEN;
        };
        let full = full.as_os_str().as_bytes();
        let out = bytes_mut(out.cast(), usize::try_from(room).unwrap_or(0));
        if out.len() <= full.len() {
            return code::CANTOPEN;
        }
        out[..full.len()].copy_from_slice(full);
        out[full.len()] = 0;
        code::OK
    })
}

unsafe extern "C" fn randomness(_vfs: *mut sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    // SAFETY: the caller's buffer, as this function has it.
    unsafe { crate::library::sqlite3_randomness(n, out.cast()) };
    n
}

unsafe extern "C" fn sleep(_vfs: *mut sqlite3_vfs, us: c_int) -> c_int {
    std::thread::sleep(Duration::from_micros(us.max(0) as u64));
    us
}

/// Milliseconds since the epoch of Julian days.
fn now_ms() -> i64 {
    const UNIX_EPOCH_MS: i64 = 210_866_760_000_000;
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UNIX_EPOCH_MS + since.map_or(0, |t| t.as_millis() as i64)
}

unsafe extern "C" fn current_time(_vfs: *mut sqlite3_vfs, out: *mut c_double) -> c_int {
    put(out, now_ms() as f64 / 86_400_000.0);
    code::OK
}

unsafe extern "C" fn current_time64(_vfs: *mut sqlite3_vfs, out: *mut i64) -> c_int {
    put(out, now_ms());
    code::OK
}

unsafe extern "C" fn last_error(_vfs: *mut sqlite3_vfs, _room: c_int, _out: *mut c_char) -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

c_api! {
    /// The VFS of that name, or the default one.
    fn sqlite3_vfs_find(name: *const c_char) -> *mut sqlite3_vfs = std::ptr::null_mut() => {
        with_list(|list| {
            let Some(wanted) = text(name) else { return list.0 };
            let mut at = list.0;
            while let Some(vfs) = object(at) {
                if text(vfs.name) == Some(wanted) {
                    return at;
                }
                at = vfs.next;
            }
            std::ptr::null_mut()
        })
    }

    /// Adds a VFS to the list. Connections cannot be opened by it: they say that it does not exist.
    fn sqlite3_vfs_register(vfs: *mut sqlite3_vfs, make_default: c_int) -> c_int
    = code::INTERNAL => {
        if vfs.is_null() {
            return code::MISUSE;
        }
        with_list(|list| {
            unlink(list, vfs);
            if make_default != 0 {
                set_next(vfs, list.0);
                list.0 = vfs;
            } else {
                set_next(vfs, next_of(list.0));
                set_next(list.0, vfs);
            }
        });
        code::OK
    }

    /// Takes a VFS out of the list.
    fn sqlite3_vfs_unregister(vfs: *mut sqlite3_vfs) -> c_int = code::INTERNAL => {
        with_list(|list| unlink(list, vfs));
        code::OK
    }
}
