//! Records as AWS's own tools print them, with their arrival.
//!
//! Known are the answer of `aws kinesis get-records` (API_GetRecords), its records alone (`jq -c '.Records[]'`), a list of
//! their data (`--query 'Records[].Data'`), and the event that Lambda gives a function (Lambda guide, "Using AWS Lambda with
//! Amazon Kinesis").

use serde_json::{Map, Value};
use weir_stream::{TimeFormat, TimeReader, Zone};

use crate::base64_text;

/// A record that was printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exported {
    pub(crate) bytes: Vec<u8>,
    pub(crate) arrival: Option<i64>,
}

/// The records of a JSON value; `None`: it is no such export, but a record itself.
pub(crate) fn records(json: &[u8]) -> Option<Vec<Exported>> {
    // Of most files the first value says in a moment that it is none.
    let names = ["\"Data\"", "\"kinesis\"", "\"Records\""];
    let text = std::str::from_utf8(json).ok()?;
    let list = text.trim_start().starts_with('[');
    if !list && !names.iter().any(|name| text.contains(name)) {
        return None;
    }
    let mut found = Vec::new();
    match serde_json::from_str(text).ok()? {
        Value::Array(items) if !items.is_empty() => {
            items.iter().try_for_each(|item| match item {
                Value::String(word) => {
                    found.push(Exported { bytes: base64_text::decode_any(word.as_bytes())?, arrival: None });
                    Some(())
                }
                Value::Object(object) => of_object(object, &mut found),
                _ => None,
            })?;
            // A list of empty texts says nothing of what it is.
            let words = items.iter().all(Value::is_string);
            if words && found.iter().all(|record| record.bytes.is_empty()) {
                return None;
            }
        }
        Value::Object(object) => of_object(&object, &mut found)?,
        _ => return None,
    }
    Some(found)
}

fn of_object(object: &Map<String, Value>, found: &mut Vec<Exported>) -> Option<()> {
    if let Some(Value::Array(records)) = object.get("Records") {
        let answer = object.contains_key("NextShardIterator") || object.contains_key("MillisBehindLatest");
        if records.is_empty() && !answer {
            return None;
        }
        return records.iter().try_for_each(|record| one(record.as_object()?, found));
    }
    one(object, found)
}

fn one(record: &Map<String, Value>, found: &mut Vec<Exported>) -> Option<()> {
    let (data, arrival) = match record.get("kinesis") {
        Some(Value::Object(kinesis)) => (kinesis.get("data")?, kinesis.get("approximateArrivalTimestamp")),
        _ => {
            record.get("PartitionKey")?.as_str()?;
            record.get("SequenceNumber")?.as_str()?;
            (record.get("Data")?, record.get("ApproximateArrivalTimestamp"))
        }
    };
    let bytes = base64_text::decode_any(data.as_str()?.as_bytes())?;
    found.push(Exported { bytes, arrival: arrival.and_then(time) });
    Some(())
}

/// Seconds since the epoch (version 1 of the AWS CLI, Lambda), or a text (version 2).
fn time(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let formats = ["unix", "iso8601"].into_iter().filter_map(|name| TimeFormat::parse(name).ok()).collect();
    TimeReader { formats, zone: Zone::UTC }.read_text(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Option<Vec<(String, Option<i64>)>> {
        let text = |e: Exported| (String::from_utf8(e.bytes).unwrap(), e.arrival);
        records(json.as_bytes()).map(|records| records.into_iter().map(text).collect())
    }

    #[test]
    fn what_aws_tools_print_is_known() {
        let record = r#"{"SequenceNumber":"495","ApproximateArrivalTimestamp":"2026-01-01T01:00:00.500000+01:00","Data":"eyJhIjoxfQ==","PartitionKey":"p"}"#;
        let expected = Some(vec![("{\"a\":1}".to_owned(), Some(1_767_225_600_500_000_000))]);
        assert_eq!(found(record), expected);
        assert_eq!(found(&format!("[{record}]")), expected);
        assert_eq!(found(&format!(r#"{{"Records":[{record}],"NextShardIterator":"x"}}"#)), expected);
        let lambda = r#"{"Records":[{"kinesis":{"data":"eyJhIjoxfQ==","approximateArrivalTimestamp":1767225600.5},"eventSource":"aws:kinesis"}]}"#;
        assert_eq!(found(lambda), expected);
        let empty = record.replace("eyJhIjoxfQ==", "");
        let both = found(&format!(r#"{{"Records":[{empty},{record}],"NextShardIterator":"x"}}"#)).unwrap();
        assert_eq!((both[0].0.as_str(), both[1].0.as_str()), ("", "{\"a\":1}"), "Kinesis takes empty records");
        assert_eq!(found(&lambda.replace("eyJhIjoxfQ==", "")).unwrap()[0].0, "");
        assert_eq!(found(r#"["","eyJhIjoxfQ=="]"#).unwrap().len(), 2);
        assert_eq!(found(r#"["eyJhIjoxfQ=="]"#), Some(vec![("{\"a\":1}".to_owned(), None)]));
        assert_eq!(found(r#"{"Records":[],"MillisBehindLatest":0}"#), Some(vec![]));
    }

    #[test]
    fn other_records_are_themselves() {
        for json in [
            r#"{"Records":[]}"#,
            r#"{"Data":"eyJhIjoxfQ=="}"#,
            r#"{"Records":[{"eventSource":"aws:s3","s3":{}}]}"#,
            r#"{"Data":"no base64!","PartitionKey":"p","SequenceNumber":"1"}"#,
            r#"{"kinesis":"a word"}"#,
            "[]",
            r#"["",""]"#,
            r#"[{"a":1}]"#,
            r#"["a","b"]"#,
            "{",
        ] {
            assert_eq!(found(json), None, "{json}");
        }
    }
}
