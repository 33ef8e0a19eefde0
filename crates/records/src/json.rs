//! JSON values in a text: one a line, glued together, over several lines, or the elements of a list.
//!
//! What is damaged costs its line and nothing else: a value ends with its bracket, or it is given up at the end of its first line.

use std::io::{self, BufRead, BufReader, Cursor, Read as _};

use crate::LONGEST;

/// So much is read at a time.
const PIECE: u64 = 64 << 10;

/// The text of a file, a piece of it in memory.
pub struct Text {
    input: Box<dyn BufRead>,
    bytes: Vec<u8>,
    /// What lies before it was handed on.
    start: usize,
    /// The line of `start`.
    line: u64,
    ended: bool,
    /// Whether what was handed on is the beginning of a line that is too long: its rest is no record.
    cut: bool,
    /// Whether the text is one list, whose elements are the values.
    array: bool,
    /// Whether lists are values themselves.
    lists: bool,
    /// Lists that were begun and have not ended, and where the outermost began.
    open: u32,
    opened_at: u64,
    /// Whether something between the elements was given up as a line, which may have ended a list.
    damaged: bool,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text").field("line", &self.line).field("array", &self.array).finish_non_exhaustive()
    }
}

impl Text {
    /// The values of a text: where it begins with a list, that list's elements.
    ///
    /// # Errors
    /// When the text cannot be read.
    pub fn new(input: Box<dyn BufRead>) -> io::Result<Self> {
        let mut text = Self::of_values(input);
        text.take_apart_lists()?;
        Ok(text)
    }

    /// The values of a text, lists among them.
    #[must_use]
    pub fn of_values(input: Box<dyn BufRead>) -> Self {
        Self {
            input,
            bytes: Vec::new(),
            start: 0,
            line: 1,
            ended: false,
            cut: false,
            array: false,
            lists: true,
            open: 0,
            opened_at: 0,
            damaged: false,
        }
    }

    /// No list is a value from here on, and those of the list with which the text begins are its elements.
    pub(crate) fn take_apart_lists(&mut self) -> io::Result<()> {
        self.lists = false;
        if self.next()? == Some(b'[') {
            self.array = true;
            self.open();
        }
        Ok(())
    }

    fn open(&mut self) {
        if self.open == 0 {
            self.opened_at = self.line;
        }
        self.open = self.open.saturating_add(1);
        self.start += 1;
    }

    /// The elements of the list with which the text begins are the values from here on, when nothing stands behind that list;
    /// else lists are values themselves.
    pub(crate) fn take_apart_a_lone_list(&mut self) -> io::Result<()> {
        if self.next()? != Some(b'[') {
            return Ok(());
        }
        let lone = match self.value(b'[')? {
            None => true,
            Some(mut end) => loop {
                match self.byte(end)? {
                    Some(byte) if byte.is_ascii_whitespace() => end += 1,
                    other => break other.is_none(),
                }
            },
        };
        if lone {
            (self.array, self.lists) = (true, false);
            self.open();
        }
        Ok(())
    }

    /// The next value, and the line that it begins in: an object or a list, or whatever a line holds. Of a list that was taken apart and
    /// never ends, its bracket is the last: no value, so that whoever reads counts a fault where the list begins.
    ///
    /// # Errors
    /// When the text cannot be read.
    pub fn next_value(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        if std::mem::take(&mut self.cut) {
            self.skip_line()?;
        }
        let Some((line, end)) = self.look()? else { return Ok(None) };
        let start = self.start;
        self.start = end;
        self.count_lines(start, end);
        Ok(Some((line, self.bytes.get(start..end).unwrap_or_default())))
    }

    /// The next value, which stays the next one.
    pub(crate) fn peek_value(&mut self) -> io::Result<Option<&[u8]>> {
        let found = self.look()?;
        // It is still to be handed on.
        self.cut = false;
        let Some((_, end)) = found else { return Ok(None) };
        Ok(self.bytes.get(self.start..end))
    }

    /// The line that comes next, and the text from here on, for another reader.
    pub(crate) fn into_rest(self) -> (u64, Box<dyn BufRead>) {
        let rest = self.bytes.get(self.start..).unwrap_or_default().to_vec();
        (self.line, Box::new(BufReader::new(Cursor::new(rest).chain(self.input))))
    }

    fn look(&mut self) -> io::Result<Option<(u64, usize)>> {
        self.forget();
        let Some(byte) = self.next()? else { return Ok(self.unclosed()) };
        let line = self.line;
        let end = self.record(byte)?;
        Ok(Some((line, end)))
    }

    /// The bracket of a list that has not ended with its text, where nothing else told so.
    fn unclosed(&mut self) -> Option<(u64, usize)> {
        if std::mem::take(&mut self.open) == 0 || self.damaged {
            return None;
        }
        self.start = self.bytes.len();
        self.bytes.push(b'[');
        Some((self.opened_at, self.bytes.len()))
    }

    /// The byte at a place; `None` at the end of the file.
    fn byte(&mut self, at: usize) -> io::Result<Option<u8>> {
        while at >= self.bytes.len() && !self.ended {
            let read = self.input.by_ref().take(PIECE).read_to_end(&mut self.bytes)?;
            self.ended = read == 0;
        }
        Ok(self.bytes.get(at).copied())
    }

    fn count_lines(&mut self, start: usize, end: usize) {
        let passed = self.bytes.get(start..end).unwrap_or_default();
        self.line += passed.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
    }

    /// Lets go of what was handed on. Moved only when it is worth it: each byte moves at most once.
    fn forget(&mut self) {
        if self.start > self.bytes.len() / 2 && self.start > 1 << 16 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    fn skip(&mut self) {
        self.count_lines(self.start, self.start + 1);
        self.start += 1;
        self.forget();
    }

    /// Goes on to the end of the line, however far it is, and keeps nothing of it.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let rest = self.bytes.get(self.start..).unwrap_or_default();
            if let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                self.start += length;
                return Ok(());
            }
            self.bytes.clear();
            self.start = 0;
            if self.byte(0)?.is_none() {
                return Ok(());
            }
        }
    }

    /// Goes on to the next byte that is no blank, nor a sign between the elements of an array.
    fn next(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.byte(self.start)? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.skip(),
                Some(b',') if self.array => self.skip(),
                Some(b'[') if self.array => self.open(),
                Some(b']') if self.array => {
                    self.open = self.open.saturating_sub(1);
                    self.skip();
                }
                other => return Ok(other),
            }
        }
    }

    /// Where the record that begins here ends.
    fn record(&mut self, byte: u8) -> io::Result<usize> {
        let begins = byte == b'{' || (self.lists && byte == b'[');
        let value = if begins { self.value(byte)? } else { None };
        let Some(end) = value else {
            self.damaged |= self.array;
            return self.end_of_line(self.start);
        };
        let mut after = end;
        loop {
            match self.byte(after)? {
                Some(b' ' | b'\t' | b'\r') => after += 1,
                None | Some(b'\n' | b'{') => return Ok(end),
                Some(b'[') if self.lists => return Ok(end),
                Some(b',' | b']') if self.array => return Ok(end),
                // More than a value: what follows belongs to it, and it is no event.
                Some(_) => {
                    self.damaged |= self.array;
                    return self.end_of_line(end);
                }
            }
        }
    }

    /// Behind the bracket that closes the value; `None` where the line was cut: within a string, at the end of the file, or where
    /// the next line begins as this one does.
    fn value(&mut self, first: u8) -> io::Result<Option<usize>> {
        let (mut depth, mut quoted, mut escaped, mut line_began) = (0_usize, false, false, false);
        let mut at = self.start;
        while self.byte(at)?.is_some() {
            for byte in self.bytes.get(at..).unwrap_or_default() {
                if (quoted && *byte == b'\n') || (line_began && *byte == first) {
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
    fn end_of_line(&mut self, from: usize) -> io::Result<usize> {
        let mut at = from;
        while let Some(byte) = self.byte(at)? {
            if byte == b'\n' {
                break;
            }
            if at - self.start > LONGEST {
                self.cut = true;
                break;
            }
            at += 1;
        }
        let blank = |at: usize| self.bytes.get(at).is_some_and(|byte| *byte == b'\r');
        Ok(if at > from && blank(at - 1) { at - 1 } else { at })
    }
}
