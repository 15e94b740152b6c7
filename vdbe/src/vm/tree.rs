//! Trees as a whole: opened, made, emptied, dropped, counted, checked.
//!
//! Source: SQLite's `OP_OpenRead`, `OP_OpenEphemeral`, `OP_Clear`, `OP_Destroy`, `OP_IntegrityCk`.

use super::cursor::{PseudoCursor, Slot, TEMP, TreeCursor};
use super::row::Row;
use super::slow::tree_cursor;
use super::sorter::Sorter;
use super::state::{State, no_cursor, root_page, tx_of, tx_of_mut};
use super::trap::Step;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::insn::{Insn, P4};
use crate::mem::Kind;
use crate::opcode::{Opcode, p5};
use crate::result_code::ResultCode;
use ringwood_btree::{
    Cursor, IntegrityScope, TreeKind, clear_tree, create_tree, drop_tree,
    integrity_check as check_trees,
};
use ringwood_format::page::PageNo;
use std::sync::Arc;

/// OpenRead, OpenWrite, ReopenIdx.
pub(super) fn open(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    let root = if insn.p5 & p5::P2ISREG != 0 && insn.opcode == Opcode::OpenWrite {
        super::arith::integer(&s.mems[insn.p2 as usize])
    } else {
        i64::from(insn.p2)
    };
    let root = root_page(root)?;
    let store = insn.p3 as u8;
    let db = env.db(insn.p3)?;
    if insn.opcode == Opcode::OpenWrite {
        s.constants &= db.file_format >= 4;
    }
    let info = match &insn.p4 {
        P4::KeyInfo(info) => Some(info.clone()),
        _ => None,
    };
    let slot = &mut s.cursors[insn.p1 as usize];
    if let Slot::Tree(c) = slot {
        if insn.opcode == Opcode::ReopenIdx
            && c.store == store
            && c.cur.root() == root
            && c.info.is_some()
        {
            c.moved(false);
            return Ok(());
        }
        // A correlated subquery opens its tables for each row around it, and a trigger for each row that fires it: the
        // cursor is there already.
        let same_key = match (&c.info, &info) {
            (Some(have), Some(new)) => Arc::ptr_eq(have, new),
            (None, None) => true,
            _ => false,
        };
        if insn.opcode != Opcode::ReopenIdx
            && c.store == store
            && c.cur.root() == root
            && c.is_table == info.is_none()
            && same_key
        {
            // What writes opens its tables anew for each row in the program of a trigger alone: there is no place to
            // begin from.
            if insn.opcode == Opcode::OpenWrite {
                c.cur.reset();
                c.has_twins = false;
            }
            c.reopened();
            return Ok(());
        }
    }
    let cur = match &info {
        Some(info) => Cursor::index(root, info.clone()),
        None => Cursor::table(root),
    };
    *slot = Slot::Tree(TreeCursor::new(cur, store, info));
    Ok(())
}

/// OpenEphemeral, OpenAutoindex.
pub(super) async fn open_ephemeral(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    if super::hash::open(s, env, insn)
        || super::rows::open(s, env, insn)
        || super::queue::open(s, env, insn)
    {
        return Ok(());
    }
    if insn.p3 > 0 && insn.opcode == Opcode::OpenEphemeral {
        s.mems[insn.p3 as usize].start_bytes(Kind::Blob);
    }
    if let Slot::Tree(c) = &mut s.cursors[insn.p1 as usize] {
        if c.store == TEMP {
            let root = c.cur.root();
            c.moved(false);
            c.cur.reset();
            c.sequence = 0;
            clear_tree(s.temp_mut(env), root).await?;
            return Ok(());
        }
    }
    let (kind, info) = match &insn.p4 {
        P4::KeyInfo(info) => (TreeKind::Index, Some(info.clone())),
        _ => (TreeKind::Table, None),
    };
    let root = create_tree(s.temp_mut(env), kind).await?;
    let cur = match &info {
        Some(info) => Cursor::index(root, info.clone()),
        None => Cursor::table(root),
    };
    s.cursors[insn.p1 as usize] = Slot::Tree(TreeCursor::new(cur, TEMP, info));
    Ok(())
}

/// OpenDup.
pub(super) fn open_dup(s: &mut State, insn: &Insn) -> Step {
    if super::rows::open_dup(s, insn) {
        return Ok(());
    }
    let Slot::Tree(c) = &mut s.cursors[insn.p2 as usize] else {
        return Err(no_cursor(insn.p2));
    };
    c.has_twins = true;
    let info = c.info.clone();
    let cur = match &info {
        Some(info) => Cursor::index(c.cur.root(), info.clone()),
        None => Cursor::table(c.cur.root()),
    };
    let mut dup = TreeCursor::new(cur, c.store, info);
    dup.has_twins = true;
    s.cursors[insn.p1 as usize] = Slot::Tree(dup);
    Ok(())
}

/// SorterOpen.
pub(super) fn open_sorter(s: &mut State, env: &Env, insn: &Insn) -> Step {
    let P4::KeyInfo(info) = &insn.p4 else {
        return Err(no_cursor(insn.p1));
    };
    s.cursors[insn.p1 as usize] =
        Slot::Sorter(Box::new(Sorter::new(info.clone(), env.sorter_memory)));
    Ok(())
}

/// OpenPseudo.
pub(super) fn open_pseudo(s: &mut State, insn: &Insn) {
    let register = insn.p2.max(0) as u32;
    s.cursors[insn.p1 as usize] = Slot::Pseudo(PseudoCursor {
        register,
        row: Row::default(),
    });
}

/// Count.
pub(super) async fn count(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let entries = entries(s, env, insn.p1).await?;
    s.mems[insn.p2 as usize].set_int(entries as i64);
    Ok(())
}

async fn entries(s: &mut State, env: &mut Env, p1: i32) -> Result<u64> {
    let State { cursors, temp, .. } = s;
    let Slot::Tree(c) = &mut cursors[p1 as usize] else {
        return Err(Error::code(ResultCode::INTERNAL));
    };
    Ok(c.cur
        .count(tx_of(&env.dbs, temp.as_deref(), c.store))
        .await?)
}

/// IfSizeBetween: P3 and P4 are ten times the logarithms to base 2.
pub(super) async fn size_is_between(s: &mut State, env: &mut Env, insn: &Insn) -> Result<bool> {
    let entries = entries(s, env, insn.p1).await?;
    let size = if entries == 0 {
        -1
    } else {
        ((entries as f64).log2() * 10.0) as i32
    };
    Ok(size >= insn.p3 && size <= insn.p4.int())
}

/// Clear.
pub(super) async fn clear(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let root = root_page(i64::from(insn.p1))?;
    let deleted = clear_tree(&mut env.db(insn.p2)?.tx, root).await? as i64;
    if insn.p3 != 0 {
        s.changes += deleted;
        if insn.p3 > 0 {
            let counter = &mut s.mems[insn.p3 as usize];
            let sum = super::arith::integer(counter).wrapping_add(deleted);
            counter.set_int(sum);
        }
    }
    Ok(())
}

/// ResetSorter.
pub(super) async fn reset(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    if let Slot::Sorter(sorter) = &mut s.cursors[insn.p1 as usize] {
        sorter.reset();
        return Ok(());
    }
    if let Slot::Rows(rows) = &mut s.cursors[insn.p1 as usize] {
        rows.clear();
        return Ok(());
    }
    let c = tree_cursor(s, insn.p1)?;
    let (root, store) = (c.cur.root(), c.store);
    c.moved(false);
    c.cur.reset();
    clear_tree(tx_of_mut(&mut env.dbs, &mut s.temp, store), root).await?;
    Ok(())
}

/// CreateBtree.
pub(super) async fn create(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let kind = if insn.p3 == p5::BTREE_INTKEY {
        TreeKind::Table
    } else {
        TreeKind::Index
    };
    let root = create_tree(&mut env.db(insn.p1)?.tx, kind).await?;
    s.mems[insn.p2 as usize].set_int(i64::from(root.get()));
    Ok(())
}

/// Destroy.
pub(super) async fn destroy(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    if env.active_read > 1 + env.destroying {
        return Err(Error::code(ResultCode::LOCKED));
    }
    let root = root_page(i64::from(insn.p1))?;
    let moved = drop_tree(&mut env.db(insn.p3)?.tx, root).await?;
    if moved.is_some() {
        env.schema_reset = true; // a table or index that stays has another root page now
    }
    s.mems[insn.p2 as usize].set_int(moved.map_or(0, |page| i64::from(page.get())));
    Ok(())
}

/// IntegrityCk.
pub(super) async fn integrity_check(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let P4::Ints(roots) = &insn.p4 else {
        return Err(Error::code(ResultCode::INTERNAL));
    };
    let scope = if roots.first() == Some(&0) {
        IntegrityScope::Partial
    } else {
        IntegrityScope::Whole
    };
    let pages: Vec<PageNo> = roots.iter().filter_map(|&root| PageNo::new(root)).collect();
    let left = super::arith::integer(&s.mems[insn.p1 as usize]).max(0);
    let tx = &env.db(i32::from(insn.p5))?.tx;
    if tx.page_count() == 0 {
        // Nothing was ever written.
        s.mems[insn.p1 as usize + 1].set_null();
        if insn.p3 > 0 {
            for at in 0..pages.len() {
                if let Some(mem) = s.mems.get_mut(insn.p3 as usize + at) {
                    mem.set_int(0);
                }
            }
        }
        return Ok(());
    }
    let report = check_trees(tx, &pages, scope, left as usize + 1).await?;
    if insn.p3 > 0 {
        for (at, entries) in report.entries.iter().enumerate() {
            if let Some(mem) = s.mems.get_mut(insn.p3 as usize + at) {
                mem.set_int(*entries as i64);
            }
        }
    }
    let found = report.errors.len() as i64;
    if found == 0 {
        s.mems[insn.p1 as usize + 1].set_null();
    } else {
        s.mems[insn.p1 as usize].set_int(left - (found - 1));
        s.mems[insn.p1 as usize + 1].set_text(report.errors.join("\n").as_bytes());
    }
    Ok(())
}
