//! The adapters to AWS.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_sdk_kinesis::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::PutRecordsRequestEntry,
};
use aws_types::SdkConfig;
use weir_anomaly::{
    Timestamp,
    store::{PROBE_ITEM, attr},
};
use weir_lambda::shards::{self, Named};

use crate::ports::{ApiKey, Arrival, ControlRecord, Fault, Notes, Stream};

/// PutRecords takes no more.
const MAX_RECORDS: usize = 500;
/// Counts of restarts are of no use after their hour; a day leaves time to look at them.
const RESTARTS_KEPT_SECONDS: i64 = 24 * 3600;

/// A stream, in Kinesis.
pub struct KinesisStream {
    client: aws_sdk_kinesis::Client,
    named: Named,
}

/// The table, in DynamoDB.
pub struct DynamoNotes {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl KinesisStream {
    /// The stream of this name in the function's account, or of this ARN in any.
    #[must_use]
    pub fn new(sdk: &SdkConfig, stream: &str) -> Self {
        Self { client: aws_sdk_kinesis::Client::new(sdk), named: Named::from(stream) }
    }
}

impl DynamoNotes {
    /// The table of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: &str) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table: table.to_owned() }
    }
}

/// A key that lies in Secrets Manager.
pub struct SecretKey {
    client: aws_sdk_secretsmanager::Client,
    id: String,
}

impl SecretKey {
    /// The text of the secret of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, id: &str) -> Self {
        Self { client: aws_sdk_secretsmanager::Client::new(sdk), id: id.to_owned() }
    }
}

#[async_trait]
impl ApiKey for SecretKey {
    async fn read(&self) -> Result<String, Fault> {
        let output = self.client.get_secret_value().secret_id(&self.id).send().await.map_err(|error| fault(&error))?;
        output.secret_string.ok_or_else(|| Fault::Configuration(format!("the secret {} holds no text", self.id)))
    }
}

#[async_trait]
impl Stream for KinesisStream {
    async fn open_shards(&self) -> Result<Vec<String>, Fault> {
        shards::open_shards(&self.client, &self.named).await.map_err(|error| fault(&error))
    }

    async fn put(&self, records: Vec<ControlRecord>) -> Result<Vec<ControlRecord>, Fault> {
        let mut refused = Vec::new();
        for chunk in records.chunks(MAX_RECORDS) {
            let entries = chunk.iter().map(|record| {
                PutRecordsRequestEntry::builder()
                    .data(Blob::new(record.data.as_bytes()))
                    .partition_key("weir-heartbeat")
                    .explicit_hash_key(&record.hash_key)
                    .build()
                    .map_err(|e| Fault::Configuration(e.to_string()))
            });
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            let call = self.client.put_records().set_stream_name(self.named.name()).set_stream_arn(self.named.arn());
            let output = call.set_records(Some(entries)).send().await.map_err(|error| fault(&error))?;
            let answers =
                output.records().iter().map(|answer| answer.error_code().is_none()).chain(std::iter::repeat(false));
            refused.extend(chunk.iter().zip(answers).filter(|(_, taken)| !taken).map(|(record, _)| record.clone()));
        }
        Ok(refused)
    }
}

#[async_trait]
impl Notes for DynamoNotes {
    async fn last_probe(&self) -> Result<Option<Arrival>, Fault> {
        let call =
            self.client.get_item().table_name(&self.table).key(attr::ID, AttributeValue::S(PROBE_ITEM.to_owned()));
        let output = call.send().await.map_err(|error| fault(&error))?;
        let time = |name: &str| -> Option<Timestamp> { output.item.as_ref()?.get(name)?.as_s().ok()?.parse().ok() };
        Ok(time(attr::PROBE_SENT_AT)
            .zip(time(attr::PROBE_ARRIVED_AT))
            .map(|(sent_at, arrived_at)| Arrival { sent_at, arrived_at }))
    }

    async fn count_restart(&self, pipeline: &str, hour: i64) -> Result<i64, Fault> {
        let expires_at = (hour + 1) * 3600 + RESTARTS_KEPT_SECONDS;
        let output = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(attr::ID, AttributeValue::S(format!("restarts#{pipeline}#{hour}")))
            .update_expression("SET #e = :e ADD #n :one")
            .expression_attribute_names("#e", attr::EXPIRES_AT)
            .expression_attribute_names("#n", "restarts")
            .expression_attribute_values(":e", AttributeValue::N(expires_at.to_string()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| fault(&error))?;
        let count = output.attributes.as_ref().and_then(|a| a.get("restarts")?.as_n().ok()?.parse().ok());
        count.ok_or_else(|| Fault::Retryable("no count in the answer".to_owned()))
    }
}

fn fault<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug>(error: &SdkError<E, R>) -> Fault {
    let Some(service) = error.as_service_error() else {
        return Fault::Retryable(format!("not reached: {error}"));
    };
    let meta = service.meta();
    let code = meta.code().unwrap_or("unknown");
    let text = format!("{code}: {}", meta.message().unwrap_or_default());
    match code {
        "AccessDeniedException" | "KMSAccessDeniedException" => Fault::Denied(text),
        "ResourceNotFoundException" | "UnrecognizedClientException" => Fault::Configuration(text),
        _ => Fault::Retryable(text),
    }
}
