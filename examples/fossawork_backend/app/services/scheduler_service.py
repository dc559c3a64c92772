from __future__ import annotations

import logging
import os

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.faults import faults
from app.routes.work_orders import scraping_progress

logger = logging.getLogger("fossawork.scheduler")


async def execute_work_order_scraping(user_id: str, trigger_type: str = "scheduled") -> None:
    """Raises when it fails, unlike the manual one."""
    logger.info("[SCHEDULER] %s scrape for user %s", trigger_type, user_id)
    if faults.failing_sync:
        raise ConnectionError("WorkFossa does not answer")
    scraping_progress[user_id] = {"status": "completed", "work_orders_found": 3}


def make_scheduler() -> AsyncIOScheduler:
    scheduler = AsyncIOScheduler()
    seconds = float(os.environ.get("FOSSAWORK_SYNC_SECONDS", "30"))
    scheduler.add_job(
        "app.services.scheduler_service:execute_work_order_scraping", "interval", seconds=seconds, args=["user-1"]
    )
    return scheduler
