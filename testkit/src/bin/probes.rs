//! Runs the dialect probes through a shell: `probes [--shell PATH] [--show N] [--absent ID,ID…] [ID…]`.
//!
//! Each probe is a script with the output that stock SQLite gives in list mode; it runs in a fresh
//! folder with TZ=UTC, and must print that and nothing on stderr. Exits with 1 where one differs, or where one that is said to be absent
//! passes.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

#[derive(serde::Deserialize)]
struct Probe {
    id: String,
    group: String,
    name: String,
    sql: String,
    expect: String,
    #[serde(rename = "match")]
    kind: String,
}

fn main() -> ExitCode {
    let mut shell = PathBuf::from("target/release/ringwood");
    let mut show = 1000;
    let mut wanted = Vec::new();
    let mut absent: Vec<String> = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--shell" => shell = args.next().unwrap_or_default().into(),
            "--show" => show = args.next().and_then(|n| n.parse().ok()).unwrap_or(show),
            "--absent" => {
                absent.extend(
                    args.next()
                        .iter()
                        .flat_map(|ids| ids.split(','))
                        .map(str::to_owned),
                );
            }
            "--help" | "-h" => {
                eprintln!("usage: probes [--shell PATH] [--show N] [--absent ID,ID...] [ID...]");
                return ExitCode::SUCCESS;
            }
            _ => wanted.push(arg),
        }
    }
    let shell = std::fs::canonicalize(&shell).unwrap_or(shell);
    let Some(file) = ringwood_testkit::data::file("probes/probes.json") else {
        return ExitCode::from(2);
    };
    let probes: Vec<Probe> = match std::fs::read(&file).map(|text| serde_json::from_slice(&text)) {
        Ok(Ok(probes)) => probes,
        Ok(Err(e)) => return fail(&format!("{}: {e}", file.display())),
        Err(e) => return fail(&format!("{}: {e}", file.display())),
    };
    let mut failed = 0;
    let mut run = 0;
    for probe in probes
        .iter()
        .filter(|p| wanted.is_empty() || wanted.contains(&p.id))
    {
        let checked = check(&shell, probe);
        let result = if absent.contains(&probe.id) {
            match checked {
                Ok(()) => Err("passes, and is said to be absent".to_owned()),
                Err(_) => continue,
            }
        } else {
            checked
        };
        run += 1;
        if let Err(why) = result {
            failed += 1;
            if failed <= show {
                println!(
                    "{} [{}] {}\n  {}\n  {why}",
                    probe.id, probe.group, probe.name, probe.sql
                );
            }
        }
    }
    println!(
        "probes: {} passed, {failed} failed, {} not asked for",
        run - failed,
        probes.len() - run
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}

fn check(shell: &std::path::Path, probe: &Probe) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!(
        "ringwood-probe-{}-{}",
        std::process::id(),
        probe.id
    ));
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let outcome = (|| {
        let mut child = Command::new(shell)
            .arg("probe.db")
            .current_dir(&folder)
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", shell.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A shell that ended early has said why on stderr.
            let _ = stdin.write_all(probe.sql.as_bytes());
        }
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        if !err.is_empty() {
            return Err(format!("stderr: {}", err.trim_end()));
        }
        match probe.kind.as_str() {
            "nonempty" if !out.trim().is_empty() => Ok(()),
            "exact" if out == probe.expect => Ok(()),
            _ => Err(format!("got {out:?}, expected {:?}", probe.expect)),
        }
    })();
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}
