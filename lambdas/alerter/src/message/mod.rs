//! What people and machines receive. Written for a tired person: what, where, since when, how bad, who and what to do
//! come before anything else, and nothing of a record can break the message or a terminal that shows it.

mod text;

use serde_json::{Map, Value, json};
use weir_anomaly::{
    Anomaly, MAX_KEY_BYTES, Severity,
    store::{Alert, Storm},
};
use weir_lambda::quarantine::storable;

use crate::ports::Message;
use text::{cut, cut_ascii, cut_bytes, hide, number, one_line, secret, shell, when};

/// SNS: "less than 100 characters long".
const MAX_SUBJECT: usize = 99;
/// A mail longer than this is not read, and ten messages must fit into one call of 256 KiB.
const MAX_TEXT: usize = 8 * 1024;
/// Above it details and then the rule's texts are left out of the machine's message; the store has them. It travels once for
/// each protocol that takes JSON and is escaped on the way: five times twice of it, and the text, stay under 256 KiB.
const MAX_JSON: usize = 16 * 1024;
/// Lines of details.
const MAX_DETAILS: usize = 12;
/// Keys named in a summary of many.
const MAX_KEYS: usize = 10;
/// What `weir show` looks into when it is not told.
const DEFAULT_TABLE: &str = "weir-anomalies";

/// The first anomaly of a period: sent at once.
#[must_use]
pub fn alert(anomaly: &Anomaly, alert: &Alert, table: &str, page: Option<&str>) -> Message {
    let meta = &anomaly.rule_meta;
    let mut lines = Lines::default();
    lines.title(&format!("{}: {}", anomaly.severity.as_str().to_uppercase(), anomaly.key));
    lines.add("What", if meta.description.is_empty() { &anomaly.rule } else { &meta.description });
    lines.add("Rule", &anomaly.rule);
    match (anomaly.window_start, anomaly.window_end) {
        (Some(start), Some(end)) => {
            lines.add("Since", &when(start));
            lines.add("Until", &when(end));
        }
        _ => lines.add("At", &when(anomaly.timestamp)),
    }
    lines.add("Value", &value(anomaly));
    lines.add("Unusual", &format!("{} (0 is ordinary, 1 is as unusual as it gets)", number(anomaly.score)));
    for (name, value) in anomaly.details.iter().take(MAX_DETAILS) {
        let shown = if secret(name) { "(hidden)".to_owned() } else { plain(&hide(value.clone())) };
        lines.add("Detail", &format!("{name} = {}", cut(&one_line(&shown), 200)));
    }
    if anomaly.details.len() > MAX_DETAILS {
        lines.add("Detail", &format!("and {} more", anomaly.details.len() - MAX_DETAILS));
    }
    lines.contact(&meta.owner, &meta.runbook);
    lines.more(table, anomaly.id.as_str());
    lines.page(page, anomaly.id.as_str());
    lines.add("Id", anomaly.id.as_str());
    lines.end(&format!(
        "Further anomalies of this rule and key up to {} are counted; a summary follows if there are any.",
        when(alert.period.ends())
    ));
    let subject = format!(
        "[{}] {}: {}{}",
        anomaly.severity,
        anomaly.rule,
        anomaly.key,
        anomaly.value.map(|v| format!(" = {}", number(v))).unwrap_or_default()
    );
    let json = machine("alert", alert, anomaly_fields(anomaly));
    message(&subject, &lines.0, json, attributes("alert", &anomaly.rule, anomaly.severity, &anomaly.key))
}

/// What followed the first anomaly until its period closed.
#[must_use]
pub fn summary(first: Option<&Anomaly>, alert: &Alert, suppressed: i64, table: &str, page: Option<&str>) -> Message {
    let mut lines = Lines::default();
    lines.title(&format!("{} more: {}", suppressed, alert.key));
    lines.add("Rule", &alert.rule);
    lines.add("Severity", alert.severity.as_str());
    lines.add("From", &when(alert.period.begins()));
    lines.add("To", &when(alert.period.ends()));
    if let Some(first) = first {
        lines.add("First", &format!("{} at {}", value(first), when(first.timestamp)));
        lines.contact(&first.rule_meta.owner, &first.rule_meta.runbook);
    }
    // A key that cannot be shown as it is cannot be copied, either.
    let copied = one_line(&alert.key) == alert.key;
    let by = if copied { format!("--key={}", shell(&alert.key)) } else { format!("--rule={}", alert.rule) };
    lines.more(table, &by);
    lines.page(page, &alert.first_id);
    lines.add("Id", &alert.first_id);
    lines.end("The period is over. The next anomaly of this rule and key alerts anew.");
    let subject = format!("[{}] {}: {} more of {}", alert.severity, alert.rule, suppressed, alert.key);
    let json = machine("summary", alert, Map::from_iter([("suppressed".to_owned(), json!(suppressed))]));
    message(&subject, &lines.0, json, attributes("summary", &alert.rule, alert.severity, &alert.key))
}

/// What followed in the closed periods of many keys of one rule: one message instead of one a key.
#[must_use]
pub fn digest(rule: &str, closed: &[(Alert, i64)], table: &str) -> Message {
    let severity = closed.iter().map(|(alert, _)| alert.severity).max().unwrap_or(Severity::Info);
    let total: i64 = closed.iter().map(|(_, suppressed)| suppressed).sum();
    let mut by_count: Vec<_> = closed.iter().collect();
    by_count.sort_by_key(|(alert, suppressed)| (std::cmp::Reverse(*suppressed), alert.key.clone()));
    let mut lines = Lines::default();
    lines.title(&format!("{total} more over {} keys", closed.len()));
    lines.add("Rule", rule);
    lines.add("Severity", severity.as_str());
    for (alert, suppressed) in by_count.iter().take(MAX_KEYS) {
        lines.add("Key", &format!("{} ({suppressed} more)", cut(&one_line(&alert.key), 120)));
    }
    if by_count.len() > MAX_KEYS {
        lines.add("Key", &format!("and {} more keys", by_count.len() - MAX_KEYS));
    }
    lines.more(table, &format!("--rule={rule}"));
    lines.end("These periods are over. The next anomaly of a key alerts anew.");
    let keys: Vec<_> = by_count
        .iter()
        .take(MAX_KEYS)
        .map(|(alert, suppressed)| json!({"key": one_line(&alert.key), "suppressed": suppressed}))
        .collect();
    let json = json!({"type": "digest", "rule": rule, "severity": severity, "suppressed": total, "keys": closed.len(), "top": keys});
    let subject = format!("[{severity}] {rule}: {total} more over {} keys", closed.len());
    message(&subject, &lines.0, json, attributes("digest", rule, severity, "*"))
}

/// One message for the alerts of a minute above the cap.
#[must_use]
pub fn storm(storm: &Storm, held: &[Alert], cap: u32, table: &str) -> Message {
    let severity = held.iter().map(|alert| alert.severity).max().unwrap_or(Severity::Info);
    let mut lines = Lines::default();
    lines.title(&format!("{} alerts held back", held.len()));
    lines.add("Rule", &storm.rule);
    lines.add("Severity", severity.as_str());
    lines.add("Minute", &when(storm.begins()));
    lines.add("Why", &format!("more than {cap} alerts of this rule became due within the minute"));
    for alert in held.iter().take(MAX_KEYS) {
        lines.add("Key", &cut(&one_line(&alert.key), 120));
    }
    if held.len() > MAX_KEYS {
        lines.add("Key", &format!("and {} more", held.len() - MAX_KEYS));
    }
    lines.more(table, &format!("--rule={}", storm.rule));
    lines.end("Every anomaly is stored. This message speaks for the alerts that were held back.");
    let keys: Vec<_> = held.iter().take(MAX_KEYS).map(|alert| one_line(&alert.key)).collect();
    let json = json!({"type": "storm", "rule": storm.rule, "severity": severity, "held": held.len(),
        "minute": storm.begins().to_rfc3339_millis(), "storm_id": storm.id(), "keys": keys});
    let subject = format!("[{severity}] {}: storm, {} alerts held back", storm.rule, held.len());
    message(&subject, &lines.0, json, attributes("storm", &storm.rule, severity, "*"))
}

fn message(subject: &str, text: &str, json: Value, attributes: Vec<(&'static str, String)>) -> Message {
    Message {
        subject: cut_ascii(&one_line(subject), MAX_SUBJECT),
        text: cut_bytes(text, MAX_TEXT),
        json: storable(&json.to_string()),
        attributes,
    }
}

fn attributes(kind: &str, rule: &str, severity: Severity, key: &str) -> Vec<(&'static str, String)> {
    // Whole: a subscription's filter must tell two long keys apart.
    let key = cut_bytes(&one_line(key), MAX_KEY_BYTES);
    vec![
        ("kind", kind.to_owned()),
        ("rule", rule.to_owned()),
        ("severity", severity.as_str().to_owned()),
        // SNS refuses an attribute without a value.
        ("key", if key.is_empty() { "-".to_owned() } else { key }),
    ]
}

fn machine(kind: &str, alert: &Alert, more: Map<String, Value>) -> Value {
    let mut fields = Map::new();
    fields.insert("type".to_owned(), json!(kind));
    fields.insert("alert_id".to_owned(), json!(alert.id()));
    fields.insert("rule".to_owned(), json!(alert.rule));
    fields.insert("severity".to_owned(), json!(alert.severity));
    fields.insert("key".to_owned(), json!(alert.key));
    fields.insert("id".to_owned(), json!(alert.first_id));
    fields.insert("period_start".to_owned(), json!(alert.period.begins().to_rfc3339_millis()));
    fields.insert("period_end".to_owned(), json!(alert.period.ends().to_rfc3339_millis()));
    fields.extend(more);
    for (name, mark) in [("details", "details_cut"), ("rule_meta", "rule_meta_cut")] {
        // The key alone may be a kilobyte, and its control characters take six bytes each.
        let sizes = fields.values().map(|value| value.to_string().len());
        if sizes.sum::<usize>() > MAX_JSON && fields.remove(name).is_some() {
            fields.insert(mark.to_owned(), Value::Bool(true));
        }
    }
    Value::Object(fields)
}

fn anomaly_fields(anomaly: &Anomaly) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(anomaly) else {
        return Map::new();
    };
    if let Some(details) = fields.get_mut("details") {
        *details = hide(details.take());
    }
    fields
}

fn value(anomaly: &Anomaly) -> String {
    match (anomaly.value, anomaly.expected) {
        (Some(value), Some(expected)) => format!("{}, expected {}", number(value), number(expected)),
        (Some(value), None) => number(value),
        (None, Some(expected)) => format!("none, expected {}", number(expected)),
        (None, None) => "none".to_owned(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), number),
        other => other.to_string(),
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn title(&mut self, text: &str) {
        self.0.push_str(&cut(&one_line(text), 300));
        self.0.push_str("\n\n");
    }

    fn add(&mut self, name: &str, text: &str) {
        let text = cut(&one_line(text), 600);
        if !text.is_empty() {
            self.0.push_str(&format!("{name:<9}{text}\n"));
        }
    }

    /// The command that shows more, ready to be copied.
    fn more(&mut self, table: &str, what: &str) {
        let table = if table == DEFAULT_TABLE { String::new() } else { format!(" --table={table}") };
        // Not cut: half a command is none.
        self.0.push_str(&format!("{:<9}weir show {what}{table}\n", "More"));
    }

    /// The link to the page at this anomaly, where a page is configured.
    fn page(&mut self, page: Option<&str>, id: &str) {
        if let Some(page) = page {
            // Not cut: half a link is none.
            self.0.push_str(&format!("{:<9}{page}{id}\n", "Page"));
        }
    }

    fn contact(&mut self, owner: &str, runbook: &str) {
        self.add("Owner", owner);
        self.add("Runbook", runbook);
    }

    fn end(&mut self, text: &str) {
        self.0.push('\n');
        self.0.push_str(text);
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests;
