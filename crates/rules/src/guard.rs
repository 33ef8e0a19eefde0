//! Rewrites a rule's SQL so that a value which cannot be computed is NULL: `CAST` becomes `TRY_CAST`, and a division of whole
//! numbers divides by `nullif(…, 0)`. A record that does not fit then costs its rule nothing but that value, on both engines.
//! What is cast of JSON is taken as text, since JSON itself casts to NULL where it is a number below zero. And minus zero is
//! zero ([`zero`]).
//!
//! The text is edited token by token, so that every place in it stays where its author wrote it. The result is parsed again
//! and must be the same query but for those changes; where it is not, the text stays as it was.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::{
    ast::{
        BinaryOperator, CastKind, DataType, Expr, FunctionArguments, Ident, ObjectName, Query, Statement, VisitMut,
        visit_expressions_mut,
    },
    dialect::PostgreSqlDialect,
    keywords::Keyword,
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer},
};

use self::code::Code;
use self::zero::{JSON_FLOAT, PLUS_ZERO, plus_zero, without_zero};
use crate::lint::integer_divisions;

mod code;
pub(crate) mod time;
mod zero;

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
    /// A time in this format.
    Time(String),
}

/// The guards of a query, and the changes that make them, in the order of the text.
pub(crate) fn guards(sql: &str) -> (Vec<Guard>, Vec<Edit>) {
    let tries = [(true, true), (true, false), (false, true), (false, false)];
    let found = tries.iter().filter_map(|(divisions, zeros)| found(sql, *divisions, *zeros));
    found.into_iter().find(|(_, edits)| is_same(sql, &edited(sql, edits))).unwrap_or_default()
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

fn found(sql: &str, divisions: bool, zeros: bool) -> Option<(Vec<Guard>, Vec<Edit>)> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().ok()?;
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let code = Code(&tokens);
    let mut found = Found { zeros: zeros.then(|| code.named_by_cast()), ..Found::default() };
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::Word(word)
                if [Keyword::CAST, Keyword::TRY_CAST].contains(&word.keyword) && code.is(at + 1, &Token::LParen) =>
            {
                code.cast(at, word.keyword == Keyword::TRY_CAST, &mut found);
            }
            Token::Word(word) if word.value.eq_ignore_ascii_case("to_timestamp") && code.is(at + 1, &Token::LParen) => {
                code.to_timestamp(at, &mut found);
            }
            Token::Word(word) if word.value.eq_ignore_ascii_case(JSON_FLOAT) => code.json_float(at, &mut found),
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
    found.edits.sort_by_key(|(rank, operator, edit)| (edit.line, edit.column, *rank, Reverse(*operator)));
    found.guards.sort_by_key(|guard| (guard.line, guard.column));
    Some((found.guards, found.edits.into_iter().map(|(_, _, edit)| edit).collect()))
}

#[derive(Default)]
struct Found {
    guards: Vec<Guard>,
    /// With its rank, and the token of the operator that it is for: of two that begin at one place, the later is the outer one.
    edits: Vec<(u8, usize, Edit)>,
    /// Where minus zero becomes zero: the operands whose casts stay as they are.
    zeros: Option<BTreeSet<String>>,
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

    fn edit(&mut self, rank: u8, of: usize, (line, column): (usize, usize), removed: usize, inserted: &str) {
        self.edits.push((rank, of, Edit { line, column, removed, inserted: inserted.to_owned() }));
    }

    /// What stands behind a cast of these tokens, where it may be minus zero.
    fn zero(&self, code: &Code<'_>, data_type: &DataType, first: usize, end: usize) -> Option<&'static str> {
        let as_they_are = self.zeros.as_ref()?;
        let may_be = code.may_be_minus_zero(first, end) && !as_they_are.contains(&code.text(first, end));
        plus_zero(data_type).filter(|_| may_be)
    }
}

impl Code<'_> {
    /// `CAST(… AS type)` and `TRY_CAST(… AS type)`.
    fn cast(&self, at: usize, tried: bool, found: &mut Found) {
        let (Some(close), Some(type_at)) = (self.closing(at + 1), self.type_at(at)) else { return };
        let Some((data_type, _)) = self.data_type(type_at + 1) else { return };
        let (Some(start), Some(end)) = (self.start(at), self.end(close)) else { return };
        let constant = type_at == at + 3 && self.is_literal(at + 2);
        let guard = !tried && may_fail(&data_type) && !constant;
        self.json_as_text(at, (at + 2, type_at), &data_type, found);
        let zero = found.zero(self, &data_type, at + 2, type_at);
        if guard {
            found.guard(start, Guarded::Cast(data_type.to_string()));
        }
        let begin = match (zero, guard) {
            (Some(_), true) => "(TRY_",
            (Some(_), false) => "(",
            (None, true) => "TRY_",
            (None, false) => return,
        };
        found.edit(BEGINS_CAST, at, start, 0, begin);
        if let Some(zero) = zero {
            found.edit(ENDS_CAST, at, end, 0, zero);
        }
    }

    /// `operand::type`.
    fn double_colon(&self, at: usize, found: &mut Found) {
        let Some((data_type, after)) = self.data_type(at + 1) else { return };
        let Some(first) = at.checked_sub(1).and_then(|last| self.operand_before(last)) else { return };
        let constant = first + 1 == at && self.is_literal(first);
        let guard = may_fail(&data_type) && !constant;
        self.json_as_text(at, (first, at), &data_type, found);
        let zero = found.zero(self, &data_type, first, at);
        let places = (self.start(first), self.start(at), after.checked_sub(1).and_then(|last| self.end(last)));
        let (Some(start), Some(colons), Some(end)) = places else { return };
        if guard {
            found.guard(colons, Guarded::Cast(data_type.to_string()));
            found.edit(BEGINS_CAST, at, start, 0, if zero.is_some() { "(TRY_CAST(" } else { "TRY_CAST(" });
            found.edit(BEGINS_CAST, at, colons, 2, " AS ");
            found.edit(ENDS_CAST, at, end, 0, &format!("){}", zero.unwrap_or_default()));
        } else if let Some(zero) = zero {
            found.edit(BEGINS_CAST, at, start, 0, "(");
            found.edit(ENDS_CAST, at, end, 0, zero);
        }
    }

    /// `->` as `->>`, `json_get` as `json_as_text`: datafusion-functions-json 0.48 reads no number below zero as JSON.
    fn json_as_text(&self, of: usize, (first, end): (usize, usize), data_type: &DataType, found: &mut Found) {
        let Some(at) = self.json(first, end).filter(|_| may_fail(data_type)) else { return };
        let Some(start) = self.start(at) else { return };
        match self.token(at) {
            Some(Token::Arrow) => found.edit(ENDS_CAST, of, start, 2, "->>"),
            _ => found.edit(ENDS_CAST, of, start, "json_get".len(), "json_as_text"),
        }
    }

    /// `json_get_float(…)`.
    fn json_float(&self, at: usize, found: &mut Found) {
        if found.zeros.is_none() || !self.is(at + 1, &Token::LParen) {
            return;
        }
        if let (Some(start), Some(end)) = (self.start(at), self.closing(at + 1).and_then(|close| self.end(close))) {
            found.edit(BEGINS_CAST, at, start, 0, "(");
            found.edit(ENDS_CAST, at, end, 0, PLUS_ZERO);
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
            found.edit(BEGINS_DIVISION, operator, begins, 0, "nullif(");
            found.edit(ENDS_DIVISION, operator, ends, 0, ", 0)");
        }
    }
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
    match crate::sql::parse(sql).ok()?.pop()? {
        Statement::Query(query) => Some(query),
        _ => None,
    }
}

/// A query's text with every cast of one kind, every `/ nullif(…, 0)` as `/ …`, and no sums with zero.
fn unguarded(mut query: Box<Query>) -> String {
    let _: ControlFlow<()> = visit(query.as_mut(), time::unguarded);
    let _: ControlFlow<()> = visit(query.as_mut(), |expr| match expr {
        Expr::Nested(_) => {
            if let Some(number) = without_zero(expr) {
                *expr = number;
            }
        }
        Expr::Cast { kind, expr, .. } => {
            *kind = CastKind::Cast;
            as_json(expr);
        }
        Expr::BinaryOp { op: BinaryOperator::Divide | BinaryOperator::Modulo, right, .. } => {
            if let Some(inner) = inside_nullif(right) {
                **right = inner;
            }
        }
        _ => {}
    });
    query.to_string()
}

/// `->>` as `->` and `json_as_text` as `json_get`, in brackets too.
fn as_json(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) => as_json(inner),
        Expr::BinaryOp { op: op @ BinaryOperator::LongArrow, .. } => *op = BinaryOperator::Arrow,
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("json_as_text") => {
            function.name = ObjectName::from(vec![Ident::new("json_get")]);
        }
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("json_get") => {
            function.name = ObjectName::from(vec![Ident::new("json_get")]);
        }
        _ => {}
    }
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
