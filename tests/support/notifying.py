"""A notifier with real channels on a folder of the test's; run as a program it can be killed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from alerting.channels import channels
from alerting.rule_note import RuleNote
from alerting.settings import AlertingSettings
from collector.notifier import Notifier
from collector.value_history import ValueHistory
from processors.evaluation import Evaluation
from storage import State

NANO = 1_000_000_000


def evaluation(rule: str = "down", severity: str = "critical", *, of: str = "app", **given: Any) -> Evaluation:
    """Firing when there is a severity."""
    default = {
        "rule": rule,
        "key": (("service.name", of),),
        "value": 0.2,
        "unit": "ratio",
        "band": "critical" if severity else "normal",
        "severity": severity,
        "status": "firing" if severity else "inactive",
        "samples": 100,
        "window_seconds": 300.0,
        "since_unix_nano": 0,
        "time_unix_nano": time.time_ns(),
        "traces": (),
        "summary": f"{rule} is bad",
    }
    return Evaluation(**{**default, **given})


def settings_of(**given: Any) -> AlertingSettings:
    """One route without waiting to all receivers."""
    routes = {
        "all": {
            "receivers": list(given["receivers"]),
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        }
    }
    return AlertingSettings.model_validate({"routes": routes, "inhibit_rules": [], **given})


class Notifying:
    """Started on entry; what the journal says is read from its state database."""

    def __init__(self, folder: Path, settings: AlertingSettings) -> None:
        self.folder = folder
        self.slept_nano = 0
        (folder / ".forecourt").mkdir(parents=True, exist_ok=True)
        self.state_path = folder / ".forecourt" / "state.db"
        notes = {name: RuleNote(name, bands=("> 10%",)) for name in ("down", "slow", "disk")}
        clock: Callable[[], int] = lambda: time.time_ns() + self.slept_nano  # noqa: E731  # the test's own
        self.notifier = Notifier(settings, notes, channels(settings), folder, history=ValueHistory(), clock=clock)

    def __enter__(self) -> Self:
        self.notifier.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.notifier.finish()

    def judge(self, *evaluations: Evaluation) -> None:
        """One tick; returns when it is safe."""
        now = time.time_ns() + self.slept_nano
        self.notifier.evaluated(now, list(evaluations), []).result(30)

    def state(self) -> State:
        return State.open(self.state_path)

    def rows(self, text: str) -> list[Any]:
        state = self.state()
        try:
            return state.rows(text)
        finally:
            state.close()

    def outcomes(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT outcome FROM alert_journal ORDER BY id")]


def wait(until: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found


def main() -> None:
    """FOLDER SETTINGS: fire one alert, then go on until somebody kills it."""
    folder, given = Path(sys.argv[1]), json.loads(sys.argv[2])
    with Notifying(folder, settings_of(**given)) as running:
        while True:
            running.judge(evaluation())
            time.sleep(0.1)


if __name__ == "__main__":
    main()
