from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, BackgroundTasks, HTTPException, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from sqlalchemy import select, text
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeoutError

from app.database import POOL_CONNECTIONS, Database, WorkOrder, engine
from app.faults import faults, leaked

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/api/v1/work-orders")
scraping_progress: dict[str, dict[str, Any]] = {}
_ERROR_EVERY = 2


@router.get("/")
def work_orders(request: Request, db: Database) -> list[dict[str, Any]]:
    user = request.state.user["id"]
    logger.info("[WORK_ORDERS] Getting work orders for user %s", user)
    if faults.slow_query:
        db.execute(text("SELECT sleep(1.0) FROM work_orders LIMIT 1"))
    if faults.memory_growth:
        leaked.append(b"x" * (8 << 20))
    if faults.pool_exhaustion:
        _keep_all_connections()
    rows = db.scalars(select(WorkOrder).where(WorkOrder.user_id == user))
    return [{"id": row.id, "store": row.store} for row in rows]


def _keep_all_connections() -> None:
    kept = []
    with suppress(SQLAlchemyTimeoutError):
        while engine.pool.checkedout() < POOL_CONNECTIONS:
            kept.append(engine.connect())
    timer = threading.Timer(2.0, lambda: [connection.close() for connection in kept])
    timer.daemon = True
    timer.start()


@router.get("/export")
def export(db: Database) -> PlainTextResponse:
    rows = [f"{row.id},{row.store},{row.dispensers}" for row in db.scalars(select(WorkOrder))]
    attachment = {"Content-Disposition": 'attachment; filename="work_orders.csv"'}
    return PlainTextResponse("\n".join(["id,store,dispensers", *rows]), headers=attachment)


@router.get("/stream")
def stream() -> StreamingResponse:
    def lines() -> Any:
        for number in range(3):
            yield f"{number}\n"

    return StreamingResponse(lines())


@router.get("/{number}")
async def work_order(number: int, db: Database) -> dict[str, Any]:
    if faults.hung_loop:
        time.sleep(3.0)  # noqa: ASYNC251  # the fault
    if faults.errors and number % _ERROR_EVERY == 0:
        raise RuntimeError(f"work order {number} can't be read, password=pump-and-nozzle")
    row = db.get(WorkOrder, number)
    if row is None:
        raise HTTPException(404, f"no work order {number}")
    return {"id": row.id, "store": row.store, "dispensers": row.dispensers}


@router.post("/scrape")
async def scrape(request: Request, tasks: BackgroundTasks) -> dict[str, str]:
    user = request.state.user["id"]
    scraping_progress[user] = {"status": "in_progress", "message": "Starting work order scraping..."}
    tasks.add_task(perform_scrape, user, {"username": request.state.user["email"], "password": "pump-and-nozzle"})
    return {"status": "started"}


async def perform_scrape(user_id: str, credentials: dict[str, str]) -> None:
    """Returns None whatever happens; what became of it stands in `scraping_progress`."""
    logger.info("[SCRAPE] Starting scrape for %s with %s", user_id, credentials)
    if faults.failing_sync:
        logger.error("[SCRAPE] WorkFossa does not answer")
        scraping_progress[user_id] = {"status": "failed", "error": "WorkFossa does not answer"}
        return
    scraping_progress[user_id] = {"status": "completed", "work_orders_found": 12}
