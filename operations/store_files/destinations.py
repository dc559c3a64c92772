"""Where exported files go: beside their place as NAME.XXXXXXXX.part until all of them are whole."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from storage.sync import sync_file, sync_folder

STANDARD_OUTPUT = "-"
_TERMINATED = 143
"""As shells tell it: 128 and the signal's number."""
_SUFFIXES = frozenset({".jsonl", ".json", ".csv", ".parquet", ".gz"})
_ALSO = {".jsonl": (".json",), ".jsonl.gz": (".json.gz",)}
"""What else a file may end in; readers choose by it how they read."""


@dataclass(frozen=True, slots=True)
class Destination:
    """`part` is written, and no other export writes it; `path` is what it becomes."""

    stream: str
    path: Path
    part: Path
    may_replace: bool


def destinations(output: str, streams: Sequence[str], suffix: str, *, overwrite: bool) -> list[Destination]:
    """One file for each stream in a folder, or the one file; raise click.UsageError for what can't be."""
    path = Path(output)
    is_folder = path.is_dir() or output.endswith(("/", os.sep)) or path.suffix not in _SUFFIXES
    if not is_folder and len(streams) > 1:
        raise click.UsageError(
            f"{output} is one file, and there are {', '.join(streams)}: name a folder, or one of them with --stream"
        )
    if not is_folder and not path.name.endswith((suffix, *_ALSO.get(suffix, ()))):
        meant = f"let it end in {suffix}{_gzip_hint(path, suffix)}"
        raise click.UsageError(f"{output} would hold {suffix}, which its name does not say: {meant}")
    if is_folder and path.exists() and not path.is_dir():
        raise click.UsageError(f"{output} is a file. Name a folder, or a file that ends in {suffix}")
    found = [
        _destination(stream, path / f"{stream}{suffix}" if is_folder else path, overwrite=overwrite)
        for stream in streams
    ]
    taken = _taken(found)
    if taken:
        raise click.UsageError(f"{', '.join(taken)}: exists already. Name another place, or say --overwrite")
    return found


def _destination(stream: str, path: Path, *, overwrite: bool) -> Destination:
    return Destination(stream, path, path.with_name(f"{path.name}.{secrets.token_hex(4)}.part"), overwrite)


def _taken(found: Sequence[Destination]) -> list[str]:
    return [str(one.path) for one in found if not one.may_replace and (one.path.exists() or one.path.is_symlink())]


def _gzip_hint(path: Path, suffix: str) -> str:
    """Where only --gzip is too much or too little."""
    if path.name.endswith(f"{suffix}.gz"):
        return ", or say --gzip"
    return ", or leave --gzip out" if suffix == f"{path.suffix}.gz" else ""


@contextmanager
def all_or_none(written: Sequence[Destination]) -> Iterator[None]:
    """Give all files their names when the block has written their parts; leave nothing of them when it fails.

    SIGTERM, as `timeout` sends it, fails it too.
    """
    folder = written[0].path.parent
    is_new = not folder.exists()
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
        _name(written)
        sync_folder(folder)
    except BaseException:
        for one in written:
            with suppress(OSError):
                one.part.unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _name(written: Sequence[Destination]) -> None:
    for one in written:
        _sync(one.part)
    if taken := _taken(written):
        raise click.ClickException(f"{', '.join(taken)}: was made by another meanwhile, so nothing was written")
    for one in written:
        one.part.replace(one.path)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        sync_file(file.fileno())
