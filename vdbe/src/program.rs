//! Programs: a checked list of instructions with what a caller may ask about them, and their builder.
//!
//! ```text
//!   let mut b = ProgramBuilder::new();
//!   let end = b.label();                       // a negative number until it is resolved
//!   b.op(Opcode::Rewind, 0, end, 0);
//!   ...
//!   b.resolve(end);                            // here
//!   b.finish()?                                // labels become addresses; the verifier reads every operand
//! ```
//!
//! Rules:
//! 1. A jump goes to an address in `0..=len`; the end of the program is an implied `Halt`.
//! 2. Registers are numbered from 1, cursors from 0; an operand whose role is a register or a cursor lies in range,
//!    and so do ranges of registers whose length is an operand. The VM relies on it only for speed: an index out of
//!    range would be a panic, not undefined behaviour, so the verifier is what keeps generated code from panicking.
//! 3. A label that is never resolved, or resolved twice, is an error of the code generator.
//! 4. [`ProgramBuilder::finish`] verifies what it makes in builds with debug assertions (tests, fuzzing, the simulator);
//!    a release build trusts the code generator that these have tried, see ADR 3. [`Program::verify`] can be asked for.

use crate::error::Error;
use crate::insn::{Insn, P4};
use crate::opcode::{Opcode, P4Kind, Role, p5};
use crate::result_code::ResultCode;
use std::sync::Arc;

/// The address of an instruction.
pub type Addr = i32;

/// A jump target that is not known yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(i32);

impl From<Label> for i32 {
    #[inline]
    fn from(label: Label) -> i32 {
        label.0
    }
}

/// What a result column is called and where it comes from.
#[derive(Clone, Debug, Default)]
pub struct ColumnInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The declared type of the table column that it is, if it is one.
    pub decltype: Option<Arc<str>>,
    /// The database of that column.
    pub database: Option<Arc<str>>,
    /// The table of that column.
    pub table: Option<Arc<str>>,
    /// The name of that column in its table.
    pub origin: Option<Arc<str>>,
}

/// What a statement does when it is stepped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Explain {
    /// It runs.
    #[default]
    No,
    /// EXPLAIN: it lists its program.
    Program,
    /// EXPLAIN QUERY PLAN: it lists its `Explain` instructions.
    QueryPlan,
}

/// The program of a trigger, or of an action of a foreign key.
#[derive(Debug, Default)]
pub struct SubProgram {
    /// The instructions; jumps are addresses.
    pub insns: Vec<Insn>,
    /// Registers 1..=mem_count.
    pub mem_count: u32,
    /// Cursors 0..cursor_count.
    pub cursor_count: u32,
    /// Which trigger it is: the subprograms of one trigger (one for each conflict action) have the same number.
    pub trigger: u32,
    /// The trigger's name; none if it is the action of a foreign key.
    pub name: Option<Arc<str>>,
}

/// A program that can be run, any number of times and in several VMs.
#[derive(Debug, Default)]
pub struct Program {
    /// The instructions; jumps are addresses.
    pub insns: Vec<Insn>,
    /// EXPLAIN comments by address, in order; few instructions have one.
    pub comments: Vec<(Addr, String)>,
    /// Registers 1..=mem_count.
    pub mem_count: u32,
    /// Cursors 0..cursor_count.
    pub cursor_count: u32,
    /// Result columns.
    pub columns: Vec<ColumnInfo>,
    /// Parameters: number `i + 1` is called `params[i]` (with its `:`, `@`, `$` or `?`), if it has a name.
    pub params: Vec<Option<String>>,
    /// Whether it changes no database. [`ProgramBuilder::finish`] finds out.
    pub readonly: bool,
    /// Whether it uses a transaction at all. [`ProgramBuilder::finish`] finds out.
    pub is_reader: bool,
    /// Whether `changes()` is set at its end.
    pub count_changes: bool,
    /// Whether it may change more than one row and then abort: it runs in a statement savepoint inside a transaction.
    pub statement_journal: bool,
    /// Bit i: it uses database i.
    pub databases: u64,
    /// Whether it lists itself instead of running.
    pub explain: Explain,
    /// The programs that `Program` instructions run, here or in each other.
    pub subprograms: Vec<SubProgram>,
}

impl Program {
    /// The instructions of the main program (0), or of subprogram `code` - 1.
    #[inline]
    pub(crate) fn code(&self, code: u32) -> &[Insn] {
        match code.checked_sub(1) {
            None => &self.insns,
            Some(at) => &self.subprograms[at as usize].insns,
        }
    }

    /// Checks every operand (rules 1 and 2).
    ///
    /// # Errors
    /// `SQLITE_INTERNAL`, which names the instruction.
    pub fn verify(&self) -> Result<(), Error> {
        self.verify_insns()?;
        verify_calls(self)
    }

    fn verify_insns(&self) -> Result<(), Error> {
        (0..self.insns.len()).try_for_each(|addr| verify(self, addr))
    }

    /// Empties it; its memory is for another program, unless it is much.
    pub(crate) fn clear(&mut self) {
        // The destructor of most instructions has nothing to do, but is a call.
        while let Some(insn) = self.insns.pop() {
            if insn.p4.owns_nothing() {
                std::mem::forget(insn);
            }
        }
        empty(&mut self.insns, INSNS_KEPT_MAX);
        empty(&mut self.columns, COLUMNS_KEPT_MAX);
        empty(&mut self.params, COLUMNS_KEPT_MAX);
        if !self.comments.is_empty() {
            self.comments = Vec::new();
        }
        if !self.subprograms.is_empty() {
            self.subprograms = Vec::new();
        }
    }

    /// Makes it a subprogram.
    pub fn into_subprogram(self, trigger: u32, name: Option<Arc<str>>) -> SubProgram {
        SubProgram {
            insns: self.insns,
            mem_count: self.mem_count,
            cursor_count: self.cursor_count,
            trigger,
            name,
        }
    }

    /// The EXPLAIN comment of an instruction.
    pub fn comment(&self, addr: usize) -> Option<&str> {
        let at = self
            .comments
            .binary_search_by_key(&(addr as Addr), |(a, _)| *a)
            .ok()?;
        Some(&self.comments[at].1)
    }
}

/// Instructions and labels of a small statement: room for them is made at once.
const INSNS_TYPICAL: usize = 24;
const LABELS_TYPICAL: usize = 8;

/// As many instructions, and columns or parameters, of a program that is gone are kept as room for the next.
const INSNS_KEPT_MAX: usize = 512;
const COLUMNS_KEPT_MAX: usize = 64;

/// Drops a vector's elements; its memory too, if it is much.
#[inline]
fn empty<T>(list: &mut Vec<T>, kept_max: usize) {
    if list.capacity() > kept_max {
        *list = Vec::new();
    } else {
        list.clear();
    }
}

/// What a program says about itself besides its instructions; see the fields of [`Program`].
#[derive(Debug, Default)]
pub struct About {
    /// Result columns.
    pub columns: Vec<ColumnInfo>,
    /// The names of parameters.
    pub params: Vec<Option<String>>,
    /// Whether `changes()` is set at its end.
    pub count_changes: bool,
    /// Whether it runs in a statement savepoint inside a transaction.
    pub statement_journal: bool,
    /// Bit i: it uses database i.
    pub databases: u64,
    /// Whether it lists itself instead of running.
    pub explain: Explain,
    /// The programs that it calls.
    pub subprograms: Vec<SubProgram>,
}

/// Memory for the next program.
#[derive(Debug, Default)]
pub struct Buffers {
    /// A program that is gone, emptied; nobody else has a share in it.
    pub program: Option<Arc<Program>>,
    labels: Vec<Addr>,
}

/// Collects instructions.
#[derive(Debug, Default)]
pub struct ProgramBuilder {
    insns: Vec<Insn>,
    comments: Vec<(Addr, String)>,
    /// Where label -1-i is: -1 while it is unknown.
    labels: Vec<Addr>,
    mem_count: u32,
    cursor_count: u32,
    /// It will be a subprogram: what it needs of the main program is checked with that.
    pub is_subprogram: bool,
    /// Everything else that the program will say about itself.
    pub about: About,
    /// A program that is gone: this one takes its place.
    shell: Option<Arc<Program>>,
}

impl ProgramBuilder {
    /// An empty program.
    pub fn new() -> ProgramBuilder {
        ProgramBuilder::in_buffers(Buffers::default())
    }

    /// An empty program in memory that is there already.
    pub fn in_buffers(buffers: Buffers) -> ProgramBuilder {
        let Buffers {
            program: mut shell,
            mut labels,
        } = buffers;
        let mut about = About::default();
        let mut insns = Vec::new();
        if let Some(program) = shell.as_mut().and_then(Arc::get_mut) {
            insns = std::mem::take(&mut program.insns);
            about.columns = std::mem::take(&mut program.columns);
            about.params = std::mem::take(&mut program.params);
        }
        insns.reserve(INSNS_TYPICAL);
        labels.reserve(LABELS_TYPICAL);
        ProgramBuilder {
            insns,
            comments: Vec::new(),
            labels,
            mem_count: 0,
            cursor_count: 0,
            is_subprogram: false,
            about,
            shell,
        }
    }

    /// The address of the next instruction.
    #[inline]
    pub fn addr(&self) -> Addr {
        self.insns.len() as Addr
    }

    /// Appends an instruction; its address.
    #[inline]
    pub fn op(&mut self, opcode: Opcode, p1: i32, p2: impl Into<i32>, p3: i32) -> Addr {
        self.op4(opcode, p1, p2, p3, P4::None)
    }

    /// Appends an instruction with P4; its address.
    pub fn op4(&mut self, opcode: Opcode, p1: i32, p2: impl Into<i32>, p3: i32, p4: P4) -> Addr {
        let addr = self.addr();
        self.insns.push(Insn {
            opcode,
            p5: 0,
            p1,
            p2: p2.into(),
            p3,
            p4,
        });
        addr
    }

    /// Appends an instruction with P4 and P5; its address.
    pub fn op5(
        &mut self,
        opcode: Opcode,
        p1: i32,
        p2: impl Into<i32>,
        p3: i32,
        p4: P4,
        p5: u16,
    ) -> Addr {
        let addr = self.op4(opcode, p1, p2, p3, p4);
        self.insns[addr as usize].p5 = p5;
        addr
    }

    /// A new label.
    pub fn label(&mut self) -> Label {
        self.labels.push(-1);
        Label(-(self.labels.len() as i32))
    }

    /// The label stands for the next instruction.
    pub fn resolve(&mut self, label: Label) {
        let here = self.addr();
        let slot = &mut self.labels[(-1 - label.0) as usize];
        debug_assert!(*slot < 0, "rule 3: a label is resolved once");
        *slot = here;
    }

    /// Whether the label stands for an address already.
    pub fn is_resolved(&self, label: Label) -> bool {
        self.labels[(-1 - label.0) as usize] >= 0
    }

    /// The instruction at `addr` jumps (P2) to the next instruction.
    pub fn jump_here(&mut self, addr: Addr) {
        self.insns[addr as usize].p2 = self.addr();
    }

    /// Changes P1 of the instruction at `addr`.
    pub fn set_p1(&mut self, addr: Addr, p1: i32) {
        self.insns[addr as usize].p1 = p1;
    }

    /// Changes P2 of the instruction at `addr`.
    pub fn set_p2(&mut self, addr: Addr, p2: impl Into<i32>) {
        self.insns[addr as usize].p2 = p2.into();
    }

    /// Changes P3 of the instruction at `addr`.
    pub fn set_p3(&mut self, addr: Addr, p3: i32) {
        self.insns[addr as usize].p3 = p3;
    }

    /// Changes P4 of the instruction at `addr`.
    pub fn set_p4(&mut self, addr: Addr, p4: P4) {
        self.insns[addr as usize].p4 = p4;
    }

    /// Changes P5 of the instruction that was appended last.
    pub fn set_p5(&mut self, p5: u16) {
        if let Some(last) = self.insns.last_mut() {
            last.p5 = p5;
        }
    }

    /// The instruction at `addr`.
    pub fn insn(&self, addr: Addr) -> &Insn {
        &self.insns[addr as usize]
    }

    /// The instruction at `addr`, to change it.
    pub fn insn_mut(&mut self, addr: Addr) -> &mut Insn {
        &mut self.insns[addr as usize]
    }

    /// The instruction that was appended last, if any.
    pub fn last(&self) -> Option<&Insn> {
        self.insns.last()
    }

    /// Turns the instruction at `addr` into a `Noop`.
    pub fn to_noop(&mut self, addr: Addr) {
        self.insns[addr as usize] = Insn {
            opcode: Opcode::Noop,
            p5: 0,
            p1: 0,
            p2: 0,
            p3: 0,
            p4: P4::None,
        };
    }

    /// Removes the last instruction if it is this opcode and no label stands for the address after it.
    pub fn delete_prior(&mut self, opcode: Opcode) -> bool {
        let end = self.addr();
        if self.last().is_some_and(|insn| insn.opcode == opcode) && !self.labels.contains(&end) {
            self.insns.pop();
            while self.comments.last().is_some_and(|(a, _)| *a >= end - 1) {
                self.comments.pop();
            }
            true
        } else {
            false
        }
    }

    /// A comment for EXPLAIN on the instruction that was appended last.
    pub fn comment(&mut self, text: impl Into<String>) {
        let addr = self.addr() - 1;
        if addr >= 0 {
            self.comments.push((addr, text.into()));
        }
    }

    /// Registers 1..=n are in use.
    pub fn set_mem_count(&mut self, n: u32) {
        self.mem_count = n;
    }

    /// Cursors 0..n are in use.
    pub fn set_cursor_count(&mut self, n: u32) {
        self.cursor_count = n;
    }

    /// Resolves labels and gives the program; rule 4 says when every operand is checked.
    ///
    /// # Errors
    /// `SQLITE_INTERNAL`, which names the instruction, if the code generator broke a rule of this module.
    pub fn finish(mut self) -> Result<Program, Error> {
        let mut program = Program::default();
        self.finish_in(&mut program)?;
        Ok(program)
    }

    /// As [`finish`](ProgramBuilder::finish), for a program that is shared; gives what memory it does not need as well.
    /// The builder is empty after that.
    ///
    /// # Errors
    /// As [`finish`](ProgramBuilder::finish).
    pub fn finish_reusing(&mut self) -> Result<(Arc<Program>, Buffers), Error> {
        let mut shell = self.shell.take().unwrap_or_default();
        match Arc::get_mut(&mut shell) {
            Some(program) => self.finish_in(program)?,
            None => {
                let mut program = Program::default();
                self.finish_in(&mut program)?;
                shell = Arc::new(program);
            }
        }
        let mut labels = std::mem::take(&mut self.labels);
        empty(&mut labels, INSNS_KEPT_MAX);
        let buffers = Buffers {
            program: None,
            labels,
        };
        Ok((shell, buffers))
    }

    /// Puts all of it into a program that is empty.
    fn finish_in(&mut self, program: &mut Program) -> Result<(), Error> {
        let mut readonly = true;
        let mut is_reader = false;
        for (addr, insn) in self.insns.iter_mut().enumerate() {
            // Labels are negative.
            if (insn.p1 | insn.p2 | insn.p3) < 0 {
                resolve_labels(&self.labels, addr, insn)?;
            }
            match insn.opcode {
                Opcode::Transaction if insn.p2 != 0 => (readonly, is_reader) = (false, true),
                Opcode::Transaction | Opcode::AutoCommit | Opcode::Savepoint => is_reader = true,
                Opcode::Checkpoint | Opcode::Vacuum | Opcode::JournalMode => {
                    (readonly, is_reader) = (false, true);
                }
                _ => {}
            }
        }
        if !self.comments.is_empty() {
            self.comments.sort_by_key(|(addr, _)| *addr);
            self.comments.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(&mut later.1, &mut earlier.1);
                }
                same
            });
            program.comments = std::mem::take(&mut self.comments);
        }
        let about = &mut self.about;
        program.insns = std::mem::take(&mut self.insns);
        program.columns = std::mem::take(&mut about.columns);
        program.params = std::mem::take(&mut about.params);
        if !about.subprograms.is_empty() {
            program.subprograms = std::mem::take(&mut about.subprograms);
        }
        program.mem_count = self.mem_count;
        program.cursor_count = self.cursor_count;
        program.readonly = readonly;
        program.is_reader = is_reader;
        program.count_changes = about.count_changes;
        program.statement_journal = about.statement_journal;
        program.databases = about.databases;
        program.explain = about.explain;
        if cfg!(debug_assertions) {
            program.verify_insns()?;
            if !self.is_subprogram {
                verify_calls(program)?;
            }
        }
        Ok(())
    }
}

/// Puts addresses in the place of an instruction's labels.
fn resolve_labels(labels: &[Addr], addr: usize, insn: &mut Insn) -> Result<(), Error> {
    let roles = insn.opcode.info().roles;
    for (operand, role) in roles.into_iter().enumerate() {
        if !matches!(role, Role::Jump | Role::JumpOpt) {
            continue;
        }
        let value = match operand {
            0 => &mut insn.p1,
            1 => &mut insn.p2,
            _ => &mut insn.p3,
        };
        if *value < 0 {
            let target = labels.get((-1 - *value) as usize).copied().unwrap_or(-1);
            if target < 0 {
                let what = "jumps to a label that was never resolved";
                return Err(broken(addr, insn, what));
            }
            *value = target;
        }
    }
    Ok(())
}

#[cold]
fn broken(addr: usize, insn: &Insn, what: &str) -> Error {
    Error::new(
        ResultCode::INTERNAL,
        format!(
            "internal error: instruction {addr} {} {} {} {} {what}",
            insn.opcode.name(),
            insn.p1,
            insn.p2,
            insn.p3
        ),
    )
}

/// Checks what programs need of each other: subprograms exist, and registers of the main program are in its range.
fn verify_calls(program: &Program) -> Result<(), Error> {
    let subprograms = program.subprograms.len();
    let registers = 0..=program.mem_count as i32;
    for code in 0..=subprograms {
        for (addr, insn) in program.code(code as u32).iter().enumerate() {
            let ok = match (insn.opcode, &insn.p4) {
                (Opcode::Program, P4::SubProgram(n)) => (*n as usize) < subprograms,
                (Opcode::Program, _) => false,
                (Opcode::Param, _) => code > 0,
                (Opcode::NewRowid, _) => registers.contains(&insn.p3),
                (Opcode::MemMax, _) => registers.contains(&insn.p1),
                _ => true,
            };
            if !ok {
                return Err(broken(addr, insn, "asks for what the main program lacks"));
            }
        }
    }
    Ok(())
}

/// Checks one instruction (rules 1 and 2).
fn verify(program: &Program, addr: usize) -> Result<(), Error> {
    let insn = &program.insns[addr];
    let info = insn.opcode.info();
    let len = program.insns.len() as i32;
    let registers = program.mem_count as i32;
    let cursors = program.cursor_count as i32;
    for (role, value) in info.roles.into_iter().zip([insn.p1, insn.p2, insn.p3]) {
        let ok = match role {
            Role::No | Role::Val | Role::First => true,
            Role::Jump | Role::JumpOpt => (0..=len).contains(&value),
            Role::In | Role::Out | Role::Both => (0..=registers).contains(&value),
            Role::RegOpt => (0..=registers).contains(&value),
            Role::Cur => (0..cursors).contains(&value),
            Role::Db => (0..64).contains(&value),
            Role::Root => value >= 0 && (insn.p5 & p5::P2ISREG == 0 || value <= registers),
        };
        if !ok {
            return Err(broken(addr, insn, &format!("has {value} as a {role:?}")));
        }
    }
    for (first, count) in register_ranges(insn).into_iter().flatten() {
        if count < 0
            || (count > 0
                && (first < 0 || i64::from(first) + i64::from(count) - 1 > i64::from(registers)))
        {
            return Err(broken(
                addr,
                insn,
                &format!("uses registers {first} (+{count}) of {registers}"),
            ));
        }
    }
    if matches!(insn.opcode, Opcode::IsType) && insn.p1 >= cursors
        || matches!(insn.opcode, Opcode::IsType)
            && insn.p1 < 0
            && !(0..=registers).contains(&insn.p3)
        || matches!(insn.opcode, Opcode::OpenDup) && !(0..cursors).contains(&insn.p2)
        || matches!(insn.opcode, Opcode::SorterData) && insn.p3 >= cursors
    {
        return Err(broken(addr, insn, "names a cursor out of range"));
    }
    let fits = match info.p4 {
        P4Kind::No | P4Kind::Any => true,
        P4Kind::Int => matches!(insn.p4, P4::Int(_) | P4::None),
        P4Kind::Int64 => matches!(insn.p4, P4::Int64(_)),
        P4Kind::Real => matches!(insn.p4, P4::Real(_)),
        P4Kind::Text => matches!(insn.p4, P4::Text(_) | P4::None),
        P4Kind::Blob => matches!(insn.p4, P4::Blob(_) | P4::Text(_) | P4::None),
        P4Kind::Key => matches!(insn.p4, P4::KeyInfo(_) | P4::None),
        P4Kind::Coll => matches!(insn.p4, P4::Collation(_) | P4::None),
        P4Kind::Func => matches!(insn.p4, P4::Function(_)),
        P4Kind::Aff => matches!(insn.p4, P4::Affinity(_) | P4::Text(_) | P4::None),
        P4Kind::Ints => matches!(insn.p4, P4::Ints(_) | P4::None),
    };
    if !fits {
        return Err(broken(addr, insn, "has the wrong kind of P4"));
    }
    Ok(())
}

/// The ranges of registers (first, count) of an instruction whose count is an operand.
fn register_ranges(insn: &Insn) -> [Option<(i32, i32)>; 2] {
    use Opcode::*;
    match insn.opcode {
        Null | BeginSubrtn => [Some((insn.p2, (insn.p3 - insn.p2 + 1).max(1))), None],
        Move => [Some((insn.p1, insn.p3)), Some((insn.p2, insn.p3))],
        Copy => [Some((insn.p1, insn.p3 + 1)), Some((insn.p2, insn.p3 + 1))],
        Compare if insn.p5 & p5::PERMUTE == 0 => {
            [Some((insn.p1, insn.p3)), Some((insn.p2, insn.p3))]
        }
        Compare => [Some((insn.p1, 1)), Some((insn.p2, 1))],
        ResultRow | MakeRecord | Affinity | TypeCheck => [Some((insn.p1, insn.p2)), None],
        Function | PureFunc | AggStep | AggInverse => [Some((insn.p2, i32::from(insn.p5))), None],
        SeekGE | SeekGT | SeekLE | SeekLT => [Some((insn.p3, insn.p4.int().max(1))), None],
        IdxGE | IdxGT | IdxLE | IdxLT | Filter | FilterAdd | IdxInsert => {
            [Some((insn.p3, insn.p4.int())), None]
        }
        Found | NotFound | NoConflict | IfNoHope => [Some((insn.p3, insn.p4.int().max(1))), None],
        IdxDelete => [Some((insn.p2, insn.p3)), None],
        Clear if insn.p3 > 0 => [Some((insn.p3, 1)), None],
        IntegrityCk => [Some((insn.p1, 2)), None],
        Checkpoint => [Some((insn.p3, 3)), None],
        _ => [None, None],
    }
}

/// A program that can be shared.
pub type ProgramRef = Arc<Program>;

/// Programs are shared between the threads of a process.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Program>();
};
