//! CSV with a header line.

use std::{io::Read, path::Path};

use anyhow::{Context, Result, anyhow};

use super::{BadLine, Columns, Take, number, time, timed};

pub(super) fn each(input: impl Read, file: &Path, stem: &str, columns: &Columns, take: &mut Take<'_>) -> Result<()> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(input);
    let headers =
        reader.headers().with_context(|| format!("{}: the header line cannot be read", file.display()))?.clone();
    let find = |name: &str| headers.iter().position(|header| header == name);
    let needed = |name: &str, option: &str| {
        find(name).ok_or_else(|| {
            let found: Vec<&str> = headers.iter().collect();
            anyhow!(
                "{}:1: there is no column `{name}`\n  hint: the columns are {}; name the right one with --{option}",
                file.display(),
                found.join(", ")
            )
        })
    };
    let (timestamp, value) = (needed(&columns.timestamp, "timestamp")?, needed(&columns.value, "value")?);
    let (source, metric) = (find(&columns.source), find(&columns.metric));
    let mut record = csv::StringRecord::new();
    loop {
        let more = match reader.read_record(&mut record) {
            Ok(more) => more,
            // One line that is not UTF-8 says nothing of the next.
            Err(error) => match error.kind() {
                csv::ErrorKind::Utf8 { pos, .. } => {
                    let line = pos.as_ref().map_or(0, csv::Position::line);
                    take(Err(BadLine { line, fault: "not UTF-8".to_owned() }))?;
                    continue;
                }
                _ => return Err(error).with_context(|| format!("{}: not CSV", file.display())),
            },
        };
        if !more {
            return Ok(());
        }
        let line = record.position().map_or(0, csv::Position::line);
        let field = |index: usize| record.get(index).unwrap_or_default();
        let text =
            |index: Option<usize>| index.and_then(|i| record.get(i)).filter(|t| !t.is_empty()).map(str::to_owned);
        let made = time(field(timestamp)).and_then(|time| {
            Ok(timed(time, number(field(value))?, text(source).or_else(|| Some(stem.to_owned())), text(metric)))
        });
        take(made.map_err(|fault| BadLine { line, fault }))?;
    }
}
