"""Static files in as few bytes as every browser takes."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_MOST_FILES = 200


class CompressedFiles(StaticFiles):
    """Each file is gzipped once, when it is first wanted.

    Pages and their parts are not compressed: beside what an address says, which may be a stranger's link, stand the
    form token and what was recorded, and the length of both together would tell of them (BREACH, CVE-2013-3587).
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.add_vary_header("Accept-Encoding")
        if not isinstance(response, FileResponse) or not _takes_gzip(scope):
            return response
        headers = dict(response.headers)
        content = await run_in_threadpool(_gzipped, str(response.path), headers["etag"])
        del headers["accept-ranges"]
        changed = {"content-encoding": "gzip", "content-length": str(len(content)), "etag": f"W/{headers['etag']}"}
        return Response(content, response.status_code, headers | changed)


def _takes_gzip(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    accepted = headers.get("accept-encoding", "").lower().replace(" ", "")
    whole = scope["method"] == "GET" and "range" not in headers
    return whole and "gzip" in accepted and "gzip;q=0" not in accepted


@lru_cache(_MOST_FILES)
def _gzipped(path: str, _version: str) -> bytes:
    return gzip.compress(Path(path).read_bytes(), mtime=0)
