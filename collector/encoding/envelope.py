"""What all records of a resource and a scope share, as the lean requests take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.encoding.values import Attributes


def resource_fields(content: Mapping[str, Any], attributes: Attributes) -> dict[str, Any]:
    """Of `resource` of a record: the fields of ResourceSpans, ResourceMetrics or ResourceLogs."""
    return {
        "resource": {
            "attributes": attributes(content["attributes"]),
            "dropped_attributes_count": content.get("dropped_attributes_count", 0),
            "entity_refs": content.get("entity_refs", ()),
        },
        "schema_url": content.get("schema_url", ""),
    }


def scope_fields(content: Mapping[str, Any], attributes: Attributes) -> dict[str, Any]:
    """Of `scope` of a record: the fields of ScopeSpans, ScopeMetrics or ScopeLogs."""
    return {
        "scope": {
            "name": content["name"],
            "version": content.get("version", ""),
            "attributes": attributes(content.get("attributes", {})),
            "dropped_attributes_count": content.get("dropped_attributes_count", 0),
        },
        "schema_url": content.get("schema_url", ""),
    }
