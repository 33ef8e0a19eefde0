//! A seeded generator: several sources and metrics with a daily shape and noise, and labelled faults in them.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use weir_anomaly::{Timestamp, event::Event};
use weir_decode::Reading;

use super::{
    TimedEvent,
    labels::{Kind, Label},
};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The same seed gives the same bytes, on every machine.
    pub seed: u64,
    /// Days of event time, at least 7: the faults need room.
    pub days: u32,
    /// Sources, at least 3.
    pub sources: u32,
    /// The first event's time.
    pub start: Timestamp,
    /// Time between two readings, nanoseconds.
    pub step: i64,
    /// Without faults: all that a rule finds in such events is a false alarm.
    pub clean: bool,
}

/// A metric's usual course: level, daily swing, noise (one standard deviation).
const METRICS: [(&str, f64, f64, f64); 2] = [("temperature", 60.0, 8.0, 1.0), ("pressure", 4.0, 0.3, 0.05)];

/// Events of the burst, all within one minute. The default limit of the rule `event_rate` is 600.
const BURST_EVENTS: i64 = 900;

/// The events in order of time, and what is wrong in them.
#[must_use]
pub fn generate(plan: Plan) -> (Vec<TimedEvent>, Vec<Label>) {
    let labels = if plan.clean { Vec::new() } else { faults(plan) };
    let mut noise = Noise(ChaCha8Rng::seed_from_u64(plan.seed));
    let steps = i64::from(plan.days) * DAY / plan.step;
    let mut events = Vec::new();
    for step in 0..steps {
        let time = plan.start.plus_nanos(step.saturating_mul(plan.step));
        for source in 1..=plan.sources {
            for (metric, level, swing, deviation) in METRICS {
                let name = format!("pump-{source}");
                #[expect(clippy::cast_precision_loss, reason = "a phase of the day")]
                let phase = (time.nanos().rem_euclid(DAY)) as f64 / DAY as f64 * std::f64::consts::TAU;
                let usual = level + swing * phase.sin() + deviation * noise.next();
                let active = labels.iter().filter(|l| l.source == name && l.metric.as_deref() == Some(metric));
                if let Some(value) = disturbed(usual, (level, swing, deviation), time, active) {
                    events.push(event(time, &name, metric, value));
                }
            }
        }
    }
    for label in labels.iter().filter(|label| label.kind == Kind::Burst) {
        for index in 0..BURST_EVENTS {
            let time = label.start.plus_nanos(index * (60 * SECOND) / BURST_EVENTS);
            events.push(event(time, &label.source, "heartbeat", 1.0));
        }
    }
    events.sort_by_key(|event| event.reading.time);
    (events, labels)
}

/// The value that is sent in place of the usual one; `None` when nothing is sent.
fn disturbed<'a>(
    usual: f64,
    (level, swing, deviation): (f64, f64, f64),
    time: Timestamp,
    labels: impl Iterator<Item = &'a Label>,
) -> Option<f64> {
    let mut value = usual;
    for label in labels.filter(|label| label.start <= time && time <= label.end) {
        #[expect(clippy::cast_precision_loss, reason = "a share of the label's length")]
        let share = time.since(label.start) as f64 / label.end.since(label.start).max(1) as f64;
        match label.kind {
            // Far above the day's swing; on temperature also above the default static limit of 90.
            Kind::Spike => value += 4.5 * swing + 10.0 * deviation,
            Kind::LevelShift => value += 3.0 * swing,
            Kind::Drift => value += 3.0 * swing * share,
            Kind::FlatLine => value = level,
            Kind::Gap => return None,
            Kind::Burst | Kind::Labelled => {}
        }
    }
    Some((value * 1000.0).round() / 1000.0)
}

/// Where the faults lie: spread over the span, never two at once in one series, the first day and a half left quiet so that
/// windows can fill.
fn faults(plan: Plan) -> Vec<Label> {
    let day = |days: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "a time of day")]
        let offset = (days * DAY as f64) as i64;
        // On a reading, so that a spike of one reading has one.
        plan.start.plus_nanos(offset / plan.step * plan.step)
    };
    let span = f64::from(plan.days);
    let mut random = Noise(ChaCha8Rng::seed_from_u64(plan.seed ^ 0x5eed));
    let mut jitter = move || random.uniform() * 0.2;
    let mut label = |kind, source: u32, metric: Option<&str>, from: f64, days: f64| {
        let from = from * span / 14.0 + jitter();
        Label {
            kind,
            source: format!("pump-{source}"),
            metric: metric.map(str::to_owned),
            start: day(from),
            end: day(from + days),
        }
    };
    let (temperature, pressure) = (Some("temperature"), Some("pressure"));
    vec![
        label(Kind::Spike, 1, temperature, 2.3, 0.0),
        label(Kind::Spike, 2, pressure, 3.1, 0.0),
        label(Kind::Spike, 3, temperature, 4.6, 0.0),
        label(Kind::Spike, 1, pressure, 6.4, 0.0),
        label(Kind::Spike, 2, temperature, 8.2, 0.0),
        label(Kind::Spike, 3, pressure, 12.1, 0.0),
        label(Kind::LevelShift, 1, temperature, 9.0, 3.0),
        label(Kind::LevelShift, 2, pressure, 6.0, 3.0),
        label(Kind::Drift, 3, pressure, 7.0, 3.0),
        label(Kind::FlatLine, 3, temperature, 9.0, 0.5),
        label(Kind::Gap, 1, pressure, 10.0, 0.25),
        label(Kind::Burst, 2, None, 11.0, 60.0 / 86_400.0),
    ]
}

fn event(time: Timestamp, source: &str, metric: &str, value: f64) -> TimedEvent {
    let event = Event {
        timestamp: time.to_string(),
        value,
        source: Some(source.to_owned()),
        metric: Some(metric.to_owned()),
        id: None,
        rest: serde_json::Map::new(),
    };
    // Text and a finite number: that is JSON.
    let record = serde_json::to_vec(&event).unwrap_or_default();
    // Of a value that is zero, the decoder takes the sign; so that both say the same, this does too.
    let (source, metric) = (source.to_owned(), metric.to_owned());
    let reading = Reading { time, value: value + 0.0, source, names_source: true, metric, id: None };
    TimedEvent { reading, record }
}

/// Random numbers that are the same on every machine.
struct Noise(ChaCha8Rng);

impl Noise {
    /// Uniform in (0, 1).
    fn uniform(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 random bits fill a double")]
        let bits = (self.0.next_u64() >> 11) as f64;
        (bits + 0.5) / (1_u64 << 53) as f64
    }

    /// Normal with deviation 1, by Box and Muller.
    fn next(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan {
            seed,
            days: 14,
            sources: 3,
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
            step: 300 * SECOND,
            clean: false,
        }
    }

    #[test]
    fn a_seed_gives_the_same_events_and_another_seed_others() {
        assert_eq!(generate(plan(7)), generate(plan(7)));
        assert_ne!(generate(plan(7)).0, generate(plan(8)).0);
    }

    #[test]
    fn clean_events_are_the_same_without_the_faults() {
        let (clean, labels) = generate(Plan { clean: true, ..plan(7) });
        assert!(labels.is_empty());
        assert_eq!(clean.len(), 14 * 288 * 6);
        let faulty: std::collections::BTreeSet<String> = generate(plan(7)).0.iter().map(|e| format!("{e:?}")).collect();
        let changed = clean.iter().filter(|e| !faulty.contains(&format!("{e:?}"))).count();
        assert!((2_000..4_000).contains(&changed), "{changed} readings lie in faults");
    }

    #[test]
    fn every_kind_of_fault_is_in_the_events() {
        let (events, labels) = generate(plan(7));
        let within = |label: &Label| {
            let of =
                |e: &&TimedEvent| e.reading.source == label.source && Some(&e.reading.metric) == label.metric.as_ref();
            events
                .iter()
                .filter(of)
                .filter(|e| label.start <= e.reading.time && e.reading.time <= label.end)
                .collect::<Vec<_>>()
        };
        for label in &labels {
            let readings = within(label);
            match label.kind {
                Kind::Gap => assert!(readings.is_empty()),
                Kind::FlatLine => assert!(readings.len() > 100 && readings.iter().all(|e| e.reading.value == 60.0)),
                Kind::Spike => assert_eq!(readings.len(), 1),
                Kind::LevelShift | Kind::Drift => assert!(readings.len() > 500),
                Kind::Burst | Kind::Labelled => {}
            }
        }
        assert!(events.windows(2).all(|pair| pair[0].reading.time <= pair[1].reading.time), "in order of time");
    }
}
