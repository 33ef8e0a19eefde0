//! What the picture's marks mean.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    LEFT, RIGHT, escape,
    look::{Look, PLAIN, mark},
};
use crate::plot::Panel;

/// The legend's first line, and the height of each.
const LEGEND_Y: f64 = 54.0;
pub(super) const LEGEND_LINE: f64 = 20.0;

/// The legend, and how many lines it takes.
pub(super) fn legend(looks: &BTreeMap<&str, Look>, labelled: bool, panels: &[Panel<'_>]) -> (String, f64) {
    let mut entries: Vec<(Drawn, &str)> = Vec::new();
    for (rule, look) in looks {
        let look = *look;
        entries.push((Box::new(move |x, y| mark((x + 7.0, y), look, true, None)), rule));
    }
    let swatch = |colour: &'static str, opacity: &'static str| -> Drawn {
        Box::new(move |x, y| {
            format!(
                "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"14\" height=\"12\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>",
                y - 6.0
            )
        })
    };
    if panels.iter().any(|panel| panel.expectations.values().any(|rows| rows.iter().any(|row| row.band.is_some()))) {
        entries.push((swatch("#888", ".22"), "expected band, in its rule's colour"));
    }
    if panels.iter().any(|panel| panel.anomalies.iter().any(|a| a.key != panel.name)) {
        let triangle = |x: f64, y: f64| format!("<path d=\"M{:.1} {:.1}l-5 -8h10z\" fill=\"#555\"/>", x + 7.0, y + 4.0);
        entries.push((Box::new(triangle), "of the whole source"));
    }
    if labelled {
        entries.push((swatch("#ffd54d", ".6"), "labelled"));
        entries.push((Box::new(|x, y| mark((x + 7.0, y), PLAIN, false, None)), "outside every label"));
    }
    let mut out = String::new();
    let (mut x, mut y, mut lines) = (LEFT, LEGEND_Y, 1.0);
    for (drawn, text) in entries {
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let width = text.chars().count() as f64 * 6.8 + 34.0;
        if x > LEFT && x + width > RIGHT {
            (x, y, lines) = (LEFT, y + LEGEND_LINE, lines + 1.0);
        }
        let _ = writeln!(out, "{}<text x=\"{:.0}\" y=\"{y}\">{}</text>", drawn(x, y - 4.0), x + 18.0, escape(text));
        x += width;
    }
    (out, lines)
}

/// Draws an entry's mark at a place.
type Drawn = Box<dyn Fn(f64, f64) -> String>;
