from __future__ import annotations

import functools
from typing import Any

import wrapt

from instrumentation.events import event


def capture_scheduler() -> None:
    """Each run of an APScheduler 3 job, whenever a scheduler starts: `schedule.job`, a missed one as cancelled."""
    wrapt.register_post_import_hook(_listen, "apscheduler.schedulers.base")


def _listen(module: Any) -> None:
    original = module.BaseScheduler.start
    if hasattr(original, "__forecourt__"):
        return

    @functools.wraps(original)
    def start(self: Any, *arguments: Any, **keywords: Any) -> Any:
        if not getattr(self, "_forecourt_listens", False):
            self._forecourt_listens = True
            self.add_listener(_told, module.EVENT_ALL)
        return original(self, *arguments, **keywords)

    start.__forecourt__ = True  # type: ignore[attr-defined]
    module.BaseScheduler.start = start


def _told(happened: Any) -> None:
    name = type(happened).__name__
    if name != "JobExecutionEvent":
        return
    error = happened.exception
    outcome = "failure" if error else "success"
    if error is None and happened.code == _MISSED:
        outcome = "cancelled"
    failed = {"error.type": type(error).__qualname__, "event.reason": str(error)} if error else {}
    event("schedule.job", outcome=outcome, **{"job.id": str(happened.job_id), **failed})


_MISSED = 2**14
"""`EVENT_JOB_MISSED` of APScheduler 3."""
