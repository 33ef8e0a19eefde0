/*
[dependencies]
*/

// Random Cut Forest over a window, as the function of that name in Kinesis Data Analytics for SQL had it: a score of how much a
// record stands out among the records before, and the part of it that each column has.
//
// A tree cuts a sample of the records at random, a column with a chance in proportion to its range, until each is alone. A record
// that stands out is alone after few cuts. The score is that of AWS's own library (aws/random-cut-forest-by-aws, ScoreVisitor and
// AnomalyAttributionVisitor): with the chance of each cut of the way to set the record apart before the cut is made, 1 / (depth +
// 1), summed over the way, times log2(sample + 1), mean over the trees. About 1 is usual. Guha et al., "Robust Random Cut Forest
// Based Anomaly Detection on Streams", ICML 2016.
//
// AWS's forest is fed record by record for ever, and what it says depends on all that it was ever fed. Here the samples are drawn
// anew from the window: a record's chance falls with its age as there, and its lot is a hash of tree and time. The verdict is
// therefore a function of the window's rows alone, after a restart and on another engine too, and of each tree only the one way
// that the newest record takes is ever grown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arroyo_udf_plugin::udf;

/// What the lots of all trees begin from.
const SEED: u64 = 0x5745_4952;
/// Records before the forest says anything, besides those that a shingle needs.
const FIRST: usize = 64;
/// An anomaly is reported where it begins: where the score is by this factor above that of each of so many records before it.
const QUIET: usize = 20;
const QUIET_FACTOR: f64 = 1.15;
/// Scores below this are usual, and not worth a look at the records before.
const LEAST: f64 = 1.2;
/// The limits of Kinesis Data Analytics: trees, records of a sample, columns, records of a shingle and coordinates in all.
const MOST_TREES: i64 = 1000;
const MOST_SAMPLE: i64 = 1000;
const MOST_SHINGLE: i64 = 30;
const MOST_COLUMNS: usize = 16;

/// The newest record's verdict, `score value begins {"COLUMN":{"ATTRIBUTION_SCORE":…},…}`; NULL before there are records enough.
/// The attributions sum up to the score, and `value` is that of the column which has most of it. `begins` is 0 where a record
/// shortly before had about that score already, else 1. A record is all rows of one time; a column that is not in it has its
/// value before.
///
/// `number_of_trees` (100), `sub_sample_size` (256), `time_decay` (100000, in records), `shingle_size` (1) and
/// `with_directionality` (0) are the function's arguments in Kinesis Data Analytics, with its defaults in brackets, the same in
/// every row. With directionality a column also has a `DIRECTION`, `HIGH` or `LOW`, and its `STRENGTH`.
#[udf]
fn random_cut_forest(
    times: Vec<i64>,
    columns: Vec<&str>,
    values: Vec<f64>,
    number_of_trees: Vec<i64>,
    sub_sample_size: Vec<i64>,
    time_decay: Vec<i64>,
    shingle_size: Vec<i64>,
    with_directionality: Vec<i64>,
) -> Option<String> {
    let forest = Forest {
        trees: number_of_trees.last()?.clamp(&1, &MOST_TREES).unsigned_abs(),
        sample: usize::try_from(*sub_sample_size.last()?.clamp(&2, &MOST_SAMPLE)).ok()?,
        decay: *time_decay.last()?.max(&1) as f64,
    };
    let shingle = usize::try_from(*shingle_size.last()?.clamp(&1, &MOST_SHINGLE)).ok()?;
    let records = Records::read(&times, &columns, &values)?;
    let points = records.shingled(shingle)?;
    let found = forest.score(&points);
    let by_column = found.by_column(records.names.len());
    let most = by_column.iter().enumerate().max_by(|(_, a), (_, b)| a.total().total_cmp(&b.total()))?.0;
    let begins = u8::from(forest.begins(&points, found.score));
    let mut text = format!("{} {} {begins} {{", found.score, records.newest[most]);
    for (nth, (name, part)) in records.names.iter().zip(&by_column).enumerate() {
        let comma = if nth > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{}:{{\"ATTRIBUTION_SCORE\":{}", quoted(name), part.total());
        if with_directionality.last() == Some(&1) {
            let direction = if part.high >= part.low { "HIGH" } else { "LOW" };
            let _ = write!(text, ",\"DIRECTION\":\"{direction}\",\"STRENGTH\":{}", (part.high - part.low).abs());
        }
        text.push('}');
    }
    text.push('}');
    Some(text)
}

/// A name as JSON text.
fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    text.push('"');
    for letter in name.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", control as u32);
            }
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// The window's rows as records of the same columns.
struct Records<'a> {
    names: Vec<&'a str>,
    times: Vec<i64>,
    /// Record by record, the oldest first.
    values: Vec<f64>,
    /// The newest record as it came.
    newest: Vec<f64>,
}

impl<'a> Records<'a> {
    fn read(times: &[i64], columns: &[&'a str], values: &[f64]) -> Option<Self> {
        if times.len() != values.len() || columns.len() != values.len() {
            return None;
        }
        let mut by_time: BTreeMap<i64, Vec<(&str, f64)>> = BTreeMap::new();
        let mut names: BTreeMap<&'a str, usize> = BTreeMap::new();
        for ((time, column), value) in times.iter().zip(columns).zip(values) {
            if names.len() < MOST_COLUMNS || names.contains_key(column) {
                names.insert(column, 0);
                by_time.entry(*time).or_default().push((column, *value));
            }
        }
        for (nth, place) in names.values_mut().enumerate() {
            *place = nth;
        }
        let mut latest = vec![f64::NAN; names.len()];
        let mut records = Records {
            names: names.keys().copied().collect(),
            times: Vec::new(),
            values: Vec::new(),
            newest: Vec::new(),
        };
        for (time, mut row) in by_time {
            // The value taken of several does not depend on the order in which they came.
            row.sort_by(|(a, x), (b, y)| a.cmp(b).then(x.total_cmp(y)));
            for (column, value) in row {
                if let Some(place) = names.get(column) {
                    latest[*place] = value;
                }
            }
            if latest.iter().all(|value| value.is_finite()) {
                records.times.push(time);
                records.values.extend(&latest);
            }
        }
        records.newest = latest;
        records.scale();
        Some(records)
    }

    /// Columns of different units would not be cut alike: each is put in units of its standard deviation, from its mean.
    fn scale(&mut self) {
        let columns = self.names.len();
        for column in 0..columns {
            let values = || self.values.iter().skip(column).step_by(columns);
            let most = values().fold(0.0, |most: f64, value| most.max(value.abs()));
            if most == 0.0 {
                continue;
            }
            let count = self.times.len() as f64;
            let mean = values().map(|value| value / most).sum::<f64>() / count;
            let variance = values().map(|value| (value / most - mean).powi(2)).sum::<f64>() / count;
            // What is constant but for rounding stays so.
            let unit = if variance > 1e-24 { variance.sqrt() } else { 1.0 };
            for value in self.values.iter_mut().skip(column).step_by(columns) {
                *value = (*value / most - mean) / unit;
            }
        }
    }

    /// Each record with those before it, as one point: the oldest first, the columns of a record side by side.
    fn shingled(&self, shingle: usize) -> Option<Points> {
        let columns = self.names.len();
        let count = (self.times.len() + 1).checked_sub(shingle).filter(|count| *count > FIRST)?;
        let width = columns * shingle;
        let times = self.times[shingle - 1..].to_vec();
        let points = (0..count).map(|first| &self.values[first * columns..][..width]);
        Some(Points::new(times, width, points))
    }
}

/// Points of the same number of coordinates, the oldest first.
pub struct Points {
    times: Vec<i64>,
    /// Coordinates of a point.
    width: usize,
    values: Vec<Four>,
}

impl Points {
    pub fn new<'a>(times: Vec<i64>, width: usize, points: impl Iterator<Item = &'a [f64]>) -> Self {
        let mut values: Vec<Four> = Vec::with_capacity(times.len() * width.div_ceil(LANES));
        for point in points {
            for part in point.chunks(LANES) {
                let mut four = [0.0; LANES];
                for (place, value) in four.iter_mut().zip(part) {
                    *place = *value as f32;
                }
                values.push(four);
            }
        }
        Points { times, width, values }
    }
}

/// What a column or a coordinate has of a score: because the point is above others in it, and below.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Part {
    pub high: f64,
    pub low: f64,
}

impl Part {
    fn total(self) -> f64 {
        self.high + self.low
    }
}

/// A score and its parts by coordinate.
pub struct Found {
    pub score: f64,
    pub parts: Vec<Part>,
}

impl Found {
    fn by_column(&self, columns: usize) -> Vec<Part> {
        let mut sums = vec![Part::default(); columns];
        for (nth, part) in self.parts.iter().enumerate() {
            sums[nth % columns].high += part.high;
            sums[nth % columns].low += part.low;
        }
        sums
    }
}

/// How a forest is grown.
pub struct Forest {
    pub trees: u64,
    /// Records of a tree's sample.
    pub sample: usize,
    /// Records after which a record's weight in the sample has fallen to 1/e.
    pub decay: f64,
}

impl Forest {
    /// The score of the newest point among those before.
    pub fn score(&self, points: &Points) -> Found {
        self.score_of(points, points.times.len() - 1)
    }

    /// Whether the score of the newest point is clearly above that of each of those shortly before it.
    pub fn begins(&self, points: &Points, score: f64) -> bool {
        let newest = points.times.len() - 1;
        let before = (newest.saturating_sub(QUIET).max(1)..newest).rev();
        score < LEAST || before.into_iter().all(|nth| score > QUIET_FACTOR * self.score_of(points, nth).score)
    }

    fn score_of(&self, points: &Points, count: usize) -> Found {
        let fours = points.width.div_ceil(LANES);
        let (past, point) = points.values[..(count + 1) * fours].split_at(count * fours);
        let draw = Draw::new(&points.times[..count], self.sample, self.decay);
        let mut found = Found { score: 0.0, parts: vec![Part::default(); points.width] };
        let mut tree = Tree::new(points.width);
        let mut rows = Vec::new();
        for nth in 0..self.trees {
            let mut lots = Lots(SEED ^ nth.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            draw.rows(lots.next(), &mut rows);
            tree.plant(past, &rows);
            tree.visit(point, &mut lots, &mut found);
        }
        let trees = self.trees as f64;
        found.score /= trees;
        for part in &mut found.parts {
            part.high /= trees;
            part.low /= trees;
        }
        found
    }
}

/// How many different lots there are.
const LOTS: f64 = (1u64 << 53) as f64;

/// Evenly spread bits (SplitMix64).
struct Lots(u64);

impl Lots {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// Evenly spread in [0, 1).
    fn share(&mut self) -> f64 {
        share(self.next())
    }
}

fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn share(bits: u64) -> f64 {
    (bits >> 11) as f64 / LOTS
}

/// Draws a sample of rows by weight, without putting back: those of the least lot / weight (sequential Poisson sampling, Ohlsson
/// 1998).
struct Draw {
    rows: Vec<Row>,
    sample: usize,
}

struct Row {
    /// The row's time, as bits that are hashed with a tree's.
    bits: u64,
    /// 1 / weight.
    rarity: f64,
    /// A lot above this is not among the least, but for bad luck.
    most: u64,
}

impl Draw {
    fn new(times: &[i64], sample: usize, decay: f64) -> Self {
        let count = times.len();
        let weight = |row: usize| (-((count - 1 - row) as f64) / decay).exp();
        let weights: f64 = (0..count).map(weight).sum();
        // So much of all weights holds some rows more than the sample needs.
        let bound = (sample as f64 * 1.2 + 32.0) / weights;
        let row = |(nth, time): (usize, &i64)| {
            let weight = weight(nth);
            let most = (bound * weight * LOTS) as u64;
            Row { bits: mixed(time.cast_unsigned()), rarity: 1.0 / weight, most }
        };
        Draw { rows: times.iter().enumerate().map(row).collect(), sample }
    }

    /// The rows of one tree's sample.
    fn rows(&self, seed: u64, chosen: &mut Vec<(f64, usize)>) {
        chosen.clear();
        let lot = |row: &Row| {
            let bits = (row.bits ^ seed).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (bits ^ (bits >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 11
        };
        let rows = || self.rows.iter().enumerate();
        let place = |(nth, row): (usize, &Row)| (lot(row) as f64 * row.rarity, nth);
        if self.rows.len() > self.sample {
            chosen.extend(rows().filter(|(_, row)| lot(row) < row.most).map(place));
        }
        if chosen.len() < self.sample {
            chosen.clear();
            chosen.extend(rows().map(place));
        }
        if chosen.len() > self.sample {
            chosen.select_nth_unstable_by(self.sample - 1, |(a, nth), (b, other)| a.total_cmp(b).then(nth.cmp(other)));
            chosen.truncate(self.sample);
        }
    }
}

/// Four coordinates, worked on together. The last of a point may be partly empty: zeros, which have no range.
type Four = [f32; LANES];
const LANES: usize = 4;

/// A tree. Only the path of one point is grown.
struct Tree {
    /// The points below the present node, side by side.
    points: Vec<Four>,
    /// The bounds of these points.
    low: Vec<Four>,
    high: Vec<Four>,
}

/// What is left of a score when nothing of it can be seen any more.
const NEGLIGIBLE: f64 = 1e-6;

impl Tree {
    fn new(width: usize) -> Self {
        let fours = width.div_ceil(LANES);
        Tree { points: Vec::new(), low: vec![[0.0; LANES]; fours], high: vec![[0.0; LANES]; fours] }
    }

    fn plant(&mut self, points: &[Four], rows: &[(f64, usize)]) {
        let fours = self.low.len();
        self.points.clear();
        for (_, row) in rows {
            self.points.extend_from_slice(&points[row * fours..][..fours]);
        }
    }

    fn count(&self) -> f64 {
        (self.points.len() / self.low.len()) as f64
    }

    fn enclose(&mut self) {
        let fours = self.low.len();
        self.low.copy_from_slice(&self.points[..fours]);
        self.high.copy_from_slice(&self.points[..fours]);
        for point in self.points.chunks_exact(fours) {
            for ((low, high), values) in self.low.iter_mut().zip(&mut self.high).zip(point) {
                for lane in 0..LANES {
                    low[lane] = if values[lane] < low[lane] { values[lane] } else { low[lane] };
                    high[lane] = if values[lane] > high[lane] { values[lane] } else { high[lane] };
                }
            }
        }
    }

    fn ranges(&self) -> impl Iterator<Item = f64> {
        let bounds = self.low.as_flattened().iter().zip(self.high.as_flattened());
        bounds.map(|(low, high)| f64::from(*high) - f64::from(*low))
    }

    /// How far a point is outside of the bounds, above and below, coordinate by coordinate.
    fn outside(&self, point: &[Four]) -> impl Iterator<Item = (f64, f64)> {
        let bounds = self.low.as_flattened().iter().zip(self.high.as_flattened());
        bounds.zip(point.as_flattened()).map(|((low, high), value)| {
            let (low, high, value) = (f64::from(*low), f64::from(*high), f64::from(*value));
            ((value - high).max(0.0), (low - value).max(0.0))
        })
    }

    /// Adds the score of a point in this tree.
    fn visit(&mut self, point: &[Four], lots: &mut Lots, found: &mut Found) {
        let whole = self.count();
        let unit = (whole + 1.0).log2();
        // The chance that no cut so far set the point apart.
        let mut together = 1.0;
        let mut depth = 0.0;
        loop {
            self.enclose();
            let inside: f64 = self.ranges().sum();
            let outside: f64 = self.outside(point).map(|(above, below)| above + below).sum();
            if inside <= 0.0 {
                // One point, or copies of one.
                let mass = self.count();
                let score = if outside > 0.0 {
                    1.0 / (depth + 1.0)
                } else {
                    (1.0 - mass / (2.0 * whole)) / (depth + (mass + 1.0).log2())
                };
                self.add(point, together * unit * score, outside, found);
                return;
            }
            let apart = outside / (inside + outside);
            if apart > 0.0 {
                self.add(point, together * apart * unit / (depth + 1.0), outside, found);
                together *= 1.0 - apart;
                if together < NEGLIGIBLE {
                    return;
                }
            }
            self.cut(point, lots.share() * inside, lots.share());
            depth += 1.0;
        }
    }

    /// Adds to a score, and to its parts by how far the point is outside of the bounds in each coordinate.
    fn add(&self, point: &[Four], score: f64, outside: f64, found: &mut Found) {
        found.score += score;
        let even = score / (2 * found.parts.len()) as f64;
        for (part, (above, below)) in found.parts.iter_mut().zip(self.outside(point)) {
            // Where nothing sets the point apart, all coordinates have as much of it.
            part.high += if outside > 0.0 { score * above / outside } else { even };
            part.low += if outside > 0.0 { score * below / outside } else { even };
        }
    }

    /// Cuts at a place of the sum of all ranges, and keeps the points on one point's side.
    fn cut(&mut self, point: &[Four], mut place: f64, within: f64) {
        let mut chosen = 0;
        for (nth, range) in self.ranges().enumerate() {
            if range > 0.0 {
                chosen = nth;
                if place < range {
                    break;
                }
            }
            place -= range;
        }
        let (four, lane) = (chosen / LANES, chosen % LANES);
        let (low, high) = (self.low[four][lane], self.high[four][lane]);
        // Both sides have a point: the cut is below the highest.
        let cut = (f64::from(low) + within * (f64::from(high) - f64::from(low))) as f32;
        let cut = cut.clamp(low, high.next_down());
        let left = point[four][lane] <= cut;
        let fours = self.low.len();
        let mut kept = 0;
        for from in (0..self.points.len()).step_by(fours) {
            // The place behind those that are kept is written in any case: a jump for each point would cost more.
            let keep = (self.points[from + four][lane] <= cut) == left;
            for four in 0..fours {
                self.points[kept + four] = self.points[from + four];
            }
            kept += if keep { fours } else { 0 };
        }
        self.points.truncate(kept);
    }
}
