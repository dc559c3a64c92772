"""A page: what it is called, where it lies, what it asks, and the template that shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from dashboard.records import Records
from dashboard.site import Site
from dashboard.view import View
from storage.state import State, StateError

P = ParamSpec("P")
T = TypeVar("T")
_MOST_TEXT = 500


class NotThereError(Exception):
    """The address names something that the records don't have; the message says what, and where to look."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is asked for: the same for everybody who opens the same address in the same role."""

    site: Site
    records: Records
    view: View
    query: Mapping[str, str]
    """Of the address, the view's own names too."""
    names: Mapping[str, str]
    """Of the path."""
    path: str
    may_operate: bool

    async def known(
        self, default: T, question: Callable[Concatenate[State, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As of `records`, and the default where the database can't be read: for what stands beside the records."""
        try:
            return await self.records.known(default, question, *args, **kwargs)
        except StateError:
            return default

    def text(self, name: str, default: str = "") -> str:
        """Of the query, cut to what anybody types."""
        return self.query.get(name, default)[:_MOST_TEXT]

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of these; the first where the address says another."""
        found = self.query.get(name, "")
        return found if found in known else known[0]

    def number(self, name: str, default: float | None = None) -> float | None:
        """The default where the address has none, or no number."""
        try:
            found = float(self.query.get(name, ""))
        except ValueError:
            return default
        return found if abs(found) < 1e12 else default  # noqa: PLR2004  # no page counts further; NaN is not less


Content = Callable[[Asked], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Page:
    """`content` gives the variables of `template`, whose block `content` is what changes while it is open."""

    path: str
    title: str
    template: str
    content: Content
    last: str = "1h"
    refresh: str = "30s"
    section: str = ""
    """The path of the page in the menu that it belongs to; its own if empty."""
    ranged: bool = True
    """Whether the time range means anything to it."""

    @property
    def menu_path(self) -> str:
        return self.section or self.path
