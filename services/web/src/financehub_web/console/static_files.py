"""Serves the style sheet, the scripts and the vendored libraries from memory."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from financehub_web.console.headers import SAFE_HEADERS
from financehub_web.http.encodings import accepts_gzip

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
#: The address of a file contains its hash, so its content at this address never changes.
_IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file.

    Args:
        content, compressed: The content, and the same with gzip.
        media_type: Its media type.
        version: The beginning of the hash of its content.
    """

    content: bytes
    compressed: bytes
    media_type: str
    version: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Return path → file of all static files. They are read once, and are about 400 kB."""
    return {
        path.relative_to(FOLDER).as_posix(): _read(path)
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file() and path.suffix in _TYPES
    }


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:12]
    return StaticFile(content, gzip.compress(content, 9, mtime=0), _TYPES[path.suffix], version)


def versioned(name: str) -> str:
    """Return the path of a static file with its version, relative to the folder of static files."""
    return f"{name}?v={static_files()[name].version}"


def serve_file(request: Request, name: str) -> Response:
    """Return the response to a request for a static file.

    Raises:
        HTTPException: There is no such file.
    """
    file = static_files().get(name)
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no static file {name}")
    is_current = request.query_params.get("v") == file.version
    headers = dict(SAFE_HEADERS)
    headers |= {
        "Cache-Control": _IMMUTABLE if is_current else "public, no-cache",
        "ETag": f'"{file.version}"',
        "Vary": "Accept-Encoding",
    }
    if file.version in request.headers.get("If-None-Match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        return Response(file.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)
