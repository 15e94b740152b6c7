//! Signs of life from what takes long: on standard error, and only where that is a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::shell::Shell;

/// A bar or spinner that goes away with the value.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar of `total` bytes.
    pub fn bytes(what: &str, total: u64) -> Progress {
        Progress::bar(
            what,
            total,
            "{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left",
        )
    }

    /// A bar of `total` pages.
    pub fn pages(what: &str, total: u64) -> Progress {
        Progress::bar(
            what,
            total,
            "{msg} {wide_bar} {pos}/{len} pages, {eta} left",
        )
    }

    fn bar(what: &str, total: u64, template: &str) -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress(None);
        }
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Progress(Some(bar))
    }

    /// A spinner with the time that has passed, for work whose length is not known.
    pub fn spinner(what: &str) -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(Some(bar))
    }

    /// How far it has come.
    pub fn at(&self, position: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(position);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Shell {
    /// A spinner for a statement that is known to take long, at a prompt.
    pub fn progress_of(&self, text: &str) -> Option<Progress> {
        if !self.interactive {
            return None;
        }
        let word = text.trim_start().get(..6)?;
        word.eq_ignore_ascii_case("vacuum")
            .then(|| Progress::spinner("VACUUM"))
    }
}
