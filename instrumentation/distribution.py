"""Whether another distribution has written into our folders: two that own one name overwrite each other."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata

_OURS = "forecourt"


@dataclass(frozen=True, slots=True)
class Clash:
    """A folder that is ours and not only ours, or a file of ours with somebody else's content."""

    package: str
    file: str
    other: str
    """Name and version of the other distribution; empty when it can't be told."""

    def __str__(self) -> str:
        if self.other:
            return (
                f"{self.file}: belongs to {self.other}, which has a folder {self.package} too. "
                "Install the two into separate virtual environments."
            )
        return (
            f"{self.file}: is not as Forecourt installed it; another distribution has probably overwritten it. "
            "Find it with pip list, then: pip install --force-reinstall --no-deps forecourt"
        )


def clashes(path: Sequence[str] | None = None) -> list[Clash]:
    """What the RECORDs of the installed distributions say; `path` is where to look instead of sys.path."""
    installed = list(metadata.distributions() if path is None else metadata.distributions(path=list(path)))
    ours = next((dist for dist in installed if _name(dist) == _OURS), None)
    if ours is None:
        return []
    packages = _packages(ours)
    return [*_intruders(installed, packages), *_overwritten(ours)]


def _name(distribution: metadata.Distribution) -> str:
    return (distribution.metadata["Name"] or "").lower()


def _packages(ours: metadata.Distribution) -> frozenset[str]:
    """Our top-level folders; an editable installation's RECORD lists none of them, top_level.txt does."""
    listed = (ours.read_text("top_level.txt") or "").split()
    recorded = {file.parts[0] for file in ours.files or () if len(file.parts) > 1 and file.suffix == ".py"}
    return frozenset({*listed, *recorded})


def _intruders(installed: Iterable[metadata.Distribution], packages: frozenset[str]) -> list[Clash]:
    found: dict[tuple[str, str], Clash] = {}
    for distribution in installed:
        if _name(distribution) == _OURS:
            continue
        other = f"{distribution.metadata['Name']} {distribution.version}"
        for file in distribution.files or ():
            package = file.parts[0]
            if package in packages and len(file.parts) > 1:
                found.setdefault((other, package), Clash(package, str(file), other))
    return list(found.values())


def _overwritten(ours: metadata.Distribution) -> list[Clash]:
    return [
        Clash(file.parts[0], str(file), "")
        for file in ours.files or ()
        if file.suffix == ".py" and file.hash is not None and file.hash.mode == "sha256" and not _intact(file)
    ]


def _intact(file: metadata.PackagePath) -> bool:
    try:
        digest = hashlib.sha256(file.read_binary()).digest()
    except OSError:
        return False
    recorded = file.hash.value if file.hash else ""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == recorded.rstrip("=")
