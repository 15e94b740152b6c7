//! Where the test corpora lie: `RINGWOOD_DATA`, by default `../shared` beside the workspace.

use std::path::{Path, PathBuf};

/// The corpus folder, or `None` where there is none.
///
/// # Panics
/// If `RINGWOOD_DATA` is set and names no folder: whoever sets it means it.
pub fn folder() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("RINGWOOD_DATA") {
        let dir = PathBuf::from(dir);
        assert!(
            dir.is_dir(),
            "RINGWOOD_DATA names no folder: {}",
            dir.display()
        );
        return Some(dir);
    }
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    dir.is_dir().then_some(dir)
}

/// A file of the corpora. Where it is absent a test should say so and end; this prints the reason.
pub fn file(name: &str) -> Option<PathBuf> {
    let path = folder()
        .map(|dir| dir.join(name))
        .filter(|path| path.exists());
    if path.is_none() {
        eprintln!("skipped: {name} is not there; set RINGWOOD_DATA to the folder that holds it");
    }
    path
}
