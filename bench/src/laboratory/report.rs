//! One page of HTML of the results of many measurements: a plot for each kind, then all lines as a table.
//!
//! Reads lines of JSON as the measurements print them. Lines of one kind that agree in everything but their figures are
//! repetitions: their medians are drawn.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::plot::{Bar, bars, escape, number};
use super::{Failure, median};

/// `ringwood-bench report`
#[derive(Args, Clone, Debug)]
pub struct Report {
    /// Files of results, a line of JSON each.
    #[arg(required = true)]
    pub results: Vec<PathBuf>,
    /// The page.
    #[arg(long, default_value = "report.html")]
    pub out: PathBuf,
    /// A folder for the plots as files of their own, too.
    #[arg(long)]
    pub plots: Option<PathBuf>,
}

/// The figures that are drawn, and their units: of each kind those that it has.
const FIGURES: [(&str, &str); 9] = [
    ("commits_per_second", "commits/s"),
    ("reads_per_second", "reads/s"),
    ("writes_per_second", "writes/s"),
    ("per_second", "operations/s"),
    ("mib_per_second", "MiB/s"),
    ("miss_ratio", "misses per access"),
    ("hit_ns", "ns"),
    ("commits_per_group", "commits per group"),
    ("syscalls_per_op", "system calls per operation"),
];

/// Fields that are no setting: figures, what they come from, and where.
fn is_outcome(name: &str, value: &Value) -> bool {
    let others = ["what", "machine", "latency", "reads", "writes", "seconds"];
    value.is_object() || others.contains(&name) || FIGURES.iter().any(|(figure, _)| *figure == name)
}

/// Writes the page.
///
/// # Errors
/// A file cannot be read or written, or holds something else.
pub fn run(options: &Report) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for path in &options.results {
        for line in std::fs::read_to_string(path)?.lines() {
            if line.trim_start().starts_with('{') {
                lines.push(serde_json::from_str::<Map<String, Value>>(line)?);
            }
        }
    }
    let plots = plots(&lines);
    if let Some(dir) = &options.plots {
        std::fs::create_dir_all(dir)?;
        for (name, svg) in &plots {
            std::fs::write(dir.join(format!("{name}.svg")), svg)?;
        }
    }
    std::fs::write(&options.out, page(&lines, &plots))?;
    eprintln!("{} results, {} plots", lines.len(), plots.len());
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The settings of a line in which the lines of its kind differ, as a label.
fn label(line: &Map<String, Value>, differ: &[&str]) -> String {
    let parts = differ.iter().filter_map(|name| {
        let value = text(line.get(*name)?);
        match (*name, &*value) {
            (_, "") => None,
            ("engine" | "driver" | "op" | "policy" | "trace" | "api", value) => {
                Some(value.to_owned())
            }
            (name, value) => Some(format!("{name} {value}")),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// The settings in which some lines differ.
fn differing<'a>(lines: &[&'a Map<String, Value>]) -> Vec<&'a str> {
    let Some(first) = lines.first() else {
        return Vec::new();
    };
    let settings = first
        .iter()
        .filter(|(name, value)| !is_outcome(name, value));
    let differ = settings.filter(|(name, value)| {
        let other = |line: &&Map<String, Value>| line.get(*name) != Some(*value);
        lines.iter().any(other)
    });
    differ.map(|(name, _)| name.as_str()).collect()
}

/// A plot for each figure of each kind, by its name.
fn plots(lines: &[Map<String, Value>]) -> Vec<(String, String)> {
    let mut kinds: BTreeMap<String, Vec<&Map<String, Value>>> = BTreeMap::new();
    for line in lines {
        let kind = line.get("what").map(text).unwrap_or_default();
        kinds.entry(kind).or_default().push(line);
    }
    let mut plots = Vec::new();
    for (kind, lines) in kinds {
        let differ = differing(&lines);
        for (figure, unit) in FIGURES {
            let mut figures: Vec<(String, usize, Vec<f64>)> = Vec::new();
            for line in &lines {
                let Some(value) = line.get(figure).and_then(Value::as_f64) else {
                    continue;
                };
                let label = label(line, &differ);
                let is_peer = line.get("engine").is_some_and(|engine| engine == "sqlite");
                match figures.iter_mut().find(|(there, ..)| *there == label) {
                    Some((_, _, values)) => values.push(value),
                    None => figures.push((label, usize::from(is_peer), vec![value])),
                }
            }
            let bars_of: Vec<Bar> = figures
                .into_iter()
                .map(|(label, group, values)| Bar {
                    label,
                    group,
                    value: median(values),
                })
                .collect();
            if !bars_of.is_empty() {
                let title = format!("{kind}: {}", figure.replace('_', " "));
                plots.push((format!("{kind}-{figure}"), bars(&title, unit, &bars_of)));
            }
        }
    }
    plots
}

fn page(lines: &[Map<String, Value>], plots: &[(String, String)]) -> String {
    let mut html = String::from(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Ringwood: measurements</title>\n\
         <style>body{font-family:sans-serif;max-width:60em;margin:2em auto}\
         table{border-collapse:collapse;font-size:12px}\
         td,th{border:1px solid #ccc;padding:2px 6px;text-align:left}\
         svg{display:block;margin:1.5em 0}</style>\n<h1>Measurements</h1>\n",
    );
    let mut machines: Vec<&Value> = lines.iter().filter_map(|l| l.get("machine")).collect();
    machines.dedup();
    for machine in machines {
        let Some(facts) = machine.as_object() else {
            continue;
        };
        html.push_str("<p>");
        for (name, value) in facts {
            let _ = write!(html, "{}: {}; ", escape(name), escape(&text(value)));
        }
        html.push_str("</p>\n");
    }
    for (_, svg) in plots {
        html.push_str(svg);
    }
    html.push_str("<h2>All results</h2>\n<table>\n");
    for line in lines {
        html.push_str("<tr>");
        for (name, value) in line.iter().filter(|(name, _)| *name != "machine") {
            let shown = match value.as_f64() {
                Some(value) if !value.is_nan() && value.fract() != 0.0 => number(value),
                _ => text(value),
            };
            let _ = write!(html, "<td>{} {}</td>", escape(name), escape(&shown));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).expect("a line")
    }

    #[test]
    fn repetitions_are_one_bar_and_settings_that_differ_its_label() {
        let lines = [
            line(r#"{"what":"commit","engine":"ringwood","clients":1,"commits_per_second":10.0}"#),
            line(r#"{"what":"commit","engine":"ringwood","clients":1,"commits_per_second":30.0}"#),
            line(r#"{"what":"commit","engine":"ringwood","clients":1,"commits_per_second":20.0}"#),
            line(r#"{"what":"commit","engine":"sqlite","clients":1,"commits_per_second":5.0}"#),
            line(
                r#"{"what":"cache","policy":"lru","miss_ratio":0.5,"hit_ns":8.0,"machine":{"cpu":"<x>"}}"#,
            ),
        ];
        let plots = plots(&lines);
        let names: Vec<&str> = plots.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "cache-miss_ratio",
                "cache-hit_ns",
                "commit-commits_per_second"
            ]
        );
        let commit = &plots[2].1;
        assert_eq!(commit.matches("<rect").count(), 2);
        assert!(
            commit.contains(">ringwood<") && commit.contains(">20.0<"),
            "{commit}"
        );
        let html = page(&lines, &plots);
        assert!(html.contains("cpu: &lt;x&gt;") && html.matches("<svg").count() == 3);
    }
}
