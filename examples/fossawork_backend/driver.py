"""Traffic for the backend, and a tally of what was done: what monitoring must come to as well.

python driver.py http://127.0.0.1:8000 --scenario failed-logins --rounds 20
"""

from __future__ import annotations

import argparse
import http.client
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PASSWORD = "pump-and-nozzle"  # noqa: S105  # of an example whose users do not exist
SCENARIOS = {
    "normal": {},
    "slow-queries": {"slow_query": True},
    "errors": {"errors": True},
    "failed-logins": {},
    "rate-limit": {},
    "pool-exhaustion": {"pool_exhaustion": True},
    "failing-automation": {"failing_automation": True},
    "failing-sync": {"failing_sync": True},
    "memory-growth": {"memory_growth": True},
    "hung-loop": {"hung_loop": True},
}
"""Names and the faults that each switches on in the backend."""


_WRONG_PASSWORDS = 5
_OVER_THE_LIMIT = 70
ROUNDS_BETWEEN_MISTAKES = 40
"""So that fewer than 2 % of all requests are refused, as on a normal day."""


@dataclass
class Tally:
    """What was sent and answered."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    logins: Counter[str] = field(default_factory=Counter)
    """By outcome, success or failure."""
    visits: int = 0
    jobs: int = 0
    syncs: int = 0
    exports: int = 0
    rejected_tokens: int = 0


class Driver:
    """One technician at a time, over one connection that is kept."""

    def __init__(self, url: str, scenario: str = "normal") -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._scenario = scenario
        self.tally = Tally()
        self._token = ""
        self._request("PUT", "/faults", dict.fromkeys(_all_faults(), False) | SCENARIOS[scenario])

    def round(self, number: int) -> None:
        for _ in self.steps(number):
            pass

    def steps(self, number: int) -> Iterator[None]:
        """Twelve requests: a login, what a technician does with it, and now and then what is refused."""
        user = f"tech{number % 5 + 1}@example.com"
        for _ in range(_WRONG_PASSWORDS if self._scenario == "failed-logins" else 0):
            yield self._login(user, "wrong-password")
        for _ in range(_OVER_THE_LIMIT if self._scenario == "rate-limit" else 0):
            yield self._login(user, PASSWORD)
        self._login(user, PASSWORD)
        bearer = {"Authorization": f"Bearer {self._token}"}
        if number % ROUNDS_BETWEEN_MISTAKES == 0:
            yield from self._mistakes(bearer)
        for path in ("/health", "/reports/weekly/7"):
            yield self._request("GET", path)
        for order in ("", *(str((number + step) % 60 + 1) for step in range(3)), "stream"):
            yield self._request("GET", f"/api/v1/work-orders/{order}", headers=bearer)
        self.tally.exports += 1
        yield self._request("GET", "/api/v1/work-orders/export", headers=bearer)
        visit = {
            "visit_url": "https://app.example.com/visit/7?token=pump-and-nozzle",
            "work_order_id": f"W-{number}",
            "dispensers": [{"dispenser_number": "1"}, {"dispenser_number": "2"}],
        }
        self.tally.visits += 1
        yield self._request("POST", "/api/v1/automation/process-visit", visit, bearer)
        self.tally.visits += 1
        self.tally.jobs += 1
        yield self._request("POST", "/api/v1/automation/jobs", visit, bearer)
        self.tally.syncs += 1
        yield self._request("POST", "/api/v1/work-orders/scrape", headers=bearer)

    def _mistakes(self, bearer: dict[str, str]) -> Iterator[None]:
        """No such page, no token, a wrong token, no such work order."""
        for path in ("/nowhere", "/api/v1/work-orders/"):
            yield self._request("GET", path)
        self.tally.rejected_tokens += 1
        yield self._request("GET", "/api/v1/work-orders/", headers={"Authorization": "Bearer made.up.token"})
        yield self._request("GET", "/api/v1/work-orders/9999", headers=bearer)

    def _login(self, user: str, password: str) -> None:
        status, answer = self._request("POST", "/api/auth/login", {"username": user, "password": password})
        succeeded = status == http.client.OK
        self.tally.logins["success" if succeeded else "failure"] += 1
        self._token = str(json.loads(answer)["access_token"]) if succeeded else ""

    def _request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"Content-Type": "application/json", **(headers or {})})
        response = self._connection.getresponse()
        text = response.read()
        if response.status == http.client.INTERNAL_SERVER_ERROR:
            self._connection.close()  # uvicorn hangs up after an exception
        self.tally.requests += 1
        self.tally.statuses[response.status] += 1
        return response.status, text

    def close(self) -> None:
        self._connection.close()


def _all_faults() -> set[str]:
    return {fault for faults in SCENARIOS.values() for fault in faults}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--scenario", choices=SCENARIOS, default="normal")
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    driver = Driver(given.url, given.scenario)
    for number in range(given.rounds):
        driver.round(number)
    driver.close()
    print(driver.tally)  # noqa: T201  # what it is for


if __name__ == "__main__":
    main()
