"""Values of answers as JSON has them: times as RFC 3339, data classes as objects."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

from analysis.period import Period
from processors.timestamps import Timestamps

_timestamps = Timestamps()
_TIME = "_unix_nano"


def rfc3339(time_unix_nano: int) -> str:
    """In UTC, with nanoseconds."""
    return _timestamps(time_unix_nano)


def as_json(value: Any, **also: Any) -> dict[str, Any]:
    """A data class; its fields `first_unix_nano` … become `first` …, as RFC 3339; `also` comes last."""
    fields = asdict(value) if is_dataclass(value) and not isinstance(value, type) else dict(value)
    return {**{name.removesuffix(_TIME): _value(name, content) for name, content in fields.items()}, **also}


def _value(name: str, content: Any) -> Any:
    if name.endswith(_TIME):
        return rfc3339(content) if content else None
    if isinstance(content, dict):
        return {str(inner): _value(str(inner), one) for inner, one in content.items()}
    return content


def period_json(period: Period) -> dict[str, str]:
    return {"from": rfc3339(period.start_unix_nano), "to": rfc3339(period.end_unix_nano)}
