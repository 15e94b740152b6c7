//! `pragma_…`: pragmas as table-valued functions.
//!
//! ```text
//!   SELECT name FROM pragma_table_info('t', 'main')   runs   PRAGMA main.table_info='t'
//! ```
//!
//! Rules:
//! 1. Only pragmas that give rows without changing anything when they are called so: those below.
//! 2. The columns are those of the pragma; then `arg HIDDEN` if it takes an argument, and `schema HIDDEN` if it is about a
//!    database.
//!
//! Source: SQLite's `pragma.c` (pragmaVtabConnect, pragmaVtabFilter).

use std::fmt::Write as _;

use ringwood_format::value::Value;
use ringwood_vdbe::vtab::{
    ConstraintOp, Declared, IndexInfo, IndexPlan, LocalFuture, Module, ModuleArgs, ModuleKind,
    Unusable, VirtualCursor, VirtualTable, VtabContext, VtabStep, VtabStop, WaitContext,
};
use ringwood_vdbe::{Error, Mem};

/// A pragma: its name, its columns (none: one of its own name), whether it takes an argument, whether a database.
type Pragma = (&'static str, &'static [&'static str], bool, bool);

const PRAGMAS: &[Pragma] = &[
    ("analysis_limit", &[], false, false),
    ("application_id", &[], false, false),
    ("auto_vacuum", &[], false, true),
    ("automatic_index", &[], false, false),
    ("busy_timeout", &["timeout"], false, false),
    ("cache_size", &[], false, true),
    ("cache_spill", &[], false, true),
    ("cell_size_check", &[], false, false),
    ("checkpoint_fullfsync", &[], false, false),
    ("collation_list", &["seq", "name"], false, false),
    ("compile_options", &[], false, false),
    ("count_changes", &[], false, false),
    ("data_version", &[], false, false),
    ("database_list", &["seq", "name", "file"], false, false),
    ("default_cache_size", &["cache_size"], false, true),
    ("defer_foreign_keys", &[], false, false),
    ("empty_result_callbacks", &[], false, false),
    ("encoding", &[], false, false),
    (
        "foreign_key_check",
        &["table", "rowid", "parent", "fkid"],
        true,
        true,
    ),
    (
        "foreign_key_list",
        &[
            "id",
            "seq",
            "table",
            "from",
            "to",
            "on_update",
            "on_delete",
            "match",
        ],
        true,
        true,
    ),
    ("foreign_keys", &[], false, false),
    ("freelist_count", &[], false, false),
    ("full_column_names", &[], false, false),
    ("fullfsync", &[], false, false),
    (
        "function_list",
        &["name", "builtin", "type", "enc", "narg", "flags"],
        false,
        false,
    ),
    ("hard_heap_limit", &[], false, false),
    ("ignore_check_constraints", &[], false, false),
    ("index_info", &["seqno", "cid", "name"], true, true),
    (
        "index_list",
        &["seq", "name", "unique", "origin", "partial"],
        true,
        true,
    ),
    (
        "index_xinfo",
        &["seqno", "cid", "name", "desc", "coll", "key"],
        true,
        true,
    ),
    ("integrity_check", &[], true, true),
    ("journal_mode", &[], false, true),
    ("journal_size_limit", &[], false, true),
    ("legacy_alter_table", &[], false, false),
    ("locking_mode", &[], false, true),
    ("max_page_count", &[], false, true),
    ("module_list", &["name"], false, false),
    ("optimize", &[], true, false),
    ("page_count", &[], false, true),
    ("page_size", &[], false, true),
    ("pragma_list", &["name"], false, false),
    ("query_only", &[], false, false),
    ("quick_check", &[], true, true),
    ("read_uncommitted", &[], false, false),
    ("recursive_triggers", &[], false, false),
    ("reverse_unordered_selects", &[], false, false),
    ("schema_version", &[], false, false),
    ("secure_delete", &[], false, false),
    ("short_column_names", &[], false, false),
    ("soft_heap_limit", &[], false, false),
    ("synchronous", &[], false, true),
    (
        "table_info",
        &["cid", "name", "type", "notnull", "dflt_value", "pk"],
        true,
        true,
    ),
    (
        "table_list",
        &["schema", "name", "type", "ncol", "wr", "strict"],
        true,
        false,
    ),
    (
        "table_xinfo",
        &[
            "cid",
            "name",
            "type",
            "notnull",
            "dflt_value",
            "pk",
            "hidden",
        ],
        true,
        true,
    ),
    ("temp_store", &[], false, false),
    ("threads", &[], false, false),
    ("trusted_schema", &[], false, false),
    ("user_version", &[], false, false),
    ("writable_schema", &[], false, false),
];

/// The module of one pragma.
#[derive(Clone, Copy, Debug)]
pub(super) struct PragmaModule(&'static Pragma);

impl PragmaModule {
    /// The module of the pragma of that name, if it has one (rule 1).
    pub(super) fn find(name: &str) -> Option<PragmaModule> {
        let found = PRAGMAS.iter().find(|pragma| pragma.0 == name);
        found.map(PragmaModule)
    }

    /// How many columns are not hidden.
    fn shown(self) -> usize {
        self.0.1.len().max(1)
    }
}

impl Module for PragmaModule {
    fn kind(&self) -> ModuleKind {
        ModuleKind::EponymousOnly
    }

    fn connect(&self, _: &ModuleArgs) -> VtabStep<Declared> {
        let (name, columns, takes_argument, takes_schema) = *self.0;
        let own = [name];
        let columns = if columns.is_empty() {
            &own[..]
        } else {
            columns
        };
        let mut schema = String::from("CREATE TABLE x(");
        for (i, column) in columns.iter().enumerate() {
            schema.push_str(if i > 0 { ",\"" } else { "\"" });
            schema.push_str(column);
            schema.push('"');
        }
        if takes_argument {
            schema.push_str(",arg HIDDEN");
        }
        if takes_schema {
            schema.push_str(",schema HIDDEN");
        }
        schema.push(')');
        Ok(Declared::new(schema, PragmaTable(*self)))
    }
}

struct PragmaTable(PragmaModule);

impl VirtualTable for PragmaTable {
    fn best_index(&self, info: &mut IndexInfo) -> Result<(), Unusable> {
        info.estimated_cost = 1.0;
        let (_, _, takes_argument, takes_schema) = *self.0.0;
        if !takes_argument && !takes_schema {
            return Ok(());
        }
        let shown = self.0.shown() as i32;
        let mut seen = [None; 2];
        for (i, constraint) in info.constraints.iter().enumerate() {
            if constraint.column < shown || constraint.op != ConstraintOp::EQ {
                continue;
            }
            if !constraint.usable {
                return Err(Unusable::Constraint);
            }
            seen[(constraint.column - shown) as usize] = Some(i);
        }
        let Some(first) = seen[0] else {
            info.estimated_cost = 2_147_483_647.0;
            info.estimated_rows = 2_147_483_647;
            return Ok(());
        };
        info.usage[first].argument = 1;
        info.usage[first].omit = true;
        info.estimated_cost = 20.0;
        info.estimated_rows = 20;
        if let Some(second) = seen[1] {
            info.usage[second].argument = 2;
            info.usage[second].omit = true;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>, Error> {
        Ok(Box::new(PragmaCursor {
            module: self.0,
            args: [None, None],
            rows: Vec::new(),
            at: 0,
            is_fresh: false,
        }))
    }
}

struct PragmaCursor {
    module: PragmaModule,
    /// The argument and the database.
    args: [Option<Vec<u8>>; 2],
    /// The pragma's rows.
    rows: Vec<Vec<Value>>,
    at: usize,
    /// They were got for the filter that comes next.
    is_fresh: bool,
}

impl PragmaCursor {
    fn sql(&self) -> String {
        let quoted = |text: &[u8]| String::from_utf8_lossy(text).replace('\'', "''");
        let mut sql = String::from("PRAGMA ");
        if let Some(schema) = &self.args[1] {
            let _ = write!(sql, "'{}'.", quoted(schema));
        }
        sql.push_str(self.module.0.0);
        if let Some(arg) = &self.args[0] {
            let _ = write!(sql, "='{}'", quoted(arg));
        }
        sql
    }
}

impl VirtualCursor for PragmaCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, _: &IndexPlan, args: &[Mem]) -> VtabStep {
        let mut wanted = [None, None];
        let first = usize::from(!self.module.0.2);
        for (to, arg) in wanted[first..].iter_mut().zip(args) {
            *to = (!arg.is_null()).then(|| arg.to_text().into_owned());
        }
        self.at = 0;
        if std::mem::take(&mut self.is_fresh) {
            return Ok(());
        }
        self.args = wanted;
        self.rows = Vec::new();
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
        let shown = self.module.shown();
        if let Some(hidden) = column.checked_sub(shown) {
            let first = usize::from(!self.module.0.2);
            if let Some(Some(arg)) = self.args.get(first + hidden) {
                out.set_text(arg);
            }
            return Ok(());
        }
        if let Some(value) = self.rows.get(self.at).and_then(|row| row.get(column)) {
            out.set_value(value.as_ref());
        }
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        Ok(self.at as i64 + 1)
    }

    fn wait<'a>(&'a mut self, mut cx: WaitContext<'a>) -> LocalFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let sql = self.sql();
            self.rows = cx.query(&sql, &[]).await?;
            self.is_fresh = true;
            Ok(())
        })
    }
}
