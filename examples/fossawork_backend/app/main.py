"""A backend with the shape of FossaWork V2: `forecourt run app.main:app` watches it as it is."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, WebSocket

from app.database import engine, make_tables
from app.faults import faults, leaked
from app.middleware.auth_middleware import AuthenticationMiddleware
from app.middleware.rate_limit import RateLimitMiddleware
from app.middleware.request_id import RequestIdMiddleware
from app.routes import auth, automation, work_orders
from app.services.pushover_notification import PushoverNotificationService
from app.services.scheduler_service import make_scheduler

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
logger = logging.getLogger("app.core.startup")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    logger.info("Starting FossaWork V2 application...")
    make_tables()
    scheduler = make_scheduler()
    scheduler.start()
    yield
    scheduler.shutdown(wait=False)
    engine.dispose()


app = FastAPI(title="FossaWork V2, in small", lifespan=lifespan)
app.add_middleware(AuthenticationMiddleware)
app.add_middleware(RateLimitMiddleware)
app.add_middleware(RequestIdMiddleware)
app.include_router(auth.router)
app.include_router(work_orders.router)
app.include_router(automation.router)

reports = FastAPI(title="Reports")
app.mount("/reports", reports)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.put("/faults")
async def set_faults(wanted: dict[str, bool]) -> dict[str, bool]:
    for name, on in wanted.items():
        setattr(faults, name, on)
    if not faults.memory_growth:
        leaked.clear()
    return asdict(faults)


@app.post("/api/v1/notifications")
async def notify(notification: dict[str, Any]) -> dict[str, bool]:
    sent = await PushoverNotificationService().send_notification("Visit", "done", int(notification["priority"]))
    return {"sent": sent}


@app.websocket("/logs/stream")
async def log_stream(websocket: WebSocket) -> None:
    await websocket.accept()
    for number in range(3):
        await websocket.send_text(f"line {number}")
    await websocket.close()


@reports.get("/weekly/{week}")
async def weekly(week: int) -> dict[str, int]:
    return {"week": week}
