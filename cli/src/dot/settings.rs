//! Commands that change how the shell behaves and how results look.

use std::fs::File;
use std::os::fd::AsFd as _;

use ringwood::local::Limit;

use super::{Flow, integer, is_option};
use crate::mode::quote::{push_c, push_name};
use crate::mode::{Mode, Wrapping};
use crate::shell::{QueryPlan, Shell};

/// A command with one yes or no.
fn switch(shell: &mut Shell, args: &[String], set: impl Fn(&mut Shell, bool)) -> Flow {
    match args {
        [_, word] => {
            let on = shell.truth(word);
            set(shell, on);
            Flow::Go
        }
        _ => {
            let name = super::COMMANDS
                .iter()
                .find(|c| c.0.starts_with(args[0].as_str()))
                .map_or("", |c| c.0);
            shell.fail(format!("Usage: .{name} on|off\n"))
        }
    }
}

/// `.bail on|off`
pub fn bail(shell: &mut Shell, args: &[String]) -> Flow {
    switch(shell, args, |shell, on| shell.bail = on)
}

/// `.binary on|off`: output is never translated.
pub fn binary(shell: &mut Shell, args: &[String]) -> Flow {
    switch(shell, args, |_, _| {})
}

/// `.changes on|off`
pub fn changes(shell: &mut Shell, args: &[String]) -> Flow {
    switch(shell, args, |shell, on| shell.changes = on)
}

/// `.echo on|off`
pub fn echo(shell: &mut Shell, args: &[String]) -> Flow {
    switch(shell, args, |shell, on| shell.echo = on)
}

/// `.headers on|off`
pub fn headers(shell: &mut Shell, args: &[String]) -> Flow {
    switch(shell, args, |shell, on| {
        shell.format.header = on;
        shell.header_set = true;
    })
}

/// `.timer on|off`
pub fn timer(shell: &mut Shell, args: &[String]) -> Flow {
    switch(shell, args, |shell, on| shell.timer = on)
}

/// `.eqp off|on|trigger|full`
pub fn eqp(shell: &mut Shell, args: &[String]) -> Flow {
    let [_, word] = args else {
        return shell.fail("Usage: .eqp off|on|trace|trigger|full\n");
    };
    shell.query_plan = match word.as_str() {
        "full" => QueryPlan::Full,
        "trigger" => QueryPlan::Trigger,
        word if shell.truth(word) => QueryPlan::On,
        _ => QueryPlan::Off,
    };
    Flow::Go
}

/// `.explain on|off|auto`
pub fn explain(shell: &mut Shell, args: &[String]) -> Flow {
    let automatic = args.get(1).is_some_and(|word| word == "auto");
    let on = !automatic && args.get(1).is_none_or(|word| shell.truth(word));
    if on {
        if shell.format.mode != Mode::Explain {
            shell.mode_before_explain = Some(shell.format.mode);
            shell.format.mode = Mode::Explain;
        }
        shell.auto_explain = false;
    } else {
        if let Some(before) = shell.mode_before_explain.take() {
            shell.format.mode = before;
        }
        shell.auto_explain = automatic;
    }
    Flow::Go
}

/// `.limit`: shows and sets the connection's limits.
pub fn limit(shell: &mut Shell, args: &[String]) -> Flow {
    let Some(conn) = shell.connection_or_complain() else {
        return Flow::Go;
    };
    let line = |shell: &mut Shell, name: &str, limit: Limit| {
        let value = conn.limit(limit);
        shell.print(format!("{name:>20} {value}\n"));
    };
    let name = match args {
        [_] => {
            for (name, limit) in Limit::ALL {
                line(shell, name, limit);
            }
            return Flow::Go;
        }
        [_, name] | [_, name, _] => name,
        _ => return shell.fail("Usage: .limit NAME ?NEW-VALUE?\n"),
    };
    let found: Vec<(&str, Limit)> = Limit::ALL
        .into_iter()
        .filter(|l| l.0.starts_with(&name.to_ascii_lowercase()))
        .collect();
    let (name, limit) = match found[..] {
        [found] => found,
        [] => {
            return shell.fail(format!(
                "unknown limit: \"{name}\"\nenter \".limits\" with no arguments for a list.\n"
            ));
        }
        _ => return shell.fail(format!("ambiguous limit: \"{name}\"\n")),
    };
    if let [_, _, value] = args {
        let value = integer(value);
        conn.set_limit(limit, i32::try_from(value).unwrap_or(i32::MAX));
    }
    line(shell, name, limit);
    Flow::Go
}

/// `.log FILE|off`: errors are written to a file too.
pub fn log(shell: &mut Shell, args: &[String]) -> Flow {
    let [_, name] = args else {
        return shell.fail("Usage: .log FILENAME\n");
    };
    if !shell.may(".log") {
        return Flow::Failed;
    }
    match sink(shell, name) {
        Ok(file) => {
            shell.log = file;
            Flow::Go
        }
        Err(flow) => flow,
    }
}

/// `.trace FILE|off`: each statement is written to a file before it runs.
pub fn trace(shell: &mut Shell, args: &[String]) -> Flow {
    for word in &args[1..] {
        // The text as it stands is all there is; what else sqlite3's shell can trace is refused.
        if is_option(word, "plain") || is_option(word, "stmt") {
            continue;
        }
        if word.starts_with('-') {
            return shell.fail(format!("Unknown option \"{word}\" on \".trace\"\n"));
        }
        if !shell.may(".trace") {
            return Flow::Failed;
        }
        match sink(shell, word) {
            Ok(file) => shell.trace = file,
            Err(flow) => return flow,
        }
    }
    Flow::Go
}

/// A file for messages: `stdout`, `stderr`, none for `off`, or made anew.
fn sink(shell: &mut Shell, name: &str) -> Result<Option<File>, Flow> {
    let opened = match name {
        "off" => return Ok(None),
        "stdout" => std::io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map(File::from),
        "stderr" => std::io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .map(File::from),
        name => File::create(name),
    };
    opened
        .map(Some)
        .map_err(|_| shell.fail(format!("Error: cannot open \"{name}\"\n")))
}

/// `.mode MODE ?OPTIONS?`
pub fn mode(shell: &mut Shell, args: &[String]) -> Flow {
    let mut wrapping = Wrapping {
        width: 60,
        ..Wrapping::default()
    };
    let mut name: Option<&str> = None;
    let mut table: Option<&str> = None;
    let mut rest = args[1..].iter();
    while let Some(word) = rest.next() {
        if is_option(word, "wrap") && !rest.as_slice().is_empty() {
            wrapping.width = rest
                .next()
                .map_or(0, |n| integer(n).unsigned_abs() as usize);
        } else if is_option(word, "ww") {
            wrapping.at_words = true;
        } else if is_option(word, "wordwrap") && !rest.as_slice().is_empty() {
            wrapping.at_words = rest.next().is_some_and(|w| shell.truth(w));
        } else if is_option(word, "quote") {
            wrapping.quote = true;
        } else if is_option(word, "noquote") {
            wrapping.quote = false;
        } else if name.is_none() {
            name = Some(word);
            if word == "qbox" {
                name = Some("box");
                wrapping = Wrapping {
                    width: 60,
                    quote: true,
                    at_words: false,
                };
            }
        } else if table.is_none() {
            table = Some(word);
        } else if word.starts_with('-') {
            return shell.fail(format!(
                "unknown option: {word}\noptions:\n  --noquote\n  --quote\n  --wordwrap on/off\n  --wrap N\n  --ww\n"
            ));
        } else {
            return shell.fail(format!("extra argument: \"{word}\"\n"));
        }
    }
    let name = match name {
        Some(name) => name.to_owned(),
        None => {
            let described = describe(shell);
            shell.print(format!("current output mode: {described}\n"));
            shell.format.mode.name().to_owned()
        }
    };
    set_mode(shell, &name, table.unwrap_or("table"), wrapping)
}

/// The mode's name, and its options if it has any.
fn describe(shell: &Shell) -> String {
    let format = &shell.format;
    if !format.mode.is_columnar() {
        return format.mode.name().to_owned();
    }
    format!(
        "{} --wrap {} --wordwrap {} --{}quote",
        format.mode.name(),
        format.wrapping.width,
        if format.wrapping.at_words {
            "on"
        } else {
            "off"
        },
        if format.wrapping.quote { "" } else { "no" }
    )
}

fn set_mode(shell: &mut Shell, name: &str, table: &str, wrapping: Wrapping) -> Flow {
    let header_set = shell.header_set;
    let format = &mut shell.format;
    let is = |full: &str| full.starts_with(name);
    if is("lines") {
        format.mode = Mode::Line;
        format.row_separator = b"\n".to_vec();
    } else if is("columns") {
        format.mode = Mode::Column;
        format.header |= !header_set;
        format.row_separator = b"\n".to_vec();
        format.wrapping = wrapping;
    } else if is("list") {
        format.mode = Mode::List;
        format.separators(b"|", b"\n");
    } else if is("html") {
        format.mode = Mode::Html;
    } else if is("tcl") {
        format.mode = Mode::Tcl;
        format.separators(b" ", b"\n");
    } else if is("csv") {
        format.mode = Mode::Csv;
        format.separators(b",", b"\r\n");
    } else if is("tabs") {
        format.mode = Mode::List;
        format.column_separator = b"\t".to_vec();
    } else if is("insert") {
        format.mode = Mode::Insert;
        format.table.clear();
        push_name(table.as_bytes(), &mut format.table);
    } else if is("quote") {
        format.mode = Mode::Quote;
        format.separators(b",", b"\n");
    } else if is("ascii") {
        format.mode = Mode::Ascii;
        format.separators(b"\x1f", b"\x1e");
    } else if is("markdown") {
        format.mode = Mode::Markdown;
        format.wrapping = wrapping;
    } else if is("table") {
        format.mode = Mode::Table;
        format.wrapping = wrapping;
    } else if is("box") {
        format.mode = Mode::Box;
        format.wrapping = wrapping;
    } else if is("count") {
        format.mode = Mode::Count;
    } else if is("off") {
        format.mode = Mode::Off;
    } else if is("json") {
        format.mode = Mode::Json;
    } else {
        return shell.fail(
            "Error: mode should be one of: ascii box column csv html insert json line list markdown qbox quote table tabs tcl\n",
        );
    }
    Flow::Go
}

/// `.nullvalue STRING`
pub fn nullvalue(shell: &mut Shell, args: &[String]) -> Flow {
    let [_, text] = args else {
        return shell.fail("Usage: .nullvalue STRING\n");
    };
    shell.format.null = text.as_bytes().to_vec();
    Flow::Go
}

/// `.print STRING…`
pub fn print(shell: &mut Shell, args: &[String]) -> Flow {
    shell.print(args[1..].join(" ") + "\n");
    Flow::Go
}

/// `.prompt MAIN CONTINUE`
pub fn prompt(shell: &mut Shell, args: &[String]) -> Flow {
    if let Some(main) = args.get(1) {
        shell.prompts.0.clone_from(main);
    }
    if let Some(more) = args.get(2) {
        shell.prompts.1.clone_from(more);
    }
    Flow::Go
}

/// `.separator COL ?ROW?`
pub fn separator(shell: &mut Shell, args: &[String]) -> Flow {
    if let Some(column) = args.get(1) {
        shell.format.column_separator = column.as_bytes().to_vec();
    }
    if let Some(row) = args.get(2) {
        shell.format.row_separator = row.as_bytes().to_vec();
    }
    match args.len() {
        2 | 3 => Flow::Go,
        _ => shell.fail("Usage: .separator COL ?ROW?\n"),
    }
}

/// `.show`
pub fn show(shell: &mut Shell, args: &[String]) -> Flow {
    if args.len() != 1 {
        return shell.fail("Usage: .show\n");
    }
    let on = |on: bool| if on { "on" } else { "off" };
    let quoted = |text: &[u8]| {
        let mut out = Vec::new();
        push_c(text, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    let format = &shell.format;
    let plan = match shell.query_plan {
        QueryPlan::Off => "off",
        QueryPlan::On => "on",
        QueryPlan::Trigger => "trigger",
        QueryPlan::Full => "full",
    };
    let explain = match (format.mode, shell.auto_explain) {
        (Mode::Explain, _) => "on",
        (_, true) => "auto",
        (_, false) => "off",
    };
    let widths: String = format
        .widths
        .iter()
        .flat_map(|w| [w.to_string(), " ".to_owned()])
        .collect();
    let lines = [
        ("echo", on(shell.echo).to_owned()),
        ("eqp", plan.to_owned()),
        ("explain", explain.to_owned()),
        ("headers", on(format.header).to_owned()),
        ("mode", describe(shell)),
        ("nullvalue", quoted(&format.null)),
        ("output", shell.out.name().to_owned()),
        ("colseparator", quoted(&format.column_separator)),
        ("rowseparator", quoted(&format.row_separator)),
        ("stats", on(shell.stats).to_owned()),
        ("width", widths),
        ("filename", shell.database.clone()),
    ];
    for (name, value) in lines {
        shell.print(format!("{name:>12}: {value}\n"));
    }
    Flow::Go
}

/// `.stats ?on|off?`
pub fn stats(shell: &mut Shell, args: &[String]) -> Flow {
    match args {
        [_] => {
            if let Some(conn) = shell.connected().cloned() {
                shell.show_stats(&conn);
            }
            Flow::Go
        }
        [_, word] => {
            shell.stats = matches!(word.as_str(), "stmt" | "vmstep") || shell.truth(word);
            Flow::Go
        }
        _ => shell.fail("Usage: .stats ?on|off|stmt|vmstep?\n"),
    }
}

/// `.version`
pub fn version(shell: &mut Shell, _: &[String]) -> Flow {
    shell.print(crate::shell::version() + "\n");
    Flow::Go
}

/// `.width NUM1 NUM2 …`
pub fn width(shell: &mut Shell, args: &[String]) -> Flow {
    shell.format.widths = args[1..].iter().map(|w| integer(w) as i32).collect();
    Flow::Go
}

impl Shell {
    /// The counters of `.stats`: the connection's and the process's.
    pub fn show_stats(&mut self, conn: &ringwood::LocalConnection) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            status
                .lines()
                .find_map(|l| l.strip_prefix(name))
                .map_or("unknown", str::trim)
                .to_owned()
        };
        let io = conn.io().stats();
        let lines = [
            ("Memory resident", field("VmRSS:")),
            ("Memory resident, peak", field("VmHWM:")),
            ("Rows changed", conn.total_changes().to_string()),
            ("Bytes read", io.read_bytes.to_string()),
            ("Bytes written", io.written_bytes.to_string()),
            ("Syncs", io.syncs.to_string()),
            ("I/O operations inline", io.inline_ops.to_string()),
            ("I/O operations through the ring", io.ring_ops.to_string()),
            ("I/O system calls", io.syscalls.to_string()),
        ];
        for (name, value) in lines {
            self.print(format!("{:<37}{value}\n", format!("{name}:")));
        }
    }
}
