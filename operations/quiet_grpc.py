"""What gRPC's core writes to stderr is for those who develop it: the terminal of a command is told in our words."""

from __future__ import annotations

import os


def quiet_grpc() -> None:
    """Before grpc is imported, unless GRPC_VERBOSITY says otherwise."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
