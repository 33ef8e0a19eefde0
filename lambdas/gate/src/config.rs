//! The environment, read and checked at start: a wrong value stops the deploy and not the first record.
//!
//! The stream's declaration comes in the environment too, gzipped in base64: it changes with the function and not beside it, a
//! plan shows that it changed, and no call and no permission is needed to read it. Lambda takes 4 KB of environment in all
//! (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>), which holds some two hundred fields without
//! their samples; Terraform says so when it is too large.

use std::io::Read as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use weir_lambda::{ConfigError, Env};
use weir_stream::Declaration;

/// The text of a declaration is a few kilobytes; what unpacks to more is none.
const MAX_DECLARATION_BYTES: u64 = 1024 * 1024;

/// Everything the gate is told from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What the records of the stream are.
    pub declaration: Declaration,
    /// The name of the stream that it writes.
    pub plain_stream: String,
    /// The quarantine queue's URL.
    pub quarantine: String,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// At the first variable that is missing or wrong.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &Env<F>) -> Result<Self, ConfigError> {
        let name = env.need("WEIR_STREAM", "the declared stream's name, that of its file")?;
        let packed = env.need("WEIR_DECLARATION", DECLARATION)?;
        let wrong = |problem: String| ConfigError { name: "WEIR_DECLARATION", problem, hint: DECLARATION };
        let text = unpack(&packed).map_err(wrong)?;
        let file = format!("sql/streams/{name}.toml");
        let declaration = Declaration::parse(file.as_ref(), &text).map_err(|faults| {
            wrong(faults.into_iter().map(|fault| fault.to_string()).collect::<Vec<_>>().join("\n"))
        })?;
        let quarantine = env.need("WEIR_QUARANTINE_URL", "the URL of the quarantine queue")?;
        if !(quarantine.starts_with("https://") || quarantine.starts_with("http://")) {
            let (problem, hint) = ("it is no URL".to_owned(), "the queue's URL, not its ARN");
            return Err(ConfigError { name: "WEIR_QUARANTINE_URL", problem, hint });
        }
        Ok(Self {
            declaration,
            plain_stream: env.need("WEIR_PLAIN_STREAM", "the name of the stream that the gate writes")?,
            quarantine,
        })
    }
}

const DECLARATION: &str = "the stream's file, gzipped, in base64: `gzip -c sql/streams/NAME.toml | base64 -w0`";

fn unpack(packed: &str) -> Result<String, String> {
    let bytes = STANDARD.decode(packed).map_err(|error| format!("it is no base64: {error}"))?;
    let mut text = String::new();
    let read = GzDecoder::new(bytes.as_slice()).take(MAX_DECLARATION_BYTES).read_to_string(&mut text);
    read.map_err(|error| format!("it is no gzipped text: {error}"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn pack(text: &[u8]) -> String {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        STANDARD.encode(encoder.finish().unwrap())
    }

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let declaration = pack(b"envelope = \"gzip\"\n[fields]\nv = \"integer\"\n");
        Config::read(&Env(|name: &str| {
            let changed = changes.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            changed.or_else(|| match name {
                "WEIR_STREAM" => Some("flows".to_owned()),
                "WEIR_DECLARATION" => Some(declaration.clone()),
                "WEIR_PLAIN_STREAM" => Some("weir-flows-plain".to_owned()),
                "WEIR_QUARANTINE_URL" => Some("https://sqs.eu-west-1.amazonaws.com/123456789012/q".to_owned()),
                _ => None,
            })
        }))
    }

    #[test]
    fn the_declaration_comes_with_the_environment() {
        let config = read(&[]).unwrap();
        assert_eq!((config.declaration.name.as_str(), config.declaration.fields.len()), ("flows", 1));
    }

    #[test]
    fn each_wrong_value_is_named() {
        let (faulty, bytes) = (pack(b"[fields]\nv = \"integr\"\n"), pack(b"\xff"));
        for (name, value, said) in [
            ("WEIR_STREAM", "", "it is not set"),
            ("WEIR_DECLARATION", "", "it is not set"),
            ("WEIR_DECLARATION", "!", "it is no base64"),
            ("WEIR_DECLARATION", "e30=", "it is no gzipped text"),
            ("WEIR_DECLARATION", &bytes, "it is no gzipped text"),
            ("WEIR_DECLARATION", &faulty, "sql/streams/flows.toml:2:5: there is no type `integr`"),
            ("WEIR_PLAIN_STREAM", "", "it is not set"),
            ("WEIR_QUARANTINE_URL", "arn:aws:sqs:eu-west-1:123456789012:q", "it is no URL"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error.name, name, "{error}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
