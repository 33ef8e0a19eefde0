//! Rewrites what a test file expects, and leaves all else in it as it was written.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};
use serde_json::Value as Json;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Value};
use weir_rules::testfile::TestFile;

use super::diff::{Fields, matched};

/// What is expected of an anomaly when nobody has said what matters in it.
const EXPECTED: [&str; 4] = ["key", "value", "expected", "window_end"];

/// Writes what was found in these cases (by index) as what they expect; gives the file as it then is, if it was changed.
pub(super) fn rewrite(file: &Path, tests: &TestFile, found: &[(usize, Vec<Fields>)]) -> Result<Option<TestFile>> {
    if found.is_empty() {
        return Ok(None);
    }
    let what = || format!("{} cannot be rewritten", file.display());
    let text = fs::read_to_string(file).with_context(what)?;
    let text = rewritten(&text, tests, found).with_context(what)?;
    fs::write(file, &text).with_context(what)?;
    Ok(Some(TestFile::parse(file, &text)?))
}

fn rewritten(text: &str, tests: &TestFile, found: &[(usize, Vec<Fields>)]) -> Result<String> {
    let mut document: DocumentMut = text.parse()?;
    for (index, found) in found {
        let expected = tests.cases.get(*index).map(weir_rules::testfile::TestCase::expected).unwrap_or_default();
        let case = document.get_mut("case").and_then(Item::as_array_of_tables_mut).and_then(|all| all.get_mut(*index));
        let case = case.ok_or_else(|| anyhow!("a case is not written as [[case]]"))?;
        let before = case.get("expect").and_then(Item::as_array).cloned().unwrap_or_default();
        let mut array = Array::new();
        for (fields, of) in found.iter().zip(matched(&expected, found)) {
            // What still holds stays as somebody wrote it.
            match of.and_then(|index| before.get(index)) {
                Some(kept) => array.push_formatted(kept.clone()),
                None => array.push(row(fields)),
            }
        }
        if array.len() > 1 {
            for item in array.iter_mut() {
                item.decor_mut().set_prefix("\n  ");
                item.decor_mut().set_suffix("");
            }
            array.set_trailing_comma(true);
            array.set_trailing("\n");
        }
        case.insert("expect", Item::Value(Value::Array(array)));
    }
    Ok(document.to_string())
}

pub(super) fn row(fields: &Fields) -> InlineTable {
    let mut table = InlineTable::new();
    let windowed = fields.get("window_end").is_some_and(|end| !end.is_null());
    for name in EXPECTED.into_iter().chain((!windowed).then_some("timestamp")) {
        match fields.get(name) {
            Some(Json::String(text)) => drop(table.insert(name, text.as_str().into())),
            Some(Json::Number(number)) => {
                if let Some(number) = number.as_f64() {
                    table.insert(name, rounded(number).into());
                }
            }
            _ => {}
        }
    }
    table
}

/// Ten digits: tests compare within a billionth, and nobody reads 9.999999999999998.
fn rounded(number: f64) -> f64 {
    format!("{number:.9e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# kept\nparameters = { step = \"1 minute\" }\n\n[[case]]\nname = \"a\" # kept too\nseries = [{ values = \"1x3\" }]\nexpect = [{ key = \"k\", value = 1.0 }]\n\n[[case]]\nname = \"b\"\nseries = []\nexpect = []\n";

    fn fields(value: f64) -> Fields {
        let json = serde_json::json!({ "key": "k", "value": value, "expected": null, "window_end": "2026-01-01T00:10:00", "score": 0.5 });
        json.as_object().cloned().unwrap()
    }

    fn after(found: &[(usize, Vec<Fields>)]) -> String {
        rewritten(FILE, &TestFile::parse(Path::new("a.toml"), FILE).unwrap(), found).unwrap()
    }

    #[test]
    fn only_what_is_expected_changes() {
        assert_eq!(
            after(&[(1, vec![fields(2.0)])]),
            FILE.replace(
                "expect = []",
                "expect = [{ key = \"k\", value = 2.0, window_end = \"2026-01-01T00:10:00\" }]"
            )
        );
        assert_eq!(after(&[(0, vec![])]), FILE.replace("[{ key = \"k\", value = 1.0 }]", "[]"));
    }

    #[test]
    fn numbers_are_written_short() {
        assert_eq!([9.999_999_999_999_998, -5.0, 0.1 + 0.2, 1e-12].map(rounded), [10.0, -5.0, 0.3, 1e-12]);
    }

    #[test]
    fn what_still_holds_stays_as_it_was_written() {
        assert_eq!(
            after(&[(0, vec![fields(1.0), fields(2.0)])]),
            FILE.replace(
                "[{ key = \"k\", value = 1.0 }]",
                "[\n  { key = \"k\", value = 1.0 },\n  { key = \"k\", value = 2.0, window_end = \"2026-01-01T00:10:00\" },\n]"
            )
        );
    }
}
