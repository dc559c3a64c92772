"""Laws: order within lateness, restarts, and whatever a sender puts into labels."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.security.addresses import Allowed, address_key, browser_family, network_of
from processors.security.alarm import Alarm
from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings
from processors.security.sighting import Sighting, refusal, sighting
from tests.support.attacks import LATENESS, NANO, TICK, Watch, at, login, seen

pytestmark = pytest.mark.untraced

USERS = ("jo", "al", *(f"u{number}" for number in range(14)))
ADDRESSES = (*(f"10.{number}.0.1" for number in range(7)), "2001:db8::1", "2001:db8::2")


def _event(kind: int, moment: float, user: str, address: str, number: int) -> Sighting:
    who = {"client.address": address}
    if kind < 6:
        return login(moment, user, address, failed=kind < 5)
    if kind == 6:
        return seen("rate_limit.exceeded", moment, **who)
    if kind == 7:
        size = {"http.response.body.size": number << 20}
        return seen("data.export", moment, "success", **{"user.id": user}, **size)
    return seen("http.refusal", moment, "failure", **who, **{"url.path": f"/{number}"})


@st.composite
def bursts(draw: st.DrawFn) -> list[list[Sighting]]:
    """Each lasts less than is waited for; between them is less than any window, or more than most."""
    found, start = [], 0.0
    for _ in range(draw(st.integers(1, 4))):
        chance = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311  # shrinks badly, but is quick
        users = USERS[: draw(st.sampled_from((1, 2, 16)))]
        addresses = ADDRESSES[: draw(st.sampled_from((1, 9)))]
        kinds = draw(st.sampled_from(((0,), (0, 1, 2, 3, 4, 5), (6,), (7,), (8,), tuple(range(9)))))
        burst = [
            _event(
                chance.choice(kinds),
                start + chance.randrange(100),
                chance.choice(users),
                chance.choice(addresses),
                chance.randrange(60),
            )
            for _ in range(draw(st.integers(1, 150)))
        ]
        found.append(sorted(burst, key=lambda one: one.time_unix_nano))
        start += draw(st.sampled_from((200.0, 2100.0, 3 * 86_400.0)))
    return found


def episodes(bursts_: Iterable[list[Sighting]], chance: random.Random | None = None) -> list[Any]:
    """In order, or by chance; each burst is known whole when the next begins, and before the next tick."""
    watch, over = Watch(), list[Alarm]()
    watch.judging.episodes.on_over = over.append
    for burst in bursts_:
        _skip(watch, burst[0].time_unix_nano - 2 * TICK)
        arriving = list(burst)
        if chance is not None:
            chance.shuffle(arriving)
        for one in arriving:
            watch.judging.take(one)
    watch.advance(watch.tick + 600 * NANO)
    found = [*over, *watch.judging.alarms]
    return sorted((one.rule, one.key, one.severity, one.first_unix_nano, one.last_unix_nano) for one in found)


def _skip(watch: Watch, until: int) -> None:
    """To that moment, by ticks only as long as there is something to settle."""
    watch.advance(min(until, watch.tick + 200 * NANO))
    if watch.tick + TICK <= until:
        watch.tick = until // TICK * TICK - TICK
        watch.advance(until)


@given(bursts(), st.integers(0, 2**32))
def test_order_within_lateness_does_not_matter(given_: list[list[Sighting]], seed: int) -> None:
    """The same rules, keys, severities, first and last moments, and episodes."""
    assert episodes(given_, random.Random(seed)) == episodes(given_)  # noqa: S311  # an order, not a secret


@given(st.permutations([login(each * 3, f"u{each // 2}", f"10.{each}.0.1") for each in range(40)]))
def test_a_list_of_stolen_passwords_is_seen_in_any_order(given_: list[Sighting]) -> None:
    """Twenty users, two tries each: from the fifteenth on."""
    watch = Watch()
    for one in given_:
        watch.judging.take(one)
    assert watch.judging.alarms == []  # half of them may be one try each
    watch.advance(at(117 + LATENESS + 10))
    (alarm,) = watch.judging.alarms
    assert (alarm.rule, alarm.first_unix_nano, alarm.last_unix_nano) == ("security.stuffing", at(84), at(117))
    assert alarm.distinct == 20


@given(bursts(), st.lists(st.integers(0, 600), max_size=3))
def test_a_restart_at_any_moment_changes_nothing(given_: list[list[Sighting]], stops: list[int]) -> None:
    """What is told, when, and what is known afterwards."""
    course = [one for burst in given_ for one in burst]
    whole, cut = Watch(), Watch()
    for number, one in enumerate(course):
        for watch in (whole, cut):
            _skip(watch, one.time_unix_nano)
            watch.judging.take(one)
        if number in stops:
            cut.restarted()
    for watch in (whole, cut):
        watch.judging._forgotten = 0  # in one process it is its turn now, in the other a minute later
        watch.advance(course[-1].time_unix_nano + 1000 * NANO)
    assert cut.transitions == whole.transitions
    assert _state(cut.judging) == _state(whole.judging)


def _state(judging: SecurityJudging) -> Any:
    return orjson.loads(orjson.dumps(judging.to_state(), option=orjson.OPT_NON_STR_KEYS))


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64),
    st.floats(),
    st.sampled_from(
        ("", " ", "\x00\x1f\x1b[2J", "::ffff:1.2.3.4", "2001:db8::/64", "NaN", "-inf", "1e999", "9" * 5000)
    ),
    st.text(max_size=40),
    st.builds("x".__mul__, st.integers(0, 100_000)),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
LABELS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "user.id",
            "enduser.id",
            "client.address",
            "source.address",
            "url.path",
            "user_agent.original",
            "http.user_agent",
            "http.response.body.size",
            "service.name",
        ),
        HOSTILE,
    ),
)
SMALL = SecuritySettings.model_validate({"max_keys": 20, "allow": {"user_agents": ["^uptime"], "users": ["x"]}})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("auth.login", "data.export", "rate_limit.exceeded", "http.refusal", "other")),
            st.sampled_from(("success", "failure", "", "nonsense")),
            LABELS,
        ),
        max_size=60,
    )
)
def test_no_label_breaks_anything(given_: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Lists, numbers, nothing, huge texts, sizes that are none: judged or passed over, and saved and restored."""
    judging = SecurityJudging(SMALL, LATENESS)
    for number, (event, outcome, labels) in enumerate(given_):
        judging.take(sighting(event, outcome, at(number), "", labels))
        judging.take(refusal(labels, at(number), ""))
        judging.judge(at(number), frozen=False)
    judging.judge(at(len(given_) + 200), frozen=False)
    state = _state(judging)
    again = SecurityJudging(SMALL, LATENESS)
    again.restore(state)
    assert _state(again) == state
    assert again.judge(at(5000), frozen=False) is not None


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -1, "-5", "nan", 1e308, 10**400, True, None, [1]])
def test_a_size_that_is_none_adds_nothing_and_one_that_is_absurd_breaks_no_sum(size: Any) -> None:
    """Restored after it, too."""
    watch = Watch()
    for each in range(8):
        watch.feed([seen("data.export", each, "success", **{"user.id": "jo", "http.response.body.size": size})])
    watch.feed([], 30).restarted()
    watch.feed([seen("data.export", 40, "success", **{"user.id": "jo", "http.response.body.size": 5})], 60)
    fired = [one.rule for one in watch.fired]
    assert fired == (["security.export.volume"] if size == 1e308 else [])
    assert all(one.value is not None and one.value < 1e15 for one in watch.transitions)


HUGE = "y" * 1_000_000


def test_huge_labels_take_no_memory() -> None:
    """A key, a path, an agent and an address are cut; so is what is saved."""
    watch = Watch()
    for each in range(300):
        labels = {"user_agent.original": f"{each}{HUGE}"}
        watch.feed([login(each, f"{each}{HUGE}", f"{each}{HUGE}", failed=each % 2 == 0, **labels)])
        path = {"url.path": f"/{each}{HUGE}", "client.address": f"{each}{HUGE}"}
        watch.feed([refusal(path, at(each), "")])
    watch.feed([], 600)
    state = orjson.dumps(watch.judging.to_state(), option=orjson.OPT_NON_STR_KEYS)
    assert len(state) < 2_000_000


@given(st.text(max_size=60))
def test_any_text_is_a_key(text: str) -> None:
    """And stays the one it is."""
    key = address_key(text)
    assert len(key) <= 256
    assert address_key(key.partition("/")[0]) == key or "/" in text
    assert network_of(key) == network_of(text) or "/" in text
    assert isinstance(browser_family(text), str)
    assert text not in Allowed(())


@given(st.ip_addresses(v=6))
def test_a_subscriber_is_one_whatever_the_last_half_is(address: Any) -> None:
    """Of what is no mapped IPv4 address."""
    other = type(address)(int(address) ^ 0xFFFF)
    if address.ipv4_mapped is None and other.ipv4_mapped is None:
        assert address_key(str(address)) == address_key(other.exploded.upper())
        assert address_key(str(address)).endswith("::/64")
    else:
        assert address_key(str(address)) == str(address.ipv4_mapped)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_itself_and_so_is_its_mapped_one(address: Any) -> None:
    assert address_key(str(address)) == address_key(f"::ffff:{address}") == str(address)
    assert address_key(f"0:0:0:0:0:ffff:{address}") == str(address)
