//! DataFusion as a batch engine: the query over the whole file, written as JSON.

use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{NdJsonReadOptions, SessionContext};

use crate::BoxError;

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
