//! The commands that deploy, as a person or a CI job runs them, against a stand-in for Arroyo.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::Command,
};
use weir_arroyo_stand_in::{Options, StandIn, State};

const RULE: &str = "\
-- name = \"hot\"
-- severity = \"warning\"
-- description = \"A value that is too high\"
-- owner = \"tests\"
-- runbook = \"none\"
-- parameters.limit = { type = \"double\", default = 100.0 }

SELECT source AS key, event_time, value, CAST(1.0 AS DOUBLE) AS score FROM events WHERE value > ${limit}
";

/// A checkout with one rule, and the cluster that it is deployed to.
struct Project {
    folder: TempDir,
    arroyo: StandIn,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Project {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql");
        let sql = folder.path().join("sql");
        fs::create_dir_all(sql.join("rules")).unwrap();
        fs::create_dir_all(sql.join("environments")).unwrap();
        fs::copy(own.join("tables.sql"), sql.join("tables.sql")).unwrap();
        fs::copy(own.join("environments/dev.toml"), sql.join("environments/dev.toml")).unwrap();
        fs::write(sql.join("rules/hot.sql"), RULE).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros().try_into().unwrap();
        let options = Options { key: Some("k1".to_owned()), now: Some(now), ..Options::default() };
        Self { folder, arroyo: StandIn::start(options).await }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("WEIR_ARROYO_URL", self.arroyo.url()).env("WEIR_ARROYO_KEY", "k1").env("WEIR_WHO", "ana");
        command.env_remove("WEIR_OUTPUTS").env_remove("WEIR_ENV").stdin(Stdio::null());
        command
    }

    async fn weir(&self, arguments: &[&str]) -> Said {
        run(self.command(arguments)).await
    }

    /// The names of the pipelines that run.
    fn running(&self) -> Vec<String> {
        self.arroyo.entries().into_iter().filter(|entry| entry.runs()).map(|entry| entry.name).collect()
    }
}

async fn run(mut command: Command) -> Said {
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| steady(&String::from_utf8_lossy(bytes));
    Said { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Hashes, which change with the compiler's text, and the hour replaced.
fn steady(text: &str) -> String {
    let mut steady = String::new();
    for line in text.split_inclusive('\n') {
        let words = line.split_inclusive([' ', ',', '\n', '"']).map(|word| {
            let bare = word.trim_end_matches([' ', ',', '\n', '"']);
            let rest = word.get(bare.len()..).unwrap_or_default();
            let hash = |text: &str| text.len() == 12 && text.bytes().all(|c| c.is_ascii_hexdigit());
            match bare.rsplit_once('@') {
                Some((name, hex)) if hash(hex) => format!("{name}@HASH{rest}"),
                _ if hash(bare) => format!("VERSION{rest}"),
                _ if bare.len() == 24 && bare.ends_with('Z') => format!("TIME{rest}"),
                _ => word.to_owned(),
            }
        });
        steady.extend(words);
    }
    steady
}

#[tokio::test]
async fn rules_are_planned_applied_changed_rolled_back_and_ended() {
    let project = Project::new().await;

    let planned = project.weir(&["plan", "--exit-code"]).await;
    assert_eq!(planned.code, 3, "{}", planned.err);
    insta::assert_snapshot!("plan_of_new_rules", planned.out);

    let dry = project.weir(&["apply", "--dry-run"]).await;
    assert_eq!((dry.code, project.arroyo.entries().len()), (0, 0), "{}", dry.err);

    let unasked = project.weir(&["apply"]).await;
    assert_eq!(unasked.code, 1);
    assert_eq!(unasked.err, "error: there is nobody to ask: Apply this to dev?\n  hint: --yes says yes\n");

    let applied = project.weir(&["apply", "--yes"]).await;
    assert_eq!(applied.code, 0, "{}", applied.err);
    assert!(applied.out.ends_with("dev: deployment 1 runs\n"), "{}", applied.out);
    let first = project.running();
    assert_eq!(first.len(), 1);

    let again = project.weir(&["apply", "--yes", "--json"]).await;
    assert_eq!(again.code, 0, "{}", again.err);
    insta::assert_snapshot!("apply_again_as_json", again.out);
    assert_eq!(project.weir(&["plan", "--exit-code"]).await.code, 0);

    let well = project.weir(&["status"]).await;
    assert_eq!(well.code, 0, "{}{}", well.out, well.err);
    assert!(well.out.contains("  well\n") && well.out.contains("last deployment:\n   1  TIME  apply"), "{}", well.out);

    project.arroyo.guard(&["weir/dev/rules"]);
    let changed = project.weir(&["apply", "--yes", "--set", "hot.limit=90"]).await;
    assert_eq!(changed.code, 0, "{}", changed.err);
    insta::assert_snapshot!("apply_of_a_changed_rule", changed.out);
    assert_ne!(project.running(), first);

    let back = project.weir(&["rollback", "--yes"]).await;
    assert_eq!(back.code, 0, "{}", back.err);
    assert_eq!(project.running(), first);
    assert_eq!(project.arroyo.violations(), Vec::<String>::new());
    let listed = project.weir(&["rollback", "--list"]).await;
    insta::assert_snapshot!("deployments", listed.out);

    let ended = project.weir(&["destroy", "--yes"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (0, "dev: 1 pipeline ended\n"), "{}", ended.err);
    let none = project.weir(&["status"]).await;
    assert_eq!(none.code, 3);
    assert!(none.out.starts_with("dev: no rules are deployed"), "{}", none.out);
}

/// The page asks as `weir status` does, and again and again by one way.
#[tokio::test]
async fn the_page_shows_the_pipelines_of_an_environment() {
    let project = Project::new().await;
    assert_eq!(project.weir(&["apply", "--yes"]).await.code, 0);
    let mut command = project.command(&["studio", "--no-open", "--env", "dev"]);
    let mut page = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(page.stdout.take().unwrap()).read_line(&mut url).await.unwrap();
    let (host, token) = url.trim().trim_start_matches("http://").split_once("/?token=").unwrap();
    let look = async || {
        let mut stream = TcpStream::connect(host).await.unwrap();
        let asked =
            format!("GET /api/running HTTP/1.1\r\nHost: {host}\r\nx-weir-token: {token}\r\nConnection: close\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()
    };
    let well = look().await;
    let said: serde_json::Value = serde_json::from_str(&project.weir(&["status", "--json"]).await.out).unwrap();
    assert_eq!(well["pipelines"][0]["well"], true, "{well}");
    assert_eq!(well["pipelines"][0]["id"], said["pipelines"][0]["id"], "what the command says: {said}");
    let id = project.arroyo.entries()[0].id.clone();
    project.arroyo.by_hand(&id, |entry| {
        entry.stop = "checkpoint".to_owned();
        entry.state = State::Stopped;
    });
    let ill = look().await;
    assert_eq!(ill["pipelines"][0]["well"], false, "{ill}");
    assert!(!ill["pipelines"][0]["problems"].as_array().unwrap().is_empty(), "{ill}");
}

#[tokio::test]
async fn what_a_person_changed_is_told_and_put_right() {
    let project = Project::new().await;
    assert_eq!(project.weir(&["apply", "--yes"]).await.code, 0);
    let id = project.arroyo.entries()[0].id.clone();
    project.arroyo.by_hand(&id, |entry| {
        entry.stop = "checkpoint".to_owned();
        entry.state = State::Stopped;
    });
    let ill = project.weir(&["status"]).await;
    assert_eq!(ill.code, 3);
    assert!(ill.out.contains("NOT WELL") && ill.out.contains("`weir apply` starts it again"), "{}", ill.out);
    let planned = project.weir(&["plan", "--exit-code"]).await;
    assert_eq!(planned.code, 3);
    insta::assert_snapshot!("plan_of_a_stopped_pipeline", planned.out);
    let applied = project.weir(&["apply", "--yes"]).await;
    assert!(applied.code == 0 && applied.out.ends_with("dev: put right\n"), "{}{}", applied.out, applied.err);
    assert_eq!(project.running().len(), 1);
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_in_one_line_and_changes_nothing() {
    let project = Project::new().await;

    let mut keyless = project.command(&["plan"]);
    keyless.env("WEIR_ARROYO_KEY", "");
    let keyless = run(keyless).await;
    assert_eq!(keyless.code, 1);
    assert!(keyless.err.starts_with("error: ping arroyo: arroyo wants an API key\n  hint: "), "{}", keyless.err);

    let mut nowhere = project.command(&["rollback", "7"]);
    nowhere.arg("--yes");
    let nowhere = run(nowhere).await;
    assert_eq!(nowhere.err, "error: there is no deployment 7 of dev\n  hint: `weir rollback --list` shows them\n");

    let folder = project.file(".weir/deployments");
    fs::create_dir_all(&folder).unwrap();
    let held = fs::File::create(folder.join("dev.lock")).unwrap();
    held.lock().unwrap();
    let locked = project.weir(&["apply", "--yes"]).await;
    assert_eq!(locked.code, 1);
    assert_eq!(locked.err, "error: another weir command is changing dev on this machine\n  hint: wait for it\n");
    drop(held);

    let tables = project.file("sql/tables.sql");
    let text = fs::read_to_string(&tables).unwrap();
    fs::write(&tables, format!("{text}\nCREATE VIEW unread AS SELECT '#refused' AS no FROM events;\n")).unwrap();
    let refused = project.weir(&["apply", "--yes"]).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("arroyo refuses pack rules: Error during planning: table 'nothing'"),
        "{}",
        refused.err
    );

    assert_eq!(project.arroyo.entries().len(), 0);
}
