"""An HTTP request, and how long the server's certificate still holds."""

from __future__ import annotations

import re
import socket
import ssl
import time
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from collector.probes.finding import Finding
from collector.settings import HttpProbeSettings
from processors.http_request import PROBE_USER_AGENT

_SERVER_ERROR = 500
_BODY_BYTES = 64 * 1024
_CERTIFICATE_SECONDS = 3600.0
_DAY_SECONDS = 86400.0
_OBJECTS = re.compile(r"^.*(?:connection|refused|Caused by): ?(?=[\[(])")


class HttpProbe:
    """Any answer below 500 is up, unless statuses are expected; redirects are answers and not followed."""

    kind = "http"

    def __init__(self, settings: HttpProbeSettings) -> None:
        self.name = settings.name
        self.unhealthy_after = settings.unhealthy_after
        self._settings = settings
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=settings.timeout))
        self._headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._certificate_days: float | None = None
        self._certificate_seen = -_CERTIFICATE_SECONDS

    def look(self) -> Finding:
        settings = self._settings
        headers = {"User-Agent": PROBE_USER_AGENT, **self._headers}
        try:
            with self._pool.request(
                settings.method, settings.endpoint, headers=headers, redirect=False, preload_content=False
            ) as response:
                body = response.read(_BODY_BYTES) if settings.body else b""
                status = response.status
        except HTTPError as error:
            return Finding("down", _reason(error))
        good = status in settings.expected_status if settings.expected_status else status < _SERVER_ERROR
        if not good:
            return Finding("down", f"status {status}", self._days())
        if settings.body and re.search(settings.body, body.decode("utf-8", "replace")) is None:
            return Finding("down", f"status {status}, but the body does not match", self._days())
        return Finding("up", f"status {status}", self._days())

    def _days(self) -> float | None:
        """Days until the certificate expires, asked once an hour; None without TLS."""
        address = urlsplit(self._settings.endpoint)
        if address.scheme != "https" or address.hostname is None:
            return None
        if time.monotonic() - self._certificate_seen > _CERTIFICATE_SECONDS:
            self._certificate_days = _days_left(address.hostname, address.port or 443, self._settings.timeout)
            self._certificate_seen = time.monotonic()
        return self._certificate_days


def _days_left(host: str, port: int, timeout: float) -> float | None:
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            certificate = secured.getpeercert() or {}
    except OSError:
        return None
    ends = certificate.get("notAfter")
    return (ssl.cert_time_to_seconds(ends) - time.time()) / _DAY_SECONDS if isinstance(ends, str) else None


def _reason(error: HTTPError) -> str:
    """Without the objects that urllib3 puts before the reason."""
    return _OBJECTS.sub("", str(error)) or type(error).__name__
