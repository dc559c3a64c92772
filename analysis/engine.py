"""SQL over the segments, by DuckDB in this process: nothing is locked, and whoever writes goes on writing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from analysis.period import Period
from analysis.schema import STREAMS, event_time, stored_columns
from analysis.segment_files import Found, SegmentFiles

_MAX_LINE_BYTES = 16 * 2**20
"""A longer line is nobody's record: the store's own end at a few MiB."""
_LISTINGS_ANEW = 2
"""How often a segment that has just been moved has the files listed again, before it is left out."""
_T = TypeVar("_T")
_WORD = re.compile(r"\w+")
_PATTERN = re.compile(r"[\[*?]")
_MEMORY_LIMIT = "2GiB"
_ONE_COLUMN = {"received_unix_nano": "BIGINT"}
_ATTRIBUTE = """
CREATE MACRO attr(attributes, name) AS
    json_extract_string(attributes, '/' || replace(replace(name, '~', '~0'), '/', '~1'))
"""


class QueryError(Exception):
    """The SQL can't be run as it stands; the message is the engine's, and says where."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query found."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Engine:
    """One connection; each stream is a view over the segments that exist when the query begins.

    Besides its fields (docs/architecture.md) a view has `timestamp`, a TIMESTAMP in UTC, and `event_unix_nano`: when it
    happened, as sent, else observed, else arrival. `attr(attributes, 'http.route')` is an attribute as text.
    """

    def __init__(
        self,
        folder: Path,
        archive: Path | None = None,
        *,
        target: Path | None = None,
        memory_limit: str = _MEMORY_LIMIT,
    ) -> None:
        """Queries can read the two folders, and write `target`, and nothing else of this machine."""
        self.corrupt_lines: dict[str, int] = {}
        """By stream, of the last query of each: lines that are no record; no view has them."""
        self.unread: dict[str, str] = {}
        """Segments that could not be read, and why."""
        self._files = SegmentFiles(folder, archive)
        self._connection = duckdb.connect(config={"memory_limit": memory_limit, "preserve_insertion_order": False})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET temp_directory = ''")  # nothing is spilled: not into the folder of whoever asks
        self._connection.execute(_ATTRIBUTE)
        folders = [form for one in (folder, archive) if one is not None for form in (str(one), _literally(one))]
        self._connection.execute(f"SET allowed_directories = [{_listed(folders)}]")
        if target is not None:
            self._connection.execute(f"SET allowed_paths = [{_listed([str(target)])}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def sql(
        self, text: str, parameters: Sequence[Any] = (), period: Period | None = None, *, most: int | None = None
    ) -> Rows:
        """The rows of one SELECT over the views, which hold what happened in `period`, or everything.

        Values are bound to `?` or `$1`; at most `most` rows are fetched. Raise QueryError, or StoreFormatError for a
        newer folder.
        """
        columns, rows = self._over(text, period, lambda: self._run(text, parameters, most))
        return Rows(columns, rows)

    def interrupt(self) -> None:
        """From another thread: what is being asked ends with a QueryError."""
        self._connection.interrupt()

    def copy(self, text: str, target: Path, period: Period | None = None) -> None:
        """Write the rows of one SELECT as a Parquet file at the `target` that the engine was made with; as `sql`."""
        quoted = str(target).replace("'", "''")
        copying = f"COPY ({_one_select(text)}) TO '{quoted}' (FORMAT parquet)"
        self._over(text, period, lambda: self._connection.execute(copying))

    def _over(self, text: str, period: Period | None, run: Callable[[], _T]) -> _T:
        """Run it over the views that the SQL names; what can't be read is left out and noted."""
        moved = 0
        unread: dict[Path, str] = {}
        while True:
            found = {stream: self._found(stream, period, unread) for stream in _named(text)}
            try:
                _refuse_nothing(found, unread)
                self._define(found, period)
                given = run()
                self._note(found, unread)
                return given  # noqa: TRY300  # the way out of the loop
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                culprit = _culprit(found, str(error))
                broken = {} if culprit is not None else self._broken(found)
                if culprit is None and not broken:
                    raise QueryError(_in_words(error)) from error
                unread.update(broken)
                if culprit is not None:
                    moved += not culprit.exists()
                    if culprit.exists() or moved > _LISTINGS_ANEW:
                        unread[culprit] = _in_words(error).splitlines()[0]
            except duckdb.Error as error:
                raise QueryError(_in_words(error)) from error
            finally:
                for stream in found:
                    self._connection.execute(f"DROP VIEW IF EXISTS {stream}")

    def _broken(self, found: Mapping[str, Found]) -> dict[Path, str]:
        """The segments that can't be read, and why: some errors don't name theirs."""
        broken = {}
        for path in [path for files in found.values() for path in files.paths]:
            try:
                self._connection.execute(f"SELECT count(*) FROM {_source([path], _ONE_COLUMN)}")  # noqa: S608  # our own names
            except duckdb.Error as error:
                broken[path] = _in_words(error).splitlines()[0]
        return broken

    def _found(self, stream: str, period: Period | None, unread: Mapping[Path, str]) -> Found:
        found = self._files.find(stream, period)
        if not unread:
            return found
        paths, unlisted = ([path for path in paths if path not in unread] for paths in (found.paths, found.unlisted))
        return Found(paths, unlisted, found.corrupt)

    def _define(self, found: Mapping[str, Found], period: Period | None) -> None:
        for stream, files in found.items():
            source = _source(files.paths, stored_columns(stream))
            time = event_time(stream)
            limits = f" AND {time} >= {period.start_unix_nano} AND {time} < {period.end_unix_nano}" if period else ""
            self._connection.execute(
                f"CREATE OR REPLACE TEMP VIEW {stream} AS SELECT make_timestamp({time} // 1000) AS timestamp,"  # noqa: S608  # our own names and whole numbers
                f" {time} AS event_unix_nano, * FROM {source} WHERE received_unix_nano IS NOT NULL{limits}"
            )

    def _run(
        self, text: str, parameters: Sequence[Any], most: int | None = None
    ) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        cursor = self._connection.execute(_one_select(text), list(parameters))
        columns = tuple(column[0] for column in cursor.description or ())
        return columns, cursor.fetchall() if most is None else cursor.fetchmany(most)

    def _note(self, found: Mapping[str, Found], unread: Mapping[Path, str]) -> None:
        """What could not be read: the manifest tells of closed segments, those that it does not know are counted."""
        self.unread.update({f"{path.parent.name}/{path.name}": reason for path, reason in unread.items()})
        for stream, files in found.items():
            count = 0
            if files.unlisted:
                source = _source([path for path in files.unlisted if path not in unread], _ONE_COLUMN)
                _, ((count,),) = self._run(f"SELECT count(*) FROM {source} WHERE received_unix_nano IS NULL", ())  # noqa: S608  # our own names
            self.corrupt_lines[stream] = files.corrupt + max(0, count - sum(map(_is_being_written, files.unlisted)))


def _refuse_nothing(found: Mapping[str, Found], unread: Mapping[Path, str]) -> None:
    """Where each segment that may hold an answer can't be read, none is no answer."""
    if unread and not any(files.paths for files in found.values()):
        path, reason = next(iter(unread.items()))
        others = f" (and {len(unread) - 1} more)" if len(unread) > 1 else ""
        raise QueryError(f"{path}{others}: {reason}. No record of that time can be read")


def _named(text: str) -> list[str]:
    """The streams whose names stand in the SQL, be it as tables or not."""
    words = set(_WORD.findall(text.lower()))
    return [stream for stream in STREAMS if stream in words]


def _source(paths: Sequence[Path], columns: Mapping[str, str]) -> str:
    if not paths:
        nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items())
        return f"(SELECT {nothing} WHERE false)"  # our own names
    fields = ", ".join(f"{name}: '{kind}'" for name, kind in columns.items())
    return (
        f"read_json([{_listed(map(_literally, paths))}], columns = {{{fields}}}, format = 'newline_delimited',"
        f" records = true, ignore_errors = true, maximum_object_size = {_MAX_LINE_BYTES})"
    )


def _listed(texts: Iterable[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def _literally(path: Path) -> str:
    """The engine takes names for patterns."""
    return _PATTERN.sub(r"[\g<0>]", str(path))


def _one_select(text: str) -> str:
    """Raise QueryError for anything that is not one SELECT: the views are all there is, and nothing is changed."""
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error as error:
        raise QueryError(_in_words(error)) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("expected one SELECT statement, for example: SELECT count(*) FROM traces")
    return str(statements[0].query).strip().rstrip(";")


def _culprit(found: Mapping[str, Found], message: str) -> Path | None:
    """The segment that an error is about."""
    named = [path for files in found.values() for path in files.paths if str(path) in message]
    named += [path for files in found.values() for path in files.paths if _literally(path) in message]
    return max(named, key=lambda path: len(str(path)), default=None)


def _is_being_written(path: Path) -> bool:
    """Whether its last line is not whole yet."""
    try:
        with path.open("rb") as file:
            if path.suffix == ".gz" or not file.seek(0, os.SEEK_END):
                return False
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
    except OSError:
        return False


def _in_words(error: duckdb.Error) -> str:
    return str(error).strip()
