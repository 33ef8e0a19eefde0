//! DataFusion as a batch engine: the query over the whole file, written as JSON. Apache Flink as a stream, cold and warm.

use std::path::Path;
use std::process::{Command, Stdio};

use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{NdJsonReadOptions, SessionContext};

use crate::BoxError;
use crate::measure::Cost;

/// Runs a query over a file of events.
pub(crate) fn datafusion(query: &str, input: &str, output: &str) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let context = SessionContext::new();
        let schema = Schema::new(vec![
            Field::new("timestamp", DataType::Timestamp(TimeUnit::Nanosecond, None), true),
            Field::new("value", DataType::Float64, true),
            Field::new("source", DataType::Utf8, true),
        ]);
        let options = NdJsonReadOptions::default().schema(&schema);
        context.register_json("events", input, options).await?;
        let rows = context.sql(query).await?;
        rows.write_json(output, DataFrameWriteOptions::new().with_single_file_output(true), None).await?;
        Ok(())
    })
}

/// Runs a query on Apache Flink twice in one process; what the first run cost, start-up included, and the second, warm one.
pub(crate) fn flink(
    python: &Path,
    query: &str,
    input: &Path,
    output: &Path,
) -> Result<[(&'static str, Cost); 2], BoxError> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peer_flink.py");
    let cores = std::thread::available_parallelism()?.to_string();
    let ran = Command::new(python)
        .arg(script)
        .arg(query)
        .args([input, output])
        .arg(cores)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    if !ran.status.success() {
        return Err(format!("Flink on {query}: {}: {}", ran.status, String::from_utf8_lossy(&ran.stderr)).into());
    }
    let said = String::from_utf8(ran.stdout)?;
    let costs: serde_json::Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    let cost = |state: &str| {
        let number = |key: &str| costs.get(state).and_then(|c| c.get(key)).and_then(serde_json::Value::as_f64);
        let number = |key: &str| number(key).unwrap_or(f64::NAN);
        Cost { cpu: number("cpu"), wall: number("wall"), peak_mb: number("peak_mb"), first_output: 0.0 }
    };
    Ok([("Flink, cold", cost("cold")), ("Flink, warm", cost("warm"))])
}
