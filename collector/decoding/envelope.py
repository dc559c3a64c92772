"""What all records of a resource and a scope share; serialised once and put into each line."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from collector.decoding.values import Values

UNKNOWN_SERVICE = "unknown_service"


class ResourceEnvelope(NamedTuple):
    service: str
    json: orjson.Fragment
    attributes: dict[str, Any]


def read_resource(resource: Any, schema_url: str, values: Values) -> ResourceEnvelope:
    attributes, dropped = values.attributes(resource.attributes)
    content: dict[str, Any] = {"attributes": attributes}
    _add(content, "dropped_attributes_count", resource.dropped_attributes_count + dropped)
    _add(content, "schema_url", values.text(schema_url))
    _add(content, "entity_refs", [_entity_ref(reference) for reference in resource.entity_refs])
    service = attributes.get("service.name")
    return ResourceEnvelope(
        service=service if isinstance(service, str) and service else UNKNOWN_SERVICE,
        json=orjson.Fragment(orjson.dumps(content)),
        attributes=attributes,
    )


class ScopeEnvelope(NamedTuple):
    name: str
    json: orjson.Fragment


def read_scope(scope: Any, schema_url: str, values: Values) -> ScopeEnvelope:
    attributes, dropped = values.attributes(scope.attributes)
    name = values.text(scope.name)
    content: dict[str, Any] = {"name": name}
    _add(content, "version", values.text(scope.version))
    _add(content, "attributes", attributes)
    _add(content, "dropped_attributes_count", scope.dropped_attributes_count + dropped)
    _add(content, "schema_url", values.text(schema_url))
    return ScopeEnvelope(name, orjson.Fragment(orjson.dumps(content)))


def _entity_ref(reference: Any) -> dict[str, Any]:
    return {
        "schema_url": reference.schema_url,
        "type": reference.type,
        "id_keys": list(reference.id_keys),
        "description_keys": list(reference.description_keys),
    }


def _add(content: dict[str, Any], key: str, value: Any) -> None:
    if value:
        content[key] = value
