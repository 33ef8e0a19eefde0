use std::{path::Path, time::Duration};

use serde_json::json;
use weir_rules::{Pack, Rule, testfile::TestFile};

use super::{
    Outcome, Passed,
    case::{self, Plans},
    diff::{self, Fields},
    junit, shows_both,
};

fn fields(value: serde_json::Value) -> Fields {
    value.as_object().cloned().unwrap()
}

/// The sum of ten minutes against a limit; `most` is what a body selects beside it.
fn pack(body: &str) -> Pack {
    let text = format!(
        "-- name = \"high\"\n-- severity = \"warning\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n{body}"
    );
    let tables_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/tables.sql");
    let tables = std::fs::read_to_string(&tables_file).unwrap();
    Pack { tables_file, tables, streams: Vec::new(), rules: vec![Rule::parse(Path::new("high.sql"), &text).unwrap()] }
}

async fn fault(body: &str, case: &str) -> Option<String> {
    let tests = TestFile::parse(Path::new("high.toml"), &format!("[[case]]\nname = \"c\"\n{case}\n")).unwrap();
    let mut plans = Plans::new(&pack(body), "high", &tests);
    case::test(&mut plans, &tests.cases[0]).await.err().map(|fault| fault.to_string())
}

const SUM: &str = "SELECT series AS key, window, total AS value, 0.5 AS score FROM (SELECT series, tumble(INTERVAL '10 minutes') AS window, sum(value) AS total FROM events GROUP BY series, window) AS w WHERE total > 100.0";
/// The reading that came last, at any time: it depends on the order of arrival.
const LAST: &str = "SELECT source AS key, window, newest AS value, 0.5 AS score FROM (SELECT source, tumble(INTERVAL '10 minutes') AS window, last_value(value) AS newest FROM events GROUP BY source, window) AS w";

#[tokio::test]
async fn a_case_that_holds_says_nothing() {
    let case = "series = [{ values = \"10x10 20x10\" }]\nexpect = [{ key = \"pump-1/temperature\", value = 200.0 }]";
    assert_eq!(fault(SUM, case).await, None);
}

#[tokio::test]
async fn a_case_that_fails_says_what_came_instead() {
    let case = "series = [{ values = \"10x10 20x10\" }, { source = \"pump-2\", values = \"30x10\" }]\nexpect = [{ key = \"pump-1/temperature\", value = 201.0 }, { key = \"pump-9/temperature\" }]";
    insta::assert_snapshot!(fault(SUM, case).await.unwrap());
}

#[tokio::test]
async fn a_rule_that_goes_by_the_order_of_arrival_is_noticed() {
    let case =
        "series = [{ values = \"1x9\" }, { metric = \"pressure\", values = \"2x9\" }]\nexpect = [{ key = \"pump-1\" }]";
    insta::assert_snapshot!(fault(LAST, case).await.unwrap());
}

#[tokio::test]
async fn poison_that_nobody_expects_fails_a_silent_case_and_is_shown() {
    let events = "events = ['{\"time\":\"2026-01-01T00:00:00Z\",\"value\":1}']\nexpect = []";
    let said = fault(SUM, events).await.unwrap();
    assert!(said.starts_with("records are no events: bad_timestamp\npoison: 1\n  bad_timestamp ("), "{said}");
    assert!(
        said.contains("\"time\"") && said.ends_with("hint: expect_poison = [\"REASON\"] says that this is meant"),
        "{said}"
    );
    assert_eq!(fault(SUM, &format!("{events}\nexpect_poison = [\"bad_timestamp\"]")).await, None);
    let missing =
        fault(SUM, "series = [{ values = \"1\" }]\nexpect = []\nexpect_poison = [\"not_json\"]").await.unwrap();
    assert!(missing.starts_with("expect_poison is not what came: missing not_json"), "{missing}");
}

const CLIMATE: &str = "key = \"device\"\ntime = { path = \"at\", format = \"unix\" }\nmetrics = [\"temperature\"]\n[fields]\ndevice = { type = \"text\", required = true }\ntemperature = \"double\"\nhumidity = \"double\"\n[[sample]]\nrecord = '{\"device\":\"x\",\"at\":1767225600,\"temperature\":1.0,\"humidity\":2.0}'\nrow = { device = \"x\" }\n";
const DOORS: &str = "time = { path = \"at\", format = \"rfc3339\" }\n[fields]\nroom = \"text\"\nopened = \"integer\"\n[[sample]]\nrecord = '{\"room\":\"x\",\"at\":\"2026-01-01T00:00:00Z\",\"opened\":1}'\nrow = { room = \"x\" }\n";

async fn fault_on_streams(body: &str, case: &str) -> Option<String> {
    let tests = TestFile::parse(Path::new("high.toml"), &format!("[[case]]\nname = \"c\"\n{case}\n")).unwrap();
    let stream = |name: &str, text: &str| weir_rules::StreamFile::parse(Path::new(name), text).unwrap();
    let pack = Pack { streams: vec![stream("climate.toml", CLIMATE), stream("doors.toml", DOORS)], ..pack(body) };
    let mut plans = Plans::new(&pack, "high", &tests);
    case::test(&mut plans, &tests.cases[0]).await.err().map(|fault| fault.to_string())
}

const WARM: &str = "SELECT device AS key, event_time, temperature AS value, 0.5 AS score, humidity FROM climate WHERE temperature > 25.0";

#[tokio::test]
async fn a_series_of_a_stream_is_made_after_its_sample() {
    let case = "series = [{ device = \"cellar\", humidity = 60, field = \"temperature\", values = \"12x3 30\" }]\nexpect = [{ key = \"cellar\", value = 30.0, timestamp = \"2026-01-01T00:03:00\", details = { humidity = 60.0 } }]";
    for time in ["event", "arrival"] {
        assert_eq!(fault_on_streams(WARM, &format!("time = \"{time}\"\n{case}")).await, None);
    }
    let unknown =
        fault_on_streams(WARM, "series = [{ devise = \"a\", field = \"temperature\", values = \"1\" }]\nexpect = []")
            .await;
    assert!(unknown.unwrap().contains("did you mean `device`?"));
    let without = fault_on_streams(WARM, "series = [{ values = \"1\" }]\nexpect = []").await;
    assert!(without.unwrap().contains("field = \"…\", one of device, temperature, humidity"));
}

#[tokio::test]
async fn poison_of_a_stream_is_loud_unless_it_is_expected() {
    let case = "records = ['{\"device\":\"a\",\"at\":1767225600000}', 'oops']\nexpect = []";
    let said = fault_on_streams(WARM, case).await.unwrap();
    assert!(said.starts_with("records are no events: bad_time:at, not_json"), "{said}");
    assert_eq!(fault_on_streams(WARM, &format!("{case}\nexpect_poison = [\"not_json\", \"bad_time:at\"]")).await, None);
    assert_eq!(fault_on_streams(WARM, &format!("{case}\nexpect_poison = 2")).await, None);
    assert!(fault_on_streams(WARM, &format!("{case}\nexpect_poison = 3")).await.is_some());
}

#[tokio::test]
async fn a_rule_on_events_reads_the_stream_of_its_case() {
    let case = "stream = \"climate\"\nseries = [{ device = \"cellar\", field = \"temperature\", values = \"10x10 20x10\" }]\nexpect = [{ key = \"cellar/temperature\", value = 200.0 }]";
    assert_eq!(fault_on_streams(SUM, case).await, None);
}

#[tokio::test]
async fn a_case_has_records_of_several_streams() {
    let body = "SELECT room AS key, window, opened AS value, 0.5 AS score, temperature FROM (
        SELECT d.room, d.window, d.opened, c.temperature FROM
          (SELECT room, tumble(INTERVAL '10 minutes') AS window, sum(opened) AS opened FROM doors GROUP BY room, window) AS d
          JOIN (SELECT device, tumble(INTERVAL '10 minutes') AS window, avg(temperature) AS temperature FROM climate GROUP BY device, window) AS c
          ON d.window = c.window AND d.room = c.device) AS both WHERE temperature > 25.0";
    let case = "series = [
        { stream = \"climate\", device = \"cellar\", field = \"temperature\", values = \"12x10 30x10\" },
        { stream = \"doors\", room = \"cellar\", field = \"opened\", values = \"1x20\" },
    ]\nexpect = [{ key = \"cellar\", value = 10.0, details = { temperature = 30.0 } }]";
    assert_eq!(fault_on_streams(body, case).await, None);
    assert!(fault_on_streams(body, "records = ['{}']\nexpect = []").await.is_some(), "of neither stream");
}

#[tokio::test]
async fn records_of_a_case_by_arrival_do_not_arrive_in_1970() {
    let event =
        |minute: u32| format!("'{{\"timestamp\":\"2026-01-01 00:{minute:02}:00+0000\",\"value\":60,\"source\":17}}'");
    let case = format!(
        "time = \"arrival\"\nevents = [{}, {}]\nexpect = [{{ key = \"17/value\", value = 120.0, window_end = \"2026-01-01T00:10:00\" }}]",
        event(1),
        event(2)
    );
    assert_eq!(fault(SUM, &case).await, None);
}

#[test]
fn equal_anomalies_are_each_expected_once() {
    let one = fields(json!({ "key": "a" }));
    assert_eq!(diff::matched(&[one.clone(), one.clone()], std::slice::from_ref(&one)), [Some(0)]);
    assert!(diff::unexpected(std::slice::from_ref(&one), &[one.clone(), one.clone()]).is_some());
    assert!(diff::unexpected(&[one.clone(), one.clone()], &[one]).is_some());
}

#[test]
fn numbers_agree_within_a_billionth_and_details_by_their_fields() {
    let found = [fields(json!({ "key": "a", "value": 0.1 + 0.2, "details": { "z": 4.0, "n": 7 } }))];
    assert_eq!(diff::unexpected(&[fields(json!({ "value": 0.3, "details": { "n": 7 } }))], &found), None);
    assert!(diff::unexpected(&[fields(json!({ "value": 0.300_001 }))], &found).is_some());
}

#[test]
fn a_rule_must_be_shown_firing_and_silent() {
    let of = |cases: &str| {
        let file = Path::new("high.toml");
        shows_both(file, &TestFile::parse(file, cases).unwrap()).err().map(|e| e.to_string())
    };
    let (fires, silent) =
        ("[[case]]\nname = \"a\"\nexpect = [{ key = \"k\" }]\n", "[[case]]\nname = \"b\"\nexpect = []\n");
    assert_eq!(of(&format!("{fires}{silent}")), None);
    assert!(of(fires).unwrap().starts_with("high.toml: there is no case in which the rule stays silent\n"));
    assert!(of(silent).unwrap().starts_with("high.toml: there is no case in which the rule fires\n"));
}

#[test]
fn junit_has_every_case_and_no_character_that_xml_lacks() {
    let outcome = |case: &str, result| Outcome {
        rule: "high".to_owned(),
        case: case.to_owned(),
        took: Duration::from_millis(20),
        result,
    };
    let outcomes = [
        outcome("a < b", Ok(Passed::AsExpected)),
        outcome("fails", Err("- expected  key = \"a\"\n+ found     key = \u{1}b".to_owned())),
    ];
    insta::assert_snapshot!(junit::document(&outcomes, Duration::from_millis(45)));
}
