//! The environment of the heartbeat.

use std::str::FromStr;

use weir_lambda::{ConfigError, Env};

/// Everything the heartbeat is told from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The events stream.
    pub stream: String,
    /// Further streams that take heartbeats: Weir's own, and those that are declared so.
    pub further: Vec<String>,
    /// The table.
    pub table: String,
    /// Which event time control records carry.
    pub time: Time,
    /// Arroyo's API, when it can be reached.
    pub arroyo: Option<Arroyo>,
}

/// Where Arroyo's API is and how it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arroyo {
    /// Its address, without `/api/v1`.
    pub url: String,
    /// The secret that holds its key.
    pub key_secret: Option<String>,
}

/// Which event time control records carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// The present.
    Wall,
    /// None: data of the past is replayed, and the present would make all of it late.
    None,
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "wall" => Ok(Self::Wall),
            "none" => Ok(Self::None),
            other => Err(format!("`{other}` is neither wall nor none")),
        }
    }
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// At the first variable that is missing or wrong.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &Env<F>) -> Result<Self, ConfigError> {
        let key_secret = env.get("WEIR_ARROYO_API_KEY_SECRET");
        let arroyo = match env.get("WEIR_ARROYO_API_URL") {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                Some(Arroyo { url: url.trim_end_matches('/').to_owned(), key_secret })
            }
            Some(_) => {
                return Err(ConfigError {
                    name: "WEIR_ARROYO_API_URL",
                    problem: "it is no URL".to_owned(),
                    hint: "http://<host>:5115, without /api/v1",
                });
            }
            None => None,
        };
        Ok(Self {
            stream: env.need("WEIR_EVENTS_STREAM", "the name of the events stream")?,
            further: env
                .get("WEIR_HEARTBEAT_STREAMS")
                .map(|names| {
                    names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
                })
                .unwrap_or_default(),
            table: env.need("WEIR_TABLE_NAME", "the name of the table of anomalies")?,
            time: env.parse("WEIR_HEARTBEAT_TIME", Time::Wall, "wall or none")?,
            arroyo,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(&Env(|name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())))
    }

    #[test]
    fn arroyo_is_left_alone_unless_it_is_named() {
        let base = [("WEIR_EVENTS_STREAM", "weir-events"), ("WEIR_TABLE_NAME", "weir-anomalies")];
        let config = read(&base).unwrap();
        assert_eq!((config.time, config.arroyo), (Time::Wall, None));
        let named =
            [base.as_slice(), &[("WEIR_ARROYO_API_URL", "http://arroyo:5115/"), ("WEIR_HEARTBEAT_TIME", "none")]]
                .concat();
        let config = read(&named).unwrap();
        assert_eq!(config.time, Time::None);
        assert_eq!(config.arroyo.unwrap().url, "http://arroyo:5115");
    }

    #[test]
    fn further_streams_are_names_with_commas_between() {
        let base = [("WEIR_EVENTS_STREAM", "weir-events"), ("WEIR_TABLE_NAME", "weir-anomalies")];
        assert_eq!(read(&base).unwrap().further, Vec::<String>::new());
        let named = [base.as_slice(), &[("WEIR_HEARTBEAT_STREAMS", "weir-orders, pumps,")]].concat();
        assert_eq!(read(&named).unwrap().further, ["weir-orders", "pumps"]);
    }

    #[test]
    fn each_wrong_value_is_named() {
        assert_eq!(read(&[]).unwrap_err().name, "WEIR_EVENTS_STREAM");
        assert_eq!(read(&[("WEIR_ARROYO_API_URL", "arroyo:5115")]).unwrap_err().name, "WEIR_ARROYO_API_URL");
        let wrong = [("WEIR_EVENTS_STREAM", "e"), ("WEIR_TABLE_NAME", "t"), ("WEIR_HEARTBEAT_TIME", "later")];
        assert_eq!(read(&wrong).unwrap_err().name, "WEIR_HEARTBEAT_TIME");
    }
}
