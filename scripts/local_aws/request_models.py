"""All services: each request is checked against the service's published model, botocore's, so that an emulator that takes what AWS
refuses hides nothing.

Looked at are required members, types, lengths, ranges, patterns and enums of JSON and Query requests: those of Kinesis, DynamoDB,
SQS, SNS, Secrets Manager, CloudWatch. A request that breaks its model is refused, and written to `violations` in the working folder, which
the tests read when they end.

https://github.com/boto/botocore/tree/develop/botocore/data
"""

import base64
import binascii
import functools
import json
import logging
import re
from urllib.parse import parse_qs

import botocore.model
import botocore.session

log = logging.getLogger("local_aws")

FILE = "violations"

# The services by what their requests say: the prefix of `X-Amz-Target`, or the version of a Query request.
_TARGETS = {
    "AmazonSQS": "sqs",
    "DynamoDB_20120810": "dynamodb",
    "Kinesis_20131202": "kinesis",
    "secretsmanager": "secretsmanager",
}
_VERSIONS = {"2010-03-31": "sns", "2010-08-01": "cloudwatch", "2012-11-05": "sqs"}

# Patterns of botocore are of Java: possessive quantifiers and named classes that Python reads otherwise are left out.
_FOREIGN = re.compile(r"\\p\{|[*+?}]\+|&&|\(\?<[^=!]")


@functools.cache
def _service(name: str) -> botocore.model.ServiceModel:
    return botocore.session.get_session().get_service_model(name)


@functools.cache
def _pattern(text: str):
    if _FOREIGN.search(text):
        return None
    try:
        # \u0020 and the like are written as JSON has them.
        return re.compile(text, re.DOTALL)
    except re.error:
        return None


def _length(shape, value, place: str, found: list[str], what: str) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        found.append(f"{place}: {what} {value} is below {least}")
    if most is not None and value > most:
        found.append(f"{place}: {what} {value} is above {most}")


def _text(shape, value, place: str, found: list[str]) -> None:
    if not isinstance(value, str):
        return found.append(f"{place}: {json.dumps(value)[:80]} is no text")
    _length(shape, len(value), place, found, "length")
    if shape.enum and value not in shape.enum:
        found.append(f"{place}: {value!r} is none of {', '.join(shape.enum)}")
    pattern = shape.metadata.get("pattern")
    # AWS's patterns are of the whole text.
    if pattern and (compiled := _pattern(pattern)) and not compiled.fullmatch(value):
        found.append(f"{place}: {value[:80]!r} does not match {pattern}")


def _number(shape, value, place: str, found: list[str]) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return found.append(f"{place}: {json.dumps(value)[:80]} is no number")
    if shape.type_name in ("integer", "long") and value != int(value):
        found.append(f"{place}: {value} is no whole number")
    _length(shape, value, place, found, "value")


def _bytes(shape, value, place: str, found: list[str]) -> None:
    try:
        raw = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return found.append(f"{place}: no base64")
    _length(shape, len(raw), place, found, "length")


def _structure(shape, value, place: str, found: list[str]) -> None:
    if not isinstance(value, dict):
        return found.append(f"{place}: {json.dumps(value)[:80]} is no object")
    for name in shape.required_members:
        if value.get(name) is None:
            found.append(f"{place}.{name}: is required")
    for name, member in value.items():
        if name not in shape.members:
            found.append(f"{place}.{name}: there is no such member")
        elif member is not None:
            check(shape.members[name], member, f"{place}.{name}", found)


def _list(shape, value, place: str, found: list[str]) -> None:
    if not isinstance(value, list):
        return found.append(f"{place}: {json.dumps(value)[:80]} is no list")
    _length(shape, len(value), place, found, "number of elements")
    for at, member in enumerate(value):
        check(shape.member, member, f"{place}[{at}]", found)


def _map(shape, value, place: str, found: list[str]) -> None:
    if not isinstance(value, dict):
        return found.append(f"{place}: {json.dumps(value)[:80]} is no map")
    _length(shape, len(value), place, found, "number of entries")
    for name, member in value.items():
        check(shape.key, name, f"{place}.{name}", found)
        check(shape.value, member, f"{place}.{name}", found)


_CHECKS = {
    "blob": _bytes,
    "double": _number,
    "float": _number,
    "integer": _number,
    "list": _list,
    "long": _number,
    "map": _map,
    "string": _text,
    "structure": _structure,
}


def check(shape: botocore.model.Shape, value, place: str, found: list[str]) -> None:
    """Adds to `found` what of a value breaks its shape."""
    if shape.type_name == "boolean" and not isinstance(value, bool):
        found.append(f"{place}: {json.dumps(value)[:80]} is neither true nor false")
    elif shape.type_name in _CHECKS:
        _CHECKS[shape.type_name](shape, value, place, found)


def _from_query(shape: botocore.model.Shape, values: dict[str, str], prefix: str):
    """A value of the Query protocol, as JSON would have it.

    https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
    """
    if shape.type_name == "structure":
        members = {}
        for name, member in shape.members.items():
            written = f"{prefix}.{member.serialization.get('name', name)}".lstrip(".")
            if any(key == written or key.startswith(f"{written}.") for key in values):
                members[name] = _from_query(member, values, written)
        return members
    if shape.type_name in ("list", "map"):
        part = "entry" if shape.type_name == "map" else shape.member.serialization.get("name", "member")
        prefix = prefix if shape.serialization.get("flattened") else f"{prefix}.{part}"
        numbers = sorted({int(key[len(prefix) + 1 :].split(".")[0]) for key in values if re.match(re.escape(prefix) + r"\.\d+", key)})
        if shape.type_name == "list":
            return [_from_query(shape.member, values, f"{prefix}.{number}") for number in numbers]
        key, value = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        return {
            values.get(f"{prefix}.{number}.{key}", ""): _from_query(shape.value, values, f"{prefix}.{number}.{value}")
            for number in numbers
        }
    text = values.get(prefix, "")
    if shape.type_name in ("double", "float", "integer", "long"):
        try:
            return int(text) if shape.type_name in ("integer", "long") else float(text)
        except ValueError:
            return text
    return {"true": True, "false": False}.get(text, text) if shape.type_name == "boolean" else text


def violations(target: str, body: bytes) -> list[str]:
    """What of a request breaks its service's model; nothing where the request is of no service that is looked at."""
    if target:
        prefix, _, operation = target.rpartition(".")
        service, values = _TARGETS.get(prefix), None
    else:
        values = {name: value[0] for name, value in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items()}
        service, operation = _VERSIONS.get(values.get("Version", "")), values.get("Action", "")
    if service is None:
        return []
    model = _service(service)
    if operation not in model.operation_names:
        return [f"{service}: there is no operation {operation!r}"]
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return []
    try:
        value = json.loads(body or b"{}") if values is None else _from_query(shape, values, "")
    except ValueError as error:
        return [f"{service}.{operation}: no JSON: {error}"]
    found: list[str] = []
    check(shape, value, f"{service}.{operation}", found)
    return found


def refuse_violations(app):
    """Wraps an ASGI application."""

    async def refuse(scope, receive, send):
        headers = dict(scope.get("headers") or ())
        kind = headers.get(b"content-type", b"")
        if scope["type"] != "http" or scope["method"] != "POST" or not kind.startswith(
            (b"application/x-amz-json", b"application/x-www-form-urlencoded")
        ):
            return await app(scope, receive, send)
        messages, body, more = [], b"", True
        while more:
            message = await receive()
            messages.append(message)
            body += message.get("body", b"")
            more = message.get("more_body", False)
        found = violations(headers.get(b"x-amz-target", b"").decode(), body)
        if not found:
            read = iter(messages)

            async def again():
                return next(read, None) or await receive()

            return await app(scope, again, send)
        with open(FILE, "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in found)
        log.error("a request breaks its model: %s", "; ".join(found))
        answer = json.dumps({"__type": "ValidationException", "message": f"it breaks its model: {found[0]}"}).encode()
        await send({"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"application/x-amz-json-1.1")]})
        await send({"type": "http.response.body", "body": answer})
        return None

    return refuse
