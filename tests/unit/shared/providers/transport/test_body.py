"""Tests of response bodies: content codings, several gzip members, damaged ends and limits."""

import gzip
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.errors import MalformedError, UpstreamError
from financehub_shared.providers.transport.body import MEMBERS_MAX, BodyReader

TEXT = b"<rss>" + b"news " * 1_000 + b"</rss>"


def member(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


def read(coding: str, body: bytes, chunk: int = 64, limit: int = 100_000) -> bytes:
    reader = BodyReader("rss", coding, limit)
    for start in range(0, len(body), chunk):
        reader.feed(body[start : start + chunk])
        if reader.too_large:
            raise MalformedError("rss", "too large")
    return reader.finish()


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8), st.integers(1, 300))
def test_gzip_body_of_several_members_is_read_completely(parts: list[bytes], chunk: int):
    """N11: all content of any number of members, including empty ones, is read for any division into chunks."""
    assert read("gzip", b"".join(map(member, parts)), chunk) == b"".join(parts)


@pytest.mark.parametrize("pack", [zlib.compress, raw_deflate], ids=["zlib", "raw"])
@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_deflate_body_is_read_with_and_without_a_header(pack: Callable[[bytes], bytes], chunk: int):
    """N11: deflate is not requested, but both forms that servers send are read."""
    assert read("deflate", pack(TEXT), chunk) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", " GZIP "])
@pytest.mark.parametrize("padding", [b"", b"\0" * 512, b"\r\n", b"\0" * 10 + member(b"!")])
def test_gzip_body_with_padding_is_read(coding: str, padding: bytes):
    """Zeros and line ends after a member are not content."""
    assert read(coding, member(TEXT) + padding) == TEXT + (b"!" if padding.endswith(member(b"!")) else b"")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", member(TEXT) + b"<html>"),
        ("gzip", member(TEXT) + b"\x1f\x8b\x00broken member"),
        ("gzip", member(TEXT)[:-8] + b"\0" * 8),
        ("gzip", TEXT),
        ("deflate", zlib.compress(TEXT) + b"more"),
        ("deflate", zlib.compress(TEXT) + zlib.compress(TEXT)),
        ("deflate", b"\xff\xff" + TEXT),
    ],
    ids=[
        "text after",
        "broken member after",
        "wrong checksum",
        "no gzip",
        "text after zlib",
        "zlib twice",
        "no deflate",
    ],
)
def test_compressed_body_with_other_bytes_is_malformed(coding: str, body: bytes):
    """N11: bytes that cannot be read are an error, so nothing is lost silently (F7)."""
    with pytest.raises(MalformedError):
        read(coding, body)


@pytest.mark.parametrize("body", [member(TEXT), member(b"a") + member(TEXT), member(b"a") + b"\0" + member(TEXT)])
def test_truncated_gzip_body_is_an_upstream_error(body: bytes):
    """N11: a body that ends inside a member, at any byte of its header, content or checksum, is truncated (F7)."""
    start = len(body) - len(member(TEXT))
    for end in range(start + 1, len(body)):
        with pytest.raises(UpstreamError, match="truncated"):
            read("gzip", body[:end], chunk=1_000)


def test_empty_body_is_empty():
    """A response without a body, such as a redirect's, may still state a coding."""
    assert read("gzip", b"") == b""


def test_bomb_of_several_members_stops_at_the_limit():
    """The limit is for all members together, and each chunk adds at most one byte beyond the limit."""
    reader = BodyReader("rss", "gzip", 100_000)
    reader.feed(member(bytes(60_000)) * 100)
    assert reader.too_large
    assert len(reader.data) == 100_001


def test_body_of_very_many_members_is_malformed():
    """Empty members have no content but take time, so their number is limited."""
    started = time.process_time()
    with pytest.raises(MalformedError, match="1000 gzip members"):
        read("gzip", member(b"") * (MEMBERS_MAX + 1))
    assert time.process_time() - started < 1
