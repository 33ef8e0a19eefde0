//! The functions of `sql/udfs` that a program calls, to be sent to Arroyo with it.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, path::Path};

use sqlparser::{
    dialect::PostgreSqlDialect,
    tokenizer::{Token, Tokenizer},
};

use crate::RuleError;

/// Name and source text of every function below a folder (`sql/udfs`) that a program calls, in order of name. Without the
/// folder there are none.
///
/// # Errors
/// A file that the program needs cannot be read.
pub fn udf_definitions(folder: &Path, program: &str) -> Result<BTreeMap<String, String>, RuleError> {
    let mut definitions = BTreeMap::new();
    for name in called(program) {
        let file = folder.join(format!("{name}.rs"));
        if file.is_file() {
            let text = fs::read_to_string(&file).map_err(|e| RuleError::new(&file, format!("cannot be read: {e}")))?;
            definitions.insert(name, text);
        }
    }
    Ok(definitions)
}

/// The names before an opening parenthesis, folded as SQL folds them.
fn called(program: &str) -> BTreeSet<String> {
    // A program that cannot be read into tokens calls nothing: its planner says what is wrong with it.
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, program).tokenize().unwrap_or_default();
    let tokens: Vec<Token> = tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect();
    tokens
        .windows(2)
        .filter_map(|pair| match pair {
            [Token::Word(word), Token::LParen] if word.quote_style.is_some() => Some(word.value.clone()),
            [Token::Word(word), Token::LParen] => Some(word.value.to_lowercase()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_takes_along_what_it_calls() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["half", "twice", "unused"] {
            fs::write(folder.path().join(format!("{name}.rs")), format!("fn {name}")).unwrap();
        }
        let sql = "-- unused(1)\nSELECT Half(a), twice (b), 'unused(' || c, unused FROM t WHERE abs(a) > 1";
        let found = udf_definitions(folder.path(), sql).unwrap();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("half", "fn half"), ("twice", "fn twice")].map(|(n, t)| (n.to_owned(), t.to_owned()))
        );
    }

    #[test]
    fn without_a_folder_there_are_none() {
        assert_eq!(udf_definitions(Path::new("nowhere"), "SELECT half(a)").unwrap(), BTreeMap::new());
    }
}
