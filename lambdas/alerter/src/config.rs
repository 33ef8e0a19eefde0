//! The environment, read and checked at start: a wrong value stops the deploy and not the first anomaly.

use weir_anomaly::Severity;
use weir_lambda::{ConfigError, Env};

/// Everything the alerter is told from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The table.
    pub table: String,
    /// The topic's ARN.
    pub topic: String,
    /// The quarantine queue's URL.
    pub quarantine: String,
    /// How long anomalies stay in the table, days.
    pub retention_days: u16,
    /// Less urgent anomalies are stored and not alerted.
    pub severity_floor: Severity,
    /// The dedup period of rules that name none, seconds.
    pub dedup_seconds: u64,
    /// Alerts of one rule in one minute before a summary speaks for the rest.
    pub storm_cap: u32,
    /// What an anomaly's id is put behind to make the link in its alert; without it, alerts have none.
    pub page: Option<String>,
    /// Whether each record is logged.
    pub debug: bool,
}

impl Config {
    /// Reads the configuration through `lookup`.
    ///
    /// # Errors
    /// At the first variable that is missing or wrong.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let env = Env(lookup);
        let config = Self {
            table: env.need("WEIR_TABLE_NAME", "the name of the table of anomalies")?,
            topic: env.need("WEIR_TOPIC_ARN", "the ARN of the topic of alerts")?,
            quarantine: env.need("WEIR_QUARANTINE_URL", "the URL of the quarantine queue")?,
            retention_days: env.number("WEIR_RETENTION_DAYS", 90, 1, 3650, "days, 1 to 3650")?,
            severity_floor: env.parse("WEIR_SEVERITY_FLOOR", Severity::Info, "info, warning or critical")?,
            dedup_seconds: env.number(
                "WEIR_DEDUP_DEFAULT_SECONDS",
                900,
                1,
                604_800,
                "seconds, 1 to 604800 (a week)",
            )?,
            storm_cap: env.number("WEIR_STORM_CAP", 20, 1, 1000, "alerts per rule and minute, 1 to 1000")?,
            page: env.parse("WEIR_PAGE_URL", Page::default(), "https://… up to where the id of an anomaly follows")?.0,
            debug: env.parse("WEIR_LOG", Level::Info, "info or debug")? == Level::Debug,
        };
        config.check()?;
        Ok(config)
    }

    /// What can be seen of a value without calling anybody.
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |name, problem: &str, hint| Err(ConfigError { name, problem: problem.to_owned(), hint });
        let name_fits = (3..=255).contains(&self.table.len())
            && self.table.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c));
        if !name_fits {
            return wrong("WEIR_TABLE_NAME", "it is no table name", "3 to 255 letters, digits, `_`, `.` and `-`");
        }
        if !(self.topic.starts_with("arn:") && self.topic.split(':').count() == 6) {
            return wrong("WEIR_TOPIC_ARN", "it is no ARN", "arn:aws:sns:<region>:<account>:<name>");
        }
        if self.topic.ends_with(".fifo") {
            return wrong(
                "WEIR_TOPIC_ARN",
                "it is a FIFO topic",
                "use a standard topic: FIFO topics reach no mail or phone",
            );
        }
        if !(self.quarantine.starts_with("https://") || self.quarantine.starts_with("http://")) {
            return wrong("WEIR_QUARANTINE_URL", "it is no URL", "the queue's URL, not its ARN");
        }
        Ok(())
    }
}

/// Bytes of a link's beginning: what people put there is an address, perhaps with a place on its page.
const MAX_PAGE: usize = 512;

/// The beginning of links.
#[derive(Debug, Default)]
struct Page(Option<String>);

impl std::str::FromStr for Page {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        if !is_url || text.len() > MAX_PAGE || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("it is no URL of at most {MAX_PAGE} bytes"));
        }
        Ok(Self(Some(text.to_owned())))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Info,
    Debug,
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            other => Err(format!("`{other}` is no log level")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| {
            let changed = changes.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            changed.or_else(|| match name {
                "WEIR_TABLE_NAME" => Some("weir-anomalies".to_owned()),
                "WEIR_TOPIC_ARN" => Some("arn:aws:sns:eu-west-1:123456789012:weir-alerts".to_owned()),
                "WEIR_QUARANTINE_URL" => Some("https://sqs.eu-west-1.amazonaws.com/123456789012/q".to_owned()),
                _ => None,
            })
        })
    }

    #[test]
    fn what_is_not_set_has_the_documented_default() {
        let config = read(&[]).unwrap();
        assert_eq!(
            (config.retention_days, config.severity_floor, config.dedup_seconds, config.storm_cap, config.debug),
            (90, Severity::Info, 900, 20, false)
        );
        assert_eq!(config.page, None);
        let page = "http://127.0.0.1:8200/#view=history&anomaly=";
        assert_eq!(read(&[("WEIR_PAGE_URL", page)]).unwrap().page.as_deref(), Some(page));
    }

    #[test]
    fn each_wrong_value_is_named() {
        for (name, value) in [
            ("WEIR_TABLE_NAME", ""),
            ("WEIR_TABLE_NAME", "a table"),
            ("WEIR_TOPIC_ARN", "weir-alerts"),
            ("WEIR_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:weir.fifo"),
            ("WEIR_QUARANTINE_URL", "arn:aws:sqs:eu-west-1:123456789012:q"),
            ("WEIR_RETENTION_DAYS", "0"),
            ("WEIR_RETENTION_DAYS", "ninety"),
            ("WEIR_SEVERITY_FLOOR", "loud"),
            ("WEIR_DEDUP_DEFAULT_SECONDS", "-1"),
            ("WEIR_STORM_CAP", "0"),
            ("WEIR_PAGE_URL", "weir studio"),
            ("WEIR_PAGE_URL", "https://a b"),
            ("WEIR_PAGE_URL", "javascript:alert(1)//"),
            ("WEIR_PAGE_URL", &format!("https://{}", "a".repeat(600))),
            ("WEIR_LOG", "trace"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error.name, name, "{error}");
            assert!(error.to_string().contains("\nhint: "));
        }
    }
}
