"""Chooses the media type of an answer (RFC 9110)."""

from collections.abc import Sequence

from financehub_web.http.encodings import qualities


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
