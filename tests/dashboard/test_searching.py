"""What somebody types finds what they mean, small or large, by whatever they know of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard.opening import Opening
from tests.support.stored import HOUR, store

NOW = HOUR + 1800 * 1_000_000_000


def test_a_route_is_found_by_its_method_and_in_any_case(tmp_path: Path) -> None:
    """Whatever is small and large in what was typed, and in the route."""
    told = {"method": "GET", "status_code": 200, "response_time": 0.1}
    store(tmp_path, "performance", *({**told, "route": route} for route in ("/api/Orders", "/API/new", "/health")))
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/requests", route="get /Api/")
    assert sorted(row[0] for row in shown.tables[0][1:]) == ["GET /API/new", "GET /api/Orders"]


@pytest.mark.parametrize("find", ["VALUEerror", "No Pump", "Shop"])
def test_an_error_is_found_by_its_type_its_message_and_its_service(tmp_path: Path, find: str) -> None:
    """And counted; the others are not."""
    mine = {"error_type": "ValueError", "message": "no pump 7", "service": "shop"}
    other = {"error_type": "KeyError", "message": "'a'", "service": "app"}
    store(tmp_path, "errors", mine, mine, other)
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/errors", last="1h", find=find)
    ((_, row),) = shown.tables
    assert "no pump <n>" in " ".join(row)
    assert "KeyError" not in shown.text
