"""The policies as questions to an observed trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from collector.exporting.observed_trace import STATUS_BITS, ObservedTrace, Observer
from collector.exporting.sampling_settings import (
    AndSettings,
    DropSettings,
    LatencySettings,
    PolicySettings,
    ProbabilisticSettings,
    RateLimitingSettings,
    RouteRateSettings,
    StatusCodeSettings,
    StringAttributeSettings,
    SubPolicySettings,
)
from collector.exporting.token_bucket import RouteRates, TokenBucket

Policy = Callable[[ObservedTrace], bool]

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MOST = 2**64 - 1
_DEFAULT_SALT = "default-hash-seed"
_LONGEST_SEARCHED = 256


def policy(settings: PolicySettings | SubPolicySettings, observer: Observer) -> Policy:
    """Whether the policy holds for a trace; `observer` is told what it will have to look at."""
    return _MAKERS[settings.type](settings.details, observer)


def _always(_settings: None, _observer: Observer) -> Policy:
    return lambda _: True


def _all(settings: AndSettings | DropSettings, observer: Observer) -> Policy:
    """Asked in turn, no further than the first that doesn't hold."""
    parts = settings.and_sub_policy if isinstance(settings, AndSettings) else settings.drop_sub_policy
    policies = [policy(part, observer) for part in parts]
    return policies[0] if len(policies) == 1 else lambda trace: all(holds(trace) for holds in policies)


def _status_code(settings: StatusCodeSettings, _observer: Observer) -> Policy:
    wanted = sum(STATUS_BITS[code] for code in set(settings.status_codes))
    return lambda trace: trace.statuses & wanted != 0


def _latency(settings: LatencySettings, _observer: Observer) -> Policy:
    threshold_nano = settings.threshold_nano
    return lambda trace: trace.duration_nano >= threshold_nano


def fnv_1a(content: bytes, state: int = _FNV_OFFSET) -> int:
    """64 bits: draft-eastlake-fnv, section 2."""
    for byte in content:
        state = (state ^ byte) * _FNV_PRIME & _MOST
    return state


def _probabilistic(settings: ProbabilisticSettings, _observer: Observer) -> Policy:
    """The Collector's choice: FNV-1a of the salt and the id's bytes, up to that share of 64 bits."""
    salted = fnv_1a((settings.hash_salt or _DEFAULT_SALT).encode())
    threshold = int(Fraction(settings.sampling_percentage / 100) * _MOST)
    return lambda trace: fnv_1a(_id_bytes(trace.identity), salted) <= threshold


def _id_bytes(identity: str) -> bytes:
    try:
        return bytes.fromhex(identity)
    except ValueError:
        return identity.encode("utf-8", "surrogatepass")


def _string_attribute(settings: StringAttributeSettings, observer: Observer) -> Policy:
    bit = observer.watch_attribute(settings.key, _matcher(settings))
    wanted = 0 if settings.invert_match else bit
    return lambda trace: trace.found & bit == wanted


def _matcher(settings: StringAttributeSettings) -> Callable[[str], object]:
    if not settings.enabled_regex_matching:
        return frozenset(settings.values).__contains__
    patterns = [re.compile(pattern) for pattern in settings.values]
    remembered = lru_cache(settings.cache_max_size)(lambda text: any(pattern.search(text) for pattern in patterns))
    return lambda text: remembered(text[:_LONGEST_SEARCHED])


def _rate_limiting(settings: RateLimitingSettings, _observer: Observer) -> Policy:
    capacity = settings.burst_capacity or 2 * settings.spans_per_second
    bucket = TokenBucket(settings.spans_per_second / 1e9, capacity)
    return lambda trace: bucket.take(trace.span_count, trace.received_unix_nano)


def _route_rate(settings: RouteRateSettings, observer: Observer) -> Policy:
    observer.watch_routes()
    rates = RouteRates(settings.traces_per_minute, settings.routes)
    return lambda trace: rates.take(trace.route, trace.received_unix_nano)


_MAKERS: Mapping[str, Callable[[Any, Observer], Policy]] = {
    "always_sample": _always,
    "status_code": _status_code,
    "latency": _latency,
    "probabilistic": _probabilistic,
    "string_attribute": _string_attribute,
    "rate_limiting": _rate_limiting,
    "route_rate": _route_rate,
    "and": _all,
    "drop": _all,
}
