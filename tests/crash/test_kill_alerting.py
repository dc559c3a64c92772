"""The whole sidecar is killed when a channel has taken an alert: nobody misses it, at most one hears it twice."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.test_kill_judging import _requests
from tests.support.notifications import Answer, Asked, answering
from tests.support.notifying import wait
from tests.support.otlp import PROTOBUF
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.untraced

RULE = {
    "indicator": "spans",
    "statistic": "count",
    "window": "24h",
    "bands": [{"level": "critical", "when": "> 1", "severity": "critical"}],
}


def _send(sidecar: Sidecar, number: int) -> None:
    connection = sidecar.connect()
    connection.request("POST", "/v1/traces", _requests(number, late=False), PROTOBUF)
    assert connection.getresponse().status == 200
    connection.close()


def test_an_alert_is_told_and_at_most_one_is_doubled(tmp_path: Path) -> None:
    """Over a kill within the tick, before judging has saved it; and each decision is in the stream once."""
    taken: list[str] = []

    def answer(asked: Asked) -> Answer:
        taken.extend(one["labels"]["alertname"] for one in asked.json["alerts"])
        if len(taken) == 1:
            sidecar.process.kill()
        return 200, {}, b"ok"

    with answering(answer) as url:
        rules = {"rules": {"many": RULE, "more": {**RULE, "by": ["http.route"]}}}
        alerting = {
            "receivers": {"hook": {"webhook": {"url": url}}},
            "routes": {"all": {"receivers": ["hook"], "group_wait": "0s"}},
        }
        sidecar = Sidecar(tmp_path, {"processors": {"thresholds": rules}, "alerting": alerting})
        sidecar.start()
        _send(sidecar, 1)
        wait(lambda: taken, 30)
        sidecar.wait()
        sidecar.start()
        _send(sidecar, 2)
        wait(lambda: {"many", "more"} <= set(taken), 60)
        time.sleep(12)  # another tick, at which nothing may come again
        sidecar.stop()
    counts = Counter(taken)
    assert counts.keys() == {"many", "more"}
    assert sorted(counts.values()) in ([1, 1], [1, 2])
    entries = [record["journal"] for record in sidecar.records("alerts") if "journal" in record]
    assert len(entries) == len(set(entries))
    told = [record for record in sidecar.records("alerts") if record.get("decision") == "notified"]
    assert sorted(record["rule"] for record in told) == ["many", "more"]
