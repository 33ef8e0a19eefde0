"""What an event source mapping gives up on, on its way to the destination of failures."""

import hashlib
import json
import logging
import time

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, new_uuid
from ministack.services import kinesis, sns, sqs

from local_aws.clock import iso

log = logging.getLogger("local_aws")


def send(esm: dict, function: dict, records: list, shard_id: str, stream_arn: str, error: str, condition: str, invocations: int):
    """https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html"""
    destination = ((esm.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    log.warning("ESM %s discards %d records of %s: %s", esm["UUID"], len(records), shard_id, condition)
    if not destination:
        return
    now = time.time()
    body = json.dumps(
        {
            "requestContext": {
                "requestId": new_uuid(),
                "functionArn": (function.get("config") or function).get("FunctionArn", ""),
                "condition": condition,
                "approximateInvokeCount": invocations,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": error},
            "version": "1.0",
            "timestamp": iso(now),
            "KinesisBatchInfo": {
                "shardId": shard_id,
                "startSequenceNumber": records[0]["SequenceNumber"],
                "endSequenceNumber": records[-1]["SequenceNumber"],
                "approximateArrivalOfFirstRecord": iso(records[0]["ApproximateArrivalTimestamp"]),
                "approximateArrivalOfLastRecord": iso(records[-1]["ApproximateArrivalTimestamp"]),
                "batchSize": len(records),
                "streamArn": stream_arn,
            },
        }
    )
    service = parse_arn(destination).service
    if service == "sqs":
        _to_queue(destination, body, now)
    elif service == "sns" and destination in sns._topics:
        sns._fanout(destination, new_uuid(), body, "Lambda ESM failure", "", {})


def _to_queue(arn: str, body: str, now: float) -> None:
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        return
    queue["messages"].append(
        {
            "id": new_uuid(),
            "body": body,
            "md5_body": hashlib.md5(body.encode()).hexdigest(),
            "md5_attrs": "",
            "receipt_handle": None,
            "sent_at": now,
            "visible_at": now + sqs.queue_delay(queue),
            "receive_count": 0,
            "first_receive_at": None,
            "message_attributes": {},
            "sys": {"SenderId": get_account_id(), "SentTimestamp": str(int(now * 1000))},
            "group_id": None,
            "dedup_id": None,
            "dedup_cache_key": None,
            "seq": None,
        }
    )
    kinesis.esm_wake.set()
