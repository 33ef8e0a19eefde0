use super::*;

fn propose_from(records: &[String]) -> Proposal {
    let bytes: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
    propose("test", &bytes).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_wide_event() {
    let records: Vec<String> = (0..40)
        .map(|n| format!(r#"{{"device":"room-{}","last_seen":"2026-01-01T00:{n:02}:00.000Z","temperature":{}.5,"battery":{},"firmware":{{"build":7}}}}"#, n % 4, 10 + n, 100 - n))
        .collect();
    let proposal = propose_from(&records);
    let declaration = &proposal.declaration;
    assert_eq!(declaration.time.as_ref().unwrap().path.to_string(), "last_seen");
    assert_eq!(declaration.key.as_deref(), Some("device"));
    assert_eq!(declaration.metrics, ["battery", "build", "temperature"]);
    assert_eq!(declaration.samples.len(), 2);
    assert!(!proposal.toml.contains("room-"), "redacted: {}", proposal.toml);
    assert_eq!(declaration.check_samples("t".as_ref(), &proposal.toml, |_| Err(std::io::Error::other("none"))), []);
}

#[test]
fn what_says_of_which_kind_a_record_is_names_no_series() {
    let log = |n: usize| {
        let (level, service) = (["info", "warn", "error"][n % 3], ["api", "billing"][n % 2]);
        format!("time=2026-01-01T00:{n:02}:00Z level={level} service={service} took_ms={n}")
    };
    let request = |n: usize| {
        let (method, route) = (["GET", "POST"][n % 2], ["/", "/search", "/checkout"][n % 3]);
        format!(r#"{{"time":"2026-01-01T00:{n:02}:00Z","method":"{method}","route":"{route}","took":{n}.5}}"#)
    };
    let key = |records: Vec<String>| propose_from(&records).declaration.key;
    assert_eq!(key((0..40).map(log).collect()).as_deref(), Some("service"));
    assert_eq!(key((0..40).map(request).collect()).as_deref(), Some("route"));
}

#[test]
fn a_unit_ends_a_times_name() {
    let change = |n: usize| {
        format!(
            r#"{{"payload":{{"after":{{"id":{n},"amount":{n}.5}},"source":{{"ts_ms":{0}}},"op":"c","ts_ms":{0}}}}}"#,
            1_767_225_600_000_u64 + n as u64 * 30_000
        )
    };
    let time = propose_from(&(0..40).map(change).collect::<Vec<_>>()).declaration.time.unwrap();
    assert_eq!(time.path.to_string(), "payload.ts_ms");
}

#[test]
fn units_are_told_by_magnitude() {
    for (unit, format) in [("000000000", "unix_ns"), ("000000", "unix_us"), ("000", "unix_ms"), ("", "unix")] {
        let records: Vec<String> =
            (0..20).map(|n| format!(r#"{{"ts":{}{unit},"v":1.5}}"#, 1_767_225_600 + n)).collect();
        let proposal = propose_from(&records);
        assert!(proposal.toml.contains(&format!("format = \"{format}\"")), "{}", proposal.toml);
    }
}

#[test]
fn what_cannot_be_told_is_said() {
    let proposal = propose_from(&(0..20).map(|n| format!(r#"{{"rate":{n}}}"#)).collect::<Vec<_>>());
    assert!(proposal.unsure.iter().any(|line| line.starts_with("the time:")));
    assert!(proposal.unsure.iter().any(|line| line.starts_with("the key:")));
    assert!(matches!(propose("t", &[]), Err(InferError::NoRecords)));
    assert!(matches!(propose("t", &[&[0xFF, 0xFE, 0x00]]), Err(InferError::Unknown(_))));
    let text = propose_from(&["something happened at noon".to_owned()]);
    assert!(text.toml.contains("pattern = \"{line}\""), "{}", text.toml);
}

#[test]
fn nothing_of_a_person_is_left_in_samples() {
    let records: Vec<String> = (0..30)
        .map(|n| format!(r#"{{"at":"2026-01-01T00:00:{n:02}Z","user":"ann.lee{n}@mail.example","ip":"10.1.2.{n}","token":"sk_live_4eC39HqLyjWDarjtT1{n}","card":4242424242424{n:03},"kind":"login"}}"#))
        .collect();
    let toml = propose_from(&records).toml;
    for secret in ["ann", "10.1.2", "4eC39", "42424242"] {
        assert!(!toml.contains(secret), "{secret} in {toml}");
    }
    assert!(toml.contains("login"), "the producer's own words stay: {toml}");
}

#[test]
fn input_schemas_of_kinesis_data_analytics() {
    let json = r#"{"InputSchema":{"RecordFormat":{"RecordFormatType":"JSON","MappingParameters":{"JSONMappingParameters":{"RecordRowPath":"$.readings[0:]"}}},
        "RecordColumns":[{"Name":"COL_device","SqlType":"VARCHAR(16)","Mapping":"$.deviceId"},{"Name":"WATTS","SqlType":"DOUBLE","Mapping":"$.readings[0:].watts"},
        {"Name":"EVENT_TIME","SqlType":"TIMESTAMP","Mapping":"$.readings[0:].ts"}]}}"#;
    let declaration = from_kda("meters", json).unwrap_or_else(|error| panic!("{error}")).declaration;
    assert_eq!(declaration.each.unwrap().to_string(), "readings[*]");
    let fields: Vec<_> =
        declaration.fields.iter().map(|f| (f.name.as_str(), f.kind.name(), f.path.to_string(), f.of)).collect();
    assert_eq!(
        fields,
        [
            ("col_device", "text", "deviceId".to_owned(), Scope::Record),
            ("watts", "double", "watts".to_owned(), Scope::Row),
            ("event_time_of_record", "timestamp", "ts".to_owned(), Scope::Row),
        ]
    );
    let csv = r#"{"RecordFormat":{"RecordFormatType":"CSV","MappingParameters":{"CSVMappingParameters":{"RecordRowDelimiter":"\n","RecordColumnDelimiter":"|"}}},
        "RecordColumns":[{"Name":"ticker","SqlType":"VARCHAR(4)"},{"Name":"price","SqlType":"REAL"}]}"#;
    let toml = from_kda("ticker", csv).unwrap_or_else(|error| panic!("{error}")).toml;
    assert!(toml.contains("delimiter = \"|\"") && toml.contains("columns = [\"ticker\", \"price\"]"), "{toml}");
    for bad in
        ["", "{}", r#"{"RecordColumns":[]}"#, r#"{"RecordFormat":{"RecordFormatType":"JSON"},"RecordColumns":[{}]}"#]
    {
        assert!(from_kda("x", bad).is_err(), "{bad}");
    }
}

mod laws {
    use proptest::prelude::*;

    use super::*;
    use crate::json::tests::any_json;

    fn any_records() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let object =
            || proptest::collection::btree_map("[a-z$.\"'\\\\_ A-Z]{0,5}|event_time|window|.{0,3}", any_json(), 0..6);
        let one = prop_oneof![
            object().prop_map(|members| serde_json::Value::Object(members.into_iter().collect()).to_string()),
            (object(), object()).prop_map(|(a, b)| {
                let [a, b] = [a, b].map(|members| serde_json::Value::Object(members.into_iter().collect()));
                serde_json::json!({"detail-type": "x", "detail": a, "list": [{"ts": 1_767_225_600, "b": b}]})
                    .to_string()
            }),
            any_json().prop_map(|value| value.to_string()),
            "[a-z,;|\t\"=' 0-9]{0,20}",
            ".{0,20}",
        ];
        let bytes =
            prop_oneof![9 => one.prop_map(String::into_bytes), 1 => proptest::collection::vec(any::<u8>(), 0..20)];
        (bytes.clone(), proptest::collection::vec(bytes, 0..4), 1..12_usize)
            .prop_map(|(first, more, times)| std::iter::repeat_n(first, times).chain(more).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        #[test]
        fn a_proposal_is_never_faulty(records in any_records()) {
            let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
            match propose("test", &records) {
                Ok(proposal) => {
                    let faults = proposal.declaration.check_samples("t".as_ref(), &proposal.toml, |_| Err(std::io::Error::other("none")));
                    prop_assert!(faults.is_empty(), "{:?}\n{}", faults, proposal.toml);
                }
                Err(InferError::Faulty(faults)) => prop_assert!(false, "{:?}", faults),
                Err(_) => {}
            }
        }
    }
}
