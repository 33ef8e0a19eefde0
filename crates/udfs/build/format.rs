//! Arroyo's format of a UDF file, by the rules of its own macro (`arroyo-udf`, 0.15): what it takes, this takes, and what it
//! would not compile is refused here with a reason.

use syn::{Attribute, FnArg, GenericArgument, Item, ItemFn, PathArguments, ReturnType, Type};

/// A function of a UDF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Whether it takes vectors, once a group.
    pub(crate) aggregate: bool,
    pub(crate) arguments: Vec<Value>,
    pub(crate) returns: Value,
}

/// An argument, an element of a vector, or the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    /// Written as `Option<…>`.
    pub(crate) nullable: bool,
}

/// The types that Arroyo's macro compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number(&'static str),
    Text,
    Bytes,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// From 1; 0 when it is of the whole file.
    pub(crate) line: usize,
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// Rust's names of the numbers, and Arrow's.
pub(crate) const NUMBERS: [(&str, &str); 10] = [
    ("i8", "Int8"),
    ("i16", "Int16"),
    ("i32", "Int32"),
    ("i64", "Int64"),
    ("u8", "UInt8"),
    ("u16", "UInt16"),
    ("u32", "UInt32"),
    ("u64", "UInt64"),
    ("f32", "Float32"),
    ("f64", "Float64"),
];

const EXAMPLE: &str = "a file holds `use arroyo_udf_plugin::udf;` and one `#[udf] fn NAME(x: f64, s: &str, o: Option<i64>) -> Option<f64>`";
const TYPES: &str = "arguments are i8 to u64, f32, f64, &str, &[u8], an Option of these, or Vec<T> for an aggregate";

/// Reads one file; `name` is the file's, without `.rs`.
pub(crate) fn read(name: &str, text: &str, dependencies: &[String]) -> Result<Function, Fault> {
    let whole = |message: String, hint: &str| Fault { line: 0, message, hint: hint.to_owned() };
    check_header(text, dependencies)?;
    let file = syn::parse_file(text)
        .map_err(|e| whole(format!("not Rust: {e}"), "`rustfmt --check` on the file says where"))?;
    let marked: Vec<&ItemFn> = file
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Fn(function) if function.attrs.iter().any(is_udf) => Some(function),
            _ => None,
        })
        .collect();
    let function = match marked.as_slice() {
        [one] => *one,
        [] => return Err(whole("no function is annotated with #[udf]".to_owned(), EXAMPLE)),
        _ => return Err(whole("only one function may be annotated with #[udf]".to_owned(), "one file a function")),
    };
    signature(name, function).map_err(|(message, hint)| {
        let found = text.lines().position(|line| line.contains(&format!("fn {}", function.sig.ident)));
        Fault { line: found.map_or(0, |index| index + 1), message, hint: hint.to_owned() }
    })
}

fn is_udf(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "udf")
}

type Refusal = (String, &'static str);

fn signature(file: &str, function: &ItemFn) -> Result<Function, Refusal> {
    let name = function.sig.ident.to_string();
    if name != file {
        return Err((
            format!("the function is named `{name}`"),
            "name the file after its function, so that it is found by its name",
        ));
    }
    if name.chars().any(char::is_uppercase) {
        return Err((format!("`{name}` has capital letters"), "SQL folds names to lower case and would not find it"));
    }
    if function.sig.asyncness.is_some() {
        return Err((
            format!("`{name}` is async"),
            "the embedded engine does not run async functions; register it on Arroyo itself",
        ));
    }
    if function.sig.unsafety.is_some() || !function.sig.generics.params.is_empty() {
        return Err((format!("`{name}` is generic or unsafe"), EXAMPLE));
    }
    let mut arguments = Vec::new();
    let mut vectors = 0;
    for (nth, input) in function.sig.inputs.iter().enumerate() {
        let FnArg::Typed(typed) = input else { return Err((format!("`{name}` takes self"), EXAMPLE)) };
        let fault = |message: String| (format!("argument {} of `{name}`: {message}", nth + 1), TYPES);
        let value = match generic(&typed.ty, "Vec") {
            Some(element) => {
                vectors += 1;
                let value = borrowed(element).map_err(fault)?;
                if value.kind == Kind::Bytes || (value.kind == Kind::Text && value.nullable) {
                    return Err(fault("Arroyo's macro does not compile a vector of this".to_owned()));
                }
                value
            }
            None => borrowed(&typed.ty).map_err(fault)?,
        };
        arguments.push(value);
    }
    if arguments.is_empty() {
        return Err((format!("`{name}` takes no arguments"), "Arroyo's macro needs at least one"));
    }
    if vectors > 0 && vectors != arguments.len() {
        return Err((
            format!("`{name}` takes vectors and single values"),
            "an aggregate takes vectors only: pass a constant as a column too",
        ));
    }
    let returns = match &function.sig.output {
        ReturnType::Default => return Err((format!("`{name}` returns nothing"), EXAMPLE)),
        ReturnType::Type(_, returned) => owned(returned).map_err(|m| {
            (
                format!("result of `{name}`: {m}"),
                "results are i8 to u64, f32, f64, String, Vec<u8> or an Option of these",
            )
        })?,
    };
    Ok(Function { name, aggregate: vectors > 0, arguments, returns })
}

fn borrowed(written: &Type) -> Result<Value, String> {
    if let Some(inner) = generic(written, "Option") {
        return Ok(Value { nullable: true, ..borrowed(inner)? });
    }
    let kind = match written {
        Type::Reference(reference) => match reference.elem.as_ref() {
            Type::Slice(slice) if path(&slice.elem).as_deref() == Some("u8") => Kind::Bytes,
            inner if path(inner).as_deref() == Some("str") => Kind::Text,
            _ => return Err("only &str and &[u8] are references".to_owned()),
        },
        other => match path(other).as_deref() {
            Some("String") => return Err("expected &str, not String".to_owned()),
            name => number(name)?,
        },
    };
    Ok(Value { kind, nullable: false })
}

fn owned(written: &Type) -> Result<Value, String> {
    if let Some(inner) = generic(written, "Option") {
        return Ok(Value { nullable: true, ..owned(inner)? });
    }
    let is_bytes = generic(written, "Vec").and_then(path).as_deref() == Some("u8");
    let kind = match path(written).as_deref() {
        _ if is_bytes => Kind::Bytes,
        Some("String") => Kind::Text,
        name => number(name)?,
    };
    Ok(Value { kind, nullable: false })
}

fn number(name: Option<&str>) -> Result<Kind, String> {
    match name {
        // Its macro makes a PrimitiveArray of them, which Arrow does not have.
        Some("bool") => Err("Arroyo's macro does not compile bool; use an i64 of 0 and 1".to_owned()),
        Some(name) => match NUMBERS.iter().find(|(rust, _)| *rust == name) {
            Some((rust, _)) => Ok(Kind::Number(rust)),
            None => Err(format!("`{name}` is no type of a column")),
        },
        None => Err("this is no type of a column".to_owned()),
    }
}

/// `T` of `wrapper<T>`.
fn generic<'a>(written: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let Type::Path(path) = written else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner),
        _ => None,
    }
}

/// A path without arguments, its last name.
fn path(written: &Type) -> Option<String> {
    let Type::Path(path) = written else { return None };
    let last = path.path.segments.last()?;
    Some(last.ident.to_string()).filter(|_| last.arguments.is_none())
}

/// Arroyo reads the crates that a file needs from a comment that begins with this.
const HEADER: &str = "/*\n[dependencies]\n";

fn check_header(text: &str, dependencies: &[String]) -> Result<(), Fault> {
    let fault = |offset: usize, message: String, hint: &str| {
        let line = text.get(..offset).unwrap_or_default().matches('\n').count() + 1;
        Fault { line, message, hint: hint.to_owned() }
    };
    let Some(start) = text.find(HEADER) else {
        return match text.find("[dependencies]") {
            Some(found) => Err(fault(
                found,
                "Arroyo would overlook these dependencies".to_owned(),
                "write `/*` and `[dependencies]` each on a line of its own",
            )),
            None => Ok(()),
        };
    };
    let body = start + HEADER.len();
    let rest = text.get(body..).unwrap_or_default();
    let Some(end) = rest.find("*/") else {
        return Err(fault(start, "the comment with the dependencies does not end".to_owned(), "end it with */"));
    };
    if rest.get(end..).is_some_and(|after| after.contains(HEADER)) {
        return Err(fault(start, "the dependencies are there twice".to_owned(), "one comment names them all"));
    }
    let mut offset = body;
    for line in rest.get(..end).unwrap_or_default().split_inclusive('\n') {
        if let Some(name) = dependency(line)
            && !dependencies.contains(&name)
        {
            return Err(fault(
                offset,
                format!("the crate `{name}` is not compiled into weir"),
                "add it to [dependencies] of crates/udfs/Cargo.toml too",
            ));
        }
        offset += line.len();
    }
    Ok(())
}

/// The names below `[dependencies]` of a manifest.
pub(crate) fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    section.take_while(|line| !line.trim_start().starts_with('[')).filter_map(dependency).collect()
}

fn dependency(line: &str) -> Option<String> {
    let line = line.trim();
    let name = line.split(['=', '.', ' ']).next().filter(|name| !name.is_empty() && !line.starts_with('#'))?;
    Some(name.trim_matches('"').to_owned())
}
