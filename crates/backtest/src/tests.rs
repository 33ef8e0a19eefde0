use std::path::Path;

use weir_anomaly::Timestamp;
use weir_engine::RunOptions;
use weir_rules::{Environment, Pack, Rule, StreamFile};

use super::{
    Rules,
    compare::{Comparison, Side},
    history::{Builder, History, declared::Reader},
    replay::{Span, replay},
    report::Report,
};
use crate::data::{
    labels::{Kind, Label},
    read::{Found, Read, Refusal, of_stream},
};

/// A rule with a window, which says what it expected and how far a reading may lie from it.
fn rules(deviations: &str) -> Rules {
    let text = format!(
        "-- name = \"high\"\n-- severity = \"warning\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n-- dedup = \"1 hour\"\n\
         -- [parameters.deviations]\n-- type = \"double\"\n-- default = {deviations}\n\
         -- [band]\n-- deviation = \"deviation\"\n-- times = \"deviations\"\n\n\
         SELECT series AS key, window, most AS value, 10.0 AS expected, 0.5 AS score, 1.0 AS deviation\n\
         FROM (SELECT series, tumble(INTERVAL '10 minutes') AS window, max(value) AS most FROM events GROUP BY series, window) AS w\n\
         WHERE most > 10.0 + ${{deviations}}"
    );
    let tables_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/tables.sql");
    let tables = std::fs::read_to_string(&tables_file).unwrap();
    let rule = Rule::parse(Path::new("high.sql"), &text).unwrap();
    Rules::compile(Pack { tables_file, tables, streams: Vec::new(), rules: vec![rule] }, Environment::default(), false)
        .unwrap()
}

fn at(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Timestamp::from_nanos(start.nanos() + minutes * 60_000_000_000)
}

/// A reading of `pump-1`.
fn take(history: &mut Builder, time: Timestamp, value: f64, metric: &str) {
    let record =
        serde_json::json!({ "timestamp": time.to_string(), "value": value, "source": "pump-1", "metric": metric });
    let record = record.to_string().into_bytes();
    history.take("a.csv", &Found { line: 1, record: &record, read: of_stream(&record) }).unwrap();
}

/// A day of readings each minute: usually 10, 14 in the fifth hour, and 12 once at noon.
fn history() -> History {
    let mut history = Builder::new(None);
    for minute in 0..1440 {
        let value = match minute {
            300..360 => 14.0,
            720 => 12.0,
            _ => 10.0,
        };
        take(&mut history, at(minute), value, "temperature");
    }
    let read = Read::Refused(Refusal { reason: "bad_value", message: "no number".into() });
    history.take("a.csv", &Found { line: 7, record: b"", read }).unwrap();
    history.finish().unwrap()
}

fn labels() -> Vec<Label> {
    let label = |from, to| Label {
        kind: Kind::Labelled,
        source: "pump-1".into(),
        metric: Some("temperature".into()),
        start: at(from),
        end: at(to),
    };
    vec![label(300, 360), label(900, 960)]
}

async fn side(rules: &Rules, history: &History) -> Side {
    let mut replayed = replay(rules, history, Span::default()).await.unwrap();
    replayed.seconds = 1.0;
    Side { report: Report::new(rules, history, &replayed, Some(&labels())).unwrap(), replayed }
}

#[tokio::test]
async fn a_report_counts_anomalies_alerts_and_labels() {
    let side = side(&rules("1.0"), &history()).await;
    insta::assert_snapshot!(side.report);
}

/// Two series with twelve readings an hour, and a third that is one burst.
fn sparse() -> History {
    let mut history = Builder::new(None);
    for reading in 0..288 {
        take(&mut history, at(reading * 5), 10.0, "temperature");
        take(&mut history, at(reading * 5), 10.0, "pressure");
    }
    for second in 0..100 {
        take(&mut history, at(600).plus_seconds(second), 10.0, "burst");
    }
    history.finish().unwrap()
}

#[tokio::test]
async fn a_rule_whose_windows_never_hold_enough_is_told() {
    let text = "-- name = \"mean\"\n-- severity = \"warning\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\
         -- parameters.window = { type = \"interval\", default = \"1 hour\" }\n\
         -- parameters.least_count = { type = \"integer\", default = 60 }\n\
         -- sampling = { least = \"least_count\", over = \"window\", by = \"series\" }\n\n\
         SELECT series AS key, window, n AS value, 0.5 AS score\n\
         FROM (SELECT series, tumble(${window}) AS window, count(*) AS n FROM events GROUP BY series, window) AS w\n\
         WHERE n > 1000 AND n >= ${least_count}";
    let report = async |least_count: i64| {
        let mut environment = Environment::default();
        let set = environment.parameters.entry("mean".to_owned()).or_default();
        set.insert("least_count".to_owned(), least_count.into());
        let rule = Rule::parse(Path::new("mean.sql"), text).unwrap();
        let pack = Pack { rules: vec![rule], ..rules("1.0").pack };
        let rules = Rules::compile(pack, environment, false).unwrap();
        side(&rules, &sparse()).await.report.to_string()
    };
    assert!(!report(12).await.contains("could find nothing"));
    let said = report(30).await;
    let expected = "mean could find nothing in 2 of 3 series: 1 hour (its parameter window) held at most 12 of the 30 readings it asks \
                    for\n  hint: --set 'mean.window=3 hours', or a smaller least_count\n";
    assert!(said.contains(expected), "{said}");
    let said = report(5000).await;
    assert!(
        said.contains("in 3 of 3 series") && said.contains("hint: more history, or a smaller least_count"),
        "{said}"
    );
}

#[tokio::test]
async fn a_rule_for_a_metric_that_nobody_sends_is_told() {
    let text = "-- name = \"hot\"\n-- severity = \"warning\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\
         -- parameters.metric = { type = \"text\", default = \"humidity\" }\n\n\
         SELECT series AS key, event_time, value, 0.5 AS score FROM events WHERE metric = ${metric}";
    let rule = Rule::parse(Path::new("hot.sql"), text).unwrap();
    let rules = Rules::compile(Pack { rules: vec![rule], ..rules("1.0").pack }, Environment::default(), false).unwrap();
    let said = side(&rules, &sparse()).await.report.to_string();
    let expected = "hot could find nothing: no series has the metric `humidity` (its parameter metric)\n  \
                    hint: --set 'hot.metric=NAME'; there are burst, pressure, temperature\n";
    assert!(said.contains(expected), "{said}");
}

#[tokio::test]
async fn of_rules_on_trial_alone_everything_is_counted_as_if_they_were_active() {
    let mut rules = rules("1.0");
    rules.pack.rules[0].header.stage = weir_anomaly::Stage::Shadow;
    let rules = Rules::compile(rules.pack, Environment::default(), false).unwrap();
    insta::assert_snapshot!(side(&rules, &history()).await.report);
}

#[tokio::test]
async fn a_pull_request_sees_what_a_changed_rule_gains_and_loses() {
    let history = history();
    let (before, after) = (side(&rules("3.0"), &history).await, side(&rules("1.0"), &history).await);
    let gained = Comparison::new("main", &before, &after);
    insta::assert_snapshot!(gained.markdown());
    insta::assert_snapshot!(Comparison::new("main", &after, &before));
}

#[tokio::test]
async fn anomalies_before_the_span_are_left_out_and_windows_past_history_too() {
    let (rules, history) = (rules("-1.0"), history());
    let all = replay(&rules, &history, Span::default()).await.unwrap();
    let late = replay(&rules, &history, Span { from: Some(at(1200)), to: None }).await.unwrap();
    assert_eq!((all.anomalies.len(), all.incomplete), (144, 0));
    assert_eq!((late.anomalies.len(), late.anomalies.first().unwrap().timestamp), (25, at(1200)));
    let mut short = Builder::new(Some(at(604)));
    for (nanos, value) in history.points(|_, _| true).unwrap().into_values().next().unwrap() {
        take(&mut short, Timestamp::from_nanos(nanos), value, "temperature");
    }
    let cut = replay(&rules, &short.finish().unwrap(), Span { from: None, to: Some(at(604)) }).await.unwrap();
    assert_eq!((cut.anomalies.len(), cut.incomplete), (60, 1));
}

#[tokio::test]
async fn the_plot_has_a_band_a_label_and_a_mark_for_each_verdict() {
    let (rules, history) = (rules("1.0"), history());
    let side = side(&rules, &history).await;
    let expectations = super::plot::expectations(&rules, &history, RunOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plot.svg");
    super::plot::write(&file, &history, &side.replayed, &labels(), &expectations, 12).unwrap();
    let svg = std::fs::read_to_string(&file).unwrap();
    let count = |what: &str| svg.matches(what).count();
    assert_eq!(count("nothing is wrong in here"), 1, "one band");
    assert_eq!(count("<title>labelled"), 2);
    assert_eq!(
        (
            count("fill=\"#d55e00\" stroke=\"#fff\" stroke-width=\"0.8\"><title>"),
            count("fill=\"#fff\" stroke=\"#d55e00\"")
        ),
        (6, 1)
    );
    assert!(svg.contains("1 of 2 labels found"));
}

const METERS: &str = "each = \"$.rows[*]\"\ntime = { path = \"at\", format = \"unix\" }\nkey = \"d\"\nmetrics = [\"x\"]\nignore = \"x < 0\"\n[fields]\nd = { type = \"text\", of = \"record\" }\nx = \"double\"";

/// A rule on the rows of a declared stream.
fn meter_rules() -> Rules {
    let text = "-- name = \"high\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n\
                SELECT d AS key, event_time, x AS value, 1.0 AS score FROM meters WHERE x > 5";
    let pack = Pack {
        streams: vec![StreamFile::parse("meters.toml".as_ref(), METERS).unwrap()],
        rules: vec![Rule::parse(Path::new("high.sql"), text).unwrap()],
        ..rules("1.0").pack
    };
    Rules::compile(pack, Environment::default(), false).unwrap()
}

/// A record of readings, seconds after the beginning and values.
fn meter_record(readings: &[(i64, f64)]) -> Vec<u8> {
    let rows: Vec<_> = readings
        .iter()
        .map(|(seconds, x)| serde_json::json!({ "at": at(0).nanos() / 1_000_000_000 + seconds, "x": x }))
        .collect();
    serde_json::json!({ "d": "m-1", "rows": rows }).to_string().into_bytes()
}

fn meter_history(to: Option<Timestamp>, records: &[Vec<u8>]) -> anyhow::Result<History> {
    let mut reader = Reader::new(&meter_rules().pack.streams[0].declaration, None);
    let mut history = Builder::new(to);
    for record in records {
        history.take_raw(&"a.jsonl", record, None, &mut reader)?;
    }
    history.finish()
}

#[tokio::test]
async fn rows_behind_the_end_are_left_out_of_a_record_that_has_others() {
    let to = at(0).plus_seconds(60);
    let records = [
        meter_record(&[(0, 9.0), (60, 9.0), (61, 9.0), (900, 9.0)]),
        meter_record(&[(61, 9.0)]),
        meter_record(&[(30, 9.0)]),
    ];
    let history = meter_history(Some(to), &records).unwrap();
    let points = history.points(|_, _| true).unwrap().into_values().next().unwrap();
    let times: Vec<i64> = points.into_iter().map(|(nanos, _)| (nanos - at(0).nanos()) / 1_000_000_000).collect();
    assert_eq!((times, history.end, history.events), (vec![0, 30, 60], to, 2));
    let found = replay(&meter_rules(), &history, Span { from: None, to: Some(to) }).await.unwrap();
    let times: Vec<i64> = found.anomalies.iter().map(|a| a.timestamp.since(at(0)) / 1_000_000_000).collect();
    assert_eq!(times, [0, 30, 60]);
    let whole = replay(&meter_rules(), &meter_history(None, &records).unwrap(), Span::default()).await.unwrap();
    assert_eq!(whole.anomalies.len(), 5, "one row stands in two records");
}

#[test]
fn an_input_whose_rows_are_all_left_out_says_so() {
    let error = |records: &[Vec<u8>]| meter_history(None, records).unwrap_err().to_string();
    let ignored = meter_record(&[(0, -1.0), (1, -2.0)]);
    assert_eq!(error(&[ignored.clone(), ignored.clone()]), "the input holds no events; `ignore` leaves out 4 rows");
    let both = error(&[ignored, b"{".to_vec()]);
    assert!(
        both.starts_with("the input holds no events (the first fault: a.jsonl: ") && both.ends_with("2 rows"),
        "{both}"
    );
    assert_eq!(error(&[]), "the input holds no events");
}

/// An empty record may be a row, of a stream whose fields are all optional.
#[tokio::test]
async fn an_empty_record_is_replayed_as_any_other() {
    for heartbeat in [false, true] {
        let stream = format!("format = \"logfmt\"\nheartbeat = {heartbeat}\n[fields]\nd = \"text\"");
        let text = "-- name = \"none\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n\
                    SELECT coalesce(d, 'nobody') AS key, event_time, 1.0 AS value, 1.0 AS score FROM logs";
        let pack = Pack {
            streams: vec![StreamFile::parse("logs.toml".as_ref(), &stream).unwrap()],
            rules: vec![Rule::parse(Path::new("none.sql"), text).unwrap()],
            ..rules("1.0").pack
        };
        let rules = Rules::compile(pack, Environment::default(), false).unwrap();
        let mut reader = Reader::new(&rules.pack.streams[0].declaration, None);
        let mut history = Builder::new(None);
        for record in [b"d=a".as_slice(), b"", b"d=b"] {
            history.take_raw(&"a", record, Some(at(1).nanos()), &mut reader).unwrap();
        }
        let found = replay(&rules, &history.finish().unwrap(), Span::default()).await.unwrap();
        let keys: Vec<&str> = found.anomalies.iter().map(|anomaly| anomaly.key.as_str()).collect();
        assert_eq!(keys, ["a", "b", "nobody"], "heartbeat = {heartbeat}");
    }
}
