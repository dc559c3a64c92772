"""The app that FORECOURT_APP names, instrumented: `FORECOURT_APP=app.main:app uvicorn instrumentation.asgi:app`."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from instrumentation.application import instrument, instrument_libraries


def load(target: str) -> Any:
    """`module:attribute`; what fails in the module fails as it would without us."""
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        message = f'FORECOURT_APP={target!r} names no app; expected "module:attribute", such as app.main:app'
        raise ImportError(message)
    loaded: Any = _imported(module_name, target)
    for name in attribute.split("."):
        loaded = getattr(loaded, name)
    return loaded() if os.environ.get("FORECOURT_APP_FACTORY") == "true" else loaded


def _imported(module_name: str, target: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        message = f"{target}: there is no module {error.name!r} in {Path.cwd()}; name its folder with --app-dir"
        raise ModuleNotFoundError(message, name=error.name) from error


def _make_room() -> None:
    """`forecourt run` leaves our package `operations` here; the app may have one of its own."""
    ours = Path(__file__).parent.parent / "operations" / "__init__.py"
    if getattr(sys.modules.get("operations"), "__file__", None) == str(ours):
        for name in [name for name in sys.modules if name.partition(".")[0] == "operations"]:
            del sys.modules[name]


instrument_libraries()
_make_room()
app = load(os.environ.get("FORECOURT_APP", ""))
instrument(app)
