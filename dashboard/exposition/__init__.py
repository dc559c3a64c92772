"""What Prometheus scrapes on the dashboard's port: every indicator, rule, band and alert count."""

from __future__ import annotations

from dashboard.exposition.route import exposition_route

__all__ = ["exposition_route"]
