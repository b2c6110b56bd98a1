"""Collects the body of a response, inflates it and limits its size."""

import zlib

from financehub_shared.core.errors import MalformedError, UpstreamError

#: Names of content codings → name in `_BodyReader`. Only gzip is requested, but some servers send deflate anyway.
_CODINGS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
#: Window sizes with which zlib expects a gzip header, a zlib header, or no header.
_GZIP, _ZLIB, _RAW = 31, 15, -15
#: Largest number of members of a gzip body (RFC 1952, 2.2). Parallel compressors write one member per 64 kB.
MEMBERS_MAX = 1_000
#: Bytes that some servers append to a compressed body.
_PADDING = b"\0 \r\n\t"


class BodyReader:
    """Inflates a body to at most one byte more than `limit`, so a zip bomb does not take more memory than that.

    Args:
        provider: Name of the provider, for errors.
        coding: Content-Encoding of the response.
        limit: Largest accepted size in bytes of both the received and the inflated body.

    Raises:
        MalformedError: The coding was not requested.
    """

    def __init__(self, provider: str, coding: str, limit: int) -> None:
        self.data = bytearray()
        self._provider = provider
        self._limit = limit
        self._received = 0
        self._members = 0
        self._start = b""
        coding = coding.strip().lower()
        if coding not in _CODINGS:
            raise MalformedError(provider, f"content-encoding {coding[:40]!r} was not requested")
        self._coding = _CODINGS[coding]
        self._stream: zlib._Decompress | None = None

    @property
    def too_large(self) -> bool:
        """Whether the body exceeds the limit."""
        # Received bytes count too, because a compressed body may contain any number of bytes without content.
        return max(len(self.data), self._received) > self._limit

    def feed(self, chunk: bytes) -> None:
        """Process the next bytes.

        Raises:
            MalformedError: The body cannot be decompressed.
        """
        self._received += len(chunk)
        if not self._coding:
            self.data += chunk
            return
        while chunk and not self.too_large:
            if self._stream is None:
                chunk = self._begin_member(chunk)
            if self._stream is not None:
                chunk = self._inflate(self._stream, chunk)

    def finish(self) -> bytes:
        """Return the whole body.

        Raises:
            UpstreamError: The compressed body is incomplete.
        """
        if self._stream is not None or self._start:
            raise UpstreamError(self._provider, "the compressed body was truncated")
        return bytes(self.data)

    def _begin_member(self, chunk: bytes) -> bytes:
        """Prepare for the next member and return the bytes that belong to it."""
        if self._members:
            chunk = chunk.lstrip(_PADDING)
        chunk = self._start + chunk
        self._start = chunk if len(chunk) < 2 else b""  # the first two bytes show whether there is a header
        if not chunk or self._start:
            return b""
        if self._members and (self._coding != "gzip" or not chunk.startswith(b"\x1f\x8b")):
            raise MalformedError(self._provider, "unknown bytes follow the compressed body, so it may be incomplete")
        if self._members == MEMBERS_MAX:
            raise MalformedError(self._provider, f"the body consists of more than {MEMBERS_MAX} gzip members")
        self._members += 1
        window = _GZIP if self._coding == "gzip" else _ZLIB if _is_zlib_header(chunk) else _RAW
        self._stream = zlib.decompressobj(wbits=window)
        return chunk

    def _inflate(self, stream: "zlib._Decompress", chunk: bytes) -> bytes:
        """Inflate up to the limit, and return the bytes after the end of the member."""
        try:
            self.data += stream.decompress(chunk, self._limit + 1 - len(self.data))
        except zlib.error as error:
            raise MalformedError(self._provider, "the body cannot be decompressed") from error
        if not stream.eof:
            return b""
        self._stream = None
        return stream.unused_data


def _is_zlib_header(chunk: bytes) -> bool:
    """Whether a deflate body begins with a zlib header (RFC 1950, 2.2), which some servers leave out."""
    return chunk[0] & 0x0F == 8 and (chunk[0] << 8 | chunk[1]) % 31 == 0
