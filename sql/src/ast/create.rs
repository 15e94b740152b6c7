//! Definitions: CREATE, DROP, ALTER.
//!
//! The schema keeps CREATE texts verbatim from the object's own name on, behind a normalized beginning
//! (`CREATE TABLE `, `CREATE UNIQUE INDEX `, …). Where exactly SQLite ends that text differs from kind to kind;
//! each node has it as `text`.

use super::{
    ConflictAction, Delete, Expr, Insert, Name, QualifiedName, Select, SortTerm, Span, Update,
};

/// `CREATE [TEMP] TABLE [IF NOT EXISTS] name …`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateTable {
    /// TEMP or TEMPORARY.
    pub temp: bool,
    /// IF NOT EXISTS
    pub if_not_exists: bool,
    /// The table.
    pub name: QualifiedName,
    /// Its columns or the query that fills it.
    pub body: TableBody,
    /// What the schema keeps after `CREATE TABLE `: from the name to the closing parenthesis, or, if there are
    /// options, to the semicolon. (Of CREATE TABLE … AS the schema keeps a text made from the columns instead.)
    pub text: Span,
}

/// What a table is made of.
#[derive(Clone, PartialEq, Debug)]
pub enum TableBody {
    /// `(columns, constraints) options`
    Columns {
        /// The columns, one at least.
        columns: Vec<ColumnDef>,
        /// Constraints of the table.
        constraints: Vec<TableConstraint>,
        /// STRICT
        strict: bool,
        /// WITHOUT ROWID
        without_rowid: bool,
        /// Where ALTER TABLE ADD COLUMN inserts: offset of the comma after the last column, or of the closing
        /// parenthesis.
        columns_end: u32,
    },
    /// `AS select`
    Select(Box<Select>),
}

/// `name [type] [constraint]…`.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnDef {
    /// Its name.
    pub name: Name,
    /// Its declared type.
    pub type_name: Option<TypeName>,
    /// Its constraints, in order.
    pub constraints: Vec<ColumnConstraint>,
    /// From its name to its last constraint.
    pub span: Span,
}

/// A declared type: words, and perhaps one or two numbers in parentheses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeName {
    /// The text as written, from the first token to the last; without a trailing GENERATED ALWAYS.
    pub text: Box<str>,
    /// Where it stands.
    pub span: Span,
}

/// A constraint of a column.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnConstraint {
    /// The name in effect, as SQLite's parser keeps it: that of the nearest CONSTRAINT before it in this column.
    /// It was written for this constraint if its span lies within this one's.
    pub name: Option<Name>,
    /// What it demands.
    pub kind: ColumnConstraintKind,
    /// From CONSTRAINT or its first word to its last token.
    pub span: Span,
}

/// The constraints of a column.
#[derive(Clone, PartialEq, Debug)]
pub enum ColumnConstraintKind {
    /// `DEFAULT value`
    Default {
        /// The value. An identifier without parentheses is a string here, TRUE and FALSE excepted; in
        /// parentheses it is an `Id`, and an error later.
        expr: Expr,
        /// Its text as the schema shows it: without outer parentheses, spaces trimmed.
        text: Span,
    },
    /// `NULL [ON CONFLICT …]`: without effect.
    Null,
    /// `NOT NULL [ON CONFLICT …]`
    NotNull(Option<ConflictAction>),
    /// `PRIMARY KEY [ASC|DESC] [ON CONFLICT …] [AUTOINCREMENT]`
    PrimaryKey {
        /// ASC or DESC, if written. (`INTEGER PRIMARY KEY DESC` is no rowid alias.)
        order: Option<super::SortOrder>,
        /// ON CONFLICT
        conflict: Option<ConflictAction>,
        /// AUTOINCREMENT
        autoincrement: bool,
    },
    /// `UNIQUE [ON CONFLICT …]`
    Unique(Option<ConflictAction>),
    /// `CHECK (expr)`
    Check {
        /// The condition.
        expr: Expr,
        /// Its text between the parentheses, spaces trimmed: names the constraint in messages.
        text: Span,
    },
    /// `REFERENCES …`
    References(References),
    /// `[NOT] DEFERRABLE …` that does not follow REFERENCES in this column.
    Deferrable(Deferral),
    /// `COLLATE name`
    Collate(Name),
    /// `[GENERATED ALWAYS] AS (expr) [STORED|VIRTUAL]`
    Generated {
        /// The value.
        expr: Expr,
        /// STORED or VIRTUAL.
        kind: GeneratedKind,
        /// The text between the parentheses, spaces trimmed.
        text: Span,
    },
    /// `CONSTRAINT name` with nothing after it.
    NameOnly,
}

/// Whether a generated column is stored.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum GeneratedKind {
    /// VIRTUAL, or nothing.
    #[default]
    Virtual,
    /// STORED
    Stored,
}

/// `REFERENCES table [(columns)] [ON … | MATCH …]… [[NOT] DEFERRABLE …]`.
#[derive(Clone, PartialEq, Debug)]
pub struct References {
    /// The parent.
    pub table: Name,
    /// Its columns; empty for its primary key.
    pub columns: Vec<Name>,
    /// ON DELETE
    pub on_delete: ForeignKeyAction,
    /// ON UPDATE
    pub on_update: ForeignKeyAction,
    /// DEFERRABLE
    pub deferral: Option<Deferral>,
}

/// What happens to children.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ForeignKeyAction {
    /// NO ACTION, or nothing.
    #[default]
    NoAction,
    /// RESTRICT
    Restrict,
    /// CASCADE
    Cascade,
    /// SET NULL
    SetNull,
    /// SET DEFAULT
    SetDefault,
}

/// `[NOT] DEFERRABLE [INITIALLY DEFERRED|IMMEDIATE]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deferral {
    /// Without NOT.
    pub deferrable: bool,
    /// INITIALLY DEFERRED
    pub initially_deferred: bool,
}

impl Deferral {
    /// Whether the key is checked at commit.
    pub const fn is_deferred(self) -> bool {
        self.deferrable && self.initially_deferred
    }
}

/// A constraint of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct TableConstraint {
    /// The name in effect: that of the nearest CONSTRAINT since the last comma.
    pub name: Option<Name>,
    /// What it demands.
    pub kind: TableConstraintKind,
    /// From CONSTRAINT or its first word to its last token.
    pub span: Span,
}

/// The constraints of a table.
#[derive(Clone, PartialEq, Debug)]
pub enum TableConstraintKind {
    /// `PRIMARY KEY (columns [AUTOINCREMENT]) [ON CONFLICT …]`
    PrimaryKey {
        /// The key.
        columns: Vec<SortTerm>,
        /// AUTOINCREMENT
        autoincrement: bool,
        /// ON CONFLICT
        conflict: Option<ConflictAction>,
    },
    /// `UNIQUE (columns) [ON CONFLICT …]`
    Unique {
        /// The key.
        columns: Vec<SortTerm>,
        /// ON CONFLICT
        conflict: Option<ConflictAction>,
    },
    /// `CHECK (expr) [ON CONFLICT …]`; the conflict clause has no effect.
    Check {
        /// The condition.
        expr: Expr,
        /// Its text between the parentheses, spaces trimmed.
        text: Span,
        /// ON CONFLICT: parsed, without effect.
        conflict: Option<ConflictAction>,
    },
    /// `FOREIGN KEY (columns) REFERENCES …`
    ForeignKey {
        /// The child's columns.
        columns: Vec<Name>,
        /// The parent.
        references: References,
    },
    /// `CONSTRAINT name` with nothing after it.
    NameOnly,
}

/// `CREATE [UNIQUE] INDEX [IF NOT EXISTS] name ON table (columns) [WHERE …]`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateIndex {
    /// UNIQUE
    pub unique: bool,
    /// IF NOT EXISTS
    pub if_not_exists: bool,
    /// The index.
    pub name: QualifiedName,
    /// The table, in the same schema.
    pub table: Name,
    /// The key.
    pub columns: Vec<SortTerm>,
    /// Of a partial index.
    pub where_clause: Option<Expr>,
    /// What the schema keeps after `CREATE INDEX ` or `CREATE UNIQUE INDEX `: from the name to the semicolon.
    pub text: Span,
}

/// `CREATE [TEMP] VIEW [IF NOT EXISTS] name [(columns)] AS select`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateView {
    /// TEMP or TEMPORARY.
    pub temp: bool,
    /// IF NOT EXISTS
    pub if_not_exists: bool,
    /// The view.
    pub name: QualifiedName,
    /// Names for its columns; empty if none were given.
    pub columns: Vec<Name>,
    /// The query.
    pub select: Box<Select>,
    /// What the schema keeps after `CREATE VIEW `: from the name to the semicolon, spaces trimmed.
    pub text: Span,
}

/// `CREATE [TEMP] TRIGGER …`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateTrigger {
    /// TEMP or TEMPORARY.
    pub temp: bool,
    /// IF NOT EXISTS
    pub if_not_exists: bool,
    /// The trigger.
    pub name: QualifiedName,
    /// BEFORE (also if nothing was said), AFTER, INSTEAD OF.
    pub time: TriggerTime,
    /// What fires it.
    pub event: TriggerEvent,
    /// The table or view.
    pub table: QualifiedName,
    /// FOR EACH ROW was written; triggers are for each row in any case.
    pub for_each_row: bool,
    /// WHEN
    pub when: Option<Expr>,
    /// The steps; one at least.
    pub steps: Vec<TriggerStep>,
    /// What the schema keeps after `CREATE TRIGGER `: from the name to END.
    pub text: Span,
}

/// When a trigger fires.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum TriggerTime {
    /// BEFORE, or nothing.
    #[default]
    Before,
    /// AFTER
    After,
    /// INSTEAD OF
    InsteadOf,
}

/// What fires a trigger.
#[derive(Clone, PartialEq, Debug)]
pub enum TriggerEvent {
    /// DELETE
    Delete,
    /// INSERT
    Insert,
    /// UPDATE [OF columns]; empty for any column.
    Update(Vec<Name>),
}

/// One statement of a trigger's body.
#[derive(Clone, PartialEq, Debug)]
pub struct TriggerStep {
    /// What it does.
    pub stmt: TriggerStmt,
    /// Its text, without the semicolon.
    pub span: Span,
}

/// The statements that a trigger may contain. They have neither WITH before INSERT, UPDATE and DELETE, nor
/// RETURNING, nor an INDEXED clause, nor LIMIT.
#[derive(Clone, PartialEq, Debug)]
pub enum TriggerStmt {
    /// INSERT or REPLACE.
    Insert(Box<Insert>),
    /// UPDATE.
    Update(Box<Update>),
    /// DELETE.
    Delete(Box<Delete>),
    /// SELECT.
    Select(Box<Select>),
}

/// `CREATE VIRTUAL TABLE [IF NOT EXISTS] name USING module [(args)]`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateVirtualTable {
    /// IF NOT EXISTS
    pub if_not_exists: bool,
    /// The table.
    pub name: QualifiedName,
    /// The module.
    pub module: Name,
    /// The arguments' texts as written, from first to last token; an empty span for an empty argument (SQLite
    /// does not hand those on).
    pub args: Vec<Span>,
    /// What the schema keeps after `CREATE VIRTUAL TABLE `: from the name to the closing parenthesis or the
    /// module's name.
    pub text: Span,
}

/// `DROP kind [IF EXISTS] name`.
#[derive(Clone, PartialEq, Debug)]
pub struct DropObject {
    /// What kind of object.
    pub kind: ObjectKind,
    /// IF EXISTS
    pub if_exists: bool,
    /// Which.
    pub name: QualifiedName,
}

/// Kinds of schema objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectKind {
    /// TABLE
    Table,
    /// INDEX
    Index,
    /// VIEW
    View,
    /// TRIGGER
    Trigger,
}

/// `ALTER TABLE table …`.
#[derive(Clone, PartialEq, Debug)]
pub struct AlterTable {
    /// The table.
    pub table: QualifiedName,
    /// What is done to it.
    pub action: AlterAction,
}

/// What ALTER TABLE does.
#[derive(Clone, PartialEq, Debug)]
pub enum AlterAction {
    /// RENAME TO name
    RenameTo(Name),
    /// RENAME `[COLUMN]` from TO to
    RenameColumn {
        /// The old name.
        from: Name,
        /// The new name.
        to: Name,
    },
    /// ADD `[COLUMN]` definition
    AddColumn(ColumnDef),
    /// DROP `[COLUMN]` name
    DropColumn(Name),
    /// DROP CONSTRAINT name
    DropConstraint(Name),
    /// ALTER `[COLUMN]` name DROP NOT NULL
    DropNotNull(Name),
    /// ALTER `[COLUMN]` name SET NOT NULL `[ON CONFLICT …]`
    SetNotNull {
        /// The column.
        column: Name,
        /// ON CONFLICT
        conflict: Option<ConflictAction>,
        /// From NOT to the statement's last token: the text that SQLite adds to the column.
        text: Span,
    },
    /// ADD [CONSTRAINT name] CHECK (expr) [ON CONFLICT …]
    AddCheck {
        /// The constraint's name.
        name: Option<Name>,
        /// The condition.
        expr: Expr,
        /// Its text between the parentheses, as written.
        text: Span,
        /// ON CONFLICT
        conflict: Option<ConflictAction>,
    },
}
