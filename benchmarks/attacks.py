"""What the security rules find and what they cry wolf at, by traffic whose truth is known; and what they cost.

python benchmarks/attacks.py            twelve weeks, a quarter of an hour at 1,000 events a second
python benchmarks/attacks.py --long     eighty weeks
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings
from processors.security.sighting import Sighting
from tests.support.attacks import LATENESS, NANO, TICK, at, login, seen
from tests.support.traffic import MONDAY, WEEK, Score, judged, scores, traffic

KEYS = 10_000
RATE = 1_000
_LATE = 10


def _added(whole: dict[str, Score], part: dict[str, Score]) -> None:
    for rule, score in part.items():
        sum_ = whole.setdefault(rule, Score())
        sum_.right += score.right
        sum_.wrong += score.wrong
        sum_.found += score.found
        sum_.missed += score.missed
        sum_.delays += score.delays


def quality(weeks: int, seeds: int) -> None:
    attacked: dict[str, Score] = {}
    normal: dict[str, Score] = {}
    for seed in range(1, seeds + 1):
        for found, attacks in ((attacked, True), (normal, False)):
            truth = traffic(weeks, seed, attacked=attacks)
            _added(found, scores(truth, judged(truth.sightings)))
    print(f"{seeds} x {weeks} weeks of 40 people; false alerts are those of traffic without attacks\n")
    print(f"{'rule':<30}precision  recall  attacks  median delay  false in the first week  in each later one")
    for rule, score in attacked.items():
        attacks_of_it = score.found + score.missed
        if not attacks_of_it:
            continue
        first = sum(began < MONDAY + WEEK for began in normal[rule].wrong)
        later = (len(normal[rule].wrong) - first) / seeds / (weeks - 1)
        numbers = f"{score.precision:>9.2f}{score.recall:>8.2f}{attacks_of_it:>9}"
        delay = f"{statistics.median(score.delays):,.0f} s" if score.delays else ""
        print(f"{rule:<30}{numbers}{delay:>14}{first / seeds:>25.2f}{later:>19.2f}")


def _crowd(seconds: int) -> Iterator[Sighting]:
    """Of 10,000 addresses and users: failed and good logins, refusals by the rate limit, unknown paths, exports."""
    chance = random.Random(20261123)  # noqa: S311  # traffic, not secrets
    for number in range(seconds * RATE):
        who = chance.randrange(KEYS)
        address, user = f"10.{who >> 8}.{who & 255}.7", f"user-{who}"
        moment = number / RATE - chance.random() * _LATE
        match number % 5:
            case 0 | 1:
                yield login(moment, user, address, failed=number % 5 == 0)
            case 2:
                yield seen("rate_limit.exceeded", moment, **{"client.address": address})
            case 3:
                path = f"/{chance.randrange(10_000)}"
                yield seen("http.refusal", moment, **{"client.address": address, "url.path": path})
            case _:
                size = {"http.response.body.size": chance.randrange(1_000_000)}
                yield seen("data.export", moment, "success", **{"user.id": user}, **size)


def capacity(seconds: int) -> None:
    judging = SecurityJudging(SecuritySettings(), LATENESS)
    now, ticks, taken = at(0), [], 0.0
    before = psutil.Process().memory_info().rss
    for number, one in enumerate(_crowd(seconds)):
        began = time.perf_counter()
        judging.take(one)
        taken += time.perf_counter() - began
        if number % (RATE * TICK // NANO) == 0:
            now += TICK
            began = time.perf_counter()
            judging.judge(now, frozen=False)
            ticks.append(time.perf_counter() - began)
    gc.collect()
    memory = psutil.Process().memory_info().rss - before
    print(f"\n{KEYS:,} keys, {RATE:,} events/s for {seconds} s, up to {_LATE} s late")
    print(f"  an event                      {taken / seconds / RATE * 1e6:.0f} us")
    print(f"  a tick                        {statistics.median(ticks) * 1e3:.0f} ms, worst {max(ticks) * 1e3:.0f} ms")
    print(f"  memory                        {memory / 2**20:.0f} MiB")
    _state(judging)
    print(f"  alarms, evicted               {len(judging.alarms):,}, {judging.evicted:,}")


def _state(judging: SecurityJudging) -> None:
    for name in ("its state", "again, nothing new"):
        started = time.perf_counter()
        content = orjson.dumps(judging.to_state(), option=orjson.OPT_NON_STR_KEYS)
        taken = (time.perf_counter() - started) * 1e3
        print(f"  {name:<30}{taken:.0f} ms, {len(content) / 2**20:.1f} MiB")


def flood() -> None:
    """One key, as fast as it comes: what an attacker can make an event cost, in order and not."""
    print("\none address, 100 events/s, two workers that export every 5 s")
    for name, each in (("unknown paths", _path), ("users of a list", _user), ("guesses at one", _guess)):
        judging = SecurityJudging(SecuritySettings(), LATENESS)
        order = sorted(range(10_000), key=lambda number: (number // 500, number % 2))
        sightings = [each(number) for number in order]
        started = time.perf_counter()
        for one in sightings:
            judging.take(one)
        print(f"  {name:<30}{(time.perf_counter() - started) / len(order) * 1e6:.0f} us an event")


def _path(number: int) -> Sighting:
    return seen("http.refusal", number / 100, **{"client.address": "203.0.113.7", "url.path": f"/{number}"})


def _user(number: int) -> Sighting:
    return login(number / 100, f"user-{number}", "203.0.113.7")


def _guess(number: int) -> Sighting:
    return login(number / 100, "jo", "203.0.113.7")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="eighty weeks in place of twelve")
    long = parser.parse_args().long
    quality(8 if long else 4, 10 if long else 3)
    flood()
    capacity(900)


if __name__ == "__main__":
    main()
