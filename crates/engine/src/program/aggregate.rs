//! Aggregates in time windows.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::rows::RowExpressions;
use super::window::Window;

/// One aggregate of a window operator.
#[derive(Debug, Clone)]
pub(crate) struct AggregateSpec {
    pub(crate) function: Arc<AggregateFunctionExpr>,
    pub(crate) arguments: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) filter: Option<Arc<dyn PhysicalExpr>>,
    /// Whether its result may fail for what a record holds: a mean of decimals overflows, a user's function may panic.
    pub(crate) may_fail: bool,
    /// Columns of its partial state.
    pub(crate) states: usize,
}

impl AggregateSpec {
    pub(crate) fn new(
        function: Arc<AggregateFunctionExpr>,
        filter: Option<Arc<dyn PhysicalExpr>>,
        may_fail: bool,
    ) -> Result<Self> {
        let mut arguments = function.expressions();
        arguments.extend(function.order_bys().into_iter().flat_map(|o| o.iter().map(|s| Arc::clone(&s.expr))));
        let states = function.state_fields()?.len();
        Ok(Self { function, arguments, filter, may_fail, states })
    }

    pub(crate) fn argument_count(&self) -> usize {
        self.arguments.len()
    }

    pub(crate) fn has_filter(&self) -> bool {
        self.filter.is_some()
    }
}

/// An aggregate in a time window.
#[derive(Debug, Clone)]
pub(crate) struct WindowSpec {
    pub(crate) rows: RowExpressions,
    pub(crate) keys: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) time: Arc<dyn PhysicalExpr>,
    pub(crate) row: Arc<dyn PhysicalExpr>,
    pub(crate) aggregates: Vec<AggregateSpec>,
    pub(crate) window: Window,
    /// Where the window stands among the output's columns.
    pub(crate) window_index: usize,
    pub(crate) schema: SchemaRef,
}

impl WindowSpec {
    #[allow(clippy::too_many_arguments, reason = "the parts of one specification, passed once")]
    pub(crate) fn new(
        rows: RowExpressions,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        time: Arc<dyn PhysicalExpr>,
        row: Arc<dyn PhysicalExpr>,
        aggregates: Vec<AggregateSpec>,
        window: Window,
        window_index: usize,
        schema: SchemaRef,
    ) -> Result<Self> {
        if keys.len() + aggregates.len() + 2 != schema.fields().len() {
            return internal_err!("window of {} keys and {} aggregates gives {}", keys.len(), aggregates.len(), schema);
        }
        Ok(Self { rows, keys, time, row, aggregates, window, window_index, schema })
    }
}
