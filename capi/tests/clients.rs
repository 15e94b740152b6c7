//! C programs, compiled against SQLite's header and linked dynamically, run on this library and on stock SQLite: their
//! outputs are the same. And the list of symbols that clients want.
//!
//! Stock SQLite is the one that the crate `libsqlite3-sys` has built for the oracle; its header is next to its source.

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite as _; // so that it is built

/// The folder of this build's artifacts.
fn artifacts() -> PathBuf {
    let exe = std::env::current_exe().expect("the test runs");
    exe.parent().expect("in deps").to_owned()
}

/// Finds a file below a folder by its name.
fn find(folder: &Path, name: &str, below: usize) -> Option<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.file_name().is_some_and(|have| have == name) && path.is_file() {
            found.push(path);
        } else if below > 0 && path.is_dir() {
            found.extend(find(&path, name, below - 1));
        }
    }
    // Of several builds the newest.
    found.sort_by_key(|path| path.metadata().and_then(|about| about.modified()).ok());
    found.pop()
}

fn stock_library() -> PathBuf {
    let build = artifacts().parent().expect("in a profile").join("build");
    find(&build, "libsqlite3.a", 2).expect("libsqlite3-sys has built libsqlite3.a")
}

/// The folder of SQLite's header: where Cargo keeps the sources of the oracle.
fn header() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cargo"),
        PathBuf::from,
    );
    let sources = home.join("registry/src");
    let mut found = Vec::new();
    for index in std::fs::read_dir(&sources)
        .expect("Cargo keeps sources")
        .flatten()
    {
        for package in std::fs::read_dir(index.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            let folder = package.path().join("sqlite3");
            let name = package.file_name();
            if name.to_string_lossy().starts_with("libsqlite3-sys-")
                && folder.join("sqlite3.h").is_file()
            {
                found.push(folder);
            }
        }
    }
    found.sort();
    found.pop().expect("the oracle's source is there")
}

fn library() -> PathBuf {
    find(&artifacts(), "libringwood_sqlite3.so", 0).expect("the library was built with the test")
}

/// Compiles a client; what it prints.
fn output(client: &str, with: &[&std::ffi::OsStr], folder: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/clients/{client}.c"));
    let program = folder.join(client);
    let compiled = Command::new("cc")
        .args(["-g", "-Wno-discarded-qualifiers", "-o"])
        .arg(&program)
        .arg(&source)
        .arg("-I")
        .arg(header())
        .args(with)
        .args(["-lm", "-lpthread", "-ldl"])
        .output()
        .expect("a C compiler");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let ran = Command::new(&program)
        .current_dir(folder)
        .env("LD_LIBRARY_PATH", folder)
        .output()
        .expect("it runs");
    assert!(
        ran.status.success(),
        "{client} ended with {}\n{}\n{}",
        ran.status,
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

fn compare(client: &str) {
    let folder = artifacts().join(format!("capi-{client}-{}", std::process::id()));
    let (ours, stock) = (folder.join("ours"), folder.join("stock"));
    std::fs::create_dir_all(&ours).expect("a folder");
    std::fs::create_dir_all(&stock).expect("a folder");
    let library = library();
    std::os::unix::fs::symlink(&library, ours.join("libsqlite3.so.0")).expect("a link");
    let found = output(client, &[library.as_os_str()], &ours);
    let wanted = output(client, &[stock_library().as_os_str()], &stock);
    let _ = std::fs::remove_dir_all(&folder);
    for (at, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(found, wanted, "{client}: line {}", at + 1);
    }
    assert_eq!(found.lines().count(), wanted.lines().count(), "{client}");
}

#[test]
fn a_client_sees_what_it_sees_on_stock() {
    compare("basics");
}

#[test]
fn callbacks_see_what_they_see_on_stock() {
    compare("callbacks");
}

#[test]
fn a_module_is_asked_what_stock_asks() {
    compare("vtab");
}

#[test]
fn every_function_that_clients_want_is_exported() {
    let listed = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library())
        .output()
        .expect("nm");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let have: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    let wanted = include_str!("symbols.txt");
    let missing: Vec<&str> = wanted.lines().filter(|name| !have.contains(name)).collect();
    assert!(wanted.lines().count() > 240);
    assert!(missing.is_empty(), "not exported: {missing:?}");
}
