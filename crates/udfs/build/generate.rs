//! The code between columns and a function. Nulls go as in Arroyo: a scalar function with a NULL in an argument that is no
//! `Option` gives NULL and is not called; a vector of what is no `Option` leaves NULLs out, each vector by itself.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::format::{Function, Kind, NUMBERS, Value};

/// A file that holds the functions' modules, their list and their definitions.
pub(crate) fn generate(functions: &[(PathBuf, Function)]) -> String {
    let (mut modules, mut list, mut definitions, mut calls) =
        (String::new(), String::new(), String::new(), String::new());
    for (file, function) in functions {
        let name = &function.name;
        let file = literal(file);
        // Writing to a String cannot fail.
        let _ = writeln!(modules, "    #[path = {file}]\n    pub(super) mod {name};");
        let _ = writeln!(definitions, "    ({name:?}, include_str!({file})),");
        let kind = if function.aggregate { "Aggregate" } else { "Scalar" };
        let arguments: Vec<String> = function.arguments.iter().map(data_type).collect();
        let _ = writeln!(
            list,
            "        weir_engine::Udf {{ name: {name:?}, kind: weir_engine::UdfKind::{kind}, arguments: vec![{}], returns: {}, call: call_{name} }},",
            arguments.join(", "),
            data_type(&function.returns)
        );
        calls.push_str(&call(function));
    }
    format!(
        "// Arroyo's format knows no visibility, and its toolchain may be older than an idiom that clippy wants.\n\
         #[allow(unreachable_pub, missing_docs, clippy::style, clippy::complexity)]\n\
         mod sources {{\n{modules}}}\n\n\
         /// The functions.\n\
         pub(crate) fn all() -> Vec<weir_engine::Udf> {{\n    vec![\n{list}    ]\n}}\n\n\
         /// Their names and files.\n\
         pub(crate) static DEFINITIONS: &[(&str, &str)] = &[\n{definitions}];\n{calls}"
    )
}

fn call(function: &Function) -> String {
    let name = &function.name;
    let mut text = format!(
        "\nfn call_{name}(arguments: &[arrow::array::ArrayRef]) -> Result<arrow::array::ArrayRef, arrow::error::ArrowError> {{\n    \
         let mut results = {};\n",
        builder(&function.returns)
    );
    let names: Vec<String> = (0..function.arguments.len()).map(|nth| format!("argument_{nth}")).collect();
    for ((nth, argument), variable) in function.arguments.iter().enumerate().zip(&names) {
        let column = column(argument, nth);
        let _ = match (function.aggregate, argument.nullable) {
            (false, _) => writeln!(text, "    let {variable} = {column};"),
            (true, true) => writeln!(text, "    let {variable} = {column}.iter().collect::<Vec<_>>();"),
            (true, false) => writeln!(text, "    let {variable} = {column}.iter().flatten().collect::<Vec<_>>();"),
        };
    }
    let called = format!("sources::{name}::{name}({})", names.join(", "));
    let called = if function.returns.nullable { called } else { format!("Some({called})") };
    if function.aggregate {
        let _ = writeln!(text, "    results.append_option({called});");
    } else {
        text.push_str("    for row in 0..arguments.first().map_or(0, |a| a.len()) {\n");
        for (argument, variable) in function.arguments.iter().zip(&names) {
            let value = format!("weir_udfs::column::value({variable}, row)");
            let _ = if argument.nullable {
                writeln!(text, "        let {variable} = {value};")
            } else {
                writeln!(
                    text,
                    "        let Some({variable}) = {value} else {{\n            results.append_null();\n            continue;\n        }};"
                )
            };
        }
        let _ = writeln!(text, "        results.append_option({called});\n    }}");
    }
    text.push_str("    Ok(std::sync::Arc::new(results.finish()))\n}\n");
    text
}

fn arrow_name(rust: &str) -> &'static str {
    NUMBERS.iter().find(|(name, _)| *name == rust).map_or("Float64", |(_, arrow)| arrow)
}

fn data_type(value: &Value) -> String {
    let name = match value.kind {
        Kind::Number(rust) => arrow_name(rust),
        Kind::Text => "Utf8",
        Kind::Bytes => "Binary",
    };
    format!("arrow::datatypes::DataType::{name}")
}

fn column(value: &Value, nth: usize) -> String {
    match value.kind {
        Kind::Number(rust) => {
            format!("weir_udfs::column::number::<arrow::datatypes::{}Type>(arguments, {nth})?", arrow_name(rust))
        }
        Kind::Text => format!("weir_udfs::column::text(arguments, {nth})?"),
        Kind::Bytes => format!("weir_udfs::column::bytes(arguments, {nth})?"),
    }
}

fn builder(value: &Value) -> String {
    match value.kind {
        Kind::Number(rust) => {
            format!("arrow::array::PrimitiveBuilder::<arrow::datatypes::{}Type>::new()", arrow_name(rust))
        }
        Kind::Text => "arrow::array::StringBuilder::new()".to_owned(),
        Kind::Bytes => "arrow::array::BinaryBuilder::new()".to_owned(),
    }
}

fn literal(file: &Path) -> String {
    format!("{:?}", file.display().to_string())
}
