//! Detectors that others use, written here once to be measured beside the rules: causal, one set of parameters for every series.
//! A score a row, in any unit that grows.

/// A detector: a score for each reading, from those before it.
pub(crate) type Peer = fn(&[f64]) -> Vec<f64>;

pub(crate) const PEERS: [(&str, Peer); 4] = [
    ("band by slot of day (as CloudWatch's)", band),
    ("DSPOT", dspot),
    ("S-H-ESD, two weeks", s_h_esd),
    ("matrix profile, 12 rows", matrix_profile),
];

/// Rows of a day, where a row is five minutes.
const DAY: usize = 288;
const WINDOW: usize = 2016;

#[expect(clippy::cast_precision_loss, reason = "rows of a file")]
fn number(count: usize) -> f64 {
    count as f64
}

/// A level and the habit of each slot of the day, both exponentially weighted; how many usual deviations a reading is from both.
fn band(values: &[f64]) -> Vec<f64> {
    let Some(first) = values.first() else { return Vec::new() };
    let (mut level, mut deviation) = (*first, 0.0);
    let mut slots = vec![0.0; DAY];
    let mut scores = Vec::with_capacity(values.len());
    for (row, (value, slot)) in values.iter().zip((0..DAY).cycle()).enumerate() {
        let Some(habit) = slots.get_mut(slot) else { break };
        let error = value - level - *habit;
        scores.push(if row < WINDOW / 7 || deviation <= 0.0 { 0.0 } else { error.abs() / deviation });
        let weight = f64::max(1.0 / (number(row) + 1.0), 0.005);
        deviation += weight * (error.abs() - deviation);
        level += weight * (value - *habit - level);
        *habit += 0.2 * (value - level - *habit);
    }
    scores
}

/// Siffer and others, "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017: the tail of how far readings are from
/// the mean of the ten before, fitted by moments. A reading beyond a probability of 10⁻⁴ is not learnt from.
fn dspot(values: &[f64]) -> Vec<f64> {
    const DEPTH: usize = 10;
    const LEARNING: usize = 500;
    const LEVEL: f64 = 0.98;
    let mut scores = vec![0.0; values.len()];
    let (mut learnt, mut excesses): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut bound = f64::INFINITY;
    let mut normal: Vec<f64> = Vec::new();
    for (value, score) in values.iter().zip(&mut scores) {
        let recent = normal.get(normal.len().saturating_sub(DEPTH)..).unwrap_or_default();
        let mean = recent.iter().sum::<f64>() / number(recent.len()).max(1.0);
        let far = if recent.is_empty() { 0.0 } else { (value - mean).abs() };
        if learnt.len() < LEARNING {
            learnt.push(far);
            normal.push(*value);
            if learnt.len() == LEARNING {
                bound = quantile(&mut learnt.clone(), LEVEL);
                excesses = learnt.iter().map(|far| far - bound).filter(|excess| *excess > 0.0).collect();
            }
            continue;
        }
        learnt.push(far);
        if far > bound {
            *score = tail(&excesses, learnt.len(), far - bound);
            if *score < 4.0 {
                excesses.push(far - bound);
                normal.push(*value);
            }
        } else {
            normal.push(*value);
        }
    }
    scores
}

/// -log10 of the probability of an excess, by a generalised Pareto distribution.
fn tail(excesses: &[f64], of: usize, excess: f64) -> f64 {
    let count = number(excesses.len()).max(1.0);
    let mean = (excesses.iter().sum::<f64>() / count).max(1e-12);
    let variance = excesses.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / count;
    let shape = if variance > 0.0 { (0.5 * (1.0 - mean * mean / variance)).clamp(-0.5, 0.45) } else { 0.0 };
    let relative = excess / (mean * (1.0 - shape));
    let decades =
        if shape.abs() < 1e-6 { relative } else { (1.0 + shape * relative).max(1e-300).ln().abs() / shape.abs() };
    -(count / number(of)).log10() + decades / std::f64::consts::LN_10
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank among the values")]
    let rank = (share * number(values.len() - 1)) as usize;
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// Hochenbaum and others, "Automatic Anomaly Detection in the Cloud Via Statistical Learning", 2017, as a band: what remains
/// without the window's median and the median of the slot of day, in median absolute deviations.
fn s_h_esd(values: &[f64]) -> Vec<f64> {
    let mut remainders: Vec<f64> = Vec::with_capacity(values.len());
    let mut scores = Vec::with_capacity(values.len());
    for (row, value) in values.iter().enumerate() {
        let first = row.saturating_sub(WINDOW);
        let median = quantile(&mut values.get(first..row).unwrap_or_default().to_vec(), 0.5);
        let slot = (1..=14).filter_map(|day| row.checked_sub(day * DAY)).filter_map(|row| values.get(row));
        let mut slot: Vec<f64> = slot.map(|value| value - median).collect();
        let season = if slot.len() < 3 { 0.0 } else { quantile(&mut slot, 0.5) };
        let remainder = value - median - season;
        let past = remainders.get(first..).unwrap_or_default();
        let deviation = quantile(&mut past.iter().map(|r: &f64| r.abs()).collect::<Vec<_>>(), 0.5);
        let floor = 1e-6 * median.abs().max(1e-6);
        scores.push(if row < DAY { 0.0 } else { remainder.abs() / deviation.max(floor) });
        remainders.push(remainder);
    }
    scores
}

/// Yeh and others, "Matrix Profile I", ICDM 2016, to the left only: the distance of the last twelve readings, put to mean 0 and
/// deviation 1, to the nearest of the 2,000 stretches before; in deviations from the mean of the last 1,000 such distances.
fn matrix_profile(values: &[f64]) -> Vec<f64> {
    const LENGTH: usize = 12;
    const PAST: usize = 1000;
    let stretches: Vec<Vec<f64>> = values.windows(LENGTH).map(normalised).collect();
    let mut distances: Vec<f64> = Vec::with_capacity(stretches.len());
    let mut scores = vec![0.0; values.len().min(LENGTH - 1)];
    for (nth, stretch) in stretches.iter().enumerate() {
        let before = stretches.get(nth.saturating_sub(2000)..nth.saturating_sub(LENGTH - 1)).unwrap_or_default();
        let squares = |other: &Vec<f64>| stretch.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let nearest = before.iter().map(squares).fold(f64::INFINITY, f64::min);
        let distance = if nearest.is_finite() { nearest.sqrt() } else { 0.0 };
        let past = distances.get(nth.saturating_sub(PAST)..).unwrap_or_default();
        let mean = past.iter().sum::<f64>() / number(past.len()).max(1.0);
        let deviation = (past.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / number(past.len()).max(1.0)).sqrt();
        scores.push(if past.len() < 200 || deviation <= 0.0 { 0.0 } else { ((distance - mean) / deviation).max(0.0) });
        distances.push(distance);
    }
    scores
}

fn normalised(stretch: &[f64]) -> Vec<f64> {
    let count = number(stretch.len());
    let mean = stretch.iter().sum::<f64>() / count;
    let deviation = (stretch.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    stretch.iter().map(|value| if deviation > 1e-12 { (value - mean) / deviation } else { 0.0 }).collect()
}
