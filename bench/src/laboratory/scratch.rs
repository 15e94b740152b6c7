//! A folder for the databases of a measurement; gone at its end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A new folder; dropping it deletes it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A folder below `dir`, or where temporary files go.
    ///
    /// # Errors
    /// What making it failed with.
    pub fn new(dir: Option<&Path>) -> std::io::Result<Scratch> {
        let dir = dir.map_or_else(std::env::temp_dir, Path::to_path_buf);
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("ringwood-bench-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in the folder, which is not there: what an earlier run left of it, and beside it, is deleted.
    pub fn fresh(&self, name: &str) -> PathBuf {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(self.0.join(format!("{name}{suffix}")));
        }
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
