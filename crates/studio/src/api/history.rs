//! The history that drafts are evaluated on, and what is labelled in it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use axum::{Json, extract::State, response::Response};
use weir_anomaly::Timestamp;
use weir_backtest::{
    data::read::Columns,
    workbench::{Watched, Workbench},
};
use weir_rules::Pack;

use super::{
    contract::{HistoryRequest, HistorySummary, LabelEntry, LabelRemoval, LabelRequest},
    stream::{Tell, events},
};
use crate::{
    HistoryChoice,
    draft::relative,
    fault::ApiError,
    labels::Labels,
    state::{Opened, Studio},
};

/// How often a page that waits hears how much was read.
const TOLD_EVERY: Duration = Duration::from_millis(200);
/// What generated data are called where a file's name stands.
const GENERATED: &str = "generated";

/// `POST /api/history`: reads a history once, in place of the one that is open. Without a body that names one, the history that the
/// command was started with.
pub(crate) async fn open(State(studio): State<Arc<Studio>>, Json(request): Json<Option<HistoryRequest>>) -> Response {
    events(None, move |tell: Tell<HistorySummary>| async move {
        let _one = studio.opening.lock().await;
        let (choice, columns) = match request {
            Some(request) => chosen(request, &studio.options.columns),
            None => match (&studio.options.history, studio.opened()) {
                // Another tab was quicker.
                (_, Some(opened)) => {
                    tell.result(summary(&studio, &opened)).await;
                    return Ok(());
                }
                (Some(choice), None) => (choice.clone(), studio.options.columns.clone()),
                (None, None) => {
                    anyhow::bail!("no history was chosen\n  hint: choose a file, a folder or generated data")
                }
            },
        };
        let opened = studio.open(read(&studio, &choice, &columns, &tell).await?);
        tell.result(summary(&studio, &opened)).await;
        Ok(())
    })
}

fn chosen(request: HistoryRequest, usual: &Columns) -> (HistoryChoice, Columns) {
    match request {
        HistoryRequest::Records { inputs, stream } => (HistoryChoice::Records { inputs, stream }, Columns::default()),
        HistoryRequest::Generated { seed } => (HistoryChoice::Generated { seed }, Columns::default()),
        HistoryRequest::Inputs { inputs, timestamp, value, source, metric } => {
            let named = |name: Option<String>, usual: &String| name.filter(|n| !n.is_empty()).unwrap_or(usual.clone());
            let columns = Columns {
                timestamp: named(timestamp, &usual.timestamp),
                value: named(value, &usual.value),
                source: named(source, &usual.source),
                metric: named(metric, &usual.metric),
                unit: usual.unit,
            };
            (HistoryChoice::Inputs(inputs), columns)
        }
    }
}

/// Reads on a thread of its own: decoding and sorting leave no pause in which other requests could go on.
async fn read(
    studio: &Arc<Studio>,
    choice: &HistoryChoice,
    columns: &Columns,
    tell: &Tell<HistorySummary>,
) -> Result<Opened> {
    let watched = Arc::new(Watched::default());
    // Dropped with the answer, when nobody waits for it any more.
    let _ends = EndsReading(Arc::clone(&watched));
    let (own, choice, columns, counted) = (Arc::clone(studio), choice.clone(), columns.clone(), Arc::clone(&watched));
    let generated = matches!(choice, HistoryChoice::Generated { .. });
    let runtime = tokio::runtime::Handle::current();
    let mut reading = tokio::task::spawn_blocking(move || {
        let options = &own.options;
        let (name, bench, labelled) = match choice {
            HistoryChoice::Generated { seed } => {
                let (events, labels) = (options.generate)(seed)?;
                (format!("generated (seed {seed})"), Workbench::of_events(events, GENERATED)?, labels)
            }
            HistoryChoice::Records { inputs, stream } => {
                let inputs: Vec<String> = inputs.iter().map(|input| from_root(&own, input)).collect();
                let (pack, _) = Pack::load_without_rules(&options.repo.sql())?;
                let declared = pack.streams.iter().map(|file| &file.declaration).find(|known| known.name == stream);
                let declared = declared.with_context(|| {
                    let known: Vec<&str> = pack.streams.iter().map(|file| file.declaration.name.as_str()).collect();
                    let sql = options.repo.manifest().sql.display();
                    let hint = match known.as_slice() {
                        [] => format!("a stream is declared in {sql}/streams/NAME.toml"),
                        known => format!("the streams are {}", known.join(", ")),
                    };
                    format!("there is no stream `{stream}`\n  hint: {hint}")
                })?;
                let connect = async || (options.connect)().await;
                let bench = runtime.block_on(Workbench::read_records(&inputs, declared, &connect, counted))?;
                let shown: Vec<String> = inputs.iter().map(|input| relative(&options.repo, input.as_ref())).collect();
                (format!("{} as {stream}", shown.join(", ")), bench, Vec::new())
            }
            HistoryChoice::Inputs(inputs) => {
                let inputs: Vec<String> = inputs.iter().map(|input| from_root(&own, input)).collect();
                let connect = async || (options.connect)().await;
                let bench = runtime.block_on(Workbench::read(&inputs, &columns, &connect, counted))?;
                let shown: Vec<String> = inputs.iter().map(|input| relative(&options.repo, input.as_ref())).collect();
                (shown.join(", "), bench, Vec::new())
            }
        };
        let labels = Labels::open(own.labels_file(), labelled, &bench)?;
        Ok(Opened { name, bench, labels })
    });
    loop {
        let doing = if generated { "generating events".to_owned() } else { reading_so_far(&watched) };
        tell.running(None, &doing);
        tokio::select! {
            read = &mut reading => return read.context("the reader died")?,
            () = tokio::time::sleep(TOLD_EVERY) => {}
        }
    }
}

/// Ends a reading with the answer that tells of it.
struct EndsReading(Arc<Watched>);

impl Drop for EndsReading {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn reading_so_far(watched: &Watched) -> String {
    let (events, records) = (watched.events(), watched.records());
    match records.saturating_sub(events) {
        0 => format!("reading: {events} events"),
        others => format!("reading: {events} events, {others} records that are none"),
    }
}

/// A file that is named without a folder lies in the project, wherever the command was started.
fn from_root(studio: &Studio, input: &str) -> String {
    let inside = studio.options.repo.root.join(input);
    let elsewhere = input.contains("://") || PathBuf::from(input).exists() || !inside.exists();
    if elsewhere { input.to_owned() } else { inside.to_string_lossy().into_owned() }
}

/// What the page says of the history.
pub(crate) fn summary(studio: &Studio, opened: &Opened) -> HistorySummary {
    let overview = opened.bench.overview();
    let mut notes = overview.notes;
    notes.extend(
        overview.refused.values().map(|(count, first)| format!("{count} records are no events; the first: {first}")),
    );
    let millis = |time: Timestamp| time.nanos().div_euclid(1_000_000);
    HistorySummary {
        name: opened.name.clone(),
        events: overview.events,
        first: millis(overview.first),
        last: millis(overview.last),
        days: overview.days,
        sampling: overview.sampling / 1_000_000,
        series: overview.series.len(),
        labels: opened.labels.all().map_or(0, |labels| labels.len()),
        labels_file: relative(&studio.options.repo, &opened.labels.file),
        notes,
    }
}

/// `GET /api/labels`
pub(crate) async fn labels(State(studio): State<Arc<Studio>>) -> Result<Json<Vec<LabelEntry>>, ApiError> {
    Ok(Json(studio.need_history()?.labels.entries()))
}

/// `POST /api/labels`
pub(crate) async fn add_label(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<LabelRequest>,
) -> Result<Json<Vec<LabelEntry>>, ApiError> {
    let opened = studio.need_history()?;
    let time = |millis| Timestamp::from_millis(millis).context("a label's time is out of range");
    let (start, end) = (time(request.start)?, time(request.end)?);
    let _one = studio.writing.lock().await;
    opened.labels.add(&opened.bench, &request.key, start, end)?;
    Ok(Json(opened.labels.entries()))
}

/// `DELETE /api/labels`
pub(crate) async fn remove_label(
    State(studio): State<Arc<Studio>>,
    Json(shown): Json<LabelRemoval>,
) -> Result<Json<Vec<LabelEntry>>, ApiError> {
    let opened = studio.need_history()?;
    let _one = studio.writing.lock().await;
    opened.labels.remove(&opened.bench, &shown)?;
    Ok(Json(opened.labels.entries()))
}
