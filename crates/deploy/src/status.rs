//! How what is deployed does.

use anyhow::Result;
use weir_cloud::now_millis;
use weir_project::Repo;

use super::{
    embedded,
    place::{PlaceOptions, Reached},
    render,
};

/// Prints how the deployed pipelines do; whether all of them do their work.
///
/// # Errors
/// When the engine, or the record of deployments, cannot be asked.
pub async fn print(repo: &Repo, options: &PlaceOptions, json: bool) -> Result<bool> {
    let place = match options.reach(repo).await? {
        Reached::Arroyo(place) => place,
        Reached::Embedded(service) => return embedded::print(&service, json).await,
    };
    let now = u64::try_from(now_millis()).unwrap_or_default() * 1000;
    let mut all = weir_arroyo::status::status(&place.client, &place.environment, now).await?;
    if let Some(open) = place.open_shards().await? {
        all.iter_mut().for_each(|one| one.check_shards(&open));
    }
    let newest = place.ledger.list(&place.environment).await?.into_iter().next();
    if json {
        let said = serde_json::json!({ "pipelines": all, "deployment": newest });
        println!("{}", serde_json::to_string_pretty(&said)?);
    } else {
        print!("{}", render::status(&all, &place.environment));
        if let Some(newest) = newest {
            print!("last deployment:\n{}", render::deployments(&[newest]));
        }
    }
    Ok(!all.is_empty() && all.iter().all(|one| one.well))
}
