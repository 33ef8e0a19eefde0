//! Events far away in time from all others: what a device sends whose clock was never set.

use weir_anomaly::Timestamp;

/// Events are strays behind a silence of more than 30 days ...
const SILENCE_NANOS: i64 = 30 * 86_400_000_000_000;
/// ... which is longer than all that lies on its other side, where they are at most one in so many.
const ONE_IN: usize = 100;

/// Events at one end of history, far from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stray {
    /// How many.
    pub(crate) events: usize,
    /// From here ...
    pub(crate) first: Timestamp,
    /// ... to here, inclusive.
    pub(crate) last: Timestamp,
    /// To the nearest event of the rest, nanoseconds.
    pub(crate) distance: i64,
    /// Whether they lie before the rest.
    pub(crate) before: bool,
}

/// Long silences of history, in order of time.
#[derive(Debug, Default)]
pub(super) struct Silences {
    events: usize,
    first: Option<i64>,
    last: i64,
    /// The last event before each, the first after it, and how many events lie before it.
    found: Vec<(i64, i64, usize)>,
}

/// So many silences are kept: a history with more has no bulk from which the others stray.
const MOST: usize = 4096;

impl Silences {
    pub(super) fn take(&mut self, nanos: i64) {
        if self.first.is_some() && nanos.saturating_sub(self.last) > SILENCE_NANOS && self.found.len() < MOST {
            self.found.push((self.last, nanos, self.events));
        }
        self.first.get_or_insert(nanos);
        self.last = nanos;
        self.events += 1;
    }

    /// The strays, and the time of the rest.
    pub(super) fn strays(self) -> (Vec<Stray>, Timestamp, Timestamp) {
        let (mut first, mut last) = (self.first.unwrap_or(0), self.last);
        let mut strays = Vec::new();
        let few = |events: usize| events > 0 && events * ONE_IN <= self.events;
        let long = |(before, after): (i64, i64), rest: (i64, i64)| {
            after.saturating_sub(before) > rest.1.saturating_sub(rest.0)
        };
        // The last silence with few events before it, and the first with few behind it.
        let early = self.found.iter().rev().find(|(_, _, events)| few(*events));
        let late = self.found.iter().find(|(_, _, events)| few(self.events - events));
        let end = late.map_or(last, |(before, _, _)| *before);
        if let Some((before, after, events)) = early.filter(|(before, after, _)| long((*before, *after), (*after, end)))
        {
            strays.push(Stray {
                events: *events,
                first: Timestamp::from_nanos(first),
                last: Timestamp::from_nanos(*before),
                distance: after.saturating_sub(*before),
                before: true,
            });
            first = *after;
        }
        if let Some((before, after, events)) =
            late.filter(|(before, after, _)| long((*before, *after), (first, *before)))
        {
            strays.push(Stray {
                events: self.events - events,
                first: Timestamp::from_nanos(*after),
                last: Timestamp::from_nanos(last),
                distance: after.saturating_sub(*before),
                before: false,
            });
            last = *before;
        }
        (strays, Timestamp::from_nanos(first), Timestamp::from_nanos(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;

    fn strays(times: &[i64]) -> (Vec<(usize, bool)>, i64, i64) {
        let mut silences = Silences::default();
        times.iter().for_each(|nanos| silences.take(*nanos));
        let (strays, first, last) = silences.strays();
        (strays.iter().map(|stray| (stray.events, stray.before)).collect(), first.nanos(), last.nanos())
    }

    #[test]
    fn one_event_years_before_and_two_years_after_the_rest_are_strays() {
        let mut times: Vec<i64> = (0..1000).map(|minute| 20_000 * DAY + minute * 60_000_000_000).collect();
        let (first, last) = (times[0], times[999]);
        times.insert(0, 4000 * DAY);
        times.extend([30_000 * DAY, 30_001 * DAY]);
        assert_eq!(strays(&times), (vec![(1, true), (2, false)], first, last));
    }

    #[test]
    fn a_history_with_gaps_and_one_of_two_events_have_none() {
        let seasons: Vec<i64> = (0..300).map(|index| (index / 100) * 200 * DAY + index).collect();
        assert!(strays(&seasons).0.is_empty());
        assert_eq!(strays(&[i64::MIN, i64::MAX]), (vec![], i64::MIN, i64::MAX));
        assert_eq!(strays(&[5]), (vec![], 5, 5));
    }
}
