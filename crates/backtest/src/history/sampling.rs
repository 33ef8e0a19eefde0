//! The usual time between two readings.

use std::collections::BTreeSet;

/// Gaps that are kept over all series ...
const KEPT: usize = 1 << 20;
/// ... and at least and at most of one series. A series with more keeps every second, every fourth and so on: they say as much.
const KEPT_OF_ONE: (usize, usize) = (16, 4096);

/// Looks at the times of each series in their order.
#[derive(Debug)]
pub(super) struct Gaps {
    series: Vec<Series>,
    most: usize,
}

#[derive(Debug, Clone)]
struct Series {
    last: Option<i64>,
    gaps: Vec<i64>,
    /// One gap in so many is kept.
    each: u64,
    seen: u64,
}

impl Gaps {
    pub(super) fn new(series: usize) -> Self {
        let most = (KEPT / series.max(1)).clamp(KEPT_OF_ONE.0, KEPT_OF_ONE.1);
        Self { series: vec![Series { last: None, gaps: Vec::new(), each: 1, seen: 0 }; series], most }
    }

    pub(super) fn take(&mut self, series: u32, nanos: i64) {
        let Some(series) = usize::try_from(series).ok().and_then(|index| self.series.get_mut(index)) else { return };
        let Some(last) = series.last.replace(nanos) else { return };
        let gap = nanos.saturating_sub(last);
        if gap <= 0 {
            return;
        }
        series.seen += 1;
        if !series.seen.is_multiple_of(series.each) {
            return;
        }
        if series.gaps.len() >= self.most {
            let mut kept = false;
            series.gaps.retain(|_| {
                kept = !kept;
                kept
            });
            series.each = series.each.saturating_mul(2);
        }
        series.gaps.push(gap);
    }

    /// The median of the series' own medians, nanoseconds, so that many series are no reason to look at every gap at once; 0 for
    /// fewer than two readings.
    pub(super) fn usual(self) -> i64 {
        let mut medians = BTreeSet::new();
        for (index, mut series) in self.series.into_iter().enumerate() {
            let middle = series.gaps.len() / 2;
            if !series.gaps.is_empty() {
                medians.insert((*series.gaps.select_nth_unstable(middle).1, index));
            }
        }
        medians.iter().nth(medians.len() / 2).map_or(0, |(gap, _)| *gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_median_gap_however_many_there_are() {
        let mut gaps = Gaps::new(2);
        let (mut fast, mut slow) = (0, 0);
        for index in 0..100_000 {
            fast += if index % 10 == 0 { 1000 } else { 60 };
            gaps.take(0, fast);
        }
        for _ in 0..10 {
            slow += 300;
            gaps.take(1, slow);
        }
        assert!(gaps.series[0].gaps.len() <= KEPT_OF_ONE.1);
        assert_eq!(gaps.usual(), 300, "the greater of two medians");
    }

    #[test]
    fn one_reading_has_no_gap_and_the_ends_of_time_have_one() {
        let mut gaps = Gaps::new(1);
        gaps.take(0, i64::MIN);
        assert_eq!(Gaps::new(1).usual(), 0);
        gaps.take(0, i64::MAX);
        assert_eq!(gaps.usual(), i64::MAX);
    }
}
