//! What each function is for, for editors that complete them: as DataFusion documents its own, in a line for Arroyo's.

use datafusion::logical_expr::Documentation;

use super::{FUNCTIONS, Udf, UdfKind};

/// What an editor says of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDoc {
    /// Its name.
    pub name: String,
    /// `scalar`, `aggregate` or `window`.
    pub kind: &'static str,
    /// How it is called.
    pub syntax: String,
    /// What it does; empty where nobody has written that down.
    pub description: String,
}

/// Arroyo's own functions, and those of JSON, which come without documentation.
const OWN: [(&str, &str, &str); 16] = [
    ("tumble", "tumble(width)", "Windows of a fixed width, one after the other. Group by its column."),
    ("hop", "hop(slide, width)", "Windows of a fixed width that begin every `slide` and overlap. Group by its column."),
    ("session", "session(gap)", "A window that ends when nothing has come for `gap`. Group by its column."),
    ("row_time", "row_time()", "The row's event time."),
    ("unnest", "unnest(array)", "A row for each element of an array."),
    ("json_as_text", "json_as_text(json, key, …)", "The value at a path of JSON, as text; NULL where there is none."),
    ("json_get", "json_get(json, key, …)", "The value at a path of JSON."),
    ("json_get_str", "json_get_str(json, key, …)", "The text at a path of JSON; NULL where it is no text."),
    ("json_get_int", "json_get_int(json, key, …)", "The whole number at a path of JSON; NULL where it is none."),
    ("json_get_float", "json_get_float(json, key, …)", "The number at a path of JSON; NULL where it is none."),
    ("json_get_bool", "json_get_bool(json, key, …)", "The boolean at a path of JSON; NULL where it is none."),
    ("json_get_json", "json_get_json(json, key, …)", "The value at a path of JSON, as JSON."),
    ("json_contains", "json_contains(json, key, …)", "Whether JSON has a value at a path."),
    ("json_length", "json_length(json, key, …)", "How many members the object or array at a path of JSON has."),
    ("extract_json", "extract_json(json, path)", "All values at a JSONPath, as JSON."),
    ("extract_json_string", "extract_json_string(json, path)", "The first text at a JSONPath."),
];

/// Every function of the dialect and of these user-defined ones, in the order of their names.
#[must_use]
pub fn function_docs(udfs: &[Udf]) -> Vec<FunctionDoc> {
    let functions = &*FUNCTIONS;
    let mut docs: Vec<FunctionDoc> = Vec::new();
    let mut add = |name: &str, kind, doc: Option<&Documentation>| {
        let own = OWN.iter().find(|(own, ..)| *own == name);
        let (syntax, description) = match (own, doc) {
            (Some((_, syntax, description)), _) => ((*syntax).to_owned(), (*description).to_owned()),
            (None, Some(doc)) => (doc.syntax_example.clone(), doc.description.trim().to_owned()),
            (None, None) => (format!("{name}(…)"), String::new()),
        };
        docs.push(FunctionDoc { name: name.to_owned(), kind, syntax, description });
    };
    functions.scalar.iter().for_each(|(name, function)| add(name, "scalar", function.documentation()));
    functions.aggregate.iter().for_each(|(name, function)| add(name, "aggregate", function.documentation()));
    functions.window.iter().for_each(|(name, function)| add(name, "window", function.documentation()));
    for udf in udfs {
        let arguments: Vec<String> = udf.arguments.iter().map(|kind| kind.to_string().to_lowercase()).collect();
        let kind = match udf.kind {
            UdfKind::Scalar => "scalar",
            UdfKind::Aggregate => "aggregate",
        };
        docs.push(FunctionDoc {
            name: udf.name.to_owned(),
            kind,
            syntax: format!("{}({})", udf.name, arguments.join(", ")),
            description: format!("A function of this project: sql/udfs/{}.rs.", udf.name),
        });
    }
    docs.sort_by(|a, b| (&a.name, a.kind).cmp(&(&b.name, b.kind)));
    docs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_syntax_and_the_own_ones_exist() {
        let docs = function_docs(&[]);
        assert!(docs.iter().all(|doc| doc.syntax.contains('(')), "{docs:?}");
        for (name, ..) in OWN {
            assert!(docs.iter().any(|doc| doc.name == name), "{name}");
        }
        assert!(docs.iter().filter(|doc| !doc.description.is_empty()).count() > 150);
    }
}
