//! Labelled series: how they are stored, and how `weir-nab` reads them.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Read,
    path::Path,
};

use flate2::read::GzDecoder;
use serde_json::json;

use crate::BoxError;

/// A series with a label a row.
pub(crate) struct Series {
    /// `origin/name.csv`.
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    pub(crate) labels: Vec<bool>,
}

impl Series {
    /// Which of two halves the series is in: by a hash of its name (FNV-1a), so that nobody chooses.
    pub(crate) fn half(&self) -> u64 {
        let hash = self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        (hash >> 32) & 1
    }

    /// The scores of a result file of `weir-nab`.
    pub(crate) fn result(&self, folder: &Path) -> Result<Vec<f64>, BoxError> {
        let file = folder.join(&self.name);
        let text = fs::read_to_string(&file)?;
        let scores = text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap_or_default().parse());
        let scores: Vec<f64> = scores.collect::<Result<_, _>>()?;
        if scores.len() != self.values.len() {
            return Err(format!("{}: {} scores for {} rows", file.display(), scores.len(), self.values.len()).into());
        }
        Ok(scores)
    }
}

/// Reads the series that SERIES.csv of a folder names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Series>, BoxError> {
    let list = folder.join("SERIES.csv");
    let text = fs::read_to_string(&list).map_err(|e| format!("{}: {e}", list.display()))?;
    text.lines()
        .skip(1)
        .map(|line| {
            let mut fields = line.split(',');
            let (Some(file), Some(origin)) = (fields.next(), fields.next()) else {
                return Err(format!("{}: `{line}` names no file and origin", list.display()).into());
            };
            let (values, labels) = rows(&folder.join(file))?;
            let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".csv.gz");
            Ok(Series { name: format!("{origin}/{name}.csv"), values, labels })
        })
        .collect()
}

fn rows(file: &Path) -> Result<(Vec<f64>, Vec<bool>), BoxError> {
    let mut text = String::new();
    GzDecoder::new(File::open(file)?).read_to_string(&mut text).map_err(|e| format!("{}: {e}", file.display()))?;
    let row = |line: &str| -> Result<(f64, bool), BoxError> {
        let (value, label) = line.split_once(',').ok_or_else(|| format!("{}: `{line}`", file.display()))?;
        Ok((value.parse()?, label.trim() == "1"))
    };
    Ok(text.lines().skip(1).map(row).collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
}

/// Writes the series as `weir-nab` reads them. The label windows are made up: only the result files are looked at.
pub(crate) fn lay_out(series: &[Series], folder: &Path) -> Result<(), BoxError> {
    let mut labels = serde_json::Map::new();
    for series in series {
        let file = folder.join("data").join(&series.name);
        fs::create_dir_all(file.parent().ok_or("a folder")?)?;
        let mut text = "timestamp,value\n".to_owned();
        for (row, value) in series.values.iter().enumerate() {
            writeln!(text, "{},{value}", time(row))?;
        }
        fs::write(file, text)?;
        let middle = series.values.len() / 2;
        labels.insert(series.name.clone(), json!([[time(middle), time(middle + 99)]]));
    }
    fs::create_dir_all(folder.join("labels"))?;
    fs::write(folder.join("labels/combined_windows.json"), serde_json::to_string(&labels)?)?;
    Ok(())
}

/// A row's time: five minutes apart, in days of one month that goes on for ever.
fn time(row: usize) -> String {
    let (day, minute) = (row / 288, row % 288 * 5);
    let (year, day) = (2020 + day / 336, day % 336);
    format!("{year}-{:02}-{:02} {:02}:{:02}:00", day / 28 + 1, day % 28 + 1, minute / 60, minute % 60)
}
