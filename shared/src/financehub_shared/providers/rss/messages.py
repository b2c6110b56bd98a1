"""Encodes the messages between a worker and its parser process: a header in JSON, and the bytes of a feed.

They are sent through pipes. The worker decodes replies as JSON and not as pickle, so even if a feed takes over the
parser process, its reply is only data.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from financehub_shared.core.models import NewsItem, Quarantined

#: Largest header or body of a message in bytes. A reply with 500 news items and long titles has 1 MB.
FRAME_BYTES_MAX = 16_000_000
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class FeedSource:
    """Where the bytes of a feed come from.

    Args:
        provider: Name of the provider in records.
        label: Name of the feed, which becomes the source if the feed does not have a title.
        url: Address of the feed after redirects. Relative links are relative to it.
        content_type: Content type of the response, which may name the encoding.
        fetched_at: Unix seconds of the fetch.
    """

    provider: str
    label: str
    url: str
    content_type: str
    fetched_at: float


@dataclass(frozen=True, slots=True)
class Feed:
    """A parsed feed.

    Args:
        items: Its news items.
        quarantined: Entries that are not usable as news items.
        newest_at: Unix seconds of the newest dated entry. None if no usable entry has a date.
    """

    items: Sequence[NewsItem]
    quarantined: Sequence[Quarantined]
    newest_at: float | None


def encode_feed(feed: Feed) -> dict[str, Any]:
    """Encode a feed for `decode_feed`."""
    return asdict(feed)


def decode_feed(record: Mapping[str, Any]) -> Feed:
    """Decode a feed.

    Raises:
        ValueError: The record is not an encoded feed.
    """
    try:
        return Feed(
            [NewsItem(**(item | {"assets": ()})) for item in record["items"]],
            [Quarantined(**item) for item in record["quarantined"]],
            record["newest_at"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a feed: {error}") from error


def send(stream: IO[bytes], header: Mapping[str, Any], body: bytes = b"") -> None:
    """Write a message.

    Raises:
        OSError: The other process has ended.
    """
    encoded = json.dumps(header).encode()
    for part in (_LENGTH.pack(len(encoded)), encoded, _LENGTH.pack(len(body)), body):
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read a message.

    Raises:
        EOFError: The other process has ended, or has closed the pipe.
        ValueError: The message is damaged.
    """
    header = json.loads(_read_frame(stream))
    return dict(header), _read_frame(stream)


def _read_frame(stream: IO[bytes]) -> bytes:
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {length} bytes exceeds {FRAME_BYTES_MAX}")
    return _read(stream, length)


def _read(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("the pipe was closed")
    return data
