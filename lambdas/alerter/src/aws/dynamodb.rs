//! The table, in DynamoDB.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, BatchStatementError, BatchStatementRequest, BatchStatementResponse, ReturnValue, Select},
};
use aws_types::SdkConfig;
use weir_anomaly::{
    Timestamp,
    store::{Attr, BY_KEY, BY_RULE, Item, attr},
};
use weir_lambda::{buffered, chunks};

use super::{
    CONCURRENCY, class, fault,
    partiql::{self, Statement},
};
use crate::ports::{Fault, Inserted, Store, Update, Updated, one};

/// BatchExecuteStatement takes no more.
const MAX_STATEMENTS: usize = 25;
/// DynamoDB takes 16 MB in one request; a part of that keeps one slow call short.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The table.
pub struct DynamoStore {
    client: Client,
    table: String,
}

impl DynamoStore {
    /// The table of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(sdk), table: table.to_owned() }
    }

    /// Runs statements, many in a call and several calls at once. One answer a statement, in order.
    async fn run(&self, statements: Vec<Statement>) -> Vec<Result<(), Failure>> {
        let chunks = chunks(statements, MAX_STATEMENTS, MAX_BATCH_BYTES, size);
        buffered(chunks.into_iter().map(|chunk| self.run_chunk(chunk)), CONCURRENCY).await.concat()
    }

    async fn run_chunk(&self, chunk: Vec<Statement>) -> Vec<Result<(), Failure>> {
        let count = chunk.len();
        let mut requests = Vec::with_capacity(count);
        for statement in chunk {
            let parameters = statement.parameters.into_iter().map(value).collect();
            let request =
                BatchStatementRequest::builder().statement(statement.text).set_parameters(Some(parameters)).build();
            match request {
                Ok(request) => requests.push(request),
                Err(error) => return vec![Err(Failure::Fault(Fault::Configuration(error.to_string()))); count],
            }
        }
        match self.client.batch_execute_statement().set_statements(Some(requests)).send().await {
            Ok(output) => answers(output.responses.unwrap_or_default(), count),
            Err(error) => vec![Err(Failure::Fault(fault(&error))); count],
        }
    }
}

/// What a statement can answer beside success.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    Duplicate,
    Refused,
    Fault(Fault),
}

impl Failure {
    fn of(error: &BatchStatementError) -> Self {
        match error.code().map(aws_sdk_dynamodb::types::BatchStatementErrorCodeEnum::as_str) {
            Some("DuplicateItem") => Self::Duplicate,
            Some("ConditionalCheckFailed") => Self::Refused,
            code => Self::Fault(class(code.unwrap_or("unknown"), error.message().unwrap_or_default())),
        }
    }

    fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            other => Fault::Retryable(format!("unexpected answer {other:?}")),
        }
    }
}

#[async_trait]
impl Store for DynamoStore {
    async fn insert(&self, items: &[Item]) -> Vec<Result<Inserted, Fault>> {
        let statements = items.iter().map(|item| partiql::insert(&self.table, item)).collect();
        let answers = self.run(statements).await.into_iter();
        let answers = answers.map(|answer| match answer {
            Ok(()) => Ok(Inserted::New),
            Err(Failure::Duplicate) => Ok(Inserted::Duplicate),
            Err(failure) => Err(failure.into_fault()),
        });
        let answers: Vec<_> = answers.collect();
        // A call fails as a whole when one of its statements is not valid: alone, each gets its own answer.
        if items.len() > 1 && answers.iter().any(|a| matches!(a, Err(Fault::Poison(_)))) {
            let mut separate = Vec::with_capacity(items.len());
            for (item, answer) in items.iter().zip(answers) {
                separate.push(match answer {
                    Err(Fault::Poison(_)) => one(self.insert(std::slice::from_ref(item)).await),
                    answer => answer,
                });
            }
            return separate;
        }
        answers
    }

    async fn update(&self, updates: &[Update]) -> Vec<Result<Updated, Fault>> {
        let statements = updates.iter().map(|update| partiql::update(&self.table, update)).collect();
        let answers = self.run(statements).await.into_iter();
        let answers = answers.map(|answer| match answer {
            Ok(()) => Ok(Updated::Done),
            Err(Failure::Refused) => Ok(Updated::Refused),
            Err(failure) => Err(failure.into_fault()),
        });
        answers.collect()
    }

    async fn add(&self, id: &str, name: &'static str, amount: i64, expires_at: i64) -> Result<i64, Fault> {
        let output = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(attr::ID, AttributeValue::S(id.to_owned()))
            .update_expression("SET #e = :e ADD #n :n")
            .expression_attribute_names("#e", attr::EXPIRES_AT)
            .expression_attribute_names("#n", name)
            .expression_attribute_values(":e", AttributeValue::N(expires_at.to_string()))
            .expression_attribute_values(":n", AttributeValue::N(amount.to_string()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| fault(&error))?;
        let sum = output.attributes.as_ref().and_then(|a| a.get(name)).and_then(|v| v.as_n().ok()?.parse().ok());
        sum.ok_or_else(|| Fault::Retryable("no sum in the answer".to_owned()))
    }

    async fn raise(
        &self,
        id: &str,
        newest: (&'static str, Attr),
        set: &[(&'static str, Attr)],
    ) -> Result<Updated, Fault> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(attr::ID, AttributeValue::S(id.to_owned()))
            .condition_expression("attribute_not_exists(#newest) OR #newest < :newest")
            .expression_attribute_names("#newest", newest.0)
            .expression_attribute_values(":newest", value(newest.1));
        let mut expression = "SET #newest = :newest".to_owned();
        for (index, (name, attribute)) in set.iter().enumerate() {
            expression.push_str(&format!(", #a{index} = :a{index}"));
            call = call
                .expression_attribute_names(format!("#a{index}"), *name)
                .expression_attribute_values(format!(":a{index}"), value(attribute.clone()));
        }
        match call.update_expression(expression).send().await {
            Ok(_) => Ok(Updated::Done),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(Updated::Refused)
            }
            Err(error) => Err(fault(&error)),
        }
    }

    async fn get(&self, id: &str) -> Result<Option<Item>, Fault> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(attr::ID, AttributeValue::S(id.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault(&error))?;
        Ok(output.item.map(item))
    }

    async fn by_rule(&self, rule: &str, until: Option<Timestamp>, limit: usize) -> Result<Vec<Item>, Fault> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let mut query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(BY_RULE)
                .expression_attribute_names("#rule", attr::RULE)
                .expression_attribute_values(":rule", AttributeValue::S(rule.to_owned()))
                .limit(i32::try_from(limit - items.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start);
            query = match until {
                Some(until) => query
                    .key_condition_expression("#rule = :rule AND #at <= :until")
                    .expression_attribute_names("#at", attr::TIMESTAMP)
                    .expression_attribute_values(":until", value(Attr::time(until))),
                None => query.key_condition_expression("#rule = :rule"),
            };
            let output = query.send().await.map_err(|error| fault(&error))?;
            items.extend(output.items.unwrap_or_default().into_iter().map(item));
            start = output.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() || items.len() >= limit {
                return Ok(items);
            }
        }
    }

    async fn count_of_alert(&self, key: &str, from: Timestamp, to: Timestamp, alert_id: &str) -> Result<i64, Fault> {
        let (mut count, mut start) = (0, None);
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(BY_KEY)
                .select(Select::Count)
                .key_condition_expression("#key = :key AND #at BETWEEN :from AND :to")
                .filter_expression("#alert = :alert")
                .expression_attribute_names("#key", attr::KEY)
                .expression_attribute_names("#at", attr::TIMESTAMP)
                .expression_attribute_names("#alert", attr::ALERT_ID)
                .expression_attribute_values(":key", AttributeValue::S(key.to_owned()))
                .expression_attribute_values(":from", value(Attr::time(from)))
                .expression_attribute_values(":to", value(Attr::time(to)))
                .expression_attribute_values(":alert", AttributeValue::S(alert_id.to_owned()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| fault(&error))?;
            count += i64::from(output.count);
            start = output.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(count);
            }
        }
    }
}

/// What became of each statement: each has an answer of its own, in order.
fn answers(responses: Vec<BatchStatementResponse>, count: usize) -> Vec<Result<(), Failure>> {
    let answer = |response: BatchStatementResponse| response.error.map_or(Ok(()), |error| Err(Failure::of(&error)));
    let mut answers: Vec<_> = responses.into_iter().map(answer).collect();
    answers.resize(count, Err(Failure::Fault(Fault::Retryable("no answer".to_owned()))));
    answers
}

/// What a statement counts of a call.
fn size(statement: &Statement) -> usize {
    statement.text.len() + statement.parameters.iter().map(|p| p.as_str().len()).sum::<usize>()
}

fn value(attribute: Attr) -> AttributeValue {
    match attribute {
        Attr::S(text) => AttributeValue::S(text),
        Attr::N(number) => AttributeValue::N(number),
    }
}

fn item(attributes: HashMap<String, AttributeValue>) -> Item {
    let known = attributes.into_iter().filter_map(|(name, value)| match value {
        AttributeValue::S(text) => Some((name, Attr::S(text))),
        AttributeValue::N(number) => Some((name, Attr::N(number))),
        _ => None,
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::BatchStatementErrorCodeEnum as Code;

    use super::*;

    #[test]
    fn each_statement_has_its_own_answer() {
        let failed = |code| {
            let error = BatchStatementError::builder().code(code).message("-").build();
            BatchStatementResponse::builder().error(error).build()
        };
        let responses = vec![
            BatchStatementResponse::builder().build(),
            failed(Code::DuplicateItem),
            failed(Code::ConditionalCheckFailed),
            failed(Code::ThrottlingError),
            failed(Code::ValidationError),
            failed(Code::AccessDenied),
        ];
        let found = answers(responses, 7);
        assert_eq!(found[..3], [Ok(()), Err(Failure::Duplicate), Err(Failure::Refused)]);
        assert!(matches!(&found[3], Err(Failure::Fault(fault)) if fault.is_retryable()));
        assert!(matches!(&found[4], Err(Failure::Fault(Fault::Poison(_)))));
        assert!(matches!(&found[5], Err(Failure::Fault(Fault::Denied(_)))));
        assert!(matches!(&found[6], Err(Failure::Fault(fault)) if fault.is_retryable()), "it is not mentioned");
    }

    #[test]
    fn calls_hold_25_statements_and_their_bytes() {
        let statement = |bytes: usize| Statement { text: String::new(), parameters: vec![Attr::S("x".repeat(bytes))] };
        let sizes = |bytes: &[usize]| -> Vec<usize> {
            let statements = bytes.iter().map(|bytes| statement(*bytes));
            chunks(statements, MAX_STATEMENTS, MAX_BATCH_BYTES, size).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[10; 60]), [25, 25, 10]);
        assert_eq!(sizes(&[1_500_000; 5]), [2, 2, 1]);
    }
}
