"""Reads the issuer and the end of validity of a certificate in DER format (RFC 5280, 4.1), and where it ends. Pure.

Python shows the fields of a certificate only if it trusts it, and this is needed for those that it does not.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

_VERSION, _UTC_TIME = 0xA0, 0x17
#: Object ids of the parts of a name that say whose it is (RFC 4519): common name, organization, organizational unit.
_PARTS = (b"\x55\x04\x03", b"\x55\x04\x0a", b"\x55\x04\x0b")
#: A certificate comes from a foreign server, and its name goes into messages.
_NAME_CHARACTERS = 80


def issuer_and_end(certificate: bytes) -> tuple[str, datetime | None]:
    """Return the name of a certificate's issuer, and the time at which the certificate expires.

    Args:
        certificate: Any bytes. What cannot be read is empty or None.
    """
    try:
        signed = next(_elements(next(_elements(certificate))[1]))[1]
        fields = [each for each in _elements(signed) if each[0] != _VERSION]
        # Serial number, algorithm, issuer, validity.
        name, validity = fields[2][1], fields[3][1]
        return _name(name), _time(*list(_elements(validity))[1])
    except (IndexError, StopIteration, ValueError):
        return "", None


def first_element(data: bytes) -> bytes:
    """Return the first element with its header. OpenSSL appends the purposes of a trusted certificate to it.

    Args:
        data: Any bytes.

    Raises:
        ValueError: The element is truncated.
    """
    try:
        _, content = next(_elements(data))
    except (IndexError, StopIteration):
        raise ValueError("the element is truncated") from None
    header = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[: header + len(content)]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each element.

    Raises:
        IndexError: An element is truncated.
    """
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[position : position + size])
            position += size
        if position + length > len(data):
            raise IndexError(position)
        yield tag, data[position : position + length]
        position += length


def _name(data: bytes) -> str:
    """Return the common name, otherwise the organization, otherwise the organizational unit."""
    found: dict[bytes, str] = {}
    for _, relative_name in _elements(data):
        for _, attribute in _elements(relative_name):
            (_, kind), (_, value) = list(_elements(attribute))[:2]
            found.setdefault(kind, value.decode("utf-8", errors="replace"))
    name = next((found[part] for part in _PARTS if found.get(part)), "")
    return "".join(each if each.isprintable() else "?" for each in name)[:_NAME_CHARACTERS]


def _time(tag: int, data: bytes) -> datetime:
    text = data.decode("ascii")
    if tag == _UTC_TIME:  # a year of two digits: 50 to 99 belong to the last century
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
