//! `weir streams add`: a stream's file from a sample of its records.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use weir_project::{Repo, compile::joined, files::replace};
use weir_records::{Next, Raw, Report, Shape};
use weir_rules::StreamFile;
use weir_stream::{
    Declaration, Decoder, Record, Row, Rows, Tally,
    infer::{self, Proposal},
};

use super::{declared, words};
use crate::target::Target;

/// Looks at some records, writes sql/streams/NAME.toml, and says what it recognised and what it is unsure of
///
/// At most 500 records are looked at. The file has two samples whose texts are masked: nothing of a person is in them. It is a
/// beginning: read it, mend it, and look at what Weir sees with `weir rows NAME --input …`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir streams add climate --from records.jsonl\n  weir streams add orders --from kinesis://shop-orders\n  weir streams add flows --from captured/ --whole-files\n  weir streams add ticker --from-kda application.json"
)]
pub(crate) struct AddCommand {
    /// The stream's name, which rules read FROM: lower-case letters, digits and `_`
    name: String,
    /// Where records are: a file, a folder, - for standard input, s3://BUCKET/PREFIX, or kinesis://STREAM
    #[arg(
        long,
        value_name = "FILE|FOLDER|-|s3://BUCKET/PREFIX|kinesis://STREAM",
        required_unless_present = "from_kda"
    )]
    from: Option<String>,
    /// The input schema of a Kinesis Data Analytics application, or what `aws kinesisanalytics describe-application` prints:
    /// the file says what the schema says, and records of --from are only tried on it
    #[arg(long, value_name = "FILE")]
    from_kda: Option<PathBuf>,
    /// The Kinesis stream, by name or ARN, where --from does not name it
    #[arg(long, value_name = "NAME|ARN")]
    stream: Option<String>,
    /// Takes each file as one record, as it stands
    #[arg(long)]
    whole_files: bool,
    /// Writes over the stream's file if there is one
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    target: Target,
}

/// Of one file among many, so many records are looked at: one file is rarely like all of them.
const OF_A_FILE: usize = 50;

/// Some records of a stream.
#[derive(Debug, Default)]
struct Sample {
    records: Vec<(Vec<u8>, Option<i64>)>,
    report: Report,
    /// Whether what was read says where a record ends on the stream, as a stream itself does.
    exact: bool,
}

/// A stream's file before it is written.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The file's text.
    pub(crate) toml: String,
    pub(crate) declaration: Declaration,
    /// The rows that the records gave which were looked at.
    pub(crate) rows: Vec<Row>,
    /// What a person is told of it.
    pub(crate) said: Vec<String>,
}

pub(super) async fn run(command: AddCommand) -> Result<()> {
    let repo = Repo::find()?;
    check_name(&command.name)?;
    let file = declared::folder(&repo).join(format!("{}.toml", command.name));
    let shown = declared::near(&file);
    if file.exists() && !command.overwrite {
        bail!(
            "{} is there already\n  hint: --overwrite writes it anew; `weir rows {}` shows what it makes of records",
            shown.display(),
            command.name
        );
    }
    let prepared = prepare(&command, &shown).await?;
    write(&file, &prepared.toml)?;
    prepared.said.iter().for_each(|line| eprintln!("{line}"));
    eprintln!("wrote {}", shown.display());
    let input = command.from.as_deref().filter(|from| *from != "-").unwrap_or("RECORDS");
    let whole = if command.whole_files { " --whole-files" } else { "" };
    eprintln!("next: read it, then weir rows {} --input {input}{whole} --limit 20", command.name);
    Ok(())
}

/// The name becomes a file's: nothing is written outside of the folder of streams.
fn check_name(name: &str) -> Result<()> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        bail!(
            "`{name}` is no stream's name\n  hint: lower case letters, digits and `_`, a letter first: rules say FROM it"
        );
    }
    Ok(())
}

/// Looks at records and proposes the stream's file, which is called so. What a project refuses to read is an error, before anything
/// is written: a name of Weir's own, above all.
pub(crate) async fn prepare(command: &AddCommand, file: &Path) -> Result<Prepared> {
    check_name(&command.name)?;
    let sample = match &command.from {
        Some(from) => sample(from, command).await?,
        None => Sample::default(),
    };
    let proposal = propose(command, &sample)?;
    let toml = finished(&proposal.toml, command, &sample);
    StreamFile::parse(file, &toml).map_err(joined)?;
    let said = said(&proposal, &sample);
    let mut decoder = Decoder::new(&proposal.declaration);
    let mut rows = Rows::default();
    for (bytes, arrival) in &sample.records {
        decoder.decode(Record { bytes, arrival: *arrival }, &mut rows);
    }
    Ok(Prepared { toml, rows: rows.rows().cloned().collect(), declaration: proposal.declaration, said })
}

impl AddCommand {
    /// A stream of that name from a sample, with what else is usual.
    pub(crate) fn from_sample(name: String, from: String, target: Target) -> Self {
        Self { name, from: Some(from), from_kda: None, stream: None, whole_files: false, overwrite: false, target }
    }
}

async fn sample(from: &str, command: &AddCommand) -> Result<Sample> {
    let mut records = Vec::new();
    let (mut source, mut of_source) = (String::new(), 0);
    let shape = if command.whole_files { Shape::Whole } else { Shape::Unknown };
    let connect = async || Ok(command.target.connect().await?.0);
    let several = Path::new(from).is_dir() || from.starts_with("s3://");
    let report = weir_records::read(from, shape, &connect, &mut |raw: Raw<'_>| {
        records.push((raw.bytes.to_vec(), raw.arrival));
        let now = raw.place.source();
        if now == source {
            of_source += 1;
        } else {
            (source, of_source) = (now.to_owned(), 1);
        }
        Ok(if records.len() >= infer::MAX_RECORDS {
            Next::Stop
        } else if several && of_source >= OF_A_FILE {
            Next::Source
        } else {
            Next::Record
        })
    })
    .await?;
    if records.is_empty() {
        bail!(
            "{from} holds no records\n  hint: --from names what producers put: a file of records, or kinesis://STREAM while it has some"
        );
    }
    let exact = command.whole_files || report.is_exact();
    Ok(Sample { records, report, exact })
}

fn propose(command: &AddCommand, sample: &Sample) -> Result<Proposal> {
    if let Some(file) = &command.from_kda {
        let schema = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        return infer::from_kda(&command.name, &schema).map_err(|error| anyhow!("{}: {error}", file.display()));
    }
    let records: Vec<&[u8]> = sample.records.iter().map(|(bytes, _)| bytes.as_slice()).collect();
    Ok(infer::propose(&command.name, &records)?)
}

/// The proposal with what only this command knows: the Kinesis stream, and what a file does not say.
fn finished(toml: &str, command: &AddCommand, sample: &Sample) -> String {
    let named = command.from.as_deref().and_then(|from| from.strip_prefix("kinesis://"));
    let mut lines = Vec::new();
    if !sample.exact && command.from_kda.is_none() {
        lines.push(format!("# unsure: {}", not_exact()));
    }
    lines.push(match command.stream.as_deref().or(named) {
        Some(stream) => format!("stream = {}", toml_text(stream)),
        None => {
            "# stream = \"NAME\" # the Kinesis stream, by name or ARN; without it weir-NAME of this file".to_owned()
        }
    });
    let (head, rest) = toml.split_once('\n').unwrap_or((toml, ""));
    format!("{head}\n{}\n{rest}", lines.join("\n"))
}

const fn not_exact() -> &'static str {
    "the envelope: a file does not say where a record ends on the stream; where producers put several into one, it is \"lines\" or \"values\""
}

fn toml_text(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if c.is_control() => vec![' '],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

fn write(file: &Path, text: &str) -> Result<()> {
    let what = || format!("{} cannot be written", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(what)?;
    }
    replace(file, text.as_bytes())
}

/// What was recognised, what is unsure, and what became of the records.
fn said(proposal: &Proposal, sample: &Sample) -> Vec<String> {
    let declaration = &proposal.declaration;
    let mut lines = Vec::new();
    if !sample.records.is_empty() {
        let how: Vec<&str> = sample.report.how.iter().copied().collect();
        let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join("; ")) };
        lines.push(format!("looked at {} records{how}", sample.records.len()));
    }
    for (why, names) in &sample.report.skipped {
        lines.push(format!("skipped: {} ({why})", names.join(", ")));
    }
    lines.push(format!("  records  {}", words::records(declaration)));
    lines.push(format!("  time     {}", words::time(declaration)));
    lines.push(format!("  key      {}", declaration.key.as_deref().unwrap_or("none")));
    let metrics = declaration.metrics.join(", ");
    lines.push(format!("  metrics  {}", if metrics.is_empty() { "none" } else { &metrics }));
    lines.push(format!("  fields   {}", declaration.fields.len()));
    if !sample.records.is_empty() {
        lines.push(format!("  rows     {}", tried(proposal, sample)));
    }
    let unsure = proposal.unsure.iter().map(String::as_str);
    let exact = sample.exact || sample.records.is_empty();
    lines.extend(unsure.chain((!exact).then(not_exact)).map(|unsure| format!("unsure: {unsure}")));
    lines
}

/// What the file makes of the records that it was made from.
fn tried(proposal: &Proposal, sample: &Sample) -> String {
    let mut decoder = Decoder::new(&proposal.declaration);
    let mut tally = Tally::default();
    let mut refused = None;
    for (bytes, arrival) in &sample.records {
        let mut rows = Rows::default();
        tally += decoder.decode(Record { bytes, arrival: *arrival }, &mut rows);
        refused = refused.or_else(|| rows.refusals().next().map(ToString::to_string));
    }
    match refused {
        None => format!("{} from {} records", tally.rows, tally.accepted),
        Some(first) => {
            format!(
                "{} from {} records; {} refused, the first: {first}",
                tally.rows,
                tally.accepted.saturating_add(tally.poison),
                tally.poison
            )
        }
    }
}
