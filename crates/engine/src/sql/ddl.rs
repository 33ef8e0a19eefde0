//! Arroyo's `CREATE TABLE`: generated columns without `STORED`, `METADATA FROM`, `WATERMARK FOR` and `WITH` options.

use std::time::Duration;

use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::types::parse_type;
use super::{Cursor, StatementKind, parse_expression, parse_query, tokenize};
use crate::error::{Place, PlanError};

/// A table as it was declared.
#[derive(Debug, Clone)]
pub(crate) struct CreateTable {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) temporary: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) watermark: Option<Watermark>,
    pub(crate) options: Vec<OptionEntry>,
}

/// A column as it was declared.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) data_type: DataType,
    /// Declared `JSON`.
    pub(crate) json: bool,
    pub(crate) nullable: bool,
    pub(crate) primary_key: bool,
    pub(crate) kind: ColumnKind,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
pub(crate) enum ColumnKind {
    Physical,
    Generated(Box<ast::Expr>),
    Metadata(String),
}

/// `WATERMARK FOR column [AS expression]`.
#[derive(Debug, Clone)]
pub(crate) struct Watermark {
    pub(crate) column: String,
    pub(crate) place: Place,
    pub(crate) expression: Option<Box<ast::Expr>>,
}

/// One entry of `WITH`.
#[derive(Debug, Clone)]
pub(crate) struct OptionEntry {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Numbers and booleans may be written without quotes, text may not.
    pub(crate) quoted: bool,
    pub(crate) place: Place,
}

pub(super) fn parse_create(cursor: &mut Cursor<'_>) -> Result<StatementKind, PlanError> {
    cursor.advance();
    let start = cursor.place();
    if cursor.take_keyword(Keyword::OR) {
        return Err(PlanError::refused("OR REPLACE is not supported: a program defines each name once").at(start));
    }
    let temporary = cursor.take_keyword(Keyword::TEMPORARY) || cursor.take_keyword(Keyword::TEMP);
    if cursor.take_keyword(Keyword::VIEW) {
        let (name, _) = object_name(cursor)?;
        if !cursor.take_keyword(Keyword::AS) {
            return Err(cursor.expected("AS"));
        }
        return Ok(StatementKind::CreateView { name, query: parse_query(cursor.rest())? });
    }
    if !cursor.take_keyword(Keyword::TABLE) {
        return Err(cursor.expected("TABLE or VIEW"));
    }
    if cursor.take_keyword(Keyword::IF) {
        cursor.expect_word("NOT")?;
        cursor.expect_word("EXISTS")?;
    }
    let (name, place) = object_name(cursor)?;
    if cursor.take_keyword(Keyword::AS) {
        return Ok(StatementKind::CreateView { name, query: parse_query(cursor.rest())? });
    }
    let mut table = CreateTable { name, place, temporary, columns: Vec::new(), watermark: None, options: Vec::new() };
    if cursor.take(&Token::LParen) {
        parse_elements(cursor, &mut table)?;
    }
    if cursor.take_keyword(Keyword::WITH) {
        table.options = parse_options(cursor)?;
    }
    if cursor.peek_word("PARTITIONED") {
        return Err(PlanError::not_supported("PARTITIONED BY").at(cursor.place()));
    }
    cursor.expect_end()?;
    Ok(StatementKind::CreateTable(table))
}

/// Names of tables are folded to lower case unless quoted: queries look for them so.
fn object_name(cursor: &mut Cursor<'_>) -> Result<(String, Place), PlanError> {
    let place = cursor.place();
    match cursor.peek() {
        Some(Token::Word(word)) => {
            cursor.advance();
            Ok((if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() }, place))
        }
        _ => Err(cursor.expected("a name")),
    }
}

fn parse_elements(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<(), PlanError> {
    loop {
        if cursor.take(&Token::RParen) {
            return Ok(());
        }
        if cursor.peek_word("WATERMARK") {
            let place = cursor.place();
            let watermark = parse_watermark(cursor)?;
            if table.watermark.replace(watermark).is_some() {
                return Err(PlanError::refused("only one WATERMARK FOR constraint is allowed per table").at(place));
            }
        } else {
            if ["PRIMARY", "UNIQUE", "CONSTRAINT", "FOREIGN", "CHECK"].iter().any(|w| cursor.peek_word(w)) {
                let what = cursor.rest_as_text();
                let what = what.split(')').next().unwrap_or_default();
                return Err(PlanError::refused(format!("unsupported table constraint `{what})`")).at(cursor.place()));
            }
            table.columns.push(parse_column(cursor)?);
        }
        if !cursor.take(&Token::Comma) {
            return cursor
                .expect(&Token::RParen)
                .map_err(|e| PlanError { message: e.message.replace("`)`", "`,` or `)`"), ..e });
        }
    }
}

fn parse_watermark(cursor: &mut Cursor<'_>) -> Result<Watermark, PlanError> {
    cursor.advance();
    cursor.expect_word("FOR")?;
    let place = cursor.place();
    let column = cursor.identifier("the event time column")?;
    let expression = if cursor.take_keyword(Keyword::AS) {
        let tokens = cursor.until_comma();
        if tokens.is_empty() {
            return Err(cursor.expected("the watermark expression"));
        }
        Some(Box::new(parse_expression(tokens)?))
    } else {
        None
    };
    Ok(Watermark { column, place, expression })
}

fn parse_column(cursor: &mut Cursor<'_>) -> Result<Column, PlanError> {
    let place = cursor.place();
    let name = cursor.identifier("a column name")?;
    let parsed = parse_type(cursor)?;
    let mut column = Column {
        name,
        place,
        data_type: parsed.data_type,
        json: parsed.json,
        nullable: true,
        primary_key: false,
        kind: ColumnKind::Physical,
    };
    loop {
        if cursor.take_keyword(Keyword::NOT) {
            cursor.expect_word("NULL")?;
            column.nullable = false;
        } else if cursor.take_keyword(Keyword::NULL) {
            column.nullable = true;
        } else if cursor.take_keyword(Keyword::PRIMARY) {
            cursor.expect_word("KEY")?;
            column.primary_key = true;
        } else if cursor.take_keyword(Keyword::GENERATED) {
            cursor.expect_word("ALWAYS")?;
            cursor.expect_word("AS")?;
            column.kind = ColumnKind::Generated(Box::new(parse_expression(cursor.parenthesised()?)?));
            cursor.take_word("STORED");
        } else if cursor.take_keyword(Keyword::METADATA) {
            cursor.expect_word("FROM")?;
            match cursor.peek() {
                Some(Token::SingleQuotedString(key)) => column.kind = ColumnKind::Metadata(key.clone()),
                _ => return Err(cursor.expected("a quoted metadata key")),
            }
            cursor.advance();
        } else if matches!(cursor.peek(), Some(Token::Comma | Token::RParen)) {
            return Ok(column);
        } else {
            return Err(cursor
                .expected("`,`, `)` or a column option (NOT NULL, PRIMARY KEY, GENERATED ALWAYS AS, METADATA FROM)"));
        }
    }
}

fn parse_options(cursor: &mut Cursor<'_>) -> Result<Vec<OptionEntry>, PlanError> {
    cursor.expect(&Token::LParen)?;
    let mut options: Vec<OptionEntry> = Vec::new();
    while !cursor.take(&Token::RParen) {
        let place = cursor.place();
        let mut key = match cursor.peek() {
            Some(Token::SingleQuotedString(key)) => {
                cursor.advance();
                key.clone()
            }
            _ => cursor.identifier("an option name")?,
        };
        while cursor.take(&Token::Period) {
            key = format!("{key}.{}", cursor.identifier("the rest of the option name")?);
        }
        cursor.expect(&Token::Eq)?;
        let (value, quoted) = option_value(cursor)?;
        if options.iter().any(|o| o.key == key) {
            return Err(PlanError::refused(format!("option '{key}' is set twice")).at(place));
        }
        options.push(OptionEntry { key, value, quoted, place });
        if !cursor.take(&Token::Comma) {
            cursor.expect(&Token::RParen)?;
            break;
        }
    }
    Ok(options)
}

fn option_value(cursor: &mut Cursor<'_>) -> Result<(String, bool), PlanError> {
    let negative = cursor.take(&Token::Minus);
    let value = match cursor.peek() {
        Some(Token::SingleQuotedString(text)) if !negative => (text.clone(), true),
        Some(Token::Number(text, _)) => (if negative { format!("-{text}") } else { text.clone() }, false),
        Some(Token::Word(word))
            if word.quote_style.is_none() && ["true", "false"].contains(&word.value.to_lowercase().as_str()) =>
        {
            (word.value.to_lowercase(), false)
        }
        Some(Token::DoubleQuotedString(_) | Token::Word(_)) => {
            return Err(cursor.expected("a value in single quotes").hint("text options are written in single quotes"));
        }
        _ => return Err(cursor.expected("a value")),
    };
    cursor.advance();
    Ok(value)
}

/// Reads `INTERVAL '5' SECOND`, `INTERVAL '5 seconds'` or `'5 seconds'`; `None` when the text is no such interval.
pub(super) fn parse_duration(cursor: &mut Cursor<'_>) -> Result<Option<Duration>, PlanError> {
    cursor.take_keyword(Keyword::INTERVAL);
    let Some(Token::SingleQuotedString(text)) = cursor.peek() else {
        return Err(cursor.expected("an interval"));
    };
    let mut text = text.clone();
    cursor.advance();
    if let Some(Token::Word(unit)) = cursor.peek() {
        text = format!("{text} {}", unit.value);
        cursor.advance();
    }
    Ok(duration(&text))
}

fn duration(text: &str) -> Option<Duration> {
    let tokens = tokenize(text).ok()?;
    let mut seconds = 0f64;
    let mut pairs = tokens.chunks_exact(2);
    for pair in &mut pairs {
        let [number, unit] = pair else { return None };
        let (Token::Number(number, _), Token::Word(unit)) = (&number.token, &unit.token) else { return None };
        let factor = match unit.value.to_lowercase().trim_end_matches('s') {
            "millisecond" | "m" => 0.001,
            "second" | "sec" => 1.0,
            "minute" | "min" => 60.0,
            "hour" => 3600.0,
            "day" => 86_400.0,
            "week" => 604_800.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
    }
    (pairs.remainder().is_empty() && seconds > 0.0).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::super::{StatementKind, parse};
    use super::*;

    fn table(sql: &str) -> Result<CreateTable, PlanError> {
        match parse(sql)?.remove(0).kind {
            StatementKind::CreateTable(table) => Ok(table),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_table_keeps_its_clauses() {
        let table = table(
            "CREATE TABLE Events (userId TEXT NOT NULL PRIMARY KEY, ts TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(a, b)) STORED,
               k TEXT METADATA FROM 'key', WATERMARK FOR ts AS (ts - INTERVAL '5 seconds'))
             WITH (connector = 'kinesis', 'source.offset' = 'earliest', wait = false, n = -1)",
        )
        .unwrap();
        assert_eq!(table.name, "events");
        assert_eq!(table.columns[0].name, "userId");
        assert!(!table.columns[0].nullable && table.columns[0].primary_key);
        assert!(matches!(table.columns[1].kind, ColumnKind::Generated(_)));
        assert!(matches!(&table.columns[2].kind, ColumnKind::Metadata(k) if k == "key"));
        assert!(table.watermark.unwrap().expression.is_some());
        assert_eq!(table.options[1].key, "source.offset");
        assert_eq!(table.options[3].value, "-1");
    }

    #[test]
    fn errors_point_at_the_token() {
        let error = table("CREATE TABLE t (\n  a INT b\n)").unwrap_err();
        assert_eq!((error.line, error.column), (2, 9), "{error}");
        let error = table("CREATE TABLE t (a INT) WITH (connector = \"x\")").unwrap_err();
        assert!(error.message.contains("single quotes"), "{error}");
        let error = table("CREATE TABLE t (a INT, WATERMARK FOR a, WATERMARK FOR a)").unwrap_err();
        assert!(error.message.contains("only one WATERMARK FOR"), "{error}");
        let error = table("CREATE TABLE t (a INT GENERATED ALWAYS AS (1").unwrap_err();
        assert!(error.message.contains("never closed"), "{error}");
    }

    #[test]
    fn create_table_as_is_a_view() {
        let statement = parse("CREATE TABLE t AS (SELECT a FROM b)").unwrap().remove(0);
        assert!(matches!(statement.kind, StatementKind::CreateView { .. }));
    }
}
