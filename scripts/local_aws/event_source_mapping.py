"""Lambda's event source mapping on Kinesis: partial batch failures, bisection, retries, record age, destinations of
failures, batching windows, parents before children, and the metric IteratorAge.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import json
import logging
import os
import time

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_region
from ministack.services import kinesis, lambda_svc
from ministack.services.cloudwatch import record_metric

from local_aws import dead_letter
from local_aws.kinesis import throttle
from local_aws.patching import replaces

log = logging.getLogger("local_aws")

DOCUMENT = "https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html"
MAPPING = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"

_FIRST_PAUSE = float(os.environ.get("ESM_RETRY_BASE_SECONDS", "0.2"))
_LONGEST_PAUSE = float(os.environ.get("ESM_RETRY_CAP_SECONDS", "5"))
# While a shard waits for a retry or a batching window, its mapping is looked at this often; else when something comes.
_BUSY_POLL_SECONDS = 0.05
_IDLE_POLL_SECONDS = 1

# By account, region and mapping: each shard's progress.
_progress: dict[tuple, dict] = {}


def _event(record: dict, shard_id: str, stream_arn: str, role: str) -> dict:
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": kinesis._ensure_base64(record["Data"]),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": get_region(),
        "eventSourceARN": stream_arn,
    }


def first_failure(esm: dict, result: dict, records: list) -> int | None:
    """The index of the first record to try again; None where all succeeded.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
    """
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in (esm.get("FunctionResponseTypes") or []):
        return None
    body = result.get("body")
    if isinstance(body, (str, bytes)):
        try:
            body = json.loads(body) if body else {}
        except ValueError:
            return 0
    if body is None:
        return None
    if not isinstance(body, dict):
        return 0
    failures = body.get("batchItemFailures")
    if not failures:
        return None
    places = {record["SequenceNumber"]: index for index, record in enumerate(records)}
    try:
        return min(places[failure["itemIdentifier"]] for failure in failures)
    except (KeyError, TypeError):
        # An identifier that is not of the batch: the whole batch failed.
        return 0


def _parents_are_read(stream: dict, shard: dict, progress: dict) -> bool:
    for parent in (shard.get("parent_shard_id"), shard.get("adjacent_parent_shard_id")):
        if parent not in stream["shards"] or parent not in progress:
            continue
        records = stream["shards"][parent]
        if progress[parent]["work"] or progress[parent]["position"] < records.get("trimmed", 0) + len(records["records"]):
            return False
    return True


def _next_batch(esm: dict, shard: dict, state: dict, now: float) -> tuple[int, int, int] | None:
    """Begin and end of the next batch, and how often it was tried; None where it has to wait."""
    if state["work"]:
        return state["work"].pop()
    trimmed = shard.get("trimmed", 0)
    state["position"] = max(state["position"], trimmed)
    available = trimmed + len(shard["records"]) - state["position"]
    if available <= 0:
        state["waiting_since"] = None
        return None
    size, window = esm.get("BatchSize", 100), esm.get("MaximumBatchingWindowInSeconds", 0)
    state["waiting_since"] = state["waiting_since"] or now
    is_open = not shard.get("ending_sequence_number")
    if available < size and window and now - state["waiting_since"] < window and is_open:
        return None
    state["waiting_since"] = None
    return state["position"], state["position"] + min(available, size), 0


def _start(esm: dict, shard: dict) -> dict:
    # A child that is found later is read from its start.
    kind = "TRIM_HORIZON" if esm.get("_seen") else esm.get("StartingPosition", "LATEST")
    position = kinesis._start_position(shard["records"], kind, "", esm.get("StartingPositionTimestamp")) or 0
    return {"position": position + shard.get("trimmed", 0), "work": [], "not_before": 0.0, "waiting_since": None}


def _step(esm: dict, function: dict, stream: dict, shard_id: str, progress: dict, stream_arn: str) -> bool:
    """Invokes the function at most once for a shard. Returns whether the shard made progress."""
    now, shard = time.time(), stream["shards"][shard_id]
    if shard_id not in progress:
        progress[shard_id] = _start(esm, shard)
    state = progress[shard_id]
    if not _parents_are_read(stream, shard, progress) or state["not_before"] > now:
        return False
    batch = _next_batch(esm, shard, state, now)
    if batch is None:
        return False
    begin, end, tries = batch
    trimmed = shard.get("trimmed", 0)
    begin = max(begin, trimmed)
    records = shard["records"][begin - trimmed : end - trimmed]
    if not records:
        state["position"] = max(state["position"], end)
        return True

    def give_up(records: list, condition: str, tries: int) -> None:
        error = state.get("error", "Unhandled")
        dead_letter.send(esm, function, records, shard_id, stream_arn, error, condition, tries)
        state["position"] = end

    oldest = esm.get("MaximumRecordAgeInSeconds", -1) or -1
    if 0 < oldest < now - records[0]["ApproximateArrivalTimestamp"]:
        give_up(records, "RecordAgeExceeded", tries)
        return True
    role = (function.get("config") or {}).get("Role", "")
    events = lambda_svc._apply_filter_criteria([_event(r, shard_id, stream_arn, role) for r in records], esm)
    if not events:
        state["position"] = end
        return True
    age = max(0.0, (now - records[-1]["ApproximateArrivalTimestamp"]) * 1000)
    record_metric("AWS/Lambda", "IteratorAge", age, "Milliseconds", {"FunctionName": esm["FunctionName"]})

    result = lambda_svc._execute_function(function, {"Records": events})
    failed = first_failure(esm, result, records)
    if failed is None:
        state["position"], state["not_before"] = end, 0.0
        esm["LastProcessingResult"] = f"OK - {len(records)} records"
        return True
    esm["LastProcessingResult"] = "PROBLEM: Function call failed"
    state["error"] = result.get("function_error") or "Unhandled"
    tries += 1
    begin += failed
    state["position"] = begin
    most = esm.get("MaximumRetryAttempts", -1)
    bisects = bool(esm.get("BisectBatchOnFunctionError")) and end - begin > 1
    if most is not None and 0 <= most < tries and not bisects:
        give_up(records[failed:], "RetryAttemptsExhausted", tries)
        return True
    if bisects and failed == 0:
        # "Splitting a batch does not count towards the retry quota."
        middle = (begin + end) // 2
        state["work"] += [(middle, end, 0), (begin, middle, tries - 1)]
    else:
        state["work"].append((begin, end, tries if failed == 0 else 0))
    state["not_before"] = time.time() + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(tries - 1, 10))
    return failed > 0


@replaces(lambda_svc, "_poll_kinesis", written_for="0d590120d060", follows=DOCUMENT)
def poll_kinesis(original) -> bool:
    progressed = False
    for account, region, esm in lambda_svc._iter_all_esms():
        tokens = lambda_svc._request_account_id.set(account), lambda_svc._request_region.set(region)
        try:
            progressed = _poll(account, region, esm) or progressed
        finally:
            lambda_svc._request_account_id.reset(tokens[0])
            lambda_svc._request_region.reset(tokens[1])
    return progressed


def _poll(account: str, region: str, esm: dict) -> bool:
    arn = esm.get("EventSourceArn", "")
    try:
        spec = parse_arn(arn)
    except ArnParseError:
        return False
    if spec.service != "kinesis" or not esm.get("Enabled", True):
        return False
    function, _ = lambda_svc._get_func_record_for_qualifier(esm["FunctionName"], esm.get("Qualifier"))
    name = lambda_svc._kinesis_stream_name_from_arn_spec(spec)
    stream = kinesis._streams.get_scoped(spec.account_id, spec.region, name)
    if function is None or not stream or stream["StreamStatus"] != "ACTIVE":
        return False
    kinesis._expire_records(stream)
    progress = _progress.setdefault((account, region, esm["UUID"]), {})
    progressed = False
    for shard_id in sorted(stream["shards"]):
        progressed = _step(esm, function, stream, shard_id, progress, arn) or progressed
    esm["_seen"] = True
    return progressed


@replaces(lambda_svc, "_create_esm", written_for="d351521bb6cd", follows=MAPPING)
def create_esm(original, data: dict):
    """`StartingPositionTimestamp` is kept."""
    answer = original(data)
    if answer[0] == 202 and data.get("StartingPositionTimestamp") is not None:
        uuid = json.loads(answer[2])["UUID"]
        lambda_svc._esms[uuid]["StartingPositionTimestamp"] = data["StartingPositionTimestamp"]
    return answer


@replaces(lambda_svc, "_esm_response", written_for="342077ea51fb", follows=MAPPING)
def esm_response(original, esm: dict) -> dict:
    """Without what the poller notes."""
    return {key: value for key, value in original(esm).items() if key != "_seen"}


@replaces(lambda_svc, "reset", written_for="e531ea1c9eea", follows=MAPPING)
def reset(original) -> None:
    _progress.clear()
    throttle.reset()
    original()


@replaces(lambda_svc, "_poll_loop", written_for="6a443090919a", follows=MAPPING)
def poll_loop(original) -> None:
    """Looks again soon while a shard waits for a retry or a batching window."""
    while True:
        busy = False
        lambda_svc._esm_wake.clear()
        for poll in (lambda_svc._poll_sqs, lambda_svc._poll_kinesis, lambda_svc._poll_dynamodb_streams):
            try:
                busy = poll() or busy
            except Exception as error:
                log.exception("ESM poller: %s", error)
        if not busy:
            states = [state for shards in _progress.values() for state in shards.values()]
            waits = any(state["work"] or state["waiting_since"] for state in states)
            lambda_svc._esm_wake.wait(_BUSY_POLL_SECONDS if waits else _IDLE_POLL_SECONDS)
