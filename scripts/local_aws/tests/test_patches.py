"""A test for each patch: it says what AWS does, and fails on MiniStack's own code."""

import base64
import json
import threading
import time
import unittest

from ministack.services import cloudwatch, ec2, ecs, kinesis, lambda_svc, rds, scheduler

from local_aws import dead_letter
from local_aws.kinesis import throttle

_by_patch: dict[str, list[str]] = {}


def patch(*names: str):
    """Names the patches that a test is about."""

    def note(test):
        for name in names:
            _by_patch.setdefault(name, []).append(test.__qualname__)
        return test

    return note


def tests_of(name: str) -> list[unittest.TestCase]:
    """The tests of a patch."""
    found = []
    for qualified in _by_patch.get(name, []):
        case, method = qualified.split(".")
        found.append(globals()[case](method))
    return found


def said(answer) -> dict:
    status, _, body = answer
    assert status == 200, (status, body)
    return json.loads(body) if body else {}


def query(**values) -> dict:
    """Parameters of the Query protocol."""
    return {name.replace("__", "."): [value] for name, value in values.items()}


class Kinesis(unittest.TestCase):
    def setUp(self):
        kinesis.reset()
        throttle.reset()
        said(kinesis._create_stream({"StreamName": "s", "ShardCount": 2, "Tags": {"team": "dam"}}))
        self.stream = kinesis._streams["s"]
        self.stream["StreamStatus"] = "ACTIVE"
        self.first, self.second = sorted(self.stream["shards"])

    def put(self, key="k", data=b"{}", hash_key=None):
        record = {"StreamName": "s", "PartitionKey": key, "Data": base64.b64encode(data).decode()}
        if hash_key is not None:
            record["ExplicitHashKey"] = str(hash_key)
        return kinesis._put_record(record)

    def iterator(self, shard, kind="TRIM_HORIZON", **more):
        return kinesis._get_shard_iterator({"StreamName": "s", "ShardId": shard, "ShardIteratorType": kind, **more})

    def read(self, shard, **more):
        return said(kinesis._get_records({"ShardIterator": said(self.iterator(shard))["ShardIterator"], **more}))

    def merge(self):
        said(kinesis._merge_shards({"StreamName": "s", "ShardToMerge": self.first, "AdjacentShardToMerge": self.second}))

    @patch("kinesis._next_sequence_number")
    def test_sequence_numbers_have_56_digits_and_grow(self):
        numbers = [kinesis._next_sequence_number() for _ in range(3)]
        self.assertEqual([len(number) for number in numbers], [56] * 3)
        self.assertEqual(numbers, sorted(numbers))

    @patch("kinesis._create_stream")
    def test_a_stream_has_the_tags_that_it_was_made_with(self):
        self.assertEqual(self.stream["tags"].get("team"), "dam")

    @patch("kinesis._route_to_shard")
    def test_a_closed_shard_takes_no_records(self):
        self.stream["shards"][self.first]["ending_sequence_number"] = "1"
        self.assertEqual(kinesis._route_to_shard(0, self.stream), self.second)

    @patch("kinesis._split_shard", "kinesis._shard_out")
    def test_a_parent_outlives_its_split(self):
        self.put(hash_key=0)
        said(kinesis._split_shard({"StreamName": "s", "ShardToSplit": self.first, "NewStartingHashKey": "1000"}))
        self.assertEqual(len(self.stream["shards"]), 4)
        self.assertEqual(len(self.read(self.first)["Records"]), 1)
        listed = said(kinesis._list_shards({"StreamName": "s"}))["Shards"]
        closed = [s["ShardId"] for s in listed if "EndingSequenceNumber" in s["SequenceNumberRange"]]
        self.assertEqual(closed, [self.first])

    @patch("kinesis._merge_shards")
    def test_both_parents_outlive_a_merge(self):
        self.merge()
        self.assertEqual(len(self.stream["shards"]), 3)
        status, _, _ = kinesis._merge_shards(
            {"StreamName": "s", "ShardToMerge": self.first, "AdjacentShardToMerge": self.second}
        )
        self.assertEqual(status, 400)

    @patch("kinesis._update_shard_count")
    def test_a_new_count_closes_the_old_shards(self):
        said(kinesis._update_shard_count({"StreamName": "s", "TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING"}))
        self.assertEqual(len(self.stream["shards"]), 6)
        status, _, _ = kinesis._update_shard_count({"StreamName": "s", "TargetShardCount": 9})
        self.assertEqual(status, 400)

    @patch("kinesis._describe_stream_summary")
    def test_the_summary_counts_open_shards(self):
        self.merge()
        summary = said(kinesis._describe_stream_summary({"StreamName": "s"}))["StreamDescriptionSummary"]
        self.assertEqual(summary["OpenShardCount"], 1)

    @patch("kinesis._list_shards")
    def test_at_latest_lists_open_shards(self):
        self.merge()
        listed = said(kinesis._list_shards({"StreamName": "s", "ShardFilter": {"Type": "AT_LATEST"}}))["Shards"]
        self.assertEqual(len(listed), 1)

    @patch("kinesis._get_records")
    def test_a_closed_shard_ends_and_names_its_children(self):
        self.merge()
        page = self.read(self.first)
        self.assertNotIn("NextShardIterator", page)
        self.assertEqual([child["ParentShards"] for child in page["ChildShards"]], [[self.first, self.second]])

    @patch("kinesis._get_shard_iterator", "kinesis._expire_records")
    def test_an_iterator_keeps_its_place_when_records_expire(self):
        for _ in range(3):
            self.put(hash_key=0)
        iterator = said(self.iterator(self.first, "LATEST"))["ShardIterator"]
        for record in self.stream["shards"][self.first]["records"][:2]:
            record["ApproximateArrivalTimestamp"] = 0.0
        self.put(hash_key=0)
        self.assertEqual(len(said(kinesis._get_records({"ShardIterator": iterator}))["Records"]), 1)
        self.assertEqual(self.iterator(self.first, "AT_SEQUENCE_NUMBER", StartingSequenceNumber="12")[0], 400)

    @patch("kinesis._put_record")
    def test_a_shard_takes_a_thousand_records_a_second(self):
        answers = [self.put(hash_key=0)[0] for _ in range(1500)]
        self.assertIn(400, answers)

    @patch("kinesis._put_records")
    def test_records_over_the_limit_fail_one_by_one(self):
        entry = {"PartitionKey": "k", "ExplicitHashKey": "0", "Data": base64.b64encode(bytes(10_000)).decode()}
        answer = said(kinesis._put_records({"StreamName": "s", "Records": [entry] * 200}))
        self.assertTrue(0 < answer["FailedRecordCount"] < 200)
        refused = [r for r in answer["Records"] if r.get("ErrorCode")]
        self.assertEqual(refused[0]["ErrorCode"], "ProvisionedThroughputExceededException")


class EventSourceMapping(unittest.TestCase):
    """A function in memory stands for the real one: what it answers is the test's to say."""

    def setUp(self):
        Kinesis.setUp(self)
        lambda_svc.reset()
        Kinesis.setUp(self)
        self.batches, self.answers = [], []
        self.function = {"config": {"FunctionName": "f", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f"}}
        self.replaced = lambda_svc._execute_function, lambda_svc._get_func_record_for_qualifier, lambda_svc._iter_all_esms
        self.esm = {
            "UUID": "u",
            "EventSourceArn": self.stream["StreamARN"],
            "FunctionName": "f",
            "Enabled": True,
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
        lambda_svc._execute_function = self.invoke
        lambda_svc._get_func_record_for_qualifier = lambda *_: (self.function, None)
        lambda_svc._iter_all_esms = lambda: [("000000000000", "us-east-1", self.esm)]

    def tearDown(self):
        lambda_svc._execute_function, lambda_svc._get_func_record_for_qualifier, lambda_svc._iter_all_esms = self.replaced

    put = Kinesis.put

    def invoke(self, function, event):
        numbers = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
        self.batches.append(numbers)
        failed = self.answers.pop(0) if self.answers else []
        return {"body": {"batchItemFailures": [{"itemIdentifier": numbers[index]} for index in failed]}}

    def poll(self):
        for _ in range(20):
            lambda_svc._poll_kinesis()

    @patch("lambda_svc._poll_kinesis")
    def test_a_partial_failure_comes_again_from_the_failed_record(self):
        for _ in range(4):
            self.put(hash_key=0)
        self.answers = [[2]]
        self.poll()
        self.assertEqual([len(batch) for batch in self.batches], [4, 2])

    @patch("lambda_svc.reset")
    def test_a_reset_forgets_progress(self):
        self.put(hash_key=0)
        self.poll()
        lambda_svc.reset()
        self.poll()
        self.assertEqual(len(self.batches), 2)

    @patch("lambda_svc._esm_response")
    def test_a_mapping_does_not_tell_what_the_poller_notes(self):
        self.assertNotIn("_seen", lambda_svc._esm_response({**self.esm, "_seen": True, "State": "Enabled"}))

    @patch("lambda_svc._poll_loop")
    def test_a_waiting_shard_is_looked_at_soon(self):
        waits = []

        class Stop(BaseException):
            pass

        class Wake:
            def clear(self):
                pass

            def wait(self, seconds):
                # The mapping of another test may have started the emulator's own thread.
                if threading.current_thread() is threading.main_thread():
                    waits.append(seconds)
                    raise Stop
                time.sleep(seconds)

        self.put(hash_key=0)
        self.esm["MaximumBatchingWindowInSeconds"] = 30
        wake, lambda_svc._esm_wake = lambda_svc._esm_wake, Wake()
        try:
            with self.assertRaises(Stop):
                lambda_svc._poll_loop()
        finally:
            lambda_svc._esm_wake = wake
        self.assertLess(waits[0], 0.2)

    @patch("lambda_svc._create_esm")
    def test_a_mapping_starts_at_the_time_that_it_was_given(self):
        resolve = lambda_svc._resolve_existing_esm_function
        lambda_svc._resolve_existing_esm_function = lambda name: ("f", None, None)
        at = time.time()
        try:
            status, _, body = lambda_svc._create_esm(
                {
                    "EventSourceArn": self.stream["StreamARN"],
                    "FunctionName": "f",
                    "StartingPosition": "AT_TIMESTAMP",
                    "StartingPositionTimestamp": at,
                }
            )
        finally:
            lambda_svc._resolve_existing_esm_function = resolve
        self.assertEqual(status, 202, body)
        self.assertEqual(lambda_svc._esms[json.loads(body)["UUID"]].get("StartingPositionTimestamp"), at)

    @patch("lambda_svc._poll_kinesis")
    def test_what_was_tried_too_often_goes_to_the_queue(self):
        given_up = []
        send, dead_letter.send = dead_letter.send, lambda *told: given_up.append(told)
        self.esm.update(MaximumRetryAttempts=0)
        self.put(hash_key=0)
        self.answers = [[0], [0], [0]]
        try:
            self.poll()
        finally:
            dead_letter.send = send
        self.assertEqual(len(self.batches), 1)
        self.assertEqual([told[6] for told in given_up], ["RetryAttemptsExhausted"])


class CloudWatch(unittest.TestCase):
    @patch("cloudwatch._describe_alarms")
    def test_the_query_protocol_tells_every_field(self):
        cloudwatch._alarms["a"] = {
            "AlarmName": "a", "AlarmArn": "arn:a", "MetricName": "m", "Namespace": "n", "TreatMissingData": "breaching",
            "DatapointsToAlarm": 2, "StateValue": "OK", "ActionsEnabled": True, "AlarmActions": ["arn:t"],
        }  # fmt: skip
        _, _, body = cloudwatch._describe_alarms({"AlarmNames.member.1": ["a"]}, {}, False)
        text = body.decode() if isinstance(body, bytes) else body
        self.assertIn("<TreatMissingData>breaching</TreatMissingData>", text)
        self.assertIn("<DatapointsToAlarm>2</DatapointsToAlarm>", text)

    @patch("cloudwatch._put_metric_alarm")
    def test_an_alarm_remembers_whom_it_tells_when_data_stops(self):
        given = query(AlarmName="a", MetricName="m", Namespace="n", Period="60", EvaluationPeriods="5", Threshold="1")
        given["InsufficientDataActions.member.1"] = ["arn:t"]
        cloudwatch._put_metric_alarm(given, {}, False)
        self.assertEqual(cloudwatch._alarms["a"]["InsufficientDataActions"], ["arn:t"])

    @patch("cloudwatch._put_composite_alarm")
    def test_a_composite_alarm_remembers_what_suppresses_it(self):
        for name, further in (("causes", {}), ("path", {"ActionsSuppressor": ["causes"], "ActionsSuppressorWaitPeriod": ["60"]})):
            cloudwatch._alarms["a"] = {"AlarmName": "a", "AlarmArn": "arn:a", "StateValue": "OK"}
            given = {"AlarmName": [name], "AlarmRule": ['ALARM("a")'], **further}
            status, _, body = cloudwatch._put_composite_alarm(given, {}, False)
            self.assertEqual(status, 200, body)
        self.assertNotIn("ActionsSuppressor", cloudwatch._composite_alarms["causes"])
        self.assertEqual(cloudwatch._composite_alarms["path"]["ActionsSuppressor"], "causes")
        self.assertEqual(cloudwatch._composite_alarms["path"]["ActionsSuppressorWaitPeriod"], 60)


class Ecs(unittest.TestCase):
    @patch("ecs._create_service", "ecs._update_service")
    def test_a_service_remembers_its_rebalancing(self):
        said(ecs._create_cluster({"clusterName": "c"}))
        container = {"name": "x", "image": "x"}
        said(ecs._register_task_definition({"family": "t", "containerDefinitions": [container]}))
        service = {"cluster": "c", "serviceName": "s", "taskDefinition": "t", "desiredCount": 0}
        made = said(ecs._create_service({**service, "availabilityZoneRebalancing": "ENABLED"}))["service"]
        self.assertEqual(self.kept(made["serviceArn"]), "ENABLED")
        said(ecs._update_service({"cluster": "c", "service": "s", "availabilityZoneRebalancing": "DISABLED"}))
        self.assertEqual(self.kept(made["serviceArn"]), "DISABLED")

    def kept(self, arn):
        return next(s for s in ecs._services.values() if s["serviceArn"] == arn).get("availabilityZoneRebalancing")


class Ec2(unittest.TestCase):
    RULE = {
        "IpPermissions.1.IpProtocol": ["tcp"],
        "IpPermissions.1.FromPort": ["443"],
        "IpPermissions.1.ToPort": ["443"],
    }

    @patch("ec2._authorize_sg_egress")
    def test_a_rule_that_is_declared_again_takes_the_new_description(self):
        ec2._security_groups["sg-1"] = {"GroupId": "sg-1", "IpPermissions": [], "IpPermissionsEgress": [], "VpcId": "v"}
        for description in ("old", "new"):
            ec2._authorize_sg_egress(
                {
                    "GroupId": ["sg-1"],
                    **self.RULE,
                    "IpPermissions.1.IpRanges.1.CidrIp": ["0.0.0.0/0"],
                    "IpPermissions.1.IpRanges.1.Description": [description],
                }
            )
        rules = ec2._security_groups["sg-1"]["IpPermissionsEgress"]
        self.assertEqual([entry.get("Description") for rule in rules for entry in rule["IpRanges"]], ["new"])

    @patch("ec2._parse_ip_permissions", "ec2._sg_rule_xml")
    def test_a_rule_may_name_a_prefix_list(self):
        named = {"IpPermissions.1.PrefixListIds.1.PrefixListId": ["pl-1"]}
        rule = ec2._parse_ip_permissions({**self.RULE, **named}, "IpPermissions")[0]
        self.assertEqual(rule["PrefixListIds"], [{"PrefixListId": "pl-1"}])
        rule = {**rule, "IpRanges": [], "PrefixListIds": [{"PrefixListId": "pl-1"}]}
        self.assertIn("<prefixListId>pl-1</prefixListId>", ec2._sg_rule_xml("sg-1", rule, is_egress=True))

    @patch("ec2._create_vpc_endpoint", "ec2._modify_vpc_endpoint", "ec2._vpce_fields_xml")
    def test_an_interface_endpoint_remembers_its_groups(self):
        ec2._vpc_endpoints.clear()
        ec2._create_vpc_endpoint(
            {
                "VpcId": ["vpc-1"],
                "ServiceName": ["com.amazonaws.us-east-1.logs"],
                "VpcEndpointType": ["Interface"],
                "SecurityGroupId.1": ["sg-1"],
                "PrivateDnsEnabled": ["true"],
            }
        )
        (id,) = ec2._vpc_endpoints
        text = ec2._vpce_fields_xml(ec2._vpc_endpoints[id])
        self.assertIn("<groupId>sg-1</groupId>", text)
        self.assertIn("<privateDnsEnabled>true</privateDnsEnabled>", text)
        ec2._modify_vpc_endpoint(
            {"VpcEndpointId": [id], "AddSecurityGroupId.1": ["sg-2"], "RemoveSecurityGroupId.1": ["sg-1"]}
        )
        self.assertEqual(ec2._vpc_endpoints[id].get("groups"), ["sg-2"])

    @patch("ec2._create_flow_logs", "ec2._describe_flow_logs")
    def test_flow_logs_remember_their_interval(self):
        ec2._flow_logs.clear()
        ec2._create_flow_logs(
            {
                "ResourceId.1": ["vpc-1"],
                "ResourceType": ["VPC"],
                "TrafficType": ["REJECT"],
                "LogDestinationType": ["cloud-watch-logs"],
                "LogDestination": ["arn:aws:logs:us-east-1:000000000000:log-group:flows:*"],
                "MaxAggregationInterval": ["60"],
            }
        )
        _, _, body = ec2._describe_flow_logs({})
        self.assertIn(b"<maxAggregationInterval>60</maxAggregationInterval>", body)
        self.assertIn(b"<logGroupName>flows</logGroupName>", body)


class Rds(unittest.TestCase):
    CLUSTER = {
        "DBClusterIdentifier": ["c"],
        "Engine": ["aurora-postgresql"],
        "MasterUsername": ["weir"],
        "MasterUserPassword": ["not-a-secret"],
    }

    def setUp(self):
        rds._clusters.clear()
        rds._instances.clear()

    @patch("rds._create_db_cluster", "rds._modify_db_cluster", "rds._cluster_xml")
    def test_a_cluster_remembers_its_log_exports(self):
        rds._create_db_cluster({**self.CLUSTER, "EnableCloudwatchLogsExports.member.1": ["postgresql"]})
        cluster = rds._clusters["c"]
        text = rds._cluster_xml(cluster)
        self.assertIn("<EnabledCloudwatchLogsExports><member>postgresql</member></EnabledCloudwatchLogsExports>", text)
        off = "CloudwatchLogsExportConfiguration.DisableLogTypes.member.1"
        rds._modify_db_cluster({"DBClusterIdentifier": ["c"], off: ["postgresql"]})
        self.assertEqual(cluster["EnabledCloudwatchLogsExports"], [])

    @patch("rds._create_db_instance_impl", "rds._modify_db_instance", "rds._instance_xml")
    def test_an_instance_remembers_its_log_exports_and_key(self):
        rds._create_db_instance_impl(
            {
                "DBInstanceIdentifier": ["i"],
                "Engine": ["postgres"],
                "DBInstanceClass": ["db.t4g.micro"],
                "AllocatedStorage": ["20"],
                "MasterUsername": ["weir"],
                "MasterUserPassword": ["not-a-secret"],
                "EnableCloudwatchLogsExports.member.1": ["postgresql"],
                "PerformanceInsightsKMSKeyId": ["arn:key"],
            }
        )
        instance = rds._instances["i"]
        text = rds._instance_xml(instance)
        self.assertIn("<member>postgresql</member>", text)
        self.assertIn("<PerformanceInsightsKMSKeyId>arn:key</PerformanceInsightsKMSKeyId>", text)
        off = "CloudwatchLogsExportConfiguration.DisableLogTypes.member.1"
        rds._modify_db_instance({"DBInstanceIdentifier": ["i"], off: ["postgresql"]})
        self.assertEqual(instance["EnabledCloudwatchLogsExports"], [])

    @patch("rds._sync_cluster_endpoints")
    def test_a_cluster_keeps_its_address(self):
        container = {"Address": "127.0.0.1", "Port": 15432}
        cluster = {"DBClusterIdentifier": "c", "Endpoint": "own", "ReaderEndpoint": "ro", "_shared_endpoint": container}
        rds._sync_cluster_endpoints(cluster)
        self.assertEqual(cluster["Endpoint"], "own")


class Scheduler(unittest.TestCase):
    @patch("scheduler._create_schedule")
    def test_the_same_token_is_the_same_request(self):
        body = {
            "ClientToken": "t1",
            "ScheduleExpression": "rate(1 minute)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "RoleArn": "arn:aws:iam::000000000000:role/r"},
        }
        first = scheduler._create_schedule("n", dict(body))
        self.assertEqual(first[0], 200, first)
        self.assertEqual(scheduler._create_schedule("n", dict(body)), first)


if __name__ == "__main__":
    unittest.main()
