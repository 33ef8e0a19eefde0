//! Connector tables: what a `CREATE TABLE … WITH (connector = …)` declares, checked as Arroyo checks it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::logical_expr::Expr;
use weir_stream::Declaration;

use super::options::Options;
use crate::error::{Place, PlanError};
use crate::formats::declared;
use crate::formats::json::TimestampFormat;
use crate::program::{BadData, Format, FutureLimit, TableInfo, TableKind};

/// A declared table with its expressions.
#[derive(Debug, Clone)]
pub(crate) struct ConnectorTable {
    pub(crate) info: TableInfo,
    pub(crate) fields: Vec<FieldSpec>,
    /// The column that is the event time; arrival time without.
    pub(crate) event_time: Option<String>,
    pub(crate) watermark: WatermarkSpec,
}

/// One column: carried by records or computed.
#[derive(Debug, Clone)]
pub(crate) enum FieldSpec {
    Physical(Field),
    Generated { field: Field, expression: Expr },
}

impl FieldSpec {
    pub(crate) fn field(&self) -> &Field {
        match self {
            Self::Physical(field) | Self::Generated { field, .. } => field,
        }
    }
}

/// How far event time has come, by a row.
#[derive(Debug, Clone)]
pub(crate) enum WatermarkSpec {
    /// The row's event time less a fixed lateness.
    Lateness(i64),
    /// An expression over the physical columns.
    Expression(Box<Expr>),
}

/// Arroyo's lateness where a table names none: one second.
pub(crate) const DEFAULT_LATENESS: i64 = 1_000_000_000;

impl ConnectorTable {
    pub(crate) fn physical_schema(&self) -> SchemaRef {
        Schema::new(
            self.fields
                .iter()
                .filter_map(|f| match f {
                    FieldSpec::Physical(field) => Some(field.clone()),
                    FieldSpec::Generated { .. } => None,
                })
                .collect::<Vec<_>>(),
        )
        .into()
    }

    /// Gives a sink that was declared without columns those of its first query.
    pub(crate) fn set_columns(&mut self, fields: impl Iterator<Item = Field>) {
        self.fields = fields.map(FieldSpec::Physical).collect();
        self.info.schema = self.schema();
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Schema::new(self.fields.iter().map(|f| f.field().clone()).collect::<Vec<_>>()).into()
    }
}

/// Reads the options that are common to all connectors, and the connector's own.
pub(crate) fn read_options(
    name: &str,
    connector: &str,
    fields: &[FieldSpec],
    options: &mut Options,
    place: Place,
) -> Result<TableInfo, PlanError> {
    if let Some(what) = other_connector(connector) {
        return Err(PlanError::not_supported(format!("connector '{connector}' ({what})")).at(place));
    }
    if !["kinesis", "single_file", "stdout", "blackhole", "impulse"].contains(&connector) {
        return Err(PlanError::refused(format!("unknown connector '{connector}'"))
            .at(place)
            .hint("the embedded engine has kinesis, single_file, stdout, blackhole and impulse"));
    }
    let format = read_format(options, fields, place)?;
    let (newline_framing, max_line_bytes) = read_framing(options)?;
    let bad_data = match options.text("bad_data")?.as_deref() {
        None | Some("fail") => BadData::Fail,
        Some("drop") => BadData::Drop,
        Some(other) => {
            return Err(PlanError::refused(format!("invalid bad_data: '{other}'"))
                .at(place)
                .hint("use 'fail' or 'drop'"));
        }
    };
    check_types(fields, place)?;
    let kind = read_kind(connector, options, place)?;
    if let Some(Format::Declared(_)) = &format {
        if kind == TableKind::Sink {
            return Err(PlanError::refused("format 'weir_stream' reads records and writes none").at(place));
        }
        if newline_framing || bad_data == BadData::Drop {
            return Err(PlanError::refused("format 'weir_stream' knows neither 'framing' nor 'bad_data'")
                .at(place)
                .hint("the declaration says what a record is; what is none is a row with its reason"));
        }
    }
    let own = read_connector_options(connector, kind, options, place)?;
    if format.is_none() && ["kinesis", "single_file", "stdout"].contains(&connector) {
        return Err(PlanError::refused(format!("'format' must be set for {connector} connections")).at(place));
    }
    let schema = Schema::new(fields.iter().map(|f| f.field().clone()).collect::<Vec<_>>()).into();
    Ok(TableInfo {
        future_limit: FutureLimit::default(),
        name: name.to_owned(),
        kind,
        connector: connector.to_owned(),
        options: own,
        format,
        bad_data,
        newline_framing,
        max_line_bytes,
        schema,
    })
}

fn other_connector(connector: &str) -> Option<&'static str> {
    Some(match connector {
        "kafka" | "confluent" | "nats" | "mqtt" | "rabbitmq" => "a message broker",
        "redis" => "a lookup or a key-value store",
        "filesystem" | "delta" | "iceberg" => "files in object storage",
        "nexmark" => "a load generator",
        "sse" | "websocket" | "webhook" | "polling_http" | "fluvio" | "preview" => "a network service",
        _ => return None,
    })
}

fn read_kind(connector: &str, options: &mut Options, place: Place) -> Result<TableKind, PlanError> {
    match connector {
        "impulse" => return Ok(TableKind::Source),
        "stdout" | "blackhole" => return Ok(TableKind::Sink),
        _ => {}
    }
    let given = options.required_text("type")?;
    match given.as_str() {
        "source" => Ok(TableKind::Source),
        "sink" => Ok(TableKind::Sink),
        _ => Err(PlanError::refused(format!("'type' must be 'source' or 'sink', not '{given}'")).at(place)),
    }
}

fn read_connector_options(
    connector: &str,
    kind: TableKind,
    options: &mut Options,
    place: Place,
) -> Result<BTreeMap<String, String>, PlanError> {
    let mut own = BTreeMap::new();
    let mut keep = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            own.insert(key.to_owned(), value);
        }
    };
    match (connector, kind) {
        ("kinesis", _) => {
            keep("stream_name", Some(options.required_text("stream_name")?));
            keep("aws_region", options.text("aws_region")?);
            if kind == TableKind::Source {
                let offset = options.text("source.offset")?;
                if let Some(other) = offset.as_deref().filter(|o| !["earliest", "latest"].contains(o)) {
                    return Err(PlanError::refused(format!("invalid source.offset '{other}'"))
                        .at(place)
                        .hint("use 'earliest' or 'latest'"));
                }
                keep("source.offset", offset);
            } else {
                for key in ["sink.flush_interval_millis", "sink.max_bytes_per_batch", "sink.max_records_per_batch"] {
                    keep(key, options.integer(key)?.map(|v| v.to_string()));
                }
            }
        }
        ("single_file", _) => {
            keep("path", Some(options.required_text("path")?));
            keep("wait_for_control", options.boolean("wait_for_control")?.map(|v| v.to_string()));
        }
        ("impulse", _) => {
            keep(
                "event_rate",
                Some(options.float("event_rate")?.ok_or_else(|| options.missing("event_rate"))?.to_string()),
            );
            for key in ["event_time_interval", "message_count"] {
                keep(key, options.integer(key)?.map(|v| v.to_string()));
            }
        }
        _ => {}
    }
    Ok(own)
}

fn read_format(options: &mut Options, fields: &[FieldSpec], place: Place) -> Result<Option<Format>, PlanError> {
    let Some(name) = options.text("format")? else { return Ok(None) };
    let one_column = |data_type: &DataType, type_name: &str| {
        let physical: Vec<_> =
            fields.iter().filter(|f| matches!(f, FieldSpec::Physical(_))).map(FieldSpec::field).collect();
        match physical.as_slice() {
            [field] if field.name() == "value" && field.data_type() == data_type => Ok(()),
            _ => Err(PlanError::refused(format!(
                "format '{name}' requires a schema with a single field called `value` of type {type_name}"
            ))
            .at(place)),
        }
    };
    match name.as_str() {
        "json" => {
            for flag in ["json.confluent_schema_registry", "json.include_schema"] {
                if options.boolean(flag)? == Some(true) {
                    return Err(PlanError::not_supported(format!("option '{flag}'")).at(place));
                }
            }
            if options.text("json.decimal_encoding")?.is_some_and(|e| e != "number") {
                return Err(PlanError::not_supported("option 'json.decimal_encoding'").at(place));
            }
            let unstructured = options.boolean("json.unstructured")?.unwrap_or(false);
            if unstructured {
                one_column(&DataType::Utf8, "JSON or TEXT")?;
            }
            let timestamps = match options.text("json.timestamp_format")?.as_deref() {
                None | Some("RFC3339") => TimestampFormat::default(),
                Some("UnixMillis" | "unix_millis") => TimestampFormat::UnixMillis,
                Some(other) => {
                    return Err(PlanError::refused(format!("invalid value for `json.timestamp_format`: '{other}'"))
                        .at(place)
                        .hint("use 'RFC3339' or 'unix_millis'"));
                }
            };
            Ok(Some(Format::Json { unstructured, timestamps }))
        }
        "raw_string" => one_column(&DataType::Utf8, "TEXT").map(|()| Some(Format::RawString)),
        "weir_stream" => read_declared(options, fields, place).map(Some),
        "raw_bytes" => one_column(&DataType::Binary, "BYTEA").map(|()| Some(Format::RawBytes)),
        "debezium_json" => Err(PlanError::not_supported("format 'debezium_json' (updating tables)").at(place)),
        "avro" | "parquet" => Err(PlanError::not_supported(format!("format '{name}'")).at(place)),
        "protobuf" => Err(PlanError::refused("protobuf cannot be used in CREATE TABLE").at(place)),
        other => Err(PlanError::refused(format!("unknown format '{other}'"))
            .at(place)
            .hint("use json, raw_string, raw_bytes or weir_stream")),
    }
}

/// `format = 'weir_stream'`: the stream's file says what records are, and so what the table's columns must be.
fn read_declared(options: &mut Options, fields: &[FieldSpec], place: Place) -> Result<Format, PlanError> {
    let name = options.required_text("weir_stream.name")?;
    let text = options.required_text("weir_stream.declaration")?;
    let declaration = Declaration::parse(format!("{name}.toml").as_ref(), &text).map_err(|faults| {
        let said = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        PlanError::refused(format!("the declaration of stream {name}: {said}")).at(place)
    })?;
    let wanted = declared::fields(&declaration);
    let physical = fields.iter().filter(|f| matches!(f, FieldSpec::Physical(_))).map(FieldSpec::field);
    let same = |(wanted, field): (&Field, &Field)| {
        wanted.name() == field.name()
            && declared::sql_type(wanted) == declared::sql_type(field)
            && wanted.data_type() == field.data_type()
            && wanted.is_nullable() == field.is_nullable()
    };
    if physical.clone().count() != wanted.len() || !wanted.iter().zip(physical).all(same) {
        let column = |f: &Field| {
            let constraint = if f.is_nullable() { "" } else { " NOT NULL" };
            format!("\"{}\" {}{constraint}", f.name(), declared::sql_type(f))
        };
        let columns = wanted.iter().map(column).collect::<Vec<_>>().join(", ");
        return Err(PlanError::refused(format!("the columns are not those of stream {name}"))
            .at(place)
            .hint(format!("declare {columns}")));
    }
    Ok(Format::Declared(Arc::new(declaration)))
}

/// Whether records are framed, and how many bytes of a line are read.
fn read_framing(options: &mut Options) -> Result<(bool, Option<usize>), PlanError> {
    match options.text("framing")?.as_deref() {
        None => Ok((false, None)),
        Some("newline") => {
            let longest = options.integer("framing.newline.max_length")?;
            Ok((true, longest.map(|n| usize::try_from(n).unwrap_or(0))))
        }
        Some(other) => {
            let refusal = PlanError::refused(format!("invalid framing: unknown framing method '{other}'"));
            Err(refusal.at(options.place).hint("use 'newline'"))
        }
    }
}

fn check_types(fields: &[FieldSpec], place: Place) -> Result<(), PlanError> {
    for spec in fields {
        let FieldSpec::Physical(field) = spec else { continue };
        if !is_connection_type(field.data_type()) {
            return Err(PlanError::refused(format!(
                "field '{}' has a type '{}' that cannot be used in a connection table",
                field.name(),
                field.data_type()
            ))
            .at(place)
            .hint("use BIGINT, DOUBLE, TEXT, TIMESTAMP, BOOLEAN, BYTEA, JSON, DECIMAL, STRUCT or ARRAY"));
        }
    }
    Ok(())
}

fn is_connection_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Utf8
        | DataType::Binary
        | DataType::Timestamp(_, None) => true,
        DataType::Struct(fields) => fields.iter().all(|f| is_connection_type(f.data_type())),
        DataType::List(item) => is_connection_type(item.data_type()),
        _ => false,
    }
}

/// The columns of an `impulse` source.
pub(crate) fn impulse_fields() -> Vec<FieldSpec> {
    vec![
        FieldSpec::Physical(Field::new("counter", DataType::Int64, false)),
        FieldSpec::Physical(Field::new("subtask_index", DataType::Int64, false)),
    ]
}

/// The type of event time.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, None)
}

/// The name of the sink of a bare `SELECT`.
pub(crate) const PREVIEW: &str = "stdout";

/// The sink of a bare `SELECT`.
pub(crate) fn preview_table() -> TableInfo {
    TableInfo {
        name: PREVIEW.to_owned(),
        kind: TableKind::Sink,
        connector: "stdout".to_owned(),
        options: BTreeMap::new(),
        format: Some(Format::Json { unstructured: false, timestamps: TimestampFormat::default() }),
        bad_data: BadData::Fail,
        newline_framing: false,
        max_line_bytes: None,
        future_limit: FutureLimit::default(),
        schema: Arc::new(Schema::empty()),
    }
}
