"""Shards: a reshard closes parents and opens children, and the parents stay readable until their records expire."""

import time

from ministack.core.responses import json_response
from ministack.services import kinesis

from local_aws.kinesis.answers import invalid, not_found
from local_aws.patching import replaces

API = "https://docs.aws.amazon.com/kinesis/latest/APIReference/"


def open_shards(stream: dict) -> dict:
    """The shards that take records, by id."""
    return {id: shard for id, shard in stream["shards"].items() if not shard.get("ending_sequence_number")}


def hash_range(shard: dict) -> tuple[int, int]:
    return int(shard["starting_hash_key"]), int(shard["ending_hash_key"])


def children(stream: dict, parent: str) -> list[dict]:
    """The shards that continue `parent`, as GetRecords names them."""
    found = []
    for id, shard in sorted(stream["shards"].items()):
        parents = [p for p in (shard.get("parent_shard_id"), shard.get("adjacent_parent_shard_id")) if p]
        if parent in parents:
            keys = {"StartingHashKey": shard["starting_hash_key"], "EndingHashKey": shard["ending_hash_key"]}
            found.append({"ShardId": id, "ParentShards": parents, "HashKeyRange": keys})
    return found


def _open(stream: dict, first: int, last: int, parent: str | None = None, adjacent: str | None = None) -> None:
    id = f"shardId-{kinesis._max_shard_index(stream) + 1:012d}"
    stream["shards"][id] = {
        "records": [],
        "starting_hash_key": str(first),
        "ending_hash_key": str(last),
        "starting_sequence_number": kinesis._next_sequence_number(),
        "parent_shard_id": parent,
        "adjacent_parent_shard_id": adjacent,
    }


def _close(stream: dict, id: str) -> None:
    stream["shards"][id]["ending_sequence_number"] = kinesis._next_sequence_number()


@replaces(kinesis, "_next_sequence_number", written_for="763b641fd10b", follows=API + "API_Record.html")
def next_sequence_number(original) -> str:
    """56 digits that grow, as those of AWS do in practice."""
    with kinesis._sequence_lock:
        kinesis._sequence_counter += 1
        return f"496{int(time.time() * 1000):013d}{kinesis._sequence_counter:040d}"


@replaces(kinesis, "_route_to_shard", written_for="e45cf7a2b758", follows=API + "API_PutRecord.html")
def route_to_shard(original, hash_key: int, stream: dict) -> str:
    """A closed shard takes no records."""
    shards = open_shards(stream)
    for id, shard in shards.items():
        first, last = hash_range(shard)
        if first <= hash_key <= last:
            return id
    return next(iter(shards))


@replaces(kinesis, "_split_shard", written_for="79e732074645", follows=API + "API_SplitShard.html")
def split_shard(original, data: dict):
    name, stream = kinesis._resolve_stream(data)
    if not stream:
        return not_found(f"Stream {name} not found")
    id, at = data.get("ShardToSplit"), int(data.get("NewStartingHashKey") or 0)
    if id not in open_shards(stream):
        return not_found(f"Shard {id} not found or closed")
    first, last = hash_range(stream["shards"][id])
    if not first < at <= last:
        return invalid("NewStartingHashKey must be within the shard range")
    _close(stream, id)
    _open(stream, first, at - 1, id)
    _open(stream, at, last, id)
    return json_response({})


@replaces(kinesis, "_merge_shards", written_for="4440fcd2a9bb", follows=API + "API_MergeShards.html")
def merge_shards(original, data: dict):
    name, stream = kinesis._resolve_stream(data)
    if not stream:
        return not_found(f"Stream {name} not found")
    pair = data.get("ShardToMerge"), data.get("AdjacentShardToMerge")
    for id in pair:
        if id not in open_shards(stream):
            return not_found(f"Shard {id} not found or closed")
    a, b = (hash_range(stream["shards"][id]) for id in pair)
    if a[1] + 1 != b[0] and b[1] + 1 != a[0]:
        return invalid(f"Shards {pair[0]} and {pair[1]} are not adjacent")
    for id in pair:
        _close(stream, id)
    _open(stream, min(a[0], b[0]), max(a[1], b[1]), *pair)
    return json_response({})


@replaces(kinesis, "_update_shard_count", written_for="79b02ca7148f", follows=API + "API_UpdateShardCount.html")
def update_shard_count(original, data: dict):
    """Every shard is replaced; a new one follows those whose keys it takes over."""
    name, stream = kinesis._resolve_stream(data)
    if not stream:
        return not_found(f"Stream {name} not found")
    target, old = int(data.get("TargetShardCount") or 0), open_shards(stream)
    current = len(old)
    if target < 1 or target > current * 2 or target * 2 < current:
        return invalid(f"UpdateShardCount cannot go from {current} to {target}: at most double, at least half")
    if target != current:
        for id in old:
            _close(stream, id)
        for first, last in kinesis._compute_hash_ranges(target):
            parents = [
                id for id, shard in old.items() if hash_range(shard)[1] >= int(first) and hash_range(shard)[0] <= int(last)
            ]
            _open(stream, first, last, parents[0], parents[-1] if len(parents) > 1 else None)
    return json_response(
        {
            "StreamName": stream["StreamName"],
            "CurrentShardCount": current,
            "TargetShardCount": target,
            "StreamARN": stream["StreamARN"],
        }
    )


@replaces(kinesis, "_shard_out", written_for="3124090ac60f", follows=API + "API_Shard.html")
def shard_out(original, id: str, shard: dict) -> dict:
    """A closed shard says where it ended."""
    out = original(id, shard)
    if shard.get("ending_sequence_number"):
        out["SequenceNumberRange"]["EndingSequenceNumber"] = shard["ending_sequence_number"]
    return out
