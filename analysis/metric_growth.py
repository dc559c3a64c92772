"""What counters and histograms grew by, in each part of a period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import orjson

from analysis.bucket_quantile import Bounds, bucket_quantile, is_histogram
from analysis.metric_points import LOOKBACK_NANO, PartOfStream, Stand

Buckets = tuple[Bounds, tuple[int, ...]]


class Growth(NamedTuple):
    """Of one stream between two times; `part` is where the later one lies."""

    part: int
    since_unix_nano: int
    until_unix_nano: int
    amount: float
    total: float | None
    buckets: Buckets | None


def growth(found: Iterable[PartOfStream], read_from_unix_nano: int) -> Iterator[Growth]:
    """From the last point of a stream's part to that of its next one; `found` is in the order of streams and times.

    What began after `read_from` or anew has grown from zero; of anything else the first point that was read tells
    nothing but where it stood.
    """
    for _, parts in groupby(found, key=lambda one: (one.stream, one.begun_unix_nano)):
        before: PartOfStream | None = None
        for one in parts:
            if one.delta:
                yield _told(before, one)
            else:
                then = _stood(before, one, read_from_unix_nano)
                if then is not one.first or then.time_unix_nano < one.last.time_unix_nano:
                    yield _since(then, one)
            before = one


def rate(found: Iterable[Growth], starts: Sequence[int], width_nano: int) -> list[float | None]:
    """Per second: growth is laid evenly between its two times; the last part ends where the points do."""
    amounts: list[float | None] = [None] * len(starts)
    end = 0
    for one in found:
        end = max(end, starts[one.part] + width_nano if _at_once(one) else one.until_unix_nano)
        _spread(amounts, one, starts[0], width_nano)
    seconds = [max(1, min(start + width_nano, end) - start) / 1e9 for start in starts]
    return [None if amount is None else amount / length for amount, length in zip(amounts, seconds, strict=True)]


def amounts(found: Iterable[Growth], count: int) -> list[float | None]:
    """In each part, where it was told."""
    grown: list[float | None] = [None] * count
    for one in found:
        if one.part >= 0:
            grown[one.part] = (grown[one.part] or 0.0) + one.amount
    return grown


def means(found: Iterable[Growth], count: int) -> list[float | None]:
    """Of what was measured: the growth of the sum by that of the count."""
    sums, counts = [0.0] * count, [0.0] * count
    for one in found:
        if one.part >= 0 and one.total is not None:
            sums[one.part] += one.total
            counts[one.part] += one.amount
    return [total / number if number else None for total, number in zip(sums, counts, strict=True)]


def quantiles(found: Iterable[Growth], q: float, count: int) -> list[float | None]:
    """Of what was measured, by the growth of the buckets."""
    counted: list[dict[Bounds, tuple[int, ...]]] = [{} for _ in range(count)]
    for one in found:
        if one.part >= 0 and one.buckets is not None:
            bounds, counts = one.buckets
            known = counted[one.part].get(bounds, (0,) * len(counts))
            counted[one.part][bounds] = tuple(mine + more for mine, more in zip(known, counts, strict=True))
    return [bucket_quantile(q, part) for part in counted]


def _told(before: PartOfStream | None, one: PartOfStream) -> Growth:
    """A delta; one that has no start, or none that can be, began where the last one ended."""
    since = one.started_unix_nano
    if not one.first.time_unix_nano - LOOKBACK_NANO <= since < one.first.time_unix_nano:
        since = (before or one).last.time_unix_nano
    last = one.last
    return Growth(one.part, since, last.time_unix_nano, one.sum, last.total, _buckets(last.buckets))


def _stood(before: PartOfStream | None, one: PartOfStream, read_from_unix_nano: int) -> Stand:
    """What a cumulative stream has grown from."""
    if before is not None:
        return before.last if before.run == one.run else Stand(before.last.time_unix_nano, 0.0, 0.0, None)
    if one.begun_unix_nano >= read_from_unix_nano:
        return Stand(one.begun_unix_nano, 0.0, 0.0, None)
    return one.first


def _since(then: Stand, one: PartOfStream) -> Growth:
    last = one.last
    total = None if last.total is None or then.total is None else last.total - then.total
    buckets = _grown(_buckets(last.buckets), _buckets(then.buckets))
    return Growth(one.part, then.time_unix_nano, last.time_unix_nano, last.amount - then.amount, total, buckets)


def _grown(now: Buckets | None, before: Buckets | None) -> Buckets | None:
    """From zero where the bounds are others, or a bucket has fewer."""
    if now is None or before is None or now[0] != before[0]:
        return now
    counts = tuple(after - then for after, then in zip(now[1], before[1], strict=True))
    return (now[0], counts) if min(counts) >= 0 else now


def _buckets(text: str | None) -> Buckets | None:
    """None for what is no histogram."""
    try:
        bounds, counts = map(orjson.loads, (text or "").split(" "))
    except ValueError:
        return None
    if not isinstance(bounds, list) or not isinstance(counts, list) or not is_histogram(bounds, counts):
        return None
    return tuple(map(float, bounds)), tuple(counts)


def _at_once(grown: Growth) -> bool:
    """Nobody says how long it took: it counts for the whole part in which it was told."""
    return grown.part >= 0 and grown.since_unix_nano >= grown.until_unix_nano


def _spread(amounts: list[float | None], grown: Growth, start: int, width: int) -> None:
    since, until = grown.since_unix_nano, grown.until_unix_nano
    if _at_once(grown):
        amounts[grown.part] = (amounts[grown.part] or 0.0) + grown.amount
    if since >= until:
        return
    first, last = max(0, (since - start) // width), (until - 1 - start) // width
    for part in range(first, min(last, len(amounts) - 1) + 1):
        begins = start + part * width
        inside = min(until, begins + width) - max(since, begins)
        amounts[part] = (amounts[part] or 0.0) + grown.amount * inside / (until - since)
