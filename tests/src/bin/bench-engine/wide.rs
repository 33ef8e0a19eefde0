//! A wide event with ten fields: a declared stream's format against a typed table of the same columns.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use crate::BoxError;

/// The stream's file, as a compiled program holds it.
const DECLARATION: &str = r#"key = "device"
time = { path = "last_seen", format = "rfc3339" }

[fields]
device = { type = "text", required = true }
temperature = "double"
humidity = "double"
pressure = "double"
battery = "integer"
linkquality = "integer"
voltage = "double"
occupancy = "boolean"
firmware = "text"
state = "text""#;

/// The columns beside the time.
const COLUMNS: [(&str, &str); 10] = [
    ("device", "TEXT"),
    ("temperature", "DOUBLE"),
    ("humidity", "DOUBLE"),
    ("pressure", "DOUBLE"),
    ("battery", "BIGINT"),
    ("linkquality", "BIGINT"),
    ("voltage", "DOUBLE"),
    ("occupancy", "BOOLEAN"),
    ("firmware", "TEXT"),
    ("state", "TEXT"),
];

/// A file of so many events, made once.
pub(crate) fn file(folder: &Path, events: u64) -> Result<PathBuf, BoxError> {
    let path = folder.join(format!("wide-{events}.jsonl"));
    if path.exists() {
        return Ok(path);
    }
    let mut out = BufWriter::new(File::create(&path)?);
    for n in 0..events {
        let (minute, second, milli) = (n / 60_000 % 60, n / 1_000 % 60, n % 1_000);
        writeln!(
            out,
            r#"{{"battery":{},"device":"room-{}","firmware":"v{}","humidity":{}.6,"last_seen":"2026-01-01T{:02}:{minute:02}:{second:02}.{milli:03}Z","linkquality":{},"occupancy":{},"pressure":1001.{},"state":"ON","temperature":{}.25,"voltage":3.{}}}"#,
            n % 100,
            n % 1_000,
            n % 7,
            n % 60,
            n / 3_600_000 % 24,
            n % 256,
            n % 2 == 0,
            n % 10,
            n % 90,
            n % 10
        )?;
    }
    out.flush()?;
    Ok(path)
}

/// The two programs: their names and texts.
pub(crate) fn programs(input: &Path, output: impl Fn(&str) -> PathBuf) -> [(&'static str, String); 2] {
    let own: String = COLUMNS.iter().fold(String::new(), |mut text, (name, kind)| {
        let _ = writeln!(text, "  {name} {kind},");
        text
    });
    let names = COLUMNS.map(|(name, _)| name).join(", ");
    let source = |columns: &str, options: &str| {
        format!(
            "CREATE TABLE wide (\n{own}{columns}\n) WITH (connector = 'single_file', type = 'source', path = '{}', {options});\n",
            input.display()
        )
    };
    let rest = |name: &str, condition: &str| {
        format!(
            "CREATE TABLE found WITH (connector = 'single_file', type = 'sink', path = '{}', format = 'json');\nINSERT INTO found SELECT {names} FROM \
             wide WHERE {condition}temperature > 88.0 AND humidity > 40.0;\n",
            output(name).display()
        )
    };
    let typed = source(
        "  last_seen TIMESTAMP NOT NULL,\n  WATERMARK FOR last_seen AS (last_seen - INTERVAL '5 seconds')",
        "format = 'json', bad_data = 'drop'",
    );
    let declared = source(
        "  weir_kind TEXT NOT NULL, weir_time TIMESTAMP, weir_raw BYTEA, weir_error TEXT, weir_probe_id TEXT, weir_sent_at TEXT,\n  event_time \
         TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(weir_time, TIMESTAMP '1970-01-01 00:00:00')),\n  WATERMARK FOR event_time AS \
         (coalesce(weir_time, TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '5 seconds')",
        &format!("format = 'weir_stream', 'weir_stream.name' = 'wide', 'weir_stream.declaration' = '{DECLARATION}'"),
    );
    [
        ("typed table", typed + &rest("typed table", "")),
        ("declared stream", declared + &rest("declared stream", "weir_kind = 'event' AND ")),
    ]
}
