//! How what is deployed does.

use anyhow::{Result, bail};
use weir_arroyo::status::PipelineStatus;
use weir_cloud::now_millis;
use weir_project::Repo;

use super::{
    embedded,
    place::{Place, PlaceOptions, Reached},
    render,
};

/// A deployment that is looked at more than once, by one way to Arroyo.
#[derive(Debug)]
pub struct Deployment(Box<Place>);

impl Deployment {
    /// Finds the cluster, and opens what is needed to reach it.
    ///
    /// # Errors
    /// When Arroyo cannot be asked, or the embedded engine runs the rules.
    pub async fn open(repo: &Repo, options: &PlaceOptions) -> Result<Self> {
        match options.reach(repo).await? {
            Reached::Arroyo(place) => Ok(Self(place)),
            Reached::Embedded(service) => {
                let name = &service.environment;
                bail!(
                    "the embedded engine runs the rules of `{name}`\n  hint: weir status --env {name} says how it does"
                )
            }
        }
    }

    /// How its pipelines do now.
    ///
    /// # Errors
    /// When Arroyo cannot be asked.
    pub async fn pipelines(&self) -> Result<Vec<PipelineStatus>> {
        let place = &self.0;
        let now = u64::try_from(now_millis()).unwrap_or_default() * 1000;
        let mut all = weir_arroyo::status::status(&place.client, &place.environment, now).await?;
        if let Some(open) = place.open_shards().await? {
            all.iter_mut().for_each(|one| one.check_shards(&open));
        }
        Ok(all)
    }
}

/// Prints how the deployed pipelines do; whether all of them do their work.
///
/// # Errors
/// When the engine, or the record of deployments, cannot be asked.
pub async fn print(repo: &Repo, options: &PlaceOptions, json: bool) -> Result<bool> {
    let place = match options.reach(repo).await? {
        Reached::Arroyo(place) => place,
        Reached::Embedded(service) => return embedded::print(&service, json).await,
    };
    let deployment = Deployment(place);
    let all = deployment.pipelines().await?;
    let place = &deployment.0;
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
