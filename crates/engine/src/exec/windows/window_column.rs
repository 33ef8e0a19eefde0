//! Columns of windows.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Fields};
use datafusion::common::{Result, internal_err};

use crate::program::window_type;

/// A column of windows.
pub(crate) fn window_array(starts: Vec<i64>, ends: Vec<i64>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = window_type() else { return internal_err!("windows are structs") };
    let fields: Fields = fields;
    let columns: Vec<ArrayRef> =
        vec![Arc::new(TimestampNanosecondArray::from(starts)), Arc::new(TimestampNanosecondArray::from(ends))];
    Ok(Arc::new(StructArray::try_new(fields, columns, None)?))
}
