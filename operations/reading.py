"""Commands that read records: their options, and how their answers are shown."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.period import Period
from operations.busy import busy
from operations.options import config_options, json_instead_of
from operations.period import ALL, definite_period, period_options
from processors.quantities import parse_duration

if TYPE_CHECKING:
    from analysis.bands import Bands
    from analysis.engine import Engine
    from collector.store_settings import StoreSettings
    from operations.configuration import Configuration, Source
    from operations.question_settings import QuestionSettings
    from processors.judging_settings import JudgingSettings
    from processors.settings import ThresholdSettings

_FOLLOW_SECONDS = 1.0
_CENTURY_SECONDS = 100 * 365 * 86400.0
"""Longer than anything has been recorded."""
ARCHIVE = "archive"
"""The folder beside the records where old segments go, unless it is configured."""
_FOLLOW = click.option("--follow", "-f", is_flag=True, help="Go on as records arrive, until Ctrl-C.")


@dataclass(frozen=True, slots=True)
class Following:
    """What `--follow` prints as it arrives: a line for each record of `streams` that has one."""

    streams: tuple[str, ...]
    line: Callable[[Mapping[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` is what `--json` prints; `show` prints it for people; `code` is the exit code."""

    content: Any
    show: Callable[[], None]
    code: int = 0
    following: Following | None = None


class Reading:
    """What a question is asked of: a folder, a time, and, loaded when it is looked at, the configuration."""

    def __init__(self, period: Period, config: Path | None, logs: Path | None) -> None:
        self.period = period
        self.now_unix_nano = time.time_ns()
        self.config = config
        self._logs = logs

    @cached_property
    def source(self) -> Source:
        from operations.configuration import load  # noqa: PLC0415  # half a second
        from operations.settings_file import ConfigurationError  # noqa: PLC0415  # half a second

        try:
            return load(self.config)
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from error

    @cached_property
    def bands(self) -> Bands:
        from analysis.bands import Bands  # noqa: PLC0415  # with the configuration

        return Bands(self.thresholds)

    @cached_property
    def _part(self) -> QuestionSettings:
        from operations.question_settings import load_part  # noqa: PLC0415  # a tenth of a second
        from operations.settings_file import ConfigurationError  # noqa: PLC0415  # as above

        try:
            return load_part(self.config)
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from error

    @property
    def thresholds(self) -> ThresholdSettings:
        return self._part.judging.thresholds

    @property
    def judging(self) -> JudgingSettings:
        return self._part.judging

    @property
    def store(self) -> StoreSettings:
        return self._part.store

    @property
    def configuration(self) -> Configuration:
        """The whole of it."""
        return self.source.configuration

    @property
    def chosen_folder(self) -> Path:
        """Be there one or not."""
        return self._logs or self.store.path

    @property
    def folder(self) -> Path:
        """Raise click.UsageError when there is none."""
        folder = self.chosen_folder
        if not folder.is_dir():
            raise click.UsageError(
                f"{folder}: no such folder. Name the one with the records (--logs DIR), or start a sidecar: "
                "forecourt collector"
            )
        return folder

    @cached_property
    def engine(self) -> Engine:
        return self.engine_for(None)

    @property
    def unread(self) -> Mapping[str, str]:
        """Segments that were left out of what has been asked, and why."""
        return self.engine.unread if "engine" in self.__dict__ else {}

    def engine_for(self, target: Path | None) -> Engine:
        """One that may write that file, if any."""
        from analysis.engine import Engine  # noqa: PLC0415  # a tenth of a second

        folder = self.folder
        # Where nothing else is asked of a configuration, none is loaded.
        unasked = self._logs is not None and self.config is None
        archive = _beside(folder) if unasked else archive_of(folder, self.store)
        return Engine(folder, archive if archive.is_dir() else None, target=target)


def archive_of(folder: Path, configured: StoreSettings) -> Path:
    """Where its old segments go: as it is configured, and beside a folder that the configuration does not name."""
    return configured.retention.archive if folder.resolve() == configured.path.resolve() else _beside(folder)


def _beside(folder: Path) -> Path:
    """Wherever it really lies: `.` and links have other parents."""
    return folder.resolve().parent / ARCHIVE


def reading_options(default: str, *, follow: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds `--last`, `--from`, `--to`, `--json`, `--config`, `--logs` (and `--follow`); see `answer`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def called(**given: Any) -> Any:
            given["default"] = _CENTURY_SECONDS if default == ALL else parse_duration(default)
            return command(**given)

        wrapped = period_options(json_instead_of("tables")(config_options(called)), default)
        return _FOLLOW(wrapped) if follow else wrapped

    return decorate


def with_output(given: dict[str, Any]) -> dict[str, Any]:
    """`--json` with `--output` is `--format json` into that file."""
    if given["as_json"] and given["output"] is not None:
        return {**given, "as_json": False, "form": "json"}
    return given


def answer(name: str, given: dict[str, Any]) -> None:
    """Call `operations.answers.MODULE:FUNCTION(reading, **own options)` and print what it gives."""
    period = definite_period(given.pop("last"), given.pop("since"), given.pop("until"), given.pop("default"))
    reading = Reading(period, given.pop("config"), given.pop("logs"))
    as_json, follow = given.pop("as_json"), given.pop("follow", False)
    module, _, function = name.partition(":")
    ask: Callable[..., Answer] = getattr(importlib.import_module(f"operations.answers.{module}"), function)
    with told_faults(), suppress(*((KeyboardInterrupt,) if follow else ())):
        with busy("Asking the records"):
            answered = ask(reading, **given)
        show(answered, as_json=as_json)
        tell_unread(reading)
        if follow and answered.following is not None:
            _go_on(reading.folder, answered.following, as_json=as_json)
    if answered.code:
        sys.exit(answered.code)


@contextmanager
def told_faults() -> Iterator[None]:
    """What can't be read or written, as one line of click's."""
    from analysis.engine import QueryError  # noqa: PLC0415  # a tenth of a second
    from storage import StateError, StoreFormatError  # noqa: PLC0415  # as above

    try:
        yield
    except BrokenPipeError:  # who reads has seen enough; click knows
        raise
    except (QueryError, StoreFormatError, StateError, OSError) as error:
        raise click.ClickException(str(error)) from error


def show(answered: Answer, *, as_json: bool) -> None:
    if as_json:
        import orjson  # noqa: PLC0415  # only here

        options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
        click.echo(orjson.dumps(answered.content, option=options, default=str))
    else:
        answered.show()


def _go_on(folder: Path, following: Following, *, as_json: bool) -> None:
    """Print what arrives until Ctrl-C; as JSON the records themselves, one a line."""
    import orjson  # noqa: PLC0415  # only here

    from storage.following import Follower  # noqa: PLC0415  # as above

    follower = Follower(folder, following.streams)
    while True:
        for stored in follower.poll():
            line = following.line(stored.record)
            if line is not None:
                click.echo(orjson.dumps(stored.record) if as_json else line)
        time.sleep(_FOLLOW_SECONDS)


def tell_unread(reading: Reading) -> None:
    """On stderr: what of the records could not be read."""
    if "engine" not in reading.__dict__:
        return
    for stream, count in reading.engine.corrupt_lines.items():
        if count:
            lines = "1 line is" if count == 1 else f"{count} lines are"
            click.echo(f"{stream}: {lines} no record and passed over; see: forecourt store verify", err=True)
    for segment, reason in reading.unread.items():
        click.echo(f"{segment} was left out: {reason}", err=True)
