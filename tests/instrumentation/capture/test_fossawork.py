"""The table against stand-ins of the backend's modules: imported before, after, by name, in part, or not at all."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
import threading
import types
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from instrumentation import instrument
from instrumentation.capture.fossawork import MEANINGS, Meaning, wrapped
from instrumentation.testing import Telemetry
from tests.conftest import ROOT

MODULES = {
    "app/__init__.py": "",
    "app/routes/__init__.py": "",
    "app/middleware/__init__.py": "",
    "app/services/__init__.py": "",
    "app/middleware/auth_middleware.py": "def verify_token(token: str) -> dict:\n    raise ValueError('expired')\n",
    "app/middleware/rate_limit.py": "async def something_else(): pass\n",
    "app/routes/auth.py": (
        "from app.middleware.auth_middleware import verify_token as check\n"
        "class AuthenticationService:\n"
        "    async def authenticate_with_workfossa(self, username, password):\n        return (username, False)\n"
    ),
}
CODE = """
import asyncio, importlib, json, logging, sys
sys.path.insert(0, {folder!r})
if {before!r}:
    import app.middleware.rate_limit, app.routes.auth
from instrumentation.testing import captured
from instrumentation import instrument
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
with captured() as telemetry:
    if not {before!r}:
        from instrumentation.application import instrument_libraries
        instrument_libraries()
    import app.middleware.rate_limit, app.routes.auth as auth
    instrument()
    asyncio.run(auth.AuthenticationService().authenticate_with_workfossa("bob@example.com", "hunter22"))
    try:
        auth.check("x")
    except ValueError as error:
        print(error)
    print(json.dumps([log.event_name for log in telemetry.logs() if log.event_name]))
    print(auth.AuthenticationService.authenticate_with_workfossa.__qualname__)
"""


@pytest.mark.parametrize("before", [True, False], ids=["imported before", "imported later"])
def test_functions_are_found_whenever_they_are_imported(tmp_path: Path, before: bool) -> None:  # noqa: FBT001
    """Also under the name that another module gave one; what is not there is told once."""
    for name, content in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(folder=str(tmp_path), before=before)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    raised, events, name = done.stdout.splitlines()
    assert (raised, name) == ("expired", "AuthenticationService.authenticate_with_workfossa")
    assert json.loads(events) == ["fossa.auth.login", "fossa.auth.token.rejected"]
    (line,) = [line for line in done.stderr.splitlines() if "forecourt sends" in line]
    assert "fossawork (2 functions, not there: " in line
    for missing in ("routes.work_orders:perform_scrape", "middleware.rate_limit:rate_limit_exceeded_handler"):
        assert missing in line


def test_another_application_of_the_same_package_is_left_alone(tmp_path: Path) -> None:
    """Nothing is imported to look: packages have side effects."""
    (tmp_path / "app" / "routes").mkdir(parents=True)
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "app" / "routes" / "__init__.py").write_text("raise SystemExit('imported')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import app, instrumentation; instrumentation.instrument()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "fossawork (not this application)" in done.stderr


def test_a_wrapped_function_keeps_its_signature(telemetry: Telemetry) -> None:
    """Schedulers store functions by reference and frameworks read their parameters."""

    async def perform_scrape(user_id: str, credentials: dict[str, str]) -> None:
        """What it does."""

    meaning = next(meaning for meaning in MEANINGS if meaning.path.endswith("perform_scrape"))
    replacement = wrapped(meaning, perform_scrape)
    assert inspect.signature(replacement) == inspect.signature(perform_scrape)
    assert inspect.iscoroutinefunction(replacement)
    assert (replacement.__name__, replacement.__doc__) == ("perform_scrape", "What it does.")
    asyncio.run(replacement("user-1", {"password": "hunter22"}))
    (span,) = telemetry.spans("fossa.work_order.sync")
    assert (span.attributes["trigger"], span.attributes["event.outcome"]) == ("manual", "success")
    assert "user-1" not in str(span)


@pytest.mark.parametrize(
    ("path", "progress", "outcome"),
    [
        ("perform_scrape", ("user-1", "completed"), "success"),
        ("perform_scrape", ("user-1", "failed"), "failure"),
        ("perform_scrape", ("user-1", "cancelled"), "cancelled"),
        ("perform_scrape", ("user-2", "failed"), "success"),  # of another user
        ("perform_dispenser_scrape", ("single_dispenser_user-1_W-7", "error"), "failure"),
        ("perform_batch_dispenser_scrape", ("dispensers_user-1", "failed"), "failure"),
        ("execute_work_order_scraping", ("user-1", "failed"), "failure"),
    ],
)
def test_the_table_of_progress_tells_what_became_of_a_scrape(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, path: str, progress: tuple[str, str], outcome: str
) -> None:
    """All of them return None, whatever happened."""
    module = types.ModuleType("app.routes.work_orders")
    key, status = progress
    module.scraping_progress = {key: {"status": status, "error": "no answer"}}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "app.routes.work_orders", module)

    async def scrape(user_id: str, work_order_id: str = "W-7") -> None:
        """Nothing to do."""

    meaning = next(meaning for meaning in MEANINGS if meaning.path.endswith(f":{path}"))
    asyncio.run(wrapped(meaning, scrape)("user-1"))
    (span,) = telemetry.spans(f"fossa.{meaning.event}")
    assert span.attributes["event.outcome"] == outcome
    assert span.attributes.get("event.reason") == ("no answer" if outcome == "failure" else None)


def test_runs_of_scheduled_jobs_are_events(telemetry: Telemetry) -> None:
    """Those that ran, those that raised and those that were missed."""
    instrument()
    done = threading.Semaphore(0)

    def failing() -> None:
        raise ValueError("token=abcdefgh")

    scheduler = BackgroundScheduler()
    scheduler.start()
    scheduler.add_listener(lambda _: done.release())
    now = datetime.now(UTC)
    scheduler.add_job(lambda: None, "date", run_date=now, id="good", misfire_grace_time=60)
    scheduler.add_job(failing, "date", run_date=now, id="bad", misfire_grace_time=60)
    scheduler.add_job(lambda: None, "date", run_date=now - timedelta(hours=1), id="late", misfire_grace_time=1)
    for _ in range(200):
        if len(telemetry.events("schedule.job")) == 3:
            break
        done.acquire(timeout=0.1)
    scheduler.shutdown()
    told = {event.attributes["job.id"]: event for event in telemetry.events("schedule.job")}
    outcomes = {job: event.attributes["event.outcome"] for job, event in told.items()}
    assert outcomes == {"good": "success", "bad": "failure", "late": "cancelled"}
    assert told["bad"].attributes["event.reason"] == "token=[REDACTED]"


def test_a_judge_that_fails_harms_neither_call_nor_span(telemetry: Telemetry) -> None:
    """The result goes out and the operation counts as it would without the judge."""

    def judge(*_: Any) -> None:
        raise RuntimeError("judge")

    replacement = wrapped(Meaning("x:y", "odd", judge=judge), lambda: 7)
    assert replacement() == 7
    assert telemetry.spans("fossa.odd")[0].attributes["event.outcome"] == "success"


def test_a_call_that_python_refuses_is_refused_as_before(telemetry: Telemetry) -> None:
    """Wrong arguments raise the function's own TypeError."""

    def strict(number: int) -> int:
        return number

    with pytest.raises(TypeError, match="strict"):
        wrapped(Meaning("x:y", "odd"), strict)(1, 2, 3)
    assert telemetry.spans("fossa.odd")[0].attributes["event.outcome"] == "failure"
