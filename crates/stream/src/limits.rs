//! The limits of what a record may be. Beyond them it is poison (`too_large`), never a burden.

/// The most bytes that a record may have once it is unpacked. Kinesis takes 10 MiB a record at most; CloudWatch Logs' and
/// Firehose's batches of 1 MiB compressed are some 5 to 20 MiB raw. Deflate can blow a megabyte up to a gigabyte: unpacking
/// stops here.
pub const MAX_UNPACKED_BYTES: usize = 32 * 1024 * 1024;

/// The most rows, or records inside an envelope, that one record may give. CloudWatch Logs puts at most 10,000 log events into
/// a batch.
pub const MAX_ROWS: usize = 100_000;

/// The most cells, rows times columns, that one record may give: they are kept until the whole record is judged, 32 bytes each.
pub const MAX_CELLS: usize = 4_000_000;

/// The most bytes of text that the rows of one record may hold: a text of the record, or of its envelope, stands in each of its
/// rows, so that one megabyte could become gigabytes. As much as [`MAX_PLAIN_BYTES`]: what the gate can hand on, rules can read.
pub const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// How deep objects and lists may nest; the same as serde_json's, so that strictness is the same in every place that checks it.
pub const MAX_DEPTH: usize = 127;

/// How many envelopes may stand inside one another (KPL around gzip around CloudWatch Logs are three).
pub const MAX_ENVELOPES: usize = 4;

/// The most fields that a stream's file may declare.
pub const MAX_FIELDS: usize = 1_000;

/// The most bytes of one row on the gate's stream: a record of Kinesis holds 1 MiB with its partition key
/// (<https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>, for streams that nobody gave more).
pub const MAX_PLAIN_ROW_BYTES: usize = 1_000_000;

/// The most bytes of all rows of one record on the gate's stream: columns of the record or of the envelope stand in every
/// row, so that a few megabytes could become gigabytes.
pub const MAX_PLAIN_BYTES: usize = 64 * 1024 * 1024;
