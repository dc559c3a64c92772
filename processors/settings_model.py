"""The model that the settings of all packages share."""

from __future__ import annotations

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


def _has_defaults(field: FieldInfo | None) -> bool:
    kinds = get_args(field.annotation) or (field.annotation,) if field else ()
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)]
    return bool(models) and not any(inner.is_required() for inner in models[0].model_fields.values())
