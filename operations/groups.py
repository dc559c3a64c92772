"""Groups of commands that are loaded when they are called, so that their help is there at once."""

from __future__ import annotations

from collections.abc import Mapping

import click

from operations.lazy_group import Later, LazyGroup


def _all_in(module: str, lines: Mapping[str, str]) -> dict[str, Later]:
    """By name; the functions are called like their commands, `list` like `list_`."""
    own = {"list": "list_", "history": "history_"}
    return {name: Later(f"operations.{module}", own.get(name, name), line) for name, line in lines.items()}


_RULES = {
    **_all_in(
        "rules_commands",
        {
            "list": "Every rule, its current value and the band that it is in.",
            "check": "Whether the rules of a file can be used.",
            "test": "Judge recorded telemetry by the rules of a file.",
            "export": "The rules as a rule file for Prometheus.",
        },
    ),
    **_all_in(
        "rules_changing_commands",
        {
            "review": "Which rules are noisy, flap, or are silent.",
            "tune": "Bounds that would have cried less.",
            "enable": "Switch a group of rules on or off.",
        },
    ),
}
_ALERTS = _all_in(
    "alerts_commands",
    {
        "list": "What is pending or firing, the worst first.",
        "show": "One alert in full.",
        "why": "The whole story of an alert.",
        "ack": "Say that somebody sees to an alert.",
        "history": "Every alert that fired in a time.",
        "patterns": "How often and how long each alert fires.",
        "storms": "What the storm caps held back.",
        "route": "Who would be told; nobody is.",
        "send": "Send a message to a channel.",
        "test": "Send a test through every route.",
    },
)
_SILENCE = _all_in(
    "silence_commands",
    {
        "add": "Keep alerts quiet that match all matchers.",
        "list": "Silences that are in force or to come.",
        "end": "End a silence early.",
    },
)


@click.group(cls=LazyGroup, later=_RULES)
def rules() -> None:
    """List, check and try out the rules; see which are noisy, and tune their bounds."""


@click.group(cls=LazyGroup, later=_ALERTS)
def alerts() -> None:
    """What fires, who was told and why, and what to do about it."""


@click.group(cls=LazyGroup, later=_SILENCE)
def silence() -> None:
    """Keep alerts quiet for a time: add, list and end silences."""
