//! The shards of a Kinesis stream.

use aws_sdk_kinesis::{
    Client,
    error::SdkError,
    operation::list_shards::ListShardsError,
    types::{ShardFilter, ShardFilterType},
};

/// How a call names a stream: by name in the caller's own account, by ARN in another, where a name would be another stream.
/// <https://docs.aws.amazon.com/streams/latest/dev/resource-based-policy-examples.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// In the caller's account and region.
    Name(String),
    /// In any account, of the caller's region.
    Arn(String),
}

impl From<&str> for Named {
    fn from(stream: &str) -> Self {
        if stream.starts_with("arn:") { Self::Arn(stream.to_owned()) } else { Self::Name(stream.to_owned()) }
    }
}

impl Named {
    /// The name, where it goes by that.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        if let Self::Name(name) = self { Some(name.clone()) } else { None }
    }

    /// The ARN, where it goes by that.
    #[must_use]
    pub fn arn(&self) -> Option<String> {
        if let Self::Arn(arn) = self { Some(arn.clone()) } else { None }
    }
}

/// Where the hash range of each open shard begins, as a decimal number of 128 bits.
///
/// # Errors
/// When a page cannot be had.
pub async fn open_shards(client: &Client, stream: &Named) -> Result<Vec<String>, SdkError<ListShardsError>> {
    let filter = ShardFilter::builder().r#type(ShardFilterType::AtLatest).build();
    let filter = filter.map_err(SdkError::construction_failure)?;
    let (mut keys, mut token) = (Vec::new(), None);
    loop {
        let call = client.list_shards();
        // A page's token stands for the name and the filter.
        let call = match token.take() {
            Some(token) => call.next_token(token),
            None => call.set_stream_name(stream.name()).set_stream_arn(stream.arn()).shard_filter(filter.clone()),
        };
        let page = call.send().await?;
        for shard in page.shards() {
            let open = shard.sequence_number_range().is_none_or(|range| range.ending_sequence_number().is_none());
            if open && let Some(range) = shard.hash_key_range() {
                keys.push(range.starting_hash_key().to_owned());
            }
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(keys);
        }
    }
}
