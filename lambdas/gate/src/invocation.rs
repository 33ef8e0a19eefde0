//! What the function was invoked with.

use serde::Deserialize;
use serde_json::value::RawValue;

/// What the function was invoked with.
#[derive(Debug)]
pub enum Invocation<'a> {
    /// A batch of Kinesis records.
    Batch(Vec<&'a RawValue>),
    /// The deploy's call to say whether the configuration works.
    Check,
}

/// A payload that is neither.
#[derive(Debug, thiserror::Error)]
#[error("the payload is neither a Kinesis batch nor {{\"weir\":\"check\"}}: {0}")]
pub struct PayloadError(String);

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, rename = "Records")]
    records: Option<Vec<&'a RawValue>>,
    weir: Option<&'a str>,
}

impl<'a> Invocation<'a> {
    /// Reads a payload without looking into its records.
    ///
    /// # Errors
    /// When the payload is neither.
    pub fn read(payload: &'a str) -> Result<Self, PayloadError> {
        let payload: Payload<'a> = serde_json::from_str(payload).map_err(|e| PayloadError(e.to_string()))?;
        match (payload.records, payload.weir) {
            (Some(records), None) => Ok(Self::Batch(records)),
            (None, Some("check")) => Ok(Self::Check),
            _ => Err(PayloadError("it has neither `Records` nor a known `weir`".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_invocations() {
        assert!(matches!(Invocation::read(r#"{"weir":"check"}"#), Ok(Invocation::Check)));
        assert!(matches!(Invocation::read(r#"{"Records":[{},1]}"#), Ok(Invocation::Batch(r)) if r.len() == 2));
        for wrong in ["{}", "[]", "1", r#"{"weir":"sweep"}"#, r#"{"Records":{}}"#, ""] {
            assert!(Invocation::read(wrong).is_err(), "{wrong}");
        }
    }
}
