//! Expressions and plans over batches of rows.

pub(crate) mod batch;
pub(crate) mod evaluate;
pub(crate) mod expressions;
pub(crate) mod failures;
pub(crate) mod over_rows;
