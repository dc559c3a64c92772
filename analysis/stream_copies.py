"""Whole streams as Parquet or CSV files, by DuckDB's COPY: they never pass through Python's memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from analysis.engine import Engine, QueryError
from analysis.period import Period
from analysis.schema import STREAMS

CopyForm = Literal["parquet", "csv", "csv.gz"]

_RECEIVED = frozenset({"traces", "logs", "metrics"})
"""What clients send, and may send again; whatever is derived of them is derived once."""
_CSV = "FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'"
_FORMS: dict[CopyForm, str] = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": f"{_CSV}, COMPRESSION none",
    "csv.gz": f"{_CSV}, COMPRESSION gzip",
}


class StreamCopies(Engine):
    """An engine that writes one file, its `target`."""

    def copy_stream(
        self,
        stream: str,
        target: Path,
        form: CopyForm,
        period: Period | None = None,
        *,
        services: Sequence[str] = (),
        trace_id: str = "",
    ) -> int:
        """Write all columns of a stream, in no order, and give the number of rows; raise QueryError.

        What a client sent again comes once: `batch_id` and `batch_index` tell.
        """
        if stream not in STREAMS:
            raise QueryError(f"there is no stream {stream!r}")
        where, values = _conditions(stream, services, trace_id)
        again = self._sent_again(stream, where, values, period) if stream in _RECEIVED else []
        text = f"SELECT * FROM {stream} WHERE {where}"  # noqa: S608  # our own names
        if again:
            text = f"""
            {text} AND (batch_id IS NULL OR batch_id NOT IN (SELECT unnest(?)))
            UNION ALL
            SELECT * FROM (
                {text} AND batch_id IN (SELECT unnest(?))
                QUALIFY row_number() OVER (PARTITION BY batch_id, batch_index ORDER BY received_unix_nano) = 1
            )"""  # noqa: S608  # our own names
            values = [*values, again, *values, again]
        quoted = str(target).replace("'", "''")
        copying = f"COPY ({text}) TO '{quoted}' ({_FORMS[form]})"
        (count,) = self._over(text, period, lambda: self._connection.execute(copying, values).fetchone()) or (0,)
        return int(count)

    def _sent_again(self, stream: str, where: str, values: Sequence[Any], period: Period | None) -> list[str]:
        """Batches that came more than once: all records of one arrive at the same nanosecond."""
        text = f"""
        SELECT batch_id FROM {stream} WHERE {where} AND batch_id IS NOT NULL
        GROUP BY batch_id HAVING min(received_unix_nano) < max(received_unix_nano)"""  # noqa: S608  # our own names
        return [batch_id for (batch_id,) in self.sql(text, values, period)]


def _conditions(stream: str, services: Sequence[str], trace_id: str) -> tuple[str, list[Any]]:
    where = ["true"]
    values: list[Any] = []
    if services:
        where.append("service IN (SELECT unnest(?))")
        values.append(list(services))
    if trace_id and "trace_id" in STREAMS[stream]:
        where.append("trace_id = ?")
        values.append(trace_id)
    return " AND ".join(where), values
