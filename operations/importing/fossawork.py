"""The FossaWork backend's own log files: `2025-01-13 10:30:00,123 | INFO | logger | message`.

Between logger and message there may be `function:line`; lines without a time belong to the message before them, as a
traceback does. What the messages mean is known to the judge (`processors/events.py`), as of live ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import tzinfo

from operations.importing.entry import Entry, NotUnderstoodError, parse_time

_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?\S*)\s*\|\s*(?P<level>[A-Za-z]+)\s*\|\s*"
    r"(?P<logger>[^|]*?)\s*\|\s?(?:(?P<place>[\w<>.]+:\d+)\s*\|\s?)?(?P<message>.*)",
    re.DOTALL,
)
_EXCEPTION = re.compile(
    r"^(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\w*): ?(?P<message>.*)", re.MULTILINE
)


class FossaWork:
    """Messages of several lines come as one text."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    @staticmethod
    def begins(line: str) -> bool:
        """Whether a message begins here."""
        return _LINE.match(line) is not None

    def entries(self, text: str) -> Iterator[Entry]:
        """Raise NotUnderstoodError."""
        found = _LINE.fullmatch(text)
        if found is None:
            raise NotUnderstoodError("expected `2025-01-13 10:30:00,123 | INFO | logger | message`")
        attributes = {"code.function.name": found["place"]} if found["place"] else {}
        body, _, rest = found["message"].partition("\n")
        if rest:
            attributes["exception.stacktrace"] = rest
            raised = list(_EXCEPTION.finditer(rest))
            if raised:
                attributes |= {"exception.type": raised[-1]["type"], "exception.message": raised[-1]["message"]}
        yield Entry(parse_time(found["time"], self._zone), body, found["level"], found["logger"], "", attributes)
