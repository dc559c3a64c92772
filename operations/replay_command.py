"""`forecourt replay`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from operations.durations import DURATION
from operations.options import config_options, json_instead_of
from operations.period import period_options
from operations.replaying.signals import SIGNALS

_MAX_SPEED = 1_000_000


class _Speed(click.ParamType["Fraction | None"]):
    """How many times as fast as it happened; None for as fast as it goes."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Fraction | None:
        text = str(value)
        if text == "max":
            return None
        try:
            speed = Fraction(text.removesuffix("x")) if len(text) < 20 else Fraction(0)  # noqa: PLR2004  # digits enough
        except (ValueError, ZeroDivisionError):
            speed = Fraction(0)
        if not Fraction(1, _MAX_SPEED) <= speed <= _MAX_SPEED:
            self.fail(f"{text[:40]!r} is not a speed, for example 1x, 10x, 0.5x or max", param, ctx)
        return speed


@click.command()
@click.option("--to-endpoint", "endpoint", required=True, metavar="URL", help="The receiver: http://HOST:4318.")
@click.option(
    "--protocol", type=click.Choice(["http", "grpc"]), default="http", show_default=True, help="How it takes OTLP."
)
@click.option("--header", "headers", multiple=True, metavar="KEY=VALUE", help="Sent along, for example a token.")
@click.option("--insecure", is_flag=True, help="gRPC without TLS; HOST:PORT of this machine is so by itself.")
@click.option(
    "--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Who signed its certificate (PEM)."
)
@click.option("--speed", type=_Speed(), default="max", show_default=True, help="1x is as it happened; 10x, 0.5x, max.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only of this service (again for more).")
@click.option(
    "--signal", "signals", multiple=True, type=click.Choice(SIGNALS), help="Only these.  [default: all three]"
)
@click.option("--shift-to-now", is_flag=True, help="Move all times by one constant, as told above.")
@click.option(
    "--give-up-after", type=DURATION, default="5min", show_default=True, help="A receiver that is away for so long."
)
@click.option("--restart", is_flag=True, help="From the beginning, though an earlier run came some way.")
@click.option("--dry-run", is_flag=True, help="Only count what would be sent.")
@json_instead_of("text")
@config_options
def replay(**given: Any) -> None:
    """Send recorded history to an OTLP receiver: a viewer, another sidecar, a test system.

    Records are chosen by the time at which they happened, and sent in the order of their arrival. A run that ended
    early (Ctrl-C, a receiver that was away) goes on where it was when the same command is given again; a moving
    period (--last) is then the one that it was. What a client had sent twice is sent once, as far as that was not
    thousands of its requests earlier.

    With --shift-to-now the last moment of the period becomes the start of the replay at --speed max; at 1x or slower
    the first record becomes it, so that each record is sent as it "happens"; in between the last record happens as it
    is sent, so that none lies in the future.

    Example: forecourt replay --last 24h --to-endpoint http://127.0.0.1:14318
    """
    from operations.replaying.run import run  # noqa: PLC0415  # a quarter of a second

    run(**given)


replay = period_options(replay, "none")  # type: ignore[assignment]  # it gives the command back
