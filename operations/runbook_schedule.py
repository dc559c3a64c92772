"""What starts the collector with the machine and the runbook's checks at their times, on each system."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from xml.sax.saxutils import escape

SYSTEMS = ("cron", "systemd", "launchd", "windows-task", "windows-service")
_TIMES = (
    ("*/5 * * * *", "check all --quiet", "MINUTE /MO 5", ""),
    ("15 6 * * *", "maintain daily", "DAILY", "06:15"),
    ("30 6 * * 1", "maintain weekly", "WEEKLY /D MON", "06:30"),
    ("45 6 1 * *", "maintain monthly", "MONTHLY /D 1", "06:45"),
)
"""cron's time, the command, and Task Scheduler's schedule with its time."""


def usual_systems() -> tuple[str, ...]:
    """Those that this machine probably has."""
    if sys.platform == "win32":
        return ("windows-task", "windows-service")
    return ("cron", "launchd") if sys.platform == "darwin" else ("cron", "systemd")


def schedule(system: str, folder: Path, config: Path | None) -> str:
    """The text to paste; `folder` is where the collector works, `config` its configuration file."""
    own = [sys.executable, "-I", "-m", "operations"]
    also = ["--config", str(config)] if config is not None else []
    makers = {
        "cron": _cron,
        "systemd": _systemd,
        "launchd": _launchd,
        "windows-task": _windows_task,
        "windows-service": _windows_service,
    }
    return makers[system](own, also, folder)


def _cron(own: list[str], also: list[str], folder: Path) -> str:
    lines = ["# crontab -e; cron mails what is printed, and checks print only what is wrong"]
    start = f"cd {shlex.quote(str(folder))} && {shlex.join(own)}"
    for when, command, _, _ in _TIMES:
        # cron takes a percent sign for the end of the line
        lines.append(f"{when} {start} {shlex.join([*command.split(), *also])}".replace("%", "\\%"))
    lines.append(f"@reboot {start} {shlex.join(['collector', *also])}".replace("%", "\\%"))
    return "\n".join(lines) + "\n"


def _systemd(own: list[str], also: list[str], folder: Path) -> str:
    start = " ".join(_systemd_word(word) for word in (*own, "collector", *also))
    return f"""# /etc/systemd/system/forecourt.service; then: systemctl enable --now forecourt
[Unit]
Description=Forecourt receives, keeps and judges telemetry
After=network.target

[Service]
ExecStart={start}
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={_systemd_path(folder)}
Restart=on-failure
RestartSec=5
TimeoutStopSec=30
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"""


def _systemd_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or " " in word else word


def _systemd_path(path: Path) -> str:
    return str(path).replace("%", "%%")


def _launchd(own: list[str], also: list[str], folder: Path) -> str:
    words = "\n".join(f"    <string>{escape(word)}</string>" for word in (*own, "collector", *also))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- ~/Library/LaunchAgents/forecourt.plist; then: launchctl load that file -->
<plist version="1.0">
<dict>
  <key>Label</key><string>forecourt</string>
  <key>ProgramArguments</key>
  <array>
{words}
  </array>
  <key>WorkingDirectory</key><string>{escape(str(folder))}</string>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
</dict>
</plist>
"""


def _windows_task(own: list[str], also: list[str], folder: Path) -> str:
    lines = ["rem in a command prompt of the user that the collector runs as"]
    for _, command, when, at in _TIMES:
        name = f"Forecourt {command.split(' --')[0]}"
        time = f" /ST {at}" if at else ""
        run = _windows_words([*own, *command.split(), *also])
        lines.append(f'schtasks /Create /F /TN "{name}" /SC {when}{time} /TR "cmd /c cd /d {folder} && {run}"')
    return "\n".join(lines) + "\n"


def _windows_service(own: list[str], also: list[str], folder: Path) -> str:
    run = _windows_words([*own, "collector", *also])
    return f"""rem in a command prompt of an administrator: a task that starts with the machine, before anybody logs in,
rem and starts again within a minute when it ends; stop it with: forecourt collector stop
schtasks /Create /F /TN "Forecourt collector" /SC ONSTART /RU SYSTEM /RL LIMITED /TR "cmd /c cd /d {folder} && {run}"
powershell -Command "$t = Get-ScheduledTask 'Forecourt collector'; $t.Settings.RestartCount = 999; \
$t.Settings.RestartInterval = 'PT1M'; $t.Settings.ExecutionTimeLimit = 'PT0S'; Set-ScheduledTask -InputObject $t"
"""


def _windows_words(words: list[str]) -> str:
    """Quotes within the quoted command of /TR."""
    return " ".join(f'\\"{word}\\"' if " " in word else word for word in words)
