//! What the generated code needs of a column.

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, PrimitiveArray, StringArray,
};
use arrow::error::ArrowError;

/// The numbers of an argument.
///
/// # Errors
/// The argument is missing or of another type, which the planner does not let happen.
pub fn number<T: ArrowPrimitiveType>(arguments: &[ArrayRef], nth: usize) -> Result<&PrimitiveArray<T>, ArrowError> {
    arguments.get(nth).and_then(|a| a.as_primitive_opt()).ok_or_else(|| wrong(arguments, nth))
}

/// The texts of an argument.
///
/// # Errors
/// As of [`number`].
pub fn text(arguments: &[ArrayRef], nth: usize) -> Result<&StringArray, ArrowError> {
    arguments.get(nth).and_then(|a| a.as_string_opt()).ok_or_else(|| wrong(arguments, nth))
}

/// The bytes of an argument.
///
/// # Errors
/// As of [`number`].
pub fn bytes(arguments: &[ArrayRef], nth: usize) -> Result<&BinaryArray, ArrowError> {
    arguments.get(nth).and_then(|a| a.as_binary_opt()).ok_or_else(|| wrong(arguments, nth))
}

/// The value of a row, `None` for NULL.
pub fn value<A: ArrayAccessor>(array: A, row: usize) -> Option<A::Item> {
    array.is_valid(row).then(|| array.value(row))
}

fn wrong(arguments: &[ArrayRef], nth: usize) -> ArrowError {
    let found = arguments.get(nth).map_or("nothing".to_owned(), |a| a.data_type().to_string());
    ArrowError::InvalidArgumentError(format!("argument {} is {found}", nth + 1))
}
