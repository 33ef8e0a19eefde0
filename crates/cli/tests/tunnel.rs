//! Tunnels to Arroyo, with an `aws` that answers as the real one and forwards its port to the stand-in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::Command,
};
use weir_arroyo_stand_in::{Options, StandIn};

const KEY: &str = "k1";
const TIMEOUT: Duration = Duration::from_secs(30);
const OUTPUTS: &str = r#"{
  "region": {"value": "eu-central-1"},
  "arroyo_cluster_name": {"value": "weir-dev-arroyo"},
  "arroyo_control_service_name": {"value": "weir-dev-arroyo-control"},
  "arroyo_api_key_secret": {"value": "weir-dev-arroyo-api-key"}
}"#;
/// The session's command, forwarded by hand: a port of this machine for the container's.
const FORWARD: &str = r#"
import re, socket, sys, threading
port = int(re.search(r'"localPortNumber":\["(\d+)"\]', sys.argv[1]).group(1))
def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
listener = socket.create_server(("127.0.0.1", port))
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", ARROYO))
    for a, b in ((client, server), (server, client)):
        threading.Thread(target=pump, args=(a, b), daemon=True).start()
"#;
const SESSION: &str = "aws --region eu-central-1 ssm start-session --target ecs:weir-dev-arroyo_0123abcd_0123abcd-42 --document-name \
                       AWS-StartPortForwardingSession --parameters ";

/// A folder with programs that stand in for those of AWS, and the Arroyo that they lead to.
struct Aws {
    folder: TempDir,
    arroyo: StandIn,
}

impl Aws {
    async fn new(programs: &[&str]) -> Self {
        let arroyo = StandIn::start(Options { key: Some(KEY.to_owned()), ..Options::default() }).await;
        let aws = Self { folder: tempfile::tempdir().unwrap(), arroyo };
        let port = aws.arroyo.url().rsplit(':').next().unwrap().to_owned();
        fs::write(aws.file("outputs.json"), OUTPUTS).unwrap();
        fs::write(aws.file("forward.py"), FORWARD.replace("ARROYO", &port)).unwrap();
        // Enough of a checkout to stand in.
        fs::create_dir(aws.file("sql")).unwrap();
        fs::write(aws.file("sql/tables.sql"), "").unwrap();
        fs::create_dir(aws.file("bin")).unwrap();
        for program in programs {
            aws.program(program, "exit 0");
        }
        let arn = "arn:aws:ecs:eu-central-1:111122223333:task/weir-dev-arroyo/0123abcd";
        let answers = format!(
            "case \"$*\" in\n\
             *list-tasks*) echo '{{\"taskArns\":[\"{arn}\"]}}' ;;\n\
             *describe-tasks*) echo '{{\"tasks\":[{{\"containers\":[{{\"name\":\"control\",\"runtimeId\":\"0123abcd-42\"}}]}}]}}' ;;\n\
             *get-secret-value*) echo {KEY} ;;\n\
             *start-session*) exec python3 '{}' \"$*\" ;;\n\
             esac",
            aws.file("forward.py").display()
        );
        if programs.contains(&"aws") {
            aws.program("aws", &answers);
        }
        aws
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        let file = self.file("bin").join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The command with these programs before the machine's own. The machine's own `aws` must not be found.
    fn weir(&self, arguments: &[&str]) -> Command {
        let own = std::env::var_os("PATH").unwrap();
        let others = std::env::split_paths(&own)
            .filter(|folder| !["aws", "session-manager-plugin"].iter().any(|name| folder.join(name).exists()));
        let python =
            std::env::split_paths(&own).map(|folder| folder.join("python3")).find(|file| file.exists()).unwrap();
        let link = self.file("bin/python3");
        if !link.exists() {
            self.program("python3", &format!("exec '{}' \"$@\"", python.display()));
        }
        let path = std::env::join_paths(std::iter::once(self.file("bin")).chain(others)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(arguments).arg("--outputs").arg(self.file("outputs.json")).current_dir(self.folder.path());
        command.env("PATH", path).stdin(Stdio::null()).kill_on_drop(true);
        for variable in ["WEIR_ARROYO_URL", "WEIR_ARROYO_KEY", "WEIR_OUTPUTS", "WEIR_ENV"] {
            command.env_remove(variable);
        }
        command
    }

    /// What a command says that cannot do its work.
    async fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.weir(arguments).output().await.unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test]
async fn the_ui_is_there_without_a_key_until_it_is_ended() {
    let aws = Aws::new(&["aws", "session-manager-plugin"]).await;
    let mut ui = aws.weir(&["ui", "--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(ui.stdout.take().unwrap()).lines();
    let url = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET /api/v1/ping HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\"Pong\""), "{answer}");

    let id = ui.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    let output = ui.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let (_, session) = said.split_once(SESSION).unwrap_or_else(|| panic!("the command is printed: {said}"));
    let port = session.split("localPortNumber\":[\"").nth(1).unwrap().split('"').next().unwrap();
    let begun = Instant::now();
    while TcpStream::connect(format!("127.0.0.1:{port}")).await.is_ok() {
        assert!(begun.elapsed() < TIMEOUT, "the tunnel outlives the command");
    }
}

#[tokio::test]
async fn the_commands_that_deploy_find_arroyo_through_the_tunnel() {
    let aws = Aws::new(&["aws", "session-manager-plugin"]).await;
    let output = aws.weir(&["status"]).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "nothing is deployed: {said}");
    assert!(aws.arroyo.calls().contains(&"GET /pipelines".to_owned()), "{said}");
}

#[tokio::test]
async fn what_a_tunnel_needs_and_is_not_there_is_named() {
    for (there, missing) in [(&[][..], "`aws`"), (&["aws"][..], "`session-manager-plugin`")] {
        let aws = Aws::new(there).await;
        for command in ["ui", "status"] {
            let said = aws.refusal(&[command]).await;
            let named = format!("error: no tunnel to Arroyo can be opened: {missing} was not found on PATH\n  hint: ");
            assert!(said.starts_with(&named) && said.contains("https://docs.aws.amazon.com/"), "{said}");
        }
    }
}

#[tokio::test]
async fn what_aws_says_when_the_tunnel_ends_is_told() {
    let aws = Aws::new(&["aws", "session-manager-plugin"]).await;
    let refused = "An error occurred (AccessDeniedException) when calling the StartSession operation";
    let script = fs::read_to_string(aws.file("bin/aws"))
        .unwrap()
        .replace("exec python3", &format!("echo '{refused}' >&2; exit 254; :"));
    fs::write(aws.file("bin/aws"), script).unwrap();
    let said = aws.refusal(&["ui"]).await;
    assert!(
        said.contains(&format!("the tunnel ended with exit status: 254: {refused}\n  hint: you need ssm:StartSession")),
        "{said}"
    );
}
