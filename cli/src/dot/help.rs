//! `.help`: every command on a line, or the details of some.

use super::Flow;
use super::pattern::{glob, like};
use crate::shell::Shell;

/// A line per command, followed by its details, which are indented.
const TEXT: &[&str] = &[
    ".backup ?DB? FILE        Backup DB (default \"main\") to FILE",
    ".bail on|off             Stop after hitting an error.  Default OFF",
    ".binary on|off           Accepted; output is always binary",
    ".cd DIRECTORY            Change the working directory to DIRECTORY",
    ".changes on|off          Show number of rows changed by SQL",
    ".clone NEWDB             Clone data into NEWDB from the existing database",
    ".databases               List names and files of attached databases",
    ".dbinfo ?DB?             Show status information about the database",
    ".dump ?OBJECTS?          Render database content as SQL",
    "   Options:",
    "     --data-only            Output only INSERT statements",
    "     --newlines             Allow unescaped newline characters in output",
    "     --nosys                Omit system tables (ex: \"sqlite_stat1\")",
    "     --preserve-rowids      Include ROWID values in the output",
    "   OBJECTS is a LIKE pattern for tables, indexes, triggers or views to dump",
    "   Additional LIKE patterns can be given in subsequent arguments",
    ".echo on|off             Turn command echo on or off",
    ".eqp on|off|full|...     Enable or disable automatic EXPLAIN QUERY PLAN",
    "   Other Modes:",
    "      trigger               Like \"on\"",
    "      full                  Also show the program",
    ".excel                   Display the output of next command in spreadsheet",
    "   --bom                   Put a UTF8 byte-order mark on intermediate file",
    ".exit ?CODE?             Exit this program with return-code CODE",
    ".explain ?on|off|auto?   Change the EXPLAIN formatting mode.  Default: auto",
    ".fullschema ?--indent?   Show schema and the content of sqlite_stat tables",
    ".headers on|off          Turn display of headers on or off",
    ".help ?-all? ?PATTERN?   Show help text for PATTERN",
    ".import FILE TABLE       Import data from FILE into TABLE",
    "   Options:",
    "     --ascii               Use \\037 and \\036 as column and row separators",
    "     --csv                 Use , and \\n as column and row separators",
    "     --skip N              Skip the first N rows of input",
    "     --schema S            Target table to be S.TABLE",
    "     -v                    \"Verbose\" - increase auxiliary output",
    "   Notes:",
    "     *  If TABLE does not exist, it is created.  The first row of input",
    "        determines the column names.",
    "     *  If neither --csv or --ascii are used, the input mode is derived",
    "        from the \".mode\" output mode",
    "     *  If FILE begins with \"|\" then it is a command that generates the",
    "        input text.",
    ".indexes ?TABLE?         Show names of indexes",
    "                           If TABLE is specified, only show indexes for",
    "                           tables matching TABLE using the LIKE operator.",
    ".limit ?LIMIT?           Display the value of a limit",
    ".log FILE|off            Write errors to FILE too.  FILE can be stderr/stdout",
    ".mode MODE ?OPTIONS?     Set output mode",
    "   MODE is one of:",
    "     ascii       Columns/rows delimited by 0x1F and 0x1E",
    "     box         Tables using unicode box-drawing characters",
    "     count       Only the number of rows",
    "     csv         Comma-separated values",
    "     column      Output in columns.  (See .width)",
    "     html        HTML <table> code",
    "     insert      SQL insert statements for TABLE",
    "     json        Results in a JSON array",
    "     line        One value per line",
    "     list        Values delimited by \"|\"",
    "     markdown    Markdown table format",
    "     off         Nothing",
    "     qbox        Shorthand for \"box --wrap 60 --quote\"",
    "     quote       Escape answers as for SQL",
    "     table       ASCII-art table",
    "     tabs        Tab-separated values",
    "     tcl         TCL list elements",
    "   OPTIONS: (for columnar modes or insert mode):",
    "     --wrap N       Wrap output lines to no longer than N characters",
    "     --wordwrap B   Wrap or not at word boundaries per B (on/off)",
    "     --ww           Shorthand for \"--wordwrap 1\"",
    "     --quote        Quote output text as SQL literals",
    "     --noquote      Do not quote output text",
    "     TABLE          The name of SQL table used for \"insert\" mode",
    ".nullvalue STRING        Use STRING in place of NULL values",
    ".once ?OPTIONS? ?FILE?   Output for the next SQL command only to FILE",
    "     If FILE begins with '|' then open as a pipe",
    "       --bom  Put a UTF8 byte-order mark at the beginning",
    "       -e     Send output to the system text editor",
    "       -x     Send output as CSV to a spreadsheet (same as \".excel\")",
    ".open ?OPTIONS? ?FILE?   Close existing database and reopen FILE",
    "     Options:",
    "        --new           Initialize FILE to an empty database",
    "        --nofollow      Do not follow symbolic links",
    "        --readonly      Open FILE readonly",
    ".output ?FILE?           Send output to FILE or stdout if FILE is omitted",
    "   If FILE begins with '|' then open it as a pipe.",
    "   Options:",
    "     --bom                 Prefix output with a UTF8 byte-order mark",
    "     -e                    Send output to the system text editor",
    "     -x                    Send output as CSV to a spreadsheet",
    ".parameter CMD ...       Manage SQL parameter bindings",
    "   clear                   Erase all bindings",
    "   init                    Accepted; the bindings need no table",
    "   list                    List the current parameter bindings",
    "   set PARAMETER VALUE     Given SQL parameter PARAMETER a value of VALUE",
    "                           PARAMETER should start with one of: $ : @ ?",
    "   unset PARAMETER         Remove PARAMETER from the bindings",
    ".print STRING...         Print literal STRING",
    ".prompt MAIN CONTINUE    Replace the standard prompts",
    ".quit                    Exit this program",
    ".read FILE               Read input from FILE or command output",
    "    If FILE begins with \"|\", it is a command that generates the input.",
    ".restore ?DB? FILE       Restore content of DB (default \"main\") from FILE",
    ".save ?OPTIONS? FILE     Write database to FILE (an alias for .backup ...)",
    ".schema ?PATTERN?        Show the CREATE statements matching PATTERN",
    "   Options:",
    "      --indent             Try to pretty-print the schema",
    "      --nosys              Omit objects whose names start with \"sqlite_\"",
    ".separator COL ?ROW?     Change the column and row separators",
    ".shell CMD ARGS...       Run CMD ARGS... in a system shell",
    ".show                    Show the current values for various settings",
    ".stats ?ARG?             Show stats or turn stats on or off",
    ".system CMD ARGS...      Run CMD ARGS... in a system shell",
    ".tables ?TABLE?          List names of tables matching LIKE pattern TABLE",
    ".timeout MS              Try opening locked tables for MS milliseconds",
    ".timer on|off            Turn SQL timer on or off",
    ".trace FILE|off          Write each SQL statement to FILE as it is run",
    ".version                 Show the version of this program",
    ".width NUM1 NUM2 ...     Set minimum column widths for columnar output",
    "     Negative values right-justify",
];

/// `.help ?-all? ?PATTERN?`
pub fn help(shell: &mut Shell, args: &[String]) -> Flow {
    match args.get(1) {
        None => {
            for line in TEXT.iter().filter(|l| l.starts_with('.')) {
                shell.print(format!("{line}\n"));
            }
        }
        Some(pattern) => {
            if !show(shell, pattern) {
                shell.print(format!("Nothing matches '{pattern}'\n"));
            }
        }
    }
    Flow::Go
}

/// A command's line and its details.
fn commands() -> impl Iterator<Item = &'static [&'static str]> {
    let mut rest = TEXT;
    std::iter::from_fn(move || {
        let details = rest
            .iter()
            .skip(1)
            .take_while(|l| !l.starts_with('.'))
            .count();
        let (command, after) = rest.split_at_checked(details + 1)?;
        rest = after;
        Some(command)
    })
}

/// Prints the help for `pattern`: of the commands that begin with it, or else of those whose text has it.
/// False if there is none.
pub fn show(shell: &mut Shell, pattern: &str) -> bool {
    if matches!(pattern, "0" | "-a" | "-all" | "--all") {
        for line in TEXT {
            shell.print(format!("{line}\n"));
        }
        return true;
    }
    let begin: Vec<_> = commands()
        .filter(|c| glob(&format!(".{pattern}*"), c[0]))
        .collect();
    if let [command] = begin[..] {
        shell.print(command.join("\n") + "\n");
        return true;
    }
    for command in &begin {
        shell.print(format!("{}\n", command[0]));
    }
    if !begin.is_empty() {
        return true;
    }
    let inside = format!("%{pattern}%");
    let mut found = false;
    for command in commands().filter(|c| c.iter().any(|l| like(&inside, l))) {
        shell.print(command.join("\n") + "\n");
        found = true;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::commands;
    use crate::dot::COMMANDS;

    #[test]
    fn every_command_has_help_and_every_help_a_command() {
        let helped: Vec<&str> = commands()
            .map(|c| c[0][1..].split_whitespace().next().unwrap())
            .collect();
        for (name, _, _) in COMMANDS {
            assert!(
                helped.iter().any(|h| name.starts_with(h)) || *name == "indices",
                "{name}"
            );
        }
        for name in helped {
            assert!(
                COMMANDS.iter().any(|(c, _, _)| c.starts_with(name)),
                "{name}"
            );
        }
    }
}
