//! Under which key of Kinesis a record is put.

/// Events of one source keep their order: the source as the decoder has it, for any kind of JSON.
#[must_use]
pub fn partition_key(record: &[u8]) -> Option<String> {
    // Kinesis takes keys of 1 to 256 characters.
    let key: String = crate::source(record)?.chars().take(256).collect();
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_any_kind_is_a_key() {
        assert_eq!(partition_key(br#"{"source":17}"#).as_deref(), Some("17"));
        assert_eq!(partition_key(br#"{"source":"\u00e9\u00e9"}"#).as_deref(), Some("éé"));
        assert_eq!(partition_key(br#"{"source":""}"#), None);
        assert_eq!(partition_key(br#"{"value":1}"#), None);
        assert_eq!(partition_key(format!("{{\"source\":\"{}\"}}", "é".repeat(300)).as_bytes()), Some("é".repeat(256)));
    }
}
