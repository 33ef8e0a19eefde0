//! Accepted rows, on their way to the sink.

use super::{Decoder, slot::Slot};
use crate::{
    cell::Cell,
    format::Format,
    row::{RowSink, Tally},
};

impl Decoder {
    pub(super) fn emit(&self, text: &str, time: Option<i64>, sink: &mut impl RowSink, tally: &mut Tally) {
        let text = match self.declaration.format {
            Format::Json => text,
            _ => text.strip_prefix('\u{feff}').unwrap_or(text),
        };
        let (plan, state) = (&*self.plan, &self.state);
        let width = plan.columns.len();
        let count = if plan.levels == 0 { 1 } else { state.row_count };
        tally.accepted += 1;
        tally.rows += state.accepted.len() as u64;
        tally.ignored += (count - state.accepted.len()) as u64;
        tally.left_out += u64::from(count > 0 && state.accepted.is_empty());
        for index in &state.accepted {
            let row = if plan.levels == 0 { &state.slots } else { &state.rows[index * width..(index + 1) * width] };
            for (column, (slot, of)) in row.iter().zip(&plan.columns).take(plan.visible).enumerate() {
                match (slot, &of.default) {
                    (Slot::Absent, Some(default)) => put(sink, column, default.cell()),
                    (slot, _) => put(sink, column, slot.cell(text, &state.scratch)),
                }
            }
            let own = plan.time.and_then(|time| match row[time] {
                Slot::Timestamp(nanos) => Some(nanos),
                _ => None,
            });
            sink.end_row(own.or(time));
        }
    }
}

#[inline]
fn put(sink: &mut impl RowSink, column: usize, cell: Cell<'_>) {
    match cell {
        Cell::Null => sink.null(column),
        Cell::Double(value) => sink.double(column, value),
        Cell::Integer(value) => sink.integer(column, value),
        Cell::Boolean(value) => sink.boolean(column, value),
        Cell::Timestamp(nanos) => sink.timestamp(column, nanos),
        Cell::Text(text) => sink.text(column, text),
        Cell::Json(text) => sink.json(column, text),
    }
}
