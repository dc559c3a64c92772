"""`forecourt baseline`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from operations.lazy_group import LazyGroup
from operations.options import config_options, json_instead_of
from operations.reading import answer, reading_options

DEFAULT_NAME = "default"


class _Name(click.ParamType[str]):
    name = "name"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from processors.baselines.settings import known_name  # noqa: PLC0415  # a tenth of a second

        try:
            return known_name(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Share(click.ParamType[float]):
    """A hundredth of a percentage."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from processors.baselines.settings import parse_share  # noqa: PLC0415  # as above

        try:
            return float(parse_share(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


_NAMED = click.argument("name", metavar="[NAME]", type=_Name(), default=DEFAULT_NAME)


def _stored_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, `--config`, `--logs`, for what needs no time."""

    @wraps(command)
    def called(**given: Any) -> Any:
        return command(**given, last=None, since=None, until=None, default=0.0)

    return json_instead_of("tables")(config_options(called))


@click.group(cls=LazyGroup)
def baseline() -> None:
    """Keep what is usual, and say whether it is so still: response times and errors of each route and query."""


@baseline.command()
@_NAMED
@reading_options("7days")
def create(**given: Any) -> None:
    """Learn a baseline from the records of a time; NAME is `default`, if you don't say.

    The sidecar judges by the one that processors.baselines.active names; it need not be stopped, and begins at once.

    Example: forecourt baseline create --last 7days
    """
    answer("baselines:create", given)


@baseline.command()
@_NAMED
@reading_options("1h")
@click.option("--alert-on-deviation", "deviation", type=_Share(), help="Exit with 1 where it is worse by more.")
def compare(**given: Any) -> None:
    """The last five windows of each route and query against the baseline.

    Example: forecourt baseline compare --alert-on-deviation 20%
    """
    answer("baseline_comparison:compare", given)


@baseline.command()
@_NAMED
@reading_options("7days")
@click.option("--confirm", is_flag=True, help="Do it; otherwise it only says what would change.")
def update(**given: Any) -> None:
    """Learn a baseline anew, in place of the one of that name.

    Example: forecourt baseline update --confirm
    """
    answer("baselines:update", given)


@baseline.command("list")
@_stored_options
def list_(**given: Any) -> None:
    """The baselines that there are, and which of them is judged live.

    Example: forecourt baseline list
    """
    answer("baselines:list_all", given)


@baseline.command()
@_NAMED
@_stored_options
def show(**given: Any) -> None:
    """What a baseline holds: each route and query with its windows, by class of hours.

    Example: forecourt baseline show
    """
    answer("baselines:show_one", given)


@baseline.command()
@click.argument("name", type=_Name())
@_stored_options
def delete(**given: Any) -> None:
    """Forget a baseline. Where it is judged live its alerts end.

    Example: forecourt baseline delete before-release
    """
    answer("baselines:delete", given)
