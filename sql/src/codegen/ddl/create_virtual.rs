//! CREATE VIRTUAL TABLE: a row of `sqlite_schema` without a root page; then the module makes the table.
//!
//! Source: SQLite's `sqlite3VtabFinishParse`.

use crate::ast;
use crate::authorizer::{ActionCode, schema_table_name};
use crate::compiler::{Compiler, Result};
use ringwood_vdbe::{Opcode, P4};

impl Compiler<'_> {
    /// The table's database; none if nothing is to be made.
    pub(super) fn begin_virtual_table(
        &mut self,
        create: &ast::CreateVirtualTable,
    ) -> Result<Option<usize>> {
        let (name, module) = (&*create.name.name.text, Some(&*create.module.text));
        self.begin_table(&create.name, false, create.if_not_exists, |this, db| {
            Ok(
                this.authorize_in(ActionCode::Insert, schema_table_name(db), None, db)?
                    && this.authorize_in(ActionCode::CreateVirtualTable, name, module, db)?,
            )
        })
    }

    /// Codes CREATE VIRTUAL TABLE.
    pub fn code_create_virtual_table(&mut self, create: &ast::CreateVirtualTable) -> Result<()> {
        let name = &*create.name.name.text;
        let Some(db) = self.begin_virtual_table(create)? else {
            return Ok(());
        };
        self.authorize_schema_row(db)?;
        self.writes_db(true, db);
        self.may_abort = true;
        self.init_file_format(db);
        self.add_definition(
            db,
            "CREATE VIRTUAL TABLE",
            ("table", name, name),
            create.text,
        )?;
        self.op(Opcode::Expire, 0, 0, 0);
        let mut made_with = format!("{name}\0{}", create.module.text).into_bytes();
        for arg in create.args.iter().filter(|arg| arg.start < arg.end) {
            made_with.push(0);
            made_with.extend_from_slice(arg.slice(self.text));
        }
        self.op4(Opcode::VCreate, db as i32, 0, 0, P4::text(made_with));
        self.parse_schema(db, name);
        Ok(())
    }
}
