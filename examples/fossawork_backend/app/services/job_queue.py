from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from app.services.form_automation import form_automation_service

JobCallback = Callable[[dict[str, Any]], Awaitable[None]]


class JobQueueManager:
    def __init__(self) -> None:
        self.job_callbacks: list[JobCallback] = []

    def add_job_callback(self, callback: JobCallback) -> None:
        self.job_callbacks.append(callback)

    async def run(self, user_id: str, visit: dict[str, Any]) -> str:
        job_id = str(uuid.uuid4())
        await self._tell("job_started", job_id, user_id)
        try:
            await form_automation_service.process_visit(user_id=user_id, **visit)
        except Exception:
            await self._tell("job_failed", job_id, user_id)
            raise
        await self._tell("job_completed", job_id, user_id)
        return job_id

    async def _tell(self, event_type: str, job_id: str, user_id: str) -> None:
        for callback in self.job_callbacks:
            await callback({"event_type": event_type, "job_id": job_id, "user_id": user_id})


job_queue_manager = JobQueueManager()
