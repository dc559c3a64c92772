from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from collector.exporting.sampling_settings import RouteRateSettings, TailSamplingSettings

ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
SLOW = {"name": "slow", "type": "latency", "latency": {"threshold": "2s"}}


def attribute(key: str, *values: str, **others: Any) -> dict[str, Any]:
    return {"name": key, "type": "string_attribute", "string_attribute": {"key": key, "values": values, **others}}


def only_problem(content: Mapping[str, Any]) -> tuple[tuple[int | str, ...], str]:
    with pytest.raises(ValidationError) as refused:
        TailSamplingSettings.model_validate(content)
    [problem] = refused.value.errors()
    return problem["loc"], problem["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (
            {"name": "slow", "type": "latency"},
            "policy 'slow' of type latency needs its settings, for example latency: {threshold: 2s}",
        ),
        (
            {"name": "both", "type": "and"},
            (
                "policy 'both' of type and needs its settings, for example "
                "and: {and_sub_policy: [{name: slow, type: latency, latency: {threshold: 2s}}]}"
            ),
        ),
        (
            {**SLOW, "status_code": {"status_codes": ["ERROR"]}, "drop": {"drop_sub_policy": [SLOW]}},
            "policy 'slow' of type latency has no use for status_code, drop",
        ),
    ],
)
def test_policy_without_its_settings(policy: dict[str, Any], problem: str) -> None:
    """A policy needs the settings of its type, and only these: the message has its name and an example."""
    assert only_problem({"policies": [ERRORS, policy]}) == (("policies", 1), problem)


@pytest.mark.parametrize(
    ("place", "policy", "problem"),
    [
        (
            ("latency",),
            {"name": "slow", "type": "latency", "latency": {"threshold": "2s", "threshold_ms": 2000}},
            "needs either threshold, for example 2s, or threshold_ms, for example 2000",
        ),
        (
            ("status_code", "status_codes", 0),
            {"name": "e", "type": "status_code", "status_code": {"status_codes": ["ERRORS"]}},
            "Input should be 'OK', 'ERROR' or 'UNSET'",
        ),
        (
            ("probabilistic", "sampling_percentage"),
            {"name": "p", "type": "probabilistic", "probabilistic": {"sampling_percentage": 101}},
            "Input should be less than or equal to 100",
        ),
        (
            ("string_attribute",),
            attribute("http.route", "/api/(", enabled_regex_matching=True),
            "'/api/(' is no regular expression: missing ), unterminated subpattern at position 5",
        ),
        (
            ("string_attribute",),
            attribute("http.route", "(a+)+b", enabled_regex_matching=True),
            (
                "'(a+)+b' may take for ever to match: expected no repeated group as (…)+, and at most three of * + {}, "
                "for example /api/.*"
            ),
        ),
        (
            ("and", "and_sub_policy", 0, "type"),
            {"name": "a", "type": "and", "and": {"and_sub_policy": [{"name": "b", "type": "composite"}]}},
            (
                "Input should be 'always_sample', 'status_code', 'latency', 'probabilistic', 'string_attribute', "
                "'rate_limiting' or 'route_rate'"
            ),
        ),
        (
            ("type",),
            {"name": "o", "type": "ottl_condition"},
            (
                "Input should be 'always_sample', 'status_code', 'latency', 'probabilistic', 'string_attribute', "
                "'rate_limiting', 'route_rate', 'and' or 'drop'"
            ),
        ),
    ],
)
def test_wrong_settings(place: tuple[int | str, ...], policy: dict[str, Any], problem: str) -> None:
    """What can't be used is refused where it stands, with what was expected."""
    assert only_problem({"policies": [policy]}) == (("policies", 0, *place), problem)


def test_wrong_policies_together() -> None:
    """Names that stand twice and policies that would send nothing are refused."""
    drop = {"name": "health", "type": "drop", "drop": {"drop_sub_policy": [attribute("http.route", "/health")]}}
    assert only_problem({"policies": [ERRORS, SLOW, ERRORS]}) == (
        (),
        "policies: 'errors' stands there twice; expected names of their own",
    )
    assert only_problem({"policies": [drop]}) == (
        (),
        (
            "policies: all of them drop, so nothing would be sent; "
            "expected another, for example {name: rest, type: always_sample}"
        ),
    )
    assert only_problem({"policies": []}) == (("policies",), "is empty; expected at least one")


def test_defaults() -> None:
    """Only policies have to be said."""
    rate = {"name": "rate", "type": "route_rate", "route_rate": None}
    default = TailSamplingSettings.model_validate({"policies": [rate]})
    assert (default.decision_wait, default.num_traces) == (30.0, 50_000)
    assert default.policies[0].route_rate == RouteRateSettings(traces_per_minute=60, routes={})


def test_in_the_words_of_the_collector() -> None:
    """What its documentation has as examples of these policies is taken as it is, and shown again as it was given."""
    policies: list[dict[str, Any]] = [
        {"name": "test-policy-1", "type": "always_sample"},
        {"name": "test-policy-2", "type": "latency", "latency": {"threshold_ms": 5000}},
        {"name": "test-policy-4", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}},
        {"name": "test-policy-5", "type": "status_code", "status_code": {"status_codes": ["ERROR", "UNSET"]}},
        {
            **attribute("key2", "value1", "val*", enabled_regex_matching=True, cache_max_size=10),
            "name": "test-policy-7",
        },
        {"name": "test-policy-8", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 35}},
        {"name": "and-policy-1", "type": "and", "and": {"and_sub_policy": [attribute("key2", "value1")]}},
        {"name": "drop-policy-1", "type": "drop", "drop": {"drop_sub_policy": [attribute("url.path", "/health")]}},
    ]
    content = {"decision_wait": "10s", "num_traces": 100, "policies": policies}
    read = TailSamplingSettings.model_validate(content)
    shown = json.loads(read.model_dump_json(by_alias=True, exclude_none=True))
    assert TailSamplingSettings.model_validate(shown) == read
    assert [sorted(policy) for policy in shown["policies"]] == [sorted(policy) for policy in policies]
