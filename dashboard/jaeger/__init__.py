"""What Grafana's Jaeger data source, Jaeger's own pages and its clients ask, answered from the records."""

from __future__ import annotations

from dashboard.jaeger.application import application

__all__ = ["application"]
