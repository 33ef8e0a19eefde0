//! Reads Arroyo's SQL: splits a program into statements, takes Arroyo's own `CREATE TABLE` apart, and leaves queries to
//! DataFusion's parser with every token's place kept.

mod cursor;
mod ddl;
mod notes;
mod types;

use std::time::Duration;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

pub(crate) use cursor::Cursor;
pub(crate) use ddl::{Column, ColumnKind, CreateTable, OptionEntry, Watermark};
pub(crate) use notes::Notes;

use crate::error::{Place, PlanError};

/// One statement with its tokens, so that later errors find their place.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) kind: StatementKind,
    pub(crate) tokens: Vec<TokenWithSpan>,
    /// What comments before the statement say of it.
    pub(crate) notes: Notes,
}

/// What a statement does.
#[derive(Debug, Clone)]
pub(crate) enum StatementKind {
    CreateTable(CreateTable),
    /// `CREATE VIEW` and `CREATE TABLE … AS`: the same thing.
    CreateView {
        name: String,
        query: Box<ast::Query>,
    },
    Insert(Box<ast::Statement>),
    Select(Box<ast::Query>),
    SetUpdatingTtl(Duration),
}

/// Reads a whole program.
pub(crate) fn parse(sql: &str) -> Result<Vec<Statement>, PlanError> {
    let tokens = tokenize_all(sql)?;
    let mut statements = Vec::new();
    for part in tokens.split(|t| t.token == Token::SemiColon) {
        let tokens: Vec<TokenWithSpan> = part.iter().filter(|t| is_code(t)).cloned().collect();
        weir_sql::check(&tokens)
            .map_err(|fault| PlanError::refused(fault.message).at(place(fault.place)).hint(weir_sql::TooDeep::HINT))?;
        if !tokens.is_empty() {
            let notes = notes::read(part.iter().take_while(|t| !is_code(t)))?;
            statements.push(Statement { kind: parse_statement(&tokens)?, tokens, notes });
        }
    }
    if statements.is_empty() {
        return Err(PlanError::refused("the program is empty"));
    }
    Ok(statements)
}

/// Splits text into tokens, without whitespace and comments.
pub(crate) fn tokenize(sql: &str) -> Result<Vec<TokenWithSpan>, PlanError> {
    Ok(tokenize_all(sql)?.into_iter().filter(is_code).collect())
}

fn tokenize_all(sql: &str) -> Result<Vec<TokenWithSpan>, PlanError> {
    Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .map_err(|e| PlanError::syntax(lower_first(&e.message)).at(place(e.location)))
}

/// Whether a token is neither whitespace nor a comment.
fn is_code(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_))
}

/// Parses an expression that ends where the tokens end.
pub(crate) fn parse_expression(tokens: &[TokenWithSpan]) -> Result<ast::Expr, PlanError> {
    let mut parser = parser(tokens);
    let expression = parser.parse_expr().map_err(|e| syntax_error(&e, tokens))?;
    expect_end(&mut parser)?;
    Ok(expression)
}

fn parse_statement(tokens: &[TokenWithSpan]) -> Result<StatementKind, PlanError> {
    let mut cursor = Cursor::new(tokens);
    if cursor.peek_keyword(Keyword::CREATE) {
        return ddl::parse_create(&mut cursor);
    }
    if cursor.take_keyword(Keyword::SET) {
        return parse_set(&mut cursor);
    }
    let place = cursor.place();
    let mut parser = parser(tokens);
    let statement = parser.parse_statement().map_err(|e| syntax_error(&e, tokens))?;
    expect_end(&mut parser)?;
    match statement {
        ast::Statement::Query(query) => Ok(StatementKind::Select(query)),
        ast::Statement::Insert(insert) if insert.source.is_some() => {
            Ok(StatementKind::Insert(Box::new(ast::Statement::Insert(insert))))
        }
        ast::Statement::Explain { .. } => Err(PlanError::refused("EXPLAIN is not supported").at(place)),
        other => {
            let text = other.to_string();
            let verb = text.split_whitespace().next().unwrap_or_default().to_owned();
            Err(PlanError::refused(format!("unsupported statement: {verb}")).at(place).hint(
                "a program is made of CREATE TABLE, CREATE VIEW, INSERT INTO … SELECT, SELECT and SET updating_ttl",
            ))
        }
    }
}

fn parse_set(cursor: &mut Cursor<'_>) -> Result<StatementKind, PlanError> {
    let place = cursor.place();
    let name = cursor.identifier("the option to set")?;
    if !name.eq_ignore_ascii_case("updating_ttl") {
        return Err(
            PlanError::refused(format!("invalid option '{name}'; supported options are 'updating_ttl'")).at(place)
        );
    }
    if !cursor.take(&Token::Eq) && !cursor.take_keyword(Keyword::TO) {
        return Err(cursor.expected("`=`"));
    }
    let place = cursor.place();
    let text = cursor.rest_as_text();
    let duration = ddl::parse_duration(cursor)?
        .ok_or_else(|| PlanError::refused(format!("invalid interval in SET updating_ttl: {text}")).at(place))?;
    cursor.expect_end()?;
    Ok(StatementKind::SetUpdatingTtl(duration))
}

fn parser(tokens: &[TokenWithSpan]) -> Parser<'static> {
    Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens.to_vec())
}

/// Parses a query that ends where the tokens end.
fn parse_query(tokens: &[TokenWithSpan]) -> Result<Box<ast::Query>, PlanError> {
    let mut parser = parser(tokens);
    let query = parser.parse_query().map_err(|e| syntax_error(&e, tokens))?;
    expect_end(&mut parser)?;
    Ok(query)
}

fn expect_end(parser: &mut Parser<'_>) -> Result<(), PlanError> {
    let next = parser.peek_token();
    if next.token == Token::EOF {
        return Ok(());
    }
    Err(PlanError::syntax(format!("expected the end of the statement, found {}", next.token))
        .at(place_of(&next))
        .hint("statements are separated by `;`"))
}

/// Turns a parser's error, whose place is part of its text, into ours.
fn syntax_error(error: &ParserError, tokens: &[TokenWithSpan]) -> PlanError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "the expression is nested too deeply".to_owned(),
    };
    let end = tokens.last().map(place_of_end).unwrap_or_default();
    let (message, place) = match text.rsplit_once(" at Line: ") {
        Some((message, place)) => {
            let mut numbers = place.split(", Column: ").map(|n| n.trim().parse::<usize>().unwrap_or(0));
            let (line, column) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            (message.to_owned(), if line > 0 { Place { line, column } } else { end })
        }
        None => (text, end),
    };
    PlanError::syntax(
        lower_first(message.trim_start_matches("sql parser error: ")).replace("EOF", "the end of the statement"),
    )
    .at(place)
}

pub(crate) fn place_of(token: &TokenWithSpan) -> Place {
    place(token.span.start)
}

fn place_of_end(token: &TokenWithSpan) -> Place {
    place(token.span.end)
}

fn place(location: Location) -> Place {
    Place { line: usize::try_from(location.line).unwrap_or(0), column: usize::try_from(location.column).unwrap_or(0) }
}

/// Error texts of libraries start with a capital; ours do not. Words in capitals (SQL) stay.
pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// Joins tokens with single spaces: what an expression looked like, near enough for a message and for a hash.
pub(crate) fn text_of(tokens: &[TokenWithSpan]) -> String {
    tokens
        .iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(Whitespace::Space)))
        .map(|t| t.token.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_split_at_semicolons_outside_strings() {
        let statements = parse("SELECT ';' FROM a; -- a;b\nSELECT 2 FROM b;").unwrap();
        assert_eq!(statements.len(), 2);
    }

    #[test]
    fn a_comment_before_a_statement_names_its_rule() {
        let statements = parse(
            "-- rule of thumb\nSELECT 1 FROM a;\n\n-- rule zscore (zscore.sql), version 1\n-- more\nSELECT 2 FROM b;\n\
             SELECT 3 FROM c; -- rule trailing",
        )
        .unwrap();
        let names: Vec<_> = statements.iter().map(|s| s.notes.rule.as_deref()).collect();
        assert_eq!(names, [Some("of"), Some("zscore"), None]);
    }

    #[test]
    fn a_syntax_error_names_its_line_and_column() {
        let error = parse("SELECT 1 FROM a;\n\nSELECT 1 FROM a WHERE").unwrap_err();
        assert_eq!((error.kind, error.line), (crate::error::PlanErrorKind::Syntax, 3));
        let error = parse("SELECT a b c FROM t").unwrap_err();
        assert_eq!((error.line, error.column), (1, 12), "{error}");
    }

    #[test]
    fn only_updating_ttl_can_be_set() {
        let error = parse("SET x = 1").unwrap_err();
        assert!(error.message.contains("invalid option 'x'"), "{error}");
        for (text, seconds) in [("INTERVAL '5' second", 5), ("'1 hour'", 3600)] {
            let statements = parse(&format!("SET updating_ttl = {text}")).unwrap();
            assert!(
                matches!(statements[0].kind, StatementKind::SetUpdatingTtl(d) if d.as_secs() == seconds),
                "{statements:?}"
            );
        }
    }
}
