"""What the operator may set about the store."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class StoreSettings(BaseModel):
    """`exporters.jsonl`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Path("logs")
    durability: Literal["synced", "written"] = "synced"
