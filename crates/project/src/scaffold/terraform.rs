//! Terraform's root in a project: a call of Weir's module, which lies beside it, with all of its variables and outputs under their
//! own names. So whatever is said of the module holds for the project's root, and `weir deploy` works in it as in Weir's own.

use std::{fmt::Write as _, path::Path};

use include_dir::{Dir, include_dir};

use super::below;
use crate::files::NewFile;

static MODULE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../terraform");

/// Where it lies in a project.
const FOLDER: &str = "terraform/weir";
/// What of the module's folder is for Weir's own checkout.
const OURS: [&str; 3] = ["tests", "examples", ".terraform"];
/// The environments whose sizes the module has an example of.
const ENVIRONMENTS: [&str; 2] = ["dev", "prod"];

/// The files of Terraform in a project of that name, but for `main.tf`, which is a template.
pub(super) fn files(name: &str) -> Vec<NewFile> {
    let mut files = Vec::new();
    below(&MODULE, Path::new(""), &mut |path, bytes| {
        let first = path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let module = path.extension().is_some_and(|e| e == "tf" || e == "md" || e == "yaml");
        if module && !first.is_some_and(|first| OURS.contains(&first.as_str())) {
            files.push(NewFile::new(Path::new(FOLDER).join(path), bytes));
        }
    });
    files.push(NewFile::new("terraform/variables.tf", variables(name)));
    files.push(NewFile::new("terraform/outputs.tf", outputs()));
    for environment in ENVIRONMENTS {
        if let Some(text) = MODULE.get_file(format!("{environment}.tfvars")).and_then(|file| file.contents_utf8()) {
            let prefix = if environment == "prod" { name.to_owned() } else { format!("{name}-{environment}") };
            files.push(NewFile::new(format!("terraform/{environment}.tfvars"), sizes(text, &prefix)));
        }
    }
    files
}

/// The blocks of a kind at the top of the module: names, and what stands in the blocks.
fn blocks(kind: &str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    for file in MODULE.files().filter(|file| file.path().extension().is_some_and(|extension| extension == "tf")) {
        let text = file.contents_utf8().unwrap_or_default();
        let mut at = 0;
        while let Some((body, end)) = block(text, at, kind) {
            if let Some((name, body)) = body.split_once("\" {\n") {
                found.push((name, body));
            }
            at = end;
        }
    }
    found.sort_unstable();
    found
}

/// The next block of a kind, behind its first quote, and where it ends: formatted files close a block at the beginning of a line.
fn block<'a>(text: &'a str, at: usize, kind: &str) -> Option<(&'a str, usize)> {
    let rest = text.get(at..)?;
    let mark = format!("{kind} \"");
    let begin = if rest.starts_with(&mark) { mark.len() } else { rest.find(&format!("\n{mark}"))? + 1 + mark.len() };
    let length = rest.get(begin..)?.find("\n}")? + 1;
    Some((rest.get(begin..begin + length)?, at + begin + length))
}

/// The arguments of the call, in one column.
pub(super) fn arguments() -> String {
    let names: Vec<&str> = blocks("variable").into_iter().map(|(name, _)| name).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
    let lines: Vec<String> = names.iter().map(|name| format!("  {name:<width$} = var.{name}")).collect();
    lines.join("\n")
}

/// The module's variables with their defaults; it checks values itself.
fn variables(name: &str) -> String {
    let mut text = String::from("# What can be said of the stack: the module's variables, by their own names.\n");
    for (variable, body) in blocks("variable") {
        let _ = writeln!(text, "\nvariable \"{variable}\" {{");
        let mut in_validation = false;
        let mut kept: Vec<String> = Vec::new();
        for line in body.lines() {
            in_validation |= line.starts_with("  validation {");
            if !in_validation {
                let is_default = variable == "name_prefix" && line.trim_start().starts_with("default ");
                let own = || line.split_once('=').map(|(key, _)| format!("{key}= \"{name}\""));
                kept.push(Some(()).filter(|()| is_default).and_then(|()| own()).unwrap_or_else(|| line.to_owned()));
            }
            in_validation &= line != "  }";
        }
        // Notes on a check go with it, and so does the line before it.
        while kept.last().is_some_and(|line| line.is_empty() || line.trim_start().starts_with('#')) {
            kept.pop();
        }
        kept.dedup_by(|a, b| a.is_empty() && b.is_empty());
        kept.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        text.push_str("}\n");
    }
    text
}

/// The module's outputs: `weir` reads them from the root.
fn outputs() -> String {
    let mut outputs = String::from("# What `weir` reads of the stack: the module's outputs, by their own names.\n");
    for (name, body) in blocks("output") {
        let sensitive = body.lines().any(|line| line.trim_start().starts_with("sensitive"));
        outputs.push_str(&format!("\noutput \"{name}\" {{\n"));
        if sensitive {
            outputs.push_str(&format!("  value     = module.weir.{name}\n  sensitive = true\n}}\n"));
        } else {
            outputs.push_str(&format!("  value = module.weir.{name}\n}}\n"));
        }
    }
    outputs
}

/// An environment's sizes as the module's own, under the project's name. The region is for a person to choose.
fn sizes(text: &str, prefix: &str) -> String {
    let named = text.lines().any(|line| line.starts_with("name_prefix "));
    let mut sizes = String::from(
        "# The region comes from TF_VAR_region, or from a line `region = \"…\"` here: data must not land where nobody chose.\n",
    );
    for line in text.lines() {
        let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let width = line.split_once('=').map_or(0, |(key, _)| key.len());
        match key(line).as_str() {
            "region" if named => continue,
            "region" | "name_prefix" => {
                let _ = writeln!(sizes, "{:<width$}= \"{prefix}\"", "name_prefix ");
            }
            _ => sizes.push_str(&format!("{line}\n")),
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_variables_and_outputs_are_handed_on() {
        let outputs = outputs();
        for name in ["region", "events_stream_name", "table_name", "quarantine_queue_url"] {
            assert!(outputs.contains(&format!("output \"{name}\" {{\n  value ")), "{outputs}");
        }
        let (variables, arguments) = (variables("plant"), arguments());
        for name in ["region", "streams", "lambda_architecture", "alerter_zip", "gate_zip", "heartbeat_zip"] {
            assert!(variables.contains(&format!("\nvariable \"{name}\" {{\n  description = ")), "{name}: {variables}");
            assert!(arguments.lines().any(|line| line.ends_with(&format!(" = var.{name}"))), "{arguments}");
        }
        assert!(!variables.contains("validation") && !variables.contains("error_message"), "{variables}");
        assert!(variables.contains("  default     = \"plant\"\n"), "the project's name is the first part of names");
        assert_eq!(variables.matches("\nvariable \"").count(), arguments.lines().count());
    }

    #[test]
    fn sizes_are_the_modules_under_another_name_and_in_no_region() {
        let dev = sizes(
            "# Small.\na_long_name = 1\nname_prefix = \"weir-dev\"\nregion      = \"eu-central-1\"\n",
            "plant-dev",
        );
        assert!(dev.ends_with("# Small.\na_long_name = 1\nname_prefix = \"plant-dev\"\n"), "{dev}");
        let prod = sizes("a_very_long_name = 1\nregion           = \"eu-central-1\"\n", "plant");
        assert!(prod.ends_with("a_very_long_name = 1\nname_prefix      = \"plant\"\n"), "{prod}");
    }
}
