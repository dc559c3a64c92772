"""A server that behaves as Pushover's API documents, for one application and one user."""

from __future__ import annotations

import json
from typing import Any

from tests.support.notifications import Answer, Asked

TOKEN = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
USER = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
RECEIPT = "rLqVuqTRh62UzxtmqiaLzQmVcPgiCy"


class PushoverCloud:
    """https://pushover.net/api and https://pushover.net/api/receipts, faults included."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.acknowledged_by = ""
        self.expired = False
        self.cancelled: list[str] = []
        self.looks = 0
        self.faults: list[Answer] = []
        """Answers that come first, one after the other."""
        self.remaining = 7496

    def __call__(self, asked: Asked) -> Answer:
        if self.faults:
            return self.faults.pop(0)
        path = asked.path.split("?")[0]
        if path == "/1/messages.json":
            return self._message(asked.form)
        if path == f"/1/receipts/{RECEIPT}.json" and asked.method == "GET":
            self.looks += 1
            return self._ok(**self._receipt())
        if path == f"/1/receipts/{RECEIPT}/cancel.json" and asked.form.get("token") == TOKEN:
            self.cancelled.append(RECEIPT)
            return self._ok()
        return _json(404, {"receipt": "not found", "errors": ["receipt not found"], "status": 0})

    def _message(self, form: dict[str, str]) -> Answer:
        if form.get("token") != TOKEN:
            return self._refused(token="invalid", errors=["application token is invalid"])
        if form.get("user") != USER:
            return self._refused(
                user="invalid", errors=["user identifier is not a valid user, group, or subscribed user key"]
            )
        if not form.get("message"):
            return self._refused(message="cannot be blank", errors=["message cannot be blank"])
        emergency = form.get("priority") == "2"
        if emergency and (int(form.get("retry", 0)) < 30 or not 0 < int(form.get("expire", 0)) <= 10_800):
            return self._refused(retry="must be supplied", errors=["retry must be supplied with priority=2"])
        self.messages.append(form)
        self.remaining -= 1
        return self._ok(**({"receipt": RECEIPT} if emergency else {}))

    def _receipt(self) -> dict[str, Any]:
        return {
            "acknowledged": int(bool(self.acknowledged_by)),
            "acknowledged_at": 1360019238 if self.acknowledged_by else 0,
            "acknowledged_by": USER if self.acknowledged_by else "",
            "acknowledged_by_device": self.acknowledged_by,
            "last_delivered_at": 1360001238,
            "expired": int(self.expired),
            "expires_at": 1360019290,
            "called_back": 0,
            "called_back_at": 0,
        }

    def _ok(self, **content: Any) -> Answer:
        status, headers, body = _json(200, {**content, "status": 1, "request": "647d2300-702c-4b38-8b2f-d56326ae460b"})
        limits = {"X-Limit-App-Limit": "7500", "X-Limit-App-Remaining": str(self.remaining)}
        return status, {**headers, **limits, "X-Limit-App-Reset": "1796083200"}, body

    def _refused(self, **content: Any) -> Answer:
        return _json(400, {**content, "status": 0, "request": "5042853c-402d-4a18-abcb-168734a801de"})


def _json(status: int, content: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(content).encode()


def over_limit(reset: int) -> Answer:
    """The month's messages are used up."""
    status, headers, body = _json(429, {"errors": ["application is over its quota"], "status": 0})
    limits = {"X-Limit-App-Limit": "7500", "X-Limit-App-Remaining": "0", "X-Limit-App-Reset": str(reset)}
    return status, {**headers, **limits}, body
