"""Streams: what is said of one, and what it is made with."""

import json

from ministack.services import kinesis

from local_aws.kinesis.shards import API, open_shards
from local_aws.patching import replaces


@replaces(kinesis, "_describe_stream_summary", written_for="a63741b068a7", follows=API + "API_StreamDescriptionSummary.html")
def describe_stream_summary(original, data: dict):
    """`OpenShardCount` does not count the closed ones."""
    status, headers, body = original(data)
    if status == 200:
        said = json.loads(body)
        said["StreamDescriptionSummary"]["OpenShardCount"] = len(open_shards(kinesis._resolve_stream(data)[1]))
        body = json.dumps(said)
    return status, headers, body


@replaces(kinesis, "_list_shards", written_for="d0390d5ca76b", follows=API + "API_ShardFilter.html")
def list_shards(original, data: dict):
    """`AT_LATEST` lists the open shards only."""
    status, headers, body = original(data)
    if status == 200 and (data.get("ShardFilter") or {}).get("Type") == "AT_LATEST":
        said = json.loads(body)
        said["Shards"] = [s for s in said["Shards"] if "EndingSequenceNumber" not in s["SequenceNumberRange"]]
        body = json.dumps(said)
    return status, headers, body


@replaces(kinesis, "_create_stream", written_for="d57ac0a66079", follows=API + "API_CreateStream.html")
def create_stream(original, data: dict):
    """`Tags` of the call are the stream's."""
    answer = original(data)
    if answer[0] == 200 and data.get("Tags"):
        kinesis._streams[data["StreamName"]]["tags"].update(data["Tags"])
    return answer
