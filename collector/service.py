"""The collector: its parts wired, started in order and stopped in the reverse of it."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from socket import socket
from types import MappingProxyType
from typing import Any

from alerting import receiver_problems
from alerting.channels import channels
from alerting.rule_note import note_of
from alerting.settings import AlertingSettings
from collector.admission import Admission
from collector.authentication import BearerTokens
from collector.control import Control, Handler
from collector.decoding import Decoder
from collector.decoding_settings import decoding_limits
from collector.evidence import EvidenceFinder
from collector.exporting.measures import ExporterMeasures, rows_in
from collector.exporting.registration import forget_others, register
from collector.grpc_receiver import GrpcReceiver, TlsFiles
from collector.health import Health
from collector.heartbeat import Heartbeat
from collector.http_receiver import HttpReceiver, HttpSettings
from collector.http_server import HttpServer, endpoint_of, listen
from collector.intake import Decode, Intake
from collector.judge import Judge
from collector.notifier import Notifier
from collector.progress import Progress
from collector.retention import Retention
from collector.senses import Senses
from collector.settings import (
    JUDGES,
    CollectorSettings,
    PipelineSettings,
    PipelinesSettings,
    ServerSettings,
    TlsSettings,
)
from collector.store_settings import StoreSettings
from collector.telemetry import Telemetry
from collector.value_history import ValueHistory
from instrumentation.redaction import Redactor
from processors.judgement import Judgement
from storage import State, Store
from storage.names import OWN_FOLDER
from storage.state import CollectorRow

_log = logging.getLogger(__name__)

_GRACE_SECONDS = 3.0
"""For what is in flight; with the sync and the closing of files the whole stop stays below 5 s."""
_SWITCH_SECONDS = 0.0005
"""Beside the decoding of large bodies small requests wait for the interpreter: 10 ms at the 99th percentile, not 40."""
_YOUNG_OBJECTS = 50_000
"""A decoded batch is thousands of objects that live as long as it: looking through them early finds nothing."""


@dataclass(slots=True)
class Turn:
    """From a start to the stop that `stopping` asks for; a reload ends one turn and begins the next."""

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    ready: Callable[[], None] = lambda: None
    reloaded: bool = False
    """Whether another turn went before."""
    taken: set[int] = field(default_factory=set)
    """Requests of other processes that are being handled: one that asks for a reload outlives its turn."""
    reloads: bool = False
    """Whether another one comes after."""


class Collector:
    """`run` serves for one turn."""

    def __init__(
        self,
        settings: CollectorSettings,
        store: StoreSettings,
        alerting: AlertingSettings,
        handlers: Mapping[str, Handler] = MappingProxyType({}),
    ) -> None:
        """`handlers` are for what other processes may ask of this one, besides retention."""
        self._settings = settings
        self._alerting = alerting
        self._folder = Path(store.path)
        self._admission = Admission(settings.processors.memory_limiter.limit_bytes)
        judgement = settings.judgement()
        self._notifier = self._make_notifier(judgement)
        self._judge = Judge(judgement, self._folder, followed=_followed(settings), listener=self._notifier)
        self._store = Store(
            self._folder, durability=store.durability, on_commit=self._committed, on_stored=self._judge.stored
        )
        self._retention = Retention(self._folder, store.retention.policy(), self._store.upkeep)
        exporters = functools.partial(rows_in, self._folder) if settings.forwarded() else tuple
        self._telemetry = Telemetry(self._admission, self._store.statistics, self._judge, self._notifier, exporters)
        self._control = Control(self._folder, {"maintain": self._maintain, "prune": self._prune, **handlers})
        self._tokens = self._bearer_tokens()
        self._ready = False

    def _bearer_tokens(self) -> BearerTokens:
        extension = self._settings.extensions.bearertokenauth
        return BearerTokens(extension.values() if extension else ())

    def _make_notifier(self, judgement: Judgement) -> Notifier:
        history = ValueHistory()
        made = channels(self._alerting, EvidenceFinder(self._folder, history))
        notes = {rule.name: note_of(rule) for rule in judgement.descriptions}
        return Notifier(self._alerting, notes, made, self._folder, history=history)

    def _maintain(self, arguments: dict[str, Any]) -> Any:
        return self._retention.run(**arguments)

    def _prune(self, arguments: dict[str, Any]) -> Any:
        return self._retention.prune(**arguments)

    async def run(self, turn: Turn) -> None:
        """Raise OSError, FolderInUseError, StoreFormatError or StateError when it can't start."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._store.open(self._judge.recover)
        try:
            state = State.open(self._folder / OWN_FOLDER / "state.db")
            try:
                await self._serve(state, turn)
            finally:
                state.close()
        finally:
            self._store.close()

    async def _serve(self, state: State, turn: Turn) -> None:
        intake = Intake(
            self._decoders(), self._store.append, self._telemetry, projection=self._judge.judgement.projection
        )
        metrics = self._settings.service.pipelines.metrics
        used = metrics.receivers if metrics else ()
        exporters = self._exporters(state)
        senses = Senses(
            self._settings.receivers,
            used,
            intake,
            self._store.append,
            self._telemetry,
            was_up=self._judge.judgement.was_up,
            exporters=exporters,
        )
        last = state.collector()
        own, sockets = self._own_server()
        http, http_socket = self._http_server(intake)
        grpc = self._grpc_receiver(intake)
        heartbeat = Heartbeat(self._alerting.dead_mans_switch, Progress(self._store.statistics, self._judge))
        started: list[HttpServer | GrpcReceiver] = []
        try:
            for server in (own, http, grpc):
                if server is not None:
                    started.append(server)
                    await server.start()
            endpoints = self._endpoints(grpc, http_socket, sockets)
            began = last.started_unix_nano if turn.reloaded and last is not None else time.time_ns()
            state.record_start(_row(endpoints, began))
            self._notifier.start()
            unclean = not turn.reloaded and last is not None and last.stopped_unix_nano is None
            event = "configuration.reloaded" if turn.reloaded else "collector.started"
            self._judge.start(self._store.append, unclean=unclean, event=event)
            senses.start()
            heartbeat.start()
            self._retention.start()
            self._control.start(turn.taken)
            receiver_problems.save(state, dict.fromkeys(self._alerting.receivers, "") | self._notifier.problems)
            for name, problem in self._notifier.problems.items():
                _log.info("alerting.receivers.%s is not configured: %s", name, problem)
            if len(self._notifier.problems) == len(self._alerting.receivers):
                _log.warning("no receiver is configured: nobody is told of anything. See docs/alerting.md")
            forget_others(state, self._settings)
            _spare_collecting()
            self._ready = True
            _log.info("ready: %s", ", ".join(f"{name} {endpoint}" for name, endpoint in endpoints.items()))
            turn.ready()
            await turn.stopping.wait()
            _log.info("reloading" if turn.reloads else "stopping: finishing what is in flight")
        finally:
            self._ready = False
            heartbeat.stop()
            await asyncio.to_thread(self._control.stop)
            await asyncio.to_thread(self._retention.stop)
            await asyncio.gather(*(server.stop(_GRACE_SECONDS) for server in reversed(started)))
            senses.stop()
            intake.close()
            self._judge.stop("" if turn.reloads else "collector.stopped")
            self._notifier.finish()
            if not turn.reloads:
                state.record_stop(time.time_ns())

    def _exporters(self, state: State) -> ExporterMeasures | None:
        """Made known to the store; None where nobody is told how they fare."""
        register(state, self._folder, self._settings)
        if not self._settings.forwarded() or self._settings.service.pipelines.metrics is None:
            return None
        measures = ExporterMeasures(self._folder)
        measures.begin()
        return measures

    def _decoders(self) -> dict[str, Decode]:
        """One for each signal that has a pipeline, with what its processors ask for."""
        processors = self._settings.processors
        redactor = Redactor(keys=processors.redaction.keys)
        decoders: dict[str, Decode] = {}
        for signal in ("traces", "metrics", "logs"):
            pipeline = getattr(self._settings.service.pipelines, signal)
            if pipeline is not None:
                decoder = Decoder(
                    redactor=redactor if "redaction" in pipeline.processors else None,
                    limits=decoding_limits(processors.limits),
                )
                decoders[signal] = getattr(decoder, f"decode_{signal}")
        return decoders

    def _own_server(self) -> tuple[HttpServer, dict[str, socket]]:
        endpoints = {"metrics": self._settings.service.telemetry.metrics.endpoint}
        if "health_check" in self._settings.service.extensions:
            endpoints["health"] = self._settings.extensions.health_check.endpoint
        sockets = {name: listen(endpoint) for name, endpoint in endpoints.items()}
        return HttpServer(Health(self._telemetry, self._problem).app, list(sockets.values())), sockets

    def _http_server(self, intake: Intake) -> tuple[HttpServer | None, socket | None]:
        settings = self._settings.receivers.otlp.protocols.http
        if settings is None:
            return None, None
        receiver = HttpReceiver(
            intake,
            self._admission,
            self._tokens_of(settings),
            self._telemetry,
            HttpSettings(
                max_body_bytes=settings.max_request_body_size,
                allowed_origins=settings.cors.allowed_origins,
                allowed_headers=settings.cors.allowed_headers,
                cors_max_age_seconds=int(settings.cors.max_age),
            ),
        )
        bound = listen(settings.endpoint)
        return HttpServer(receiver.app, [bound], _ssl_context(settings.tls) if settings.tls else None), bound

    def _grpc_receiver(self, intake: Intake) -> GrpcReceiver | None:
        settings = self._settings.receivers.otlp.protocols.grpc
        if settings is None:
            return None
        return GrpcReceiver(
            intake,
            self._admission,
            self._tokens_of(settings),
            self._telemetry,
            endpoint=settings.endpoint,
            max_message_bytes=settings.max_recv_msg_size_mib * 2**20,
            tls=_tls_files(settings.tls) if settings.tls else None,
        )

    def _tokens_of(self, settings: ServerSettings) -> BearerTokens:
        return self._tokens if settings.auth else BearerTokens()

    def _endpoints(self, grpc: GrpcReceiver | None, http: socket | None, own: Mapping[str, socket]) -> dict[str, str]:
        found = {"grpc": grpc.endpoint} if grpc else {}
        if http:
            found["http"] = endpoint_of(http)
        return {**found, **{name: endpoint_of(bound) for name, bound in own.items()}}

    def _problem(self) -> str | None:
        if not self._ready:
            return "the collector is starting or stopping"
        if self._judge.failed:
            return "judging has stopped; see the log, and restart"
        if self._notifier.failed:
            return "alerting has stopped; see the log, and restart"
        failure = self._store.statistics().failure
        return f"the store refuses writes: {failure}" if failure else None

    def _committed(self, seconds: float) -> None:
        self._telemetry.commit_seconds.observe(seconds)


def _spare_collecting() -> None:
    """What there is by now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)


def _followed(settings: CollectorSettings) -> list[str]:
    """The received signals whose pipeline judges them, and what the probes find."""
    pipelines = settings.service.pipelines
    judged = [signal for signal in PipelinesSettings.model_fields if _judges(getattr(pipelines, signal))]
    return [*judged, "health"]


def _judges(pipeline: PipelineSettings | None) -> bool:
    return pipeline is not None and not set(JUDGES).isdisjoint(pipeline.processors)


def _row(endpoints: Mapping[str, str], began: int) -> CollectorRow:
    return CollectorRow(os.getpid(), metadata.version("forecourt"), endpoints, began, None)


def _ssl_context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.client_ca_file)
    context.load_cert_chain(settings.cert_file, settings.key_file)
    if settings.client_ca_file:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _tls_files(settings: TlsSettings) -> TlsFiles:
    ca = settings.client_ca_file.read_bytes() if settings.client_ca_file else None
    return TlsFiles(settings.cert_file.read_bytes(), settings.key_file.read_bytes(), ca)
