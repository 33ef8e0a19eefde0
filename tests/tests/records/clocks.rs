//! Clocks that are wrong, and replays.

use serde_json::json;
use weir_anomaly::Timestamp;
use weir_engine::{FutureLimit, MemorySink, MemorySource, RawRecord, RunOptions, run};

use super::common::{Found, MINUTE, NOON, PER_MINUTE, SECOND, program, record, run_on};

/// Minutes of a series and how many events each holds.
fn minutes(found: &Found, key: &str) -> Vec<(String, f64)> {
    let mut minutes: Vec<_> = found
        .of_rule("per_minute")
        .iter()
        .filter(|a| a["key"] == key)
        .map(|a| (a["window_start"].as_str().unwrap().to_owned(), a["value"].as_f64().unwrap()))
        .collect();
    minutes.sort_by(|a, b| a.0.cmp(&b.0));
    minutes
}

/// Ten minutes of two sources, an event of each every second; the clock of one is wrong by so much.
fn two_clocks(wrong_by: i64) -> Vec<RawRecord> {
    let event = |source: &str, time: i64, arrival: i64| {
        let json =
            json!({"timestamp": Timestamp::from_nanos(time).to_string(), "value": 1, "source": source, "metric": "m"});
        record(json.to_string(), arrival)
    };
    (0..600)
        .flat_map(|n| {
            let arrival = NOON + n * SECOND;
            // The right one takes up to three seconds, and the watermark waits for five.
            [
                event("wrong", arrival + wrong_by, arrival),
                event("right", arrival - (n % 4) * SECOND, arrival + SECOND / 2),
            ]
        })
        .collect()
}

#[test]
fn a_clock_that_runs_ahead_makes_no_other_source_late() {
    let program = program("time = \"event\"", &[("per_minute", PER_MINUTE)]);
    let alone = two_clocks(0).into_iter().filter(|r| r.payload.windows(5).any(|w| w == b"right")).collect();
    let alone = minutes(&run_on(&program, alone, RunOptions::default()), "right/m");
    assert_eq!(alone.iter().map(|(_, n)| n).sum::<f64>(), 600.0);
    for (wrong_by, future) in [
        (0, 0),
        (2 * SECOND, 0),
        (30 * SECOND, 0),
        (59 * SECOND, 0),
        (61 * SECOND, 600),
        (5 * MINUTE, 600),
        (60 * MINUTE, 600),
        (330 * MINUTE, 600),
        (24 * 60 * MINUTE, 600),
        (170 * 365 * 24 * 60 * MINUTE, 600),
    ] {
        for batch_size in [1, 64, 8192] {
            let found = run_on(&program, two_clocks(wrong_by), RunOptions { batch_size, ..RunOptions::default() });
            let source = &found.report.sources[0];
            assert_eq!((source.late, source.future), (0, future), "{wrong_by} in batches of {batch_size}");
            assert_eq!(minutes(&found, "right/m"), alone, "{wrong_by}");
            // What the wrong clock says is not lost: its windows come out, at the latest when the stream ends.
            assert_eq!(minutes(&found, "wrong/m").iter().map(|(_, n)| n).sum::<f64>(), 600.0, "{wrong_by}");
        }
    }
}

#[test]
fn the_limit_is_a_setting_and_none_lets_time_run_ahead() {
    let ahead = two_clocks(5 * MINUTE);
    for (setting, future) in [("5 minutes", 0), ("4 minutes", 600), ("none", 0)] {
        let program =
            program(&format!("time = \"event\"\nfuture_limit = \"{setting}\""), &[("per_minute", PER_MINUTE)]);
        let found = run_on(&program, ahead.clone(), RunOptions::default());
        assert_eq!(found.report.sources[0].future, future, "{setting}");
        // Without a limit the clock that runs ahead is believed, and the other one is late.
        assert_eq!(found.report.sources[0].late > 0, setting == "none", "{setting}");
        let options = RunOptions { future_limit: Some(FutureLimit::None), ..RunOptions::default() };
        assert!(run_on(&program, ahead.clone(), options).report.sources[0].late > 0, "a run may say otherwise");
    }
}

#[test]
fn replays_of_old_data_are_not_held_back_and_one_stray_event_disturbs_none_of_them() {
    let program = program("time = \"event\"", &[("per_minute", PER_MINUTE)]);
    // A year old, an hour of it in six seconds.
    let old = |n: i64| {
        let time = Timestamp::from_nanos(NOON - 365 * 24 * 60 * MINUTE + n * SECOND);
        let json = json!({"timestamp": time.to_string(), "value": 1, "source": "s", "metric": "m"});
        record(json.to_string(), NOON + n * SECOND / 600)
    };
    let mut records: Vec<_> = (0..3600).map(old).collect();
    let stray = json!({"timestamp": "2030-01-01T00:00:00Z", "value": 1, "source": "stray", "metric": "m"});
    records.insert(1800, record(stray.to_string(), NOON + 3 * SECOND));
    let found = run_on(&program, records, RunOptions { batch_size: 50, ..RunOptions::default() });
    assert_eq!((found.report.sources[0].late, found.report.sources[0].future), (0, 1));
    assert_eq!(minutes(&found, "s/m").len(), 60);
    assert_eq!(minutes(&found, "stray/m").len(), 1);
}

#[test]
fn a_shard_whose_events_all_lie_in_the_future_holds_no_other_one_open() {
    let program = program("time = \"event\"", &[("per_minute", PER_MINUTE)]);
    let records: Vec<RawRecord> = two_clocks(60 * MINUTE)
        .into_iter()
        .map(|r| {
            let wrong = r.payload.windows(5).any(|w| w == b"wrong");
            RawRecord { partition: u32::from(wrong), ..r }
        })
        .collect();
    for batch_size in [1, 7, 8192] {
        // Stopped before the end, so that no window comes out but by the watermark.
        let mut options = RunOptions { batch_size, stop_after: Some(1199), ..RunOptions::default() };
        options.sources.insert("events_raw".into(), MemorySource::new(records.clone()));
        options.sinks.insert("anomalies".into(), MemorySink::new());
        options.sinks.insert("poison".into(), MemorySink::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(run(&program, options, std::future::pending())).unwrap();
        let watermark = report.sources[0].watermark_nanos.unwrap();
        assert!(
            watermark > NOON + 9 * MINUTE && watermark < NOON + 10 * MINUTE,
            "{}",
            Timestamp::from_nanos(watermark)
        );
        assert_eq!(report.sources[0].late, 0);
    }
}
