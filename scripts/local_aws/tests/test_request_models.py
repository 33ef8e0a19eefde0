"""Requests that AWS refuses are found, by the services' published models, and those of our programs pass."""

import asyncio
import base64
import json
import os
import tempfile
import unittest

from local_aws import request_models


def kinesis(**values) -> list[str]:
    return request_models.violations("Kinesis_20131202.PutRecords", json.dumps(values).encode())


def record(**changes) -> dict:
    return {"Data": base64.b64encode(b"{}").decode(), "PartitionKey": "k", "ExplicitHashKey": "0"} | changes


class Violations(unittest.TestCase):
    def test_what_is_as_the_model_says_passes(self):
        self.assertEqual(kinesis(StreamName="weir-events", Records=[record()] * 500), [])
        body = json.dumps({"TableName": "t00", "Key": {"id": {"S": "x"}}}).encode()
        self.assertEqual(request_models.violations("DynamoDB_20120810.GetItem", body), [])
        self.assertEqual(request_models.violations("AmazonSSM.GetParameter", b"{}"), [], "nobody looks at that service")

    def test_lengths_patterns_and_required_members(self):
        for values, said in [
            ({"StreamName": "a b", "Records": [record()]}, "StreamName: 'a b' does not match"),
            ({"StreamName": "s" * 129, "Records": [record()]}, "StreamName: length 129 is above 128"),
            ({"StreamName": "s", "Records": [record()] * 501}, "Records: number of elements 501 is above 500"),
            ({"StreamName": "s", "Records": []}, "Records: number of elements 0 is below 1"),
            ({"StreamName": "s"}, "kinesis.PutRecords.Records: is required"),
            ({"StreamName": "s", "Records": [record(PartitionKey="")]}, "Records[0].PartitionKey: length 0 is below 1"),
            ({"StreamName": "s", "Records": [record(ExplicitHashKey="01")]}, "ExplicitHashKey: '01' does not match"),
            ({"StreamName": "s", "Records": [record(Data="%")]}, "Records[0].Data: no base64"),
            ({"StreamName": "s", "Records": [record(Date="x")]}, "Records[0].Date: there is no such member"),
            ({"StreamName": 1, "Records": [record()]}, "StreamName: 1 is no text"),
            ({"StreamName": "s", "Records": record()}, "is no list"),
        ]:
            found = kinesis(**values)
            self.assertTrue(any(said in line for line in found), (said, found))

    def test_enums_and_numbers(self):
        for target, values, said in [
            ("Kinesis_20131202.ListShards", {"ShardFilter": {"Type": "NOW"}}, "'NOW' is none of"),
            ("AmazonSQS.ReceiveMessage", {"QueueUrl": "u", "MaxNumberOfMessages": 1.5}, "1.5 is no whole number"),
            ("DynamoDB_20120810.Query", {"TableName": "t", "Limit": 0}, "value 0 is below 1"),
            ("DynamoDB_20120810.Query", {"TableName": "t", "ScanIndexForward": "no"}, "is neither true nor false"),
            ("AmazonSQS.SendMesage", {}, "there is no operation 'SendMesage'"),
        ]:
            found = request_models.violations(target, json.dumps(values).encode())
            self.assertTrue(any(said in line for line in found), (said, found))

    def test_the_query_protocol(self):
        entry = "PublishBatchRequestEntries.member.1"
        head = f"Action=PublishBatch&Version=2010-03-31&TopicArn=arn&{entry}.Id=0"
        attribute = f"{entry}.MessageAttributes.entry.1"
        whole = f"{head}&{entry}.Message=hi&{attribute}.Name=rule&{attribute}.Value.DataType=String&{attribute}.Value.StringValue=z"
        self.assertEqual(request_models.violations("", whole.encode()), [])
        found = request_models.violations("", f"{head}&{attribute}.Name=rule&{attribute}.Value.StringValue=z".encode())
        self.assertEqual(
            found,
            [
                "sns.PublishBatch.PublishBatchRequestEntries[0].Message: is required",
                "sns.PublishBatch.PublishBatchRequestEntries[0].MessageAttributes.rule.DataType: is required",
            ],
        )


class Refusals(unittest.TestCase):
    def ask(self, body: bytes) -> tuple[int, list[bytes]]:
        """Through the wrapper, in two pieces; what it answers, and what the application behind it read."""
        read, sent = [], []

        async def app(scope, receive, send):
            read.append((await receive())["body"] + (await receive())["body"])
            await send({"type": "http.response.start", "status": 200})

        pieces = iter([
            {"type": "http.request", "body": body[:5], "more_body": True},
            {"type": "http.request", "body": body[5:], "more_body": False},
        ])

        async def receive():
            return next(pieces)

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "headers": [
            (b"content-type", b"application/x-amz-json-1.1"), (b"x-amz-target", b"Kinesis_20131202.PutRecords"),
        ]}
        asyncio.run(request_models.refuse_violations(app)(scope, receive, send))
        return sent[0]["status"], read

    def test_a_violation_is_refused_and_written_down(self):
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                right = json.dumps({"StreamName": "s", "Records": [record()]}).encode()
                self.assertEqual(self.ask(right), (200, [right]))
                self.assertFalse(os.path.exists(request_models.FILE))
                self.assertEqual(self.ask(b'{"StreamName":"s"}'), (400, []))
                with open(request_models.FILE, encoding="utf-8") as file:
                    self.assertEqual(file.read(), "kinesis.PutRecords.Records: is required\n")
            finally:
                os.chdir(before)
