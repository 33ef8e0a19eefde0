//! The conformance suite: programs of `tests/conformance` with their input and what must come out, for several batch sizes
//! and restarted in the middle.
//!
//! A program reads `input.jsonl` through tables of connector `single_file`, which are fed from `NAME.input.jsonl` (or a shared
//! input named in a header `-- input: NAME`). `-- refused: TEXT` says that planning must fail with that text, `-- planned: WHY`
//! that the program is planned and not run. `BLESS=1` writes what came out as expected.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Run, records, run_rows};
use weir_engine::{PlanOptions, Program, RawRecord, plan};

/// A run is restarted at each boundary between so many parts of its input.
const PARTS: u64 = 5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance")
}

fn programs() -> Vec<(String, String)> {
    let mut programs: Vec<(String, String)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    programs.sort();
    programs
}

fn header<'a>(sql: &'a str, key: &str) -> Option<&'a str> {
    let prefix = format!("-- {key}: ");
    sql.lines().find_map(|line| line.strip_prefix(prefix.as_str()))
}

fn input(name: &str, sql: &str) -> Vec<RawRecord> {
    let name = header(sql, "input").unwrap_or(name);
    let text =
        fs::read_to_string(folder().join(format!("{name}.input.jsonl"))).unwrap_or_else(|e| panic!("{name}: {e}"));
    records(&text.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect::<Vec<_>>())
}

fn rows(program: &Program, input: &[RawRecord], how: &Run<'_>) -> Vec<String> {
    let sources: Vec<_> = program.sources().iter().map(|t| (t.name.as_str(), input.to_vec())).collect();
    run_rows(program, &sources, how).0
}

#[test]
fn every_program_is_refused_or_gives_its_rows() {
    let mut failures = Vec::new();
    for (name, sql) in programs() {
        let planned = plan(&sql, &PlanOptions::default());
        if let Some(expected) = header(&sql, "refused") {
            match planned {
                Ok(_) => failures.push(format!("{name}: accepted, but must be refused: {expected}")),
                Err(error) if !error.to_string().contains(expected) => {
                    failures.push(format!("{name}: {error}, not {expected}"))
                }
                Err(error) if error.line == 0 => failures.push(format!("{name}: no place: {error}")),
                Err(_) => {}
            }
            continue;
        }
        let program = match planned {
            Ok(program) => program,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        if header(&sql, "planned").is_some() {
            continue;
        }
        let input = input(&name, &sql);
        let whole = rows(&program, &input, &Run::default());
        let path = folder().join(format!("{name}.expected.jsonl"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, whole.iter().map(|r| format!("{r}\n")).collect::<String>()).unwrap();
        }
        let expected: Vec<String> = fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();
        if whole != expected {
            failures.push(format!("{name}:\n  got      {whole:#?}\n  expected {expected:#?}"));
        }
        for batch_size in [1, 3] {
            let batched = rows(&program, &input, &Run { batch_size, ..Run::default() });
            if batched != whole {
                failures.push(format!("{name}: batches of {batch_size} give {batched:#?}"));
            }
        }
        // Of several sources, it is chance which is how far at the restart.
        let records = (input.len() * program.sources().len()) as u64;
        for part in 1..PARTS {
            let folder = tempfile::tempdir().unwrap();
            let stop_after = Some(records * part / PARTS);
            let first = Run { batch_size: 2, state: Some(folder.path()), stop_after, ..Run::default() };
            let mut both = rows(&program, &input, &first);
            both.extend(rows(&program, &input, &Run { state: Some(folder.path()), ..Run::default() }));
            both.sort();
            if both != whole {
                failures.push(format!("{name}: restarted after part {part} of {PARTS} it gives {both:#?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
