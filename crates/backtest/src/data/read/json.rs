//! JSON: one object a line, objects glued together, objects over several lines, or an array of objects.
//!
//! What is damaged costs its line and nothing else: an object ends with its bracket, or it is given up at the end of its first line.

use std::{
    io::{BufRead, Read as _},
    path::Path,
};

use anyhow::{Context, Result};

use super::{HandOn, Maker};

/// No record is longer: a stream takes 10 MiB at most.
const LONGEST: usize = 16 << 20;
/// So much is read at a time.
const PIECE: u64 = 64 << 10;

pub(super) fn each(input: Box<dyn BufRead>, file: &Path, maker: &Maker, hand_on: &mut HandOn<'_>) -> Result<()> {
    let mut text = Text { input, bytes: Vec::new(), start: 0, line: 1, ended: false };
    let mut made = Vec::new();
    let mut array = false;
    let mut first = true;
    loop {
        let Some(byte) = text.next(array).with_context(|| format!("{} cannot be read", file.display()))? else {
            return Ok(());
        };
        if std::mem::take(&mut first) && byte == b'[' {
            array = true;
            text.start += 1;
            continue;
        }
        let line = text.line;
        let end = text.record(byte, array).with_context(|| format!("{} cannot be read", file.display()))?;
        let record = text.bytes.get(text.start..end).unwrap_or_default();
        if maker.columns.are_usual() {
            hand_on(line, Ok(record))?;
        } else {
            maker.write_json(record, &mut made);
            hand_on(line, Ok(&made))?;
        }
        text.advance(end);
    }
}

/// The text of a file, a piece of it in memory.
struct Text {
    input: Box<dyn BufRead>,
    bytes: Vec<u8>,
    /// What lies before it was handed on.
    start: usize,
    /// The line of `start`.
    line: u64,
    ended: bool,
}

impl Text {
    /// The byte at a place; `None` at the end of the file.
    fn byte(&mut self, at: usize) -> std::io::Result<Option<u8>> {
        while at >= self.bytes.len() && !self.ended {
            let read = self.input.by_ref().take(PIECE).read_to_end(&mut self.bytes)?;
            self.ended = read == 0;
        }
        Ok(self.bytes.get(at).copied())
    }

    /// Goes on behind a record.
    fn advance(&mut self, end: usize) {
        let passed = self.bytes.get(self.start..end).unwrap_or_default();
        self.line += passed.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.start = end;
        // Moved only when it is worth it: each byte moves at most once.
        if self.start > self.bytes.len() / 2 && self.start > 1 << 16 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Goes on to the next byte that is no blank, nor a sign between the elements of an array.
    fn next(&mut self, array: bool) -> std::io::Result<Option<u8>> {
        loop {
            match self.byte(self.start)? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.advance(self.start + 1),
                Some(b',' | b'[' | b']') if array => self.advance(self.start + 1),
                other => return Ok(other),
            }
        }
    }

    /// Where the record that begins here ends.
    fn record(&mut self, byte: u8, array: bool) -> std::io::Result<usize> {
        let object = if byte == b'{' { self.object()? } else { None };
        let Some(end) = object else { return self.end_of_line(self.start) };
        let mut after = end;
        loop {
            match self.byte(after)? {
                Some(b' ' | b'\t' | b'\r') => after += 1,
                None | Some(b'\n' | b'{') => return Ok(end),
                Some(b',' | b']') if array => return Ok(end),
                // More than an object: what follows belongs to it, and it is no event.
                Some(_) => return self.end_of_line(end),
            }
        }
    }

    /// Behind the bracket that closes the object; `None` where the line was cut: within a string, at the end of the file, or where
    /// the next line begins with an object.
    fn object(&mut self) -> std::io::Result<Option<usize>> {
        let (mut depth, mut quoted, mut escaped, mut line_began) = (0_usize, false, false, false);
        let mut at = self.start;
        while self.byte(at)?.is_some() {
            for byte in self.bytes.get(at..).unwrap_or_default() {
                if (quoted && *byte == b'\n') || (line_began && *byte == b'{') {
                    return Ok(None);
                }
                line_began = *byte == b'\n';
                at += 1;
                if quoted {
                    quoted = escaped || *byte != b'"';
                    escaped = *byte == b'\\' && !escaped;
                    continue;
                }
                match byte {
                    b'"' => quoted = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            return Ok(Some(at));
                        }
                    }
                    _ => {}
                }
            }
            if at - self.start > LONGEST {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Before the line's end, or so far that the record is too long in any case.
    fn end_of_line(&mut self, from: usize) -> std::io::Result<usize> {
        let mut at = from;
        while let Some(byte) = self.byte(at)? {
            if byte == b'\n' || at - self.start > LONGEST {
                break;
            }
            at += 1;
        }
        let blank = |at: usize| self.bytes.get(at).is_some_and(|byte| *byte == b'\r');
        Ok(if at > from && blank(at - 1) { at - 1 } else { at })
    }
}
