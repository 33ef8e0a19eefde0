//! From DataFusion's errors to ours: the message without its wrapping, the place, and a hint where one is known.

use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Place, PlanError};
use crate::functions::{FUNCTIONS, ICEBERG};
use crate::sql::{lower_first, place_of};

/// A refusal on its way through DataFusion, which hands it on as it is.
pub(crate) fn refusal(error: PlanError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// An aggregate without a window: Arroyo runs it where its results may be updates.
#[derive(Debug, thiserror::Error)]
#[error("aggregates without a window (their results are updates)")]
pub(crate) struct WithoutWindow;

/// What passed through DataFusion, when it is of this type.
pub(crate) fn passed_through<T: std::error::Error + 'static>(error: &DataFusionError) -> Option<&T> {
    match error.find_root() {
        DataFusionError::External(own) => own.downcast_ref(),
        _ => None,
    }
}

/// Explains an error that planning a statement gave.
pub(crate) fn explain(error: &DataFusionError, tokens: &[TokenWithSpan]) -> PlanError {
    let message = bare_message(error);
    let mut explained = if let Some(own) = passed_through::<PlanError>(error) {
        own.clone()
    } else if let Some(own) = passed_through::<WithoutWindow>(error) {
        PlanError::not_supported(own)
    } else {
        match unknown_function(&message) {
            Some(name) if ICEBERG.contains(&name) => PlanError::not_supported(format!("function {name}")),
            _ => PlanError::refused(lower_first(&message)),
        }
    };
    if let Some(span) = error.diagnostic().and_then(|d| d.span) {
        let number = |n: u64| usize::try_from(n).unwrap_or(0);
        explained = explained.at(Place { line: number(span.start.line), column: number(span.start.column) });
    }
    if let Some(place) = find_place(&message, tokens) {
        explained = explained.at(place);
    }
    match hint(&message) {
        Some(hint) => explained.hint(hint),
        None => explained,
    }
}

/// The innermost message, without DataFusion's prefixes.
fn bare_message(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => bare_message(inner),
        DataFusionError::Collection(errors) => errors.first().map(bare_message).unwrap_or_default(),
        DataFusionError::Shared(inner) => bare_message(inner),
        DataFusionError::SchemaError(inner, _) => inner.to_string(),
        other => other.message().into_owned(),
    }
    .split("\n\nbacktrace:")
    .next()
    .unwrap_or_default()
    .trim()
    .trim_end_matches('.')
    .to_owned()
}

/// A token that the message is about: a name that it quotes, or the clause that it refuses.
fn find_place(message: &str, tokens: &[TokenWithSpan]) -> Option<Place> {
    let clauses: [(&str, &[&str]); 14] = [
        ("DISTINCT ON", &["DISTINCT"]),
        ("ORDER BY", &["ORDER"]),
        ("over a UNION ALL", &["UNION"]),
        ("LIMIT", &["LIMIT"]),
        ("EXPLAIN", &["EXPLAIN"]),
        ("Recursive", &["RECURSIVE"]),
        ("indow function", &["OVER", "tumble", "hop", "session"]),
        ("window expressions in group by", &["GROUP"]),
        ("join", &["JOIN"]),
        ("hop()", &["hop"]),
        ("indows do not support durations", &["tumble", "hop", "session"]),
        ("size of a time window", &["tumble", "hop", "session"]),
        ("GROUP BY", &["GROUP"]),
        ("unnest", &["unnest"]),
    ];
    let quoted = message.split('\'').skip(1).step_by(2);
    let named = ["time window function ", "Table ", "table ", "No field named ", "sink "]
        .iter()
        .filter_map(|prefix| message.split_once(prefix))
        .filter_map(|(_, rest)| rest.split([' ', ',', '.']).next());
    for name in quoted.chain(named) {
        let bare = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
        if let Some(place) = find_word(bare, tokens) {
            return Some(place);
        }
    }
    clauses
        .iter()
        .filter(|(part, _)| message.contains(part))
        .flat_map(|(_, words)| words.iter())
        .find_map(|w| find_word(w, tokens))
}

fn find_word(word: &str, tokens: &[TokenWithSpan]) -> Option<Place> {
    tokens.iter().find(|t| matches!(&t.token, Token::Word(w) if w.value.eq_ignore_ascii_case(word))).map(place_of)
}

/// The function that nobody knows, where the message is about one.
fn unknown_function(message: &str) -> Option<&str> {
    message.strip_prefix("Invalid function '").and_then(|rest| rest.split('\'').next())
}

fn hint(message: &str) -> Option<String> {
    if let Some(name) = unknown_function(message) {
        return FUNCTIONS.primary_name(name).map(|primary| format!("Arroyo knows this function only as {primary}"));
    }
    let known = [
        ("Column count doesn't match insert query", "name the columns: a view and SELECT * also give _timestamp"),
        (
            "input is updating",
            "group by tumble(…), hop(…) or session(…); updating results need format = 'debezium_json', which only Arroyo runs",
        ),
        ("must be a multiple of slide", "hop takes the slide first: hop(INTERVAL '1 minute', INTERVAL '1 hour')"),
        ("window expressions in group by", "one GROUP BY has one window; use two queries"),
        ("Are you missing a GROUP BY", "tumble, hop and session stand in GROUP BY, by alias, position or expression"),
        ("must have window in aggregate", "add the window column of the input to GROUP BY"),
        (
            "Window functions require already windowed input",
            "aggregate in tumble(…) or hop(…) first, and PARTITION BY the window",
        ),
        ("exactly one window expression in partition_by", "PARTITION BY the window column of the input"),
        (
            "ORDER BY",
            "rows come in the order of their windows; use row_number() OVER (PARTITION BY window ORDER BY …) for a top n",
        ),
        ("DISTINCT ON", "use row_number() OVER (PARTITION BY window, … ORDER BY …) and keep the first"),
        ("LIMIT", "use row_number() OVER (PARTITION BY window ORDER BY …) for a top n"),
        (
            "over a UNION ALL",
            "give the UNION ALL to a view (CREATE VIEW …) and group that; Arroyo cannot plan the two as one (UNION without ALL groups too)",
        ),
        ("mixed windowing", "both sides of a join need the same window, or none"),
        ("cannot read from sink", "declare a source, or a view over it"),
        ("months", "use days: months differ in length"),
        ("size of a time window", "write a length above zero, such as INTERVAL '5 minutes'"),
        (
            "Cannot infer common argument type",
            "cast one side: TRY_CAST(… AS DOUBLE); ->> gives text, where -> gives JSON",
        ),
        ("Cannot coerce arithmetic expression", "cast what is text: TRY_CAST(… AS DOUBLE)"),
    ];
    known.iter().find(|(part, _)| message.contains(part)).map(|(_, hint)| (*hint).to_owned())
}
