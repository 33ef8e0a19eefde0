//! Where records are kept: files, folders, standard input, S3, and a stream itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read, Seek as _},
    ops::ControlFlow,
    path::Path,
};

use anyhow::{Context, Result, bail};
use weir_cloud::{
    Clients,
    object::Bucket,
    stream::{self, Retained},
};

use crate::{
    Next, Place, Raw, Shape, Take,
    file::{self, Outcome},
    listing::{self, Listing, skipped_object},
};

/// Names a stream in place of a file.
const KINESIS: &str = "kinesis://";
/// Names an object, or a prefix of objects.
const S3: &str = "s3://";
/// Names standard input.
const STANDARD_INPUT: &str = "-";

/// What was read, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many files and objects were read.
    pub files: usize,
    /// How records were found in them.
    pub how: BTreeSet<&'static str>,
    /// What was passed over, by reason.
    pub skipped: BTreeMap<String, Vec<String>>,
}

impl Report {
    /// Whether what was read says where a record ends on the stream: a stream does, and what AWS's tools print; a text does not.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.how.iter().all(|how| *how == file::EXPORTED || *how == file::BASE64)
    }

    fn skip(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.skipped.entry(why.into()).or_default().push(name.into());
    }

    /// Notes of a file; whether all is read that is wanted.
    fn note(&mut self, name: &str, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Read(how, next) => {
                self.files += 1;
                self.how.insert(how);
                next == Next::Stop
            }
            Outcome::Skipped(why) => {
                self.skip(name, why);
                false
            }
        }
    }
}

/// Gives the raw records of an input: a file, a folder, `-`, `s3://BUCKET/PREFIX`, or `kinesis://STREAM` for what the stream
/// keeps. `connect` gives clients of AWS, once an input lies there.
///
/// # Errors
/// When it cannot be read, or `take` ends it.
pub async fn read(
    input: &str,
    shape: Shape,
    connect: &impl AsyncFn() -> Result<Clients>,
    take: &mut Take<'_>,
) -> Result<Report> {
    let mut report = Report::default();
    if let Some(name) = input.strip_prefix(KINESIS) {
        of_stream(name, &connect().await?, take).await?;
    } else if let Some(place) = input.strip_prefix(S3) {
        of_bucket(place, &connect().await?, shape, take, &mut report).await?;
    } else if input == STANDARD_INPUT {
        report.note("standard input", file::each("standard input", Box::new(std::io::stdin()), shape, take)?);
    } else if input.contains("://") {
        bail!("{input} cannot be read\n  hint: a file, a folder, -, s3://BUCKET/PREFIX, or kinesis://STREAM");
    } else {
        of_path(Path::new(input), shape, take, &mut report)?;
    }
    Ok(report)
}

fn of_path(path: &Path, shape: Shape, take: &mut Take<'_>, report: &mut Report) -> Result<()> {
    let Listing { files, skipped, is_file } = listing::of(path)?;
    for (name, why) in skipped {
        report.skip(name, why);
    }
    for path in &files {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
        let outcome = file::each(&name, Box::new(file), shape, take)?;
        if let (Outcome::Skipped(why), true) = (&outcome, is_file) {
            bail!("{name}: {why}\n  hint: text, JSON, and either gzipped or as zstd are read");
        }
        if report.note(&name, outcome) {
            return Ok(());
        }
    }
    if report.files == 0 {
        let skipped = report.skipped.iter().map(|(why, names)| format!("\n  skipped: {} ({why})", names.join(", ")));
        bail!("{}: there are no files of records below this folder{}", path.display(), skipped.collect::<String>());
    }
    Ok(())
}

async fn of_bucket(
    place: &str,
    clients: &Clients,
    shape: Shape,
    take: &mut Take<'_>,
    report: &mut Report,
) -> Result<()> {
    let (name, key) = place.split_once('/').unwrap_or((place, ""));
    let bucket = Bucket::open(clients, name).await?;
    for object in bucket.find(key).await? {
        let shown = format!("s3://{name}/{}", object.key);
        // Below the prefix: whoever names a hidden folder wants it.
        let below = object.key.strip_prefix(key).unwrap_or(&object.key);
        if let Some(why) = skipped_object(below).filter(|_| object.key != key) {
            report.skip(shown, why);
            continue;
        }
        let mut local = tempfile::tempfile().context("a temporary file for what is read from S3")?;
        bucket.download(&object.key, &mut local).await?;
        local.rewind().context("a temporary file for what is read from S3")?;
        let outcome = file::each(&shown, Box::new(local) as Box<dyn Read>, shape, take)?;
        if report.note(&shown, outcome) {
            return Ok(());
        }
    }
    if report.files == 0 {
        bail!("s3://{place}: there are no records here");
    }
    Ok(())
}

/// What the stream keeps, shard by shard, from its oldest record to its tip.
async fn of_stream(name: &str, clients: &Clients, take: &mut Take<'_>) -> Result<()> {
    stream::retained(clients, name, &mut |record: &Retained<'_>| {
        let place = Place::Shard { stream: name, shard: record.shard, sequence: record.sequence };
        Ok::<_, anyhow::Error>(match take(Raw { bytes: record.data, arrival: record.arrival, place })? {
            Next::Record => ControlFlow::Continue(()),
            Next::Source => ControlFlow::Break(stream::Skip::Shard),
            Next::Stop => ControlFlow::Break(stream::Skip::Stream),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn read_folder(files: &[(&str, &str)], shape: Shape) -> Result<(Report, Vec<String>)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut found = Vec::new();
        let connect = async || bail!("nothing lies on AWS");
        let root = folder.path().display().to_string();
        let report = read(&root, shape, &connect, &mut |raw| {
            found.push(raw.place.to_string().replace(&root, ""));
            Ok(Next::Record)
        })
        .await?;
        Ok((report, found))
    }

    #[tokio::test]
    async fn each_file_of_a_folder_is_read_by_itself() {
        let files =
            [("a.jsonl", "{\"a\":1}\n{\"a\":2}"), ("b.json", "{\"a\":3}"), ("c.zip", "PK\u{3}\u{4}"), ("_SUCCESS", "")];
        let (report, found) = read_folder(&files, Shape::Unknown).await.unwrap();
        assert_eq!(found, ["/a.jsonl:1", "/a.jsonl:2", "/b.json:1"]);
        assert_eq!((report.files, report.skipped.len()), (2, 2));
        let (_, found) = read_folder(&files[..2], Shape::Whole).await.unwrap();
        assert_eq!(found, ["/a.jsonl", "/b.json"]);
        assert!(read_folder(&files[2..], Shape::Unknown).await.unwrap_err().to_string().contains("a ZIP archive"));
    }

    #[tokio::test]
    async fn what_is_no_place_of_records_is_said() {
        let connect = async || bail!("nothing lies on AWS");
        let mut take = |_: Raw<'_>| Ok(Next::Record);
        let error = read("ftp://x", Shape::Unknown, &connect, &mut take).await.unwrap_err();
        assert!(error.to_string().contains("hint: a file, a folder, -, s3://"), "{error}");
        assert!(read("not/there", Shape::Unknown, &connect, &mut take).await.is_err());
    }
}
