"""The feeds of feedparser's own tests: every version, and every defect that its users have reported."""

import re
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

#: The feeds of feedparser's tests that have entries or an unusual encoding (BSD-2-Clause, see LICENSE in the archive).
ARCHIVE = Path(__file__).parents[1] / "fixtures" / "feeds" / "feedparser-6.0.14.tar.xz"
_CONTENT_TYPE = re.compile(rb"Header:\s+Content-type:\s*(.*)", re.IGNORECASE)


@cache
def feed_corpus() -> dict[str, bytes]:
    """Return the bytes of each feed by its path."""
    return dict(_read())


def content_type_of(body: bytes) -> str:
    """Return the content type with which a feed of the corpus should be served."""
    stated = _CONTENT_TYPE.search(body)
    return stated[1].decode().strip() if stated else "application/xml"


def _read() -> Iterator[tuple[str, bytes]]:
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".xml") else None
            if file is not None:
                yield member.name.removeprefix("tests/"), file.read()
