//! Bars in SVG: a title, a bar for each figure, its label and its value.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const LABELS: f64 = 380.0;
const VALUES: f64 = 110.0;
const ROW: f64 = 22.0;
const COLOURS: [&str; 6] = [
    "#2f6f9f", "#c2762b", "#4f8a4c", "#8a5a9a", "#a0463f", "#6b6b6b",
];

/// A figure with its label; `group` gives its colour.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is.
    pub label: String,
    /// Bars of one group have one colour.
    pub group: usize,
    /// Its length.
    pub value: f64,
}

/// A picture of bars, the longest across the whole width.
pub fn bars(title: &str, unit: &str, bars: &[Bar]) -> String {
    let height = ROW * (bars.len() as f64 + 2.0);
    let longest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <text x=\"0\" y=\"16\" font-size=\"14\" font-weight=\"bold\">{} ({})</text>\n",
        escape(title),
        escape(unit)
    );
    for (at, bar) in bars.iter().enumerate() {
        let y = ROW * (at as f64 + 1.5);
        let room = WIDTH - LABELS - VALUES;
        let length = if longest > 0.0 {
            bar.value / longest * room
        } else {
            0.0
        };
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LABELS}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{}\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{}</text>\n",
            LABELS - 8.0,
            y + 13.0,
            escape(&bar.label),
            ROW - 6.0,
            COLOURS[bar.group % COLOURS.len()],
            LABELS + length + 6.0,
            y + 13.0,
            number(bar.value)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A number as it is read best.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut out = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at) % 3 == 0 && !out.ends_with('-') {
                    out.push(' ');
                }
                out.push(digit);
            }
            out
        }
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// A text within SVG or HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_takes_all_the_room() {
        let bar = |label: &str, value| Bar {
            label: label.to_owned(),
            group: 0,
            value,
        };
        let svg = bars(
            "a < b",
            "per second",
            &[bar("one", 50.0), bar("two", 100.0)],
        );
        assert!(svg.contains("a &lt; b"));
        assert!(svg.contains("width=\"370.0\"") && svg.contains("width=\"185.0\""));
        assert_eq!(number(1_234_567.4), "1 234 567");
        assert_eq!(
            (number(0.25), number(43.21)),
            ("0.250".into(), "43.2".into())
        );
        assert_eq!(bars("none", "", &[]).matches("<rect").count(), 0);
    }
}
