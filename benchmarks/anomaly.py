"""How good a detector of anomalies is: on half of the Numenta benchmark, and on weeks with a daily shape.

python benchmarks/anomaly.py                      the three scores, some seconds
python benchmarks/anomaly.py --synthetic          false alarms and what is found, by kind and size
python benchmarks/anomaly.py --synthetic --long   the same on 2400 weeks, some minutes
python benchmarks/anomaly.py module:Class         another detector: update(time_unix_nano, value) gives score or number
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

NAB = ROOT.parent / "shared" / "data" / "nab"
OURS = "processors.anomalies.detector:Detector"
SHOWN, NOTIFIED = 0.7, 0.8
STEP_NANO = 300 * 1_000_000_000
DAY = 288
WEEK = 7 * DAY
MONDAY_NANO = 1_795_392_000 * 1_000_000_000
"""2026-11-23T00:00:00Z."""


class Profile(NamedTuple):
    """What a hit earns, what a false alarm and a miss cost, and the score to reach."""

    name: str
    hit: float
    false_alarm: float
    miss: float
    goal: float


PROFILES = (
    Profile("standard", 1.0, 0.11, 1.0, 74.3),
    Profile("reward low FP", 1.0, 0.22, 1.0, 70.2),
    Profile("reward low FN", 1.0, 0.11, 2.0, 77.7),
)


class Labelled(NamedTuple):
    """A series and its windows, each from row to row."""

    name: str
    times: list[int]
    values: list[float]
    windows: list[tuple[int, int]]


class Row(NamedTuple):
    """What a detection there is worth; `window` is empty outside all windows."""

    score: float
    window: tuple[str, int] | None
    weight: float


class Result(NamedTuple):
    profile: Profile
    score: float
    threshold: float


Scorer = Callable[[int, float], float]


def scorer_of(name: str) -> Callable[[], Scorer]:
    """Makes a new detector for each series."""
    module, _, attribute = name.partition(":")
    detector = getattr(importlib.import_module(module), attribute)

    def make() -> Scorer:
        update = detector().update
        return lambda time_unix_nano, value: _number(update(time_unix_nano, value))

    return make


def _number(result: Any) -> float:
    return float(getattr(result, "score", result))


def read_corpus(folder: Path) -> list[Labelled]:
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    return [_read(folder / "data" / name, name, marks) for name, marks in windows.items()]


def _read(path: Path, name: str, marks: Iterable[tuple[str, str]]) -> Labelled:
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))[1:]
    times = [_instant(row[0]) for row in rows]
    windows = []
    for first, last in marks:
        inside = [row for row, at in enumerate(times) if _instant(first) <= at <= _instant(last)]
        windows.append((inside[0], inside[-1]))
    return Labelled(name, [at * 1000 for at in times], [float(row[1]) for row in rows], windows)


def _instant(text: str) -> int:
    """Microseconds since 1970."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def rows_of(series: Labelled, scores: Sequence[float]) -> Iterator[Row]:
    """Without the probation at its start."""
    for row in range(min(len(scores) * 15 // 100, 750), len(scores)):
        inside = [number for number, (first, last) in enumerate(series.windows) if first <= row <= last]
        if inside:
            first, last = series.windows[inside[-1]]
            weight = _sigmoid(-(last - row + 1) / (last - first + 1)) / _sigmoid(-1)
            yield Row(scores[row], (series.name, inside[-1]), weight)
        else:
            yield Row(scores[row], None, _weight_outside(row, series.windows))


def _weight_outside(row: int, windows: Sequence[tuple[int, int]]) -> float:
    before = [window for window in windows if window[1] < row]
    if not before:
        return -1.0
    first, last = before[-1]
    past = (row - last) / (last - first)
    return _sigmoid(past) if past <= 3 else -1.0  # noqa: PLR2004  # as the benchmark has it


def _sigmoid(position: float) -> float:
    return 2 / (1 + math.exp(5 * position)) - 1


def sweep(rows: Iterable[Row], windows: int, profile: Profile) -> Result:
    """The score at the threshold that makes it largest: 0 is a detector that never fires, 100 a perfect one."""
    total = null = -profile.miss * windows
    best, threshold = total, 1.0
    found: dict[tuple[str, int], float] = {}
    ranked = sorted((row for row in rows if row.score > 0), key=lambda row: -row.score)
    for place, row in enumerate(ranked):
        if row.window is None:
            total += row.weight * profile.false_alarm
        else:
            before = found.get(row.window)
            gained = row.weight - before if before is not None else row.weight + profile.miss / profile.hit
            if before is None or gained > 0:
                total += gained * profile.hit
                found[row.window] = row.weight
        last_of_its_score = place + 1 == len(ranked) or ranked[place + 1].score < row.score
        if total > best and last_of_its_score:
            best, threshold = total, row.score
    return Result(profile, 100 * (best - null) / (profile.hit * windows - null), threshold)


def score_corpus(corpus: Sequence[Labelled], make: Callable[[], Scorer]) -> list[Result]:
    rows: list[Row] = []
    for series in corpus:
        scorer = make()
        rows += rows_of(series, [scorer(*point) for point in zip(series.times, series.values, strict=True)])
    windows = sum(len(series.windows) for series in corpus)
    return [sweep(rows, windows, profile) for profile in PROFILES]


class Weeks(NamedTuple):
    """Points of 5 minutes with a daily shape; noise follows itself by `memory`, its size is of the daily swing."""

    name: str
    memory: float = 0.6
    noise: float = 0.1
    quiet_weekends: bool = False
    kind: str = "gauge"


NOISES = (
    Weeks("white noise", 0.0),
    Weeks("AR 0.6, quiet weekends", 0.6, quiet_weekends=True),
    Weeks("AR 0.9", 0.9),
    Weeks("AR 0.9, noise 0.3 of the swing", 0.9, 0.3),
)
OTHERS = (
    Weeks("durations, lognormal", 0.6, kind="duration"),
    Weeks("counts, Poisson", 0.6, kind="count"),
    Weeks("share of 1 % failures", kind="share", quiet_weekends=True),
    Weeks("AR 0.99", 0.99),
)


def points(weeks: Weeks, count: int, chance: random.Random) -> list[float]:
    noise, kept = 0.0, math.sqrt(1 - weeks.memory**2)
    values = []
    for number in range(count * WEEK):
        noise = weeks.memory * noise + kept * chance.gauss(0, 1)
        weekend = weeks.quiet_weekends and number // DAY % 7 >= 5  # noqa: PLR2004  # Saturday
        swing = math.exp(-(((number % DAY / 12 - 14) / 4) ** 2)) * (0.3 if weekend else 1.0)
        values.append(_point(weeks, swing, weeks.noise * noise, chance))
    return values


def _point(weeks: Weeks, swing: float, noise: float, chance: random.Random) -> float:
    if weeks.kind == "duration":
        return 0.2 * math.exp(0.5 * swing + 4 * noise)
    if weeks.kind == "count":
        return float(_poisson((3 + 20 * swing) * math.exp(2 * noise), chance))
    if weeks.kind == "share":
        requests = 50 + int(300 * swing)
        return _poisson(0.01 * requests, chance) / requests
    return 1 + 2 * swing + 2 * noise


def _poisson(mean: float, chance: random.Random) -> int:
    count, left = 0, chance.random()
    share = math.exp(-mean)
    while left > share and count < 10 * mean + 50:
        left -= share
        count += 1
        share *= mean / count
    return count


def scores_of(values: Iterable[float], make: Callable[[], Scorer]) -> list[float]:
    scorer = make()
    return [scorer(MONDAY_NANO + number * STEP_NANO, value) for number, value in enumerate(values)]


def false_alarms(weeks: Weeks, series: int, make: Callable[[], Scorer], count: int = 5) -> tuple[float, float]:
    """Points shown and notified, by series and week, after the first week."""
    shown = notified = 0
    for number in range(series):
        chance = random.Random(f"{weeks.name} {number}")  # noqa: S311  # sample data
        scores = scores_of(points(weeks, count, chance), make)[WEEK:]
        shown += sum(score >= SHOWN for score in scores)
        notified += sum(score >= NOTIFIED for score in scores)
    return shown / series / (count - 1), notified / series / (count - 1)


Change = Callable[[list[float], int, float, random.Random], range]
"""Changes the values about there, by that size; gives the rows in which it must be found."""
HOUR = 12
_SWING, _DEVIATION = 2.0, 0.2
"""Of the values that are changed: from night to noon, and the noise's standard deviation."""


def spike(values: list[float], at: int, size: float, _chance: random.Random) -> range:
    values[at] += size * _SWING
    return range(at, at + 1)


def level_shift(values: list[float], at: int, size: float, _chance: random.Random) -> range:
    """Found within a day, or too late."""
    values[at:] = [value + size * _SWING for value in values[at:]]
    return range(at, at + DAY)


def drift(values: list[float], at: int, size: float, _chance: random.Random) -> range:
    """Over three days."""
    values[at:] = [value + min(row / (3 * DAY), 1) * size * _SWING for row, value in enumerate(values[at:])]
    return range(at, at + 3 * DAY)


def variance(values: list[float], at: int, size: float, chance: random.Random) -> range:
    """For six hours."""
    changed = range(at, at + 6 * HOUR)
    for row in changed:
        values[row] += math.sqrt(size**2 - 1) * _DEVIATION * chance.gauss(0, 1)
    return changed


def flat_line(values: list[float], at: int, size: float, _chance: random.Random) -> range:
    """For so many hours."""
    length = int(size * HOUR)
    values[at : at + length] = [values[at]] * length
    return range(at, at + length)


def missing_season(values: list[float], at: int, size: float, _chance: random.Random) -> range:
    """As at night for so many hours around the peak."""
    length = int(size * HOUR)
    midnight = at - at % DAY
    first = midnight + 14 * HOUR - length // 2
    values[first : first + length] = [values[midnight + row % (2 * HOUR)] for row in range(length)]
    return range(first, first + length)


def outage(values: list[float], at: int, size: float, _chance: random.Random) -> range:
    """Zero for so many minutes."""
    length = int(size / 5)
    values[at : at + length] = [0.0] * length
    return range(at, at + length)


CHANGES: tuple[tuple[str, Change, Sequence[float], str], ...] = (
    ("spike", spike, (0.25, 0.5, 1.0, 2.0), "swings"),
    ("level shift", level_shift, (0.25, 0.5, 1.0, 2.0), "swings"),
    ("drift in 3 days", drift, (0.5, 1.0, 2.0, 4.0), "swings"),
    ("variance for 6 h", variance, (2, 4, 8, 16), "deviations"),
    ("flat line", flat_line, (1, 2, 6, 24), "hours"),
    ("missing season", missing_season, (1, 3, 6, 12), "hours"),
    ("outage", outage, (5, 15, 60), "minutes"),
)


class Found(NamedTuple):
    """Shares of the series, and how soon in minutes the middle one was shown."""

    shown: float
    notified: float
    minutes: float


def detection(change: Change, size: float, series: int, make: Callable[[], Scorer]) -> Found:
    """In the fourth week, on a weekday by day."""
    delays: list[int] = []
    notified = 0
    for number in range(series):
        chance = random.Random(f"found {number}")  # noqa: S311  # sample data
        values = points(Weeks("found"), 4, chance)
        at = 3 * WEEK + chance.randrange(1, 4) * DAY + chance.randrange(7 * HOUR, 20 * HOUR)
        changed = change(values, at, size, chance)
        scores = scores_of(values[: changed.stop], make)[changed.start :]
        hits = [row for row, score in enumerate(scores) if score >= SHOWN]
        delays += hits[:1]
        notified += any(score >= NOTIFIED for score in scores)
    return Found(len(delays) / series, notified / series, sorted(delays)[len(delays) // 2] * 5 if delays else math.nan)


def cost(make: Callable[[], Scorer]) -> float:
    """Microseconds a point, the best of three times."""
    values = points(NOISES[1], 5, random.Random(1))  # noqa: S311  # sample data
    took = []
    for _ in range(3):
        began = time.perf_counter()
        scores_of(values, make)
        took.append((time.perf_counter() - began) / len(values) * 1e6)
    return min(took)


def state_size(name: str) -> int:
    """Bytes of JSON after four weeks; 0 for a detector that keeps none."""
    module, _, attribute = name.partition(":")
    detector = getattr(importlib.import_module(module), attribute)()
    if not hasattr(detector, "to_state"):
        return 0
    for number, value in enumerate(points(NOISES[1], 4, random.Random(2))):  # noqa: S311  # sample data
        detector.update(MONDAY_NANO + number * STEP_NANO, value)
    return len(json.dumps(detector.to_state()))


def tell_nab(folder: Path, make: Callable[[], Scorer]) -> None:
    if not folder.is_dir():
        print(f"the half of the Numenta benchmark is not there: {folder}; say where it is with --nab")
        return
    print("profile          score   goal   threshold")
    for profile, score, threshold in score_corpus(read_corpus(folder), make):
        missed = "" if score >= profile.goal - 0.05 else "   MISSED"
        print(f"{profile.name:<14} {score:7.1f} {profile.goal:6.1f} {threshold:11.3f}{missed}")


def tell_synthetic(make: Callable[[], Scorer], *, long: bool) -> None:
    series = 75 if long else 10
    print(
        f"\nfalse alarms by series and week, of {series * 4} weeks each   >= {SHOWN}   >= {NOTIFIED}   goal < 0.2, 0.05"
    )
    for group in (NOISES, OTHERS):
        rates = [false_alarms(weeks, series, make) for weeks in group]
        for weeks, (shown, notified) in zip(group, rates, strict=True):
            print(f"{weeks.name:<50} {shown:9.3f} {notified:8.3f}")
        shown, notified = (sum(column) / len(rates) for column in zip(*rates, strict=True))
        name = "all with AR noise" if group is NOISES else "all of these harder ones"
        print(f"{name:<50} {shown:9.3f} {notified:8.3f}")
    tell_found(make, 60 if long else 15)


def tell_found(make: Callable[[], Scorer], series: int) -> None:
    print(f"\nfound, of {series} each; a swing is from night to noon, ten standard deviations of the noise")
    print("what                             shown   notified   after")
    for name, change, sizes, unit in CHANGES:
        for size in sizes:
            shown, notified, minutes = detection(change, size, series, make)
            after = "" if math.isnan(minutes) else f"{minutes:5.0f} min"
            print(f"{name:<18} {size:5g} {unit:<10} {shown:4.0%} {notified:8.0%}   {after}")


def main(arguments: Sequence[str]) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("detector", nargs="?", default=OURS, help="module:Class")
    options.add_argument("--nab", type=Path, default=NAB, help="folder with data and labels")
    options.add_argument("--synthetic", action="store_true")
    options.add_argument("--long", action="store_true")
    given = options.parse_args(arguments)
    make = scorer_of(given.detector)
    tell_nab(given.nab, make)
    print(f"\n{cost(make):.1f} µs a point (goal < 20), {state_size(given.detector)} bytes of state (goal < 10000)")
    if given.synthetic or given.long:
        tell_synthetic(make, long=given.long)


if __name__ == "__main__":
    main(sys.argv[1:])
