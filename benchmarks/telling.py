"""What alerting costs: from an evaluation to its channel, and ten thousand alerts at once."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from alerting import records
from alerting.dispatcher import Dispatcher
from alerting.notification import Delivery, Notification
from alerting.rule_note import RuleNote
from alerting.settings import AlertingSettings
from collector.notifier import Notifier
from processors.evaluation import Evaluation
from storage import State

NANO = 1_000_000_000
ALERTS = 10_000
NOTES = {"down": RuleNote("down", bands=("> 10%",), next_steps=("forecourt check health",))}
MIB = 2**20


def settings() -> AlertingSettings:
    """One receiver that is told at once."""
    return AlertingSettings.model_validate(
        {
            "receivers": {"hook": {"webhook": {"url": "http://127.0.0.1:9/"}}},
            "routes": {"all": {"receivers": ["hook"], "group_wait": "0s"}},
            "storm": {"total_alerts": {"max_count": 10**6, "time_window": "600s"}},
        }
    )


def evaluation(number: int, now: int, *, firing: bool = True) -> Evaluation:
    return Evaluation(
        rule="down",
        key=(("service.name", f"service-{number}"), ("http.route", f"/api/v1/work-orders/{number}")),
        value=0.2 if firing else 0.0,
        unit="ratio",
        band="critical" if firing else "normal",
        severity="critical" if firing else "",
        status="firing" if firing else "inactive",
        samples=100,
        window_seconds=300.0,
        since_unix_nano=0,
        time_unix_nano=now,
        traces=("4bf92f3577b34da6a3ce929d0e0e4736",),
        summary="20 % of requests fail",
    )


class Clocked:
    """A channel that notes when it is handed something."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def problem(self) -> str:
        return ""

    def send(self, _notification: Notification) -> Delivery:
        self.taken.append(time.perf_counter())
        return Delivery("taken")


def hand_over(folder: Path, count: int) -> list[float]:
    """Seconds from an evaluation to its channel, one alert after the other."""
    (folder / ".forecourt").mkdir()
    channel = Clocked()
    notifier = Notifier(settings(), NOTES, {"hook": channel}, folder)
    notifier.start()
    found = []
    try:
        for number in range(count):
            began = time.perf_counter()
            notifier.evaluated(time.time_ns(), [evaluation(one, time.time_ns()) for one in range(number + 1)], [])
            while len(channel.taken) <= number:
                time.sleep(0.0005)
            found.append(channel.taken[number] - began)
    finally:
        notifier.finish()
    return found


def storm(folder: Path) -> tuple[float, float, float, int]:
    """Seconds of the first tick with all alerts, of a later one, of its save, and bytes of the database."""
    state = State.open(folder / "state.db")
    dispatcher = Dispatcher(settings(), NOTES, {})
    now = time.time_ns()
    seconds = []
    for tick in range(2):
        at = now + tick * 10 * NANO
        given = [evaluation(number, at) for number in range(ALERTS)]
        began = time.perf_counter()
        dispatcher.take(at, given, [])
        dispatcher.advance(at)
        seconds.append(time.perf_counter() - began)
        if tick == 0:
            began = time.perf_counter()
            records.save(dispatcher, state)
            saved = time.perf_counter() - began
    state.close()
    return seconds[0], seconds[1], saved, (folder / "state.db").stat().st_size


def load(path: Path) -> tuple[float, float, float]:
    """Seconds, seconds of CPU, and bytes that taking all alerts up costs a fresh process."""
    state = State.open(path)
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    dispatcher = Dispatcher(settings(), NOTES, {})
    began, busy = time.perf_counter(), time.process_time()
    records.restore(dispatcher, state)
    taken, worked = time.perf_counter() - began, time.process_time() - busy
    gc.collect()
    assert len(dispatcher.lifecycle.alerts) == ALERTS
    return taken, worked, process.memory_info().rss - before


def main() -> None:
    if len(sys.argv) > 1:
        print(*load(Path(sys.argv[1])))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        waits = hand_over(folder, 50)
        first, later, saved, size = storm(folder)
        state = State.open(folder / "state.db")
        state.rows("DELETE FROM notifications")
        state.close()
        command = [sys.executable, __file__, str(folder / "state.db")]
        answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
        seconds, _, memory = map(float, answer.stdout.split())
    print(f"{'evaluation to channel, median':<48} {statistics.median(waits) * 1000:8.1f} ms   goal < 1000 ms")
    print(f"{'evaluation to channel, worst of 50':<48} {max(waits) * 1000:8.1f} ms")
    print(f"{'10,000 alerts begin in one tick: decided':<48} {first:8.2f} s")
    print(f"{'   saved':<48} {saved:8.2f} s    {size / MIB:.0f} MiB")
    print(f"{'   a later tick with them':<48} {later:8.2f} s")
    print(f"{'10,000 alerts taken up after a restart':<48} {seconds:8.2f} s    goal < 1 s")
    print(f"{'   in memory':<48} {memory / MIB:8.1f} MiB  goal < 50 MB")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
