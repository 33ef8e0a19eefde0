//! Columns that grow value by value, and can give back the last ones.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, ListArray, NullBufferBuilder, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::kernels::cast_utils::{Parser, parse_decimal};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Field, FieldRef, Float32Type, Float64Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt32Type, UInt64Type,
};

use super::error::{DecodeError, UnsupportedColumn};
use super::rows::{Growing, Rows};
use super::scan::{Cursor, Text, check_depth};
use super::{is_json, timestamp};

/// One column: its values so far and which of them are null.
#[derive(Debug)]
pub(super) struct Column {
    values: Values,
    nulls: NullBufferBuilder,
}

#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    UInt32(Vec<u32>),
    UInt64(Vec<u64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal { values: Vec<i128>, precision: u8, scale: i8 },
    Timestamp { values: Vec<i64>, unit: TimeUnit },
    Text(TextValues),
    Json(TextValues),
    Struct(Rows<Column>),
    List { ends: Vec<i32>, item: FieldRef, items: Box<Column> },
}

/// Strings end to end, and where each one ends (the first entry is where the first one begins).
#[derive(Debug)]
struct TextValues {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Growing for Column {
    fn new(field: &Field) -> Result<Self, UnsupportedColumn> {
        let text = || TextValues { ends: vec![0], bytes: Vec::new() };
        let in_field = |error: UnsupportedColumn| UnsupportedColumn {
            column: format!("{}.{}", field.name(), error.column),
            ..error
        };
        let values = match field.data_type() {
            DataType::Boolean => Values::Bool(Vec::new()),
            DataType::Int32 => Values::Int32(Vec::new()),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::UInt32 => Values::UInt32(Vec::new()),
            DataType::UInt64 => Values::UInt64(Vec::new()),
            DataType::Float32 => Values::Float32(Vec::new()),
            DataType::Float64 => Values::Float64(Vec::new()),
            DataType::Decimal128(precision, scale) => {
                Values::Decimal { values: Vec::new(), precision: *precision, scale: *scale }
            }
            DataType::Timestamp(unit, None) => Values::Timestamp { values: Vec::new(), unit: *unit },
            DataType::Utf8 if is_json(field) => Values::Json(text()),
            DataType::Utf8 => Values::Text(text()),
            DataType::Struct(fields) => Values::Struct(Rows::new(fields).map_err(in_field)?),
            DataType::List(item) => {
                Values::List { ends: vec![0], item: item.clone(), items: Box::new(Self::new(item).map_err(in_field)?) }
            }
            other => return Err(UnsupportedColumn { column: field.name().clone(), data_type: other.to_string() }),
        };
        Ok(Self { values, nulls: NullBufferBuilder::new(0) })
    }

    #[inline]
    fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Reads one value of any kind. Nothing is added when it fails.
    #[inline]
    fn read(
        &mut self,
        nullable: bool,
        cursor: &mut Cursor<'_>,
        scratch: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let first = cursor.next_token()?;
        if first == b'n' {
            cursor.literal(b"null")?;
            if !nullable {
                return Err(DecodeError::Missing { column: String::new() });
            }
            self.push_null();
            return Ok(());
        }
        match &mut self.values {
            Values::Bool(values) => values.push(read_bool(first, cursor, depth)?),
            Values::Int32(values) => {
                values.push(read_number(first, cursor, scratch, depth, "INT", |n| n.to_integer(), Int32Type::parse)?);
            }
            Values::Int64(values) => {
                values.push(read_number(
                    first,
                    cursor,
                    scratch,
                    depth,
                    "BIGINT",
                    |n| n.to_integer(),
                    Int64Type::parse,
                )?);
            }
            Values::UInt32(values) => {
                values.push(read_number(
                    first,
                    cursor,
                    scratch,
                    depth,
                    "INT UNSIGNED",
                    |n| n.to_integer(),
                    UInt32Type::parse,
                )?);
            }
            Values::UInt64(values) => {
                values.push(read_number(
                    first,
                    cursor,
                    scratch,
                    depth,
                    "BIGINT UNSIGNED",
                    |n| n.to_integer(),
                    UInt64Type::parse,
                )?);
            }
            Values::Float32(values) => {
                values.push(read_number(first, cursor, scratch, depth, "FLOAT", |n| n.to_f32(), Float32Type::parse)?);
            }
            Values::Float64(values) => {
                values.push(read_number(first, cursor, scratch, depth, "DOUBLE", |n| n.to_f64(), Float64Type::parse)?);
            }
            Values::Decimal { values, precision, scale } => {
                let parse = |text: &str| decimal(text, *precision, *scale);
                values.push(read_number(first, cursor, scratch, depth, "DECIMAL", |n| n.str().and_then(parse), parse)?);
            }
            Values::Timestamp { values, unit } => values.push(match first {
                b'"' => {
                    let text = cursor.string()?;
                    timestamp::parse(text.resolve(scratch), unit)
                        .ok_or_else(|| DecodeError::mismatch("TIMESTAMP", text.raw))?
                }
                b'-' | b'0'..=b'9' => {
                    let number = cursor.number()?;
                    number.to_timestamp().ok_or_else(|| DecodeError::mismatch("TIMESTAMP", number.text))?
                }
                _ => return Err(mismatch("TIMESTAMP", cursor, depth)),
            }),
            Values::Text(values) => match first {
                b'"' => {
                    let text: Text<'_> = cursor.string()?;
                    values.push(text.resolve(scratch))?;
                }
                _ => return Err(mismatch("TEXT", cursor, depth)),
            },
            Values::Json(values) => {
                let start = cursor.position();
                cursor.skip(depth)?;
                compact(cursor.since(start), scratch);
                values.push(scratch)?;
            }
            Values::Struct(rows) => match first {
                b'{' => {
                    let len = rows.len();
                    rows.read(cursor, scratch, depth).inspect_err(|_| rows.truncate(len))?;
                }
                _ => return Err(mismatch("STRUCT", cursor, depth)),
            },
            Values::List { ends, item, items } => match first {
                b'[' => {
                    let len = items.len();
                    let end = read_list(item, items, cursor, scratch, depth).inspect_err(|_| items.truncate(len))?;
                    ends.push(end);
                }
                _ => return Err(mismatch("ARRAY", cursor, depth)),
            },
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Adds a text as it is; only where the column is text.
    fn push_text(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        if let Values::Text(values) | Values::Json(values) = &mut self.values {
            values.push(text)?;
            self.nulls.append_non_null();
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match &mut self.values {
            Values::Bool(values) => values.push(false),
            Values::Int32(values) => values.push(0),
            Values::Int64(values) | Values::Timestamp { values, .. } => values.push(0),
            Values::UInt32(values) => values.push(0),
            Values::UInt64(values) => values.push(0),
            Values::Float32(values) => values.push(0.0),
            Values::Float64(values) => values.push(0.0),
            Values::Decimal { values, .. } => values.push(0),
            Values::Text(values) | Values::Json(values) => {
                values.ends.push(values.ends.last().copied().unwrap_or_default())
            }
            Values::Struct(rows) => rows.push_null(),
            Values::List { ends, .. } => ends.push(ends.last().copied().unwrap_or_default()),
        }
        self.nulls.append_null();
    }

    fn truncate(&mut self, len: usize) {
        if self.len() <= len {
            return;
        }
        match &mut self.values {
            Values::Bool(values) => values.truncate(len),
            Values::Int32(values) => values.truncate(len),
            Values::Int64(values) | Values::Timestamp { values, .. } => values.truncate(len),
            Values::UInt32(values) => values.truncate(len),
            Values::UInt64(values) => values.truncate(len),
            Values::Float32(values) => values.truncate(len),
            Values::Float64(values) => values.truncate(len),
            Values::Decimal { values, .. } => values.truncate(len),
            Values::Text(values) | Values::Json(values) => {
                values.ends.truncate(len + 1);
                values.bytes.truncate(values.ends.last().copied().unwrap_or_default() as usize);
            }
            Values::Struct(rows) => rows.truncate(len),
            Values::List { ends, items, .. } => {
                ends.truncate(len + 1);
                items.truncate(ends.last().copied().unwrap_or_default() as usize);
            }
        }
        self.nulls.truncate(len);
    }

    /// Hands the values over and starts anew, with room for as many again.
    fn finish(&mut self) -> Result<ArrayRef, DecodeError> {
        let nulls = self.nulls.finish();
        Ok(match &mut self.values {
            Values::Bool(values) => {
                let array = BooleanArray::new(BooleanBuffer::from(values.as_slice()), nulls);
                values.clear();
                Arc::new(array)
            }
            Values::Int32(values) => primitive::<Int32Type>(values, nulls)?,
            Values::Int64(values) => primitive::<Int64Type>(values, nulls)?,
            Values::UInt32(values) => primitive::<UInt32Type>(values, nulls)?,
            Values::UInt64(values) => primitive::<UInt64Type>(values, nulls)?,
            Values::Float32(values) => primitive::<Float32Type>(values, nulls)?,
            Values::Float64(values) => primitive::<Float64Type>(values, nulls)?,
            Values::Decimal { values, precision, scale } => {
                let array = Decimal128Array::try_new(ScalarBuffer::from(hand_over(values)), nulls).map_err(internal)?;
                Arc::new(array.with_precision_and_scale(*precision, *scale).map_err(internal)?)
            }
            Values::Timestamp { values, unit: TimeUnit::Second } => primitive::<TimestampSecondType>(values, nulls)?,
            Values::Timestamp { values, unit: TimeUnit::Millisecond } => {
                primitive::<TimestampMillisecondType>(values, nulls)?
            }
            Values::Timestamp { values, unit: TimeUnit::Microsecond } => {
                primitive::<TimestampMicrosecondType>(values, nulls)?
            }
            Values::Timestamp { values, unit: TimeUnit::Nanosecond } => {
                primitive::<TimestampNanosecondType>(values, nulls)?
            }
            Values::Text(TextValues { ends, bytes }) | Values::Json(TextValues { ends, bytes }) => {
                let bytes = Buffer::from_vec(hand_over(bytes));
                Arc::new(StringArray::try_new(offsets(ends), bytes, nulls).map_err(internal)?)
            }
            Values::Struct(rows) => {
                let fields = rows.fields().clone();
                let len = rows.len();
                let columns = rows.finish()?;
                let array = if fields.is_empty() {
                    StructArray::new_empty_fields(len, nulls)
                } else {
                    StructArray::try_new(fields, columns, nulls).map_err(internal)?
                };
                Arc::new(array)
            }
            Values::List { ends, item, items } => {
                let items = items.finish()?;
                Arc::new(ListArray::try_new(item.clone(), offsets(ends), items, nulls).map_err(internal)?)
            }
        })
    }
}

impl TextValues {
    #[inline]
    fn push(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        let end = i32::try_from(self.bytes.len() + text.len())
            .map_err(|_| DecodeError::BatchFull { column: String::new() })?;
        self.bytes.extend_from_slice(text);
        self.ends.push(end);
        Ok(())
    }
}

/// Reads the items of a list whose `[` is next; returns how many items there are then.
fn read_list(
    item: &Field,
    items: &mut Column,
    cursor: &mut Cursor<'_>,
    scratch: &mut Vec<u8>,
    depth: usize,
) -> Result<i32, DecodeError> {
    cursor.take();
    check_depth(depth)?;
    if cursor.next_token()? == b']' {
        cursor.take();
    } else {
        loop {
            items.read(item.is_nullable(), cursor, scratch, depth + 1).map_err(|error| error.in_column(item.name()))?;
            if !cursor.more(b']')? {
                break;
            }
        }
    }
    i32::try_from(items.len()).map_err(|_| DecodeError::BatchFull { column: String::new() })
}

fn read_bool(first: u8, cursor: &mut Cursor<'_>, depth: usize) -> Result<bool, DecodeError> {
    match first {
        b't' => cursor.literal(b"true").map(|()| true),
        b'f' => cursor.literal(b"false").map(|()| false),
        _ => Err(mismatch("BOOLEAN", cursor, depth)),
    }
}

/// Reads a number, or a number in quotes.
#[inline]
fn read_number<T>(
    first: u8,
    cursor: &mut Cursor<'_>,
    scratch: &mut Vec<u8>,
    depth: usize,
    expected: &'static str,
    from_number: impl FnOnce(super::number::Number<'_>) -> Option<T>,
    from_text: impl FnOnce(&str) -> Option<T>,
) -> Result<T, DecodeError> {
    match first {
        b'-' | b'0'..=b'9' => {
            let number = cursor.number()?;
            from_number(number).ok_or_else(|| DecodeError::mismatch(expected, number.text))
        }
        b'"' => {
            let text = cursor.string()?;
            let value = std::str::from_utf8(text.resolve(scratch)).ok().and_then(from_text);
            value.ok_or_else(|| DecodeError::mismatch(expected, text.raw))
        }
        _ => Err(mismatch(expected, cursor, depth)),
    }
}

/// A value of another kind; where it is not even JSON, that is the error.
#[cold]
fn mismatch(expected: &'static str, cursor: &mut Cursor<'_>, depth: usize) -> DecodeError {
    let start = cursor.position();
    match cursor.skip(depth) {
        Ok(()) => DecodeError::mismatch(expected, cursor.since(start)),
        Err(error) => error,
    }
}

/// Copies JSON without the white space between its tokens.
fn compact(json: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let (mut quoted, mut escaped) = (false, false);
    out.extend(json.iter().copied().filter(|byte| {
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return true;
        }
        quoted = *byte == b'"';
        !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    }));
}

fn hand_over<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}

fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let taken = hand_over(ends);
    ends.push(0);
    OffsetBuffer::new(ScalarBuffer::from(taken))
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<arrow::buffer::NullBuffer>,
) -> Result<ArrayRef, DecodeError> {
    Ok(Arc::new(PrimitiveArray::<T>::try_new(ScalarBuffer::from(hand_over(values)), nulls).map_err(internal)?))
}

fn internal(error: arrow::error::ArrowError) -> DecodeError {
    DecodeError::Internal(error.to_string())
}

/// The longest text of a decimal, and the longest exponent: 38 digits need neither, and arrow counts both in numbers that
/// overflow where they are longer.
const DECIMAL_BYTES: usize = 120;
const EXPONENT_DIGITS: usize = 3;

fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let exponent = text.split_once(['e', 'E']).map_or("", |(_, exponent)| exponent);
    let fits = text.len() <= DECIMAL_BYTES && exponent.trim_start_matches(['+', '-']).len() <= EXPONENT_DIGITS;
    if fits { parse_decimal::<Decimal128Type>(text, precision, scale).ok() } else { None }
}
