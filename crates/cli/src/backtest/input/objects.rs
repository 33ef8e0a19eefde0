//! History in S3: each object goes through a temporary file, as what reads a file reads it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use weir_cloud::object::{Bucket, Object};

use super::{Progress, each_event};
use crate::{
    backtest::history::Builder,
    data::read::{Columns, holds_events},
    target::Target,
};

/// Reads an object, or every object below a prefix, in the order of their keys. `place` is `BUCKET/KEY`.
pub(super) async fn read(
    place: &str,
    columns: &Columns,
    target: &Target,
    history: &mut Builder,
    progress: &mut Progress,
) -> Result<()> {
    let (name, key) = place.split_once('/').unwrap_or((place, ""));
    let (clients, _) = target.connect().await?;
    let bucket = Bucket::open(&clients, name).await?;
    let mut objects = bucket.find(key).await?;
    objects.retain(|object| holds_events(Path::new(&object.key)));
    if objects.is_empty() {
        bail!(
            "s3://{place}: there are no events here\n  hint: objects are named .csv, .jsonl (either also .gz) or .parquet"
        );
    }
    let folder = tempfile::tempdir().context("a folder for what is read from S3")?;
    for (index, Object { key, size }) in objects.iter().enumerate() {
        progress.object(&format!("s3://{name}/{key}"), *size, (index + 1, objects.len()));
        // Under its own name: that says what it holds, and stands in for a source.
        let local = folder.path().join(key.rsplit('/').next().unwrap_or(key));
        let what = || format!("{} cannot be written", local.display());
        let mut file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&local)
            .with_context(what)?;
        bucket.download(key, &mut file).await?;
        drop(file);
        let shown = format!("s3://{name}/{key}");
        each_event(&local, &shown, columns, history, progress).with_context(|| shown.clone())?;
        std::fs::remove_file(&local).with_context(what)?;
    }
    Ok(())
}
