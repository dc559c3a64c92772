from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest

from collector.decoding import Decoder, DecodingLimits
from operations.backtest import Backtest
from operations.period import OpenPeriod
from processors.default_rules import DEFAULT_RULES
from processors.evaluation import Transition
from processors.judgement import TICK_NANO, Judgement
from processors.observation import observe
from processors.settings import ThresholdSettings
from storage.reader import read, unread
from tests.conftest import SHARED_DATA

CLEAN = SHARED_DATA / "otlp" / "clean"
STREAMS = ("traces", "logs", "metrics")
OWN = {
    "spans": {"indicator": "spans", "statistic": "count"},
    "slow span": {"indicator": "span.duration", "statistic": "max", "by": ["span.name"]},
    "logs": {"indicator": "logs", "statistic": "ratio", "by": ["scope.name"]},
    "memory": {"metric": "process.memory.usage", "statistic": "last"},
    "collections": {"metric": "cpython.gc.collections", "statistic": "sum"},
    "durations": {"metric": "http.server.request.duration", "statistic": "p95", "by": ["http.route"]},
    "hits": {"indicator": "events", "where": ['event.name =~ ".*rate_limit.*"'], "statistic": "count"},
}
BANDS = [{"level": "warning", "when": "> 0.01", "severity": "low"}]

pytestmark = pytest.mark.skipif(not CLEAN.is_dir(), reason="the recordings are not beside this checkout")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded traffic as a sidecar would have stored it."""
    folder = tmp_path_factory.mktemp("logs")
    decoder = Decoder(redactor=None, limits=DecodingLimits())
    projection = Judgement(ThresholdSettings()).projection
    for entry in map(json.loads, (CLEAN / "index.jsonl").read_text().splitlines()):
        received = int(datetime.fromisoformat(entry["received_at"]).timestamp() * 1000) * 1_000_000
        decode = getattr(decoder, f"decode_{entry['signal']}")
        path = folder / entry["signal"] / "2026-11-23T07.jsonl"
        path.parent.mkdir(exist_ok=True)
        body = (CLEAN / entry["file"]).read_bytes()
        for batch in decode(body, projection, encoding="protobuf", received_unix_nano=received):
            with path.open("ab") as file:
                file.write(batch.lines)
    return folder


def _settings(names: Iterable[str]) -> ThresholdSettings:
    every = ThresholdSettings.model_validate({"rules": {name: {**rule, "bands": BANDS} for name, rule in OWN.items()}})
    return every.model_copy(update={"rules": {name: every.rules[name] for name in names}})


def _of_everything(settings: ThresholdSettings, folder: Path, end: int | None = None) -> list[Transition]:
    judgement = Judgement(settings)
    last = 0
    for stored in read(unread(folder, STREAMS, {})):
        last = stored.received_unix_nano
        judgement.advance(last)
        judgement.observe(observe(stored.stream, stored.record, judgement.projection))
    judgement.advance(end or last + 600 * 10**9)
    return judgement.transitions


@pytest.mark.parametrize("rule", [*DEFAULT_RULES, *OWN])
@pytest.mark.untraced
def test_lines_that_no_rule_is_about_make_no_difference(recorded: Path, rule: str) -> None:
    """They are passed over unparsed; what is told is what judging all of them tells."""
    settings = _settings([rule])
    end = (1_795_420_260 + 600) * 10**9
    assert list(Backtest(settings, recorded, OpenPeriod(0, end), now_unix_nano=end).run()) == _of_everything(
        settings, recorded, end
    )


def test_all_rules_together_read_all_and_tell_the_same(recorded: Path) -> None:
    """The default ones."""
    settings = ThresholdSettings()
    told = list(Backtest(settings, recorded, OpenPeriod(0, None), now_unix_nano=2**62).run())
    assert told == _of_everything(settings, recorded)
    assert {one.rule for one in told} >= {"http.server.error_rate", "auth.failed_logins", "service.absent"}


def test_what_has_not_been_yet_is_not_judged(recorded: Path) -> None:
    """A service whose last export was just now is not absent in two minutes' time."""
    now = 1_795_420_270 * 10**9
    told = list(Backtest(ThresholdSettings(), recorded, OpenPeriod(0, None), now_unix_nano=now).run())
    assert "service.absent" not in {one.rule for one in told}
    assert max(one.time_unix_nano for one in told) <= now + TICK_NANO
