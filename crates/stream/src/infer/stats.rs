//! What the values of one place look like.

use std::collections::HashMap;

use serde_json::Value;

use super::times::Forms;
use crate::{declaration::Scope, path::Path};

/// So many different values are told apart.
const MAX_DISTINCT: usize = 1_000;

/// A place in records, and what stands there.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) path: Path,
    pub(super) of: Scope,
    pub(super) stats: Stats,
    /// How many rows, or records, could have it.
    pub(super) of_rows: usize,
}

/// Counts of values.
#[derive(Debug, Clone, Default)]
pub(super) struct Stats {
    pub(super) present: usize,
    pub(super) integers: usize,
    pub(super) doubles: usize,
    pub(super) booleans: usize,
    pub(super) texts: usize,
    /// Texts that are numbers, and texts that are whole numbers.
    pub(super) numeric: usize,
    pub(super) whole: usize,
    /// Texts with zeros before a number: names, not quantities.
    pub(super) padded: usize,
    /// Lists and objects.
    pub(super) nested: usize,
    pub(super) distinct: HashMap<String, usize>,
    pub(super) forms: Forms,
}

impl Stats {
    pub(super) fn see(&mut self, value: &Value) {
        let text = match value {
            Value::Null => return,
            Value::String(text) => {
                self.see_text(text);
                text.clone()
            }
            Value::Number(number) => {
                if number.is_i64() {
                    self.integers += 1
                } else {
                    self.doubles += 1
                }
                let text = number.to_string();
                self.forms.see(&text, true);
                text
            }
            Value::Bool(value) => {
                self.booleans += 1;
                value.to_string()
            }
            Value::Array(_) | Value::Object(_) => {
                self.nested += 1;
                self.present += 1;
                return;
            }
        };
        self.count(text);
    }

    /// A part of a text, or a column.
    pub(super) fn see_part(&mut self, text: &str) {
        if !text.is_empty() && text != "-" {
            self.see_text(text);
            self.count(text.to_owned());
        }
    }

    fn see_text(&mut self, text: &str) {
        self.texts += 1;
        let number = crate::json::Number::read_text(text);
        self.numeric += usize::from(number.and_then(|number| number.to_f64(text)).is_some());
        self.whole += usize::from(number.and_then(|number| number.to_i64(text)).is_some());
        self.padded += usize::from(text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
        self.forms.see(text, false);
    }

    fn count(&mut self, text: String) {
        self.present += 1;
        if self.distinct.len() < MAX_DISTINCT || self.distinct.contains_key(&text) {
            *self.distinct.entry(text).or_default() += 1;
        }
    }
}

impl Leaf {
    /// Whether nearly every row has it.
    pub(super) fn everywhere(&self) -> bool {
        self.stats.present * 100 >= self.of_rows * 99 && self.stats.present > 0
    }

    /// The last name of its path.
    pub(super) fn name(&self) -> String {
        use crate::path::Step;
        let names = self.path.steps.iter().rev().filter_map(|step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Where { equals, .. } => Some(equals.clone()),
            _ => None,
        });
        names.into_iter().next().unwrap_or_else(|| "value".to_owned())
    }
}
