//! Inference: from some hundred records to a proposal of a stream's file.
//!
//! A proposal is a beginning, not a verdict: it names its reasons and what it is unsure of as comments, and a person reads
//! it. What it proposes decodes the records that it has seen, as far as anything does.

mod draft;
mod envelope;
mod fields;
mod json;
mod kda;
mod parts;
mod redact;
mod samples;
mod stats;
mod time;
mod times;

pub use kda::{KdaError, from_kda};

use draft::{Draft, DraftField};
use stats::Leaf;

use crate::{
    declaration::{Declaration, FieldType, Scope},
    fault::Fault,
};

/// The most records that are looked at.
pub const MAX_RECORDS: usize = 500;
/// The most fields that are proposed; what is beyond is named in a comment.
pub(crate) const MAX_PROPOSED: usize = 32;

/// A proposed stream's file.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The file's text.
    pub toml: String,
    /// What it says.
    pub declaration: Declaration,
    /// What it is unsure of, a sentence each; the text has them as comments.
    pub unsure: Vec<String>,
}

/// Why nothing could be proposed.
#[derive(Debug)]
pub enum InferError {
    /// There are no records.
    NoRecords,
    /// The records are of no form that Weir knows: what they begin with.
    Unknown(String),
    /// The records are empty.
    NoFields,
    /// The proposal has faults: a defect of Weir's.
    Faulty(Vec<Fault>),
}

impl std::error::Error for InferError {}

impl std::fmt::Display for InferError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRecords => f.write_str("there are no records to look at"),
            Self::NoFields => f.write_str("the records have no fields: they are empty, or null throughout"),
            Self::Unknown(start) => {
                write!(f, "the records are neither text nor of an envelope that Weir knows: they begin with {start}")
            }
            Self::Faulty(faults) => {
                f.write_str("the proposal has faults:")?;
                faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))
            }
        }
    }
}

/// Proposes a stream's file from records as the stream has them.
///
/// # Errors
/// When there are no records, or they are of no known form.
pub fn propose(name: &str, records: &[&[u8]]) -> Result<Proposal, InferError> {
    let records = records.get(..MAX_RECORDS).unwrap_or(records);
    let mut draft = Draft::default();
    let opened = envelope::open(records, &mut draft)?;
    let mut leaves = match parts::recognise(&opened.units, &mut draft) {
        Some(leaves) => leaves,
        None => json::leaves(&opened, &mut draft),
    };
    time::choose(&mut leaves, &mut draft);
    fields::propose(&mut leaves, &mut draft);
    if draft.fields.is_empty() {
        return Err(InferError::NoFields);
    }
    finish(name, draft, |declaration, draft| samples::add(declaration, draft, &opened))
}

/// Writes the draft, reads it back, and adds the samples.
fn finish(
    name: &str,
    mut draft: Draft,
    samples: impl FnOnce(&Declaration, &mut Draft),
) -> Result<Proposal, InferError> {
    let file = format!("sql/streams/{name}.toml");
    let read = |draft: &Draft| Declaration::parse(file.as_ref(), &draft.to_toml(name)).map_err(InferError::Faulty);
    let declaration = read(&draft)?;
    samples(&declaration, &mut draft);
    let declaration = read(&draft)?;
    Ok(Proposal { toml: draft.to_toml(name), declaration, unsure: draft.unsure })
}

/// A column's name of any name: `heartRate` is `heart_rate`.
#[must_use]
pub(crate) fn column_name(name: &str) -> String {
    let mut column = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
                column.push('_');
            }
            column.push(c.to_ascii_lowercase());
        } else if !column.ends_with('_') && !column.is_empty() {
            column.push('_');
        }
        before = c;
    }
    let column: String = column.trim_matches('_').chars().take(60).collect();
    match column.chars().next() {
        None => "field".to_owned(),
        Some(c) if c.is_ascii_digit() => format!("_{column}"),
        // Columns that begin so are the compiler's.
        Some(_) if column.starts_with("weir_") => format!("record_{column}"),
        Some(_) => column,
    }
}

impl DraftField {
    fn of(leaf: &Leaf, name: String, kind: FieldType) -> Self {
        let path = leaf.path.to_string();
        Self { name, kind, path, of: leaf.of, required: false, format: None, comment: None }
    }
}

impl Scope {
    pub(crate) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Row => None,
            Self::Record => Some("record"),
            Self::Envelope => Some("envelope"),
        }
    }
}

#[cfg(test)]
mod tests;
