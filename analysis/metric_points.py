"""The points of a metric, reduced: of each stream what it was, and how far it had come, in each part of a period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from analysis.engine import Engine, QueryError
from analysis.period import MINUTE_NANO, Period

LOOKBACK_NANO = 10 * MINUTE_NANO
"""So long before a period the points are read that its first ones are compared with."""
SERVICE = "service"
"""The label that is no attribute."""
MOST_ROWS = 100_000
_LABEL_LENGTH = 256

Labels = tuple[str, ...]


class Stand(NamedTuple):
    """What a point said; `amount` is the value of gauges and sums, the count of distributions, `total` their sum.

    `buckets` are bounds and counts, as JSON with a blank between them.
    """

    time_unix_nano: int
    amount: float
    total: float | None
    buckets: str | None


class PartOfStream(NamedTuple):
    """A stream is what one sender says of one series; it has a new `run` each time that it counts from zero again."""

    labels: Labels
    stream: str
    type: str
    delta: bool
    monotonic: bool
    unit: str
    begun_unix_nano: int
    """The start that a cumulative stream tells, else 0."""
    run: int
    part: int
    """-1 for what came before the period."""
    points: int
    started_unix_nano: int
    """The earliest start that points tell, 0 for none."""
    sum: float
    min: float
    max: float
    first: Stand
    last: Stand


def parts_of_streams(
    engine: Engine,
    period: Period,
    width_nano: int,
    *,
    name: str,
    by: Sequence[str],
    where: Sequence[tuple[str, str]],
    buckets: bool,
) -> list[PartOfStream]:
    """By stream, run and part, in order. Labels are attributes of the points, else of their resource, or `service`.

    Raise QueryError where there are more than 100,000.
    """
    labels = [f"label_{index}" for index in range(len(by))]
    told = [_attribute(key) for key in by]
    asked = [_attribute(key) for key, _ in where]
    values = [value for _, found in told for value in found]
    conditions = [value for (_, found), (_, wanted) in zip(asked, where, strict=True) for value in (*found, wanted)]
    rows = engine.sql(
        _SQL.format(
            labelled="".join(
                f"left({text}, {_LABEL_LENGTH}) AS {label}, " for (text, _), label in zip(told, labels, strict=True)
            ),
            labels="".join(f"{label}, " for label in labels),
            conditions="".join(f" AND {text} = ?" for text, _ in asked),
            buckets="concat_ws(' ', bounds, bucket_counts)" if buckets else "NULL",
            start=period.start_unix_nano,
            width=width_nano,
        ),
        (*values, name, *conditions),
        Period(max(0, period.start_unix_nano - LOOKBACK_NANO), period.end_unix_nano),
        most=MOST_ROWS + 1,
    ).rows
    if len(rows) > MOST_ROWS:
        raise QueryError(
            f"{name[:_LABEL_LENGTH]} has too many series for one chart."
            " Choose a shorter time, or one value of an attribute"
        )
    return [_part(row, len(by), width_nano) for row in rows]


def _part(row: tuple[Any, ...], labels: int, width_nano: int) -> PartOfStream:
    stream, kind, temporality, monotonic, unit, begun, run, since, points, started, *rest = row[labels:]
    whole, low, high, *stood = rest
    return PartOfStream(
        row[:labels],
        stream,
        kind or "",
        temporality == "DELTA",
        bool(monotonic),
        unit or "",
        begun,
        int(run),
        since // width_nano,
        points,
        started,
        whole,
        low,
        high,
        Stand(*stood[::2]),
        Stand(*stood[1::2]),
    )


def _attribute(key: str) -> tuple[str, tuple[str, ...]]:
    """A label in SQL, and what is bound to its question marks."""
    if key == SERVICE:
        return "coalesce(service, '')", ()
    return "coalesce(attr(attributes, ?), attr(attr(resource, 'attributes'), ?), '')", (key, key)


_SQL = """
WITH sent AS (
    SELECT {labelled}event_unix_nano AS told, type, temporality, monotonic, unit, coalesce(batch_id, '') AS batch,
        coalesce(batch_index, 0) AS place, coalesce(start_time_unix_nano, 0) AS started, {buckets} AS buckets,
        md5(concat_ws(' ', service, type, temporality, monotonic, attributes, resource, scope)) AS stream,
        CASE WHEN type = 'gauge' OR temporality = 'DELTA' THEN 0 ELSE coalesce(start_time_unix_nano, 0) END AS begun,
        CASE WHEN type IN ('gauge', 'sum') THEN value ELSE metrics.count END AS amount,
        CASE WHEN abs(metrics.sum) < 1e308 THEN metrics.sum END AS total
    FROM metrics WHERE name = ?{conditions}
), compared AS (
    SELECT *, lag(told) OVER line AS told_before, lag(batch) OVER line AS batch_before,
        lag(place) OVER line AS place_before, lag(amount) OVER line AS amount_before
    FROM sent WHERE abs(amount) < 1e308 WINDOW line AS (PARTITION BY stream, begun ORDER BY told, batch, place)
), counted AS (
    SELECT *,
        CASE WHEN type = 'gauge' OR (type = 'sum' AND (temporality = 'DELTA' OR NOT coalesce(monotonic, false))) THEN 0
             WHEN temporality = 'DELTA' OR amount < amount_before THEN 1 ELSE 0 END AS anew,
        CASE WHEN told < {start} THEN -1 ELSE told - {start} - (told - {start}) % {width} END AS since
    FROM compared
    WHERE told_before IS NULL OR told_before <> told OR batch_before <> batch OR place_before <> place
), runs AS (
    SELECT *, sum(anew) OVER (PARTITION BY stream, begun ORDER BY told, batch, place ROWS UNBOUNDED PRECEDING) AS run
    FROM counted
)
SELECT {labels}stream, type, temporality, monotonic, max(unit) AS unit, begun, run, since, count(*) AS points,
    min(started), sum(amount), min(amount), max(amount), min(told), max(told), min_by(amount, told),
    max_by(amount, told), min_by(total, told), max_by(total, told), min_by(buckets, told), max_by(buckets, told)
FROM runs
GROUP BY {labels}stream, type, temporality, monotonic, begun, run, since
ORDER BY stream, begun, run, since
"""
"""What was sent again stands beside its first form, and is left out."""
