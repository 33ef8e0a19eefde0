#!/usr/bin/env python3
"""The baseline of the alerter's benchmark: what a team writes in an afternoon. One put_item and one publish a record.

It speaks Lambda's runtime API by itself, as AWS's own runtime interface client does: next, handle, respond.
"""
import base64
import http.client
import json
import os
from decimal import Decimal

import boto3

table = boto3.resource("dynamodb").Table(os.environ["WEIR_TABLE_NAME"])
sns = boto3.client("sns")
topic = os.environ["WEIR_TOPIC_ARN"]


def handler(event, _context):
    for record in event["Records"]:
        anomaly = json.loads(base64.b64decode(record["kinesis"]["data"]), parse_float=Decimal)
        table.put_item(Item=anomaly)
        sns.publish(TopicArn=topic, Subject=anomaly["rule"], Message=json.dumps(anomaly, default=str))
    return {"batchItemFailures": []}


def main():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    base = "/2018-06-01/runtime/invocation"
    while True:
        api.request("GET", f"{base}/next")
        response = api.getresponse()
        event = json.loads(response.read())
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        answer = json.dumps(handler(event, None))
        api.request("POST", f"{base}/{request_id}/response", answer)
        api.getresponse().read()


if __name__ == "__main__":
    main()
