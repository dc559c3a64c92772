"""The environment for programs that coverage stays out of: it makes them twice as slow, and measures them elsewhere."""

from __future__ import annotations

import os


def untraced() -> dict[str, str]:
    """This process's environment as it is now, without what starts coverage in a child."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
