//! The functions that Arroyo registers: each under its primary name only, as Arroyo looks them up.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::{FunctionRegistry, SessionStateDefaults};
use datafusion::functions_aggregate::variance::var_samp_udaf;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, WindowUDF,
};

use super::bounded::bounded;
use super::corrected::corrected;
use super::json;
use crate::program::window_type;

/// Functions that Arroyo's Iceberg sink registers, which the engine does not have.
pub(crate) const ICEBERG: [&str; 7] =
    ["ice_bucket", "ice_day", "ice_hour", "ice_identity", "ice_month", "ice_truncate", "ice_year"];

/// Every function of the dialect. Built once: a process plans many programs.
pub(crate) static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::new);

/// The functions by name.
#[derive(Default)]
pub(crate) struct Functions {
    pub(crate) scalar: HashMap<String, Arc<ScalarUDF>>,
    pub(crate) aggregate: HashMap<String, Arc<AggregateUDF>>,
    pub(crate) window: HashMap<String, Arc<WindowUDF>>,
    pub(crate) planners: Vec<Arc<dyn ExprPlanner>>,
    pub(crate) rewrites: Vec<Arc<dyn FunctionRewrite + Send + Sync>>,
}

impl Functions {
    fn new() -> Self {
        let mut functions = Self::default();
        // Registration only fills maps: it cannot fail.
        let _ = datafusion_functions_json::register_all(&mut functions);
        for udf in json::all().into_iter().chain(placeholders()).chain(SessionStateDefaults::default_scalar_functions())
        {
            functions.scalar.insert(udf.name().to_owned(), bounded(udf));
        }
        for udaf in SessionStateDefaults::default_aggregate_functions().into_iter().chain([var_samp_udaf()]) {
            functions.aggregate.insert(udaf.name().to_owned(), corrected(udaf));
        }
        for udwf in SessionStateDefaults::default_window_functions() {
            functions.window.insert(udwf.name().to_owned(), udwf);
        }
        functions.planners.extend(SessionStateDefaults::default_expr_planners());
        functions
    }

    /// The primary name of a function that only DataFusion's aliases know.
    pub(crate) fn primary_name(&self, alias: &str) -> Option<&str> {
        let matches = |aliases: &[String]| aliases.iter().any(|a| a == alias);
        let scalar = self.scalar.values().find(|f| matches(f.aliases())).map(|f| f.name());
        let aggregate = || self.aggregate.values().find(|f| matches(f.aliases())).map(|f| f.name());
        scalar.or_else(aggregate).or_else(|| self.window.values().find(|f| matches(f.aliases())).map(|f| f.name()))
    }
}

impl FunctionRegistry for Functions {
    fn udfs(&self) -> std::collections::HashSet<String> {
        self.scalar.keys().cloned().collect()
    }

    fn udf(&self, name: &str) -> Result<Arc<ScalarUDF>> {
        self.scalar.get(name).cloned().map_or_else(|| plan_err!("no function {name}"), Ok)
    }

    fn udaf(&self, name: &str) -> Result<Arc<AggregateUDF>> {
        self.aggregate.get(name).cloned().map_or_else(|| plan_err!("no function {name}"), Ok)
    }

    fn udwf(&self, name: &str) -> Result<Arc<WindowUDF>> {
        self.window.get(name).cloned().map_or_else(|| plan_err!("no function {name}"), Ok)
    }

    fn register_udf(&mut self, udf: Arc<ScalarUDF>) -> Result<Option<Arc<ScalarUDF>>> {
        Ok(self.scalar.insert(udf.name().to_owned(), udf))
    }

    fn register_function_rewrite(&mut self, rewrite: Arc<dyn FunctionRewrite + Send + Sync>) -> Result<()> {
        self.rewrites.push(rewrite);
        Ok(())
    }

    fn register_expr_planner(&mut self, planner: Arc<dyn ExprPlanner>) -> Result<()> {
        self.planners.push(planner);
        Ok(())
    }

    fn expr_planners(&self) -> Vec<Arc<dyn ExprPlanner>> {
        self.planners.clone()
    }
}

/// Functions that exist while planning only: they become operators or columns.
fn placeholders() -> Vec<Arc<ScalarUDF>> {
    let interval = || DataType::Interval(IntervalUnit::MonthDayNano);
    let fixed =
        |name, arguments, result| Placeholder::new(name, Signature::exact(arguments, Volatility::Volatile), Ok(result));
    vec![
        fixed("tumble", vec![interval()], window_type()),
        fixed("hop", vec![interval(), interval()], window_type()),
        fixed("session", vec![interval()], window_type()),
        fixed("metadata", vec![DataType::Utf8], DataType::Utf8),
        Placeholder::new(
            "row_time",
            Signature::nullary(Volatility::Volatile),
            Ok(DataType::Timestamp(TimeUnit::Nanosecond, None)),
        ),
        Placeholder::new("unnest", Signature::any(1, Volatility::Volatile), Err(item_type)),
    ]
}

fn item_type(arguments: &[DataType]) -> Result<DataType> {
    match arguments {
        [DataType::List(item)] => Ok(item.data_type().clone()),
        _ => plan_err!("unnest may only be called on arrays"),
    }
}

type ReturnType = std::result::Result<DataType, fn(&[DataType]) -> Result<DataType>>;

struct Placeholder {
    name: &'static str,
    signature: Signature,
    /// A fixed type, or the function that finds it.
    return_type: ReturnType,
}

impl Placeholder {
    #[allow(clippy::new_ret_no_self, reason = "only ever used as a function of the registry")]
    fn new(name: &'static str, signature: Signature, return_type: ReturnType) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self { name, signature, return_type }))
    }
}

impl fmt::Debug for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl ScalarUDFImpl for Placeholder {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match &self.return_type {
            Ok(fixed) => Ok(fixed.clone()),
            Err(function) => function(arguments),
        }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Execution(format!("{}() is not allowed in this context", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line for each name: `scalar abs`, and `alias mean` for what only DataFusion knows.
    const NAMES: &str = include_str!("../../../../tests/conformance/functions.txt");

    fn is_known(name: &str) -> bool {
        FUNCTIONS.scalar.contains_key(name)
            || FUNCTIONS.aggregate.contains_key(name)
            || FUNCTIONS.window.contains_key(name)
    }

    #[test]
    fn the_names_are_those_that_arroyo_registers_and_no_aliases() {
        let mut lines = Vec::new();
        for (kind, names) in [
            ("scalar", FUNCTIONS.scalar.keys().collect::<Vec<_>>()),
            ("aggregate", FUNCTIONS.aggregate.keys().collect()),
            ("window", FUNCTIONS.window.keys().collect()),
        ] {
            lines.extend(names.into_iter().map(|name| format!("{kind} {name}")));
        }
        let scalar = FUNCTIONS.scalar.values().flat_map(|f| f.aliases());
        let aggregate = FUNCTIONS.aggregate.values().flat_map(|f| f.aliases());
        let window = FUNCTIONS.window.values().flat_map(|f| f.aliases());
        let aliases = scalar.chain(aggregate).chain(window).filter(|name| !is_known(name));
        lines.extend(aliases.map(|name| format!("alias {name}")));
        lines.extend(ICEBERG.map(|name| format!("iceberg {name}")));
        lines.sort();
        lines.dedup();
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        if std::env::var_os("BLESS").is_some() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance/functions.txt");
            std::fs::write(file, &text).unwrap();
        } else {
            assert_eq!(text, NAMES, "BLESS=1 writes the list anew");
        }
    }

    #[test]
    fn every_alias_is_refused_with_its_primary_name_and_iceberg_by_name() {
        let plan = |name: &str| {
            let sql = format!(
                "CREATE TABLE t (a BIGINT) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json');\nSELECT \"{name}\"(a) FROM t;"
            );
            crate::plan(&sql, &crate::PlanOptions::default()).unwrap_err()
        };
        for alias in NAMES.lines().filter_map(|line| line.strip_prefix("alias ")) {
            let error = plan(alias);
            let primary = FUNCTIONS.primary_name(alias).unwrap();
            assert_eq!(error.hint, Some(format!("Arroyo knows this function only as {primary}")), "{alias}: {error}");
            assert_eq!((error.line, error.column), (2, 8), "{alias}: {error}");
        }
        for name in ICEBERG {
            let error = plan(name);
            let said = format!("not supported by the embedded engine: function {name}; run it on Arroyo");
            assert_eq!((error.message.as_str(), error.line), (said.as_str(), 2), "{error}");
        }
    }
}
