//! The JSON API over a real socket: what it answers, whom it refuses, and that it says what the commands say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use weir_anomaly::{Anomaly, Timestamp};
use weir_backtest::{
    BacktestOptions, backtest,
    data::{
        generate::{Plan, generate},
        read::Columns,
    },
};
use weir_project::{EnvironmentOptions, Repo};
use weir_studio::{Commands, HistoryChoice, Place, RuleVersion, SilenceRequest, StudioOptions};

/// A rule that takes milliseconds, with a slider.
const RULE: &str = r#"-- name = "hot"
-- severity = "warning"
-- description = "A reading above a limit"
-- owner = "o"
-- runbook = "docs/runbooks.md#hot"
-- dedup = "6 hours"
--
-- [parameters.limit]
-- type = "double"
-- default = 90.0
-- min = 0.0
-- max = 200.0

SELECT series AS key, event_time, value, ${limit} AS expected, 0.5 AS score, source
FROM events
WHERE metric = 'temperature' AND value > ${limit}
"#;

struct NoCommands;

impl Commands for NoCommands {
    fn quarantined<'a>(&'a self, _: &'a Place) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn send_again<'a>(&'a self, _: &'a Place, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn silence<'a>(&'a self, _: &'a Place, _: &'a SilenceRequest) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn pipelines<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn version(&self, _: &Anomaly) -> Result<Option<RuleVersion>> {
        Ok(None)
    }
}

/// A project of one rule, and its server.
struct Studio {
    folder: TempDir,
    url: String,
}

impl Studio {
    async fn start(history: Option<HistoryChoice>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql");
        let sql = folder.path().join("sql");
        for part in ["rules", "tests", "environments"] {
            fs::create_dir_all(sql.join(part)).unwrap();
        }
        fs::copy(here.join("tables.sql"), sql.join("tables.sql")).unwrap();
        fs::write(sql.join("environments/local.toml"), "time = \"event\"\n").unwrap();
        fs::write(sql.join("rules/hot.sql"), RULE).unwrap();
        for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-qm", "rules"]] {
            let identity = ["-c", "user.email=a@b", "-c", "user.name=a"];
            assert!(
                Command::new("git").current_dir(&folder).args(identity).args(arguments).status().unwrap().success()
            );
        }
        Self::on(folder, history).await
    }

    /// The server of a project that is there.
    async fn on(folder: TempDir, history: Option<HistoryChoice>) -> Self {
        let options = StudioOptions {
            repo: Repo::at(folder.path().to_owned()).unwrap(),
            port: 0,
            environment: "local".to_owned(),
            history,
            columns: Columns::default(),
            labels: None,
            running: None,
            open: None,
            generate: Box::new(|seed| {
                let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
                Ok(generate(Plan { seed, days: 14, sources: 3, start, step: 300_000_000_000, clean: false }))
            }),
            connect: Box::new(|| Box::pin(async { bail!("there is no AWS here") })),
            commands: Box::new(NoCommands),
        };
        let server = weir_studio::open(options).await.unwrap();
        let url = server.url();
        tokio::spawn(server.serve());
        Self { folder, url }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn token(&self) -> &str {
        self.url.split_once("token=").unwrap().1
    }

    fn host(&self) -> &str {
        self.url.trim_start_matches("http://").split('/').next().unwrap()
    }

    /// One request as a browser sends it; the status, the head and the body of the answer.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.host()).await.unwrap();
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        (status, head.to_owned(), if chunked { unchunked(body) } else { body.to_owned() })
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let headers = [("Host", self.host()), ("x-weir-token", self.token()), ("Content-Type", "application/json")];
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let (status, _, body) = self.send(method, &format!("/api/{path}"), &headers, &body).await;
        // The last of several events is the result.
        let last = body.lines().rfind(|line| !line.is_empty() && !line.starts_with(':')).unwrap_or("null");
        let last = last.strip_prefix("data: ").unwrap_or(last);
        (status, serde_json::from_str(last).unwrap_or_else(|_| json!(last)))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask("POST", path, body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn evaluate(&self, text: &str, parameters: Value, compare: bool) -> Value {
        let draft = draft(text, parameters, compare);
        self.post("evaluate", draft).await
    }

    async fn open_generated(&self) {
        assert_eq!(self.post("history", json!({ "from": "generated", "seed": 7 })).await["state"], "done");
    }
}

fn draft(text: &str, parameters: Value, compare: bool) -> Value {
    json!({ "tab": "a", "path": "sql/rules/hot.sql", "text": text, "parameters": parameters, "compare": compare })
}

fn unchunked(body: &str) -> String {
    let (mut text, mut rest) = (String::new(), body);
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        text.push_str(more.get(..size).unwrap());
        rest = more.get(size + 2..).unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_page_with_the_token_is_answered() {
    let studio = Studio::start(None).await;
    let (host, token) = (studio.host().to_owned(), studio.token().to_owned());
    let status = async |path: &str, headers: &[(&str, &str)]| studio.send("GET", path, headers, "").await.0;
    assert_eq!(status("/", &[("Host", &host)]).await, 200);
    assert_eq!(status("/app/main.js", &[("Host", &host)]).await, 200);
    assert_eq!(status("/app/../Cargo.toml", &[("Host", &host)]).await, 404);
    let own = [("Host", host.as_str()), ("x-weir-token", token.as_str())];
    assert_eq!(status("/api/project", &own).await, 200);
    assert_eq!(status("/api/nothing", &own).await, 404);
    assert_eq!(status("/api/project", &own[..1]).await, 401, "without the token");
    assert_eq!(status("/api/project", &[("Host", "evil.example"), own[1]]).await, 403, "a name that leads here");
    for foreign in
        [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site")]
    {
        assert_eq!(status("/api/project", &[own[0], own[1], foreign]).await, 403, "{foreign:?}");
    }
    let (_, head, _) = studio.send("GET", "/", &[("Host", &host)], "").await;
    let head = head.to_ascii_lowercase();
    for said in
        ["default-src 'none'", "script-src 'self';", "x-content-type-options: nosniff", "referrer-policy: no-referrer"]
    {
        assert!(head.contains(said), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_evaluates_is_what_a_backtest_says() {
    let studio = Studio::start(None).await;
    let input = studio.file("history.jsonl");
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let plan = Plan { seed: 3, days: 9, sources: 3, start, step: 300_000_000_000, clean: false };
    let (events, labels) = generate(plan);
    let lines: Vec<u8> = events.iter().flat_map(|event| [event.record.as_slice(), b"\n"].concat()).collect();
    fs::write(&input, lines).unwrap();
    fs::write(studio.file("sql/labels.json"), serde_json::to_vec(&labels).unwrap()).unwrap();
    let opened = studio.post("history", json!({ "from": "inputs", "inputs": ["history.jsonl"] })).await;
    assert_eq!(opened["result"]["events"], json!(events.len()), "{opened}");
    assert_eq!(opened["result"]["labels"], json!(labels.len()));
    let mut page = studio.evaluate(RULE, json!({ "limit": "66.5" }), false).await["result"]["report"].take();

    // The command finds its project from where it runs; a test has one folder for all.
    let out = Command::new("true").status();
    assert!(out.is_ok());
    let here = std::env::current_dir().unwrap();
    std::env::set_current_dir(studio.folder.path()).unwrap();
    let options = BacktestOptions {
        stream: None,
        every: None,
        input: vec![input.display().to_string()],
        rules: vec!["hot".to_owned()],
        environment: EnvironmentOptions {
            environment: Some("local".to_owned()),
            set: vec!["hot.limit=66.5".to_owned()],
        },
        columns: Columns::default(),
        from: None,
        to: None,
        labels: Some(studio.file("sql/labels.json")),
        out: None,
        plot: None,
        plot_series: 12,
        compare: None,
    };
    let done = backtest(&options, &async || bail!("no AWS")).await;
    std::env::set_current_dir(here).unwrap();
    let mut command = serde_json::to_value(done.unwrap().answer).unwrap();
    for report in [&mut page, &mut command] {
        for timing in ["replay_seconds", "events_per_second"] {
            report.as_object_mut().unwrap().remove(timing);
        }
    }
    assert_eq!(page, command);
    assert!(page["all"]["anomalies"].as_u64().unwrap() > 100, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slider_changes_the_figures_and_the_last_commit_is_compared_with() {
    let studio = Studio::start(None).await;
    studio.open_generated().await;
    let usual = studio.evaluate(RULE, json!({}), false).await;
    let (usual, all) = (&usual["result"], usual["result"]["figures"]["anomalies"].as_u64().unwrap());
    assert!(all > 0 && usual["comparison"].is_null(), "{usual}");
    let lower = studio.evaluate(RULE, json!({ "limit": "70" }), true).await;
    let lower = &lower["result"];
    let found = lower["figures"]["anomalies"].as_u64().unwrap();
    assert!(found > all);
    assert_eq!((&lower["comparison"]["gained"], &lower["comparison"]["lost"]), (&json!(found - all), &json!(0)));
    let higher = studio.evaluate(&RULE.replace("default = 90.0", "default = 200.0"), json!({}), true).await;
    assert_eq!(
        (&higher["result"]["comparison"]["gained"], &higher["result"]["comparison"]["lost"]),
        (&json!(0), &json!(all))
    );
    let outside = studio.evaluate(RULE, json!({ "limit": "201" }), false).await;
    assert!(outside["message"].as_str().unwrap().contains("at most 200"), "{outside}");
    // What was lost is drawn and listed too.
    let number = &higher["result"]["evaluation"];
    let listed = studio.post("anomalies", json!({ "evaluation": number })).await;
    assert_eq!(listed["all"], json!(all));
    assert!(listed["anomalies"].as_array().unwrap().iter().all(|one| one["change"] == "lost"));
    let key = &listed["anomalies"][0]["key"];
    let chart = studio.post("chart", json!({ "evaluation": number, "key": key, "width": 500, "expected": true })).await;
    let drawn = chart["x"].as_array().unwrap().len();
    assert!((500..=2500).contains(&drawn) && chart["readings"].as_u64().unwrap() > 4000, "{drawn}");
    assert!(chart["marks"].as_array().unwrap().iter().all(|mark| mark["y"].as_f64().unwrap() > 90.0));
    assert!(!chart["labels"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_is_wrong_is_told_with_its_place_and_a_newer_one_ends_it() {
    let studio = Studio::start(None).await;
    let (status, answer) = studio.ask("POST", "evaluate", draft(RULE, json!({}), false)).await;
    assert_eq!((status, answer["hint"].as_str()), (400, Some("choose a file, a folder or generated data")));
    studio.open_generated().await;
    let wrong = RULE.replace("value > ${limit}", "valve > ${limit}");
    let failed = studio.evaluate(&wrong, json!({}), false).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["message"].as_str().unwrap().starts_with("sql/rules/hot.sql:16:"), "{failed}");
    let checked = studio.post("check", json!({ "path": "sql/rules/hot.sql", "text": wrong })).await;
    let error = checked["findings"].as_array().unwrap().iter().find(|one| one["level"] == "error").unwrap();
    assert_eq!((&error["line"], &error["code"]), (&json!(16), &json!("does-not-plan")), "{error}");
    let good = studio.post("check", json!({ "path": "sql/rules/hot.sql", "text": RULE })).await;
    let limit = &good["parameters"][0];
    assert_eq!((&limit["name"], &limit["min"], &limit["max"]), (&json!("limit"), &json!(0.0), &json!(200.0)));
    // Two at once in one tab: the older one says that it was superseded.
    let other = RULE.replace("SELECT series", "SELECT  series");
    let (one, two) =
        tokio::join!(studio.evaluate(&other, json!({}), false), studio.evaluate(RULE, json!({ "limit": "80" }), false));
    let states = [&one["state"], &two["state"]];
    assert!(states.contains(&&json!("done")), "{one} {two}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_ends_with_the_browser_that_waits_for_it() {
    let studio = Studio::start(None).await;
    studio.open_generated().await;
    // Minutes of work, were it not ended.
    let slow = RULE.replace(
        "SELECT series AS key, event_time, value, ${limit} AS expected, 0.5 AS score, source\nFROM events\nWHERE metric = 'temperature' AND value > ${limit}",
        "SELECT series AS key, window, n AS value, ${limit} AS expected, 0.5 AS score FROM (SELECT series, hop(INTERVAL '5 seconds', INTERVAL '5 days') AS window, median(value) AS n FROM events GROUP BY series, window) AS w WHERE n > 1000.0",
    );
    assert_ne!(slow, RULE);
    let body = draft(&slow, json!({}), false).to_string();
    let mut stream = TcpStream::connect(studio.host()).await.unwrap();
    let head = format!(
        "POST /api/evaluate HTTP/1.1\r\nHost: {}\r\nx-weir-token: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        studio.host(),
        studio.token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let under_way = async |wanted: u64| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while studio.get("project").await["evaluations"].as_u64() != Some(wanted) {
            assert!(std::time::Instant::now() < deadline, "not {wanted} evaluations under way");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    under_way(1).await;
    drop(stream);
    under_way(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_saved_unless_somebody_else_was_quicker() {
    let studio = Studio::start(None).await;
    let file = studio.get("file?path=sql/rules/hot.sql").await;
    assert_eq!((file["text"].as_str(), file["head"].as_str()), (Some(RULE), Some(RULE)));
    let text = RULE.replace("90.0", "91.0");
    let put = async |text: &str, version: &Value| {
        studio.ask("PUT", "file", json!({ "path": "sql/rules/hot.sql", "text": text, "version": version })).await.1
    };
    let saved = put(&text, &file["version"]).await;
    assert_eq!(saved["state"], "saved");
    assert_eq!(fs::read_to_string(studio.file("sql/rules/hot.sql")).unwrap(), text);
    fs::write(studio.file("sql/rules/hot.sql"), "theirs").unwrap();
    assert_ne!(studio.get("version?path=sql/rules/hot.sql").await, saved["version"]);
    let conflict = put(RULE, &saved["version"]).await;
    assert_eq!((&conflict["state"], &conflict["text"]), (&json!("conflict"), &json!("theirs")));
    assert_eq!(fs::read_to_string(studio.file("sql/rules/hot.sql")).unwrap(), "theirs");
    for path in ["../hot.sql", "sql/../../x.sql", "Cargo.toml", "/etc/passwd"] {
        let (status, _) = studio.ask("PUT", "file", json!({ "path": path, "text": "", "version": null })).await;
        assert_eq!(status, 422, "{path}");
    }
    // A rule that cannot be read is listed with what is wrong.
    let rules = studio.get("project").await["rules"].clone();
    assert_eq!((&rules[0]["name"], &rules[0]["severity"]), (&json!("hot"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_become_labels_and_test_cases_and_the_tests_run_on_the_draft() {
    let studio = Studio::start(None).await;
    studio.open_generated().await;
    let evaluated = studio.evaluate(RULE, json!({}), false).await;
    let number = &evaluated["result"]["evaluation"];
    let one = studio.post("anomalies", json!({ "evaluation": number })).await["anomalies"][0].clone();
    let time = one["time"].as_i64().unwrap();
    let labels = studio.post("labels", json!({ "key": one["key"], "start": time - 1000, "end": time + 1000 })).await;
    let own: Vec<&Value> = labels.as_array().unwrap().iter().filter(|label| label["own"] == json!(true)).collect();
    assert_eq!(own.len(), 1);
    let written: Value = serde_json::from_slice(&fs::read(studio.file("sql/labels.json")).unwrap()).unwrap();
    assert_eq!(written[0]["kind"], "labelled");
    let generated = labels.as_array().unwrap().iter().find(|label| label["own"] == json!(false)).unwrap();
    let (status, said) = studio.ask("DELETE", "labels", generated.clone()).await;
    assert_eq!((status, &said["message"]), (422, &json!("labels of generated data stay")));
    // A tab that shows what was: another has put a label before this one, then has changed it.
    let file = studio.file("sql/labels.json");
    let earlier = json!({ "kind": "labelled", "source": one["key"].as_str().unwrap().split('/').next(), "start": written[0]["start"], "end": written[0]["end"] });
    let changed = |labels: &[&Value]| fs::write(&file, serde_json::to_vec(labels).unwrap()).unwrap();
    changed(&[&earlier, &written[0]]);
    let left = studio.ask("DELETE", "labels", own[0].clone()).await.1;
    assert_eq!(left.as_array().unwrap().len(), labels.as_array().unwrap().len(), "{left}");
    let kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!((kept.as_array().unwrap().len(), kept[0].get("metric").filter(|metric| !metric.is_null())), (1, None));
    let mut moved = written[0].clone();
    moved["end"] = json!("2027-01-01T00:00:00Z");
    changed(&[&moved]);
    let (status, said) = studio.ask("DELETE", "labels", own[0].clone()).await;
    assert_eq!(status, 422, "{said}");
    assert!(said["message"].as_str().unwrap().contains("not in the file any more, or was changed"), "{said}");
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap(), json!([moved]));

    let case = |name: &str, from: i64, to: i64| json!({ "draft": draft(RULE, json!({}), false), "key": one["key"], "from": from, "to": to, "name": name });
    let made = studio.post("case", case("it was hot", time - 600_000, time + 600_000)).await;
    assert_eq!((&made["result"]["records"], &made["result"]["expects"]), (&json!(1), &json!(1)), "{made}");
    let cold = studio.post("case", case("it was not", time - 86_400_000, time - 85_000_000)).await;
    assert_eq!(cold["result"]["expects"], json!(0), "{cold}");
    let again = studio.post("case", case("it was hot", time - 600_000, time + 600_000)).await;
    assert!(again["message"].as_str().unwrap().contains("has a case"), "{again}");
    let tests = studio.post("tests", json!({ "path": "sql/rules/hot.sql", "text": RULE })).await;
    let outcomes = tests["result"].as_array().unwrap();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.iter().all(|one| one["passed"] == json!(true)), "{tests}");
    let broken = RULE.replace("value > ${limit}", "value > 10000.0");
    let tests = studio.post("tests", json!({ "path": "sql/rules/hot.sql", "text": broken })).await;
    assert_eq!(tests["result"][0]["passed"], json!(false), "{tests}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_leads_what_is_written_out_of_the_folder_of_rules() {
    let studio = Studio::start(None).await;
    studio.open_generated().await;
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), studio.file("sql/out")).unwrap();
    fs::remove_dir_all(studio.file("sql/tests")).unwrap();
    std::os::unix::fs::symlink(outside.path(), studio.file("sql/tests")).unwrap();
    for path in ["sql/out/a.sql", "sql/out/new/a.sql", "sql/out/new/newer/a.toml", "sql/tests/new/a.toml"] {
        let (status, said) = studio.ask("PUT", "file", json!({ "path": path, "text": "x", "version": null })).await;
        assert_eq!(status, 422, "{path}: {said}");
        assert!(said["message"].as_str().unwrap().contains("leads out of the folder sql"), "{path}: {said}");
    }
    let case = json!({ "draft": draft(RULE, json!({}), false), "key": "a", "from": 0, "to": 1, "name": "a case" });
    for (path, body) in [("case", case), ("tests", json!({ "path": "sql/rules/hot.sql", "text": RULE }))] {
        let (status, said) = studio.ask("POST", path, body).await;
        assert_eq!(status, 422, "{path}: {said}");
        assert!(said["message"].as_str().unwrap().contains("sql/tests/hot.toml leads out"), "{path}: {said}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projects_own_folder_and_name_are_those_of_weir_toml() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("detection/rules");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("hot.sql"), RULE).unwrap();
    fs::write(folder.path().join("weir.toml"), "name = \"plant-7\"\n[paths]\nsql = \"detection\"\n").unwrap();
    let studio = Studio::on(folder, None).await;
    let project = studio.get("project").await;
    assert_eq!(project["name"], "plant-7");
    let rule = &project["rules"][0];
    assert_eq!(
        (&rule["path"], &rule["tests_path"]),
        (&json!("detection/rules/hot.sql"), &json!("detection/tests/hot.toml"))
    );
    assert_eq!(studio.get("file?path=detection/rules/hot.sql").await["text"], RULE);
    let save = json!({ "path": "detection/tests/hot.toml", "text": "# tests\n", "version": null });
    assert_eq!(studio.ask("PUT", "file", save).await.1["state"], "saved");
    assert_eq!(studio.ask("GET", "file?path=sql/rules/hot.sql", Value::Null).await.0, 422);
    // A stream's file is checked as a stream, an environment as one.
    let check = async |path: &str, text: &str| studio.post("check", json!({ "path": path, "text": text })).await;
    let stream = check("detection/streams/flows.toml", "[fields]\nbytes = \"integr\"\n").await;
    assert_eq!(stream["findings"][0]["code"], "invalid-stream", "{stream}");
    assert_eq!(stream["findings"][0]["line"], json!(2), "{stream}");
    let events = check("detection/streams/events.toml", "[fields]\nbytes = \"integer\"\n").await;
    assert_eq!(events["findings"][0]["code"], "invalid-stream", "{events}");
    let sound = check("detection/streams/flows.toml", "[fields]\nbytes = \"integer\"\n").await;
    assert_eq!(sound["findings"], json!([]));
    let environment = check("detection/environments/local.toml", "tme = \"event\"\n").await;
    assert_eq!(environment["findings"][0]["code"], "invalid-rule", "{environment}");
}

/// Connections that say nothing, or half of what they want to say, take nobody's place for long.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_end_and_others_are_answered() {
    let studio = Studio::start(None).await;
    let mut silent = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(studio.host()).await.unwrap();
        if n % 2 == 0 {
            stream.write_all(b"GET /api/project HTTP/1.1\r\nHost: ").await.unwrap();
        }
        silent.push(stream);
    }
    let answered = tokio::time::timeout(std::time::Duration::from_secs(60), studio.ask("GET", "project", Value::Null));
    assert_eq!(answered.await.unwrap().0, 200);
    let mut rest = Vec::new();
    let ended = silent[0].read_to_end(&mut rest);
    tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_found_says_why_and_a_history_that_is_none_says_so() {
    let studio = Studio::start(None).await;
    fs::write(studio.file("picture.csv"), [0xff, 0xd8, 0xff, 0xe0, 0, 1]).unwrap();
    let failed = studio.post("history", json!({ "from": "inputs", "inputs": ["picture.csv"] })).await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(failed["message"].as_str().unwrap().contains("picture.csv"), "{failed}");
    let missing = studio.post("history", json!({ "from": "inputs", "inputs": ["nowhere.csv"] })).await;
    assert!(missing["message"].as_str().unwrap().contains("nowhere.csv"), "{missing}");
    studio.open_generated().await;
    let text = RULE.replace("'temperature'", "${metric}").replace(
        "-- [parameters.limit]",
        "-- parameters.metric = { type = \"text\", default = \"humidity\" }\n-- [parameters.limit]",
    );
    let nothing = studio.evaluate(&text, json!({}), false).await;
    assert_eq!(nothing["result"]["figures"]["anomalies"], json!(0));
    let why = &nothing["result"]["starved"][0];
    assert!(why["message"].as_str().unwrap().contains("no series has the metric `humidity`"), "{nothing}");
    assert!(why["hint"].as_str().unwrap().contains("temperature"));
    let sweep = json!({ "draft": draft(RULE, json!({}), false), "parameter": "limit", "values": ["70", "90", "500"] });
    let rows = studio.post("sweep", sweep).await["result"].clone();
    let alerts = |row: usize| rows[row]["figures"]["alerts"].as_u64();
    assert!(alerts(0) > alerts(1) && rows[2]["fault"]["message"].is_string(), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_the_page_are_those_of_the_contract() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/contract");
    let read = |part: &str| fs::read_to_string(folder.join(part)).unwrap();
    let contract = ["project.rs", "evaluation.rs", "making.rs", "stack.rs"].map(read).concat();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 4, "a part of the contract is left out");
    insta::assert_snapshot!(shapes(&contract));
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("web/app/types.js")).unwrap();
    for (name, fields) in structs(&contract) {
        let Some(at) = page.find(&format!("}} {name} */")) else { continue };
        let line = page.get(..at).unwrap().rsplit("typedef {").next().unwrap();
        for field in fields {
            assert!(line.contains(&format!("{field}:")), "types.js: {name} lacks {field}");
        }
    }
}

/// Names of structs and of their fields.
fn structs(contract: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in contract.lines() {
        if let Some(name) = line.strip_prefix("pub struct ") {
            found.push((name.trim_end_matches(" {").to_owned(), Vec::new()));
        } else if let (Some(field), Some((_, fields))) = (line.strip_prefix("    pub "), found.last_mut()) {
            fields.push(field.split(':').next().unwrap().to_owned());
        }
    }
    found
}

/// The contract without its words for people: what a change of it changes for the page.
fn shapes(contract: &str) -> String {
    let kept = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//") && !line.starts_with("#[derive") && !line.starts_with("use ")
    };
    contract.lines().filter(kept).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn raw_records_of_a_declared_stream_are_a_history() {
    let records = HistoryChoice::Records { inputs: vec!["records.jsonl".to_owned()], stream: "climate".to_owned() };
    let studio = Studio::start(Some(records)).await;
    fs::create_dir_all(studio.file("sql/streams")).unwrap();
    let declared = "key = \"device\"\ntime = { path = \"at\", format = \"rfc3339\" }\nmetrics = [\"temperature\"]\n\n\
        [fields]\ndevice = { type = \"text\", required = true }\ntemperature = \"double\"\n";
    fs::write(studio.file("sql/streams/climate.toml"), declared).unwrap();
    let record = |minute: usize| {
        let temperature = if minute == 30 { 99 } else { 20 };
        format!("{{\"device\":\"cellar\",\"at\":\"2026-01-01T00:{minute:02}:00Z\",\"temperature\":{temperature}}}\n")
    };
    fs::write(studio.file("records.jsonl"), (0..60).map(record).collect::<String>()).unwrap();
    let opened = studio.post("history", Value::Null).await;
    assert_eq!(opened["result"]["events"], json!(60), "{opened}");
    let rule = RULE.split("\n\n").next().unwrap().to_owned()
        + "\n\nSELECT device AS key, event_time, temperature AS value, 0.5 AS score FROM climate WHERE temperature > ${limit}\n";
    let found = studio.evaluate(&rule, json!({ "limit": "66.5" }), false).await;
    assert_eq!(found["result"]["figures"]["anomalies"], json!(1), "{found}");

    // The page's own dialog asks for the same, and what a rule expected of it is drawn, with its band.
    assert_eq!(studio.get("project").await["streams"], json!(["climate"]));
    let asked = json!({ "from": "records", "inputs": ["records.jsonl"], "stream": "climate" });
    let opened = studio.post("history", asked).await;
    assert_eq!(opened["result"]["name"], "records.jsonl as climate", "{opened}");
    let header =
        RULE.split("\n\n").next().unwrap().to_owned() + "\n--\n-- [band]\n-- lower = \"low\"\n-- upper = \"high\"\n";
    let windowed = header
        + "\nSELECT device || '/temperature' AS key, window, mean AS value, ${limit} AS expected, 0.5 AS score, 10.0 AS low, 30.0 AS high\n\
           FROM (SELECT device, tumble(INTERVAL '10 minutes') AS window, avg(temperature) AS mean FROM climate GROUP BY device, window) AS w\n\
           WHERE mean > 25.0\n";
    let found = studio.evaluate(&windowed, json!({ "limit": "20.0" }), false).await;
    assert_eq!(found["result"]["figures"]["anomalies"], json!(1), "{found}");
    let number = &found["result"]["evaluation"];
    let chart = json!({ "evaluation": number, "key": "cellar/temperature", "from": null, "to": null, "width": 600, "expected": true });
    let chart = studio.post("chart", chart).await;
    assert_eq!(chart["is_series"], json!(true), "{chart}");
    let line = &chart["expected"][0];
    assert_eq!(line["expected"].as_array().unwrap().len(), 6, "a window each: {chart}");
    assert_eq!((&line["lower"][0], &line["upper"][0]), (&json!(10.0), &json!(30.0)), "{chart}");
    for (stream, hint) in [("climte", "climate"), ("../x", "climate")] {
        let refused =
            studio.post("history", json!({ "from": "records", "inputs": ["records.jsonl"], "stream": stream })).await;
        assert_eq!(refused["state"], "failed");
        assert!(refused["hint"].as_str().unwrap().contains(hint), "{refused}");
    }
}

/// A history of 2 GB, most of it a hole that is no record: read in bounded memory to its end, or no further than somebody waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_two_gigabytes_is_read_in_bounded_memory() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    // Under `make test-all` in full size; else so large that memory shows it.
    let size: u64 = if std::env::var_os("WEIR_TEST_ALL").is_some() { 2 << 30 } else { 256 << 20 };
    let studio = Studio::start(None).await;
    let event = |minute: u32| {
        format!(
            "{{\"timestamp\":\"2026-01-01T00:{minute:02}:00Z\",\"source\":\"a\",\"metric\":\"temperature\",\"value\":{minute}}}\n"
        )
    };
    let mut file = fs::File::create(studio.file("large.jsonl")).unwrap();
    file.write_all((0..30).map(event).collect::<String>().as_bytes()).unwrap();
    file.seek(SeekFrom::Start(size)).unwrap();
    file.write_all(format!("\n{}", (30..60).map(event).collect::<String>()).as_bytes()).unwrap();
    drop(file);
    let before = resident();
    let asked = json!({ "from": "inputs", "inputs": ["large.jsonl"], "timestamp": null, "value": null, "source": null, "metric": null });
    // Somebody who goes away ends the reading: the next one is not behind it.
    let gone = studio.ask("POST", "history", asked.clone());
    let _ = tokio::time::timeout(std::time::Duration::from_millis(50), gone).await;
    let opened = studio.post("history", asked).await;
    assert_eq!(opened["result"]["events"], json!(60), "{opened}");
    let note =
        opened["result"]["notes"].as_array().unwrap().iter().find(|note| note.as_str().unwrap().contains("not_json"));
    assert!(note.is_some() || opened["result"]["notes"].to_string().contains("no events"), "{opened}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 192 << 20, "{} MB more than before", grown >> 20);
}

/// Bytes of memory that this process holds.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
