//! Which tables a query reads, and where it names them.

use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
};

use sqlparser::ast::{Cte, Query, TableFactor, Visit, Visitor};

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

/// Names that `WITH` gives to queries. They hide tables of these names where they are in scope: in the query that has the `WITH`, in
/// all queries inside it, and in those of the same `WITH` that follow, or in all of them where it is recursive.
type Scope = BTreeSet<String>;

#[derive(Default)]
struct Finder {
    found: Vec<Relation>,
    /// Of the query at hand, and those around it.
    scopes: Vec<Scope>,
    /// What is in scope in each query that a `WITH` names, by where that query lies.
    named: HashMap<*const Query, Scope>,
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let around = || self.scopes.last().cloned().unwrap_or_default();
        let mut scope = self.named.remove(&std::ptr::from_ref(query)).unwrap_or_else(around);
        if let Some(with) = &query.with {
            let name = |table: &Cte| folded(&table.alias.name.value, table.alias.name.quote_style);
            if with.recursive {
                scope.extend(with.cte_tables.iter().map(name));
            }
            for table in &with.cte_tables {
                self.named.insert(std::ptr::from_ref(table.query.as_ref()), scope.clone());
                scope.insert(name(table));
            }
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name: parts, alias, args: None, .. } = factor
            && let [part] = parts.0.as_slice()
            && let Some(ident) = part.as_ident()
            && let name = folded(&ident.value, ident.quote_style)
            && !self.scopes.last().is_some_and(|scope| scope.contains(&name))
        {
            let number = |n: u64| usize::try_from(n).unwrap_or(0);
            let quotes = if ident.quote_style.is_some() { 2 } else { 0 };
            self.found.push(Relation {
                name,
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
    let mut found = finder.found;
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

    #[test]
    fn a_named_query_hides_a_table_where_its_name_is_in_scope_and_nowhere_else() {
        let names = |sql: &str| relations(sql).into_iter().map(|r| (r.name, r.column)).collect::<Vec<_>>();
        let found = |sql: &str| names(sql).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        // It may have the name of the table that it reads.
        assert_eq!(
            names("WITH climate AS (SELECT * FROM climate) SELECT * FROM climate"),
            [("climate".to_owned(), 32)]
        );
        assert_eq!(found("WITH Climate AS (SELECT * FROM \"climate\") SELECT * FROM CLIMATE"), ["climate"]);
        assert_eq!(found("WITH \"Climate\" AS (SELECT 1) SELECT * FROM climate"), ["climate"], "another name");
        // Those before it are in scope, those behind it are not.
        let sql = "WITH a AS (SELECT * FROM climate), climate AS (SELECT * FROM a), b AS (SELECT * FROM climate) SELECT * FROM b";
        assert_eq!(names(sql), [("climate".to_owned(), 26)]);
        // A subquery's own names end with it.
        let sql =
            "SELECT * FROM (WITH climate AS (SELECT * FROM doors) SELECT * FROM climate) AS s JOIN climate ON true";
        assert_eq!(found(sql), ["doors", "climate"]);
        let sql = "SELECT * FROM climate WHERE x > (WITH climate AS (SELECT 1 AS x) SELECT max(x) FROM climate)";
        assert_eq!(names(sql), [("climate".to_owned(), 15)]);
        // Names of the outer query are in scope in the inner ones, whose own shadow them.
        let sql = "WITH climate AS (SELECT * FROM doors) SELECT * FROM (SELECT * FROM climate) AS s";
        assert_eq!(found(sql), ["doors"]);
        let sql =
            "WITH a AS (SELECT * FROM climate) SELECT * FROM (WITH a AS (SELECT * FROM a) SELECT * FROM a) AS s, doors";
        assert_eq!(found(sql), ["climate", "doors"]);
        // Both halves of a union.
        let sql = "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT * FROM climate";
        assert_eq!(found(sql), ["climate"]);
        assert_eq!(
            found("WITH RECURSIVE climate AS (SELECT 1 UNION SELECT * FROM climate) SELECT * FROM climate"),
            [""; 0]
        );
    }
}
