//! Plans a program: SQL text in, a graph of operators out, or a refusal with its place and a hint.
//!
//! The steps are Arroyo's: each statement is planned and optimized by DataFusion with Arroyo's functions and rules
//! ([`statements`]), its plan is lowered into operators ([`lower`]), and when all statements are read, those that do the same
//! become one ([`reuse`]), and the operators are pruned ([`prune`]) and made runnable ([`physical`]).

mod lower;
mod physical;
mod reuse;
mod statements;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::datatypes::{DataType, Field, FieldRef};
use chrono::{DateTime, Utc};
use datafusion::logical_expr::{DmlStatement, Expr, LogicalPlan, WriteOp};
use datafusion::sql::sqlparser::ast;
use sha2::{Digest, Sha256};

use crate::error::{Place, PlanError};
use crate::functions::{Udf, Udfs, json};
use crate::program::{NodeId, NodeKind, Program, RuleInfo, TableInfo, TableKind, TimeFacts};
use crate::sql::{self, Statement, StatementKind};
use lower::columns::{project, qualified_fields, visible_columns};
use lower::graph::Graph;
use lower::{Lowering, Stream};
use statements::catalog::{Catalog, Table};
use statements::diagnose::{explain, passed_through, refusal};
use statements::table::{PREVIEW, preview_table};
use statements::{declare, optimize};

/// How to plan.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// The instant at which `now()` is frozen; the present when `None`.
    pub now: Option<SystemTime>,
    /// Functions that the program may call beside the dialect's own.
    pub udfs: Vec<Udf>,
    /// What becomes of queries that compare or combine values of different kinds.
    pub mismatches: Mismatches,
}

/// What becomes of text that is compared with a number, and the like: DataFusion, and so Arroyo, casts one side in silence,
/// and `event ->> 'pressure' > 20` holds for `9`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mismatches {
    /// They run as they do on Arroyo, and the program has a warning ([`Program::warnings`]).
    #[default]
    Warn,
    /// They are refused.
    Refuse,
}

/// Plans a program.
///
/// # Errors
/// The text is not SQL, Arroyo would refuse it, or only Arroyo runs it.
pub fn plan(sql: &str, options: &PlanOptions) -> Result<Program, PlanError> {
    let udfs = Udfs::new(&options.udfs)?;
    let now = options.now.unwrap_or_else(SystemTime::now);
    let planned = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("weir-plan".to_owned()).stack_size(STACK);
        // The error of a panic says nothing that the panic itself has not written.
        thread
            .spawn_scoped(scope, || read(sql, Planner::new(now, udfs, options.mismatches)))
            .map(|planning| planning.join().ok())
    });
    let planned = match planned {
        Ok(Some(planned)) => planned,
        Ok(None) => Err(PlanError::refused("the planner failed on this program: a fault of weir, please report it")),
        Err(error) => Err(PlanError::refused(format!("no thread for planning: {error}"))),
    };
    // What concerns the whole program is said of its beginning.
    planned.map_err(|e| e.at(Place { line: 1, column: 1 }))
}

/// DataFusion walks expressions by recursion: the longest chain of operators that is accepted fits this stack several times
/// over. Only what is used of it takes memory.
const STACK: usize = 64 << 20;

fn read(sql: &str, mut planner: Planner) -> Result<Program, PlanError> {
    let statements = sql::parse(sql)?;
    for statement in statements {
        let tokens = statement.tokens.clone();
        let place = tokens.first().map(sql::place_of).unwrap_or_default();
        planner.statement(statement).map_err(|e| e.at(place))?;
        planner.statements.push((planner.graph.nodes.len(), place));
    }
    planner.finish(sql)
}

/// Arroyo keeps rows of un-windowed joins for a day.
const DEFAULT_TTL: Duration = Duration::from_secs(24 * 60 * 60);

struct Planner {
    catalog: Catalog,
    graph: Graph,
    source_nodes: HashMap<String, NodeId>,
    sinks: Vec<TableInfo>,
    rules: Vec<RuleInfo>,
    ttl: Duration,
    now: DateTime<Utc>,
    mismatches: Mismatches,
    warnings: Vec<PlanError>,
    /// Each statement's place, and how many operators there are after it.
    statements: Vec<(usize, Place)>,
}

impl Planner {
    fn new(now: SystemTime, udfs: Udfs, mismatches: Mismatches) -> Self {
        Self {
            catalog: Catalog::new(udfs),
            graph: Graph::default(),
            source_nodes: HashMap::new(),
            sinks: Vec::new(),
            rules: Vec::new(),
            ttl: DEFAULT_TTL,
            now: now.into(),
            mismatches,
            warnings: Vec::new(),
            statements: Vec::new(),
        }
    }

    fn statement(&mut self, statement: Statement) -> Result<(), PlanError> {
        let Statement { kind, tokens, notes } = statement;
        let line = tokens.first().map(sql::place_of).unwrap_or_default().line;
        let at = |e| explain(&e, &tokens);
        match kind {
            StatementKind::SetUpdatingTtl(ttl) => self.ttl = ttl,
            StatementKind::CreateTable(table) => {
                let (name, place) = (table.name.clone(), table.place);
                self.refuse_second_definition(&name, place)?;
                let mut declared = declare::declare(table, &mut self.catalog, self.now, &tokens)?;
                if let (Table::Source(source), Some(limit)) = (&mut declared, notes.future_limit) {
                    Arc::make_mut(source).info.future_limit = limit;
                }
                self.catalog.insert(&name, declared);
            }
            StatementKind::CreateView { name, query } => {
                self.refuse_second_definition(&name, tokens.get(2).map(sql::place_of).unwrap_or_default())?;
                let (stream, visible) = self.query(ast::Statement::Query(query), false).map_err(at)?;
                let fields = visible_columns(stream.plan.schema(), visible)
                    .into_iter()
                    .map(|(expr, data_type, name)| nullable_field(&stream, &expr, data_type, &name))
                    .collect();
                let node = self.lowering(false).materialise(stream);
                if let Some(column) = &notes.count {
                    self.count(node, column).map_err(at)?;
                }
                self.catalog.insert(&name, Table::View { fields, node });
            }
            StatementKind::Select(query) => {
                let (stream, visible) = self.query(ast::Statement::Query(query), true).map_err(at)?;
                self.add_sink(preview_table(), stream, visible).map_err(at)?;
            }
            StatementKind::Insert(insert) => self.insert(*insert, &tokens)?,
        }
        if let Some(written) = self.rules.last_mut().filter(|r| r.name.is_empty()) {
            written.name = notes.rule.unwrap_or_else(|| format!("{}:{line}", written.sink));
        }
        Ok(())
    }

    fn insert(
        &mut self,
        statement: ast::Statement,
        tokens: &[datafusion::sql::sqlparser::tokenizer::TokenWithSpan],
    ) -> Result<(), PlanError> {
        let at = |e| explain(&e, tokens);
        if let ast::Statement::Insert(insert) = &statement {
            self.check_insert_target(insert)?;
            if let (ast::TableObject::TableName(name), Some(source)) = (&insert.table, &insert.source) {
                let name = table_name(name);
                if self.catalog.table(TableKind::Sink, &name).is_some_and(|t| t.fields.is_empty()) {
                    let query = ast::Statement::Query(source.clone());
                    let plan = self.optimized(query).map_err(at)?;
                    self.catalog.infer_columns(&name, plan.schema().as_arrow()).map_err(at)?;
                }
            }
        }
        let plan = self.optimized(statement).map_err(at)?;
        let LogicalPlan::Dml(DmlStatement { table_name, op: WriteOp::Insert(_), input, .. }) = plan else {
            return Err(PlanError::refused("only INSERT INTO … SELECT is supported"));
        };
        let visible = input.schema().fields().len();
        let united = self.lowering(false).is_united(&input);
        let stream = self.lowering(false).lower(Arc::unwrap_or_clone(input)).map_err(at)?;
        let name = table_name.table().to_owned();
        match self.catalog.get(&name).cloned() {
            Some(Table::Sink(table)) => self.add_sink(table.info.clone(), stream, visible).map_err(at),
            Some(Table::Memory { fields, node: None, .. }) => {
                let node = self.lowering(false).materialise(stream);
                self.catalog.insert(&name, Table::Memory { fields, node: Some(node), united });
                Ok(())
            }
            _ => Err(PlanError::refused(format!("cannot insert into {name}"))),
        }
    }

    fn check_insert_target(&self, insert: &ast::Insert) -> Result<(), PlanError> {
        let ast::TableObject::TableName(object) = &insert.table else {
            return Err(PlanError::refused("INSERT INTO needs the name of a table"));
        };
        let name = table_name(object);
        let place = object.0.first().map(place_of_part).unwrap_or_default();
        let refusal = match self.catalog.get(&name) {
            Some(Table::Sink(_) | Table::Memory { node: None, .. }) => return Ok(()),
            None => PlanError::refused(format!("table {name} not found")).hint(self.known_names()),
            Some(Table::Source(_)) => PlanError::refused(format!("cannot insert into source {name}"))
                .hint("declare a table with type = 'sink' for the results"),
            Some(Table::Memory { .. }) => PlanError::refused("Can only insert into a memory table once"),
            Some(Table::View { .. } | Table::Columns(_)) => {
                PlanError::refused(format!("shouldn't be inserting more data into {name}, which is made from a query"))
            }
        };
        Err(refusal.at(place))
    }

    fn known_names(&self) -> String {
        let mut names: Vec<&str> = self.catalog.names().collect();
        names.sort_unstable();
        format!("defined are: {}", names.join(", "))
    }

    fn refuse_second_definition(&self, name: &str, place: Place) -> Result<(), PlanError> {
        match self.catalog.get(name) {
            None => Ok(()),
            Some(_) => Err(PlanError::refused(format!("{name} is defined twice")).at(place)),
        }
    }

    fn optimized(&mut self, statement: ast::Statement) -> datafusion::common::Result<LogicalPlan> {
        let Self { catalog, now, mismatches, warnings, .. } = self;
        optimize::optimized_plan(statement, catalog, *now, &mut |mismatch| match mismatches {
            Mismatches::Refuse => Err(refusal(mismatch)),
            Mismatches::Warn => {
                if !warnings.contains(&mismatch) {
                    warnings.push(mismatch);
                }
                Ok(())
            }
        })
    }

    /// Has a node's rows counted by the text in a column.
    fn count(&mut self, node: NodeId, column: &str) -> datafusion::common::Result<()> {
        let schema = self.graph.nodes.get(node).map(|n| Arc::clone(&n.schema));
        let found = schema.as_ref().and_then(|s| s.column_with_name(column));
        let Some((index, _)) = found.filter(|(_, field)| *field.data_type() == DataType::Utf8) else {
            return datafusion::common::plan_err!("the view has no column {column} of type TEXT to count by");
        };
        self.graph.counts.insert(node, index);
        Ok(())
    }

    /// Plans and lowers a query; also says how many columns its author sees.
    fn query(&mut self, query: ast::Statement, anonymous: bool) -> datafusion::common::Result<(Stream, usize)> {
        let plan = self.optimized(query)?;
        let visible = plan.schema().fields().len();
        Ok((self.lowering(anonymous).lower(plan)?, visible))
    }

    fn lowering(&mut self, anonymous: bool) -> Lowering<'_> {
        Lowering {
            catalog: &self.catalog,
            graph: &mut self.graph,
            sources: &mut self.source_nodes,
            ttl: i64::try_from(self.ttl.as_nanos()).unwrap_or(i64::MAX),
            anonymous,
        }
    }

    fn add_sink(&mut self, mut table: TableInfo, stream: Stream, visible: usize) -> datafusion::common::Result<()> {
        let stream = self.lowering(false).row_by_row(stream)?;
        let columns = visible_columns(stream.plan.schema(), visible);
        let serialize = json::serialize_json_union().map(Arc::new);
        let mut output = Vec::with_capacity(columns.len());
        let mut fields = Vec::with_capacity(columns.len());
        for (nth, (column, data_type, name)) in columns.into_iter().enumerate() {
            let (column, data_type) = match &serialize {
                Some(function) if json::is_json_union(&data_type) => (function.call(vec![column]), DataType::Utf8),
                _ => (column, data_type),
            };
            output.push(column.alias(format!("c{nth}")));
            fields.push(Field::new(name, data_type, true));
        }
        let plan = project(stream.plan, output)?;
        let inferred = |t: &TableInfo| t.schema.fields().iter().any(|f| json::is_json_union(f.data_type()));
        if table.schema.fields().is_empty() || inferred(&table) {
            table.schema = arrow::datatypes::Schema::new(fields).into();
        }
        let sink = match self.sinks.iter().position(|s| s.name == table.name && s.name != PREVIEW) {
            Some(index) => index,
            None => {
                self.sinks.push(table);
                self.sinks.len() - 1
            }
        };
        let fields = qualified_fields(plan.schema());
        let name = self.sinks.get(sink).map(|s| s.name.clone()).unwrap_or_default();
        let node = self.graph.add(fields, None, Vec::new(), NodeKind::Sink { rows: plan, sink });
        self.rules.push(RuleInfo::of_sink(name, node));
        Ok(())
    }

    fn finish(mut self, sql: &str) -> Result<Program, PlanError> {
        if self.sinks.is_empty() {
            return Err(PlanError::refused("The provided SQL does not contain a query")
                .at(Place { line: 1, column: 1 })
                .hint("add an INSERT INTO … SELECT, or a SELECT whose rows go to standard output"));
        }
        reuse::reuse(&mut self.graph)
            .map_err(|error| PlanError::refused(sql::lower_first(error.strip_backtrace().as_str())))?;
        let (operators, sources) = physical::build(self.graph, self.now).map_err(|fault| {
            let refused = passed_through::<PlanError>(&fault.error)
                .cloned()
                .unwrap_or_else(|| PlanError::refused(sql::lower_first(fault.error.strip_backtrace().as_str())));
            // Operators are numbered as the statements come that need them.
            let statement = self.statements.iter().find(|(nodes, _)| fault.node < *nodes);
            refused.at(statement.map(|(_, place)| *place).unwrap_or_default())
        })?;
        let fingerprint = Sha256::digest(sql.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        let rules = self.rules.into_iter().map(|r| r.reading(&operators)).collect();
        Ok(Program {
            time_facts: TimeFacts::of(&operators),
            operators: operators.into(),
            sources,
            sinks: self.sinks,
            rules,
            fingerprint,
            warnings: self.warnings,
        })
    }
}

fn table_name(name: &ast::ObjectName) -> String {
    name.0.last().map(ToString::to_string).unwrap_or_default().trim_matches('"').to_lowercase()
}

fn place_of_part(part: &ast::ObjectNamePart) -> Place {
    let ast::ObjectNamePart::Identifier(identifier) = part;
    let start = identifier.span.start;
    Place { line: usize::try_from(start.line).unwrap_or(0), column: usize::try_from(start.column).unwrap_or(0) }
}

fn nullable_field(stream: &Stream, expr: &Expr, data_type: DataType, name: &str) -> FieldRef {
    use datafusion::logical_expr::ExprSchemable;
    let nullable = expr.nullable(stream.plan.schema().as_ref()).unwrap_or(true);
    Field::new(name, data_type, nullable).into()
}
