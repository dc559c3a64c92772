"""The JSON API."""

from __future__ import annotations

from dashboard.api.application import application

__all__ = ["application"]
