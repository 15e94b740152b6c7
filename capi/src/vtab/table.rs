//! Tables and cursors of the application.

use std::ffi::{CString, c_char, c_int};
use std::rc::Rc;
use std::sync::Arc;

use ringwood::vtab::{
    ConstraintOp, IndexInfo, IndexPlan, OnConflict, Overload, Unusable, VirtualCursor,
    VirtualTable, VtabChange, VtabContext, VtabError, VtabStep,
};
use ringwood::{FunctionDef, FunctionFlags, Mem, ResultCode};
use ringwood_vdbe::FunctionKind;
use ringwood_vdbe::opcode::p5;

use super::layout::{Methods, sqlite3_vtab, sqlite3_vtab_cursor};
use super::question::Asked;
use super::{arguments, failed, take_message};
use crate::boundary::{c_string, object};
use crate::code;
use crate::connection::sqlite3;
use crate::function::{self, sqlite3_context};
use crate::value::sqlite3_value;

/// The table's object, shared with its cursors.
struct Handle {
    db: *const sqlite3,
    methods: Methods,
    table: *mut sqlite3_vtab,
}

impl Handle {
    /// The outcome of a method (rule 2 of the module).
    fn outcome(&self, rc: c_int) -> Result<(), VtabError> {
        // SAFETY: the object lives as long as this, and only the method that has just returned wrote to it.
        let message = unsafe { &mut (*self.table).message };
        let message = take_message(message);
        if rc == code::OK {
            Ok(())
        } else {
            Err(failed(rc, message))
        }
    }

    fn call(
        &self,
        method: Option<unsafe extern "C" fn(*mut sqlite3_vtab) -> c_int>,
    ) -> Result<(), VtabError> {
        match method {
            // SAFETY: the application's method, on its own object.
            Some(method) => self.outcome(unsafe { method(self.table) }),
            None => Ok(()),
        }
    }
}

/// A table.
pub(super) struct Table {
    handle: Rc<Handle>,
    is_destroyed: bool,
}

impl Table {
    /// What a constructor has made; none if that is nothing.
    pub(super) fn of(
        db: *const sqlite3,
        methods: Methods,
        table: *mut sqlite3_vtab,
    ) -> Option<Table> {
        if table.is_null() {
            return None;
        }
        // SAFETY: the constructor has made the object; its first fields are ours to set.
        unsafe {
            table.write(sqlite3_vtab {
                module: std::ptr::null(),
                references: 1,
                message: std::ptr::null_mut(),
            });
        }
        let handle = Rc::new(Handle { db, methods, table });
        Some(Table {
            handle,
            is_destroyed: false,
        })
    }

    /// Methods of a transaction are called of tables that take part in one.
    fn takes_part(&self) -> bool {
        self.handle.methods.begin.is_some() && !self.is_destroyed
    }

    fn at_savepoint(
        &self,
        method: Option<unsafe extern "C" fn(*mut sqlite3_vtab, c_int) -> c_int>,
        number: usize,
    ) {
        if let Some(method) = method.filter(|_| self.takes_part()) {
            // SAFETY: the application's method, on its own object.
            let rc = unsafe { method(self.handle.table, number as c_int) };
            // Savepoints cannot fail here: the statement goes on, and the table tells at its next step.
            let _ = self.handle.outcome(rc);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !self.is_destroyed {
            // What disconnecting fails with has nobody to be told to.
            let _ = self.handle.call(self.handle.methods.disconnect);
        }
    }
}

/// The constants of `sqlite3_vtab_on_conflict`.
fn conflict_code(on_conflict: OnConflict) -> c_int {
    match on_conflict {
        p5::OE_ROLLBACK => 1,
        p5::OE_IGNORE => 2,
        p5::OE_FAIL => 3,
        p5::OE_REPLACE => 5,
        _ => 4,
    }
}

impl VirtualTable for Table {
    fn best_index(&self, info: &mut IndexInfo) -> Result<(), Unusable> {
        let mut asked = Asked::new(info);
        let Some(method) = self.handle.methods.best_index else {
            return Err(VtabError::code(ResultCode::MISUSE).into());
        };
        // SAFETY: the application's method; the question lives until it returns.
        let rc = unsafe { method(self.handle.table, asked.pointer()) };
        match self.handle.outcome(rc) {
            Ok(()) => {
                asked.answer(info);
                Ok(())
            }
            Err(error) => {
                asked.take_text();
                match rc {
                    code::CONSTRAINT => Err(Unusable::Constraint),
                    code::NOMEM => Err(error.into()),
                    _ => Err(VtabError::new(ResultCode::ERROR, error.message).into()),
                }
            }
        }
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>, VtabError> {
        let Some(method) = self.handle.methods.open else {
            return Err(VtabError::code(ResultCode::MISUSE));
        };
        let mut cursor: *mut sqlite3_vtab_cursor = std::ptr::null_mut();
        // SAFETY: the application's method, on its own object.
        let rc = unsafe { method(self.handle.table, &raw mut cursor) };
        self.handle.outcome(rc)?;
        if cursor.is_null() {
            return Err(VtabError::code(ResultCode::NOMEM));
        }
        // SAFETY: the method has made the object; its first field is ours to set.
        unsafe { (*cursor).table = self.handle.table };
        Ok(Box::new(Cursor {
            handle: self.handle.clone(),
            object: cursor,
            text: None,
        }))
    }

    fn destroy(&mut self) -> VtabStep {
        let methods = &self.handle.methods;
        self.handle.call(methods.destroy.or(methods.disconnect))?;
        self.is_destroyed = true;
        Ok(())
    }

    fn update(&mut self, change: &VtabChange<'_>, on_conflict: OnConflict) -> VtabStep<i64> {
        let Some(method) = self.handle.methods.update else {
            return Err(VtabError::new(ResultCode::READONLY, "virtual table is read-only").into());
        };
        let null = Mem::new();
        let values: Vec<sqlite3_value> = match change {
            VtabChange::Delete { rowid } => arguments(std::iter::once(*rowid)),
            VtabChange::Insert { rowid, columns } => {
                arguments([&null, *rowid].into_iter().chain(*columns))
            }
            VtabChange::Update {
                old_rowid,
                new_rowid,
                columns,
            } => arguments([*old_rowid, *new_rowid].into_iter().chain(*columns)),
        };
        let mut pointers = pointers(&values);
        let mut rowid = 0;
        let running = object(self.handle.db).map(|db| &db.vtabs.on_conflict);
        let before = running.map(|code| code.replace(conflict_code(on_conflict)));
        // SAFETY: the application's method, on its own object; the values live until it returns.
        let rc = unsafe {
            method(
                self.handle.table,
                pointers.len() as c_int,
                pointers.as_mut_ptr(),
                &raw mut rowid,
            )
        };
        if let (Some(running), Some(before)) = (running, before) {
            running.set(before);
        }
        self.handle.outcome(rc)?;
        Ok(rowid)
    }

    fn is_writable(&self) -> bool {
        self.handle.methods.update.is_some()
    }

    fn begin(&mut self) -> VtabStep {
        Ok(self.handle.call(self.handle.methods.begin)?)
    }

    fn sync(&mut self) -> VtabStep {
        if self.takes_part() {
            self.handle.call(self.handle.methods.sync)?;
        }
        Ok(())
    }

    fn commit(&mut self) {
        if self.takes_part() {
            // Nothing may fail any more.
            let _ = self.handle.call(self.handle.methods.commit);
        }
    }

    fn rollback(&mut self) {
        if self.takes_part() {
            // Nothing may fail any more.
            let _ = self.handle.call(self.handle.methods.rollback);
        }
    }

    fn savepoint(&mut self, number: usize) {
        self.at_savepoint(self.handle.methods.savepoint, number);
    }

    fn release(&mut self, number: usize) {
        self.at_savepoint(self.handle.methods.release, number);
    }

    fn rollback_to(&mut self, number: usize) {
        self.at_savepoint(self.handle.methods.rollback_to, number);
    }

    fn rename(&mut self, name: &str) -> VtabStep {
        let Some(method) = self.handle.methods.rename else {
            return Ok(());
        };
        let name = c_string(name);
        // SAFETY: the application's method, on its own object; the text lives until it returns.
        let rc = unsafe { method(self.handle.table, name.as_ptr()) };
        Ok(self.handle.outcome(rc)?)
    }

    fn integrity(&mut self, db: &str, table: &str, quick: bool) -> VtabStep<Option<String>> {
        let Some(method) = self.handle.methods.integrity else {
            return Ok(None);
        };
        let (db, name) = (c_string(db), c_string(table));
        let mut message: *mut c_char = std::ptr::null_mut();
        // SAFETY: the application's method, on its own object; the texts live until it returns.
        let rc = unsafe {
            method(
                self.handle.table,
                db.as_ptr(),
                name.as_ptr(),
                c_int::from(quick),
                &raw mut message,
            )
        };
        let message = take_message(&mut message);
        self.handle.outcome(rc)?;
        Ok(message.map(|message| String::from_utf8_lossy(&message).into_owned()))
    }

    fn has_integrity(&self) -> bool {
        self.handle.methods.integrity.is_some()
    }

    fn find_function(&self, name: &str, args: usize) -> Option<Overload> {
        let method = self.handle.methods.find_function?;
        let text = c_string(name);
        let mut call: function::Call = None;
        let mut data = std::ptr::null_mut();
        // SAFETY: the application's method, on its own object; the text lives until it returns.
        let found = unsafe {
            method(
                self.handle.table,
                args as c_int,
                text.as_ptr(),
                &raw mut call,
                &raw mut data,
            )
        };
        if found == 0 {
            return None;
        }
        let function = FunctionDef {
            name: name.to_owned(),
            arity: args as i16,
            flags: FunctionFlags::empty(),
            kind: FunctionKind::Closure(function::foreign(self.handle.db, call, data)),
        };
        let op = u8::try_from(found).ok().filter(|op| *op >= 150);
        Some(Overload {
            function,
            op: op.map(ConstraintOp),
        })
    }
}

/// Pointers to values.
fn pointers(values: &[sqlite3_value]) -> Vec<*mut sqlite3_value> {
    let pointer = |value| std::ptr::from_ref::<sqlite3_value>(value).cast_mut();
    values.iter().map(pointer).collect()
}

/// A scan.
struct Cursor {
    handle: Rc<Handle>,
    object: *mut sqlite3_vtab_cursor,
    /// The plan's text: the method may keep the pointer.
    text: Option<(Arc<str>, CString)>,
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if let Some(method) = self.handle.methods.close {
            // SAFETY: the application's method, on its own object, once.
            unsafe { method(self.object) };
        }
    }
}

impl VirtualCursor for Cursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, plan: &IndexPlan, args: &[Mem]) -> VtabStep {
        let Some(method) = self.handle.methods.filter else {
            return Err(VtabError::code(ResultCode::MISUSE).into());
        };
        let values = arguments(args.iter());
        let mut pointers = pointers(&values);
        let is_same = |(have, _): &(Arc<str>, CString)| Some(&**have) == plan.text.as_deref();
        if !self.text.as_ref().is_some_and(is_same) {
            let text = plan.text.as_ref();
            self.text = text.map(|text| (text.clone(), c_string(&**text)));
        }
        // SAFETY: the application's method, on its own object; text and values live until it returns.
        let rc = unsafe {
            method(
                self.object,
                plan.number,
                self.text
                    .as_ref()
                    .map_or(std::ptr::null(), |(_, text)| text.as_ptr()),
                pointers.len() as c_int,
                pointers.as_mut_ptr(),
            )
        };
        Ok(self.handle.outcome(rc)?)
    }

    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        let Some(method) = self.handle.methods.next else {
            return Err(VtabError::code(ResultCode::MISUSE).into());
        };
        // SAFETY: the application's method, on its own object.
        let rc = unsafe { method(self.object) };
        Ok(self.handle.outcome(rc)?)
    }

    fn eof(&self) -> bool {
        // SAFETY: the application's method, on its own object.
        self.handle
            .methods
            .eof
            .is_none_or(|method| unsafe { method(self.object) } != 0)
    }

    fn column(&mut self, cx: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        let Some(method) = self.handle.methods.column else {
            return Err(VtabError::code(ResultCode::MISUSE).into());
        };
        let mut context = sqlite3_context::of_column(self.handle.db, out, cx.is_no_change());
        // SAFETY: the application's method, on its own object; the context lives until it returns.
        let rc = unsafe { method(self.object, &raw mut context, column as c_int) };
        let told = context.outcome();
        self.handle.outcome(rc)?;
        Ok(told?)
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        let Some(method) = self.handle.methods.rowid else {
            return Err(VtabError::code(ResultCode::MISUSE).into());
        };
        let mut rowid = 0;
        // SAFETY: the application's method, on its own object.
        let rc = unsafe { method(self.object, &raw mut rowid) };
        self.handle.outcome(rc)?;
        Ok(rowid)
    }
}
