//! A column's value while the rest of the record is still unread.

use super::plan::{ColumnPlan, Kind};
use crate::{
    cell::Cell,
    format::Span,
    json::{Cursor, Number, unescape},
};

/// What was read for a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    /// Nothing, or null.
    Absent,
    /// Something that is not of the column's type.
    Bad(Span),
    Double(f64),
    Integer(i64),
    Boolean(bool),
    Timestamp(i64),
    Text(Span),
    Json(Span),
}

/// A scalar or a whole value, as the record has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Null,
    Boolean(bool, Span),
    /// An object or a list.
    Json(Span),
    /// A part of a text, or a column: blanks around what is no text are none of it, and an empty one is NULL.
    Part(Span),
}

/// The texts that spans are of.
pub(super) struct Texts<'a> {
    pub(super) record: &'a str,
    pub(super) scratch: &'a mut String,
    /// Texts that mean NULL.
    pub(super) null: &'a [String],
}

impl Slot {
    #[inline]
    pub(super) fn cell<'a>(self, record: &'a str, scratch: &'a str) -> Cell<'a> {
        match self {
            Self::Absent | Self::Bad(_) => Cell::Null,
            Self::Double(value) => Cell::Double(value),
            Self::Integer(value) => Cell::Integer(value),
            Self::Boolean(value) => Cell::Boolean(value),
            Self::Timestamp(nanos) => Cell::Timestamp(nanos),
            Self::Text(span) => Cell::Text(span.text(record, scratch)),
            Self::Json(span) => Cell::Json(span.text(record, scratch)),
        }
    }
}

/// Reads a token as a column. Slots are written in place: handing them on by value costs more than reading the number.
#[inline]
pub(super) fn convert(slot: &mut Slot, column: &ColumnPlan, token: Token, texts: &mut Texts<'_>) {
    match token {
        Token::Null => *slot = Slot::Absent,
        Token::Boolean(value, span) => {
            *slot = match column.kind {
                Kind::Boolean => Slot::Boolean(value),
                Kind::Text | Kind::AnyText => Slot::Text(span),
                Kind::Json => Slot::Json(span),
                _ => Slot::Bad(span),
            }
        }
        Token::Json(span) => {
            *slot = match column.kind {
                Kind::Json => Slot::Json(span),
                Kind::AnyText => Slot::Text(span),
                _ => Slot::Bad(span),
            }
        }
        Token::Part(span) => set_part(slot, column, span, texts),
    }
}

/// Reads a JSON string: inside its quotes, whether there are escapes, with its quotes.
#[inline]
pub(super) fn set_string(
    slot: &mut Slot,
    column: &ColumnPlan,
    (span, escaped, whole): (Span, bool, Span),
    texts: &mut Texts<'_>,
) {
    let span = if escaped { resolve(span, texts) } else { span };
    if texts.is_null(span) {
        *slot = Slot::Absent;
    } else if column.kind == Kind::Json {
        *slot = Slot::Json(whole);
    } else {
        set_text(slot, column, span, texts);
    }
}

impl Texts<'_> {
    #[inline]
    fn text(&self, span: Span) -> &str {
        span.text(self.record, self.scratch)
    }

    #[inline]
    fn is_null(&self, span: Span) -> bool {
        !self.null.is_empty() && self.null.iter().any(|null| null == self.text(span))
    }
}

fn resolve(span: Span, texts: &mut Texts<'_>) -> Span {
    let start = texts.scratch.len();
    unescape(span.text(texts.record, ""), texts.scratch);
    Span::in_scratch(start, texts.scratch.len())
}

/// Reads a JSON number.
#[inline]
pub(super) fn set_number(slot: &mut Slot, column: &ColumnPlan, number: Number, span: Span, texts: &Texts<'_>) {
    let text = texts.text(span);
    *slot = Slot::Bad(span);
    match column.kind {
        Kind::Double => {
            if let Some(value) = number.to_f64(text) {
                *slot = Slot::Double(value);
            }
        }
        Kind::Integer => {
            if let Some(value) = number.to_i64(text) {
                *slot = Slot::Integer(value);
            }
        }
        Kind::Timestamp => {
            if let Ok(nanos) = column.reader.read_number(number, text) {
                *slot = Slot::Timestamp(nanos);
            }
        }
        Kind::Text | Kind::AnyText => *slot = Slot::Text(span),
        Kind::Json => *slot = Slot::Json(span),
        Kind::Boolean => {
            if let Some(value) = boolean(text) {
                *slot = Slot::Boolean(value);
            }
        }
    }
}

/// Reads a text without quotes and escapes.
#[inline]
fn set_text(slot: &mut Slot, column: &ColumnPlan, span: Span, texts: &Texts<'_>) {
    let text = texts.text(span);
    match column.kind {
        Kind::Text | Kind::AnyText => *slot = Slot::Text(span),
        Kind::Timestamp => {
            *slot = Slot::Bad(span);
            if let Ok(nanos) = column.reader.read_text(text) {
                *slot = Slot::Timestamp(nanos);
            }
        }
        Kind::Double | Kind::Integer => match Number::read_text(text) {
            Some(number) => set_number(slot, column, number, span, texts),
            None => *slot = Slot::Bad(span),
        },
        Kind::Boolean => *slot = boolean(text).map_or(Slot::Bad(span), Slot::Boolean),
        // JSON's null is NULL, wherever it stands.
        Kind::Json if text.trim_matches([' ', '\t', '\n', '\r']) == "null" => *slot = Slot::Absent,
        Kind::Json => {
            let mut cursor = Cursor::new(text);
            let json = cursor.skip(0).is_ok() && cursor.at_end();
            *slot = if json { Slot::Json(span) } else { Slot::Bad(span) };
        }
    }
}

fn set_part(slot: &mut Slot, column: &ColumnPlan, span: Span, texts: &Texts<'_>) {
    let text = texts.text(span);
    let trimmed = text.trim_matches([' ', '\t']);
    let before = text.len() - text.trim_start_matches([' ', '\t']).len();
    let behind = (text.len() - trimmed.len()).saturating_sub(before);
    let inner = span.shrunk(before, behind);
    if trimmed.is_empty() || texts.is_null(inner) {
        *slot = Slot::Absent;
        return;
    }
    set_text(slot, column, if column.kind == Kind::Text { span } else { inner }, texts);
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
