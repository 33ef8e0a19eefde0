//! One panel: a series with what was expected of it, what was found in it and what was labelled.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use weir_anomaly::Anomaly;

use super::{
    LEFT, PANEL_PLOT, RIGHT, escape,
    look::{Look, PLAIN, mark},
};
use crate::{
    history::History,
    plot::{
        Expectation, Panel,
        scale::{self, Scale},
    },
    replay::grouped,
};

/// A label of one reading must still be seen.
const LABEL_LEAST: f64 = 4.0;

/// One panel under way.
pub(super) struct Drawing<'a> {
    pub(super) out: &'a mut String,
    pub(super) panel: &'a Panel<'a>,
    pub(super) history: &'a History,
    pub(super) time: Scale,
    pub(super) looks: &'a BTreeMap<&'a str, Look>,
    /// Whether anything is labelled, in this panel or another: without, nobody knows what is right.
    pub(super) labelled: bool,
    pub(super) top: f64,
}

impl Drawing<'_> {
    pub(super) fn draw(mut self) {
        let value = self.value_scale();
        self.frame(value);
        self.labels();
        for (rule, rows) in &self.panel.expectations {
            self.expectations(rule, rows, value);
        }
        self.line(value);
        self.marks(value);
        self.out.push_str("</g>\n");
    }

    /// The readings' range, and of the bands what lies near it: one wild band must not flatten the series.
    fn value_scale(&self) -> Scale {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (_, value) in self.panel.points {
            (low, high) = (low.min(*value), high.max(*value));
        }
        if low > high {
            (low, high) = (0.0, 0.0);
        }
        // A flat series has a height too.
        if high - low < 1e-9 * high.abs().max(1.0) {
            let height = (high.abs() * 0.1).max(0.5);
            (low, high) = (low - height, high + height);
        }
        let room = high - low;
        let (least, most) = (low - 0.3 * room, high + 0.3 * room);
        for row in self.panel.expectations.values().flat_map(|rows| rows.iter()) {
            let (lower, upper) = row.band.unwrap_or((row.expected, row.expected));
            (low, high) = (low.min(lower.max(least)), high.max(upper.min(most)));
        }
        let edge = (high - low) * 0.06;
        Scale::new((low - edge, high + edge), (self.top + PANEL_PLOT, self.top))
    }

    fn frame(&mut self, value: Scale) {
        let (top, bottom) = (self.top, self.top + PANEL_PLOT);
        let _ = writeln!(self.out, "<g>");
        for tick in value.ticks(4.0) {
            let y = value.at(tick);
            let _ = writeln!(
                self.out,
                "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#eee\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#777\" font-size=\"11\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                scale::number(tick)
            );
        }
        for (at, written) in scale::times(self.history.first.nanos(), self.history.last.nanos()) {
            let x = self.x(at);
            let _ = writeln!(
                self.out,
                "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#f3f3f3\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#777\" font-size=\"11\">{written}</text>",
                bottom + 15.0
            );
        }
        let _ = writeln!(self.out, "<path d=\"M{LEFT} {bottom}H{RIGHT}\" stroke=\"#bbb\"/>");
        let panel = self.panel;
        let mut said = format!("{} readings", grouped(panel.points.len()));
        let _ = write!(said, ", {} anomalies", grouped(panel.anomalies.len()));
        if !panel.labels.is_empty() {
            let sampling = self.history.sampling;
            let found =
                panel.labels.iter().filter(|l| panel.anomalies.iter().any(|a| l.is_found_by(a, sampling))).count();
            let _ = write!(said, ", {found} of {} labels found", panel.labels.len());
        }
        let _ = writeln!(
            self.out,
            "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"600\" fill=\"#111\">{}</text><text x=\"{RIGHT}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{said}</text>",
            top - 7.0,
            escape(panel.name),
            top - 7.0
        );
    }

    fn labels(&mut self) {
        for label in &self.panel.labels {
            let (from, to) = (self.x(label.start.nanos()), self.x(label.end.nanos()));
            let width = (to - from).max(LABEL_LEAST);
            let from = ((from + to - width) / 2.0).clamp(LEFT, RIGHT - width);
            let _ = writeln!(
                self.out,
                "<rect x=\"{from:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"{PANEL_PLOT}\" fill=\"#ffd54d\" fill-opacity=\".38\"><title>labelled: {}, {} to {}</title></rect>",
                self.top,
                label.kind.as_str(),
                label.start,
                label.end
            );
        }
    }

    fn expectations(&mut self, rule: &str, rows: &[Expectation], value: Scale) {
        let colour = self.looks.get(rule).copied().unwrap_or(PLAIN).colour;
        let mut columns: BTreeMap<i64, Expectation> = BTreeMap::new();
        for row in
            rows.iter().filter(|row| row.nanos <= self.history.last.nanos().saturating_add(self.history.sampling))
        {
            columns.entry(pixel(self.x(row.nanos))).or_insert(*row);
        }
        let (mut over, mut under, mut line) = (Vec::new(), Vec::new(), Vec::new());
        for row in columns.values() {
            let x = self.x(row.nanos);
            if let Some((lower, upper)) = row.band {
                over.push(format!("{x:.1} {:.1}", value.within(upper)));
                under.push(format!("{x:.1} {:.1}", value.within(lower)));
            }
            if value.holds(row.expected) {
                line.push(format!("{x:.1} {:.1}", value.at(row.expected)));
            }
        }
        under.reverse();
        if over.len() > 1 {
            let _ = writeln!(
                self.out,
                "<path d=\"M{}L{}Z\" fill=\"{colour}\" fill-opacity=\".13\"><title>{rule}: nothing is wrong in here</title></path>",
                over.join("L"),
                under.join("L")
            );
        }
        if line.len() > 1 {
            let _ = writeln!(
                self.out,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\".75\" stroke-dasharray=\"5 3\"><title>{rule}: expected</title></path>",
                line.join("L")
            );
        }
    }

    /// The least and the greatest reading of each column of pixels, so that no spike is lost and the file stays small.
    fn line(&mut self, value: Scale) {
        let points = self.panel.points;
        let gap = self.history.sampling.saturating_mul(4);
        let mut path = String::new();
        let mut before: Option<i64> = None;
        let mut at = 0;
        while let Some((nanos, first)) = points.get(at) {
            let column = pixel(self.x(*nanos));
            let same = points.get(at..).unwrap_or_default().iter().take_while(|(n, _)| pixel(self.x(*n)) == column);
            let (mut count, mut low, mut high, mut last) = (0, (*nanos, *first), (*nanos, *first), *nanos);
            for (n, v) in same {
                count += 1;
                last = *n;
                if *v < low.1 {
                    low = (*n, *v);
                }
                if *v > high.1 {
                    high = (*n, *v);
                }
            }
            let broken = before.is_none_or(|before| gap > 0 && nanos.saturating_sub(before) > gap);
            let mut ends = [(*nanos, *first), low, high];
            ends.sort_by_key(|(n, _)| *n);
            for (nth, (n, v)) in ends.iter().enumerate() {
                if nth > 0 && ends.get(nth - 1) == Some(&(*n, *v)) {
                    continue;
                }
                let sign = if nth == 0 && broken { 'M' } else { 'L' };
                let _ = write!(path, "{sign}{:.1} {:.1}", self.x(*n), value.at(*v));
            }
            if broken && low.0 == high.0 {
                path.push_str("h1");
            }
            before = Some(last);
            at += count.max(1);
        }
        let _ = writeln!(
            self.out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"#3c4858\" stroke-width=\"1.1\" stroke-linecap=\"square\" stroke-linejoin=\"round\"/>"
        );
    }

    fn marks(&mut self, value: Scale) {
        let mut drawn = BTreeSet::new();
        for anomaly in &self.panel.anomalies {
            let of_series = anomaly.key == self.panel.name;
            let (nanos, reading) = self.place(anomaly);
            let x = self.x(nanos).clamp(LEFT, RIGHT);
            let right = self.panel.labels.iter().any(|label| label.is_found_by(anomaly, self.history.sampling));
            // One mark a rule, column and verdict is all that can be seen.
            if !drawn.insert((&anomaly.rule, pixel(x), right)) {
                continue;
            }
            let look = self.looks.get(anomaly.rule.as_str()).copied().unwrap_or(PLAIN);
            let title = title(anomaly);
            if of_series {
                let y = value.within(reading);
                let _ = writeln!(self.out, "{}", mark((x, y), look, right || !self.labelled, Some(&title)));
            } else {
                // Of the whole source: at the edge, for it has no value on this scale.
                let _ = writeln!(
                    self.out,
                    "<path class=\"mark\" d=\"M{x:.1} {:.1}l-5 -8h10z\" fill=\"{}\" stroke=\"#fff\"><title>{title}</title></path>",
                    self.top + 9.0,
                    look.colour
                );
            }
        }
    }

    /// Where on the series an anomaly lies: on the reading that it is about, the last in its window. One about silence lies
    /// where the silence was noticed.
    fn place(&self, anomaly: &Anomaly) -> (i64, f64) {
        let points = self.panel.points;
        let at = anomaly.timestamp.nanos();
        let until =
            points.partition_point(|(nanos, _)| if anomaly.window_end.is_some() { *nanos < at } else { *nanos <= at });
        let Some((nanos, value)) = until.checked_sub(1).and_then(|index| points.get(index)) else { return (at, 0.0) };
        let noticed = at.saturating_sub(*nanos) > self.history.sampling.saturating_mul(3);
        (if noticed { at } else { *nanos }, *value)
    }

    fn x(&self, nanos: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a place on the picture")]
        let nanos = nanos as f64;
        self.time.at(nanos)
    }
}

fn title(a: &Anomaly) -> String {
    let number = |n: Option<f64>| n.map_or_else(|| "–".to_owned(), scale::number);
    escape(&format!(
        "{}\n{}\n{}\nvalue {}, expected {}, score {:.2}\n{}",
        a.rule,
        a.key,
        a.timestamp,
        number(a.value),
        number(a.expected),
        a.score,
        a.id
    ))
}

fn pixel(x: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a column of the picture")]
    let column = x as i64;
    column
}
