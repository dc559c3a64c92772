"""All that is told to whoever scrapes, of one moment."""

from __future__ import annotations

import math
import threading
from importlib import metadata

from analysis.published import published
from dashboard.exposition.alerts import alerting
from dashboard.exposition.counting import Counting
from dashboard.exposition.exemplars import Exemplars
from dashboard.exposition.families import BUILD, FAMILIES, REQUEST_ERRORS, REQUESTS, UP, Family
from dashboard.exposition.labels import label_text
from dashboard.exposition.openmetrics import Lines
from dashboard.exposition.rules import configured, measured
from dashboard.site import Site


class Exposition:
    """Of a folder; nothing is read or kept before somebody asks."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._counting = Counting(site.folder)
        self._exemplars = Exemplars(site.folder)
        self._lock = threading.Lock()
        self._version = metadata.version("forecourt")

    def content(self, *, openmetrics: bool) -> bytes:
        """From any thread, one at a time; raise OSError."""
        with self._lock:
            now = self._site.clock()
            self._counting.look(now)
            if openmetrics:
                self._exemplars.look(self._counting.distributions[REQUESTS.name].values)
            values = self._values(now)
            lines = Lines(openmetrics=openmetrics)
            for family in FAMILIES:
                exemplars = self._exemplars.failures if family is REQUEST_ERRORS else None
                if not self._counting.show(family, lines, now, exemplars):
                    lines.gauge(family, values.get(family, {}))
            return lines.content()

    def _values(self, now_unix_nano: int) -> dict[Family, dict[str, float]]:
        """Of all gauges, by their labels."""
        judged = published(self._site.folder, now_unix_nano)
        found: dict[Family, dict[str, float]] = {
            BUILD: {label_text((("version", self._version),)): 1},
            UP: {"": int(not judged.problem)},
        }
        told = (*configured(self._site), *measured(judged.evaluations), *alerting(self._site, now_unix_nano))
        for family, labels, value in told:
            if isinstance(value, int | float) and not math.isnan(value):
                found.setdefault(family, {})[labels] = value
        return found
