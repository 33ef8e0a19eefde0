//! How records follow one another in a file.

use weir_stream::{Declaration, Format, Framing, Path, Step, Wrapping};

/// How records follow one another in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nobody has said: by what the file holds.
    Unknown,
    /// Each file is one record as it stands, compressed or not.
    Whole,
    /// JSON values: a line each, glued together, over several lines, or the elements of one list.
    Json {
        /// Whether a record is a list itself: then a list is never taken apart.
        lists: bool,
        /// Whether records are gzipped on the stream.
        gzip: bool,
    },
    /// One record a line.
    Lines {
        /// Whether records are gzipped on the stream.
        gzip: bool,
    },
}

impl Shape {
    /// How the records of a declared stream follow one another in a file.
    ///
    /// A file of JSON holds values, whatever the envelope: each line of `lines` and each value of `values` is a record of its
    /// own in any case, and objects glued together in a file are what Firehose makes of single ones.
    #[must_use]
    pub fn of(declaration: &Declaration) -> Self {
        let framing = declaration.envelope.framing;
        let logs = framing == Framing::CloudwatchLogs;
        let gzip = logs || declaration.envelope.wrappings.iter().any(|w| matches!(w, Wrapping::Gzip | Wrapping::Auto));
        if logs || framing == Framing::Eventbridge {
            return Self::Json { lists: false, gzip };
        }
        let of_list = |path: &Path| matches!(path.steps.first(), Some(Step::Every | Step::Element(_)));
        match &declaration.format {
            Format::Json => {
                let lists = match &declaration.each {
                    Some(each) => of_list(each),
                    None => declaration.fields.iter().any(|field| of_list(&field.path)),
                };
                Self::Json { lists, gzip }
            }
            _ => Self::Lines { gzip },
        }
    }

    /// Whether a record may be gzip itself.
    pub(crate) const fn gzip(self) -> bool {
        matches!(self, Self::Json { gzip: true, .. } | Self::Lines { gzip: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        Shape::of(&Declaration::parse("s.toml".as_ref(), text).unwrap())
    }

    #[test]
    fn a_declaration_says_where_records_end() {
        let fields = "[fields]\na = \"text\"\n";
        assert_eq!(shape(fields), Shape::Json { lists: false, gzip: false });
        assert_eq!(shape(&format!("envelope = \"lines\"\n{fields}")), Shape::Json { lists: false, gzip: false });
        assert_eq!(shape(&format!("each = \"$[*]\"\n{fields}")), Shape::Json { lists: true, gzip: false });
        assert_eq!(shape(&format!("each = \"$.items[*]\"\n{fields}")), Shape::Json { lists: false, gzip: false });
        let first = "[fields]\na = { type = \"text\", path = \"$[0]\" }\n";
        assert_eq!(shape(first), Shape::Json { lists: true, gzip: false });
        let csv = "envelope = [\"gzip\", \"lines\"]\nformat = \"csv\"\ncolumns = [\"a\"]\n";
        assert_eq!(shape(&format!("{csv}{fields}")), Shape::Lines { gzip: true });
        let logs = "envelope = \"cloudwatch_logs\"\nformat = \"text\"\npattern = \"{a}\"\n";
        assert_eq!(shape(&format!("{logs}{fields}")), Shape::Json { lists: false, gzip: true });
    }
}
