use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::ports::Arrival;

const MINUTE: Duration = Duration::from_secs(60);
const NOW: Timestamp = Timestamp::from_nanos(1_795_410_000_000_000_000);

#[derive(Default)]
struct World {
    shards: Vec<String>,
    /// Calls that refuse everything before the stream takes records.
    refusals: Mutex<usize>,
    taken: Mutex<Vec<ControlRecord>>,
    arrival: Option<Arrival>,
    pipelines: Vec<Pipeline>,
    restarts: Mutex<i64>,
    restarted: Mutex<Vec<String>>,
    /// Calls that are denied before any is allowed.
    denials: Mutex<usize>,
}

impl World {
    fn allowed(&self) -> Result<(), Fault> {
        let mut denials = self.denials.lock().unwrap();
        if *denials == 0 {
            return Ok(());
        }
        *denials -= 1;
        Err(Fault::Denied("not yet".to_owned()))
    }
}

#[async_trait]
impl Stream for World {
    async fn open_shards(&self) -> Result<Vec<String>, Fault> {
        self.allowed().map(|()| self.shards.clone())
    }

    async fn put(&self, records: Vec<ControlRecord>) -> Result<Vec<ControlRecord>, Fault> {
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            let mut records = records;
            let refused = records.split_off(1);
            self.taken.lock().unwrap().extend(records);
            return Ok(refused);
        }
        self.taken.lock().unwrap().extend(records);
        Ok(Vec::new())
    }
}

#[async_trait]
impl Notes for World {
    async fn last_probe(&self) -> Result<Option<Arrival>, Fault> {
        self.allowed().map(|()| self.arrival.clone())
    }

    async fn count_restart(&self, _: &str, _: i64) -> Result<i64, Fault> {
        self.allowed()?;
        let mut restarts = self.restarts.lock().unwrap();
        *restarts += 1;
        Ok(*restarts)
    }
}

#[async_trait]
impl Pipelines for World {
    async fn list(&self) -> Result<Vec<Pipeline>, Fault> {
        if self.pipelines.is_empty() {
            return Err(Fault::Retryable("not reached".to_owned()));
        }
        Ok(self.pipelines.clone())
    }

    async fn last_checkpoint(&self, pipeline: &Pipeline) -> Result<Option<Timestamp>, Fault> {
        if pipeline.job == "silent" { Err(Fault::Retryable("not told".to_owned())) } else { Ok(pipeline.began_at) }
    }

    async fn restart(&self, id: &str) -> Result<(), Fault> {
        self.restarted.lock().unwrap().push(id.to_owned());
        Ok(())
    }

    async fn authorize(&self) -> Result<(), Fault> {
        self.allowed()
    }
}

fn heartbeat(world: &Arc<World>, time: Time) -> Heartbeat {
    Heartbeat {
        stream: world.clone(),
        further: Vec::new(),
        notes: world.clone(),
        pipelines: Some(world.clone()),
        time,
        pause: Duration::ZERO,
    }
}

fn world() -> World {
    World { shards: vec!["0".to_owned(), "170141183460469231731687303715884105728".to_owned()], ..World::default() }
}

fn pipeline(state: &str) -> Pipeline {
    Pipeline {
        id: "pl_1".to_owned(),
        name: "weir".to_owned(),
        state: state.to_owned(),
        job: "job_1".to_owned(),
        began_at: None,
    }
}

#[tokio::test]
async fn every_open_shard_gets_a_control_record_and_one_gets_the_probe() {
    let world = Arc::new(world());
    let beat = heartbeat(&world, Time::Wall).beat("b-1", NOW, MINUTE).await.unwrap();
    assert_eq!(beat.put, 3);
    let taken: Vec<_> = world.taken.lock().unwrap().iter().map(|r| format!("{} {}", r.hash_key, r.data)).collect();
    insta::assert_debug_snapshot!(taken);
}

#[tokio::test]
async fn a_replay_of_old_data_is_not_made_late() {
    let world = Arc::new(world());
    heartbeat(&world, Time::None).beat("b-1", NOW, MINUTE).await.unwrap();
    assert!(world.taken.lock().unwrap().iter().all(|record| !record.data.contains("timestamp")));
}

#[tokio::test]
async fn what_a_shard_refuses_is_put_again_until_it_gives_up() {
    let world = Arc::new(World { refusals: Mutex::new(2), ..world() });
    let beat = heartbeat(&world, Time::Wall).beat("b-1", NOW, MINUTE).await.unwrap();
    assert_eq!((beat.put, world.taken.lock().unwrap().len()), (3, 3));

    let busy = Arc::new(World {
        refusals: Mutex::new(usize::MAX),
        shards: (0..9).map(|n| n.to_string()).collect(),
        ..World::default()
    });
    let (beat, fault) = heartbeat(&busy, Time::Wall).beat("b-1", NOW, MINUTE).await.unwrap_err();
    assert_eq!(beat.put, 4, "one record an attempt");
    assert_eq!(fault.to_string(), "retryable: 6 of 10 control records were not taken");
}

#[tokio::test]
async fn tells_how_old_the_last_probe_is() {
    let world = Arc::new(World {
        arrival: Some(Arrival {
            sent_at: Timestamp::from_nanos(NOW.nanos() - 61_000_000_000),
            arrived_at: Timestamp::from_nanos(NOW.nanos() - 59_500_000_000),
        }),
        ..world()
    });
    let beat = heartbeat(&world, Time::Wall).beat("b-1", NOW, MINUTE).await.unwrap();
    assert_eq!((beat.probe_age_ms, beat.probe_ms), (Some(61_000), Some(1_500)));
}

#[tokio::test]
async fn a_failed_pipeline_is_restarted_within_the_limit() {
    let world = Arc::new(World {
        pipelines: vec![pipeline("Failed"), Pipeline { id: "pl_2".to_owned(), ..pipeline("Running") }],
        ..world()
    });
    let heartbeat = heartbeat(&world, Time::Wall);
    for _ in 0..MAX_RESTARTS_PER_HOUR {
        assert_eq!(heartbeat.beat("b", NOW, MINUTE).await.unwrap().restarted, ["weir"]);
    }
    let beat = heartbeat.beat("b", NOW, MINUTE).await.unwrap();
    assert!(beat.restarted.is_empty());
    assert_eq!(beat.faults, ["pipeline weir failed again after 3 restarts this hour"]);
    assert_eq!(*world.restarted.lock().unwrap(), ["pl_1", "pl_1", "pl_1"]);
}

#[tokio::test]
async fn an_arroyo_out_of_reach_does_not_stop_event_time() {
    let world = Arc::new(world());
    let beat = heartbeat(&world, Time::Wall).beat("b-1", NOW, MINUTE).await.unwrap();
    assert_eq!(beat.put, 3);
    assert_eq!(beat.faults, ["arroyo: retryable: not reached"]);
}

#[tokio::test]
async fn tells_the_age_of_the_oldest_last_checkpoint() {
    let running = |job: &str, seconds_ago: i64| Pipeline {
        job: job.to_owned(),
        began_at: Some(Timestamp::from_nanos(NOW.nanos() - seconds_ago * 1_000_000_000)),
        ..pipeline("Running")
    };
    let stopped = Pipeline { state: "Stopped".to_owned(), ..running("job_0", 9_999) };
    let world = Arc::new(World {
        pipelines: vec![running("job_1", 8), running("job_2", 70), running("silent", 500), stopped],
        ..world()
    });
    let beat = heartbeat(&world, Time::Wall).beat("b", NOW, MINUTE).await.unwrap();
    assert_eq!(beat.checkpoint_age_ms, Some(70_000));
    assert_eq!(beat.faults, ["arroyo: retryable: not told"]);
}

/// All that CloudWatch reads, by name: alarms and the dashboard of Terraform are written against these.
#[tokio::test]
async fn a_beat_is_a_log_entry_and_metrics() {
    let ago = |millis: i64| Timestamp::from_nanos(NOW.nanos() - millis * 1_000_000);
    let world = Arc::new(World {
        pipelines: vec![Pipeline { began_at: Some(ago(7_000)), ..pipeline("Running") }],
        arrival: Some(Arrival { sent_at: ago(61_000), arrived_at: ago(59_500) }),
        ..world()
    });
    let beat = heartbeat(&world, Time::Wall).beat("b", NOW, MINUTE).await.unwrap();
    let mut line = Line::new("weir-heartbeat");
    beat.tell(&mut line);
    let line: Value = serde_json::from_str(&line.finish(NOW)).unwrap();
    insta::assert_json_snapshot!(line);
}

#[tokio::test(start_paused = true)]
async fn a_check_waits_for_permissions_and_not_for_ever() {
    let world = Arc::new(World { denials: Mutex::new(3), pipelines: vec![pipeline("Failed")], ..world() });
    let minute = Duration::from_secs(60);
    assert_eq!(heartbeat(&world, Time::Wall).check(NOW, minute).await.unwrap(), None);
    assert!(world.restarted.lock().unwrap().is_empty(), "a check restarts nothing");
    let taken: Vec<String> = world.taken.lock().unwrap().iter().map(|record| record.data.clone()).collect();
    assert_eq!(taken, [r#"{"weir":"heartbeat"}"#], "one record, without a time");

    for (left, waited) in [(minute, 30), (Duration::from_secs(10), 8)] {
        let world = Arc::new(World { denials: Mutex::new(usize::MAX), ..self::world() });
        let begun = Instant::now();
        let error = heartbeat(&world, Time::Wall).check(NOW, left).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the events stream does not work: denied: not yet (still, after {waited} s)\nhint: check \
                 WEIR_EVENTS_STREAM and the permission kinesis:ListShards"
            )
        );
        assert_eq!(begun.elapsed().as_secs(), waited);
    }
}

/// A cluster comes up after the function: an apply must not depend on it.
#[tokio::test]
async fn a_check_tells_and_survives_an_arroyo_that_is_not_up() {
    let world = Arc::new(world());
    let said = heartbeat(&world, Time::Wall).check(NOW, Duration::from_secs(60)).await.unwrap();
    assert_eq!(said, Some(Fault::Retryable("not reached".to_owned())));
}

#[tokio::test]
async fn further_streams_get_heartbeats_and_no_probe() {
    let (events, orders) = (Arc::new(world()), Arc::new(world()));
    let further = vec![("weir-orders".to_owned(), orders.clone() as Arc<dyn Stream>)];
    let heartbeat = Heartbeat { further, pipelines: None, ..heartbeat(&events, Time::Wall) };
    let beat = heartbeat.beat("b-1", NOW, MINUTE).await.unwrap();
    assert_eq!(beat.put, 5);
    assert_eq!(events.taken.lock().unwrap().len(), 3, "a heartbeat a shard, and the probe");
    let taken = orders.taken.lock().unwrap();
    assert_eq!(taken.len(), 2);
    assert!(taken.iter().all(|record| record.data.contains("\"weir\":\"heartbeat\"")), "{taken:?}");
}

/// A function that fails is a known cause, and mutes the alarm of the path: a stream of somebody else must not.
#[tokio::test]
async fn a_further_stream_that_takes_nothing_is_counted_and_stops_nothing() {
    let (events, orders) = (Arc::new(world()), Arc::new(world()));
    let broken = Arc::new(World { denials: Mutex::new(1), ..world() });
    let further = vec![
        ("broken".to_owned(), broken.clone() as Arc<dyn Stream>),
        ("weir-orders".to_owned(), orders.clone() as Arc<dyn Stream>),
    ];
    let heartbeat = Heartbeat { further, pipelines: None, ..heartbeat(&events, Time::Wall) };
    let beat = heartbeat.beat("b-1", NOW, MINUTE).await.unwrap();
    assert_eq!((beat.put, beat.streams_failed), (5, Some(1)));
    assert_eq!(beat.faults, ["broken: denied: not yet"]);
    assert_eq!(orders.taken.lock().unwrap().len(), 2);
    let told = |beat: &Beat| {
        let mut line = Line::new("weir-heartbeat");
        beat.tell(&mut line);
        serde_json::from_str::<Value>(&line.finish(NOW)).unwrap()["streams_failed"].clone()
    };
    assert_eq!(told(&beat), 1);
    let beat = heartbeat.beat("b-2", NOW, MINUTE).await.unwrap();
    assert_eq!((told(&beat), beat.put), (json!(0), 7), "it is well again");
    assert_eq!(told(&Beat::default()), Value::Null, "without further streams there is no such metric");
}

#[tokio::test]
async fn an_events_stream_that_takes_nothing_fails_the_beat_and_stops_no_other() {
    let (events, orders) = (Arc::new(World { denials: Mutex::new(2), ..world() }), Arc::new(world()));
    let further = vec![("weir-orders".to_owned(), orders.clone() as Arc<dyn Stream>)];
    let heartbeat = Heartbeat { further, pipelines: None, ..heartbeat(&events, Time::Wall) };
    let (beat, fault) = heartbeat.beat("b-1", NOW, MINUTE).await.unwrap_err();
    assert_eq!((beat.put, beat.streams_failed, fault), (2, Some(0), Fault::Denied("not yet".to_owned())));
}

/// A stream that answers never.
struct Hung;

#[async_trait]
impl Stream for Hung {
    async fn open_shards(&self) -> Result<Vec<String>, Fault> {
        std::future::pending().await
    }

    async fn put(&self, _: Vec<ControlRecord>) -> Result<Vec<ControlRecord>, Fault> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_hang_cost_their_own_time_alone() {
    let (events, orders) = (Arc::new(world()), Arc::new(world()));
    let mut further: Vec<_> = (0..9).map(|n| (format!("hung-{n}"), Arc::new(Hung) as Arc<dyn Stream>)).collect();
    further.push(("weir-orders".to_owned(), orders.clone() as Arc<dyn Stream>));
    let beaten = Heartbeat { further, pipelines: None, ..heartbeat(&events, Time::Wall) };
    let begun = Instant::now();
    let beat = beaten.beat("b-1", NOW, MINUTE).await.unwrap();
    assert_eq!((beat.put, beat.streams_failed), (5, Some(9)));
    assert_eq!(begun.elapsed(), FURTHER_TIMEOUT * 2, "eight at once, then the ninth beside the last");

    // All of them together end before the function does.
    let begun = Instant::now();
    let beat = beaten.beat("b-2", NOW, Duration::from_secs(12)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    assert_eq!(beat.streams_failed, Some(9));
    assert_eq!(orders.taken.lock().unwrap().len(), 4, "who comes late still has its time");
}

#[tokio::test(start_paused = true)]
async fn an_events_stream_that_hangs_is_said_before_the_function_ends() {
    let (world, orders) = (Arc::new(world()), Arc::new(world()));
    let further = vec![("weir-orders".to_owned(), orders.clone() as Arc<dyn Stream>)];
    let beaten = Heartbeat { stream: Arc::new(Hung), further, ..heartbeat(&world, Time::Wall) };
    let begun = Instant::now();
    let (beat, fault) = beaten.beat("b", NOW, Duration::from_secs(30)).await.unwrap_err();
    assert_eq!((beat.put, fault), (2, Fault::Retryable("no answer in time".to_owned())));
    assert!(begun.elapsed() < Duration::from_secs(29));
}

#[test]
fn before_the_first_probe_no_pipeline_is_missed() {
    let told = |beat: Beat| {
        let mut line = Line::new("weir-heartbeat");
        beat.tell(&mut line);
        let line: Value = serde_json::from_str(&line.finish(NOW)).unwrap();
        line["pipelines_running"].clone()
    };
    assert_eq!(told(Beat { pipelines: Some(vec![]), ..Beat::default() }), Value::Null);
    assert_eq!(told(Beat { pipelines: Some(vec![]), probe_age_ms: Some(1), ..Beat::default() }), json!(0));
    assert_eq!(told(Beat { pipelines: Some(vec![pipeline("Failed")]), ..Beat::default() }), json!(0));
}
