//! Reads the functions of `sql/udfs` and writes the code that calls them.

#![allow(clippy::print_stdout, reason = "a build script talks to cargo by its output")]

mod format;
mod generate;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    match run() {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            for fault in faults {
                println!("cargo::error={}", fault.replace("\n  hint", "; hint"));
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<Vec<String>> {
    let variable =
        |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("no {name}")));
    let (manifest, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    let dependencies = format::dependencies(&fs::read_to_string(manifest.join("Cargo.toml"))?);
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let mut faults = Vec::new();
    for (folder, made) in
        [(manifest.join("../../sql/udfs"), "pack.rs"), (manifest.join("tests/fixtures"), "fixtures.rs")]
    {
        let mut functions = Vec::new();
        for file in rust_files(&folder)? {
            match read(&file, &dependencies)? {
                Ok(function) => functions.push((file, function)),
                Err(fault) => faults.push(fault),
            }
        }
        fs::write(out.join(made), generate::generate(&functions))?;
    }
    Ok(faults)
}

fn rust_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let folder = fs::canonicalize(folder)?;
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    Ok(files)
}

fn read(file: &Path, dependencies: &[String]) -> io::Result<Result<format::Function, String>> {
    println!("cargo::rerun-if-changed={}", file.display());
    let text = fs::read_to_string(file)?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(format::read(&name, &text, dependencies).map_err(|fault| {
        let line = if fault.line > 0 { format!("{}:", fault.line) } else { String::new() };
        format!("{}:{line} {}\n  hint: {}", file.display(), fault.message, fault.hint)
    }))
}
