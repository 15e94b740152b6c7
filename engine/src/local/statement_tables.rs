//! Tables about statements: `sqlite_stmt`, `bytecode`, `tables_used`.
//!
//! | table | rows | columns |
//! |---|---|---|
//! | `sqlite_stmt` | the connection's statements, the newest first | sql, ncol, ro, busy, nscan, nsort, naidx, nstep, reprep, run, mem |
//! | `bytecode(sql)` | the instructions of a statement, those of its triggers too | addr, opcode, p1 … p5, comment, subprog, nexec, ncycle |
//! | `tables_used(sql)` | the tables and indexes that it opens | type, schema, name, wr, subprog |
//!
//! Rules:
//! 1. The statement of `bytecode` and `tables_used` is compiled for the purpose, not run: nexec and ncycle are 0.
//! 2. What a statement has done is known up to its last step.
//!
//! Absent: pointers to statements as arguments.
//!
//! Source: SQLite's `ext/misc/stmt.c`, `vdbevtab.c`.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use ringwood_format::value::{Value, ValueType};
use ringwood_sql::parse::Parser;
use ringwood_sql::schema::Schema;
use ringwood_vdbe::vtab::{
    ConstraintOp, Declared, IndexInfo, IndexPlan, LocalFuture, Module, ModuleArgs, ModuleKind,
    Unusable, VirtualCursor, VirtualTable, VtabContext, VtabStep, VtabStop, WaitContext,
};
use ringwood_vdbe::{Env, Error, Insn, Mem, Opcode, P4, Program, ResultCode, Vm};

use super::Inner;

/// What is known of a statement of the connection.
#[derive(Debug, Default)]
pub(super) struct About {
    /// Its text.
    pub(super) sql: Vec<u8>,
    columns: Cell<usize>,
    readonly: Cell<bool>,
    busy: Cell<bool>,
    /// Scan steps, sorts, instructions, of the runs that have ended and of the one that is under way.
    ended: Cell<[u64; 3]>,
    running: Cell<[u64; 3]>,
    recompiled: Cell<u64>,
    runs: Cell<u64>,
    bytes: Cell<usize>,
}

impl About {
    /// A statement with that program.
    pub(super) fn new(sql: &[u8], program: &Program) -> About {
        let mut about = About::default();
        about.renew(sql, program);
        about
    }

    /// Another statement, with that program, in the place of one that is gone.
    pub(super) fn renew(&mut self, sql: &[u8], program: &Program) {
        let mut text = std::mem::take(&mut self.sql);
        text.clear();
        text.extend_from_slice(sql);
        *self = About {
            sql: text,
            ..About::default()
        };
        self.describe(program);
    }

    /// It was compiled again.
    pub(super) fn recompiled(&self, program: &Program) {
        self.recompiled.set(self.recompiled.get() + 1);
        self.describe(program);
    }

    fn describe(&self, program: &Program) {
        self.columns.set(program.columns.len());
        self.readonly.set(program.readonly);
        let registers = program.mem_count as usize * size_of::<Mem>();
        let insns = program.insns.len() * size_of::<Insn>();
        self.bytes.set(insns + registers + self.sql.len());
    }

    /// A step begins.
    #[inline]
    pub(super) fn begin_step(&self) {
        if !self.busy.replace(true) {
            self.runs.set(self.runs.get() + 1);
        }
    }

    /// A step has ended, and perhaps the run.
    #[inline]
    pub(super) fn end_step(&self, vm: &Vm) {
        let (steps, scans, sorts) = vm.counters();
        self.running.set([scans, sorts, steps]);
        if !vm.is_running() {
            self.end_run();
        }
    }

    /// The run is over.
    pub(super) fn end_run(&self) {
        self.busy.set(false);
        let total = self.total();
        self.ended.set(total);
        self.running.set([0; 3]);
    }

    fn total(&self) -> [u64; 3] {
        let (ended, running) = (self.ended.get(), self.running.get());
        std::array::from_fn(|i| ended[i] + running[i])
    }

    fn row(&self) -> Vec<Value> {
        let [scans, sorts, steps] = self.total();
        let int = |n: u64| Value::Integer(n as i64);
        let flag = |flag: bool| Value::Integer(i64::from(flag));
        vec![
            Value::Text(self.sql.clone()),
            int(self.columns.get() as u64),
            flag(self.readonly.get()),
            flag(self.busy.get()),
            int(scans),
            int(sorts),
            int(0),
            int(steps),
            int(self.recompiled.get()),
            int(self.runs.get()),
            int(self.bytes.get() as u64),
        ]
    }
}

/// Among so many statements that were added last, one that is dropped is looked for.
const LATELY: usize = 8;

/// The statements of a connection; what is gone is swept away now and then.
#[derive(Debug, Default)]
pub(super) struct Statements {
    list: RefCell<Vec<Weak<About>>>,
    sweep_at: Cell<usize>,
}

impl Statements {
    /// Adds one.
    pub(super) fn add(&self, about: &Rc<About>) {
        let mut list = self.list.borrow_mut();
        if list.len() >= self.sweep_at.get() {
            list.retain(|about| about.strong_count() > 0);
            self.sweep_at.set(2 * list.len() + 32);
        }
        list.push(Rc::downgrade(about));
    }

    /// Takes one away, if it was added lately; the others are swept away once they are gone.
    pub(super) fn remove(&self, about: &Rc<About>) {
        let mut list = self.list.borrow_mut();
        let lately = list.len().saturating_sub(LATELY);
        let is_it = |have: &Weak<About>| std::ptr::eq(have.as_ptr(), Rc::as_ptr(about));
        if let Some(at) = list[lately..].iter().rposition(is_it) {
            list.remove(lately + at);
        }
    }

    fn rows(&self) -> Vec<Vec<Value>> {
        let list = self.list.borrow();
        let living = list.iter().rev().filter_map(Weak::upgrade);
        living.map(|about| about.row()).collect()
    }
}

/// Which of the tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StatementTable {
    Statements,
    Bytecode,
    TablesUsed,
}

impl StatementTable {
    /// By its name.
    pub(super) fn find(name: &str) -> Option<StatementTable> {
        Some(match name {
            "sqlite_stmt" => StatementTable::Statements,
            "bytecode" => StatementTable::Bytecode,
            "tables_used" => StatementTable::TablesUsed,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            StatementTable::Statements => "sqlite_stmt",
            StatementTable::Bytecode => "bytecode",
            StatementTable::TablesUsed => "tables_used",
        }
    }

    /// Its columns that are not hidden.
    const fn columns(self) -> &'static str {
        match self {
            StatementTable::Statements => "sql,ncol,ro,busy,nscan,nsort,naidx,nstep,reprep,run,mem",
            StatementTable::Bytecode => {
                "addr INT,opcode TEXT,p1 INT,p2 INT,p3 INT,p4 TEXT,p5 INT,comment TEXT,\
                 subprog TEXT,nexec INT,ncycle INT"
            }
            StatementTable::TablesUsed => "type TEXT,schema TEXT,name TEXT,wr INT,subprog TEXT",
        }
    }

    fn shown(self) -> usize {
        self.columns().split(',').count()
    }

    /// The rows, about a statement if the table takes one.
    pub(super) async fn rows(
        self,
        inner: &Inner,
        env: &mut Env,
        sql: Option<&[u8]>,
    ) -> Result<Vec<Vec<Value>>, Error> {
        if self == StatementTable::Statements {
            return Ok(inner.statements.rows());
        }
        let invalid = || {
            let message = format!("argument to {}() is not a valid SQL statement", self.name());
            Error::new(ResultCode::ERROR, message)
        };
        let sql = sql.ok_or_else(invalid)?;
        let parsed = Parser::new(sql).next_statement().ok_or_else(invalid)?;
        let parsed = parsed.map_err(|e| Error::new(ResultCode::ERROR, e.to_string()))?;
        let program = inner.compile_in(env, &parsed, sql).await;
        let program = program
            .map_err(|e| Error::new(ResultCode::from_i32(e.extended_code()), e.message()))?;
        if self == StatementTable::Bytecode {
            return Ok(bytecode(&program));
        }
        let schema = inner.schema(env).await;
        let schema = schema.map_err(|e| Error::new(ResultCode::ERROR, e.message()))?;
        Ok(tables_used(&program, &schema))
    }
}

/// The name of a program: none for the main one.
fn subprogram_name(number: usize, insns: &[Insn]) -> Value {
    match insns.first().map(|init| &init.p4) {
        _ if number == 0 => Value::Null,
        Some(P4::Text(name)) => {
            let name = name.strip_prefix(b"-- ").unwrap_or(name);
            Value::Text(name.to_vec())
        }
        _ => Value::text("(FK)"),
    }
}

/// The main program and the others.
fn programs(program: &Program) -> impl Iterator<Item = (usize, &[Insn])> {
    let others = program.subprograms.iter().map(|sub| &sub.insns[..]);
    std::iter::once(&program.insns[..])
        .chain(others)
        .enumerate()
}

fn bytecode(program: &Program) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (number, insns) in programs(program) {
        for (addr, insn) in insns.iter().enumerate() {
            let p4 = insn.p4.explain();
            let note = program.comment(addr).filter(|_| number == 0);
            let comment = ringwood_vdbe::listing::comment(insn, &p4, note);
            let int = |n: i32| Value::Integer(i64::from(n));
            let text = |bytes: Vec<u8>, none: bool| {
                if none {
                    Value::Null
                } else {
                    Value::Text(bytes)
                }
            };
            let no_comment = comment.is_empty();
            rows.push(vec![
                int(addr as i32),
                Value::text(insn.opcode.name()),
                int(insn.p1),
                int(insn.p2),
                int(insn.p3),
                text(p4, matches!(insn.p4, P4::None)),
                int(i32::from(insn.p5)),
                text(comment, no_comment),
                subprogram_name(number, insns),
                int(0),
                int(0),
            ]);
        }
    }
    rows
}

fn tables_used(program: &Program, schema: &Schema) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (number, insns) in programs(program) {
        for insn in insns {
            let writes = insn.opcode == Opcode::OpenWrite;
            let in_register = insn.p5 & ringwood_vdbe::opcode::p5::P2ISREG != 0;
            let opens = match insn.opcode {
                Opcode::OpenRead | Opcode::ReopenIdx => true,
                Opcode::OpenWrite => !in_register,
                _ => false,
            };
            let (db, root) = (insn.p3 as usize, insn.p2 as u32);
            let Some(of) = schema.dbs.get(db).filter(|_| opens) else {
                continue;
            };
            let table = of
                .tables
                .values()
                .find(|table| table.root == root && !table.is_view() && !table.is_virtual());
            let index = of.indexes.values().find(|index| index.root == root);
            let (kind, name) = match (table, index) {
                (Some(table), _) => ("table", Value::text(&*table.name)),
                (None, Some(index)) => ("index", Value::text(&*index.name)),
                (None, None) => continue,
            };
            rows.push(vec![
                Value::text(kind),
                Value::text(&*of.name),
                name,
                Value::Integer(i64::from(writes)),
                subprogram_name(number, insns),
            ]);
        }
    }
    rows
}

impl Module for StatementTable {
    fn kind(&self) -> ModuleKind {
        ModuleKind::EponymousOnly
    }

    fn connect(&self, _: &ModuleArgs) -> VtabStep<Declared> {
        let hidden = match self {
            StatementTable::Statements => "",
            _ => ",stmt HIDDEN",
        };
        let schema = format!("CREATE TABLE x({}{hidden})", self.columns());
        Ok(Declared::new(schema, *self))
    }
}

impl VirtualTable for StatementTable {
    fn best_index(&self, info: &mut IndexInfo) -> Result<(), Unusable> {
        if *self == StatementTable::Statements {
            (info.estimated_cost, info.estimated_rows) = (500.0, 500);
            return Ok(());
        }
        (info.estimated_cost, info.estimated_rows) = (100.0, 100);
        let stmt = self.shown() as i32;
        for at in 0..info.constraints.len() {
            let constraint = &info.constraints[at];
            if constraint.op != ConstraintOp::EQ || constraint.column != stmt {
                continue;
            }
            if !constraint.usable {
                return Err(Unusable::Constraint);
            }
            info.usage[at].argument = 1;
            info.usage[at].omit = true;
            info.plan.number = 1;
            return Ok(());
        }
        Err(Unusable::Fail(Box::new(Error::new(
            ResultCode::ERROR,
            format!("argument to {}() is not a valid SQL statement", self.name()),
        ))))
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>, Error> {
        Ok(Box::new(StatementCursor {
            table: *self,
            sql: None,
            rows: Vec::new(),
            at: 0,
            is_fresh: false,
        }))
    }
}

struct StatementCursor {
    table: StatementTable,
    sql: Option<Vec<u8>>,
    rows: Vec<Vec<Value>>,
    at: usize,
    /// The rows were got for the filter that comes next.
    is_fresh: bool,
}

impl VirtualCursor for StatementCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, _: &IndexPlan, args: &[Mem]) -> VtabStep {
        self.at = 0;
        if std::mem::take(&mut self.is_fresh) {
            return Ok(());
        }
        let is_text = |arg: &&Mem| arg.value_type() == ValueType::Text;
        let text = args.first().filter(is_text);
        self.sql = text.map(|arg| arg.to_text().into_owned());
        Err(VtabStop::Wait)
    }

    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        self.at += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.at >= self.rows.len()
    }

    fn column(&mut self, _: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        if let Some(value) = self.rows.get(self.at).and_then(|row| row.get(column)) {
            out.set_value(value.as_ref());
        } else if let Some(sql) = &self.sql {
            out.set_text(sql);
        }
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        Ok(self.at as i64 + 1)
    }

    fn wait<'a>(&'a mut self, mut cx: WaitContext<'a>) -> LocalFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let about = self.sql.as_deref();
            self.rows = cx.about_statements(self.table.name(), about).await?;
            self.is_fresh = true;
            Ok(())
        })
    }
}
