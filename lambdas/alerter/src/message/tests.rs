use weir_anomaly::{
    Record,
    store::{AlertState, Period},
};

use super::*;

fn anomaly(change: impl Fn(&mut Anomaly)) -> Anomaly {
    let json = br#"{"id":"0123456789abcdef0123456789abcdef","rule":"zscore","rule_version":"a1b2c3d4e5f6","severity":"critical",
        "key":"pump-7/temperature","timestamp":"2026-11-23T05:00:00","window_start":"2026-11-23T04:00:00","window_end":"2026-11-23T05:00:00",
        "value":99.5,"expected":21.25,"score":0.875,"details":{"n":60,"api_key":"abc"},
        "rule_meta":{"description":"A reading far from its own past","owner":"team-pumps","runbook":"https://example.org/pumps","dedup_seconds":900}}"#;
    match Record::parse(json) {
        Ok(Record::Anomaly(mut anomaly)) => {
            change(&mut anomaly);
            *anomaly
        }
        other => panic!("{other:?}"),
    }
}

fn alert_of(anomaly: &Anomaly) -> Alert {
    Alert {
        rule: anomaly.rule.clone(),
        key: anomaly.key.clone(),
        severity: anomaly.severity,
        period: Period::of(anomaly.timestamp, 900),
        first_id: anomaly.id.to_string(),
        created_at: anomaly.timestamp,
        state: AlertState::Due,
        next_at: Some(anomaly.timestamp),
        storm: None,
        suppressed: None,
        sent_at: None,
        expires_at: 0,
    }
}

fn shown(message: &Message) -> String {
    let json: Value = serde_json::from_str(&message.json).unwrap();
    let attributes: Vec<_> = message.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "{}\n{}\n{}\n{}\n{}",
        message.subject,
        "-".repeat(20),
        message.text,
        attributes.join(" "),
        serde_json::to_string_pretty(&json).unwrap()
    )
}

#[test]
fn an_alert() {
    let anomaly = anomaly(|_| {});
    insta::assert_snapshot!(shown(&alert(&anomaly, &alert_of(&anomaly), DEFAULT_TABLE, None)));
}

#[test]
fn an_alert_has_a_link_where_there_is_a_page() {
    let anomaly = anomaly(|_| {});
    let page = Some("https://weir.example/#view=history&anomaly=");
    let link = format!("Page     https://weir.example/#view=history&anomaly={}\n", anomaly.id);
    let alert_of = alert_of(&anomaly);
    let with = alert(&anomaly, &alert_of, DEFAULT_TABLE, page);
    assert_eq!(with.text.matches(&link).count(), 1, "{}", with.text);
    let without = alert(&anomaly, &alert_of, DEFAULT_TABLE, None);
    assert_eq!(with.text.replace(&link, ""), without.text, "nothing else changes");
    assert_eq!((with.subject, with.json, with.attributes), (without.subject, without.json, without.attributes));
    assert!(
        summary(Some(&anomaly), &alert_of, 3, DEFAULT_TABLE, page).text.contains("\nPage     https://weir.example/")
    );
}

#[test]
fn an_alert_about_one_event_with_little_known() {
    let anomaly = anomaly(|a| {
        a.window_start = None;
        a.window_end = None;
        a.expected = None;
        a.details.clear();
        a.rule_meta = weir_anomaly::RuleMeta::default();
    });
    insta::assert_snapshot!(shown(&alert(&anomaly, &alert_of(&anomaly), DEFAULT_TABLE, None)));
}

#[test]
fn a_summary() {
    let anomaly = anomaly(|_| {});
    insta::assert_snapshot!(shown(&summary(Some(&anomaly), &alert_of(&anomaly), 41, DEFAULT_TABLE, None)));
}

#[test]
fn a_digest() {
    let closed: Vec<_> = (0..14)
        .map(|i| {
            let anomaly = anomaly(|a| a.key = format!("pump-{i}"));
            (alert_of(&anomaly), i64::from(i) + 1)
        })
        .collect();
    insta::assert_snapshot!(shown(&digest("zscore", &closed, "staging-anomalies")));
}

#[test]
fn a_storm() {
    let held: Vec<_> = (0..14).map(|i| alert_of(&anomaly(|a| a.key = format!("pump-{i}")))).collect();
    let minute = Storm::at("zscore", anomaly(|_| {}).timestamp);
    insta::assert_snapshot!(shown(&storm(&minute, &held, 20, DEFAULT_TABLE)));
}

#[test]
fn a_hostile_record_cannot_break_the_message() {
    let anomaly = anomaly(|a| {
        a.key = format!("\u{1b}[31mred\r\nSubject: x\u{202e}{}", "k".repeat(900));
        a.rule_meta.owner = "o".repeat(100_000);
        a.rule_meta.description = "\n\n\nFrom: boss".to_owned();
        for i in 0..500 {
            a.details.insert(format!("d{i}\n"), json!("v\u{0}".repeat(1000)));
        }
    });
    let message = alert(&anomaly, &alert_of(&anomaly), DEFAULT_TABLE, None);
    assert!(message.subject.len() <= MAX_SUBJECT && message.subject.ends_with("..."));
    assert!(message.subject.starts_with('[') && message.subject.chars().all(|c| matches!(c, ' '..='~')));
    assert!(message.text.len() <= MAX_TEXT);
    assert!(message.json.len() <= MAX_JSON + 1024, "{}", message.json.len());
    let json: Value = serde_json::from_str(&message.json).unwrap();
    assert_eq!((&json["details_cut"], &json["rule_meta_cut"]), (&json!(true), &json!(true)));
    let unsafe_char = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!message.subject.contains('\n') && !message.subject.chars().any(unsafe_char));
    assert!(!message.text.chars().any(unsafe_char));
    assert!(!message.text.contains("\nFrom: boss") && !message.text.contains("\nSubject: x"));
    assert!(message.attributes.iter().all(|(_, value)| !value.is_empty() && !value.chars().any(char::is_control)));
}

/// The README shows what a person receives; it must be what a person receives.
#[test]
fn the_readme_shows_a_real_alert() {
    let record = br#"{"id":"61ccb4b96e51ff95b1693c69bfa94367","rule":"static_threshold","rule_version":"4eb26e8b364b","severity":"critical","key":"pump-1/temperature","timestamp":"2026-01-01T00:10:00","window_start":null,"window_end":null,"value":95.0,"expected":90.0,"score":0.5384615384615384,"details":{"source":"pump-1","metric":"temperature"},"rule_meta":{"description":"A reading outside fixed limits","owner":"platform","runbook":"docs/runbooks.md#static_threshold","dedup_seconds":3600,"stage":"active"}}"#;
    let Ok(Record::Anomaly(anomaly)) = Record::parse(record) else { panic!("no anomaly") };
    let period = Period::of(anomaly.timestamp, 3600);
    let message = alert(&anomaly, &Alert { period, ..alert_of(&anomaly) }, DEFAULT_TABLE, None);
    let readme = include_str!("../../../../README.md");
    let shown = format!("```\nSubject: {}\n\n{}\n```", message.subject, message.text.trim_end());
    assert!(readme.contains(&shown), "README.md lacks:\n{shown}");
}
