"""Creates responses with a damaged body: cut, empty, oversized, with a bad escape, or a gzip or entity bomb."""

import struct
import zlib
from collections.abc import AsyncIterator
from functools import lru_cache

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from financehub_simulator.state import ActiveFault

_CHUNK = 65_536


class CutResponse(Response):
    """Announces the whole body, sends half of it and closes the connection."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self._response.body)
        await send({"type": "http.response.start", "status": 200, "headers": self._response.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


class DisconnectResponse(Response):
    """Closes the connection before it sends any byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["financehub.transport"].abort()


def apply_body_fault(response: Response, fault: ActiveFault, empty_body: bytes) -> Response:
    """Return a genuine response with its body damaged by a fault of kind `body`.

    Args:
        response: The genuine response.
        fault: The fault.
        empty_body: A response body with the right shape but no content.
    """
    media = response.headers.get("content-type", "application/json")
    body = bytes(response.body)
    headers = {}
    match fault.spec.name:
        case "truncated":
            damaged = body[: len(body) // 2]
        case "blank":
            damaged = b""
        case "empty":
            damaged = empty_body
        case "oversized":
            return StreamingResponse(_padded(body, fault.parameters["megabytes"]), 200, media_type=media)
        case "zip-bomb":
            damaged, headers = zip_bomb(fault.parameters["megabytes"]), {"Content-Encoding": "gzip"}
        case "bad-escape":
            damaged = body.replace(b'"title":"', b'"title":"\\u p ', 1)
        case "entity-bomb":
            damaged = entity_bomb()
        case other:
            raise AssertionError(f"body fault {other!r} is not implemented")
    return Response(damaged, 200, headers, media)


async def _padded(body: bytes, megabytes: int) -> AsyncIterator[bytes]:
    """Yield the document and then whitespace, which is valid after JSON and after an XML root element."""
    yield body
    padding = b" " * (_CHUNK - 1) + b"\n"
    for _ in range(megabytes * 1_000_000 // _CHUNK + 1):
        yield padding


@lru_cache(maxsize=4)
def zip_bomb(megabytes: int) -> bytes:
    """Return a gzip stream of about `megabytes` kB that unpacks to `megabytes` MB of spaces.

    Deflate blocks that end in a full flush can be repeated, so only the first block is compressed (RFC 1951, RFC 1952).
    """
    chunk = b" " * 1_000_000
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = compressor.compress(chunk) + compressor.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(chunk, checksum)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return header + block * megabytes + b"\x03\x00" + struct.pack("<II", checksum, megabytes * len(chunk) % 2**32)


def entity_bomb(levels: int = 10) -> bytes:
    """Return an RSS document whose title expands to 10^`levels` words (the "billion laughs" attack)."""
    entities = "".join(
        f'<!ENTITY e{level} "{f"&e{level - 1};" * 10 if level else "laugh"}">\n' for level in range(levels + 1)
    )
    return (
        f'<?xml version="1.0"?>\n<!DOCTYPE rss [\n{entities}]>\n<rss version="2.0"><channel><title>News</title>'
        f"<item><title>&e{levels};</title><link>https://example.com/laugh</link></item></channel></rss>\n"
    ).encode()
