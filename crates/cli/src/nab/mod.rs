//! The Numenta Anomaly Benchmark: its corpus, its scorer, and a replay of its series through a rule.

pub(crate) mod corpus;
pub(crate) mod published;
pub(crate) mod replay;
pub(crate) mod score;
