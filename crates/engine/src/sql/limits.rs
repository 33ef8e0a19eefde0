//! Limits that keep a program from exhausting the stack.
//!
//! A chain of operators becomes a tree as deep as the chain is long, and DataFusion walks trees by recursion. Parentheses and
//! prefixes need no limit here: the parser has one.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::place_of;
use crate::error::PlanError;

/// Operators in one chain: planned on a large stack, evaluated on a thread's usual one (2 MiB).
const MAX_CHAIN: usize = 400;
/// Joins and set operators of a statement.
const MAX_INPUTS: usize = 200;

/// Refuses a statement that would nest too deeply.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<(), PlanError> {
    // Operators so far, by level of parentheses.
    let mut chains = vec![0_usize];
    let mut inputs = 0;
    for token in tokens {
        match &token.token {
            Token::LParen => chains.push(0),
            Token::RParen if chains.len() > 1 => drop(chains.pop()),
            Token::Comma => chains.last_mut().into_iter().for_each(|chain| *chain = 0),
            Token::Word(word) if is_input(word.keyword) => {
                inputs += 1;
                chains.last_mut().into_iter().for_each(|chain| *chain = 0);
                if inputs > MAX_INPUTS {
                    return Err(refused(token, format!("a statement may join and unite {MAX_INPUTS} inputs")));
                }
            }
            Token::Word(word) if is_clause(word.keyword) => chains.last_mut().into_iter().for_each(|chain| *chain = 0),
            other if is_operator(other) => {
                let Some(chain) = chains.last_mut() else { continue };
                *chain += 1;
                if *chain > MAX_CHAIN {
                    return Err(refused(token, format!("an expression may chain {MAX_CHAIN} operators")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn refused(token: &TokenWithSpan, message: String) -> PlanError {
    PlanError::refused(message).at(place_of(token)).hint("give parts of it to views; a list of values can use IN (…)")
}

fn is_input(keyword: Keyword) -> bool {
    matches!(keyword, Keyword::JOIN | Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT)
}

fn is_clause(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::ON
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE
            | Keyword::WITH
    )
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::AT
                | Keyword::COLLATE
                | Keyword::OVERLAPS
        ),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::RParen
        | Token::RBracket
        | Token::EOF => false,
        _ => true,
    }
}
