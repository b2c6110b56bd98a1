"""Answers that are damaged: cut, empty, far too large, or bombs."""

import struct
import zlib
from collections.abc import AsyncIterator
from functools import lru_cache

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from financehub_simulator.core import Fault

_CHUNK = 65_536


class CutResponse(Response):
    """Announces the whole body, sends half of it and ends the connection."""

    def __init__(self, genuine: Response) -> None:
        super().__init__()
        self._genuine = genuine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self._genuine.body)
        await send({"type": "http.response.start", "status": 200, "headers": self._genuine.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


class DisconnectResponse(Response):
    """Ends the connection without a byte of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["financehub.transport"].abort()


def spoil(response: Response, fault: Fault, empty: bytes) -> Response:
    """A genuine answer, spoiled as a body fault asks for."""
    media = response.headers.get("content-type", "application/json")
    body = bytes(response.body)
    match fault.spec.name:
        case "truncated":
            return Response(body[: len(body) // 2], 200, media_type=media)
        case "blank":
            return Response(b"", 200, media_type=media)
        case "empty":
            return Response(empty, 200, media_type=media)
        case "oversized":
            return StreamingResponse(_padded(body, fault.parameters["megabytes"]), 200, media_type=media)
        case "zip-bomb":
            bomb = zip_bomb(fault.parameters["megabytes"])
            return Response(bomb, 200, {"Content-Encoding": "gzip"}, media)
        case "entity-bomb":
            return Response(entity_bomb(), 200, media_type=media)
        case other:
            raise AssertionError(f"body fault {other!r} is not served")


async def _padded(body: bytes, megabytes: int) -> AsyncIterator[bytes]:
    """A document that stays valid and grows: white space is allowed after JSON and after XML's root."""
    yield body
    padding = b" " * (_CHUNK - 1) + b"\n"
    for _ in range(megabytes * 1_000_000 // _CHUNK + 1):
        yield padding


@lru_cache(maxsize=4)
def zip_bomb(megabytes: int) -> bytes:
    """A gzip stream of about `megabytes` kB that unpacks to `megabytes` MB of spaces.

    Deflate blocks that end in a full flush can be repeated, so not all of it is packed (RFC 1951, RFC 1952).
    """
    piece = b" " * 1_000_000
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(piece, checksum)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return header + block * megabytes + b"\x03\x00" + struct.pack("<II", checksum, megabytes * len(piece) % 2**32)


def entity_bomb(levels: int = 10) -> bytes:
    """RSS whose title expands to 10^`levels` words (the 'billion laughs')."""
    entities = "".join(
        f'<!ENTITY e{level} "{f"&e{level - 1};" * 10 if level else "laugh"}">\n' for level in range(levels + 1)
    )
    return (
        f'<?xml version="1.0"?>\n<!DOCTYPE rss [\n{entities}]>\n<rss version="2.0"><channel><title>News</title>'
        f"<item><title>&e{levels};</title><link>https://example.com/laugh</link></item></channel></rss>\n"
    ).encode()
