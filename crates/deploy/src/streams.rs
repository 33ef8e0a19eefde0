//! The declared streams, as Terraform's variable `streams` has them: written from `sql/streams`, so that nobody says a stream twice.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use toml_edit::{DocumentMut, Item, Table};
use weir_project::Repo;
use weir_stream::Declaration;

use super::infrastructure::data_folder;

/// Writes the variables of an environment's streams beside its other working files, and says where; none where the project
/// declares no stream.
pub(crate) fn write(repo: &Repo, environment: &str) -> Result<Option<PathBuf>> {
    let file = file(repo, environment);
    let streams = declared(repo, environment)?;
    if streams.is_empty() {
        return match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", file.display()))
            }
            _ => Ok(None),
        };
    }
    let text = text(streams)?;
    let written = fs::create_dir_all(data_folder(repo, environment)).and_then(|()| fs::write(&file, text));
    written.with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(Some(file))
}

/// Where they are written.
pub(crate) fn file(repo: &Repo, environment: &str) -> PathBuf {
    data_folder(repo, environment).join("streams.tfvars.json")
}

/// The same as a text, for who runs Terraform without `weir deploy`.
///
/// # Errors
/// When a file of a stream or of the environment cannot be read, or is faulty.
pub fn variables(repo: &Repo, environment: &str) -> Result<String> {
    text(declared(repo, environment)?)
}

fn text(streams: Map<String, Value>) -> Result<String> {
    Ok(serde_json::to_string_pretty(&json!({ "streams": streams }))? + "\n")
}

/// The variable `streams`.
fn declared(repo: &Repo, environment: &str) -> Result<Map<String, Value>> {
    let settings = environment_file(repo, environment)?;
    let mut streams = Map::new();
    for file in files(&repo.sql().join("streams"))? {
        let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let declaration = match Declaration::parse(&file, &text) {
            Ok(declaration) => declaration,
            Err(faults) => bail!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        };
        let elsewhere = settings.get("streams").and_then(|streams| streams.get(&declaration.name));
        let elsewhere = elsewhere.and_then(|stream| stream.get("stream")).and_then(Item::as_str);
        let stream = elsewhere.or(declaration.stream.as_deref());
        let mut variable = Map::new();
        match stream {
            Some(stream) => variable.insert("arn".to_owned(), json!(stream)),
            None => variable.insert("create".to_owned(), json!(true)),
        };
        if declaration.heartbeat {
            variable.insert("heartbeat".to_owned(), json!(true));
        }
        // Arroyo knows streams by their names, in its own account and region: an ARN may be of another.
        if declaration.why_gate().is_some() || stream.is_some_and(|stream| stream.starts_with("arn:")) {
            variable.insert("gate".to_owned(), json!({ "declaration": without_samples(&file, &text)? }));
        }
        streams.insert(declaration.name, Value::Object(variable));
    }
    Ok(streams)
}

/// The files of declared streams, in order of their names; none where there is no such folder. `events` is Weir's own, which
/// Terraform makes in any case.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let entries = entries.with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "events"))
        .collect();
    files.sort();
    Ok(files)
}

/// `sql/environments/NAME.toml`, for the streams that it names; what else is in it is read, and judged, by the rules.
fn environment_file(repo: &Repo, environment: &str) -> Result<DocumentMut> {
    let file = repo.sql().join("environments").join(format!("{environment}.toml"));
    match fs::read_to_string(&file) {
        Ok(text) => text.parse().with_context(|| file.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DocumentMut::new()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// A stream's file as the gate needs it: its samples are for people and tests, and a function's environment is small.
fn without_samples(file: &Path, text: &str) -> Result<String> {
    let mut document: DocumentMut = text.parse().with_context(|| file.display().to_string())?;
    document.remove("sample");
    document.set_trailing("");
    without_comments(document.as_table_mut());
    Ok(document.to_string())
}

fn without_comments(table: &mut Table) {
    table.decor_mut().clear();
    for (mut key, item) in table.iter_mut() {
        key.leaf_decor_mut().clear();
        match item {
            Item::Value(value) => value.decor_mut().clear(),
            Item::Table(table) => without_comments(table),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOWS: &str = "# Flow logs of the VPC.\nstream = \"flow-logs\" # by the account\nenvelope = \"cloudwatch_logs\"\nformat = \"logfmt\"\n\n\
        # What rules ask for.\n[fields]\nzone = \"text\" # first\nbytes = { type = \"integer\", path = \"b\" }\n\n\
        [[sample]]\nfile = \"samples/flows.gz\"\nrow = { bytes = 5000 }\n";

    fn project(streams: &[(&str, &str)], environment: &str) -> (tempfile::TempDir, Repo) {
        let folder = tempfile::tempdir().unwrap();
        for part in ["sql/streams/samples", "sql/environments"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        for (name, text) in streams {
            fs::write(folder.path().join("sql/streams").join(name), text).unwrap();
        }
        fs::write(folder.path().join("sql/environments/dev.toml"), environment).unwrap();
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        (folder, repo)
    }

    #[test]
    fn what_the_files_say_is_what_terraform_gets() {
        let fields = "[fields]\ndevice = \"text\"\n";
        let climate = format!("stream = \"iot-climate\"\nheartbeat = true\n{fields}");
        let pumps = format!("stream = \"arn:aws:kinesis:eu-west-1:444455556666:stream/pumps\"\n{fields}");
        let files = [
            ("flows.toml", FLOWS),
            ("climate.toml", &climate),
            ("orders.toml", fields),
            ("pumps.toml", &pumps),
            ("events.toml", fields),
        ];
        let (_folder, repo) = project(&files, "[streams.climate]\nstream = \"iot-climate-dev\"\n");
        let file = write(&repo, "dev").unwrap().unwrap();
        let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let declaration = "stream = \"flow-logs\"\nenvelope = \"cloudwatch_logs\"\nformat = \"logfmt\"\n\n[fields]\nzone = \"text\"\n\
            bytes = { type = \"integer\", path = \"b\" }\n";
        let declaration: String = declaration.chars().filter(|c| *c != ' ').collect();
        let packed = written["streams"]["flows"]["gate"]["declaration"].as_str().unwrap();
        assert_eq!(packed.chars().filter(|c| *c != ' ').collect::<String>(), declaration);
        assert!(Declaration::parse("flows.toml".as_ref(), packed).is_ok(), "{packed}");
        assert_eq!(written["streams"]["flows"]["arn"], "flow-logs");
        assert_eq!(written["streams"]["climate"], json!({ "arn": "iot-climate-dev", "heartbeat": true }));
        assert_eq!(written["streams"]["orders"], json!({ "create": true }));
        let gate = &written["streams"]["pumps"]["gate"]["declaration"];
        assert!(gate.as_str().unwrap().contains("device = \"text\""), "its ARN may be of another account");
        assert_eq!(written["streams"].as_object().unwrap().len(), 4, "Weir's own events are no declared stream");
    }

    #[test]
    fn a_project_without_streams_writes_none_and_leaves_none() {
        let (_folder, repo) = project(&[("flows.toml", FLOWS)], "");
        let file = write(&repo, "dev").unwrap().unwrap();
        fs::remove_file(repo.sql().join("streams/flows.toml")).unwrap();
        assert_eq!(write(&repo, "dev").unwrap(), None);
        assert!(!file.exists(), "a stream that was taken out is none any more");
        fs::remove_dir_all(repo.sql().join("streams")).unwrap();
        assert_eq!(write(&repo, "dev").unwrap(), None);
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        let (_folder, repo) = project(&[("flows.toml", "[fields]\nbytes = \"integr\"\n")], "");
        let error = write(&repo, "dev").unwrap_err().to_string();
        assert!(error.contains("flows.toml:2:9: there is no type `integr`"), "{error}");
    }
}
