//! `unsafe`: where it may stand, how often it does, and that each use says why it is sound.

use std::path::{Path, PathBuf};

/// How many uses each crate may have; a ratchet, which may only fall without a word in the commit.
const ALLOWED: [(&str, usize); 3] = [("io", 76), ("pager", 33), ("capi", 104)];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_unsafe_block_says_why_it_is_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in [
        "format", "io", "pager", "wal", "btree", "vdbe", "sql", "engine", "capi", "cli", "testkit",
    ] {
        let mut files = Vec::new();
        sources(&root.join(name).join("src"), &mut files);
        let mut count = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).expect("it can be read");
            let lines: Vec<&str> = text.lines().collect();
            for (i, line) in lines.iter().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let uses = ["unsafe {", "unsafe impl", "unsafe fn"];
                if !uses.iter().any(|word| code.contains(word)) {
                    continue;
                }
                count += 1;
                // The note stands above the statement, or above the attribute or the doc of a function.
                let above = lines[i.saturating_sub(12)..=i].join("\n");
                assert!(
                    above.contains("SAFETY:") || above.contains("# Safety"),
                    "{}:{}: an unsafe use without a note",
                    file.display(),
                    i + 1
                );
            }
        }
        let allowed = ALLOWED
            .iter()
            .find(|(of, _)| *of == name)
            .map_or(0, |(_, n)| *n);
        println!("{name}: {count} unsafe uses");
        assert!(
            count <= allowed,
            "{name} has {count} unsafe uses, {allowed} are allowed"
        );
    }
}
