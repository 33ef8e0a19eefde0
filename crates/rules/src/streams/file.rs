//! The files of declared streams.

use std::{
    fs,
    path::{Path, PathBuf},
};

use weir_stream::{Declaration, Fault};

use crate::{RuleError, environment::is_kinesis_stream, pack::read};

/// A file `sql/streams/NAME.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamFile {
    /// The file.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub declaration: Declaration,
}

/// Names of views and tables that Weir has of its own.
const TAKEN: [&str; 8] = ["events", "activity", "decoded", "events_raw", "no_events", "anomalies", "poison", "stdout"];

/// What the compiler adds to a stream's name, for tables and views of its own.
const SUFFIXES: [&str; 5] = ["raw", "decoded", "events", "activity", "no_events"];

impl StreamFile {
    /// Reads a stream's file from its text.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Vec<RuleError>> {
        let declaration = Declaration::parse(file, text)
            .map_err(|faults| faults.into_iter().map(RuleError::from).collect::<Vec<_>>())?;
        if let Some(stream) = declaration.stream.as_deref().filter(|stream| !is_kinesis_stream(stream)) {
            return Err(vec![
                RuleError::new(file, format!("`{stream}` is no stream name"))
                    .hint("a Kinesis stream's ARN, or its name: 1 to 128 letters, digits, `_`, `.` and `-`"),
            ]);
        }
        if TAKEN.contains(&declaration.name.as_str()) {
            return Err(vec![
                RuleError::new(file, format!("`{}` is a name of Weir's own", declaration.name))
                    .hint("the file's name is the name of the view that rules read: call it otherwise"),
            ]);
        }
        Ok(Self { file: file.to_owned(), text: text.to_owned(), declaration })
    }
}

impl From<Fault> for RuleError {
    fn from(fault: Fault) -> Self {
        let Fault { file, line, column, message, hint } = fault;
        Self { file, line, column, message, hint }
    }
}

/// Reads every file of a folder, which need not be there. A file that cannot be read hides nothing of the others.
pub(crate) fn load(folder: &Path) -> Result<(Vec<StreamFile>, Vec<RuleError>), RuleError> {
    if !folder.is_dir() {
        return Ok((Vec::new(), Vec::new()));
    }
    let fault = |e| RuleError::new(folder, format!("cannot be read: {e}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let (mut streams, mut faults): (Vec<StreamFile>, Vec<RuleError>) = (Vec::new(), Vec::new());
    for file in files {
        match read(&file).map_err(|fault| vec![fault]).and_then(|text| StreamFile::parse(&file, &text)) {
            Ok(stream) => streams.push(stream),
            Err(found) => faults.extend(found),
        }
    }
    faults.extend(clashes(&streams));
    Ok((streams, faults))
}

/// Streams whose names are those of another stream's views.
fn clashes(streams: &[StreamFile]) -> Vec<RuleError> {
    let mut faults = Vec::new();
    for stream in streams {
        let name = &stream.declaration.name;
        let of = |suffix: &&str| name.strip_suffix(*suffix).and_then(|rest| rest.strip_suffix('_'));
        let owner = SUFFIXES.iter().filter_map(of).find(|owner| streams.iter().any(|s| s.declaration.name == *owner));
        if let Some(owner) = owner {
            faults.push(
                RuleError::new(&stream.file, format!("`{name}` is a view of stream `{owner}` already"))
                    .hint("the file's name is the name of the view that rules read: call it otherwise"),
            );
        }
    }
    faults
}
