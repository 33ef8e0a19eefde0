//! A cursor over a record's text: strict JSON tokens, no allocation.

use super::{escape::hex4, number::Number};
use crate::limits::MAX_DEPTH;

/// One byte in every lane, for looking at eight bytes at a time.
const LANES: u64 = 0x0101_0101_0101_0101;
/// The top bit of every lane.
const TOPS: u64 = 0x8080_8080_8080_8080;

/// What is no JSON, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonError {
    pub(crate) at: usize,
    pub(crate) problem: &'static str,
}

type Result<T> = std::result::Result<T, JsonError>;

/// Where reading stands in a text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

/// A string without its quotes: valid, its escapes still in place. Bytes of the cursor's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Continues at a place where it stood before.
    pub(crate) fn return_to(&mut self, position: usize) {
        self.position = position;
    }

    /// A part of the text; empty when it is none.
    #[inline]
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.position..).unwrap_or_default()
    }

    /// The next byte that is not white space, without taking it.
    #[inline]
    pub(crate) fn next_token(&mut self) -> Result<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.position += 1,
                Some(byte) => return Ok(byte),
                None => return Err(self.fault("it ends too early")),
            }
        }
    }

    /// Whether nothing but white space is left.
    pub(crate) fn at_end(&mut self) -> bool {
        self.next_token().is_err()
    }

    /// Takes one byte that `next_token` has shown.
    #[inline]
    pub(crate) fn take(&mut self) {
        self.position += 1;
    }

    /// Takes `token` when the text continues with exactly it.
    #[inline]
    pub(crate) fn take_exact(&mut self, token: &[u8]) -> bool {
        let found = starts_with(self.rest(), token);
        if found {
            self.position += token.len();
        }
        found
    }

    /// Takes white space, then `byte`.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, problem: &'static str) -> Result<()> {
        if self.next_token()? == byte {
            self.position += 1;
            return Ok(());
        }
        Err(self.fault(problem))
    }

    /// Takes `,` (true) or the closing byte (false).
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool> {
        match self.next_token()? {
            b',' => {
                self.position += 1;
                Ok(true)
            }
            byte if byte == close => {
                self.position += 1;
                Ok(false)
            }
            _ => Err(self.fault("expected a comma or the end of the object or list")),
        }
    }

    #[cold]
    pub(crate) fn fault(&self, problem: &'static str) -> JsonError {
        JsonError { at: self.position, problem }
    }

    #[inline]
    pub(crate) fn literal(&mut self, literal: &'static [u8]) -> Result<()> {
        if self.take_exact(literal) { Ok(()) } else { Err(self.fault("expected a value")) }
    }

    /// Reads a string, opening quote included.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text> {
        self.expect(b'"', "expected a string")?;
        let start = self.position;
        let mut escaped = false;
        loop {
            // Eight bytes at a time, up to the first that is a quote, a backslash or a control character.
            while let Some(chunk) = self.rest().first_chunk::<8>() {
                let special = special_lanes(u64::from_le_bytes(*chunk));
                if special != 0 {
                    self.position += (special.trailing_zeros() / 8) as usize;
                    break;
                }
                self.position += 8;
            }
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0x20..) => self.position += 1,
                Some(_) => return Err(self.fault("a control character must be escaped")),
                None => return Err(self.fault("it ends inside a string")),
            }
        }
        let end = self.position;
        self.position += 1;
        Ok(Text { start, end, escaped })
    }

    /// Takes one escape sequence; a lone surrogate is refused, as no text can hold it.
    fn escape(&mut self) -> Result<()> {
        self.position += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.position += 1,
            Some(b'u') => {
                self.position += 1;
                match self.hex()? {
                    0xD800..=0xDBFF => {
                        let low = self.take_exact(b"\\u") && (0xDC00..=0xDFFF).contains(&self.hex()?);
                        if !low {
                            return Err(self.fault("a high surrogate needs a low one after it"));
                        }
                    }
                    0xDC00..=0xDFFF => return Err(self.fault("a low surrogate needs a high one before it")),
                    _ => {}
                }
            }
            _ => return Err(self.fault("unknown escape")),
        }
        Ok(())
    }

    fn hex(&mut self) -> Result<u32> {
        let Some(digits) = self.rest().first_chunk::<4>() else {
            return Err(self.fault("it ends inside an escape"));
        };
        let value = hex4(digits).ok_or_else(|| self.fault("expected four hexadecimal digits"))?;
        self.position += 4;
        Ok(value)
    }

    /// Reads a number that a double can hold.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<Number> {
        let rest = self.rest();
        let (number, length) = Number::read(rest).ok_or_else(|| self.fault("not a number"))?;
        if !number.is_finite(rest.get(..length).unwrap_or_default()) {
            return Err(self.fault("a number beyond the largest double"));
        }
        self.position += length;
        Ok(number)
    }

    /// Takes any one value that stands inside `depth` objects and lists, checking all of it.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<()> {
        match self.next_token()? {
            b'"' => self.string().map(drop),
            b'{' => {
                self.enter(depth)?;
                if self.next_token()? == b'}' {
                    self.take();
                    return Ok(());
                }
                loop {
                    self.string()?;
                    self.expect(b':', "expected a colon")?;
                    self.skip(depth + 1)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            b'[' => {
                self.enter(depth)?;
                if self.next_token()? == b']' {
                    self.take();
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    if !self.more(b']')? {
                        return Ok(());
                    }
                }
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            _ => Err(self.fault("expected a value")),
        }
    }

    /// Takes the opening byte of an object or list inside `depth` others.
    #[inline]
    pub(crate) fn enter(&mut self, depth: usize) -> Result<()> {
        if depth >= MAX_DEPTH {
            return Err(self.fault("objects and lists nest deeper than 127 levels"));
        }
        self.take();
        Ok(())
    }
}

/// Whether `bytes` begin with `token`. Names are short: one of 4 to 16 bytes is compared as two words, which overlap, without a call.
#[inline]
fn starts_with(bytes: &[u8], token: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..token.len()) else { return false };
    match token.len() {
        8..=16 => bytes.first_chunk::<8>() == token.first_chunk() && bytes.last_chunk::<8>() == token.last_chunk(),
        4..=7 => bytes.first_chunk::<4>() == token.first_chunk() && bytes.last_chunk::<4>() == token.last_chunk(),
        _ => bytes == token,
    }
}

/// Marks (in the top bit of its lane) the first byte that a string scan must look at. Lanes above it may be marked wrongly.
#[inline]
fn special_lanes(word: u64) -> u64 {
    let quote = word ^ (LANES * b'"' as u64);
    let backslash = word ^ (LANES * b'\\' as u64);
    let is_quote = quote.wrapping_sub(LANES) & !quote;
    let is_backslash = backslash.wrapping_sub(LANES) & !backslash;
    let is_control = word.wrapping_sub(LANES * 0x20) & !word;
    (is_quote | is_backslash | is_control) & TOPS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn beginnings_are_compared_byte_for_byte(bytes in "[ab]{0,24}", token in "[ab]{0,20}", length in 0..24_usize) {
            prop_assert_eq!(starts_with(bytes.as_bytes(), token.as_bytes()), bytes.starts_with(&token));
            let own = bytes.get(..length).unwrap_or(&bytes);
            prop_assert!(starts_with(bytes.as_bytes(), own.as_bytes()));
        }
    }
}
