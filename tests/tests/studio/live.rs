//! What runs and what it found: on an emulator of AWS with a table, streams and a queue, told of as a local stack.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weir_anomaly::{
    Anomaly, Timestamp,
    store::{Attr, Disposition, StoredAnomaly},
};
use weir_tests::Emulator;

use super::{
    Project,
    browser::{Browser, PATIENCE},
};

const EVIL: &str = "<img src=x onerror=\"document.title='run'\">";

/// A stack without an engine: what the page reads of one.
struct Stack {
    emulator: Emulator,
    queue: String,
    _folder: tempfile::TempDir,
}

impl Stack {
    fn start(project: &Project) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(folder.path()).unwrap();
        for stream in ["events", "anomalies"] {
            emulator.kinesis("CreateStream", &json!({ "StreamName": stream, "ShardCount": 1 })).unwrap();
        }
        let attribute = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
        let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
        let index = |name: &str, hash: &str| json!({ "IndexName": name, "KeySchema": [key(hash, "HASH"), key("timestamp", "RANGE")], "Projection": { "ProjectionType": "ALL" } });
        let time = match Attr::time(Timestamp::from_nanos(0)) {
            Attr::N(_) => "N",
            Attr::S(_) => "S",
        };
        let table = json!({
            "TableName": "table", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [key("id", "HASH")],
            "AttributeDefinitions": [attribute("id", "S"), attribute("rule", "S"), attribute("key", "S"), attribute("timestamp", time)],
            "GlobalSecondaryIndexes": [index("by_rule", "rule"), index("by_key", "key")],
        });
        emulator.dynamodb("CreateTable", &table).unwrap();
        let made = emulator.sqs("CreateQueue", &json!({ "QueueName": "quarantine" })).unwrap();
        let queue = made["QueueUrl"].as_str().unwrap().to_owned();
        // What `weir up` leaves in the project of a stack that runs.
        let own = project.file(".weir/test");
        fs::create_dir_all(&own).unwrap();
        let connection = json!({
            "endpoint": emulator.endpoint(), "region": "us-east-1", "events_stream": "events", "anomalies_stream": "anomalies",
            "table": "table", "inbox_url": "", "quarantine_url": queue,
        });
        fs::write(own.join("connection.json"), connection.to_string()).unwrap();
        let started = Command::new("ps").args(["-o", "lstart=", "-p", &emulator.pid().to_string()]).output().unwrap();
        let started = String::from_utf8(started.stdout).unwrap();
        let processes = json!([{ "name": "emulator", "pid": emulator.pid(), "started": started.trim() }]);
        fs::write(own.join("processes.json"), processes.to_string()).unwrap();
        Self { emulator, queue, _folder: folder }
    }

    /// Puts an anomaly into the store.
    fn store(&self, anomaly: &Anomaly) {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let stored = StoredAnomaly {
            anomaly: anomaly.clone(),
            first_seen: now,
            last_seen: now,
            times_seen: 1,
            expires_at: 4_000_000_000,
            disposition: Disposition::Alert,
            alert_id: Some("alert#hot#0#k".to_owned()),
        };
        let value = |attr: &Attr| match attr {
            Attr::S(text) => json!({ "S": text }),
            Attr::N(text) => json!({ "N": text }),
        };
        let item: serde_json::Map<String, Value> =
            stored.to_item().iter().map(|(name, attr)| (name.to_owned(), value(attr))).collect();
        self.emulator.dynamodb("PutItem", &json!({ "TableName": "table", "Item": item })).unwrap();
    }

    /// Puts a record on a stream.
    fn put(&self, stream: &str, record: &[u8]) {
        let data = base64(record);
        let body = json!({ "StreamName": stream, "PartitionKey": "k", "Data": data });
        self.emulator.kinesis("PutRecord", &body).unwrap();
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize] as char;
            text.push(if place <= part.len() { digit } else { '=' });
        }
    }
    text
}

fn anomaly(number: u32, key: &str) -> Anomaly {
    serde_json::from_value(json!({
        "id": format!("{number:032x}"), "rule": "hot", "rule_version": "000000000000", "severity": "warning", "key": key,
        "timestamp": format!("2026-01-01T{:02}:{:02}:00Z", number / 60 % 24, number % 60), "value": 99.5, "expected": 90.0, "score": 0.5,
        "window_start": null, "window_end": null, "details": { "note": EVIL },
        "rule_meta": { "description": EVIL, "owner": "o", "runbook": "r" },
    }))
    .unwrap()
}

/// A page on the stack; `None` where there is no browser.
fn start() -> Option<(Project, Stack, Browser)> {
    let browser = Browser::start()?;
    let mut project = Project::start(&[]);
    let stack = Stack::start(&project);
    project.serve(&["--stack", "test"]);
    Some((project, stack, browser))
}

#[test]
fn anomalies_come_by_themselves_and_wait_while_the_tail_is_paused() {
    let Some((project, stack, mut browser)) = start() else { return };
    browser.open(&project.url("#view=live"));
    browser.wait("document.querySelector('#parts li')");
    browser.wait("document.querySelector('#tail')?.dataset.state === 'listening'");
    stack.put("anomalies", serde_json::to_string(&anomaly(1, EVIL)).unwrap().as_bytes());
    browser.wait("document.querySelector('#tail').dataset.shown === '1'");
    assert_eq!(browser.eval("document.querySelector('#tail td.wide').textContent"), json!(EVIL));
    browser.click("#pause");
    stack.put("anomalies", serde_json::to_string(&anomaly(2, "k")).unwrap().as_bytes());
    browser.wait("document.querySelector('#tail').dataset.held === '1'");
    assert_eq!(browser.eval("document.querySelector('#tail').dataset.shown"), json!("1"), "what is read stands still");
    browser.click("#pause");
    browser.wait("document.querySelector('#tail').dataset.shown === '2'");
    assert_eq!(browser.eval("document.title"), json!("Weir studio"));
    browser.is_clean(project.origin());
}

#[test]
fn a_key_is_silenced_and_heard_again_and_each_is_asked_once() {
    let Some((project, _stack, mut browser)) = start() else { return };
    browser.open(&project.url("#view=live"));
    // Parts that come late would move the rest under the mouse.
    browser.wait("document.querySelector('#parts li')");
    browser.wait("document.querySelector('#silences')?.dataset.silences === '0'");
    browser.fill("#silences input[name=key]", "pump-7/*");
    browser.fill("#silences input[name=lasts]", "2h");
    browser.fill("#silences input[name=why]", "it is <b>replaced</b>");
    browser.click("#silence");
    browser.click("#yes");
    browser.wait("document.querySelector('#silences').dataset.silences === '1'");
    let said = browser.eval("document.querySelector('.silence').textContent");
    assert!(said.as_str().unwrap().contains("by tester: it is <b>replaced</b>"), "{said}");
    let listed =
        weir_tests::weir(&["silence", "list", "--stack", "test"]).current_dir(project.folder()).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("pump-7/*"), "the command knows it");
    browser.click(".silence button");
    browser.click("#yes");
    browser.wait("document.querySelector('#silences').dataset.silences === '0'");
    browser.fill("#silences input[name=lasts]", "a while");
    browser.fill("#silences input[name=why]", "x");
    browser.click("#silence");
    browser.click("#yes");
    browser.wait("document.querySelector('#silences .fault')?.textContent.includes('no interval')");
    // The browser itself tells of each answer that is an error.
    browser.errors.retain(|error| !error.contains("422"));
    browser.is_clean(project.origin());
}

#[test]
fn a_record_is_sent_again_and_leaves_quarantine() {
    let Some((project, stack, mut browser)) = start() else { return };
    let record = br#"{"timestamp": "2026-01-01T00:00:00Z", "value": "<b>hot</b>"}"#;
    let message = json!({
        "record_type": "poison", "record_id": "r1", "stream": "events", "reason": "bad_value", "error": "`value` is no finite number",
        "raw": base64(record), "part": 1, "parts": 1, "arrival_time": null, "quarantined_at": "2026-01-01T00:00:01Z",
    });
    stack.emulator.sqs("SendMessage", &json!({ "QueueUrl": stack.queue, "MessageBody": message.to_string() })).unwrap();
    browser.open(&project.url("#view=live"));
    browser.wait("document.querySelector('#parts li')");
    browser.click("#look");
    browser.wait("document.querySelector('#quarantine').dataset.records === '1'");
    assert_eq!(
        browser.eval("document.querySelector('.record pre').textContent"),
        json!(String::from_utf8_lossy(record))
    );
    browser.click("[data-send=r1]");
    browser.click("#yes");
    browser.wait("document.querySelector('#quarantine').dataset.records === '0'");
    let shards = stack.emulator.kinesis("ListShards", &json!({ "StreamName": "events" })).unwrap();
    let from = json!({ "StreamName": "events", "ShardId": shards["Shards"][0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON" });
    let iterator = stack.emulator.kinesis("GetShardIterator", &from).unwrap()["ShardIterator"].clone();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let read = stack.emulator.kinesis("GetRecords", &json!({ "ShardIterator": iterator })).unwrap();
        if read["Records"].as_array().is_some_and(|records| records.len() == 1) {
            break;
        }
        assert!(Instant::now() < deadline, "the record did not come back: {read}");
        std::thread::sleep(Duration::from_millis(50));
    }
    browser.is_clean(project.origin());
}

#[test]
fn an_alerts_link_opens_its_anomaly_and_the_store_is_drilled_into() {
    let Some((mut project, stack, mut browser)) = start() else { return };
    for number in 0..300 {
        stack.store(&anomaly(number, if number % 3 == 0 { EVIL } else { "pump-1/temperature" }));
    }
    project.serve(&["--stack", "test", "--open", &format!("{:032x}", 7)]);
    browser.open(&project.url(""));
    browser.wait("document.querySelector('#explain')?.dataset.known === 'true'");
    assert!(browser.eval("document.querySelector('#explain').textContent").as_str().unwrap().contains(EVIL));
    browser.wait("document.querySelector('#stored').dataset.anomalies === '300'");
    browser.click(".lane-row[data-key=hot] .lane-key");
    browser.wait("document.querySelectorAll('.lane-row').length === 2 && document.querySelector('.lane-row[data-key=\"pump-1/temperature\"]')");
    browser.click(".lane-row[data-key='pump-1/temperature'] .lane-key");
    browser.wait("document.querySelector('#stored').dataset.anomalies === '200'");
    browser.click("#stored tbody tr button");
    browser.wait("document.querySelector('#explain').dataset.id !== '00000000000000000000000000000007'");
    assert_eq!(browser.eval("document.querySelectorAll('#app img').length"), json!(0));
    browser.is_clean(project.origin());
}

#[test]
fn a_stack_that_is_down_says_so_and_rules_can_still_be_written() {
    let Some(mut browser) = Browser::start() else { return };
    let mut project = Project::start(&[]);
    project.serve(&["--stack", "nowhere"]);
    browser.open(&project.url("#view=live"));
    browser.wait("document.querySelector('#parts .fault .hint')");
    browser.click(".tab[data-view=rule]");
    browser.fresh();
    assert!(browser.errors.iter().all(|error| error.contains("422")), "{:?}", browser.errors);
}
