//! Operators that do the same run once: rules over the same view and window share one window operator, and what is computed
//! alike after it.
//!
//! Lowering gives each statement operators of its own. Here, before columns are pruned, those that compute the same from the
//! same rows become one, and windows that differ in their aggregates alone become one with all of them. A reader of what went
//! reads what stayed, by position, so that names do not matter. Flink calls the first sub-plan reuse. Results do not depend
//! on it: an operator is a function of its input, and an aggregate whose failure costs a row is shared only with statements
//! that compute it themselves.

mod canonical;
mod inline;
mod windows;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

use crate::plan::lower::graph::{Graph, Node, leaf, leaf_name, scanned_node};
use crate::program::{NodeId, NodeKind, Window};
use canonical::{Canonical, canonical};
use windows::SharedWindow;

/// Makes operators that compute the same one, and takes back splits that nobody shares.
pub(crate) fn reuse(graph: &mut Graph) -> Result<()> {
    let mut pass = Pass { kept: own_rows(graph), behind_windows: behind_windows(graph)?, ..Pass::default() };
    // What lies before the windows comes first, with them: their columns are final before anybody reads them.
    let (behind, before): (Vec<_>, Vec<_>) = (0..graph.nodes.len()).partition(|id| pass.behind_windows.contains(id));
    for id in before {
        pass.node(graph, id)?;
    }
    pass.finish_windows(graph)?;
    for id in behind {
        pass.node(graph, id)?;
    }
    inline::inline(graph)
}

/// The two sides of a join without windows are operators of their own, and counted rows are one view's.
fn own_rows(graph: &Graph) -> HashSet<NodeId> {
    let mut own: HashSet<NodeId> = graph.counts.keys().copied().collect();
    for node in &graph.nodes {
        if let NodeKind::Join(join) = &node.kind {
            own.extend([join.left, join.right]);
        }
    }
    own
}

/// The operators whose rows come by way of a window.
fn behind_windows(graph: &Graph) -> Result<HashSet<NodeId>> {
    let mut behind = HashSet::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        let mut reads_windows = false;
        for plan in node.plans() {
            for input in scans(plan)? {
                let is_window = graph.nodes.get(input).is_some_and(|n| matches!(n.kind, NodeKind::Window(_)));
                reads_windows |= is_window || behind.contains(&input);
            }
        }
        if reads_windows {
            behind.insert(id);
        }
    }
    Ok(behind)
}

/// The operators that a plan reads, as often as it does.
fn scans(plan: &LogicalPlan) -> Result<Vec<NodeId>> {
    let mut found = Vec::new();
    plan.apply(|p| {
        if let LogicalPlan::TableScan(scan) = p {
            found.extend(scanned_node(&scan.table_name));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Where the columns of an operator are that was merged into another, or whose columns moved.
#[derive(Debug)]
struct Redirect {
    node: NodeId,
    schema: SchemaRef,
    /// The place of each old column.
    columns: Vec<usize>,
}

impl Redirect {
    /// The columns that a scan of the old operator gives, under their old names.
    fn scan(&self, old: &TableScan) -> Result<LogicalPlan> {
        let schema = old.source.schema();
        let read = old.projection.clone().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let mut columns = Vec::with_capacity(read.len());
        for index in read {
            let Some(place) = self.columns.get(index) else { return internal_err!("no column {index} to read") };
            let column = Column::new(Some(leaf_name(self.node)), self.schema.field(*place).name());
            let name = schema.field(index).name();
            columns.push(Expr::Column(column).alias_qualified(Some(old.table_name.clone()), name));
        }
        leaf(self.node, &self.schema)?.project(columns)?.build()
    }
}

/// What an operator does, unless it is a window: two that are equal give the same rows.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Work {
    window: Option<Window>,
    window_columns: Vec<usize>,
    per_timestamp: bool,
    /// One; of a union one each.
    plans: Vec<Canonical>,
}

impl Work {
    fn of(node: &Node) -> Option<Self> {
        let (per_timestamp, plans) = match &node.kind {
            NodeKind::Rows(plan) => (false, vec![canonical(plan)?]),
            NodeKind::PerTimestamp(plan) => (true, vec![canonical(plan)?]),
            NodeKind::Union(plans) => (false, plans.iter().map(canonical).collect::<Option<_>>()?),
            _ => return None,
        };
        Some(Self { window: node.window, window_columns: node.window_columns.clone(), per_timestamp, plans })
    }
}

#[derive(Debug, Default)]
struct Pass {
    /// Operators that stay what they are.
    kept: HashSet<NodeId>,
    behind_windows: HashSet<NodeId>,
    known: HashMap<Work, NodeId>,
    windows: Vec<SharedWindow>,
    redirects: HashMap<NodeId, Redirect>,
}

impl Pass {
    fn node(&mut self, graph: &mut Graph, id: NodeId) -> Result<()> {
        let Some(node) = graph.nodes.get_mut(id) else { return Ok(()) };
        for plan in node.plans_mut() {
            *plan = self.redirected(std::mem::take(plan))?;
        }
        if self.kept.contains(&id) {
            return Ok(());
        }
        if let NodeKind::Window(window) = &node.kind {
            // A window over windows is rare, and its columns would move after they are read.
            let new = SharedWindow::of(id, window).filter(|_| !self.behind_windows.contains(&id));
            if let Some(new) = new.filter(|new| !self.windows.iter_mut().any(|known| known.take(new))) {
                self.windows.push(new);
            }
            return Ok(());
        }
        let Some(work) = Work::of(node) else { return Ok(()) };
        match self.known.get(&work).copied() {
            Some(same) => {
                node.kind = NodeKind::Unused;
                let columns = (0..node.schema.fields().len()).collect();
                self.redirect(graph, id, same, columns);
            }
            None => {
                self.known.insert(work, id);
            }
        }
        Ok(())
    }

    fn redirect(&mut self, graph: &Graph, from: NodeId, to: NodeId, columns: Vec<usize>) {
        if let Some(schema) = graph.nodes.get(to).map(|node| Arc::clone(&node.schema)) {
            self.redirects.insert(from, Redirect { node: to, schema, columns });
        }
    }

    /// Gives windows that several statements share all their aggregates.
    fn finish_windows(&mut self, graph: &mut Graph) -> Result<()> {
        for window in std::mem::take(&mut self.windows) {
            let to = window.id();
            for (from, columns) in window.finish(graph)? {
                self.redirect(graph, from, to, columns);
            }
        }
        Ok(())
    }

    /// A plan that reads what stayed in place of what went.
    fn redirected(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        plan.transform_up(|plan| {
            let LogicalPlan::TableScan(scan) = &plan else { return Ok(Transformed::no(plan)) };
            match scanned_node(&scan.table_name).and_then(|id| self.redirects.get(&id)) {
                Some(redirect) => Ok(Transformed::yes(redirect.scan(scan)?)),
                None => Ok(Transformed::no(plan)),
            }
        })
        .data()
    }
}

#[cfg(test)]
mod tests {
    use crate::{PlanOptions, plan};

    const TABLE: &str =
        "CREATE TABLE t (at TIMESTAMP NOT NULL, k TEXT, s TEXT, v DOUBLE, dec DECIMAL(38, 4), WATERMARK FOR at)
        WITH (connector = 'single_file', path = '-', type = 'source', format = 'json');
        CREATE VIEW warm AS SELECT k, s, v, dec FROM t WHERE v > 1;\n";

    /// How many operators a program has whose line says this, when it has these statements.
    fn operators(what: &str, statements: &[&str]) -> usize {
        let sql = format!("{TABLE}{};", statements.join(";\n"));
        let program = plan(&sql, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}\n{sql}")).to_string();
        program.lines().filter(|line| line.starts_with("operator") && line.contains(what)).count()
    }

    fn windows(statements: &[&str]) -> usize {
        operators(" window ", statements)
    }

    #[test]
    fn statements_that_ask_the_same_of_a_window_share_it_whatever_they_call_it() {
        let above = "SELECT k, n FROM (SELECT k, count(*) AS n, tumble(INTERVAL '1 minute') AS w FROM warm GROUP BY 1, 3) WHERE n > 3";
        let other = "SELECT key FROM (SELECT x.k AS key, count(*) AS c, tumble(INTERVAL '1 minute') AS z FROM (SELECT k FROM warm) x GROUP BY 1, 3) WHERE c < 9";
        assert_eq!(windows(&[above, other, above]), 1);
    }

    #[test]
    fn windows_over_the_same_rows_compute_what_each_asks_for() {
        let mean = "SELECT k, avg(v) FROM warm GROUP BY k, hop(INTERVAL '1 minute', INTERVAL '5 minutes')";
        let most = "SELECT k, max(v), avg(v) FROM warm GROUP BY k, hop(INTERVAL '1 minute', INTERVAL '5 minutes')";
        let hot = "SELECT k, count(*) FILTER (WHERE v > 9) FROM warm GROUP BY k, hop(INTERVAL '1 minute', INTERVAL '5 minutes')";
        assert_eq!(windows(&[mean, most, hot]), 1);
    }

    #[test]
    fn what_differs_in_rows_keys_or_size_is_not_shared() {
        let one = "SELECT k, avg(v) FROM warm GROUP BY k, tumble(INTERVAL '1 minute')";
        for other in [
            "SELECT k, avg(v) FROM warm WHERE v < 9 GROUP BY k, tumble(INTERVAL '1 minute')",
            "SELECT k, avg(v) FROM warm GROUP BY k, tumble(INTERVAL '2 minutes')",
            "SELECT s, avg(v) FROM warm GROUP BY s, tumble(INTERVAL '1 minute')",
            "SELECT k, avg(v) FROM t GROUP BY k, tumble(INTERVAL '1 minute')",
            "SELECT k, avg(v) FROM warm GROUP BY k, session(INTERVAL '1 minute')",
        ] {
            assert_eq!(windows(&[one, other]), 2, "{other}");
        }
    }

    #[test]
    fn an_aggregate_that_may_fail_is_shared_with_none_that_does_not_compute_it() {
        let safe = "SELECT k, avg(v) FROM warm GROUP BY k, tumble(INTERVAL '1 minute')";
        for failing in [
            "SELECT k, avg(CAST(s AS DOUBLE)) FROM warm GROUP BY k, tumble(INTERVAL '1 minute')",
            "SELECT k, avg(dec) FROM warm GROUP BY k, tumble(INTERVAL '1 minute')",
            "SELECT k, count(*) FILTER (WHERE CAST(s AS BIGINT) > 2) FROM warm GROUP BY k, tumble(INTERVAL '1 minute')",
        ] {
            assert_eq!(windows(&[safe, failing]), 2, "{failing}");
            assert_eq!(windows(&[failing, failing]), 1, "{failing}");
        }
    }

    #[test]
    fn what_gives_another_value_each_time_is_not_shared() {
        let random = "SELECT k, avg(v) FROM warm WHERE random() < 0.5 GROUP BY k, tumble(INTERVAL '1 minute')";
        assert_eq!(windows(&[random, random]), 2);
    }

    #[test]
    fn what_is_computed_alike_after_a_window_is_shared_up_to_where_it_differs() {
        let ranked = |most: u8| {
            format!(
                "SELECT k, r FROM (SELECT k, row_number() OVER (PARTITION BY w ORDER BY n DESC) AS r FROM (
                 SELECT k, tumble(INTERVAL '1 minute') AS w, count(*) AS n FROM warm GROUP BY 1, 2)) WHERE r <= {most}"
            )
        };
        let (one, five) = (ranked(1), ranked(5));
        assert_eq!(operators("for each timestamp", &[&one, &five]), 1);
    }

    #[test]
    fn equal_views_are_one_operator_and_the_sides_of_a_join_are_two() {
        let views = "CREATE VIEW a AS SELECT k, v * 2 AS x FROM t; CREATE VIEW b AS SELECT k AS kk, v * 2 AS y FROM t";
        assert_eq!(operators(": project", &[views, "SELECT k, x FROM a", "SELECT kk, y FROM b"]), 1);
        let pairs = "SELECT l.v FROM (SELECT k, v FROM t) l JOIN (SELECT k, v FROM t) r ON l.k = r.k";
        assert_eq!(operators(": filter and project", &[pairs]), 2);
    }
}
