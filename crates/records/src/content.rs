//! What bytes begin with, and what that says of them.

use crate::base64_text;

/// First bytes that say what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Magic {
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
    /// The Kinesis Producer Library's aggregation.
    Kpl,
    /// Parquet.
    Parquet,
    /// Something that is known and not read: its name.
    NotRead(&'static str),
}

const KNOWN: [(&[u8], Magic); 15] = [
    (b"\x1f\x8b", Magic::Gzip),
    (b"\x28\xb5\x2f\xfd", Magic::Zstd),
    (b"\xf3\x89\x9a\xc2", Magic::Kpl),
    (b"PAR1", Magic::Parquet),
    (b"BZh", Magic::NotRead("bzip2")),
    (b"\xfd7zXZ\0", Magic::NotRead("xz")),
    (b"PK\x03\x04", Magic::NotRead("a ZIP archive")),
    (b"\xff\x06\0\0sNaPpY", Magic::NotRead("Snappy")),
    (b"\x04\x22\x4d\x18", Magic::NotRead("LZ4")),
    (b"ORC", Magic::NotRead("ORC")),
    (b"Obj\x01", Magic::NotRead("Avro")),
    (b"SQLite format 3\0", Magic::NotRead("SQLite")),
    (b"ARROW1", Magic::NotRead("Arrow")),
    (b"\xff\xfe", Magic::NotRead("UTF-16 text (save it as UTF-8)")),
    (b"\xfe\xff", Magic::NotRead("UTF-16 text (save it as UTF-8)")),
];

/// What the first bytes say.
#[must_use]
pub fn magic(begin: &[u8]) -> Option<Magic> {
    KNOWN.into_iter().find(|(bytes, _)| begin.starts_with(bytes)).map(|(_, magic)| magic)
}

/// What the first part of an unpacked file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    Json,
    /// Words of base64.
    Base64,
    Text,
    /// No text at all.
    Binary,
}

pub(crate) fn looks(begin: &[u8]) -> Looks {
    let text = begin.trim_ascii_start();
    match text.first() {
        Some(b'{') => return Looks::Json,
        // A line of a log may begin with `[2026-…]` or `[error]`.
        Some(b'[') => {
            let after = text.get(1..).unwrap_or_default().trim_ascii_start().first();
            if matches!(after, None | Some(b'{' | b'[' | b'"' | b']')) {
                return Looks::Json;
            }
        }
        _ => {}
    }
    if base64_text::is_records(text) {
        Looks::Base64
    } else if text.contains(&0) {
        Looks::Binary
    } else {
        Looks::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_what_it_holds() {
        assert_eq!(looks(b" {\"a\":1}"), Looks::Json);
        assert_eq!(looks(b"[{\"a\":1}]"), Looks::Json);
        assert_eq!(looks(b"[[1,2]]"), Looks::Json);
        assert_eq!(looks(b"[2026-01-01T00:00:00Z] started"), Looks::Text);
        assert_eq!(looks(b"[error] started"), Looks::Text);
        assert_eq!(looks(b"10.0.0.1 - - [01/Jan/2026]"), Looks::Text);
        assert_eq!(looks(b"eyJhIjoxLCJiIjoyLCJjIjozfQ==\neyJhIjoxfQ==\n"), Looks::Base64);
        assert_eq!(looks(b"deadbeefdeadbeef\n"), Looks::Text, "a word in hexadecimal digits");
        assert_eq!(looks(b"a\0b"), Looks::Binary);
        assert_eq!(looks(b""), Looks::Text);
        assert_eq!(magic(b"\x1f\x8b\x08"), Some(Magic::Gzip));
        assert_eq!(magic(b"ORC1"), Some(Magic::NotRead("ORC")));
        assert_eq!(magic(b"{"), None);
    }
}
