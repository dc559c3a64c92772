"""The API is what its own description says, whatever it is asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import assume, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from alerting import records
from storage import State
from storage.names import OWN_FOLDER
from tests.dashboard.api.asking import NOWHERE, OPERATOR, application_of, description, site_of
from tests.support.incident import Incident
from tests.support.week import Week

_ABOUT_ANSWERS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_BEARER = {"Authorization": f"Bearer {OPERATOR}"}


@pytest.fixture(scope="module")
def evening(week: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last hours of the week, with alerts: little enough to be asked often."""
    folder = tmp_path_factory.mktemp("evening") / "logs"
    for path in week.logs.rglob("2026-11-22T2[23]*"):
        target = folder / path.relative_to(week.logs)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (folder / OWN_FOLDER).mkdir()
    state = State.open(folder / OWN_FOLDER / "state.db")
    records.save(Incident().fire("down", "critical").fire("disk", "medium").until(100).dispatcher, state)
    state.close()
    return folder


class _Served:
    """The application that a fixture has made: the schema needs one before there are records."""

    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        if scope["type"] == "http":
            await self.app(scope, receive, send)
            return
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})
        await receive()


served = _Served()
schema = schemathesis.openapi.from_dict(description())
schema.app = served


@pytest.fixture(scope="module", autouse=True)
def _serve(evening: Path) -> Iterator[None]:
    served.app = application_of(site_of(evening))
    yield
    served.app = None


@schema.parametrize()
@settings(max_examples=3, derandomize=True, deadline=None)
@pytest.mark.untraced
def test_it_answers_as_described(case: Any) -> None:
    """Every operation, with what fits and what does not: documented statuses, its own types, never a fault of ours."""
    assert case.operation.app is served
    assume("%0A" not in case.formatted_path)  # no part of the site is mounted at such an address
    case.call_and_validate(base_url=f"{NOWHERE}/api/v1", headers=_BEARER, excluded_checks=[positive_data_acceptance])
    if isinstance(case.query, dict) and {"from", "to"} & case.query.keys():
        # Hardly any two times that are made up are a time of records: the same once more about one that is.
        case.query = {name: value for name, value in case.query.items() if name not in {"from", "to"}}
        case.call_and_validate(base_url=f"{NOWHERE}/api/v1", headers=_BEARER, checks=_ABOUT_ANSWERS)
