//! The shards of a Kinesis stream.

use aws_sdk_kinesis::{
    Client,
    error::SdkError,
    operation::list_shards::ListShardsError,
    types::{ShardFilter, ShardFilterType},
};

/// Where the hash range of each open shard begins, as a decimal number of 128 bits.
///
/// # Errors
/// When a page cannot be had.
pub async fn open_shards(client: &Client, stream: &str) -> Result<Vec<String>, SdkError<ListShardsError>> {
    let filter = ShardFilter::builder().r#type(ShardFilterType::AtLatest).build();
    let filter = filter.map_err(SdkError::construction_failure)?;
    let (mut keys, mut token) = (Vec::new(), None);
    loop {
        let call = client.list_shards();
        // A page's token stands for the name and the filter.
        let call = match token.take() {
            Some(token) => call.next_token(token),
            None => call.stream_name(stream).shard_filter(filter.clone()),
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
