//! Where something was measured: goes with every result.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn first_line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn output(command: &mut Command) -> String {
    let Ok(output) = command.output() else {
        return String::new();
    };
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The machine's processor and cores, its kernel, the file system below `dir`, the build and the commit of the source.
pub fn facts(dir: &Path) -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |args: &[&str]| output(Command::new("git").arg("-C").arg(source).args(args));
    json!({
        "cpu": model.unwrap_or_default(),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "kernel": first_line("/proc/sys/kernel/osrelease"),
        "file_system": output(Command::new("stat").args(["-f", "-c", "%T"]).arg(dir)),
        "release": !cfg!(debug_assertions),
        "commit": git(&["rev-parse", "--short=12", "HEAD"]),
        "modified": !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty(),
    })
}
