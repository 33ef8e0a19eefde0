"""Records: pages, iterators that end with their shard, and retention."""

import bisect
import time

from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import kinesis

from local_aws.kinesis.answers import invalid, not_found
from local_aws.kinesis.shards import API, children
from local_aws.kinesis.throttle import refused_read
from local_aws.patching import replaces

# "GetRecords can return up to 10 MB of data": the most bytes of one page.
_PAGE_BYTES = 10 * 1024 * 1024
_SEQUENCE_NUMBER_DIGITS = 56


def _arrival(record: dict) -> float:
    return record["ApproximateArrivalTimestamp"]


def _mint(stream: dict, shard_id: str, position: int) -> str:
    """An iterator at a position, which counts from the shard's first record ever, expired ones included."""
    token = new_uuid()
    kinesis._shard_iterators[token] = {
        "stream": stream["StreamName"],
        "stream_arn": stream["StreamARN"],
        "shard_id": shard_id,
        "position": position,
        "created_at": time.time(),
    }
    return token


@replaces(kinesis, "_expire_records", written_for="9f3968926430", follows=API + "API_IncreaseStreamRetentionPeriod.html")
def expire_records(original, stream: dict) -> None:
    """In time proportional to what expires; `trimmed` keeps positions absolute."""
    oldest = time.time() - stream["RetentionPeriodHours"] * 3600
    for shard in stream["shards"].values():
        records = shard["records"]
        if records and _arrival(records[0]) < oldest:
            expired = bisect.bisect_left(records, oldest, key=_arrival)
            del records[:expired]
            shard["trimmed"] = shard.get("trimmed", 0) + expired


@replaces(kinesis, "_get_shard_iterator", written_for="720b89b08f26", follows=API + "API_GetShardIterator.html")
def get_shard_iterator(original, data: dict):
    name, stream = kinesis._resolve_stream(data)
    if not stream:
        return not_found(f"Stream {name} not found")
    id, kind, number = data.get("ShardId"), data.get("ShardIteratorType"), data.get("StartingSequenceNumber", "")
    if id not in stream["shards"]:
        return not_found(f"Shard {id} not found")
    if kind == "AT_TIMESTAMP" and data.get("Timestamp") is None:
        return invalid("Timestamp required for AT_TIMESTAMP")
    if kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER") and len(number) != _SEQUENCE_NUMBER_DIGITS and number != "0":
        return invalid("StartingSequenceNumber is invalid for this stream")
    kinesis._expire_records(stream)
    shard = stream["shards"][id]
    position = kinesis._start_position(shard["records"], kind, number, data.get("Timestamp"))
    if position is None:
        return invalid(f"Invalid ShardIteratorType: {kind}")
    return json_response({"ShardIterator": _mint(stream, id, position + shard.get("trimmed", 0))})


@replaces(kinesis, "_get_records", written_for="b9eb8fa90228", follows=API + "API_GetRecords.html")
def get_records(original, data: dict):
    """A page of at most 10 MB. A closed shard that is read to its end has no next iterator and names its children."""
    limit = data.get("Limit", 10000)
    if not 1 <= limit <= 10000:
        return invalid("Limit must be between 1 and 10000")
    iterator = kinesis._shard_iterators.get(data.get("ShardIterator"))
    if not iterator:
        return error_response_json("ExpiredIteratorException", "Iterator has expired or is invalid", 400)
    refused = refused_read(iterator)
    if refused:
        return refused
    stream, id = kinesis._streams.get(iterator["stream"]), iterator["shard_id"]
    if not stream or id not in stream["shards"]:
        return not_found("Stream or shard not found")
    kinesis._expire_records(stream)
    shard = stream["shards"][id]
    records, trimmed = shard["records"], shard.get("trimmed", 0)
    begin = max(0, iterator["position"] - trimmed)
    page, size = [], 0
    for record in records[begin : begin + limit]:
        size += len(record["Data"]) * 3 // 4 + len(record["PartitionKey"])
        if page and size > _PAGE_BYTES:
            break
        encryption = stream.get("EncryptionType", "NONE")
        page.append({**record, "Data": kinesis._ensure_base64(record["Data"]), "EncryptionType": encryption})
    end, behind = begin + len(page), 0
    if end < len(records):
        behind = max(0, int((time.time() - _arrival(records[end])) * 1000))
    answer = {"Records": page, "MillisBehindLatest": behind}
    if shard.get("ending_sequence_number") and end >= len(records):
        answer["ChildShards"] = children(stream, id)
    else:
        answer["NextShardIterator"] = _mint(stream, id, trimmed + end)
    return json_response(answer)
