//! One pass over a JSON record: every value is checked, the wanted ones are kept.

use super::{
    plan::{Node, Plan, ROOT},
    slot::{Slot, Texts, Token, convert, set_number, set_string},
    state::{Known, List, State},
};
use crate::{
    format::Span,
    json::{Cursor, JsonError, unescape},
    limits::{MAX_CELLS, MAX_ROWS},
};

/// How many names of an object are remembered by their place: records of one stream have their names in one order.
const MAX_KNOWN: usize = 128;
/// How many remembered names are tried before a name is looked up: so many optional members may be left out in a row.
const TRIES: usize = 4;

/// Why the pass ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Json(JsonError),
    TooManyRows,
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

pub(super) struct Walker<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: &'a mut State,
    pub(super) text: &'a str,
    pub(super) null: &'a [String],
}

impl Walker<'_> {
    /// Reads the record's first value, and returns the cursor behind it.
    pub(super) fn record(&mut self) -> Result<Cursor<'_>, Stop> {
        let mut cursor = Cursor::new(self.text);
        self.value(&mut cursor, ROOT, 0, 0)?;
        if self.plan.levels > 0 {
            self.fill(0, 0);
        }
        Ok(cursor)
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, id: usize, depth: usize, level: usize) -> Result<(), Stop> {
        let node = &self.plan.nodes[id];
        let first = cursor.next_token()?;
        let start = cursor.position();
        let span = |cursor: &Cursor<'_>| Span::of(start, cursor.position());
        let token = match first {
            b'"' => {
                let text = cursor.string()?;
                let string = (Span::of(text.start, text.end), text.escaped, span(cursor));
                self.no_list(node, level);
                for column in &node.columns {
                    let State { slots, scratch, .. } = &mut *self.state;
                    let mut texts = Texts { record: self.text, scratch, null: self.null };
                    set_string(&mut slots[*column], &self.plan.columns[*column], string, &mut texts);
                }
                return Ok(());
            }
            b'{' => {
                if node.members.is_empty() && id != ROOT {
                    cursor.skip(depth)?;
                } else {
                    self.object(cursor, id, depth, level)?;
                }
                Token::Json(span(cursor))
            }
            b'[' => {
                if node.every.is_none() && node.elements.is_empty() && node.wheres.is_empty() {
                    cursor.skip(depth)?;
                } else {
                    self.list(cursor, node, depth, level)?;
                }
                Token::Json(span(cursor))
            }
            b't' => {
                cursor.literal(b"true")?;
                Token::Boolean(true, span(cursor))
            }
            b'f' => {
                cursor.literal(b"false")?;
                Token::Boolean(false, span(cursor))
            }
            b'n' => {
                cursor.literal(b"null")?;
                Token::Null
            }
            b'-' | b'0'..=b'9' => {
                let number = cursor.number()?;
                self.no_list(node, level);
                for column in &node.columns {
                    let State { slots, scratch, .. } = &mut *self.state;
                    let texts = Texts { record: self.text, scratch, null: self.null };
                    set_number(&mut slots[*column], &self.plan.columns[*column], number, span(cursor), &texts);
                }
                return Ok(());
            }
            _ => return Err(cursor.fault("expected a value").into()),
        };
        if !matches!(first, b'[' | b'n') {
            self.no_list(node, level);
        }
        for column in &node.columns {
            self.put(*column, token);
        }
        Ok(())
    }

    #[inline]
    fn put(&mut self, column: usize, token: Token) {
        let State { slots, scratch, .. } = &mut *self.state;
        let mut texts = Texts { record: self.text, scratch, null: self.null };
        convert(&mut slots[column], &self.plan.columns[column], token, &mut texts);
    }

    /// Notes that something stands where `each` expects its outermost list.
    #[inline]
    fn no_list(&mut self, node: &Node, level: usize) {
        if node.every.is_some() && level == 0 {
            self.state.list = List::Other;
        }
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, id: usize, depth: usize, level: usize) -> Result<(), Stop> {
        cursor.enter(depth)?;
        let generation = self.state.next_generation();
        let root = depth == 0;
        if root {
            self.state.root_generation = generation;
        }
        if cursor.next_token()? == b'}' {
            cursor.take();
            return Ok(());
        }
        let mut place = 0;
        loop {
            cursor.next_token()?;
            let child = self.name(cursor, id, &mut place, root.then_some(generation))?;
            cursor.expect(b':', "expected a colon")?;
            match child {
                Some(child) => self.member(cursor, child, generation, depth + 1, level)?,
                None => cursor.skip(depth + 1)?,
            }
            if !cursor.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads a member's name: the place that its value is, if anybody wants it. `place` is where the next name is expected.
    #[inline]
    fn name(
        &mut self,
        cursor: &mut Cursor<'_>,
        id: usize,
        place: &mut usize,
        root: Option<u64>,
    ) -> Result<Option<usize>, JsonError> {
        let known = &mut self.state.known[id];
        for (offset, name) in known.iter_mut().skip(*place).take(TRIES).enumerate() {
            if cursor.take_exact(&name.quoted) {
                *place += offset + 1;
                if let Some(generation) = root {
                    self.state.names += 1;
                    self.state.repeated |= name.generation == generation;
                    name.generation = generation;
                }
                return Ok(name.node);
            }
        }
        self.look_up(cursor, id, place, root)
    }

    #[inline(never)]
    fn look_up(
        &mut self,
        cursor: &mut Cursor<'_>,
        id: usize,
        place: &mut usize,
        root: Option<u64>,
    ) -> Result<Option<usize>, JsonError> {
        let text = cursor.string()?;
        let raw = cursor.slice(text.start, text.end);
        let mut name = String::new();
        if text.escaped {
            unescape(raw, &mut name)
        } else {
            name.push_str(raw)
        }
        self.state.lookups += 1;
        self.state.names += usize::from(root.is_some());
        let known = &mut self.state.known[id];
        if let Some(at) = known.iter().position(|known| known.name == name) {
            *place = at + 1;
            if let Some(generation) = root {
                self.state.repeated |= known[at].generation == generation;
                known[at].generation = generation;
            }
            return Ok(known[at].node);
        }
        let node = self.plan.nodes[id].members.iter().find(|(member, _)| *member == name).map(|(_, child)| *child);
        if known.len() < MAX_KNOWN {
            let quoted = cursor.slice(text.start.saturating_sub(1), text.end + 1).as_bytes().into();
            let at = (*place).min(known.len());
            known.insert(at, Known { quoted, name, node, generation: root.unwrap_or_default() });
            *place = at + 1;
        } else if root.is_some() {
            self.state.repeated |= !self.state.further_names.insert(name);
        }
        Ok(node)
    }

    /// Reads a wanted member's value; one that comes again must be the same, and comes twice at most.
    #[inline]
    fn member(
        &mut self,
        cursor: &mut Cursor<'_>,
        child: usize,
        generation: u64,
        depth: usize,
        level: usize,
    ) -> Result<(), Stop> {
        cursor.next_token()?;
        let start = cursor.position();
        let seen = &mut self.state.seen[child];
        if seen.generation == generation {
            let (before, again) = (seen.span, std::mem::replace(&mut seen.again, true));
            cursor.skip(depth)?;
            if again || !same(cursor.slice(start, cursor.position()), before.text(self.text, "")) {
                // The first in the order of the file, wherever the record has them.
                self.state.duplicate = Some(self.state.duplicate.map_or(child, |before| before.min(child)));
            }
            return Ok(());
        }
        (seen.generation, seen.again) = (generation, false);
        self.value(cursor, child, depth, level)?;
        self.state.seen[child].span = Span::of(start, cursor.position());
        Ok(())
    }

    fn list(&mut self, cursor: &mut Cursor<'_>, node: &Node, depth: usize, level: usize) -> Result<(), Stop> {
        cursor.enter(depth)?;
        let generation = self.state.next_generation();
        if node.every.is_some() && level == 0 {
            self.state.list = List::Walked;
        }
        if cursor.next_token()? == b']' {
            cursor.take();
            return Ok(());
        }
        let mut index = 0;
        loop {
            cursor.next_token()?;
            let start = cursor.position();
            let mut walked = false;
            if let Some(child) = node.every {
                self.element(cursor, child, depth + 1, level + 1)?;
                walked = true;
            }
            for (_, child) in node.elements.iter().filter(|(wanted, _)| *wanted == index) {
                cursor.return_to(start);
                self.value(cursor, *child, depth + 1, level)?;
                walked = true;
            }
            for wanted in &node.wheres {
                let mut look = cursor.clone();
                look.return_to(start);
                if self.state.seen[wanted.node].generation != generation
                    && has_member(&mut look, &wanted.member, &wanted.equals, depth + 1)
                {
                    self.state.seen[wanted.node].generation = generation;
                    cursor.return_to(start);
                    self.value(cursor, wanted.node, depth + 1, level)?;
                    walked = true;
                }
            }
            if !walked {
                cursor.skip(depth + 1)?;
            }
            if !cursor.more(b']')? {
                return Ok(());
            }
            index += 1;
        }
    }

    /// Reads an element of a list that `each` walks: a row, or rows.
    fn element(&mut self, cursor: &mut Cursor<'_>, child: usize, depth: usize, level: usize) -> Result<(), Stop> {
        for column in &self.plan.by_level[level] {
            self.state.slots[*column] = Slot::Absent;
        }
        let first = self.state.row_count;
        self.value(cursor, child, depth, level)?;
        if level < self.plan.levels {
            self.fill(level, first);
            return Ok(());
        }
        if self.state.row_count >= MAX_ROWS || self.state.rows.len() >= MAX_CELLS {
            return Err(Stop::TooManyRows);
        }
        let State { slots, rows, row_count, .. } = &mut *self.state;
        rows.extend_from_slice(slots);
        *row_count += 1;
        Ok(())
    }

    /// Gives the columns of a list's element to all rows inside it: they may stand behind the inner list.
    fn fill(&mut self, level: usize, first: usize) {
        let State { slots, rows, .. } = &mut *self.state;
        let width = slots.len();
        for row in rows.chunks_exact_mut(width.max(1)).skip(first) {
            for column in &self.plan.by_level[level] {
                row[*column] = slots[*column];
            }
        }
    }
}

/// Whether two values are the same JSON, as SQL can tell: `1e2` and `100.0` are, `1` and `1.0` are not.
fn same(one: &str, other: &str) -> bool {
    let written = |text: &str| serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string()).ok();
    one == other || written(one).is_some_and(|one| written(other) == Some(one))
}

/// Whether the value that begins here is an object with this text as this member. What is no JSON the pass itself finds.
fn has_member(cursor: &mut Cursor<'_>, member: &str, equals: &str, depth: usize) -> bool {
    let is = |cursor: &mut Cursor<'_>, wanted: &str| -> Result<bool, JsonError> {
        let text = cursor.string()?;
        let raw = cursor.slice(text.start, text.end);
        if !text.escaped {
            return Ok(raw == wanted);
        }
        let mut resolved = String::new();
        unescape(raw, &mut resolved);
        Ok(resolved == wanted)
    };
    let mut look = || -> Result<bool, JsonError> {
        if cursor.next_token()? != b'{' {
            return Ok(false);
        }
        cursor.enter(depth)?;
        if cursor.next_token()? == b'}' {
            return Ok(false);
        }
        loop {
            cursor.next_token()?;
            let named = is(cursor, member)?;
            cursor.expect(b':', "expected a colon")?;
            if named {
                return if cursor.next_token()? == b'"' { is(cursor, equals) } else { Ok(false) };
            }
            cursor.skip(depth + 1)?;
            if !cursor.more(b'}')? {
                return Ok(false);
            }
        }
    };
    look().unwrap_or(false)
}
