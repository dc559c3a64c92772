"""What is looked at before somebody asks why nothing arrives."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
from packaging.requirements import Requirement

from alerting.receiver_problems import receiver_problems
from instrumentation.distribution import clashes
from operations.configuration import Configuration, load
from operations.exporter_reach import reached_by_all
from operations.page_settings import PAGE_TITLES
from operations.settings_file import ConfigurationError
from storage import State, StateError
from storage.lock import owner_pid
from storage.names import OWN_FOLDER
from storage.state import network_file_system
from storage.web_process import served, web_process

_LOW_BYTES = 2 * 2**30
_EXTRAS = ("sidecar", "demo", "dev", "fuzz")


@dataclass(frozen=True, slots=True)
class Finding:
    """`outcome` is ok, warning or failed; `detail` says what was found and, if need be, what to do."""

    subject: str
    outcome: Literal["ok", "warning", "failed"]
    detail: str


def examine(config: Path | None) -> list[Finding]:
    """All findings, in the order in which one would mend them."""
    findings = [*_python(), *_extras(), *_distributions()]
    try:
        source = load(config)
    except ConfigurationError as error:
        return [*findings, Finding("configuration", "failed", str(error))]
    findings.append(Finding("configuration", "ok", source.name))
    findings += [Finding("configuration", "warning", warning) for warning in source.warnings]
    configuration = source.configuration
    return [
        *findings,
        *_folder(configuration),
        *_ports(configuration),
        *_pages(configuration),
        *_receivers(configuration),
        *_exporters(configuration),
    ]


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{sys.version.split()[0]} on {sys.platform}")
    if importlib.util.find_spec("uvloop") is not None:
        yield Finding("uvloop", "ok", metadata.version("uvloop"))
    elif sys.platform == "win32":
        yield Finding("uvloop", "ok", "does not exist on Windows and is not needed")
    else:
        yield Finding("uvloop", "warning", "missing: a faster event loop. pip install uvloop")


def _extras() -> Iterator[Finding]:
    """Which extras are complete, and what in them is missing or too old."""
    requirements = [Requirement(text) for text in metadata.requires("forecourt") or ()]
    for name in ("", *_EXTRAS):
        wanted = [item for item in requirements if _belongs(item, name) and item.name != "forecourt"]
        problems = list(filter(None, map(_problem, wanted)))
        subject = f"extra {name}" if name else "library"
        if not problems:
            yield Finding(subject, "ok", f"forecourt {metadata.version('forecourt')}, {len(wanted)} requirements")
        elif name in {"dev", "fuzz", "demo"}:
            yield Finding(subject, "ok", f'not installed: pip install "forecourt[{name}]"')
        else:
            mend = f'pip install --upgrade "forecourt[{name}]"' if name else "pip install --upgrade forecourt"
            yield Finding(subject, "failed", f"{', '.join(problems)}. {mend}")


def _belongs(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    if extra and marker is not None and marker.evaluate({"extra": ""}):
        return False
    return marker.evaluate({"extra": extra}) if marker is not None else not extra


def _problem(requirement: Requirement) -> str | None:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    fits = requirement.specifier.contains(version, prereleases=True)
    return None if fits else f"{requirement.name} {version} is not {requirement.specifier}"


def _distributions() -> Iterator[Finding]:
    found = clashes()
    for clash in found:
        yield Finding("distributions", "failed", str(clash))
    if not found:
        yield Finding("distributions", "ok", "no other distribution owns our folders")


def _folder(configuration: Configuration) -> Iterator[Finding]:
    folder = Path(configuration.exporters.jsonl.path)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        yield Finding("folder", "failed", f"{existing}: can't be written: {error.strerror}. See exporters.jsonl.path")
    else:
        yield Finding("folder", "ok", f"{folder}")
    network = network_file_system(existing)
    if network:
        yield Finding("folder", "failed", f"{existing}: is on a network drive ({network}); use a local disk")
    free = shutil.disk_usage(existing).free
    outcome: Literal["ok", "warning"] = "ok" if free >= _LOW_BYTES else "warning"
    yield Finding("disk", outcome, f"{free / 2**30:.1f} GiB free for {folder}")


def _ports(configuration: Configuration) -> Iterator[Finding]:
    lock = Path(configuration.exporters.jsonl.path) / OWN_FOLDER / "lock"
    pid = owner_pid(lock)
    ours = pid is not None and psutil.pid_exists(pid)
    endpoints = {name: server.endpoint for name, server in configuration.servers().items()}
    endpoints["health"] = configuration.extensions.health_check.endpoint
    endpoints["metrics"] = configuration.service.telemetry.metrics.endpoint
    pages = configuration.extensions.page_endpoints()
    endpoints |= {PAGE_TITLES[name]: pages[name] for name in configuration.service.pages}
    for name, endpoint in endpoints.items():
        problem = _taken(endpoint)
        if problem is None:
            yield Finding(f"port {name}", "ok", f"{endpoint} is free")
        elif ours:
            yield Finding(f"port {name}", "ok", f"{endpoint} is taken while our collector runs (pid {pid})")
        else:
            advice = "Stop what listens there, or choose another endpoint"
            yield Finding(f"port {name}", "failed", f"{endpoint}: {problem}. {advice}")


def _pages(configuration: Configuration) -> Iterator[Finding]:
    """Where a browser finds them."""
    names = configuration.service.pages
    if not names:
        alone = "they are served by: forecourt dashboard"
        yield Finding("pages", "ok", f"not beside the collector, since service.extensions does not list them; {alone}")
        return
    try:
        running, addresses = _served(Path(configuration.exporters.jsonl.path) / OWN_FOLDER / "state.db")
    except StateError as error:
        yield Finding("pages", "warning", str(error))
        return
    for name, address in addresses.items():
        yield Finding(PAGE_TITLES[name], "ok", address)
    if running and not addresses:
        yield Finding("pages", "warning", "the collector runs and its pages do not; its log says why")
    elif not addresses:
        yield Finding("pages", "ok", "served once the collector runs, and without it by: forecourt dashboard")


def _served(path: Path) -> tuple[bool, dict[str, str]]:
    """Whether a collector runs, and where its pages are."""
    if not path.is_file():
        return False, {}
    state = State.open(path)
    try:
        return state.collector_lives(), served(web_process(state))
    finally:
        state.close()


def _receivers(configuration: Configuration) -> Iterator[Finding]:
    """Who can be told of alerts; whether it arrives is for `forecourt alerts test` to say."""
    path = configuration.exporters.jsonl.path / OWN_FOLDER / "state.db"
    with closing(State.open(path)) if path.is_file() else nullcontext() as state:
        problems = receiver_problems(state, configuration.alerting)
    for name, problem in problems.items():
        subject = f"receiver {name}"
        if problem:
            yield Finding(subject, "warning", f"not configured: {problem}")
        else:
            yield Finding(subject, "ok", "configured; try it: forecourt alerts test")
    if all(problems.values()):
        yield Finding("alerting", "warning", "no receiver is configured: nobody is told of anything")


def _exporters(configuration: Configuration) -> Iterator[Finding]:
    """Whether each would be heard where it sends to."""
    for reached in reached_by_all(configuration):
        yield Finding(f"exporter {reached.exporter}", reached.outcome, reached.detail)


def _taken(endpoint: str) -> str | None:
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            return error.strerror or str(error)
    return None
