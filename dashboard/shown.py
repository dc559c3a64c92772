"""Rendering a page: whole, or only its content, once for all who look at the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2

from analysis.engine import QueryError
from dashboard.page import Asked, NotThereError, Page
from dashboard.records import Records, TooLongError
from dashboard.site import Site
from dashboard.view import View, view_of
from storage.manifest import StoreFormatError
from storage.state import StateError

_AT_ONCE_SECONDS = 0.15
"""What takes longer is shown when it is there; the page around it is there at once."""
_JOINED_SECONDS = 5.0
"""So long what a page shows later is made for it before it asks itself; then nobody is there any more."""
_SHARED_SECONDS = 1.5
"""As long as one rendering serves all who look; less than the shortest refresh."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address, and whether who asks may change anything."""

    page: Page
    path: str
    query: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, str], ...]
    may_operate: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """HTML of a page's content; `status` as HTTP has it."""

    html: str
    status: int = 200


class Renderer:
    """Of all pages of a site."""

    def __init__(self, site: Site, records: Records, templates: jinja2.Environment) -> None:
        self._site = site
        self._records = records
        self._templates = templates

    def view(self, wanted: Wanted) -> View:
        """Raise ViewError."""
        page = wanted.page
        return view_of(dict(wanted.query), self._site.clock(), last=page.last, refresh=page.refresh)

    async def content(self, wanted: Wanted) -> Shown:
        """At most a moment old; what can't be answered is shown as such. Raise ViewError."""
        self.view(wanted)
        return await self._records.shared(("page", wanted), lambda: self._make(wanted), _SHARED_SECONDS)

    async def content_soon(self, wanted: Wanted) -> Shown | None:
        """None when it is not there at once; it is made on for a moment, until `content` waits for it."""
        making = asyncio.ensure_future(self.content(wanted))
        done, _ = await asyncio.wait([making], timeout=_AT_ONCE_SECONDS)
        if not done:
            making.add_done_callback(lambda made: made.cancelled() or made.exception())
            asyncio.get_running_loop().call_later(_JOINED_SECONDS, making.cancel)
            return None
        return making.result()

    async def _make(self, wanted: Wanted) -> Shown:
        view = self.view(wanted)
        asked = Asked(
            self._site,
            self._records,
            view,
            dict(wanted.query),
            dict(wanted.names),
            wanted.path,
            wanted.may_operate,
        )
        try:
            found = await wanted.page.content(asked)
        except NotThereError as error:
            return self._failed(asked, "Not here", str(error), 404)
        except (QueryError, StoreFormatError, StateError, TooLongError, OSError) as error:
            return self._failed(asked, "It can't be shown", str(error), 503)
        return Shown(self._render(wanted.page.template, asked, found))

    def _failed(self, asked: Asked, title: str, problem: str, status: int) -> Shown:
        return Shown(self._render("problem.html.j2", asked, {"title": title, "problem": problem}), status)

    def _render(self, template: str, asked: Asked, found: Mapping[str, Any]) -> str:
        return self._templates.get_template(template).render(
            **found, view=asked.view, link=asked.view.link, asked=asked, site=self._site
        )

    def layout(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(site=self._site, **values)
