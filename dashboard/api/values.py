"""What answers are made of: texts that are cut, numbers that JSON can carry, times as RFC 3339."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from analysis.json_values import rfc3339
from analysis.limited import limited_attributes

MOST_CHARACTERS = 4096
MOST_OF_A_BODY = 65_536
_END_NANO = 2**64


class Model(BaseModel):
    """An answer, or a part of one; the text below a field describes it."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="ignore")


def shortened(value: Any, most: int = MOST_CHARACTERS) -> str:
    """At most so many characters; `…` stands for what was cut, an empty text for what is none."""
    text = "" if value is None else value if isinstance(value, str) else str(value)
    text = text[: most + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= most else text[: most - 1] + "…"


def _body(value: Any) -> str:
    return shortened(value, MOST_OF_A_BODY)


def _text_or_none(value: Any) -> str | None:
    return None if value is None else shortened(value)


def finite(value: Any) -> float | None:
    """None for what is no number, or none that JSON can carry."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def moment(time_unix_nano: Any) -> str | None:
    """RFC 3339 with nanoseconds; None for 0, and for what is no time."""
    told = isinstance(time_unix_nano, int) and 0 < time_unix_nano < _END_NANO
    return rfc3339(time_unix_nano) if told else None


def _attributes(value: Any) -> dict[str, Any]:
    return limited_attributes(value, "attributes", [])


def _counts(value: Any) -> dict[str, int]:
    return {shortened(name, 256): count for name, count in list(dict(value).items())[:100]}


def _labels(value: Any) -> dict[str, str]:
    return {shortened(name, 256): shortened(one, 1024) for name, one in list(dict(value).items())[:100]}


Text = Annotated[str, BeforeValidator(shortened)]
OptionalText = Annotated[str | None, BeforeValidator(_text_or_none)]
Body = Annotated[str, BeforeValidator(_body)]
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Number = Annotated[float | None, BeforeValidator(finite)]
Seconds = Annotated[float | None, BeforeValidator(finite), Field(description="In seconds; null without a value.")]
Share = Annotated[float | None, BeforeValidator(finite), Field(description="A share of 1; null without a value.")]
Attributes = Annotated[
    dict[str, Any],
    BeforeValidator(_attributes),
    Field(description="At most 128, each of at most 4,096 characters, as its sender made it."),
]
Counts = Annotated[dict[str, int], BeforeValidator(_counts), Field(description="How many of each; at most 100.")]
Labels = Annotated[dict[str, str], BeforeValidator(_labels)]
Band = Annotated[str, Field(description="normal, warning, critical, or no data.")]


class Ranged(Model):
    """An answer about a time."""

    from_: Moment = Field(alias="from")
    """From this moment on."""
    to: Moment
    """Before this moment."""
