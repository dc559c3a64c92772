"""What requests carry: read within limits, and handed on as it was."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

LARGEST_BODY = 2**20
LARGEST_FORM = 2**16
_MOST_FIELDS = 200
_PATIENCE_SECONDS = 30.0


def refuse_large(request: Request, most: int = LARGEST_BODY) -> None:
    """Raise HTTPException for a body that is announced to be larger."""
    announced = request.headers.get("content-length", "0")
    if not announced.isascii() or not announced.isdigit() or int(announced[:20]) > most:
        raise _too_large(most)


async def read(receive: Receive, most: int) -> bytes:
    """The whole body; raise HTTPException for one that is larger or slow, ClientDisconnect for one that ends early."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await _read(receive, most)
    except TimeoutError:
        told = f"the body took longer than {_PATIENCE_SECONDS:g} s"
        raise HTTPException(408, told, {"Connection": "close"}) from None


async def _read(receive: Receive, most: int) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        parts += message.get("body", b"")
        if len(parts) > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return bytes(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """As if nobody had read it yet."""
    read_already = False

    async def receive_again() -> Message:
        nonlocal read_already
        if read_already:
            return await receive()
        read_already = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def is_form(request: Request) -> bool:
    """Whether its body is of the one kind of form that is taken here."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "application/x-www-form-urlencoded"


def fields(body: bytes) -> FormData:
    """Of an urlencoded form; raise HTTPException for one with too many."""
    try:
        found = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise HTTPException(400, f"the form has more than {_MOST_FIELDS} fields") from None
    return FormData([(name, value) for name, value in found])


async def form_of(request: Request) -> FormData:
    """The fields of the form that was sent, none if it is no urlencoded one; raise HTTPException.

    Starlette's own `Request.form` needs a package more.
    """
    return fields(await request.body()) if is_form(request) else FormData()


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the body is larger than {most // 1024} KiB")
