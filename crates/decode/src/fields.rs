//! The fields of a record that say what it is, as SQL's `json_as_text` gives them.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiter::{Jiter, JiterResult, Peek};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// The text of each field: of a string what it says, of a number, boolean, array or object its JSON; `None` where the field is
/// absent or null. Of two fields of one name the first counts.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) timestamp: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) metric: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) weir: Option<String>,
    /// Which of [`NAMED`] there are, null or not.
    met: [bool; NAMED.len()],
    /// A hash of each name in the object.
    names: Vec<u64>,
}

/// The fields that say what a record is.
const NAMED: [&str; 8] = ["timestamp", "value", "source", "metric", "id", "weir", "probe_id", "sent_at"];

impl Fields {
    /// Reads them from the text of a JSON object; and whether it could be read to its end. What comes behind a fault is not read.
    pub(crate) fn of(object: &str) -> (Self, bool) {
        let mut fields = Self::default();
        let whole = fields.read(object).is_ok();
        (fields, whole)
    }

    fn read(&mut self, object: &str) -> JiterResult<()> {
        let mut jiter = Jiter::new(object.as_bytes());
        let mut name = jiter.next_object()?;
        while let Some(found) = name {
            let mut hasher = DefaultHasher::new();
            found.hash(&mut hasher);
            self.names.push(hasher.finish());
            let which = NAMED.iter().position(|known| *known == found);
            let first =
                which.and_then(|which| self.met.get_mut(which)).is_some_and(|met| !std::mem::replace(met, true));
            match which.filter(|_| first) {
                Some(0) => self.timestamp = as_text(&mut jiter)?,
                Some(1) => self.value = as_text(&mut jiter)?,
                Some(2) => self.source = as_text(&mut jiter)?,
                Some(3) => self.metric = as_text(&mut jiter)?,
                Some(4) => self.id = as_text(&mut jiter)?,
                Some(5) => self.weir = as_text(&mut jiter)?,
                _ => jiter.next_skip()?,
            }
            name = jiter.next_key()?;
        }
        Ok(())
    }

    /// How many fields there are.
    pub(crate) fn count(&self) -> usize {
        self.names.len()
    }

    /// Whether there is a field of this name, null or not; only for those of [`NAMED`].
    pub(crate) fn has(&self, name: &str) -> bool {
        NAMED.iter().zip(self.met).any(|(known, met)| met && *known == name)
    }

    /// Whether two names seem to be the same; `members` knows it for certain.
    pub(crate) fn may_repeat(&mut self) -> bool {
        self.names.sort_unstable();
        self.names.windows(2).any(|pair| pair.first() == pair.last())
    }
}

fn as_text(jiter: &mut Jiter<'_>) -> JiterResult<Option<String>> {
    match jiter.peek()? {
        Peek::Null => jiter.known_null().map(|()| None),
        Peek::String => jiter.known_str().map(|text| Some(text.to_owned())),
        other => {
            let start = jiter.current_index();
            jiter.known_skip(other)?;
            Ok(Some(String::from_utf8_lossy(jiter.slice_to_current(start)).into_owned()))
        }
    }
}

/// The fields of a JSON object in their order: each name, and its value as it is written. Of two fields of one name the first
/// counts. Of a damaged object, those before the fault.
///
/// ```
/// let members = weir_decode::members(r#"{"a": 1.50, "b": {"c": 2}}"#);
/// assert_eq!(members, [("a".to_owned(), "1.50"), ("b".to_owned(), r#"{"c": 2}"#)]);
/// ```
#[must_use]
pub fn members(object: &str) -> Vec<(String, &str)> {
    let mut members: Vec<(String, &str)> = Vec::new();
    let mut read = || -> JiterResult<()> {
        let mut jiter = Jiter::new(object.as_bytes());
        let mut name = jiter.next_object()?.map(str::to_owned);
        while let Some(found) = name {
            let peek = jiter.peek()?;
            let start = jiter.current_index();
            jiter.known_skip(peek)?;
            let value = object.get(start..jiter.current_index()).unwrap_or_default();
            if !members.iter().any(|(known, _)| *known == found) {
                members.push((found, value));
            }
            name = jiter.next_key()?.map(str::to_owned);
        }
        Ok(())
    };
    // The members before a fault are what there is.
    let _ = read();
    members
}

/// The text of a JSON value as SQL's `json_as_text` gives it: of a string what it says, of null nothing, of all else its JSON.
#[must_use]
pub fn text_of(value: &str) -> Option<String> {
    as_text(&mut Jiter::new(value.as_bytes())).ok().flatten()
}

/// Whether an array can be read to its end; what follows it is not looked at.
pub(crate) fn is_whole_array(text: &str) -> bool {
    let read = || -> JiterResult<()> {
        let mut jiter = Jiter::new(text.as_bytes());
        let mut element = jiter.next_array()?;
        while let Some(peek) = element {
            jiter.known_skip(peek)?;
            element = jiter.array_step()?;
        }
        Ok(())
    };
    read().is_ok()
}

/// Any JSON value, read whole and kept nowhere: what `serde_json` takes for JSON, with its numbers and escapes.
#[derive(Debug)]
pub(crate) struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Strict;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Strict, A::Error> {
        while elements.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Strict, A::Error> {
        while fields.next_entry::<Strict, Strict>()?.is_some() {}
        Ok(Strict)
    }
}
