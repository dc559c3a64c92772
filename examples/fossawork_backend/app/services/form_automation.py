from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import Any

from app.faults import faults

logger = logging.getLogger("fossawork.automation")


@dataclass
class AutomationJob:
    user_id: str
    status: str = "running"
    error_message: str | None = None


class FormAutomationService:
    def __init__(self) -> None:
        self.active_jobs: dict[str, AutomationJob] = {}

    async def process_visit(
        self, user_id: str, visit_url: str, work_order_id: str, dispensers: list[dict[str, Any]]
    ) -> str:
        """The job's id. A visit is "completed" when its dispensers were tried, filled or not."""
        job_id = str(uuid.uuid4())
        job = self.active_jobs[job_id] = AutomationJob(user_id)
        logger.info("[BOT] visit_started | %s %s", visit_url, work_order_id)
        for dispenser in dispensers:
            dispenser["automation_completed"] = not faults.failing_automation
            if faults.failing_automation:
                logger.warning("Failed to process dispenser %s", dispenser["dispenser_number"])
        job.status = "completed"
        return job_id


form_automation_service = FormAutomationService()
