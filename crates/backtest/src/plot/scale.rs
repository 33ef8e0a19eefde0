//! Round numbers and round times for the axes.

use weir_anomaly::Timestamp;

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// From values to places on the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
}

impl Scale {
    /// `from` lies at `low`, `to` at `high`.
    pub(super) fn new((from, to): (f64, f64), (low, high): (f64, f64)) -> Self {
        Self { from, to: if to > from { to } else { from + 1.0 }, low, high }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        self.low + (value - self.from) / (self.to - self.from) * (self.high - self.low)
    }

    /// The same, kept within the panel.
    pub(super) fn within(&self, value: f64) -> f64 {
        self.at(value.clamp(self.from, self.to))
    }

    pub(super) fn holds(&self, value: f64) -> bool {
        self.from <= value && value <= self.to
    }

    /// About so many round values within.
    pub(super) fn ticks(&self, about: f64) -> Vec<f64> {
        let rough = (self.to - self.from) / about;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].iter().map(|f| f * power).find(|step| *step >= rough).unwrap_or(rough);
        let mut ticks = Vec::new();
        let mut tick = (self.from / step).ceil() * step;
        // A step that is lost in rounding would never arrive.
        while tick <= self.to && ticks.len() < 20 {
            ticks.push(if tick.abs() < step / 1e6 { 0.0 } else { tick });
            tick += step;
        }
        ticks
    }
}

/// About eight round times, and how each is written.
pub(super) fn times(from: i64, to: i64) -> Vec<(i64, String)> {
    const STEPS: [i64; 17] = [
        MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        2 * DAY,
        4 * DAY,
        7 * DAY,
        14 * DAY,
        28 * DAY,
        91 * DAY,
        182 * DAY,
        365 * DAY,
    ];
    let rough = to.saturating_sub(from) / 9;
    let step = STEPS.into_iter().find(|step| *step >= rough).unwrap_or((rough / DAY + 1) * DAY);
    let mut times = Vec::new();
    let mut at = from.div_euclid(step).saturating_add(1).saturating_mul(step);
    while at <= to && times.len() < 40 {
        let text = Timestamp::from_nanos(at).to_rfc3339_millis();
        let (date, clock) = (text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
        let written = match step {
            ..DAY if at % DAY == 0 => date.get(5..).unwrap_or_default().to_owned(),
            ..DAY => clock.to_owned(),
            _ if to.saturating_sub(from) < 300 * DAY => date.get(5..).unwrap_or_default().to_owned(),
            _ => date.to_owned(),
        };
        times.push((at, written));
        at = at.saturating_add(step);
    }
    times
}

/// A number as an axis has it.
pub(super) fn number(value: f64) -> String {
    let text = match value.abs() {
        0.0 => return "0".to_owned(),
        v if (1e-3..1e6).contains(&v) => format!("{value:.4}"),
        _ => return format!("{value:.1e}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::new((-3.0, 97.0), (0.0, 1.0)).ticks(4.0), [0.0, 25.0, 50.0, 75.0]);
        assert_eq!(Scale::new((5.0, 5.0), (0.0, 1.0)).ticks(4.0).len(), 5, "a flat series has a height too");
        assert!(Scale::new((1e17, 1e17 + 16.0), (0.0, 1.0)).ticks(4.0).len() <= 20);
    }

    #[test]
    fn times_are_days_where_history_is_long() {
        let written: Vec<String> = times(0, 14 * DAY).into_iter().map(|(_, text)| text).collect();
        assert_eq!(written, ["01-03", "01-05", "01-07", "01-09", "01-11", "01-13", "01-15"]);
        assert_eq!(times(0, HOUR).first().unwrap().1, "00:15");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 1.5, 60.0, 0.0001, 2e9].map(number), ["0", "1.5", "60", "1.0e-4", "2.0e9"]);
    }
}
