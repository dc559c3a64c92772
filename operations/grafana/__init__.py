"""Grafana's dashboards of what Forecourt knows: made from the rules in force, for the metrics that `/metrics` has."""
