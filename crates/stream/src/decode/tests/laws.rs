//! Laws: with any input, nothing panics, every record is counted once, and a record is accepted whole or refused for one
//! reason.

use proptest::prelude::*;

use super::*;
use crate::{envelope::gzip::tests::pack, json::tests::any_json, row::Value};

pub(crate) const SHAPES: [&str; 9] = [
    "[fields]\na = \"double\"\nb = \"text\"\n",
    "envelope = \"auto\"\ntime = { path = \"a\", format = [\"unix\", \"unix_ms\", \"iso8601\"] }\n[fields]\na = \"text\"\nb = { type = \"integer\", path = \"b.c\" }\n",
    "envelope = [\"kpl\", \"gzip\", \"lines\"]\nheartbeat = true\n[fields]\na = { type = \"json\", required = true }\n",
    "envelope = \"values\"\neach = \"$.a[*].b[*]\"\n[fields]\na = { type = \"json\", path = \"$\" }\nc = { type = \"text\", path = 'a[*][k=\"x\"].y', of = \"record\" }\n",
    "envelope = \"eventbridge\"\n[fields]\na = { type = \"boolean\", path = \"x[0]\" }\n",
    "envelope = \"cloudwatch_logs\"\nformat = \"logfmt\"\n[fields]\na = \"double\"\nlog_id = { type = \"text\", of = \"envelope\" }\n",
    "envelope = \"lines\"\nformat = \"csv\"\ncolumns = [\"a\", \"b\", \"...\"]\nignore = \"a = 'x' OR b > 5\"\n[fields]\na = \"text\"\nb = \"double\"\n",
    "format = \"text\"\npattern = '{a} \"{b}\" [{c}]'\nnull = \"-\"\ntime = { path = \"c\", format = \"apache\" }\n[fields]\na = \"integer\"\nb = \"json\"\n",
    "format = \"tsv\"\ncolumns = 2\n[fields]\na = { type = \"timestamp\", path = 1, format = \"%Y-%m-%d %H:%M\", zone = \"Asia/Tokyo\" }\n",
];

/// Bytes that come near to what some shape wants.
pub(crate) fn near() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        any_json().prop_map(|value| value.to_string()),
        (any_json(), any_json()).prop_map(|(a, b)| format!("{{\"a\":{a},\"b\":{b}}}")),
        (any_json(), any_json()).prop_map(|(a, b)| format!("{{\"a\":[{{\"b\":[{a},{b}]}}]}}\n{{\"a\":1767225600}}")),
        any_json().prop_map(|a| format!("{{\"detail-type\":\"x\",\"detail\":{{\"x\":[{a}]}}}}")),
        ".{0,12}".prop_map(|message| serde_json::json!({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "timestamp": 1_767_225_600_000_i64, "message": message}]}).to_string()),
        "[a-z]{0,3},[0-9.]{0,4}(,\"[a\",]{0,3}\")?\n",
        "[0-9-]{0,3} \"[0-9a{}\\\\\"]{0,5}\" \\[01/Jan/2026:00:00:00 \\+0000\\]",
        "a=[0-9.]{0,3} b=\"[a\\\\]{0,3}\" c",
        "2026-01-0[0-9] 0[0-9]:00\t.{0,3}",
        ".{0,40}",
    ];
    let bytes = prop_oneof![text.prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..40)];
    (bytes, proptest::option::of((any::<prop::sample::Index>(), any::<u8>())), 0..3_u8).prop_map(
        |(bytes, damage, packed)| {
            let mut bytes = (0..packed / 2 + packed % 2).fold(bytes, |bytes, _| pack(&bytes));
            if let (Some((at, byte)), false) = (damage, bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn nothing_panics_and_everything_is_counted(bytes in near(), shape in 0..SHAPES.len()) {
        let declaration = declare(SHAPES[shape]);
        let mut sink = Rows::default();
        let tally = Decoder::new(&declaration).decode(Record { bytes: &bytes, arrival: None }, &mut sink);
        prop_assert!(tally.accepted + tally.poison + tally.control >= 1);
        prop_assert_eq!(sink.rows().count() as u64, tally.rows);
        prop_assert_eq!(sink.refusals().count() as u64, tally.poison);
        prop_assert!(sink.rows().all(|row| row.values.len() == declaration.columns().len()));
        for decoded in &sink.decoded {
            match decoded {
                Decoded::Row(row) => for value in &row.values {
                    prop_assert!(!matches!(value, Value::Double(v) if !v.is_finite() || v.to_bits() == (-0.0_f64).to_bits()));
                },
                Decoded::Refused(bytes, poison) => {
                    let again = decode(&declaration, bytes).0;
                    prop_assert_eq!(again, vec![poison.reason.to_string()], "what is sent again gets the same verdict");
                }
                Decoded::Control(_) => {}
            }
        }
    }

    #[test]
    fn a_used_decoder_decides_as_a_fresh_one(records in proptest::collection::vec(near(), 1..8), shape in 0..SHAPES.len()) {
        let declaration = declare(SHAPES[shape]);
        let mut used = Decoder::new(&declaration);
        for bytes in records {
            let (mut a, mut b) = (Rows::default(), Rows::default());
            used.decode(Record::new(&bytes), &mut a);
            Decoder::new(&declaration).decode(Record::new(&bytes), &mut b);
            prop_assert_eq!(a.decoded, b.decoded);
        }
    }

    #[test]
    fn values_are_serdes(members in proptest::collection::btree_map("[a-e]", any_json(), 0..6), pretty in any::<bool>()) {
        let declaration = declare("[fields]\na = \"json\"\nb = \"double\"\nc = \"text\"\nd = \"integer\"\ne = \"boolean\"\n");
        let record = serde_json::Value::Object(members.into_iter().collect());
        let text = if pretty { serde_json::to_string_pretty(&record) } else { serde_json::to_string(&record) }.unwrap();
        let mut sink = Rows::default();
        Decoder::new(&declaration).decode(Record::new(text.as_bytes()), &mut sink);
        // Two of the types in words of serde: a decoder that agrees on all records agrees on every field.
        let double = |value: &serde_json::Value| match value {
            serde_json::Value::Number(number) => number.as_f64(),
            serde_json::Value::String(text) if !text.is_empty() && text.bytes().all(|b| b"0123456789+-.eE".contains(&b)) => text.parse().ok(),
            _ => None,
        };
        match &sink.decoded[0] {
            Decoded::Row(row) => {
                if let Value::Json(text) = &row.values[0] {
                    prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(text).unwrap(), &record["a"]);
                } else {
                    prop_assert!(record["a"].is_null());
                }
                match row.values[1] {
                    Value::Double(value) => prop_assert_eq!(double(&record["b"]).map(|v| v + 0.0), Some(value)),
                    _ => prop_assert!(record["b"].is_null()),
                }
                match (&row.values[2], &record["c"]) {
                    (Value::Text(text), serde_json::Value::String(wanted)) => prop_assert_eq!(text, wanted),
                    (Value::Text(text), wanted) => prop_assert_eq!(text, &wanted.to_string()),
                    (_, wanted) => prop_assert!(wanted.is_null()),
                }
                if let Value::Integer(value) = row.values[3] {
                    prop_assert!(record["d"].as_i64() == Some(value) || double(&record["d"]) == Some(value as f64));
                }
            }
            Decoded::Refused(_, poison) => {
                let reason = poison.reason.to_string();
                let guilty = match reason.as_str() {
                    "bad_field:b" => double(&record["b"]).is_none() && !record["b"].is_null(),
                    "bad_field:c" => record["c"].is_object() || record["c"].is_array(),
                    "bad_field:d" => record["d"].as_i64().is_none() && !record["d"].is_null(),
                    "bad_field:e" => record["e"].as_bool().is_none() && !record["e"].is_null(),
                    _ => false,
                };
                prop_assert!(guilty, "{} for {}", reason, text);
            }
            Decoded::Control(_) => prop_assert!(false),
        }
    }

    #[test]
    fn a_row_does_not_depend_on_where_its_fields_stand(order in Just(["\"a\":1.5", "\"b\":\"x\"", "\"n\":{\"m\":[1,2]}", "\"z\":null"]).prop_shuffle()) {
        let declaration = declare("[fields]\na = \"double\"\nb = \"text\"\nm = { type = \"integer\", path = \"n.m[1]\" }\n");
        let shown = decode(&declaration, format!("{{{}}}", order.join(",")).as_bytes()).0;
        prop_assert_eq!(shown, vec![r#"{"event_time":"2026-01-01T00:00:00Z","a":1.5,"b":"x","m":2}"#.to_owned()]);
    }
}
