//! Why a program was refused, and where.

use std::fmt;

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanErrorKind {
    /// The text is not SQL.
    Syntax,
    /// Arroyo refuses the program too.
    Refused,
    /// Arroyo runs the program, the embedded engine does not.
    NotSupported,
}

/// A program that cannot be planned: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// What kind of refusal it is.
    pub kind: PlanErrorKind,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// Line in the program, from 1; 0 where no place is known.
    pub line: usize,
    /// Column in the line, from 1; 0 where no place is known.
    pub column: usize,
    /// What the author may do.
    pub hint: Option<String>,
}

impl PlanError {
    pub(crate) fn new(kind: PlanErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), line: 0, column: 0, hint: None }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(PlanErrorKind::Refused, message)
    }

    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new(PlanErrorKind::Syntax, message)
    }

    /// Arroyo would run it: says so.
    pub(crate) fn not_supported(what: impl fmt::Display) -> Self {
        Self::new(
            PlanErrorKind::NotSupported,
            format!("not supported by the embedded engine: {what}; run it on Arroyo"),
        )
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        if self.line == 0 {
            self.line = place.line;
            self.column = place.column;
        }
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if self.hint.is_none() {
            self.hint = Some(hint.into());
        }
        self
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PlanError {}

/// A place in the program, both counted from 1; 0 where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}
