"""What an alert says to type next shows what it is about."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from operations.cli import main
from processors.default_rules import DEFAULT_RULES
from tests.support.operator import operator_folder, work_in
from tests.support.week import Week


def test_refused_requests_are_shown_by_route_and_status(
    week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no errors, so that the pages and commands about errors have none of them."""
    work_in(operator_folder(week, tmp_path), monkeypatch)
    step = DEFAULT_RULES["http.server.4xx_rate"]["next_steps"][0]
    shown = CliRunner().invoke(main, [*shlex.split(step)[1:], "--json"], catch_exceptions=False)
    assert "404" in shown.stdout
    assert shown.exit_code == 0
