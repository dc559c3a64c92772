"""What the app imports: `instrument(app)`, `track` and `event`. Nothing is loaded before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instrumentation.application import flush, instrument, shutdown
    from instrumentation.events import Operation, event, track

__all__ = ["Operation", "event", "flush", "instrument", "shutdown", "track"]

_MODULES = {
    "flush": "application",
    "instrument": "application",
    "shutdown": "application",
    "Operation": "events",
    "event": "events",
    "track": "events",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
