"""Looks at targets from outside: over HTTP, TCP and SQL."""

from collector.probes.finding import Finding, Probe, health_record
from collector.probes.http import HttpProbe
from collector.probes.sql import SqlProbe
from collector.probes.tcp import TcpProbe

__all__ = ["Finding", "HttpProbe", "Probe", "SqlProbe", "TcpProbe", "health_record"]
