"""Refusals of Kinesis."""

from ministack.core.responses import error_response_json


def not_found(what: str):
    return error_response_json("ResourceNotFoundException", what, 400)


def invalid(what: str):
    return error_response_json("InvalidArgumentException", what, 400)
