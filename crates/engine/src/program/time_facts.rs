//! What sources must know of a program to read time as its operators need it.

use super::node::NodeKind;
use super::operator::Operator;
use super::window::Window;

/// Facts of all operators together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeFacts {
    /// The shortest bin of tumbling and hopping windows, in nanoseconds.
    pub(crate) shortest_bin: Option<i64>,
    /// Whether un-windowed streams are joined: their rows carry the watermark before each.
    pub(crate) has_join: bool,
}

impl TimeFacts {
    pub(crate) fn of(operators: &[Operator]) -> Self {
        let bin = |operator: &Operator| match &operator.kind {
            NodeKind::Window(spec) => match spec.window {
                Window::Tumble { width } => Some(width),
                Window::Hop { slide, .. } => Some(slide),
                Window::Session { .. } => None,
            },
            _ => None,
        };
        Self {
            shortest_bin: operators.iter().filter_map(bin).min(),
            has_join: operators.iter().any(|operator| matches!(operator.kind, NodeKind::Join(_))),
        }
    }
}
