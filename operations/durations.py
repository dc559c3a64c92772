"""Durations on the command line, as in the configuration: 30s, 5min, 2h."""

from __future__ import annotations

import click

from processors.quantities import parse_duration


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = _Duration()
