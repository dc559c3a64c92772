"""How often a baseline cries wolf, and how soon it sees a wolf: log-normal latency, 8 % noise between windows.

python benchmarks/baselines.py           two minutes
python benchmarks/baselines.py --long    2000 comparisons and 200 weeks a line, half an hour
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from processors.baselines.alarm import Alarms  # noqa: E402  # after the path
from processors.baselines.baseline import Subject  # noqa: E402  # as above
from processors.baselines.comparing import ERROR_RATE, RECENT, Usual, conclude  # noqa: E402  # as above
from processors.baselines.hours import WORKING, Hours  # noqa: E402  # as above
from processors.baselines.settings import LEVELS, BaselineSettings  # noqa: E402  # as above
from processors.baselines.windows import LEAST_OF, QUANTILES, WINDOW_NANO, Window  # noqa: E402  # as above

DAY, WEEK = 288, 2016
SUBJECT = Subject("http.server.response_time", ("app", "GET", "/orders"))
SETTINGS = BaselineSettings()
TIMES = tuple(QUANTILES)
_NORMAL = statistics.NormalDist()


class Source(NamedTuple):
    """What requests take: log-normal around `median`, a share of them from a slower cause, noise between windows."""

    samples: int = 200
    sigma: float = 0.5
    noise: float = 0.08
    memory: float = 0.0
    """How much of a window's noise the next one keeps."""
    median: float = 0.1
    missed: float = 0.0
    """Share that a cache does not have …"""
    missing: float = 20.0
    """… and how many times as long those take."""
    failed: float = 0.0
    daily: float = 0.0
    """By how much it is slower at four in the afternoon, and faster at four at night."""

    def value(self, place: float) -> float:
        """The quantile of one request's time."""
        if not self.missed:
            return self.median * math.exp(self.sigma * _NORMAL.inv_cdf(place))
        return self._mixed(place)

    def _mixed(self, place: float) -> float:
        """By halving; in units of sigma times the square root of 2."""
        unit = self.sigma * math.sqrt(2)
        low, high, apart = -6.0, 6.0 + math.log(self.missing) / unit, math.log(self.missing) / unit
        for _ in range(32):
            middle = (low + high) / 2
            below = 1 + (1 - self.missed) * math.erf(middle) + self.missed * math.erf(middle - apart)
            low, high = (middle, high) if below / 2 < place else (low, middle)
        return self.median * math.exp(low * unit)


Slower = Callable[[float, float], float]
"""What becomes of a time that stands at a place between 0 and 1 of its window."""


def all_slower(times: float) -> Slower:
    return lambda value, _place: value * times


def tail_slower(times: float) -> Slower:
    return lambda value, place: value * times if place > 0.9 else value  # noqa: PLR2004  # the slowest tenth


def windows(
    source: Source, count: int, chance: random.Random, slower: Slower = lambda value, _place: value, *, apart: int = 1
) -> Iterator[Window]:
    """Windows with the quantiles that so many requests would have; only the order statistics asked for are drawn."""
    fresh, noise = math.sqrt(1 - source.memory**2), chance.gauss(0, source.noise)
    for number in range(count):
        drawn = _drawn(source, chance, slower)
        quantiles = tuple(
            value * math.exp(noise + source.daily * _daily(number * apart))
            if source.samples >= LEAST_OF[name]
            else math.nan
            for name, value in zip(QUANTILES, drawn, strict=True)
        )
        errors = _errors(source, chance)
        start = number * apart * WINDOW_NANO
        yield Window(start, start + WINDOW_NANO, WORKING, source.samples, errors, quantiles)
        noise = source.memory * noise + fresh * chance.gauss(0, source.noise)


def known(source: Source, count: int, chance: random.Random) -> Usual:
    """What a week has taught, in so many windows."""
    learnt = list(windows(source, count, chance, apart=WEEK // count))
    return Usual(SUBJECT, {WORKING: learnt}, Hours("00:00-24:00", "UTC"), SETTINGS)


def _daily(number: int) -> float:
    return math.sin(2 * math.pi * (number / DAY - 10 / 24))


def _drawn(source: Source, chance: random.Random, slower: Slower) -> list[float]:
    """The uniform order statistics that the quantiles lie between, one after the other, as seconds."""
    count, at, place, found = source.samples, 0, 0.0, []
    reached = {0: 0.0}
    for q in QUANTILES.values():
        rank = min(max(q * (count + 1 / 3) + 1 / 3, 1), count)
        for whole in (math.floor(rank), math.ceil(rank)):
            if whole > at:
                place += (1 - place) * chance.betavariate(whole - at, count + 1 - whole)
                at = whole
                reached[whole] = slower(source.value(min(place, 1 - 1e-12)), place)
        low, high = reached[math.floor(rank)], reached[math.ceil(rank)]
        found.append(low + (high - low) * (rank - math.floor(rank)))
    return found


def _errors(source: Source, chance: random.Random) -> int:
    """Binomial, by the gaps between failures."""
    if not source.failed:
        return 0
    errors, at = 0, 0.0
    while True:
        at += math.floor(math.log(1 - chance.random()) / math.log(1 - source.failed)) + 1
        if at > source.samples:
            return errors
        errors += 1


def flagged(source: Source, slower: Slower, rounds: int, *, learnt: int = 200, seed: int = 1) -> float:
    """The share of comparisons that call it worse."""
    chance, hits = random.Random(seed), 0  # noqa: S311  # a simulation
    for _ in range(rounds):
        usual = known(source, learnt, chance)
        findings = usual.compare(list(windows(source, RECENT, chance, slower)))
        hits += any(finding.level for finding in conclude(findings, SETTINGS))
    return hits / rounds


class Told(NamedTuple):
    """An alert that began, after so many windows."""

    after: int
    level: int
    measure: str


def course(usual: Usual, recent: Sequence[Window]) -> list[Told]:
    """The alerts of one key as windows end, one after the other."""
    alarms, told, firing = Alarms(), [], {"time": -1, ERROR_RATE: -1}
    kinds = {"time": TIMES, ERROR_RATE: (ERROR_RATE,)}
    for end in range(1, len(recent) + 1):
        alarms.take(conclude(usual.compare(recent[max(0, end - RECENT) : end]), SETTINGS), SETTINGS)
        for kind, measures in kinds.items():
            level = alarms.firing(measures)
            if level > firing[kind]:
                told.append(Told(end, level, kind))
            firing[kind] = level
    return told


def alerts_a_week(source: Source, weeks: int, *, learnt: int = 200, seed: int = 2) -> dict[str, float]:
    """Alerts that begin in a week in which nothing changes, by what they are about and level."""
    chance = random.Random(seed)  # noqa: S311  # a simulation
    found: dict[str, float] = {}
    for _ in range(weeks):
        usual = known(source, learnt, chance)
        for told in course(usual, list(windows(source, WEEK, chance))):
            name = f"{told.measure} {LEVELS[told.level]}"
            found[name] = found.get(name, 0.0) + 1 / weeks
    return found


def delays(source: Source, slower: Slower, rounds: int, *, hours: int = 12, seed: int = 3) -> dict[str, list[int]]:
    """Windows until each level was told, of those rounds in which it was; the hour before is as ever."""
    chance = random.Random(seed)  # noqa: S311  # a simulation
    found: dict[str, list[int]] = {level: [] for level in (*LEVELS, "any")}
    for _ in range(rounds):
        usual = known(source, 200, chance)
        before = list(windows(source, 12, chance))
        told = course(usual, [*before, *windows(source, hours * 12, chance, slower)])
        reached = -1
        for one in told:
            for level in LEVELS[reached + 1 : one.level + 1]:
                found[level].append(one.after - 12)
            if reached < 0:
                found["any"].append(one.after - 12)
            reached = max(reached, one.level)
    return found


SOURCES = {
    "n = 200": Source(),
    "n = 30": Source(samples=30),
    "a cache, 10 % missed": Source(missed=0.1),
    "a cache, 5 % missed": Source(missed=0.05),
    "noise keeps 0.3 of itself": Source(memory=0.3),
    "noise keeps half of itself": Source(memory=0.5),
    "20 % by time of day": Source(daily=0.2),
    "1 % fail": Source(failed=0.01),
    "0.1 % fail": Source(failed=0.001),
}
CHANGES = {
    "x1.0": all_slower(1.0),
    "x1.1": all_slower(1.1),
    "x1.2": all_slower(1.2),
    "x1.5": all_slower(1.5),
    "x2": all_slower(2.0),
    "tenth x1.5": tail_slower(1.5),
}


def tell_comparisons(rounds: int) -> None:
    print(f"\none comparison of 5 windows: share called worse, {rounds} each, baseline of 20 / 200 windows")
    print(f"{'':28}" + "".join(f"{name:>15}" for name in CHANGES))
    for name, source in list(SOURCES.items())[:6]:
        shares = [[flagged(source, change, rounds, learnt=count) for count in (20, 200)] for change in CHANGES.values()]
        print(f"{name:28}" + "".join(f"{few:8.1%}{many:7.1%}" for few, many in shares))


def tell_weeks(weeks: int) -> None:
    print(f"\na week in which nothing changes, every window tested: alerts per key, {weeks} weeks each")
    for name, source in SOURCES.items():
        found = alerts_a_week(source, weeks)
        detail = ", ".join(f"{what} {count:.2f}" for what, count in sorted(found.items()))
        print(f"{name:28}{sum(found.values()):8.2f}  {detail}", flush=True)


def tell_delays(rounds: int) -> None:
    print(f"\nminutes until somebody is told (half of {rounds} / nine of ten; in brackets how many within 12 hours)")
    for name in ("n = 200", "n = 30", "a cache, 10 % missed"):
        for change, slower in list(CHANGES.items())[1:]:
            found = delays(SOURCES[name], slower, rounds)
            print(f"{name:28}{change:12}" + "".join(f"  {_delay(level, found[level], rounds)}" for level in found))


def _delay(level: str, found: Sequence[int], rounds: int) -> str:
    if not found:
        return f"{level:>6}   -   -  (  0%)"
    half, most = (sorted(found)[len(found) * tenths // 10] * 5 for tenths in (5, 9))
    return f"{level:>6} {half:3} {most:3}  ({len(found) / rounds:4.0%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="full rounds")
    given = parser.parse_args()
    began = time.perf_counter()
    tell_comparisons(2000 if given.long else 200)
    tell_weeks(200 if given.long else 4)
    tell_delays(200 if given.long else 20)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
