//! The commands that deploy, on a real Arroyo: a version is started, changed, rolled back, put right and ended.
//!
//! Runs where `ARROYO_BIN` names an `arroyo`, or one is on `PATH`; says so where not. The events come from Arroyo's own
//! generator and the anomalies go nowhere: what counts here are pipelines and their states.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at a surprise, and says what it skipped"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use weir_tests::arroyo::{Cluster, binary};

const KEY: &str = "kdeploy";
/// Arroyo's generator in place of a stream.
const TABLES: &str = "\
CREATE TABLE generated WITH (connector = 'impulse', event_rate = '20');
CREATE VIEW events AS
SELECT row_time() AS event_time, CAST(counter % 10 AS DOUBLE) AS value, 'pump-1' AS series, CAST(counter AS TEXT) AS id FROM generated;
CREATE TABLE anomalies (
  id TEXT, rule TEXT, rule_version TEXT, severity TEXT, key TEXT, timestamp TIMESTAMP, window_start TIMESTAMP,
  window_end TIMESTAMP, value DOUBLE, expected DOUBLE, score DOUBLE, details TEXT, rule_meta TEXT
) WITH (connector = 'blackhole');
";
const RULE: &str = r#"-- name = "hot"
-- severity = "warning"
-- description = "A value that is too high"
-- owner = "tests"
-- runbook = "none"
-- parameters.limit = { type = "double", default = 8.0 }

SELECT series AS key, event_time, id AS event_id, value, CAST(1.0 AS DOUBLE) AS score FROM events WHERE value > ${limit}
"#;

/// A project with one rule, and the cluster that it is deployed to.
struct Project {
    folder: PathBuf,
    cluster: Cluster,
}

impl Project {
    fn start(binary: &Path, folder: &Path) -> Self {
        let sql = folder.join("project/sql");
        fs::create_dir_all(sql.join("rules")).unwrap();
        fs::create_dir_all(sql.join("environments")).unwrap();
        fs::write(sql.join("tables.sql"), TABLES).unwrap();
        fs::write(sql.join("rules/hot.sql"), RULE).unwrap();
        fs::write(sql.join("environments/dev.toml"), "").unwrap();
        let environment = [
            ("ARROYO__API__AUTH_MODE__TYPE", "static-api-key".to_owned()),
            ("ARROYO__API__AUTH_MODE__API_KEY", KEY.to_owned()),
            ("ARROYO__DEFAULT_CHECKPOINT_INTERVAL", "1s".to_owned()),
            // A worker process for each pipeline, as in production.
            ("ARROYO__CONTROLLER__SCHEDULER", "process".to_owned()),
        ];
        let cluster = Cluster::start(binary, &folder.join("arroyo"), &environment).unwrap();
        Self { folder: folder.join("project"), cluster }
    }

    /// The command as `make build` leaves it, next to this test's own binary.
    fn weir(&self, arguments: &[&str]) -> (i32, String) {
        let test = std::env::current_exe().unwrap();
        let weir = test.parent().and_then(Path::parent).unwrap().join("weir");
        let output: Output = Command::new(weir)
            .args(arguments)
            .current_dir(&self.folder)
            .env("WEIR_ARROYO_URL", self.cluster.api.url())
            .env("WEIR_ARROYO_KEY", KEY)
            .env_remove("WEIR_OUTPUTS")
            .env_remove("WEIR_ENV")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), said)
    }

    /// Names of pipelines that do their work.
    fn running(&self) -> Vec<String> {
        let (code, said) = self.weir(&["status", "--json"]);
        let status: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {code} {said}"));
        let pipelines = status["pipelines"].as_array().unwrap();
        let well = pipelines.iter().filter(|one| one["state"] == "Running");
        well.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_version_is_started_changed_rolled_back_put_right_and_ended() {
    let Some(binary) = binary() else {
        println!("skipped: deploying to a real Arroyo (no Arroyo: set ARROYO_BIN, or put `arroyo` on PATH)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let project = Project::start(&binary, folder.path());
    let works = |arguments: &[&str]| {
        let (code, said) = project.weir(arguments);
        assert_eq!(code, 0, "weir {arguments:?}: {said}\n{}", project.cluster.log());
        said
    };
    let (code, said) = project.weir(&["plan", "--exit-code"]);
    assert_eq!(code, 3, "{said}");
    works(&["apply", "--yes"]);
    let first = project.running();
    assert_eq!(first.len(), 1);
    assert_eq!(project.weir(&["plan", "--exit-code"]).0, 0, "twice changes nothing");
    assert!(works(&["apply", "--yes"]).contains("nothing to do"));

    works(&["apply", "--yes", "--set", "hot.limit=9"]);
    let second = project.running();
    assert!(second.len() == 1 && second != first, "{second:?}");

    works(&["rollback", "--yes"]);
    assert_eq!(project.running(), first);

    // What a person did in the UI.
    let listed: Value = serde_json::from_str(&project.weir(&["status", "--json"]).1).unwrap();
    let id = listed["pipelines"][0]["id"].as_str().unwrap().to_owned();
    project.cluster.api.with_key(KEY).stop(&id, "checkpoint").unwrap();
    let said = works(&["apply", "--yes"]);
    assert_eq!(project.running(), first, "{said}");

    // A program that Arroyo's planner refuses changes nothing.
    let tables = project.folder.join("sql/tables.sql");
    fs::write(&tables, format!("{TABLES}CREATE VIEW broken AS SELECT nothing FROM events;\n")).unwrap();
    let (code, said) = project.weir(&["apply", "--yes"]);
    assert!(code == 1 && said.contains("arroyo refuses pack rules"), "{code} {said}");
    assert_eq!(project.running(), first);
    fs::write(&tables, TABLES).unwrap();

    works(&["destroy", "--yes"]);
    assert_eq!(project.weir(&["status"]).0, 3);
}
