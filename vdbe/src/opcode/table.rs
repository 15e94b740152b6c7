//! The opcode table: one row per opcode, grouped by family. `opcode.rs` tells how to read a row.

use super::{OpcodeInfo, P4Kind, Role};

macro_rules! opcodes {
    ($($(#[doc = $doc:literal])+ $name:ident($p1:ident, $p2:ident, $p3:ident, $p4:ident) $wait:ident $synopsis:literal;)+) => {
        /// An instruction of the VM.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Opcode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Opcode {
            /// Every opcode, in the table's order.
            pub const ALL: &'static [Opcode] = &[$(Opcode::$name,)+];

            const INFO: &'static [OpcodeInfo] = &[$(OpcodeInfo {
                name: stringify!($name),
                roles: [Role::$p1, Role::$p2, Role::$p3],
                p4: P4Kind::$p4,
                waits: opcodes!(@ $wait),
                synopsis: $synopsis,
                doc: concat!($($doc, "\n"),+),
            },)+];

            /// The opcode's row of the table.
            #[inline]
            pub fn info(self) -> &'static OpcodeInfo {
                &Self::INFO[self as usize]
            }
        }
    };
    (@ now) => { false };
    (@ waits) => { true };
}

opcodes! {
    // Control.

    /// The first instruction: jumps to P2, where transactions are begun and constants made. P2 = 0 falls through.
    /// If P3 is not 0, a `Column` that finds a record whose header makes no sense jumps there instead of failing.
    Init(Val, JumpOpt, Val, Text) now "Start at P2";
    /// Jump to P2.
    Goto(Val, Jump, Val, No) now "";
    /// Write the address of this instruction into register P1 and jump to P2.
    Gosub(Out, Jump, No, No) now "";
    /// Jump to the instruction after the address in register P1. If P3 is 1 and register P1 is not an integer,
    /// fall through. P2 tells where the subroutine starts; it is not used.
    Return(In, Val, Val, No) now "";
    /// Set register P1 to NULL: the subroutine that follows can also be entered by falling in, and its `Return`
    /// with P3 = 1 then falls through.
    BeginSubrtn(Val, Out, No, No) now "r[P2]=NULL";
    /// Set up register P1 so that it will yield to the coroutine at P3. Jump to P2 unless it is 0.
    InitCoroutine(Out, JumpOpt, Jump, No) now "";
    /// The coroutine in register P1 ends: jump to the P2 of the `Yield` that called it, and leave in P1 an address
    /// that makes further yields do the same.
    EndCoroutine(Both, No, No, No) now "";
    /// Swap the program counter with the address in register P1. When the coroutine ends, jump to P2.
    Yield(Both, JumpOpt, No, No) now "";
    /// End the program. P1 is the result code, P2 (an OE_ value) what to do about an error, P4 the message, to
    /// which P5 gives a prefix (see `p5::HALT_NOTNULL` and the next). If P3 is not 0 and P4 is empty, register P3
    /// holds the message.
    Halt(Val, Val, RegOpt, Text) waits "";
    /// If register P3 is NULL, halt with P1, P2, P4 and P5 as `Halt` does.
    HaltIfNull(Val, Val, In, Text) waits "if r[P3]=null halt";
    /// Run subprogram P4 in a frame of its own: its `Param`s count from register P1. When it ends, go on; if it ends by
    /// a `Halt` with OE_IGNORE, jump to P2. If P5 is not 0 and a subprogram of the same trigger is running, do nothing.
    Program(Val, JumpOpt, Val, Any) now "";
    /// Register P2 = a register of the program that runs this subprogram: the one P1 places after its `Program`'s P1.
    Param(Val, Out, No, No) now "";
    /// Fall through the first time that it is reached since the program (or the subprogram) began, then jump to P2.
    Once(Val, Jump, No, No) now "";
    /// Jump to P2 if register P1 is true; if it is NULL, jump if P3 is not 0.
    If(In, Jump, Val, No) now "";
    /// Jump to P2 if register P1 is false; if it is NULL, jump if P3 is not 0.
    IfNot(In, Jump, Val, No) now "";
    /// Jump to P2 if register P1 is NULL.
    IsNull(In, Jump, No, No) now "if r[P1]==NULL goto P2";
    /// Jump to P2 if register P1 is not NULL.
    NotNull(In, Jump, No, No) now "if r[P1]!=NULL goto P2";
    /// Jump to P2 if the type of a column is in the mask P5 (1 integer, 2 real, 4 text, 8 blob, 16 NULL). The column
    /// is P3 of cursor P1, read from the record's header alone, with the type of P4 if the record is too short; if
    /// P1 is -1 it is register P3.
    IsType(Val, Jump, Val, Int) now "if typeof(P1.P3) in P5 goto P2";
    /// If cursor P1 is on the null row, set register P3 to NULL and jump to P2.
    IfNullRow(Cur, Jump, Out, No) now "if P1.nullRow then r[P3]=NULL, goto P2";
    /// Jump to P1, P2 or P3 as the last `Compare` found less, equal or greater.
    Jump(Jump, Jump, Jump, No) now "";
    /// If register P1 is positive, subtract P3 and jump to P2.
    IfPos(Both, Jump, Val, No) now "if r[P1]>0 then r[P1]-=P3, goto P2";
    /// If register P1 is not 0, decrement it if it is positive, and jump to P2.
    IfNotZero(Both, Jump, No, No) now "if r[P1]!=0 then r[P1]--, goto P2";
    /// Decrement register P1 and jump to P2 if it is then 0.
    DecrJumpZero(Both, Jump, No, No) now "if (--r[P1])==0 goto P2";
    /// Register P2 = LIMIT (register P1) + OFFSET (register P3), or -1 if there is no limit or the sum overflows.
    OffsetLimit(In, Out, In, No) now "if r[P1]>0 then r[P2]=r[P1]+max(0,r[P3]) else r[P2]=(-1)";
    /// Do nothing.
    Noop(Val, Val, Val, Any) now "";
    /// Do nothing: P4 is a line of EXPLAIN QUERY PLAN, P1 its number, P2 the number of the line above it.
    Explain(Val, Val, Val, Text) now "";

    // Constants and registers.

    /// Register P2 = P1.
    Integer(Val, Out, No, No) now "r[P2]=P1";
    /// Register P2 = P4.
    Int64(No, Out, No, Int64) now "r[P2]=P4";
    /// Register P2 = P4.
    Real(No, Out, No, Real) now "r[P2]=P4";
    /// Register P2 = the text P4; as a BLOB if P3 is not 0 and register P3 holds P5.
    String8(Val, Out, Val, Text) now "r[P2]='P4'";
    /// Register P2 = the bytes P4.
    Blob(Val, Out, No, Blob) now "r[P2]=P4 (len=P1)";
    /// Registers P2 to P3 (P2 alone if P3 is 0) = NULL. If P1 is not 0, they compare as different even with NULLEQ.
    Null(Val, Out, Val, No) now "r[P2..P3]=NULL";
    /// Register P1 = NULL for `MakeRecord`, keeping what it holds otherwise.
    SoftNull(Out, No, No, No) now "r[P1]=NULL";
    /// Register P2 = the value bound to parameter P1.
    Variable(Val, Out, No, No) now "r[P2]=parameter(P1)";
    /// Move P3 registers from P1 to P2; those of P1 become NULL.
    Move(First, First, Val, No) now "r[P2@P3]=r[P1@P3]";
    /// Copy P3 + 1 registers from P1 to P2. P5 bit 0x02 clears subtypes.
    Copy(First, First, Val, No) now "r[P2@P3+1]=r[P1@P3+1]";
    /// Copy register P1 to P2.
    SCopy(In, Out, No, No) now "r[P2]=r[P1]";
    /// Copy the integer of register P1 to P2.
    IntCopy(In, Out, No, No) now "r[P2]=r[P1]";
    /// Registers P1… (P2 of them) are a row of the result.
    ResultRow(First, Val, No, No) now "output=r[P1@P2]";
    /// Register P1 of the main program = the larger of itself and register P2, as integers.
    MemMax(Val, In, No, No) now "r[P1]=max(r[P1],r[P2])";

    // Arithmetic and logic.

    /// Register P3 = P1 + P2.
    Add(In, In, Out, No) now "r[P3]=r[P1]+r[P2]";
    /// Register P3 = P2 - P1.
    Subtract(In, In, Out, No) now "r[P3]=r[P2]-r[P1]";
    /// Register P3 = P1 * P2.
    Multiply(In, In, Out, No) now "r[P3]=r[P1]*r[P2]";
    /// Register P3 = P2 / P1; NULL when dividing by zero.
    Divide(In, In, Out, No) now "r[P3]=r[P2]/r[P1]";
    /// Register P3 = P2 % P1; NULL when dividing by zero.
    Remainder(In, In, Out, No) now "r[P3]=r[P2]%r[P1]";
    /// Register P3 = the text P2 followed by P1.
    Concat(In, In, Out, No) now "r[P3]=r[P2]+r[P1]";
    /// Register P3 = P1 & P2.
    BitAnd(In, In, Out, No) now "r[P3]=r[P1]&r[P2]";
    /// Register P3 = P1 | P2.
    BitOr(In, In, Out, No) now "r[P3]=r[P1]|r[P2]";
    /// Register P3 = P2 << P1.
    ShiftLeft(In, In, Out, No) now "r[P3]=r[P2]<<r[P1]";
    /// Register P3 = P2 >> P1.
    ShiftRight(In, In, Out, No) now "r[P3]=r[P2]>>r[P1]";
    /// Register P2 = NOT register P1.
    Not(In, Out, No, No) now "r[P2]= !r[P1]";
    /// Register P2 = ~ register P1.
    BitNot(In, Out, No, No) now "r[P2]= ~r[P1]";
    /// Register P3 = P1 AND P2, with NULL as unknown.
    And(In, In, Out, No) now "r[P3]=(r[P1] && r[P2])";
    /// Register P3 = P1 OR P2, with NULL as unknown.
    Or(In, In, Out, No) now "r[P3]=(r[P1] || r[P2])";
    /// Register P2 = whether register P1 is true (P3 if it is NULL), inverted if P4 is 1.
    IsTrue(In, Out, Val, Int) now "r[P2] = coalesce(r[P1]==TRUE,P3) ^ P4";
    /// Register P2 = 0 if registers P1 and P3 are both not NULL, else NULL.
    ZeroOrNull(In, Out, In, No) now "r[P2] = 0 OR NULL";
    /// Add P2 to the integer in register P1.
    AddImm(Both, Val, No, No) now "r[P1]=r[P1]+P2";
    /// Make register P1 an integer; if that loses something, jump to P2, or fail with SQLITE_MISMATCH if P2 is 0.
    MustBeInt(Both, JumpOpt, No, No) now "";
    /// If register P1 is an integer, make it a real.
    RealAffinity(Both, No, No, No) now "";
    /// Cast register P1 to the affinity P2.
    Cast(Both, Val, No, No) now "affinity(r[P1])";
    /// Apply the affinities P4 to P2 registers from P1.
    Affinity(First, Val, No, Aff) now "affinity(r[P1@P2])";
    /// Check P2 registers from P1 against the types of a STRICT table. P4's letters are the columns' types:
    /// 'A' BLOB, 'I' INT or INTEGER, 'R' REAL, 'T' TEXT, 'X' ANY, 'G' a column to skip. Registers that fit are
    /// converted as the column's affinity says; otherwise fail with "cannot store X value in Y column Z", where the
    /// table and column names follow the letters, each after a NUL. P3 = 1 skips, P3 = 2 includes only, generated
    /// columns as SQLite's P3 does.
    TypeCheck(First, Val, Val, Aff) now "typecheck(r[P1@P2])";

    // Comparisons.

    /// Jump to P2 if register P3 = P1. P4 is the collation; P5 the affinity and flags.
    Eq(In, Jump, In, Coll) now "IF r[P3]==r[P1]";
    /// Jump to P2 if register P3 <> P1.
    Ne(In, Jump, In, Coll) now "IF r[P3]!=r[P1]";
    /// Jump to P2 if register P3 < P1.
    Lt(In, Jump, In, Coll) now "IF r[P3]<r[P1]";
    /// Jump to P2 if register P3 <= P1.
    Le(In, Jump, In, Coll) now "IF r[P3]<=r[P1]";
    /// Jump to P2 if register P3 > P1.
    Gt(In, Jump, In, Coll) now "IF r[P3]>r[P1]";
    /// Jump to P2 if register P3 >= P1.
    Ge(In, Jump, In, Coll) now "IF r[P3]>=r[P1]";
    /// After an `Lt` or `Gt` that did not jump: jump to P2 if its operands were equal.
    ElseEq(No, Jump, No, No) now "";
    /// The next `Compare` takes its registers in the order P4.
    Permutation(No, No, No, Ints) now "";
    /// Compare P3 registers from P1 with those from P2 by the key P4; `Jump` uses the result. If P5 bit 0x01 is set,
    /// the order is that of the `Permutation` before it.
    Compare(First, First, Val, Key) now "r[P1@P3] <-> r[P2@P3]";
    /// The collation for the next function call; register P1, if it is not 0, becomes 0 (min/max: nothing seen yet).
    CollSeq(RegOpt, No, No, Coll) now "";

    // Functions and aggregates.

    /// Register P3 = function P4 of P5 arguments from register P2. Bits of P1 tell which arguments are constant.
    Function(Val, First, Out, Func) now "r[P3]=func(r[P2@NP])";
    /// As `Function`, for one that has no side effects.
    PureFunc(Val, First, Out, Func) now "r[P3]=func(r[P2@NP])";
    /// One step of aggregate P4 over P5 arguments from register P2, in accumulator P3.
    AggStep(Val, First, Both, Func) now "accum=r[P3] step(r[P2@P5])";
    /// Take P5 arguments from register P2 back out of the window aggregate in accumulator P3.
    AggInverse(Val, First, Both, Func) now "accum=r[P3] inverse(r[P2@P5])";
    /// Register P3 = the current value of the window aggregate in accumulator P1.
    AggValue(Both, Val, Out, Func) now "r[P3]=value N=P2";
    /// Replace accumulator P1 by its result.
    AggFinal(Both, Val, No, Func) now "accum=r[P1] N=P2";

    // Records.

    /// Register P3 = the record of P2 registers from P1, with the affinities P4 applied to them first.
    MakeRecord(First, Val, Out, Aff) now "r[P3]=mkrec(r[P1@P2])";
    /// Register P3 = column P2 of cursor P1's row. If the record is too short, P4 is the value (NULL without).
    Column(Cur, Val, Out, Any) waits "r[P3]=PX cursor P1 column P2";
    /// Register P2 = the whole record of cursor P1.
    RowData(Cur, Out, Val, No) waits "r[P2]=data";
    /// Register P2 = the rowid of cursor P1.
    Rowid(Cur, Out, No, No) waits "r[P2]=PX rowid of P1";

    // Cursors.

    /// Open cursor P1 for reading on the tree with root page P2 in database P3. P4: the columns of a table, or the
    /// key of an index.
    OpenRead(Cur, Root, Db, Any) waits "root=P2 iDb=P3";
    /// As `OpenRead`, unless cursor P1 is open on that tree already: then only clear its row.
    ReopenIdx(Cur, Root, Db, Any) waits "root=P2 iDb=P3";
    /// Open cursor P1 for reading and writing. With `OPFLAG_P2ISREG`, register P2 holds the root page.
    OpenWrite(Cur, Root, Db, Any) waits "root=P2 iDb=P3";
    /// Open cursor P1 on the same ephemeral table as cursor P2.
    OpenDup(Cur, Val, No, No) now "";
    /// Open cursor P1 on a new ephemeral table (without P4) or index (P4 is its key) of P2 columns. If it is open
    /// already, empty it. P3, if not 0, is a register to set to an empty string. With ROWLIST in P5, rows are only
    /// appended to the table and only the first is deleted; of an index only the first entry is read and deleted.
    OpenEphemeral(Cur, Val, RegOpt, Key) waits "nColumn=P2";
    /// As `OpenEphemeral`, for an index that the planner makes for one query. If P3 is not 0, only keys of its first P3
    /// columns are sought, and what has such a key is read forwards.
    OpenAutoindex(Cur, Val, Val, Key) waits "nColumn=P2";
    /// Open cursor P1 as a sorter of records of P2 columns with key P4. If P3 is not 0, it may keep only as many
    /// records as the register P3's limit.
    SorterOpen(Cur, Val, Val, Key) now "";
    /// Open cursor P1 on one row of P3 columns: the record in register P2.
    OpenPseudo(Cur, In, Val, No) now "P3 columns in r[P2]";
    /// Close cursor P1.
    Close(Cur, No, No, No) now "";
    /// Put cursor P1 on the null row: every column reads as NULL.
    NullRow(Cur, No, No, No) now "";
    /// Jump to P2 if table P1 has no rows; else go to the first.
    Rewind(Cur, JumpOpt, Val, No) waits "";
    /// Go to the last row of P1, or jump to P2 if it has none. P3 = -1: only seek if the cursor is not at the end.
    Last(Cur, JumpOpt, Val, No) waits "";
    /// Put cursor P1 at the end, for appends.
    SeekEnd(Cur, No, No, No) waits "";
    /// Jump to P2 if table P1 is empty.
    IfEmpty(Cur, Jump, No, No) waits "if( empty(P1) ) goto P2";
    /// Jump to P2 if the number of rows of P1 is estimated to lie between P3 and P4 (as logarithms).
    IfSizeBetween(Cur, Jump, Val, Int) waits "";
    /// As `Rewind`, counted as a sort.
    Sort(Cur, Jump, Val, No) waits "";
    /// Advance P1 and jump to P2, or fall through at the end. P3 is a hint, P5 a counter's number.
    Next(Cur, Jump, Val, Any) waits "";
    /// Go back in P1 and jump to P2, or fall through at the start.
    Prev(Cur, Jump, Val, Any) waits "";
    /// Go to the first row of P1 with a key at least register P3 (P4 of them for an index); jump to P2 if there is none.
    SeekGE(Cur, JumpOpt, First, Int) waits "key=r[P3@P4]";
    /// Go to the first row of P1 with a key above register P3; jump to P2 if there is none.
    SeekGT(Cur, JumpOpt, First, Int) waits "key=r[P3@P4]";
    /// Go to the last row of P1 with a key at most register P3; jump to P2 if there is none.
    SeekLE(Cur, JumpOpt, First, Int) waits "key=r[P3@P4]";
    /// Go to the last row of P1 with a key below register P3; jump to P2 if there is none.
    SeekLT(Cur, JumpOpt, First, Int) waits "key=r[P3@P4]";
    /// Before a `SeekGE`: step up to P1 rows instead of seeking. P5 tells what follows.
    SeekScan(Val, Jump, No, No) waits "Scan-ahead up to P1 rows";
    /// Raise cursor P1's seekHit to P2, and lower it to P3.
    SeekHit(Cur, Val, Val, No) now "set P2<=seekHit<=P3";
    /// Go to the row with the rowid in register P3; jump to P2 if there is none or it is not an integer.
    SeekRowid(Cur, JumpOpt, In, No) waits "intkey=r[P3]";
    /// As `SeekRowid`, for a register that holds an integer.
    NotExists(Cur, Jump, In, No) waits "intkey=r[P3]";
    /// Jump to P2 if index P1 has an entry with the prefix in P4 registers from P3 (P4 = 0: the record in P3).
    Found(Cur, Jump, First, Int) waits "key=r[P3@P4]";
    /// Jump to P2 if index P1 has no entry with the prefix in P4 registers from P3.
    NotFound(Cur, Jump, First, Int) waits "key=r[P3@P4]";
    /// As `NotFound`, and also jump if a register is NULL.
    NoConflict(Cur, Jump, First, Int) waits "key=r[P3@P4]";
    /// As `NotFound`, but skip the seek if seekHit says that shorter prefixes have failed already.
    IfNoHope(Cur, Jump, First, Int) waits "key=r[P3@P4]";
    /// Cursor P3 will move to the rowid of index cursor P1's entry when it is first needed. P4 maps columns to P1's.
    DeferredSeek(Cur, No, Cur, Ints) now "Move P3 to P1.rowid if needed";
    /// If cursor P1 has such a move pending, make it.
    FinishSeek(Cur, No, No, No) waits "";
    /// Register P2 = the rowid at the end of index cursor P1's entry.
    IdxRowid(Cur, Out, No, No) waits "r[P2]=rowid";
    /// Jump to P2 if index cursor P1's entry is at least the prefix in P4 registers from P3.
    IdxGE(Cur, Jump, First, Int) waits "key=r[P3@P4]";
    /// Jump to P2 if the entry is above the prefix.
    IdxGT(Cur, Jump, First, Int) waits "key=r[P3@P4]";
    /// Jump to P2 if the entry is at most the prefix.
    IdxLE(Cur, Jump, First, Int) waits "key=r[P3@P4]";
    /// Jump to P2 if the entry is below the prefix.
    IdxLT(Cur, Jump, First, Int) waits "key=r[P3@P4]";
    /// Register P2 = cursor P1's sequence number, then count it up.
    Sequence(Cur, Out, No, No) now "r[P2]=cursor[P1].ctr++";
    /// Jump to P2 if cursor P1's sequence number is 0; count it up.
    SequenceTest(Cur, Jump, Val, No) now "if( cursor[P1].ctr++ ) pc = P2";
    /// Register P2 = the number of rows of P1 (an estimate if P3 is not 0).
    Count(Cur, Out, Val, No) waits "r[P2]=count()";

    // Changes.

    /// Register P2 = a rowid that table P1 does not have. P3, if not 0, is a register of the main program
    /// with the largest ever used.
    NewRowid(Cur, Out, Val, No) waits "r[P2]=rowid";
    /// Write the record in register P2 under the rowid in register P3 to table P1. P4 names the table for hooks.
    Insert(Cur, In, In, Any) waits "intkey=r[P3] data=r[P2]";
    /// Delete the row of cursor P1. P4 names the table for hooks. P2 (not P5) has NCHANGE to count the change, ISNOOP to do
    /// nothing; P3 is the register of its rowid if P5 says update.
    Delete(Cur, Val, Val, Any) waits "";
    /// Report the changes made so far as the statement's, and start from 0.
    ResetCount(No, No, No, No) now "";
    /// Register P1 = the number of rows that the statement has changed so far. SQLite counts in a register.
    ChangeCount(Out, No, No, No) now "r[P1]=changes";
    /// Insert the record in register P2 into index P1. With P4, its fields are P4 registers from P3 also.
    IdxInsert(Cur, In, First, Int) waits "key=r[P2]";
    /// Delete the entry with the key in P3 registers from P2 from index P1. If there is none and P5 is not 0, fail.
    IdxDelete(Cur, First, Val, No) waits "key=r[P2@P3]";
    /// Delete all rows of the tree with root P1 in database P2. P3 > 0: count them, and add to register P3;
    /// P3 < 0: count them as changes only.
    Clear(Val, Db, Val, No) waits "";
    /// Empty the ephemeral table or the sorter P1.
    ResetSorter(Cur, No, No, No) waits "";
    /// Register P2 = the root of a new tree in database P1; P3 is 1 for a table, 2 for an index.
    CreateBtree(Db, Out, Val, No) waits "r[P2]=root iDb=P1 flags=P3";
    /// Free the tree with root P1 in database P3. Register P2 = the root that was moved into its place, or 0.
    Destroy(Val, Out, Db, No) waits "";

    // Sorter.

    /// Add the record in register P2 to sorter P1.
    SorterInsert(Cur, In, No, No) waits "key=r[P2]";
    /// Sort P1 and go to its first record, or jump to P2 if it has none.
    SorterSort(Cur, Jump, No, No) waits "";
    /// Go to the next record of sorter P1 and jump to P2, or fall through.
    SorterNext(Cur, Jump, Val, Any) waits "";
    /// Register P2 = sorter P1's record. Clear the row of pseudo cursor P3.
    SorterData(Cur, Out, Val, No) now "r[P2]=data";
    /// Jump to P2 if the first P4 fields of sorter P1's record differ from the record in register P3.
    SorterCompare(Cur, Jump, In, Int) now "if key(P1)!=trim(r[P3],P4) goto P2";

    // Sets of rowids, and filters.

    /// Add the integer of register P2 to the set in register P1.
    RowSetAdd(Both, In, No, No) now "rowset(P1)=r[P2]";
    /// Take the smallest integer out of the set in register P1 into register P3, or jump to P2 if it is empty.
    RowSetRead(Both, Jump, Out, No) now "r[P3]=rowset(P1)";
    /// Jump to P2 if the set in register P1 has the integer of register P3 from an earlier batch; else add it to
    /// batch P4 (P4 = 0: the first, nothing to test; -1: the last, nothing to add).
    RowSetTest(Both, Jump, In, Int) now "if r[P3] in rowset(P1) goto P2";
    /// Add the key of P4 registers from P3 to the Bloom filter in register P1.
    FilterAdd(Both, No, First, Int) now "filter(P1) += key(P3@P4)";
    /// Jump to P2 if the filter in register P1 cannot have the key of P4 registers from P3.
    Filter(In, Jump, First, Int) now "if key(P3@P4) not in filter(P1) goto P2";

    // Transactions, the file, the schema.

    /// Begin a transaction on database P1: to read, to write if P2 is 1, exclusively if P2 is 2. If P5 is not 0,
    /// fail with SQLITE_SCHEMA unless the schema cookie is P3 and the schema's generation P4.
    Transaction(Db, Val, Val, Int) waits "";
    /// Set autocommit to P1; commit, or roll back if P2 is 1.
    AutoCommit(Val, Val, No, No) waits "";
    /// Open (P1 = 0), release (1) or roll back to (2) the savepoint P4.
    Savepoint(Val, No, No, Text) waits "";
    /// Register P2 = header field P3 of database P1.
    ReadCookie(Db, Out, Val, No) waits "";
    /// Header field P2 of database P1 = P3.
    SetCookie(Db, Val, Val, No) waits "";
    /// Checkpoint database P1 (all if it is the limit of attached ones) in mode P2; registers P3… = busy, frames in the log, frames copied.
    Checkpoint(Val, Val, First, No) waits "";
    /// Register P2 = the journal mode of database P1, after setting it to P3 unless that is -1.
    JournalMode(Db, Out, Val, No) waits "";
    /// Register P2 = the setting P4 of the connection or of database P1, after setting it to register P3 unless that is 0.
    Setting(Db, Out, RegOpt, Text) waits "r[P2]=setting P4";
    /// Vacuum database P1; into the file that register P2 names if it is not 0.
    Vacuum(Db, RegOpt, No, No) waits "";
    /// One step of an incremental vacuum of database P1; jump to P2 when there is nothing left.
    IncrVacuum(Db, Jump, No, No) waits "";
    /// Attach the file that register P1 names as the database that register P2 names. SQLite calls a function.
    Attach(In, In, No, No) waits "attach r[P1] as r[P2]";
    /// Detach the database that register P1 names. SQLite calls a function.
    Detach(In, No, No, No) waits "detach r[P1]";
    /// Register P2 = the number of pages of database P1.
    Pagecount(Db, Out, No, No) now "";
    /// Register P2 = the most pages that database P1 may have, after raising it to P3 if that is not 0.
    MaxPgcnt(Db, Out, Val, No) now "";
    /// Register P1+1 = the problems of the trees P4 in database P5, NULL if none; register P1 = how many more may
    /// be reported; P2 is the number of roots. P3 is the first of the registers that get the number of rows.
    IntegrityCk(First, Val, RegOpt, Ints) waits "";
    /// Read the rows of sqlite_schema in database P1 for which P4 holds (all if there is none) into the schema.
    ParseSchema(Db, Val, No, Text) waits "";
    /// Load the statistics of database P1.
    LoadAnalysis(Db, No, No, No) waits "";
    /// Run the SQL text P4; if P1 has bit 0x02, with P2 as the limit of ANALYZE.
    SqlExec(Val, Val, No, Text) waits "";
    /// Forget table P4 of database P1.
    DropTable(Db, No, No, Text) waits "";
    /// Forget index P4 of database P1.
    DropIndex(Db, No, No, Text) waits "";
    /// Forget trigger P4 of database P1.
    DropTrigger(Db, No, No, Text) waits "";
    /// Prepared statements expire: this one if P1 is not 0, else all; P2 = 1: when they next start.
    Expire(Val, Val, No, No) now "";
    /// Nobody else may change the table of cursor P1 until `CursorUnlock`: a trigger that tries fails.
    CursorLock(Cur, No, No, No) now "";
    /// The end of that.
    CursorUnlock(Cur, No, No, No) now "";

    // Foreign keys.

    /// Add P2 to the counter of violations: the deferred one if P1 is 1, else the statement's (while
    /// `PRAGMA defer_foreign_keys` is on: that of the delayed ones, whatever P1 is).
    FkCounter(Val, Val, No, No) now "fkctr[P1]+=P2";
    /// Jump to P2 if there are no violations: deferred or delayed ones if P1 is 1, else the statement's or delayed ones.
    FkIfZero(Val, Jump, No, No) now "if fkctr[P1]==0 goto P2";
    /// Halt with SQLITE_CONSTRAINT_FOREIGNKEY if the statement has violated one.
    FkCheck(No, No, No, No) now "";

    // Virtual tables.

    /// Virtual table P4 takes part in the transaction.
    VBegin(No, No, No, Any) waits "";
    /// Connect and create the virtual table of database P1 that P4 describes: its name, its module and the arguments,
    /// with a NUL between.
    VCreate(Db, No, No, Text) waits "";
    /// Destroy virtual table P4 of database P1.
    VDestroy(Db, No, No, Text) waits "";
    /// Open cursor P1 on virtual table P4.
    VOpen(Cur, No, No, Any) now "";
    /// Register P2 = all values that ephemeral cursor P1 has, for a virtual table that takes an IN whole.
    VInitIn(Cur, Out, No, No) waits "r[P2]=ephemeral index for IN";
    /// Begin the scan of virtual table cursor P1: register P3 is the number of the plan, P3+1 the number of arguments,
    /// which follow, and P4 the plan's text. Jump to P2 if there is no row.
    VFilter(Cur, Jump, First, Text) waits "iplan=r[P3] zplan='P4'";
    /// Register P3 = column P2 of the row of virtual table cursor P1.
    VColumn(Cur, Val, Out, No) waits "r[P3]=vcolumn(P2)";
    /// Go to the next row of virtual table cursor P1 and jump to P2, or fall through.
    VNext(Cur, Jump, No, No) waits "";
    /// Register P2 = what is wrong with virtual table P4 of database P1, or NULL. P3 is 1 for a quick look.
    VCheck(Val, Out, Val, Any) waits "";
    /// Virtual table P4 gets the name in register P1.
    VRename(In, No, No, Any) waits "";
    /// Change a row of virtual table P4. The P2 registers from P3 on are the old rowid, the new rowid and the columns;
    /// one alone is the rowid of a row to delete. If P1 is 1, the rowid of an inserted row becomes the last one. P5 says
    /// what happens on a conflict.
    VUpdate(Val, Val, First, Any) waits "data=r[P3@P2]";
}
