"""The baselines that commands have put into the state database, for the judge."""

from __future__ import annotations

import logging

import orjson

from processors.baselines.baseline import Baseline, BaselineError
from processors.baselines.judging import BaselineJudging
from storage import State, StateError, baseline_rows

_log = logging.getLogger(__name__)


class StoredBaselines:
    """Notices when one is made, made anew or deleted."""

    def __init__(self) -> None:
        self._versions: dict[str, int] | None = None

    def tell(self, judging: BaselineJudging, state: State) -> None:
        """What there is now, if that has changed; what can't be read is told once and left out."""
        try:
            versions = baseline_rows.versions(state)
            if versions != self._versions:
                judging.use(_all(state))
                self._versions = versions
        except StateError as error:
            _log.warning("baselines are looked at later: %s", error)


def _all(state: State) -> list[Baseline]:
    found = []
    for row in baseline_rows.all_of(state):
        try:
            found.append(Baseline.from_json(orjson.loads(row.content)))
        except (BaselineError, orjson.JSONDecodeError) as error:
            _log.warning("the baseline %s is not judged by: %s", row.name, error)
    return found
