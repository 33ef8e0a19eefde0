//! Joins of streams that no window bounds.

use std::{collections::BTreeMap, ops::ControlFlow};

use sqlparser::ast::{Expr, Query, Select, SetExpr, TableFactor, Visit, Visitor, visit_expressions};

use super::{Finding, Level, select::name, text::Body};

pub(super) const UNWINDOWED_JOIN: &str = "unwindowed-join";

pub(super) fn lint(body: &Body<'_>) -> Vec<Finding> {
    let mut joins = Joins { body, ctes: BTreeMap::new(), findings: Vec::new() };
    let _ = body.query.visit(&mut joins);
    joins.findings
}

struct Joins<'a> {
    body: &'a Body<'a>,
    /// Named queries, and whether they are windowed.
    ctes: BTreeMap<String, bool>,
    findings: Vec<Finding>,
}

impl Visitor for Joins<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let windowed = self.windowed_query(&cte.query);
            self.ctes.insert(cte.alias.name.value.to_lowercase(), windowed);
        }
        if let SetExpr::Select(select) = query.body.as_ref() {
            self.select(select);
        }
        ControlFlow::Continue(())
    }
}

impl Joins<'_> {
    fn select(&mut self, select: &Select) {
        let sides = select
            .from
            .iter()
            .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
        let sides: Vec<&TableFactor> = sides.collect();
        if sides.len() < 2 {
            return;
        }
        if let Some(side) = sides.into_iter().find(|side| !self.windowed(side)) {
            let message = "this join is of events that no window bounds".to_owned();
            self.findings.push(
                Finding::new(UNWINDOWED_JOIN, Level::Warning, self.body.rule, self.body.place(side), message).hint(
                    "each event of both sides is kept for a day: aggregate both sides by the same window, and join on it",
                ),
            );
        }
    }

    fn windowed(&self, side: &TableFactor) -> bool {
        match side {
            TableFactor::Derived { subquery, .. } => self.windowed_query(subquery),
            TableFactor::Table { name, .. } => {
                self.ctes.get(&name.to_string().to_lowercase()).copied().unwrap_or(false)
            }
            // An array of a row keeps nothing.
            TableFactor::UNNEST { .. } => true,
            _ => false,
        }
    }

    fn windowed_query(&self, query: &Query) -> bool {
        let called = visit_expressions(query, |expr| match expr {
            Expr::Function(function) if ["tumble", "hop", "session"].contains(&name(function).as_str()) => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        let reads_windowed = sqlparser::ast::visit_relations(query, |relation| {
            match self.ctes.get(&relation.to_string().to_lowercase()) {
                Some(true) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        called.is_break() || reads_windowed.is_break()
    }
}
