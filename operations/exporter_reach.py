"""Whether exporters are heard where they send to: each asks with requests that hold no record."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from collector.exporting.settings import OtlpGrpcSettings, OtlpHttpSettings
from collector.exporting.target import Failure, SendError
from collector.settings import CollectorSettings
from operations.quiet_grpc import quiet_grpc

_MOST_SECONDS = 5.0
_MOST_AT_ONCE = 12
_ADVICE = {
    Failure.AGAIN: "What it should have waits in the store. Start what listens there, or mend exporters.{name}",
    Failure.REFUSED: "Mend exporters.{name}, or take it out of the pipelines of what is refused there",
    Failure.MALFORMED: "It listens, and may refuse a request only because it is empty; see: forecourt store exporters",
    Failure.TOO_LARGE: "It listens, and calls an empty request too large; see: forecourt store exporters",
}
_HARMLESS = {Failure.MALFORMED, Failure.TOO_LARGE}


@dataclass(frozen=True, slots=True)
class Reached:
    exporter: str
    outcome: Literal["ok", "warning", "failed"]
    detail: str


@dataclass(frozen=True, slots=True)
class _Asked:
    exporter: str
    signal: str
    settings: OtlpGrpcSettings | OtlpHttpSettings


def reached_by_all(configuration: CollectorSettings) -> list[Reached]:
    """Those that a pipeline lists, by name; asked at the same time, each within its `timeout`, five seconds at most."""
    exporters, forwarded = configuration.exporters.otlp, configuration.forwarded()
    asked = [_Asked(name, signal, exporters[name]) for name, signals in forwarded.items() for signal in signals]
    with ThreadPoolExecutor(_MOST_AT_ONCE) as asking:
        answers = list(zip(asked, asking.map(_failure, asked), strict=True))
    return [
        _judged(name, exporters[name], {one.signal: failure for one, failure in answers if one.exporter == name})
        for name in sorted(forwarded)
    ]


def _failure(asked: _Asked) -> SendError | None:
    """Why an empty request was not taken."""
    quiet_grpc()
    from collector.exporting.forwarding import target_of  # noqa: PLC0415  # gRPC and requests: for who has an exporter

    settings = asked.settings
    hasty = settings.model_copy(update={"timeout": min(settings.timeout, _MOST_SECONDS)})
    try:
        with closing(target_of(hasty)) as target:
            target.send(asked.signal, b"")
    except SendError as error:
        return error
    return None


def _judged(
    name: str, settings: OtlpGrpcSettings | OtlpHttpSettings, answers: Mapping[str, SendError | None]
) -> Reached:
    failures = {signal: error for signal, error in answers.items() if error is not None}
    if not failures:
        where = ", ".join(dict.fromkeys(settings.endpoints()))
        return Reached(name, "ok", f"{where} takes {', '.join(answers)}")
    by_reason: dict[str, list[str]] = {}
    for signal, error in failures.items():
        by_reason.setdefault(str(error).rstrip("."), []).append(signal)
    told = "; ".join(f"{', '.join(signals)}: {reason}" for reason, signals in by_reason.items())
    kinds = {error.failure for error in failures.values()}
    advice = ". ".join(_ADVICE[kind].format(name=name) for kind in Failure if kind in kinds)
    return Reached(name, "warning" if kinds <= _HARMLESS else "failed", f"{told}. {advice}")
