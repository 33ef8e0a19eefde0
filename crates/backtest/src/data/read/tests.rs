use super::*;

/// What a file of this name holds: series and value of each event, or the reason why a record is none; each with its line.
fn lines_of(name: &str, bytes: &[u8], columns: &Columns) -> Result<Vec<(u64, String)>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, bytes).unwrap();
    let mut found = Vec::new();
    let outcome = each(&file, columns, &mut |record| {
        let what = match record.read {
            Read::Event(reading) => format!("{} {}", reading.series(), reading.value),
            Read::Control => "control".to_owned(),
            Read::Refused(refusal) => refusal.reason.to_owned(),
        };
        found.push((record.line, what));
        Ok(())
    })?;
    match outcome {
        Outcome::Read => Ok(found),
        Outcome::Skipped(why) => bail!("skipped: {why}"),
    }
}

fn read_text(name: &str, text: &str) -> Result<Vec<(u64, String)>> {
    lines_of(name, text.as_bytes(), &Columns::default())
}

fn found(name: &str, text: &str) -> Vec<(u64, String)> {
    read_text(name, text).unwrap()
}

fn record(source: &str, value: &str) -> String {
    format!(r#"{{"timestamp":"2026-01-01T00:00:00Z","value":{value},"source":{source}}}"#)
}

fn expected(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
    lines.iter().map(|(line, what)| (*line, (*what).to_owned())).collect()
}

#[test]
fn objects_are_read_a_line_each_glued_over_lines_and_in_an_array() {
    let (a, b) = (record("17", "1"), record("\"b}{\\\"\"", "2"));
    let both = ["17/value 1", "b}{\"/value 2"];
    let at = |first, second| expected(&[(first, both[0]), (second, both[1])]);
    assert_eq!(found("a.jsonl", &format!("{a}\n\n{b}\n")), at(1, 3));
    assert_eq!(found("a.jsonl", &format!("\u{feff}{a}\r\n{b}")), at(1, 2));
    // Firehose puts objects one behind the other, and its files have no ending.
    assert_eq!(found("stream-1-2026-01-01-00-00-05-8f6c", &format!("{a}{b}")), at(1, 1));
    assert_eq!(found("a.json", &format!("[{a},{b}]")), at(1, 1));
    assert_eq!(found("a.json", &format!("[\n  {a},\n  {b}\n]\n")), at(2, 3));
    let pretty = |text: &str| text.replace(',', ",\n  ").replacen('{', "{\n  ", 1).replace("Z\"", "Z\" ");
    assert_eq!(found("a.json", &format!("{}\n{}\n", pretty(&a), b)), at(1, 5));
}

#[test]
fn what_is_damaged_costs_its_line_and_no_other() {
    let (a, b) = (record("\"a\"", "1"), record("\"b\"", "2"));
    let cut = a.get(..40).unwrap();
    for (line, reason) in [
        (cut, "not_json"),
        ("{\"timestamp\":\"2026", "not_json"),
        ("oops", "not_json"),
        ("[1]", "not_an_object"),
        ("17", "not_an_object"),
        (&format!("{a} oops"), "not_json"),
        ("{}", "bad_timestamp"),
        ("}", "not_json"),
    ] {
        let text = format!("{a}\n{line}\n{b}\n");
        assert_eq!(found("a.jsonl", &text), expected(&[(1, "a/value 1"), (2, reason), (3, "b/value 2")]), "{line}");
    }
}

#[test]
fn a_list_that_never_ends_is_counted_where_it_begins() {
    let a = record("\"a\"", "1");
    assert_eq!(found("a.json", "[\n"), expected(&[(1, "not_json")]));
    assert_eq!(found("a.json", &format!("\n[{a},\n")), expected(&[(2, "a/value 1"), (2, "not_json")]));
}

#[test]
fn csv_gives_the_same_whatever_stands_between_the_fields() {
    let rows = expected(&[(2, "x/value 2.5"), (3, "x/value 1")]);
    let csv = "timestamp,value,source\n2026-01-01 00:05:00,2.5,x\n1767225600000,1,x\n";
    assert_eq!(found("a.csv", csv), rows);
    assert_eq!(found("a.csv", &format!("\u{feff}{}", csv.replace('\n', "\r\n"))), rows);
    assert_eq!(found("a.csv", &csv.replace(',', ";")), rows);
    assert_eq!(found("a.tsv", &csv.replace(',', "\t")), rows);
    assert_eq!(found("000000_0", csv), rows, "a name without an ending");
    assert_eq!(found("a.csv", &csv.replace(",x", ",\"x\"")), rows);
    let quoted = "timestamp,value,source,note\n2026-01-01,1,\"a, \"\"b\"\"\",\"two\nlines\"\n2026-01-01,2,c,\n";
    assert_eq!(found("a.csv", quoted), expected(&[(2, "a, \"b\"/value 1"), (4, "c/value 2")]));
    assert_eq!(found("pump.csv", "timestamp,value\n2026-01-01,1\n"), expected(&[(2, "pump/value 1")]));
}

#[test]
fn lines_that_do_not_fit_the_header_are_named_and_beyond_a_share_the_file_is_refused() {
    let header = "timestamp,value,source\n";
    let good = "2026-01-01,1,a\n".repeat(20);
    let text = format!("{header}{good}2026-01-01,21,5,a\n2026-01-01,3\n2026-01-01,\"4,a\n{good}");
    let read = found("a.csv", &text);
    let misfits: Vec<u64> = read.iter().filter(|(_, what)| what == "misfit").map(|(line, _)| *line).collect();
    assert_eq!((misfits, read.len()), (vec![22, 23, 24], 43), "an open quote costs its own line");
    let error = read_text("a.csv", &format!("{header}{}", "2026-01-01,21,5,a\n".repeat(3))).unwrap_err().to_string();
    assert!(error.contains("3 of 3 lines do not fit the header (line 2: 4 fields where the header has 3;"), "{error}");
    assert!(error.contains("hint: decimals are written with a point"), "{error}");
}

#[test]
fn compressed_files_are_known_by_their_bytes() {
    let text = record("\"a\"", "1");
    let rows = expected(&[(1, "a/value 1")]);
    let gz = |text: &str| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gz, text.as_bytes()).unwrap();
        gz.finish().unwrap()
    };
    let zst =
        |text: &str| ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    for name in ["a", "a.gz", "a.jsonl", "a.json.gz", "a.jsonl.zst"] {
        assert_eq!(lines_of(name, &gz(&text), &Columns::default()).unwrap(), rows, "{name}");
        assert_eq!(lines_of(name, &zst(&text), &Columns::default()).unwrap(), rows, "{name}");
    }
    // Several members or frames are one text.
    let twice = expected(&[(1, "a/value 1"), (1, "a/value 1")]);
    assert_eq!(lines_of("a", &[gz(&text), gz(&text)].concat(), &Columns::default()).unwrap(), twice);
    assert_eq!(lines_of("a", &[zst(&text), zst(&text)].concat(), &Columns::default()).unwrap(), twice);
    let whole = gz(&text);
    assert!(lines_of("a.gz", whole.get(..whole.len() / 2).unwrap(), &Columns::default()).is_err(), "cut short");
}

#[test]
fn what_cannot_be_read_is_named() {
    let said = |name: &str, bytes: &[u8]| lines_of(name, bytes, &Columns::default()).unwrap_err().to_string();
    assert_eq!(said("a.jsonl", b"BZh91AY&SY\xc9\x03\x9b\x97\0\0\x01\xd9"), "skipped: this is bzip2, which is not read");
    assert_eq!(said("a.csv", b"\xff\xfet\0i\0"), "skipped: this is UTF-16 text (save it as UTF-8), which is not read");
    assert_eq!(said("notes.txt", b"to do"), "skipped: what it holds is not known");
    assert!(
        said("a.csv", b"time,value\n")
            .contains(":1: there is no column `timestamp`\n  hint: the columns are time, value")
    );
}

#[test]
fn times_in_another_unit_stop_the_file_and_its_option_reads_them() {
    let lines = "{\"timestamp\":1767225600,\"value\":1,\"source\":\"a\"}\n".repeat(3);
    let error = read_text("a.jsonl", &lines).unwrap_err().to_string();
    assert!(error.contains(":1: its times are epoch seconds"), "{error}");
    assert!(error.ends_with("hint: --timestamp-unit s"), "{error}");
    let csv = "timestamp,value\n1767225600000000000,1\n";
    assert!(read_text("a.csv", csv).unwrap_err().to_string().ends_with("hint: --timestamp-unit ns"));
    let columns = Columns { unit: Some(EpochUnit::Seconds), ..Columns::default() };
    assert_eq!(lines_of("a.jsonl", lines.as_bytes(), &columns).unwrap().len(), 3);
    // One such record among others is no event, and no more than that.
    let mixed = format!("{}\n{lines}", record("\"a\"", "1"));
    assert_eq!(found("a.jsonl", &mixed).iter().filter(|(_, what)| what == "bad_timestamp").count(), 3);
}

#[test]
fn a_bad_line_stops_what_reads_events_to_send_them() {
    let said = |name: &str, text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let error = read(&file, &Columns::default()).unwrap_err().to_string();
        error.split_once(name).map(|(_, said)| said.to_owned()).unwrap_or(error)
    };
    assert_eq!(
        said("a.csv", "timestamp,value\n2026-01-01 00:00:00,1\nnow,2\n"),
        ":3: `now` is no time (RFC 3339, or epoch milliseconds)\n  hint: mend or remove the line; nothing was sent"
    );
    assert!(said("a.jsonl", "{\"timestamp\":\"2026-01-01\"}").starts_with(":1: no field `value`; there are timestamp"));
}
