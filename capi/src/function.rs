//! Functions of the application: registering them, and the context that they are called with.
//!
//! ```text
//!   create_function ──▶ Callbacks (the C functions, user data, destructor) in an Arc
//!                          ├ scalar:    a closure of the engine's
//!                          └ aggregate: Group { memory, callbacks }, one for each group: an engine `Aggregate`
//!   call ── sqlite3_context { out register, error, … } ── sqlite3_result_*() write there
//! ```
//!
//! Rules:
//! 1. User data is given back when the last program that knows the function is gone.
//! 2. A group that is given up before its end is finished all the same, so that the application frees what it keeps.
//! 3. A context is good until its function returns.
//!
//! Source: SQLite's "Create Or Redefine SQL Functions", "Obtain Aggregate Function Context".

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use ringwood::{Aggregate, FnContext, FnError, FunctionFlags, Mem, ResultCode};

use crate::boundary::{Destructor, bytes_mut, c_api, counted16, destroy, from_utf16, name, object};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::memory;
use crate::value::sqlite3_value;

/// A function with arguments.
pub type Call = Option<unsafe extern "C" fn(*mut sqlite3_context, c_int, *mut *mut sqlite3_value)>;
/// The end of a group.
pub type End = Option<unsafe extern "C" fn(*mut sqlite3_context)>;

/// What a function is called with.
#[allow(non_camel_case_types)]
pub struct sqlite3_context {
    db: *const sqlite3,
    pub(crate) out: *mut Mem,
    user_data: *mut c_void,
    /// The call of the engine's: for auxiliary data; null outside of functions.
    call: *mut FnContext<'static>,
    pub(crate) error: RefCell<Option<Failure>>,
    group: Option<*const Group>,
    /// A virtual table is asked for a column that an UPDATE does not change.
    pub(crate) no_change: bool,
    pub(crate) kept: Cell<bool>,
}

/// The context behind a pointer.
pub(crate) fn context<'a>(cx: *const sqlite3_context) -> Option<&'a sqlite3_context> {
    object(cx)
}

impl sqlite3_context {
    /// For a column of a virtual table.
    pub(crate) fn of_column(db: *const sqlite3, out: *mut Mem, no_change: bool) -> sqlite3_context {
        sqlite3_context {
            db,
            out,
            user_data: std::ptr::null_mut(),
            call: std::ptr::null_mut(),
            error: RefCell::new(None),
            group: None,
            no_change,
            kept: Cell::new(true),
        }
    }

    /// Writes the result.
    pub(crate) fn set(&self, write: impl FnOnce(&mut Mem)) {
        self.kept.set(false);
        // SAFETY: the register is the call's own, and nobody else has it before the function returns (rule 3).
        write(unsafe { &mut *self.out });
    }

    pub(crate) fn length_max(&self) -> u64 {
        object(self.db).map_or(u64::MAX, |db| {
            db.glance(u64::MAX, |conn| {
                conn.limit(ringwood::local::Limit::Length) as u64
            })
        })
    }

    pub(crate) fn fail(&self, failure: Failure) {
        *self.error.borrow_mut() = Some(failure);
    }

    /// The outcome for the engine.
    pub(crate) fn outcome(&self) -> Result<(), FnError> {
        match self.error.borrow_mut().take() {
            None => Ok(()),
            Some(failure) => Err(FnError {
                code: ResultCode::from_i32(failure.code),
                message: String::from_utf8_lossy(failure.text()).into_owned(),
            }),
        }
    }
}

/// What the application gave.
struct Callbacks {
    db: *const sqlite3,
    user_data: *mut c_void,
    scalar: Call,
    step: Call,
    finish: End,
    value: End,
    inverse: Call,
    _destructor: Arc<UserData>,
}

/// User data, given back when it is dropped (rule 1).
pub(crate) struct UserData {
    pub(crate) data: *mut c_void,
    pub(crate) destructor: Destructor,
}

impl Drop for UserData {
    fn drop(&mut self) {
        destroy(self.destructor, self.data);
    }
}

// SAFETY: what the application gave is only used within calls of its connection, under that one's mutex.
unsafe impl Send for Callbacks {}
// SAFETY: as above.
unsafe impl Sync for Callbacks {}
// SAFETY: as above.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

/// Arguments as C sees them.
pub(crate) struct Arguments {
    values: Vec<sqlite3_value>,
    pub(crate) pointers: Vec<*mut sqlite3_value>,
}

impl Arguments {
    pub(crate) fn new(args: &[Mem]) -> Arguments {
        let mut values: Vec<sqlite3_value> = Vec::with_capacity(args.len());
        for arg in args {
            let value = sqlite3_value::default();
            value.point_to(arg);
            values.push(value);
        }
        let pointers = values
            .iter()
            .map(|v| std::ptr::from_ref(v).cast_mut())
            .collect();
        Arguments { values, pointers }
    }

    pub(crate) fn count(&self) -> c_int {
        self.values.len() as c_int
    }
}

impl Callbacks {
    /// Calls one of the functions within a call of the engine's.
    fn within(
        &self,
        cx: &mut FnContext<'_>,
        group: Option<&Group>,
        run: impl FnOnce(*mut sqlite3_context),
    ) -> Result<(), FnError> {
        let out: *mut Mem = cx.result();
        let mut context = sqlite3_context {
            db: self.db,
            out,
            user_data: self.user_data,
            call: std::ptr::from_mut(cx).cast(),
            error: RefCell::new(None),
            group: group.map(std::ptr::from_ref),
            no_change: false,
            kept: Cell::new(true),
        };
        run(&raw mut context);
        context.outcome()
    }

    fn call(
        &self,
        function: Call,
        cx: &mut FnContext<'_>,
        group: Option<&Group>,
        args: &[Mem],
    ) -> Result<(), FnError> {
        let Some(function) = function else {
            return Ok(());
        };
        let mut arguments = Arguments::new(args);
        self.within(cx, group, |context| {
            // SAFETY: the application's function, with the arguments that it was registered for; they and the context
            // live until it returns.
            unsafe { function(context, arguments.count(), arguments.pointers.as_mut_ptr()) }
        })
    }

    fn end(&self, function: End, cx: &mut FnContext<'_>, group: &Group) -> Result<(), FnError> {
        let Some(function) = function else {
            return Ok(());
        };
        self.within(cx, Some(group), |context| {
            // SAFETY: as in `call`.
            unsafe { function(context) }
        })
    }
}

/// The state of a group: memory of the application's.
struct Group {
    callbacks: Arc<Callbacks>,
    memory: Cell<*mut c_void>,
    steps: Cell<u32>,
    is_finished: bool,
}

// SAFETY: as for `Callbacks`.
unsafe impl Send for Group {}

impl Aggregate for Group {
    fn step(&mut self, cx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        self.steps.set(self.steps.get() + 1);
        let callbacks = self.callbacks.clone();
        callbacks.call(callbacks.step, cx, Some(self), args)
    }

    fn finish(&mut self, cx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.is_finished = true;
        let callbacks = self.callbacks.clone();
        let done = callbacks.end(callbacks.finish, cx, self);
        memory::release(self.memory.replace(std::ptr::null_mut()));
        done
    }

    fn inverse(&mut self, cx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        let callbacks = self.callbacks.clone();
        callbacks.call(callbacks.inverse, cx, Some(self), args)
    }

    fn value(&mut self, cx: &mut FnContext<'_>) -> Result<(), FnError> {
        let callbacks = self.callbacks.clone();
        callbacks.end(callbacks.value, cx, self)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Rule 2.
        if let (false, Some(finish)) = (self.is_finished, self.callbacks.finish) {
            if self.steps.get() > 0 {
                let mut out = Mem::new();
                let mut context =
                    sqlite3_context::of_column(self.callbacks.db, &raw mut out, false);
                context.user_data = self.callbacks.user_data;
                context.group = Some(std::ptr::from_ref(self));
                // SAFETY: as in `Callbacks::call`.
                unsafe { finish(&raw mut context) }
            }
        }
        memory::release(self.memory.get());
    }
}

/// What is registered.
struct Registration {
    name: Option<String>,
    args: c_int,
    flags: c_int,
    callbacks: [Call; 3],
    ends: [End; 2],
    is_window: bool,
}

fn register(
    db: *mut sqlite3,
    user_data: *mut c_void,
    destructor: Destructor,
    what: Registration,
) -> c_int {
    let data = Arc::new(UserData {
        data: user_data,
        destructor,
    });
    let Some(db) = connection(db) else {
        return code::MISUSE;
    };
    let _held = db.lock();
    let [scalar, step, inverse] = what.callbacks;
    let [finish, value] = what.ends;
    let fits = match (scalar, step, finish) {
        (Some(_), None, None) => !what.is_window,
        (None, Some(_), Some(_)) | (None, None, None) => true,
        _ => false,
    };
    let windows = value.is_some() == inverse.is_some();
    let Some(name) = what.name.filter(|_| fits && windows) else {
        return db.fail(Failure::code(code::MISUSE));
    };
    let mut flags = FunctionFlags::empty();
    for (bit, flag) in [
        (0x800, FunctionFlags::DETERMINISTIC),
        (0x8_0000, FunctionFlags::DIRECT_ONLY),
        (0x20_0000, FunctionFlags::INNOCUOUS),
        (0x10_0000, FunctionFlags::SUBTYPE),
        (0x100_0000, FunctionFlags::RESULT_SUBTYPE),
    ] {
        flags.set(flag, what.flags & bit != 0);
    }
    let callbacks = Arc::new(Callbacks {
        db: db.handle(),
        user_data,
        scalar,
        step,
        finish,
        value,
        inverse,
        _destructor: data,
    });
    let args = what.args;
    let done = db.engine(|conn| {
        if scalar.is_some() {
            conn.create_scalar_function(&name, args, flags, move |cx, args| {
                callbacks.call(callbacks.scalar, cx, None, args)
            })
        } else if step.is_some() {
            let new = move || Group {
                callbacks: callbacks.clone(),
                memory: Cell::new(std::ptr::null_mut()),
                steps: Cell::new(0),
                is_finished: false,
            };
            if value.is_some() {
                conn.create_window_function(&name, args, flags, new)
            } else {
                conn.create_aggregate_function(&name, args, flags, new)
            }
        } else {
            conn.remove_function(&name, args).map(drop)
        }
    });
    db.settle(done.and_then(|done| Ok(done?)))
}

/// A function that a virtual table has in the place of another.
pub(crate) fn foreign(
    db: *const sqlite3,
    scalar: Call,
    user_data: *mut c_void,
) -> Arc<ringwood_vdbe::func::ScalarClosure> {
    let callbacks = Callbacks {
        db,
        user_data,
        scalar,
        step: None,
        finish: None,
        value: None,
        inverse: None,
        _destructor: Arc::new(UserData {
            data: std::ptr::null_mut(),
            destructor: None,
        }),
    };
    Arc::new(move |cx, args| callbacks.call(callbacks.scalar, cx, None, args))
}

/// What an application keeps for an argument.
struct Auxiliary {
    data: *mut c_void,
    destructor: Destructor,
}

// SAFETY: as for `Callbacks`.
unsafe impl Send for Auxiliary {}

impl Drop for Auxiliary {
    fn drop(&mut self) {
        destroy(self.destructor, self.data);
    }
}

fn call_of<'a>(cx: *mut sqlite3_context) -> Option<&'a mut FnContext<'static>> {
    let cx = context(cx)?;
    // SAFETY: the engine's context lives until the function returns, and only its auxiliary data is touched here.
    unsafe { cx.call.as_mut() }
}

c_api! {
    /// Registers a function, or takes it away.
    fn sqlite3_create_function(
        db: *mut sqlite3, function: *const c_char, args: c_int, flags: c_int, data: *mut c_void,
        scalar: Call, step: Call, finish: End,
    ) -> c_int = code::INTERNAL => {
        register(db, data, None, Registration {
            name: name(function), args, flags,
            callbacks: [scalar, step, None], ends: [finish, None], is_window: false,
        })
    }

    /// The same with a name in UTF-16.
    fn sqlite3_create_function16(
        db: *mut sqlite3, function: *const c_void, args: c_int, flags: c_int, data: *mut c_void,
        scalar: Call, step: Call, finish: End,
    ) -> c_int = code::INTERNAL => {
        let function = (!function.is_null())
            .then(|| String::from_utf8_lossy(&from_utf16(counted16(function, -1))).into_owned());
        register(db, data, None, Registration {
            name: function, args, flags,
            callbacks: [scalar, step, None], ends: [finish, None], is_window: false,
        })
    }

    /// The same with a destructor of the user data.
    fn sqlite3_create_function_v2(
        db: *mut sqlite3, function: *const c_char, args: c_int, flags: c_int, data: *mut c_void,
        scalar: Call, step: Call, finish: End, destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        register(db, data, destructor, Registration {
            name: name(function), args, flags,
            callbacks: [scalar, step, None], ends: [finish, None], is_window: false,
        })
    }

    /// Registers an aggregate that can be a window function.
    fn sqlite3_create_window_function(
        db: *mut sqlite3, function: *const c_char, args: c_int, flags: c_int, data: *mut c_void,
        step: Call, finish: End, value: End, inverse: Call, destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        register(db, data, destructor, Registration {
            name: name(function), args, flags,
            callbacks: [None, step, inverse], ends: [finish, value], is_window: true,
        })
    }

    /// Registers a function that always fails, unless there is one: for virtual tables to put another in its place.
    fn sqlite3_overload_function(db: *mut sqlite3, function: *const c_char, args: c_int) -> c_int
    = code::INTERNAL => {
        let (Some(db), Some(function)) = (connection(db), name(function)) else {
            return code::MISUSE;
        };
        if args < -2 {
            return code::MISUSE;
        }
        let done = db.engine(|conn| {
            if conn.has_function(&function, args) {
                return Ok(());
            }
            let message = format!("unable to use function {function} in the requested context");
            conn.create_scalar_function(&function, args, FunctionFlags::empty(), move |_, _| {
                Err(FnError::new(message.clone()))
            })
        });
        db.settle(done.and_then(|done| Ok(done?)))
    }

    /// The memory of a group, made and zeroed at the first call.
    fn sqlite3_aggregate_context(cx: *mut sqlite3_context, size: c_int) -> *mut c_void
    = std::ptr::null_mut() => {
        let group = context(cx).and_then(|cx| cx.group).and_then(object);
        let Some(group) = group else { return std::ptr::null_mut() };
        if group.memory.get().is_null() && size > 0 {
            let memory = memory::allocate(size as u64);
            bytes_mut(memory, size as usize).fill(0);
            group.memory.set(memory);
        }
        group.memory.get()
    }

    /// How many rows the group has had.
    fn sqlite3_aggregate_count(cx: *mut sqlite3_context) -> c_int = 0 => {
        let group = context(cx).and_then(|cx| cx.group).and_then(object);
        group.map_or(0, |group| group.steps.get()) as c_int
    }

    /// What the function was registered with.
    fn sqlite3_user_data(cx: *mut sqlite3_context) -> *mut c_void = std::ptr::null_mut() => {
        context(cx).map_or(std::ptr::null_mut(), |cx| cx.user_data)
    }

    /// The connection that the function runs on.
    fn sqlite3_context_db_handle(cx: *mut sqlite3_context) -> *mut sqlite3
    = std::ptr::null_mut() => {
        context(cx).map_or(std::ptr::null_mut(), |cx| cx.db.cast_mut())
    }

    /// What was kept for an argument, if the argument is the same.
    fn sqlite3_get_auxdata(cx: *mut sqlite3_context, arg: c_int) -> *mut c_void
    = std::ptr::null_mut() => {
        let kept = call_of(cx).and_then(|call| call.aux::<Auxiliary>(arg));
        kept.map_or(std::ptr::null_mut(), |kept| kept.data)
    }

    /// Keeps something for an argument.
    fn sqlite3_set_auxdata(
        cx: *mut sqlite3_context, arg: c_int, data: *mut c_void, destructor: Destructor,
    ) => {
        let kept = Auxiliary { data, destructor };
        if let Some(call) = call_of(cx) {
            call.set_aux(arg, kept);
        }
    }

    /// Whether a column of a virtual table is only asked for to be kept as it is.
    fn sqlite3_vtab_nochange(cx: *mut sqlite3_context) -> c_int = 0 => {
        c_int::from(context(cx).is_some_and(|cx| cx.no_change))
    }
}
