from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.exporting.sampling_policies import fnv_1a
from collector.exporting.sampling_settings import TailSamplingSettings
from collector.exporting.tail_sampling import TailSampler
from collector.exporting.token_bucket import TokenBucket

SECOND = 10**9
MINUTE = 60 * SECOND
NOON = 1_764_331_200 * SECOND
WAIT = 30 * SECOND

ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
SLOW = {"name": "slow", "type": "latency", "latency": {"threshold": "2s"}}
HALF = {"name": "half", "type": "probabilistic", "probabilistic": {"sampling_percentage": 50}}
BURST = {"burst_capacity": 7}
TENTH = {"name": "rest", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}}


def settings(*policies: Mapping[str, Any], **others: Any) -> TailSamplingSettings:
    return TailSamplingSettings.model_validate({"policies": policies, **others})


def sampler(*policies: Mapping[str, Any], **others: Any) -> TailSampler:
    return TailSampler(settings(*policies, **others))


def attribute(key: str, *values: str, **others: Any) -> dict[str, Any]:
    return {"name": key, "type": "string_attribute", "string_attribute": {"key": key, "values": values, **others}}


def route_rate(traces_per_minute: float, **routes: float) -> dict[str, Any]:
    own = {f"/{name}": count for name, count in routes.items()}
    return {
        "name": "rate",
        "type": "route_rate",
        "route_rate": {"traces_per_minute": traces_per_minute, "routes": own},
    }


def span(trace: int = 1, at: float = 0.0, took: float = 0.1, **fields: Any) -> dict[str, Any]:
    """A stored line that came at NOON + `at` seconds, right after its end."""
    end = NOON + int(at * SECOND)
    return {
        "received_unix_nano": end,
        "time_unix_nano": end - int(took * SECOND),
        "end_time_unix_nano": end,
        "service": "shop",
        "name": "GET /",
        "kind": "SERVER",
        "trace_id": f"{trace * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}",
        "span_id": "00f067aa0ba902b7",
        "status": "UNSET",
        "attributes": {},
        "resource": {"attributes": {"service.name": "shop"}},
        **fields,
    }


def forward(sampling: TailSampler, records: Sequence[Mapping[str, Any]]) -> list[bool]:
    """The answers, asked for as a forwarder does whose reader is `decision_wait` ahead."""
    answers: list[bool] = []
    for record in records:
        while answers_due(records, answers, record):
            answers.append(sampling.keep(records[len(answers)]))
        sampling.observe(record)
    return answers + [sampling.keep(record) for record in records[len(answers) :]]


def answers_due(records: Sequence[Mapping[str, Any]], answers: list[bool], newest: Mapping[str, Any]) -> bool:
    return int(newest["received_unix_nano"]) - int(records[len(answers)]["received_unix_nano"]) > WAIT


def sent(*policies: Mapping[str, Any], spans: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the trace of these spans is."""
    answers = forward(sampler(*policies), list(spans))
    assert len(set(answers)) == 1
    return answers[0]


@pytest.mark.parametrize("late", [False, True])
def test_error_anywhere_in_the_trace(late: bool) -> None:  # noqa: FBT001  # a case, not a switch
    """One failed span within the wait keeps all of its trace; what comes after the decision no longer changes it."""
    failed = span(at=31.0 if late else 29.0, status="ERROR")
    spans = [span(at=0.0), span(at=1.0, status="OK"), failed]
    assert sent(ERRORS, spans=spans) is not late
    assert sent(ERRORS, spans=[span(status="ERROR"), span(status="OK")]) is True
    assert sent(ERRORS, spans=[span(status="OK")]) is False


@pytest.mark.parametrize("latency", [{"threshold": "2s"}, {"threshold_ms": 2000}])
def test_latency_of_the_whole_trace(latency: dict[str, Any]) -> None:
    """From the earliest start to the latest end of all spans, the threshold included."""
    policy = {"name": "slow", "type": "latency", "latency": latency}
    assert sent(policy, spans=[span(at=1.0, took=1.0), span(at=2.0, took=0.5)]) is True
    assert sent(policy, spans=[span(at=1.0, took=1.0), span(at=1.999, took=0.5)]) is False
    assert sent(policy, spans=[span(at=2.0, took=2.0, time_unix_nano=0), span(at=0.5)]) is False


def test_fnv() -> None:
    """The hash is FNV-1a with 64 bits: the test vectors of its authors."""
    vectors = {b"": 0xCBF29CE484222325, b"a": 0xAF63DC4C8601EC8C, b"foobar": 0x85944171F73967E8}
    assert {content: fnv_1a(content) for content in vectors} == vectors


def test_probability_by_trace_id() -> None:
    """About the share asked for is kept: the same traces by another sampler, others with another salt."""
    spans = [span(number, at=number / 1000) for number in range(4000)]
    salted = {**TENTH, "probabilistic": {"sampling_percentage": 10, "hash_salt": "second"}}
    more = {**TENTH, "probabilistic": {"sampling_percentage": 30}}
    first, again, other, wider = (forward(sampler(policy), spans) for policy in (TENTH, TENTH, salted, more))
    assert first == again
    assert 340 <= sum(first) <= 460
    assert 340 <= sum(other) <= 460
    assert sum(both for both, one in zip(first, other, strict=True) if one) < 100
    assert all(kept for kept, narrow in zip(wider, first, strict=True) if narrow)


@pytest.mark.parametrize(("percentage", "kept"), [(0, 0), (100, 500)])
def test_probability_at_its_ends(percentage: int, kept: int) -> None:
    """0 keeps none and 100 all."""
    policy = {"name": "p", "type": "probabilistic", "probabilistic": {"sampling_percentage": percentage}}
    assert sum(forward(sampler(policy), [span(number) for number in range(500)])) == kept


def test_text_attributes() -> None:
    """A text of a span or its resource, exact, by a regular expression anywhere in it, or not at all."""
    health = span(attributes={"http.route": "/api/health", "count": 7})
    exact = attribute("http.route", "/api/health", "/ready")
    assert sent(exact, spans=[span(), health]) is True
    assert sent(exact, spans=[span(attributes={"http.route": "/api/health/live"})]) is False
    assert sent(attribute("service.name", "shop"), spans=[span()]) is True
    assert sent(attribute("count", "7"), spans=[health]) is False
    pattern = attribute("http.route", "heal.h$", enabled_regex_matching=True)
    assert sent(pattern, spans=[health]) is True
    assert sent(pattern, spans=[span(attributes={"http.route": "/api/healthy"})]) is False
    inverted = attribute("http.route", "/api/health", invert_match=True)
    assert sent(inverted, spans=[span(), health]) is False
    assert sent(inverted, spans=[span()]) is True


def test_long_texts_are_searched_at_their_beginning() -> None:
    """A regular expression sees 256 characters, so that no value takes long."""
    pattern = attribute("note", "x", enabled_regex_matching=True)
    texts = ["a" * 255 + "x", "a" * 256 + "x"]
    assert [sent(pattern, spans=[span(attributes={"note": text})]) for text in texts] == [True, False]


def test_several_attributes_of_different_spans() -> None:
    """What different spans have is known together."""
    both = {"name": "both", "type": "and", "and": {"and_sub_policy": [attribute("a", "1"), attribute("b", "2")]}}
    one, two = span(attributes={"a": "1"}), span(attributes={"b": "2"})
    assert [sent(both, spans=spans) for spans in ([one], [two], [one, two])] == [False, False, True]


def test_any_policy_keeps_and_a_drop_wins() -> None:
    """A trace that one policy wants is kept, but never one that a drop policy names."""
    health = attribute("http.route", "/health")
    drop = {"name": "drop", "type": "drop", "drop": {"drop_sub_policy": [health]}}
    checked = span(attributes={"http.route": "/health"}, status="ERROR")
    assert sent(SLOW, ERRORS, spans=[checked]) is True
    assert sent(SLOW, ERRORS, drop, spans=[checked]) is False
    assert sent(SLOW, ERRORS, drop, spans=[span(status="ERROR")]) is True
    slow_only = {"name": "drop", "type": "drop", "drop": {"drop_sub_policy": [health, SLOW]}}
    assert sent(ERRORS, slow_only, spans=[checked]) is True


def test_route_rate() -> None:
    """Each route has its rate, some their own; the minute is that of arrival."""
    routes = ["/orders"] * 5 + ["/health"] * 5 + ["/secret"] * 5
    spans = [
        span(minute * 100 + number, at=minute * 60, attributes={"http.route": route})
        for minute in range(2)
        for number, route in enumerate(routes)
    ]
    sampling = sampler(route_rate(3, health=1, secret=0))
    expected = [True] * 3 + [False] * 2 + [True] + [False] * 4 + [False] * 5
    assert forward(sampling, spans) == expected * 2
    assert (sampling.decided, sampling.kept, sampling.dropped, sampling.forgotten) == (30, 8, 22, 0)


def test_rate_counts_what_others_keep() -> None:
    """A trace kept for its error is one of its route's minute."""
    spans = [span(number, status=status) for number, status in enumerate(["ERROR", "ERROR", "OK", "ERROR", "OK"])]
    assert forward(sampler(ERRORS, route_rate(3)), spans) == [True, True, True, True, False]


def test_rate_fills_up_steadily() -> None:
    """Half a minute brings half of the rate back, a long rest no more than the whole."""
    times = [0.0] * 5 + [30.0] * 5 + [600.0] * 6
    spans = [span(number, at=at) for number, at in enumerate(times)]
    kept: dict[float, int] = defaultdict(int)
    for answer, at in zip(forward(sampler(route_rate(4)), spans), times, strict=True):
        kept[at] += answer
    assert kept == {0.0: 4, 30.0: 2, 600.0: 4}


def test_rate_of_less_than_one_a_minute() -> None:
    """A quarter a minute is one in four minutes."""
    spans = [span(minute, at=minute * 60) for minute in range(9)]
    assert forward(sampler(route_rate(0.25)), spans) == [minute % 4 == 0 for minute in range(9)]


@pytest.mark.parametrize(
    ("spans", "limited"),
    [
        ([{"kind": "SERVER", "attributes": {"http.route": "/orders"}}], True),
        ([{"kind": "SERVER", "name": "/orders"}], True),
        ([{"kind": "INTERNAL", "name": "/orders"}], True),
        ([{"kind": "CLIENT", "parent_span_id": "ab", "attributes": {"http.route": "/orders"}}], False),
        (
            [{"parent_span_id": "ab", "attributes": {"http.route": "/orders"}}, {"name": "job", "kind": "INTERNAL"}],
            True,
        ),
        ([{"name": "job", "kind": "INTERNAL"}, {"parent_span_id": "ab", "name": "/orders"}], False),
        # the inner service's span comes first, the outer one started first
        ([{"parent_span_id": "ab", "attributes": {"http.route": "/inner"}}, {"at": 1, "took": 2, "name": "x"}], False),
        (
            [
                {"parent_span_id": "ab", "attributes": {"http.route": "/inner"}},
                {"at": 1, "took": 2, "attributes": {"http.route": "/orders"}},
            ],
            True,
        ),
    ],
)
def test_route_of_a_trace(spans: list[dict[str, Any]], limited: bool) -> None:  # noqa: FBT001  # what is expected
    """The route of the outermost server's span, else the name of the root."""
    records = [span(**{"name": "other", **fields}) for fields in spans]
    assert sent(route_rate(1000, orders=0), spans=records) is not limited


def test_names_without_end_share_a_rate() -> None:
    """Beyond a thousand routes within a minute the others are one; routes that rest make room."""
    names = [span(number, at=number / 1000, name=f"GET /{number}") for number in range(3000)]
    assert sum(forward(sampler(route_rate(1)), names)) == 1001
    later = [span(5000 + number, at=100, name=f"GET /later/{number}") for number in range(20)]
    assert sum(forward(sampler(route_rate(1)), [*names, *later])) == 1021


def test_route_in_use_is_no_obstacle() -> None:
    """The routes that rested longest make room, wherever they stood at first."""
    names = [span(number, name=f"GET /{number}") for number in range(1000)]
    later = [span(2000 + number, at=62, name=f"GET /later/{number}") for number in range(3)]
    assert all(forward(sampler(route_rate(1)), [*names, span(1500, at=61, name="GET /0"), *later]))


@pytest.mark.parametrize("received", [10**400, -(10**400), -1, 0.5, "now", None, True])
def test_rate_without_a_usable_time(received: Any) -> None:
    """Traces that came nobody knows when have one minute together."""
    sampling = sampler(route_rate(2))
    spans = [span(number, received_unix_nano=received) for number in range(4)]
    for one in spans:
        sampling.observe(one)
    assert [sampling.keep(one) for one in spans] == [True, True, False, False]


def test_spans_within_a_rate() -> None:
    """A trace counts with all its spans, and one larger than the burst never passes."""
    policy = {"name": "rate", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 2}}
    sizes = [(1, 3, 0.0), (2, 2, 0.0), (3, 1, 0.0), (4, 4, 10.0), (5, 5, 100.0)]
    spans = [span(trace, at=at) for trace, size, at in sizes for _ in range(size)]
    answers = forward(sampler(policy), spans)
    kept = {one["trace_id"] for one, answer in zip(spans, answers, strict=True) if answer}
    assert kept == {span(trace)["trace_id"] for trace in (1, 3, 4)}


def test_burst_of_spans() -> None:
    """The burst is what passes at once; without it, twice the rate."""
    rate = {"spans_per_second": 2}
    spans = [span(number) for number in range(10)]
    limits = [{"name": "r", "type": "rate_limiting", "rate_limiting": {**rate, **more}} for more in ({}, BURST)]
    assert [sum(forward(sampler(limit), spans)) for limit in limits] == [4, 7]


def test_rate_after_other_conditions() -> None:
    """In an `and` a rate counts the traces that were asked about, not those that failed before."""
    limited = {"name": "some", "type": "and", "and": {"and_sub_policy": [ERRORS, route_rate(2)]}}
    spans = [span(number, status="ERROR" if number % 3 == 0 else "OK") for number in range(12)]
    assert [number for number, kept in enumerate(forward(sampler(limited), spans)) if kept] == [0, 3]


def test_late_spans_follow_the_decision() -> None:
    """What comes minutes after has the answer of its trace, and is no second trace."""
    spans = [span(1, status="ERROR"), span(2), span(3, at=100), span(2, at=120, status="ERROR"), span(1, at=121)]
    sampling = sampler(ERRORS)
    assert forward(sampling, spans) == [True, False, False, False, True]
    assert (sampling.decided, sampling.kept, sampling.dropped, sampling.forgotten) == (3, 1, 2, 0)


def test_late_span_of_a_trace_no_longer_remembered() -> None:
    """It is decided by itself, as if its trace began with it."""
    others = [span(10 + number, at=40 + 31 * number) for number in range(4)]
    spans = [span(1, status="ERROR"), *others, span(1, at=300)]
    sampling = sampler(ERRORS, num_traces=2)
    assert forward(sampling, spans) == [True, *[False] * 4, False]
    assert (sampling.decided, sampling.kept, sampling.dropped, sampling.forgotten) == (6, 1, 5, 0)


def test_forgotten_before_the_decision() -> None:
    """More traces at a time than are remembered: the oldest are kept, whatever the policies, and counted once."""
    spans = [span(number) for number in (1, 2, 3, 4, 5, 1, 5)]
    sampling = sampler(ERRORS, num_traces=3)
    assert forward(sampling, spans) == [True, True, True, False, False, True, False]
    assert (sampling.decided, sampling.kept, sampling.dropped, sampling.forgotten) == (2, 0, 2, 3)


def test_span_never_seen_before() -> None:
    """What was not observed is kept, and its trace counted once."""
    sampling = sampler(ERRORS)
    assert [sampling.keep(span(number)) for number in (1, 2, 1)] == [True, True, True]
    assert (sampling.decided, sampling.forgotten) == (0, 2)


def test_the_trace_that_came_last_is_remembered_longest() -> None:
    """A new span makes its trace the youngest."""
    sampling = sampler(ERRORS, num_traces=2)
    assert forward(sampling, [span(number) for number in (1, 2, 1, 3)]) == [False, True, False, False]


def test_memory_is_bounded() -> None:
    """Ten thousand traces leave no more than `num_traces`, and as many ids of forgotten ones."""
    sampling = sampler(ERRORS, num_traces=50)
    assert all(forward(sampling, [span(number) for number in range(10_000)])[:9950])
    assert (len(sampling._traces), len(sampling._forgotten)) == (50, 50)
    assert sampling.decided == 50


Traces = dict[int, list[dict[str, Any]]]

traces = st.dictionaries(
    st.integers(1, 30),
    st.lists(
        st.builds(
            lambda at, took, status, route: span(at=at, took=took, status=status, attributes={"http.route": route}),
            st.integers(0, 29),
            st.floats(0, 3),
            st.sampled_from(["UNSET", "OK", "ERROR"]),
            st.sampled_from(["/health", "/orders", ""]),
        ),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=8,
)


def of(trace: int, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "trace_id": span(trace)["trace_id"]} for one in spans]


@given(traces, st.randoms(use_true_random=False))
def test_other_traces_change_nothing(drawn: Traces, random: Any) -> None:
    """Whatever is between its spans, a trace has one answer, that which it has alone; an error always keeps it."""
    slow = {"name": "slow", "type": "latency", "latency": {"threshold": "25s"}}
    policies = (ERRORS, slow, TENTH, attribute("http.route", "/health"))
    records = [one for trace, spans in drawn.items() for one in of(trace, spans)]
    random.shuffle(records)
    records.sort(key=lambda one: int(one["received_unix_nano"]))
    sampling = sampler(*policies)
    answers: dict[str, set[bool]] = defaultdict(set)
    for one, answer in zip(records, forward(sampling, records), strict=True):
        answers[one["trace_id"]].add(answer)
    alone = {span(trace)["trace_id"]: {sent(*policies, spans=of(trace, spans))} for trace, spans in drawn.items()}
    assert answers == alone
    failed = {one["trace_id"] for one in records if one["status"] == "ERROR"}
    assert all(answers[trace_id] == {True} for trace_id in failed)
    assert (sampling.decided, sampling.forgotten) == (len(drawn), 0)
    assert sampling.kept == sum(answer == {True} for answer in answers.values())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=80), st.integers(1, 5))
def test_a_rate_is_never_exceeded(draws: list[tuple[int, int]], per_second: int) -> None:
    """In any stretch of time no more is given out than was there and came in."""
    bucket = TokenBucket(per_second / SECOND, 2 * per_second)
    time, given_out = NOON, []
    for count, tenths in draws:
        time += tenths * SECOND // 10
        if bucket.take(count, time):
            given_out.append((time, count))
    for first, (start, _) in enumerate(given_out):
        total = 0
        for now, count in given_out[first:]:
            total += count
            assert total <= 2 * per_second + per_second * (now - start) / SECOND + 1e-6


def test_times_that_jump() -> None:
    """A clock that was far ahead for a moment, goes back or is missing stops no rate for long."""
    bucket = TokenBucket(1 / SECOND, 1)
    times = [NOON, 2**62, NOON, NOON + SECOND, 0, NOON + SECOND, NOON + 2 * SECOND]
    assert [bucket.take(1, time) for time in times] == [True, True, False, True, False, False, True]


POLICIES = (
    ERRORS,
    SLOW,
    TENTH,
    attribute("http.route", "x", enabled_regex_matching=True),
    attribute("service.name", "x", invert_match=True),
    route_rate(1),
    {"name": "spans", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 1}},
    {"name": "none", "type": "drop", "drop": {"drop_sub_policy": [attribute("a", "b")]}},
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=80)
    | st.sampled_from(["a" * 2_000_000, 10**400]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["http.route", "attributes"]), inner),
    max_leaves=4,
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from([*span(), "parent_span_id", "status_message"]), anything),
        min_size=1,
        max_size=6,
    )
)
def test_hostile_records(changes: list[dict[str, Any]]) -> None:
    """Any value in any place has an answer."""
    sampling = sampler(*POLICIES, num_traces=2)
    bare = [dict(change) for change in changes]
    records = [*({**span(number % 2), **change} for number, change in enumerate(changes)), *bare]
    for record in records:
        sampling.observe(record)
    assert all(isinstance(sampling.keep(record), bool) for record in records)
    assert len(sampling._traces) <= 2


@pytest.mark.parametrize("trace_id", [None, "", 7, ["a"], "f" * 65])
def test_span_without_a_trace(trace_id: Any) -> None:
    """A span whose trace nobody can tell is decided by itself."""
    sampling = sampler(ERRORS)
    spans = [span(trace_id=trace_id, status=status) for status in ("ERROR", "OK")]
    assert forward(sampling, spans) == [True, False]
    assert (sampling.kept, sampling.dropped, len(sampling._traces)) == (1, 1, 0)


@pytest.mark.parametrize("trace_id", ["not hexadecimal", "\ud800", "é", "ab "])
def test_strange_ids(trace_id: str) -> None:
    """An id that is none has an answer, the same each time."""
    answers = {tuple(forward(sampler(HALF), [span(trace_id=trace_id)] * 2)) for _ in range(3)}
    assert answers in ({(True, True)}, {(False, False)})
