//! The law of applying: from any starting state, after any failure at any call, a repeated `apply` ends in exactly the wanted
//! pipelines. The same judge and the same starting states for the stand-in and for a real Arroyo.

use std::{sync::MutexGuard, time::Duration};

use weir_arroyo::{Applier, ArroyoError, Client, Fault, Pack, Patience, Timing, Wanted};
use weir_arroyo_stand_in::{Entry, Faults, StandIn, State};

/// Repeated applying must end by then, a few tries after all is calm.
const CALM_TRIES: usize = 6;

/// What is applied to: the stand-in, or a real Arroyo behind a proxy.
pub trait Server {
    /// Where its API is, faults and all.
    fn url(&self) -> &str;
    /// The calls, and what goes wrong with them.
    fn faults(&self) -> MutexGuard<'_, Faults>;
    /// From now on these packs must not be left without a copy that runs.
    fn guard(&self, packs: &[&str]);
    /// When that happened.
    fn violations(&self) -> Vec<String>;
    /// A program of this text, which runs there.
    fn program(&self, text: &str) -> String;
    /// Puts a pipeline there, in this state or on its way to it, and returns its id.
    fn seed(&self, name: &str, query: &str, parallelism: u32, state: State) -> impl Future<Output = String>;
    /// What it holds of an environment, and of strangers named after it.
    fn entries(&self, environment: &str) -> impl Future<Output = Vec<Entry>>;
}

/// A pipeline that is there when applying begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Whose it is.
    pub what: What,
    /// How it stands.
    pub state: State,
    /// At what parallelism; 1 is wanted.
    pub parallelism: u32,
}

/// Whose a pipeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Just what is wanted of a pack.
    Current(usize),
    /// An earlier version of a pack.
    Old(usize),
    /// A pack that is no longer wanted.
    Retired,
    /// Nothing of Weir's.
    Stranger,
    /// Another program under the first pack's name.
    ByHand,
}

impl Start {
    /// At the parallelism that is wanted.
    #[must_use]
    pub const fn new(what: What, state: State) -> Self {
        Self { what, state, parallelism: 1 }
    }

    /// What its pipeline is called in kinds of calls.
    fn label(self) -> &'static str {
        match self.what {
            What::Current(_) => "current",
            What::Old(_) => "old",
            What::Retired => "retired",
            What::Stranger => "stranger",
            What::ByHand => "by-hand",
        }
    }
}

/// One trial of the law.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// The environment, which a server may hold many of.
    pub environment: &'a str,
    /// Packs that are wanted.
    pub packs: usize,
    /// How long things may take there.
    pub timing: Timing,
    /// The same.
    pub patience: Patience,
    /// Failed tries after which nothing goes wrong any more.
    pub calm_after: usize,
}

impl Trial<'_> {
    /// What is wanted.
    #[must_use]
    pub fn wanted(&self, server: &impl Server) -> Wanted {
        let named = |n: usize| if n == 0 { "rules".to_owned() } else { format!("extra-{n}") };
        Wanted {
            environment: self.environment.to_owned(),
            packs: (0..self.packs).map(|n| pack(server, &named(n), &format!("current {n}"))).collect(),
            parallelism: 1,
            checkpoint_interval: None,
            after_reshard: false,
            events_stream: None,
        }
    }

    /// Applies from these starting states, with what `arm` lets go wrong, until it is done; then judges. Returns the kinds of
    /// calls that the first try made.
    ///
    /// # Errors
    /// How the law was broken.
    pub async fn run<S: Server>(
        &self,
        server: &S,
        starts: &[Start],
        arm: impl FnOnce(&mut Faults),
    ) -> Result<Vec<String>, String> {
        let wanted = self.wanted(server);
        for start in starts {
            self.put(server, *start, &wanted).await;
        }
        let strangers = |entries: &[Entry]| entries.iter().filter(|entry| !entry.name.starts_with("weir/")).count();
        let before = server.entries(self.environment).await;
        let kept = |entry: &&Entry| wanted.packs.iter().any(|pack| entry.pack().ends_with(&format!("/{}", pack.name)));
        let guarded: Vec<&str> = before.iter().filter(|e| e.runs()).filter(kept).map(Entry::pack).collect();
        server.guard(&guarded);
        arm(&mut server.faults());

        let client = Client::new(server.url(), None, self.timing).map_err(|e| e.to_string())?;
        let mut kinds = None;
        let mut tries = 0;
        loop {
            let applied = self.apply(&client, &wanted).await;
            kinds.get_or_insert_with(|| {
                let faults = server.faults();
                faults.calls().iter().map(|call| faults.kind(call)).collect::<Vec<_>>()
            });
            let Err(error) = applied else { break };
            tries += 1;
            if error.kind == Fault::Configuration || tries == self.calm_after + CALM_TRIES {
                return Err(format!("try {tries}: {error}"));
            }
            if tries == self.calm_after {
                server.faults().calm();
            }
        }
        // A pipeline whose making was answered too late may be there only now.
        server.faults().calm();
        self.apply(&client, &wanted).await.map_err(|error| format!("when all was calm: {error}"))?;
        let again = self.apply(&client, &wanted).await;
        if again != Ok(false) {
            return Err(format!("applying once more was not nothing: {again:?}"));
        }
        let after = server.entries(self.environment).await;
        judge(&wanted, &after)?;
        if strangers(&before) != strangers(&after) {
            return Err("a pipeline that is not Weir's is gone".to_owned());
        }
        match server.violations() {
            none if none.is_empty() => Ok(kinds.unwrap_or_default()),
            some => Err(some.join("; ")),
        }
    }

    async fn apply(&self, client: &Client, wanted: &Wanted) -> Result<bool, ArroyoError> {
        Applier { client, patience: self.patience, progress: &|_| {} }.apply(wanted).await
    }

    async fn put(&self, server: &impl Server, start: Start, wanted: &Wanted) {
        let environment = self.environment;
        let name = |pack: &Pack| pack.pipeline_name(environment).to_string();
        let own = |pack: &Pack| (name(pack), pack.program.clone());
        let (name, query) = match start.what {
            What::Current(n) => own(&wanted.packs[n]),
            What::Old(n) => own(&pack(server, &wanted.packs[n].name, "old")),
            What::Retired => own(&pack(server, "retired", "retired")),
            What::Stranger => (stranger(environment), server.program("stranger")),
            What::ByHand => (name(&wanted.packs[0]), server.program("by hand")),
        };
        let id = server.seed(&name, &query, start.parallelism, start.state).await;
        server.faults().name(&id, start.label());
    }
}

/// The name of the pipeline that is not Weir's.
#[must_use]
pub fn stranger(environment: &str) -> String {
    format!("somebody's own of {environment}")
}

fn pack(server: &impl Server, name: &str, text: &str) -> Pack {
    Pack { name: name.to_owned(), program: server.program(text), udfs: Vec::new() }
}

/// Each wanted pack runs once, as it is wanted, and nothing else of Weir's is there.
fn judge(wanted: &Wanted, entries: &[Entry]) -> Result<(), String> {
    let mut expected: Vec<(String, &str)> =
        wanted.packs.iter().map(|pack| (wanted.name(pack).to_string(), pack.program.as_str())).collect();
    expected.sort();
    let ours: Vec<&Entry> = entries.iter().filter(|entry| entry.name.starts_with("weir/")).collect();
    let as_wanted = |entry: &&&Entry| entry.runs() && entry.parallelism == wanted.parallelism;
    let mut found: Vec<(String, &str)> =
        ours.iter().filter(as_wanted).map(|entry| (entry.name.clone(), entry.query.as_str())).collect();
    found.sort();
    if found == expected && ours.len() == expected.len() {
        return Ok(());
    }
    let short: Vec<String> = ours
        .iter()
        .map(|e| format!("{} {} {:?} (stop {}, parallelism {})", e.id, e.name, e.state, e.stop, e.parallelism))
        .collect();
    Err(format!("it does not end in what is wanted: {short:#?}"))
}

/// Starting states that a person may find, by what they are called.
#[must_use]
pub fn usual_starts() -> Vec<(&'static str, Vec<Start>)> {
    use State::{CheckpointStopping, Created, Failed, Running, Stopped};
    use What::{ByHand, Current, Old, Retired, Stranger};
    let new = Start::new;
    vec![
        ("nothing", vec![]),
        ("old version", vec![new(Old(0), Running), new(Stranger, Running)]),
        ("same version", vec![new(Current(0), Running)]),
        ("two of the same", vec![new(Current(0), Running), new(Current(0), Running)]),
        ("two just made", vec![new(Current(0), Created), new(Current(0), Created)]),
        ("stopped", vec![new(Current(0), Stopped)]),
        ("being stopped", vec![new(Current(0), CheckpointStopping)]),
        ("old version, same stopped", vec![new(Old(0), Running), new(Current(0), Stopped)]),
        ("old version stopped", vec![new(Old(0), Stopped)]),
        ("half done", vec![new(Old(0), Running), new(Current(0), Running)]),
        ("by hand, and retired", vec![new(ByHand, Running), new(Retired, Running)]),
        ("failed", vec![new(Current(0), Failed)]),
        ("old version failed", vec![new(Old(0), Failed)]),
        ("other parallelism", vec![Start { parallelism: 2, ..new(Current(0), Running) }]),
    ]
}

/// Patience for a server that answers at once and whose jobs move with every call.
pub const HURRY: (Timing, Patience) = (
    Timing {
        call: Duration::from_millis(400),
        create: Duration::from_millis(400),
        attempts: 3,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(4),
    },
    Patience {
        poll: Duration::from_millis(1),
        start: Duration::from_millis(600),
        catch_up: Duration::from_secs(5),
        stop: Duration::from_millis(150),
        settle: Duration::from_millis(30),
    },
);

/// Patience for a real Arroyo: a debug build on a busy machine.
pub const REAL: (Timing, Patience) = (
    Timing {
        call: Duration::from_secs(6),
        create: Duration::from_secs(12),
        attempts: 3,
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(200),
    },
    Patience {
        poll: Duration::from_millis(250),
        start: Duration::from_secs(60),
        catch_up: Duration::from_secs(30),
        stop: Duration::from_secs(30),
        settle: Duration::from_secs(4),
    },
);

impl Server for StandIn {
    fn url(&self) -> &str {
        self.url()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults()
    }

    fn guard(&self, packs: &[&str]) {
        self.guard(packs);
    }

    fn violations(&self) -> Vec<String> {
        self.violations()
    }

    fn program(&self, text: &str) -> String {
        format!("SELECT '{text}'")
    }

    async fn seed(&self, name: &str, query: &str, parallelism: u32, state: State) -> String {
        self.seed(name, query, parallelism, state)
    }

    async fn entries(&self, _: &str) -> Vec<Entry> {
        self.entries()
    }
}
