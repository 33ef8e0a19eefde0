//! An item of the table, free of any client's types.

use std::{borrow::Cow, collections::BTreeMap};

use crate::Timestamp;

/// Numbers of DynamoDB lie between 1E-130 and 9.99…E+125; what lies outside is stored as text.
const LARGEST_NUMBER: f64 = 1e125;
const SMALLEST_NUMBER: f64 = 1e-130;

/// One attribute's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attr {
    /// Text.
    S(String),
    /// A number, as DynamoDB writes it.
    N(String),
}

/// One item of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item(BTreeMap<Cow<'static, str>, Attr>);

/// An item that is not what its id says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("item `{id}`: attribute `{attribute}` is missing or wrong")]
pub struct ItemError {
    /// The item.
    pub id: String,
    /// The attribute.
    pub attribute: String,
}

impl Attr {
    /// A whole number.
    #[must_use]
    pub fn int(value: i64) -> Self {
        Self::N(value.to_string())
    }

    /// A real number; text when DynamoDB cannot hold it as a number.
    #[must_use]
    pub fn float(value: f64) -> Self {
        let magnitude = value.abs();
        if magnitude == 0.0 || (1e-4..1e15).contains(&magnitude) {
            Self::N(value.to_string())
        } else if (SMALLEST_NUMBER..LARGEST_NUMBER).contains(&magnitude) {
            Self::N(format!("{value:e}"))
        } else {
            Self::S(format!("{value:e}"))
        }
    }

    /// A point in time, as text that sorts.
    #[must_use]
    pub fn time(value: Timestamp) -> Self {
        Self::S(value.to_rfc3339_millis())
    }

    /// The text behind either kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::S(text) | Self::N(text) => text,
        }
    }

    /// Whether this sorts before `other`, as DynamoDB compares: numbers by value, text by its bytes.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::N(a), Self::N(b)) => matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a < b),
            (Self::S(a), Self::S(b)) => a < b,
            _ => false,
        }
    }
}

impl From<&str> for Attr {
    fn from(text: &str) -> Self {
        Self::S(text.to_owned())
    }
}

impl From<String> for Attr {
    fn from(text: String) -> Self {
        Self::S(text)
    }
}

impl Item {
    /// An item with nothing but its key.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self::default().with(super::attr::ID, id.into())
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Attr>) -> Self {
        self.0.insert(Cow::Borrowed(name), value.into());
        self
    }

    /// Adds an attribute when there is a value. Empty text is no value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<Attr>) -> Self {
        match value {
            Some(value) if !value.as_str().is_empty() => self.with(name, value),
            _ => self,
        }
    }

    /// Sets an attribute under a name that is not known before.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Attr) {
        self.0.insert(name.into(), value);
    }

    /// Removes an attribute.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The table's key.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text(super::attr::ID).unwrap_or_default()
    }

    /// An attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Attr> {
        self.0.get(name)
    }

    /// The text of an attribute of any kind.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(Attr::as_str)
    }

    /// All attributes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Attr)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The bytes that DynamoDB counts: names and values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.as_str().len()).sum()
    }

    pub(crate) fn need<T: std::str::FromStr>(&self, name: &str) -> Result<T, ItemError> {
        self.optional(name)?.ok_or_else(|| self.error(name))
    }

    pub(crate) fn optional<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ItemError> {
        let parse = |text: &str| text.parse().map_err(|_| self.error(name));
        self.text(name).map(parse).transpose()
    }

    pub(crate) fn error(&self, name: &str) -> ItemError {
        ItemError { id: self.id().to_owned(), attribute: name.to_owned() }
    }
}

impl<N: Into<Cow<'static, str>>> FromIterator<(N, Attr)> for Item {
    fn from_iter<I: IntoIterator<Item = (N, Attr)>>(attributes: I) -> Self {
        Self(attributes.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_finite_number_is_kept(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let item = Item::new("x").with("value", Attr::float(value));
            prop_assert_eq!(item.need::<f64>("value").unwrap(), value);
        }
    }

    #[test]
    fn what_dynamodb_cannot_hold_as_a_number_is_text() {
        assert_eq!(Attr::float(1e200), Attr::S("1e200".to_owned()));
        assert_eq!(Attr::float(-1e-200), Attr::S("-1e-200".to_owned()));
        assert_eq!(Attr::float(21.5), Attr::N("21.5".to_owned()));
    }
}
