//! The example streams: every folder of `examples/streams` decodes as its rows say, and is what inference proposes but for a
//! few lines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use weir_stream::{Declaration, Decoded, Decoder, Record, Rows, infer, plain::Unpacker};

/// How many lines of a proposal a person may have to mend.
const MOST_MENDED: usize = 5;

/// Writes the expected rows anew instead of comparing them.
const UPDATE: &str = "WEIR_UPDATE_EXAMPLES";

struct Example {
    name: String,
    folder: PathBuf,
    text: String,
    declaration: Declaration,
    records: Vec<Vec<u8>>,
}

fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/streams");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.into_iter().map(example).collect()
}

fn example(folder: PathBuf) -> Example {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let file = folder.join(format!("sql/streams/{name}.toml"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let declaration = Declaration::parse(&file, &text)
        .unwrap_or_else(|faults| panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    let records = records(&folder);
    Example { name, folder, text, declaration, records }
}

/// A file of one record a line, or a folder of one record a file.
fn records(folder: &Path) -> Vec<Vec<u8>> {
    if folder.join("records").is_dir() {
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder.join("records")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        return files.iter().map(|file| fs::read(file).unwrap()).collect();
    }
    let file = ["jsonl", "tsv", "log"]
        .into_iter()
        .map(|end| folder.join(format!("records.{end}")))
        .find(|file| file.exists())
        .unwrap();
    fs::read_to_string(file).unwrap().lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// One line a row or refusal, as `weir rows --json` shows them.
fn shown(example: &Example) -> String {
    let mut decoder = Decoder::new(&example.declaration);
    let columns = example.declaration.columns();
    let mut lines = String::new();
    for (index, record) in example.records.iter().enumerate() {
        let mut rows = Rows::default();
        // A record a second, for streams that go by arrival.
        let arrival = 1_767_259_800_000_000_000 + i64::try_from(index).unwrap() * 1_000_000_000;
        decoder.decode(Record { bytes: record, arrival: Some(arrival) }, &mut rows);
        for decoded in &rows.decoded {
            lines.push_str(&match decoded {
                Decoded::Row(row) => row.to_json(&columns),
                Decoded::Refused(_, poison) => format!("{{\"refused\":\"{}\"}}", poison.reason),
                Decoded::Control(control) => format!("{{\"control\":\"{:?}\"}}", control.kind),
            });
            lines.push('\n');
        }
    }
    lines
}

#[test]
fn records_give_the_rows_beside_them() {
    for example in examples() {
        let file = example.folder.join("rows.jsonl");
        let found = shown(&example);
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&file, &found).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap();
        for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{}, line {}", example.name, number + 1);
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "{}", example.name);
        assert!(expected.lines().any(|line| line.contains("event_time")), "{} has rows", example.name);
    }
}

#[test]
fn samples_give_what_they_say() {
    for example in examples() {
        let file = example.folder.join(format!("sql/streams/{}.toml", example.name));
        let faults =
            example.declaration.check_samples(&file, &example.text, |name| fs::read(example.folder.join(name)));
        assert!(faults.is_empty(), "{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        assert!(example.declaration.samples.len() >= 2, "{} has samples", example.name);
    }
}

/// The lines that say something, without samples, comments and the stream's name.
fn lines(toml: &str) -> Vec<String> {
    let head = toml.split("[[sample]]").next().unwrap_or_default();
    let line = |line: &str| line.split(" # ").next().unwrap_or_default().trim().to_owned();
    head.lines()
        .map(line)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("stream "))
        .collect()
}

#[test]
fn inference_proposes_them_but_for_a_few_lines() {
    for example in examples() {
        let records: Vec<&[u8]> = example.records.iter().map(Vec::as_slice).collect();
        let proposal =
            infer::propose(&example.name, &records).unwrap_or_else(|error| panic!("{}: {error}", example.name));
        let (proposed, kept) = (lines(&proposal.toml), lines(&example.text));
        let missing: Vec<&String> = kept.iter().filter(|line| !proposed.contains(line)).collect();
        let needless: Vec<&String> = proposed.iter().filter(|line| !kept.contains(line)).collect();
        let mended = missing.len().max(needless.len());
        assert!(
            mended <= MOST_MENDED,
            "{}: {mended} lines\nmissing {missing:#?}\nneedless {needless:#?}\n{}",
            example.name,
            proposal.toml
        );
    }
}

#[test]
fn a_proposal_decodes_what_it_was_made_from() {
    for example in examples() {
        let records: Vec<&[u8]> = example.records.iter().map(Vec::as_slice).collect();
        let proposal = infer::propose(&example.name, &records).unwrap();
        let mut decoder = Decoder::new(&proposal.declaration);
        let mut rows = Rows::default();
        let mut tally = weir_stream::Tally::default();
        records.iter().for_each(|bytes| tally += decoder.decode(Record::new(bytes), &mut rows));
        assert!(tally.poison * 20 <= tally.accepted, "{}: {tally:?}\n{}", example.name, proposal.toml);
        let file = Path::new("proposal.toml");
        assert_eq!(
            proposal.declaration.check_samples(file, &proposal.toml, |_| Err(std::io::Error::other("none"))),
            []
        );
    }
}

/// The gate's stream shows the same rows.
#[test]
fn the_gate_writes_what_the_examples_say() {
    for example in examples() {
        let columns = example.declaration.columns();
        let mut unpacker = Unpacker::new(&example.declaration);
        let mut plain = Decoder::new(&example.declaration.plain());
        for (index, bytes) in example.records.iter().enumerate() {
            let arrival = 1_767_259_800_000_000_000;
            let mut direct = Rows::default();
            Decoder::new(&example.declaration).decode(Record { bytes, arrival: Some(arrival) }, &mut direct);
            let unpacked = unpacker.unpack(bytes, arrival, &index.to_string());
            let text = unpacked.rows.iter().map(|row| row.line.as_str()).collect::<Vec<_>>().join("\n");
            let mut through = Rows::default();
            plain.decode(Record::new(text.as_bytes()), &mut through);
            let shown = |rows: &Rows| rows.rows().map(|row| row.to_json(&columns)).collect::<Vec<_>>();
            assert_eq!(shown(&through), shown(&direct), "{}: record {index}", example.name);
        }
    }
}
