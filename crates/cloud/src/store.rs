//! Reading the store.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

use crate::{Clients, CloudError};

/// One item of the store: attribute names to plain JSON values.
pub type Item = Map<String, Value>;

/// Every item of the table whose id is an anomaly's: alerts and silences live beside them under ids with a `#`.
///
/// # Errors
/// When the table cannot be read.
pub async fn scan_anomalies(clients: &Clients, table: &str) -> Result<Vec<Item>, CloudError> {
    let items = scan(clients, table).await?;
    Ok(items.into_iter().filter(|item| !id_of(item).contains('#')).collect())
}

/// Every item of the table.
///
/// # Errors
/// When the table cannot be read.
pub async fn scan(clients: &Clients, table: &str) -> Result<Vec<Item>, CloudError> {
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let call = clients
            .dynamodb
            .scan()
            .table_name(table)
            .consistent_read(true)
            .set_exclusive_start_key(start);
        let page = call
            .send()
            .await
            .map_err(|e| CloudError::from_sdk(format!("read table {table}"), e))?;
        items.extend(page.items().iter().map(to_json));
        start = page.last_evaluated_key().cloned();
        if start.is_none() {
            return Ok(items);
        }
    }
}

/// The newest items of an index, newest first: `by_rule` with a rule, `by_key` with a key.
///
/// # Errors
/// When the table cannot be read.
pub async fn latest(
    clients: &Clients,
    table: &str,
    index: Index,
    of: &str,
    most: usize,
) -> Result<Vec<Item>, CloudError> {
    let (index_name, attribute) = match index {
        Index::ByRule => ("by_rule", "rule"),
        Index::ByKey => ("by_key", "key"),
    };
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let call = clients
            .dynamodb
            .query()
            .table_name(table)
            .index_name(index_name)
            .key_condition_expression("#of = :of")
            .expression_attribute_names("#of", attribute)
            .expression_attribute_values(":of", AttributeValue::S(of.to_owned()))
            .scan_index_forward(false)
            .set_exclusive_start_key(start);
        let page = call
            .send()
            .await
            .map_err(|e| CloudError::from_sdk(format!("query {index_name} of {table}"), e))?;
        items.extend(page.items().iter().map(to_json));
        start = page.last_evaluated_key().cloned();
        if start.is_none() || items.len() >= most {
            items.truncate(most);
            return Ok(items);
        }
    }
}

/// The item of an id.
///
/// # Errors
/// When the table cannot be read.
pub async fn get(clients: &Clients, table: &str, id: &str) -> Result<Option<Item>, CloudError> {
    let call = clients
        .dynamodb
        .get_item()
        .table_name(table)
        .key("id", AttributeValue::S(id.to_owned()));
    let answer = call
        .send()
        .await
        .map_err(|e| CloudError::from_sdk(format!("read table {table}"), e))?;
    Ok(answer.item().map(to_json))
}

/// Which question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Latest of a rule.
    ByRule,
    /// Latest of a key.
    ByKey,
}

fn id_of(item: &Item) -> &str {
    item.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn to_json(item: &HashMap<String, AttributeValue>) -> Item {
    item.iter()
        .map(|(name, value)| (name.clone(), value_to_json(value)))
        .collect()
}

fn value_to_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(text) => text
            .parse::<Number>()
            .map_or_else(|_| Value::String(text.clone()), Value::Number),
        AttributeValue::Bool(flag) => Value::Bool(*flag),
        AttributeValue::M(map) => Value::Object(to_json(map)),
        AttributeValue::L(list) => list.iter().map(value_to_json).collect(),
        _ => Value::Null,
    }
}
