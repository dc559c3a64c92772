from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage
from hypothesis import settings

from tests.support.shared_week import shared_week
from tests.support.week import Week

ROOT = Path(__file__).parent.parent
# What a test instruments in this process must not reach a sidecar of the machine, nor leave a key in anybody's home.
os.environ.update(
    OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    OTEL_METRIC_EXPORT_INTERVAL="3600000",
    XDG_STATE_HOME=tempfile.mkdtemp(),
)
# The programs that tests start by the hundred read what the first of them has compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell leaves it for what runs in its background: the programs that tests start would ignore Ctrl-C too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
SHARED_DATA = ROOT.parent / "shared" / "data"
LONGEST = ("tests/browser/", "tests/crash/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the proofs that take minutes at full length")
    parser.addoption("--rounds", type=int, default=20, help="how often a process is killed under load")


def pytest_configure(config: pytest.Config) -> None:
    """Property tests draw few examples by default and many with --long."""
    settings.register_profile("short", max_examples=40, deadline=None)
    settings.register_profile("long", max_examples=2000, deadline=None)
    settings.load_profile("long" if config.getoption("--long") else "short")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest come first: of several test processes none ends alone with them, and one alone has the browser."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """No test module instruments the process at import: every test would have it, or not, as chance orders them."""
    application = sys.modules.get("instrumentation.application")
    assert application is None or application._current is None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Under CI a test that skips because something is missing is a failure."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped under CI: {call.excinfo and call.excinfo.value}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Coverage stays out of a test that is marked untraced, its fixtures and the programs that it starts."""
    stopped: list[Coverage] = []
    dropped: dict[str, str] = {}
    if item.get_closest_marker("untraced") is not None:
        dropped = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_")}
        while (measuring := Coverage.current()) is not None:  # a process of xdist has two, one below the other
            measuring.stop()
            stopped.append(measuring)
    try:
        return (yield)
    finally:
        for measuring in reversed(stopped):
            measuring.start()
        os.environ.update(dropped)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The recorded OTLP requests beside the checkout."""
    folder = SHARED_DATA / "otlp"
    if not folder.is_dir():
        pytest.skip("the recorded traffic (../shared/data/otlp) is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """A recorded week whose truth is known; nobody writes to it."""
    return shared_week(tmp_path_factory)
