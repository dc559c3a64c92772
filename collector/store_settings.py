"""What the operator may set about the records: `exporters.jsonl`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from processors.derived import STREAMS as DERIVED
from processors.quantities import format_duration
from processors.settings_model import Settings
from processors.units import Bytes, Seconds
from storage.retention import Ages, Policy

_DAY = 86400.0
_STREAMS = ("traces", "logs", "metrics", "health", *DERIVED)


class AgeSettings(Settings):
    """Of one stream; what is left out is as for all."""

    compress_after: Seconds | None = None
    archive_after: Seconds | None = None
    delete_after: Seconds | None = None


class RetentionSettings(Settings):
    compress_after: Seconds = 7 * _DAY
    plain_limit: Bytes = 5 * 2**30
    archive_after: Seconds = 30 * _DAY
    archive: Path = Path("archive")
    delete_after: Seconds = 90 * _DAY
    floor: Bytes = 2 * 2**30
    streams: dict[str, AgeSettings] = Field(default_factory=dict)

    @field_validator("streams", mode="before")
    @classmethod
    def _known(cls, content: Any) -> Any:
        for name in content if isinstance(content, dict) else ():
            if name not in _STREAMS:
                raise ValueError(f"{name!r} is no stream, expected one of {', '.join(_STREAMS)}")
        return content

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name, ages in self._ages():
            if not ages.compress_after <= ages.archive_after <= ages.delete_after:
                told = " / ".join(map(format_duration, (ages.compress_after, ages.archive_after, ages.delete_after)))
                where = f"streams.{name}: " if name else ""
                raise ValueError(f"{where}compress_after / archive_after / delete_after are {told}, expected ascending")
        return self

    def _ages(self) -> Iterator[tuple[str, Ages]]:
        whole = Ages(self.compress_after, self.archive_after, self.delete_after)
        yield "", whole
        for name, own in self.streams.items():
            yield (
                name,
                Ages(
                    whole.compress_after if own.compress_after is None else own.compress_after,
                    whole.archive_after if own.archive_after is None else own.archive_after,
                    whole.delete_after if own.delete_after is None else own.delete_after,
                ),
            )

    def policy(self) -> Policy:
        (_, whole), *streams = self._ages()
        return Policy(self.archive, whole, dict(streams), self.plain_limit, self.floor)


class StoreSettings(Settings):
    """`exporters.jsonl`."""

    path: Path = Path("logs")
    durability: Literal["synced", "written"] = "synced"
    retention: RetentionSettings = RetentionSettings()

    @model_validator(mode="after")
    def _archive_is_elsewhere(self) -> Self:
        path, archive = (Path(os.path.abspath(one.expanduser())) for one in (self.path, self.retention.archive))  # noqa: PTH100  # resolve() would follow links of a folder that may not exist yet
        if archive == path or path in archive.parents:
            raise ValueError(
                f"retention.archive {self.retention.archive} lies in path {self.path}, expected a folder beside it"
            )
        return self
