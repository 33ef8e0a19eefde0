//! Compiles a pack into one Arroyo SQL program: the tables, then one `INSERT` a rule.

use std::{collections::BTreeMap, fmt::Write as _};

use weir_anomaly::{
    RuleMeta, Stage,
    key::{CUT_KEY_CHARS, KEY_CUT_DIGITS, KEY_CUT_MARK, KEY_HEAD_CHARS, MAX_KEY_BYTES, NO_KEY},
};

use crate::{
    DecodeMode, Environment, Pack, Rule, RuleError, SourceMap,
    guard::guards,
    projection::Identity,
    streams::Used,
    template::{Output, quote},
    tokens,
};

/// Which engine a program is compiled for. Programs without declared streams are the same for both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// The embedded engine, which decodes declared streams itself.
    #[default]
    Embedded,
    /// Arroyo, where SQL takes records apart, or the gate has done so before.
    Arroyo,
}

/// A compiled pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program, the same bytes for the same pack and environment.
    pub sql: String,
    /// From its lines back to the files.
    pub map: SourceMap,
    /// The rules in it.
    pub rules: Vec<CompiledRule>,
}

/// A rule of a compiled pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledRule {
    /// Its name.
    pub name: String,
    /// Twelve hex digits over what matters in it.
    pub version: String,
}

/// Compiles a pack for an environment, for the embedded engine. Rules at stage `off` are left out.
///
/// # Errors
/// Every fault that was found.
pub fn compile(pack: &Pack, environment: &Environment) -> Result<Program, Vec<RuleError>> {
    compile_for(pack, environment, Target::Embedded)
}

/// Compiles a pack for an environment and an engine. What rules find, and the ids of it, depend on neither.
///
/// # Errors
/// Every fault that was found.
pub fn compile_for(pack: &Pack, environment: &Environment, target: Target) -> Result<Program, Vec<RuleError>> {
    let mut errors = unknown_parameters(pack, environment);
    let mut out = Output::default();
    out.generated("-- Compiled by weir. Edit the rule files, not this.");
    if let Err(error) = out.written(&pack.tables_file, 1, &pack.tables, &environment.table_values()) {
        errors.push(error);
    }
    let mut rules = Vec::new();
    let mut used = Used::default();
    let mut compiled = Output::default();
    for rule in &pack.rules {
        let mut rule = rule.clone();
        rule.header.stage = environment.stage(&rule);
        rule.header.stream = environment.stream(&rule).map(str::to_owned);
        if rule.header.stage == Stage::Off {
            continue;
        }
        match compile_rule(&rule, pack, environment, &mut used, &mut compiled) {
            Ok(version) => rules.push(CompiledRule { name: rule.header.name.clone(), version }),
            Err(error) => errors.push(error),
        }
    }
    if let Err(error) = used.write(pack, environment, target, &mut out) {
        errors.push(error);
    }
    out.append(compiled);
    if errors.is_empty() { Ok(Program { sql: out.text, map: out.map, rules }) } else { Err(errors) }
}

/// Appends the rule's `INSERT` and returns its version.
fn compile_rule(
    rule: &Rule,
    pack: &Pack,
    environment: &Environment,
    used: &mut Used,
    out: &mut Output,
) -> Result<String, RuleError> {
    let values = parameter_values(rule, environment)?;
    let mut body = Output::default();
    body.written(&rule.file, rule.body_line, &rule.body, &values)?;
    let version = rule.version(&body.text);
    let reading = used.add(pack, rule, rule.header.stream.as_deref(), &body)?;
    // A declared stream is typed by its own file.
    if environment.decode == DecodeMode::Typed && !reading.streams {
        refuse_whole_event(rule)?;
    }
    let body = body.edited(&reading.edits);

    let file = rule.file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let generated = |out: &mut Output, text: &str| out.generated_for(&rule.file, rule.body_line, text);
    generated(out, &format!("\n-- rule {} ({file}:{}), version {version}", rule.header.name, rule.body_line));
    generated(out, &before_body(rule, &version));
    let (_, edits) = guards(&body.text);
    out.append(body.edited(&edits));
    generated(out, &after_body(rule));
    Ok(version)
}

/// Everything in front of the rule's own `SELECT`. The inner `SELECT` gives the columns their types, the outer one makes
/// the record.
fn before_body(rule: &Rule, version: &str) -> String {
    let projection = &rule.projection;
    let windowed = !matches!(projection.identity, Identity::Event { .. });
    let name = &rule.header.name;
    let (timestamp, start, end) = if windowed {
        ("rule_window_end", "rule_window_start", "rule_window_end")
    } else {
        ("rule_event_time", "CAST(NULL AS TIMESTAMP)", "CAST(NULL AS TIMESTAMP)")
    };
    format!(
        "INSERT INTO anomalies
SELECT
  {id} AS id,
  '{name}' AS rule,
  '{version}' AS rule_version,
  '{severity}' AS severity,
  rule_key AS key,
  {timestamp} AS timestamp,
  {start} AS window_start,
  {end} AS window_end,
  rule_value AS value,
  rule_expected AS expected,
  CASE WHEN rule_score > 0.0 THEN least(rule_score, 1.0) WHEN rule_score <= 0.0 THEN 0.0 ELSE 1.0 END AS score,
  rule_details AS details,
  {meta} AS rule_meta
FROM (
  SELECT
    {key} AS rule_key,
    {identity},
    TRY_CAST(value AS DOUBLE) AS rule_value,
    {expected} AS rule_expected,
    TRY_CAST(score AS DOUBLE) AS rule_score,
    {details} AS rule_details
  FROM (",
        id = id(name, projection.identity),
        key = rule_key(),
        severity = rule.header.severity,
        meta = quote(&rule_meta(rule)),
        identity = identity_columns(projection.identity),
        expected = if projection.expected { "TRY_CAST(expected AS DOUBLE)" } else { "CAST(NULL AS DOUBLE)" },
        details = details(&projection.details),
    )
}

/// Everything behind the rule's own `SELECT`: rows without a time are none, and the header's policies say which do not count. What is
/// not a number is greater than any for SQL, so that `z > 5` holds for 0 / 0: such a row is no anomaly. One `CASE`, because an
/// `AND` of a condition and a constant is not sound on Arroyo.
fn after_body(rule: &Rule) -> String {
    let (time, mut conditions) = match rule.projection.identity {
        Identity::Event { .. } => ("rule_event_time", vec!["rule_event_time IS NOT NULL".to_owned()]),
        Identity::Bounds => {
            ("rule_window_end", vec!["rule_window_start IS NOT NULL AND rule_window_end IS NOT NULL".to_owned()])
        }
        Identity::Window => ("rule_window_end", Vec::new()),
    };
    let expected = if rule.projection.expected { " WHEN isnan(rule_expected) THEN false" } else { "" };
    conditions.push(format!(
        "CASE WHEN isnan(rule_value) THEN false{expected} WHEN isnan(rule_score) THEN false ELSE true END"
    ));
    conditions.extend(rule.header.policies.condition(time));
    format!("  ) AS rule_rows\n) AS rule_columns\nWHERE {};", conditions.join("\n  AND "))
}

/// The key as a record carries it: the same as `weir_anomaly::stored_key` in Rust. A missing key takes the last branch.
fn rule_key() -> String {
    let text = "CAST(key AS TEXT)";
    format!(
        "CASE WHEN octet_length({text}) > {MAX_KEY_BYTES} OR (character_length({text}) = {CUT_KEY_CHARS} AND substr({text}, {mark_at}, 1) = '{KEY_CUT_MARK}')
      THEN concat(left({text}, {KEY_HEAD_CHARS}), '{KEY_CUT_MARK}', left(encode(sha256({text}), 'hex'), {KEY_CUT_DIGITS}))
      ELSE coalesce(nullif({text}, ''), '{NO_KEY}') END",
        mark_at = KEY_HEAD_CHARS + 1
    )
}

/// The id in SQL: the same as `weir_anomaly::id` in Rust.
fn id(name: &str, identity: Identity) -> String {
    let nanos = |column: &str| format!("CAST(CAST({column} AS BIGINT) AS TEXT)");
    let what = match identity {
        Identity::Window | Identity::Bounds => {
            format!("'|w|', {}, '|', {}", nanos("rule_window_start"), nanos("rule_window_end"))
        }
        Identity::Event { .. } => format!("'|e|', {}, '|', rule_event_id", nanos("rule_event_time")),
    };
    format!(
        "left(encode(sha256(concat('{name}|', CAST(octet_length(rule_key) AS TEXT), ':', rule_key, {what})), 'hex'), {digits})",
        digits = weir_anomaly::id::ID_DIGITS
    )
}

fn identity_columns(identity: Identity) -> &'static str {
    match identity {
        Identity::Window => "window.start AS rule_window_start,\n    window.end AS rule_window_end",
        Identity::Bounds => {
            "TRY_CAST(window_start AS TIMESTAMP) AS rule_window_start,\n    TRY_CAST(window_end AS TIMESTAMP) AS rule_window_end"
        }
        Identity::Event { event_id: true } => {
            "TRY_CAST(event_time AS TIMESTAMP) AS rule_event_time,\n    coalesce(CAST(event_id AS TEXT), '') AS rule_event_id"
        }
        Identity::Event { event_id: false } => {
            "TRY_CAST(event_time AS TIMESTAMP) AS rule_event_time,\n    '' AS rule_event_id"
        }
    }
}

/// The further columns as one JSON object. The dialect has no function that writes JSON, so the text is built: numbers and
/// booleans bare, all else quoted and escaped.
fn details(columns: &[String]) -> String {
    if columns.is_empty() {
        return "CAST(NULL AS TEXT)".to_owned();
    }
    let mut sql = "concat(".to_owned();
    for (index, column) in columns.iter().enumerate() {
        let opening = if index == 0 { "{" } else { "," };
        let name = serde_json::Value::String(column.clone()).to_string();
        let ident = format!("\"{}\"", column.replace('"', "\"\""));
        let text = format!("CAST({ident} AS TEXT)");
        // Not an error of the rule: a mean over nothing is NaN, which JSON cannot say.
        let _ = write!(
            sql,
            "{},\n      CASE WHEN {ident} IS NULL THEN 'null' \
             WHEN regexp_like(arrow_typeof({ident}), '^(U?Int|Float|Decimal|Boolean)') THEN \
             CASE WHEN {text} IN ('NaN', 'inf', '-inf') THEN 'null' ELSE {text} END \
             ELSE concat('\"', regexp_replace(replace(replace({text}, '\\', '\\\\'), '\"', '\\\"'), '[\\x00-\\x1f]', ' ', 'g'), '\"') END,\n      ",
            quote(&format!("{opening}{name}:")),
        );
    }
    sql.push_str("'}')");
    sql
}

fn rule_meta(rule: &Rule) -> String {
    let header = &rule.header;
    let meta = RuleMeta {
        description: header.description.clone(),
        owner: header.owner.clone(),
        runbook: header.runbook.clone(),
        dedup_seconds: header.dedup.map(|dedup| dedup.duration().as_secs().max(1)),
        stage: header.stage,
    };
    // A struct of strings, numbers and unit variants always serializes.
    serde_json::to_string(&meta).unwrap_or_default()
}

/// Typed decoding has no whole event: a rule that reads fields of its own needs the tolerant one.
fn refuse_whole_event(rule: &Rule) -> Result<(), RuleError> {
    let Some((line, column)) = tokens::word(&rule.body, "event") else { return Ok(()) };
    Err(RuleError::new(&rule.file, "`event` is not there with decode = \"typed\"")
        .at(rule.body_line + line - 1, column)
        .hint("put the field into `tags` (tags ->> 'field'), or set decode = \"tolerant\" in the environment"))
}

/// The values of a rule's parameters as SQL literals.
pub(crate) fn parameter_values(rule: &Rule, environment: &Environment) -> Result<BTreeMap<String, String>, RuleError> {
    let set = environment.parameters.get(&rule.header.name);
    rule.header
        .parameters
        .iter()
        .map(|(name, parameter)| {
            let value = set.and_then(|values| values.get(name)).unwrap_or(&parameter.default);
            let value = parameter.check(value).map_err(|e| {
                RuleError::new(&rule.file, format!("parameter `{name}`: {e}")).hint("the environment sets this value")
            })?;
            Ok((name.clone(), value.to_sql()))
        })
        .collect()
}

/// Values that an environment sets and no rule declares: a misspelt name must not pass in silence.
fn unknown_parameters(pack: &Pack, environment: &Environment) -> Vec<RuleError> {
    let mut errors = Vec::new();
    for (rule_name, values) in &environment.parameters {
        // A test compiles one rule of a pack, so a rule that is absent is no fault here; `Environment` files are checked
        // against the whole pack by `weir check`.
        let Some(rule) = pack.rule(rule_name) else { continue };
        for name in values.keys().filter(|name| !rule.header.parameters.contains_key(*name)) {
            let known: Vec<&str> = rule.header.parameters.keys().map(String::as_str).collect();
            errors.push(
                RuleError::new(&rule.file, format!("the environment sets `{name}`, which the rule does not declare"))
                    .hint(format!(
                        "the rule declares {}",
                        if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
                    )),
            );
        }
    }
    errors
}
