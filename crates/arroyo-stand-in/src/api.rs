//! Requests to answers.

use serde_json::{Value, json};

use crate::{
    http::Answer,
    jobs::{Entry, State},
    world::{Version, World},
};

/// What Arroyo answers where no limit is asked for.
const PAGE: usize = 10;
/// Validations for which the compiler is not there yet.
const COMPILER_LATE: u32 = 2;

impl Answer {
    fn ok(value: &Value) -> Self {
        Self { status: 200, body: value.to_string() }
    }

    fn error(status: u16, message: &str) -> Self {
        Self { status, body: json!({ "error": message }).to_string() }
    }
}

impl World {
    pub(crate) fn answer(&mut self, method: &str, target: &str, key: Option<&str>, body: &[u8]) -> Answer {
        // The key stands before everything, and its refusal is no JSON.
        if self.options.key.is_some() && self.options.key.as_deref() != key {
            return Answer { status: 401, body: String::new() };
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(path) = path.strip_prefix("/api/v1") else { return Answer::error(404, "not found") };
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let now = self.options.now();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            ("GET", ["ping"]) => Answer::ok(&json!("Pong")),
            ("POST", ["pipelines", "validate_query"]) => self.validate(&body),
            ("POST", ["pipelines"]) => self.create(&body),
            ("GET", ["pipelines"]) => self.list(query),
            ("GET", ["pipelines", id]) => self.of(id, |_, entry| Answer::ok(&pipeline(entry))),
            ("PATCH", ["pipelines", id]) => self.patch(id, &body),
            ("DELETE", ["pipelines", id]) => self.delete(id),
            ("POST", ["pipelines", id, "restart"]) => self.of(id, |_, entry| {
                entry.restart = true;
                Answer::ok(&pipeline(entry))
            }),
            ("GET", ["pipelines", id, "jobs"]) => {
                self.of(id, |version, entry| Answer::ok(&json!({ "data": [job(version, entry)] })))
            }
            ("GET", ["pipelines", id, "jobs", _, "checkpoints"]) => self.of(id, |_, entry| {
                let begun = entry.checkpoints + 1;
                let all: Vec<Value> = (begun.saturating_sub(3).max(1)..=begun)
                    .map(|epoch| {
                        let finish = (epoch <= entry.checkpoints).then_some(now + epoch);
                        json!({ "epoch": epoch, "backend": "parquet", "start_time": now + epoch,
                                "finish_time": finish, "events": [] })
                    })
                    .collect();
                Answer::ok(&json!({ "data": all }))
            }),
            ("GET", ["pipelines", id, "jobs", _, "errors"]) => self.of(id, |_, entry| {
                let errors: Vec<Value> = entry
                    .failure
                    .iter()
                    .map(|message| json!({ "id": "err_1", "created_at": 1, "operator_id": "source_events_0",
                                           "task_index": 0, "level": "error", "message": message, "details": "" }))
                    .collect();
                Answer::ok(&json!({ "data": errors, "hasMore": false }))
            }),
            ("GET", ["pipelines", id, "jobs", _, "operator_metric_groups"]) => self.of(id, |_, entry| {
                if entry.state != State::Running {
                    return Answer::ok(&json!({ "data": [] }));
                }
                let (rate, full) = entry.rate();
                let group = |name: &str, value: f64| {
                    json!({ "name": name, "subtasks": [{ "index": 0, "metrics": [{ "time": 1, "value": value }] }] })
                };
                Answer::ok(&json!({ "data": [
                    { "node_id": 0, "metric_groups": [group("messages_sent", rate), group("backpressure", full)] },
                    { "node_id": 1, "metric_groups": [group("messages_sent", 3.0), group("backpressure", 0.0)] },
                ] }))
            }),
            _ => Answer::error(404, "not found"),
        }
    }

    fn of(&mut self, id: &str, then: impl FnOnce(Version, &mut Entry) -> Answer) -> Answer {
        let version = self.options.version;
        match self.entries.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => then(version, entry),
            None => Answer::error(404, "Pipeline not found"),
        }
    }

    fn validate(&mut self, body: &Value) -> Answer {
        let query = body["query"].as_str().unwrap_or_default();
        self.validations += 1;
        if query.contains("#compiler-late") && self.validations <= COMPILER_LATE {
            return Answer::ok(&json!({ "graph": null, "errors": ["compiler-service not available"] }));
        }
        if !query.contains("#refused") {
            return Answer::ok(&json!({ "graph": { "nodes": [], "edges": [] }, "errors": [] }));
        }
        let message = "Error during planning: table 'nothing' not found";
        let error = match self.options.version {
            Version::V015 => json!(message),
            Version::Next => json!({ "message": message, "span": { "start": { "line": 1, "column": 15 },
                                                                     "end": { "line": 1, "column": 22 } } }),
        };
        Answer::ok(&json!({ "graph": null, "errors": [error] }))
    }

    fn create(&mut self, body: &Value) -> Answer {
        let (Some(name), Some(query), Some(parallelism)) =
            (body["name"].as_str(), body["query"].as_str(), body["parallelism"].as_u64())
        else {
            return Answer::error(422, "Failed to deserialize the JSON body into the target type");
        };
        if query.contains("#refused") {
            return Answer::error(400, "Error during planning: table 'nothing' not found");
        }
        let interval = body["checkpoint_interval_micros"].as_u64().unwrap_or(10_000_000);
        if !(1_000_000..=86_400_000_000).contains(&interval) {
            return Answer::error(400, "Checkpoint_interval_micros must be between 1 second and 1 day.");
        }
        let udfs = body.get("udfs").filter(|udfs| udfs.is_array()).cloned().unwrap_or_else(|| json!([]));
        let id = self.make(name, query, &udfs, u32::try_from(parallelism).unwrap(), interval);
        self.of(&id, |_, entry| Answer::ok(&pipeline(entry)))
    }

    fn list(&self, query: &str) -> Answer {
        let parameter = |name: &str| {
            query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value)
        };
        let limit = parameter("limit").map_or(PAGE, |limit| limit.parse().unwrap());
        let limit = limit.min(self.options.page.unwrap_or(usize::MAX));
        let newest_first = self.entries.iter().rev();
        let after = match parameter("starting_after") {
            None => u64::MAX,
            // What comes after one that is gone is nothing: a comparison with NULL.
            Some(id) => self.entries.iter().find(|entry| entry.id == id).map_or(0, |entry| entry.created_at),
        };
        let rest: Vec<&Entry> = newest_first.filter(|entry| entry.created_at < after).collect();
        let data: Vec<Value> = rest.iter().take(limit).map(|entry| pipeline(entry)).collect();
        Answer::ok(&json!({ "data": data, "hasMore": rest.len() > limit }))
    }

    fn patch(&mut self, id: &str, body: &Value) -> Answer {
        if !self.entries.iter().any(|entry| entry.id == id) {
            return match self.options.version {
                Version::V015 => Answer::error(400, "There are no jobs for the pipeline"),
                Version::Next => Answer::error(404, "Pipeline not found"),
            };
        }
        if body["stop"].as_str().is_some_and(|stop| stop != "none") {
            self.guard.judge_stop(&self.entries, id);
        }
        self.of(id, |_, entry| {
            if let Some(stop) = body["stop"].as_str() {
                // The documented panic of the job's state machine.
                entry.dead |= stop == "force" && entry.state == State::CheckpointStopping;
                entry.stop = stop.to_owned();
            }
            if let Some(parallelism) = body["parallelism"].as_u64() {
                entry.parallelism = u32::try_from(parallelism).unwrap();
                entry.rescale = entry.state == State::Running;
            }
            if let Some(interval) = body["checkpoint_interval_micros"].as_u64() {
                entry.interval = interval;
            }
            Answer::ok(&pipeline(entry))
        })
    }

    fn delete(&mut self, id: &str) -> Answer {
        let Some(index) = self.entries.iter().position(|entry| entry.id == id) else {
            return Answer::error(404, "Pipeline not found");
        };
        if !matches!(self.entries[index].state, State::Stopped | State::Finished | State::Failed) {
            return Answer::error(
                400,
                "Pipeline's jobs must be in a terminal state (stopped, finished, or failed) before it can be deleted",
            );
        }
        self.entries.remove(index);
        Answer { status: 200, body: String::new() }
    }
}

fn pipeline(entry: &Entry) -> Value {
    let node = |id: u32, description: &str| json!({ "node_id": id, "operator": description, "description": description, "parallelism": entry.parallelism });
    json!({
        "id": entry.id, "name": entry.name, "query": entry.query, "udfs": entry.udfs,
        "checkpoint_interval_micros": entry.interval, "stop": entry.stop, "created_at": entry.created_at,
        "action": null, "action_text": "Stop", "action_in_progress": false, "preview": false,
        "graph": { "nodes": [node(0, "source_events"), node(1, "sink_anomalies")],
                   "edges": [{ "src_id": 0, "dest_id": 1, "key_type": "()", "value_type": "()", "edge_type": "forward" }] },
    })
}

fn job(version: Version, entry: &Entry) -> Value {
    let mut job = json!({
        "id": format!("job_{}", entry.id), "running_desired": entry.stop == "none", "state": format!("{:?}", entry.state),
        "run_id": entry.run_id, "start_time": null, "finish_time": null, "tasks": 2, "created_at": entry.created_at,
    });
    match version {
        Version::V015 => job["failure_message"] = json!(entry.failure),
        Version::Next => {
            job["pipeline_id"] = json!(entry.id);
            job["failure_reason"] =
                entry.failure.as_ref().map_or(Value::Null, |error| json!({ "error": error, "domain": "user" }));
        }
    }
    job
}
