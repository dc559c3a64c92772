"""The model that the settings of all packages share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo


class Settings(BaseModel):
    """A component that is named without settings (`health_check:`) has its defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _fill_named(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        named = {name for name, value in content.items() if value is None and _has_defaults(cls.model_fields.get(name))}
        return {name: {} if name in named else value for name, value in content.items()}


def over_the_default(default: Mapping[str, Mapping[str, Any]], given: Any) -> Any:
    """By name, all of the default and of what is given; what both name keeps the keys that are not given."""
    if not isinstance(given, Mapping):
        return given
    return {
        **{name: dict(one) for name, one in default.items()},
        **{name: _over(default.get(name), one) for name, one in given.items()},
    }


def _over(default: Mapping[str, Any] | None, given: Any) -> Any:
    if default is None or not isinstance(given, Mapping | None):
        return given
    return {**default, **(given or {})}


def _has_defaults(field: FieldInfo | None) -> bool:
    kinds = get_args(field.annotation) or (field.annotation,) if field else ()
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)]
    return bool(models) and not any(inner.is_required() for inner in models[0].model_fields.values())
