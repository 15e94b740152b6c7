//! Opcodes: their names, operands and one-line synopses, from one table.
//!
//! ```text
//!   /// Documentation.
//!   Name(p1, p2, p3, p4) now|waits "synopsis";
//!         |   |   |   |     |          `- EXPLAIN's comment, in SQLite's little language (listing.rs expands it)
//!         |   |   |   |     `- whether the opcode may leave the synchronous loop to wait for the disk
//!         |   |   |   `- what P4 holds (P4Kind)
//!         `---`---`- role of each operand (Role): the verifier and docs/opcodes.md read it
//! ```
//!
//! An opcode that is listed works: there are no rows for opcodes that the VM does not execute. What they do is what
//! SQLite's documents say. Deviations, all of them in how an operand is given:
//!
//! 1. `Function` and `PureFunc` carry the number of arguments in P5 (SQLite keeps it in the P4 context). `AggStep`,
//!    `AggInverse`: also P5, as SQLite's.
//! 2. `Blob` takes its bytes from P4 and ignores P1; `String8` may hold any bytes; there is no `String`.
//! 3. `Int64` and `Real` carry their value in P4 by value.
//! 4. Opcodes that only the engine can carry out (`ParseSchema`, `JournalMode`, `Vacuum`, `SqlExec`, …) end the run
//!    with a request; the engine answers and steps on. `DropTable`, `DropIndex`, `DropTrigger` and `SetCookie`
//!    also report what changed.
//! 5. `IFindKey` and `VCheck` are absent. Those of virtual tables name the table in P4, and find it
//!    among the connected ones.
//! 6. Ephemeral tables and indexes of one statement live in one temporary store.
//! 7. `Program` names its subprogram by number; the frame is the VM's, so there is no register for it in P3.
//!
//! Source: "The SQLite Bytecode Engine"; SQLite's `vdbe.c`.

mod table;

pub use table::Opcode;

/// What an operand means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Not used.
    No,
    /// A number.
    Val,
    /// An address to jump to.
    Jump,
    /// An address to jump to; 0 means no jump.
    JumpOpt,
    /// A register that is read.
    In,
    /// A register that is written.
    Out,
    /// A register that is read and written.
    Both,
    /// The first of several registers.
    First,
    /// A register; 0 means none.
    RegOpt,
    /// A cursor.
    Cur,
    /// The index of a database: 0 main, 1 temp, 2… attached.
    Db,
    /// The number of a root page, or (with `OPFLAG_P2ISREG`) a register that holds it.
    Root,
}

/// What P4 holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum P4Kind {
    /// Not used, or free for EXPLAIN.
    No,
    /// A 32-bit integer.
    Int,
    /// A 64-bit integer.
    Int64,
    /// A double.
    Real,
    /// A text.
    Text,
    /// Bytes.
    Blob,
    /// How an index orders its columns.
    Key,
    /// A collation.
    Coll,
    /// A function.
    Func,
    /// A string of affinity letters.
    Aff,
    /// Several integers.
    Ints,
    /// What the opcode's text says.
    Any,
}

/// What is known of an opcode: one row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OpcodeInfo {
    /// SQLite's name.
    pub name: &'static str,
    /// Roles of P1, P2 and P3.
    pub roles: [Role; 3],
    /// What P4 holds.
    pub p4: P4Kind,
    /// Whether it may wait.
    pub waits: bool,
    /// EXPLAIN's comment, before operands are filled in.
    pub synopsis: &'static str,
    /// Documentation.
    pub doc: &'static str,
}

/// Bits and values of P5, and the conflict codes, under SQLite's names.
pub mod p5 {
    #![allow(missing_docs)] // SQLite's names; the lines that need it say more
    /// Comparisons: jump if either side is NULL.
    pub const JUMPIFNULL: u16 = 0x10;
    /// Comparisons: NULL equals NULL.
    pub const NULLEQ: u16 = 0x80;
    /// Comparisons: the affinity in the low bits.
    pub const AFF_MASK: u16 = 0x47;

    pub const AFF_NONE: u16 = 0x40;
    pub const AFF_BLOB: u16 = 0x41;
    pub const AFF_TEXT: u16 = 0x42;
    pub const AFF_NUMERIC: u16 = 0x43;
    pub const AFF_INTEGER: u16 = 0x44;
    pub const AFF_REAL: u16 = 0x45;
    pub const AFF_FLEXNUM: u16 = 0x46;

    /// Insert, Delete: count the change.
    pub const NCHANGE: u16 = 0x01;
    /// VColumn: the value is wanted for an UPDATE that does not change it. MakeRecord: such values may come.
    pub const NOCHNG: u16 = 0x01;
    /// Open: the cursor is only used for equality seeks.
    pub const SEEKEQ: u16 = 0x02;
    /// Open: the cursor is only a hint for deletes of index entries.
    pub const FORDELETE: u16 = 0x08;
    /// OpenWrite: P2 is a register that holds the root page.
    pub const P2ISREG: u16 = 0x10;
    /// Open: bulk cursor.
    pub const BULKCSR: u16 = 0x01;
    /// Insert: set `last_insert_rowid`.
    pub const LASTROWID: u16 = 0x20;
    /// Insert: part of an UPDATE.
    pub const ISUPDATE: u16 = 0x04;
    /// Insert, IdxInsert: the row goes to the end.
    pub const APPEND: u16 = 0x08;
    /// Insert, IdxInsert: use the result of the seek that was just made.
    pub const USESEEKRESULT: u16 = 0x10;
    /// Delete: part of an UPDATE without a REPLACE.
    pub const ISNOOP: u16 = 0x40;
    /// Delete: keep the cursor where it can step to the next row.
    pub const SAVEPOSITION: u16 = 0x02;
    /// Delete: one of several deletes of index entries.
    pub const AUXDELETE: u16 = 0x04;
    /// IdxInsert: count the change too.
    pub const IDX_NCHANGE: u16 = 0x01;
    /// Column: only `length()` is wanted.
    pub const LENGTHARG: u16 = 0x40;
    /// Column: only `typeof()` is wanted.
    pub const TYPEOFARG: u16 = 0x80;
    /// Column: only `octet_length()` is wanted.
    pub const BYTELENARG: u16 = 0xc0;
    /// Compare: use the `Permutation` before it.
    pub const PERMUTE: u16 = 0x01;
    /// Copy: clear the copy's subtype.
    pub const COPY_CLEARSUBTYPE: u16 = 0x02;
    /// OpenEphemeral: rows are looked up but not ordered.
    pub const BTREE_UNORDERED: u16 = 0x08;
    /// `OpenEphemeral`: rows are only appended, and only the first is deleted.
    pub const ROWLIST: u16 = 0x01;

    pub const OE_NONE: u8 = 0;
    pub const OE_ROLLBACK: u8 = 1;
    pub const OE_ABORT: u8 = 2;
    pub const OE_FAIL: u8 = 3;
    pub const OE_IGNORE: u8 = 4;
    pub const OE_REPLACE: u8 = 5;
    pub const OE_UPDATE: u8 = 6;

    /// Halt: P4 is the whole message.
    pub const HALT_MESSAGE: u16 = 0;
    /// Halt: "NOT NULL constraint failed: P4".
    pub const HALT_NOTNULL: u16 = 1;
    /// Halt: "UNIQUE constraint failed: P4".
    pub const HALT_UNIQUE: u16 = 2;
    /// Halt: "CHECK constraint failed: P4".
    pub const HALT_CHECK: u16 = 3;
    /// Halt: "FOREIGN KEY constraint failed: P4".
    pub const HALT_FOREIGNKEY: u16 = 4;

    /// CreateBtree's P3: a table with rowids.
    pub const BTREE_INTKEY: i32 = 1;
    /// CreateBtree's P3: an index or a table WITHOUT ROWID.
    pub const BTREE_BLOBKEY: i32 = 2;

    /// ReadCookie, SetCookie: the free page count.
    pub const META_FREE_PAGE_COUNT: i32 = 0;
    /// The schema cookie.
    pub const META_SCHEMA_VERSION: i32 = 1;
    /// The file format.
    pub const META_FILE_FORMAT: i32 = 2;
    /// The default cache size.
    pub const META_DEFAULT_CACHE_SIZE: i32 = 3;
    /// The largest root page of an auto-vacuum file.
    pub const META_LARGEST_ROOT_PAGE: i32 = 4;
    /// The text encoding.
    pub const META_TEXT_ENCODING: i32 = 5;
    /// `PRAGMA user_version`.
    pub const META_USER_VERSION: i32 = 6;
    /// Incremental vacuum.
    pub const META_INCR_VACUUM: i32 = 7;
    /// `PRAGMA application_id`.
    pub const META_APPLICATION_ID: i32 = 8;
    /// The data version: not stored.
    pub const META_DATA_VERSION: i32 = 15;
}

impl Opcode {
    /// SQLite's name.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Whether P2 is an address.
    pub fn jumps(self) -> bool {
        matches!(self.info().roles[1], Role::Jump | Role::JumpOpt)
    }
}
