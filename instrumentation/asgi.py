"""The app that FORECOURT_APP names, instrumented: `FORECOURT_APP=app.main:app uvicorn instrumentation.asgi:app`."""

from __future__ import annotations

import importlib
import os
from typing import Any

from instrumentation.application import instrument, instrument_libraries


def load(target: str) -> Any:
    """`module:attribute`; what fails in the module fails as it would without us."""
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        message = f'FORECOURT_APP={target!r} names no app; expected "module:attribute", such as app.main:app'
        raise ImportError(message)
    loaded: Any = importlib.import_module(module_name)
    for name in attribute.split("."):
        loaded = getattr(loaded, name)
    return loaded() if os.environ.get("FORECOURT_APP_FACTORY") == "true" else loaded


instrument_libraries()
app = load(os.environ.get("FORECOURT_APP", ""))
instrument(app)
