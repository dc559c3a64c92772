"""What OTLP asks of a server has a test each; the wording is ours, the ids are only to count by."""

from __future__ import annotations

import re
from pathlib import Path

REQUIREMENTS = {
    "c": 5,  # both transports
    "g": 14,  # gRPC
    "h": 18,  # HTTP
    "j": 6,  # JSON
    "p": 6,  # partial success
    "t": 3,  # throttling
}
_TEST = re.compile(r"^def test_((?:[a-z]\d+_and_)*[a-z]\d+)_", re.MULTILINE)


def test_every_requirement_has_a_test() -> None:
    """The names of the tests in this folder are those of the table, and no others."""
    wanted = {f"{group}{number}" for group, count in REQUIREMENTS.items() for number in range(1, count + 1)}
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert {one for names in _TEST.findall(tests) for one in names.split("_and_")} == wanted
