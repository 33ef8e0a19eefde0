//! One wild reading, a gap or a change of the clocks in ordinary series: which rule speaks of it, and that none speaks of
//! anything else because of it. docs/library.md has the same table.

use std::{collections::BTreeMap, collections::BTreeSet, fmt::Write as _};

use datafusion::arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

/// 2026-01-01T00:00:00Z, in milliseconds.
const START: i64 = 1_767_225_600_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The time between two readings, unless a series says otherwise.
const STEP: i64 = 10 * MINUTE;
const DAYS: i64 = 7;
/// Where the comparison ends: when series end at different times, silence is found there.
const END: i64 = DAYS * DAY - 2 * HOUR;
/// The largest number that an event may carry, nearly.
const LARGEST: f64 = 1.797e308;

/// What is wrong in the events.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Disturbance {
    /// One reading of each series is this one.
    Reading(f64),
    /// One reading of each series has the other sign.
    Sign,
    /// Two readings of each series, an hour apart: both ends of what a double can hold.
    BothLargest,
    /// Each series is silent for a day.
    Gap,
    /// The clocks of the sources go forward by an hour, and stay so.
    HourSkipped,
    /// They go back by an hour, and stay so; the events are in order of time, as history has them.
    HourRepeated,
    /// The same, in order of arrival.
    HourRepeatedLive,
    /// A source sends 3000 events within ten minutes.
    Burst,
    /// Beside each source 40 that nobody knows send three readings each.
    Strangers,
}

/// So many of the columns are of one or two wild readings.
pub(crate) const ONE_READING: usize = 9;

/// The columns of the table.
pub(crate) const DISTURBANCES: [(&str, Disturbance); 15] = [
    ("0", Disturbance::Reading(0.0)),
    ("−127", Disturbance::Reading(-127.0)),
    ("85", Disturbance::Reading(85.0)),
    ("65535", Disturbance::Reading(65535.0)),
    ("1e9", Disturbance::Reading(1e9)),
    ("1.797e308", Disturbance::Reading(LARGEST)),
    ("−1.797e308", Disturbance::Reading(-LARGEST)),
    ("both of these", Disturbance::BothLargest),
    ("other sign", Disturbance::Sign),
    ("a day's gap", Disturbance::Gap),
    ("hour skipped", Disturbance::HourSkipped),
    ("hour twice", Disturbance::HourRepeated),
    ("hour twice, live", Disturbance::HourRepeatedLive),
    ("burst", Disturbance::Burst),
    ("strangers", Disturbance::Strangers),
];

/// An ordinary series.
struct Series {
    source: &'static str,
    metric: &'static str,
    /// Its first reading, the time after its last, and the time between two, in milliseconds since the start.
    from: i64,
    until: i64,
    step: i64,
    /// When the disturbance is; none for those that are only there to be compared with.
    wild_at: Option<i64>,
    /// The reading at a time of day in turns, with a normal random number.
    usual: fn(f64, i64, f64) -> f64,
}

impl Series {
    const fn new(
        source: &'static str,
        metric: &'static str,
        wild_at: Option<i64>,
        usual: fn(f64, i64, f64) -> f64,
    ) -> Self {
        Self { source, metric, from: 0, until: DAYS * DAY, step: STEP, wild_at, usual }
    }

    const fn between(mut self, from: i64, until: i64, step: i64) -> Self {
        (self.from, self.until, self.step) = (from, until, step);
        self
    }
}

fn humid(turns: f64, _: i64, noise: f64) -> f64 {
    50.0 + 2.0 * wave(turns) + 0.5 * noise
}

fn wave(turns: f64) -> f64 {
    (turns * std::f64::consts::TAU).sin()
}

/// A reading lies at the end of an hour, so that the next is in another hour.
const fn at(day: i64, hour: i64, minute: i64) -> Option<i64> {
    Some(day * DAY + hour * HOUR + minute * MINUTE)
}

fn series() -> Vec<Series> {
    vec![
        Series::new("sine-1", "temperature", at(4, 7, 50), |turns, _, noise| 60.0 + 8.0 * wave(turns) + noise),
        Series::new("sine-1", "pressure", None, |turns, _, noise| 4.0 + 0.3 * wave(turns) + 0.02 * noise),
        Series::new("young-1", "temperature", at(0, 11, 50), |turns, _, noise| 60.0 + 8.0 * wave(turns) + noise),
        Series::new("flat-1", "temperature", at(4, 13, 20), |_, _, noise| 20.5 + 0.3 * noise),
        Series::new("coarse-1", "temperature", at(4, 3, 0), |_, _, noise| (20.0 + 1.2 * noise).round()),
        Series::new("counter-1", "total", at(4, 10, 10), |_, n, noise| 5.0 * n as f64 + noise.abs()),
        Series::new("duty-1", "load", at(4, 20, 30), |turns, _, noise| {
            if (0.33..0.5).contains(&turns) { 100.0 + 3.0 * noise } else { 10.0 + noise }
        }),
        Series::new("tail-1", "delay", at(4, 16, 40), |_, _, noise| (3.0 + noise).exp()),
        Series::new("room-1", "humidity", at(4, 12, 0), humid),
        Series::new("room-2", "humidity", None, humid),
        Series::new("room-3", "humidity", None, humid),
        Series::new("room-4", "humidity", None, humid),
        Series::new("room-5", "humidity", None, humid),
        Series::new("room-6", "humidity", None, humid),
        Series::new("room-7", "humidity", None, humid),
        Series::new("api-1", "latency_ms", at(4, 12, 2), |_, _, noise| (3.9 + 0.6 * noise).exp()).between(
            4 * DAY + 11 * HOUR,
            4 * DAY + 13 * HOUR,
            3000,
        ),
        Series::new("traffic-1", "hit", at(4, 12, 2), |_, _, _| 1.0).between(3 * DAY, 6 * DAY, MINUTE),
        Series::new("job-1", "error", at(4, 12, 0), |_, _, noise| if noise > 2.0 { 1.0 } else { 0.0 }),
    ]
}

/// Normal random numbers, the same on every machine (splitmix64, Box and Muller).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((bits ^ (bits >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

struct Event {
    arrival: i64,
    time: i64,
    line: String,
}

fn event(arrival: i64, time: i64, source: &str, metric: &str, value: f64) -> Event {
    let timestamp = START + time;
    let line =
        format!("{{\"timestamp\":{timestamp},\"value\":{value:e},\"source\":\"{source}\",\"metric\":\"{metric}\"}}\n");
    Event { arrival, time, line }
}

/// The events, and between which times each key is disturbed. A key is a series, a source or a metric, as rules have it.
pub(crate) fn events(disturbance: Option<Disturbance>) -> (String, BTreeMap<String, Vec<(i64, i64)>>) {
    let mut events = Vec::new();
    let mut disturbed: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    let mut mark = |source: &str, metric: &str, from: i64, until: i64| {
        for key in [format!("{source}/{metric}"), source.to_owned(), metric.to_owned()] {
            disturbed.entry(key).or_default().push((from, until));
        }
    };
    for (index, series) in series().into_iter().enumerate() {
        let Series { source, metric, from, until, step, wild_at, usual } = series;
        let mut noise = Noise(index as u64 * 7919 + 1);
        // Not on the minute: a reading belongs to one step.
        let times = (0..).map(|n| from + n * step).take_while(|time| *time < until);
        for (n, usual_time) in times.enumerate() {
            let mut time = usual_time + 7000;
            let arrival = time;
            if wild_at.is_some_and(|wild_at| usual_time >= wild_at) {
                match disturbance {
                    Some(Disturbance::HourSkipped) => time += HOUR,
                    Some(Disturbance::HourRepeated | Disturbance::HourRepeatedLive) => time -= HOUR,
                    _ => {}
                }
            }
            // A daily shape goes by the clock, as most of what people do.
            let turns = time.rem_euclid(DAY) as f64 / DAY as f64;
            let mut value = (usual(turns, n as i64, noise.next()) * 1000.0).round() / 1000.0;
            let (Some(disturbance), Some(wild_at)) = (disturbance, wild_at) else {
                events.push(event(arrival, time, source, metric, value));
                continue;
            };
            let wild = (wild_at..wild_at + step).contains(&usual_time);
            let second = (wild_at + HOUR..wild_at + HOUR + step).contains(&usual_time);
            match disturbance {
                Disturbance::Reading(reading) if wild => {
                    value = reading;
                    mark(source, metric, time, time);
                }
                Disturbance::Sign if wild => {
                    value = -value;
                    mark(source, metric, time, time);
                }
                Disturbance::BothLargest if wild || second => {
                    value = if wild { LARGEST } else { -LARGEST };
                    mark(source, metric, time, time);
                }
                Disturbance::Gap if usual_time >= wild_at && usual_time < wild_at + DAY => {
                    if wild {
                        mark(source, metric, time, time + DAY);
                    }
                    continue;
                }
                Disturbance::HourSkipped if wild => mark(source, metric, time - HOUR, time),
                Disturbance::HourRepeated | Disturbance::HourRepeatedLive if wild => {
                    mark(source, metric, time, time + 2 * HOUR);
                }
                Disturbance::Burst if wild => {
                    mark(source, metric, time, time + STEP);
                    events
                        .extend((0..3000).map(|nth| event(time + nth * 200, time + nth * 200, source, metric, value)));
                }
                Disturbance::Strangers if wild => {
                    for stranger in 0..40 {
                        let name = format!("{source}-x{stranger}");
                        mark(&name, metric, time, time + 2 * MINUTE);
                        let at = |nth: i64| time + nth * MINUTE;
                        events.extend((0..3).map(|nth| event(at(nth), at(nth), &name, metric, value)));
                    }
                }
                _ => {}
            }
            events.push(event(arrival, time, source, metric, value));
        }
    }
    match disturbance {
        Some(Disturbance::HourRepeatedLive) => events.sort_by_key(|event| event.arrival),
        _ => events.sort_by_key(|event| event.time),
    }
    (events.into_iter().map(|event| event.line).collect(), disturbed)
}

/// How long before its window's end the part of it begins that a rule speaks of, in milliseconds. What stands still or moves
/// slowly is no one reading: a rule on a stretch that speaks because of one reading speaks of others.
fn newest(rule: &str, one_reading: bool) -> Option<i64> {
    match rule {
        "static_threshold" => Some(0),
        "event_rate" => Some(MINUTE),
        "zscore" | "robust_zscore" | "adaptive" | "latency_percentile" => Some(5 * MINUTE),
        "surprise" | "forecast_residual" | "random_cut_forest_with_explanation" => Some(5 * MINUTE),
        // A forest judges eight readings together.
        "random_cut_forest" => Some(8 * STEP),
        "event_count" | "new_source" => Some(10 * MINUTE),
        "records" | "peer_outlier" => Some(30 * MINUTE),
        // Sources that come back after a day are more than usual until half of the window has them.
        "cardinality_jump" => Some(if one_reading { 30 * MINUTE } else { 3 * HOUR }),
        "no_data" => Some(40 * MINUTE),
        "rate_of_change" | "seasonal_deviation" | "error_burst" => Some(HOUR),
        "flat_line" | "level_shift" | "ewma_drift" | "correlation_break" if one_reading => None,
        "flat_line" => Some(2 * HOUR),
        "level_shift" | "ewma_drift" | "correlation_break" => Some(DAY),
        _ => panic!("{rule} is not in the table"),
    }
}

/// An anomaly: rule, key and the time of its event or the end of its window, in milliseconds since the start; and whether its
/// score is high.
pub(crate) type Found = BTreeMap<(String, String, i64), bool>;

pub(crate) fn found(anomalies: &[serde_json::Value]) -> Found {
    let text = |anomaly: &serde_json::Value, name: &str| anomaly[name].as_str().unwrap().to_owned();
    let row = |anomaly: &serde_json::Value| {
        let score = anomaly["score"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&score), "{anomaly}");
        let time = string_to_timestamp_nanos(&text(anomaly, "timestamp")).unwrap() / 1_000_000 - START;
        ((text(anomaly, "rule"), text(anomaly, "key"), time), score >= 0.9)
    };
    anomalies.iter().map(row).collect()
}

/// Of one rule: anomalies about the disturbance, and those about anything else that are not there without it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Cell {
    pub(crate) own: BTreeSet<String>,
    pub(crate) others: Vec<(String, i64)>,
}

/// What the disturbance changes.
pub(crate) fn compare(
    usual: &Found,
    disturbed: &Found,
    when: &BTreeMap<String, Vec<(i64, i64)>>,
    disturbance: Disturbance,
) -> BTreeMap<String, Cell> {
    use Disturbance::{BothLargest, Gap, HourRepeated, HourRepeatedLive, HourSkipped, Reading, Sign};
    let one_reading = matches!(disturbance, Reading(_) | Sign | BothLargest);
    let shift = match disturbance {
        HourSkipped => HOUR,
        HourRepeated | HourRepeatedLive => -HOUR,
        _ => 0,
    };
    let mut cells: BTreeMap<String, Cell> = BTreeMap::new();
    for ((rule, key, end), high) in disturbed {
        let known = |end: i64| usual.contains_key(&(rule.clone(), key.clone(), end));
        // What is found without the disturbance is found an hour earlier or later with it. Another past has other records:
        // only what is far beyond them counts there.
        let record = ["adaptive", "records"].contains(&rule.as_str()) && (shift != 0 || matches!(disturbance, Gap));
        if *end > END || known(*end) || known(*end - shift) || (record && !high) {
            continue;
        }
        let cell = cells.entry(rule.clone()).or_default();
        let own = newest(rule, one_reading).is_some_and(|newest| {
            let about = |(from, until): &(i64, i64)| {
                if newest == 0 { from <= end && end <= until } else { from < end && *until >= end - newest }
            };
            when.get(key).is_some_and(|spans| spans.iter().any(about))
        });
        if own {
            cell.own.insert(key.clone());
        } else {
            cell.others.push((key.clone(), *end));
        }
    }
    cells
}

/// The table in Markdown, a rule a row, a disturbance a column: in how many series a rule speaks of the disturbance.
pub(crate) fn table(rules: &[String], columns: &[(&str, BTreeMap<String, Cell>)]) -> String {
    let mut text = "| rule |".to_owned();
    for (name, _) in columns {
        write!(text, " {name} |").unwrap();
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(columns.len()));
    for rule in rules {
        write!(text, "\n| `{rule}` |").unwrap();
        for (_, cells) in columns {
            let own = cells.get(rule).map_or(0, |cell| cell.own.len());
            let own = if own == 0 { "–".to_owned() } else { own.to_string() };
            write!(text, " {own} |").unwrap();
        }
    }
    text.push('\n');
    text
}

/// What is found of anything else, a line for each rule and disturbance.
pub(crate) fn others(columns: &[(&str, BTreeMap<String, Cell>)]) -> String {
    let mut text = String::new();
    for (name, cells) in columns {
        for (rule, cell) in cells.iter().filter(|(_, cell)| !cell.others.is_empty()) {
            write!(text, "{name}: {rule}:").unwrap();
            for (key, end) in &cell.others {
                write!(text, " {key} on day {} at {:02}:{:02};", end / DAY, end / HOUR % 24, end / MINUTE % 60)
                    .unwrap();
            }
            text.push('\n');
        }
    }
    text
}
