//! From a place in the compiled program back to the file that a person wrote.

use std::path::{Path, PathBuf};

use crate::guard::Edit;

/// Where a line of the compiled program came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1; 0 when the place was written by the compiler.
    pub column: usize,
}

/// Maps each line of the program to its origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceMap {
    lines: Vec<Option<MappedLine>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct MappedLine {
    file: PathBuf,
    line: usize,
    /// `(compiled column, written column)`, both from 1 and rising: a later column moves with the last pair at or before it.
    shifts: Vec<(usize, usize)>,
}

impl SourceMap {
    /// Where a place of the compiled program was written; the nearest written line above it when the compiler wrote it.
    #[must_use]
    pub fn origin(&self, line: usize, column: usize) -> Option<Origin> {
        let index = line.checked_sub(1)?;
        if let Some(Some(mapped)) = self.lines.get(index) {
            return Some(mapped.origin(column));
        }
        let above = self.lines.iter().take(index).rev().flatten().next()?;
        Some(Origin { file: above.file.clone(), line: above.line, column: 0 })
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    pub(crate) fn push_generated(&mut self, lines: usize) {
        self.lines.extend(std::iter::repeat_n(None, lines));
    }

    /// Lines that the compiler writes for a rule: what is wrong with them is wrong with the rule.
    pub(crate) fn push_generated_for(&mut self, lines: usize, file: &Path, line: usize) {
        let of_rule = || Some(MappedLine { file: file.to_owned(), line, shifts: Vec::new() });
        self.lines.extend(std::iter::repeat_with(of_rule).take(lines));
    }

    /// Moves the places of a line as an edit moves its text.
    pub(crate) fn edit(&mut self, line: usize, edit: &Edit) {
        let mapped = line.checked_sub(1).and_then(|index| self.lines.get_mut(index)).and_then(Option::as_mut);
        let Some(mapped) = mapped else { return };
        let (after, inserted) = (edit.column + edit.removed, edit.inserted.chars().count());
        let kept = (edit.column + inserted, mapped.origin(after).column);
        let mut shifts: Vec<(usize, usize)> =
            mapped.shifts.iter().copied().filter(|(at, _)| *at <= edit.column).collect();
        shifts.push(kept);
        let later = mapped.shifts.iter().filter(|(at, _)| *at > after);
        shifts.extend(later.map(|(at, written)| (at - edit.removed + inserted, *written)));
        mapped.shifts = shifts;
    }

    pub(crate) fn push_written(&mut self, file: &Path, line: usize, shifts: Vec<(usize, usize)>) {
        self.lines.push(Some(MappedLine { file: file.to_owned(), line, shifts }));
    }
}

impl MappedLine {
    fn origin(&self, column: usize) -> Origin {
        if self.shifts.is_empty() {
            return Origin { file: self.file.clone(), line: self.line, column: 0 };
        }
        let (compiled, written) = self.shifts.iter().rev().find(|(at, _)| *at <= column).copied().unwrap_or((1, 1));
        Origin { file: self.file.clone(), line: self.line, column: written + column.saturating_sub(compiled) }
    }
}
