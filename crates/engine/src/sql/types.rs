//! Column types as Arroyo reads them.

use arrow::datatypes::{
    DECIMAL_DEFAULT_SCALE, DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, IntervalUnit, TimeUnit,
};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::Cursor;
use crate::error::PlanError;

/// A column's type, and whether it was declared `JSON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnType {
    pub(super) data_type: DataType,
    pub(super) json: bool,
}

/// How deep types may be nested: more is no table of anybody's, and a way to exhaust the stack.
const MAX_DEPTH: usize = 64;

/// Reads a type, array brackets included.
pub(super) fn parse_type(cursor: &mut Cursor<'_>) -> Result<ColumnType, PlanError> {
    parse_nested(cursor, 0)
}

fn parse_nested(cursor: &mut Cursor<'_>, depth: usize) -> Result<ColumnType, PlanError> {
    let check = |depth: usize, place| match depth {
        0..MAX_DEPTH => Ok(()),
        _ => Err(PlanError::refused(format!("a type may be nested {MAX_DEPTH} deep")).at(place)),
    };
    check(depth, cursor.place())?;
    let mut parsed = parse_base(cursor, depth)?;
    let mut depth = depth;
    while cursor.take(&Token::LBracket) {
        depth += 1;
        check(depth, cursor.place())?;
        cursor.expect(&Token::RBracket)?;
        parsed = ColumnType { data_type: list(parsed.data_type).map_err(|e| e.at(cursor.place()))?, json: false };
    }
    Ok(parsed)
}

fn parse_base(cursor: &mut Cursor<'_>, depth: usize) -> Result<ColumnType, PlanError> {
    let place = cursor.place();
    let name = cursor.identifier("a type")?.to_uppercase();
    if name == "JSON" {
        return Ok(ColumnType { data_type: DataType::Utf8, json: true });
    }
    let data_type = match name.as_str() {
        "BOOL" | "BOOLEAN" => DataType::Boolean,
        "TINYINT" => integer(cursor, DataType::Int8, DataType::UInt8)?,
        "SMALLINT" | "INT2" => integer(cursor, DataType::Int16, DataType::UInt16)?,
        "INT" | "INTEGER" | "INT4" => integer(cursor, DataType::Int32, DataType::UInt32)?,
        "BIGINT" | "INT8" => integer(cursor, DataType::Int64, DataType::UInt64)?,
        "FLOAT" => {
            precision(cursor)?;
            DataType::Float32
        }
        "REAL" | "FLOAT4" => DataType::Float32,
        "DOUBLE" => {
            cursor.take_word("PRECISION");
            precision(cursor)?;
            DataType::Float64
        }
        "FLOAT8" => DataType::Float64,
        "CHAR" | "VARCHAR" | "TEXT" | "STRING" => {
            precision(cursor)?;
            DataType::Utf8
        }
        "TIMESTAMP" | "DATETIME" => parse_timestamp(cursor)?,
        "TIMESTAMPTZ" => return Err(unsupported(&name).at(place).hint("use TIMESTAMP: times are UTC")),
        "DATE" => DataType::Date32,
        "TIME" => DataType::Time64(TimeUnit::Nanosecond),
        "INTERVAL" => DataType::Interval(IntervalUnit::MonthDayNano),
        "BYTEA" => DataType::Binary,
        "NUMERIC" | "DECIMAL" => parse_decimal(cursor)?,
        "STRUCT" => parse_struct(cursor, depth)?,
        "ARRAY" => {
            cursor.expect(&Token::Lt)?;
            let item = parse_nested(cursor, depth + 1)?;
            expect_greater(cursor)?;
            list(item.data_type).map_err(|e| e.at(place))?
        }
        _ => return Err(unsupported(&name).at(place)),
    };
    Ok(ColumnType { data_type, json: false })
}

fn unsupported(name: &str) -> PlanError {
    PlanError::refused(format!("unsupported SQL type {name}"))
}

fn list(item: DataType) -> Result<DataType, PlanError> {
    if matches!(item, DataType::List(_)) {
        return Err(unsupported("ARRAY of ARRAY").hint("an ARRAY of a STRUCT with an ARRAY can be used"));
    }
    Ok(DataType::List(Field::new("item", item, true).into()))
}

fn integer(cursor: &mut Cursor<'_>, signed: DataType, unsigned: DataType) -> Result<DataType, PlanError> {
    precision(cursor)?;
    Ok(if cursor.take_word("UNSIGNED") { unsigned } else { signed })
}

/// An optional `(n)` whose value does not matter to Arroyo.
fn precision(cursor: &mut Cursor<'_>) -> Result<Option<u64>, PlanError> {
    if cursor.peek() != Some(&Token::LParen) {
        return Ok(None);
    }
    cursor.advance();
    let value = number(cursor)?;
    cursor.expect(&Token::RParen)?;
    Ok(Some(value))
}

fn number(cursor: &mut Cursor<'_>) -> Result<u64, PlanError> {
    if let Some(Token::Number(text, _)) = cursor.peek()
        && let Ok(value) = text.parse()
    {
        cursor.advance();
        return Ok(value);
    }
    Err(cursor.expected("a number"))
}

fn parse_timestamp(cursor: &mut Cursor<'_>) -> Result<DataType, PlanError> {
    let place = cursor.place();
    let unit = match precision(cursor)? {
        None | Some(9) => TimeUnit::Nanosecond,
        Some(0) => TimeUnit::Second,
        Some(3) => TimeUnit::Millisecond,
        Some(6) => TimeUnit::Microsecond,
        Some(other) => {
            return Err(PlanError::refused(format!(
                "unsupported precision {other} -- supported precisions are 0 (seconds), 3 (milliseconds), 6 (microseconds), and 9 (nanoseconds)"
            ))
            .at(place));
        }
    };
    if cursor.peek_word("WITH") || cursor.peek_word("WITHOUT") {
        return Err(unsupported("TIMESTAMP WITH TIME ZONE").at(cursor.place()).hint("use TIMESTAMP: times are UTC"));
    }
    Ok(DataType::Timestamp(unit, None))
}

fn parse_decimal(cursor: &mut Cursor<'_>) -> Result<DataType, PlanError> {
    let place = cursor.place();
    let (mut precision, mut scale) = (38, u64::try_from(DECIMAL_DEFAULT_SCALE).unwrap_or(10));
    if cursor.take(&Token::LParen) {
        precision = number(cursor)?;
        scale = if cursor.take(&Token::Comma) { number(cursor)? } else { 0 };
        cursor.expect(&Token::RParen)?;
    }
    let wrong = || {
        PlanError::refused(format!(
            "decimal(precision = {precision}, scale = {scale}) should satisfy 0 < precision <= 76, and scale <= precision"
        ))
        .at(place)
    };
    let (narrow, scale_narrow) =
        (u8::try_from(precision).map_err(|_| wrong())?, i8::try_from(scale).map_err(|_| wrong())?);
    if narrow == 0 || narrow > DECIMAL256_MAX_PRECISION || scale > precision {
        Err(wrong())
    } else if narrow > DECIMAL128_MAX_PRECISION {
        Ok(DataType::Decimal256(narrow, scale_narrow))
    } else {
        Ok(DataType::Decimal128(narrow, scale_narrow))
    }
}

fn parse_struct(cursor: &mut Cursor<'_>, depth: usize) -> Result<DataType, PlanError> {
    cursor.expect(&Token::Lt)?;
    let mut fields = Vec::new();
    loop {
        let name = cursor.identifier("a field name")?;
        cursor.take(&Token::Colon);
        fields.push(Field::new(name, parse_nested(cursor, depth + 1)?.data_type, true));
        if !cursor.take(&Token::Comma) {
            break;
        }
    }
    if depth == 0 && cursor.is_half_taken() {
        return Err(PlanError::refused("unmatched > in STRUCT definition").at(cursor.place()).hint(APART));
    }
    expect_greater(cursor)?;
    Ok(DataType::Struct(fields.into()))
}

fn expect_greater(cursor: &mut Cursor<'_>) -> Result<(), PlanError> {
    if cursor.take_greater() { Ok(()) } else { Err(cursor.expected("`>`").hint(APART)) }
}

/// Arroyo's parser takes `>>` apart in some places only.
const APART: &str = "write angle brackets that close one after the other apart: `> >`";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DataType, PlanError> {
        let tokens = crate::sql::tokenize(text)?;
        let mut cursor = Cursor::new(&tokens);
        let parsed = parse_type(&mut cursor)?;
        cursor.expect_end()?;
        Ok(parsed.data_type)
    }

    #[test]
    fn two_brackets_close_at_once_where_they_do_on_arroyo() {
        let parsed = parse("STRUCT<a INT, b ARRAY<STRUCT<c TEXT>> >").unwrap();
        assert_eq!(parsed.to_string().matches("Struct").count(), 2, "{parsed}");
        assert!(parse("ARRAY<STRUCT<a INT>>").is_ok());
        for text in ["STRUCT<a STRUCT<b INT>>", "STRUCT<a ARRAY<INT>>", "STRUCT<a ARRAY<STRUCT<b INT>>>"] {
            assert!(parse(text).unwrap_err().hint.is_some_and(|hint| hint.contains("`> >`")), "{text}");
        }
    }

    #[test]
    fn arrays_hold_no_arrays() {
        assert_eq!(parse("TEXT[]").unwrap(), list(DataType::Utf8).unwrap());
        for text in ["INT[][]", "ARRAY<INT[]>", "ARRAY<ARRAY<INT> >"] {
            assert!(parse(text).unwrap_err().message.contains("ARRAY of ARRAY"), "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_width() {
        assert_eq!(parse("BIGINT UNSIGNED").unwrap(), DataType::UInt64);
        assert_eq!(parse("FLOAT").unwrap(), DataType::Float32);
        assert_eq!(parse("DOUBLE PRECISION").unwrap(), DataType::Float64);
        assert_eq!(parse("DECIMAL(10, 2)").unwrap(), DataType::Decimal128(10, 2));
    }

    #[test]
    fn zones_and_odd_precisions_are_refused() {
        assert!(parse("TIMESTAMPTZ").unwrap_err().hint.is_some());
        assert!(parse("TIMESTAMP(4)").unwrap_err().message.contains("unsupported precision 4"));
    }
}
