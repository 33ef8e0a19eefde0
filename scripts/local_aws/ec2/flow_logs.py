"""Flow logs: role, format and interval."""

from xml.sax.saxutils import escape

from ministack.services import ec2

from local_aws.patching import replaces

API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
_FIELDS = {
    "deliverLogsPermissionArn": "DeliverLogsPermissionArn",
    "logGroupName": "LogGroupName",
    "logFormat": "LogFormat",
    "maxAggregationInterval": "MaxAggregationInterval",
}
_DEFAULTS = {
    "logFormat": "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets}"
    " ${bytes} ${start} ${end} ${action} ${log-status}",
    "maxAggregationInterval": "600",
}


@replaces(ec2, "_create_flow_logs", written_for="8882a038ef8e", follows=API + "API_CreateFlowLogs.html")
def create_flow_logs(original, params):
    before = set(ec2._flow_logs)
    answer = original(params)
    for made in set(ec2._flow_logs) - before:
        flow_log = ec2._flow_logs[made]
        said = {field: ec2._p(params, name) for field, name in _FIELDS.items() if ec2._p(params, name)}
        if ":log-group:" in flow_log["LogDestination"]:
            said.setdefault("logGroupName", flow_log["LogDestination"].split(":log-group:")[1].removesuffix(":*"))
        ec2._parse_tag_specs(params, "vpc-flow-log", made)
        flow_log["said"] = {**_DEFAULTS, **said}
    return answer


@replaces(ec2, "_describe_flow_logs", written_for="f05c0ab7a201", follows=API + "API_DescribeFlowLogs.html")
def describe_flow_logs(original, params):
    status, headers, body = original(params)
    for id, flow_log in ec2._flow_logs.items():
        more = "".join(f"<{field}>{escape(value)}</{field}>" for field, value in flow_log.get("said", {}).items())
        tag = f"<flowLogId>{id}</flowLogId>"
        body = body.replace(tag.encode(), f"{tag}{more}".encode())
    return status, headers, body
