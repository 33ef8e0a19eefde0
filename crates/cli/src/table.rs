//! Lines in columns.

use std::fmt::Write as _;

/// Lines in columns, the first of which are headings; the last column is as long as it is.
pub(crate) fn in_columns<const N: usize>(lines: &[[String; N]]) -> String {
    let mut text = String::new();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    for line in lines {
        let mut said = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = width(column).unwrap_or(0);
            let _ = write!(said, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", said.trim_end());
    }
    text
}
