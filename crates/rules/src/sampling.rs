//! What a rule's header says of how many events it must see, and of where its band is.
//!
//! Both are facts for tools: why a rule was silent, and what a plot draws. They change nothing that the rule finds.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{Parameter, ParameterType, RuleError};

/// `[sampling]`: the rule says nothing of a group that has fewer events than `least` in each stretch of the length `over`.
///
/// ```toml
/// [sampling]
/// least = "least_count"
/// over = "window"
/// by = "series"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// The integer parameter that says how many events.
    pub least: String,
    /// The interval parameter that says in how long.
    pub over: String,
    /// Of what the events are counted.
    pub by: Group,
}

/// What a rule counts events of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// A metric of a source.
    Series,
    /// A source.
    Source,
    /// All that the rule reads.
    Stream,
}

/// `[band]`: between which values the rule finds nothing.
///
/// ```toml
/// [band]
/// deviation = "deviation"   # a column of the rule
/// times = "deviations"      # a parameter: so many deviations around `expected`
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Band {
    /// Two columns.
    Edges(Edges),
    /// A column and a parameter.
    Deviations(Deviations),
}

/// The columns of both edges.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    /// The column of the lower edge.
    pub lower: String,
    /// The column of the upper edge.
    pub upper: String,
}

/// Edges at so many deviations on either side of `expected`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviations {
    /// The column of one deviation.
    pub deviation: String,
    /// The numeric parameter that says how many.
    pub times: String,
}

/// Names in `[sampling]` and `[band]` are parameters and columns of the rule.
pub(crate) fn check(
    file: &Path,
    sampling: Option<&Sampling>,
    band: Option<&Band>,
    parameters: &BTreeMap<String, Parameter>,
    columns: &[String],
) -> Result<(), RuleError> {
    let parameter = |table: &str, key: &str, name: &str, kinds: &[ParameterType]| {
        if parameters.get(name).is_some_and(|parameter| kinds.contains(&parameter.kind)) {
            return Ok(());
        }
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let kinds = kinds.join(" or ");
        Err(RuleError::new(file, format!("[{table}] {key} = \"{name}\" is no parameter of type {kinds}"))
            .hint("name one of the parameters that the header declares"))
    };
    let column = |key: &str, name: &str| {
        if columns.iter().any(|column| column == name) {
            return Ok(());
        }
        Err(RuleError::new(file, format!("[band] {key} = \"{name}\" is no column that the SELECT returns"))
            .hint("the band is drawn from columns beside `key`, `value` and `expected`"))
    };
    if let Some(Sampling { least, over, .. }) = sampling {
        parameter("sampling", "least", least, &[ParameterType::Integer])?;
        parameter("sampling", "over", over, &[ParameterType::Interval])?;
    }
    match band {
        Some(Band::Edges(Edges { lower, upper })) => {
            column("lower", lower)?;
            column("upper", upper)
        }
        Some(Band::Deviations(Deviations { deviation, times })) => {
            column("deviation", deviation)?;
            parameter("band", "times", times, &[ParameterType::Double, ParameterType::Integer])
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::Rule;

    fn parsed(tables: &str) -> Result<Rule, String> {
        let header = "name = \"r\"\nseverity = \"info\"\ndescription = \"d\"\nowner = \"o\"\nrunbook = \"b\"\n\
            [parameters.least_count]\ntype = \"integer\"\ndefault = 3\n\
            [parameters.window]\ntype = \"interval\"\ndefault = \"1 hour\"\n";
        let header: String = format!("{header}{tables}").lines().map(|line| format!("-- {line}\n")).collect();
        let body = "SELECT series AS key, event_time, value, value AS expected, 0.5 AS score, value AS low FROM events";
        Rule::parse(Path::new("r.sql"), &format!("{header}{body}")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_named_must_be_there() {
        let sampling = |least: &str, over: &str| {
            parsed(&format!("[sampling]\nleast = \"{least}\"\nover = \"{over}\"\nby = \"series\"\n"))
        };
        assert!(sampling("least_count", "window").is_ok());
        assert!(sampling("window", "window").unwrap_err().contains("no parameter of type integer"));
        assert!(sampling("least_count", "least_count").unwrap_err().contains("no parameter of type interval"));
        assert!(parsed("[band]\nlower = \"low\"\nupper = \"low\"\n").is_ok());
        assert!(parsed("[band]\nlower = \"low\"\nupper = \"high\"\n").unwrap_err().contains("no column"));
        assert!(parsed("[band]\ndeviation = \"low\"\ntimes = \"window\"\n").unwrap_err().contains("double or integer"));
        assert!(parsed("[band]\ndeviation = \"low\"\ntimes = \"least_count\"\n").is_ok());
        assert!(parsed("[band]\nlower = \"low\"\n").is_err());
    }
}
