//! Paths into a record: `$.detail.requestParameters["x-y"]`, `$.readings[0].v`, `device`.
//!
//! The language is the part of JSONPath (RFC 9535) that one pass over a record can follow:
//!
//! | step | |
//! |---|---|
//! | `.name`, or a bare first `name` | a member; any characters but blanks and `.[]"'$*`, so that `detail-type` needs no quotes |
//! | `["name"]`, `['name']` | a member of any name; `\"`, `\'` and `\\` in it are escapes |
//! | `[0]` | an element of a list, from 0 |
//! | `[*]` | every element: makes rows, allowed in `each` and in fields that follow it |
//! | `[key="text"]` | the first element that is an object whose member `key` is that text (OTLP's attribute lists) |
//!
//! The leading `$` is optional; `$` alone is the whole value.

use std::fmt;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// From the outside in.
    pub steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// An element of a list.
    Element(usize),
    /// Every element of a list.
    Every,
    /// The first element of a list that is an object with this text as this member.
    Where {
        /// The member that is compared.
        member: String,
        /// What it must be.
        equals: String,
    },
}

/// Why a text is no path: what is wrong, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    /// Byte of the text.
    pub at: usize,
    /// What is wrong there.
    pub message: &'static str,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// When it is not of the language above.
    ///
    /// ```
    /// let path = weir_stream::Path::parse(r#"$.detail["x-y"][0]"#)?;
    /// assert_eq!(path.steps.len(), 3);
    /// # Ok::<(), weir_stream::PathError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut reader = Reader { text, at: 0 };
        let mut steps = Vec::new();
        let rooted = reader.take("$");
        if !rooted && reader.peek().is_some_and(|next| next != '[') {
            steps.push(Step::Member(reader.name()?));
        }
        while let Some(next) = reader.peek() {
            steps.push(match next {
                '.' => {
                    reader.take(".");
                    Step::Member(reader.name()?)
                }
                '[' => reader.bracket()?,
                _ => return Err(reader.error("expected `.` or `[`")),
            });
        }
        if steps.is_empty() && !rooted {
            return Err(reader.error("the path is empty; `$` is the whole value"));
        }
        Ok(Self { steps })
    }

    /// A path to one member.
    #[must_use]
    pub fn member(name: &str) -> Self {
        Self { steps: vec![Step::Member(name.to_owned())] }
    }

    /// How many `[*]` it has.
    pub(crate) fn levels(&self) -> usize {
        self.steps.iter().filter(|step| **step == Step::Every).count()
    }

    /// This path, then `other`.
    pub(crate) fn then(&self, other: &Self) -> Self {
        Self { steps: self.steps.iter().chain(&other.steps).cloned().collect() }
    }
}

impl fmt::Display for Path {
    /// The shortest form: `device`, `detail.x`, `$[0]`, `detail["x.y"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Member(name) if is_bare(name) => {
                    write!(f, "{}{name}", if index == 0 { "" } else { "." })?;
                    continue;
                }
                _ if index == 0 => f.write_str("$")?,
                _ => {}
            }
            match step {
                Step::Member(name) => write!(f, "[{}]", Quoted(name))?,
                Step::Element(at) => write!(f, "[{at}]")?,
                Step::Every => f.write_str("[*]")?,
                Step::Where { member, equals }
                    if is_bare(member) && !member.starts_with(|c: char| c == '-' || c.is_ascii_digit()) =>
                {
                    write!(f, "[{member}={}]", Quoted(equals))?
                }
                Step::Where { member, equals } => write!(f, "[{}={}]", Quoted(member), Quoted(equals))?,
            }
        }
        if self.steps.is_empty() { f.write_str("$") } else { Ok(()) }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_bare_char)
}

fn is_bare_char(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !".[]\"'$*=".contains(c)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn error(&self, message: &'static str) -> PathError {
        PathError { at: self.at, message }
    }

    fn name(&mut self) -> Result<String, PathError> {
        let name: String = self.rest().chars().take_while(|c| is_bare_char(*c)).collect();
        if name.is_empty() {
            return Err(self.error("expected a name; other characters need quotes: `[\"a b\"]`"));
        }
        self.at += name.len();
        Ok(name)
    }

    fn bracket(&mut self) -> Result<Step, PathError> {
        self.take("[");
        let step = match self.peek() {
            Some('*') => {
                self.take("*");
                Step::Every
            }
            Some('0'..='9') => {
                let digits: String = self.rest().chars().take_while(char::is_ascii_digit).collect();
                let index = digits.parse().map_err(|_| self.error("the number is too large"))?;
                self.at += digits.len();
                Step::Element(index)
            }
            Some('-') => return Err(self.error("elements are counted from the start: one pass does not know the end")),
            Some('"' | '\'') => {
                let name = self.quoted()?;
                self.condition(name)?
            }
            _ => {
                let name = self.name()?;
                if !self.rest().starts_with('=') {
                    return Err(self.error("a name in brackets needs quotes: `[\"name\"]`"));
                }
                self.condition(name)?
            }
        };
        if self.take("]") { Ok(step) } else { Err(self.error("expected `]`")) }
    }

    fn condition(&mut self, name: String) -> Result<Step, PathError> {
        if !self.take("=") {
            return Ok(Step::Member(name));
        }
        self.take("=");
        Ok(Step::Where { member: name, equals: self.quoted()? })
    }

    fn quoted(&mut self) -> Result<String, PathError> {
        let Some(quote @ ('"' | '\'')) = self.peek() else { return Err(self.error("expected a text in quotes")) };
        let (start, mut text, mut escaped) = (self.at, String::new(), false);
        for (offset, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if escaped => {
                    text.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                _ if c == quote => {
                    self.at = start + offset + 1;
                    return Ok(text);
                }
                _ => text.push(c),
            }
        }
        Err(self.error("the quote is not closed"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(name: &str) -> Step {
        Step::Member(name.to_owned())
    }

    #[test]
    fn reads_the_forms_that_people_write() {
        let steps = |text| Path::parse(text).unwrap().steps;
        assert_eq!(steps("$"), []);
        assert_eq!(steps("device"), [member("device")]);
        assert_eq!(steps("detail-type"), [member("detail-type")]);
        assert_eq!(
            steps(r#"$.detail.requestParameters["x-y"]"#),
            [member("detail"), member("requestParameters"), member("x-y")]
        );
        assert_eq!(steps("$.readings[0].v"), [member("readings"), Step::Element(0), member("v")]);
        assert_eq!(steps("$[*]"), [Step::Every]);
        assert_eq!(steps("['a.b'].c"), [member("a.b"), member("c")]);
        assert_eq!(
            steps(r#"attributes[key="host.name"].value.stringValue"#),
            [
                member("attributes"),
                Step::Where { member: "key".to_owned(), equals: "host.name".to_owned() },
                member("value"),
                member("stringValue"),
            ]
        );
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let error = |text| Path::parse(text).map_err(|e| (e.at, e.message)).unwrap_err();
        assert_eq!(error("").0, 0);
        assert_eq!(error("a.").0, 2);
        assert_eq!(error("a[").0, 2);
        assert_eq!(error("a[0").1, "expected `]`");
        assert_eq!(error("a[-1]").1, "elements are counted from the start: one pass does not know the end");
        assert_eq!(error("a[b]").1, "a name in brackets needs quotes: `[\"name\"]`");
        assert_eq!(error("a[\"b]").1, "the quote is not closed");
        assert_eq!(error("$x").1, "expected `.` or `[`");
        assert_eq!(error("a[99999999999999999999999]").1, "the number is too large");
    }

    fn any_path() -> impl Strategy<Value = Path> {
        let step = prop_oneof![
            ".{1,6}".prop_map(Step::Member),
            any::<usize>().prop_map(Step::Element),
            Just(Step::Every),
            (".{1,4}", ".{0,4}").prop_map(|(member, equals)| Step::Where { member, equals }),
        ];
        proptest::collection::vec(step, 0..6).prop_map(|steps| Path { steps })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(path in any_path()) {
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}|[$.\\[\\]\"'*=a0\\\\]{0,12}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
