//! `json_each`, `json_tree`, `jsonb_each`, `jsonb_tree`: the elements of a JSON document as rows.
//!
//! The modules; the walk is in [`crate::func::json::each`], beside what it walks over.
//!
//! Source: SQLite's `json.c` (jsonEachBestIndex).

use super::{
    ConstraintOp, Declared, IndexInfo, Module, ModuleArgs, ModuleKind, Unusable, VirtualCursor,
    VirtualTable, VtabFlags, VtabStep,
};
use crate::error::Result;
use crate::func::json::each::EachCursor;

/// One of the four modules.
#[derive(Clone, Copy, Debug)]
pub struct JsonEach {
    /// All elements (tree), or those directly below the root (each).
    pub recursive: bool,
    /// Arrays and objects are given as JSONB.
    pub binary: bool,
}

impl Module for JsonEach {
    fn kind(&self) -> ModuleKind {
        ModuleKind::EponymousOnly
    }

    fn connect(&self, _: &ModuleArgs) -> VtabStep<Declared> {
        let schema =
            "CREATE TABLE x(key,value,type,atom,id,parent,fullkey,path,json HIDDEN,root HIDDEN)";
        Ok(Declared::new(schema, *self).with(VtabFlags::INNOCUOUS))
    }
}

/// The first hidden column.
const JSON: i32 = 8;

impl VirtualTable for JsonEach {
    fn best_index(&self, info: &mut IndexInfo) -> std::result::Result<(), Unusable> {
        let mut found = [None; 2];
        let (mut unusable, mut used) = (0, 0);
        for (i, constraint) in info.constraints.iter().enumerate() {
            let Ok(which @ 0..=1) = usize::try_from(constraint.column - JSON) else {
                continue;
            };
            if !constraint.usable {
                unusable |= 1 << which;
            } else if constraint.op == ConstraintOp::EQ {
                found[which] = Some(i);
                used |= 1 << which;
            }
        }
        if info
            .order_by
            .first()
            .is_some_and(|first| first.column < 0 && !first.desc)
        {
            info.order_by_consumed = true;
        }
        if unusable & !used != 0 {
            return Err(Unusable::Constraint);
        }
        let Some(json) = found[0] else {
            info.plan.number = 0;
            return Ok(());
        };
        info.estimated_cost = 1.0;
        info.usage[json].argument = 1;
        info.usage[json].omit = true;
        info.plan.number = 1;
        if let Some(root) = found[1] {
            info.usage[root].argument = 2;
            info.usage[root].omit = true;
            info.plan.number = 3;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>> {
        Ok(Box::new(EachCursor::new(self.recursive, self.binary)))
    }
}
