"""Encoded answers, which requests share as long as what was read from Redis has not changed."""

import gzip
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

#: Smallest body that is compressed. Below it, the headers of gzip cost more than it saves.
SMALLEST_COMPRESSED = 1_000
#: Memory of the bodies that are kept. All quotes of 1,000 assets take 0.4 MB, and 0.05 MB compressed.
MOST_BYTES = 4_000_000
#: Number of bodies that are kept. Programs that poll use far fewer addresses.
MOST_BODIES = 500
#: Memory of an entry without its body and without the texts that name its request.
_ENTRY_BYTES = 1_000
#: Larger bodies are not kept.
LARGEST_KEPT = 1_000_000
#: Fast, and within a tenth of the size of the best level for our JSON.
_LEVEL = 4


@dataclass(slots=True)
class Body:
    """One encoded answer.

    Args:
        content: The bytes.
        media_type: The content type.
        tag: The entity tag.
        next_page_token: The token of the next page, if only a header can tell it; otherwise None.
        warnings: The warnings, if only a header can tell them, as the value of the header; otherwise empty.
    """

    content: bytes
    media_type: str
    tag: str
    next_page_token: str | None = None
    warnings: str = ""
    _compressed: bytes | None = field(default=None, init=False)

    @property
    def size(self) -> int:
        """Bytes that the body takes."""
        headers = len(self.next_page_token or "") + len(self.warnings)
        return len(self.content) + len(self._compressed or b"") + headers

    @property
    def can_be_compressed(self) -> bool:
        """Whether compression saves anything."""
        return len(self.content) >= SMALLEST_COMPRESSED

    def compressed(self) -> bytes:
        """Return the body compressed with gzip."""
        if self._compressed is None:
            self._compressed = gzip.compress(self.content, _LEVEL, mtime=0)
        return self._compressed


class RequestKey(NamedTuple):
    """What was requested.

    Args:
        path: The path.
        parameters: The parameters that were read, so that unlike spellings of the same ones are equal.
        is_csv: Whether the answer is CSV.
    """

    path: str
    parameters: str
    is_csv: bool


class BodyCache:
    """The newest encoded answers. It can be used by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Request → versions and contents of the readings from which its answer was made, and the answer.
        self._bodies: OrderedDict[RequestKey, tuple[Hashable, Hashable, Body]] = OrderedDict()

    @property
    def size(self) -> int:
        """Estimated bytes that all entries take."""
        return sum(_size_of(request, body) for request, (_, _, body) in self._bodies.items())

    def __len__(self) -> int:
        """Return the number of answers."""
        return len(self._bodies)

    def tag(self, request: RequestKey, contents: Hashable) -> str | None:
        """Return the tag of the answer to a request, or None if it has to be made to know it.

        Args:
            request: What was requested.
            contents: Numbers of the contents of the readings from which the answer is made.
        """
        with self._lock:
            known = self._bodies.get(request)
            return known[2].tag if known is not None and known[1] == contents else None

    def get(self, request: RequestKey, versions: Hashable, make: Callable[[], Body], contents: Hashable = None) -> Body:
        """Return the answer to a request.

        Args:
            request: What was requested.
            versions: Versions of the readings from which the answer is made.
            make: Makes the answer if there is none of these versions.
            contents: Numbers of the contents of these readings.
        """
        with self._lock:
            known = self._bodies.get(request)
            if known is not None and known[0] == versions:
                self._bodies.move_to_end(request)
                return known[2]
        body = make()
        with self._lock:
            self._bodies.pop(request, None)
            if len(body.content) <= LARGEST_KEPT:
                self._bodies[request] = (versions, contents, body)
            size = self.size
            while size > MOST_BYTES or len(self._bodies) > MOST_BODIES:
                name, (_, _, oldest) = self._bodies.popitem(last=False)
                size -= _size_of(name, oldest)
        return body


def _size_of(request: RequestKey, body: Body) -> int:
    # a text takes up to 4 bytes for each character
    return body.size + 4 * (len(request.path) + len(request.parameters)) + _ENTRY_BYTES
