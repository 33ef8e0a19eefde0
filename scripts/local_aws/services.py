"""Every service that is patched: importing this registers the patches."""

from ministack.core import lambda_runtime

from local_aws import cloudwatch, ecs, event_source_mapping, rds, scheduler  # noqa: F401
from local_aws.ec2 import endpoints, flow_logs, security_groups  # noqa: F401
from local_aws.kinesis import records, shards, streams, throttle  # noqa: F401

# MiniStack looks for an answer of a `provided` runtime every 50 ms; the demo measures latencies below that.
_RUNTIME_POLL_SECONDS = 0.005


def tune() -> None:
    """Sets what is a number and no function."""
    lambda_runtime._PROVIDED_POLL = _RUNTIME_POLL_SECONDS
