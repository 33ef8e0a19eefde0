//! Input schemas of Kinesis Data Analytics for SQL.
//!
//! The shape is the API's `InputSchema` (`RecordFormat`, `RecordEncoding`, `RecordColumns` with `Name`, `SqlType`, `Mapping`;
//! Amazon Kinesis Data Analytics for SQL, API_InputSchema), alone or inside what `describe-application` prints.

use serde_json::Value;

use super::{
    InferError, Proposal, column_name,
    draft::{Draft, DraftField, quoted},
    finish,
};
use crate::{
    declaration::{FieldType, Scope},
    path::{Path, Step},
};

/// Why a text is no input schema.
#[derive(Debug)]
pub enum KdaError {
    /// Not JSON.
    NotJson(serde_json::Error),
    /// Something is missing or of another kind: what.
    Schema(String),
    /// The proposal has faults.
    Proposal(InferError),
}

impl std::error::Error for KdaError {}

impl std::fmt::Display for KdaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotJson(error) => write!(f, "the schema is no JSON: {error}"),
            Self::Schema(problem) => write!(f, "no input schema of Kinesis Data Analytics: {problem}"),
            Self::Proposal(error) => error.fmt(f),
        }
    }
}

/// Writes a stream's file from an input schema.
///
/// # Errors
/// When the text is no such schema.
pub fn from_kda(name: &str, schema: &str) -> Result<Proposal, KdaError> {
    let whole: Value = serde_json::from_str(schema).map_err(KdaError::NotJson)?;
    let schema = find(&whole).ok_or_else(|| KdaError::Schema("there is no `RecordColumns`".to_owned()))?;
    let format = schema.get("RecordFormat").cloned().unwrap_or_default();
    let mapping = format.get("MappingParameters").cloned().unwrap_or_default();
    let mut draft = Draft::default();
    let json = match format.get("RecordFormatType").and_then(Value::as_str) {
        Some("JSON") => true,
        Some("CSV") => false,
        other => return Err(KdaError::Schema(format!("RecordFormatType is {other:?}, not JSON or CSV"))),
    };
    let mut each = Path::default();
    if json {
        draft.envelope.push("values");
        let row = mapping.pointer("/JSONMappingParameters/RecordRowPath").and_then(Value::as_str).unwrap_or("$");
        each = path(row)?;
        if each.levels() > 0 {
            draft.each = Some(row_path(&each));
        }
    } else {
        draft.envelope.push("lines");
        let delimiter =
            mapping.pointer("/CSVMappingParameters/RecordColumnDelimiter").and_then(Value::as_str).unwrap_or(",");
        let tab = delimiter == "\t" || delimiter == "\\t";
        draft.format.push(format!("format = \"{}\"", if tab { "tsv" } else { "csv" }));
        if !tab && delimiter != "," {
            draft.format.push(format!("delimiter = {}", quoted(delimiter)));
        }
    }
    let columns = schema.get("RecordColumns").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut names = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let field = field(column, index, json, &each, &names)?;
        if draft.time.is_none() && field.kind == FieldType::Timestamp {
            draft.unsure.push(format!(
                "the time: Kinesis Data Analytics went by arrival, as this does; time = {} would go by `{}`",
                quoted(&field.path),
                field.name
            ));
        }
        names.push(field.name.clone());
        draft.fields.push(field);
    }
    if !json {
        let listed: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        draft.format.push(format!("columns = [{}]", listed.join(", ")));
    }
    draft
        .unsure
        .push("which columns a record cannot be without (`required`), and what names a series (`key`)".to_owned());
    finish(name, draft, |_, _| {}).map_err(KdaError::Proposal)
}

/// The schema, however deep what describes the application has it.
fn find(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(members) if members.get("RecordColumns").is_some_and(Value::is_array) => Some(value),
        Value::Object(members) => members.values().find_map(find),
        Value::Array(items) => items.iter().find_map(find),
        _ => None,
    }
}

fn field(column: &Value, index: usize, json: bool, each: &Path, taken: &[String]) -> Result<DraftField, KdaError> {
    let text = |key: &str| column.get(key).and_then(Value::as_str);
    let written = text("Name").ok_or_else(|| KdaError::Schema(format!("column {} has no `Name`", index + 1)))?;
    let sql = text("SqlType").ok_or_else(|| KdaError::Schema(format!("column `{written}` has no `SqlType`")))?;
    let mut name = column_name(written);
    if name == "event_time" || name == "window" {
        name.push_str("_of_record");
    }
    while taken.contains(&name) {
        name.push('_');
    }
    let kind = match sql.split(['(', ' ']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
        "TINYINT" | "SMALLINT" | "INTEGER" | "INT" | "BIGINT" => FieldType::Integer,
        "REAL" | "FLOAT" | "DOUBLE" | "DECIMAL" | "NUMERIC" => FieldType::Double,
        "BOOLEAN" => FieldType::Boolean,
        "TIMESTAMP" | "DATE" => FieldType::Timestamp,
        _ => FieldType::Text,
    };
    let (mut place, mut of) = (name.clone(), Scope::Row);
    if json {
        let mapped = path(text("Mapping").unwrap_or(written))?;
        let inside = mapped.steps.strip_prefix(each.steps.as_slice());
        of = if each.levels() > 0 && inside.is_none() { Scope::Record } else { Scope::Row };
        place = inside
            .filter(|_| each.levels() > 0)
            .map_or(mapped.clone(), |steps| Path { steps: steps.to_vec() })
            .to_string();
    }
    let format = (kind == FieldType::Timestamp).then(|| "iso8601".to_owned());
    Ok(DraftField { name, kind, path: place, of, required: false, format, comment: None })
}

/// KDA writes `[0:]` for every element.
fn path(text: &str) -> Result<Path, KdaError> {
    let text = text.replace("[0:]", "[*]");
    let path =
        Path::parse(&text).map_err(|error| KdaError::Schema(format!("`{text}` is no path: {}", error.message)))?;
    let last = path.steps.iter().rposition(|step| *step == Step::Every);
    Ok(match last {
        // Rows end at the elements.
        Some(last) if path.steps.len() > last + 1 && text.contains("[*]") => path,
        _ => path,
    })
}

fn row_path(each: &Path) -> String {
    let text = each.to_string();
    if text.starts_with('$') { text } else { format!("$.{text}") }
}
