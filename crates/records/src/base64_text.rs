//! Records that were printed as base64, one behind the other: `aws kinesis get-records --query 'Records[].Data'`.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::content::{Magic, magic};

/// So many words are looked at.
const LOOKED_AT: usize = 10;
/// A shorter word says nothing: many words of any language are base64.
const SHORTEST: usize = 8;

/// Whether the words of a text, the last of which may be cut, are records in base64.
pub(crate) fn is_records(begin: &[u8]) -> bool {
    let words: Vec<&[u8]> = words(begin).take(LOOKED_AT).collect();
    // A cut word cannot be judged, unless it is the only one.
    let whole = if words.len() > 1 && words.len() < LOOKED_AT && !begin.ends_with(b"\n") {
        words.get(..words.len() - 1).unwrap_or_default()
    } else {
        words.as_slice()
    };
    !whole.is_empty() && whole.iter().all(|word| word.len() >= SHORTEST && decode(word).is_some_and(|d| is_record(&d)))
}

/// The words of a text: what is between blanks.
pub(crate) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The bytes of a word; a word has some.
pub(crate) fn decode(word: &[u8]) -> Option<Vec<u8>> {
    decode_any(word).filter(|bytes| !bytes.is_empty())
}

/// The same, where there may be none: Kinesis takes empty records.
pub(crate) fn decode_any(text: &[u8]) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// Whether bytes are likely a record: text, or what envelopes begin with.
fn is_record(bytes: &[u8]) -> bool {
    if matches!(magic(bytes), Some(Magic::Gzip | Magic::Zstd | Magic::Kpl)) {
        return true;
    }
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(|c| !c.is_control() || c.is_whitespace()))
}
