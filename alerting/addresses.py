"""E-mail addresses as they stand in a configuration: a list, or one text with commas."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_ADDRESS = re.compile(r"[^\s@<>,;:\"\\\x00-\x1f\x7f]+@[^\s@<>,;:\"\\\x00-\x1f\x7f]+")


def _addresses(given: Any) -> Any:
    if not isinstance(given, str | list | tuple) or not all(isinstance(part, str) for part in given):
        raise ValueError(f"{given!r} is not an address or a list of them")  # pydantic's
    texts = [given] if isinstance(given, str) else given
    found = [address.strip() for text in texts for address in text.split(",") if address.strip()]
    for address in found:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is not an e-mail address, expected for example ops@example.com")
    return tuple(dict.fromkeys(found))


def _address(given: Any) -> Any:
    found = _addresses(given)
    if len(found) > 1:
        raise ValueError(f"{given!r} is more than one address")
    return found[0] if found else ""


Addresses = Annotated[tuple[str, ...], BeforeValidator(_addresses)]
Address = Annotated[str, BeforeValidator(_address)]
"""Empty where there is none."""
