//! Makes a case of what happened: from records of history, the fewest that still make the rule fire.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use toml_edit::DocumentMut;
use weir_anomaly::Timestamp;
use weir_engine::{MemorySource, RawRecord, RunOptions};
use weir_project::{Planned, compile::joined};
use weir_rules::{Environment, Pack, TimeMode, testfile::TestFile};

use super::{case, diff::Fields, update::row};

/// Each try runs the rule; after so many the smallest case so far is taken.
const TRIES_MOST: usize = 60;
/// A case of more records than this is none that a person reads.
const RECORDS_MOST: usize = 20_000;

/// What a case is made of.
#[derive(Debug)]
pub struct Material<'a> {
    /// The rule alone, with the tables.
    pub pack: Pack,
    /// The rule.
    pub rule: &'a str,
    /// The values that its parameters have, as `--set` would have them.
    pub parameters: BTreeMap<String, toml::Value>,
    /// What the case is called.
    pub name: &'a str,
    /// The key that it is about.
    pub key: &'a str,
    /// The range in which the rule is to fire, nanoseconds since the epoch, both ends inside.
    pub range: (i64, i64),
    /// Events in order of time: time, series, and the record.
    pub records: Vec<(i64, String, Vec<u8>)>,
}

/// A case that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// It, as TOML.
    pub text: String,
    /// Records in it.
    pub records: usize,
    /// Records that it was made from.
    pub of: usize,
    /// Anomalies that it expects.
    pub expects: usize,
}

/// Makes the case. Where the rule does not fire in the range, the case says that it must not.
///
/// # Errors
/// When the rule cannot be run, or the case would be too large.
pub async fn make(material: &Material<'_>) -> Result<Made> {
    let maker = Maker::new(material)?;
    let all: Vec<usize> = (0..material.records.len()).collect();
    let fires = maker.fires(&all).await?;
    let kept = if fires { maker.shrink(all).await? } else { maker.of_key(&all) };
    if kept.len() > RECORDS_MOST {
        bail!(
            "the case would have {} records\n  hint: choose a shorter range, or a rule with a shorter window",
            kept.len()
        );
    }
    let found = maker.found(&kept).await?;
    if fires && found.is_empty() {
        bail!("the rule fires on the whole history but not on this range\n  hint: choose a longer range");
    }
    let text = maker.text(&kept, &found);
    Ok(Made { text, records: kept.len(), of: material.records.len(), expects: found.len() })
}

/// Adds a case to a rule's test file, which is made where it is not there. The rest of it stays as it was written.
///
/// # Errors
/// When the file cannot be read or would not be a test file any more, or has a case of that name.
pub fn add(file: &Path, name: &str, made: &Made) -> Result<String> {
    let before = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
    };
    if !before.is_empty() && TestFile::parse(file, &before)?.cases.iter().any(|case| case.name == name) {
        bail!("{} has a case `{name}`\n  hint: give the new one another name", file.display());
    }
    let text = format!("{}{}{}", before.trim_end(), if before.trim().is_empty() { "" } else { "\n\n" }, made.text);
    TestFile::parse(file, &text).context("the case that was made")?;
    Ok(text)
}

struct Maker<'a> {
    material: &'a Material<'a>,
    planned: Planned,
}

impl<'a> Maker<'a> {
    fn new(material: &'a Material<'a>) -> Result<Self> {
        let mut environment = Environment { time: TimeMode::Event, ..Environment::default() };
        environment.parameters.insert(material.rule.to_owned(), material.parameters.clone());
        let program = weir_rules::compile(&material.pack.only(material.rule), &environment).map_err(joined)?;
        Ok(Self { material, planned: Planned::new(&program)? })
    }

    /// The fewest records that still make the rule fire in the range: first the series that it needs, then where they begin and
    /// end. Which readings lie between stays as it was, so that the case still looks like what happened.
    async fn shrink(&self, all: Vec<usize>) -> Result<Vec<usize>> {
        let mut tries = 0;
        let mut kept = all;
        let own = self.of_key(&kept);
        if !own.is_empty() && own.len() < kept.len() && self.fires(&own).await? {
            kept = own;
        } else {
            for series in self.series(&kept) {
                let without: Vec<usize> = kept.iter().copied().filter(|at| self.name(*at) != Some(series)).collect();
                tries += 1;
                if tries < TRIES_MOST && !without.is_empty() && self.fires(&without).await? {
                    kept = without;
                }
            }
        }
        for front in [false, true] {
            // Halves at first; what cannot be spared is tried in ever smaller parts.
            let mut part = kept.len() / 2;
            while part > 0 && tries < TRIES_MOST {
                let rest = if front { kept.get(part..) } else { kept.get(..kept.len() - part) };
                let rest = rest.unwrap_or_default().to_vec();
                tries += 1;
                if !rest.is_empty() && self.fires(&rest).await? {
                    kept = rest;
                    part = part.min(kept.len() / 2);
                } else {
                    part /= 2;
                }
            }
        }
        Ok(kept)
    }

    fn name(&self, at: usize) -> Option<&str> {
        self.material.records.get(at).map(|(_, series, _)| series.as_str())
    }

    fn series(&self, of: &[usize]) -> Vec<&str> {
        let mut names: Vec<&str> = of.iter().filter_map(|at| self.name(*at)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The records of the key's own series, or of its source.
    fn of_key(&self, of: &[usize]) -> Vec<usize> {
        let key = self.material.key;
        let own = |series: &str| series == key || series.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
        let kept: Vec<usize> = of.iter().copied().filter(|at| self.name(*at).is_some_and(own)).collect();
        if kept.is_empty() { of.to_vec() } else { kept }
    }

    async fn fires(&self, of: &[usize]) -> Result<bool> {
        let (from, to) = self.material.range;
        let inside = |fields: &Fields| {
            let time = fields.get("timestamp").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
            let key = fields.get("key").and_then(Value::as_str);
            key == Some(self.material.key) && time.is_some_and(|time| (from..=to).contains(&time.nanos()))
        };
        Ok(self.found(of).await?.iter().any(inside))
    }

    async fn found(&self, of: &[usize]) -> Result<Vec<Fields>> {
        let records = of.iter().filter_map(|at| self.material.records.get(*at));
        let records = records.map(|(nanos, _, record)| RawRecord {
            payload: record.clone().into(),
            arrival_nanos: Some(*nanos),
            partition: 0,
        });
        let output = self.planned.run(&MemorySource::new(records.collect()), RunOptions::default()).await?;
        case::parsed(&output.anomalies)
    }

    /// The case as a person would write it: a series in the short notation where its readings are evenly spaced, the records
    /// themselves where they are not.
    fn text(&self, kept: &[usize], found: &[Fields]) -> String {
        let mut text = format!("[[case]]\nname = {}\n", quoted(self.material.name));
        if !self.material.parameters.is_empty() {
            let mut table = DocumentMut::new();
            for (name, value) in &self.material.parameters {
                if let Ok(value) = value.to_string().parse::<toml_edit::Value>() {
                    table.insert(name, toml_edit::Item::Value(value));
                }
            }
            let table = table.into_table().into_inline_table();
            let _ = writeln!(text, "parameters = {{ {} }}", inline(&table));
        }
        match self.notation(kept) {
            Some(series) => {
                let _ = writeln!(text, "series = [\n{series}]");
            }
            None => {
                text.push_str("events = [\n");
                for (_, _, record) in kept.iter().filter_map(|at| self.material.records.get(*at)) {
                    let _ = writeln!(text, "  {},", quoted(&String::from_utf8_lossy(record)));
                }
                text.push_str("]\n");
            }
        }
        if found.is_empty() {
            text.push_str("expect = []\n");
        } else {
            text.push_str("expect = [\n");
            for fields in found {
                let _ = writeln!(text, "  {{ {} }},", inline(&row(fields)));
            }
            text.push_str("]\n");
        }
        text
    }

    /// The series in the short notation; `None` where that would not give the same records.
    fn notation(&self, kept: &[usize]) -> Option<String> {
        let mut series: BTreeMap<(String, String), Vec<(i64, f64)>> = BTreeMap::new();
        for (nanos, _, record) in kept.iter().filter_map(|at| self.material.records.get(*at)) {
            let record: Value = serde_json::from_slice(record).ok()?;
            let fields = record.as_object()?;
            // A field more than these might matter to the rule.
            let plain = |name: &String| ["timestamp", "value", "source", "metric"].contains(&name.as_str());
            if !fields.keys().all(plain) {
                return None;
            }
            let text = |name: &str| fields.get(name)?.as_str().map(str::to_owned);
            series
                .entry((text("source")?, text("metric")?))
                .or_default()
                .push((*nanos, fields.get("value")?.as_f64()?));
        }
        let mut text = String::new();
        for ((source, metric), readings) in series {
            let step = step(&readings)?;
            let (start, _) = readings.first()?;
            let _ = writeln!(
                text,
                "  {{ source = {}, metric = {}, start = \"{}\", step = \"{}\", values = \"{}\" }},",
                quoted(&source),
                quoted(&metric),
                Timestamp::from_nanos(*start),
                weir_rules::Interval::from_duration(std::time::Duration::from_nanos(step.unsigned_abs())),
                values(&readings, step)
            );
        }
        Some(text)
    }
}

/// The step that all readings lie on, whole milliseconds; `None` where they are not evenly spaced but for gaps.
fn step(readings: &[(i64, f64)]) -> Option<i64> {
    /// A gap that takes more words than readings is no even spacing.
    const GAPS_MOST: i64 = 10;
    let gaps: Vec<i64> = readings.windows(2).filter_map(|pair| Some(pair.get(1)?.0 - pair.first()?.0)).collect();
    let Some(step) = gaps.iter().copied().min() else { return Some(60_000_000_000) };
    let even = step > 0 && step % 1_000_000 == 0 && gaps.iter().all(|gap| gap % step == 0);
    let steps: i64 = gaps.iter().map(|gap| gap.checked_div(step).unwrap_or(0)).sum();
    let few = steps <= i64::try_from(readings.len()).unwrap_or(i64::MAX).saturating_mul(GAPS_MOST);
    (even && few).then_some(step)
}

/// Values in the notation of test files: runs of one value and of gaps are written short.
fn values(readings: &[(i64, f64)], step: i64) -> String {
    let mut words: Vec<(String, usize)> = Vec::new();
    let mut push = |word: String, count: usize| match words.last_mut() {
        Some((last, times)) if *last == word => *times += count,
        _ => words.push((word, count)),
    };
    let mut due = None;
    for (nanos, value) in readings {
        let missing = due.map_or(0, |due: i64| (nanos - due).checked_div(step).unwrap_or(0));
        if let Some(missing) = usize::try_from(missing).ok().filter(|missing| *missing > 0) {
            push("_".to_owned(), missing);
        }
        push(value.to_string(), 1);
        due = Some(nanos.saturating_add(step));
    }
    let word = |(word, count): (String, usize)| if count == 1 { word } else { format!("{word}x{count}") };
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn inline(table: &toml_edit::InlineTable) -> String {
    let pair = |(name, value): (&str, &toml_edit::Value)| format!("{name} = {}", value.to_string().trim());
    table.iter().map(pair).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use weir_rules::Rule;

    use super::*;

    const MINUTE: i64 = 60_000_000_000;
    const START: i64 = 1_767_225_600_000_000_000;

    fn pack() -> Pack {
        let text = "-- name = \"high\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\
            -- parameters.factor = { type = \"double\", default = 9.0 }\n\n\
            SELECT key, window, newest AS value, mean AS expected, 0.5 AS score FROM (\n\
              SELECT series AS key, hop(INTERVAL '1 minute', INTERVAL '5 minutes') AS window, max(value) AS newest, avg(value) AS mean, count(*) AS n\n\
              FROM events GROUP BY series, window) AS w WHERE n = 5 AND newest > ${factor} * mean / 5.0";
        let tables_file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sql/tables.sql");
        let tables = fs::read_to_string(&tables_file).unwrap();
        Pack {
            tables_file,
            tables,
            streams: Vec::new(),
            rules: vec![Rule::parse(Path::new("high.sql"), text).unwrap()],
        }
    }

    fn records() -> Vec<(i64, String, Vec<u8>)> {
        let mut records = Vec::new();
        for n in 0..300 {
            let nanos = START + n * MINUTE;
            for source in ["a", "b"] {
                let value = if n == 200 && source == "a" { 1000.5 } else { 10.0 };
                let time = Timestamp::from_nanos(nanos).to_string();
                let record = serde_json::json!({"timestamp": time, "value": value, "source": source, "metric": "x"});
                records.push((nanos, format!("{source}/x"), record.to_string().into_bytes()));
            }
        }
        records
    }

    fn material(range: (i64, i64)) -> Material<'static> {
        let parameters = [("factor".to_owned(), toml::Value::Float(20.0))].into();
        let range = (START + range.0 * MINUTE, START + range.1 * MINUTE);
        Material {
            pack: pack(),
            rule: "high",
            parameters,
            name: "it \"happened\"",
            key: "a/x",
            range,
            records: records(),
        }
    }

    #[tokio::test]
    async fn a_case_is_as_small_as_it_can_be_and_passes() {
        let made = make(&material((199, 206))).await.unwrap();
        assert_eq!((made.records, made.of), (5, 600), "{}", made.text);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("high.toml");
        let text = add(&file, "it \"happened\"", &made).unwrap();
        fs::write(&file, &text).unwrap();
        assert!(text.contains("1000.5"), "{text}");
        let failed = crate::failures(pack(), "high", file.clone()).await;
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].contains("stays silent"), "only the other kind of case is missing: {failed:?}");
        assert!(add(&file, "it \"happened\"", &made).is_err(), "the name is taken");
        let quiet = make(&Material { name: "quiet", ..material((50, 60)) }).await.unwrap();
        assert_eq!(quiet.expects, 5, "of the whole material, which has the spike");
    }

    #[test]
    fn values_are_written_as_a_person_would() {
        let at = |n: i64, value: f64| (n * MINUTE, value);
        let readings = [at(0, 1.0), at(1, 1.0), at(4, 2.5), at(5, -0.25)];
        assert_eq!(step(&readings), Some(MINUTE));
        assert_eq!(values(&readings, MINUTE), "1x2 _x2 2.5 -0.25");
        assert_eq!(step(&[at(0, 1.0), (MINUTE + 1, 1.0), at(3, 1.0)]), None, "no clock is that bad");
        assert_eq!(step(&[at(0, 1.0), at(0, 1.0)]), None, "two at one time");
        let written = values(&[at(0, 1e300), at(1, 1e-7)], MINUTE);
        assert_eq!(weir_rules::testfile::values(&written).unwrap(), [Some(1e300), Some(1e-7)]);
    }
}
