//! `weir show`: what is stored of an anomaly, or the latest of a rule or a key.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use weir_anomaly::{
    Anomaly,
    store::{Attr, Item, StoredAnomaly},
    stored_key,
};
use weir_cloud::store::{self, Index};
use weir_terminal::visible;

use crate::target::DeployedTarget;

/// Shows a stored anomaly by its id, or the latest of a rule or a key
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir show 0123456789abcdef0123456789abcdef\n  weir show --rule zscore --most 5")]
pub(crate) struct ShowCommand {
    /// The anomaly's id, as its alert gives it
    #[arg(required_unless_present_any = ["rule", "key"], conflicts_with_all = ["rule", "key"])]
    id: Option<String>,
    /// The latest anomalies of this rule
    #[arg(long, conflicts_with = "key")]
    rule: Option<String>,
    /// The latest anomalies of this key
    #[arg(long)]
    key: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    most: usize,
    /// Prints items as JSON, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: DeployedTarget,
    /// The table, when it is not the stack's own
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

pub(crate) async fn run(command: ShowCommand) -> Result<()> {
    let (clients, names) = command.target.connect().await?;
    command.target.warn_if_unread()?;
    let table = command.table.or(names.map(|c| c.table)).unwrap_or_else(|| "weir-anomalies".to_owned());
    let items = match (&command.id, &command.rule, &command.key) {
        (Some(id), _, _) => {
            let item = store::get(&clients, &table, id).await?;
            vec![item.with_context(|| format!("table {table} has no anomaly {id}\n  hint: it may have expired"))?]
        }
        (None, Some(rule), _) => store::latest(&clients, &table, Index::ByRule, rule, command.most).await?,
        (None, None, Some(key)) => {
            store::latest(&clients, &table, Index::ByKey, &stored_key(key), command.most).await?
        }
        (None, None, None) => bail!("show what?\n  hint: an id, --rule or --key"),
    };
    if items.is_empty() {
        let of = match (&command.rule, &command.key) {
            (Some(rule), _) => format!("of rule {rule}"),
            (None, Some(key)) => format!("of key {key}"),
            (None, None) => String::new(),
        };
        eprintln!("table {table} has no anomalies {of}");
    }
    for item in &items {
        if command.json {
            println!("{}", Value::Object(json(item)));
        } else {
            let stored = StoredAnomaly::from_item(item)?;
            print(&stored);
            if command.id.is_some() {
                print_page(&command.target, &stored);
            }
        }
    }
    Ok(())
}

pub(crate) fn print(stored: &StoredAnomaly) {
    print_anomaly(&stored.anomaly);
    println!("  seen        first {}, last {}, {} times", stored.first_seen, stored.last_seen, stored.times_seen);
    println!(
        "  alert       {}{}",
        stored.disposition.as_str(),
        stored.alert_id.as_ref().map_or_else(String::new, |id| format!(" {id}"))
    );
}

/// How the page is opened at it.
pub(crate) fn print_page(target: &DeployedTarget, stored: &StoredAnomaly) {
    if let Some(page) = target.page_of(stored.anomaly.id.as_str()) {
        println!("  page        {page}");
    }
}

/// What the anomaly itself says.
pub(crate) fn print_anomaly(a: &Anomaly) {
    let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    println!("{}  {}  {}", a.id, a.severity, visible(&a.key));
    println!("  rule        {} (version {})", a.rule, a.rule_version);
    println!("  what        {}", visible(&a.rule_meta.description));
    match (a.window_start, a.window_end) {
        (Some(start), Some(end)) => println!("  window      {start} to {end}"),
        _ => println!("  at          {}", a.timestamp),
    }
    println!("  value       {}, expected {}, score {:.3}", number(a.value), number(a.expected), a.score);
    for (name, value) in &a.details {
        println!("  detail      {} = {}", visible(name), visible(&value.to_string()));
    }
    println!("  owner       {}   runbook {}", visible(&a.rule_meta.owner), visible(&a.rule_meta.runbook));
}

/// The item as a script wants it: numbers as numbers, JSON as JSON.
fn json(item: &Item) -> Map<String, Value> {
    let value = |name: &str, attr: &Attr| match attr {
        Attr::N(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        Attr::S(text) if name == "details" || name == "rule_meta" => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
        }
        Attr::S(text) => Value::String(text.clone()),
    };
    item.iter().map(|(name, attr)| (name.to_owned(), value(name, attr))).collect()
}
