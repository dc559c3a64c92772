"""Columns of spans and log records in SQL, cut so that no record and no sum of them is more than memory can take."""

from __future__ import annotations

from analysis.limited import MOST_CHARACTERS

_MOST_TOGETHER = 16 * 2**20
"""Characters that are taken of all records."""
_MOST_OF_ONE = 2**17


def text_column(column: str) -> str:
    """Its beginning; empty where there is none."""
    return f"left(coalesce({column}, ''), {MOST_CHARACTERS})"


def sized(*columns: str) -> str:
    """The columns as far as one line may have them, and the `size` that they had."""
    size = " + ".join(f"coalesce(length({column}), 0)" for column in columns)
    kept = ", ".join(f"CASE WHEN {size} <= {_MOST_OF_ONE} THEN {column} END AS {column}" for column in columns)
    return f"{kept}, {size} AS size"


def summed(order: str) -> str:
    """What was `found`, and whether the columns of a line fit beside those before it."""
    kept = f"CASE WHEN size <= {_MOST_OF_ONE} THEN size ELSE 0 END"
    before = f"sum({kept}) OVER (ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    return f"SELECT *, size <= {_MOST_OF_ONE} AND {before} <= {_MOST_TOGETHER} AS fits FROM found"  # noqa: S608  # our own expressions


def fitting(*columns: str) -> str:
    """Those of `summed`, null where they don't fit."""
    return ", ".join(f"CASE WHEN fits THEN {column} END" for column in columns)
