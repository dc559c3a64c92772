"""Guessing is slow: five wrong tokens from one place, twenty from a network, 300 in all, in five minutes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.access.attempts import Attempts
from tests.dashboard.access.visiting import NANO, NOW


def _failed(*times: int, address: str = "192.0.2.1") -> Attempts:
    attempts = Attempts()
    for seconds in times:
        attempts.failed(address, NOW + seconds * NANO)
    return attempts


def test_the_sixth_attempt_from_one_place_waits() -> None:
    """Until the first of five is five minutes old; others are heard meanwhile."""
    assert _failed(0, 1, 2, 3).wait_seconds("192.0.2.1", NOW + 4 * NANO) == 0
    attempts = _failed(0, 10, 20, 30, 40)
    waits = [attempts.wait_seconds("192.0.2.1", NOW + seconds * NANO) for seconds in (40, 299, 300, 309)]
    assert waits == [260, 1, 0, 0]
    assert attempts.wait_seconds("192.0.2.2", NOW + 40 * NANO) == 0


def test_a_network_that_guesses_waits_as_a_whole() -> None:
    """Whoever has an IPv6 subscription has thousands of /64s, and an IPv4 address has neighbours."""
    for places in (["192.0.2.%d"] * 20, ["2001:db8:7:%d::1"] * 20):
        attempts = Attempts()
        for number, place in enumerate(places):
            assert attempts.wait_seconds(place % number, NOW) == 0
            attempts.failed(place % number, NOW)
        assert attempts.wait_seconds(places[0] % 99, NOW) == 300
        assert [attempts.wait_seconds(other, NOW) for other in ("198.51.100.1", "2001:db8:8::1")] == [0, 0]


def test_from_everywhere_it_waits_too() -> None:
    """Whoever has thousands of machines; those are heard all the same from where a right token came before."""
    attempts = Attempts()
    attempts.succeeded("198.51.100.1")
    attempts.succeeded("2001:db8:1::1")
    for number in range(300):
        assert attempts.wait_seconds(f"10.{number}.0.1", NOW) == 0
        attempts.failed(f"10.{number}.0.1", NOW)
    asked = ["198.51.100.2", "198.51.100.1", "2001:db8:1::2", "2001:db8:1:1::2"]
    assert [attempts.wait_seconds(address, NOW) for address in asked] == [300, 0, 0, 300]
    assert attempts.wait_seconds("198.51.100.2", NOW + 300 * NANO) == 0


def test_a_known_place_waits_for_its_own_guesses() -> None:
    """However often the right token came from there."""
    attempts = _failed(0, 0, 0, 0, 0)
    attempts.succeeded("192.0.2.1")
    assert attempts.wait_seconds("192.0.2.1", NOW) == 300


def test_an_ipv6_address_counts_with_its_network() -> None:
    """A subscriber has 2^64 of them."""
    attempts = Attempts()
    for number in range(5):
        attempts.failed(f"2001:db8::{number}", NOW)
    waits = [attempts.wait_seconds(address, NOW) for address in ("2001:db8::ffff", "2001:db8:0:1::1")]
    assert waits == [300, 0]


def test_a_token_of_yesterday_is_one_guess() -> None:
    """However often a program sends it; other ones are further guesses, and so is the same from elsewhere."""
    attempts = Attempts()
    assert [attempts.failed("192.0.2.1", NOW, b"old") for _ in range(3)] == [True, False, False]
    assert attempts.failed("192.0.2.1", NOW + 300 * NANO, b"old")
    assert attempts.failed("192.0.2.1", NOW, b"other")
    assert attempts.failed("192.0.2.2", NOW, b"old")


def test_a_clock_set_back_locks_nobody_out() -> None:
    """What lies in the future did not happen in the last five minutes."""
    assert _failed(0, 0, 0, 0, 0).wait_seconds("192.0.2.1", NOW - 86_400 * NANO) == 0


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 5)), max_size=80))
def test_never_more_than_five_guesses_of_one_and_twenty_of_a_network(asked: list[tuple[int, int]]) -> None:
    """In any five minutes, in whatever order they come."""
    attempts, heard = Attempts(), list[tuple[int, int]]()
    for seconds, place in sorted(asked):
        if not attempts.wait_seconds(f"192.0.2.{place}", NOW + seconds * NANO):
            attempts.failed(f"192.0.2.{place}", NOW + seconds * NANO)
            heard.append((seconds, place))
    for start in {seconds for seconds, _ in heard}:
        within = [place for seconds, place in heard if start <= seconds < start + 300]
        assert len(within) <= 20
        assert all(within.count(place) <= 5 for place in within)


def test_a_flood_is_remembered_in_bounded_memory() -> None:
    """From thousands of places, each of them new, and each of them known."""
    attempts = Attempts()
    for number in range(8000):
        address = f"10.{number >> 8}.{number & 255}.1"
        attempts.failed(address, NOW)
        attempts.succeeded(address)
    assert (len(attempts._failures), len(attempts._known)) == (5300, 1000)
