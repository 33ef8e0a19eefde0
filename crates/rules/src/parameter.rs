//! Parameters: typed, bounded values that an environment may set and a rule names as `${name}`.

use serde::Deserialize;

use crate::Interval;

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it may hold.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// The value where the environment sets none.
    pub default: toml::Value,
    /// What it does, for people.
    #[serde(default)]
    pub description: String,
    /// The least that it may be (numbers only).
    pub min: Option<f64>,
    /// The most that it may be (numbers only).
    pub max: Option<f64>,
}

/// What a parameter may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// A finite number.
    Double,
    /// A whole number.
    Integer,
    /// Text, written as a quoted literal.
    Text,
    /// A length of time, written as an `INTERVAL` literal.
    Interval,
    /// `true` or `false`.
    Boolean,
}

impl ParameterType {
    /// The name in a header.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Double => "double",
            Self::Integer => "integer",
            Self::Text => "text",
            Self::Interval => "interval",
            Self::Boolean => "boolean",
        }
    }
}

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// A finite number.
    Double(f64),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// A length of time.
    Interval(Interval),
    /// `true` or `false`.
    Boolean(bool),
}

impl Parameter {
    /// Checks a value against the type and the bounds.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn check(&self, value: &toml::Value) -> Result<ParameterValue, String> {
        use toml::Value;
        let fault = || format!("{value} is no {}", self.kind.word());
        let checked = match (self.kind, value) {
            (ParameterType::Double, Value::Float(v)) if v.is_finite() => ParameterValue::Double(*v),
            #[expect(clippy::cast_precision_loss, reason = "a person's threshold does not need 64 bits")]
            (ParameterType::Double, Value::Integer(v)) => ParameterValue::Double(*v as f64),
            (ParameterType::Integer, Value::Integer(v)) => ParameterValue::Integer(*v),
            (ParameterType::Text, Value::String(v)) => ParameterValue::Text(v.clone()),
            (ParameterType::Interval, Value::String(v)) => ParameterValue::Interval(v.parse()?),
            (ParameterType::Boolean, Value::Boolean(v)) => ParameterValue::Boolean(*v),
            _ => return Err(fault()),
        };
        let outside = |number| self.min.is_some_and(|min| number < min) || self.max.is_some_and(|max| number > max);
        if let Some(number) = checked.number().filter(|number| outside(*number)) {
            return Err(format!("{number} is out of range: {}", self.range()));
        }
        Ok(checked)
    }

    /// Reads a value from a command line's `--set RULE.NAME=VALUE`.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(&self, text: &str) -> Result<toml::Value, String> {
        use toml::Value;
        let value = match self.kind {
            ParameterType::Text | ParameterType::Interval => Some(Value::String(text.to_owned())),
            ParameterType::Double => text.parse().ok().map(Value::Float),
            ParameterType::Integer => text.parse().ok().map(Value::Integer),
            ParameterType::Boolean => text.parse().ok().map(Value::Boolean),
        };
        let value = value.ok_or_else(|| format!("`{text}` is no {}", self.kind.word()))?;
        self.check(&value).map(|_| value)
    }

    fn range(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("at least {min} and at most {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "any".to_owned(),
        }
    }
}

impl ParameterType {
    fn word(self) -> &'static str {
        match self {
            Self::Double => "number",
            Self::Integer => "whole number",
            Self::Text => "text",
            Self::Interval => "interval",
            Self::Boolean => "boolean",
        }
    }
}

impl ParameterValue {
    /// The value as an SQL literal, which cannot break out of its place.
    #[must_use]
    pub fn to_sql(&self) -> String {
        match self {
            Self::Double(v) if *v < 0.0 => format!("({v:?})"),
            Self::Double(v) => format!("{v:?}"),
            Self::Integer(v) if *v < 0 => format!("({v})"),
            Self::Integer(v) => v.to_string(),
            Self::Text(v) => crate::template::quote(v),
            Self::Interval(v) => format!("INTERVAL '{v}'"),
            Self::Boolean(v) => v.to_string().to_uppercase(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "compared with a bound that a person wrote")]
    fn number(&self) -> Option<f64> {
        match self {
            Self::Double(v) => Some(*v),
            Self::Integer(v) => Some(*v as f64),
            _ => None,
        }
    }
}
