"""Errors and statements without what differs from one to the next, and each failure once."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from analysis.engine import Engine
from analysis.errors import error_groups, normalised
from analysis.period import HOUR_NANO, Period
from analysis.queries import statement_of

HOUR = 1_795_435_200 * 1_000_000_000
"""2026-11-23T12:00:00Z."""


def put(folder: Path, *errors: tuple[str, str, str]) -> Engine:
    """Each with its type, message and trace."""
    path = folder / "errors" / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True)
    lines = [
        {
            "time_unix_nano": HOUR + number,
            "received_unix_nano": HOUR + number,
            "service": "app",
            "error_type": kind,
            "message": message,
            "trace_id": trace,
        }
        for number, (kind, message, trace) in enumerate(errors)
    ]
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return Engine(folder)


def told(engine: Engine) -> list[tuple[str, str, int]]:
    return [(one.error_type, one.message, one.count) for one in error_groups(engine, Period(HOUR, HOUR + HOUR_NANO))]


def test_a_failed_span_is_no_error_of_its_own_where_its_trace_says_what_was_raised(tmp_path: Path) -> None:
    """A request that raised is a span that failed and a log record: one failure, however many spans are above it."""
    engine = put(
        tmp_path,
        ("RuntimeError", "", "a"),
        ("500", "", "a"),
        ("RuntimeError", "no such pump 7", "a"),
        ("RuntimeError", "no such pump 8", "b"),
        ("502", "", "c"),
        ("KeyError", "", ""),
        ("KeyError", "", ""),
        ("KeyError", "'x'", ""),
    )
    assert sorted(told(engine)) == [
        ("502", "", 1),
        ("KeyError", "", 2),
        ("KeyError", "'…'", 1),
        ("RuntimeError", "no such pump <n>", 2),
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("work order 4711 can't be read", "work order <n> can't be read"),
        ("no route to 10.0.0.7:8080 after 1.5 s", "no route to <address> after <n> s"),
        ("job 3f2504e0-4f89-41d3-9a0c-0305e82c3301 failed", "job <uuid> failed"),
        ("object at 0x7f12ab", "object at <hex>"),
        ("commit deadbeef01 is gone", "commit <hex> is gone"),
        ("user email:c652acd1bf4d6e77 is unknown", "user <hash> is unknown"),
        ("""'Station "A"' is not in ["B"]""", "'…' is not in [\"…\"]"),
        ("HTTP2 and utf8 stay", "HTTP2 and utf8 stay"),
    ],
)
def test_messages_of_one_fault_become_one(message: str, expected: str) -> None:
    assert normalised(message) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT *\n  FROM t\tWHERE a = 'it''s' AND b = 7", "SELECT * FROM t WHERE a = ? AND b = ?"),
        ("SELECT a FROM t WHERE b IN (1, 2, 3)", "SELECT a FROM t WHERE b IN (?, …)"),
        ("UPDATE t2 SET c1 = 1.5 WHERE d = 0xff", "UPDATE t2 SET c1 = ? WHERE d = ?"),
    ],
)
def test_statements_have_no_values(text: str, expected: str) -> None:
    assert statement_of(text) == expected
