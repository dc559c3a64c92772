"""What is kept is bounded, what is dropped is counted, and neither crowds nor floods make an event dear."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable

import orjson
import pytest

from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings
from processors.security.sighting import Sighting
from tests.support.attacks import LATENESS, TICK, Watch, at, login, seen

pytestmark = pytest.mark.untraced

KEYS, RATE = 10_000, 1_000
ATTACKER = "203.0.113.7"
_SLOWEST_US = 2_000
"""An event; a tenth of it is usual on an idle machine."""
_MIB = 1 << 20


def address(number: int) -> str:
    return f"10.{number >> 8}.{number & 255}.7"


def taken(judging: SecurityJudging, sightings: Iterable[Sighting]) -> float:
    """Microseconds of processor time for each."""
    every = list(sightings)
    started = time.process_time()
    for one in every:
        judging.take(one)
    return (time.process_time() - started) / len(every) * 1e6


def test_the_least_recently_seen_key_goes_first_and_is_counted() -> None:
    """Two are dropped of twelve; who was seen again meanwhile is not among them."""
    judging = Watch(max_keys=10, rules={"security.guessing.user": {"enabled": False}}).judging
    for each in (*range(10), 0, 1, 10, 11):
        judging.take(login(each, "", address(each)))
    guessing = next(one for one in judging._counting if one.name == "security.guessing.address")
    assert list(guessing._windows) == [address(each) for each in (4, 5, 6, 7, 8, 9, 0, 1, 10, 11)]
    assert judging.evicted == guessing.evicted == 2


def test_fewer_keys_than_were_saved_are_kept_after_a_restart() -> None:
    """The operator has lowered `max_keys`."""
    many = Watch(max_keys=100)
    many.feed(login(each, "", address(each)) for each in range(100))
    few = SecurityJudging(SecuritySettings(max_keys=10), LATENESS)
    few.restore(orjson.loads(orjson.dumps(many.judging.to_state())))
    few.take(login(101, "", address(101)))
    assert {len(one._windows) for one in few._counting if one.settings.by == ("client.address",)} <= {0, 10}


def test_users_who_are_dropped_are_counted() -> None:
    judging = Watch(max_keys=10).judging
    for each in range(15):
        judging.take(login(each, f"u{each}", address(each), failed=False))
    judging.judge(at(600), frozen=False)
    assert judging.evicted == 5


def test_a_flood_of_mild_alarms_leaves_room_for_a_breach() -> None:
    """Each rule has its own: whoever raises thousands hides nothing of another."""
    watch = Watch(max_keys=20)
    watch.feed(login(each / 10, f"u{each // 5}", address(each)) for each in range(300))
    assert {one.rule for one in watch.judging.alarms} == {"security.guessing.user"}
    assert len(watch.judging.alarms) == 20
    assert watch.judging.evicted > 0
    watch.feed([*(login(40, "jo", ATTACKER) for _ in range(6)), login(50, "jo", ATTACKER, failed=False)], 60)
    assert {one.rule for one in watch.fired if ATTACKER in one.key} == {"security.guessing.address", "security.breach"}


def test_crowding_a_user_out_of_the_windows_is_seen_as_what_it_is() -> None:
    """Names that nobody has push out what is known of jo: the address that tries them is told."""
    watch = Watch(max_keys=50)
    names = [login(1 + each / 10, f"x{each}", ATTACKER) for each in range(100)]
    watch.feed([*(login(0, "jo", "10.1.1.1") for _ in range(4)), *names, login(20, "jo", "10.1.1.1")], 300)
    assert "security.guessing.user" not in watch.rules
    assert {"security.spraying", "security.guessing.address", "security.stuffing"} <= watch.rules
    assert watch.judging.evicted > 0


def test_ten_thousand_keys_at_a_thousand_events_a_second(request: pytest.FixtureRequest) -> None:
    """Ten seconds of it, or ten minutes: all of them known, none dropped, saved and restored the same."""
    chance = random.Random(1)  # noqa: S311  # traffic, not secrets
    judging = SecurityJudging(SecuritySettings(), LATENESS)
    used = 0.0
    ticks = 60 if request.config.getoption("--long") else 1
    for tick in range(ticks):
        moments = (tick * 10 + each / RATE - chance.random() * 5 for each in range(10 * RATE))
        used += taken(judging, (_of_a_crowd(moment, number) for number, moment in enumerate(moments)))
        judging.judge(at(tick * 10 + 10), frozen=False)
    assert used / ticks < _SLOWEST_US
    assert judging.evicted == 0
    content = orjson.dumps(judging.to_state(), option=orjson.OPT_NON_STR_KEYS)
    assert len(content) < 20 * _MIB
    again = SecurityJudging(SecuritySettings(), LATENESS)
    again.restore(orjson.loads(content))
    assert orjson.loads(orjson.dumps(again.to_state(), option=orjson.OPT_NON_STR_KEYS)) == orjson.loads(content)
    assert [one.name for one in again._counting if len(one._windows) == KEYS] == [
        "security.guessing.user",
        "security.guessing.address",
        "security.spraying",
        "security.spraying.slow",
        "security.guessing.distributed",
    ]


def _of_a_crowd(moment: float, number: int) -> Sighting:
    """Each address and user once in ten seconds."""
    return login(moment, f"user-{number % KEYS}", address(number % KEYS))


FLOODS: dict[str, Callable[[float, int], Sighting]] = {
    "paths": lambda moment, number: seen(
        "http.refusal", moment, **{"client.address": ATTACKER, "url.path": f"/{number}"}
    ),
    "users": lambda moment, number: login(moment, f"u{number}", ATTACKER),
    "addresses": lambda moment, number: login(moment, "jo", address(number)),
    "guesses": lambda moment, _: login(moment, "jo", ATTACKER),
    "just below": lambda moment, number: login(moment, f"u{number % 4}", ATTACKER),
    "limits": lambda moment, _: seen("rate_limit.exceeded", moment, **{"client.address": ATTACKER}),
    "exports": lambda moment, number: seen(
        "data.export", moment, "success", **{"user.id": "jo", "http.response.body.size": number}
    ),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_one_key_that_floods_costs_no_more_than_many(flood: str, request: pytest.FixtureRequest) -> None:
    """A hundred a second by two workers that export in turn: half of it comes seconds late. Nothing grows."""
    judging = SecurityJudging(SecuritySettings(), LATENESS)
    bursts = range(12 if request.config.getoption("--long") else 4)
    moments = [burst * 5 + worker / 200 + each / 50 for burst in bursts for worker in (0, 1) for each in range(250)]
    assert taken(judging, (FLOODS[flood](moment, number) for number, moment in enumerate(moments))) < _SLOWEST_US
    kept = max(len(window._entries) for one in judging._counting for window in one._windows.values())
    assert kept <= 2_000


def test_habits_of_weeks_make_no_event_dear() -> None:
    """An address that is refused every five minutes for a month, and then floods."""
    judging = SecurityJudging(SecuritySettings(), LATENESS)
    limited = FLOODS["limits"]
    month = [limited(-28 * 86_400 + part * 600, 0) for part in range(28 * 144)]
    for one in month:
        judging.take(one)
    judging.judge(at(0), frozen=False)
    assert taken(judging, (limited(each / 100, 0) for each in range(2_000))) < _SLOWEST_US


def test_ticks_over_many_alarms_take_less_than_a_tick() -> None:
    """Five thousand that fire at once, and what they are about."""
    judging = Watch(rules={"security.guessing.user": {"count": 1}}).judging
    for each in range(KEYS // 2):
        judging.take(login(each / 1000, f"u{each}", ATTACKER))
    started = time.process_time()
    _, transitions = judging.judge(at(60), frozen=False)
    assert time.process_time() - started < TICK / 1e9 / 2
    assert len(transitions) > KEYS // 2
