//! `weir silence`: what people do not want to hear of, until when, by whom and why.

use std::borrow::Cow;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use weir_anomaly::{
    MAX_KEY_BYTES, Timestamp,
    key::KEY_HEAD_CHARS,
    store::{SILENCE, Silence},
    stored_key,
};
use weir_cloud::{
    Clients, now_millis,
    store::{self, Index},
};
use weir_rules::Interval;

use crate::target::DeployedTarget;

/// Makes, lists and removes silences: covered anomalies are stored, nobody is alerted
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  weir silence add --rule zscore --key 'pump-7/*' --lasts 2h --why 'pump 7 is being replaced'"
)]
pub(crate) struct SilenceCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a silence; it must have an end, a name and a reason
    Add {
        /// Which rules; `*` stands for any run of characters, `?` for one
        #[arg(long, default_value = "*")]
        rule: String,
        /// Which keys, likewise
        #[arg(long, default_value = "*")]
        key: String,
        /// How long it lasts from now on, in event time
        #[arg(long, value_name = "INTERVAL")]
        lasts: Interval,
        /// Who makes it
        #[arg(long, env = "USER")]
        who: String,
        /// Why
        #[arg(long)]
        why: String,
        #[command(flatten)]
        place: Place,
    },
    /// Lists silences, the one that lasts longest first
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Removes a silence
    Remove {
        /// Its id, as `list` prints it
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the table is.
#[derive(Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    target: DeployedTarget,
    /// The table, when it is not the stack's own
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

impl Place {
    async fn open(self) -> Result<(Clients, String)> {
        let (clients, names) = self.target.connect().await?;
        let table = self.table.or(names.map(|c| c.table)).unwrap_or_else(|| "weir-anomalies".to_owned());
        Ok((clients, table))
    }
}

/// More silences than this at once are no silences but a rule that should be off.
const MOST: usize = 1000;

pub(crate) async fn run(command: SilenceCommand) -> Result<()> {
    match command.action {
        Action::Add { rule, key, lasts, who, why, place } => {
            let silence = made((&rule, &key), lasts, &who, &why)?;
            let (clients, table) = place.open().await?;
            store::put(&clients, &table, &silence.to_item()).await?;
            print(&silence);
        }
        Action::List { place } => {
            let (clients, table) = place.open().await?;
            let silences = store::latest(&clients, &table, Index::ByRule, SILENCE, MOST).await?;
            if silences.is_empty() {
                eprintln!("table {table} has no silences");
            }
            for item in silences {
                print(&Silence::from_item(&item)?);
            }
        }
        Action::Remove { id, place } => {
            let id = if id.starts_with("silence#") { id } else { format!("silence#{id}") };
            let (clients, table) = place.open().await?;
            if !store::delete(&clients, &table, &id).await? {
                bail!("table {table} has no {id}\n  hint: weir silence list");
            }
            eprintln!("{id} is removed");
        }
    }
    Ok(())
}

/// A silence of a rule and a key that begins now.
pub(crate) fn made((rule, key): (&str, &str), lasts: Interval, who: &str, why: &str) -> Result<Silence> {
    let now = Timestamp::from_millis(now_millis()).context("the clock is out of range")?;
    let nanos = i64::try_from(lasts.duration().as_nanos()).unwrap_or(i64::MAX);
    let until = Timestamp::from_nanos(now.nanos().saturating_add(nanos));
    Ok(Silence::new(rule, &key_pattern(key)?, until, who, why, now)?)
}

/// The pattern for keys as they are stored: a long one is cut.
fn key_pattern(key: &str) -> Result<Cow<'_, str>> {
    if !key.contains(['*', '?']) {
        return Ok(if key.is_empty() { Cow::Borrowed(key) } else { stored_key(key) });
    }
    if key.len() > MAX_KEY_BYTES {
        bail!(
            "the pattern for keys has {} bytes, and no key has more than {MAX_KEY_BYTES}\n  hint: of a longer key its first {KEY_HEAD_CHARS} characters are kept: give those and `*`",
            key.len()
        );
    }
    Ok(Cow::Borrowed(key))
}

fn print(silence: &Silence) {
    println!(
        "{}  rule {}  key {}  until {}  by {}: {}",
        silence.id, silence.rule, silence.key, silence.until, silence.who, silence.why
    );
}
