from __future__ import annotations

import pytest

from analysis.engine import Engine
from tests.support.week import Week


@pytest.fixture(scope="session")
def engine(week: Week) -> Engine:
    return Engine(week.logs)
