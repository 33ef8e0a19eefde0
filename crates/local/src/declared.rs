//! The streams that a project declares, on the local stack: each is there before Terraform runs, as somebody else's stream is on AWS.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Value, json};
use weir_cloud::{Clients, stream};
use weir_project::Repo;
use weir_rules::{Environment, Pack};

/// Shards of a stream on the local stack: as many as Terraform gives a stream that it makes.
const SHARDS: i32 = 1;

/// A declared stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    /// What rules call it.
    pub(crate) name: String,
    /// What Kinesis calls it.
    pub(crate) stream: String,
    heartbeat: bool,
}

/// Those of a project in an environment, but for what is Weir's own events stream.
pub(crate) fn of_project(repo: &Repo, environment: &Environment, prefix: &str) -> Result<Vec<Declared>> {
    let (pack, _) = Pack::load_without_rules(&repo.sql())?;
    let declared = pack.streams.into_iter().map(|file| file.declaration).map(|declaration| {
        let settings = environment.streams.declared.get(&declaration.name);
        let stream = settings.and_then(|settings| settings.stream.clone()).or(declaration.stream);
        // Of an ARN the name: the stack is one account in one region.
        let stream = stream.as_deref().and_then(|stream| stream.rsplit('/').next()).map(str::to_owned);
        let stream = stream.unwrap_or_else(|| format!("{prefix}-{}", declaration.name));
        Declared { name: declaration.name, stream, heartbeat: declaration.heartbeat }
    });
    let own = format!("{prefix}-events");
    Ok(declared.filter(|declared| declared.name != "events" && declared.stream != own).collect())
}

/// Makes them.
pub(crate) async fn create(clients: &Clients, streams: &[Declared]) -> Result<()> {
    // Two declarations may read one stream.
    let names: BTreeSet<&str> = streams.iter().map(|declared| declared.stream.as_str()).collect();
    for name in names {
        stream::create(clients, name, SHARDS).await?;
    }
    Ok(())
}

/// As Terraform's variable `streams` has them: streams that exist.
pub(crate) fn variable(streams: &[Declared]) -> Value {
    let said = |declared: &Declared| json!({ "arn": declared.stream, "heartbeat": declared.heartbeat });
    let streams: BTreeMap<&str, Value> = streams.iter().map(|one| (one.name.as_str(), said(one))).collect();
    json!(streams)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_declared_stream_has_the_name_that_it_has_in_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let streams = folder.path().join("sql/streams");
        fs::create_dir_all(&streams).unwrap();
        let fields = "[fields]\nv = \"text\"\n";
        for (name, head) in [
            ("climate", "stream = \"iot-climate\"\nheartbeat = true\n"),
            ("events", ""),
            ("orders", ""),
            ("own", "stream = \"weir-two-events\"\n"),
            ("pumps", "stream = \"arn:aws:kinesis:eu-west-1:444455556666:stream/pumps\"\n"),
            ("vents", "stream = \"vents\"\n"),
        ] {
            fs::write(streams.join(format!("{name}.toml")), format!("{head}{fields}")).unwrap();
        }
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        let text = "[streams.vents]\nstream = \"vents-here\"\n";
        let environment = Environment::parse("local.toml".as_ref(), text).unwrap();
        let found = of_project(&repo, &environment, "weir-two").unwrap();
        let named: Vec<(&str, &str)> = found.iter().map(|one| (one.name.as_str(), one.stream.as_str())).collect();
        let expected =
            [("climate", "iot-climate"), ("orders", "weir-two-orders"), ("pumps", "pumps"), ("vents", "vents-here")];
        assert_eq!(named, expected);
        assert_eq!(variable(&found)["climate"], json!({ "arn": "iot-climate", "heartbeat": true }));
    }
}
