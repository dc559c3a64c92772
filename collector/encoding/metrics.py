"""Lines of the stream `metrics` as data points, those of one metric together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from collector.decoding.metrics import TEMPORALITIES
from collector.encoding.times import Moved
from collector.encoding.values import MOST_LEVELS, Attributes, identifier, number, numbers

_TEMPORALITIES: dict[Any, int] = {name: code for code, name in TEMPORALITIES.items()}
_IDENTITY = ("name", "type", "description", "unit", "temporality", "monotonic")


def metric_identity(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same for data points of the same metric."""
    return (*map(record.get, _IDENTITY), repr(record.get("metadata")))


def add_metric(metrics: Any, record: Mapping[str, Any], attributes: Attributes) -> Any:
    """To the lean ScopeMetrics' own, without points; where its data points go. Raise KeyError or TypeError."""
    metric = metrics.add(
        name=record["name"],
        description=record.get("description", ""),
        unit=record.get("unit", ""),
        metadata=attributes(record.get("metadata", {})),
    )
    kind = record["type"]
    data = getattr(metric, kind if kind in _FIELDS else "")
    data.SetInParent()
    if "temporality" in record:
        temporality = record["temporality"]
        data.aggregation_temporality = temporality if isinstance(temporality, int) else _TEMPORALITIES[temporality]
    if "monotonic" in record:
        data.is_monotonic = record["monotonic"]
    return data.data_points


def add_point(points: Any, record: Mapping[str, Any], attributes: Attributes, moved: Moved) -> None:
    """Raise KeyError, TypeError or ValueError for what is no data point of ours."""
    fields = {
        "start_time_unix_nano": moved(record["start_time_unix_nano"]),
        "time_unix_nano": moved(record["time_unix_nano"]),
        "flags": record.get("flags", 0),
        "attributes": attributes(record["attributes"]),
        **_FIELDS[record["type"]](record),
    }
    if "exemplars" in record:
        fields["exemplars"] = [_exemplar(exemplar, attributes, moved) for exemplar in record["exemplars"]]
    points.add(**fields)


def _number(record: Mapping[str, Any]) -> dict[str, Any]:
    if "value" not in record:
        return {}
    value = record["value"]
    return {"as_int": value} if isinstance(value, int) else {"as_double": number(value)}


def _distribution(record: Mapping[str, Any]) -> dict[str, Any]:
    present = {field: number(record[field]) for field in ("sum", "min", "max") if field in record}
    return {"count": record["count"], **present}


def _histogram(record: Mapping[str, Any]) -> dict[str, Any]:
    bounds, counts = numbers(record["bounds"]), record["bucket_counts"]
    return {**_distribution(record), "explicit_bounds": bounds, "bucket_counts": counts}


def _exponential_histogram(record: Mapping[str, Any]) -> dict[str, Any]:
    sides = {side: record[side] for side in ("positive", "negative") if side in record}
    return {
        **_distribution(record),
        "scale": record["scale"],
        "zero_count": record["zero_count"],
        "zero_threshold": number(record["zero_threshold"]),
        **sides,
    }


def _summary(record: Mapping[str, Any]) -> dict[str, Any]:
    quantiles = [
        {"quantile": number(value["quantile"]), "value": number(value["value"])} for value in record["quantile_values"]
    ]
    return {"count": record["count"], "sum": number(record["sum"]), "quantile_values": quantiles}


_FIELDS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
    "summary": _summary,
}


def _exemplar(content: Mapping[str, Any], attributes: Attributes, moved: Moved) -> dict[str, Any]:
    return {
        "time_unix_nano": moved(content["time_unix_nano"]),
        "trace_id": identifier(content, "trace_id"),
        "span_id": identifier(content, "span_id"),
        "filtered_attributes": attributes(content.get("attributes", {}), MOST_LEVELS - 1),  # one message deeper
        **_number(content),
    }
