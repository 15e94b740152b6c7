//! COMPAT.md says what was just run.

use std::path::Path;

use ringwood_testkit::compat::render;

#[test]
fn compat_md_is_what_was_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../COMPAT.md");
    let now = render().unwrap_or_else(|e| panic!("{e}"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&path).unwrap();
    let changed = before.lines().zip(now.lines()).find(|(a, b)| a != b);
    assert!(
        before == now,
        "COMPAT.md is old; write it again with UPDATE=1. It says {:?}, and what runs now is {:?}",
        changed.map(|c| c.0),
        changed.map(|c| c.1)
    );
}
