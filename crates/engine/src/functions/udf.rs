//! Functions that a program may call beside the dialect's own: written in Rust and compiled into the process.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// A user-defined function or aggregate, as Arroyo would load it from a library.
#[derive(Debug, Clone)]
pub struct Udf {
    /// Its name in SQL.
    pub name: &'static str,
    /// Row by row, or over all rows of a group.
    pub kind: UdfKind,
    /// The arguments' types; those of the elements where the function takes vectors.
    pub arguments: Vec<DataType>,
    /// The result's type. A result may always be NULL.
    pub returns: DataType,
    /// The function itself.
    pub call: UdfCall,
}

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UdfKind {
    /// Once a row.
    Scalar,
    /// Once a group, with one vector an argument, in the order in which rows arrived within a bin, bin after bin.
    Aggregate,
}

/// Columns of equal length in, one column out: of the same length for a scalar function, of length one for an aggregate.
pub type UdfCall = fn(&[ArrayRef]) -> Result<ArrayRef, ArrowError>;
