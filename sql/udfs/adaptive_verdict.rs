/*
[dependencies]
*/

// The detector behind the rule `adaptive`: what the newest reading of a window is to all that the window showed before it.
//
// A Gaussian is the wrong model of machine metrics; records are the right one. Four series are derived from the readings, and
// each is compared with its own range so far: how far outside it lies, in units of that range, is its excess. The verdict is the
// largest of the four:
//   range        the reading itself, above or below everything before
//   level        the least of the last 6 readings, above every such least before: a high level that stays
//   hour         the reading less the weighted mean of its hour of day: usual in itself, unusual at this time
//   transitions  how surprising the last 6 steps between ten equal bins of the range were: a pattern never seen
//
// Nothing is said before 100 readings, nor unless the excess is more than twice the largest of the 20 readings before: an
// anomaly is reported where it begins. The whole state is rebuilt from the window at each call, so that the verdict is a function
// of the window's rows alone. One set of constants serves every series; docs/detection.md says how they were chosen.

use arroyo_udf_plugin::udf;

const FIRST: usize = 100;
const QUIET: usize = 20;
const QUIET_FACTOR: f64 = 2.0;
const LAST: usize = 6;
/// The weight of the newest reading in the mean of its hour.
const HOUR_WEIGHT: f64 = 0.05;
/// Readings of an hour before its mean means anything.
const HOUR_LEAST: f64 = 3.0;
const BINS: usize = 10;
/// The bins, one for what lies below them all and one for what lies above.
const STATES: usize = BINS + 2;
/// The range is cut into bins anew after so many readings.
const REBIN: usize = 50;
const TRANSITIONS_WEIGHT: f64 = 0.7;

/// The newest reading's verdict: `excess part expected`, or NULL where there is nothing to report. `expected` is the bound that
/// was broken, or `-`. Times are in any unit that grows; hours are of the day, from 0 to 23.
#[udf]
fn adaptive_verdict(times: Vec<i64>, values: Vec<f64>, hours: Vec<i64>) -> Option<String> {
    let rows = values.len();
    if times.len() != rows || hours.len() != rows || rows <= FIRST {
        return None;
    }
    let mut order: Vec<usize> = (0..rows).collect();
    if times.windows(2).any(|pair| pair[0] > pair[1]) {
        order.sort_by_key(|row| times[*row]);
    }
    let mut detector = Detector::new(rows);
    let mut newest = Found::default();
    let mut loudest = 0.0;
    for (nth, row) in order.into_iter().enumerate() {
        if nth + QUIET >= rows {
            loudest = f64::max(loudest, newest.excess);
        }
        newest = detector.step(values[row], hours[row].rem_euclid(24) as usize);
    }
    (newest.excess > QUIET_FACTOR * loudest).then(|| {
        let expected = newest.expected.map_or("-".to_owned(), |bound| bound.to_string());
        format!("{} {} {expected}", newest.excess, newest.part)
    })
}

/// What one reading is to those before it.
#[derive(Default)]
struct Found {
    excess: f64,
    part: &'static str,
    expected: Option<f64>,
}

impl Found {
    fn consider(&mut self, excess: f64, part: &'static str, expected: Option<f64>) {
        if excess > self.excess {
            *self = Found { excess, part, expected };
        }
    }
}

/// The range of a series so far.
#[derive(Clone, Copy, PartialEq)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    const EMPTY: Range = Range { low: f64::INFINITY, high: f64::NEG_INFINITY };

    fn add(&mut self, value: f64) {
        self.high = self.high.max(value);
        self.low = self.low.min(value);
    }

    /// What excesses are measured in; never zero.
    fn unit(&self) -> f64 {
        let width = self.high - self.low;
        if width > 0.0 { width } else { f64::max(self.high.abs() * 1e-3, 1e-9) }
    }

    fn above(&self, value: f64) -> f64 {
        if value > self.high { (value - self.high) / self.unit() } else { 0.0 }
    }

    fn below(&self, value: f64) -> f64 {
        if value < self.low { (self.low - value) / self.unit() } else { 0.0 }
    }
}

struct Detector {
    seen: Vec<f64>,
    readings: Range,
    /// The range of the medians of three readings in a row: one wild reading does not move it.
    medians: Range,
    levels: Range,
    residuals: Range,
    surprises: Range,
    hours: [(f64, f64); 24],
    transitions: Transitions,
    surprise: Vec<f64>,
    surprise_sum: f64,
}

impl Detector {
    fn new(rows: usize) -> Self {
        Detector {
            seen: Vec::with_capacity(rows),
            readings: Range::EMPTY,
            medians: Range::EMPTY,
            levels: Range::EMPTY,
            residuals: Range::EMPTY,
            surprises: Range::EMPTY,
            hours: [(0.0, 0.0); 24],
            transitions: Transitions::new(),
            surprise: Vec::with_capacity(rows),
            surprise_sum: 0.0,
        }
    }

    fn step(&mut self, value: f64, hour: usize) -> Found {
        let nth = self.seen.len();
        let level = self.seen[nth.saturating_sub(LAST - 1)..].iter().fold(value, |least, v| v.min(least));

        let (mean, count) = self.hours[hour];
        let residual = if count >= HOUR_LEAST { value - mean } else { 0.0 };
        // The mean is of medians of three readings in a row. One wild reading is never their median; in the mean it would make the
        // next usual reading of that hour an unusual one.
        if let [.., a, b] = self.seen[..] {
            let middle = value.clamp(a.min(b), a.max(b));
            self.medians.add(middle);
            let weight = f64::max(1.0 / (count + 1.0), HOUR_WEIGHT);
            self.hours[hour] = (mean + weight * (middle - mean), count + 1.0);
        }

        let surprise = self.transitions.surprise(value, &self.seen, &self.medians);
        self.surprise.push(surprise);
        self.surprise_sum += surprise;
        if nth >= LAST {
            self.surprise_sum -= self.surprise[nth - LAST];
        }
        let surprise = self.surprise_sum / usize::min(nth + 1, LAST) as f64;

        let mut found = Found::default();
        if nth >= FIRST {
            found.consider(self.readings.above(value), "range", Some(self.readings.high));
            found.consider(self.readings.below(value), "range", Some(self.readings.low));
            found.consider(self.levels.above(level), "level", Some(self.levels.high));
            let outside = f64::max(self.residuals.above(residual), self.residuals.below(residual));
            found.consider(outside, "hour", Some(mean));
            found.consider(TRANSITIONS_WEIGHT * self.surprises.above(surprise), "transitions", None);
        }
        self.readings.add(value);
        self.levels.add(level);
        self.residuals.add(residual);
        self.surprises.add(surprise);
        self.seen.push(value);
        found
    }
}

type Counts = [[f64; STATES]; STATES];

/// How often each bin followed each other bin.
struct Transitions {
    started: bool,
    low: f64,
    width: f64,
    counts: Counts,
    totals: [f64; STATES],
    previous: usize,
    /// All readings up to the last re-binning, counted in the present bins: only what came since is counted again, unless the
    /// range moved.
    recounted: usize,
    recount: Counts,
    recount_totals: [f64; STATES],
    recount_previous: Option<usize>,
}

impl Transitions {
    fn new() -> Self {
        Transitions {
            started: false,
            low: 0.0,
            width: 1.0,
            counts: [[0.0; STATES]; STATES],
            totals: [0.0; STATES],
            previous: 0,
            recounted: 0,
            recount: [[0.0; STATES]; STATES],
            recount_totals: [0.0; STATES],
            recount_previous: None,
        }
    }

    /// Bits of information in the step from the reading before to this one.
    fn surprise(&mut self, value: f64, seen: &[f64], range: &Range) -> f64 {
        let nth = seen.len();
        if nth >= REBIN && (nth % REBIN == 0 || !self.started) {
            self.rebin(seen, range);
        }
        if !self.started {
            return 0.0;
        }
        let state = self.state(value, range);
        let smoothing = 0.5;
        let total = self.totals[self.previous];
        let surprise = if total > 0.0 {
            -((self.counts[self.previous][state] + smoothing) / (total + smoothing * STATES as f64)).log2()
        } else {
            (STATES as f64).log2()
        };
        self.counts[self.previous][state] += 1.0;
        self.totals[self.previous] += 1.0;
        self.previous = state;
        surprise
    }

    /// The bin of a new reading, which may lie outside the range that was cut.
    fn state(&self, value: f64, range: &Range) -> usize {
        let bins = BINS as f64;
        let mut bin = ((value - self.low) / self.width).floor();
        // The greatest reading so far belongs into the last bin, not above it.
        if value == range.high && bin >= bins && range.high == self.low + self.width * bins {
            bin = bins - 1.0;
        }
        (bin.clamp(-1.0, bins) + 1.0) as usize
    }

    fn rebin(&mut self, seen: &[f64], range: &Range) {
        let width = f64::max((range.high - range.low) / BINS as f64, 1e-12);
        if !self.started || self.low != range.low || self.width != width {
            (self.low, self.width) = (range.low, width);
            self.recount = [[0.0; STATES]; STATES];
            self.recount_totals = [0.0; STATES];
            self.recount_previous = None;
            self.recounted = 0;
        }
        self.started = true;
        let far = range.unit();
        for value in &seen[self.recounted..] {
            // A reading as far outside as the range is wide is wild: the pattern does not hold it, and goes on behind it.
            if *value > range.high + far || *value < range.low - far {
                continue;
            }
            let state = self.state(*value, range);
            if let Some(previous) = self.recount_previous {
                self.recount[previous][state] += 1.0;
                self.recount_totals[previous] += 1.0;
            }
            self.recount_previous = Some(state);
        }
        self.recounted = seen.len();
        self.counts = self.recount;
        self.totals = self.recount_totals;
        self.previous = self.recount_previous.unwrap_or(0);
    }
}
