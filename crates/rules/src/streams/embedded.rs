//! A stream's source on the embedded engine: its records are decoded as the stream's file says, in one pass into typed columns.

use std::fmt::Write as _;

use toml_edit::{DocumentMut, Item, Table, Value};
use weir_stream::FieldType;

use super::{StreamFile, clock, kinesis_stream, region, source_table};
use crate::{Environment, RuleError, TimeMode, template::quote};

/// The table that a stream's records enter by, and the view in which each of them is one of: event, control record, poison.
pub(super) fn source(stream: &StreamFile, environment: &Environment) -> Result<String, RuleError> {
    let values = environment.table_values();
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    let declaration = &stream.declaration;
    let name = &declaration.name;
    let mut columns = String::new();
    for column in declaration.columns() {
        let _ = writeln!(columns, "  \"{}\" {},", column.name, sql_type(column.kind));
    }
    let event_time = match clock(declaration, environment) {
        TimeMode::Arrival => String::new(),
        TimeMode::Event => format!(
            ",\n  event_time TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(weir_time, {})),\n  \
             WATERMARK FOR event_time AS (coalesce(weir_time, {}) - {})",
            value("no_time"),
            value("end_of_times"),
            value("watermark_delay")
        ),
    };
    let fields: Vec<String> = declaration.columns().iter().map(|column| format!("\"{}\"", column.name)).collect();
    Ok(format!(
        "-- Stream {name}, as sql/streams/{name}.toml declares it.
-- weir: future_limit = {future_limit}
CREATE TABLE {raw} (
{columns}  weir_kind TEXT NOT NULL,
  weir_time TIMESTAMP,
  weir_raw BYTEA,
  weir_error TEXT,
  weir_probe_id TEXT,
  weir_sent_at TEXT{event_time}
) WITH (
  connector = 'kinesis', type = 'source', stream_name = {kinesis},{region}
  'source.offset' = '{offset}', format = 'weir_stream',
  'weir_stream.name' = '{name}', 'weir_stream.declaration' = {text}
);

-- weir: count = weir_kind
CREATE VIEW {name}_decoded AS
SELECT row_time() AS event_time, {fields}, weir_kind, weir_time, weir_raw, weir_error, weir_probe_id, weir_sent_at
FROM {raw};
",
        raw = source_table(name),
        future_limit = value("future_limit"),
        kinesis = quote(&kinesis_stream(stream, environment)),
        region = region(environment),
        offset = value("source_offset"),
        text = quote(&canonical(stream)?),
        fields = fields.join(", "),
    ))
}

fn sql_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Double => "DOUBLE",
        FieldType::Integer => "BIGINT",
        FieldType::Text => "TEXT",
        FieldType::Boolean => "BOOLEAN",
        FieldType::Timestamp => "TIMESTAMP",
        FieldType::Json => "JSON",
    }
}

/// The file without what does not change what records are: samples, comments, blank lines. A program, and with it the state that it
/// left, is then another only where the stream is.
fn canonical(stream: &StreamFile) -> Result<String, RuleError> {
    let mut document: DocumentMut =
        stream.text.parse().map_err(|e: toml_edit::TomlError| RuleError::new(&stream.file, e.message().to_owned()))?;
    document.remove("sample");
    // The Kinesis stream is the table's own option.
    document.remove("stream");
    bare(document.as_table_mut());
    document.set_trailing("");
    Ok(document.to_string().trim().to_owned())
}

fn bare(table: &mut Table) {
    table.decor_mut().clear();
    for (mut key, item) in table.iter_mut() {
        key.leaf_decor_mut().clear();
        key.dotted_decor_mut().clear();
        match item {
            Item::Table(inner) => bare(inner),
            Item::Value(value) => bare_value(value),
            _ => {}
        }
    }
}

fn bare_value(value: &mut Value) {
    value.decor_mut().clear();
    match value {
        Value::Array(array) => {
            array.set_trailing("");
            array.iter_mut().for_each(bare_value);
        }
        Value::InlineTable(table) => {
            for (mut key, value) in table.iter_mut() {
                key.leaf_decor_mut().clear();
                bare_value(value);
            }
        }
        _ => {}
    }
}
