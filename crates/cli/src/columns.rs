//! The options that name the columns of a person's own files.

use weir_backtest::data::read::Columns;
use weir_decode::EpochUnit;

/// Which columns or fields hold what.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct ColumnOptions {
    /// The column or field with the time (RFC 3339, `YYYY-MM-DD hh:mm:ss`, or epoch milliseconds)
    #[arg(long, default_value = "timestamp", value_name = "NAME")]
    timestamp: String,
    /// The unit of times that are numbers, where it is not milliseconds
    #[arg(long, value_name = "s|ms|us|ns", value_parser = unit)]
    timestamp_unit: Option<EpochUnit>,
    /// The column or field with the reading
    #[arg(long, default_value = "value", value_name = "NAME")]
    value: String,
    /// The column or field with the source; where a row of CSV or Parquet has none, the file's name
    #[arg(long, default_value = "source", value_name = "NAME")]
    source: String,
    /// The column or field with the metric
    #[arg(long, default_value = "metric", value_name = "NAME")]
    metric: String,
}

impl ColumnOptions {
    /// The columns that they name.
    pub(crate) fn columns(&self) -> Columns {
        let Self { timestamp, value, source, metric, timestamp_unit } = self.clone();
        Columns { timestamp, value, source, metric, unit: timestamp_unit }
    }
}

fn unit(sign: &str) -> Result<EpochUnit, String> {
    EpochUnit::ALL.into_iter().find(|unit| unit.sign() == sign).ok_or_else(|| "s, ms, us or ns".to_owned())
}
