//! Conditions with SQL's three values.

use std::cmp::Ordering;

use super::{Comparison, Expression, Predicate};
use crate::cell::Cell;

impl Predicate {
    /// Whether the condition is true; NULL is not.
    pub(crate) fn holds<'a>(&'a self, column: &impl Fn(usize) -> Cell<'a>) -> bool {
        self.root.truth(column) == Some(true)
    }
}

impl Expression {
    fn value<'a>(&'a self, column: &impl Fn(usize) -> Cell<'a>) -> Cell<'a> {
        match self {
            Self::Column(index) => column(*index),
            Self::Null => Cell::Null,
            Self::Boolean(value) => Cell::Boolean(*value),
            Self::Number(value) => Cell::Double(*value),
            Self::Integer(value) => Cell::Integer(*value),
            Self::Text(text) => Cell::Text(text),
            Self::Time(nanos) => Cell::Timestamp(*nanos),
            _ => self.truth(column).map_or(Cell::Null, Cell::Boolean),
        }
    }

    /// True, false, or NULL.
    fn truth<'a>(&'a self, column: &impl Fn(usize) -> Cell<'a>) -> Option<bool> {
        match self {
            Self::Compare(left, comparison, right) => {
                order(left.value(column), right.value(column)).map(|order| comparison.fits(order))
            }
            Self::Like(left, pattern) => match left.value(column) {
                Cell::Text(text) => Some(like(text, pattern)),
                _ => None,
            },
            Self::In(left, list) => {
                let left = left.value(column);
                let mut unknown = matches!(left, Cell::Null);
                for item in list {
                    match order(left, item.value(column)) {
                        Some(Ordering::Equal) => return Some(true),
                        Some(_) => {}
                        None => unknown = true,
                    }
                }
                (!unknown).then_some(false)
            }
            Self::IsNull(inner) => Some(matches!(inner.value(column), Cell::Null)),
            Self::Not(inner) => inner.truth(column).map(|truth| !truth),
            Self::And(left, right) => match (left.truth(column), right.truth(column)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.truth(column), right.truth(column)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            _ => match self.value(column) {
                Cell::Boolean(value) => Some(value),
                _ => None,
            },
        }
    }
}

impl Comparison {
    fn fits(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// How two values stand to each other; `None` when one is NULL. Texts compare by their bytes, integers with doubles as
/// doubles.
fn order(left: Cell<'_>, right: Cell<'_>) -> Option<Ordering> {
    match (left, right) {
        (Cell::Integer(a), Cell::Integer(b)) | (Cell::Timestamp(a), Cell::Timestamp(b)) => Some(a.cmp(&b)),
        (Cell::Boolean(a), Cell::Boolean(b)) => Some(a.cmp(&b)),
        (Cell::Text(a) | Cell::Json(a), Cell::Text(b) | Cell::Json(b)) => Some(a.cmp(b)),
        (Cell::Double(a), Cell::Double(b)) => a.partial_cmp(&b),
        (Cell::Double(a), Cell::Integer(b)) => a.partial_cmp(&(b as f64)),
        (Cell::Integer(a), Cell::Double(b)) => (a as f64).partial_cmp(&b),
        _ => None,
    }
}

/// SQL's LIKE: `%` is any text, `_` one character, `\` makes the next one itself. Linear in the product of both lengths at
/// worst: only the last `%` is ever returned to.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    let mut back = None;
    while at < text.len() {
        let (literal, width) = match (pattern.get(of), pattern.get(of + 1)) {
            (Some('\\'), Some(next)) => (Some(*next), 2),
            (Some('%'), _) => {
                back = Some((at, of));
                of += 1;
                continue;
            }
            (Some('_'), _) => (text.get(at).copied(), 1),
            (next, _) => (next.copied(), 1),
        };
        if literal.is_some() && literal == text.get(at).copied() {
            at += 1;
            of += width;
            continue;
        }
        let Some((from, percent)) = back else { return false };
        at = from + 1;
        of = percent + 1;
        back = Some((at, percent));
    }
    pattern.get(of..).unwrap_or_default().iter().all(|c| *c == '%')
}
