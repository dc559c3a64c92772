"""What no single setting shows: references into nothing, ports open to the world, limits that exclude each other."""

from __future__ import annotations

import difflib
import socket
from collections.abc import Iterator, Sequence

from collector.admission import cost_of
from collector.exporting.settings import OtlpHttpSettings
from collector.settings import (
    CollectorSettings,
    PipelineSettings,
    PipelinesSettings,
    ProcessorSettings,
    ReceiverSettings,
)
from processors.endpoint import clash, host_and_port, is_loopback

Problem = tuple[tuple[str, ...], str]
"""The way to the place in the configuration, and what is wrong there."""

_MIB = 2**20
_TOKENS = "bearertokenauth"
_RECEIVERS = {"traces": ["otlp"], "metrics": list(ReceiverSettings.model_fields), "logs": ["otlp"]}
_PROCESSORS = list(ProcessorSettings.model_fields)
_EXPOSED = (
    "{} can be reached from other machines and asks for no token. Bind to 127.0.0.1, or add a token under "
    "extensions.bearertokenauth, list bearertokenauth in service.extensions, and name it here as auth.authenticator"
)
_CIRCLE = (
    "{} is this collector's own receiver (receivers.otlp.protocols.{}), which would receive what it sends for ever. "
    "Let the viewer listen on another port, for example 14318"
)


def problems(settings: CollectorSettings) -> list[Problem]:
    return [
        *_of_pipelines(settings),
        *_of_extensions(settings),
        *_of_authenticators(settings),
        *_of_endpoints(settings),
        *_of_limits(settings),
        *_of_exporters(settings),
    ]


def _of_pipelines(settings: CollectorSettings) -> Iterator[Problem]:
    for signal in PipelinesSettings.model_fields:
        pipeline: PipelineSettings | None = getattr(settings.service.pipelines, signal)
        if pipeline is None:
            continue
        place = ("service", "pipelines", signal)
        exporters = ["jsonl", *settings.exporters.otlp]
        components = {"receivers": _RECEIVERS[signal], "processors": _PROCESSORS, "exporters": exporters}
        for kind, known in components.items():
            yield from _undefined((*place, kind), getattr(pipeline, kind), known)
        if not pipeline.exporters or not pipeline.receivers:
            yield place, "needs a receiver and an exporter; to switch the signal off, leave its pipeline out"
        elif "jsonl" not in pipeline.exporters:
            yield (*place, "exporters"), "jsonl is missing: what is not kept can't be judged, shown or sent on"
        if "memory_limiter" not in pipeline.processors:
            yield (*place, "processors"), "memory_limiter is missing: without it a flood fills the memory"


def _undefined(place: tuple[str, ...], used: Sequence[str], known: Sequence[str]) -> Iterator[Problem]:
    for name in used:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else f", expected one of {', '.join(known)}"
            yield place, f"{name!r} is not defined{hint}"


def _of_extensions(settings: CollectorSettings) -> Iterator[Problem]:
    place = ("service", "extensions")
    yield from _undefined(place, settings.service.extensions, list(type(settings.extensions).model_fields))
    if settings.extensions.bearertokenauth is None and _TOKENS in settings.service.extensions:
        yield place, f"{_TOKENS} is not defined: give it tokens or a token_file under extensions"


def _of_authenticators(settings: CollectorSettings) -> Iterator[Problem]:
    for name, server in settings.servers().items():
        if server.auth is None:
            continue
        authenticator = server.auth.authenticator
        place = ("receivers", "otlp", "protocols", name, "auth", "authenticator")
        if authenticator != _TOKENS:
            yield from _undefined(place, [authenticator], [_TOKENS])
        elif _TOKENS not in settings.service.extensions:
            yield place, f"{_TOKENS} is not started: list it in service.extensions"
    tokens = settings.extensions.bearertokenauth
    if tokens is not None:
        try:
            tokens.values()
        except (OSError, ValueError) as error:
            yield ("extensions", _TOKENS), str(error)


def _of_endpoints(settings: CollectorSettings) -> Iterator[Problem]:
    for name, server in settings.servers().items():
        if server.auth is None and not is_loopback(server.endpoint):
            yield ("receivers", "otlp", "protocols", name, "endpoint"), _EXPOSED.format(server.endpoint)
    own = {
        ("extensions", "health_check", "endpoint"): settings.extensions.health_check.endpoint,
        ("service", "telemetry", "metrics", "endpoint"): settings.service.telemetry.metrics.endpoint,
    }
    for place, endpoint in own.items():
        if not is_loopback(endpoint):
            yield place, f"{endpoint} can be reached from other machines and never asks for a token. Use 127.0.0.1"


def _of_limits(settings: CollectorSettings) -> Iterator[Problem]:
    protocols = settings.receivers.otlp.protocols
    largest = max(
        protocols.http.max_request_body_size if protocols.http else 0,
        protocols.grpc.max_recv_msg_size_mib * _MIB if protocols.grpc else 0,
    )
    needed = -(-cost_of(largest) // _MIB)
    if needed > settings.processors.memory_limiter.limit_mib:
        problem = f"a request of the largest size needs {needed} MiB and could never be taken; raise this to it"
        yield ("processors", "memory_limiter", "limit_mib"), problem


def _of_exporters(settings: CollectorSettings) -> Iterator[Problem]:
    """One that sends to this collector's own receiver would send everything again and again."""
    servers = settings.servers()
    for name, exporter in settings.exporters.otlp.items():
        for target in exporter.endpoints():
            own = next((protocol for protocol, server in servers.items() if _reaches(target, server.endpoint)), None)
            if own is not None:
                yield ("exporters", name), _CIRCLE.format(target, own)
                break
        if isinstance(exporter, OtlpHttpSettings):
            yield from _without_address(settings.service.pipelines, name, exporter)


def _without_address(pipelines: PipelinesSettings, name: str, exporter: OtlpHttpSettings) -> Iterator[Problem]:
    for signal in PipelinesSettings.model_fields:
        pipeline: PipelineSettings | None = getattr(pipelines, signal)
        if pipeline is not None and name in pipeline.exporters and exporter.url(signal) is None:
            hint = f"Give it an endpoint or {signal}_endpoint, or leave it out here"
            yield ("service", "pipelines", signal, "exporters"), f"{name} has no address for {signal}. {hint}"


def _reaches(target: str, endpoint: str) -> bool:
    if clash(target, endpoint):
        return True
    host, port = host_and_port(target)
    of_this_machine = host.lower() in {socket.gethostname().lower(), socket.getfqdn().lower()}
    return of_this_machine and port == host_and_port(endpoint)[1] and not is_loopback(endpoint)
