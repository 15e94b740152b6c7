//! Runs a shell and hands back what it printed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The shell under test.
pub fn ringwood() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ringwood"))
}

/// Stock sqlite3's shell, or `None` (with a word on stderr) where it is not installed.
pub fn sqlite3() -> Option<Command> {
    let found = Command::new("sqlite3")
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("skipped: stock sqlite3 is not installed");
        assert!(
            std::env::var_os("CI").is_none(),
            "CI runs with stock sqlite3"
        );
    }
    found.then(|| Command::new("sqlite3"))
}

/// Runs `shell` on `db` with `script` on its standard input.
pub fn run(mut shell: Command, db: &Path, args: &[&str], script: &str) -> Output {
    let mut child = shell
        .args(args)
        .arg(db)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    let mut stdin = child.stdin.take().expect("piped");
    let script = script.to_owned();
    let writer = std::thread::spawn(move || {
        // A shell that ends early closes its input; what it printed tells why.
        let _ = stdin.write_all(script.as_bytes());
    });
    let output = child.wait_with_output().expect("the shell ends");
    writer.join().expect("the writer ends");
    output
}

/// Standard output of a run that must succeed silently.
pub fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{:?}: {errors}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A fresh folder that goes away with the value.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it.
    pub fn new(name: &str) -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ringwood-{name}-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_two_shells_agree_on_a_script() {
    let Some(sqlite) = sqlite3() else { return };
    let folder = Folder::new("agree");
    let script = "CREATE TABLE t(a INTEGER PRIMARY KEY, b);\nINSERT INTO t VALUES(1,'x'),(2,NULL),(3,2.5);\n\
                  .headers on\nSELECT * FROM t ORDER BY a DESC;\n.mode csv\nSELECT a, b, a||',' FROM t;\n";
    let ours = run(ringwood(), &folder.file("ours.db"), &[], script);
    let theirs = run(sqlite, &folder.file("theirs.db"), &[], script);
    assert_eq!(stdout(&ours), stdout(&theirs));
}

#[test]
fn results_come_before_the_input_ends() {
    use std::io::{BufRead as _, BufReader};
    let mut child = ringwood()
        .arg(":memory:")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for i in 0..3 {
        writeln!(stdin, "SELECT {i} * 10;").unwrap();
        // Were it not flushed, this would wait forever.
        assert_eq!(lines.next().unwrap().unwrap(), (i * 10).to_string());
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_closed_pipe_ends_the_shell_quietly() {
    let mut child = ringwood()
        .arg(":memory:")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let row = format!("SELECT '{}';\n", "x".repeat(1000));
        // Fails when the shell has ended; that is the point.
        (0..10_000).all(|_| stdin.write_all(row.as_bytes()).is_ok())
    });
    let output = child.wait_with_output().unwrap();
    assert!(
        !writer.join().unwrap(),
        "the shell ended before its input did"
    );
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn prompts_come_with_interactive_on_a_pipe() {
    let folder = Folder::new("prompts");
    let output = run(
        ringwood(),
        &folder.file("x.db"),
        &["-interactive"],
        "SELECT 1;\nSELECT\n2;\nSELECT x;\n",
    );
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, after) = printed.split_once("usage hints.\n").unwrap();
    assert_eq!(
        after,
        "ringwood> 1\nringwood>      ...> 2\nringwood> ringwood> \n"
    );
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with("Parse error: no such column: x\n")
    );
}
