//! `random_cut_forest` beside AWS's own library, and its laws.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

#[path = "../../../sql/udfs/random_cut_forest.rs"]
#[allow(missing_docs, dead_code, unreachable_pub, clippy::style, clippy::complexity)]
mod random_cut_forest;

use random_cut_forest::{Forest, Points, random_cut_forest as verdict};

/// A daily triangle with noise, from whole numbers.
#[allow(clippy::cast_precision_loss, reason = "small whole numbers")]
fn daily(rows: i64) -> Vec<f64> {
    let mut state: u64 = 1;
    (0..rows)
        .map(|row| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let lot = i64::try_from(state >> 33).unwrap();
            let place = row % 288;
            (8 * if place < 144 { place } else { 288 - place } + lot % 41 + (lot >> 8) % 41) as f64 / 8.0
        })
        .collect()
}

/// Shingle, row, what is added to the reading, and what krcf 0.4, a wrapper of AWS's Rust library, says of it: the score, and of
/// each reading of the shingle what it has of that above and below. Means of five forests of 400 trees that hold every reading.
const AWS: [(usize, usize, f64, f64, &[f64]); 10] = [
    (1, 200, 0.0, 0.8998, &[0.8409, 0.0588]),
    (1, 200, 30.0, 0.8105, &[0.5715, 0.2390]),
    (1, 200, 300.0, 6.1183, &[6.1183, 0.0]),
    (1, 250, -40.0, 2.3740, &[0.0, 2.3740]),
    (4, 200, 0.0, 0.7999, &[0.1232, 0.0369, 0.1052, 0.0295, 0.0383, 0.0898, 0.0035, 0.3734]),
    (4, 200, 30.0, 1.1825, &[0.0015, 0.1260, 0.0023, 0.1205, 0.0011, 0.1634, 0.7672, 0.0005]),
    (4, 200, 300.0, 4.2580, &[0.0, 0.0251, 0.0, 0.0233, 0.0, 0.0271, 4.1824, 0.0]),
    (4, 250, 0.0, 0.8778, &[0.2043, 0.0374, 0.1417, 0.0052, 0.0194, 0.3281, 0.0488, 0.0928]),
    (4, 250, -40.0, 1.7727, &[0.1868, 0.0008, 0.1753, 0.0002, 0.1085, 0.0153, 0.0, 1.2858]),
    (4, 250, 2000.0, 6.9792, &[0.0, 0.0038, 0.0, 0.0038, 0.0, 0.0043, 6.9671, 0.0]),
];

#[test]
fn scores_and_attributions_are_those_of_awss_library() {
    for (shingle, row, added, score, parts) in AWS {
        let mut series = daily(256);
        series[row] += added;
        let times = (0..).take(row + 2 - shingle).collect();
        let points = Points::new(times, shingle, (shingle..=row + 1).map(|end| &series[end - shingle..end]));
        let found = Forest { trees: 1000, sample: 256, decay: 1e9 }.score(&points);
        // Both are means over trees that were cut at random.
        assert!((found.score / score - 1.0).abs() < 0.03, "{shingle} {row} {added}: {} and {score}", found.score);
        let found: Vec<f64> = found.parts.iter().flat_map(|part| [part.high, part.low]).collect();
        for (part, aws) in found.iter().zip(parts) {
            assert!((part - aws).abs() < 0.06 * score, "{shingle} {row} {added}: {found:?} and {parts:?}");
        }
    }
}

/// Rows of two columns; a third of the records lack the second.
fn rows(last: f64) -> (Vec<i64>, Vec<&'static str>, Vec<f64>) {
    let mut rows = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |time, column, value| {
        rows.0.push(time);
        rows.1.push(column);
        rows.2.push(value);
    };
    let series = daily(400);
    for (time, value) in (0..).zip(&series) {
        add(time, "a \"quoted\" one", if time == 399 { last } else { *value });
        if time % 3 != 0 {
            add(time, "b", 1000.0 - value);
        }
    }
    rows
}

fn ask(rows: (Vec<i64>, Vec<&str>, Vec<f64>), options: [i64; 5]) -> Option<String> {
    let [trees, sample, decay, shingle, direction] = options.map(|option| vec![option; rows.0.len()]);
    verdict(rows.0, rows.1, rows.2, trees, sample, decay, shingle, direction)
}

fn number(text: &str, name: &str) -> Vec<f64> {
    let after = |part: &str| part.split([',', '}']).next().unwrap().parse().unwrap();
    text.split(&format!("\"{name}\":")).skip(1).map(after).collect()
}

#[test]
fn the_attributions_of_the_columns_add_up_to_the_score_and_name_the_culprit() {
    for shingle in [1, 4] {
        let said = ask(rows(900.0), [100, 256, 100_000, shingle, 1]).unwrap();
        let score: f64 = said.split(' ').next().unwrap().parse().unwrap();
        let parts = number(&said, "ATTRIBUTION_SCORE");
        assert!(score > 2.0 && (parts.iter().sum::<f64>() / score - 1.0).abs() < 1e-9, "{said}");
        assert!(
            said.contains(" 900 1 {\"a \\\"quoted\\\" one\":{") && said.contains("\"DIRECTION\":\"HIGH\""),
            "{said}"
        );
        assert!(parts[0] > 2.0 * parts[1] && number(&said, "STRENGTH").len() == 2, "{said}");
    }
    let said = ask(rows(900.0), [100, 256, 100_000, 1, 0]).unwrap();
    assert!(!said.contains("DIRECTION"), "{said}");
}

#[test]
fn an_anomaly_begins_once() {
    let mut series = daily(400);
    series[390] += 300.0;
    let begins = |row: usize| {
        let times = (0..).take(row - 6).collect();
        let points = Points::new(times, 8, (8..=row + 1).map(|end| &series[end - 8..end]));
        let forest = Forest { trees: 100, sample: 256, decay: 1e5 };
        let score = forest.score(&points).score;
        (score > 2.0, forest.begins(&points, score))
    };
    assert_eq!(begins(390), (true, true));
    assert!((391..398).all(|row| begins(row) == (true, false)), "the spike is in the shingle still");
    assert!(!begins(389).0 && !begins(399).0);
}

#[test]
fn a_verdict_depends_on_the_rows_and_not_on_their_order() {
    let (mut times, mut columns, mut values) = rows(50.0);
    let options = [50, 100, 1000, 2, 1];
    let said = ask((times.clone(), columns.clone(), values.clone()), options);
    assert!(said.is_some());
    times.reverse();
    columns.reverse();
    values.reverse();
    assert_eq!(ask((times, columns, values), options), said);
}

#[test]
fn whatever_the_rows_are_nothing_breaks() {
    let ones = |rows: usize| vec!["v"; rows];
    let times = |rows: usize| (0..).take(rows).collect::<Vec<i64>>();
    for value in [0.0, 1e308, -1e308, 5e-324, f64::NAN] {
        let mut values = vec![value; 300];
        let flat = ask((times(300), ones(300), values.clone()), [30, 256, 100_000, 8, 1]);
        assert_eq!(flat.is_none(), value.is_nan(), "{value}: {flat:?}");
        values[299] = 7.0;
        let said = ask((times(300), ones(300), values), [30, 256, 100_000, 8, 1]);
        assert!(said.is_none_or(|said| !said.contains("NaN") && !said.contains("inf")), "{value}");
    }
    assert_eq!(ask((vec![], vec![], vec![]), [30, 256, 100_000, 1, 1]), None);
    // Arguments beyond the limits are cut to them.
    let series = daily(300);
    for options in [[0; 5], [-1; 5], [7, i64::MAX, i64::MAX, i64::MAX, i64::MAX]] {
        assert!(ask((times(300), ones(300), series.clone()), options).is_some(), "{options:?}");
    }
    // All rows of one time are one record: too few.
    assert_eq!(ask((vec![5; 300], ones(300), series), [30, 256, 100_000, 1, 1]), None);
}
