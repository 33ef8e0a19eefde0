//! One rule file: a header in comments, then one `SELECT`.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Header, RuleError, pack::without_byte_order_mark, projection::Projection, tokens};

/// One rule, read and checked as far as text alone allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The file that it was read from.
    pub file: PathBuf,
    /// What it says of itself.
    pub header: Header,
    /// The `SELECT`, as written, without a final `;`.
    pub body: String,
    /// The line of the file on which the body starts, from 1.
    pub body_line: usize,
    pub(crate) projection: Projection,
}

impl Rule {
    /// Reads a rule from its text.
    ///
    /// # Errors
    /// When the header is not TOML of the right shape, or the body is not one `SELECT` with the columns of an anomaly.
    pub fn parse(file: &Path, text: &str) -> Result<Self, RuleError> {
        let text = without_byte_order_mark(text);
        let (header_text, body_line) = split(text);
        let header = read_header(file, &header_text)?;
        check_name(file, &header)?;
        let body: Vec<&str> = text.lines().skip(body_line - 1).collect();
        let body = tokens::without_final_semicolon(body.join("\n").trim_end()).trim_end().to_owned();
        if body.trim().is_empty() {
            return Err(RuleError::new(file, "there is no SELECT after the header").at(body_line, 1));
        }
        for (name, parameter) in &header.parameters {
            parameter.check(&parameter.default).map_err(|e| {
                let (line, _) = find(&header_text, &format!("[parameters.{name}]"));
                RuleError::new(file, format!("default of parameter `{name}`: {e}")).at(line, 1)
            })?;
        }
        refuse_quoted_parameters(file, body_line, &body, &header)?;
        let projection = Projection::read(file, body_line, &body, &header.parameters)?;
        let (sampling, band) = (header.sampling.as_ref(), header.band.as_ref());
        crate::sampling::check(file, sampling, band, &header.parameters, &projection.details)?;
        Ok(Self { file: file.to_owned(), header, body, body_line, projection })
    }

    /// Twelve hex digits over what changes what the rule finds or says: its text, its policies and the values of its
    /// parameters.
    #[must_use]
    pub fn version(&self, filled_body: &str) -> String {
        let meta = (&self.header.severity, self.header.stage, self.header.dedup);
        // Rules without policies keep the version that they had before there were any.
        let policies =
            if self.header.policies.is_empty() { String::new() } else { format!("\n{:?}", self.header.policies) };
        // And so do rules on Weir's own events.
        let stream = self.header.stream.as_deref().filter(|stream| *stream != "events");
        let stream = stream.map_or_else(String::new, |stream| format!("\nstream {stream}"));
        let digest = Sha256::digest(format!("{meta:?}\n{filled_body}{policies}{stream}"));
        digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The header's TOML (the comments at the top, up to the first line that is none) and the line on which the body starts.
fn split(text: &str) -> (String, usize) {
    let mut header = String::new();
    let mut line = 1;
    for comment in text.lines().map_while(|written| written.trim().strip_prefix("--")) {
        header.push_str(comment.strip_prefix(' ').unwrap_or(comment));
        header.push('\n');
        line += 1;
    }
    line += text.lines().skip(line - 1).take_while(|written| written.trim().is_empty()).count();
    (header, line)
}

/// A parameter whose value brings its own quotes does not stand in quotes.
fn refuse_quoted_parameters(file: &Path, body_line: usize, body: &str, header: &Header) -> Result<(), RuleError> {
    for (line, column, name) in tokens::quoted_parameters(body) {
        let Some(parameter) = header.parameters.get(&name) else { continue };
        if parameter.check(&parameter.default).is_ok_and(|value| value.to_sql().contains('\'')) {
            return Err(RuleError::new(file, format!("parameter `{name}` stands in quotes"))
                .at(body_line + line - 1, column)
                .hint(format!("its value brings its own: write ${{{name}}}")));
        }
    }
    Ok(())
}

fn read_header(file: &Path, text: &str) -> Result<Header, RuleError> {
    toml::from_str(text).map_err(|e| {
        let (line, column) = e.span().map_or((0, 0), |span| position(text, span.start));
        // The TOML starts after `-- `, three characters into the line.
        let column = if column > 0 { column + 3 } else { 0 };
        let message = e.message().lines().collect::<Vec<_>>().join(" ");
        RuleError::new(file, format!("header: {message}")).at(line, column).hint(
            "the header is TOML in the leading comments: `-- name = \"…\"`, severity, description, owner, runbook",
        )
    })
}

fn check_name(file: &Path, header: &Header) -> Result<(), RuleError> {
    let name = &header.name;
    let valid = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    if !valid || name.starts_with("weir_") {
        return Err(RuleError::new(file, format!("`{name}` is no rule name"))
            .hint("lower-case letters, digits and `_`, starting with a letter, at most 63; `weir_` is reserved"));
    }
    if file.file_stem().is_some_and(|stem| stem != name.as_str()) {
        return Err(RuleError::new(file, format!("the header names the rule `{name}`"))
            .hint(format!("name the file {name}.sql, so that a rule is found by its name")));
    }
    Ok(())
}

/// Line and column (from 1, in characters) of a byte offset.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}

fn find(text: &str, needle: &str) -> (usize, usize) {
    text.find(needle).map_or((0, 0), |offset| position(text, offset))
}
