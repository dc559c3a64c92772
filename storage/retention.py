"""What becomes of closed segments: compressed, archived, deleted; what is planned is said before it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from storage.holding import Held
from storage.inventory import Piece
from storage.names import SegmentName, hour_of

_NANO = 1_000_000_000
GRACE_NANO = 60 * _NANO
"""How long a file lies there still after another took its place, for readers that have it in their lists."""

NOTHING_HELD = Held()

Act = Literal["compress", "archive", "delete", "remove"]
"""`remove` takes away what is there in another form; `delete` takes away the last of it."""


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds after the end of a segment's hour."""

    compress_after: float = 7 * 86400.0
    archive_after: float = 30 * 86400.0
    delete_after: float = 90 * 86400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """`streams` have ages of their own."""

    archive: Path
    ages: Ages = Ages()
    streams: Mapping[str, Ages] = field(default_factory=dict)
    plain_limit_bytes: int = 5 * 2**30
    floor_bytes: int = 2 * 2**30

    def of(self, stream: str) -> Ages:
        return self.streams.get(stream, self.ages)


@dataclass(frozen=True, slots=True)
class Step:
    act: Act
    piece: Piece
    reason: str


def plan(
    pieces: Iterable[Piece],
    policy: Policy,
    now_unix_nano: int,
    closed: Callable[[Piece], bool],
    held: Held = NOTHING_HELD,
) -> list[Step]:
    """By age and by the limit of plain bytes, oldest first; `closed` says which plain segments nobody writes.

    What is `held` for exporters is neither archived nor deleted.
    """
    by_segment: dict[tuple[str, SegmentName], list[Piece]] = {}
    for piece in pieces:
        by_segment.setdefault(piece.segment, []).append(piece)
    steps: list[Step] = []
    kept_plain: list[Piece] = []
    for group in by_segment.values():
        planned = list(_of_segment(group, policy, now_unix_nano, closed, held))
        steps += planned
        done = {step.piece.path for step in planned}
        if len(group) == 1 and not group[0].name.compressed and group[0].path not in done:
            kept_plain.append(group[0])
    return [*steps, *_beyond_limit(kept_plain, policy, now_unix_nano, closed)]


def _of_segment(
    group: list[Piece], policy: Policy, now: int, closed: Callable[[Piece], bool], held: Held
) -> Iterator[Step]:
    ages = policy.of(group[0].stream)
    age = (now - group[0].ends_unix_nano) / _NANO
    if age > ages.delete_after and not held.lives(group[0]):
        yield from (
            Step("delete", piece, f"older than {_days(ages.delete_after)}{_unsent(piece, held)}")
            for piece in group
            if piece.name.compressed or closed(piece)
        )
        return
    last = group[-1] if group[-1].archived else max(group, key=lambda one: one.name.compressed)
    for piece in group:
        if piece is not last and now - last.modified_unix_nano >= GRACE_NANO:
            yield Step("remove", piece, f"it is there {'in the archive' if last.archived else 'compressed'}")
    if len(group) > 1:
        return
    if not last.name.compressed:
        if age > ages.compress_after and closed(last):
            yield Step("compress", last, f"older than {_days(ages.compress_after)}")
    elif not last.archived and age > ages.archive_after and not held.stays(last):
        yield Step("archive", last, f"older than {_days(ages.archive_after)}")


def _beyond_limit(plain: list[Piece], policy: Policy, now: int, closed: Callable[[Piece], bool]) -> Iterator[Step]:
    size = sum(piece.bytes for piece in plain)
    for piece in plain:
        if size <= policy.plain_limit_bytes:
            return
        if closed(piece) and piece.name.hour != hour_of(now):
            size -= piece.bytes
            yield Step("compress", piece, "plain segments exceed plain_limit")


def next_for_room(
    pieces: Iterable[Piece],
    now_unix_nano: int,
    closed: Callable[[Piece], bool],
    free_bytes: int,
    held: Held = NOTHING_HELD,
) -> Step | None:
    """What to give up next where the disk is below its floor: compress what is plain, else delete the oldest.

    What has no room to be compressed is deleted like the rest; what is `held` for exporters goes last.
    """
    known = list(pieces)
    compressed = {piece.segment for piece in known if piece.name.compressed}
    usable = [one for one in known if one.name.compressed or (closed(one) and one.name.hour != hour_of(now_unix_nano))]
    reason = "free disk is below the floor"
    for piece in usable:
        if not piece.name.compressed and piece.segment in compressed:
            return Step("remove", piece, reason)
        if not piece.name.compressed and piece.bytes < free_bytes:
            return Step("compress", piece, reason)
    oldest = next((piece for piece in usable if not held.lives(piece)), usable[0] if usable else None)
    return Step("delete", oldest, reason + _unsent(oldest, held)) if oldest is not None else None


def _unsent(piece: Piece, held: Held) -> str:
    return ", though an exporter has not sent all of it" if held.stays(piece) else ""


def _days(seconds: float) -> str:
    days = seconds / 86400
    return f"{days:g} day{'' if days == 1 else 's'}" if days >= 1 else f"{seconds:g} s"
