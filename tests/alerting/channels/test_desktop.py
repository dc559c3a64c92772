"""Notifications on a real desktop: dunst on a virtual screen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from alerting.channels import ChannelError
from alerting.channels.desktop import Desktop
from alerting.message import Messages
from alerting.settings import DesktopSettings
from tests.support.notifications import ended, evidence, notification, view

NEEDED = ("Xvfb", "dbus-daemon", "dunst", "dunstctl", "import")
EMPTY_BYTES = 2000
"""A black screen as PNG has less."""
FOR_EVER = 0
"""What dunst gives critical notifications, and no others."""
MISSING = [name for name in NEEDED if shutil.which(name) is None]


class Screen(NamedTuple):
    environment: dict[str, str]
    folder: Path

    def shown(self) -> list[dict[str, Any]]:
        """What dunst shows now, and has shown."""
        subprocess.run(["dunstctl", "close-all"], env=self.environment, check=True)
        done = subprocess.run(["dunstctl", "history"], env=self.environment, check=True, capture_output=True)
        return [{name: field["data"] for name, field in one.items()} for one in json.loads(done.stdout)["data"][0]]

    def picture(self, name: str) -> Path:
        """A screenshot with something on it."""
        path = self.folder / name
        deadline = time.monotonic() + 20
        while not path.exists() or path.stat().st_size < EMPTY_BYTES:
            assert time.monotonic() < deadline, "nothing is on the screen"
            subprocess.run(["import", "-window", "root", str(path)], env=self.environment, check=True)
        return path


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    if MISSING:
        pytest.skip(f"no virtual desktop: {', '.join(MISSING)} missing (Debian's xvfb, dbus, dunst, imagemagick)")
    folder = tmp_path_factory.mktemp("desktop")
    reader, writer = os.pipe()
    started = [
        subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", "900x400x24", "-nolisten", "tcp"],
            pass_fds=[writer],
            stderr=subprocess.DEVNULL,
        )
    ]
    try:
        with os.fdopen(reader) as shown:
            display = f":{shown.readline().strip()}"
        environment = {**os.environ, "DISPLAY": display, "HOME": str(folder)}
        bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        started.append(bus)
        assert bus.stdout is not None
        environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        started.append(subprocess.Popen(["dunst"], env=environment, stderr=subprocess.DEVNULL))
        _wait_for_dunst(environment)
        yield Screen(environment, folder)
        bus.stdout.close()
    finally:
        os.close(writer)
        for process in reversed(started):
            process.terminate()
            process.wait(10)


def _wait_for_dunst(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 20
    while subprocess.run(["dunstctl", "count"], env=environment, capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def channel(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> Desktop:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", screen.environment["DBUS_SESSION_BUS_ADDRESS"])
    return Desktop(DesktopSettings(), Messages("http://127.0.0.1:9090", None, evidence))


def test_a_critical_alert_is_on_the_screen(screen: Screen, channel: Desktop) -> None:
    """Urgent, so that it stays until somebody has seen it."""
    assert channel.problem() == ""
    assert channel.send(notification(view())).answer == "shown"
    assert screen.picture("critical.png").exists()
    shown = screen.shown()[0]
    assert shown["appname"] == "Forecourt"
    assert shown["summary"] == "[CRITICAL] 11.3 % of requests fail (backend)"
    assert shown["body"].startswith("11.3 %, bound \u203a 10%; since 12:00 UTC\n")
    assert shown["timeout"] == FOR_EVER


def test_its_end_is_not_urgent(screen: Screen, channel: Desktop) -> None:
    """It goes by itself."""
    channel.send(notification(ended(), kind="resolved"))
    assert screen.shown()[0]["timeout"] > FOR_EVER


def test_markup_and_shell_are_plain_text(screen: Screen, channel: Desktop) -> None:
    """Nothing is bold, linked or run."""
    hostile = "<b>bold</b> <a href='x'>link</a> $(touch evil) `id` & \x1b[31m; %s"
    channel.send(notification(view(summary=hostile), view(summary=hostile)))
    body = screen.shown()[0]["body"]
    assert body.startswith(
        "\u2039b\u203abold\u2039/b\u203a \u2039a href='x'\u203alink\u2039/a\u203a $(touch evil) `id` \uff06 [31m; %s"
    )


def test_a_desktop_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the reason that the library keeps to its log."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'nobody'}")
    channel = Desktop(DesktopSettings(), Messages("http://127.0.0.1:9090"))
    with pytest.raises(ChannelError, match=r"the desktop did not show it: .*No such file") as refused:
        channel.send(notification(view()))
    assert not refused.value.permanent


def test_a_machine_without_desktop_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server has none."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    channel = Desktop(DesktopSettings(), Messages("http://127.0.0.1:9090"))
    assert channel.problem() == "there is no desktop session here (no D-Bus session bus)"
