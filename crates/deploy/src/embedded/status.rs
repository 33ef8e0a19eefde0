//! How the embedded engine does, in plain words.

use std::{fmt::Write as _, time::Duration};

use anyhow::Result;

use super::{
    contract::{Observed, RunningPack, WantedPack},
    service::{Service, age, silent},
};
use crate::render;

/// A checkpoint that is older is a problem: the alarm's own limit (`alarm_checkpoint_age_seconds`) by default.
const OLD_CHECKPOINT: Duration = Duration::from_secs(300);
/// An engine that is further behind is a problem: the alarm's own limit (`alarm_iterator_age_seconds`) by default.
const FAR_BEHIND: Duration = Duration::from_secs(60);

/// Prints how the engine does; whether it does its work.
pub(crate) async fn print(service: &Service, json: bool) -> Result<bool> {
    let (observed, wanted) = (service.observed().await?, service.wanted().await?);
    let problems = problems(observed.as_ref(), wanted.as_ref());
    let nothing = wanted.as_ref().is_none_or(|wanted| wanted.pack.is_none());
    let newest = service.ledger.list(&service.environment).await?.into_iter().next();
    let well = problems.is_empty() && !nothing;
    if json {
        let said = serde_json::json!({
            "engine": "embedded",
            "service": service.outputs.get("engine_service_name"),
            "observed": observed,
            "wanted": wanted,
            "problems": problems,
            "well": well,
            "deployment": newest,
        });
        println!("{}", serde_json::to_string_pretty(&said)?);
        return Ok(well);
    }
    let place = service.outputs.get("engine_service_name").unwrap_or("the service");
    print!("{}", text(&service.environment, place, observed.as_ref(), nothing, &problems));
    if let Some(newest) = newest {
        print!("last deployment:\n{}", render::deployments(&[newest]));
    }
    Ok(well)
}

/// What is not well, a line each.
fn problems(observed: Option<&Observed>, wanted: Option<&WantedPack>) -> Vec<String> {
    let wanted = wanted.and_then(|wanted| Some((wanted, wanted.pack.as_ref()?)));
    let Some(observed) = observed else {
        return wanted.map(|_| "the engine's task has never started".to_owned()).into_iter().collect();
    };
    let mut found = Vec::new();
    if silent(observed) {
        found.push(format!("the engine's task has said nothing since {}: does it run?", observed.at));
    }
    if let Some((wanted, pack)) = wanted {
        let refused = observed.refused.as_ref().filter(|refused| refused.wanted == wanted.id);
        if let Some(refused) = refused {
            found.push(format!("the engine refuses pack {pack}: {}", refused.reason));
        } else if observed.running.as_ref().is_none_or(|running| running.pack != *pack) {
            found.push(format!("pack {pack} is wanted and has not taken over"));
        }
    }
    if let Some(failed) = &observed.failed {
        found.push(format!("pack {} ended with an error at {}: {}", failed.pack, failed.at, failed.reason));
    }
    if let Some(running) = &observed.running {
        let checkpoint = Duration::from_secs(running.checkpoint_age_seconds);
        if checkpoint > OLD_CHECKPOINT {
            found.push(format!("no checkpoint of what came in the last {}", render::duration(checkpoint.as_secs())));
        }
        if running.lag_millis.is_some_and(|lag| Duration::from_millis(lag) > FAR_BEHIND) {
            found.push("it is behind the tip of its streams".to_owned());
        }
    }
    found
}

fn text(environment: &str, service: &str, observed: Option<&Observed>, nothing: bool, problems: &[String]) -> String {
    let mut text = String::new();
    let well = if problems.is_empty() { "well" } else { "NOT WELL" };
    if nothing {
        let _ = writeln!(text, "{environment}: no rules are deployed; `weir apply --env {environment}` deploys them");
    }
    let _ = writeln!(text, "service {service}  {well}");
    if let Some(observed) = observed {
        let said =
            age(observed).map_or_else(|| observed.at.clone(), |age| format!("{} ago", render::duration(age.as_secs())));
        let _ = writeln!(
            text,
            "  task         {}, weir {}, started {}, last heard {said}",
            observed.task, observed.version, observed.started
        );
        for (what, pack) in [("running", &observed.running), ("coming", &observed.coming)] {
            if let Some(pack) = pack {
                pack_text(&mut text, what, pack);
            }
        }
    }
    for problem in problems {
        let _ = writeln!(text, "  problem      {problem}");
    }
    text
}

fn pack_text(text: &mut String, what: &str, pack: &RunningPack) {
    let _ = writeln!(text, "  {what:<12} pack {}, since {}", pack.pack, pack.since);
    let lag = pack.lag_millis.map_or_else(|| "not known yet".to_owned(), |lag| render::duration(lag / 1000));
    let _ = writeln!(text, "  behind       {lag}");
    let _ = writeln!(
        text,
        "  checkpoint   {} written, {} put off; what came in the last {} is in none",
        pack.checkpoints,
        pack.failed_checkpoints,
        render::duration(pack.checkpoint_age_seconds)
    );
    let _ = writeln!(
        text,
        "  events       {} records read, {} rows given, {} rule_errors, {} KiB of state",
        pack.records,
        pack.rows,
        pack.rule_errors,
        pack.state_bytes / 1024
    );
}

#[cfg(test)]
mod tests {
    use super::super::contract::FailedPack;
    use super::*;
    use crate::ledger::now_text;

    fn wanted(pack: Option<&str>) -> WantedPack {
        WantedPack { id: "1".to_owned(), pack: pack.map(str::to_owned), at: String::new(), by: String::new() }
    }

    #[test]
    fn what_is_not_well_is_said() {
        let running =
            RunningPack { pack: "a".to_owned(), lag_millis: Some(0), checkpoints: 2, ..RunningPack::default() };
        let well = Observed { at: now_text(), running: Some(running.clone()), ..Observed::default() };
        assert_eq!(problems(Some(&well), Some(&wanted(Some("a")))), Vec::<String>::new());
        assert_eq!(problems(None, None), Vec::<String>::new(), "before the first deploy there is nothing to be wrong");
        assert_eq!(problems(None, Some(&wanted(Some("a")))), ["the engine's task has never started"]);
        assert_eq!(problems(Some(&well), Some(&wanted(Some("b")))), ["pack b is wanted and has not taken over"]);
        let ill = Observed {
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            running: Some(RunningPack { checkpoint_age_seconds: 301, lag_millis: Some(61_000), ..running }),
            failed: Some(FailedPack { pack: "a".to_owned(), at: "T".to_owned(), reason: "too much state".to_owned() }),
            ..well
        };
        assert_eq!(
            problems(Some(&ill), Some(&wanted(Some("a")))),
            [
                "the engine's task has said nothing since 2026-01-01T00:00:00.000Z: does it run?",
                "pack a ended with an error at T: too much state",
                "no checkpoint of what came in the last 5 min 1 s",
                "it is behind the tip of its streams",
            ]
        );
    }

    #[test]
    fn how_it_does_is_said_in_plain_words() {
        let running = RunningPack {
            pack: "0123456789ab".to_owned(),
            since: "2026-11-30T15:00:00.000Z".to_owned(),
            lag_millis: Some(1_500),
            records: 12,
            rows: 3,
            rule_errors: 0,
            state_bytes: 2_048,
            checkpoints: 4,
            failed_checkpoints: 1,
            checkpoint_age_seconds: 7,
        };
        let observed = Observed {
            at: now_text(),
            task: "5f0c".to_owned(),
            started: "2026-11-30T14:59:00.000Z".to_owned(),
            version: "0.1.0".to_owned(),
            running: Some(running),
            ..Observed::default()
        };
        insta::assert_snapshot!(text("dev", "weir-dev-engine", Some(&observed), false, &["p".to_owned()]), @r"
        service weir-dev-engine  NOT WELL
          task         5f0c, weir 0.1.0, started 2026-11-30T14:59:00.000Z, last heard 0 s ago
          running      pack 0123456789ab, since 2026-11-30T15:00:00.000Z
          behind       1 s
          checkpoint   4 written, 1 put off; what came in the last 7 s is in none
          events       12 records read, 3 rows given, 0 rule_errors, 2 KiB of state
          problem      p
        ");
        assert_eq!(
            text("dev", "weir-dev-engine", None, true, &[]),
            "dev: no rules are deployed; `weir apply --env dev` deploys them\nservice weir-dev-engine  well\n"
        );
    }
}
