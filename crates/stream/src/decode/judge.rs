//! The verdict on a record whose values were read.

use weir_anomaly::{
    Timestamp,
    event::{END_OF_TIMES, LEAST_TIME, is_event_time},
};

use super::{
    plan::{ColumnPlan, Kind, Plan},
    slot::Slot,
    state::State,
};
use crate::{
    cell::Cell,
    declaration::Declaration,
    format::Span,
    reason::{Poison, Reason, excerpt},
    row::{Control, ControlKind, Value},
    time::TimeFault,
};

/// The control record that it is, if it is one: exactly the fields that Weir writes (docs/contracts.md, "Event").
pub(super) fn control(plan: &Plan, state: &State, text: &str) -> Option<Control> {
    let control = plan.control.as_ref()?;
    let Slot::Text(span) = state.slots[control.weir] else { return None };
    let has = |node: usize| state.seen[node].generation == state.root_generation;
    let names = state.names - usize::from(has(control.time_node));
    let kind = match span.text(text, &state.scratch) {
        "heartbeat" if names == 1 => ControlKind::Heartbeat,
        "probe" if names == 3 && has(control.probe_id_node) && has(control.sent_at_node) => ControlKind::Probe,
        _ => return None,
    };
    let owned = |slot: Slot| match slot {
        Slot::Text(span) => Some(span.text(text, &state.scratch).to_owned()),
        _ => None,
    };
    let time = match state.slots[control.time] {
        Slot::Timestamp(nanos) if can_be_event_time(nanos) => Some(nanos),
        _ => None,
    };
    let [probe_id, sent_at] = [control.probe_id, control.sent_at].map(|column| owned(state.slots[column]));
    Some(Control { kind, time, probe_id, sent_at })
}

/// Judges every row: the first fault of the first row refuses the record. What `ignore` names is not judged.
pub(super) fn rows(
    declaration: &Declaration,
    plan: &Plan,
    state: &mut State,
    text: &str,
    time: Option<i64>,
) -> Result<(), Poison> {
    let width = plan.columns.len();
    let count = if plan.levels == 0 { 1 } else { state.row_count };
    for index in 0..count {
        let row =
            if plan.levels == 0 { state.slots.as_slice() } else { &state.rows[index * width..(index + 1) * width] };
        if let Some(ignore) = &declaration.ignore {
            let cell = |column: usize| match (row[column], plan.columns[column].default.as_ref()) {
                (Slot::Absent, Some(default)) => default.cell(),
                (slot, _) => slot.cell(text, &state.scratch),
            };
            if ignore.holds(&cell) {
                continue;
            }
        }
        row_fault(declaration, plan, row, text, &state.scratch, time)?;
        state.accepted.push(index);
    }
    Ok(())
}

/// How many bytes the texts of the accepted rows have.
pub(super) fn text_bytes(plan: &Plan, state: &State) -> usize {
    let width = plan.columns.len();
    let of_row = |index: &usize| {
        let row =
            if plan.levels == 0 { state.slots.as_slice() } else { &state.rows[index * width..(index + 1) * width] };
        row.iter().zip(&plan.columns).take(plan.visible).map(text_length).sum::<usize>()
    };
    state.accepted.iter().map(of_row).fold(0, usize::saturating_add)
}

#[inline]
fn text_length((slot, column): (&Slot, &ColumnPlan)) -> usize {
    match slot {
        Slot::Text(span) | Slot::Json(span) => span.end() - span.start(),
        Slot::Absent => match &column.default {
            Some(Value::Text(text) | Value::Json(text)) => text.len(),
            _ => 0,
        },
        _ => 0,
    }
}

fn row_fault(
    declaration: &Declaration,
    plan: &Plan,
    row: &[Slot],
    text: &str,
    scratch: &str,
    time: Option<i64>,
) -> Result<(), Poison> {
    match plan.time.map(|time| (&plan.columns[time], row[time])) {
        Some((_, Slot::Timestamp(nanos))) if can_be_event_time(nanos) => {}
        Some((column, slot)) => return Err(bad_time(declaration, column, slot, text, scratch)),
        // The time of a log event, which nothing has looked at yet.
        None if time.is_some_and(|nanos| !can_be_event_time(nanos))
            && declaration.envelope.framing.members().is_some_and(|m| !m.is_empty()) =>
        {
            return Err(Poison::new(
                Reason::BadTime("log_time".to_owned()),
                "the log event's time lies outside the times that an event can have",
            ));
        }
        None => {}
    }
    for (column, slot) in plan.columns.iter().zip(row).take(plan.visible) {
        match slot {
            Slot::Bad(span) => return Err(bad_field(declaration, column, *span, text, scratch)),
            Slot::Absent if column.required => {
                let reason = named(declaration, "bad_value").unwrap_or_else(|| Reason::Missing(column.name.clone()));
                return Err(Poison::new(reason, format!("there is no field `{}`", column.path)));
            }
            // What SQL refuses too: the largest double is what infinity becomes on the way.
            Slot::Double(value) if value.abs() >= f64::MAX => {
                let name = &column.name;
                let reason = named(declaration, "bad_value").unwrap_or_else(|| Reason::BadField(name.clone()));
                return Err(Poison::new(reason, format!("`{name}` is no finite number")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The words of the built-in stream, which has one for time and one for everything else.
fn named(declaration: &Declaration, word: &'static str) -> Option<Reason> {
    declaration.contract.then_some(Reason::Named(word))
}

fn bad_time(declaration: &Declaration, column: &ColumnPlan, slot: Slot, text: &str, scratch: &str) -> Poison {
    let reason = named(declaration, "bad_timestamp").unwrap_or_else(|| Reason::BadTime(column.path.clone()));
    let path = &column.path;
    let detail = match slot {
        Slot::Bad(span) => {
            let fault = time_fault(column, span.text(text, scratch));
            format!("`{path}` is {}, which {fault}", shown(span, text, scratch))
        }
        Slot::Timestamp(nanos) => {
            let time = Timestamp::from_nanos(nanos);
            format!("`{path}` is {time}: an event's time lies from {LEAST_TIME} to {END_OF_TIMES}")
        }
        _ => format!("there is no time `{path}`"),
    };
    Poison::new(reason, detail)
}

fn bad_field(declaration: &Declaration, column: &ColumnPlan, span: Span, text: &str, scratch: &str) -> Poison {
    let reason = named(declaration, "bad_value").unwrap_or_else(|| Reason::BadField(column.name.clone()));
    let shown = shown(span, text, scratch);
    let detail = match column.kind {
        Kind::Timestamp => {
            format!("`{}` is {shown}, which {}", column.path, time_fault(column, span.text(text, scratch)))
        }
        _ => format!("`{}` is {shown}, which is no {}", column.path, kind_name(column)),
    };
    Poison::new(reason, detail)
}

/// Why it is no time: read once more, for the message.
fn time_fault(column: &ColumnPlan, text: &str) -> TimeFault {
    column.reader.read_text(text).err().unwrap_or(TimeFault::Unreadable)
}

fn kind_name(column: &ColumnPlan) -> &'static str {
    match column.kind {
        Kind::Double => "finite number",
        Kind::Integer => "integer of 64 bits",
        Kind::Text | Kind::AnyText => "text",
        Kind::Boolean => "true or false",
        Kind::Timestamp => "time",
        Kind::Json => "JSON",
    }
}

fn shown(span: Span, text: &str, scratch: &str) -> String {
    format!("`{}`", excerpt(span.text(text, scratch)))
}

fn can_be_event_time(nanos: i64) -> bool {
    is_event_time(Timestamp::from_nanos(nanos))
}

impl Value {
    /// As a borrowed value.
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Double(value) => Cell::Double(*value),
            Self::Integer(value) => Cell::Integer(*value),
            Self::Boolean(value) => Cell::Boolean(*value),
            Self::Timestamp(nanos) => Cell::Timestamp(*nanos),
            Self::Text(text) => Cell::Text(text),
            Self::Json(text) => Cell::Json(text),
        }
    }
}
