"""Reads what formats and encodings a client accepts (RFC 9110)."""

from collections.abc import Sequence


def qualities(header: str) -> dict[str, float]:
    """Return name → quality of the entries of an `Accept` or `Accept-Encoding` header, in lower case.

    Other parameters are ignored, and so is an entry with a quality that is not a number from 0 to 1.
    """
    found: dict[str, float] = {}
    for entry in header.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((value.partition("=")[2] for value in parameters if value.startswith("q=")), "1")
        try:
            number = float(quality)
        except ValueError:
            continue
        if name and 0 <= number <= 1:
            found[name] = max(number, found.get(name, 0.0))
    return found


def best_type(accept: str, offered: Sequence[str]) -> str | None:
    """Return the media type that a client prefers, or None if it accepts none of them.

    Args:
        accept: The header; empty if there is none.
        offered: The media types, the usual one first.
    """
    accepted = qualities(accept)
    if not accepted:
        return offered[0]

    def quality(media_type: str) -> float:
        names = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        return next((accepted[name] for name in names if name in accepted), 0.0)

    best = max(offered, key=quality)
    return best if quality(best) > 0 else None


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client accepts a body that is compressed with gzip."""
    accepted = qualities(accept_encoding)
    return accepted.get("gzip", accepted.get("*", 0.0)) > 0
