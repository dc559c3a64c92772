from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from storage import State
from storage.web_process import WebProcessRow, record_start, record_stop, served, web_process

ADDRESSES = {"dashboard": "http://127.0.0.1:9090", "security_dashboard": "http://127.0.0.1:9091"}
NOBODY = 2**22 + 1
"""No process has a number beyond the largest."""


def test_a_web_process_that_ends_late_does_not_end_the_one_after_it(tmp_path: Path) -> None:
    """Only its own row is marked; where nobody serves, no address is told."""
    with closing(State.open(tmp_path / "state.db")) as state:
        assert (web_process(state), served(web_process(state))) == (None, {})
        record_start(state, WebProcessRow(NOBODY, ADDRESSES, 1))
        assert served(web_process(state)) == {}
        ours = WebProcessRow(os.getpid(), ADDRESSES, 2)
        record_start(state, ours)
        record_stop(state, NOBODY, 3)
        assert (web_process(state), served(web_process(state))) == (ours, ADDRESSES)
        record_stop(state, ours.pid, 4)
        assert web_process(state) == WebProcessRow(ours.pid, ADDRESSES, 2, 4)
        assert served(web_process(state)) == {}
