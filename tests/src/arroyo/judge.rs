//! Judges a program whose result on Arroyo is chance: rows of two inputs meet there in an order that differs from run to run,
//! and whether a late row still finds its window open goes by that order. What must hold in any order is held.
//!
//! A program says so in two headers: `-- arroyo-varies: WHY`, and `-- arroyo-judged: HOW`, which is one of
//! - `by k, w; sum n; max most`: rows are grouped by the columns `k` and `w`. Every group that is there when each late row is
//!   dropped is there, none is there that is not when no row is late, and the sum of `n` and the greatest `most` of each
//!   group lie between those of these two runs.
//! - `the same rows, where it ends`: where Arroyo does not give up, it gives the expected rows.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_engine::{MemorySink, MemorySource, PlanOptions, RunOptions, plan, run};

/// How a program is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judge {
    /// It gives the expected rows, or gives up.
    SameWhereItEnds,
    /// Its groups lie between those of two runs.
    Between {
        /// The columns that make a group.
        by: Vec<String>,
        /// What is measured of each group.
        measures: Vec<Measure>,
    },
}

/// What is measured of a group: it can only grow with the rows that are not dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// The sum of a column that is nowhere negative.
    Sum(String),
    /// The greatest value of a column.
    Max(String),
}

/// The rows of two runs that every other lies between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Each late row is dropped.
    pub least: Vec<String>,
    /// No row is late.
    pub most: Vec<String>,
}

impl Judge {
    /// Reads the header.
    ///
    /// # Errors
    /// When it says nothing that can be judged.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "the same rows, where it ends" {
            return Ok(Self::SameWhereItEnds);
        }
        let (mut by, mut measures) = (Vec::new(), Vec::new());
        for part in text.split(';') {
            match part.trim().split_once(' ') {
                Some(("by", columns)) => by.extend(columns.split(',').map(|column| column.trim().to_owned())),
                Some(("sum", column)) => measures.push(Measure::Sum(column.trim().to_owned())),
                Some(("max", column)) => measures.push(Measure::Max(column.trim().to_owned())),
                _ => return Err(format!("`{part}` is none of `by COLUMNS`, `sum COLUMN`, `max COLUMN`")),
            }
        }
        if by.is_empty() || measures.is_empty() {
            return Err(format!("`{text}` names no groups or measures nothing"));
        }
        Ok(Self::Between { by, measures })
    }

    /// How rows differ from what must hold; `None` when they do not.
    #[must_use]
    pub fn differs(&self, got: &[String], expected: &[String], bounds: &Bounds) -> Option<String> {
        match self {
            Self::SameWhereItEnds => {
                let sorted = |rows: &[String]| {
                    let mut rows = rows.to_vec();
                    rows.sort();
                    rows
                };
                (sorted(got) != sorted(expected)).then(|| format!("rows {got:#?}, not {expected:#?}"))
            }
            Self::Between { by, measures } => {
                let groups = |rows: &[String]| groups(rows, by, measures);
                between(&groups(got), &groups(&bounds.least), &groups(&bounds.most))
            }
        }
    }
}

/// Groups to what is measured of them.
type Groups = BTreeMap<String, Vec<f64>>;

fn groups(rows: &[String], by: &[String], measures: &[Measure]) -> Groups {
    let mut groups = Groups::new();
    for row in rows {
        let row: Value = serde_json::from_str(row).unwrap_or_default();
        let group: Vec<&Value> = by.iter().map(|column| &row[column.as_str()]).collect();
        let group = serde_json::to_string(&group).unwrap_or_default();
        let measured = groups.entry(group).or_insert_with(|| measures.iter().map(Measure::of_nothing).collect());
        for (measure, value) in measures.iter().zip(measured) {
            *value = measure.with(*value, &row);
        }
    }
    groups
}

impl Measure {
    fn of_nothing(&self) -> f64 {
        match self {
            Self::Sum(_) => 0.0,
            Self::Max(_) => f64::NEG_INFINITY,
        }
    }

    fn with(&self, before: f64, row: &Value) -> f64 {
        let number = |column: &String| row[column.as_str()].as_f64();
        match self {
            Self::Sum(column) => before + number(column).unwrap_or(0.0),
            Self::Max(column) => before.max(number(column).unwrap_or(f64::NEG_INFINITY)),
        }
    }
}

fn between(got: &Groups, least: &Groups, most: &Groups) -> Option<String> {
    for (group, least) in least {
        let Some(got) = got.get(group) else { return Some(format!("group {group} is missing")) };
        if got.iter().zip(least).any(|(got, least)| got < least) {
            return Some(format!("group {group} has {got:?}, less than {least:?}"));
        }
    }
    for (group, got) in got {
        let Some(most) = most.get(group) else { return Some(format!("group {group} is there, with {got:?}")) };
        if got.iter().zip(most).any(|(got, most)| got > most) {
            return Some(format!("group {group} has {got:?}, more than {most:?}"));
        }
    }
    None
}

/// The two runs of a program over its input on the embedded engine: of the first, each source goes by its own watermark, which
/// no other source holds back, so every late row is dropped; in the second the watermark is a day behind.
///
/// # Errors
/// When the program cannot be planned or run.
pub fn bounds(sql: &str, input: &str) -> Result<Bounds, String> {
    let of_all = |_: &str| input.to_owned();
    let most = rows(&never_late(sql), &of_all)?;
    let mut least = Vec::new();
    let program = plan(sql, &PlanOptions::default()).map_err(|e| e.to_string())?;
    for source in program.sources() {
        least.extend(rows(sql, &|name: &str| if name == source.name { input.to_owned() } else { String::new() })?);
    }
    Ok(Bounds { least, most })
}

fn rows(sql: &str, input: &dyn Fn(&str) -> String) -> Result<Vec<String>, String> {
    let program = plan(sql, &PlanOptions::default()).map_err(|e| e.to_string())?;
    // Lateness is judged record by record, as on Arroyo with batches of one.
    let mut options = RunOptions { batch_size: 1, ..RunOptions::default() };
    for table in program.sources() {
        options.sources.insert(table.name.clone(), MemorySource::lines(&input(&table.name)));
    }
    let sinks: Vec<MemorySink> = program.sinks().iter().map(|_| MemorySink::new()).collect();
    for (table, sink) in program.sinks().iter().zip(&sinks) {
        options.sinks.insert(table.name.clone(), sink.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(run(&program, options, std::future::pending())).map_err(|e| e.to_string())?;
    Ok(sinks.iter().flat_map(MemorySink::lines).collect())
}

/// The program with watermarks a day behind.
fn never_late(sql: &str) -> String {
    let later = |line: &str| match line.split_once("INTERVAL '") {
        Some((before, rest)) if line.trim_start().starts_with("WATERMARK FOR") => {
            let after = rest.split_once('\'').map_or("", |(_, after)| after);
            format!("{before}INTERVAL '1 day'{after}")
        }
        _ => line.to_owned(),
    };
    sql.lines().map(|line| later(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rows: &[&str]) -> Vec<String> {
        rows.iter().map(|row| (*row).to_owned()).collect()
    }

    #[test]
    fn what_lies_between_two_runs_passes_and_nothing_else() {
        let judge = Judge::parse("by k, w; sum n; max most").unwrap();
        let bounds = Bounds {
            least: lines(&[r#"{"k":"a","w":1,"n":2,"most":5.0}"#, r#"{"k":null,"w":1,"n":1,"most":null}"#]),
            most: lines(&[
                r#"{"k":"a","w":1,"n":4,"most":7.0}"#,
                r#"{"k":null,"w":1,"n":1,"most":null}"#,
                r#"{"k":"b","w":2,"n":1,"most":1.0}"#,
            ]),
        };
        let fault = |rows: &[&str]| judge.differs(&lines(rows), &[], &bounds).unwrap_or_default();
        let null = r#"{"k":null,"w":1,"n":1,"most":null}"#;
        assert_eq!(fault(&[r#"{"k":"a","w":1,"n":2,"most":5.0}"#, null]), "");
        // A window that was opened again gives two rows.
        assert_eq!(fault(&[r#"{"k":"a","w":1,"n":2,"most":5.0}"#, r#"{"k":"a","w":1,"n":2,"most":6.0}"#, null]), "");
        assert_eq!(
            fault(&[r#"{"k":"a","w":1,"n":1,"most":5.0}"#, null]),
            r#"group ["a",1] has [1.0, 5.0], less than [2.0, 5.0]"#
        );
        assert_eq!(
            fault(&[r#"{"k":"a","w":1,"n":5,"most":5.0}"#, null]),
            r#"group ["a",1] has [5.0, 5.0], more than [4.0, 7.0]"#
        );
        assert_eq!(
            fault(&[r#"{"k":"a","w":1,"n":2,"most":8.0}"#, null]),
            r#"group ["a",1] has [2.0, 8.0], more than [4.0, 7.0]"#
        );
        assert_eq!(fault(&[r#"{"k":"a","w":1,"n":2,"most":5.0}"#]), "group [null,1] is missing");
        assert_eq!(
            fault(&[r#"{"k":"a","w":1,"n":2,"most":5.0}"#, null, r#"{"k":"c","w":1,"n":1}"#]),
            "group [\"c\",1] is there, with [1.0, -inf]"
        );
    }

    #[test]
    fn a_program_that_may_give_up_gives_the_expected_rows_where_it_ends() {
        let judge = Judge::parse("the same rows, where it ends").unwrap();
        let bounds = Bounds { least: Vec::new(), most: Vec::new() };
        assert_eq!(judge.differs(&lines(&["2", "1"]), &lines(&["1", "2"]), &bounds), None);
        assert!(judge.differs(&lines(&["1"]), &lines(&["1", "2"]), &bounds).is_some());
    }

    #[test]
    fn a_header_that_judges_nothing_is_refused() {
        for text in ["", "by k", "sum n", "by k; least n", "the same rows"] {
            assert!(Judge::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_watermarks_are_put_off() {
        let sql = "  WATERMARK FOR t AS (t - INTERVAL '2 seconds')\nSELECT tumble(INTERVAL '10 seconds') AS w";
        assert_eq!(
            never_late(sql),
            "  WATERMARK FOR t AS (t - INTERVAL '1 day')\nSELECT tumble(INTERVAL '10 seconds') AS w\n"
        );
    }
}
