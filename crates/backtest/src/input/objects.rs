//! History in S3: each object goes through a temporary file, as what reads a file reads it.

use anyhow::{Context, Result, bail};
use weir_cloud::{
    Clients,
    object::{Bucket, Object},
};
use weir_records::listing::skipped_object;

use super::Reading;
use crate::data::read::Outcome;

/// Reads an object, or every object below a prefix, in the order of their keys. `place` is `BUCKET/KEY`.
pub(super) async fn read(
    place: &str,
    connect: &impl AsyncFn() -> Result<Clients>,
    reading: &mut Reading<'_>,
) -> Result<()> {
    let (name, key) = place.split_once('/').unwrap_or((place, ""));
    let clients = connect().await?;
    let bucket = Bucket::open(&clients, name).await?;
    let mut objects = bucket.find(key).await?;
    objects.retain(|object| {
        // Below the prefix: a hidden folder that is named is wanted.
        let below = object.key.strip_prefix(key).unwrap_or(&object.key);
        let why = if object.key == key { None } else { skipped_object(below) };
        if let Some(why) = why {
            reading.files.skipped(format!("s3://{name}/{}", object.key), why.to_owned());
        }
        why.is_none()
    });
    let folder = tempfile::tempdir().context("a folder for what is read from S3")?;
    let mut read = 0;
    for (index, Object { key, size }) in objects.iter().enumerate() {
        let shown = format!("s3://{name}/{key}");
        reading.progress.object(&shown, *size, (index + 1, objects.len()));
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
        match reading.file(&local, &shown).with_context(|| shown.clone())? {
            Outcome::Read => read += 1,
            Outcome::Skipped(why) => reading.files.skipped(shown, why),
        }
        std::fs::remove_file(&local).with_context(what)?;
    }
    if read == 0 {
        reading.files.notes().iter().for_each(|note| eprintln!("{note}"));
        bail!("s3://{place}: there are no events here\n  hint: JSON, CSV with a header line and Parquet are read");
    }
    Ok(())
}
