"""Limits by shard, with KINESIS_THROTTLE=1: 1,000 records and 1 MiB written a second, five reads a second."""

import json
import os
import time

from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.services import kinesis

from local_aws.kinesis.shards import API
from local_aws.patching import replaces

_ON = os.environ.get("KINESIS_THROTTLE", "0") == "1"
_RECORDS_A_SECOND = 1000.0
_BYTES_A_SECOND = 1048576.0
_READS_A_SECOND = 5.0
_MOST_RECORDS_A_CALL = 500
_EXCEEDED = "ProvisionedThroughputExceededException"

# By stream and shard: tokens left, and when they were counted. A bucket holds a second's worth.
_writes: dict[tuple, tuple[float, float, float]] = {}
_reads: dict[tuple, tuple[float, float]] = {}


def reset() -> None:
    _writes.clear()
    _reads.clear()


def _may_write(stream: dict, shard_id: str, size: int) -> bool:
    key, now = (stream["StreamARN"], shard_id), time.monotonic()
    records, bytes, since = _writes.get(key, (_RECORDS_A_SECOND, _BYTES_A_SECOND, now))
    records = min(_RECORDS_A_SECOND, records + (now - since) * _RECORDS_A_SECOND)
    bytes = min(_BYTES_A_SECOND, bytes + (now - since) * _BYTES_A_SECOND)
    allowed = records >= 1 and bytes >= size
    _writes[key] = (records - 1, bytes - size, now) if allowed else (records, bytes, now)
    return allowed


def _may_read(stream_name: str, shard_id: str) -> bool:
    key, now = (stream_name, shard_id), time.monotonic()
    reads, since = _reads.get(key, (_READS_A_SECOND, now))
    reads = min(_READS_A_SECOND, reads + (now - since) * _READS_A_SECOND)
    _reads[key] = (reads - 1, now) if reads >= 1 else (reads, now)
    return reads >= 1


def _shard_of(stream: dict, record: dict) -> str:
    explicit = record.get("ExplicitHashKey")
    key = int(explicit) if explicit else kinesis._partition_key_to_hash(record.get("PartitionKey", ""))
    return kinesis._route_to_shard(key, stream)


def _size(record: dict) -> int:
    return len(record.get("Data", "")) * 3 // 4


def _exceeded(shard_id: str, stream_name: str) -> str:
    return f"Rate exceeded for shard {shard_id} in stream {stream_name} under account {get_account_id()}."


@replaces(kinesis, "_put_record", written_for="010c2796f340", follows=API + "API_PutRecord.html")
def put_record(original, data: dict):
    stream = kinesis._resolve_stream(data)[1]
    if _ON and stream:
        shard_id = _shard_of(stream, data)
        if not _may_write(stream, shard_id, _size(data)):
            return error_response_json(_EXCEEDED, _exceeded(shard_id, stream["StreamName"]), 400)
    return original(data)


@replaces(kinesis, "_put_records", written_for="e8f7755ae6b8", follows=API + "API_PutRecords.html")
def put_records(original, data: dict):
    """Records over the limit fail one by one; the others are taken."""
    stream, records = kinesis._resolve_stream(data)[1], data.get("Records", [])
    if not (_ON and stream) or len(records) > _MOST_RECORDS_A_CALL:
        return original(data)
    shards = [_shard_of(stream, record) for record in records]
    allowed = [_may_write(stream, shard_id, _size(record)) for shard_id, record in zip(shards, records)]
    status, headers, body = original({**data, "Records": [r for r, ok in zip(records, allowed) if ok]})
    if status != 200 or all(allowed):
        return status, headers, body
    said = json.loads(body)
    taken = iter(said["Records"])
    said["Records"] = [
        next(taken) if ok else {"ErrorCode": _EXCEEDED, "ErrorMessage": _exceeded(shard_id, stream["StreamName"])}
        for shard_id, ok in zip(shards, allowed)
    ]
    said["FailedRecordCount"] = allowed.count(False)
    return json_response(said)


def refused_read(iterator: dict):
    """The refusal of a sixth read within a second; None where the read may go on."""
    if not _ON or _may_read(iterator["stream"], iterator["shard_id"]):
        return None
    return error_response_json(_EXCEEDED, _exceeded(iterator["shard_id"], iterator["stream"]), 400)
