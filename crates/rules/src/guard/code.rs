//! Moves about in the tokens of a query.

use sqlparser::{
    ast::DataType,
    dialect::PostgreSqlDialect,
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Location, Token, TokenWithSpan},
};

/// The tokens of a query, without whitespace and comments.
pub(super) struct Code<'a>(pub(super) &'a [TokenWithSpan]);

impl Code<'_> {
    pub(super) fn token(&self, at: usize) -> Option<&Token> {
        self.0.get(at).map(|token| &token.token)
    }

    pub(super) fn is(&self, at: usize, wanted: &Token) -> bool {
        self.token(at) == Some(wanted)
    }

    pub(super) fn keyword(&self, at: usize) -> Option<Keyword> {
        match self.token(at)? {
            Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
            _ => None,
        }
    }

    pub(super) fn start(&self, at: usize) -> Option<(usize, usize)> {
        self.0.get(at).map(|token| place(token.span.start))
    }

    pub(super) fn end(&self, at: usize) -> Option<(usize, usize)> {
        self.0.get(at).map(|token| place(token.span.end))
    }

    /// Where the `AS` of a cast stands.
    pub(super) fn type_at(&self, at: usize) -> Option<usize> {
        let close = self.closing(at + 1)?;
        let mut depth = 0;
        (at + 2..close).find(|nth| {
            match self.token(*nth) {
                Some(Token::LParen | Token::LBracket) => depth += 1,
                Some(Token::RParen | Token::RBracket) => depth -= 1,
                _ => {}
            }
            depth == 0 && self.keyword(*nth) == Some(Keyword::AS)
        })
    }

    /// The type that begins at a token, and the token after it.
    pub(super) fn data_type(&self, at: usize) -> Option<(DataType, usize)> {
        let rest = self.0.get(at..)?;
        let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(rest.to_vec());
        let data_type = parser.parse_data_type().ok()?;
        Some((data_type, at + parser.index()))
    }

    pub(super) fn is_literal(&self, at: usize) -> bool {
        matches!(self.token(at), Some(Token::Number(..) | Token::SingleQuotedString(_)))
            || matches!(self.keyword(at), Some(Keyword::NULL | Keyword::TRUE | Keyword::FALSE))
    }

    /// Where an operand takes JSON out of JSON: its last `->`, or the name `json_get`.
    pub(super) fn json(&self, first: usize, end: usize) -> Option<usize> {
        if self.is(first, &Token::LParen) && self.closing(first).is_some_and(|close| close + 1 == end) {
            return self.json(first + 1, end - 1);
        }
        if matches!(self.token(first), Some(Token::Word(word)) if word.value.eq_ignore_ascii_case("json_get")) {
            return Some(first);
        }
        let (mut depth, mut json) = (0, None);
        for at in first..end {
            match self.token(at) {
                Some(Token::LParen | Token::LBracket) => depth += 1,
                Some(Token::RParen | Token::RBracket) => depth -= 1,
                Some(Token::Arrow) if depth == 0 => json = Some(at),
                Some(Token::LongArrow) if depth == 0 => json = None,
                _ => {}
            }
        }
        json
    }

    /// The first token of the operand that ends with this one: a literal, a name, a call, brackets, or `CASE … END`.
    pub(super) fn operand_before(&self, last: usize) -> Option<usize> {
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

    pub(super) fn case_before(&self, end: usize) -> Option<usize> {
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
    pub(super) fn operand_after(&self, first: usize) -> Option<usize> {
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
    pub(super) fn closing(&self, open: usize) -> Option<usize> {
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
    pub(super) fn opening(&self, close: usize) -> Option<usize> {
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
