//! Changesets: functions that exist, and say that they are not supported.
//!
//! Nothing makes a handle of these kinds, so that those that want one are misused; those that would make one, or bytes,
//! answer with `SQLITE_ERROR` and give nothing. `carray` is among them: its table is not there.
//!
//! Source: SQLite's "The Session Extension", `sqlite3_carray_bind`.

use std::ffi::{c_int, c_void};

use crate::boundary::{Destructor, c_api, destroy, put};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;

/// An argument that nobody looks at: a number or a pointer.
type Any = usize;

/// Functions on handles that cannot exist.
macro_rules! without_handle {
    ($($name:ident($($arg:ident),*);)*) => {
        c_api! {
            $(
                /// There is no such handle.
                fn $name($($arg: Any),*) -> c_int = code::MISUSE => {
                    let _ = ($($arg,)*);
                    code::MISUSE
                }
            )*
        }
    };
}

without_handle! {
    sqlite3changegroup_add(group, size, data);
    sqlite3changegroup_add_change(group, iter);
    sqlite3changegroup_add_strm(group, input, argument);
    sqlite3changegroup_change_begin(group, op, table, indirect, message);
    sqlite3changegroup_change_blob(group, new, column, data, size);
    sqlite3changegroup_change_double(group, new, column);
    sqlite3changegroup_change_finish(group, discard, message);
    sqlite3changegroup_change_int64(group, new, column, value);
    sqlite3changegroup_change_null(group, new, column);
    sqlite3changegroup_change_text(group, new, column, data, size);
    sqlite3changegroup_config(group, op, argument);
    sqlite3changegroup_output(group, size, data);
    sqlite3changegroup_output_strm(group, output, argument);
    sqlite3changegroup_schema(group, db, database);
    sqlite3changeset_conflict(iter, column, value);
    sqlite3changeset_finalize(iter);
    sqlite3changeset_fk_conflicts(iter, count);
    sqlite3changeset_new(iter, column, value);
    sqlite3changeset_next(iter);
    sqlite3changeset_old(iter, column, value);
    sqlite3changeset_op(iter, table, columns, op, indirect);
    sqlite3changeset_pk(iter, keys, columns);
    sqlite3rebaser_configure(rebaser, size, data);
    sqlite3rebaser_rebase(rebaser, size, data, out_size, out);
    sqlite3rebaser_rebase_strm(rebaser, input, from, output, to);
    sqlite3session_changeset_strm(session, output, argument);
    sqlite3session_diff(session, database, table, message);
    sqlite3session_object_config(session, op, argument);
    sqlite3session_patchset_strm(session, output, argument);
}

/// Functions that would make a handle: null.
macro_rules! makes_handle {
    ($($name:ident($($arg:ident),*);)*) => {
        c_api! {
            $(
                /// There are no changesets: refused.
                fn $name(out: *mut *mut c_void $(, $arg: Any)*) -> c_int = code::INTERNAL => {
                    let _: &[Any] = &[$($arg),*];
                    put(out, std::ptr::null_mut());
                    code::ERROR
                }
            )*
        }
    };
}

makes_handle! {
    sqlite3changegroup_new();
    sqlite3changeset_start(size, data);
    sqlite3changeset_start_strm(input, argument);
    sqlite3changeset_start_v2(size, data, flags);
    sqlite3changeset_start_v2_strm(input, argument, flags);
    sqlite3rebaser_create();
}

/// Functions that would change a database.
macro_rules! applies {
    ($($name:ident($($arg:ident),*);)*) => {
        c_api! {
            $(
                /// There are no changesets: refused.
                fn $name(db: *mut sqlite3 $(, $arg: Any)*) -> c_int = code::INTERNAL => {
                    let _: &[Any] = &[$($arg),*];
                    match connection(db) {
                        Some(db) => {
                            db.fail(Failure::new(code::ERROR, "changesets are not supported"))
                        }
                        None => code::MISUSE,
                    }
                }
            )*
        }
    };
}

applies! {
    sqlite3changeset_apply(size, data, filter, conflict, argument);
    sqlite3changeset_apply_strm(input, from, filter, conflict, argument);
    sqlite3changeset_apply_v2(size, data, filter, conflict, argument, rebase, rebase_size, flags);
    sqlite3changeset_apply_v2_strm(input, from, filter, conflict, argument, rebase, rebase_size, flags);
    sqlite3changeset_apply_v3(size, data, filter, conflict, argument, rebase, rebase_size, flags);
    sqlite3changeset_apply_v3_strm(input, from, filter, conflict, argument, rebase, rebase_size, flags);
}

c_api! {
    /// There are no changesets: refused.
    fn sqlite3changeset_concat(
        _size_a: c_int, _a: *const c_void, _size_b: c_int, _b: *const c_void,
        size: *mut c_int, out: *mut *mut c_void,
    ) -> c_int = code::INTERNAL => {
        put(size, 0);
        put(out, std::ptr::null_mut());
        code::ERROR
    }

    /// There are no changesets: refused.
    fn sqlite3changeset_concat_strm(
        _a: Any, _from_a: Any, _b: Any, _from_b: Any, _output: Any, _to: Any,
    ) -> c_int = code::INTERNAL => {
        code::ERROR
    }

    /// There are no changesets: refused.
    fn sqlite3changeset_invert(
        _size: c_int, _data: *const c_void, size: *mut c_int, out: *mut *mut c_void,
    ) -> c_int = code::INTERNAL => {
        put(size, 0);
        put(out, std::ptr::null_mut());
        code::ERROR
    }

    /// There are no changesets: refused.
    fn sqlite3changeset_invert_strm(_input: Any, _from: Any, _output: Any, _to: Any) -> c_int
    = code::INTERNAL => {
        code::ERROR
    }

    /// There are no changesets.
    fn sqlite3changegroup_delete(_group: *mut c_void) => {}

    /// There are no changesets.
    fn sqlite3rebaser_delete(_rebaser: *mut c_void) => {}

    /// There are no sessions.
    fn sqlite3session_changeset_size(_session: *mut c_void) -> i64 = 0 => {
        0
    }

    /// There are no sessions.
    fn sqlite3session_memory_used(_session: *mut c_void) -> i64 = 0 => {
        0
    }

    /// There are no sessions: nothing can be set.
    fn sqlite3session_config(_op: c_int, _argument: *mut c_void) -> c_int = code::MISUSE => {
        code::MISUSE
    }

    /// There is no table `carray`: refused.
    fn sqlite3_carray_bind(
        _statement: *mut c_void, _parameter: c_int, data: *mut c_void, _count: c_int, _flags: c_int,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        destroy(destructor, data);
        code::ERROR
    }

    /// There is no table `carray`: refused.
    fn sqlite3_carray_bind_v2(
        _statement: *mut c_void, _parameter: c_int, _data: *mut c_void, _count: c_int, _flags: c_int,
        destructor: Destructor, argument: *mut c_void,
    ) -> c_int = code::INTERNAL => {
        destroy(destructor, argument);
        code::ERROR
    }
}
