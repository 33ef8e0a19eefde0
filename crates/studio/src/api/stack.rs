//! What runs and what it found: the store, the stream of anomalies, silences and quarantine of a stack or an environment.
//!
//! Reading goes by the indexes of the table and never over all of it. What changes something is done by the code of the commands.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::{
    Json,
    extract::{Path, Query, State},
    response::Response,
};
use weir_anomaly::{
    Anomaly, Record, Timestamp,
    store::{Alert, PENDING, SILENCE, Silence, StoredAnomaly},
    stored_key,
};
use weir_backtest::{Recomputed, data::read::Columns, kinesis_input, recompute};
use weir_cloud::{
    store::{self, Index},
    stream,
};

use super::{
    contract::{
        ExplainedSeries, Explanation, OpenAlert, Recomputation, RunningStatus, SendAgainRequest, SilenceEntry,
        SilenceRequest, StoredEntry, StoredPage, StoredRequest,
    },
    stream::{Tell, events},
};
use crate::{
    Place, Running,
    fault::{ApiError, told},
    sample::millis,
    state::Studio,
};

/// Anomalies of one page.
const PAGE: usize = 500;
/// Anomalies of the largest page.
const PAGE_MOST: usize = 5000;
/// More silences or alerts than this at once are read by nobody.
const LIST_MOST: usize = 1000;
/// Around an event without a window, so much is shown on each side; around a window, half its length.
const AROUND_NANOS: i64 = 300_000_000_000;

fn running(studio: &Studio) -> Result<&Running, ApiError> {
    let none = || ApiError::bad("nothing that runs was named").hint("start with --stack NAME or --env NAME");
    studio.options.running.as_ref().ok_or_else(none)
}

async fn place(studio: &Studio) -> Result<Place, ApiError> {
    Ok((running(studio)?.connect)().await?)
}

/// `GET /api/running`
pub(crate) async fn status(State(studio): State<Arc<Studio>>) -> Result<Json<RunningStatus>, ApiError> {
    let running = running(&studio)?;
    let status = match &running.stack {
        Some(stack) => weir_local::status::of(&studio.options.repo, stack).await,
        None => None,
    };
    let status = status.map(|status| serde_json::to_value(&status)).transpose().context("the status")?;
    let asked = match &running.environment {
        Some(environment) => Some(studio.options.commands.pipelines(environment).await),
        None => None,
    };
    let (pipelines, pipelines_fault) = match asked {
        None => (None, None),
        Some(Ok(pipelines)) => (Some(pipelines), None),
        Some(Err(error)) => (None, Some(told(&error))),
    };
    let fault = (running.connect)().await.err().map(|error| told(&error));
    Ok(Json(RunningStatus { name: running.name.clone(), status, pipelines, pipelines_fault, fault }))
}

/// `GET /api/tail`: anomalies as they come, an event each.
pub(crate) async fn tail(State(studio): State<Arc<Studio>>) -> Result<Response, ApiError> {
    let place = place(&studio).await?;
    Ok(events(None, move |tell: Tell<StoredEntry>| async move {
        let mut tail = stream::Tail::open(&place.clients, &place.anomalies_stream, stream::From::Now).await?;
        tell.running(None, "listening");
        loop {
            for record in tail.next().await? {
                for data in weir_anomaly::kpl::deaggregate(&record)
                    .map_or_else(|| vec![record.clone()], |all| all.into_iter().map(|one| one.data.to_vec()).collect())
                {
                    if let Ok(Record::Anomaly(anomaly)) = Record::parse(&data)
                        && !anomaly.is_probe()
                    {
                        tell.result(entry(&anomaly)).await;
                    }
                }
            }
        }
    }))
}

fn time(of: Timestamp) -> i64 {
    of.nanos().div_euclid(1_000_000)
}

fn entry(a: &Anomaly) -> StoredEntry {
    StoredEntry {
        id: a.id.to_string(),
        rule: a.rule.clone(),
        rule_version: a.rule_version.clone(),
        severity: a.severity.to_string(),
        key: a.key.clone(),
        time: time(a.timestamp),
        window_start: a.window_start.map(time),
        window_end: a.window_end.map(time),
        value: a.value,
        expected: a.expected,
        score: a.score,
        description: a.rule_meta.description.clone(),
        owner: a.rule_meta.owner.clone(),
        runbook: a.rule_meta.runbook.clone(),
        details: a.details.clone(),
        disposition: None,
        first_seen: None,
        times_seen: None,
        alert_id: None,
    }
}

fn stored(stored: &StoredAnomaly) -> StoredEntry {
    StoredEntry {
        disposition: Some(stored.disposition.as_str().to_owned()),
        first_seen: Some(time(stored.first_seen)),
        times_seen: Some(stored.times_seen),
        alert_id: stored.alert_id.clone(),
        ..entry(&stored.anomaly)
    }
}

/// `GET /api/stored?rule=…|key=…&before=…`
pub(crate) async fn list(
    State(studio): State<Arc<Studio>>,
    Query(asked): Query<StoredRequest>,
) -> Result<Json<StoredPage>, ApiError> {
    let place = place(&studio).await?;
    let (index, of) = match (&asked.rule, &asked.key) {
        (Some(rule), None) => (Index::ByRule, rule.clone()),
        (None, Some(key)) => (Index::ByKey, stored_key(key).into_owned()),
        _ => return Err(ApiError::bad("anomalies are listed by rule or by key")),
    };
    let before = asked.before.map(|millis| Timestamp::from_millis(millis).context("the time is out of range"));
    let most = asked.most.unwrap_or(PAGE).clamp(1, PAGE_MOST);
    let items = store::latest_before(&place.clients, &place.table, index, &of, before.transpose()?, most).await;
    let items = items.map_err(anyhow::Error::from)?;
    let full = items.len() == most;
    let found: Vec<StoredEntry> =
        items.iter().filter_map(|item| StoredAnomaly::from_item(item).ok()).map(|one| stored(&one)).collect();
    // The next page begins with the whole millisecond in which this one ended, so that none of it is left out.
    let next = found.last().filter(|_| full).map(|last| last.time + 1);
    Ok(Json(StoredPage { anomalies: found, next }))
}

async fn anomaly_of(place: &Place, id: &str) -> Result<StoredAnomaly> {
    let item = store::get(&place.clients, &place.table, id).await?;
    let item =
        item.with_context(|| format!("table {} has no anomaly {id}\n  hint: it may have expired", place.table))?;
    Ok(StoredAnomaly::from_item(&item)?)
}

/// `GET /api/stored/ID`
pub(crate) async fn explain(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Json<Explanation>, ApiError> {
    let place = place(&studio).await?;
    let one = anomaly_of(&place, &id).await?;
    let anomaly = one.anomaly.clone();
    let found = tokio::task::spawn_blocking(move || studio.options.commands.version(&anomaly)).await;
    let found = found.context("the search for the rule's version")??;
    let mut parameters = Vec::new();
    for rule in found.iter().flat_map(|found| &found.pack.rules) {
        let set = found.as_ref().and_then(|found| found.environment.parameters.get(&rule.header.name));
        for (name, parameter) in &rule.header.parameters {
            let value = set.and_then(|values| values.get(name)).unwrap_or(&parameter.default);
            parameters.push((name.clone(), value.to_string()));
        }
    }
    let rule = found.as_ref().and_then(|found| found.pack.rules.first());
    Ok(Json(Explanation {
        anomaly: stored(&one),
        rule_text: rule.map(|rule| rule.body.clone()),
        found_in: found.as_ref().map(|found| found.place.clone()),
        environments: found.as_ref().map_or_else(Vec::new, |found| found.environments.clone()),
        parameters,
    }))
}

/// `POST /api/stored/ID`: the same computed again from what the events stream keeps.
pub(crate) async fn again(State(studio): State<Arc<Studio>>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let place = place(&studio).await?;
    let one = anomaly_of(&place, &id).await?.anomaly;
    Ok(events(None, move |tell: Tell<Recomputation>| async move {
        tell.running(None, "reading what the events stream keeps");
        let runtime = tokio::runtime::Handle::current();
        let work = tokio::task::spawn_blocking(move || {
            let found = studio.options.commands.version(&one)?;
            let found = found.with_context(|| {
                format!("version {} of `{}` is neither in this checkout nor in its history", one.rule_version, one.rule)
            })?;
            // Of a declared stream the raw records, which have no other columns.
            let declared = kinesis_input(&found.pack, &found.environment);
            let columns = if declared.is_some() { Columns::default() } else { studio.options.columns.clone() };
            let inputs = [format!("kinesis://{}", declared.unwrap_or(place.events_stream))];
            let connect = async || Ok(place.clients.clone());
            let recomputed =
                runtime.block_on(recompute(&one.key, found.pack, found.environment, &inputs, &columns, &connect))?;
            Ok::<_, anyhow::Error>(recomputation(&one, &recomputed))
        });
        tell.result(work.await.context("the replay died")??).await;
        Ok(())
    }))
}

fn recomputation(one: &Anomaly, recomputed: &Recomputed) -> Recomputation {
    let at = one.timestamp.nanos();
    let (from, to) = match (one.window_start, one.window_end) {
        (Some(start), Some(end)) => {
            let half = end.since(start) / 2;
            (start.nanos().saturating_sub(half), end.nanos().saturating_add(half))
        }
        _ => (at.saturating_sub(AROUND_NANOS), at.saturating_add(AROUND_NANOS)),
    };
    let series = recomputed.series.iter().map(|(name, points)| {
        let inside = points.iter().filter(|(nanos, _)| (from..=to).contains(nanos));
        let (x, y) = inside.map(|(nanos, value)| (millis(*nanos), *value)).unzip();
        ExplainedSeries { name: name.clone(), x, y }
    });
    let same = recomputed.anomalies.iter().any(|other| other.id == one.id);
    let near = recomputed
        .anomalies
        .iter()
        .filter(|other| other.key == one.key)
        .min_by_key(|other| other.timestamp.nanos().abs_diff(at));
    let said = match near {
        _ if same => "computed again: the same anomaly".to_owned(),
        Some(near) => format!("computed again: not this one; the nearest is at {}", near.timestamp),
        None => "computed again: no anomaly of this key; events may be missing".to_owned(),
    };
    Recomputation { series: series.collect(), said, same }
}

/// `GET /api/alerts`: what is not closed.
pub(crate) async fn alerts(State(studio): State<Arc<Studio>>) -> Result<Json<Vec<OpenAlert>>, ApiError> {
    let place = place(&studio).await?;
    let items = store::latest(&place.clients, &place.table, Index::ByRule, PENDING, LIST_MOST).await;
    let items = items.map_err(anyhow::Error::from)?;
    // Storms wait in the same list; they are no alerts.
    let alerts = items.iter().filter_map(|item| Alert::from_item(item).ok()).map(|alert| OpenAlert {
        id: alert.id(),
        state: alert.state.as_str().to_owned(),
        severity: alert.severity.to_string(),
        since: time(alert.created_at),
        until: time(alert.period.ends()),
        rule: alert.rule,
        key: alert.key,
        first_id: alert.first_id,
    });
    Ok(Json(alerts.collect()))
}

async fn all_silences(place: &Place) -> Result<Vec<SilenceEntry>> {
    let items = store::latest(&place.clients, &place.table, Index::ByRule, SILENCE, LIST_MOST).await?;
    items.iter().map(|item| Ok(shown(&Silence::from_item(item)?))).collect()
}

fn shown(silence: &Silence) -> SilenceEntry {
    SilenceEntry {
        id: silence.id.clone(),
        rule: silence.rule.clone(),
        key: silence.key.clone(),
        until: time(silence.until),
        who: silence.who.clone(),
        why: silence.why.clone(),
    }
}

/// `GET /api/silences`
pub(crate) async fn silences(State(studio): State<Arc<Studio>>) -> Result<Json<Vec<SilenceEntry>>, ApiError> {
    Ok(Json(all_silences(&place(&studio).await?).await?))
}

/// `POST /api/silences`
pub(crate) async fn silence(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<SilenceRequest>,
) -> Result<Json<Vec<SilenceEntry>>, ApiError> {
    let place = place(&studio).await?;
    studio.options.commands.silence(&place, &request).await?;
    Ok(Json(all_silences(&place).await?))
}

/// `DELETE /api/silences/ID`
pub(crate) async fn end_silence(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Json<Vec<SilenceEntry>>, ApiError> {
    let place = place(&studio).await?;
    if !id.starts_with("silence#") {
        return Err(ApiError::bad("that is no silence"));
    }
    let removed = store::delete(&place.clients, &place.table, &id).await.map_err(anyhow::Error::from)?;
    if !removed {
        return Err(ApiError::bad("that silence is gone already"));
    }
    Ok(Json(all_silences(&place).await?))
}

/// `GET /api/quarantine`: as `weir quarantine` prints it.
pub(crate) async fn quarantine(State(studio): State<Arc<Studio>>) -> Result<Json<Vec<serde_json::Value>>, ApiError> {
    let place = place(&studio).await?;
    Ok(Json(studio.options.commands.quarantined(&place).await?))
}

/// `POST /api/quarantine`: sends one record again, as `weir quarantine --send-again` does with all.
pub(crate) async fn send_again(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<SendAgainRequest>,
) -> Result<Json<Vec<serde_json::Value>>, ApiError> {
    let place = place(&studio).await?;
    Ok(Json(studio.options.commands.send_again(&place, &request.record_id, &request.stream).await?))
}
