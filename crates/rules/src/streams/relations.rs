//! Which tables a query reads, and where it names them.

use std::{collections::BTreeSet, ops::ControlFlow};

use sqlparser::ast::{Query, TableFactor, Visit, Visitor};

use crate::sql;

/// A table that a query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Its name, as the planner reads it.
    pub(crate) name: String,
    /// Where it is named, from 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// In characters, quotes included.
    pub(crate) length: usize,
    /// Whether the query gives it another name.
    pub(crate) has_alias: bool,
}

#[derive(Default)]
struct Finder {
    found: Vec<Relation>,
    /// The names that the query defines itself.
    own: BTreeSet<String>,
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.own.insert(folded(&table.alias.name.value, table.alias.name.quote_style));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, args: None, .. } = factor
            && let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
        {
            let number = |n: u64| usize::try_from(n).unwrap_or(0);
            let quotes = if ident.quote_style.is_some() { 2 } else { 0 };
            self.found.push(Relation {
                name: folded(&ident.value, ident.quote_style),
                line: number(ident.span.start.line),
                column: number(ident.span.start.column),
                length: ident.value.chars().count() + quotes,
                has_alias: alias.is_some(),
            });
        }
        ControlFlow::Continue(())
    }
}

/// Names without quotes are read in lower case.
fn folded(name: &str, quote: Option<char>) -> String {
    if quote.is_some() { name.to_owned() } else { name.to_lowercase() }
}

/// The tables that a query reads, in the order of the text; none of a text that is no SQL.
pub(crate) fn relations(sql: &str) -> Vec<Relation> {
    let Ok(statements) = sql::parse(sql) else { return Vec::new() };
    let mut finder = Finder::default();
    let _ = statements.visit(&mut finder);
    let Finder { mut found, own } = finder;
    found.retain(|relation| !own.contains(&relation.name));
    found.sort_by_key(|relation| (relation.line, relation.column));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_where_they_are_read_and_nothing_else_is() {
        let sql = "WITH mine AS (SELECT events FROM Events)\nSELECT e.events, count(*) AS events, 'events' -- events\nFROM \"events\" AS e, mine JOIN climate c ON (SELECT max(x) FROM activity) > 1";
        let found: Vec<_> =
            relations(sql).into_iter().map(|r| (r.name, r.line, r.column, r.length, r.has_alias)).collect();
        let expected = [
            ("events", 1, 34, 6, false),
            ("events", 3, 6, 8, true),
            ("climate", 3, 31, 7, true),
            ("activity", 3, 64, 8, false),
        ];
        assert_eq!(found, expected.map(|(name, l, c, n, alias)| (name.to_owned(), l, c, n, alias)));
    }
}
