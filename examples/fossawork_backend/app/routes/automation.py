from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from app.services.form_automation import form_automation_service
from app.services.job_queue import job_queue_manager

router = APIRouter(prefix="/api/v1/automation")


@router.post("/process-visit")
async def process_visit(request: Request, visit: dict[str, Any]) -> dict[str, str]:
    job_id = await form_automation_service.process_visit(
        user_id=request.state.user["id"],
        visit_url=visit["visit_url"],
        work_order_id=visit["work_order_id"],
        dispensers=visit["dispensers"],
    )
    return {"job_id": job_id, "status": form_automation_service.active_jobs[job_id].status}


@router.post("/jobs")
async def submit_job(request: Request, visit: dict[str, Any]) -> dict[str, str]:
    return {"job_id": await job_queue_manager.run(request.state.user["id"], visit)}
