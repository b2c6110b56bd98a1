"""Refuses requests that change something and come from another site (CSRF).

Browsers send `Sec-Fetch-Site` (W3C Fetch Metadata) with every request to a trustworthy address, and `Origin` with every
unsafe one. No cookie and no form token is needed. A bearer token shows that a program sent the request, because a
foreign page cannot add one without permission by CORS.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from financehub_web.access.users import User

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def origin_problem(headers: Mapping[str, str], user: User) -> str:
    """Return why an unsafe request may come from another site; empty if it does not.

    Args:
        headers: The headers of the request, in any case.
        user: The user who sent it.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return "" if site == "same-origin" else f"the request comes from another site (Sec-Fetch-Site: {site[:40]!r})"
    origin = headers.get("origin")
    if origin is not None:
        is_same = _authority(origin) == headers.get("host", "").lower() != ""
        return "" if is_same else f"the request comes from the origin {origin[:100]!r}"
    if user.has_token:
        return ""
    return (
        "the request does not say where it comes from; programs send a bearer token, or the header "
        "`Sec-Fetch-Site: same-origin`"
    )


def _authority(origin: str) -> str:
    """Return the host and port of an origin; empty if it is not a valid address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
