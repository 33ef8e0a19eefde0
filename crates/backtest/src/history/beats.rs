//! Control records between the events, as the heartbeat puts them: rules that look for silence need time to pass in it.
//!
//! They are made while the records are read, and only near events: where nothing comes for longer than any window looks back,
//! no rule sees more of them. So a stray event, years before all others, costs nothing.

use std::io;

use bytes::Bytes;
use weir_anomaly::Timestamp;
use weir_engine::RawRecord;

use super::store::Merge;

/// The heartbeat's interval, as in production.
const INTERVAL_NANOS: i64 = 60_000_000_000;
/// History with readings further apart gets a heartbeat each reading, up to a day.
const INTERVAL_NANOS_MOST: i64 = 86_400_000_000_000;
/// Heartbeats go on for so much longer than the longest window: a window ends at a multiple of its step, and waits for late events.
const MARGIN_NANOS: i64 = 86_400_000_000_000;

/// Events and heartbeats in order of time.
#[derive(Debug)]
pub(super) struct WithBeats {
    events: Merge,
    next: Option<(i64, Bytes)>,
    begun: bool,
    /// When the next heartbeat is due.
    beat: i64,
    interval: i64,
    /// So long after an event and before the next one there are heartbeats.
    near: i64,
    last_event: i64,
}

impl WithBeats {
    /// `sampling` is the usual time between two readings, `longest` the longest window of the rules, both nanoseconds.
    pub(super) fn new(events: Merge, sampling: i64, longest: i64) -> Self {
        Self {
            events,
            next: None,
            begun: false,
            beat: i64::MAX,
            interval: sampling.clamp(INTERVAL_NANOS, INTERVAL_NANOS_MOST),
            near: longest.max(0).saturating_add(MARGIN_NANOS),
            last_event: i64::MIN,
        }
    }

    fn fetch(&mut self) -> io::Result<()> {
        loop {
            let next = self.events.next().transpose()?;
            // A further reading of a record is no record.
            if next.as_ref().is_some_and(|(head, record)| head.is_reading() && record.is_empty()) {
                continue;
            }
            self.next = next.map(|(head, record)| (head.nanos, record));
            return Ok(());
        }
    }

    /// The first heartbeat after a time.
    fn after(&self, nanos: i64) -> i64 {
        nanos.div_euclid(self.interval).saturating_add(1).saturating_mul(self.interval)
    }

    fn step(&mut self) -> io::Result<Option<RawRecord>> {
        if !std::mem::replace(&mut self.begun, true) {
            self.fetch()?;
            if let Some((nanos, _)) = &self.next {
                self.beat = self.after(*nanos);
            }
        }
        let Some((nanos, _)) = &self.next else { return Ok(None) };
        let nanos = *nanos;
        if self.beat < nanos {
            let far = self.beat.saturating_sub(self.last_event) > self.near;
            let resumed = self.after(nanos.saturating_sub(self.near));
            if far && self.beat < resumed {
                self.beat = resumed;
            }
        }
        if self.beat < nanos {
            let at = self.beat;
            self.beat = at.saturating_add(self.interval);
            return Ok(Some(heartbeat(at)));
        }
        let record =
            self.next.take().map(|(nanos, payload)| RawRecord { payload, arrival_nanos: Some(nanos), partition: 0 });
        self.last_event = nanos;
        self.fetch()?;
        Ok(record)
    }
}

impl Iterator for WithBeats {
    type Item = io::Result<RawRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

fn heartbeat(nanos: i64) -> RawRecord {
    let time = Timestamp::from_nanos(nanos).to_rfc3339_millis();
    let record = serde_json::json!({ "weir": "heartbeat", "timestamp": time }).to_string();
    RawRecord { payload: record.into(), arrival_nanos: Some(nanos), partition: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::store::Collector;

    const MINUTE: i64 = 60_000_000_000;
    const DAY: i64 = 1440 * MINUTE;

    /// Times of events and heartbeats, in minutes, when the longest window is an hour.
    fn read(events: &[i64]) -> (Vec<i64>, Vec<i64>) {
        let mut collector = Collector::default();
        for nanos in events {
            collector.push((*nanos, 1.0, 0), b"{}").unwrap();
        }
        let records = WithBeats::new(collector.finish().unwrap().read(), MINUTE, 60 * MINUTE);
        let (mut own, mut beats) = (Vec::new(), Vec::new());
        for record in records {
            let record = record.unwrap();
            let which = if record.payload.as_ref() == b"{}" { &mut own } else { &mut beats };
            which.push(record.arrival_nanos.unwrap());
        }
        (own, beats)
    }

    #[test]
    fn there_is_a_heartbeat_each_minute_between_events() {
        let (events, beats) = read(&[0, 30, 5 * MINUTE]);
        assert_eq!(events, [0, 30, 5 * MINUTE]);
        assert_eq!(beats, [1, 2, 3, 4].map(|minute| minute * MINUTE));
    }

    #[test]
    fn a_silence_longer_than_any_window_has_none_in_its_middle() {
        let (events, beats) = read(&[0, 365 * DAY]);
        assert_eq!(events.len(), 2);
        assert!(beats.len() < 2 * (60 + 1440) + 4, "{}", beats.len());
        assert!(beats.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(beats.contains(&MINUTE) && beats.contains(&(365 * DAY - MINUTE)), "near both events");
    }

    #[test]
    fn the_ends_of_time_are_no_reason_to_fail() {
        let (events, beats) = read(&[i64::MIN, 0, i64::MAX]);
        assert_eq!(events.len(), 3);
        assert!(beats.len() < 10_000);
    }
}
