"""What the channels over HTTP share: one request, its answer understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from alerting.channels.channel import ChannelError
from alerting.plain_text import plain

if TYPE_CHECKING:
    import requests

_TOO_MANY = 429
_SERVER_ERROR = 500
_TIMEOUTS = (408, 425, _TOO_MANY)
_MOST_ANSWER_BYTES = 65_536


class Answer:
    """`content` is what was answered, cut at 64 KiB."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def text(self) -> str:
        return plain(self.content.decode("utf-8", "replace"), 200)

    def refuse(self, says: str = "") -> None:
        """Raise ChannelError unless the status is a success."""
        if 200 <= self.status < 300:  # noqa: PLR2004  # HTTP's successes
            return
        permanent = self.status < _SERVER_ERROR and self.status not in _TIMEOUTS
        message = f"answered {self.status}" + (f": {says or self.text}" if says or self.text else "")
        raise ChannelError(message, permanent=permanent, retry_after=retry_after(self.headers))


def call(method: str, url: str, *, timeout: float, **given: Any) -> Answer:
    """One request without redirects; raise ChannelError, which does not tell the address: it may be secret."""
    import requests  # noqa: PLC0415  # 7 MB and 0.1 s, for nothing where nobody is told over HTTP

    try:
        with _session() as session:
            response = session.request(method, url, timeout=timeout, allow_redirects=False, stream=True, **given)
            with response:
                content = next(response.iter_content(_MOST_ANSWER_BYTES), b"")
                return Answer(response.status_code, response.headers, content)
    except requests.exceptions.InvalidURL as error:
        raise ChannelError("its address is not a URL", permanent=True) from error
    except requests.RequestException as error:
        if isinstance(error, requests.Timeout):
            problem = f"did not answer within {timeout:g} s"
        elif isinstance(error, requests.exceptions.SSLError):
            problem = "its certificate can't be trusted"
        elif isinstance(error, requests.ConnectionError):
            away = "refused" in str(error) or "resolve" in str(error)
            problem = "can't be reached" if away else "broke the connection off"
        else:
            problem = f"failed: {type(error).__name__}"
        raise ChannelError(problem, permanent=False) from error


def _session() -> requests.Session:
    import requests  # noqa: PLC0415  # see above

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            """Nowhere: requests would read the body, however long, to look where it leads, followed or not."""

    return Session()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; of a date, against the answer's own (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return None
