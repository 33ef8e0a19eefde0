//! The picture, as SVG: title, [`legend`], and the [`panel`]s below each other.

mod legend;
mod look;
mod panel;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use weir_anomaly::Timestamp;

use super::{Panel, scale::Scale};
use crate::{history::History, replay::grouped};
use legend::{LEGEND_LINE, legend};
use look::Look;
use panel::Drawing;

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 1184.0;
/// Above the first panel: title and legend.
const TOP: f64 = 76.0;
/// A panel's name, its plot, and the times below it.
const PANEL_NAME: f64 = 24.0;
const PANEL_PLOT: f64 = 150.0;
const PANEL_TIMES: f64 = 30.0;
const PANEL: f64 = PANEL_NAME + PANEL_PLOT + PANEL_TIMES;

/// Draws the panels below each other on one axis of time.
pub(super) fn draw(panels: &[Panel<'_>], history: &History, left_out: usize, labelled: bool) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a place on the picture")]
    let time = Scale::new((history.first.nanos() as f64, history.last.nanos() as f64), (LEFT, RIGHT));
    let rules: BTreeSet<&str> = panels
        .iter()
        .flat_map(|panel| panel.anomalies.iter().map(|a| a.rule.as_str()).chain(panel.expectations.keys().copied()))
        .collect();
    let looks: BTreeMap<&str, Look> = rules.iter().copied().zip((0..).map(Look::of)).collect();
    let (legend, legend_lines) = legend(&looks, labelled, panels);
    let first = TOP + LEGEND_LINE * (legend_lines - 1.0);
    #[expect(clippy::cast_precision_loss, reason = "a place on the picture")]
    let height = first + PANEL * panels.len() as f64 + if left_out > 0 { 20.0 } else { 0.0 };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"#333\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
    );
    let span = |time: Timestamp| time.to_rfc3339_millis().chars().take(16).collect::<String>().replace('T', " ");
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"26\" font-size=\"17\" font-weight=\"600\" fill=\"#111\">Backtest</text>\n\
         <text x=\"{RIGHT}\" y=\"26\" text-anchor=\"end\" fill=\"#666\">{} events, {} to {} UTC</text>",
        grouped(history.events),
        span(history.first),
        span(history.last)
    );
    out.push_str(&legend);
    for (index, panel) in panels.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a place on the picture")]
        let top = first + PANEL * index as f64;
        Drawing { out: &mut out, panel, history, time, looks: &looks, labelled, top: top + PANEL_NAME }.draw();
    }
    if left_out > 0 {
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{}\" fill=\"#666\">{left_out} more series are not drawn: --plot-series shows more</text>",
            height - 8.0
        );
    }
    out.push_str("</svg>\n");
    out
}

/// A text as XML has it. A picture with a sign that XML 1.0 cannot have (<https://www.w3.org/TR/xml/#charsets>) is none.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_of_a_name_breaks_the_picture() {
        assert_eq!(
            escape("a<b>&\"c\u{1b}[2J\0\u{7f}\u{85}\u{ffff}\nü"),
            "a&lt;b&gt;&amp;&quot;c\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}\nü"
        );
    }
}
