"""Kinesis Data Streams: shards that live through a reshard, pages of records, and limits by shard."""
