//! Any bytes as a b-tree page of any geometry: every view answers or says `Corrupt`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use ringwood_format::btree_page::{BtreePage, PageKind};
use ringwood_format::page::{Geometry, PageNo};

fuzz_target!(|data: &[u8]| {
    let [shift, reserved, page, rest @ ..] = data else { return };
    let size = 512_usize << (shift % 8);
    let Some(geometry) = Geometry::new(size as u32, *reserved) else { return };
    let mut bytes = rest.to_vec();
    bytes.resize(size, 0);
    let Some(page) = PageNo::new(u32::from(page % 4) + 1) else { return };
    let Ok(view) = BtreePage::new(&bytes, geometry, page) else { return };
    let _ = view.free_space();
    let _ = view.freeblocks().count();
    for i in 0..view.cell_count() {
        let _ = view.cell(i);
        let _ = view.cell_info(i);
        match view.kind() {
            PageKind::TableLeaf => {
                let _ = (view.rowid(i), view.table_leaf_cell(i));
            }
            PageKind::TableInterior => {
                let _ = (view.rowid(i), view.child(i), view.table_interior_cell(i));
            }
            PageKind::IndexLeaf => {
                let _ = view.index_cell(i);
            }
            PageKind::IndexInterior => {
                let _ = (view.child(i), view.index_cell(i));
            }
        }
    }
    if matches!(view.kind(), PageKind::TableInterior | PageKind::IndexInterior) {
        let _ = view.right_child();
    }
});
