//! Policies of a rule's header: which of its findings do not count, for all keys or for those of a pattern.
//!
//! They apply to what every rule gives: `key`, `value`, `expected` and the time. The compiler makes them a condition of the rule's
//! `INSERT`, so they are the same on both engines, and part of the rule's version.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::template::quote;

/// The pattern of every key.
const EVERY_KEY: &str = "*";

/// Policies by key pattern. `[policy]` is for every key, `[policy."pump-*/pressure"]` for those that match: `*` stands for any text,
/// `?` for one character. The longest pattern that matches a key decides alone.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Policies(BTreeMap<String, Policy>);

/// What a finding must be to count.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// On which side of `expected` the value must lie.
    #[serde(default)]
    pub direction: Direction,
    /// How far from `expected` the value must be at least, in the value's unit.
    #[serde(default)]
    pub least_deviation: f64,
    /// The same as a share of `expected`: 0.1 is a tenth.
    #[serde(default)]
    pub least_relative_deviation: f64,
    /// Values that never count.
    #[serde(default)]
    pub ignore_values: Vec<Values>,
    /// Times, in UTC, at which nothing counts.
    #[serde(default)]
    pub ignore_times: Vec<Times>,
}

/// A side of `expected`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Only values above what was expected.
    Above,
    /// Only values below.
    Below,
    /// Either.
    #[default]
    Both,
}

/// A range of values, both ends inside.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// The least.
    pub from: f64,
    /// The most.
    pub to: f64,
}

/// A time of day on some days of the week, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// The days on which it begins; every day when empty.
    #[serde(default)]
    pub days: Vec<Day>,
    /// When it begins, `HH:MM`.
    pub from: Clock,
    /// When it ends, not itself inside. Before or at `from`: on the next day.
    pub to: Clock,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "days")]
pub enum Day {
    Sunday,
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
}

/// Minutes of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Clock(u32);

impl TryFrom<String> for Clock {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let clock = text.split_once(':').filter(|(hour, minute)| digits(hour) && digits(minute));
        let clock = clock.and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
        match clock {
            Some((hour @ 0..24, minute @ 0..60)) => Ok(Clock(60_u32 * hour + minute)),
            _ => Err(format!("`{text}` is no time of day: write 00:00 to 23:59")),
        }
    }
}

impl TryFrom<toml::Table> for Policies {
    type Error = String;

    fn try_from(table: toml::Table) -> Result<Self, String> {
        let (patterns, every): (Vec<_>, Vec<_>) = table.into_iter().partition(|(_, value)| value.is_table());
        let mut policies = BTreeMap::new();
        if !every.is_empty() {
            let every: toml::Table = every.into_iter().collect();
            policies.insert(EVERY_KEY.to_owned(), read("policy", every)?);
        }
        for (pattern, value) in patterns {
            let toml::Value::Table(fields) = value else { continue };
            if policies.contains_key(&pattern) {
                return Err(format!("[policy] and [policy.\"{pattern}\"] are for the same keys"));
            }
            let policy = read(&format!("policy.\"{pattern}\""), fields)?;
            policies.insert(pattern, policy);
        }
        Ok(Policies(policies))
    }
}

fn read(name: &str, fields: toml::Table) -> Result<Policy, String> {
    let policy: Policy = fields.try_into().map_err(|e: toml::de::Error| format!("[{name}]: {}", e.message()))?;
    for (field, value) in
        [("least_deviation", policy.least_deviation), ("least_relative_deviation", policy.least_relative_deviation)]
    {
        if !(value >= 0.0 && value.is_finite()) {
            return Err(format!("[{name}]: {field} is {value}, and must be 0 or more"));
        }
    }
    for values in &policy.ignore_values {
        if !(values.from <= values.to && values.from.is_finite() && values.to.is_finite()) {
            return Err(format!("[{name}]: ignore_values from {} to {} holds no value", values.from, values.to));
        }
    }
    Ok(policy)
}

impl Policies {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Patterns and policies, the one that decides first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Policy)> {
        let mut policies: Vec<(&str, &Policy)> =
            self.0.iter().map(|(pattern, policy)| (pattern.as_str(), policy)).collect();
        policies.sort_by_key(|(pattern, _)| (std::cmp::Reverse(written(pattern)), *pattern));
        policies.into_iter()
    }

    /// The policy of a key.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<&Policy> {
        let key: Vec<char> = key.chars().collect();
        self.iter().find(|(pattern, _)| matches(&pattern.chars().collect::<Vec<_>>(), &key)).map(|(_, policy)| policy)
    }

    /// The condition in SQL over `rule_key`, `rule_value`, `rule_expected` and a column with the finding's time.
    pub(crate) fn condition(&self, time: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let mut sql = "CASE".to_owned();
        for (pattern, policy) in self.iter() {
            sql.push_str(&format!("\n  WHEN {} THEN {}", key_matches(pattern), policy.condition(time)));
        }
        sql.push_str("\n  ELSE TRUE END");
        Some(sql)
    }
}

/// How much of a pattern is written out.
fn written(pattern: &str) -> usize {
    pattern.chars().filter(|letter| *letter != '*').count()
}

fn key_matches(pattern: &str) -> String {
    if pattern == EVERY_KEY {
        return "TRUE".to_owned();
    }
    let mut expression = "(?s)^".to_owned();
    for letter in pattern.chars() {
        match letter {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            // What means something in an expression.
            '\\' | '.' | '+' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' | '#' | '&' | '-' | '~' => {
                expression.extend(['\\', letter]);
            }
            letter => expression.push(letter),
        }
    }
    expression.push('$');
    format!("regexp_like(rule_key, {})", quote(&expression))
}

/// Whether a pattern matches a text: in steps of their lengths multiplied at most, and without recursion, as keys are as long as
/// records make them.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    // Behind the last `*`, and how much of the text it takes so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(found) = text.get(read) {
        match pattern.get(at) {
            Some('*') => {
                at += 1;
                star = Some((at, read));
            }
            Some(letter) if *letter == '?' || letter == found => (at, read) = (at + 1, read + 1),
            _ => {
                // It did not fit: the last `*` takes one more.
                let Some((behind, taken)) = &mut star else { return false };
                *taken += 1;
                (at, read) = (*behind, *taken);
            }
        }
    }
    pattern.iter().skip(at).all(|letter| *letter == '*')
}

impl Policy {
    /// Whether it needs to know what was expected.
    #[must_use]
    pub fn needs_expected(&self) -> bool {
        self.direction != Direction::Both || self.least_deviation > 0.0 || self.least_relative_deviation > 0.0
    }

    /// How far from `expected` a value may be without counting.
    #[must_use]
    pub fn deviation(&self, expected: f64) -> f64 {
        f64::max(self.least_deviation, self.least_relative_deviation * expected.abs())
    }

    fn condition(&self, time: &str) -> String {
        let mut conditions = Vec::new();
        // Where nothing was expected nothing can be compared, and the finding counts.
        match self.direction {
            Direction::Above => conditions.push("coalesce(rule_value > rule_expected, TRUE)".to_owned()),
            Direction::Below => conditions.push("coalesce(rule_value < rule_expected, TRUE)".to_owned()),
            Direction::Both => {}
        }
        if self.least_deviation > 0.0 {
            let least = self.least_deviation;
            conditions.push(format!("coalesce(abs(rule_value - rule_expected) >= CAST({least} AS DOUBLE), TRUE)"));
        }
        if self.least_relative_deviation > 0.0 {
            let least = self.least_relative_deviation;
            conditions.push(format!(
                "coalesce(abs(rule_value - rule_expected) >= CAST({least} AS DOUBLE) * abs(rule_expected), TRUE)"
            ));
        }
        for Values { from, to } in &self.ignore_values {
            conditions.push(format!(
                "coalesce(rule_value < CAST({from} AS DOUBLE) OR rule_value > CAST({to} AS DOUBLE), TRUE)"
            ));
        }
        conditions.extend(self.ignore_times.iter().map(|times| format!("NOT {}", times.condition(time))));
        if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join("\n    AND ") }
    }
}

impl Times {
    fn condition(&self, time: &str) -> String {
        let minute =
            format!("(CAST(extract(hour FROM {time}) AS BIGINT) * 60 + CAST(extract(minute FROM {time}) AS BIGINT))");
        let on = |later: usize| {
            let days: Vec<String> = self.days.iter().map(|day| ((*day as usize + later) % 7).to_string()).collect();
            if days.is_empty() {
                String::new()
            } else {
                format!(" AND CAST(extract(dow FROM {time}) AS BIGINT) IN ({})", days.join(", "))
            }
        };
        let (Clock(from), Clock(to)) = (self.from, self.to);
        if from < to {
            format!("({minute} >= {from} AND {minute} < {to}{})", on(0))
        } else {
            format!("(({minute} >= {from}{}) OR ({minute} < {to}{}))", on(0), on(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Policies, String> {
        #[derive(Deserialize)]
        struct Header {
            policy: Policies,
        }
        toml::from_str(text).map(|header: Header| header.policy).map_err(|e| e.message().to_owned())
    }

    #[test]
    fn the_longest_pattern_that_matches_decides() {
        let policies = read(
            "[policy]\ndirection = \"above\"\n[policy.\"pump-*/pressure\"]\ndirection = \"below\"\n\
             [policy.\"pump-7/*\"]\nleast_deviation = 2\n[policy.\"pump-?/*\"]\nleast_deviation = 3",
        )
        .unwrap();
        let of = |key: &str| policies.of(key).map(|policy| (policy.direction, policy.least_deviation)).unwrap();
        assert_eq!(of("pump-1/pressure"), (Direction::Below, 0.0));
        assert_eq!(of("pump-7/pressure"), (Direction::Below, 0.0), "it is longer than pump-7/*");
        assert_eq!(of("pump-7/flow"), (Direction::Both, 2.0));
        assert_eq!(of("pump-8/flow"), (Direction::Both, 3.0));
        assert_eq!(of("fan"), (Direction::Above, 0.0));
    }

    #[test]
    fn a_long_key_is_matched_in_little_time() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let key = chars(&"a".repeat(200_000));
        assert!(matches(&chars("a*a"), &key) && matches(&chars("*"), &key) && !matches(&chars("*b"), &key));
        assert!(!matches(&chars(&format!("{}b", "a*".repeat(20))), &chars(&"a".repeat(2_000))));
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "", true),
            ("?", "", false),
            ("?", "ab", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("*ab", "aab", true),
            ("pump-?/*", "pump-7/", true),
        ] {
            assert_eq!(matches(&chars(pattern), &chars(text)), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        let refused = |text: &str| read(text).unwrap_err();
        assert!(refused("[policy]\nleast_deviation = -1").contains("least_deviation is -1, and must be 0 or more"));
        assert!(refused("[policy]\nleast_deviation = nan").contains("must be 0 or more"));
        assert!(refused("[policy]\nignore_values = [{ from = 2, to = 1 }]").contains("from 2 to 1 holds no value"));
        assert!(refused("[policy]\ndirection = \"up\"").contains("unknown variant `up`"));
        assert!(refused("[policy.\"a*\"]\nleast = 1").contains("[policy.\"a*\"]: unknown field `least`"));
        assert!(
            refused("[policy]\ndirection = \"above\"\n[policy.\"*\"]\ndirection = \"below\"").contains("the same keys")
        );
        for time in ["24:00", "7:00", "12:60", "noon", "+1:00"] {
            let text = format!("[policy]\nignore_times = [{{ from = \"{time}\", to = \"08:00\" }}]");
            assert!(refused(&text).contains("is no time of day"), "{time}");
        }
    }

    #[test]
    fn times_over_midnight_belong_to_the_day_on_which_they_begin() {
        let times = |text: &str| {
            let policies = read(&format!("[policy]\nignore_times = [{text}]")).unwrap();
            policies.of("any").unwrap().ignore_times[0]
                .condition("t")
                .replace("CAST(extract(", "(")
                .replace(" AS BIGINT)", ")")
        };
        let minute = "((hour FROM t)) * 60 + (minute FROM t)))";
        assert_eq!(times("{ from = \"08:00\", to = \"09:30\" }"), format!("({minute} >= 480 AND {minute} < 570)"));
        assert_eq!(
            times("{ days = [\"saturday\"], from = \"22:00\", to = \"06:00\" }"),
            format!("(({minute} >= 1320 AND (dow FROM t)) IN (6)) OR ({minute} < 360 AND (dow FROM t)) IN (0)))")
        );
    }
}
