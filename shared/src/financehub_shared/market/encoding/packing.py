"""Packs bars and indicator series into compact columnar blobs: lossless, with a checksum, standard library only.

Layout, little-endian: a 20-byte header (version u8, columns u8, metadata length u16, rows u32, CRC-32 u32, first day
i32, last day i32), the metadata (JSON), the days (i32 each), then each column (f64 each). The CRC covers the whole
blob with the CRC field set to zero. 500 bars take 22 kB. The first and last day can be read from the header alone.
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import lt

from financehub_shared.market.encoding.fields import MAX_DAY
from financehub_shared.market.encoding.record_names import RecordName

VERSION = 1
#: A newer release may write a version up to this one. Greater numbers are the first byte of something else.
_LAST_VERSION = 31
_HEADER = struct.Struct("<BBHIIii")
_CRC_AT = 8
#: Bytes that identify a blob and its content; optimistic writes compare them.
HEADER_SIZE = _HEADER.size
_DAY_SIZE, _VALUE_SIZE = 4, 8


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of the first `HEADER_SIZE` bytes.

    Args:
        columns, rows: Number of columns and of rows.
        meta_size: Size of the metadata in bytes.
        crc: Checksum of the blob.
        first_day, last_day: Days since 1970-01-01; both 0 if there are no rows.
    """

    columns: int
    rows: int
    meta_size: int
    crc: int
    first_day: int
    last_day: int

    @property
    def size(self) -> int:
        """Length of the whole blob in bytes."""
        return HEADER_SIZE + self.meta_size + self.rows * (_DAY_SIZE + self.columns * _VALUE_SIZE)


def _little(values: "array[int] | array[float]", size: int) -> bytes:
    if values.itemsize != size:
        raise ValueError(f"array type {values.typecode!r} has {values.itemsize} bytes an item, not {size}")
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _read(typecode: str, data: memoryview) -> "array[float]":
    values: array[float] = array(typecode)
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _is_ascending(days: "array[int]") -> bool:
    return all(map(lt, days, days[1:]))


def pack(meta: bytes, days: "array[int]", columns: "Sequence[array[float]]") -> bytes:
    """Write a blob.

    Args:
        meta: The caller's metadata, at most 65,535 bytes.
        days: Array of type `i`, strictly ascending.
        columns: At most 255 arrays of type `d`, each as long as `days`.

    Raises:
        ValueError: The columns do not have that shape, which is a bug in the caller.
    """
    rows = len(days)
    if any(len(column) != rows for column in columns):
        raise ValueError(f"columns have {[len(column) for column in columns]} values, expected {rows}")
    if not _is_ascending(days):
        raise ValueError("days are not strictly ascending")
    body = b"".join([meta, _little(days, _DAY_SIZE), *(_little(column, _VALUE_SIZE) for column in columns)])
    first, last = (days[0], days[-1]) if rows else (0, 0)
    head = _HEADER.pack(VERSION, len(columns), len(meta), rows, 0, first, last)
    crc = zlib.crc32(body, zlib.crc32(head))
    return head[:_CRC_AT] + struct.pack("<I", crc) + head[_CRC_AT + 4 :] + body


def read_header(name: RecordName, blob: bytes) -> Header:
    """Read only the header.

    Raises:
        CorruptDataError: The blob is too short, or its days are implausible.
        NewerRecordError: Its format version is newer.
    """
    if len(blob) < HEADER_SIZE:
        raise name.corrupt(f"{len(blob)} bytes are too few for a header of {HEADER_SIZE} bytes")
    version, columns, meta_size, rows, crc, first, last = _HEADER.unpack_from(blob)
    if VERSION < version <= _LAST_VERSION:
        raise name.newer(f"has the format version {version}; this release reads version {VERSION}")
    if version != VERSION:
        raise name.corrupt(f"is not a blob (its first byte is {version})")
    if rows and not -MAX_DAY < first <= last < MAX_DAY:
        raise name.corrupt(f"has the days {first} to {last}")
    return Header(columns, rows, meta_size, crc, first, last)


def check_size(name: RecordName, header: Header, size: int) -> None:
    """Compare the size of a blob in bytes with its header.

    Raises:
        CorruptDataError: The sizes differ.
    """
    if size != header.size:
        raise name.corrupt(f"is {size} bytes long, but its header says {header.size}")


def unpack(name: RecordName, blob: bytes) -> "tuple[bytes, array[int], list[array[float]]]":
    """Read a blob; return its metadata, days and columns.

    Args:
        name: Name of the blob, for error messages.
        blob: A blob written by `pack`.

    Raises:
        CorruptDataError: The version, length or checksum is wrong.
    """
    header = read_header(name, blob)
    check_size(name, header, len(blob))
    view = memoryview(blob)
    blank = blob[:_CRC_AT] + bytes(4) + blob[_CRC_AT + 4 : HEADER_SIZE]
    if zlib.crc32(view[HEADER_SIZE:], zlib.crc32(blank)) != header.crc:
        raise name.corrupt("fails its checksum")
    days_at = HEADER_SIZE + header.meta_size
    values_at = days_at + header.rows * _DAY_SIZE
    width = header.rows * _VALUE_SIZE
    columns = [_read("d", view[at : at + width]) for at in range(values_at, header.size, width)] if width else []
    days: array[int] = _read("i", view[days_at:values_at])  # type: ignore[assignment]
    if not _is_ascending(days):
        raise name.corrupt("has days that are not in order")
    return blob[HEADER_SIZE:days_at], days, columns or [array("d") for _ in range(header.columns)]
