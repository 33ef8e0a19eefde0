//! Declared streams: their files, which of them a pack reads, and what the compiler writes for each.
//!
//! [`relations`] finds what rules read, [`embedded`] writes a stream's source for the embedded engine, [`views`] what both engines
//! share: the typed view, its metrics as `events`, poison and probes.

mod arroyo;
mod embedded;
mod file;
mod relations;
mod views;

use std::collections::BTreeSet;

use weir_stream::{Declaration, did_you_mean};

pub use file::StreamFile;
pub(crate) use file::load;
pub(crate) use relations::{Relation, relations};

use crate::{
    Environment, Pack, Rule, RuleError, TimeMode,
    compile::{Target, parameter_values},
    guard::Edit,
    template::{Output, quote},
};

/// The tables that library rules read, and that each stream with metrics has of its own.
const SHARED: [&str; 2] = ["events", "activity"];

/// The declared streams that a rule reads in an environment, by name: those that its text names, and the one whose metrics are its
/// `events`.
#[must_use]
pub fn streams_of<'a>(pack: &'a Pack, rule: &Rule, environment: &Environment) -> Vec<&'a StreamFile> {
    let Ok(values) = parameter_values(rule, environment) else { return Vec::new() };
    let mut body = Output::default();
    if body.written(&rule.file, rule.body_line, &rule.body, &values).is_err() {
        return Vec::new();
    }
    let mut used = Used::default();
    // What is wrong with the rule is told when it is compiled.
    drop(used.add(pack, rule, environment.stream(rule), &body));
    pack.streams.iter().filter(|stream| used.names.contains(&stream.declaration.name)).collect()
}

/// What a rule reads in an environment, in the order of the names: declared streams, and views. `events` and `activity` of a rule on a
/// stream's metrics are that stream.
#[must_use]
pub fn reads(rule: &Rule, environment: &Environment) -> BTreeSet<String> {
    let Ok(values) = parameter_values(rule, environment) else { return BTreeSet::new() };
    let mut body = Output::default();
    if body.written(&rule.file, rule.body_line, &rule.body, &values).is_err() {
        return BTreeSet::new();
    }
    let of_stream = |name: String| match environment.stream(rule) {
        Some(stream) if SHARED.contains(&name.as_str()) => stream.to_owned(),
        _ => name,
    };
    relations(&body.text).into_iter().map(|relation| of_stream(relation.name)).collect()
}

/// The name of the table that a declared stream's records enter by.
#[must_use]
pub fn source_table(stream: &str) -> String {
    format!("{stream}_raw")
}

/// The Kinesis stream that a declared stream is in an environment, by name or ARN.
#[must_use]
pub fn kinesis_stream(stream: &StreamFile, environment: &Environment) -> String {
    let declaration = &stream.declaration;
    let here = environment.streams.declared.get(&declaration.name).and_then(|settings| settings.stream.clone());
    here.or_else(|| declaration.stream.clone()).unwrap_or_else(|| format!("weir-{}", declaration.name))
}

/// The Kinesis stream on which the gate puts the records of a declared stream, for Arroyo to read.
#[must_use]
pub fn plain_stream(stream: &StreamFile, environment: &Environment) -> String {
    let name = &stream.declaration.name;
    let here = environment.streams.declared.get(name).and_then(|settings| settings.plain.clone());
    here.unwrap_or_else(|| format!("weir-{name}-plain"))
}

/// Which clock windows go by on a stream: a stream whose records carry no time goes by arrival in every environment.
fn clock(declaration: &Declaration, environment: &Environment) -> TimeMode {
    if declaration.carries_time() { environment.time } else { TimeMode::Arrival }
}

/// The region of an environment's streams, as an option of a table.
fn region(environment: &Environment) -> String {
    environment.aws_region.as_ref().map_or_else(String::new, |region| format!(" aws_region = {},", quote(region)))
}

/// Why a stream passes the gate on its way to Arroyo; `None`: Arroyo reads it itself. The embedded engine reads every stream itself.
#[must_use]
pub fn why_gate(stream: &StreamFile, environment: &Environment) -> Option<&'static str> {
    if kinesis_stream(stream, environment).starts_with("arn:") {
        return Some("Arroyo knows streams by their names, in its own account and region");
    }
    stream.declaration.why_gate()
}

/// What the rules of a pack read of declared streams.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// Streams.
    pub(crate) names: BTreeSet<String>,
    /// Views of their metrics, and of their activity.
    views: BTreeSet<String>,
}

/// What one rule reads of declared streams.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The changes to its text: `events` becomes the events of its stream.
    pub(crate) edits: Vec<Edit>,
    /// Whether it reads any.
    pub(crate) streams: bool,
}

impl Used {
    /// Adds what a rule reads.
    pub(crate) fn add(
        &mut self,
        pack: &Pack,
        rule: &Rule,
        own: Option<&str>,
        body: &Output,
    ) -> Result<Reading, RuleError> {
        let own = own.filter(|own| *own != "events");
        let stream = |name: &str| pack.streams.iter().find(|stream| stream.declaration.name == name);
        if let Some(own) = own
            && stream(own).is_none()
        {
            let known: Vec<&str> = pack.streams.iter().map(|s| s.declaration.name.as_str()).collect();
            let hint = match known.is_empty() {
                true => "a stream is declared in streams/NAME.toml, beside the folder of rules".to_owned(),
                false => did_you_mean(own, known.iter().copied().chain(["events"])),
            };
            return Err(RuleError::new(&rule.file, format!("there is no stream `{own}`")).hint(hint));
        }
        if pack.streams.is_empty() {
            return Ok(Reading::default());
        }
        let mut reading = Reading::default();
        for relation in relations(&body.text) {
            let fault = |message: String, hint: String| {
                let (line, column) =
                    body.map.origin(relation.line, relation.column).map_or((rule.body_line, 0), |o| (o.line, o.column));
                RuleError::new(&rule.file, message).at(line, column).hint(hint)
            };
            let name = match (own, SHARED.contains(&relation.name.as_str())) {
                (Some(own), true) => format!("{own}_{}", relation.name),
                _ => relation.name.clone(),
            };
            if let Some(found) = stream(&name) {
                reading.streams = true;
                self.names.insert(found.declaration.name.clone());
                continue;
            }
            let view =
                SHARED.iter().find_map(|view| Some((stream(name.strip_suffix(view)?.strip_suffix('_')?)?, view)));
            let Some((found, view)) = view else {
                self.unknown(pack, &name, fault)?;
                continue;
            };
            if found.declaration.metrics.is_empty() {
                return Err(fault(
                    format!("stream `{}` has no `{view}`: its file names no metrics", found.declaration.name),
                    format!("metrics = [\"…\"] in {}", found.file.display()),
                ));
            }
            reading.streams = true;
            self.names.insert(found.declaration.name.clone());
            self.views.insert(name.clone());
            if name != relation.name {
                reading.edits.push(relation.renamed(&name));
            }
        }
        Ok(reading)
    }

    /// A name that is nobody's, and almost a stream's.
    fn unknown(&self, pack: &Pack, name: &str, fault: impl Fn(String, String) -> RuleError) -> Result<(), RuleError> {
        let defined = |kind: &str| pack.tables.contains(&format!("{kind} {name} "));
        if SHARED.contains(&name) || defined("TABLE") || defined("VIEW") {
            return Ok(());
        }
        let names = pack.streams.iter().map(|stream| stream.declaration.name.as_str());
        match weir_stream::nearest(name, names) {
            Some(near) => Err(fault(format!("there is no stream `{name}`"), format!("did you mean `{near}`?"))),
            None => Ok(()),
        }
    }

    /// Writes the sources and views of every stream that is read.
    pub(crate) fn write(
        &self,
        pack: &Pack,
        environment: &Environment,
        target: Target,
        out: &mut Output,
    ) -> Result<(), RuleError> {
        if self.names.is_empty() {
            return Ok(());
        }
        if !out.text.contains("CREATE TABLE poison") {
            out.generated(&views::poison_table(environment));
        }
        for stream in pack.streams.iter().filter(|stream| self.names.contains(&stream.declaration.name)) {
            let gated = target == Target::Arroyo && why_gate(stream, environment).is_some();
            // What the gate writes has the same columns.
            let plain = gated.then(|| StreamFile { declaration: stream.declaration.plain(), ..stream.clone() });
            // The gate hands the arrival on as the time of records that carry none.
            let by_time = Environment { time: TimeMode::Event, ..environment.clone() };
            let carries_none = clock(&stream.declaration, &by_time) == TimeMode::Arrival;
            let environment = if gated && carries_none { &by_time } else { environment };
            let stream = plain.as_ref().unwrap_or(stream);
            let source = match target {
                Target::Embedded => embedded::source(stream, environment)?,
                Target::Arroyo if gated => {
                    arroyo::source(&stream.declaration, environment, &plain_stream(stream, environment))
                }
                Target::Arroyo => {
                    arroyo::source(&stream.declaration, environment, &kinesis_stream(stream, environment))
                }
            };
            let has = |view: &str| self.views.contains(&format!("{}_{view}", stream.declaration.name));
            let views = views::of(stream, environment, has("events"), has("activity"));
            out.generated_for(&stream.file, 1, &format!("\n{source}\n{views}"));
        }
        Ok(())
    }
}

impl Relation {
    /// The change that makes it read another table, under the name that the text has for it.
    fn renamed(&self, to: &str) -> Edit {
        let alias = if self.has_alias { String::new() } else { format!(" AS {}", self.name) };
        Edit { line: self.line, column: self.column, removed: self.length, inserted: format!("{to}{alias}") }
    }
}

#[cfg(test)]
mod tests;
