"""Addresses of pages, found as a visitor finds them: by the links of others."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx

from tests.support.week import OUTAGE, Week

SHOTS = os.environ.get("FORECOURT_SCREENSHOTS", "")
"""A folder for pictures of all pages; none are taken where it is not said."""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href")
        if tag == "a" and address and address.startswith("/"):
            self.found[address.partition("#")[0]] = None


def links_of(html: str) -> list[str]:
    """Each once, in their order; only those to this very server."""
    reader = _Links()
    reader.feed(html)
    return list(reader.found)


def content(client: httpx.Client, address: str) -> str:
    """What a page has, when all of it is there; fail where it tells of a problem."""
    answer = client.get(address, headers={"HX-Request": "true"})
    assert (answer.status_code, "card problem" in answer.text) == (200, False), f"{address}: {answer.text[:600]}"
    return answer.text


def linked(client: httpx.Client, listing: str, kind: str) -> str:
    """The first link of a listing to a page of this kind."""
    return next(one for one in links_of(content(client, listing)) if one.startswith(kind))


def week_addresses(client: httpx.Client, week: Week, last: str) -> dict[str, str]:
    """By the path of a page an address of it at which something of the recorded week is shown."""
    span = f"?last={last}"
    plain = (
        "overview",
        "requests",
        "traces",
        "logs",
        "errors",
        "database",
        "business",
        "alerts",
        "security",
        "reports",
    )
    failed = next(one for one in week.requests if one.status == 503 and one.at > OUTAGE[0])
    trace = f"/traces/{failed.trace_id}"
    return {
        **{f"/{name}": f"/{name}{span}" for name in plain},
        "/requests/route": linked(client, f"/requests{span}", "/requests/route"),
        "/traces/{trace}": trace,
        "/traces/{trace}/compare": f"{trace}/compare",
        "/logs/around": linked(client, f"/logs{span}", "/logs/around"),
        "/errors/group": linked(client, f"/errors{span}", "/errors/group"),
        "/explore": f"/explore{span}&metric={quote('process.memory.usage,system.filesystem.utilization')}",
        "/alerts/routes": "/alerts/routes",
        "/rules": "/rules",
        "/rules/{rule:path}": f"/rules/http.server.p95{span}&when0=%3E+2s&clear0=%3C+1s&when1=%3E+8s",
        "/security/evidence": f"/security/evidence{span}",
        "/reports": "/reports",
        "/system": "/system",
    }


def faults_of(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whatever is not as it should be, of all that was visited."""
    told = []
    for one in found:
        told += [f"{one['address']}: {fault}" for fault in one["faults"]]
        told += [f"{one['address']}: {one['problem']}"] if one["problem"] or one["status"] != 200 else []
        told += [f"{one['address']}, {mode}: {fault}" for mode, faults in one["axe"].items() for fault in faults]
        told += [f"{one['address']}, phone: {fault}" for fault in one["misread"]]
        told += [f"{one['address']}, {mode}: {by} px too wide" for mode, by in one["wide"].items() if by > 0]
    return told
