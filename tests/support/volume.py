"""Many requests whose number and times are known: each hour of each route is as the hour before.

Lines are those that the sidecar writes of HTTP requests, but written in seconds: `traces` and `performance`, and the
rollups of as many days as are wanted, which agree with them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from processors.histogram import Histogram
from processors.rollups import STREAMS, Subject, Summary
from processors.timestamps import Timestamps
from storage.event_times import EventTimeRange
from storage.manifest import Manifest, SegmentSummary
from storage.names import OWN_FOLDER, hour_of

NANO = 1_000_000_000
MINUTE = 60 * NANO
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SERVICE = "fossawork-backend"
FAILED_EVERY = 97
"""One request in so many is answered with 500."""
_LABELS = ("service.name", "http.request.method", "http.route")


@dataclass(slots=True)
class Volume:
    """`seconds` are the response times of one hour by route."""

    folder: Path
    end_unix_nano: int
    hourly: int
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def failed_hourly(self) -> int:
        return sum(_failed(number) for number in range(self.hourly))


def record_volume(
    folder: Path, end_unix_nano: int, *, daily: int, days: int, routes: int = 40, raw_days: int = 1
) -> Volume:
    """`end_unix_nano` is midnight. Requests of the last `raw_days` are there themselves, of others only rollups."""
    volume = Volume(folder, end_unix_nano, daily // 24)
    _Recorder(volume, routes).write(days, raw_days)
    return volume


def _failed(number: int) -> bool:
    return number % FAILED_EVERY == 0


@dataclass(frozen=True, slots=True)
class _Request:
    """At so many nanoseconds after the full hour."""

    offset: int
    route: str
    seconds: float
    failed: bool


class _Recorder:
    def __init__(self, volume: Volume, routes: int) -> None:
        self._volume = volume
        self._timestamps = Timestamps()
        self._manifest = Manifest(volume.folder / OWN_FOLDER / "manifest.json", {})
        names = [f"/api/v1/resource-{number}/{{id}}" for number in range(routes)]
        chance = random.Random(23)  # noqa: S311  # the same volume each time
        self._hour = [
            _Request(
                number * HOUR // volume.hourly,
                names[number % routes],
                round(chance.lognormvariate(-3 + 0.02 * (number % routes), 0.6), 6),
                _failed(number),
            )
            for number in range(volume.hourly)
        ]
        for one in self._hour:
            volume.seconds.setdefault(one.route, []).append(one.seconds)

    def write(self, days: int, raw_days: int) -> None:
        end = self._volume.end_unix_nano
        (self._volume.folder / OWN_FOLDER).mkdir(parents=True)
        for start in range(end - raw_days * DAY, end, HOUR):
            self._segment("traces", start, self._spans(start))
            self._segment("performance", start, self._performance(start))
        minutes = [self._rolled_up("1min", minute * MINUTE, MINUTE, 1) for minute in range(60)]
        hour = self._rolled_up("1h", 0, HOUR, 1)
        day = self._rolled_up("1d", 0, HOUR, 24)
        for start in range(end - days * DAY, end, HOUR):
            lines = (line for number, one in enumerate(minutes) for line in self._at(one, start + number * MINUTE))
            self._segment(STREAMS["1min"], start, lines)
            self._segment(STREAMS["1h"], start, self._at(hour, start))
            if start % DAY == 0:
                self._segment(STREAMS["1d"], start, self._at(day, start))
        self._manifest.save()

    def _segment(self, stream: str, start: int, lines: Iterator[bytes]) -> None:
        path = self._volume.folder / stream / f"{hour_of(start)}.jsonl"
        path.parent.mkdir(exist_ok=True)
        written = list(lines)
        path.write_bytes(b"".join(written))
        length = DAY if stream == STREAMS["1d"] else HOUR
        times = EventTimeRange(start, start, start + length - 1, start + length - 1)
        self._manifest.add(path, SegmentSummary(len(written), path.stat().st_size, 0, times))

    def _first_fields(self, time: int) -> str:
        return (
            f'{{"timestamp":"{self._timestamps(time)}","time_unix_nano":{time},'
            f'"received_unix_nano":{time + NANO},"service":"{SERVICE}"'
        )

    def _spans(self, start: int) -> Iterator[bytes]:
        for number, one in enumerate(self._hour):
            time = start + one.offset
            yield (
                f'{self._first_fields(time)},"name":"GET {one.route}","kind":"SERVER","trace_id":"{time:032x}",'
                f'"span_id":"{time:016x}","end_time_unix_nano":{time + int(one.seconds * 1e9)},'
                f'"duration_ms":{one.seconds * 1000:.6f},"status":"{"ERROR" if one.failed else "UNSET"}",'
                f'"batch_id":"{time:016x}","batch_index":{number},"attributes":{{"http.request.method":"GET",'
                f'"url.scheme":"http","url.path":"{one.route}","network.protocol.version":"1.1",'
                f'"client.address":"192.0.2.{number % 250}","user_agent.original":"Mozilla/5.0",'
                f'"http.route":"{one.route}","http.response.status_code":{500 if one.failed else 200}}},'
                f'"resource":{{"attributes":{{"service.name":"{SERVICE}","service.instance.id":"i-1"}}}},'
                '"scope":{"name":"forecourt"}}\n'
            ).encode()

    def _performance(self, start: int) -> Iterator[bytes]:
        for number, one in enumerate(self._hour):
            time = start + one.offset
            yield (
                f'{self._first_fields(time)},"method":"GET","route":"{one.route}",'
                f'"status_code":{500 if one.failed else 200},"response_time":{one.seconds},"response_bytes":512,'
                f'"trace_id":"{time:032x}","client_address":"192.0.2.{number % 250}","user_agent":"Mozilla/5.0",'
                f'"user":"user-{number % 8}","session":null,"batch_id":"{time:016x}","batch_index":{number}}}\n'
            ).encode()

    def _rolled_up(self, resolution: str, begin: int, length: int, times: int) -> list[dict[str, Any]]:
        """The fields of each route's line for a part of the hour, counted so many times."""
        found: dict[str, tuple[Histogram, int]] = {}
        for one in self._hour:
            if begin <= one.offset < begin + length:
                histogram, errors = found.get(one.route, (Histogram(), 0))
                histogram.add(one.seconds, times)
                found[one.route] = (histogram, errors + times * one.failed)
        return [
            Summary(
                Subject("http.server.response_time", _LABELS, (SERVICE, "GET", route)), resolution, 0, errors, histogram
            ).fields()
            for route, (histogram, errors) in found.items()
        ]

    def _at(self, fields: list[dict[str, Any]], start: int) -> Iterator[bytes]:
        first = self._first_fields(start).encode()
        for number, one in enumerate(fields):
            rest = orjson.dumps({**one, "batch_id": f"{start:016x}", "batch_index": number})
            yield first + b"," + rest[1:] + b"\n"
