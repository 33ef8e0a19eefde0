"""CloudWatch: DescribeAlarms over the Query protocol, which Terraform's provider 5 speaks, gives every field, an alarm remembers whom it
tells when data stops, and a composite alarm what suppresses its actions."""

import json
from xml.sax.saxutils import escape

from ministack.services import cloudwatch

from local_aws.clock import iso
from local_aws.patching import replaces

_MOST_NAMES = 100
_MOST_TYPES = 10
_MOST_ACTIONS = 5


@replaces(
    cloudwatch,
    "_describe_alarms",
    written_for="ab8f092ff9ae",
    follows="https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html",
)
def describe_alarms(original, params, cbor_data, is_cbor, is_json=False):
    if is_cbor or is_json:
        return original(params, cbor_data, is_cbor, is_json)
    query = {
        "AlarmNames": _members(params, "AlarmNames", _MOST_NAMES),
        "AlarmTypes": _members(params, "AlarmTypes", _MOST_TYPES) or None,
    }
    for key in ("AlarmNamePrefix", "StateValue", "MaxRecords", "NextToken"):
        if cloudwatch._p(params, key):
            query[key] = cloudwatch._p(params, key)
    status, _, body = original({}, {key: value for key, value in query.items() if value}, False, True)
    if status != 200:
        return original(params, cbor_data, is_cbor, is_json)
    said = json.loads(body)
    inner = "".join(
        _xml(key, said.get(key, empty)) for key, empty in (("MetricAlarms", []), ("CompositeAlarms", []), ("NextToken", None))
    )
    return cloudwatch._xml(200, "DescribeAlarmsResponse", f"<DescribeAlarmsResult>{inner}</DescribeAlarmsResult>")


@replaces(
    cloudwatch,
    "_put_metric_alarm",
    written_for="953a67ff4bb1",
    follows="https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html",
)
def put_metric_alarm(original, params, cbor_data, is_cbor, is_json=False):
    answer = original(params, cbor_data, is_cbor, is_json)
    alarm = None if is_cbor or is_json else cloudwatch._alarms.get(cloudwatch._p(params, "AlarmName"))
    if answer[0] == 200 and alarm is not None:
        alarm["InsufficientDataActions"] = _members(params, "InsufficientDataActions", _MOST_ACTIONS)
    return answer


@replaces(
    cloudwatch,
    "_put_composite_alarm",
    written_for="d1c8174c3d5b",
    follows="https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html",
)
def put_composite_alarm(original, params, cbor_data, is_cbor, is_json=False):
    answer = original(params, cbor_data, is_cbor, is_json)
    given = (lambda key: cbor_data.get(key)) if is_cbor or is_json else (lambda key: cloudwatch._p(params, key))
    alarm = cloudwatch._composite_alarms.get(given("AlarmName"))
    if answer[0] == 200 and alarm is not None and given("ActionsSuppressor"):
        alarm["ActionsSuppressor"] = given("ActionsSuppressor")
        for key in ("ActionsSuppressorExtensionPeriod", "ActionsSuppressorWaitPeriod"):
            alarm[key] = int(given(key) or 0)
    return answer


def _members(params, name: str, most: int) -> list[str]:
    values = (cloudwatch._p(params, f"{name}.member.{index}") for index in range(1, most + 1))
    return [value for value in values if value]


def _xml(key: str, value) -> str:
    if value is None or value == "" or key == "Tags":
        return ""
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, list):
        return f"<{key}>" + "".join(_xml("member", item) for item in value) + f"</{key}>"
    if isinstance(value, dict):
        return f"<{key}>" + "".join(_xml(name, item) for name, item in value.items()) + f"</{key}>"
    if key.endswith("Timestamp") and isinstance(value, (int, float)):
        value = iso(value)
    return f"<{key}>{escape(str(value))}</{key}>"
