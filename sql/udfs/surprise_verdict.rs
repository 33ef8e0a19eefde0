/*
[dependencies]
*/

// The detector behind the rules `surprise` and `forecast_residual`: how surprising the newest reading of a window is, by the tails of its own past.
//
// Two parts speak:
//   forecast  how far the reading is from what a linear forecast of the newest 2,000 readings expects, for single readings and for
//             means of three
//   pattern   how far the last 4 and the last 12 readings are from the nearest stretch of as many among the 2,000 readings before
//
// Each of the four distances is judged by the tail of the same distance in the past: a generalised Pareto distribution through
// its highest 5 %, which gives -log10 of the probability of a value so far out. Their sum is the surprise. One excursion in the
// past therefore does not raise the bar for the next, as it does where the maximum of the past is the bar.
//
// The verdict is a function of the window's rows alone. Nearest stretches of rows that were judged before are remembered, but
// used only where the rows are the same to the last bit, so that a memory changes the cost and never the result.
// docs/detection.md has the formulas, and what each choice was measured against.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use arroyo_udf_plugin::udf;

/// Readings that the forecast is fitted to.
const FORECAST_ROWS: usize = 2000;
/// Readings before the forecast says anything.
const FORECAST_FIRST: usize = 150;
/// Fitted rows before a scale of the forecast says anything.
const FORECAST_LEAST: usize = 100;
/// The scales of the forecast: readings that are averaged, and lags of the regression.
const SCALES: [(usize, usize); 2] = [(1, 7), (3, 4)];
/// Ridge of the regression, as a share of the mean of the squared features.
const RIDGE: f64 = 1e-3;

/// Rows in which the nearest stretch is looked for, before the row itself.
const REFERENCES: usize = 2000;
/// Rows whose distances make up the tail that the newest row's distance is judged by.
const PAST: usize = 1000;
/// Readings of the longer of the two stretches; the shorter has `SHORT`.
const LONG: usize = 12;
const SHORT: usize = 4;
/// All rows that a verdict may depend on.
const ROWS: usize = REFERENCES + PAST + LONG;
const PATTERN_FIRST: usize = 200;
const PATTERN_LEAST: usize = 50;

/// The share of the past that makes up its tail, and the greatest shape that is believed.
const TAIL_SHARE: f64 = 0.05;
const GREATEST_SHAPE: f64 = 0.4;
/// A reading is reported only if it surprises more than each of so many before it: an anomaly is reported where it begins.
const QUIET: usize = 20;
/// The band around the forecast holds what is less surprising than one in a thousand.
const BAND: f64 = 3.0;

/// The newest reading's verdict: `surprise forecast pattern expected lower upper`; NULL before there are readings enough. The
/// surprise is the sum of the two parts after it, and 0 where nothing is to be reported. `expected` is the forecast, and one
/// reading in a thousand lies outside of `lower` and `upper`. Times are in any unit that grows. `patterns` is 1 in every row
/// where both parts are asked for, and 0 where the forecast alone is.
#[udf]
fn surprise_verdict(times: Vec<i64>, values: Vec<f64>, patterns: Vec<i64>) -> Option<String> {
    let rows = values.len();
    if times.len() != rows || rows <= FORECAST_FIRST {
        return None;
    }
    let mut readings = values;
    if times.windows(2).any(|pair| pair[0] > pair[1]) {
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by_key(|row| times[*row]);
        readings = order.into_iter().map(|row| readings[row]).collect();
    }
    let with_pattern = patterns.last() == Some(&1);
    let verdict = judge(&readings[rows.saturating_sub(ROWS)..], with_pattern, Some(&MEMORY))?;
    let [lower, upper] = verdict.band;
    let (forecast, pattern) = if verdict.begins { (verdict.forecast, verdict.pattern) } else { (0.0, 0.0) };
    Some(format!("{} {forecast} {pattern} {} {lower} {upper}", forecast + pattern, verdict.expected))
}

/// What the newest reading is to the window before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub forecast: f64,
    pub pattern: f64,
    /// Whether the sum of both is above that of each of the `QUIET` readings before, as the same window sees them.
    pub begins: bool,
    pub expected: f64,
    pub band: [f64; 2],
}

/// The verdict for the newest of the readings, which are in order of time; `None` where there are too few.
pub fn judge(readings: &[f64], with_pattern: bool, memory: Option<&Mutex<Memory>>) -> Option<Verdict> {
    if readings.len() <= FORECAST_FIRST {
        return None;
    }
    // Squares of readings beyond this could overflow; a power of two changes no digit.
    let scaled: Vec<f64>;
    let (window, unit) = if largest(readings) > 1e100 {
        let unit = 2f64.powi(-600);
        scaled = readings.iter().map(|reading| reading * unit).collect();
        (scaled.as_slice(), unit)
    } else {
        (readings, 1.0)
    };
    let mut verdict = Verdict { forecast: 0.0, pattern: 0.0, begins: false, expected: 0.0, band: [0.0; 2] };
    let mut before = [0.0; QUIET];
    judge_forecast(window, unit, &mut verdict, &mut before);
    if with_pattern && window.len() >= PATTERN_FIRST {
        let mut stretches = Stretches::recall(window, memory);
        // Nothing but a surprise is worth the whole past, nor one that the forecast alone saw before: the pattern's part of the
        // rows before can only add to theirs.
        if stretches.in_tail(window) || before.iter().all(|earlier| verdict.forecast > *earlier) {
            judge_pattern(stretches.all(window), &mut verdict, &mut before);
        }
        if let Some(memory) = memory {
            stretches.remember(window, memory);
        }
    }
    let surprise = verdict.forecast + verdict.pattern;
    verdict.begins = surprise.is_finite() && surprise > 0.0 && before.iter().all(|earlier| surprise > *earlier);
    Some(verdict)
}

fn judge_forecast(window: &[f64], unit: f64, verdict: &mut Verdict, before: &mut [f64; QUIET]) {
    let newest = &window[window.len().saturating_sub(FORECAST_ROWS)..];
    let floor = f64::max(1e-6 * largest(split(newest).0), 1e-12);
    let scales = SCALES.map(|(width, lags)| Scale::fit(newest, width, lags));
    let surprises = scales.iter().flatten().any(|scale| in_tail(&scale.residuals));
    for (nth, scale) in scales.iter().enumerate() {
        let Some(scale) = scale else { continue };
        let (past, z) = split(&scale.residuals);
        if nth == 0 || surprises {
            let tail = Tail::new(past, floor);
            verdict.forecast += tail.score(z, Some(past));
            if surprises {
                for (sum, residual) in before.iter_mut().zip(&past[past.len() - QUIET..]) {
                    *sum += tail.score(*residual, Some(past));
                }
            }
            if nth == 0 {
                let width = tail.value_at(BAND);
                verdict.expected = scale.forecast / unit;
                verdict.band = [(scale.forecast - width) / unit, (scale.forecast + width) / unit];
            }
        }
    }
}

fn judge_pattern(distances: [&[f64]; 2], verdict: &mut Verdict, before: &mut [f64; QUIET]) {
    for distances in distances.into_iter().filter(|distances| distances.len() >= PATTERN_LEAST) {
        let (past, z) = split(distances);
        let tail = Tail::new(past, 1e-12);
        verdict.pattern += tail.score(z, None);
        for (sum, distance) in before.iter_mut().zip(&past[past.len() - QUIET..]) {
            *sum += tail.score(*distance, None);
        }
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| f64::max(most, value.abs()))
}

/// The past and its newest.
fn split(values: &[f64]) -> (&[f64], f64) {
    values.split_last().map_or((values, 0.0), |(newest, past)| (past, *newest))
}

/// The rank, from 0 and the least, of the value above which the tail begins.
fn tail_rank(count: usize) -> usize {
    ((1.0 - TAIL_SHARE) * (count - 1) as f64) as usize
}

/// Whether the newest of the values lies in the tail of those before.
fn in_tail(values: &[f64]) -> bool {
    let (past, z) = split(values);
    let needed = past.len() - tail_rank(past.len());
    past.iter().filter(|value| **value >= z).take(needed).count() < needed
}

/// The upper tail of a sample: a generalised Pareto distribution over what exceeds its 95th percentile, fitted by moments.
struct Tail {
    threshold: f64,
    share: f64,
    shape: f64,
    width: f64,
    top: f64,
}

impl Tail {
    fn new(past: &[f64], floor: f64) -> Self {
        let count = past.len();
        // Distances are not negative, and the bits of such numbers are in the numbers' own order.
        let mut sorted: Vec<u64> = past.iter().map(|value| value.to_bits()).collect();
        let (_, threshold, above) = sorted.select_nth_unstable(tail_rank(count));
        let threshold = *threshold;
        let top = f64::from_bits(above.iter().fold(threshold, |most, value| most.max(*value)));
        let threshold = f64::from_bits(threshold);
        let (mut exceeding, mut sum, mut squares) = (0usize, 0.0, 0.0);
        for value in past {
            if *value > threshold {
                let excess = value - threshold;
                exceeding += 1;
                sum += excess;
                squares += excess * excess;
            }
        }
        let (mut shape, mut width, mut share) = (0.0, 0.0, 1.0 / (count as f64 + 1.0));
        if exceeding > 0 {
            share = exceeding as f64 / count as f64;
            let mean = sum / exceeding as f64;
            let variance = squares / exceeding as f64 - mean * mean;
            if variance > mean * mean {
                shape = f64::min(0.5 * (1.0 - mean * mean / variance), GREATEST_SHAPE);
            }
            width = mean * (1.0 - shape);
        }
        Tail { threshold, share, shape, width: width.max(0.02 * threshold).max(floor), top }
    }

    /// -log10 of the probability of a value as great as `z`. Given the past, what lies within it scores no more than its rank allows.
    fn score(&self, z: f64, past: Option<&[f64]>) -> f64 {
        let excess = z - self.threshold;
        if excess <= 0.0 {
            return 0.0;
        }
        let relative = excess / self.width;
        let decades = if self.shape > 1e-6 { (1.0 + self.shape * relative).ln() / self.shape } else { relative };
        let score = -self.share.log10() + decades / std::f64::consts::LN_10;
        match past {
            Some(past) if z <= self.top => {
                let as_great = past.iter().filter(|value| **value >= z).count();
                score.min(((past.len() as f64 + 1.0) / (1.0 + as_great as f64)).log10())
            }
            _ => score,
        }
    }

    /// The value that scores so much, not counting ranks.
    fn value_at(&self, score: f64) -> f64 {
        let decades = (score + self.share.log10()).max(0.0) * std::f64::consts::LN_10;
        let relative = if self.shape > 1e-6 { ((self.shape * decades).exp() - 1.0) / self.shape } else { decades };
        self.threshold + self.width * relative
    }
}

/// The forecast at one scale: a ridge regression of the mean of the newest readings on the means before it, all relative to the
/// last of these.
struct Scale {
    /// How far each row was from its forecast, the newest last.
    residuals: Vec<f64>,
    forecast: f64,
}

impl Scale {
    /// Fits on all rows but the newest.
    ///
    /// With `step` i the mean at i less the mean `width` rows before, the target is the newest step and the features, means
    /// relative to the last mean before, are sums of 1, 2, … steps before it. All products of features are therefore sums of
    /// products of two steps, and such a product is shared by all pairs of lags that lie equally far apart.
    fn fit(readings: &[f64], width: usize, lags: usize) -> Option<Self> {
        let reach = lags * width;
        if readings.len() < 2 * width - 1 + reach + FORECAST_LEAST {
            return None;
        }
        let means: Vec<f64> = if width == 1 {
            readings.to_vec()
        } else {
            let mean = |window: &[f64]| window.iter().rev().fold(0.0, |sum, value| sum + value) / width as f64;
            readings.windows(width).map(mean).collect()
        };
        let steps: Vec<f64> = means[width..].iter().zip(&means).map(|(mean, before)| mean - before).collect();
        let rows = steps.len() - reach;
        let lagged = |lag: usize| &steps[reach - lag * width..][..rows];
        let weights = solve(&products(&steps[..steps.len() - 1], width, lags));
        // The weight of a step is that of all features that it is part of.
        let mut residuals = lagged(0).to_vec();
        let mut forecast = means[means.len() - 1 - width];
        let mut weight = 0.0;
        for lag in (1..=lags).rev() {
            weight += weights[lag - 1];
            let steps = lagged(lag);
            for (residual, step) in residuals.iter_mut().zip(steps) {
                *residual += weight * step;
            }
            forecast -= weight * steps[rows - 1];
        }
        residuals.iter_mut().for_each(|residual| *residual = residual.abs());
        Some(Scale { residuals, forecast })
    }
}

/// The products of the features with each other and with the target, over all rows: row `a` holds those of feature `a` with the
/// features 0 to `a`, then with the target.
fn products(steps: &[f64], width: usize, lags: usize) -> Vec<Vec<f64>> {
    let reach = lags * width;
    // of[later][earlier]: the step `later` lags before the row, times the one `earlier` lags before it.
    let mut of = vec![vec![0.0; lags + 1]; lags + 1];
    for apart in 0..=lags {
        // Products of two steps so far apart, by the place of the later one. The middle belongs to the sums of all lags.
        let apart_rows = apart * width;
        let (first, last) = (reach, steps.len() - (lags - apart) * width);
        let sum = |from: usize, to: usize| dot(&steps[from..to], &steps[from - apart_rows..to - apart_rows]);
        let middle = sum(first, last);
        for later in 0..=lags - apart {
            let shift = later * width;
            let edges = sum(first - shift, first) + sum(last, steps.len() - shift);
            of[later][later + apart] = middle + edges;
            of[later + apart][later] = middle + edges;
        }
    }
    // A feature is less the sum of the steps up to its lag.
    let mut features = vec![vec![0.0; lags + 1]; lags + 1];
    for a in 1..=lags {
        for b in 1..=lags {
            features[a][b] = of[a][b] + features[a - 1][b] + features[a][b - 1] - features[a - 1][b - 1];
        }
    }
    let mut target = 0.0;
    (1..=lags)
        .map(|a| {
            target -= of[0][a];
            let mut row = features[a][1..=a].to_vec();
            row.push(target);
            row
        })
        .collect()
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (left, right) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The weights of a ridge regression. Row `a` of `products` holds the products of feature `a` with features 0 to `a`, then with
/// the target. All weights are 0 where the features are: of a series flat so far the forecast is the value before.
fn solve(products: &[Vec<f64>]) -> Vec<f64> {
    let count = products.len();
    let trace: f64 = products.iter().enumerate().map(|(nth, row)| row[nth]).sum();
    let mut weights: Vec<f64> = products.iter().map(|row| row[row.len() - 1]).collect();
    if trace <= 0.0 {
        return vec![0.0; count];
    }
    let mut matrix: Vec<Vec<f64>> = products.to_vec();
    for (nth, row) in matrix.iter_mut().enumerate() {
        row[nth] += RIDGE * trace / count as f64;
    }
    // Cholesky: the matrix is positive definite by its ridge.
    for row in 0..count {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| matrix[row][k] * matrix[column][k]).sum();
            let rest = matrix[row][column] - known;
            matrix[row][column] = if row == column { rest.sqrt() } else { rest / matrix[column][column] };
        }
    }
    for row in 0..count {
        let known: f64 = (0..row).map(|k| matrix[row][k] * weights[k]).sum();
        weights[row] = (weights[row] - known) / matrix[row][row];
    }
    for row in (0..count).rev() {
        let known: f64 = (row + 1..count).map(|k| matrix[k][row] * weights[k]).sum();
        weights[row] = (weights[row] - known) / matrix[row][row];
    }
    weights
}

/// How far the stretches that end in the newest rows are from the nearest stretch before: for `SHORT` and for `LONG` readings, of
/// as many of the newest rows as were asked for yet, the newest last.
struct Stretches {
    distances: [Vec<f64>; 2],
    /// The oldest known row of the window.
    from: usize,
    /// The window backwards, so that rising lags are neighbours in memory.
    backwards: Vec<f64>,
}

/// Rows that are worked out at a time, where older ones are needed.
const BLOCK: usize = 64;
/// Lags that are worked on at a time, so that all sums of them stay in the fastest cache.
const LAGS: usize = 256;

impl Stretches {
    /// What is remembered of the window before this one, and the rest still to do.
    fn recall(window: &[f64], memory: Option<&Mutex<Memory>>) -> Self {
        let rows = window.len();
        let backwards: Vec<f64> = window.iter().rev().copied().collect();
        let mut stretches = Stretches { distances: [Vec::new(), Vec::new()], from: rows, backwards };
        if let Some(known) = memory.and_then(|memory| Memory::take(memory, window)) {
            let judged = rows - known.newer;
            let oldest = oldest_row(rows);
            let from = usize::max(judged - known.distances[0].len(), oldest);
            stretches.distances = known.distances.map(|mut distances| {
                distances.drain(..distances.len() - (judged - from));
                distances
            });
            stretches.from = from;
            for row in judged..rows {
                let [short, long] = stretches.nearest(window, row, row + 1);
                stretches.distances[0].extend(short);
                stretches.distances[1].extend(long);
            }
        }
        stretches
    }

    /// Works out as many older rows as the tail needs.
    fn extend(&mut self, window: &[f64]) {
        let from = usize::max(self.from.saturating_sub(BLOCK), oldest_row(window.len()));
        let older = self.nearest(window, from, self.from);
        for (distances, mut all) in self.distances.iter_mut().zip(older) {
            all.append(distances);
            *distances = all;
        }
        self.from = from;
    }

    /// Whether one of the newest distances lies in the tail of those before. Most rows' do not, which the newest part of the past
    /// mostly tells already.
    fn in_tail(&mut self, window: &[f64]) -> bool {
        let oldest = oldest_row(window.len());
        // The first rows of a series have no stretch of the longer length before them.
        let first = [oldest, usize::max(oldest, 2 * LONG - 1)];
        loop {
            let settled = [0, 1].map(|length| {
                let total = window.len() - 1 - first[length];
                let needed = total - tail_rank(total);
                let (past, z) = split(&self.distances[length]);
                let as_great = past.iter().rev().filter(|distance| **distance >= z && distance.is_finite());
                total + 1 < PATTERN_LEAST || as_great.take(needed).count() >= needed
            });
            if settled == [true; 2] {
                return false;
            }
            if self.from == oldest {
                return true;
            }
            self.extend(window);
        }
    }

    /// The distances of all rows, as far as there are any.
    fn all(&mut self, window: &[f64]) -> [&[f64]; 2] {
        let oldest = oldest_row(window.len());
        while self.from > oldest {
            self.extend(window);
        }
        self.distances.each_ref().map(|distances| {
            let none = distances.iter().take_while(|distance| distance.is_infinite()).count();
            &distances[none..]
        })
    }

    /// The distances of some rows. The sums of squares are made by doubling, 2 = 1 + 1, 4 = 2 + 2, 12 = 4 + 4 + 4, the same for
    /// for any rows that are asked for, so that they are equal to the last bit.
    fn nearest(&self, window: &[f64], from: usize, to: usize) -> [Vec<f64>; 2] {
        let mut nearest = [vec![f64::INFINITY; to - from], vec![f64::INFINITY; to - from]];
        let start = usize::max(from.saturating_sub(LONG - 1), 1);
        let mut ones = [0.0; LAGS];
        let mut twos = [(); 3].map(|()| Box::new([0.0; LAGS]));
        let mut fours = [(); 9].map(|()| Box::new([0.0; LAGS]));
        for lag in (0..=REFERENCES).step_by(LAGS) {
            for row in start..to {
                // Lags from `lag` on, up to the row's oldest reference.
                let lags = usize::min(LAGS, (usize::min(REFERENCES, row) + 1).saturating_sub(lag));
                let before = &self.backwards[window.len() - 1 - row + lag.min(row)..][..lags];
                let reading = window[row];
                // The arrays of the rows before move back by one; what falls out at the end becomes the newest.
                twos.rotate_right(1);
                fours.rotate_right(1);
                let ([newest, _, second], [fourth, _, _, _, middle, _, _, _, oldest]) = (&mut twos, &mut fours);
                for (((two, four), one), (before, second)) in
                    newest.iter_mut().zip(fourth.iter_mut()).zip(&mut ones).zip(before.iter().zip(&**second))
                {
                    let difference = reading - before;
                    let square = difference * difference;
                    *two = square + *one;
                    *one = square;
                    *four = *two + second;
                }
                if row < from {
                    continue;
                }
                let within = |stretch: usize| {
                    let end = usize::min(lags, (row + 2).saturating_sub(stretch + lag));
                    usize::min(stretch.saturating_sub(lag), end)..end
                };
                let short = within(SHORT);
                let least = &mut nearest[0][row - from];
                *least = least.min(minimum(&fourth[short]));
                let long = within(LONG);
                let least = &mut nearest[1][row - from];
                *least = least.min(minimum_of_sums(&fourth[long.clone()], &middle[long.clone()], &oldest[long]));
            }
        }
        nearest.map(|squares| squares.into_iter().map(f64::sqrt).collect())
    }

    /// Keeps the distances for the window that comes next.
    fn remember(self, window: &[f64], memory: &Mutex<Memory>) {
        Memory::put(memory, Known { window: window.to_vec(), distances: self.distances, newer: 0, used: 0 });
    }
}

/// The oldest row whose distances count.
fn oldest_row(rows: usize) -> usize {
    usize::max(rows.saturating_sub(PAST + 1), LONG)
}

const LANES: usize = 4;

fn minimum(values: &[f64]) -> f64 {
    let mut least = [f64::INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder().iter().fold(f64::INFINITY, |least, value| value.min(least));
    for chunk in chunks {
        for lane in 0..LANES {
            least[lane] = if chunk[lane] < least[lane] { chunk[lane] } else { least[lane] };
        }
    }
    least.into_iter().fold(rest, f64::min)
}

fn minimum_of_sums(first: &[f64], second: &[f64], third: &[f64]) -> f64 {
    let mut least = [f64::INFINITY; LANES];
    let (a, b, c) = (first.chunks_exact(LANES), second.chunks_exact(LANES), third.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder()).zip(c.remainder());
    let rest = rest.fold(f64::INFINITY, |least, ((a, b), c)| least.min(a + b + c));
    for ((a, b), c) in a.zip(b).zip(c) {
        for lane in 0..LANES {
            let sum = a[lane] + b[lane] + c[lane];
            least[lane] = if sum < least[lane] { sum } else { least[lane] };
        }
    }
    least.into_iter().fold(rest, f64::min)
}

/// The series that are remembered: about 40 kB each. Those beyond it are worked out anew at every reading.
const REMEMBERED: usize = 1024;
/// A series that was not judged for so many verdicts makes room for another.
const FORGOTTEN: u64 = 4 * REMEMBERED as u64;
/// Rows that tell one series from another, before all are compared.
const TELLING: usize = 256;
/// New readings since the window before that a memory is searched for.
const NEWER: usize = 4;

static MEMORY: Mutex<Memory> = Mutex::new(Memory::new());

/// Windows that were judged, and their distances.
#[derive(Default)]
pub struct Memory {
    series: BTreeMap<u64, Known>,
    verdicts: u64,
}

struct Known {
    window: Vec<f64>,
    distances: [Vec<f64>; 2],
    /// Rows that the window at hand has beyond this one.
    newer: usize,
    used: u64,
}

impl Known {
    /// Whether the distances are also those of another window, which has some newer rows: the rows that both have are the same,
    /// and no row's references begin later than they did.
    fn holds_for(&self, window: &[f64], newer: usize) -> bool {
        let Some(common) = window.len().checked_sub(newer) else { return false };
        let Some(dropped) = self.window.len().checked_sub(common) else { return false };
        (dropped == 0 || window.len() == ROWS) && self.window[dropped..] == window[..common]
    }
}

impl Memory {
    pub const fn new() -> Self {
        Memory { series: BTreeMap::new(), verdicts: 0 }
    }

    fn take(memory: &Mutex<Memory>, window: &[f64]) -> Option<Known> {
        let tries = [1, 0].into_iter().chain(2..=NEWER).filter(|newer| *newer < window.len());
        for newer in tries {
            let key = key(&window[..window.len() - newer]);
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            if memory.series.get(&key).is_some_and(|known| known.holds_for(window, newer)) {
                return memory.series.remove(&key).map(|known| Known { newer, ..known });
            }
        }
        None
    }

    fn put(memory: &Mutex<Memory>, known: Known) {
        let key = key(&known.window);
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.verdicts += 1;
        let now = memory.verdicts;
        if memory.series.len() >= REMEMBERED {
            let idle = memory.series.iter().min_by_key(|(_, known)| known.used).map(|(key, known)| (*key, known.used));
            match idle {
                Some((key, used)) if used + FORGOTTEN < now => memory.series.remove(&key),
                _ => return,
            };
        }
        memory.series.insert(key, Known { used: now, ..known });
    }
}

fn key(window: &[f64]) -> u64 {
    let telling = &window[window.len().saturating_sub(TELLING)..];
    telling.iter().fold(0, |key: u64, value| {
        // The multiplier of Knuth's MMIX, and the halves mixed: most readings have few digits, and zeros at the end of theirs.
        let key = (key ^ value.to_bits()).wrapping_mul(6_364_136_223_846_793_005);
        key ^ (key >> 32)
    })
}
