//! What is drawn of many readings: of each column of pixels the first, the least, the greatest and the last. Rules never see this.

use weir_backtest::workbench::Expected;

use crate::api::contract::ExpectedLine;

/// Readings between two times (both inside) and one on either side, thinned out to what a chart of so many pixels shows. A gap of
/// more than `gap` nanoseconds between two readings breaks the line. Also gives how many readings lie in the span.
pub(crate) fn readings(
    points: &[(i64, f64)],
    (from, to): (i64, i64),
    width: usize,
    gap: i64,
) -> (Vec<f64>, Vec<Option<f64>>, usize) {
    let (start, end) = around(points, (from, to), |point| point.0);
    let shown = points.get(start..end).unwrap_or_default();
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let mut before: Option<i64> = None;
    let mut push = |(nanos, value): (i64, f64), x: &mut Vec<f64>| {
        if before.is_some_and(|before| gap > 0 && nanos.saturating_sub(before) > gap) {
            x.push(millis(before.unwrap_or(nanos).saturating_add(1_000_000)));
            y.push(None);
        }
        before = Some(nanos);
        x.push(millis(nanos));
        y.push(Some(value));
    };
    if shown.len() <= width.saturating_mul(4) {
        shown.iter().for_each(|point| push(*point, &mut x));
    } else {
        for column in columns(shown, (from, to), width, |point| point.0) {
            let places = (0..column.len()).filter(|at| column.get(*at).is_some_and(|point| point.1.is_finite()));
            let value = |at: &usize| column.get(*at).map_or(0.0, |point| point.1);
            let least = places.clone().min_by(|a, b| value(a).total_cmp(&value(b))).unwrap_or(0);
            let most = places.max_by(|a, b| value(a).total_cmp(&value(b))).unwrap_or(0);
            let mut shown = [0, least.min(most), least.max(most), column.len() - 1].to_vec();
            shown.dedup();
            shown.iter().filter_map(|at| column.get(*at)).for_each(|point| push(*point, &mut x));
        }
    }
    let inside = points.partition_point(|point| point.0 <= to) - points.partition_point(|point| point.0 < from);
    (x, y, inside)
}

/// What a rule expected between two times, thinned out: of each column the widest band and the last expectation.
pub(crate) fn expected(name: &str, rows: &[Expected], span: (i64, i64), width: usize) -> ExpectedLine {
    let (start, end) = around(rows, span, |row| row.nanos);
    let shown = rows.get(start..end).unwrap_or_default();
    let mut line = ExpectedLine {
        name: name.to_owned(),
        x: Vec::new(),
        expected: Vec::new(),
        lower: Vec::new(),
        upper: Vec::new(),
        value: Vec::new(),
    };
    let each = if shown.len() <= width { usize::MAX } else { width };
    let columns =
        if each == usize::MAX { shown.chunks(1).collect() } else { columns(shown, span, width, |row| row.nanos) };
    for column in columns {
        let Some(last) = column.last() else { continue };
        let bands = || column.iter().filter_map(|row| row.band);
        line.x.push(millis(last.nanos));
        line.expected.push(last.expected);
        line.lower.push(bands().map(|band| band.0).min_by(f64::total_cmp));
        line.upper.push(bands().map(|band| band.1).max_by(f64::total_cmp));
        // What stands out most from what was expected is what must not vanish.
        let far = |row: &&Expected| row.value.map_or(0.0, |value| (value - row.expected).abs());
        line.value.push(column.iter().max_by(|a, b| far(a).total_cmp(&far(b))).and_then(|row| row.value));
    }
    line
}

/// The places of what lies in a span, and of one on either side: lines go on to the edge.
fn around<T>(all: &[T], (from, to): (i64, i64), time: impl Fn(&T) -> i64) -> (usize, usize) {
    let start = all.partition_point(|one| time(one) < from).saturating_sub(1);
    let end = (all.partition_point(|one| time(one) <= to) + 1).min(all.len());
    (start, end.max(start))
}

/// Cut into the columns of a chart; none of them is empty.
fn columns<T>(all: &[T], (from, to): (i64, i64), width: usize, time: impl Fn(&T) -> i64) -> Vec<&[T]> {
    let span = i128::from(to.saturating_sub(from).max(1));
    let width = width.max(1) as i128;
    // The very end belongs to the last column.
    let column = |one: &T| ((i128::from(time(one)) - i128::from(from)) * width / span).min(width - 1);
    all.chunk_by(|a, b| column(a) == column(b)).collect()
}

/// Milliseconds since 1970, as the page has times.
#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
pub(crate) fn millis(nanos: i64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_least_and_the_greatest_of_each_column_are_drawn() {
        let mut points: Vec<(i64, f64)> = (0..100_000).map(|n| (n * SECOND, 10.0)).collect();
        points[54_321].1 = 99.0;
        points[54_322].1 = -99.0;
        let (x, y, readings) = readings(&points, (0, 99_999 * SECOND), 500, 0);
        assert_eq!(readings, 100_000);
        assert!(x.len() <= 2000 && x.is_sorted(), "{}", x.len());
        let has = |value: f64| y.contains(&Some(value));
        assert!(has(99.0) && has(-99.0), "no spike is lost between two pixels");
    }

    #[test]
    fn a_gap_breaks_the_line_and_the_neighbours_of_the_span_are_there() {
        let points: Vec<(i64, f64)> = [0, 1, 2, 50, 51].map(|n| (n * SECOND, 1.0)).to_vec();
        let (x, y, inside) = readings(&points, (SECOND, 50 * SECOND), 500, 3 * SECOND);
        assert_eq!(inside, 3);
        assert_eq!(x, [0.0, 1000.0, 2000.0, 2001.0, 50_000.0, 51_000.0]);
        assert_eq!(y.iter().filter(|y| y.is_none()).count(), 1);
        assert_eq!(readings(&[], (0, 1), 10, 0).2, 0);
        assert_eq!(readings(&points, (i64::MIN, i64::MAX), 1, 0).2, 5);
    }

    #[test]
    fn a_band_is_as_wide_as_the_widest_of_its_column() {
        let row =
            |n: i64| Expected { nanos: n, value: Some(n as f64), expected: 0.0, band: Some((-(n as f64), n as f64)) };
        let line = expected("r", &(0..1000).map(row).collect::<Vec<_>>(), (0, 999), 10);
        assert_eq!(line.x.len(), 10);
        assert_eq!((line.lower[9], line.upper[9], line.value[9]), (Some(-999.0), Some(999.0), Some(999.0)));
    }
}
