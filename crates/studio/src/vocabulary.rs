//! The words that a rule may use, for completion: views with their columns, and functions with what they do.

use std::sync::{Arc, Mutex, PoisonError};

use weir_project::compile::plan_options;
use weir_rules::{Environment, Pack};

use crate::{
    api::contract::{FunctionEntry, ViewEntry, Vocabulary},
    draft::of_history,
};

/// The words, as the tables had them when they were last asked for.
#[derive(Default)]
pub(crate) struct Words(Mutex<Option<(String, Arc<Vocabulary>)>>);

impl Words {
    /// The words for a pack's tables.
    pub(crate) fn of(&self, pack: &Pack, environment: &Environment) -> Arc<Vocabulary> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((tables, words)) = &*known
            && *tables == pack.tables
        {
            return Arc::clone(words);
        }
        let views = view_names(&pack.tables).into_iter().filter_map(|name| view(pack, environment, name)).collect();
        let words = Arc::new(Vocabulary { views, functions: functions() });
        *known = Some((pack.tables.clone(), Arc::clone(&words)));
        words
    }
}

/// The names of the views that the tables make.
fn view_names(tables: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in tables.lines() {
        let mut words = line.split_whitespace();
        let is_view = words.next().is_some_and(|word| word.eq_ignore_ascii_case("create"))
            && words.next().is_some_and(|word| word.eq_ignore_ascii_case("view"));
        if let Some(name) = words.next().filter(|_| is_view)
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// The columns of a view, as the planner has them.
fn view(pack: &Pack, environment: &Environment, name: String) -> Option<ViewEntry> {
    let tables = Pack { rules: Vec::new(), ..pack.clone() };
    let program = weir_rules::compile(&tables, &of_history(environment.clone())).ok()?;
    let asked = format!("{}\nSELECT * FROM {name};\n", program.sql);
    let planned = weir_engine::plan(&asked, &plan_options()).ok()?;
    let printed = planned.sinks().iter().find(|sink| sink.connector == "stdout" || sink.name == "stdout")?;
    let fields = printed.schema.fields().iter().filter(|field| !field.name().starts_with('_'));
    Some(ViewEntry {
        name,
        columns: fields.map(|f| (f.name().clone(), type_name(&f.data_type().to_string()))).collect(),
    })
}

/// A type as SQL has it.
fn type_name(arrow: &str) -> String {
    match arrow {
        "Utf8" | "LargeUtf8" | "Utf8View" => "TEXT",
        "Float64" => "DOUBLE",
        "Int64" => "BIGINT",
        "Boolean" => "BOOLEAN",
        time if time.starts_with("Timestamp") => "TIMESTAMP",
        other => other,
    }
    .to_owned()
}

fn functions() -> Vec<FunctionEntry> {
    weir_engine::function_docs(&plan_options().udfs)
        .into_iter()
        .map(|doc| FunctionEntry {
            name: doc.name,
            kind: doc.kind.to_owned(),
            syntax: doc.syntax,
            description: doc.description,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use weir_project::{Repo, compile::load_pack};

    use super::*;

    #[test]
    fn columns_and_functions_are_those_that_a_rule_can_use() {
        let pack = load_pack(&Repo::find().unwrap().sql()).unwrap();
        let words = Words::default().of(&pack, &Environment::default());
        let events = words.views.iter().find(|view| view.name == "events").unwrap();
        let has = |name: &str, kind: &str| events.columns.contains(&(name.to_owned(), kind.to_owned()));
        assert!(
            has("value", "DOUBLE") && has("series", "TEXT") && has("event_time", "TIMESTAMP"),
            "{:?}",
            events.columns
        );
        let function = |name: &str| words.functions.iter().find(|function| function.name == name);
        for name in ["avg", "hop", "tumble", "json_as_text", "stddev", "adaptive_verdict"] {
            let found = function(name).unwrap_or_else(|| panic!("{name}"));
            assert!(!found.syntax.is_empty(), "{name}");
        }
        assert!(function("avg").unwrap().description.contains("verage"));
    }
}
