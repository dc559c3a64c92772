"""What to write into the configuration to hear no more of an attack that is none."""

from __future__ import annotations

import json

from analysis.attacks import Episode
from processors.security.sighting import ADDRESS, USER


def allowance(one: Episode) -> str:
    """What to write below `processors.security`: YAML, whatever a sender calls itself."""
    if address := one.key.get(ADDRESS):
        return f"allow: {{addresses: [{json.dumps(address)}]}}, or {_except(one, ADDRESS, address)}"
    if name := one.key.get(USER):
        return f"allow: {{users: [{json.dumps(name)}]}}, or {_except(one, USER, name)}"
    label, value = next(iter(one.key.items()), ("service.name", ""))
    return _except(one, label, value)


def _except(one: Episode, label: str, value: str) -> str:
    return f"rules: {{{json.dumps(one.rule)}: {{except: [{json.dumps(f'{label} = {value}')}]}}}}"
