//! Minus zero is zero: SQL holds −0.0 < 0.0 for true, and a record may hold either. What a rule casts to a floating-point
//! number is added to zero, which keeps every other number and NULL.

use std::collections::BTreeSet;

use sqlparser::{
    ast::{BinaryOperator, DataType, Expr},
    keywords::Keyword,
    tokenizer::Token,
};

use super::code::Code;

/// The function that reads a floating-point number out of JSON.
pub(super) const JSON_FLOAT: &str = "json_get_float";
/// What stands behind a double. The sum is in brackets.
pub(super) const PLUS_ZERO: &str = " + 0.0)";
/// The same where the sum is to stay a float of 32 bits.
const PLUS_SMALL_ZERO: &str = " + CAST(0.0 AS REAL))";

/// What stands behind a cast to the type; `None` where it is no floating-point number.
pub(super) fn plus_zero(data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 | DataType::Float64 => Some(PLUS_ZERO),
        DataType::Float(_) | DataType::Real | DataType::Float4 | DataType::Float32 => Some(PLUS_SMALL_ZERO),
        _ => None,
    }
}

/// A sum with zero without it, where this makes such a sum.
pub(super) fn without_zero(expr: &Expr) -> Option<Expr> {
    let Expr::Nested(inner) = expr else { return None };
    let Expr::BinaryOp { left, op: BinaryOperator::Plus, right } = inner.as_ref() else { return None };
    let number = match left.as_ref() {
        Expr::Cast { .. } => true,
        Expr::Function(function) => function.name.to_string().eq_ignore_ascii_case(JSON_FLOAT),
        _ => false,
    };
    let zero = ["0.0", "CAST(0.0 AS REAL)"].contains(&right.to_string().as_str());
    (number && zero).then(|| left.as_ref().clone())
}

impl Code<'_> {
    /// Operands whose casts stay as they are: those with a cast that is a column without an alias, as the column has the
    /// operand's name.
    pub(super) fn named_by_cast(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for at in 0..self.0.len() {
            let operand = match self.token(at) {
                Some(Token::Word(word)) if [Keyword::CAST, Keyword::TRY_CAST].contains(&word.keyword) => {
                    self.closing(at + 1).zip(self.type_at(at)).map(|(close, end)| (at, close, at + 2, end))
                }
                Some(Token::DoubleColon) => self
                    .data_type(at + 1)
                    .zip(at.checked_sub(1).and_then(|last| self.operand_before(last)))
                    .map(|((_, after), first)| (first, after - 1, first, at)),
                _ => None,
            };
            if let Some((first, last, begin, end)) = operand
                && self.is_unnamed_column(first, last)
            {
                names.insert(self.text(begin, end));
            }
        }
        names
    }

    /// Whether a cast of the operand may be minus zero, as far as the text shows: a count is none, a constant is its author's.
    pub(super) fn may_be_minus_zero(&self, first: usize, end: usize) -> bool {
        let is_constant = first + 1 == end && self.is_literal(first);
        let is_count = matches!(self.token(first), Some(Token::Word(word)) if word.value.eq_ignore_ascii_case("count"));
        !is_constant && !is_count
    }

    pub(super) fn text(&self, first: usize, end: usize) -> String {
        let tokens = self.0.get(first..end).unwrap_or_default();
        tokens.iter().map(|token| token.token.to_string().to_lowercase()).collect::<Vec<_>>().join(" ")
    }

    /// Whether these tokens are a whole column of a SELECT, without a name.
    pub(super) fn is_unnamed_column(&self, first: usize, last: usize) -> bool {
        let ends = match self.token(last + 1) {
            None | Some(Token::Comma | Token::RParen | Token::SemiColon | Token::EOF) => true,
            _ => self.keyword(last + 1) == Some(Keyword::FROM),
        };
        let Some(before) = first.checked_sub(1) else { return false };
        let begins = self.is(before, &Token::Comma)
            || matches!(self.keyword(before), Some(Keyword::SELECT | Keyword::DISTINCT | Keyword::ALL));
        begins && ends && self.clause_before(before) == Some(Keyword::SELECT)
    }

    /// The clause that a token stands in, looking back within its brackets.
    fn clause_before(&self, at: usize) -> Option<Keyword> {
        let mut at = at;
        loop {
            match self.token(at)? {
                Token::RParen | Token::RBracket => at = self.opening(at)?,
                Token::LParen | Token::LBracket => return None,
                _ => {
                    let keyword = self.keyword(at);
                    if let Some(Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::BY | Keyword::HAVING) =
                        keyword
                    {
                        return keyword;
                    }
                }
            }
            at = at.checked_sub(1)?;
        }
    }
}
