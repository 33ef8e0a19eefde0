//! A compiled pack whose streams are files: Arroyo's own test connector in place of Kinesis.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// The file that a source reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// What a line of it is.
    pub arrival: Arrival,
}

/// What the time of arrival is, which a file does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Nothing that the program asks for: a line of the file is a record as it is.
    Unused,
    /// A line of the file is `{"arrival": nanoseconds since the epoch, "raw": its bytes in hex}`.
    InFile,
}

const STREAM: &str = "connector = 'kinesis', type = '";

/// The program with each stream as a file: a source reads what `input` names for its table, a sink writes [`sink_file`].
///
/// # Errors
/// Says what cannot be put on files.
pub fn on_files(program: &str, input: &mut dyn FnMut(&str) -> Input, folder: &Path) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = program;
    while let Some((before, after)) = rest.split_once(STREAM) {
        let (options, tail) = after.split_once("\n)").ok_or("a table of a stream without an end")?;
        let (others, table) = before.rsplit_once("CREATE TABLE ").ok_or("options of a stream outside a table")?;
        text.push_str(others);
        let name = table.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if options.starts_with("source") {
            let Input { path, arrival } = input(name);
            let (table, format) = match arrival {
                Arrival::Unused => (table.to_owned(), format_of(options)?),
                Arrival::InFile => (with_arrival(name, table)?, "json".to_owned()),
            };
            let _ = write!(
                text,
                "CREATE TABLE {table}connector = 'single_file', type = 'source', path = '{}', \
                 wait_for_control = 'false', format = '{format}'",
                path.display()
            );
        } else {
            let path = sink_file(folder, name);
            let _ = write!(
                text,
                "CREATE TABLE {table}connector = 'single_file', type = 'sink', path = '{}', format = 'json'",
                path.display()
            );
        }
        text.push_str("\n)");
        rest = tail;
    }
    text.push_str(rest);
    Ok(text)
}

/// Where the sink of that name writes, one JSON object a line.
#[must_use]
pub fn sink_file(folder: &Path, sink: &str) -> PathBuf {
    folder.join(format!("{sink}.jsonl"))
}

fn format_of(options: &str) -> Result<String, String> {
    let (_, format) = options.split_once("format = '").ok_or("a source without a format")?;
    Ok(format.split('\'').next().unwrap_or_default().to_owned())
}

/// The table, with the time of arrival as its event time.
fn with_arrival(name: &str, table: &str) -> Result<String, String> {
    let columns =
        table.split_once('(').and_then(|(_, rest)| rest.split_once(") WITH")).map(|(columns, _)| columns.trim());
    if columns != Some("value BYTEA NOT NULL") {
        return Err(format!("table {name} has more than bytes, so its records cannot be given a time of arrival"));
    }
    Ok(format!(
        "{name} (\n  arrival TIMESTAMP NOT NULL,\n  raw TEXT NOT NULL,\n  \
         value BYTEA GENERATED ALWAYS AS (decode(raw, 'hex')),\n  WATERMARK FOR arrival\n) WITH (\n  "
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "CREATE TABLE events_raw (\n  value BYTEA NOT NULL\n) WITH (\n  connector = 'kinesis', type = 'source', \
        stream_name = 'e',\n  'source.offset' = 'earliest', format = 'raw_bytes'\n);\nCREATE TABLE anomalies (\n  id TEXT\n) WITH (\n  \
        connector = 'kinesis', type = 'sink', stream_name = 'a', format = 'json'\n);\nINSERT INTO anomalies SELECT 'x' AS id FROM events_raw;";

    fn of(program: &str, arrival: Arrival) -> Result<String, String> {
        let mut input = |table: &str| Input { path: Path::new("/in").join(table), arrival };
        on_files(program, &mut input, Path::new("/out"))
    }

    #[test]
    fn streams_become_files() {
        let sql = of(PROGRAM, Arrival::Unused).unwrap();
        assert_eq!(
            sql,
            "CREATE TABLE events_raw (\n  value BYTEA NOT NULL\n) WITH (\n  connector = 'single_file', type = 'source', path = '/in/events_raw', \
             wait_for_control = 'false', format = 'raw_bytes'\n);\nCREATE TABLE anomalies (\n  id TEXT\n) WITH (\n  connector = \
             'single_file', type = 'sink', path = '/out/anomalies.jsonl', format = 'json'\n);\nINSERT INTO anomalies SELECT 'x' AS id FROM events_raw;"
        );
    }

    #[test]
    fn a_time_of_arrival_becomes_the_event_time() {
        let sql = of(PROGRAM, Arrival::InFile).unwrap();
        assert!(sql.contains("CREATE TABLE events_raw (\n  arrival TIMESTAMP NOT NULL,\n"), "{sql}");
        assert!(sql.contains("WATERMARK FOR arrival\n) WITH (\n  connector = 'single_file', type = 'source'"), "{sql}");
        let more = PROGRAM.replace("BYTEA NOT NULL", "BYTEA NOT NULL,\n  t TIMESTAMP");
        assert!(of(&more, Arrival::InFile).unwrap_err().contains("events_raw has more"));
    }
}
