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

/// So many bytes are enough to know a file by.
pub(crate) const MAGIC_BYTES: usize = 16;

/// What the first bytes say. Letters that begin a text are a word of it.
#[must_use]
pub fn magic(begin: &[u8]) -> Option<Magic> {
    let (bytes, magic) = KNOWN.into_iter().find(|(bytes, _)| begin.starts_with(bytes))?;
    let letters = bytes.iter().all(u8::is_ascii_alphanumeric);
    let begin = begin.get(..MAGIC_BYTES).unwrap_or(begin);
    (!letters || !is_text(begin)).then_some(magic)
}

/// Whether bytes are a text, or the beginning of one. Each of the formats that letters begin has other bytes, or control
/// characters, close behind them.
fn is_text(bytes: &[u8]) -> bool {
    let whole = match std::str::from_utf8(bytes) {
        Ok(_) => bytes,
        // A character may be cut off.
        Err(error) if error.error_len().is_none() => bytes.get(..error.valid_up_to()).unwrap_or_default(),
        Err(_) => return false,
    };
    whole.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
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
        assert_eq!(magic(b"ORC\n\x1d\n\x04\x08"), Some(Magic::NotRead("ORC")));
        assert_eq!(magic(b"{"), None);
    }

    #[test]
    fn words_that_begin_as_a_format_does_are_text() {
        for text in
            ["ORCHARD,4", "ORC", "BZh is a word", "PAR1", "PAR1,2026-01-01,4.5,é€é€é€", "ARROW1\t7", "BZh9€€€€€€€"]
        {
            assert_eq!(magic(text.as_bytes()), None, "{text}");
            let long = text.repeat(10_000);
            assert_eq!(magic(long.as_bytes()), None, "{text}");
        }
        // As `bzip2` and a writer of Parquet begin.
        let bzip2 = b"BZh91AY&SY\xc9\x03\x9b\x97\x00\x00\x01\xd9";
        let in_letters = b"BZh91AY&SYabcd\x00\x00\x01\xd9";
        let nothing = b"BZh9\x17rE8P\x90\0\0\0\0";
        for bytes in [bzip2.as_slice(), in_letters, nothing] {
            assert_eq!(magic(bytes), Some(Magic::NotRead("bzip2")));
        }
        assert_eq!(magic(b"PAR1\x15\x04\x15\x10\x15\x14L\x15\x02\x15\x00\x12"), Some(Magic::Parquet));
        assert_eq!(magic(b"ARROW1\0\0\xff\xff\xff\xff"), Some(Magic::NotRead("Arrow")));
    }
}
