"""What a band asks of a value: `> 3s`, `< 95%`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from processors.quantities import parse_duration

_CONDITION = re.compile(r"\s*(?P<operator>[<>]=?)\s*(?P<number>-?\d+(?:\.\d+)?)\s*(?P<unit>%|[A-Za-z]*)\s*")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@dataclass(frozen=True, slots=True)
class Condition:
    """`bound` is in seconds, bytes, or plain; a percentage is a hundredth."""

    text: str
    operator: str
    bound: float

    def holds(self, value: float) -> bool:
        return _OPERATORS[self.operator](value, self.bound)

    @property
    def upward(self) -> bool:
        return self.operator.startswith(">")

    def __str__(self) -> str:
        return self.text


def parse_condition(text: str) -> Condition:
    """Raise ValueError that says what was expected."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not a condition, expected for example "> 3s", "> 5%" or "< 95%"')
    return Condition(text.strip(), found["operator"], _bound(text, found["number"], found["unit"]))


def _bound(text: str, number: str, unit: str) -> float:
    if not unit:
        return float(number)
    if unit == "%":
        return float(number) / 100
    if unit in _SIZES:
        return float(number) * _SIZES[unit]
    try:
        return parse_duration(f"{number}{unit}")
    except ValueError:
        raise ValueError(
            f"{text!r} has the unknown unit {unit!r}, expected %, ms, s, min, h, days, B, KiB, MiB …"
        ) from None


def _read(value: Any) -> Any:
    if isinstance(value, Condition):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not a condition, expected a text such as "> 3s"')  # noqa: TRY004  # pydantic's
    return parse_condition(value)


ConditionText = Annotated[Condition, BeforeValidator(_read), PlainSerializer(str)]
