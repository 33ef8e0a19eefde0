//! `surprise_verdict` beside the Python references that it was written from, and its memory beside none.
//!
//! `surprise.csv` holds what the references gave for three made-up series; the series are made here again, from whole numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::sync::Mutex;

#[path = "../../../sql/udfs/surprise_verdict.rs"]
#[allow(missing_docs, dead_code, unreachable_pub, clippy::style, clippy::complexity)]
mod surprise_verdict;

use surprise_verdict::{Memory, Verdict, judge, surprise_verdict as verdict};

const ROWS: usize = 3012;

/// Whole numbers from 0 to 2³¹ - 1.
fn lots(mut state: u64) -> impl FnMut() -> i64 {
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap()
    }
}

#[allow(clippy::cast_precision_loss, reason = "small whole numbers")]
fn number(value: i64) -> f64 {
    value as f64
}

/// A daily triangle with noise, three spikes, a time at which it stands still, and a new level.
fn daily(rows: i64) -> Vec<f64> {
    let mut lot = lots(1);
    (0..rows)
        .map(|row| {
            let lot = lot();
            let place = row % 288;
            let mut value = 8 * if place < 144 { place } else { 288 - place } + lot % 41 + (lot >> 8) % 41;
            if [700, 1900, 3300].contains(&row) {
                value += 900;
            }
            if (2500..2560).contains(&row) {
                value = 600;
            }
            if row >= 3400 {
                value += 300;
            }
            number(value) / 8.0
        })
        .collect()
}

/// A random walk with jumps.
fn walk(rows: i64) -> Vec<f64> {
    let (mut lot, mut value) = (lots(2), 0);
    (0..rows)
        .map(|_| {
            let lot = lot();
            value += lot % 33 - 16;
            if lot % 500 == 0 {
                value += (lot >> 10) % 401 - 200;
            }
            number(value) / 16.0
        })
        .collect()
}

/// Counts, most of them zero.
fn counts(rows: i64) -> Vec<f64> {
    let mut lot = lots(3);
    (0..rows)
        .map(|_| {
            let lot = lot();
            let mut value = if lot % 3 == 0 { (lot >> 5) % 5 } else { 0 };
            if lot % 701 == 0 {
                value += (lot >> 12) % 60;
            }
            number(value)
        })
        .collect()
}

fn window(series: &[f64], row: usize) -> &[f64] {
    &series[(row + 1).saturating_sub(ROWS)..=row]
}

#[test]
fn every_part_equals_the_references() {
    let (daily, walk, counts) = (daily(3700), walk(3700), counts(3700));
    let mut compared = 0;
    for line in include_str!("surprise.csv").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(',').collect();
        let series = match fields[0] {
            "daily" => &daily,
            "walk" => &walk,
            _ => &counts,
        };
        let row: usize = fields[1].parse().unwrap();
        let [forecast, pattern, expected] = [2, 3, 4].map(|nth: usize| fields[nth].parse::<f64>().unwrap());
        let found = judge(window(series, row), true, None);
        let Some(found) = found else {
            assert!(row < 150, "{line}");
            continue;
        };
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1e-3);
        assert!(near(found.forecast, forecast) && near(found.pattern, pattern), "{line}: {found:?}");
        assert!(near(found.expected, expected), "{line}: {found:?}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

/// What a rule sees: rows in any order, as many as the window holds.
fn judged(values: &[f64], pattern: i64) -> Option<String> {
    let times = (0..).take(values.len()).collect();
    verdict(times, values.to_vec(), vec![pattern; values.len()])
}

#[test]
fn a_spike_is_reported_where_it_begins_with_the_forecast_and_its_band() {
    let series = daily(3700);
    let said = |row: usize| -> Vec<f64> {
        judged(window(&series, row), 1).unwrap().split(' ').map(|field| field.parse().unwrap()).collect()
    };
    let spike = said(1900);
    let [surprise, forecast, pattern, expected, lower, upper] = spike[..] else { panic!("{spike:?}") };
    assert!(surprise > 8.4 && surprise == forecast + pattern, "{spike:?}");
    assert!(lower < expected && expected < upper && upper < series[1900], "{spike:?}");
    // What surprises less than one of the 20 readings before is no beginning.
    assert!((1904..1920).all(|row| said(row)[0] == 0.0));
    let calm = said(1890);
    assert!(calm[0] < 8.4 && calm[4] < series[1890] && series[1890] < calm[5], "{calm:?}");
}

#[test]
fn the_order_of_the_rows_changes_nothing() {
    let series = daily(1950);
    let at = window(&series, 1900);
    let mut rows: Vec<(i64, f64)> = (0..).zip(at.iter().copied()).collect();
    rows.reverse();
    rows.swap(3, 700);
    let (times, values): (Vec<i64>, Vec<f64>) = rows.into_iter().unzip();
    let ones = vec![1; values.len()];
    assert_eq!(verdict(times, values, ones), judged(at, 1));
}

#[test]
fn whatever_the_readings_are_there_is_a_verdict() {
    for values in [vec![0.0; 400], vec![1e308; 400], vec![5e-324; 400], vec![-1e300; 400]] {
        let mut values = values;
        assert!(!judge(&values, true, None).unwrap().begins, "{:?}", values[0]);
        *values.last_mut().unwrap() = f64::MAX;
        let found = judge(&values, true, None).unwrap();
        assert!(!found.forecast.is_nan() && !found.pattern.is_nan(), "{found:?}");
    }
    assert_eq!(verdict(vec![1], vec![], vec![]), None);
    assert_eq!(judged(&[1.0; 150], 1), None);
}

fn bits(verdict: Option<Verdict>) -> Option<[u64; 5]> {
    verdict.map(|v| [v.forecast, v.pattern, v.expected, v.band[0], v.band[1]].map(f64::to_bits))
}

/// Series that grow by some rows at a time, lose rows from the middle, and take turns, with one memory for all.
#[test]
fn a_memory_changes_no_bit() {
    let memory = Mutex::new(Memory::new());
    let mut lot = lots(7);
    let mut lot = || usize::try_from(lot()).unwrap();
    let series = [daily(3700), walk(3700), counts(3700), vec![4.0; 3700]];
    let mut windows: Vec<(Vec<f64>, usize)> =
        [190, 2995, 400, 230].iter().zip(&series).map(|(rows, series)| (series[..*rows].to_vec(), *rows)).collect();
    let mut told = 0;
    for turn in 0..400 {
        let which = lot() % series.len();
        let (rows, next) = &mut windows[which];
        for _ in 0..[1, 1, 1, 1, 1, 0, 2, 5, 9][lot() % 9] {
            // Now and then a reading that surprises.
            rows.push(series[which][*next % 3700] + if lot() % 12 == 0 { 90.0 } else { 0.0 });
            *next += 1;
        }
        if lot() % 20 == 0 {
            let gone = lot() % rows.len();
            rows.remove(gone);
        }
        if lot() % 25 == 0 {
            rows.drain(..3);
        }
        let window = &rows[rows.len().saturating_sub(ROWS)..];
        let with = judge(window, true, Some(&memory));
        assert_eq!(bits(with), bits(judge(window, true, None)), "turn {turn}, series {which}");
        told += usize::from(with.is_some_and(|verdict| verdict.pattern > 0.0));
    }
    assert!(told > 10, "{told} patterns: too few to compare");
}
