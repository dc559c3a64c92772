"""Debian's Chromium, told what to do: playwright-core in a process of Node's, a command and an answer a line."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
_ANSWER_SECONDS = 600.0
_INSTALL = ("install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
Rules = Sequence[str] | None
"""That axe looks for; None for all that it knows."""


class Chromium:
    """One browser; each context in it is a visitor of their own."""

    def __init__(self, executable: str) -> None:
        self._node = subprocess.Popen(
            ["node", str(HERE / "chromium.mjs"), executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, do: str, **given: Any) -> Any:
        """The answer to a command; fail with what the browser said."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        watchdog = threading.Timer(_ANSWER_SECONDS, self._node.kill)
        watchdog.start()
        self._node.stdin.write(json.dumps({"do": do, **given}) + "\n")
        self._node.stdin.flush()
        line = self._node.stdout.readline()
        watchdog.cancel()
        assert line, "the browser is gone"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def visitor(self, base: str, **options: Any) -> Visitor:
        """`options` as https://playwright.dev/docs/api/class-browser#browser-new-context has them."""
        return Visitor(self, self.ask("context", base=base, options=options))

    def close(self) -> None:
        """Return when it has ended."""
        self._node.communicate(timeout=30)


class Visitor:
    """Their pages share cookies."""

    def __init__(self, chromium: Chromium, context: int) -> None:
        self._chromium = chromium
        self._context = context

    def page(self) -> Page:
        return Page(self._chromium, self._chromium.ask("page", context=self._context))

    def visit(self, addresses: Sequence[str], modes: Mapping[str, Rules], **wish: Any) -> list[dict[str, Any]]:
        """What look.mjs finds at each; `modes` says what axe looks for in each of light, dark and phone."""
        asked = {"modes": modes, **wish}
        found: list[dict[str, Any]] = self._chromium.ask(
            "visit", context=self._context, addresses=list(addresses), wish=asked
        )
        return found

    def close(self) -> None:
        self._chromium.ask("close", context=self._context)


class Page:
    """Every step waits until it can be done; what went wrong meanwhile is in `faults`."""

    def __init__(self, chromium: Chromium, number: int) -> None:
        self._chromium = chromium
        self._number = number

    def do(self, method: str, *given: Any, on: str = "") -> Any:
        """A method of Playwright's page, or of its locator of `on`."""
        return self._chromium.ask("call", page=self._number, selector=on, method=method, given=given)

    def go(self, address: str) -> int:
        """The status of the answer."""
        return int(self.do("goto", address))

    def click(self, selector: str) -> None:
        self.do("click", on=selector)

    def fill(self, selector: str, text: str) -> None:
        self.do("fill", text, on=selector)

    def wait(self, selector: str, state: str = "visible", timeout: int = 20_000) -> None:
        """Until there is such an element, or none any more; `timeout` in milliseconds."""
        self.do("waitFor", {"state": state, "timeout": timeout}, on=selector)

    def text(self, selector: str) -> str:
        """As it is shown."""
        return str(self.do("innerText", on=selector))

    @property
    def path(self) -> str:
        """With the query."""
        return str(self.do("evaluate", "location.pathname + location.search"))

    def faults(self) -> list[str]:
        """Errors and warnings of the console, exceptions, dialogs, other hosts asked and answers of 500 and more."""
        found: list[str] = self._chromium.ask("faults", page=self._number)
        return found


def installed() -> str:
    """The path of Chromium, with what drives it beside this file; skip where either is missing."""
    npm, chromium = shutil.which("npm"), shutil.which("chromium")
    if npm is None or shutil.which("node") is None or chromium is None:
        pytest.skip("Chromium, Node.js and npm are not all installed")
    fcntl = pytest.importorskip("fcntl", reason="one of the test processes installs, which takes a lock")
    wanted = (HERE / "package.json").read_text()
    (HERE / "node_modules").mkdir(exist_ok=True)
    with (HERE / "node_modules" / ".forecourt").open("a+") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        mark.seek(0)
        if mark.read() != wanted:
            done = subprocess.run([npm, *_INSTALL], cwd=HERE, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"npm could not install what drives the browser: {done.stderr.strip()[-300:]}")
            mark.truncate(0)
            mark.write(wanted)
    return chromium
