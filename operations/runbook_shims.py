"""Files under the runbook's old names that start the commands, so that a crontab or a habit goes on working."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from operations.runbook import SCRIPTS

_MARK = "written by `forecourt runbook install`"
_PYTHON = """#!/usr/bin/env python3
# {mark}; it starts {command}
import os
import subprocess
import sys

command = {start} + [{name!r}, *sys.argv[1:]]
if os.name == "posix":
    os.execv(command[0], command)
try:
    sys.exit(subprocess.call(command))
except KeyboardInterrupt:  # the command has heard it too
    sys.exit(130)
"""
_SHELL = """#!/bin/sh
# {mark}; it starts {command}
exec {start} {name} "$@"
"""
_WINDOWS = """@echo off
rem {mark}; it starts {command}
{start} {name} %*
"""


class NotOursError(Exception):
    """A file that somebody else wrote stands where one of ours should."""


def install(folder: Path, *, force: bool) -> list[Path]:
    """Write one for each script; raise NotOursError before anything is written, or OSError."""
    start = [sys.executable, "-I", "-m", "operations", "runbook", "run"]
    files = {
        folder / name: content
        for script in SCRIPTS
        for name, content in _files(script.name, " ".join(("forecourt", *script.command)), start).items()
    }
    foreign = [path for path in files if path.exists() and not _is_ours(path)]
    if foreign and not force:
        names = ", ".join(path.name for path in foreign[:3]) + (" …" if len(foreign) > 3 else "")  # noqa: PLR2004  # enough
        raise NotOursError(f"{folder}: {names} was not written by forecourt. Choose another folder, or say --force")
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        path.write_text(content, encoding="utf-8", newline="\r\n" if path.suffix == ".cmd" else "\n")
        path.chmod(0o755)
    return list(files)


def _is_ours(path: Path) -> bool:
    return _MARK in path.read_text(encoding="utf-8", errors="replace")


def _files(name: str, command: str, start: list[str]) -> dict[str, str]:
    if name.endswith(".py"):
        return {name: _PYTHON.format(mark=_MARK, command=command, start=start, name=name)}
    files = {name: _SHELL.format(mark=_MARK, command=command, start=shlex.join(start), name=name)}
    if os.name == "nt":
        quoted = " ".join(f'"{part}"' for part in start)
        files[f"{name.removesuffix('.sh')}.cmd"] = _WINDOWS.format(mark=_MARK, command=command, start=quoted, name=name)
    return files
