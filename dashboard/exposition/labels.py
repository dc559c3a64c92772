"""Labels as they stand in a line: harmless names, values that are escaped and cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from alerting.channels.labels import label_name
from alerting.plain_text import plain

Pairs = Iterable[tuple[str, object]]
OVERFLOW = 'otel_metric_overflow="true"'
"""The label of what there was no room for, as OpenTelemetry's SDKs have it."""
_OURS = frozenset(
    {"band", "edge", "judge", "le", "level", "metric", "operator", "outcome", "quantile", "rule", "severity", "status"}
)
_MOST_LABELS = 12
_LONGEST_NAME = 100
_LONGEST_VALUE = 200
_CUT = 4 * _LONGEST_VALUE
"""What `plain` looks at; a megabyte must not be kept as a key."""


def label_text(own: Pairs, others: Pairs = ()) -> str:
    """As `rule="host.disk",host_name="a"`; `own` are names of ours, and one of the `others` that is too is `exported_`.

    A name that comes twice keeps its first value, as a line may not have it twice. More of ours may be appended.
    """
    named = {name: _value(str(value)[:_CUT]) for name, value in own}
    for name, value in _limited(others):
        named.setdefault(_name(name[:_LONGEST_NAME]), _value(str(value)[:_CUT]))
    return ",".join([f'{name}="{value}"' for name, value in named.items()])


def _limited(pairs: Pairs) -> Iterator[tuple[str, object]]:
    for number, pair in enumerate(pairs):
        if number == _MOST_LABELS:
            return
        yield pair


@lru_cache(1024)
def _name(text: str) -> str:
    """Names that begin with two underscores are Prometheus' own."""
    shown = label_name(text) or "_"
    if shown in _OURS:
        return f"exported_{shown}"
    return f"exported{shown}" if shown.startswith("__") else shown


@lru_cache(8192)
def _value(text: str) -> str:
    return plain(text, _LONGEST_VALUE).replace("\\", r"\\").replace('"', r"\"")
