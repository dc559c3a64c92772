"""The pages over a folder of records as a browser gets them, and what somebody reads there."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from starlette.testclient import TestClient

from dashboard.application import application
from dashboard.site import Site
from tests.support.week import END, NANO

WEEK_END = END * NANO
_VOID = frozenset({"area", "br", "hr", "img", "input", "link", "meta", "polyline", "rect", "path"})
_UNSEEN = frozenset({"script", "datalist", "textarea"})
_IN_LINE = frozenset({"a", "code", "kbd", "span"})


class Opening(TestClient):
    """To be entered; `get` asks for the content alone, as the page's own links do, and follows no redirect.

    Time stands still at the end of the recorded week, or where it is said to; `site` is the rest of a Site.
    """

    def __init__(self, folder: Path, now_unix_nano: int = WEEK_END, **site: Any) -> None:
        self.site = Site(folder, None, **{"clock": lambda: now_unix_nano, **site})
        super().__init__(
            application(self.site),
            base_url="http://127.0.0.1:9090",
            client=("127.0.0.1", 50_000),
            follow_redirects=False,
            headers={"HX-Request": "true"},
        )

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def shown(self, path: str, **query: object) -> Shown:
        """What stands on a page that can be shown; `from_` is written `from`."""
        answer = self.get(address(path, **query))
        assert answer.status_code == 200, answer.text
        return read(answer.text)

    def whole(self, path: str, **query: object) -> Any:
        """The answer to who comes from elsewhere: menu and all, and the status that it has."""
        return self.get(address(path, **query), headers={"HX-Request": ""})


def address(path: str, **query: object) -> str:
    given = {name.rstrip("_"): value for name, value in query.items()}
    return path + ("&" if "?" in path else "?") * bool(given) + urlencode(given)


@dataclass(slots=True)
class Shown:
    """A page as it is read: texts have single blanks, and none of what no eye sees."""

    html: str
    text: str = ""
    tables: list[list[list[str]]] = field(default_factory=list)
    """Each a list of rows of cells, the heads first."""
    links: dict[str, str] = field(default_factory=dict)
    """The first address with each text."""
    every_link: list[str] = field(default_factory=list)
    charts: dict[str, Any] = field(default_factory=dict)
    """By the id of their figure."""
    fields: dict[str, str] = field(default_factory=dict)
    """What forms would send, the last of each name."""
    elements: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    """Their names, of all elements."""
    alerts: list[str] = field(default_factory=list)
    """What is told with the role alert."""
    opened: list[str] = field(default_factory=list)
    """The summaries of what opens."""


def read(html: str) -> Shown:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert not reader.path, f"never closed: {reader.path}"
    shown = reader.shown
    shown.html, shown.text = html, _spaced(reader.texts)
    return shown


@dataclass(slots=True)
class _Element:
    name: str
    given: dict[str, str]
    first: int
    """The number of its first piece of text."""


class _Reader(HTMLParser):
    """Fails where an element is not closed as it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = Shown("")
        self.texts: list[str] = []
        self.path: list[_Element] = []
        self._figure = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.shown.elements[tag] += 1
        self.shown.attributes.update(given.keys())
        self.texts.append(" ")
        self._begun(tag, given)
        if tag not in _VOID:
            self.path.append(_Element(tag, given, len(self.texts)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        element = self.path.pop()
        assert element.name == tag, f"</{tag}> closes <{element.name}> at {self.getpos()}"
        self._ended(element, _spaced(self.texts[element.first :]))
        if tag not in _IN_LINE:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        inside = self.path[-1] if self.path else None
        if inside is not None and inside.name == "script":
            self.shown.charts[self._figure] = json.loads(data)
        elif inside is not None and inside.name == "textarea":
            self.shown.fields[inside.given["name"]] += data
        elif inside is None or inside.name not in _UNSEEN:
            self.texts.append(data)

    def _begun(self, tag: str, given: dict[str, str]) -> None:
        shown = self.shown
        if tag == "table":
            shown.tables.append([])
        elif tag == "tr":
            shown.tables[-1].append([])
        elif tag == "figure":
            self._figure = given["id"]
        elif tag == "textarea":
            shown.fields[given["name"]] = ""
        elif tag == "input" and "name" in given:
            shown.fields[given["name"]] = given.get("value", "")
        elif tag == "option" and "selected" in given:
            shown.fields[self._select()] = given.get("value", "")

    def _ended(self, element: _Element, text: str) -> None:
        shown = self.shown
        if element.name in {"td", "th"}:
            shown.tables[-1][-1].append(text)
        elif element.name == "a":
            shown.links.setdefault(text, element.given["href"])
            shown.every_link.append(element.given["href"])
        elif element.name == "summary":
            shown.opened.append(text)
        elif element.name == "option" and "selected" in element.given and "value" not in element.given:
            shown.fields[self._select()] = text
        if element.given.get("role") == "alert":
            shown.alerts.append(text)

    def _select(self) -> str:
        """The name of the one that its options are read of."""
        return next(one.given["name"] for one in reversed(self.path) if one.name == "select")


def _spaced(texts: list[str]) -> str:
    return " ".join("".join(texts).split())
