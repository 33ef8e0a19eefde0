//! The page of `weir studio` in a real browser, headless, as a person uses it: with the mouse, with the keyboard alone, in the
//! dark, on a narrow screen, and with records that bring markup. Without a Chromium each test says in a line that it was skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at a surprise"
)]

mod browser;
mod live;
mod writing;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use browser::Browser;
use tempfile::TempDir;
use weir_tests::{repo, weir};

/// A rule that takes milliseconds, with a slider.
const RULE: &str = r#"-- name = "hot"
-- severity = "warning"
-- description = "A reading above a limit"
-- owner = "o"
-- runbook = "docs/runbooks.md#static_threshold"
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

/// A rule with a window, which has a band to draw.
const MEAN: &str = r#"-- name = "mean"
-- severity = "critical"
-- description = "The mean of an hour far from the usual"
-- owner = "o"
-- runbook = "docs/runbooks.md#static_threshold"
-- parameters.deviations = { type = "double", default = 3.0, min = 1.0, max = 10.0 }
--
-- [band]
-- deviation = "deviation"
-- times = "deviations"

SELECT series AS key, window, mean AS value, 60.0 AS expected, 0.5 AS score, 4.0 AS deviation
FROM (SELECT series, tumble(INTERVAL '1 hour') AS window, avg(value) AS mean FROM events WHERE metric = 'temperature' GROUP BY series, window) AS w
WHERE mean > 60.0 + ${deviations} * 4.0
"#;

const TESTS: &str = "[[case]]\nname = \"hot\"\nseries = [{ values = \"50x3 95 50\" }]\nexpect = [{ value = 95.0 }]\n\n[[case]]\nname = \"cold\"\nseries = [{ values = \"50x3\" }]\nexpect = []\n";

/// A project with its page.
pub(crate) struct Project {
    folder: PathBuf,
    server: Option<Child>,
    url: String,
    _temporary: TempDir,
}

impl Project {
    /// A project of two rules, under git, and `weir studio` on it.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("plant");
        let sql = folder.join("sql");
        for part in ["rules", "tests", "environments"] {
            fs::create_dir_all(sql.join(part)).unwrap();
        }
        fs::create_dir_all(folder.join("docs")).unwrap();
        fs::copy(repo().join("docs/runbooks.md"), folder.join("docs/runbooks.md")).unwrap();
        fs::copy(repo().join("sql/tables.sql"), sql.join("tables.sql")).unwrap();
        fs::write(sql.join("environments/local.toml"), "time = \"event\"\n").unwrap();
        fs::write(sql.join("rules/hot.sql"), RULE).unwrap();
        fs::write(sql.join("rules/mean.sql"), MEAN).unwrap();
        fs::write(sql.join("tests/hot.toml"), TESTS).unwrap();
        let mut project = Self { folder, server: None, url: String::new(), _temporary: temporary };
        project.commit();
        project.serve(arguments);
        project
    }

    /// Commits all that is there.
    pub(crate) fn commit(&self) {
        for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-qm", "rules"]] {
            let identity = ["-c", "user.email=a@b", "-c", "user.name=a"];
            let git = Command::new("git").current_dir(&self.folder).args(identity).args(arguments).status();
            assert!(git.unwrap().success());
        }
    }

    /// Starts the command, in place of one that runs.
    pub(crate) fn serve(&mut self, arguments: &[&str]) {
        self.end();
        let mut server = weir(&["studio", "--no-open", "--port", "0"])
            .args(arguments)
            .current_dir(&self.folder)
            .env("USER", "tester")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.url = line.trim().to_owned();
        assert!(self.url.starts_with("http://127.0.0.1:"), "{}", self.url);
        self.server = Some(server);
    }

    pub(crate) fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    pub(crate) fn url(&self, fragment: &str) -> String {
        format!("{}{fragment}", self.url)
    }

    /// Where its own requests go.
    pub(crate) fn origin(&self) -> &str {
        self.url.split("/?").next().unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.end();
    }
}

/// A page on generated history, at a place; `None` where there is no browser.
pub(crate) fn page(fragment: &str) -> Option<(Project, Browser)> {
    let mut browser = Browser::start()?;
    let project = Project::start(&[]);
    browser.open(&project.url(fragment));
    browser.fresh();
    Some((project, browser))
}

/// A page whose process may open few files goes on when connections are more than that.
#[test]
fn connections_beyond_what_the_system_gives_end_nothing() {
    let mut project = Project::start(&[]);
    project.end();
    let program = weir(&[]).get_program().to_owned();
    let mut server = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" studio --no-open --port 0"])
        .arg(program)
        .current_dir(project.folder())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    project.server = Some(server);
    let host = line.trim().trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let many: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(&host).unwrap()).collect();
    let answer = || {
        let mut stream = TcpStream::connect(&host)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    };
    // Nobody is answered while all are held, and the process lives.
    let _ = answer();
    assert!(project.server.as_mut().unwrap().try_wait().unwrap().is_none(), "it has ended");
    drop(many);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !answer().is_ok_and(|text| text.starts_with("HTTP/1.1 200")) {
        assert!(Instant::now() < deadline, "nobody is answered any more");
    }
}
