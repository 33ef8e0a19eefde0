//! gzip, member by member.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use crate::content::{MAGIC_BYTES, magic};

/// Reads what the members of a gzip file hold, one after the other, each text ended with a line's end: where each was a record on
/// the stream, its last line is no part of the next one's first.
pub(crate) struct Members<R: BufRead> {
    member: Option<GzDecoder<R>>,
    rest: Option<R>,
    /// Whether the member that is read has given nothing yet, or ended with a line's end.
    ended: bool,
    /// The first bytes that the member gave: they tell what is packed once more, whose end is no line's.
    head: Vec<u8>,
}

impl<R: BufRead> Members<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { member: None, rest: Some(input), ended: true, head: Vec::new() }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if out.is_empty() {
                return Ok(0);
            }
            if let Some(member) = &mut self.member {
                let read = member.read(out)?;
                if read > 0 {
                    let missing = MAGIC_BYTES.saturating_sub(self.head.len()).min(read);
                    self.head.extend_from_slice(out.get(..missing).unwrap_or_default());
                    self.ended = out.get(read - 1) == Some(&b'\n');
                    return Ok(read);
                }
                self.rest = self.member.take().map(GzDecoder::into_inner);
                let packed = magic(&std::mem::take(&mut self.head)).is_some();
                if !std::mem::replace(&mut self.ended, true)
                    && !packed
                    && let Some(first) = out.first_mut()
                {
                    *first = b'\n';
                    return Ok(1);
                }
            }
            let Some(mut rest) = self.rest.take() else { return Ok(0) };
            if rest.fill_buf()?.is_empty() {
                self.rest = Some(rest);
                return Ok(0);
            }
            self.member = Some(GzDecoder::new(rest));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn each_member_ends_its_line() {
        let bytes = [pack(b"one\ntwo"), pack(b""), pack(b"three\n"), pack(b"four")].concat();
        let mut text = String::new();
        Members::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\nthree\nfour\n");
        let words = [pack(b"PAR1,4"), pack(b"ORCHARD,5")].concat();
        let mut text = String::new();
        Members::new(words.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "PAR1,4\nORCHARD,5\n");
        let cut = &bytes[..bytes.len() - 3];
        assert!(Members::new(cut).read_to_string(&mut text).is_err());
    }
}
