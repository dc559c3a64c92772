"""Durations and sizes in settings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from processors.quantities import format_duration, format_size, parse_duration, parse_size


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else _refuse(value, "5min")


def _size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else _refuse(value, "64MiB")


def _refuse(value: Any, example: str) -> Any:
    raise ValueError(f"{value!r} has no unit, expected one as in {example}")


Seconds = Annotated[float, BeforeValidator(_duration), PlainSerializer(format_duration)]
Bytes = Annotated[int, BeforeValidator(_size), PlainSerializer(format_size)]
