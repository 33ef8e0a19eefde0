//! One record: what a verdict is passed on.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    Decoder, Record, judge,
    plan::{Kind, Plan, Root},
    slot::{Slot, Texts, Token, convert},
    state::List,
    unpack::{refuse, too_many_rows},
    walk::{Stop, Walker},
};
use crate::{
    envelope::cloudwatch_logs::{LogEvent, Message},
    format::{Csv, Dissect, Format, Span, pairs},
    json::JsonError,
    reason::{Poison, Reason, excerpt},
    row::{Control, RowSink, Tally},
};

/// A record inside its envelope.
#[derive(Clone, Copy)]
pub(super) struct Unit<'a> {
    pub(super) bytes: &'a [u8],
    /// What goes to quarantine, and when it arrived.
    pub(super) record: Record<'a>,
    /// The log event that it is.
    pub(super) log: Option<(&'a Message, &'a LogEvent)>,
}

impl Unit<'_> {
    fn quarantined(&self) -> Cow<'_, [u8]> {
        match self.log {
            Some((message, event)) => Cow::Owned(message.with_only(event)),
            None => Cow::Borrowed(self.record.bytes),
        }
    }

    /// The time of rows that carry none.
    fn time(&self) -> Option<i64> {
        match self.log {
            Some((_, event)) => event.timestamp.checked_mul(1_000_000),
            None => self.record.arrival,
        }
    }
}

impl Decoder {
    pub(super) fn unit(&mut self, unit: Unit<'_>, sink: &mut impl RowSink, tally: &mut Tally) {
        let read = match std::str::from_utf8(unit.bytes) {
            Ok(text) => self.read(text, &unit).map(|control| (text, control)),
            Err(error) => Err(not_utf8(&error)),
        };
        match read {
            Ok((_, Some(control))) => {
                tally.control += 1;
                sink.control(control);
            }
            Ok((text, None)) => self.emit(text, unit.time(), sink, tally),
            Err(poison) => refuse(&unit.quarantined(), poison, sink, tally),
        }
    }

    /// Fills the state with the rows of a record, and judges them.
    fn read(&mut self, text: &str, unit: &Unit<'_>) -> Result<Option<Control>, Poison> {
        self.state.reset();
        if let Some(control) = self.aside(text) {
            return Ok(Some(control));
        }
        if let Some(log) = unit.log {
            self.from_envelope(text, log);
        }
        let declaration = std::sync::Arc::clone(&self.declaration);
        match &declaration.format {
            Format::Json => {
                self.json(text)?;
                if let Some(control) = judge::control(&self.plan, &self.state, text) {
                    return Ok(Some(control));
                }
                self.shape(text)?;
            }
            Format::Text(pattern) => self.parts(strip_bom(text), pattern)?,
            Format::Csv(csv) => self.csv(strip_bom(text), csv)?,
            Format::Logfmt => self.logfmt(strip_bom(text))?,
        }
        let text = if declaration.format == Format::Json { text } else { strip_bom(text) };
        judge::rows(&declaration, &self.plan, &mut self.state, text, unit.time())?;
        Ok(None)
    }

    fn json(&mut self, text: &str) -> Result<(), Poison> {
        let contract = self.declaration.contract;
        let mut walker = Walker { plan: &self.plan, state: &mut self.state, text, null: &self.declaration.null };
        let mut cursor = walker.record().map_err(|stop| match stop {
            Stop::Json(error) => not_json(text, error),
            Stop::TooManyRows => too_many_rows(),
        })?;
        let end = cursor.position();
        if let Ok(next) = cursor.next_token() {
            let last = text.as_bytes().get(end.saturating_sub(1)).copied();
            let several =
                matches!((last, next), (Some(b'}'), b'{')) || (matches!((last, next), (Some(b']'), b'[')) && !contract);
            if several {
                let hint = "several values stand in one record; hint: envelope = \"values\", or \"lines\"";
                return Err(Poison::new(Reason::SeveralValues, hint));
            }
            return Err(not_json(text, cursor.fault("there is text behind the value")));
        }
        if contract && self.state.repeated {
            return Err(Poison::new(Reason::RepeatedField, "a field stands twice in the record"));
        }
        Ok(())
    }

    /// What the declaration asks of the record's shape.
    fn shape(&self, text: &str) -> Result<(), Poison> {
        let (plan, state) = (&*self.plan, &self.state);
        if plan.root == Root::Object && !text.trim_start().starts_with('{') {
            let hint =
                if text.trim_start().starts_with('[') { "; hint: each = \"$[*]\" makes rows of a list" } else { "" };
            return Err(Poison::new(Reason::NotAnObject, format!("the record is JSON, but no object{hint}")));
        }
        if let Some((detail, kind)) = plan.eventbridge {
            let is_object = matches!(state.slots[detail], Slot::Json(span) if span.text(text, "").starts_with('{'));
            if !is_object || !matches!(state.slots[kind], Slot::Text(_)) {
                return Err(Poison::new(
                    Reason::BadEnvelope,
                    "no EventBridge event: it has a text `detail-type` and an object `detail`",
                ));
            }
        }
        if let Some(node) = state.duplicate {
            let path = plan.nodes[node].path.to_string();
            let detail = format!("`{path}` stands twice in the record, with two values");
            return Err(Poison::new(Reason::DuplicateKey(path), detail));
        }
        match state.list {
            List::NoList => Err(Poison::new(Reason::BadField(plan.each.clone()), "`each` finds no list there")),
            List::Absent if plan.levels > 0 => {
                Err(Poison::new(Reason::Missing(plan.each.clone()), "the list of `each` is missing"))
            }
            _ => Ok(()),
        }
    }

    fn parts(&mut self, text: &str, pattern: &Dissect) -> Result<(), Poison> {
        let fits = pattern.split(text, |part, span| self.state_part(text, part, span));
        fits.ok_or_else(|| Poison::new(Reason::BadFormat, format!("`{}` does not fit the pattern", excerpt(text))))
    }

    fn csv(&mut self, text: &str, csv: &Csv) -> Result<(), Poison> {
        let mut spans = Vec::new();
        let split = csv.split(text, &mut self.state.scratch, |column, span| spans.push((column, span)));
        split.map_err(|problem| Poison::new(Reason::BadFormat, problem))?;
        for (column, span) in spans {
            self.state_part(text, column, span);
        }
        Ok(())
    }

    fn logfmt(&mut self, text: &str) -> Result<(), Poison> {
        let plan = std::sync::Arc::clone(&self.plan);
        let mut found: Vec<Option<Span>> = vec![None; plan.keys.len()];
        let mut duplicate = None;
        let read = pairs(text, &mut self.state.scratch, |key, span, scratch| {
            let Some(index) = plan.keys.iter().position(|(known, _)| known == key) else { return };
            match found[index] {
                Some(before) if before.text(text, scratch) != span.text(text, scratch) => {
                    duplicate.get_or_insert(index);
                }
                Some(_) => {}
                None => found[index] = Some(span),
            }
        });
        read.map_err(|problem| Poison::new(Reason::BadFormat, problem))?;
        if let Some(index) = duplicate {
            let key = plan.keys[index].0.clone();
            let detail = format!("`{key}` stands twice in the record, with two values");
            return Err(Poison::new(Reason::DuplicateKey(key), detail));
        }
        for ((_, columns), span) in plan.keys.iter().zip(found) {
            for (column, span) in columns.iter().filter_map(|column| span.map(|span| (*column, span))) {
                self.put(text, column, Token::Part(span));
            }
        }
        Ok(())
    }

    fn state_part(&mut self, text: &str, part: usize, span: Span) {
        let plan = std::sync::Arc::clone(&self.plan);
        for column in plan.parts.get(part).into_iter().flatten() {
            self.put(text, *column, Token::Part(span));
        }
    }

    fn put(&mut self, text: &str, column: usize, token: Token) {
        let mut texts = Texts { record: text, scratch: &mut self.state.scratch, null: &self.declaration.null };
        self.state.slots[column] = convert(&self.plan.columns[column], token, &mut texts);
    }

    /// Columns that the envelope gives.
    fn from_envelope(&mut self, text: &str, (message, event): (&Message, &LogEvent)) {
        let plan: &Plan = &std::sync::Arc::clone(&self.plan);
        for (column, member) in &plan.from_envelope {
            let value = match message.member(event, member) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            let start = self.state.scratch.len();
            self.state.scratch.push_str(&value);
            let span = Span { start, end: self.state.scratch.len(), scratch: true };
            let token = if plan.columns[*column].kind == Kind::Json { Token::Json(span) } else { Token::Part(span) };
            self.put(text, *column, token);
        }
    }

    /// A control record on a stream whose own records are no JSON.
    fn aside(&mut self, text: &str) -> Option<Control> {
        let control = self.control.as_mut()?;
        if !text.starts_with('{') {
            return None;
        }
        control.state.reset();
        control.json(text).ok()?;
        judge::control(&control.plan, &control.state, text)
    }
}

fn strip_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

pub(super) fn not_utf8(error: &std::str::Utf8Error) -> Poison {
    Poison::new(Reason::NotUtf8, format!("byte {} is not UTF-8", error.valid_up_to()))
}

pub(super) fn not_json(text: &str, error: JsonError) -> Poison {
    let hint = match text.chars().next() {
        Some('\u{feff}') => "; the record begins with a byte order mark",
        Some('\u{1f}') => "; hint: envelope = \"gzip\"",
        _ => "",
    };
    Poison::new(Reason::NotJson, format!("{} at byte {}{hint}", error.problem, error.at))
}
