//! Runs SQL: statement after statement, each result rendered as the mode says, and errors as sqlite3's shell
//! words them.
//!
//! Costs per statement without rows, beyond the engine's: one clone of the connection's reference count.

use ringwood::local::Statement;
use ringwood::{Error, LocalConnection};
use ringwood_vdbe::Explain;

use crate::input::is_space;
use crate::mode::columns::Grid;
use crate::mode::plan::{Listing, Plan};
use crate::mode::{Mode, rows};
use crate::shell::{QueryPlan, Shell};

/// Why SQL did not run to its end.
#[derive(Debug)]
pub struct Failure {
    /// In what it failed.
    pub phase: Phase,
    /// The message, with the code and, for a text that does not compile, the place.
    pub message: String,
    /// SQLite's result code.
    pub code: i32,
}

/// What was being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Compiling.
    Prepare,
    /// Running.
    Step,
    /// Opening the database.
    Open,
}

impl Failure {
    fn of_prepare(error: &Error, text: &str) -> Failure {
        let mut message = with_code(error);
        if let Some(offset) = error.offset() {
            message.push_str(&excerpt(text, offset as usize));
        }
        Failure {
            phase: Phase::Prepare,
            message,
            code: error.primary_code(),
        }
    }

    fn of_step(error: &Error) -> Failure {
        Failure {
            phase: Phase::Step,
            message: with_code(error),
            code: error.primary_code(),
        }
    }

    /// As it is told about SQL given on the command line.
    pub fn brief(&self) -> String {
        match self.phase {
            Phase::Prepare => format!("Error: in prepare, {}\n", self.message),
            Phase::Step => format!("Error: stepping, {}\n", self.message),
            Phase::Open => format!("Error: {}\n", self.message),
        }
    }

    /// As it is told about a script's line.
    pub fn at_line(&self, line: Option<u64>) -> String {
        let kind = match self.phase {
            Phase::Prepare => "Parse error",
            Phase::Step => "Runtime error",
            Phase::Open => "Error",
        };
        match line {
            Some(line) if self.phase != Phase::Open => {
                format!("{kind} near line {line}: {}\n", self.message)
            }
            _ => format!("{kind}: {}\n", self.message),
        }
    }
}

fn with_code(error: &Error) -> String {
    match error.primary_code() {
        code if code > 1 => format!("{} ({code})", error.message()),
        _ => error.message(),
    }
}

/// A piece of `text` around `offset` and a line that points at it.
fn excerpt(text: &str, offset: usize) -> String {
    /// Bytes of the text before the place, and in all.
    const BEFORE: usize = 50;
    const WIDTH: usize = 78;
    if offset >= text.len() {
        return String::new();
    }
    let mut start = offset.saturating_sub(BEFORE);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let mut end = (start + WIDTH).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let piece: String = text[start..end]
        .chars()
        .map(|c| {
            if c.is_ascii() && is_space(c as u8) {
                ' '
            } else {
                c
            }
        })
        .collect();
    let column = offset.saturating_sub(start);
    if column < 25 {
        format!("\n  {piece}\n  {:column$}^--- error here", "")
    } else {
        format!("\n  {piece}\n  {:1$}error here ---^", "", column - 14)
    }
}

impl Shell {
    /// Runs every statement of `sql`; ends at the first that fails.
    pub fn run_sql(&mut self, sql: &str) -> Result<(), Failure> {
        let conn = self.connection()?;
        let mut rest = sql;
        loop {
            rest =
                rest.trim_start_matches(|c: char| c == ';' || (c.is_ascii() && is_space(c as u8)));
            if rest.is_empty() {
                return Ok(());
            }
            let (statement, tail) = match conn.prepare_next(rest) {
                Ok(Some(prepared)) => prepared,
                Ok(None) => return Ok(()),
                Err(e) => return Err(Failure::of_prepare(&e, rest)),
            };
            let text = &rest[..tail];
            rest = &rest[tail..];
            self.run_statement(&conn, statement, text)?;
            if self.out.is_broken() {
                return Ok(());
            }
        }
    }

    fn run_statement(
        &mut self,
        conn: &LocalConnection,
        mut statement: Statement,
        text: &str,
    ) -> Result<(), Failure> {
        self.trace_statement(text);
        let explain = statement.explain();
        if self.query_plan != QueryPlan::Off && explain == Explain::No {
            self.show_plan(conn, text);
        }
        if statement.parameter_count() > 0 {
            self.parameters
                .bind(&mut statement)
                .map_err(|e| Failure::of_step(&e))?;
        }
        let mode = match explain {
            Explain::Program if self.auto_explain => Mode::Explain,
            Explain::QueryPlan if self.auto_explain => Mode::QueryPlan,
            _ => self.format.mode,
        };
        let progress = self.progress_of(text);
        let outcome = self.print_rows(&mut statement, mode);
        drop(progress);
        if self.stats {
            self.show_stats(conn);
        }
        outcome.map_err(|e| Failure::of_step(&e))
    }

    /// Steps to the end and prints what comes; what came before an error is printed too.
    pub fn print_rows(&mut self, statement: &mut Statement, mode: Mode) -> Result<(), Error> {
        if !statement.step()? {
            return Ok(());
        }
        match mode {
            Mode::Explain => self.print_listing(statement),
            Mode::QueryPlan => self.print_plan(statement),
            mode if mode.is_columnar() => self.print_grid(statement, mode),
            mode => self.print_each(statement, mode),
        }
    }

    fn print_each(&mut self, statement: &mut Statement, mode: Mode) -> Result<(), Error> {
        let mut count = 0;
        let outcome = loop {
            rows::push_row(&self.format, mode, statement, count, &mut self.out.text);
            count += 1;
            self.out.relieve();
            if self.out.is_broken() {
                break Ok(());
            }
            match statement.step() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        rows::push_end(mode, count, &mut self.out.text);
        outcome
    }

    fn print_grid(&mut self, statement: &mut Statement, mode: Mode) -> Result<(), Error> {
        if statement.column_count() == 0 {
            return Ok(());
        }
        let mut grid = Grid::new(&self.format, mode, statement);
        let outcome = loop {
            grid.push(&self.format, statement);
            match statement.step() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        grid.render(&self.format, &mut self.out.text);
        outcome
    }

    fn print_plan(&mut self, statement: &mut Statement) -> Result<(), Error> {
        let mut plan = Plan::default();
        let outcome = loop {
            plan.push(statement);
            match statement.step() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        plan.render(&mut self.out.text);
        outcome
    }

    fn print_listing(&mut self, statement: &mut Statement) -> Result<(), Error> {
        let names: Vec<String> = (0..statement.column_count())
            .map(|i| statement.column_name(i).to_owned())
            .collect();
        let mut listing = Listing::default();
        let outcome = loop {
            listing.push(&self.format, statement);
            match statement.step() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        listing.render(&names, &mut self.out.text);
        outcome
    }

    /// `.eqp`: the plan of a statement before it runs, and its program. What cannot be explained runs all the
    /// same, and its own error tells why.
    fn show_plan(&mut self, conn: &LocalConnection, text: &str) {
        if let Ok(mut plan) = conn.prepare(&format!("EXPLAIN QUERY PLAN {text}")) {
            let _ = self.print_rows(&mut plan, Mode::QueryPlan);
        }
        if self.query_plan == QueryPlan::Full {
            if let Ok(mut program) = conn.prepare(&format!("EXPLAIN {text}")) {
                let _ = self.print_rows(&mut program, Mode::Explain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn the_place_is_pointed_at() {
        assert_eq!(
            excerpt("SELECT x FROM t", 7),
            "\n  SELECT x FROM t\n         ^--- error here"
        );
        let far = format!("SELECT {} x", "1,".repeat(40));
        let shown = excerpt(&far, far.len() - 1);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].len() - 2, 51);
        assert!(
            lines[2].ends_with("error here ---^") && lines[2].len() == 53,
            "{shown}"
        );
        assert_eq!(excerpt("SELECT", 6), "");
        let wide = format!("SELECT '{}' x y", "ä".repeat(60));
        assert!(excerpt(&wide, wide.len() - 1).contains("error here"));
    }
}
