//! Rewrites a rule's SQL so that a value which cannot be computed is NULL: `CAST` becomes `TRY_CAST`, and a division of whole
//! numbers divides by `nullif(…, 0)`. A record that does not fit then costs its rule nothing but that value, on both engines.
//!
//! The text is edited token by token, so that every place in it stays where its author wrote it. The result is parsed again
//! and must be the same query but for those changes; where it is not, the text stays as it was.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{
        BinaryOperator, CastKind, DataType, Expr, FunctionArguments, Query, Statement, VisitMut, visit_expressions_mut,
    },
    dialect::PostgreSqlDialect,
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer},
};

use crate::lint::integer_divisions;

/// A change of one line of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// How many characters go.
    pub(crate) removed: usize,
    /// What stands there instead.
    pub(crate) inserted: String,
}

/// What was guarded, and where that is written in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) kind: Guarded,
}

/// What may fail for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// A cast to this type.
    Cast(String),
    /// A division of whole numbers by this.
    Division(String),
}

/// The guards of a query, and the changes that make them, in the order of the text.
pub(crate) fn guards(sql: &str) -> (Vec<Guard>, Vec<Edit>) {
    let same = |found: &(Vec<Guard>, Vec<Edit>)| is_same(sql, &edited(sql, &found.1));
    found(sql, true).filter(same).or_else(|| found(sql, false).filter(same)).unwrap_or_default()
}

/// The text after some changes, which are in its order.
pub(crate) fn edited(sql: &str, edits: &[Edit]) -> String {
    let mut text = String::with_capacity(sql.len());
    for (index, line) in sql.lines().enumerate() {
        let mut characters = line.chars();
        let mut column = 1;
        for edit in edits.iter().filter(|edit| edit.line == index + 1) {
            text.extend(characters.by_ref().take(edit.column - column));
            text.push_str(&edit.inserted);
            column = edit.column + characters.by_ref().take(edit.removed).count();
        }
        text.extend(characters);
        text.push('\n');
    }
    text
}

fn found(sql: &str, divisions: bool) -> Option<(Vec<Guard>, Vec<Edit>)> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().ok()?;
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let code = Code(&tokens);
    let mut found = Found::default();
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::Word(word) if word.keyword == Keyword::CAST && code.is(at + 1, &Token::LParen) => {
                code.cast(at, &mut found);
            }
            Token::DoubleColon => code.double_colon(at, &mut found),
            _ => {}
        }
    }
    if divisions {
        for (start, divisor) in integer_divisions(query(sql)?.as_ref()) {
            code.division(start, divisor, &mut found);
        }
    }
    // Of two at one place, what ends there comes before what begins, and the outer one begins first and ends last.
    found.edits.sort_by_key(|(rank, edit)| (edit.line, edit.column, *rank));
    found.guards.sort_by_key(|guard| (guard.line, guard.column));
    Some((found.guards, found.edits.into_iter().map(|(_, edit)| edit).collect()))
}

#[derive(Default)]
struct Found {
    guards: Vec<Guard>,
    edits: Vec<(u8, Edit)>,
}

/// The order of changes at one place.
const ENDS_CAST: u8 = 0;
const ENDS_DIVISION: u8 = 1;
const BEGINS_DIVISION: u8 = 2;
const BEGINS_CAST: u8 = 3;

impl Found {
    fn guard(&mut self, (line, column): (usize, usize), kind: Guarded) {
        self.guards.push(Guard { line, column, kind });
    }

    fn edit(&mut self, rank: u8, (line, column): (usize, usize), removed: usize, inserted: &str) {
        self.edits.push((rank, Edit { line, column, removed, inserted: inserted.to_owned() }));
    }
}

/// The tokens of a query, without whitespace and comments.
struct Code<'a>(&'a [TokenWithSpan]);

impl Code<'_> {
    fn token(&self, at: usize) -> Option<&Token> {
        self.0.get(at).map(|token| &token.token)
    }

    fn is(&self, at: usize, wanted: &Token) -> bool {
        self.token(at) == Some(wanted)
    }

    fn keyword(&self, at: usize) -> Option<Keyword> {
        match self.token(at)? {
            Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
            _ => None,
        }
    }

    fn start(&self, at: usize) -> Option<(usize, usize)> {
        self.0.get(at).map(|token| place(token.span.start))
    }

    fn end(&self, at: usize) -> Option<(usize, usize)> {
        self.0.get(at).map(|token| place(token.span.end))
    }

    /// `CAST(… AS type)`.
    fn cast(&self, at: usize, found: &mut Found) {
        let Some(close) = self.closing(at + 1) else { return };
        let mut depth = 0;
        let type_at = (at + 2..close).find(|nth| {
            match self.token(*nth) {
                Some(Token::LParen | Token::LBracket) => depth += 1,
                Some(Token::RParen | Token::RBracket) => depth -= 1,
                _ => {}
            }
            depth == 0 && self.keyword(*nth) == Some(Keyword::AS)
        });
        let Some((data_type, _)) = type_at.and_then(|nth| self.data_type(nth + 1)) else { return };
        let constant = type_at == Some(at + 3) && self.is_literal(at + 2);
        let json = type_at.is_some_and(|end| self.is_json(at + 2, end));
        if let (true, Some(start)) = (may_fail(&data_type) && !constant && !json, self.start(at)) {
            found.guard(start, Guarded::Cast(data_type.to_string()));
            found.edit(BEGINS_CAST, start, 0, "TRY_");
        }
    }

    /// `operand::type`.
    fn double_colon(&self, at: usize, found: &mut Found) {
        let Some((data_type, after)) = self.data_type(at + 1) else { return };
        let Some(first) = at.checked_sub(1).and_then(|last| self.operand_before(last)) else { return };
        if !may_fail(&data_type) || (first + 1 == at && self.is_literal(first)) || self.is_json(first, at) {
            return;
        }
        let places = (self.start(first), self.start(at), after.checked_sub(1).and_then(|last| self.end(last)));
        if let (Some(start), Some(colons), Some(end)) = places {
            found.guard(colons, Guarded::Cast(data_type.to_string()));
            found.edit(BEGINS_CAST, start, 0, "TRY_CAST(");
            found.edit(BEGINS_CAST, colons, 2, " AS ");
            found.edit(ENDS_CAST, end, 0, ")");
        }
    }

    /// A divisor whose first name or number stands there; brackets and signs may stand before it.
    fn division(&self, start: Location, divisor: String, found: &mut Found) {
        let Some(inner) = self.0.iter().position(|token| token.span.start == start) else { return };
        // Of a cast, the first name is that of what is cast.
        let is_before = |nth: usize| match self.token(nth) {
            Some(Token::LParen | Token::Minus | Token::Plus) => true,
            Some(Token::Word(_)) => self.is(nth + 1, &Token::LParen),
            _ => false,
        };
        let operator = (0..inner).rev().find(|nth| !is_before(*nth));
        let Some(operator) = operator.filter(|nth| matches!(self.token(*nth), Some(Token::Div | Token::Mod))) else {
            return;
        };
        let Some(last) = self.operand_after(operator + 1) else { return };
        if let (Some(begins), Some(ends)) = (self.start(operator + 1), self.end(last)) {
            found.guard(begins, Guarded::Division(divisor));
            found.edit(BEGINS_DIVISION, begins, 0, "nullif(");
            found.edit(ENDS_DIVISION, ends, 0, ", 0)");
        }
    }

    /// The type that begins at a token, and the token after it.
    fn data_type(&self, at: usize) -> Option<(DataType, usize)> {
        let rest = self.0.get(at..)?;
        let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(rest.to_vec());
        let data_type = parser.parse_data_type().ok()?;
        Some((data_type, at + parser.index()))
    }

    fn is_literal(&self, at: usize) -> bool {
        matches!(self.token(at), Some(Token::Number(..) | Token::SingleQuotedString(_)))
            || matches!(self.keyword(at), Some(Keyword::NULL | Keyword::TRUE | Keyword::FALSE))
    }

    /// Whether an operand is what `->` gives: its casts give NULL already, and the planner knows them as `CAST` only.
    fn is_json(&self, first: usize, end: usize) -> bool {
        if self.is(first, &Token::LParen) && self.closing(first).is_some_and(|close| close + 1 == end) {
            return self.is_json(first + 1, end - 1);
        }
        if matches!(self.token(first), Some(Token::Word(word)) if word.value.eq_ignore_ascii_case("json_get")) {
            return true;
        }
        let (mut depth, mut json) = (0, false);
        for at in first..end {
            match self.token(at) {
                Some(Token::LParen | Token::LBracket) => depth += 1,
                Some(Token::RParen | Token::RBracket) => depth -= 1,
                Some(Token::Arrow) if depth == 0 => json = true,
                Some(Token::LongArrow) if depth == 0 => json = false,
                _ => {}
            }
        }
        json
    }

    /// The first token of the operand that ends with this one: a literal, a name, a call, brackets, or `CASE … END`.
    fn operand_before(&self, last: usize) -> Option<usize> {
        let mut first = match self.token(last)? {
            Token::RParen | Token::RBracket => self.opening(last)?,
            Token::Word(word) if word.keyword == Keyword::END => return self.case_before(last),
            Token::Word(word) if word.quote_style.is_none() && matches!(word.keyword, Keyword::AND | Keyword::OR) => {
                return None;
            }
            _ => last,
        };
        // A further `::type` of the same operand is cast once more.
        if first.checked_sub(1).is_some_and(|before| self.is(before, &Token::DoubleColon)) {
            return self.operand_before(first.checked_sub(2)?);
        }
        if matches!(self.token(last)?, Token::RBracket) {
            return self.operand_before(first.checked_sub(1)?);
        }
        if matches!(self.token(last)?, Token::RParen)
            && let Some(before) = first.checked_sub(1)
            && matches!(self.token(before), Some(Token::Word(_)))
        {
            match self.keyword(before) {
                Some(Keyword::OVER | Keyword::FILTER) => return self.operand_before(before.checked_sub(1)?),
                Some(Keyword::GROUP) => return self.operand_before(before.checked_sub(2)?),
                Some(
                    Keyword::AND
                    | Keyword::OR
                    | Keyword::NOT
                    | Keyword::IN
                    | Keyword::WHEN
                    | Keyword::THEN
                    | Keyword::ELSE
                    | Keyword::SELECT
                    | Keyword::WHERE
                    | Keyword::ON
                    | Keyword::BY
                    | Keyword::HAVING
                    | Keyword::BETWEEN
                    | Keyword::LIKE
                    | Keyword::CASE
                    | Keyword::AS,
                ) => {}
                _ => first = before,
            }
        }
        while let Some(dot) = first.checked_sub(1).filter(|dot| self.is(*dot, &Token::Period)) {
            first = dot.checked_sub(1)?;
        }
        Some(first)
    }

    fn case_before(&self, end: usize) -> Option<usize> {
        let mut depth = 0;
        (0..=end).rev().find(|nth| {
            match self.keyword(*nth) {
                Some(Keyword::END) => depth += 1,
                Some(Keyword::CASE) => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    /// The last token of the operand that begins with this one, with what binds tighter than a division.
    fn operand_after(&self, first: usize) -> Option<usize> {
        let mut at = first;
        while matches!(self.token(at)?, Token::Minus | Token::Plus) {
            at += 1;
        }
        if self.keyword(at) == Some(Keyword::CASE) {
            return None;
        }
        let mut last = if self.is(at, &Token::LParen) { self.closing(at)? } else { at };
        loop {
            last = match self.token(last + 1) {
                Some(Token::LParen | Token::LBracket) => self.closing(last + 1)?,
                Some(Token::Period) => last + 2,
                Some(Token::DoubleColon) => self.data_type(last + 2)?.1.checked_sub(1)?,
                _ if matches!(self.keyword(last + 1), Some(Keyword::FILTER | Keyword::OVER)) => {
                    self.closing(last + 2)?
                }
                _ if self.keyword(last + 1) == Some(Keyword::WITHIN) => self.closing(last + 3)?,
                _ => return Some(last),
            };
        }
    }

    /// The bracket that closes the one there.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0;
        (open..self.0.len()).find(|nth| {
            match self.token(*nth) {
                Some(Token::LParen | Token::LBracket) => depth += 1,
                Some(Token::RParen | Token::RBracket) => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    /// The bracket that the one there closes.
    fn opening(&self, close: usize) -> Option<usize> {
        let mut depth = 0;
        (0..=close).rev().find(|nth| {
            match self.token(*nth) {
                Some(Token::RParen | Token::RBracket) => depth += 1,
                Some(Token::LParen | Token::LBracket) => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }
}

fn place(at: Location) -> (usize, usize) {
    let number = |n: u64| usize::try_from(n).unwrap_or(0);
    (number(at.line), number(at.column))
}

/// Whether a cast to the type can fail: anything has a text.
fn may_fail(data_type: &DataType) -> bool {
    !matches!(
        data_type,
        DataType::Text | DataType::String(_) | DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::Char(_)
    )
}

/// Whether two texts are the same query but for guards.
fn is_same(before: &str, after: &str) -> bool {
    match (query(before), query(after)) {
        (Some(before), Some(after)) => unguarded(before) == unguarded(after),
        _ => false,
    }
}

fn query(sql: &str) -> Option<Box<Query>> {
    match Parser::parse_sql(&PostgreSqlDialect {}, sql).ok()?.pop()? {
        Statement::Query(query) => Some(query),
        _ => None,
    }
}

/// A query's text with every cast of one kind and every `/ nullif(…, 0)` as `/ …`.
fn unguarded(mut query: Box<Query>) -> String {
    let _: ControlFlow<()> = visit(query.as_mut(), |expr| match expr {
        Expr::Cast { kind, .. } => *kind = CastKind::Cast,
        Expr::BinaryOp { op: BinaryOperator::Divide | BinaryOperator::Modulo, right, .. } => {
            if let Some(inner) = inside_nullif(right) {
                **right = inner;
            }
        }
        _ => {}
    });
    query.to_string()
}

fn visit<V: VisitMut>(query: &mut V, mut change: impl FnMut(&mut Expr)) -> ControlFlow<()> {
    visit_expressions_mut(query, |expr| {
        change(expr);
        ControlFlow::Continue(())
    })
}

fn inside_nullif(expr: &Expr) -> Option<Expr> {
    use sqlparser::ast::{FunctionArg, FunctionArgExpr};
    let Expr::Function(function) = expr else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)), FunctionArg::Unnamed(FunctionArgExpr::Expr(zero))]
            if function.name.to_string() == "nullif" && zero.to_string() == "0" =>
        {
            Some(inner.clone())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
