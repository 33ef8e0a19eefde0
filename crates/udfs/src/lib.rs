//! The functions of `sql/udfs`, compiled in: source files in Arroyo's own format, which Arroyo compiles from the same text.
//!
//! The build reads each file, refuses what Arroyo's macro would not take, and generates the code between Arrow columns and
//! the function; the file itself is compiled as it is. A UDF is code: a person who may change `sql/udfs` runs it where rules run.

extern crate self as weir_udfs;

pub mod column;

mod pack {
    include!(concat!(env!("OUT_DIR"), "/pack.rs"));
}

use std::path::{Path, PathBuf};

use weir_engine::Udf;

/// The functions, for [`weir_engine::PlanOptions`].
#[must_use]
pub fn udfs() -> Vec<Udf> {
    pack::all()
}

/// Name and source text of each function, as it was compiled in.
#[must_use]
pub fn definitions() -> &'static [(&'static str, &'static str)] {
    pack::DEFINITIONS
}

/// Files of a folder of UDFs that this build does not hold, or holds with another text.
#[must_use]
pub fn not_compiled_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| {
        let is_source = file.extension().is_some_and(|extension| extension == "rs");
        let same = |(name, text): &(&str, &str)| {
            file.file_stem().is_some_and(|stem| stem == *name)
                && std::fs::read_to_string(file).is_ok_and(|t| t == *text)
        };
        is_source && !definitions().iter().any(same)
    });
    files.sort();
    files
}
