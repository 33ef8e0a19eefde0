//! A stretch of a shard, read by its sequence numbers.

use std::cmp::Ordering;

use aws_sdk_kinesis::types::ShardIteratorType;

use crate::{Clients, CloudError, stream::PutRecord};

/// The records of a shard from one sequence number to another, both included: those that the stream still keeps.
///
/// # Errors
/// When the shard cannot be read.
pub async fn read(
    clients: &Clients,
    stream: &str,
    shard: &str,
    first: &str,
    last: &str,
) -> Result<Vec<PutRecord>, CloudError> {
    let action = || format!("read shard {shard} of {stream} from {first} to {last}");
    let open = clients.kinesis.get_shard_iterator().stream_name(stream).shard_id(shard);
    let open = open.shard_iterator_type(ShardIteratorType::AtSequenceNumber).starting_sequence_number(first);
    let opened = open.send().await.map_err(|e| CloudError::from_sdk(action(), e))?;
    let mut iterator = opened.shard_iterator().map(str::to_owned);
    let mut records = Vec::new();
    while let Some(at) = iterator {
        let answer = clients.kinesis.get_records().shard_iterator(at).send().await;
        let answer = answer.map_err(|e| CloudError::from_sdk(action(), e))?;
        for record in answer.records() {
            match order(record.sequence_number(), last) {
                Ordering::Greater => return Ok(records),
                // Where the first is no longer kept, AWS goes on at the next that is.
                Ordering::Less | Ordering::Equal => {
                    records.push(PutRecord::new(
                        record.data().as_ref().to_vec(),
                        record.partition_key().unwrap_or_default(),
                    ));
                }
            }
        }
        let at_tip = answer.millis_behind_latest().unwrap_or(0) == 0;
        iterator = answer.next_shard_iterator().filter(|_| !at_tip).map(str::to_owned);
        if iterator.is_some() {
            tokio::time::sleep(crate::stream::POLL_INTERVAL).await;
        }
    }
    Ok(records)
}

/// Sequence numbers are whole numbers of up to 128 digits, written without leading zeros.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html>
fn order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_are_compared_as_numbers() {
        assert_eq!(order("9", "10"), Ordering::Less);
        assert_eq!(order("49601", "49601"), Ordering::Equal);
        assert_eq!(order("49602", "49601"), Ordering::Greater);
    }
}
