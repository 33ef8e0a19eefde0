//! The local AWS emulator: one process for a whole test binary, with resources of its own for each test.

use std::{
    collections::HashMap,
    io,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};
use aws_types::SdkConfig;
use weir_lambda::Env;

/// It is up in under a second on an idle machine and in some seconds on a busy one.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Whether it checks requests against the services' published models: yes, but for benchmarks.
const CHECKS: &str = "WEIR_EMULATOR_CHECKS_REQUESTS";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One test's table, topic and queues.
pub struct Emulator {
    /// `127.0.0.1:port`.
    pub address: String,
    /// A client's configuration for it.
    pub sdk: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    /// The table.
    pub table: String,
    /// The topic of alerts.
    pub topic: String,
    /// The queue that gets every alert.
    pub inbox: String,
    /// The quarantine queue.
    pub quarantine: String,
    violations: PathBuf,
}

/// A lenient emulator hides nothing: what AWS's published models refuse fails the tests that are over after it.
impl Drop for Emulator {
    fn drop(&mut self) {
        if let Ok(found) = std::fs::read_to_string(&self.violations)
            && !std::thread::panicking()
        {
            assert!(found.is_empty(), "requests broke the published models of their services:\n{found}");
        }
    }
}

/// The emulator's process. It ends with this one, because the pipe to it closes: a test binary drops no statics.
struct Process {
    address: String,
    /// Where it lists requests that break the services' published models.
    violations: PathBuf,
    _process: Child,
}

/// One item, its attributes as text.
pub type Row = HashMap<String, String>;

impl Emulator {
    /// Makes a table, a topic and queues that no other test has; starts the emulator when it does not run yet.
    ///
    /// # Errors
    /// When any of that fails.
    pub async fn start() -> Result<Self, BoxError> {
        static PROCESS: OnceLock<Result<Process, String>> = OnceLock::new();
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let process = PROCESS.get_or_init(|| Process::start().map_err(|e| e.to_string())).as_ref();
        let process = process.map_err(String::as_str)?;
        let address = process.address.clone();
        let url = format!("http://{address}");
        let env = Env(|name: &str| match name {
            "AWS_ENDPOINT_URL" => Some(url.clone()),
            "AWS_REGION" => Some("us-east-1".to_owned()),
            _ => Some("test".to_owned()),
        });
        let sdk = weir_lambda::sdk_config(&env, aws_sdk_dynamodb::config::retry::RetryConfig::standard())?;
        let prefix = format!("weir-{}", STARTED.fetch_add(1, Ordering::Relaxed));
        let mut emulator = Self {
            address,
            dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
            sns: aws_sdk_sns::Client::new(&sdk),
            sqs: aws_sdk_sqs::Client::new(&sdk),
            sdk,
            table: format!("{prefix}-anomalies"),
            topic: String::new(),
            inbox: String::new(),
            quarantine: String::new(),
            violations: process.violations.clone(),
        };
        emulator.make_table().await?;
        emulator.make_queues(&prefix).await?;
        Ok(emulator)
    }

    /// The environment of the alerter, with its calls going to `endpoint`.
    #[must_use]
    pub fn alerter_environment(&self, endpoint: &str) -> Vec<(String, String)> {
        [
            ("WEIR_TABLE_NAME", self.table.as_str()),
            ("WEIR_TOPIC_ARN", &self.topic),
            ("WEIR_QUARANTINE_URL", &self.quarantine),
            ("AWS_ENDPOINT_URL", endpoint),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// All items of the table.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn items(&self) -> Result<Vec<Row>, BoxError> {
        let (mut rows, mut start) = (Vec::new(), None);
        loop {
            let page = self.dynamodb.scan().table_name(&self.table).set_exclusive_start_key(start).send().await?;
            let text = |value: AttributeValue| match value {
                AttributeValue::S(text) | AttributeValue::N(text) => text,
                other => format!("{other:?}"),
            };
            let row = |item: HashMap<String, AttributeValue>| -> Row {
                item.into_iter().map(|(name, value)| (name, text(value))).collect()
            };
            rows.extend(page.items.unwrap_or_default().into_iter().map(row));
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Takes all messages out of a queue.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn drain(&self, queue: &str) -> Result<Vec<serde_json::Value>, BoxError> {
        let mut bodies = Vec::new();
        loop {
            let answer = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(bodies);
            }
            let mut receipts = self.sqs.delete_message_batch().queue_url(queue);
            for (index, message) in messages.iter().enumerate() {
                bodies.push(serde_json::from_str(message.body().unwrap_or_default())?);
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                receipts =
                    receipts.entries(entry.receipt_handle(message.receipt_handle().unwrap_or_default()).build()?);
            }
            receipts.send().await?;
        }
    }

    /// Takes all alerts out of the inbox, as machines get them.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn alerts(&self) -> Result<Vec<serde_json::Value>, BoxError> {
        let read =
            |envelope: serde_json::Value| Ok(serde_json::from_str(envelope["Message"].as_str().unwrap_or_default())?);
        self.drain(&self.inbox).await?.into_iter().map(read).collect()
    }

    /// How many messages wait in a queue.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn count(&self, queue: &str) -> Result<usize, BoxError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let call = self.sqs.get_queue_attributes().queue_url(queue).attribute_names(name.clone());
        let output = call.send().await?;
        Ok(output.attributes().and_then(|a| a.get(&name)).ok_or("no count in the answer")?.parse()?)
    }

    async fn make_table(&self) -> Result<(), BoxError> {
        let key = |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let mut table = self.dynamodb.create_table().table_name(&self.table).billing_mode(BillingMode::PayPerRequest);
        for name in ["id", "rule", "key", "timestamp"] {
            let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            table = table.attribute_definitions(definition.build()?);
        }
        for name in ["rule", "key"] {
            let index = GlobalSecondaryIndex::builder()
                .index_name(format!("by_{name}"))
                .key_schema(key(name, KeyType::Hash)?)
                .key_schema(key("timestamp", KeyType::Range)?)
                .projection(Projection::builder().projection_type(ProjectionType::All).build());
            table = table.global_secondary_indexes(index.build()?);
        }
        table.key_schema(key("id", KeyType::Hash)?).send().await?;
        Ok(())
    }

    async fn make_queues(&mut self, prefix: &str) -> Result<(), BoxError> {
        let url = |output: Option<String>| output.ok_or("no queue URL");
        self.quarantine =
            url(self.sqs.create_queue().queue_name(format!("{prefix}-quarantine")).send().await?.queue_url)?;
        self.inbox = url(self.sqs.create_queue().queue_name(format!("{prefix}-inbox")).send().await?.queue_url)?;
        let topic = self.sns.create_topic().name(format!("{prefix}-alerts")).send().await?;
        self.topic = topic.topic_arn.ok_or("no topic ARN")?;
        let arn = self.topic.replace(":sns:", ":sqs:").replace("-alerts", "-inbox");
        self.sns.subscribe().topic_arn(&self.topic).protocol("sqs").endpoint(arn).send().await?;
        Ok(())
    }
}

impl Process {
    fn start() -> Result<Self, BoxError> {
        let script = root().join("scripts/local-aws.sh");
        let installed = Command::new(&script).arg("install").stdout(Stdio::null()).status()?;
        if !installed.success() {
            return Err("the emulator could not be installed; hint: run scripts/local-aws.sh install".into());
        }
        // It removes the folder when it ends.
        let dir = tempfile::tempdir()?.keep();
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = std::fs::File::create(dir.join("log"))?;
        let process = Command::new(&script)
            .arg("run")
            .env("GATEWAY_PORT", address.port().to_string())
            .env("WEIR_EMULATOR_DIR", &dir)
            .env(CHECKS, std::env::var_os(CHECKS).unwrap_or_else(|| "1".into()))
            .env("WEIR_EMULATOR_ENDS_WITH_STDIN", "1")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > START_TIMEOUT {
                return Err("the emulator did not start within a minute".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { address: address.to_string(), violations: dir.join("violations"), _process: process })
    }
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// The binary of a Lambda as `cargo build` leaves it, next to the test's own. The variable `WEIR_LAMBDA_BINARIES` names a
/// directory of other builds: of those that are shipped, for one.
///
/// # Errors
/// When it was not built.
pub fn lambda_binary(name: &str) -> io::Result<PathBuf> {
    let dir = match std::env::var_os("WEIR_LAMBDA_BINARIES") {
        Some(dir) => PathBuf::from(dir),
        None => std::env::current_exe()?.ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default(),
    };
    let binary = dir.join(name);
    if !binary.is_file() {
        return Err(io::Error::other(format!("{} is missing\n  hint: make build builds it", binary.display())));
    }
    Ok(binary)
}
