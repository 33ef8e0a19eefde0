//! What a draft finds: evaluated, compared with the last commit, swept over a parameter, and asked about for charts and tables.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result};
use axum::{Json, extract::State, response::Response};
use weir_anomaly::Anomaly;
use weir_backtest::{
    Points,
    data::labels::Label,
    workbench::{self, Alerted, Evaluation, changes},
};

use super::{
    contract::{
        Anomalies, AnomaliesRequest, Chart, ChartRequest, ComparisonFigures, EvaluateRequest, Evaluated, ExpectedLine,
        Fault, Figures, KeyEntry, Lane, Mark, SweepRequest, SweepRow,
    },
    stream::{Tell, events},
};
use crate::{
    draft::{below, committed, committed_draft, draft_of},
    fault::{ApiError, told},
    sample::{self, millis},
    state::{Change, Committed, Found, Opened, Studio},
};

/// Rows of the table of keys; more are found by nobody.
const KEYS_MOST: usize = 5000;
/// Parts into which a lane cuts the time.
const LANE_PARTS: usize = 120;
/// Rows of the lane.
const LANE_ROWS: usize = 12;
/// Anomalies in one answer.
const ANOMALIES_MOST: usize = 500;
/// Values of one sweep.
const SWEEP_MOST: usize = 50;
/// A reading that comes so many times later than usual breaks the line.
const GAP_SAMPLINGS: i64 = 3;
/// Columns of the largest chart.
const WIDTH_MOST: usize = 8192;

/// `POST /api/evaluate`
pub(crate) async fn evaluate(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<EvaluateRequest>,
) -> Result<Response, ApiError> {
    let opened = studio.need_history()?;
    let newer = studio.begin(&request.tab);
    Ok(events(Some(newer), move |tell: Tell<Evaluated>| async move {
        let _counted = studio.begin_evaluation();
        let draft = draft_of(&studio.options.repo, &studio.options.environment, &request)?;
        let labels = opened.labels.all();
        let share = |share: f64| tell.running(Some(share), "evaluating");
        share(0.0);
        let evaluation = opened.bench.evaluate(&draft, labels.as_deref(), &share).await;
        let evaluation = evaluation.map_err(|error| below(&studio.options.repo, &error))?;
        let compared = if request.compare {
            tell.running(None, "comparing with the last commit");
            Some(compare(&studio, &opened, &request, &evaluation, labels.as_deref()).await)
        } else {
            None
        };
        let (comparison, comparison_fault) = match compared {
            None => (None, None),
            Some(Ok(comparison)) => (Some(comparison), None),
            Some(Err(error)) => (None, Some(told(&error))),
        };
        let sampling = opened.bench.overview().sampling;
        let report = serde_json::to_value(&evaluation.report).context("the report")?;
        let figures = figures(&evaluation.figures);
        let starved = evaluation.figures.starved.iter();
        let starved =
            starved.map(|(message, hint)| Fault { message: message.clone(), hint: Some(hint.clone()) }).collect();
        let (took, warnings) = (evaluation.seconds * 1000.0, evaluation.warnings.clone());
        let found = found(evaluation, comparison.as_ref(), labels.as_deref(), sampling);
        let rule = draft.program().rules.first().map_or_else(String::new, |rule| rule.name.clone());
        let (keys, lane) = (keys(&opened, &found), lane(&opened, &found));
        let evaluation = studio.hold(Arc::clone(&opened), draft, found);
        tell.result(Evaluated {
            evaluation,
            rule,
            took,
            figures,
            comparison: comparison.map(|comparison| comparison.figures),
            comparison_fault,
            keys,
            lane,
            starved,
            warnings,
            report,
        })
        .await;
        Ok(())
    }))
}

/// What is gained (places in the draft's anomalies) and lost.
struct Comparison {
    gained: Vec<usize>,
    lost: Vec<(Anomaly, Alerted)>,
    figures: ComparisonFigures,
}

async fn compare(
    studio: &Studio,
    opened: &Opened,
    request: &EvaluateRequest,
    after: &Evaluation,
    labels: Option<&[Label]>,
) -> Result<Comparison> {
    let repo = &studio.options.repo;
    let text = committed(repo, &request.path).unwrap_or_default();
    // What is labelled changes its precision.
    let key = format!("{}\n{}\n{text}", request.path, labels.map_or(0, <[Label]>::len));
    let before = match studio.committed(&key) {
        Some(before) => before,
        None => {
            let draft = committed_draft(repo, &studio.options.environment, &request.path)?;
            let evaluation = opened.bench.evaluate(&draft, labels, &|_| {}).await?;
            let anomalies = evaluation.anomalies.into_iter().zip(evaluation.alerted).collect();
            studio.keep_committed(key, Committed { anomalies, figures: evaluation.figures })
        }
    };
    let old: Vec<Anomaly> = before.anomalies.iter().map(|(anomaly, _)| anomaly.clone()).collect();
    let (gained, lost) = changes(&old, &after.anomalies);
    let lost: Vec<(Anomaly, Alerted)> = lost.into_iter().filter_map(|at| before.anomalies.get(at).cloned()).collect();
    let figures = ComparisonFigures {
        gained: gained.len(),
        lost: lost.len(),
        alerts_before: before.figures.alerts,
        precision_before: before.figures.precision,
        recall_before: before.figures.recall,
    };
    Ok(Comparison { gained, lost, figures })
}

/// The anomalies of the draft and those that it lost, in order of time.
fn found(
    evaluation: Evaluation,
    comparison: Option<&Comparison>,
    labels: Option<&[Label]>,
    sampling: i64,
) -> Vec<Found> {
    let right = |anomaly: &Anomaly| labels.map(|all| all.iter().any(|label| label.is_found_by(anomaly, sampling)));
    let gained = comparison.map_or(&[][..], |comparison| comparison.gained.as_slice());
    let mut found: Vec<Found> = (0..)
        .zip(evaluation.anomalies.into_iter().zip(evaluation.alerted))
        .map(|(at, (anomaly, alerted))| {
            let change = if gained.binary_search(&at).is_ok() { Change::Gained } else { Change::Same };
            Found { right: right(&anomaly), anomaly, alerted, change }
        })
        .collect();
    for (anomaly, alerted) in comparison.iter().flat_map(|comparison| &comparison.lost) {
        found.push(Found { right: right(anomaly), anomaly: anomaly.clone(), alerted: *alerted, change: Change::Lost });
    }
    found.sort_by_key(|found| found.anomaly.timestamp);
    found
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn figures(of: &workbench::Figures) -> Figures {
    let a_week = |count: usize| count as f64 / of.days * 7.0;
    Figures {
        anomalies: of.anomalies,
        alerts: of.alerts,
        anomalies_a_week: a_week(of.anomalies),
        alerts_a_week: a_week(of.alerts),
        on_trial: of.on_trial,
        labels: of.labels,
        found: of.found,
        precision: of.precision,
        recall: of.recall,
        delay_seconds: of.delay_seconds,
        cost_usd_a_month: of.cost_usd_a_month,
    }
}

/// Keys with anomalies, most first; then the series in which nothing was found.
fn keys(opened: &Opened, found: &[Found]) -> Vec<KeyEntry> {
    let mut keys: BTreeMap<String, KeyEntry> = BTreeMap::new();
    let empty =
        |key: &str, readings| KeyEntry { key: key.to_owned(), readings, anomalies: 0, alerts: 0, gained: 0, lost: 0 };
    for series in opened.bench.overview().series {
        keys.insert(series.name.clone(), empty(&series.name, Some(series.readings)));
    }
    for one in found {
        let key = &one.anomaly.key;
        let entry = keys.entry(key.clone()).or_insert_with(|| empty(key, None));
        let is_lost = one.change == Change::Lost;
        entry.anomalies += usize::from(!is_lost);
        entry.alerts += usize::from(!is_lost && matches!(one.alerted, Alerted::Sent | Alerted::WouldSend));
        entry.gained += usize::from(one.change == Change::Gained);
        entry.lost += usize::from(is_lost);
    }
    let mut keys: Vec<KeyEntry> = keys.into_values().collect();
    keys.sort_by_key(|entry| std::cmp::Reverse((entry.anomalies, entry.lost)));
    keys.truncate(KEYS_MOST);
    keys
}

fn lane(opened: &Opened, found: &[Found]) -> Lane {
    let overview = opened.bench.overview();
    let (from, to) = (overview.first.nanos(), overview.last.nanos());
    let span = i128::from(to.saturating_sub(from).max(1));
    let part = |nanos: i64| {
        let at = (i128::from(nanos) - i128::from(from)) * LANE_PARTS as i128 / span;
        usize::try_from(at).unwrap_or(0).min(LANE_PARTS - 1)
    };
    let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for one in found.iter().filter(|one| one.change != Change::Lost) {
        let row = rows.entry(&one.anomaly.key).or_insert_with(|| vec![0; LANE_PARTS]);
        if let Some(count) = row.get_mut(part(one.anomaly.timestamp.nanos())) {
            *count += 1;
        }
    }
    let mut rows: Vec<(String, Vec<usize>)> = rows.into_iter().map(|(key, row)| (key.to_owned(), row)).collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.iter().sum::<usize>()));
    rows.truncate(LANE_ROWS);
    Lane { from: from.div_euclid(1_000_000), to: to.div_euclid(1_000_000), rows }
}

/// `POST /api/chart`
pub(crate) async fn chart(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<ChartRequest>,
) -> Result<Json<Chart>, ApiError> {
    let held = studio.held(request.evaluation)?;
    let overview = held.opened.bench.overview();
    let nanos = |millis: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest time that there is")]
        let nanos = (millis * 1e6) as i64;
        nanos
    };
    let from = request.from.map_or(overview.first.nanos(), nanos);
    let to = request.to.map_or(overview.last.nanos().saturating_add(overview.sampling), nanos);
    if from >= to {
        return Err(ApiError::bad("a chart ends after it begins"));
    }
    let (span, width) = ((from, to), request.width.clamp(1, WIDTH_MOST));
    let points = held.opened.bench.readings(&request.key)?;
    let gap = overview.sampling.saturating_mul(GAP_SAMPLINGS);
    let (x, y, readings) = points
        .as_ref()
        .map_or_else(|| (Vec::new(), Vec::new(), 0), |points| sample::readings(points, span, width, gap));
    if request.expected && !held.expected.initialized() {
        held.expected.get_or_try_init(|| held.opened.bench.expected(&held.draft)).await?;
    }
    let expected = held.expected.get().map(|rows| {
        let rules = rows.get(&request.key).into_iter().flatten();
        rules.map(|(name, rows)| sample::expected(name, rows, span, width)).collect::<Vec<ExpectedLine>>()
    });
    let inside = |one: &&Found| one.anomaly.key == request.key && (from..=to).contains(&one.anomaly.timestamp.nanos());
    let marks = held.anomalies.iter().filter(inside).map(|one| mark(one, points.as_deref(), gap)).collect();
    let labels = held.opened.labels.entries().into_iter().filter(|label| {
        let series = label.metric.as_ref().map(|metric| format!("{}/{metric}", label.source));
        let about = request.key == label.source || series.is_none_or(|series| series == request.key);
        let of_source =
            request.key == label.source || request.key.strip_prefix(&label.source).is_some_and(|r| r.starts_with('/'));
        about && of_source && label.end >= from.div_euclid(1_000_000) && label.start <= to.div_euclid(1_000_000)
    });
    Ok(Json(Chart {
        is_series: points.is_some(),
        key: request.key.clone(),
        x,
        y,
        readings,
        expected,
        marks,
        labels: labels.collect(),
    }))
}

/// `POST /api/anomalies`
pub(crate) async fn anomalies(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<AnomaliesRequest>,
) -> Result<Json<Anomalies>, ApiError> {
    let held = studio.held(request.evaluation)?;
    let wanted = |one: &&Found| request.key.as_ref().is_none_or(|key| one.anomaly.key == *key);
    let all = held.anomalies.iter().filter(wanted).count();
    let shown = held.anomalies.iter().filter(wanted).skip(request.skip).take(ANOMALIES_MOST);
    let anomalies = shown.map(|one| mark(one, None, 0)).collect();
    Ok(Json(Anomalies { all, anomalies }))
}

/// An anomaly, drawn at the reading that it is about.
fn mark(one: &Found, points: Option<&Points>, gap: i64) -> Mark {
    let a = &one.anomaly;
    let at = a.timestamp.nanos();
    let reading = points.and_then(|points| {
        let until =
            points.partition_point(|(nanos, _)| if a.window_end.is_some() { *nanos < at } else { *nanos <= at });
        until.checked_sub(1).and_then(|index| points.get(index).copied())
    });
    let (x, y) = match reading {
        // What is noticed long after the last reading is drawn where it is noticed.
        Some((nanos, value)) if gap > 0 && at.saturating_sub(nanos) > gap => (at, Some(value)),
        Some((nanos, value)) => (nanos, Some(value)),
        None => (at, a.value),
    };
    let time = |time: weir_anomaly::Timestamp| time.nanos().div_euclid(1_000_000);
    Mark {
        id: a.id.to_string(),
        key: a.key.clone(),
        time: time(a.timestamp),
        x: millis(x),
        y,
        window_start: a.window_start.map(time),
        window_end: a.window_end.map(time),
        value: a.value,
        expected: a.expected,
        score: a.score,
        alert: match one.alerted {
            Alerted::Sent => "sent",
            Alerted::Suppressed => "suppressed",
            Alerted::WouldSend => "would_send",
            Alerted::WouldSuppress => "would_suppress",
        },
        change: match one.change {
            Change::Same => "same",
            Change::Gained => "gained",
            Change::Lost => "lost",
        },
        right: one.right,
        details: a.details.clone(),
    }
}

/// `POST /api/sweep`: evaluates the draft at each value of a parameter.
pub(crate) async fn sweep(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<SweepRequest>,
) -> Result<Response, ApiError> {
    let opened = studio.need_history()?;
    if request.values.len() > SWEEP_MOST {
        return Err(ApiError::bad(format!("a sweep has at most {SWEEP_MOST} values")));
    }
    let newer = studio.begin(&format!("{} sweep", request.draft.tab));
    Ok(events(Some(newer), move |tell: Tell<Vec<SweepRow>>| async move {
        let labels = opened.labels.all();
        let mut rows = Vec::new();
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = |done: usize| done as f64 / request.values.len().max(1) as f64;
        for value in &request.values {
            tell.running(Some(share(rows.len())), &format!("{} = {value}", request.parameter));
            let mut draft = request.draft.clone();
            draft.parameters.insert(request.parameter.clone(), value.clone());
            let of_value = async {
                let draft = draft_of(&studio.options.repo, &studio.options.environment, &draft)?;
                opened.bench.evaluate(&draft, labels.as_deref(), &|_| {}).await
            };
            let (figures, fault) = match of_value.await {
                Ok(evaluation) => (Some(figures(&evaluation.figures)), None),
                Err(error) => (None, Some(told(&error))),
            };
            rows.push(SweepRow { value: value.clone(), figures, fault });
        }
        tell.result(rows).await;
        Ok(())
    }))
}
