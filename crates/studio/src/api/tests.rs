//! The rule's tests: run on the draft, and made of a range of history.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use axum::{Json, extract::State, response::Response};
use weir_rules::{Pack, longest_window};
use weir_ruletest::make::{Material, add, make};

use super::{
    contract::{CaseMade, CaseRequest, TestOutcome, TestsRequest},
    project::write,
    stream::{Tell, events},
};
use crate::{
    api::contract::Saved,
    draft::{pack_of, parts_of, relative, tests_file},
    fault::ApiError,
    state::Studio,
};

const DAY_NANOS: i64 = 86_400_000_000_000;
/// How many windows of the rule lie before the range that a case is made of: some rules look back over several.
const WINDOWS_BEFORE: i64 = 2;

/// `POST /api/tests`: runs the test file of the rule on the text in the editor.
pub(crate) async fn run(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<TestsRequest>,
) -> Result<Response, ApiError> {
    let repo = studio.options.repo.clone();
    let pack = pack_of(&repo, &request.path, &request.text)?;
    let rule = name_of(&pack)?;
    let file = tests_file(&repo, &rule)?;
    Ok(events(None, move |tell: Tell<Vec<TestOutcome>>| async move {
        tell.running(None, "running the tests");
        // On a task of its own, as a case is busy without a pause.
        let outcomes = tokio::spawn(async move { weir_ruletest::test_draft(pack, &rule, file).await }).await;
        let outcome = |outcome: weir_ruletest::Outcome| TestOutcome {
            case: outcome.case,
            passed: outcome.result.is_ok(),
            took: outcome.took.as_secs_f64() * 1000.0,
            said: outcome.result.err(),
        };
        tell.result(outcomes.context("the tests died")?.into_iter().map(outcome).collect()).await;
        Ok(())
    }))
}

fn name_of(pack: &Pack) -> anyhow::Result<String> {
    Ok(pack.rules.first().context("the draft is no rule")?.header.name.clone())
}

/// `POST /api/case`: makes a case of a range and writes it into the rule's test file.
pub(crate) async fn make_case(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<CaseRequest>,
) -> Result<Response, ApiError> {
    let name = request.name.trim().to_owned();
    if name.is_empty() {
        return Err(ApiError::bad("a case needs a name").hint("say what happens in it"));
    }
    let repo = studio.options.repo.clone();
    let (pack, environment) = parts_of(&repo, &studio.options.environment, &request.draft)?;
    let rule = name_of(&pack)?;
    let file = tests_file(&repo, &rule)?;
    let opened = studio.need_history()?;
    Ok(events(None, move |tell: Tell<CaseMade>| async move {
        tell.running(None, "looking for the fewest records that do");
        let parameters = environment.parameters.get(&rule).cloned().unwrap_or_default();
        let range = (nanos(request.from), nanos(request.to));
        let before = lookback(&pack, &parameters);
        let span = (range.0.saturating_sub(before), range.1);
        let records = opened.bench.records(span, |_| true)?;
        anyhow::ensure!(!records.is_empty(), "there are no events in this range\n  hint: choose another one");
        let key = request.key.clone();
        let material = Material { pack, rule: &rule, parameters, name: &name, key: &key, range, records };
        let made = make(&material).await?;
        let _one = studio.writing.lock().await;
        let known = std::fs::read_to_string(&file).ok();
        let text = add(&file, &name, &made)?;
        let version = known.map(|text| super::project::version_of(&text));
        if let Saved::Conflict { .. } = write(&file, &text, version.as_deref())? {
            anyhow::bail!("{} was changed meanwhile\n  hint: make the case again", file.display());
        }
        let (records, of, expects) = (made.records, made.of, made.expects);
        tell.result(CaseMade { path: relative(&repo, &file), text: made.text, records, of, expects }).await;
        Ok(())
    }))
}

fn nanos(millis: i64) -> i64 {
    millis.saturating_mul(1_000_000)
}

/// How far a rule looks back at most: its longest window, with the parameters that name one.
fn lookback(pack: &Pack, parameters: &BTreeMap<String, toml::Value>) -> i64 {
    let written = pack.rules.iter().filter_map(|rule| longest_window(&rule.body)).map(weir_rules::Interval::duration);
    let of_parameters = pack.rules.iter().flat_map(|rule| &rule.header.parameters).filter_map(|(name, parameter)| {
        let value = parameters.get(name).unwrap_or(&parameter.default);
        value.as_str()?.parse::<weir_rules::Interval>().ok().map(weir_rules::Interval::duration)
    });
    let longest = written.chain(of_parameters).max().unwrap_or_default();
    let longest = i64::try_from(longest.as_nanos()).unwrap_or(i64::MAX);
    longest.saturating_mul(WINDOWS_BEFORE).max(DAY_NANOS / 24)
}
