//! Reading the store, and the silences in it. The layout of items is `weir_anomaly::store`'s.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use weir_anomaly::Timestamp;
use weir_anomaly::store::{Attr, BY_KEY, BY_RULE, Item, attr};

use crate::{Clients, CloudError};

/// Every item of the table whose id is an anomaly's: alerts and silences live beside them under ids with a `#`.
///
/// # Errors
/// When the table cannot be read.
pub async fn scan_anomalies(clients: &Clients, table: &str) -> Result<Vec<Item>, CloudError> {
    let items = scan(clients, table).await?;
    Ok(items.into_iter().filter(|item| !item.id().contains('#')).collect())
}

/// Every item of the table.
///
/// # Errors
/// When the table cannot be read.
pub async fn scan(clients: &Clients, table: &str) -> Result<Vec<Item>, CloudError> {
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let call = clients.dynamodb.scan().table_name(table).consistent_read(true).set_exclusive_start_key(start);
        let page = call.send().await.map_err(|e| CloudError::from_sdk(format!("read table {table}"), e))?;
        items.extend(page.items().iter().map(item_of));
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
    latest_before(clients, table, index, of, None, most).await
}

/// The same, of those before a time.
///
/// # Errors
/// When the table cannot be read.
pub async fn latest_before(
    clients: &Clients,
    table: &str,
    index: Index,
    of: &str,
    before: Option<Timestamp>,
    most: usize,
) -> Result<Vec<Item>, CloudError> {
    let (index_name, attribute) = match index {
        Index::ByRule => (BY_RULE, attr::RULE),
        Index::ByKey => (BY_KEY, attr::KEY),
    };
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let call = clients.dynamodb.query().table_name(table).index_name(index_name);
        let call = match before {
            None => call.key_condition_expression("#of = :of"),
            Some(before) => call
                .key_condition_expression("#of = :of AND #time < :before")
                .expression_attribute_names("#time", attr::TIMESTAMP)
                .expression_attribute_values(":before", value_of(&Attr::time(before))),
        };
        let call = call
            .expression_attribute_names("#of", attribute)
            .expression_attribute_values(":of", AttributeValue::S(of.to_owned()))
            .scan_index_forward(false)
            .set_exclusive_start_key(start);
        let page = call.send().await.map_err(|e| CloudError::from_sdk(format!("query {index_name} of {table}"), e))?;
        items.extend(page.items().iter().map(item_of));
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
    let call = clients.dynamodb.get_item().table_name(table).key("id", AttributeValue::S(id.to_owned()));
    let answer = call.send().await.map_err(|e| CloudError::from_sdk(format!("read table {table}"), e))?;
    Ok(answer.item().map(item_of))
}

/// Which question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Latest of a rule.
    ByRule,
    /// Latest of a key.
    ByKey,
}

/// Writes an item over the one that has its id.
///
/// # Errors
/// When the table refuses it.
pub async fn put(clients: &Clients, table: &str, item: &Item) -> Result<(), CloudError> {
    let attributes = item.iter().map(|(name, attr)| (name.to_owned(), value_of(attr))).collect();
    let call = clients.dynamodb.put_item().table_name(table).set_item(Some(attributes));
    call.send().await.map_err(|e| CloudError::from_sdk(format!("write table {table}"), e))?;
    Ok(())
}

/// Writes an item unless one has its id, and says whether it did.
///
/// # Errors
/// When the table refuses it.
pub async fn put_new(clients: &Clients, table: &str, item: &Item) -> Result<bool, CloudError> {
    let attributes = item.iter().map(|(name, attr)| (name.to_owned(), value_of(attr))).collect();
    let call = clients.dynamodb.put_item().table_name(table).set_item(Some(attributes));
    match call.condition_expression("attribute_not_exists(id)").send().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(CloudError::from_sdk(format!("write table {table}"), error)),
    }
}

/// Deletes the item of an id and says whether there was one.
///
/// # Errors
/// When the table refuses.
pub async fn delete(clients: &Clients, table: &str, id: &str) -> Result<bool, CloudError> {
    let call = clients.dynamodb.delete_item().table_name(table).key(attr::ID, AttributeValue::S(id.to_owned()));
    let call = call.return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld);
    let answer = call.send().await.map_err(|e| CloudError::from_sdk(format!("write table {table}"), e))?;
    Ok(answer.attributes().is_some())
}

fn item_of(attributes: &HashMap<String, AttributeValue>) -> Item {
    attributes
        .iter()
        .filter_map(|(name, value)| match value {
            AttributeValue::S(text) => Some((name.clone(), Attr::S(text.clone()))),
            AttributeValue::N(text) => Some((name.clone(), Attr::N(text.clone()))),
            // The layout has no other kinds.
            _ => None,
        })
        .collect()
}

fn value_of(attr: &Attr) -> AttributeValue {
    match attr {
        Attr::S(text) => AttributeValue::S(text.clone()),
        Attr::N(text) => AttributeValue::N(text.clone()),
    }
}
