"""Evidence for messages: what was measured, who is affected, and what exactly went wrong."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from alerting.evidence import Evidence, Sample
from alerting.notification import AlertView
from collector.value_history import ValueHistory
from processors.evaluation import format_value
from storage.names import segments

_WINDOW_NANO = 900 * 1_000_000_000
_ERROR_BYTES = 512 * 1024
_REQUEST_BYTES = 2 * 2**20
"""What is read of a stream's end: a message must not cost more than it is worth."""
_LEAST = 1
_SLOW = 0.95
_MESSAGE_LENGTH = 120


class EvidenceFinder:
    """Called by the threads of the channels."""

    def __init__(self, folder: Path, history: ValueHistory) -> None:
        self._folder = folder
        self._history = history

    def __call__(self, alert: AlertView, now_unix_nano: int) -> Evidence:
        day = self._history.day(alert.rule, alert.key, now_unix_nano, recent_since_unix_nano=alert.firing_since)
        about_errors = (
            alert.indicator.startswith(("http.server.", "db.", "spans", "logs")) and "4xx" not in alert.indicator
        )
        return Evidence(
            minutes=day.minutes if day else (),
            usual=day.usual if day else None,
            highest=day.highest if day else None,
            lowest=day.lowest if day else None,
            routes=self._routes(alert, now_unix_nano) if alert.indicator.startswith("http.server.") else (),
            samples=self._samples(alert, now_unix_nano) if about_errors else (),
        )

    def _samples(self, alert: AlertView, now: int) -> tuple[Sample, ...]:
        """The most frequent errors of the last minutes, numbers apart, each as it came last."""
        counts: Counter[tuple[str, str]] = Counter()
        latest: dict[tuple[str, str], Mapping[str, Any]] = {}
        for record in self._recent("errors", _ERROR_BYTES, alert, now):
            message = str(record.get("message", ""))[:_MESSAGE_LENGTH]
            kind = (str(record.get("error_type", "")), re.sub(r"\d+", "0", message))
            counts[kind] += 1
            latest[kind] = record
        told = {kind for kind, message in counts if message}
        shown = [one for one in counts.most_common() if one[0][1] or one[0][0] not in told]
        return tuple(_sample(latest[kind], count) for kind, count in shown[:3])

    def _routes(self, alert: AlertView, now: int) -> tuple[str, ...]:
        """Those that fail, or are slow, the worst first."""
        requests: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for record in self._recent("performance", _REQUEST_BYTES, alert, now):
            route = f"{record.get('method', '')} {record.get('route') or '(no route)'}"
            requests[route].append((int(record.get("status_code") or 0), float(record.get("response_time") or 0.0)))
        if alert.indicator == "http.server.response_time":
            slow = sorted(
                ((_percentile([seconds for _, seconds in of]), route, len(of)) for route, of in requests.items())
            )
            return tuple(
                f"{route}: 95 % within {format_value(seconds, 's')}, {count} requests"
                for seconds, route, count in reversed(slow[-5:])
            )
        refused = alert.indicator.endswith("4xx")
        failed = sorted(
            (sum(400 <= status < 500 if refused else not 0 < status < 500 for status, _ in of), route, len(of))  # noqa: PLR2004  # HTTP's
            for route, of in requests.items()
        )
        word = "refused" if refused else "failed"
        return tuple(
            f"{route}: {count} of {whole} {word}" for count, route, whole in reversed(failed[-5:]) if count >= _LEAST
        )

    def _recent(self, stream: str, size: int, alert: AlertView, now: int) -> Iterator[Mapping[str, Any]]:
        """Records of the alert's service and route in the last 15 minutes."""
        wanted = dict(alert.key)
        for record in self._tail(stream, size):
            if not isinstance(record, dict) or now - int(record.get("time_unix_nano", 0)) > _WINDOW_NANO:
                continue
            service, route = wanted.get("service.name"), wanted.get("http.route")
            if service in {None, record.get("service")} and route in {None, record.get("route")}:
                yield record

    def _tail(self, stream: str, size: int) -> Iterator[Any]:
        plain = [path for name, path in segments(self._folder / stream) if not name.compressed]
        left = size
        for path in plain[:-3:-1]:
            try:
                lines = _last_lines(path, left)
            except FileNotFoundError:  # retention has just moved it: too old to matter
                return
            left -= sum(map(len, lines))
            for line in lines:
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
            if left <= 0:
                return


def _last_lines(path: Path, size: int) -> list[bytes]:
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - size))
        if end > size:
            file.readline()
        return file.readlines()


def _sample(record: Mapping[str, Any], count: int) -> Sample:
    said = ": ".join(
        filter(None, (str(record.get("error_type", "")), str(record.get("message", ""))[:_MESSAGE_LENGTH]))
    )
    return Sample(said, str(record.get("trace_id", "")), str(record.get("route", "")), count)


def _percentile(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * _SLOW))]
