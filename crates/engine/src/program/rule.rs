//! The statements of a program that write: in a compiled pack, one a rule. What a run counts is told apart by them.

use std::collections::BTreeSet;

use super::input::NodeId;
use super::node::NodeKind;
use super::operator::Operator;

/// A statement that writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleInfo {
    /// The name that a comment before the statement gives, else the sink and the statement's line.
    pub(crate) name: String,
    /// The table that it writes.
    pub(crate) sink: String,
    /// The operator that writes.
    pub(crate) node: NodeId,
    /// The operators whose rows reach it.
    operators: BTreeSet<NodeId>,
    /// The program's sources whose rows reach it.
    pub(crate) sources: Vec<usize>,
}

impl RuleInfo {
    pub(crate) fn of_sink(sink: String, node: NodeId) -> Self {
        Self { sink, node, ..Self::default() }
    }

    /// With everything that it reads.
    pub(crate) fn reading(mut self, operators: &[Operator]) -> Self {
        let mut next = vec![self.node];
        while let Some(id) = next.pop() {
            let Some(operator) = operators.get(id).filter(|_| self.operators.insert(id)) else { continue };
            if let NodeKind::Source(spec) = &operator.kind {
                self.sources.push(spec.index);
            }
            next.extend(operator.inputs());
        }
        self
    }

    /// Whether rows of an operator reach it.
    pub(crate) fn reads(&self, operator: NodeId) -> bool {
        self.operators.contains(&operator)
    }
}
