//! `sql/rule.schema.json` and the Rust types accept and refuse the same headers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{fs, path::Path, path::PathBuf};

use serde_json::{Map, Value, json};
use weir_rules::Header;

fn sql() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql")
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(sql().join("rule.schema.json")).unwrap()).unwrap()
}

/// The headers of every rule and template, as JSON.
fn headers() -> Vec<Value> {
    let files = ["rules", "templates"].into_iter().flat_map(|folder| fs::read_dir(sql().join(folder)).unwrap());
    let files = files.map(|file| file.unwrap().path()).filter(|file| file.extension().is_some_and(|e| e == "sql"));
    let headers: Vec<Value> = files
        .map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let header: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("--")).collect();
            toml::from_str(&header.join("\n")).unwrap()
        })
        .collect();
    assert!(headers.len() >= 20, "{}", headers.len());
    headers
}

/// The words of JSON Schema that ours uses; patterns are left to the types.
fn fits(value: &Value, rule: &Value, root: &Value) -> bool {
    for word in rule.as_object().unwrap().keys() {
        let known = [
            "type",
            "enum",
            "required",
            "properties",
            "additionalProperties",
            "items",
            "oneOf",
            "$ref",
            "pattern",
            "description",
            "default",
            "title",
            "$schema",
            "$defs",
        ];
        assert!(known.contains(&word.as_str()), "the test does not know `{word}`");
    }
    if let Some(path) = rule["$ref"].as_str() {
        return fits(value, root.pointer(path.strip_prefix('#').unwrap()).unwrap(), root);
    }
    let one_of =
        rule["oneOf"].as_array().is_none_or(|rules| rules.iter().filter(|rule| fits(value, rule, root)).count() == 1);
    let of_type = match rule["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        None => true,
        Some(other) => panic!("the test does not know type {other}"),
    };
    let listed = rule["enum"].as_array().is_none_or(|values| values.contains(value));
    let required =
        rule["required"].as_array().is_none_or(|names| names.iter().all(|n| value.get(n.as_str().unwrap()).is_some()));
    let items = rule
        .get("items")
        .is_none_or(|item| value.as_array().is_some_and(|all| all.iter().all(|v| fits(v, item, root))));
    let fields = value.as_object().into_iter().flatten().all(|(name, field)| {
        match (&rule["properties"][name], &rule["additionalProperties"]) {
            (Value::Null, Value::Bool(more)) => *more,
            (Value::Null, Value::Null) => true,
            (Value::Null, more) => fits(field, more, root),
            (known, _) => fits(field, known, root),
        }
    });
    of_type && one_of && listed && required && items && fields
}

fn both(header: &Value) -> (bool, bool) {
    let schema = schema();
    (fits(header, &schema, &schema), serde_json::from_value::<Header>(header.clone()).is_ok())
}

/// A header with every field of every kind.
fn full() -> Value {
    json!({
        "name": "r", "severity": "info", "description": "d", "owner": "o", "runbook": "r", "tags": ["t"], "dedup": "1 hour",
        "stage": "off",
        "sampling": { "least": "n", "over": "window", "by": "series" },
        "band": { "lower": "low", "upper": "high" },
        "parameters": { "p": { "type": "double", "default": 1.0, "description": "d", "min": 0.0, "max": 2.0 } },
    })
}

#[test]
fn the_headers_of_the_repository_fit_both() {
    for header in headers().iter().chain([&full()]) {
        assert_eq!(both(header), (true, true), "{header}");
    }
}

#[test]
fn the_schema_names_the_fields_of_the_types_and_no_others() {
    let schema = schema();
    let sampling = &schema["properties"]["sampling"];
    for (rule, path) in [(&schema, ""), (sampling, "/sampling"), (&schema["$defs"]["parameter"], "/parameters/p")] {
        let mut header = full();
        header.pointer_mut(path).unwrap().as_object_mut().unwrap().insert("new".into(), json!(1));
        assert_eq!(both(&header), (false, false), "an unknown field in {path}");
        // Serde lists the fields that it knows.
        let said = serde_json::from_value::<Header>(header).unwrap_err().to_string();
        let mut known: Vec<&str> =
            said.split("expected one of ").nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        let mut named: Vec<&str> = rule["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        known.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, known);
    }
}

#[test]
fn what_is_missing_or_of_another_type_is_refused_by_both_alike() {
    for path in ["", "/sampling", "/band", "/parameters/p"] {
        let fields: Map<String, Value> = full().pointer(path).unwrap().as_object().unwrap().clone();
        let mut refused = 0;
        for name in fields.keys() {
            let mut changes = vec![None];
            changes.extend([json!("loud"), json!(7), json!([7]), json!({ "a": 7 }), json!(true)].map(Some));
            for change in changes {
                let mut header = full();
                let object = header.pointer_mut(path).unwrap().as_object_mut().unwrap();
                match &change {
                    None => drop(object.remove(name)),
                    Some(value) => drop(object.insert(name.clone(), value.clone())),
                }
                // `loud` is an interval by its type and none by its pattern; a default's own type is checked later.
                if (name == "dedup" && change == Some(json!("loud"))) || (name == "default" && change.is_some()) {
                    continue;
                }
                let (schema, types) = both(&header);
                assert_eq!(schema, types, "{path}/{name} = {change:?}");
                refused += usize::from(!types);
            }
        }
        assert!(refused > fields.len(), "{refused}");
    }
}
