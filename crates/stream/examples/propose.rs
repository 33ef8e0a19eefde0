//! Prints what inference proposes for a folder of `examples/streams`: `cargo run -p weir-stream --example propose -- FOLDER`.

use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    for folder in std::env::args().skip(1) {
        let folder = Path::new(&folder);
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let records = records(folder)?;
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let proposal = weir_stream::infer::propose(&name, &records)?;
        std::io::stdout().write_all(proposal.toml.as_bytes())?;
    }
    Ok(())
}

fn records(folder: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let list = folder.join("records");
    if list.is_dir() {
        let mut files: Vec<PathBuf> =
            fs::read_dir(list)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.sort();
        return Ok(files.iter().map(fs::read).collect::<Result<_, _>>()?);
    }
    for end in ["jsonl", "tsv", "log"] {
        let file = folder.join(format!("records.{end}"));
        if file.exists() {
            return Ok(fs::read_to_string(file)?.lines().map(|line| line.as_bytes().to_vec()).collect());
        }
    }
    Err(format!("{} has no records", folder.display()).into())
}
