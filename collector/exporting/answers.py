"""What receivers answer, understood alike over HTTP and gRPC."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from pydantic import SecretStr

from alerting.plain_text import plain
from collector.exporting.target import Taken
from collector.signals import SIGNALS

_SIGNALS = {signal.name: signal for signal in SIGNALS}
_CHARACTERS = 200
_SHORTEST_SECRET = 4
"""What is shorter is no secret, and would tear holes into every message."""
_MOST_REJECTED = 2**63 - 1
_TITLE = re.compile(rb"<title>([^<]{1,800})</title>", re.IGNORECASE)


class Discretion:
    """Makes fit to be shown what others say: one short line, without the values of the configured headers."""

    def __init__(self, headers: Mapping[str, SecretStr]) -> None:
        values = [value.get_secret_value().strip() for value in headers.values()]
        parts = {*values, *(value.rpartition(" ")[2] for value in values)}
        self._secrets = sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True)

    def told(self, text: str) -> str:
        """At most 200 characters; "" when there is nothing to read."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return plain(text, _CHARACTERS)


def taken(signal: str, content: bytes, discretion: Discretion) -> Taken:
    """An `Export*ServiceResponse` as protobuf; raise ValueError when it is none."""
    try:
        partial = _SIGNALS[signal].response.FromString(content).partial_success
    except DecodeError as error:
        raise ValueError("no Export*ServiceResponse") from error
    rejected = getattr(partial, _SIGNALS[signal].rejected_field)
    return Taken(max(0, rejected), discretion.told(partial.error_message))


def taken_json(signal: str, content: bytes, discretion: Discretion) -> Taken:
    """The same of JSON."""
    partial = _mapping(_mapping(orjson.loads(content)).get("partialSuccess"))
    count = partial.get(_SIGNALS[signal].rejected_key) or 0
    if not isinstance(count, int | str) or (rejected := int(count)) > _MOST_REJECTED:
        raise ValueError("no count")
    return Taken(max(0, rejected), discretion.told(str(partial.get("errorMessage") or "")))


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004  # all that can't be read is one error
    return value


def status_message(content: bytes) -> str:
    """What a `google.rpc.Status` says; "" when it is none."""
    try:
        message: str = Status.FromString(content).message
    except DecodeError:
        return ""
    return message


def status_message_json(content: bytes) -> str:
    """The same of JSON, also where gateways have their own: `error`, with or without a `message` in it, or `detail`."""
    try:
        found = orjson.loads(content)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    error = found.get("error")
    within = error.get("message") if isinstance(error, dict) else error
    return next((text for text in (found.get("message"), within, found.get("detail")) if isinstance(text, str)), "")


def title(content: bytes) -> str:
    """Of a page in HTML: proxies say there what is wrong; "" without one."""
    found = _TITLE.search(content)
    return html.unescape(found[1].decode("utf-8", "replace")) if found is not None else ""
