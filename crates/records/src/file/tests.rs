use proptest::prelude::*;

use super::*;
use crate::members::tests::pack;

const JSON: Shape = Shape::Json { lists: false, gzip: false };

fn read(bytes: &[u8], shape: Shape) -> Result<(Outcome, Vec<(String, String)>)> {
    let mut found = Vec::new();
    let outcome = each("f", Box::new(Cursor::new(bytes.to_vec())), shape, &mut |raw| {
        found.push((raw.place.to_string(), String::from_utf8_lossy(raw.bytes).into_owned()));
        Ok(Next::Record)
    })?;
    Ok((outcome, found))
}

fn found(bytes: impl AsRef<[u8]>, shape: Shape) -> Vec<String> {
    let (_, found) = read(bytes.as_ref(), shape).unwrap();
    found.into_iter().map(|(place, record)| format!("{place} {record}")).collect()
}

#[test]
fn json_values_follow_one_another_in_many_ways() {
    let expected = ["f:1 {\"a\":1}", "f:2 {\"a\":2}"];
    for shape in [Shape::Unknown, JSON, Shape::Json { lists: true, gzip: true }] {
        assert_eq!(found("{\"a\":1}\n{\"a\":2}\n", shape), expected, "{shape:?}");
        assert_eq!(found("{\"a\":1}\r\n\r\n{\"a\":2}", shape)[1], "f:3 {\"a\":2}", "{shape:?}");
        assert_eq!(found("{\"a\":1}{\"a\":2}", shape), ["f:1 {\"a\":1}", "f:1 {\"a\":2}"], "as Firehose writes them");
        assert_eq!(found("\u{feff}{\"a\":1}\n{\"a\":2}", shape), expected, "behind a byte order mark");
    }
    assert_eq!(found("[{\"a\":1},\n{\"a\":2}]\n", JSON), expected);
    assert_eq!(found("[{\"a\":1},\n{\"a\":2}]\n", Shape::Unknown), expected);
    assert_eq!(found("{\n \"a\": 1\n}\n{\"a\":2}", JSON), ["f:1 {\n \"a\": 1\n}", "f:4 {\"a\":2}"]);
}

#[test]
fn lists_are_records_where_a_stream_has_lists() {
    let two = "[{\"a\":1},{\"a\":2}]\n[{\"a\":3}]\n";
    let lists = ["f:1 [{\"a\":1},{\"a\":2}]", "f:2 [{\"a\":3}]"];
    assert_eq!(found(two, Shape::Json { lists: true, gzip: false }), lists);
    assert_eq!(found(two, Shape::Unknown), lists, "two lists are no list of records");
    assert_eq!(found(two, JSON).len(), 3);
}

#[test]
fn a_damaged_value_costs_its_line() {
    let text = "{\"a\":1}\n{\"a\":\n{\"a\":3} oops\nword\n{\"a\":4}";
    assert_eq!(found(text, JSON), ["f:1 {\"a\":1}", "f:2 {\"a\":", "f:3 {\"a\":3} oops", "f:4 word", "f:5 {\"a\":4}"]);
}

#[test]
fn a_list_that_never_ends_is_a_fault_where_it_begins() {
    for shape in [JSON, Shape::Unknown] {
        assert_eq!(found("\n[\n", shape), ["f:2 ["], "{shape:?}");
        assert_eq!(found("[{\"a\":1},\n{\"a\":2}", shape), ["f:1 {\"a\":1}", "f:2 {\"a\":2}", "f:1 ["], "{shape:?}");
        assert_eq!(found("[{\"a\":1},\n", shape), ["f:1 {\"a\":1}", "f:1 ["], "{shape:?}");
        assert_eq!(found("[{\"a\":1},\n{\"a\":", shape), ["f:1 {\"a\":1}", "f:2 {\"a\":"], "the cut element tells it");
        assert_eq!(found("[\n]\n", shape), [""; 0], "an empty list is whole");
    }
    assert_eq!(found("[{\"a\":1}]\n[{\"a\":2}\n", JSON), ["f:1 {\"a\":1}", "f:2 {\"a\":2}", "f:2 ["]);
    assert_eq!(found("[[{\"a\":1}]", JSON), ["f:1 {\"a\":1}", "f:1 ["], "the inner one ends");
    assert_eq!(found("[{\"a\":1},oops]", JSON), ["f:1 {\"a\":1}", "f:1 oops]"], "a damaged line takes the end with it");
}

#[test]
fn text_is_a_record_a_line() {
    let text = "[2026-01-01] one\r\n\n[2026-01-02] two";
    for shape in [Shape::Unknown, Shape::Lines { gzip: false }] {
        assert_eq!(found(text, shape), ["f:1 [2026-01-01] one", "f:3 [2026-01-02] two"]);
    }
    let named = "{\"Records\":1} {\"a\":2}\n{\"kinesis\":1}\n";
    assert_eq!(found(named, Shape::Lines { gzip: false }).len(), 2, "nor do names make an export");
    let json = "{\"a\":1} {\"a\":2}\n";
    assert_eq!(found(json, Shape::Lines { gzip: false }), ["f:1 {\"a\":1} {\"a\":2}"], "lines are what was declared");
}

#[test]
fn compression_of_the_file_is_taken_off() {
    let packed = pack(b"{\"a\":1}\n{\"a\":2}\n");
    for shape in [Shape::Unknown, JSON, Shape::Json { lists: false, gzip: true }] {
        assert_eq!(found(&packed, shape).len(), 2, "{shape:?}");
        assert_eq!(found(pack(&packed), shape).len(), 2, "twice, as Firehose compresses CloudWatch's messages");
    }
    let cut_between = [pack(b"one\ntw"), pack(b"o\n")].concat();
    assert_eq!(found(&cut_between, Shape::Lines { gzip: false }), ["f:1 one", "f:2 two"], "one text in two members");
    assert_eq!(found(&cut_between, Shape::Lines { gzip: true }), ["f:1 one", "f:2 tw", "f:3 o"], "two records");
    assert!(
        matches!(read(b"BZh91AY&SY\xc9\x03\x9b\x97\0\0\x01\xd9", JSON).unwrap().0, Outcome::Skipped(why) if why.contains("bzip2"))
    );
}

#[test]
fn a_damaged_record_is_one_record_and_a_damaged_file_an_error() {
    let mut packed = pack(b"{\"a\":1}\n{\"a\":2}\n");
    packed.truncate(packed.len() - 4);
    let (_, records) = read(&packed, Shape::Json { lists: false, gzip: true }).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].0, "f");
    assert!(read(&packed, JSON).unwrap_err().to_string().contains("f cannot be read"));
}

#[test]
fn exported_records_have_their_arrival() {
    let record = |n: u32| {
        format!(
            "{{\"SequenceNumber\":\"{n}\",\"ApproximateArrivalTimestamp\":1767225600.0,\"Data\":\"eyJhIjoxfQ==\",\"PartitionKey\":\"p\"}}"
        )
    };
    let lines = format!("{}\n{}\n", record(1), record(2));
    let answer = format!("{{\n\"Records\": [{},{}],\n\"NextShardIterator\":\"x\"}}", record(1), record(2));
    for shape in [Shape::Unknown, JSON, Shape::Lines { gzip: false }] {
        assert_eq!(found(&lines, shape), ["f:1 {\"a\":1}", "f:2 {\"a\":1}"], "{shape:?}");
        assert_eq!(found(&answer, shape), ["f:1 record 1 {\"a\":1}", "f:1 record 2 {\"a\":1}"], "{shape:?}");
        assert_eq!(found("eyJhIjoxfQ==\teyJhIjoxfQ==\n", shape).len(), 2, "{shape:?}");
    }
    let mut arrival = None;
    let _ = each("f", Box::new(Cursor::new(lines.into_bytes())), JSON, &mut |raw| {
        arrival = raw.arrival;
        Ok(Next::Stop)
    });
    assert_eq!(arrival, Some(1_767_225_600_000_000_000));
    let broken = format!("{}\n{{\"a\":1}}\n", record(1));
    assert!(read(broken.as_bytes(), JSON).unwrap_err().to_string().starts_with("f:2: this is no record as"));
}

#[test]
fn a_line_that_is_too_long_for_a_record_is_one_record_and_no_more() {
    let long = "x".repeat(MAX_UNPACKED_BYTES * 2 + 5);
    let text = format!("a\n{long}\r\nb\n{long}");
    let lengths = |shape| {
        let (_, records) = read(text.as_bytes(), shape).unwrap();
        records.into_iter().map(|(place, record)| (place, record.len())).collect::<Vec<_>>()
    };
    let of = |length| [("f:1", 1), ("f:2", length), ("f:3", 1), ("f:4", length)].map(|(at, n)| (at.to_owned(), n));
    assert_eq!(lengths(Shape::Lines { gzip: false }), of(MAX_UNPACKED_BYTES + 1), "the decoder refuses so much");
    // The longest line that is a record is whole.
    let longest = format!("{}\nb", "x".repeat(MAX_UNPACKED_BYTES));
    let (_, records) = read(longest.as_bytes(), Shape::Lines { gzip: false }).unwrap();
    assert_eq!(records.iter().map(|(_, record)| record.len()).collect::<Vec<_>>(), [MAX_UNPACKED_BYTES, 1]);
    // Among JSON values too.
    let json = format!("{{\"a\":1}}\n{{\"a\":{long}\n{{\"a\":2}}");
    let (_, records) = read(json.as_bytes(), JSON).unwrap();
    let places: Vec<&str> = records.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["f:1", "f:2", "f:3"]);
    // A line of base64 may hold many records: none of them is left out without a word.
    let words = "eyJhIjoxfQ== ".repeat(MAX_UNPACKED_BYTES / 13 + 2);
    assert!(read(words.as_bytes(), JSON).unwrap_err().to_string().starts_with("f:1: a line of base64 has more than"));
}

#[test]
fn what_is_no_text_is_one_record() {
    assert_eq!(read(b"\xf3\x89\x9a\xc2rest", JSON).unwrap().1.len(), 1, "an aggregated record");
    assert_eq!(read(b"a\0b\nc", Shape::Unknown).unwrap().1.len(), 1);
    assert_eq!(read(b"{\"a\":1}\n{\"a\":2}", Shape::Whole).unwrap().1.len(), 1);
    assert!(read(b"", JSON).unwrap().1.is_empty());
}

proptest! {
    #[test]
    fn nothing_of_a_file_of_lines_is_lost(lines in prop::collection::vec("[a-z{}\\[\\]\" ,]{1,12}", 0..8)) {
        let text = lines.join("\n");
        let expected: Vec<&str> = lines.iter().map(|line| line.trim_end_matches('\r')).filter(|line| !line.trim().is_empty()).collect();
        let (_, records) = read(text.as_bytes(), Shape::Lines { gzip: false }).unwrap();
        if !base64_text::is_records(text.as_bytes()) {
            prop_assert_eq!(records.iter().map(|(_, record)| record.as_str()).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn no_bytes_stop_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}\":,a\n ]{0,64}") {
        for shape in [Shape::Unknown, JSON, Shape::Json { lists: true, gzip: true }, Shape::Lines { gzip: true }, Shape::Whole] {
            let _ = read(&bytes, shape);
            // Every sign but blanks, and those of a list that was taken apart, is in some record.
            let (_, records) = read(text.as_bytes(), shape).unwrap();
            let count = |text: &str| text.chars().filter(|c| "{}\":a".contains(*c)).count();
            prop_assert_eq!(records.iter().map(|(_, record)| count(record)).sum::<usize>(), count(&text));
        }
    }
}
