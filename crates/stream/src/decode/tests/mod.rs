//! What records become, envelope by envelope and format by format; laws over made and damaged records.

mod envelopes;
mod formats;
mod json;
pub(crate) mod laws;

use super::{Decoder, Record};
use crate::{
    declaration::Declaration,
    row::{Decoded, Rows, Tally},
};

pub(crate) fn declare(text: &str) -> Declaration {
    Declaration::parse("sql/streams/test.toml".as_ref(), text)
        .unwrap_or_else(|faults| panic!("{}", faults.iter().map(|f| f.to_string()).collect::<Vec<_>>().join("\n")))
}

/// What a record becomes: rows as JSON, refusals as `reason`, control records by their kind.
pub(super) fn decode(declaration: &Declaration, bytes: &[u8]) -> (Vec<String>, Tally) {
    let mut rows = Rows::default();
    let tally = Decoder::new(declaration).decode(Record { bytes, arrival: Some(1_767_225_600_000_000_000) }, &mut rows);
    let columns = declaration.columns();
    let shown = rows.decoded.iter().map(|decoded| match decoded {
        Decoded::Row(row) => row.to_json(&columns),
        Decoded::Refused(_, poison) => poison.reason.to_string(),
        Decoded::Control(control) => format!("{:?}", control.kind),
    });
    (shown.collect(), tally)
}

pub(super) fn rows(declaration: &str, bytes: impl AsRef<[u8]>) -> Vec<String> {
    decode(&declare(declaration), bytes.as_ref()).0
}

pub(super) fn one(declaration: &str, bytes: impl AsRef<[u8]>) -> String {
    let rows = rows(declaration, bytes);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}

/// The detail of the refusal.
pub(super) fn detail(declaration: &str, bytes: &[u8]) -> String {
    let mut rows = Rows::default();
    Decoder::new(&declare(declaration)).decode(Record::new(bytes), &mut rows);
    rows.refusals().next().unwrap().detail.clone()
}
