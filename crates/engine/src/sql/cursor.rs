//! A cursor over tokens, for the clauses that DataFusion's parser does not know.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{place_of, place_of_end, text_of};
use crate::error::{Place, PlanError};

/// Walks over the tokens of one statement.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    tokens: &'a [TokenWithSpan],
    next: usize,
    /// Whether the first half of a `>>` has closed an angle bracket.
    half_taken: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(tokens: &'a [TokenWithSpan]) -> Self {
        Self { tokens, next: 0, half_taken: false }
    }

    pub(crate) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.next).map(|t| &t.token)
    }

    /// Where the next token is, or where the statement ended.
    pub(crate) fn place(&self) -> Place {
        match self.tokens.get(self.next) {
            Some(token) => place_of(token),
            None => self.tokens.last().map(place_of_end).unwrap_or_default(),
        }
    }

    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    pub(crate) fn at_end(&self) -> bool {
        self.next >= self.tokens.len()
    }

    pub(crate) fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn expect(&mut self, token: &Token) -> Result<(), PlanError> {
        if self.take(token) { Ok(()) } else { Err(self.expected(&format!("`{token}`"))) }
    }

    pub(crate) fn peek_keyword(&self, keyword: Keyword) -> bool {
        matches!(self.peek(), Some(Token::Word(w)) if w.quote_style.is_none() && w.keyword == keyword)
    }

    pub(crate) fn take_keyword(&mut self, keyword: Keyword) -> bool {
        let found = self.peek_keyword(keyword);
        if found {
            self.advance();
        }
        found
    }

    /// For words that DataFusion's parser has no keyword for, such as `WATERMARK`.
    pub(crate) fn peek_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn expect_word(&mut self, word: &str) -> Result<(), PlanError> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    /// An identifier, as it is written.
    pub(crate) fn identifier(&mut self, what: &str) -> Result<String, PlanError> {
        match self.peek() {
            Some(Token::Word(word)) => {
                self.advance();
                Ok(word.value.clone())
            }
            _ => Err(self.expected(what)),
        }
    }

    /// Takes one `>`, also out of a `>>`, which the tokenizer takes for an operator. A `>>>` stays whole, as on Arroyo.
    pub(crate) fn take_greater(&mut self) -> bool {
        match self.peek() {
            Some(Token::Gt) => self.advance(),
            Some(Token::ShiftRight) if self.half_taken => {
                self.half_taken = false;
                self.advance();
            }
            Some(Token::ShiftRight) => self.half_taken = true,
            _ => return false,
        }
        true
    }

    /// Whether the next `>` is the second half of a `>>`.
    pub(crate) fn is_half_taken(&self) -> bool {
        self.half_taken
    }

    /// The tokens between the next `(` and its `)`.
    pub(crate) fn parenthesised(&mut self) -> Result<&'a [TokenWithSpan], PlanError> {
        let open = self.place();
        self.expect(&Token::LParen)?;
        let start = self.next;
        let mut depth = 1usize;
        while let Some(token) = self.peek() {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            self.advance();
            if depth == 0 {
                return Ok(self.tokens.get(start..self.next - 1).unwrap_or_default());
            }
        }
        Err(PlanError::syntax("this parenthesis is never closed").at(open))
    }

    /// The tokens up to a comma or a closing parenthesis outside parentheses.
    pub(crate) fn until_comma(&mut self) -> &'a [TokenWithSpan] {
        let start = self.next;
        let mut depth = 0usize;
        while let Some(token) = self.peek() {
            match token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket if depth == 0 => break,
                Token::RParen | Token::RBracket => depth -= 1,
                Token::Comma if depth == 0 => break,
                _ => {}
            }
            self.advance();
        }
        self.tokens.get(start..self.next).unwrap_or_default()
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [TokenWithSpan] {
        let rest = self.tokens.get(self.next..).unwrap_or_default();
        self.next = self.tokens.len();
        rest
    }

    pub(crate) fn rest_as_text(&self) -> String {
        text_of(self.tokens.get(self.next..).unwrap_or_default())
    }

    pub(crate) fn expect_end(&self) -> Result<(), PlanError> {
        if self.at_end() { Ok(()) } else { Err(self.expected("the end of the statement")) }
    }

    pub(crate) fn expected(&self, what: &str) -> PlanError {
        let found = self.peek().map_or_else(|| "the end of the statement".to_owned(), |t| format!("`{t}`"));
        PlanError::syntax(format!("expected {what}, found {found}")).at(self.place())
    }
}
