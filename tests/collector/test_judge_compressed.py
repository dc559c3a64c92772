"""What was compressed before anybody judged it is judged all the same, and once."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.collector.test_judge import Running, _ids, running, wait


def test_a_compressed_segment_that_nobody_judged_is_judged_to_its_end(tmp_path: Path) -> None:
    """Its size on disk says nothing of its records; another start judges none of them again."""
    found = Running(tmp_path)
    found.store.open()
    for number in range(5):
        found.send(number)
    found.store.close()
    sent = _ids(found.records("traces"))
    (plain,) = (tmp_path / "traces").iterdir()
    plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    for _ in range(2):
        with running(tmp_path) as again:
            wait(lambda: sum(_ids(again.records("performance")).values()) == sum(sent.values()))
        assert _ids(again.records("performance")) == sent
