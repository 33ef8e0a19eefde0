//! A stream's file before it is text.

use crate::{
    declaration::{FieldType, Scope},
    path::Path,
};

#[derive(Debug, Default)]
pub(super) struct Draft {
    /// From the outside in; the default is left out.
    pub(super) envelope: Vec<&'static str>,
    pub(super) each: Option<String>,
    /// Lines such as `format = "csv"`.
    pub(super) format: Vec<String>,
    pub(super) null: bool,
    pub(super) time: Option<DraftTime>,
    pub(super) key: Option<(String, String)>,
    pub(super) metrics: Vec<String>,
    pub(super) fields: Vec<DraftField>,
    /// Names that are left out.
    pub(super) left_out: Vec<String>,
    /// How many columns are always empty.
    pub(super) empty_columns: usize,
    pub(super) unsure: Vec<String>,
    /// Each a `[[sample]]`'s lines.
    pub(super) samples: Vec<Vec<String>>,
}

#[derive(Debug)]
pub(super) struct DraftTime {
    pub(super) path: String,
    pub(super) of: Scope,
    pub(super) format: String,
    pub(super) why: String,
}

#[derive(Debug)]
pub(super) struct DraftField {
    pub(super) name: String,
    pub(super) kind: FieldType,
    pub(super) path: String,
    pub(super) of: Scope,
    pub(super) required: bool,
    pub(super) format: Option<String>,
    pub(super) comment: Option<String>,
}

/// A text as TOML writes it: without escapes where that can be.
pub(super) fn quoted(text: &str) -> String {
    let plain = !text.chars().any(char::is_control);
    if plain && !text.contains(['"', '\\']) {
        format!("\"{text}\"")
    } else if plain && !text.contains('\'') {
        format!("'{text}'")
    } else {
        toml::Value::from(text).to_string()
    }
}

/// A text as a comment: on one line, without control characters.
fn comment(text: &str) -> String {
    let shown: String =
        text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect();
    format!("# {shown}")
}

impl Draft {
    pub(super) fn to_toml(&self, name: &str) -> String {
        let mut lines =
            vec![format!("# sql/streams/{name}.toml, as `weir streams add` proposes it: read it, mend it, keep it.")];
        lines.extend(self.unsure.iter().map(|unsure| comment(&format!("unsure: {unsure}"))));
        match self.envelope.as_slice() {
            [] => {}
            [one] => lines.push(format!("envelope = \"{one}\"")),
            several => {
                let names: Vec<String> = several.iter().map(|name| format!("\"{name}\"")).collect();
                lines.push(format!("envelope = [{}]", names.join(", ")));
            }
        }
        lines.extend(self.each.iter().map(|each| format!("each = {}", quoted(each))));
        lines.extend(self.format.iter().cloned());
        if self.null {
            lines.push("null = \"-\"".to_owned());
        }
        if let Some(time) = &self.time {
            let of = time.of.word().map(|of| format!(", of = \"{of}\"")).unwrap_or_default();
            let path =
                if time.path.bytes().all(|b| b.is_ascii_digit()) { time.path.clone() } else { quoted(&time.path) };
            lines.push(comment(&time.why));
            lines.push(format!("time = {{ path = {path}{of}, format = {} }}", quoted(&time.format)));
        }
        if let Some((key, why)) = &self.key {
            lines.push(comment(why));
            lines.push(format!("key = \"{key}\""));
        }
        if !self.metrics.is_empty() {
            let metrics: Vec<String> = self.metrics.iter().map(|metric| format!("\"{metric}\"")).collect();
            lines.push(format!("metrics = [{}]", metrics.join(", ")));
        }
        lines.push("heartbeat = false".to_owned());
        lines.extend([String::new(), "[fields]".to_owned()]);
        lines.extend(self.fields.iter().map(DraftField::line));
        if !self.left_out.is_empty() {
            lines.push(comment(&format!("left out: {}", self.left_out.join(", "))));
        }
        if self.empty_columns > 0 {
            lines.push(format!("# left out: {} columns that are always empty", self.empty_columns));
        }
        for sample in &self.samples {
            lines.extend([String::new(), "[[sample]]".to_owned()]);
            lines.extend(sample.iter().cloned());
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl DraftField {
    fn line(&self) -> String {
        let mut more = Vec::new();
        if self.path.bytes().all(|b| b.is_ascii_digit()) {
            more.push(format!("path = {}", self.path));
        } else if Path::member(&self.name).to_string() != self.path {
            more.push(format!("path = {}", quoted(&self.path)));
        }
        more.extend(self.of.word().map(|of| format!("of = \"{of}\"")));
        more.extend(self.format.iter().map(|format| format!("format = {}", quoted(format))));
        if self.required {
            more.push("required = true".to_owned());
        }
        let behind = self.comment.iter().map(|text| format!(" {}", comment(text))).collect::<String>();
        if more.is_empty() {
            return format!("{} = \"{}\"{behind}", self.name, self.kind.name());
        }
        format!("{} = {{ type = \"{}\", {} }}{behind}", self.name, self.kind.name(), more.join(", "))
    }
}
