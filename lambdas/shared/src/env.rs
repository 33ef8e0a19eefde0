//! Variables of the environment, read and checked at start: a wrong value stops the deploy and not the first anomaly.

use std::{fmt::Display, str::FromStr};

/// A variable that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name}: {problem}\nhint: {hint}")]
pub struct ConfigError {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub hint: &'static str,
}

/// An environment: the process's own, or a test's.
pub struct Env<F>(pub F);

impl<F: Fn(&str) -> Option<String>> Env<F> {
    /// A value; an empty one is none.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn need(&self, name: &'static str, hint: &'static str) -> Result<String, ConfigError> {
        self.get(name).ok_or_else(|| ConfigError { name, problem: "it is not set".to_owned(), hint })
    }

    /// A value of a type, or its default.
    ///
    /// # Errors
    /// When it is there and is not of the type.
    pub fn parse<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
        default: T,
        hint: &'static str,
    ) -> Result<T, ConfigError> {
        let wrong = |e: T::Err| ConfigError { name, problem: e.to_string(), hint };
        self.get(name).map_or(Ok(default), |value| value.parse().map_err(wrong))
    }

    /// A number within bounds, or its default.
    ///
    /// # Errors
    /// When it is there and is no number or out of bounds.
    pub fn number<T: FromStr<Err: Display> + PartialOrd + Display>(
        &self,
        name: &'static str,
        default: T,
        least: T,
        most: T,
        hint: &'static str,
    ) -> Result<T, ConfigError> {
        let value = self.parse(name, default, hint)?;
        if value < least || value > most {
            return Err(ConfigError { name, problem: format!("{value} is out of range"), hint });
        }
        Ok(value)
    }
}
