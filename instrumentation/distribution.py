"""Clashes with other distributions: two that ship one folder name overwrite each other, and pip says nothing."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackagePath, distributions
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Literal

Kind = Literal["shared", "overwritten", "missing"]


@dataclass(frozen=True, slots=True)
class Clash:
    """One top-level package of ours that is not, or will not stay, as it was installed."""

    kind: Kind
    """`shared`: another distribution owns the package too; else a file of ours has other content or is gone."""
    distribution: str
    package: str
    path: Path
    """The first of the files in question; the package itself where the other lists no files."""
    files: int
    other: str = ""
    """The other distribution; empty where none lists the file."""
    version: str = ""

    def __str__(self) -> str:
        more = f" and {self.files - 1} more" if self.files > 1 else ""
        other = f"{self.other} {self.version}".strip()
        if self.kind == "shared":
            return (
                f"{self.package}: {other} installs a package of the same name ({self.path}{more}), and whichever is"
                f" installed last overwrites the other; give {self.distribution} and {self.other} a virtual"
                " environment each"
            )
        change = "is gone" if self.kind == "missing" else "is not the file that was installed"
        owner = f", {other} owns it too" if other else ""
        first = f"uninstall {self.other}, then " if other else ""
        return (
            f"{self.package}: {self.path}{more} {change}{owner}; {first}run"
            f" `pip install --force-reinstall --no-deps {self.distribution}`"
        )


def clashes(distribution: str = "forecourt", *, path: Sequence[str] | None = None) -> list[Clash]:
    """What other installed distributions do to the packages of this one; empty also if it is not installed.

    `path` is where to look for distributions, `sys.path` by default.
    """
    installed = [(_name(found), found) for found in distributions(path=list(sys.path if path is None else path))]
    named = [found for name, found in installed if name == _normalized(distribution)]
    # A build leaves an egg-info folder in a checkout; what pip installed has a RECORD.
    own = next((found for found in named if found.read_text("RECORD")), named[0] if named else None)
    if own is None:
        return []
    packages = _packages(own)
    others = [other for name, other in installed if name not in {"", _normalized(distribution)}]
    claims = list(_claims(others, packages))
    return sorted(
        {*_shared(own, claims), *_changed(own, packages, claims)},
        key=lambda clash: (clash.package, clash.kind, clash.other),
    )


@dataclass(frozen=True, slots=True)
class _Claim:
    """A file that another distribution installed below one of our packages."""

    package: str
    other: str
    version: str
    path: Path


def _claims(others: Iterable[Distribution], packages: frozenset[str]) -> Iterator[_Claim]:
    for other in others:
        files = list(_recorded(other, packages))
        # An editable install lists no files of its packages, and old formats have no RECORD.
        for name in files or [PurePosixPath(package) for package in sorted(packages & _declared(other))]:
            path = Path(str(other.locate_file(str(name))))
            yield _Claim(name.parts[0], other.metadata["Name"], other.version, path)


def _recorded(other: Distribution, packages: frozenset[str]) -> Iterator[PurePosixPath]:
    # Read as text: to make a path object of every file of every distribution takes a second in a full environment.
    starts = tuple(f"{quote}{package}/" for package in packages for quote in ("", '"'))
    lines = [line for line in (other.read_text("RECORD") or "").splitlines() if line.startswith(starts)]
    paths = (PurePosixPath(row[0]) for row in csv.reader(lines))
    return (path for path in paths if path.suffix != ".pyc")


def _declared(distribution: Distribution) -> frozenset[str]:
    return frozenset((distribution.read_text("top_level.txt") or "").split())


def _packages(own: Distribution) -> frozenset[str]:
    recorded = {
        file.parts[0]
        for file in own.files or []
        if len(file.parts) > 1 and file.suffix == ".py" and file.parts[0].isidentifier()
    }
    return frozenset(recorded) or _declared(own)


def _shared(own: Distribution, claims: Iterable[_Claim]) -> Iterator[Clash]:
    ordered = sorted(set(claims), key=lambda claim: (claim.package, claim.other, claim.version, claim.path))
    for (package, other, version), group in groupby(ordered, lambda claim: (claim.package, claim.other, claim.version)):
        paths = [claim.path for claim in group]
        yield Clash("shared", own.metadata["Name"], package, paths[0], len(paths), other, version)


def _changed(own: Distribution, packages: frozenset[str], claims: Iterable[_Claim]) -> Iterator[Clash]:
    owners = {claim.path: (claim.other, claim.version) for claim in claims}
    found: dict[tuple[Kind, str, tuple[str, str]], list[Path]] = {}
    for file in own.files or []:
        if file.parts[0] in packages and (kind := _change(file)):
            path = Path(str(file.locate()))
            found.setdefault((kind, file.parts[0], owners.get(path, ("", ""))), []).append(path)
    for (kind, package, owner), paths in found.items():
        yield Clash(kind, own.metadata["Name"], package, min(paths), len(paths), *owner)


def _change(file: PackagePath) -> Kind | None:
    if file.hash is None:  # compiled files have none
        return None
    try:
        content = Path(str(file.locate())).read_bytes()
    except OSError:
        return "missing"
    digest = hashlib.new(file.hash.mode, content, usedforsecurity=False).digest()
    return None if base64.urlsafe_b64encode(digest).decode().rstrip("=") == file.hash.value else "overwritten"


def _name(distribution: Distribution) -> str:
    # Half-removed distributions have no name.
    return _normalized(distribution.metadata["Name"]) if "Name" in distribution.metadata else ""


def _normalized(name: str) -> str:
    """As the packaging specification on name normalization has it."""
    return re.sub(r"[-_.]+", "-", name).lower()
