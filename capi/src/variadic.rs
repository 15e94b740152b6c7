//! The exported names of the variadic functions: jumps to the shims in `variadic.c`, which call back into Rust.
//!
//! ```text
//!   sqlite3_mprintf ── jmp ──▶ ringwood_c_mprintf(format, ...) ──▶ ringwood_mprintf(format, &arguments)
//!        exported by rustc         C: makes a va_list                  Rust: asks for arguments by type
//! ```
//!
//! Rust exports what is defined in Rust only; a jump leaves every register as the caller set it.

use std::arch::naked_asm;
use std::ffi::{c_char, c_double, c_int, c_longlong, c_void};

/// The arguments behind a format, in C's hands.
#[repr(C)]
pub struct Arguments {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn ringwood_arg_int(arguments: *mut Arguments) -> c_int;
    fn ringwood_arg_long(arguments: *mut Arguments) -> c_longlong;
    fn ringwood_arg_int64(arguments: *mut Arguments) -> c_longlong;
    fn ringwood_arg_double(arguments: *mut Arguments) -> c_double;
    fn ringwood_arg_pointer(arguments: *mut Arguments) -> *mut c_void;
}

/// Fetches arguments; each call takes the next one.
#[derive(Clone, Copy)]
pub(crate) struct Taker(pub(crate) *mut Arguments);

impl Taker {
    pub(crate) fn int(self) -> c_int {
        // SAFETY: `self.0` comes from the shim that is on the stack below.
        unsafe { ringwood_arg_int(self.0) }
    }
    pub(crate) fn long(self) -> i64 {
        // SAFETY: as above.
        unsafe { ringwood_arg_long(self.0) }
    }
    pub(crate) fn int64(self) -> i64 {
        // SAFETY: as above.
        unsafe { ringwood_arg_int64(self.0) }
    }
    pub(crate) fn double(self) -> f64 {
        // SAFETY: as above.
        unsafe { ringwood_arg_double(self.0) }
    }
    pub(crate) fn pointer<T>(self) -> *mut T {
        // SAFETY: as above.
        unsafe { ringwood_arg_pointer(self.0).cast() }
    }
}

macro_rules! jumps {
    ($($(#[$doc:meta])* $name:ident => $shim:ident;)*) => {
        unsafe extern "C" {
            $(fn $shim();)*
        }
        $(
            $(#[$doc])*
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name() {
                #[cfg(target_arch = "x86_64")]
                naked_asm!("jmp {}", sym $shim);
                #[cfg(target_arch = "aarch64")]
                naked_asm!("b {}", sym $shim);
            }
        )*
    };
}

jumps! {
    /// `char *sqlite3_mprintf(const char *format, ...)`
    sqlite3_mprintf => ringwood_c_mprintf;
    /// `char *sqlite3_vmprintf(const char *format, va_list)`
    sqlite3_vmprintf => ringwood_c_vmprintf;
    /// `char *sqlite3_snprintf(int n, char *buffer, const char *format, ...)`
    sqlite3_snprintf => ringwood_c_snprintf;
    /// `char *sqlite3_vsnprintf(int n, char *buffer, const char *format, va_list)`
    sqlite3_vsnprintf => ringwood_c_vsnprintf;
    /// `void sqlite3_str_appendf(sqlite3_str*, const char *format, ...)`
    sqlite3_str_appendf => ringwood_c_str_appendf;
    /// `void sqlite3_str_vappendf(sqlite3_str*, const char *format, va_list)`
    sqlite3_str_vappendf => ringwood_c_str_vappendf;
    /// `void sqlite3_log(int code, const char *format, ...)`
    sqlite3_log => ringwood_c_log;
    /// `int sqlite3_config(int op, ...)`
    sqlite3_config => ringwood_c_config;
    /// `int sqlite3_db_config(sqlite3*, int op, ...)`
    sqlite3_db_config => ringwood_c_db_config;
    /// `int sqlite3_vtab_config(sqlite3*, int op, ...)`
    sqlite3_vtab_config => ringwood_c_vtab_config;
    /// `int sqlite3_test_control(int op, ...)`
    sqlite3_test_control => ringwood_c_test_control;
}

/// A C string of the caller's, for `Taker::pointer`.
pub(crate) type Text = c_char;
