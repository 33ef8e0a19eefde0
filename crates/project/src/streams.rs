//! The declared streams of a project: what is wrong with their samples, and which of them nobody reads.

use std::{collections::BTreeSet, fs, path::Path};

use weir_anomaly::Stage;
use weir_rules::{
    Environment, Pack, StreamFile,
    lint::{Finding, Level},
    streams_of,
};

/// What `weir check` says of a pack's streams: each sample that does not give what it must, and streams that no rule reads.
#[must_use]
pub fn findings(pack: &Pack, environment: &Environment) -> Vec<Finding> {
    let mut findings: Vec<Finding> = pack.streams.iter().flat_map(samples).collect();
    let used = used(pack, environment);
    for stream in pack.streams.iter().filter(|stream| !used.contains(stream.declaration.name.as_str())) {
        let name = &stream.declaration.name;
        findings.push(Finding {
            code: "unused-stream",
            level: Level::Warning,
            file: stream.file.clone(),
            line: 0,
            column: 0,
            message: format!("no rule reads the stream `{name}`"),
            hint: Some(format!(
                "a rule says FROM {name}; one of the library takes its metrics with [rules.RULE] stream = \"{name}\""
            )),
        });
    }
    findings
}

/// The streams that rules read, those at stage `off` left out.
fn used<'a>(pack: &'a Pack, environment: &Environment) -> BTreeSet<&'a str> {
    let rules = pack.rules.iter().filter(|rule| environment.stage(rule) != Stage::Off);
    let streams = rules.flat_map(|rule| streams_of(pack, rule, environment));
    streams.map(|stream| stream.declaration.name.as_str()).collect()
}

/// The samples that do not give what they must.
fn samples(stream: &StreamFile) -> Vec<Finding> {
    let folder = stream.file.parent().unwrap_or(Path::new("."));
    let faults = stream.declaration.check_samples(&stream.file, &stream.text, |name| fs::read(folder.join(name)));
    let finding = |fault: weir_stream::Fault| Finding {
        code: "wrong-sample",
        level: Level::Error,
        file: fault.file,
        line: fault.line,
        column: fault.column,
        message: fault.message,
        hint: fault.hint,
    };
    faults.into_iter().map(finding).collect()
}
