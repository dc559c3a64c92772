"""Who asks."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from dashboard.settings import Role

_NOBODY = "operator"


@dataclass(frozen=True, slots=True)
class Identity:
    """`csrf` is what forms of this session carry; empty for a request without a session."""

    name: str
    role: Role
    csrf: str
    logged_in: bool

    @property
    def may_operate(self) -> bool:
        return self.role == "operate"


def own_name() -> str:
    """The name of the operating system's user whose process this is."""
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # a container's user may have none
        return _NOBODY
