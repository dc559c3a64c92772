"""How far a replay came, in a file of the user's: the folder of the records is only read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import orjson
import platformdirs

from analysis.period import DAY_NANO, Period
from operations.replaying.wanted import Wanted
from storage.sync import replace_file

_FORMAT = 1
_DIGEST_BYTES = 16


@dataclass(slots=True)
class Journal:
    """`positions` are the bytes dealt with, by stream and segment; `sent` the records, by signal."""

    path: Path
    period: Period
    saved_unix_nano: int = 0
    shift_nano: int | None = None
    """None until the first record is known; 0 where times are kept."""
    positions: dict[str, dict[str, int]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)

    def advance(self, stream: str, ends: Mapping[str, int]) -> int:
        """The bytes that were not dealt with before."""
        known = self.positions.setdefault(stream, {})
        gained = sum(end - known.get(segment, 0) for segment, end in ends.items())
        known.update(ends)
        return gained

    def save(self, now_unix_nano: int) -> None:
        """In one step; raise OSError."""
        self.saved_unix_nano = now_unix_nano
        content = {name: value for name, value in asdict(self).items() if name != "path"}
        replace_file(self.path, orjson.dumps({"format": _FORMAT, **content}))

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def journal_path(wanted: Wanted) -> Path:
    """The same for the same command; raise click.ClickException when its folder can't be made."""
    own = os.environ.get("FORECOURT_STATE_DIR")
    folder = Path(own or platformdirs.user_state_dir("forecourt", appauthor=False)) / "replay"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(
            f"{folder}: {error.strerror}. How far a replay came is kept there; FORECOURT_STATE_DIR names another place"
        ) from error
    asked = orjson.dumps(wanted.identity, option=orjson.OPT_SORT_KEYS)
    return folder / f"{hashlib.blake2b(asked, digest_size=_DIGEST_BYTES).hexdigest()}.json"


def unfinished(path: Path, *, moves: bool, now_unix_nano: int) -> Journal | None:
    """What an earlier run left; None without one, or with `moves` when it is a day old. Raise OSError."""
    try:
        journal = _read(path, orjson.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    is_old = now_unix_nano - journal.saved_unix_nano >= DAY_NANO
    return None if moves and is_old else journal


def _read(path: Path, content: Any) -> Journal:
    if content["format"] != _FORMAT:
        raise ValueError(content["format"])
    start, end = int(content["period"]["start_unix_nano"]), int(content["period"]["end_unix_nano"])
    shift = content["shift_nano"]
    return Journal(
        path,
        Period(start, end),
        int(content["saved_unix_nano"]),
        None if shift is None else int(shift),
        {
            str(stream): {str(name): int(size) for name, size in segments.items()}
            for stream, segments in content["positions"].items()
        },
        {str(signal): int(records) for signal, records in content["sent"].items()},
    )
