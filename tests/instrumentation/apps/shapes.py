"""All the shapes that an app can have, instrumented when FORECOURT_WHEN says."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from sqlalchemy import create_engine, text
from starlette.middleware.base import BaseHTTPMiddleware

from instrumentation import instrument, track

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("shapes")
engine = create_engine("sqlite://")
WHEN = os.environ.get("FORECOURT_WHEN", "import")


def _instrument() -> None:
    for _ in range(2):  # twice is harmless
        instrument(app, engine=engine, service_name="shapes", excluded=["/excluded"])


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    log.info("starting")
    yield
    log.info("stopping")


app = FastAPI(lifespan=lifespan)


class Outer(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next):  # noqa: ANN001, ANN201  # starlette's
        if request.url.path.startswith("/refused"):
            return JSONResponse({}, 401)
        return await call_next(request)


app.add_middleware(Outer)


@app.get("/items/{number}")
async def item(number: int) -> int:
    log.info("item %d", number)
    await asyncio.sleep(0)
    return number


@app.get("/refused/{number}")
async def refused(number: int) -> int:
    return number


@app.get("/excluded")
def excluded() -> None:
    _query()


@app.get("/late")
def late() -> None:
    _instrument()


@app.get("/background")
def background(tasks: BackgroundTasks) -> None:
    tasks.add_task(_query)


def _query() -> None:
    with track("background.work"), engine.connect() as connection:
        connection.execute(text("SELECT 1"))


@app.get("/stream")
def stream() -> StreamingResponse:
    return StreamingResponse(iter(["a" * 1000] * 10))


@app.get("/file")
def file() -> FileResponse:
    return FileResponse(__file__, filename="shapes.py")


@app.get("/calls/{port}")
async def calls(port: int) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{port}/items/7?token=abcdefgh")).status_code


@app.websocket("/ws/{room}")
async def websocket(socket: WebSocket, room: str) -> None:
    await socket.accept()
    await socket.send_text(room)
    await socket.receive_text()
    await socket.close()


below = FastAPI()
app.mount("/below", below)


@below.get("/deep/{number}")
def deep(number: int) -> int:
    return number


if WHEN == "import":
    _instrument()
elif WHEN == "built":
    app.middleware_stack = app.build_middleware_stack()
    _instrument()
