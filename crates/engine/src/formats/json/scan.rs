//! A cursor over the bytes of one record: strict JSON tokens, no allocation.

use super::error::{DecodeError, MAX_DEPTH};
use super::number::Number;

/// One byte in every lane, for looking at eight bytes at a time.
const LANES: u64 = 0x0101_0101_0101_0101;
/// The top bit of every lane.
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Where reading stands in a record.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

/// A string without its quotes: valid, but with its escapes still in place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) raw: &'a [u8],
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    /// The string's bytes; `scratch` holds them when escapes had to be resolved.
    #[inline]
    pub(super) fn resolve<'b>(&self, scratch: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        if !self.escaped {
            return self.raw;
        }
        scratch.clear();
        unescape(self.raw, scratch);
        scratch
    }
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    #[inline]
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// What was read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.position).unwrap_or_default()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// The next byte that is not white space, without taking it.
    #[inline]
    pub(super) fn next_token(&mut self) -> Result<u8, DecodeError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.position += 1,
                Some(byte) => return Ok(byte),
                None => return Err(self.fault("the record ends too early")),
            }
        }
    }

    /// Whether nothing but white space is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.next_token().is_err()
    }

    /// Takes one byte that `next_token` has shown.
    #[inline]
    pub(super) fn take(&mut self) {
        self.position += 1;
    }

    /// Takes `token` when the bytes continue with exactly it.
    #[inline]
    pub(super) fn take_exact(&mut self, token: &[u8]) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.position += token.len();
        }
        found
    }

    /// Takes white space, then `byte`.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), DecodeError> {
        if self.next_token()? == byte {
            self.position += 1;
            return Ok(());
        }
        Err(self.fault(problem))
    }

    /// Takes `,` (true) or the closing byte (false).
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Result<bool, DecodeError> {
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

    pub(super) fn fault(&self, problem: &'static str) -> DecodeError {
        DecodeError::Syntax { offset: self.position, problem }
    }

    pub(super) fn literal(&mut self, literal: &'static [u8]) -> Result<(), DecodeError> {
        if self.take_exact(literal) {
            return Ok(());
        }
        Err(self.fault("expected a value"))
    }

    /// Reads a string, opening quote included.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text<'a>, DecodeError> {
        self.expect(b'"', "expected a string")?;
        let start = self.position;
        let (mut escaped, mut ascii) = (false, true);
        loop {
            // Eight bytes at a time, up to the first that is a quote, a backslash, a control character or not ASCII.
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
                Some(0x80..) => {
                    ascii = false;
                    while self.peek().is_some_and(|byte| byte >= 0x80) {
                        self.position += 1;
                    }
                }
                Some(0x20..) => self.position += 1,
                Some(_) => return Err(self.fault("a control character must be escaped")),
                None => return Err(self.fault("the record ends inside a string")),
            }
        }
        let raw = self.since(start);
        self.position += 1;
        if !ascii && std::str::from_utf8(raw).is_err() {
            return Err(DecodeError::NotUtf8 { offset: start });
        }
        Ok(Text { raw, escaped })
    }

    /// Takes one escape sequence; a lone surrogate is refused, as no text can hold it.
    fn escape(&mut self) -> Result<(), DecodeError> {
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

    fn hex(&mut self) -> Result<u32, DecodeError> {
        let Some(digits) = self.rest().first_chunk::<4>() else {
            return Err(self.fault("the record ends inside an escape"));
        };
        let value = hex4(digits).ok_or_else(|| self.fault("expected four hexadecimal digits"))?;
        self.position += 4;
        Ok(value)
    }

    /// Reads a number.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Number<'a>, DecodeError> {
        let (number, length) = Number::read(self.rest()).ok_or_else(|| self.fault("not a number"))?;
        self.position += length;
        Ok(number)
    }

    /// Takes any one value, checking all of it.
    pub(super) fn skip(&mut self, depth: usize) -> Result<(), DecodeError> {
        match self.next_token()? {
            b'"' => self.string().map(drop),
            b'{' => {
                self.take();
                check_depth(depth)?;
                if self.next_token()? == b'}' {
                    self.take();
                    return Ok(());
                }
                loop {
                    self.next_token()?;
                    self.string()?;
                    self.expect(b':', "expected a colon")?;
                    self.skip(depth + 1)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            b'[' => {
                self.take();
                check_depth(depth)?;
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
}

/// Refuses to enter an object or list at `depth` (the row itself is at 0).
#[inline]
pub(super) fn check_depth(depth: usize) -> Result<(), DecodeError> {
    if depth >= MAX_DEPTH { Err(DecodeError::TooDeep) } else { Ok(()) }
}

/// Marks (in the top bit of its lane) the first byte that a string scan must look at. Lanes above it may be marked wrongly.
#[inline]
fn special_lanes(word: u64) -> u64 {
    let quote = word ^ (LANES * b'"' as u64);
    let backslash = word ^ (LANES * b'\\' as u64);
    let is_quote = quote.wrapping_sub(LANES) & !quote;
    let is_backslash = backslash.wrapping_sub(LANES) & !backslash;
    let is_control = word.wrapping_sub(LANES * 0x20) & !word;
    (is_quote | is_backslash | is_control | word) & TOPS
}

fn hex4(digits: &[u8; 4]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// Resolves the escapes of a string that `string` has accepted.
fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        let byte = escape.get(1).copied().unwrap_or_default();
        let mut taken = 2;
        match byte {
            b'u' => {
                let unit = |from: usize| escape.get(from..).and_then(|at| at.first_chunk::<4>()).and_then(hex4);
                let mut code = unit(2).unwrap_or_default();
                taken = 6;
                if (0xD800..=0xDBFF).contains(&code) {
                    let low = unit(8).unwrap_or_default();
                    code = 0x10000 + ((code - 0xD800) << 10) + low.saturating_sub(0xDC00);
                    taken = 12;
                }
                let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            other => out.push(other),
        }
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}
