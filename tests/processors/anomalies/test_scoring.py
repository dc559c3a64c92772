"""The benchmark's scorer knows its ends: nothing found is 0, everything at once is 100, and noise costs."""

from __future__ import annotations

import pytest

from benchmarks.anomaly import PROFILES, Labelled, main, rows_of, sweep

LABELLED = Labelled("one", list(range(1000)), [0.0] * 1000, [(300, 399), (600, 699)])


def reached(found: dict[int, float]) -> list[float]:
    scores = [found.get(row, 0.0) for row in range(1000)]
    return [sweep(rows_of(LABELLED, scores), 2, profile).score for profile in PROFILES]


@pytest.mark.parametrize(
    ("found", "scores"),
    [
        ({}, [0, 0, 0]),
        ({300: 0.9, 600: 0.9}, [100, 100, 100]),
        ({300: 0.9, 350: 0.9, 600: 0.9}, [100, 100, 100]),
        ({300: 0.9}, [50, 50, 50]),
        ({149: 1.0, 300: 0.9, 600: 0.9}, [100, 100, 100]),
        ({200: 0.9, 300: 0.9, 600: 0.9}, [97.25, 94.5, 98.17]),
        ({200: 0.1, 300: 0.9, 600: 0.9}, [100, 100, 100]),
        ({200: 0.9}, [0, 0, 0]),
        ({350: 0.9, 600: 0.9}, [96.495, 96.495, 97.663]),
        ({401: 0.9, 300: 0.9, 600: 0.9}, [99.861, 99.722, 99.907]),
    ],
)
def test_a_detection_earns_by_where_it_is(found: dict[int, float], scores: list[float]) -> None:
    """The first in a window, the earlier the better; outside it costs, in the probation it does not count."""
    assert reached(found) == pytest.approx(scores, abs=0.01)


def test_a_corpus_that_is_not_there_is_said(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do."""
    main(["--nab", f"{tmp_path}/none"])
    assert "say where it is with --nab" in capsys.readouterr().out
