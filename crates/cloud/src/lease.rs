//! One holder at a time: a lease is an item of the table, taken by a conditional write, that ends by itself.

use aws_sdk_dynamodb::types::AttributeValue;
use weir_anomaly::store::attr;

use crate::{Clients, CloudError};

/// How long a lease lasts without being renewed, seconds: what a holder that died leaves behind. A renewal is due each third.
pub const LEASE_SECONDS: i64 = 120;

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub owner: String,
    /// Until when, epoch seconds.
    pub until: i64,
}

/// Takes a lease, or renews the one that `owner` has. `Some` is who else holds it.
///
/// # Errors
/// When the table cannot be written.
pub async fn take(
    clients: &Clients,
    table: &str,
    id: &str,
    owner: &str,
    now: i64,
) -> Result<Option<Holder>, CloudError> {
    let number = |value: i64| AttributeValue::N(value.to_string());
    let until = now + LEASE_SECONDS;
    let call = clients
        .dynamodb
        .put_item()
        .table_name(table)
        .item(attr::ID, AttributeValue::S(id.to_owned()))
        .item("owner", AttributeValue::S(owner.to_owned()))
        .item("until", number(until))
        .item(attr::EXPIRES_AT, number(until))
        .condition_expression("attribute_not_exists(id) OR #until < :now OR #owner = :owner")
        .expression_attribute_names("#until", "until")
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_values(":now", number(now))
        .expression_attribute_values(":owner", AttributeValue::S(owner.to_owned()));
    match call.send().await {
        Ok(_) => Ok(None),
        Err(error) if is_condition(&error) => {
            let item = crate::store::get(clients, table, id).await?;
            let text = |name: &str| item.as_ref().and_then(|item| item.text(name)).unwrap_or_default().to_owned();
            Ok(Some(Holder { owner: text("owner"), until: text("until").parse().unwrap_or(until) }))
        }
        Err(error) => Err(CloudError::from_sdk(format!("take the lease {id} in table {table}"), error)),
    }
}

/// Gives a lease back. That somebody else has it by now is no error.
///
/// # Errors
/// When the table cannot be written.
pub async fn give_back(clients: &Clients, table: &str, id: &str, owner: &str) -> Result<(), CloudError> {
    let call = clients
        .dynamodb
        .delete_item()
        .table_name(table)
        .key(attr::ID, AttributeValue::S(id.to_owned()))
        .condition_expression("#owner = :owner")
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_values(":owner", AttributeValue::S(owner.to_owned()));
    match call.send().await {
        Err(error) if !is_condition(&error) => {
            Err(CloudError::from_sdk(format!("give back the lease {id} in table {table}"), error))
        }
        _ => Ok(()),
    }
}

fn is_condition<E: aws_smithy_types::error::metadata::ProvideErrorMetadata>(error: &E) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}
