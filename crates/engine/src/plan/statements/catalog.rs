//! What a program has defined so far, as DataFusion's SQL planner asks for it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::TableReference;
use datafusion::sql::planner::ContextProvider;

use super::table::{ConnectorTable, time_type};
use crate::functions::{FUNCTIONS, Udfs};
use crate::program::{NodeId, TIMESTAMP, TableKind};

/// The tables and views that are defined.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    tables: HashMap<String, Table>,
    udfs: Udfs,
    options: ConfigOptions,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Table {
    Source(Arc<ConnectorTable>),
    Sink(Arc<ConnectorTable>),
    /// A table without a connector; its rows come from the one `INSERT` into it.
    Memory {
        fields: Vec<FieldRef>,
        node: Option<NodeId>,
        /// The rows come straight from a `UNION ALL`.
        united: bool,
    },
    View {
        fields: Vec<FieldRef>,
        node: NodeId,
    },
    /// A table with only these columns, while a generated column is planned.
    Columns(SchemaRef),
}

impl Catalog {
    pub(crate) fn new(udfs: Udfs) -> Self {
        Self { udfs, ..Self::default() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Table> {
        self.tables.get(&name.to_lowercase())
    }

    pub(crate) fn insert(&mut self, name: &str, table: Table) -> Option<Table> {
        self.tables.insert(name.to_lowercase(), table)
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Table> {
        self.tables.remove(&name.to_lowercase())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Gives a sink without columns those of the first query into it.
    pub(crate) fn infer_columns(&mut self, name: &str, schema: &Schema) -> Result<()> {
        let Some(Table::Sink(sink)) = self.tables.get_mut(&name.to_lowercase()) else { return Ok(()) };
        if sink.fields.is_empty() {
            let mut table = ConnectorTable::clone(sink);
            table.set_columns(schema.fields().iter().filter(|f| f.name() != TIMESTAMP).map(|f| Field::clone(f)));
            *sink = Arc::new(table);
        }
        Ok(())
    }

    pub(crate) fn table(&self, kind: TableKind, name: &str) -> Option<Arc<ConnectorTable>> {
        match (self.get(name)?, kind) {
            (Table::Source(table), TableKind::Source) | (Table::Sink(table), TableKind::Sink) => {
                Some(Arc::clone(table))
            }
            _ => None,
        }
    }
}

impl Table {
    /// The columns that a query may name.
    fn schema(&self) -> SchemaRef {
        match self {
            Self::Source(table) | Self::Sink(table) => table.schema(),
            Self::Memory { fields, .. } => Schema::new(fields.clone()).into(),
            Self::View { fields, .. } => {
                // As on Arroyo, a view shows its rows' time as a column of its own.
                let mut fields = fields.clone();
                if !fields.iter().any(|f| f.name() == TIMESTAMP) {
                    fields.push(Field::new(TIMESTAMP, time_type(), false).into());
                }
                Schema::new(fields).into()
            }
            Self::Columns(schema) => Arc::clone(schema),
        }
    }
}

impl ContextProvider for Catalog {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match self.get(name.table()) {
            Some(table) => Ok(Arc::new(Columns(table.schema()))),
            None => plan_err!("Table {name} not found"),
        }
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        FUNCTIONS.scalar.get(name).or_else(|| self.udfs.scalar.get(name)).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        FUNCTIONS.aggregate.get(name).or_else(|| self.udfs.aggregate.get(name)).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        FUNCTIONS.window.get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        FUNCTIONS.scalar.keys().chain(self.udfs.scalar.keys()).cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        FUNCTIONS.aggregate.keys().chain(self.udfs.aggregate.keys()).cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        FUNCTIONS.window.keys().cloned().collect()
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &FUNCTIONS.planners
    }
}

/// A table whose columns alone matter; filters stay where the plan has them.
pub(crate) struct Columns(pub(crate) SchemaRef);

impl TableSource for Columns {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }
}
