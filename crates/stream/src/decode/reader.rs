//! The values of one record, format by format.

use serde_json::Value;

use super::{
    plan::{Kind, Plan, Root},
    slot::{Slot, Texts, Token, convert},
    state::{List, State},
    unit::not_json,
    unpack::too_many_rows,
    walk::{Stop, Walker},
};
use crate::{
    declaration::Declaration,
    envelope::cloudwatch_logs::{LogEvent, Message},
    format::{Csv, Dissect, Span, pairs},
    reason::{Poison, Reason, excerpt},
};

/// Reads a record into the state.
pub(super) struct Reader<'a> {
    pub(super) declaration: &'a Declaration,
    pub(super) plan: &'a Plan,
    pub(super) state: &'a mut State,
    pub(super) text: &'a str,
}

impl Reader<'_> {
    pub(super) fn json(&mut self) -> Result<(), Poison> {
        let contract = self.declaration.contract;
        let text = self.text;
        let mut walker = Walker { plan: self.plan, state: self.state, text, null: &self.declaration.null };
        // As SQL can tell: objects, or lists, follow one another somewhere in a text that is no whole value.
        let glued = || follow(text, '}', '{') || (!contract && follow(text, ']', '['));
        let broken = |error| if !contract && glued() { several() } else { not_json(text, error) };
        let mut cursor = walker.record().map_err(|stop| match stop {
            Stop::Json(error) => broken(error),
            Stop::TooManyRows => too_many_rows(),
        })?;
        let end = cursor.position();
        if cursor.next_token().is_ok() {
            let closed = matches!(text.as_bytes().get(end.saturating_sub(1)), Some(b'}' | b']'));
            if contract && closed && glued() {
                return Err(several());
            }
            return Err(broken(cursor.fault("there is text behind the value")));
        }
        if contract && self.state.repeated {
            return Err(Poison::new(Reason::RepeatedField, "a field stands twice in the record"));
        }
        Ok(())
    }

    /// What the declaration asks of the record's shape.
    pub(super) fn shape(&self) -> Result<(), Poison> {
        let (plan, state, text) = (self.plan, &*self.state, self.text);
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
            List::Other => Err(Poison::new(Reason::BadField(plan.each.clone()), "`each` finds no list there")),
            List::Absent if plan.levels > 0 => {
                Err(Poison::new(Reason::Missing(plan.each.clone()), "the list of `each` is missing"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn parts(&mut self, pattern: &Dissect) -> Result<(), Poison> {
        let text = self.text;
        let fits = pattern.split(text, |part, span| self.part(part, span));
        fits.ok_or_else(|| Poison::new(Reason::BadFormat, format!("`{}` does not fit the pattern", excerpt(text))))
    }

    pub(super) fn csv(&mut self, csv: &Csv) -> Result<(), Poison> {
        let mut spans = Vec::new();
        let split = csv.split(self.text, &mut self.state.scratch, |column, span| spans.push((column, span)));
        split.map_err(|problem| Poison::new(Reason::BadFormat, problem))?;
        for (column, span) in spans {
            self.part(column, span);
        }
        Ok(())
    }

    pub(super) fn logfmt(&mut self) -> Result<(), Poison> {
        let (plan, text) = (self.plan, self.text);
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
                self.put(column, Token::Part(span));
            }
        }
        Ok(())
    }

    fn part(&mut self, part: usize, span: Span) {
        let plan = self.plan;
        for column in plan.parts.get(part).into_iter().flatten() {
            self.put(*column, Token::Part(span));
        }
    }

    fn put(&mut self, column: usize, token: Token) {
        let State { slots, scratch, .. } = &mut *self.state;
        let mut texts = Texts { record: self.text, scratch, null: &self.declaration.null };
        convert(&mut slots[column], &self.plan.columns[column], token, &mut texts);
    }

    /// Columns that the envelope gives.
    pub(super) fn envelope(&mut self, (message, event): (&Message, &LogEvent)) {
        let plan = self.plan;
        for (column, member) in &plan.from_envelope {
            let value = match message.member(event, member) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            let start = self.state.scratch.len();
            self.state.scratch.push_str(&value);
            let span = Span::in_scratch(start, self.state.scratch.len());
            let token = if plan.columns[*column].kind == Kind::Json { Token::Json(span) } else { Token::Part(span) };
            self.put(*column, token);
        }
    }
}

fn several() -> Poison {
    let hint = "several values stand in one record; hint: envelope = \"values\", or \"lines\"";
    Poison::new(Reason::SeveralValues, hint)
}

/// Whether a value begins behind the end of another, with nothing but white space between them.
fn follow(text: &str, end: char, begin: char) -> bool {
    text.split(end).skip(1).any(|rest| rest.trim_start().starts_with(begin))
}
