"""Retention carried out on a folder, by whoever owns it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from storage.compression import SpoiltError, StoppedError, compress, move, packs, remove, same_bytes
from storage.holding import Held
from storage.inventory import Piece, inventory
from storage.manifest import DAMAGED, Manifest
from storage.names import OWN_FOLDER, SegmentName, hour_of
from storage.retention import NOTHING_HELD, Policy, Step, next_for_room, plan
from storage.state import State

_log = logging.getLogger(__name__)

_NOTHING_LEFT = "free disk is below the floor, and there is nothing left to give up"

Judged = Mapping[str, Mapping[str, int]]
"""By stream that is judged, how many bytes of each segment have been."""


@dataclass(slots=True)
class Done:
    """What a run did, or would do."""

    steps: list[Step] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    """Of what was removed and deleted, less what was written."""


class Upkeep:
    """Never touches a segment that is open, nor one that judging has not read to its end."""

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        manifest: Manifest,
        *,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        disk_of: Callable[[Path], int] = lambda folder: folder.stat().st_dev,
    ) -> None:
        self._folder = folder
        self._policy = policy
        self._manifest = manifest
        self._free_bytes = free_bytes
        self._disk_of = disk_of
        self._scratch = folder / OWN_FOLDER / "compressing"

    def run(
        self,
        now_unix_nano: int,
        judged: Judged,
        *,
        held: Held = NOTHING_HELD,
        dry_run: bool = False,
        on_step: Callable[[Step], None] = lambda _step: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Done:
        """One pass; what fails is told and left as it was. Raise OSError when the folder can't be read."""
        done = Done()
        closed = self._closed(now_unix_nano, judged)
        steps = plan(inventory(self._folder, self._policy.archive), self._policy, now_unix_nano, closed, held)
        if dry_run:
            done.steps = [*steps, *self._expected_for_room(steps, now_unix_nano, closed, held, done)]
            return done
        self._clear_scratch()
        try:
            for step in steps:
                if stopped():
                    return done
                on_step(step)
                self._carry_out(step, done, stopped)
            for step in self._for_room(now_unix_nano, closed, held, done, stopped):
                on_step(step)
                self._carry_out(step, done, stopped)
        except StoppedError:
            _log.info("retention was stopped; the next run goes on")
        finally:
            self._save_manifest(done)
        return done

    def prune(
        self,
        streams: Collection[str],
        before_unix_nano: int,
        now_unix_nano: int,
        judged: Judged,
        *,
        dry_run: bool,
        on_step: Callable[[Step], None] = lambda _step: None,
    ) -> Done:
        """Delete the closed segments of these streams whose hour was over before then, in whatever form."""
        done = Done()
        closed = self._closed(now_unix_nano, judged)
        for piece in inventory(self._folder, self._policy.archive):
            old = piece.stream in streams and piece.ends_unix_nano <= before_unix_nano
            if old and (piece.name.compressed or closed(piece)):
                step = Step("delete", piece, "asked for")
                if dry_run:
                    done.steps.append(step)
                else:
                    on_step(step)
                    self._carry_out(step, done)
        self._save_manifest(done)
        return done

    def _closed(self, now: int, judged: Judged) -> Callable[[Piece], bool]:
        """Closed segments stand in the manifest."""
        current = hour_of(now)

        def closed(piece: Piece) -> bool:
            if piece.name.hour == current or self._manifest.get(piece.path) is None:
                return False
            positions = judged.get(piece.stream)
            return positions is None or positions.get(str(piece.segment[1]), 0) >= piece.bytes

        return closed

    def _for_room(
        self, now: int, closed: Callable[[Piece], bool], held: Held, done: Done, stopped: Callable[[], bool]
    ) -> Iterator[Step]:
        """As much as lacks now: file systems tell late, or never while a reader has a file open, what was freed."""
        lacking = self._policy.floor_bytes - self._free_bytes(self._folder)
        target = done.freed_bytes + lacking
        while done.freed_bytes < target and not stopped():
            left = [piece for piece in inventory(self._folder, self._archive_beside()) if not _failed(piece, done)]
            step = next_for_room(left, now, closed, self._free_bytes(self._folder), held)
            if step is None:
                done.failures.append(_NOTHING_LEFT)
                return
            if step.act == "delete":
                _log.warning("%s is deleted before its time: %s", step.piece.path, step.reason)
            yield step

    def _expected_for_room(
        self, steps: Sequence[Step], now: int, closed: Callable[[Piece], bool], held: Held, done: Done
    ) -> Iterator[Step]:
        """What would be given up for free disk after the other steps, as far as it can be foreseen.

        What is compressed is taken for a tenth of its size, and goes only when that was not enough.
        """
        sizes = {"compress": 0.9, "archive": 0.0, "delete": 1.0, "remove": 1.0}
        gone = {step.piece.path for step in steps if step.act in {"delete", "remove"}}
        free = self._free_bytes(self._folder)
        lacking = self._policy.floor_bytes - free - sum(sizes[step.act] * step.piece.bytes for step in steps)
        left = [piece for piece in inventory(self._folder, self._archive_beside()) if piece.path not in gone]
        while lacking > 0:
            step = next_for_room(left, now, closed, free, held)
            if step is None:
                done.failures.append(_NOTHING_LEFT)
                return
            lacking -= sizes[step.act] * step.piece.bytes
            left = [piece for piece in left if piece is not step.piece]
            if step.act == "compress":
                left.append(_packed(step.piece))
                left.sort(key=lambda one: (one.name.hour, one.stream))
            yield step

    def _archive_beside(self) -> Path | None:
        """None when it is on another disk: deleting there makes no room here."""
        archive = self._policy.archive
        return archive if archive.is_dir() and self._disk_of(archive) == self._disk_of(self._folder) else None

    def _save_manifest(self, done: Done) -> None:
        """What was deleted is no more in it; a stale entry does no harm."""
        if any(step.act == "delete" for step in done.steps):
            try:
                self._manifest.save()
            except OSError as error:
                _log.warning("The manifest could not be saved (%s); it is rebuilt at the next start", error)

    def _carry_out(self, step: Step, done: Done, stopped: Callable[[], bool] = lambda: False) -> None:
        try:
            done.freed_bytes += self._do(step, stopped)
        except (SpoiltError, *DAMAGED) as error:
            done.failures.append(f"{step.piece.path}: {error}")
            _log.warning("%s could not be done: %s: %s", step.act, step.piece.path, error)
        else:
            done.steps.append(step)

    def _do(self, step: Step, stopped: Callable[[], bool]) -> int:
        piece = step.piece
        if step.act == "compress":
            target = piece.path.with_name(f"{piece.path.name}.gz")
            self._scratch.mkdir(parents=True, exist_ok=True)
            return -compress(piece.path, target, self._scratch, stopped)
        if step.act == "archive":
            target = self._policy.archive / piece.stream / piece.path.name
            move(piece.path, target, self._policy.archive / OWN_FOLDER)
            return 0
        if step.act == "remove":
            self._other_form_is_whole(piece)
        remove(piece.path)
        if step.act == "delete":
            self._manifest.discard(piece.path)
        return piece.bytes

    def _other_form_is_whole(self, piece: Piece) -> None:
        """Raise SpoiltError when what would be left is not all of it."""
        packed = SegmentName(piece.name.hour, piece.name.writer, piece.name.number, compressed=True)
        here = piece.path.with_name(str(packed))
        left = self._policy.archive / piece.stream / str(packed) if piece.name.compressed or not here.exists() else here
        whole = same_bytes(left, piece.path) if piece.name.compressed else packs(left, piece.path)
        if left.samefile(piece.path):
            raise SpoiltError(f"{left} is this very file; point exporters.jsonl.retention.archive elsewhere")
        if not whole:
            raise SpoiltError(f"{left} is not the same; move one of the two away")

    def _clear_scratch(self) -> None:
        """What a crash has left half made."""
        for folder in (self._scratch, self._policy.archive / OWN_FOLDER):
            for left in folder.glob("*.new"):
                left.unlink(missing_ok=True)


def _packed(piece: Piece) -> Piece:
    """What compressing makes of it, about."""
    name = replace(piece.name, compressed=True)
    return replace(piece, name=name, path=piece.path.with_name(str(name)), bytes=piece.bytes // 10)


def _failed(piece: Piece, done: Done) -> bool:
    return any(failure.startswith(f"{piece.path}: ") for failure in done.failures)


def judged_bytes(state: State) -> Judged:
    """As of the last checkpoint; nothing where nobody has judged yet."""
    checkpoint = state.checkpoint()
    return {} if checkpoint is None else checkpoint.segment_bytes
