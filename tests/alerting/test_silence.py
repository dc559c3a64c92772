"""Silences that can't be read keep nobody from being told."""

from __future__ import annotations

import logging

import pytest

from alerting.silence import Silence, Silences


def test_one_that_cannot_be_read_quietens_nothing_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A row that somebody wrote by hand: the others count, alerts are told on, and the log says which it is."""
    broken = Silence("broken", "silence", ("mount =~ (",), "me", "", 0, 100)
    good = Silence("good", "silence", ("mount = /data",), "me", "", 0, 100)
    silences = Silences()
    with caplog.at_level(logging.WARNING, "alerting.silence"):
        silences.replace([broken, good])
    silences.advance(1)
    assert silences.muting({"mount": "("}, 1) is None
    assert silences.muting({"mount": "/data"}, 1) == good
    assert not silences.concerns(broken, {"mount": "/data"})
    assert "silence broken quietens nothing: 'mount =~ (' has no valid regular expression" in caplog.text
