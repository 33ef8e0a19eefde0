#!/usr/bin/env python3
"""Calls Kinesis of an emulator, without a client of AWS: for what must be there before Weir is.

usage: scripts/kinesis-call.py URL ACTION JSON     one call; its answer
       scripts/kinesis-call.py URL --records NAME  the records of a stream, one a line, as they are
"""
import base64
import json
import sys
import urllib.request

# An emulator looks at neither the key nor the signature, but finds the service and the region there.
_AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0"


def call(url: str, action: str, body: str) -> dict:
    headers = {
        "Authorization": _AUTHORIZATION,
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"Kinesis_20131202.{action}",
    }
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers)) as answer:
        return json.loads(answer.read() or b"{}")


def records(url: str, name: str):
    for shard in call(url, "ListShards", json.dumps({"StreamName": name}))["Shards"]:
        start = {"StreamName": name, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = call(url, "GetShardIterator", json.dumps(start))["ShardIterator"]
        for record in call(url, "GetRecords", json.dumps({"ShardIterator": iterator}))["Records"]:
            yield base64.b64decode(record["Data"]).decode(errors="replace").replace("\n", "\\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip().split("\n\n")[1])
    if sys.argv[2] == "--records":
        for line in records(sys.argv[1], sys.argv[3]):
            print(line)
    else:
        print(json.dumps(call(sys.argv[1], sys.argv[2], sys.argv[3])))
