"""A small FastAPI app that sends to Forecourt: one line does it.

Run it beside `forecourt collector`:  uvicorn --app-dir examples/quickstart app:app
"""

import logging

from fastapi import FastAPI, HTTPException

from instrumentation import event, instrument, track

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("quickstart")
app = FastAPI(title="Quickstart")
instrument(app, service_name="quickstart")


@app.get("/work-orders/{number}")
async def work_order(number: int) -> dict[str, int]:
    if number % 10 == 0:
        log.warning("work order %d does not exist", number)
        raise HTTPException(404, f"no work order {number}")
    with track("work_order.load", number=number):
        log.info("work order %d opened by user@example.com, password=hunter2", number)
    return {"number": number, "dispensers": number % 7}


@app.post("/login")
async def login(username: str) -> dict[str, str]:
    event("auth.login", outcome="success", username=username)
    return {"token": "…"}
