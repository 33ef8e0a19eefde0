//! What the build says of a file that is not in Arroyo's format.

#![allow(clippy::unwrap_used, dead_code, reason = "a test may stop at a surprise, and uses a part of the build")]

#[path = "../build/format.rs"]
mod format;

use format::{Kind, Value, read};

fn fault(text: &str) -> String {
    let fault = read("f", text, &["serde".to_owned()]).unwrap_err();
    format!("{}: {}; {}", fault.line, fault.message, fault.hint)
}

#[test]
fn a_file_in_the_format_is_read() {
    let text = "/*\n[dependencies]\nserde = \"1\"\n*/\nuse arroyo_udf_plugin::udf;\nfn helper() {}\n#[udf]\nfn f(x: f64, s: &str, o: Option<i64>, b: &[u8]) -> Option<String> { None }";
    let function = read("f", text, &["serde".to_owned()]).unwrap();
    assert!(!function.aggregate);
    assert_eq!(function.returns, Value { kind: Kind::Text, nullable: true });
    assert_eq!(function.arguments.iter().map(|a| a.nullable).collect::<Vec<_>>(), [false, false, true, false]);

    let aggregate = read("f", "#[udf] fn f(a: Vec<Option<u8>>, b: Vec<&str>) -> Vec<u8> { vec![] }", &[]).unwrap();
    assert!(aggregate.aggregate);
    assert_eq!(aggregate.returns.kind, Kind::Bytes);
    assert_eq!(aggregate.arguments[0], Value { kind: Kind::Number("u8"), nullable: true });
}

#[test]
fn what_is_not_in_the_format_is_named_with_its_place() {
    let faults = [
        "fn f(x: i64) -> i64 { x }",
        "#[udf] fn f(x: i64) -> i64 { x }\n#[udf] fn g(x: i64) -> i64 { x }",
        "\n#[udf]\nfn g(x: i64) -> i64 { x }",
        "#[udf] fn f(x: i64) { }",
        "#[udf] fn f() -> i64 { 1 }",
        "#[udf] fn f(x: String) -> i64 { 1 }",
        "#[udf] fn f(x: &i64) -> i64 { 1 }",
        "#[udf] fn f(x: bool) -> i64 { 1 }",
        "#[udf] fn f(x: HashMap<u8, u8>) -> i64 { 1 }",
        "#[udf] fn f(x: i64) -> &str { \"\" }",
        "#[udf] fn f(x: Vec<i64>, y: i64) -> i64 { 1 }",
        "#[udf] fn f(x: Vec<Option<&str>>) -> i64 { 1 }",
        "#[udf] async fn f(x: i64) -> i64 { 1 }",
        "#[udf] fn f<T>(x: i64) -> i64 { 1 }",
        "#[udf] fn f(x: i64) -> i64 {",
        "/*\n[dependencies]\nserde = \"1\"\nrand = \"0.9\"\n*/\n#[udf] fn f(x: i64) -> i64 { x }",
        "/* [dependencies]\nserde = \"1\" */\n#[udf] fn f(x: i64) -> i64 { x }",
    ];
    insta::assert_snapshot!(faults.map(fault).join("\n"));
}

#[test]
fn dependencies_of_a_manifest_are_found() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\narrow.workspace = true\n# not = 1\nserde = { version = \"1\" }\n\n[build-dependencies]\nsyn = \"2\"\n";
    assert_eq!(format::dependencies(manifest), ["arrow", "serde"]);
}
