"""What can be made to go wrong, switched on and off with PUT /faults while the backend runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Faults:
    slow_query: bool = False
    """Reading work orders takes a second in the database."""
    errors: bool = False
    """Every third work order raises."""
    pool_exhaustion: bool = False
    """A request keeps all connections of the pool for two seconds after it is answered."""
    failing_automation: bool = False
    """No dispenser's form can be filled, though each visit ends "completed"."""
    failing_sync: bool = False
    """WorkFossa does not answer, and the sync returns as if nothing were wrong."""
    memory_growth: bool = False
    """Each request for the list leaves eight megabytes behind."""
    hung_loop: bool = False
    """A request blocks the event loop for three seconds."""


faults = Faults()
leaked: list[bytes] = []
