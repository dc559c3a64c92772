"""What a client is told: success, partly refused, or a `google.rpc.Status`, in the type of its request."""

from __future__ import annotations

import random
from collections.abc import Sequence

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from collector.decoding import Encoding
from collector.intake import Accepted
from collector.signals import Signal

_MESSAGE_CHARACTERS = 1000
"""Answers stay far below the 4 MiB that the protocol allows them."""


def success(signal: Signal, accepted: Accepted, encoding: Encoding) -> bytes:
    """An `Export<Signal>ServiceResponse`; `partial_success` is set only if something was refused."""
    if encoding == "json":
        return orjson.dumps(_json_success(signal, accepted))
    response = signal.response()
    if accepted.rejected:
        setattr(response.partial_success, signal.rejected_field, accepted.rejected)
        response.partial_success.error_message = _partial_message(accepted)
    content: bytes = response.SerializeToString()
    return content


def _json_success(signal: Signal, accepted: Accepted) -> dict[str, object]:
    if not accepted.rejected:
        return {}
    partial = {signal.rejected_key: str(accepted.rejected), "errorMessage": _partial_message(accepted)}
    return {"partialSuccess": partial}


def _partial_message(accepted: Accepted) -> str:
    return f"{accepted.rejected} records were refused and must not be sent again: {accepted.message}"[
        :_MESSAGE_CHARACTERS
    ]


def status(code: int, message: str, details: Sequence[Message] = ()) -> Status:
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    return Status(code=code, message=message[:_MESSAGE_CHARACTERS], details=packed)


def bad_data(message: str) -> Status:
    violation = BadRequest.FieldViolation(field="body", description=message[:_MESSAGE_CHARACTERS])
    return status(Code.INVALID_ARGUMENT, message, [BadRequest(field_violations=[violation])])


def retry_later(message: str) -> tuple[Status, RetryInfo]:
    """UNAVAILABLE with a delay of 1 to 2 s: clients give up where more is asked than is left of their 10 s."""
    retry = RetryInfo(retry_delay=Duration(seconds=1, nanos=random.randrange(1_000_000_000)))  # noqa: S311  # jitter
    return status(Code.UNAVAILABLE, message, [retry]), retry


def encoded(answer: Status, encoding: Encoding) -> bytes:
    if encoding == "json":
        return orjson.dumps(MessageToDict(answer))
    content: bytes = answer.SerializeToString()
    return content
